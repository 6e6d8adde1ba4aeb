//! `anomaly`: planted documents and rows that do not belong are found, and their words named.

use serde_json::Value;

use crate::support::Folder;

const QUICK: &str = "--max-documents 100% --code 8 --epochs 10 --threads 1";

/// A run on animals and ships, and documents of which the last is neither.
fn trained() -> Folder {
    let folder = Folder::new();
    folder.write_text("a.txt", 400);
    folder.firth(&format!("train autoencoder a.txt -o run {QUICK}")).expect_code(0);
    folder
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

#[test]
fn planted_anomalies_are_found_and_told_beside_trivial_baselines() {
    let folder = Folder::new();
    folder.firth("corpus generate topics -o planted").expect_code(0);
    let planted: Vec<String> = folder
        .read("planted/anomalies.tsv")
        .lines()
        .skip(1)
        .filter_map(|line| line.split('\t').next())
        .map(str::to_owned)
        .collect();
    assert!(planted.len() > 5, "{planted:?}");
    let (mut normal, mut test) = (String::new(), String::new());
    for (at, line) in folder.read("planted/documents.tsv").lines().skip(1).take(3000).enumerate() {
        let cells: Vec<&str> = line.split('\t').collect();
        let is_planted = planted.iter().any(|id| id == cells[0]);
        let kind = if is_planted { "odd" } else { "usual" };
        let line = format!("{}\t{kind}\t{}\n", cells[0], cells[2]);
        if is_planted || at % 4 == 0 { test += &line } else { normal += &line }
    }
    folder.write("normal.tsv", normal);
    folder.write("test.tsv", test);
    let fields = "--id-field 1 --text-field 3";
    folder.firth(&format!("train autoencoder normal.tsv {fields} -o run --code 20 --threads 1")).expect_code(0);
    let anomaly = format!("anomaly run test.tsv {fields} --label-field 2");
    folder.firth(&anomaly).expect_error(2, &["--normal", "odd", "usual"]);
    let told = folder.json(&format!("{anomaly} --normal usual"));
    assert!(number(&told["auc"]) > 0.9, "{} {}", told["auc"], told["baselines"]);
    assert!(number(&told["average_precision"]) > 2.0 * number(&told["baselines"]["length"]["average_precision"]));
    for baseline in ["length", "unseen"] {
        assert!((0.0..=1.0).contains(&number(&told["baselines"][baseline]["auc"])), "{told}");
    }
    let first = &told["documents"][0];
    assert!(planted.iter().any(|id| first["id"] == **id) && first["label"] == "odd", "{first}");
    let ran = folder.firth(&format!("{anomaly} --normal us* --top 3"));
    assert_eq!(ran.expect_code(0).stdout.lines().count(), 3);
    assert!(ran.stderr.contains("AUC 0.") || ran.stderr.contains("AUC 1."), "{}", ran.stderr);
    folder.firth(&format!("{anomaly} --normal nothing")).expect_error(2, &["nothing", "none", "odd, usual"]);
    folder.firth(&format!("anomaly run test.tsv {fields} --normal usual")).expect_error(2, &["--label-field"]);
}

#[test]
fn parts_and_terms_are_those_of_the_words() {
    let folder = trained();
    let text = "the cat and the dog eat green grass near the farm\n";
    folder.write(
        "b.txt",
        text.repeat(20) + "the cat and the canoe eat green grass near the farm\nthe cat and a xyzzy xyzzy\n\n",
    );
    let found = folder.json("anomaly run b.txt --terms 2 --score surprise");
    let documents = found.as_array().expect("a list");
    assert_eq!(documents.len(), 23);
    let of = |id: &str| documents.iter().find(|document| document["id"] == id).expect("the document");
    assert_eq!(
        (of("22")["terms"][0]["term"].as_str(), of("21")["terms"][0]["term"].as_str()),
        (Some("xyzzy"), Some("canoe"))
    );
    assert!(number(&of("22")["terms"][0]["surprise"]) > number(&of("21")["terms"][0]["surprise"]));
    assert_eq!((number(&of("22")["unseen"]), number(&of("21")["unseen"])), (2.0 / 6.0, 0.0));
    assert!(number(&of("21")["surprise"]) > number(&of("1")["surprise"]));
    assert!(number(&of("21")["distance"]) > number(&of("1")["distance"]));
    assert_eq!(of("1")["terms"].as_array().map(Vec::len), Some(2));
    assert_eq!(number(&of("23")["surprise"]), 0.0);
    for score in ["combination", "surprise", "distance", "unseen", "excess"] {
        let found = folder.json(&format!("anomaly run b.txt --score {score}"));
        let scores: Vec<f64> = found.as_array().into_iter().flatten().map(|found| number(&found["score"])).collect();
        assert!(scores.is_sorted_by(|a, b| a >= b), "{score}: {scores:?}");
    }
    assert_eq!(folder.json("anomaly run b.txt")[0]["id"], "22");
}

#[test]
fn what_does_not_depend_on_the_batch_nor_on_threads() {
    let folder = trained();
    folder.write("b.txt", "the cat and the canoe\n".to_owned() + &folder.read("a.txt"));
    folder.write("c.txt", "the cat and the canoe\n");
    let ran = folder.firth("anomaly run c.txt --threads 2");
    assert!(ran.expect_code(0).stderr.contains("ranks among 1 documents say little"), "{}", ran.stderr);
    assert!(!folder.firth("anomaly run c.txt --score distance").stderr.contains("ranks"));
    let all = folder.json("anomaly run b.txt --score surprise --threads 1");
    let alone = folder.json("anomaly run c.txt --score surprise --threads 2");
    let same = all.as_array().into_iter().flatten().find(|found| found["id"] == "1").expect("the document");
    // Products of matrices of other shapes round otherwise.
    for part in ["surprise", "distance", "unseen", "excess"] {
        assert!((number(&same[part]) - number(&alone[0][part])).abs() < 1e-5, "{part}: {same} {alone}");
    }
    assert_eq!(
        folder.firth("anomaly run b.txt --threads 2").stdout,
        folder.firth("anomaly run b.txt --threads 1").stdout
    );
}

#[test]
fn words_in_most_documents_are_not_unseen() {
    let folder = trained();
    folder.firth("train autoencoder a.txt -o few --code 8 --epochs 10 --threads 1 --max-documents 20%").expect_code(0);
    folder.write("b.txt", "the farm\n");
    assert_eq!(number(&folder.json("anomaly few b.txt --score unseen")[0]["unseen"]), 0.0);
}

/// A matrix of f32 as numpy saves it: two kinds of rows, of which the last has a number of the other kind.
fn npy(rows: usize, is_odd: bool) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, 8), }}");
    let header = format!("{header:117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    for row in 0..rows {
        for col in 0..8 {
            let is_on = row.is_multiple_of(2) == (col < 4) || (is_odd && row + 1 == rows && col == 2);
            let value = (if is_on { 0.8 } else { 0.1 }) + 0.02 * ((row * 7 + col * 3) % 5) as f32;
            bytes.extend(value.to_le_bytes());
        }
    }
    bytes
}

#[test]
fn rows_of_a_matrix_are_scored_by_their_error() {
    let folder = Folder::new();
    folder.write("x.npy", npy(100, false));
    folder.write("odd.npy", npy(40, true));
    folder
        .firth("train autoencoder x.npy -o run --code 2 --epochs 300 --activation tanh --lr 0.01 --threads 1")
        .expect_code(0);
    let found = folder.json("anomaly run odd.npy --terms 1");
    assert_eq!((&found[0]["id"], &found[0]["terms"][0]["term"]), (&"40".into(), &"3".into()), "{}", found[0]);
    assert!(found[0].get("unseen").is_none() && found.as_array().map(Vec::len) == Some(40));
    folder.firth("anomaly run odd.npy --score unseen").expect_error(2, &["--score", "surprise"]);
    folder.firth("anomaly run odd.npy --label-field 1 --normal a").expect_error(2, &["--label-field", "matrix"]);
    folder.write("b.txt", "text\n");
    folder.firth("anomaly run b.txt").expect_error(2, &["b.txt", "matrix"]);
}

#[test]
fn what_is_no_run_of_an_autoencoder_is_refused() {
    let folder = Folder::new();
    folder.write_text("a.txt", 60);
    folder.write_vectors("words.vec");
    folder.firth("anomaly words.vec a.txt").expect_error(2, &["words.vec", "autoencoder"]);
    folder.firth("anomaly run").expect_error(2, &["INPUT"]);
}
