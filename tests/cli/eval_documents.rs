//! `eval clusters`, `eval classify`, `eval categories`: scores of planted answers, and what has none.

use serde_json::Value;

use crate::support::Folder;

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

#[test]
fn planted_topics_score_high_in_clusters_and_in_classes() {
    let folder = Folder::new();
    folder.firth("corpus generate topics -o planted").expect_code(0);
    let lines = folder.read("planted/documents.tsv");
    let some: Vec<&str> = lines.lines().skip(1).take(3000).collect();
    folder.write("train.tsv", some[..2000].join("\n") + "\n");
    folder.write("test.tsv", some[2000..].join("\n") + "\n");
    let fields = "--id-field 1 --label-field 2 --text-field 3";
    folder.firth(&format!("train autoencoder train.tsv {fields} -o run --code 20 --threads 1")).expect_code(0);
    let found = folder.json("eval clusters run");
    for (score, least) in [("nmi", 0.7), ("ari", 0.6), ("v_measure", 0.7), ("purity", 0.7)] {
        assert!(number(&found[score]) > least, "{score}: {found}");
        assert!(number(&found[format!("{score}_spread")]) < 0.2, "{score}: {found}");
    }
    assert!(found["clusters"] == 11 && found["documents"] == 2000 && found["seeds"] == 3, "{found}");
    let other = folder.json(&format!("eval clusters run test.tsv {fields} --clusters 5 --seeds 1"));
    assert!(other["clusters"] == 5 && other["documents"] == 1000 && other["nmi_spread"].is_null(), "{other}");
    let found = folder.json("eval classify run");
    assert!(number(&found["accuracy"]) > 0.9 && number(&found["macro_f1"]) > 0.9 && found["folds"] == 5, "{found}");
    let found = folder.json(&format!("eval classify run train.tsv {fields} --test test.tsv --scaling unit"));
    assert!(number(&found["accuracy"]) > 0.9 && found["documents"] == 1000 && found["folds"].is_null(), "{found}");
    let lines = folder.firth("eval clusters run --seeds 1 --restarts 1");
    assert!(lines.expect_code(0).stdout.starts_with("nmi\t0."), "{}", lines.stdout);
    let wrong = format!("eval classify run train.tsv {fields} --test test.tsv --folds 3");
    folder.firth(&wrong).expect_error(2, &["--folds", "--test"]);
    folder.firth("eval classify run --test test.tsv").expect_error(2, &["--test"]);
    folder.firth("eval classify run --folds 2000").expect_error(2, &["--folds"]);
    folder.firth("eval classify run --strength 0").expect_error(2, &["--strength"]);
    folder.firth("eval clusters run --method hdbscan").expect_error(2, &["noise"]);
}

#[test]
fn documents_without_labels_are_refused_and_single_ones_left_out() {
    let folder = Folder::new();
    folder.write_text("a.txt", 60);
    let quick = "--max-documents 100% --code 4 --epochs 3 --threads 1";
    folder.firth(&format!("train autoencoder a.txt -o run {quick}")).expect_code(0);
    folder.firth("eval clusters run").expect_error(2, &["no labels", "--label-field"]);
    folder.firth("eval classify run").expect_error(2, &["no labels", "--label-field"]);
    folder.firth("eval clusters run a.txt").expect_error(2, &["no labels", "--label-field"]);
    let text = folder.read("a.txt");
    let labels = ["x", "y", ""].iter().cycle();
    let lines: String = text.lines().zip(labels).map(|(line, label)| format!("{label}\t{line}\n")).collect();
    folder.write("b.tsv", &lines);
    let ran = folder.firth("eval clusters run b.tsv --label-field 1 --json");
    let found: Value = serde_json::from_str(&ran.expect_code(0).stdout).expect("JSON");
    assert!(found["documents"] == 40 && found["unlabelled"] == 20 && found["labels"] == 2, "{found}");
    assert!(ran.stderr.contains("left out 20 documents without a label"), "{}", ran.stderr);
    folder.firth("eval clusters run b.tsv --label-field 1 --clusters 41").expect_error(2, &["41 clusters of 40 rows"]);
    folder.write("one.tsv", "x\tthe cat\nx\tthe dog\nx\ta boat\n");
    folder.firth("eval classify run one.tsv --label-field 1 --folds 2").expect_error(3, &["1 label in 3 rows"]);
    folder.write("few.tsv", "x\tthe cat\ny\tthe dog\nx\ta boat\n");
    folder.firth("eval classify run few.tsv --label-field 1 --folds 3").expect_error(2, &["--folds", "2 rows"]);
}

#[test]
fn categories_are_scored_with_their_coverage() {
    let folder = Folder::new();
    folder.write_vectors("v.txt");
    folder.write("c.tsv", "stone\trock\nstone\tstone\nroyal\tking\nroyal\tqueen\nroyal\tprince\n");
    let found = folder.json("eval categories v.txt c.tsv");
    let report = &found[0];
    assert!(report["purity"] == 1.0 && report["nmi"] == 1.0 && report["ari"] == 1.0, "{report}");
    assert!(report["covered"] == 4 && report["total"] == 5 && report["categories"] == 2, "{report}");
    let lines = folder.firth("eval categories v.txt c.tsv c.tsv");
    assert_eq!(lines.expect_code(0).stdout, "c.tsv\t1.0000\t1.0000\t1.0000\t2\t4\t5\n".repeat(2));
    folder.write("foreign.tsv", "a\txyzzy\n");
    folder.firth("eval categories v.txt foreign.tsv").expect_error(3, &["foreign.tsv", "none of the 1 words"]);
    folder.write("bad.tsv", "no category here\n");
    folder.firth("eval categories v.txt bad.tsv").expect_error(3, &["bad.tsv", "line 1"]);
}
