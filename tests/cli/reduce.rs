//! `reduce`: methods, formats, and what is refused.

use crate::search::planted;
use crate::support::Folder;

#[test]
fn each_method_keeps_keys_labels_and_neighbours() {
    let folder = planted();
    for (method, settings) in
        [("pca", ""), ("tsne", "--iterations 250"), ("umap", ""), ("autoencoder", "--iterations 60")]
    {
        let out = format!("{method}.safetensors");
        let report = folder.json(&format!("reduce run --method {method} {settings} -o {out} --threads 1"));
        assert_eq!((&report["rows"], &report["to"], &report["from"]), (&121.into(), &2.into(), &8.into()), "{report}");
        assert!(report["trustworthiness"].as_f64() > Some(0.7), "{report}");
        // The file knows what the run knew.
        let nearest = folder.json(&format!("nearest {out} --documents d4 --top 1"));
        assert!(nearest[0]["results"][0]["label"].is_string(), "{nearest}");
    }
    let one = folder.firth("reduce run --method tsne --iterations 60 --threads 1");
    assert_eq!(one.expect_code(0).stdout, folder.firth("reduce run --method tsne --iterations 60 --threads 3").stdout);
    assert_eq!(one.stdout.lines().count(), 121);
    assert!(one.stdout.starts_with("d0\t"));
}

#[test]
fn words_and_vector_files_are_reduced_too() {
    let folder = Folder::new();
    folder.write_vectors("v.txt");
    let ran = folder.firth("reduce v.txt --to 1 --metric euclidean");
    assert_eq!(ran.expect_code(0).stdout.lines().count(), 6);
    folder.firth("reduce v.txt --to 3 -o w.txt").expect_code(0);
    assert!(folder.read("w.txt").starts_with("6 3\n"));
    let json = folder.json("reduce v.txt --method tsne --iterations 20");
    assert_eq!(json["vectors"].as_array().map(Vec::len), Some(6));
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is_written() {
    let folder = Folder::new();
    folder.write_vectors("v.txt");
    let before = folder.names();
    for (arguments, code, parts) in [
        ("reduce v.txt --to 4", 2, &["--to", "give 1 to 3"][..]),
        ("reduce v.txt --to 0", 2, &["--to"]),
        ("reduce v.txt --method umapp", 2, &["did you mean 'umap'"]),
        ("reduce v.txt --method umap --neighbors 6", 2, &["--neighbors: 6 of 6 rows: give 2 to 5"]),
        ("reduce v.txt --neighbors 6", 2, &["--neighbors: has no effect"]),
        ("reduce v.txt --method tsne --perplexity 5", 2, &["--perplexity: 5 with 6 rows", "1 to 1.7"]),
        ("reduce v.txt --method tsne --to 4", 2, &["--to: 4"]),
        ("reduce v.txt --method tsne --iterations 5", 2, &["--iterations"]),
        ("reduce v.txt --perplexity 5", 2, &["--perplexity: has no effect", "tsne"]),
        ("reduce v.txt --iterations 5", 2, &["--iterations: has no effect"]),
        ("reduce v.txt --method autoencoder --to 9", 2, &["--to 9", "3 numbers"]),
        ("reduce v.txt -o map.xyz", 2, &["map.xyz"]),
        ("reduce v.txt -o v.txt --force", 2, &["v.txt"]),
        ("reduce v.txt --force", 2, &["--output"]),
        ("reduce v.txt --text-field 2", 2, &["--text-field"]),
        ("reduce gone.txt", 3, &["gone.txt"]),
    ] {
        folder.firth(arguments).expect_error(code, parts);
        assert_eq!(folder.names(), before, "{arguments}");
    }
    folder.write("few.txt", "4 2\na 1 0\nb 0 1\nc 1 1\nd 2 1\n");
    folder.firth("reduce few.txt --method tsne").expect_error(3, &["t-SNE needs 5 rows or more, found 4", "pca"]);
}
