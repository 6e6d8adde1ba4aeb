//! Writes what each target begins with: files that firth makes of a few words.

use std::fs;
use std::path::Path;

use firth::embeddings::Embeddings;
use firth::format::FORMATS;
use firth::math::Matrix;

fn main() {
    let words = ["the", "wörd", "日本", "5", "b_c"];
    for format in FORMATS {
        let folder = Path::new("corpus").join(format.name());
        fs::create_dir_all(&folder).expect("a folder");
        for dim in [1, 3, 17] {
            let numbers = (0..words.len() * dim).map(|at| at as f32 / 3.0 - 1.0).collect();
            let vectors = Matrix::from_vec(words.len(), dim, numbers).expect("as many numbers");
            let words = Embeddings::new(words.iter().collect(), vectors, Some(vec![5, 4, 3, 2, 1])).expect("as many rows");
            for &dtype in format.dtypes() {
                let scratch = tempfile::tempdir().expect("a folder");
                let path = scratch.path().join("a.npy");
                format.write_as(&words, &path, dtype).expect("a file");
                let files = firth_fuzz::files(*format, &path);
                let mut seed = Vec::new();
                for file in &files {
                    let bytes = fs::read(file).expect("a file");
                    if files.len() > 1 {
                        seed.extend((bytes.len() as u16).to_le_bytes());
                    }
                    seed.extend(bytes);
                }
                fs::write(folder.join(format!("{dim}-{}", dtype.name())), seed).expect("a seed");
            }
        }
    }
}
