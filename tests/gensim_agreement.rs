//! Scores equal gensim's on the same vectors: counts of every section exactly, correlations to 1e-4.
//!
//! Opt-in, since it needs Python with gensim 4 and the word tests of the data folder (`FIRTH_DATA`, else
//! `../shared/data`):
//!
//! ```sh
//! pip install gensim==4.4.0
//! FIRTH_PYTHON=python3 cargo test --release --test gensim_agreement -- --ignored --nocapture
//! ```
//!
//! The vectors are made here. Each word is the sum of a random part and parts shared by its section, its column and its
//! row in the questions, so that some analogies come out right and some do not.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use firth::analysis::Neighbors;
use firth::embeddings::Embeddings;
use firth::eval::{Analogy, AnalogyReport, Method, Similarity};
use firth::math::{Matrix, Rng};
use serde_json::Value;

const DIM: usize = 50;

const PAIRS: [&str; 12] = [
    "EN-WS-353-ALL.txt",
    "EN-WS-353-SIM.txt",
    "EN-WS-353-REL.txt",
    "EN-SIMLEX-999.txt",
    "EN-MEN-TR-3k.txt",
    "EN-RW-STANFORD.txt",
    "EN-RG-65.txt",
    "EN-MC-30.txt",
    "EN-MTurk-287.txt",
    "EN-YP-130.txt",
    "EN-VERB-143.txt",
    "semeval2017-task2-en.tsv",
];

const SCRIPT: &str = r#"
import json, sys
import numpy as np
from gensim.models import KeyedVectors

vectors, folder, pairs = sys.argv[1], sys.argv[2], sys.argv[3].split(",")
kv = KeyedVectors.load_word2vec_format(vectors)
out = {"analogies": {}, "mul": {}, "pairs": {}, "nearest": {}, "analogy": [], "odd": []}
for name in ["questions-words.txt", "questions-phrases.txt"]:
    for restrict in [len(kv), 900]:
        for fold in [True, False]:
            _, sections = kv.evaluate_word_analogies(f"{folder}/{name}", restrict, fold)
            counts = [[s["section"], len(s["correct"]), len(s["incorrect"])] for s in sections]
            out["analogies"][f"{name} {restrict} {fold}"] = counts

# gensim's test knows no 3CosMul: the formula in NumPy, over all words, with the rules of its 3CosAdd.
unit = kv.get_normed_vectors().astype(np.float64)
upper = [key.upper() for key in kv.index_to_key]
first = {key: i for i, key in reversed(list(enumerate(upper)))}
shifted, right, asked = {}, 0, 0
for line in open(f"{folder}/questions-words.txt", encoding="utf-8"):
    words = line.upper().split()
    if line.startswith(":") or len(words) != 4 or any(word not in first for word in words):
        continue
    ids = [first[word] for word in words]
    for i in ids:
        if i not in shifted:
            shifted[i] = (unit @ unit[i] + 1) / 2
    a, b, c, wanted = ids
    score = shifted[b] * shifted[c] / (shifted[a] + 1e-3)
    score[[a, b, c]] = -np.inf
    found = [upper[i] for i in np.argsort(-score)[:5] if upper[i] not in words[:3]]
    asked, right = asked + 1, right + (bool(found) and found[0] == words[3])
out["mul"] = [right, asked]

for name in pairs:
    for fold in [True, False]:
        pearson, spearman, oov = kv.evaluate_word_pairs(f"{folder}/{name}", restrict_vocab=len(kv), case_insensitive=fold)
        out["pairs"][f"{name} {fold}"] = [float(pearson[0]), float(spearman[0]), float(oov)]

keys = kv.index_to_key
for key in keys[::97]:
    out["nearest"][key] = kv.most_similar(key, topn=10)
for i in range(0, len(keys) - 50, 53):
    a, b, c = keys[i], keys[i + 20], keys[i + 41]
    out["analogy"].append([a, b, c, kv.most_similar(positive=[b, c], negative=[a], topn=5)])
    out["odd"].append([keys[i:i + 9:2], kv.doesnt_match(keys[i:i + 9:2])])
print(json.dumps(out))
"#;

#[test]
#[ignore = "needs Python with gensim"]
fn scores_and_queries_equal_gensim() -> Result<(), Box<dyn Error>> {
    let data = std::env::var_os("FIRTH_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let folder = data.join("wordeval");
    if !folder.is_dir() {
        eprintln!("skipped: {} is missing; set FIRTH_DATA to the data folder", folder.display());
        return Ok(());
    }
    let words = structured(&folder)?;
    let temporary = tempfile::tempdir()?;
    let vectors = temporary.path().join("vectors.txt");
    write_word2vec(&words, &vectors)?;
    let script = temporary.path().join("oracle.py");
    std::fs::write(&script, SCRIPT)?;
    let python = std::env::var_os("FIRTH_PYTHON").unwrap_or_else(|| "python3".into());
    let output = Command::new(python).arg(script).arg(&vectors).arg(&folder).arg(PAIRS.join(",")).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let gensim: Value = serde_json::from_slice(&output.stdout)?;

    compare_analogies(&words, &folder, &gensim)?;
    compare_pairs(&words, &folder, &gensim["pairs"])?;
    compare_queries(&words, &gensim)
}

fn compare_analogies(words: &Embeddings, folder: &Path, gensim: &Value) -> Result<(), Box<dyn Error>> {
    for name in ["questions-words.txt", "questions-phrases.txt"] {
        for restrict in [words.len(), 900] {
            for (fold, python) in [(true, "True"), (false, "False")] {
                let test = Analogy { restrict: Some(restrict), keep_case: !fold, ..Analogy::default() };
                let report = test.run(words, &folder.join(name))?;
                let key = format!("{name} {restrict} {python}");
                assert_eq!(counts(&report), gensim["analogies"][&key], "{key}");
                eprintln!("{key}: {} of {} right, as gensim", report.overall.correct, report.overall.covered);
            }
        }
    }
    let test = Analogy { method: Method::Cos3Mul, ..Analogy::default() };
    let report = test.run(words, &folder.join("questions-words.txt"))?;
    assert_eq!(serde_json::json!([report.overall.correct, report.overall.covered]), gensim["mul"]);
    eprintln!("3CosMul: {} of {} right, as NumPy", report.overall.correct, report.overall.covered);
    Ok(())
}

/// Name, right and wrong of each section, then of all, as gensim lists them.
fn counts(report: &AnalogyReport) -> Value {
    let mut all: Vec<Value> = Vec::new();
    for section in &report.sections {
        let tally = section.tally;
        all.push(serde_json::json!([section.name, tally.correct, tally.covered - tally.correct]));
    }
    let overall = report.overall;
    all.push(serde_json::json!(["Total accuracy", overall.correct, overall.covered - overall.correct]));
    all.into()
}

fn compare_pairs(words: &Embeddings, folder: &Path, gensim: &Value) -> Result<(), Box<dyn Error>> {
    for name in PAIRS {
        for (keep_case, python) in [(false, "True"), (true, "False")] {
            let report = Similarity { keep_case, ..Similarity::default() }.run(words, &folder.join(name))?.correlation;
            let unknown = 100.0 * (1.0 - report.covered as f64 / report.total as f64);
            let ours = [report.pearson, report.spearman, Some(unknown)];
            let theirs = &gensim[format!("{name} {python}")];
            for (ours, theirs) in ours.iter().zip(theirs.as_array().ok_or("three numbers")?) {
                let (ours, theirs) = (ours.ok_or("defined")?, theirs.as_f64().ok_or("a number")?);
                assert!((ours - theirs).abs() < 1e-4, "{name}: {ours} here, {theirs} in gensim");
            }
            eprintln!("{name}: {} of {} pairs, correlations as gensim", report.covered, report.total);
        }
    }
    Ok(())
}

fn compare_queries(words: &Embeddings, gensim: &Value) -> Result<(), Box<dyn Error>> {
    let neighbors = Neighbors::new(words);
    let same = |ours: &[firth::analysis::Neighbor], theirs: &Value| -> Result<(), Box<dyn Error>> {
        let theirs = theirs.as_array().ok_or("a list")?;
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(theirs) {
            let score = theirs[1].as_f64().ok_or("a score")?;
            assert!((f64::from(ours.score) - score).abs() < 1e-5, "{} here, {score} in gensim", ours.score);
            assert_eq!(words.keys().get(ours.position), theirs[0]);
        }
        Ok(())
    };
    for (key, theirs) in gensim["nearest"].as_object().ok_or("lists by key")? {
        same(&neighbors.nearest_to(key, 10)?, theirs)?;
    }
    for question in gensim["analogy"].as_array().ok_or("a list")? {
        let [a, b, c] = [0, 1, 2].map(|i| question[i].as_str().unwrap_or_default());
        same(&neighbors.analogy(a, b, c, Method::Cos3Add, 5)?, &question[3])?;
    }
    for question in gensim["odd"].as_array().ok_or("a list")? {
        let keys: Vec<String> = serde_json::from_value(question[0].clone())?;
        assert_eq!(keys[neighbors.odd(&keys)?[0].position], question[1]);
    }
    Ok(())
}

/// The words of all tests in both cases in part, with vectors that solve some of the questions.
fn structured(folder: &Path) -> Result<Embeddings, Box<dyn Error>> {
    // A sum of random directions for each word, by name: word, section and column, section and row.
    let mut parts: BTreeMap<String, Vec<[u64; 2]>> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    let mut add = |word: &str, part: Option<[u64; 2]>| {
        let known = parts.entry(word.to_owned()).or_insert_with(|| {
            order.push(word.to_owned());
            Vec::new()
        });
        if let Some(part) = part.filter(|part| known.len() < 4 && !known.contains(part)) {
            known.push(part);
        }
    };
    let (mut section, mut rows) = (0, BTreeMap::new());
    for name in ["questions-words.txt", "questions-phrases.txt"] {
        for line in std::fs::read_to_string(folder.join(name))?.lines() {
            let question: Vec<&str> = line.split_whitespace().collect();
            if line.starts_with(':') {
                section += 1;
                continue;
            }
            for pair in [&question[..2], &question[2..]] {
                let next = rows.len() as u64;
                let row = *rows.entry((section, pair[0].to_owned())).or_insert(next);
                for (word, column) in pair.iter().zip(0..) {
                    add(word, Some([1, 2 * section + column]));
                    add(word, Some([2, row]));
                }
            }
        }
    }
    for name in PAIRS {
        for line in std::fs::read_to_string(folder.join(name))?.lines() {
            line.split('\t').take(2).filter(|word| !word.contains(' ')).for_each(|word| add(word, None));
        }
    }
    let mut rng = Rng::stream(7, &[]);
    let mut keys: Vec<String> = Vec::new();
    let mut numbers: Vec<f32> = Vec::new();
    for (index, word) in order.iter().enumerate() {
        // Some words are unknown, some have a second spelling nearby, some only another one.
        let spellings: &[String] = match index % 11 {
            0 => &[],
            1 | 2 => &[word.to_lowercase(), word.clone()],
            3 => &[word.to_uppercase()],
            _ => std::slice::from_ref(word),
        };
        for (copy, spelling) in spellings.iter().enumerate() {
            if keys.contains(spelling) {
                continue;
            }
            keys.push(spelling.clone());
            let length = 0.5 + 3.0 * rng.uniform();
            let mut vector = direction(&[0, index as u64], 0.9);
            let shared = parts[word].iter().map(|part| direction(part, 1.0));
            let own = direction(&[3, index as u64, copy as u64], 0.3);
            shared.chain([own]).for_each(|part| vector.iter_mut().zip(part).for_each(|(x, y)| *x += y));
            numbers.extend(vector.iter().map(|x| x * length));
        }
    }
    let vectors = Matrix::from_vec(keys.len(), DIM, numbers)?;
    Ok(Embeddings::new(keys.iter().collect(), vectors, None)?)
}

fn direction(name: &[u64], size: f32) -> Vec<f32> {
    let mut rng = Rng::stream(11, name);
    (0..DIM).map(|_| size * (rng.uniform() + rng.uniform() - 1.0)).collect()
}

fn write_word2vec(words: &Embeddings, path: &Path) -> Result<(), Box<dyn Error>> {
    let mut text = format!("{} {}\n", words.len(), words.dim());
    for (key, row) in words.keys().iter().zip(words.vectors().iter_rows()) {
        text.push_str(key);
        row.iter().try_for_each(|x| write!(text, " {x:?}"))?;
        text.push('\n');
    }
    Ok(std::fs::write(path, text)?)
}
