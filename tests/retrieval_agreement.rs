//! Measures, BM25, correlations and pooled vectors equal those of trec_eval, of a plain program, SciPy and NumPy to 1e-6.
//!
//! Opt-in, since it needs Python:
//!
//! ```sh
//! pip install numpy scipy pytrec_eval-terrier
//! FIRTH_PYTHON=python3 cargo test --release --test retrieval_agreement -- --ignored --nocapture
//! ```

use std::process::Command;

use firth::embeddings::{Embeddings, Pool, Pooling};
use firth::eval::retrieval::{Ranker, Retrieved, Wanted};
use firth::eval::{Bm25, SentencePairs};
use firth::math::{Matrix, Rng};
use serde_json::{Value, json};

type Tested<T = ()> = Result<T, Box<dyn std::error::Error>>;

const SCRIPT: &str = r#"
import json, math, sys
import numpy as np
from collections import Counter

given = json.load(open(sys.argv[1]))

def measures(run, qrels):
    import pytrec_eval
    found = pytrec_eval.RelevanceEvaluator(qrels, {"map", "ndcg_cut_10", "P_10"}).evaluate(run)
    return {q: [m["map"], m["ndcg_cut_10"], m["P_10"]] for q, m in found.items()}

def bm25(documents, queries, k1, b):
    bags = [Counter(d) for d in documents]
    lengths = [len(d) for d in documents]
    mean, with_word = sum(lengths) / len(lengths), Counter(w for bag in bags for w in bag)
    idf = lambda w: math.log(1 + (len(bags) - with_word[w] + .5) / (with_word[w] + .5))
    score = lambda q, bag, n: sum(idf(w) * bag[w] / (bag[w] + k1 * (1 - b + b * n / mean)) for w in q if w in bag)
    return [[score(q, bag, n) for bag, n in zip(bags, lengths)] for q in queries]

def pooled(vectors, counts, documents):
    E, p = np.array(vectors, np.float64), np.array(counts, np.float64) / sum(counts)
    bags = np.zeros((len(documents), len(E)))
    for row, document in zip(bags, documents):
        for word in document: row[word] += 1 / len(document)
    def off(Z, k, scaled):
        _, s, U = np.linalg.svd(Z, full_matrices=False)
        share = s[:k] ** 2 / (s[:k] ** 2).sum() if scaled else np.ones(k)
        return Z - ((Z @ U[:k].T) * share) @ U[:k]
    sif = off(bags @ ((1e-3 / (1e-3 + p))[:, None] * E), 1, False)
    V, n = len(E), np.mean([len(d) for d in documents])
    alpha = (p > 1 - (1 - 1 / V) ** n).mean()
    a = (1 - alpha) / (alpha * V / 2)
    usif = off(bags @ ((a / (a / 2 + p))[:, None] * (E / np.linalg.norm(E, axis=0))), 5, True)
    with_word = (bags > 0).sum(0)
    T = bags * (np.log((1 + len(bags)) / (1 + with_word)) + 1)
    return {"sif": sif.tolist(), "usif": usif.tolist(), "idf": ((T / T.sum(1, keepdims=True)) @ E).tolist()}

def correlations(human, vectors):
    from scipy.stats import pearsonr, spearmanr
    X = np.array(vectors, np.float64)
    a, b = X[::2], X[1::2]
    cosines = ((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).astype(np.float32)
    return [float(spearmanr(human, cosines)[0]), float(pearsonr(human, cosines.astype(float))[0])]

print(json.dumps(globals()[given["ask"]](**given["with"])))
"#;

fn python(ask: &str, with: Value) -> Tested<Value> {
    let folder = tempfile::tempdir()?;
    let (script, given) = (folder.path().join("oracle.py"), folder.path().join("given.json"));
    std::fs::write(&script, SCRIPT)?;
    std::fs::write(&given, serde_json::to_vec(&json!({"ask": ask, "with": with}))?)?;
    let python = std::env::var_os("FIRTH_PYTHON").unwrap_or_else(|| "python3".into());
    let output = Command::new(python).arg(script).arg(given).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[track_caller]
fn close(found: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().expect("a number");
    assert!((found - expected).abs() < 1e-6, "{what}: {found}, expected {expected}");
}

#[test]
#[ignore = "needs Python with pytrec_eval"]
fn measures_equal_those_of_trec_eval() -> Tested {
    let mut rng = Rng::stream(1, &[1]);
    let ids: Vec<String> = (0..300).map(|at| format!("d{at}")).collect();
    let ranker = Ranker::new(ids.iter().map(String::as_str));
    let (mut runs, mut qrels, mut ours) = (serde_json::Map::new(), serde_json::Map::new(), Vec::new());
    for query in 0..80 {
        // Many ties; one in ten is not found; one in three is judged, some below zero, some that are not there.
        let scores: Vec<f32> = (0..300)
            .map(|_| if rng.below(10) == 0 { f32::NEG_INFINITY } else { rng.below(60) as f32 / 8.0 - 2.0 })
            .collect();
        let mut judged: Vec<(String, i64)> = Vec::new();
        for id in ids.iter().map(String::as_str).chain(["gone", "away"]) {
            if rng.below(3) == 0 {
                judged.push((id.to_owned(), i64::from(rng.below(5)) - 1));
            }
        }
        let grade = |at: u32| judged.iter().find(|(id, _)| *id == ids[at as usize]).map_or(0, |&(_, grade)| grade);
        let wanted = Wanted::new(judged.iter().map(|(_, grade)| *grade));
        ours.push(Retrieved::of(&ranker.rank(&scores), &wanted, grade));
        let found = ids.iter().zip(&scores).filter(|(_, score)| score.is_finite());
        runs.insert(format!("q{query}"), found.map(|(id, &score)| (id.clone(), json!(score))).collect());
        qrels.insert(format!("q{query}"), judged.into_iter().map(|(id, grade)| (id, json!(grade))).collect());
    }
    let theirs = python("measures", json!({"run": runs, "qrels": qrels}))?;
    for (query, found) in ours.iter().enumerate() {
        let expected = &theirs[format!("q{query}")];
        close(found.map, &expected[0], "average precision");
        close(found.ndcg, &expected[1], "nDCG@10");
        close(found.precision, &expected[2], "P@10");
    }
    Ok(())
}

#[test]
#[ignore = "needs Python"]
fn bm25_equals_a_plain_program() -> Tested {
    let mut rng = Rng::stream(1, &[2]);
    let mut text = |most: u32| -> Vec<String> {
        (0..rng.below(most)).map(|_| format!("w{}", rng.below(40) * rng.below(40))).collect()
    };
    let documents: Vec<Vec<String>> = (0..200).map(|_| text(60)).collect();
    let queries: Vec<Vec<String>> = (0..50).map(|_| text(8)).collect();
    let settings = Bm25 { k1: 1.4, b: 0.6 };
    let mut index = settings.index()?;
    for document in &documents {
        document.iter().for_each(|word| index.push(word));
        index.end();
    }
    let theirs = python("bm25", json!({"documents": documents, "queries": queries, "k1": 1.4, "b": 0.6}))?;
    for (query, expected) in queries.iter().zip(theirs.as_array().expect("a list")) {
        let scores = index.scores(&index.query(query.iter().map(String::as_str)));
        for (found, expected) in scores.iter().zip(expected.as_array().expect("a list")) {
            let expected = expected.as_f64().expect("a number");
            let found = if found.is_finite() { f64::from(*found) } else { 0.0 };
            assert!((found - expected).abs() <= 1e-6 * expected.max(1.0), "{found}, expected {expected}");
        }
    }
    Ok(())
}

/// Words with counts by Zipf's law, and documents of them.
fn words_and_documents() -> Tested<(Embeddings, Vec<Vec<u32>>)> {
    const WORDS: u32 = 400;
    const DIM: usize = 24;
    let mut rng = Rng::stream(1, &[3]);
    let numbers: Vec<f32> = (0..WORDS as usize * DIM).map(|at| rng.uniform() - 0.4 + (at % 3) as f32 * 0.05).collect();
    let keys: Vec<String> = (0..WORDS).map(|at| format!("w{at}")).collect();
    let counts = (1..=u64::from(WORDS)).map(|rank| 100_000 / rank).collect();
    let vectors = Matrix::from_vec(WORDS as usize, DIM, numbers)?;
    let words = Embeddings::new(keys.iter().map(String::as_str).collect(), vectors, Some(counts))?;
    let document = |_| (0..1 + rng.below(40)).map(|_| rng.below(20) * rng.below(20)).collect();
    Ok((words, (0..2500).map(document).collect()))
}

#[test]
#[ignore = "needs Python with NumPy"]
fn pooled_vectors_equal_those_of_numpy() -> Tested {
    let (words, documents) = words_and_documents()?;
    let rows: Vec<&[f32]> = words.vectors().iter_rows().collect();
    let theirs = python("pooled", json!({"vectors": rows, "counts": words.counts(), "documents": documents}))?;
    for pool in [Pool::Sif, Pool::Usif, Pool::Idf] {
        let name = Pooling::name(pool);
        let found = Pooling::of(pool).fit(&words, &documents)?.pool(&words, &documents)?;
        for (row, expected) in found.iter_rows().zip(theirs[name].as_array().expect("a list")) {
            row.iter().zip(expected.as_array().expect("a list")).for_each(|(&x, e)| close(x.into(), e, name));
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs Python with SciPy"]
fn correlations_of_sentences_equal_those_of_scipy() -> Tested {
    let (words, documents) = words_and_documents()?;
    let vectors = Pooling::of(Pool::Sif).fit(&words, &documents)?.pool(&words, &documents)?;
    let mut rng = Rng::stream(1, &[4]);
    let scores: Vec<f64> = (0..documents.len() / 2).map(|_| f64::from(rng.below(25)) / 5.0).collect();
    let sentences = vec![["a".to_owned(), "b".to_owned()]; scores.len()];
    let pairs = SentencePairs { file: "made.tsv".into(), sentences, scores: scores.clone(), bad_lines: Vec::new() };
    let report = pairs.report(&vectors, &vec![true; documents.len()])?.correlation;
    let rows: Vec<&[f32]> = vectors.iter_rows().collect();
    let theirs = python("correlations", json!({"human": scores, "vectors": rows}))?;
    close(report.spearman.expect("defined"), &theirs[0], "Spearman");
    close(report.pearson.expect("defined"), &theirs[1], "Pearson");
    Ok(())
}
