//! Trustworthiness equals scikit-learn's, and maps are as trustworthy as its t-SNE.
//!
//! Opt-in, since it needs Python with scikit-learn:
//!
//! ```sh
//! pip install scikit-learn==1.9.1
//! FIRTH_PYTHON=python3 cargo test --release --test maps_agreement -- --ignored --nocapture
//! ```
//!
//! The rows are scikit-learn's own digits, 1,797 pictures of 64 grey values.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use firth::analysis::{Pca, Trustworthiness, Tsne, Umap};
use firth::estimator::{Fit, Transform};
use firth::math::Matrix;
use serde_json::Value;

const ROWS: &str = r#"
import sys, numpy as np
from sklearn.datasets import load_digits
np.savetxt(sys.argv[1] + "/digits.txt", load_digits().data, fmt="%g")
"#;

const SCORES: &str = r#"
import json, sys, numpy as np
from sklearn.manifold import TSNE, trustworthiness
folder = sys.argv[1]
x = np.loadtxt(folder + "/digits.txt")
out = {name: trustworthiness(x, np.loadtxt(f"{folder}/{name}.txt"), n_neighbors=10) for name in ["pca", "tsne", "umap"]}
out["theirs"] = trustworthiness(x, TSNE(init="pca", random_state=1).fit_transform(x), n_neighbors=10)
print(json.dumps(out))
"#;

fn python(script: &str, folder: &Path) -> Result<String, Box<dyn Error>> {
    let python = std::env::var("FIRTH_PYTHON").unwrap_or_else(|_| "python3".into());
    let output = Command::new(python).arg("-c").arg(script).arg(folder).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
#[ignore = "needs Python with scikit-learn"]
fn trust_is_that_of_scikit_learn_and_maps_are_as_good() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    python(ROWS, folder.path())?;
    let text = std::fs::read_to_string(folder.path().join("digits.txt"))?;
    let numbers = text.split_whitespace().map(str::parse).collect::<Result<Vec<f32>, _>>()?;
    let rows = Matrix::from_vec(text.lines().count(), 64, numbers)?;

    let never = || false;
    let maps = [
        ("pca", Pca::default().fit(&rows)?.transform(&rows)?),
        ("tsne", Tsne::default().map(&rows, &never, |_| ())?),
        ("umap", Umap::default().map(&rows, &never, |_| ())?),
    ];
    for (name, map) in &maps {
        let mut lines = String::new();
        map.iter_rows().try_for_each(|row| writeln!(lines, "{:?} {:?}", row[0], row[1]))?;
        std::fs::write(folder.path().join(format!("{name}.txt")), lines)?;
    }
    let scores: Value = serde_json::from_str(&python(SCORES, folder.path())?)?;
    println!("scikit-learn says {scores}");
    let all = Trustworthiness { neighbors: 10, sample: rows.rows() };
    let score = |name: &str| scores[name].as_f64().unwrap_or(f64::NAN);
    for (name, map) in &maps {
        // Pictures that are equally far from another are ordered differently: a rank or two of eighteen thousand.
        assert!((all.measure(&rows, map)? - score(name)).abs() < 1e-5, "{name}: {}", all.measure(&rows, map)?);
    }
    assert!(score("tsne") > score("theirs") - 0.002 && score("umap") > 0.97, "{scores}");
    Ok(())
}
