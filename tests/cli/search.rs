//! `nearest --documents`: ids and texts as queries, labels and first words in the answers, and the index.

use std::fmt::Write as _;

use crate::support::Folder;

/// Documents about the sea and about the kitchen, with ids and labels; the last is markup that must stay text.
pub fn planted() -> Folder {
    let folder = Folder::new();
    let sea = ["boat", "sail", "harbour", "wave", "anchor", "mast", "tide", "crew"];
    let kitchen = ["pan", "butter", "flour", "oven", "spoon", "salt", "onion", "stew"];
    let mut text = String::from("id\tlabel\ttext\n");
    for at in 0..120usize {
        let (label, words) = if at.is_multiple_of(2) { ("sea", &sea) } else { ("kitchen", &kitchen) };
        let word = |step: usize| words[(at * 7 + step * (at % 3 + 1)) % 8];
        let _ = writeln!(
            text,
            "d{at}\t{label}\tthe {} and the {} with a {} near the {}",
            word(0),
            word(1),
            word(2),
            word(3)
        );
    }
    text += "odd\tsea\t</script><script>alert(1)</script> boat sail & wave\n";
    folder.write("docs.tsv", text);
    let train = "train autoencoder docs.tsv --text-field text --label-field label --id-field id -o run --code 8 --epochs 30 \
        --threads 1 --max-documents 100%";
    folder.firth(train).expect_code(0);
    folder
}

#[test]
fn the_nearest_documents_have_the_label_of_the_query() {
    let folder = planted();
    let found = folder.json("nearest run --documents d4 d5 --top 8");
    for (query, label) in [(0, "sea"), (1, "kitchen")] {
        let results = found[query]["results"].as_array().expect("results");
        assert_eq!(results.len(), 8);
        let same = results.iter().filter(|result| result["label"] == label).count();
        assert!(same >= 7, "{found}");
        assert!(results[0]["text"].as_str().is_some_and(|text| text.starts_with("the ")), "{found}");
        assert!(results.iter().all(|result| result["key"] != ["d4", "d5"][query]), "itself is no neighbour");
    }
    assert_eq!(found[0]["query"], "d4");
}

#[test]
fn any_text_is_a_query_and_a_pipe_asks_many() {
    let folder = planted();
    let ran = folder.firth_with(&["nearest", "run", "--documents", "a boat\ton the tide", "--top", "3"], "");
    ran.expect_code(0);
    let lines: Vec<Vec<&str>> = ran.stdout.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.len(), 3);
    assert!(
        lines.iter().all(|line| line.len() == 5 && line[0] == "a boat on the tide" && line[3] == "sea"),
        "{lines:?}"
    );
    let ran = folder.firth_with(&["nearest", "run", "--documents", "--top", "1"], "d1\nflour and butter\nzzzz\n");
    ran.expect_code(2);
    assert_eq!(ran.stdout.lines().count(), 2);
    assert!(
        ran.stderr.contains("line 3: \"zzzz\" is no document's id, and as a text it has no word"),
        "{}",
        ran.stderr
    );
}

#[test]
fn queries_that_cannot_be_answered_say_what_to_do() {
    let folder = planted();
    folder.firth("nearest run --documents zzzz").expect_error(2, &["\"zzzz\" is no document's id"]);
    folder.firth_with(&["nearest", "run", "--documents", ""], "").expect_error(2, &["no document's id"]);
    folder.firth("nearest run d1").expect_error(2, &["\"d1\" is not in the vocabulary", "--documents"]);
    folder.firth("nearest run/documents.safetensors d4 --top 1").expect_code(0);
    folder.firth("nearest run/documents.safetensors --documents d4 --top 1").expect_code(0);
    let hint = ["is a vector file, without the model", "give the run"];
    folder.firth("nearest run/documents.safetensors --documents zzzz").expect_error(2, &hint);
    folder.write_text("a.txt", 200);
    folder.firth("train skipgram a.txt -o words --dim 8 --epochs 1 --threads 1").expect_code(0);
    folder.firth("nearest words --documents cat").expect_error(2, &["words only", "firth train autoencoder"]);
    folder.firth("nearest gone --documents cat").expect_code(3);
}

#[test]
fn an_index_gives_the_exact_answers_here_and_tells_what_it_finds() {
    let folder = planted();
    let exact = folder.firth("nearest run --documents d4 d7 d9 --top 5");
    let ran = folder.firth("nearest run --documents d4 d7 d9 --top 5 --approximate");
    assert_eq!(ran.expect_code(0).stdout, exact.stdout);
    assert!(ran.stderr.contains("finds 100.0 % of the 10 truly nearest (measured on 121 rows)"), "{}", ran.stderr);
    let words = folder.firth("nearest run boat --top 3 --approximate --threads 2");
    assert_eq!(words.expect_code(0).stdout, folder.firth("nearest run boat --top 3").stdout);
}
