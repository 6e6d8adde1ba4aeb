//! `plot`: pictures and pages of words and documents.

use crate::search::planted;
use crate::support::Folder;

/// What the page was given.
fn data(html: &str) -> serde_json::Value {
    let start = html.find("id=\"data\">").expect("the data") + "id=\"data\">".len();
    let end = start + html[start..].find("</script").expect("an end");
    serde_json::from_str(&html[start..end]).expect("JSON")
}

#[test]
fn a_page_of_documents_holds_labels_and_texts_and_no_markup_of_theirs() {
    let folder = planted();
    let report = folder.json("plot run -o map.html --iterations 100");
    assert_eq!((&report["points"], &report["method"]), (&121.into(), &"tsne".into()), "{report}");
    assert_eq!(report["groups"][0], serde_json::json!({"name": "kitchen", "points": 60}));
    let html = folder.read("map.html");
    assert!(!html.contains("<script>alert") && html.matches("<script").count() == 2, "a text became part of the page");
    let data = data(&html);
    assert_eq!(data["groups"], serde_json::json!(["kitchen", "sea"]));
    assert_eq!((&data["keys"][120], &data["labels"][120]), (&"odd".into(), &"sea".into()));
    let again = folder.firth("plot run -o again.html --iterations 100 --threads 3 --quiet");
    assert_eq!((again.expect_code(0).stdout.as_str(), again.stderr.as_str()), ("", ""));
    assert_eq!(folder.read("again.html"), html);
}

#[test]
fn clusters_are_named_by_their_telling_words() {
    let folder = planted();
    folder.firth("plot run -o map.html --method pca --clusters 2").expect_code(0);
    let groups = data(&folder.read("map.html"))["groups"].clone();
    let names: Vec<&str> = groups.as_array().expect("groups").iter().filter_map(serde_json::Value::as_str).collect();
    let sea = ["boat", "sail", "harbour", "wave", "anchor", "mast", "tide", "crew"];
    let is_sea = |name: &str| name.split(", ").filter(|word| sea.contains(word)).count();
    assert_eq!(names.len(), 2);
    assert!(names.iter().any(|name| is_sea(name) == 3) && names.iter().any(|name| is_sea(name) == 0), "{names:?}");
    // Texts that were never kept leave clusters numbered; texts that are broken are no such case.
    let ran = folder.firth("plot run/documents.safetensors -o numbered.html --method pca --clusters 2");
    assert!(ran.expect_code(0).stderr.contains("clusters are numbered: "), "{}", ran.stderr);
    assert_eq!(data(&folder.read("numbered.html"))["groups"], serde_json::json!(["cluster 1", "cluster 2"]));
    folder.write("run/dataset.safetensors", "broken");
    folder.firth("plot run -o broken.html --method pca --clusters 2").expect_error(3, &["dataset.safetensors"]);
}

#[test]
fn words_are_drawn_by_name_in_png_and_svg() {
    let folder = planted();
    folder.firth("plot run -o words.svg --words boat sail oven salt").expect_code(0);
    let svg = folder.read("words.svg");
    for word in ["boat", "sail", "oven", "salt"] {
        assert!(svg.contains(word), "{word}");
    }
    let report = folder.json("plot run -o words.png --words --top 10 --clusters 2");
    assert_eq!((&report["points"], &report["method"]), (&10.into(), &"pca".into()));
    assert!(std::fs::read(folder.join("words.png")).is_ok_and(|bytes| bytes.starts_with(b"\x89PNG")));
    folder.firth("plot run docs.tsv --text-field 3 --label-field 2 -o input.png --top 60 --method pca").expect_code(0);
}

#[test]
fn what_cannot_be_drawn_is_refused_before_anything_is_written() {
    let folder = Folder::new();
    folder.write_vectors("v.txt");
    folder.write("old.png", "mine");
    let before = folder.names();
    for (arguments, code, parts) in [
        ("plot v.txt -o map.pdf", 2, &["map.pdf", ".png, .svg or .html"][..]),
        ("plot v.txt -o map", 2, &[".png, .svg or .html"]),
        ("plot v.txt", 2, &["--output"]),
        ("plot v.txt -o old.png", 2, &["--force"]),
        ("plot v.txt -o m.png --words king quen", 2, &["\"quen\"", "queen"]),
        ("plot v.txt -o m.png --words king --top 3", 2, &["--top"]),
        ("plot v.txt -o m.png --color labels", 2, &["--color labels: these vectors have none"]),
        ("plot v.txt -o m.png --color labels --clusters 2", 2, &["--clusters"]),
        ("plot v.txt -o m.png --clusters 9", 2, &["--clusters 9: there are 6 vectors"]),
        ("plot v.txt -o m.png --perplexity 2", 2, &["--perplexity: has no effect"]),
        ("plot v.txt -o m.png --words king", 3, &["two rows or more"]),
    ] {
        folder.firth(arguments).expect_error(code, parts);
        assert_eq!(folder.names(), before, "{arguments}");
    }
    assert_eq!(folder.read("old.png"), "mine");
    folder.firth("plot v.txt -o old.png --force").expect_code(0);
    folder.firth("plot v.txt -o six.html --title </title>").expect_code(0);
}
