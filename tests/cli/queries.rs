//! `nearest`, `analogy`, `odd`, `embed`, `eval`: results, pipes, JSON.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use crate::support::{Folder, Tested};

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write_vectors("v.txt");
    folder
}

#[test]
fn nearest_prints_query_key_and_score_apart_by_tabs() {
    let ran = folder().firth("nearest v.txt king queen --top 2");
    ran.expect_code(0);
    let expected = "king\tman\t0.707107\nking\tqueen\t0.500000\nqueen\twoman\t0.707107\nqueen\tking\t0.500000\n";
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (expected, ""));
}

#[test]
fn queries_have_the_promised_json_fields() {
    let folder = folder();
    let nearest = folder.json("nearest v.txt king --top 2");
    assert_eq!(nearest[0]["query"], "king");
    assert_eq!(nearest[0]["results"][0]["key"], "man");
    assert!(nearest[0]["results"][0]["score"].as_f64().is_some_and(|score| score > 0.70 && score < 0.71));
    assert_eq!(nearest[0]["results"].as_array().map(Vec::len), Some(2));
    let analogy = folder.json("analogy v.txt man woman king --top 1");
    assert_eq!((&analogy[0]["query"], &analogy[0]["results"][0]["key"]), (&"man woman king".into(), &"queen".into()));
    let odd = folder.json("odd v.txt man rock king");
    assert_eq!(odd[0]["results"][0]["key"], "rock");
    assert_eq!(odd[0]["results"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_pipe_asks_one_query_a_line() {
    let folder = folder();
    let ran = folder.firth_with(&["nearest", "v.txt", "--top", "1"], "king\n\nqueen\r\n");
    assert_eq!(ran.expect_code(0).stdout, "king\tman\t0.707107\nqueen\twoman\t0.707107\n");
    let ran = folder.firth_with(&["analogy", "v.txt", "--top", "1"], "man woman king\nman king woman");
    assert_eq!(ran.expect_code(0).stdout.lines().count(), 2);
    let ran = folder.firth_with(&["odd", "v.txt", "--json"], "man rock king\n");
    assert!(ran.expect_code(0).stdout.starts_with("[{\"query\":\"man rock king\""));
}

#[test]
fn a_bad_line_in_a_pipe_is_reported_and_the_rest_answered() {
    let ran = folder().firth_with(&["nearest", "v.txt", "--top", "1"], "king\nquen\nqueen\n");
    ran.expect_code(2);
    assert_eq!(ran.stdout, "king\tman\t0.707107\nqueen\twoman\t0.707107\n");
    assert!(ran.stderr.contains("line 2: \"quen\" is not in the vocabulary; did you mean \"queen\""), "{}", ran.stderr);
}

#[test]
fn queries_get_the_same_answers_and_exit_code_as_arguments_and_by_a_pipe() {
    let folder = folder();
    for (command, queries, unknown) in [
        ("nearest v.txt --top 1", "king quen queen zzz", ["quen", "zzz"]),
        ("analogy v.txt --top 1", "man woman king man womann king man kingg queen", ["womann", "kingg"]),
    ] {
        let words: Vec<&str> = queries.split(' ').collect();
        let lines = words.chunks(if command.starts_with("analogy") { 3 } else { 1 }).map(|query| query.join(" "));
        let piped = folder.firth_with(&command.split(' ').collect::<Vec<_>>(), lines.collect::<Vec<_>>().join("\n"));
        let typed = folder.firth(&format!("{command} {queries}"));
        assert_eq!(typed.expect_code(2).stdout, piped.expect_code(2).stdout);
        assert!(!typed.stdout.is_empty());
        for (ran, place) in [(&typed, ""), (&piped, "standard input, line ")] {
            let told: Vec<&str> = ran.stderr.lines().collect();
            assert_eq!(told.len(), 3, "{told:?}");
            for (line, word) in told.iter().zip(unknown) {
                assert!(line.starts_with(&format!("firth: error: {place}")) && line.contains(word), "{told:?}");
                assert!(line.contains("is not in the vocabulary"), "{told:?}");
            }
            assert!(told[2].contains("2 of the queries could not be answered"), "{told:?}");
        }
    }
    // JSON, too, holds the answers that there are.
    let ran = folder.firth("nearest v.txt king zzz --json");
    let found: serde_json::Value = serde_json::from_str(&ran.expect_code(2).stdout).expect("JSON");
    assert_eq!((&found[0]["query"], found.as_array().map(Vec::len)), (&"king".into(), Some(1)));
}

#[test]
fn a_coprocess_is_answered_line_by_line() -> Tested {
    let folder = folder();
    let mut child = Command::new(env!("CARGO_BIN_EXE_firth"))
        .current_dir(folder.path())
        .args(["nearest", "v.txt", "--top", "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().expect("a pipe");
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    for (query, answer) in [("king", "king\tman\t0.707107\n"), ("rock", "rock\tstone\t0.999"), ("man", "man\tking")] {
        writeln!(input, "{query}")?;
        let mut line = String::new();
        output.read_line(&mut line)?;
        assert!(line.starts_with(answer), "{line}");
    }
    drop(input);
    assert!(child.wait()?.success());
    Ok(())
}

#[test]
fn queries_of_the_wrong_length_are_refused() {
    let folder = folder();
    folder.firth("analogy v.txt man woman").expect_error(2, &["three words", "found 2"]);
    folder.firth("odd v.txt man woman").expect_error(2, &["three words or more", "found 2"]);
}

#[test]
fn embed_prints_and_saves_the_vectors_of_words() {
    let folder = folder();
    assert_eq!(
        folder.firth("embed v.txt --words king rock").expect_code(0).stdout,
        "king\t3\t0\t3\nrock\t-1\t-1\t0.5\n"
    );
    let vectors = folder.json("embed v.txt --words king");
    assert_eq!((&vectors[0]["key"], &vectors[0]["vector"][2]), (&"king".into(), &3.0.into()));
    folder.firth("embed v.txt -o few.txt --words rock man").expect_code(0);
    assert_eq!(folder.read("few.txt").lines().map(|line| line.split(' ').next()).nth(1), Some(Some("rock")));
    folder.firth("embed v.txt --words kimg").expect_error(2, &["\"king\""]);
}

#[test]
fn analogies_are_scored_by_section() {
    let folder = folder();
    folder.write(
        "q.txt",
        ": family\nman woman king queen\nMan King Woman Queen\nman woman lord lady\n: gram-odd\nrock man stone woman\n",
    );
    let report = folder.json("eval analogy v.txt q.txt");
    assert_eq!((&report["covered"], &report["total"]), (&3.into(), &4.into()));
    assert_eq!((&report["sections"][0]["name"], &report["sections"][0]["correct"]), (&"family".into(), &2.into()));
    let (correct, accuracy) = (report["correct"].as_f64(), report["accuracy"].as_f64());
    assert!(correct.zip(accuracy).is_some_and(|(correct, accuracy)| (correct / 3.0 - accuracy).abs() < 1e-9));
    let ran = folder.firth("eval analogy v.txt q.txt --method 3cosmul --restrict 6");
    assert!(ran.expect_code(0).stdout.starts_with("family\t2\t2\t3\t1.0000\n"), "{}", ran.stdout);
    assert!(ran.stdout.lines().last().is_some_and(|line| line.starts_with("all\t")));
}

#[test]
fn similarity_is_a_list_with_an_entry_for_each_file() {
    let folder = folder();
    folder.write("s.tsv", "king\tman\t7\nqueen\twoman\t8\nrock\tstone\t9.5\nrock\tking\t1\nrock\tlord\t2\n");
    let reports = folder.json("eval similarity v.txt s.tsv s.tsv");
    assert_eq!(reports.as_array().map(Vec::len), Some(2));
    assert_eq!(
        (&reports[0]["file"], &reports[0]["covered"], &reports[0]["total"]),
        (&"s.tsv".into(), &4.into(), &5.into())
    );
    assert!(reports[0]["spearman"].as_f64().is_some_and(|rho| rho > 0.8) && reports[0]["pearson"].is_f64());
    let ran = folder.firth("eval similarity v.txt s.tsv");
    assert_eq!(ran.expect_code(0).stdout.trim_end().split('\t').count(), 5);
}

#[test]
fn what_is_not_covered_has_no_score() {
    let folder = folder();
    folder.write("q.txt", ": family\nman woman king queen\n: alien\nzig zag zog zug\n");
    let report = folder.json("eval analogy v.txt q.txt");
    assert!(report["sections"][1]["accuracy"].is_null(), "{report}");
    let table = folder.firth("eval analogy v.txt q.txt").stdout;
    assert!(table.contains("alien\t0\t0\t1\t-\n"), "{table}");
    folder.write("none.txt", ": alien\nzig zag zog zug\n");
    folder.firth("eval analogy v.txt none.txt").expect_error(3, &["none.txt", "none of the 1 questions"]);
    folder.write("none.tsv", "zig\tzag\t3\nzog\tzug\t4\n");
    folder.firth("eval similarity v.txt none.tsv").expect_error(3, &["none.tsv", "none of the 2 pairs"]);
    folder.write("few.txt", format!("man woman king queen\n{}", "zig zag zog zug\n".repeat(20)));
    let ran = folder.firth("eval analogy v.txt few.txt");
    assert!(ran.expect_code(0).stderr.contains("only 1 of 21 questions"), "{}", ran.stderr);
    folder.write("prose.txt", "this is a text\nof lines that are of many lengths\nand no questions\nat all\n");
    folder.firth("eval analogy v.txt prose.txt").expect_error(3, &["prose.txt", "line 2", "3 of 4 lines"]);
}

#[test]
fn files_without_questions_are_bad_input() {
    let folder = folder();
    folder.write("empty.txt", "");
    folder.firth("eval analogy v.txt empty.txt").expect_error(3, &["empty.txt"]);
    folder.firth("eval similarity v.txt empty.txt").expect_error(3, &["empty.txt"]);
    folder.firth("eval analogy v.txt none.txt").expect_error(3, &["none.txt"]);
}

#[test]
fn many_analogies_get_the_answers_that_each_gets_alone() {
    let folder = Folder::new();
    folder.write_vectors("v.txt");
    let questions = ["man woman king", "king queen man", "rock stone queen", "woman man queen"];
    for method in ["3cosadd", "3cosmul"] {
        let flags = ["analogy", "v.txt", "--top", "2", "--method", method];
        let together = folder.firth_with(&flags, questions.join("\n"));
        let apart: String = questions
            .iter()
            .map(|question| {
                let words: Vec<&str> = flags.iter().copied().chain(question.split(' ')).collect();
                folder.firth_with(&words, "").stdout
            })
            .collect();
        assert_eq!((together.expect_code(0).stdout.as_str(), apart.lines().count()), (apart.as_str(), 8), "{method}");
    }
}

#[test]
fn a_vector_of_zeros_is_no_neighbour_and_has_none() {
    let folder = Folder::new();
    folder.write("v.txt", "4 2\na 1 0\nnothing 0 0\nb 1 1\nagainst -1 0\n");
    for flags in ["", " --approximate"] {
        let ran = folder.firth(&format!("nearest v.txt a{flags}"));
        assert_eq!(ran.expect_code(0).stdout, "a\tb\t0.707107\na\tagainst\t-1.000000\n");
        folder.firth(&format!("nearest v.txt nothing{flags}")).expect_error(2, &["\"nothing\" has a vector of zeros"]);
    }
    let ran = folder.firth_with(&["nearest", "v.txt", "--top", "1"], "a\nnothing\n");
    assert_eq!(ran.expect_code(2).stdout, "a\tb\t0.707107\n");
    assert!(ran.stderr.contains("line 2: \"nothing\" has a vector of zeros"), "{}", ran.stderr);
    folder.firth("analogy v.txt a nothing b").expect_error(2, &["\"nothing\"", "zeros"]);
    folder.firth("odd v.txt a nothing b").expect_error(2, &["\"nothing\"", "zeros"]);
    folder.write("d.tsv", "x\ta\ny\tzig\nz\tb a\n");
    folder.firth("embed v.txt d.tsv --id-field 1 --pool mean -o run").expect_code(0);
    assert_eq!(folder.firth("nearest run --documents x").expect_code(0).stdout.lines().count(), 1);
    folder.firth("nearest run --documents y").expect_error(2, &["\"y\" has a vector of zeros"]);
}

#[test]
fn what_would_drive_a_terminal_is_escaped_in_text() {
    let folder = Folder::new();
    let row = |key: &str, vector: [f32; 2]| serde_json::json!({"text": key, "vector": vector}).to_string() + "\n";
    let rows =
        [("\u{1b}[31mred", [1.0, 0.0]), ("\u{202e}back", [1.0, 0.1]), ("plain", [0.0, 1.0]), ("last", [0.5, 0.4])];
    folder.write("v.jsonl", rows.map(|(key, vector)| row(key, vector)).concat());
    let raw = |text: &str| text.contains(['\u{1b}', '\u{202e}']);
    let [red, back] = ["\\u{1b}[31mred", "\\u{202e}back"];
    for command in [
        "nearest v.jsonl plain \u{1b}[31mred",
        "analogy v.jsonl plain \u{1b}[31mred last",
        "odd v.jsonl plain \u{1b}[31mred \u{202e}back",
        "embed v.jsonl --words \u{1b}[31mred \u{202e}back",
        "reduce v.jsonl --to 1",
        "cluster v.jsonl --clusters 2",
        "cluster v.jsonl --clusters 2 --describe",
    ] {
        let ran = folder.firth(command);
        let said = &ran.expect_code(0).stdout;
        assert!(!raw(said) && said.contains(back), "{said:?}");
    }
    folder.firth("nearest v.jsonl \u{1b}[31mrod").expect_error(2, &["is not in the vocabulary", red]);
    assert_eq!(folder.json("nearest v.jsonl plain")[0]["results"][1]["key"], "\u{202e}back");
    folder.write(
        "d.jsonl",
        "{\"id\": \"one\\ntwo\\tthree\", \"text\": \"plain\"}\n{\"id\": \"\u{202e}x\", \"text\": \"zig\"}\n",
    );
    let ran = folder.firth("embed v.jsonl d.jsonl --id-field id --pool mean");
    assert_eq!(ran.expect_code(0).stdout, "one\\ntwo\\tthree\t0\t1\n\\u{202e}x\t0\t0\n");
    assert!(!raw(&ran.stderr) && ran.stderr.contains("\\u{202e}x"), "{:?}", ran.stderr);
    // Files keep keys as they are.
    folder.firth("convert v.jsonl w.txt").expect_code(0);
    assert!(raw(&folder.read("w.txt")));
}
