//! `eval sentences`, `eval outlier` and `eval retrieval`: what people judged, and what cannot be scored.

use serde_json::Value;

use crate::support::Folder;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write_vectors("v.txt");
    folder
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

/// A small collection: documents, queries and judgements.
fn collection() -> Folder {
    let folder = folder();
    folder.write("docs.tsv", "d1\tman king\nd2\twoman queen\nd3\trock stone\nd4\t\nd5\tnothing known\n");
    folder.write("queries.tsv", "q1\ta king\nq2\ta stone, a rock\nq3\tnothing\nq4\tqueen\n");
    folder.write("qrels.tsv", "q1\td1\t1\nq2\td3\t2\nq2\td1\t0\nq3\td5\t1\nq4\td2\t0\n");
    folder
}

const SEARCH: &str = "eval retrieval v.txt --documents docs.tsv --queries queries.tsv --qrels qrels.tsv";

#[test]
fn sentences_have_the_promised_json_fields() {
    let folder = folder();
    folder.write("s.tsv", "5\tThe man.\tA man!\n1\tman\trock\n3\tking\tqueen\n2\tzig\tman\n0\tman\trock stone\n");
    folder.write("turned.tsv", "The man.\tA man!\t5\nman\trock\t1\nking\tqueen\t3\n");
    let found = folder.json("eval sentences v.txt s.tsv turned.tsv --pool mean");
    assert_eq!((&found[0]["file"], &found[0]["covered"], &found[0]["total"]), (&"s.tsv".into(), &4.into(), &5.into()));
    assert!(number(&found[0]["spearman"]) > 0.7 && found[0]["pearson"].is_f64(), "{found}");
    assert_eq!((&found[0]["pool"], &found[0]["fitted"]), (&"mean".into(), &true.into()));
    assert_eq!(found[1]["spearman"], 1.0);
    let ran = folder.firth("eval sentences v.txt turned.tsv --pool mean --quiet");
    assert_eq!(ran.expect_code(0).stdout.trim_end().split('\t').count(), 6);
}

#[test]
fn sentences_that_cannot_be_scored_are_bad_input() {
    let folder = folder();
    folder.write("empty.tsv", "");
    folder.write("text.tsv", "only a text\n");
    folder.write("unknown.tsv", "1\tzig\tzag\n2\tzog\tzug\n");
    folder.firth("eval sentences v.txt empty.tsv").expect_error(3, &["empty.tsv", "no scored pair"]);
    folder.firth("eval sentences v.txt text.tsv").expect_error(3, &["line 1", "expected score, sentence, sentence"]);
    folder.firth("eval sentences v.txt unknown.tsv --pool mean").expect_error(3, &["none of the 2 pairs"]);
    folder.firth("eval sentences v.txt none.tsv").expect_error(3, &["none.tsv"]);
}

#[test]
fn outliers_are_scored_and_phrases_made_of_their_parts() {
    let folder = folder();
    folder.write("o.tsv", "x\tman|king|queen\trock|zig\ny\trock|stone\tking_man\n");
    let found = folder.json("eval outlier v.txt o.tsv");
    assert_eq!((&found[0]["covered"], &found[0]["total"], &found[0]["joined"]), (&2.into(), &3.into(), &1.into()));
    assert_eq!((&found[0]["accuracy"], &found[0]["opp"]), (&1.0.into(), &1.0.into()));
    assert!(
        folder.firth("eval outlier v.txt o.tsv").expect_code(0).stdout.starts_with("o.tsv\t1.0000\t1.0000\t2\t2\t3")
    );
    folder.write("bad.tsv", "man king queen\n");
    folder.firth("eval outlier v.txt bad.tsv").expect_error(3, &["bad.tsv", "line 1", "apart by |"]);
}

#[test]
fn retrieval_has_the_promised_json_fields_beside_bm25() {
    let folder = collection();
    let found = folder.json(&format!("{SEARCH} --pool mean"));
    // The word of q3 is known to BM25 alone, and q4 has no relevant document.
    assert_eq!((&found["queries"], &found["left_out"], &found["missing"]), (&3.into(), &1.into(), &0.into()));
    assert!((number(&found["map"]) - 2.0 / 3.0).abs() < 1e-9, "{found}");
    assert!((number(&found["ndcg@10"]) - 2.0 / 3.0).abs() < 1e-9 && number(&found["p@10"]) < 0.1);
    assert_eq!((&found["bm25"]["map"], &found["hybrid"]["map"]), (&1.0.into(), &1.0.into()));
    let ran = folder.firth(&format!("{SEARCH} --pool mean"));
    assert!(
        ran.expect_code(0).stdout.starts_with("vectors\t0.6667\t0.6667\t0.0667\t3\nbm25\t1.0000"),
        "{}",
        ran.stdout
    );
    assert!(ran.stderr.contains("1 query was left out"), "{}", ran.stderr);
    folder.write("qrels.tsv", "q1 0 d1 1\nq1 0 gone 1\nq9 0 d1 1\n");
    let ran = folder.firth(&format!("{SEARCH} --pool mean"));
    assert!(ran.expect_code(0).stdout.starts_with("vectors\t0.5000"), "{}", ran.stdout);
    assert!(ran.stderr.contains("1 judgement is on documents that are not there"), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 query is judged"), "{}", ran.stderr);
}

#[test]
fn labels_say_what_is_relevant() {
    let folder = folder();
    folder
        .write("l.tsv", "people\tman king\npeople\tking\npeople\tking man\nthings\trock\nthings\tstone\nlone\twoman\n");
    folder.write("new.tsv", "things\tstone rock\nother\tking\n");
    let found = folder.json("eval retrieval v.txt l.tsv --label-field 1 --pool mean");
    assert_eq!((&found["queries"], &found["left_out"], &found["map"]), (&5.into(), &1.into(), &1.0.into()));
    assert!(found["bm25"].is_object() && found["hybrid"].is_object());
    let found = folder.json("eval retrieval v.txt l.tsv --test new.tsv --label-field 1 --pool mean");
    assert_eq!((&found["queries"], &found["left_out"], &found["map"]), (&1.into(), &1.into(), &1.0.into()));
    folder.firth("embed v.txt l.tsv --label-field 1 --pool mean -o run").expect_code(0);
    let found = folder.json("eval retrieval run");
    assert_eq!((&found["map"], found.get("bm25")), (&1.0.into(), None));
    let found = folder.json("eval retrieval run l.tsv --label-field 1 --sample 2");
    assert_eq!(found["queries"], 2);
}

#[test]
fn searches_that_cannot_be_scored_are_told() {
    let folder = collection();
    let with = |name: &str, text: &str, parts: &[&str]| {
        let kept = folder.read(name);
        folder.write(name, text);
        folder.firth(&format!("{SEARCH} --pool mean")).expect_error(3, parts);
        folder.write(name, kept);
    };
    with("qrels.tsv", "q1\td1\n", &["qrels.tsv, line 1", "found 2 columns"]);
    with("qrels.tsv", "q1\td1\t1\nq1\td2\tgood\n", &["line 2", "\"good\""]);
    with("qrels.tsv", "q1\td1\t1\nq1\td1\t1\n", &["q1", "d1", "twice"]);
    with("qrels.tsv", "", &["no judgement"]);
    with("qrels.tsv", "x\td1\t1\n", &["no query has a relevant document"]);
    with("docs.tsv", "d1\ta\nd1\tb\n", &["docs.tsv", "document 2", "\"d1\""]);
    with("docs.tsv", "", &["docs.tsv", "no document"]);
    with("queries.tsv", "q1\ta\nq2\tb\nq1\tc\n", &["queries.tsv", "query 3", "\"q1\""]);
    folder.firth("eval retrieval v.txt").expect_error(2, &["no labels", "--label-field"]);
    folder.firth("eval retrieval v.txt docs.tsv").expect_error(2, &["--label-field"]);
    folder.firth("eval retrieval v.txt --documents docs.tsv").expect_error(2, &["--queries"]);
    folder.firth(&format!("{SEARCH} --k1=-1")).expect_error(2, &["--k1"]);
    folder.firth(&format!("{SEARCH} --b 2")).expect_error(2, &["--b", "0 to 1"]);
}

#[test]
fn what_would_meet_the_wrong_judgements_is_refused() {
    let folder = collection();
    folder.write("d.jsonl", "{\"text\": \"man king\"}\n{}\n{\"text\": \"rock stone\"}\n");
    let search = |documents| format!("eval retrieval v.txt --documents {documents} --queries q.txt --qrels qrels.tsv");
    folder.write("q.txt", "a king\n");
    folder.firth(&format!("{} --lenient", search("d.jsonl"))).expect_error(2, &["--lenient", "d.jsonl", "--id-field"]);
    // A table's first column are ids, whatever its ending's case; queries that are lines have no fields to miss.
    std::fs::copy(folder.join("docs.tsv"), folder.join("docs.TSV")).expect("a copy");
    folder.write("qrels.tsv", "1\td1\t1\n");
    assert_eq!(folder.json(&format!("{} --lenient", search("docs.TSV")))["queries"], 1);
    let twice = SEARCH.replace("queries.tsv", "-").replace("qrels.tsv", "-");
    let twice: Vec<_> = twice.split_whitespace().collect();
    folder.firth_with(&twice, "q1\td1\t1\n").expect_error(2, &["standard input is named twice"]);
}

#[test]
fn the_documents_of_a_run_are_searched_by_their_vectors() {
    let folder = collection();
    folder.firth("embed v.txt docs.tsv --id-field 1 --pool mean -o run").expect_code(0);
    let read = folder.json(&format!("{SEARCH} --pool mean"));
    let kept = folder.json("eval retrieval run --queries queries.tsv --qrels qrels.tsv");
    for name in ["map", "ndcg@10", "p@10", "queries", "left_out", "documents", "missing"] {
        assert_eq!(kept[name], read[name], "{name}");
    }
    assert!(kept.get("bm25").is_none() && kept.get("hybrid").is_none(), "{kept}");
    let alone = "--queries queries.tsv --qrels qrels.tsv";
    folder.firth(&format!("eval retrieval v.txt {alone}")).expect_error(2, &["--documents: is missing", "v.txt"]);
    folder.firth(&format!("eval retrieval run {alone} --k1 1")).expect_error(2, &["--k1", "--documents"]);
    folder.firth(&format!("eval retrieval run {alone} --pool sif")).expect_error(2, &["--pool", "--documents"]);
    folder.firth("eval retrieval run --queries queries.tsv").expect_error(2, &["--qrels"]);
}
