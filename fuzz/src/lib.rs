//! What all fuzz targets do: write the bytes where a reader looks for them, and read.
//!
//! Targets are the formats of vectors, each read strictly and leniently, and the other [`INPUTS`]. What consists of several
//! files takes them one after another, each but the last after its length of two bytes. `cargo run --bin seeds` writes
//! files that firth itself makes into `corpus/`, a folder for each target. How all this is run stands in
//! `docs/formats.md`.

use std::path::{Path, PathBuf};

use firth::format::{self, Candidate, Care, Format};

mod inputs;

pub use inputs::{INPUTS, Input};

/// The files of a format whose main one is `path`.
pub fn files(format: &dyn Format, path: &Path) -> Vec<PathBuf> {
    match format.name() {
        "npy" => vec![path.into(), path.with_extension("vocab")],
        "projector" => {
            ["projector_config.pbtxt", "vectors.tsv", "metadata.tsv"].iter().map(|name| path.join(name)).collect()
        }
        "static-embedding" => ["model.safetensors", "tokenizer.json"].iter().map(|name| path.join(name)).collect(),
        "spacy" => ["vectors", "key2row", "strings.json"].iter().map(|name| path.join("vocab").join(name)).collect(),
        _ => vec![path.into()],
    }
}

/// Several files as the bytes of one seed.
pub fn pack(files: &[PathBuf]) -> Vec<u8> {
    let mut packed = Vec::new();
    for (file, left) in files.iter().zip((0..files.len()).rev()) {
        let bytes = std::fs::read(file).expect("a file");
        if left > 0 {
            packed.extend(u16::try_from(bytes.len()).expect("a small file").to_le_bytes());
        }
        packed.extend(bytes);
    }
    packed
}

/// The files that [`pack`] packed, or what there is of them.
fn unpack(mut bytes: &[u8], files: &[PathBuf]) {
    for (file, left) in files.iter().zip((0..files.len()).rev()) {
        let (part, rest) = match bytes.split_first_chunk::<2>() {
            Some((length, rest)) if left > 0 => rest.split_at(rest.len().min(u16::from_le_bytes(*length).into())),
            _ => (bytes, &[][..]),
        };
        std::fs::create_dir_all(file.parent().expect("in a folder")).expect("a folder");
        std::fs::write(file, part).expect("a file");
        bytes = rest;
    }
}

/// Reads the bytes as a format or another input of that name. Errors are fine; panics, hangs and too much memory are what
/// the fuzzer looks for.
pub fn read(name: &str, bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    if let Some(input) = INPUTS.iter().find(|input| input.name == name) {
        let files: Vec<_> = input.files.iter().map(|file| folder.path().join(file)).collect();
        unpack(bytes, &files);
        let _ = (input.read)(folder.path());
        return;
    }
    let format = format::by_name(name).expect("a format");
    let path = folder.path().join("a.npy");
    unpack(bytes, &files(format, &path));
    for care in [Care::Strict, Care::Lenient] {
        let _ = Candidate::open(&path).and_then(|candidate| format.read_as(&candidate, care));
    }
    let _ = format::read(&path);
}
