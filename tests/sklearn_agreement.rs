//! Clusters, their scores and the linear probe equal scikit-learn's: scores of the same groupings to 1e-9, folds and so the
//! probe's accuracy within half a percent, the inertia of k-means as low, HDBSCAN's clusters nearly the same (ARI above .98).
//!
//! Opt-in, since it needs Python with scikit-learn:
//!
//! ```sh
//! pip install scikit-learn==1.9.1
//! FIRTH_PYTHON=python3 cargo test --release --test sklearn_agreement -- --ignored --nocapture
//! ```
//!
//! The rows are scikit-learn's own digits, 1,797 pictures of 64 grey values.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;

use firth::analysis::kmeans::Batch;
use firth::analysis::{Describe, Hdbscan, KMeans};
use firth::estimator::Fit;
use firth::eval::Agreement;
use firth::eval::classify::{Probe, Scaling, accuracy, cross_validate, macro_f1};
use firth::math::{Matrix, Rng, SparseMatrix};
use serde_json::Value;

const SCRIPT: &str = r#"
import json, sys, warnings
import numpy as np
from sklearn import metrics
from sklearn.cluster import HDBSCAN, KMeans, MiniBatchKMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

warnings.filterwarnings("ignore")
folder = sys.argv[1]
out = {"groupings": [], "probe": {}}
for clusters, labels in json.load(open(f"{folder}/groupings.json")):
    h, c, v = metrics.homogeneity_completeness_v_measure(labels, clusters)
    table = metrics.cluster.contingency_matrix(labels, clusters)
    out["groupings"].append({
        "nmi": metrics.normalized_mutual_info_score(labels, clusters),
        "ari": metrics.adjusted_rand_score(labels, clusters),
        "v_measure": v, "homogeneity": h, "completeness": c,
        "purity": table.max(axis=0).sum() / table.sum(),
        "accuracy": metrics.accuracy_score(labels, clusters),
        "macro_f1": metrics.f1_score(labels, clusters, average="macro"),
    })

x, y = load_digits(return_X_y=True)
few = PCA(15, svd_solver="full").fit_transform(x).astype(np.float32)
for name, rows in [("digits", x), ("few", few)]:
    np.savetxt(f"{folder}/{name}.txt", np.column_stack([y, rows]), fmt="%.9g")
unit = x / np.linalg.norm(x, axis=1, keepdims=True)
out["kmeans"] = min(KMeans(10, n_init=10, random_state=s).fit(x).inertia_ for s in range(3))
out["many"] = min(KMeans(100, n_init=10, random_state=s).fit(x).inertia_ for s in range(3))
out["unit"] = min(KMeans(10, n_init=10, random_state=s).fit(unit).inertia_ for s in range(3))
out["batches"] = np.mean([MiniBatchKMeans(10, n_init=10, random_state=s).fit(x).inertia_ for s in range(3)])
out["hdbscan"] = HDBSCAN(min_cluster_size=10).fit(few).labels_.tolist()
for name, steps, rows in [
    ("standard", [StandardScaler()], x), ("unit", [Normalizer()], x), ("none", [], x / 16),
]:
    model = make_pipeline(*steps, LogisticRegression(C=1.0, max_iter=5000, tol=1e-6))
    out["probe"][name] = {
        "accuracy": cross_val_score(model, rows, y, cv=5).mean(),
        "macro_f1": cross_val_score(model, rows, y, cv=5, scoring="f1_macro").mean(),
    }
    two = y < 5
    out["probe"][name]["two"] = cross_val_score(model, rows, two, cv=5).mean()

# Class-based tf-idf, as BERTopic's ClassTfidfTransformer defines it.
counts = np.array(json.load(open(f"{folder}/counts.json")), dtype=float)
idf = np.log(1 + counts.sum(axis=1).mean() / counts.sum(axis=0))
tf = counts / counts.sum(axis=1, keepdims=True)
out["ctfidf"] = (tf * idf).tolist()
print(json.dumps(out))
"#;

type Tested<T = ()> = Result<T, Box<dyn Error>>;

#[test]
#[ignore = "needs Python with scikit-learn"]
fn clusters_scores_and_probes_equal_scikit_learn() -> Tested {
    let folder = tempfile::tempdir()?;
    let groupings = groupings();
    std::fs::write(folder.path().join("groupings.json"), serde_json::to_string(&groupings)?)?;
    let counts: Vec<Vec<u32>> = (0..4).map(|c| (0..30).map(|w| 1 + (w * (c + 3) * 7919) % 23).collect()).collect();
    std::fs::write(folder.path().join("counts.json"), serde_json::to_string(&counts)?)?;
    let script = folder.path().join("oracle.py");
    std::fs::write(&script, SCRIPT)?;
    let python = std::env::var_os("FIRTH_PYTHON").unwrap_or_else(|| "python3".into());
    let output = Command::new(python).arg(script).arg(folder.path()).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs: Value = serde_json::from_slice(&output.stdout)?;

    compare_groupings(&groupings, &theirs["groupings"])?;
    compare_words(&counts, &theirs["ctfidf"])?;
    let (digits, labels) = read(&folder.path().join("digits.txt"))?;
    compare_inertia(&digits, &theirs)?;
    compare_density(&read(&folder.path().join("few.txt"))?.0, &theirs["hdbscan"])?;
    compare_probes(&digits, &labels, &theirs["probe"])
}

/// Random groupings, more or less alike, of few and of many groups.
fn groupings() -> Vec<[Vec<u32>; 2]> {
    let mut rng = Rng::stream(1, &[]);
    let mut all = vec![[vec![0; 5], vec![0, 0, 1, 1, 2]], [vec![3; 4], vec![1; 4]]];
    for (rows, clusters, labels, alike) in [(10, 3, 3, 0.5), (1000, 20, 20, 0.6), (500, 2, 50, 0.0), (300, 300, 4, 0.2)]
    {
        let one: Vec<u32> = (0..rows).map(|_| rng.below(labels)).collect();
        let copied = |&label: &u32| if rng.uniform() < alike { label % clusters } else { rng.below(clusters) };
        all.push([one.iter().map(copied).collect(), one.clone()]);
    }
    all
}

fn close(found: f64, expected: &Value, tolerance: f64, what: &str) {
    let expected = expected.as_f64().unwrap_or(f64::NAN);
    assert!((found - expected).abs() <= tolerance, "{what}: {found}, scikit-learn {expected}");
}

fn compare_groupings(groupings: &[[Vec<u32>; 2]], theirs: &Value) -> Tested {
    for ([clusters, labels], theirs) in groupings.iter().zip(theirs.as_array().expect("a list")) {
        let ours = serde_json::to_value(Agreement::between(clusters, labels)?)?;
        for (name, value) in ours.as_object().expect("scores") {
            close(value.as_f64().expect("a number"), &theirs[name], 1e-9, name);
        }
        close(accuracy(clusters, labels), &theirs["accuracy"], 1e-12, "accuracy");
        close(macro_f1(clusters, labels), &theirs["macro_f1"], 1e-12, "macro_f1");
    }
    Ok(())
}

fn compare_words(counts: &[Vec<u32>], theirs: &Value) -> Tested {
    let mut rows = SparseMatrix::empty(30);
    counts.iter().for_each(|row| rows.push((0..).zip(row.iter().map(|&count| count as f32))));
    let assignments: Vec<Option<u32>> = (0..4).map(Some).collect();
    let told = Describe { words: 30, plain: true, ..Describe::default() }.telling_words(&rows, &assignments, 4)?;
    for (cluster, words) in told.iter().enumerate() {
        assert_eq!(words.len(), 30);
        for &(word, score) in words {
            close(score, &theirs[cluster][word as usize], 1e-9, "class-based tf-idf");
        }
    }
    Ok(())
}

fn read(path: &Path) -> Tested<(Matrix, Vec<u32>)> {
    let (mut numbers, mut labels) = (Vec::new(), Vec::new());
    for line in std::fs::read_to_string(path)?.lines() {
        let mut row = line.split(' ').map(str::parse::<f32>);
        labels.push(row.next().expect("a label")? as u32);
        numbers.extend(row.collect::<Result<Vec<f32>, _>>()?);
    }
    Ok((Matrix::from_vec(labels.len(), numbers.len() / labels.len(), numbers)?, labels))
}

fn compare_inertia(digits: &Matrix, theirs: &Value) -> Tested {
    // The best of thirty starts, theirs too; what is left is chance.
    let fit = |settings: KMeans| settings.fit(digits).map(|model| model.inertia);
    let thirty = KMeans { restarts: 30, ..KMeans::default() };
    for (name, settings, slack) in [
        ("kmeans", KMeans { clusters: 10, ..thirty.clone() }, 1.001),
        ("many", KMeans { clusters: 100, ..thirty.clone() }, 1.01),
        ("unit", KMeans { clusters: 10, normalize: true, ..thirty.clone() }, 1.001),
        ("batches", KMeans { clusters: 10, batch: Batch::Rows(1024), ..thirty.clone() }, 1.01),
    ] {
        let (ours, theirs) = (fit(settings)?, theirs[name].as_f64().expect("a number"));
        println!("inertia {name}: {ours:.1}, scikit-learn {theirs:.1}");
        assert!(ours <= slack * theirs, "{name}: {ours}, scikit-learn {theirs}");
    }
    Ok(())
}

fn compare_density(few: &Matrix, theirs: &Value) -> Tested {
    let ours = Hdbscan::default().fit(few)?;
    // Noise is a group like others here.
    let numbers = |cluster: i64| (cluster + 1) as u32;
    let theirs: Vec<i64> = theirs.as_array().expect("labels").iter().filter_map(Value::as_i64).collect();
    let found = ours.assignments.iter().map(|cluster| numbers(cluster.map_or(-1, i64::from))).collect::<Vec<_>>();
    let count = theirs.iter().max().map_or(0, |most| most + 1);
    let noise = theirs.iter().filter(|&&cluster| cluster < 0).count();
    let theirs: Vec<u32> = theirs.into_iter().map(numbers).collect();
    let alike = Agreement::between(&found, &theirs)?.ari;
    println!(
        "hdbscan: {} clusters, {} noise; scikit-learn {count}, {noise}; ARI {alike:.4}",
        ours.sizes.len(),
        ours.noise()
    );
    assert!(alike > 0.98, "{alike}");
    Ok(())
}

fn compare_probes(digits: &Matrix, labels: &[u32], theirs: &Value) -> Tested {
    let scaled = Matrix::from_vec(digits.rows(), digits.cols(), digits.as_slice().iter().map(|x| x / 16.0).collect())?;
    for (name, scaling, rows) in
        [("standard", Scaling::Standard, digits), ("unit", Scaling::Unit, digits), ("none", Scaling::None, &scaled)]
    {
        let probe = Probe { scaling, iterations: 2000, ..Probe::default() };
        let score = |labels: &[u32]| cross_validate(&probe, rows, labels, 5, &mut |_| ControlFlow::Continue(()));
        let ours = score(labels)?;
        println!("probe {name}: {:.4} {:.4}, scikit-learn {}", ours.accuracy, ours.macro_f1, theirs[name]);
        close(ours.accuracy, &theirs[name]["accuracy"], 0.002, name);
        close(ours.macro_f1, &theirs[name]["macro_f1"], 0.002, name);
        let two: Vec<u32> = labels.iter().map(|&label| (label < 5).into()).collect();
        close(score(&two)?.accuracy, &theirs[name]["two"], 0.003, "two labels");
    }
    Ok(())
}
