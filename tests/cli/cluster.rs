//! `cluster`: planted topics come apart and are told by their words; what cannot be clustered is said.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::Folder;

const QUICK: &str = "--max-documents 100% --code 8 --epochs 10 --threads 1";

/// A run on animals and ships, one document a line, labelled.
fn trained() -> Folder {
    let folder = Folder::new();
    folder.write_text("a.txt", 200);
    let label = |line: &str| if line.contains("grass") { "animals" } else { "ships" };
    let lines: String = folder.read("a.txt").lines().map(|line| format!("{}\t{line}\n", label(line))).collect();
    folder.write("a.tsv", lines);
    folder.firth(&format!("train autoencoder a.tsv --label-field 1 -o run {QUICK}")).expect_code(0);
    folder
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

#[test]
fn each_key_gets_a_cluster_and_labels_come_apart() {
    let folder = trained();
    for method in ["kmeans", "spherical", "minibatch"] {
        let ran = folder.firth(&format!("cluster run --clusters 2 --method {method}"));
        let mut clusters: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        for (line, text) in ran.expect_code(0).stdout.lines().zip(folder.read("a.tsv").lines()) {
            let (_, cluster) = line.split_once('\t').expect("a key and a cluster");
            let at = usize::from(text.starts_with("ships"));
            clusters.entry(cluster).or_default().insert(at);
        }
        assert_eq!(ran.stdout.lines().count(), 200);
        assert_eq!(clusters.keys().collect::<Vec<_>>(), [&"0", &"1"], "{method}");
        assert!(clusters.values().all(|kinds| kinds.len() == 1), "{method}: {clusters:?}");
        assert!(ran.stderr.contains("200 documents in 2 clusters"), "{}", ran.stderr);
    }
    // As many as there are labels, if none are asked for; the same for any number of threads.
    let one = folder.firth("cluster run --threads 1").stdout;
    assert_eq!(one, folder.firth("cluster run --threads 3").stdout);
    assert!(one.contains("\t1\n") && !one.contains("\t2\n"));
    let words = folder.firth("cluster run --words --clusters 3");
    assert!(words.expect_code(0).stdout.lines().any(|line| line.starts_with("grass\t")), "{}", words.stdout);
}

#[test]
fn clusters_are_told_by_their_words_labels_and_central_documents() {
    let folder = trained();
    let told = folder.json("cluster run --clusters 2 --describe -o out/clusters.tsv");
    assert_eq!(folder.read("out/clusters.tsv").lines().count(), 200);
    assert!(told.get("assignments").is_none() && told["documents"] == 200 && number(&told["inertia"]) > 0.0, "{told}");
    for cluster in told["described"].as_array().expect("clusters") {
        assert!(cluster["size"] == 100 && cluster["label"]["share"] == 1.0, "{cluster}");
        let words: Vec<&str> =
            cluster["words"].as_array().expect("words").iter().filter_map(|word| word["word"].as_str()).collect();
        let own = if cluster["label"]["label"] == "ships" { "harbour" } else { "grass" };
        let other = if own == "grass" { "harbour" } else { "grass" };
        assert!(words.contains(&own) && !words.contains(&other), "{words:?}");
        let central = &cluster["central"][0];
        assert!(central["text"].as_str().is_some_and(|text| text.contains(own)), "{central}");
    }
    folder.firth("cluster run --clusters 2 -o out/clusters.tsv").expect_error(2, &["--force"]);
    for name in ["clusters.csv", "clusters.json"] {
        folder.firth(&format!("cluster run --clusters 2 -o {name}")).expect_code(0);
    }
    let csv = format!("key,cluster\n{}", folder.read("out/clusters.tsv").replace('\t', ","));
    assert_eq!(folder.read("clusters.csv"), csv);
    let json: serde_json::Value = serde_json::from_str(&folder.read("clusters.json")).expect("JSON");
    assert_eq!(json, folder.json("cluster run --clusters 2")["assignments"]);
    let lines = folder.firth("cluster run --clusters 2 --describe");
    for part in ["0\tsize\t100\n", "0\twords\t", "1\tlabel\t", "1\tcentral\t"] {
        assert!(lines.expect_code(0).stdout.contains(part), "{part}: {}", lines.stdout);
    }
    let words = folder.json("cluster run --words --clusters 2 --describe");
    assert!(words["words"].as_u64() > Some(10) && words["described"][0]["central"][0]["text"] == "", "{words}");
}

#[test]
fn density_finds_the_number_of_clusters_and_leaves_noise() {
    let folder = Folder::new();
    let mut lines = String::from("91 2\n");
    for at in 0..90 {
        let far = if at % 3 == 0 { 10 } else { 0 };
        lines += &format!("w{at} {}.{:02} 1.{:02}\n", far, at * 7 % 30, at * 11 % 30);
    }
    folder.write("v.txt", lines + "odd 99 99\n");
    let ran = folder.firth("cluster v.txt --method hdbscan --no-normalize");
    assert!(ran.expect_code(0).stdout.contains("odd\t-1\n") && ran.stdout.contains("w1\t0\n"), "{}", ran.stdout);
    assert!(ran.stderr.contains("90 vectors in 2 clusters, 1 vector left as noise"), "{}", ran.stderr);
    assert_eq!(folder.json("cluster v.txt --method hdbscan --no-normalize")["noise"], 1);
    for (flags, parts) in [
        ("--method hdbscan --clusters 3", ["--clusters", "finds out how many"]),
        ("--method hdbscan --restarts 3", ["--restarts", "finds out how many"]),
        ("--method kmeans --clusters 3 --min-cluster-size 4", ["--min-cluster-size", "density"]),
        ("--method spherical --clusters 3 --no-normalize", ["--no-normalize", "directions"]),
        ("--method hdbscan --min-cluster-size 1", ["--min-cluster-size", "give 2 to 91"]),
        ("--method hdbscn", ["hdbscn", "hdbscan"]),
    ] {
        folder.firth(&format!("cluster v.txt {flags}")).expect_error(2, &parts);
    }
}

#[test]
fn what_cannot_be_clustered_is_said() {
    let folder = Folder::new();
    folder.write_vectors("v.txt");
    folder.firth("cluster v.txt").expect_error(2, &["--clusters", "vectors have no labels"]);
    folder.firth("cluster v.txt --clusters 7").expect_error(2, &["--clusters", "7 clusters of 6 rows: give 1 to 6"]);
    folder.firth("cluster v.txt --clusters 0").expect_error(2, &["--clusters", "give 1 to 6"]);
    folder.firth("cluster v.txt --clusters 2 --force").expect_error(2, &["--force", "--output"]);
    folder.firth("cluster v.txt --clusters 2 -o v.txt --force").expect_error(2, &["v.txt"]);
    folder.firth("cluster none.txt --clusters 2").expect_error(3, &["none.txt"]);
    // Parallel vectors are the same direction: four of the six differ.
    folder.write("w.txt", "4 2\na 1 0\nb 2 0\nc 0 1\nd 0 3\n");
    let ran = folder.firth("cluster w.txt --clusters 3");
    assert_eq!(ran.expect_code(0).stdout, "a\t0\nb\t0\nc\t1\nd\t1\n");
    assert!(ran.stderr.contains("2 clusters instead of 3"), "{}", ran.stderr);
    folder.write("z.txt", "3 2\na 1 0\nb 0 0\nc 0 1\n");
    let ran = folder.firth("cluster z.txt --clusters 2");
    assert!(ran.expect_code(0).stderr.contains("1 vector with a vector of zeros"), "{}", ran.stderr);
    assert_eq!(folder.names(), ["v.txt", "w.txt", "z.txt"]);
}

#[test]
fn keys_stay_in_their_column_and_off_the_terminals_controls() {
    let folder = trained();
    let sea = "a raft on blue water\n";
    let lines = format!("a\u{1b}[1m\tx\u{7}y\tcat and dog eat grass\nb\u{9b}2J\tsea\t{sea}c\tsea\t{sea}");
    folder.write("ids.tsv", lines);
    let from = "cluster run ids.tsv --id-field 1 --label-field 2 --text-field 3 --clusters 2";
    let ran = folder.firth(&format!("{from} -o out.tsv --describe"));
    assert!(ran.expect_code(0).stdout.contains("\tlabel\tx\\u{7}y\t1.0000\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("\tcentral\ta\\u{1b}[1m\t"), "{}", ran.stdout);
    assert!(!ran.stdout.contains(['\u{1b}', '\u{7}']), "{}", ran.stdout);
    assert_eq!(folder.read("out.tsv"), "a\\u{1b}[1m\t1\nb\\u{9b}2J\t0\nc\t0\n");
}

#[test]
fn more_clusters_than_memory_and_numbers_too_large_are_refused() {
    let folder = Folder::new();
    folder.write_vectors("v.txt");
    let many = format!("cluster v.txt --method minibatch --clusters {}", u64::MAX);
    folder.firth(&many).expect_error(2, &["--clusters", "give 1 to 6"]);
    let large = (0..20).map(|at| format!("w{at} {at}e20 1\n")).collect::<String>();
    folder.write("large.txt", format!("20 2\n{large}"));
    for method in ["hdbscan", "kmeans --clusters 2"] {
        folder
            .firth(&format!("cluster large.txt --no-normalize --method {method}"))
            .expect_error(3, &["row 2, column 1 holds 1e20", "scale"]);
    }
}

#[test]
fn odd_documents_are_clustered_and_counted() {
    let folder = trained();
    let mut text = "cat\n\nxyzzy qwerty\n".to_owned();
    text += "the cat and the dog eat green grass near the farm\n";
    text += "a boat and a raft sail over blue water to the harbour\n";
    folder.write("b.txt", &text);
    let ran = folder.firth("cluster run b.txt --clusters 2");
    assert_eq!(ran.expect_code(0).stdout.lines().count(), 5, "{}", ran.stdout);
    assert!(ran.stderr.contains("no word that the model knows"), "{}", ran.stderr);
    folder.firth("cluster run b.txt --clusters 6").expect_error(2, &["6 clusters of 5 rows"]);
    folder.write("ids.tsv", "x\tcat and dog eat grass\nx\ta raft on blue water\nx\tboat in the harbour\n");
    let ran = folder.firth("cluster run ids.tsv --id-field 1 --text-field 2 --clusters 2");
    let keys: BTreeSet<&str> = ran.expect_code(0).stdout.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(keys.len(), 3, "{}", ran.stdout);
    let told = folder.json("cluster run ids.tsv --id-field 1 --text-field 2 --clusters 2 --describe");
    assert!(told["described"][0]["words"][0]["word"].is_string(), "{told}");
}
