//! `restore`: words that a document has lost, words that do not belong, rows without their noise.

use serde_json::Value;

use crate::support::Folder;

/// So few documents learn little under the usual decay.
const QUICK: &str = "--max-documents 100% --code 8 --epochs 60 --decay 0 --threads 1";

fn trained() -> Folder {
    let folder = Folder::new();
    folder.write_text("a.txt", 400);
    folder.firth(&format!("train autoencoder a.txt -o run {QUICK}")).expect_code(0);
    folder
}

fn terms(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(|term| term["term"].as_str()).collect()
}

#[test]
fn missing_words_are_of_the_kind_and_foreign_ones_are_not() {
    let folder = trained();
    folder.write("b.txt", "cat horse green near farm canoe\n\ncat horse green near farm\n");
    let found = folder.json("restore run b.txt --missing 3 --foreign 1");
    assert_eq!(terms(&found[0]["foreign"]), ["canoe"], "{found}");
    let missing = terms(&found[2]["missing"]);
    let usual = ["eat", "grass", "the", "and", "dog", "cow", "sheep"];
    assert!(missing.len() == 3 && missing.iter().all(|word| usual.contains(word)), "{missing:?}");
    let probabilities = found[0]["missing"].as_array().into_iter().flatten().map(|term| term["probability"].as_f64());
    assert!(probabilities.map(|p| p.unwrap_or(f64::NAN)).is_sorted_by(|a, b| a >= b && *a < 1.0 && *b > 0.0));
    assert!(found[0]["foreign"][0]["surprise"].as_f64() > Some(0.0));
    assert_eq!((found[1]["id"].as_str(), terms(&found[1]["foreign"]).len()), (Some("2"), 0));
    let lines = folder.firth("restore run b.txt").stdout;
    assert_eq!(lines.lines().count(), 6);
    assert!(lines.starts_with("1\tmissing\t") && lines.contains("\n1\tforeign\tcanoe"), "{lines}");
    folder.firth("restore run b.txt -o out.npy").expect_error(2, &["--output", "text"]);
}

#[test]
fn it_is_measured_beside_frequency_and_lsa() {
    let folder = Folder::new();
    folder.firth("corpus generate topics -o planted").expect_code(0);
    let text: String = folder.read("planted/text.txt").lines().take(2500).map(|line| line.to_owned() + "\n").collect();
    folder.write("text.txt", text);
    folder.firth("train autoencoder text.txt -o run --code 20 --threads 1").expect_code(0);
    let told = folder.json("restore run text.txt --evaluate");
    assert!(told["documents"].as_u64() > Some(100), "{told}");
    let methods = told["methods"].as_array().expect("a list");
    let names: Vec<&str> = methods.iter().filter_map(|method| method["method"].as_str()).collect();
    assert_eq!(names, ["autoencoder", "frequency", "LSA 20", "LSA 100"]);
    let figure = |at: usize, name: &str| methods[at][name].as_f64().unwrap_or(f64::NAN);
    assert!(figure(0, "recall@50") > 1.2 * figure(1, "recall@50"), "{told}");
    assert!(figure(0, "foreign_auc") > figure(1, "foreign_auc") + 0.1, "{told}");
    folder.firth("restore run text.txt --evaluate --missing 2").expect_error(2, &["--missing"]);
    folder.write("short.txt", "a few words\n");
    folder.firth("restore run short.txt --evaluate").expect_error(3, &["15"]);
}

/// Rows of two kinds, perhaps with noise.
fn table(noise: f32) -> String {
    let value = |row: usize, col: usize| {
        let is_on = row.is_multiple_of(2) == (col < 4);
        let noise = noise * (((row * 31 + col * 17) % 11) as f32 / 5.0 - 1.0);
        format!("{}", (if is_on { 0.8 } else { 0.1 }) + noise)
    };
    (0..100).map(|row| (0..8).map(|col| value(row, col)).collect::<Vec<_>>().join(",") + "\n").collect()
}

#[test]
fn noise_is_taken_out_of_a_matrix() {
    let folder = Folder::new();
    folder.write("clean.csv", table(0.0));
    folder.write("noisy.csv", table(0.3));
    let train = "train autoencoder noisy.csv --target clean.csv -o run --code 4 --epochs 300 --lr 0.01 --threads 1";
    folder.firth(train).expect_code(0);
    let told = folder.json("restore run noisy.csv -o out.npy --target clean.csv");
    let psnr = |name: &str| told[name]["psnr"].as_f64().unwrap_or(f64::NAN);
    assert!(psnr("restored") > psnr("input") + 5.0, "{told}");
    assert!((told["input"]["mse"].as_f64().unwrap_or(f64::NAN) - 0.036).abs() < 0.01, "{told}");
    assert_eq!((&told["rows"], &told["output"]), (&100.into(), &"out.npy".into()));
    let again = folder.json("restore run noisy.csv -o out.csv");
    assert_eq!(again["columns"], 8);
    assert_eq!(folder.read("out.csv").lines().count(), 100);
    folder.firth("restore run noisy.csv -o out.npy").expect_error(2, &["out.npy", "--force"]);
    folder.firth("restore run noisy.csv -o out.npy --force").expect_code(0);
    folder.firth("restore run noisy.csv").expect_error(2, &["--output", "--target"]);
    folder.firth("restore run noisy.csv -o x.npy --evaluate").expect_error(2, &["--evaluate", "matrix"]);
    folder.firth("restore run noisy.csv -o x.txt").expect_error(2, &[".npy"]);
    assert!(!folder.names().iter().any(|name| name.starts_with('.') || name == "x.txt"), "{:?}", folder.names());
}
