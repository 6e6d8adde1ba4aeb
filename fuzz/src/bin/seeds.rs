//! Writes what each target begins with: files that firth makes of a few words, and those of `tests/golden`.

use std::fs;
use std::path::{Path, PathBuf};

use firth::embeddings::Embeddings;
use firth::format::{self, FORMATS};
use firth::math::Matrix;
use firth_fuzz::{INPUTS, files, pack};

fn main() {
    let words = ["the", "wörd", "日本", "5", "b_c"];
    for format in FORMATS {
        for dim in [1, 3, 17] {
            let numbers = (0..words.len() * dim).map(|at| at as f32 / 3.0 - 1.0).collect();
            let vectors = Matrix::from_vec(words.len(), dim, numbers).expect("as many numbers");
            let words =
                Embeddings::new(words.iter().collect(), vectors, Some(vec![5, 4, 3, 2, 1])).expect("as many rows");
            for &dtype in format.dtypes() {
                let scratch = tempfile::tempdir().expect("a folder");
                let path = scratch.path().join("a.npy");
                format.write_as(&words, &path, dtype).expect("a file");
                write(format.name(), &format!("{dim}-{}", dtype.name()), &files(*format, &path));
            }
        }
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
    for path in entries(&golden) {
        let Ok(format) = format::detect(&path) else { continue };
        let files = files(format, &path);
        if files.iter().all(|file| file.is_file()) {
            write(format.name(), &path.file_name().expect("a name").to_string_lossy(), &files);
        }
    }
    for input in INPUTS {
        let scratch = tempfile::tempdir().expect("a folder");
        (input.seeds)(scratch.path()).expect("seeds");
        for folder in entries(scratch.path()) {
            let files: Vec<_> = input.files.iter().map(|name| folder.join(name)).collect();
            write(input.name, &folder.file_name().expect("a name").to_string_lossy(), &files);
        }
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect()
}

fn write(target: &str, seed: &str, files: &[PathBuf]) {
    let folder = Path::new("corpus").join(target);
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join(seed), pack(files)).expect("a seed");
}
