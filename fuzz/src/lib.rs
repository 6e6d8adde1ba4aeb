//! What all fuzz targets do: write the bytes where the reader of one format looks, and read them, strictly and leniently.
//!
//! A format of several files takes them one after another, each after its length of two bytes. `cargo run --bin seeds`
//! writes files that firth itself makes into `corpus/`, a folder for each target.
//!
//! ```sh
//! cd fuzz && cargo run --release --bin seeds && cargo +nightly fuzz run word2vec -- -rss_limit_mb=2048 -timeout=10
//! ```

use std::path::{Path, PathBuf};

use firth::format::{self, Care, Format};

/// The files of a format whose main one is `path`.
pub fn files(format: &dyn Format, path: &Path) -> Vec<PathBuf> {
    match format.name() {
        "npy" => vec![path.into(), path.with_extension("vocab")],
        "projector" => {
            ["projector_config.pbtxt", "vectors.tsv", "metadata.tsv"].iter().map(|name| path.join(name)).collect()
        }
        "static-embedding" => ["model.safetensors", "tokenizer.json"].iter().map(|name| path.join(name)).collect(),
        "spacy" => {
            ["vectors", "key2row", "strings.json"].iter().map(|name| path.join("vocab").join(name)).collect()
        }
        _ => vec![path.into()],
    }
}

/// Reads the bytes as that format. Errors are fine; panics, hangs and too much memory are what the fuzzer looks for.
pub fn read(name: &str, bytes: &[u8]) {
    let format = format::by_name(name).expect("a format");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.npy");
    let files = files(format, &path);
    let parent = files[0].parent().expect("in a folder");
    std::fs::create_dir_all(parent).expect("a folder");
    let mut rest = bytes;
    for (at, file) in files.iter().enumerate() {
        let length = match rest.split_first_chunk::<2>() {
            Some((length, after)) if files.len() > 1 => {
                rest = after;
                usize::from(u16::from_le_bytes(*length)).min(rest.len())
            }
            _ => rest.len(),
        };
        let length = if at + 1 == files.len() { rest.len() } else { length };
        std::fs::write(file, &rest[..length]).expect("a file");
        rest = &rest[length..];
    }
    for care in [Care::Strict, Care::Lenient] {
        let _ = format.read_as(&path, care);
    }
    let _ = format::read(&path);
}
