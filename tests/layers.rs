//! The architecture, checked: which module may use which, where `unsafe` may stand, how long a file may be.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Layer by layer, as in `docs/architecture.md`: a module uses lower layers only, and of its own what is listed.
const MODULES: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("io", &["error"]),
    ("math", &["error", "io"]),
    ("estimator", &["error", "math"]),
    ("corpus", &["error", "io", "math"]),
    ("tokenizer", &["error"]),
    ("vocabulary", &["error", "io", "math", "corpus", "tokenizer"]),
    ("dataset", &["error", "io", "math", "corpus", "tokenizer", "vocabulary"]),
    ("embeddings", &["error", "math", "vocabulary"]),
    ("pretext", &["math", "vocabulary", "dataset"]),
    ("objective", &["math", "vocabulary", "pretext"]),
    ("format", &["error", "io", "math", "vocabulary", "embeddings"]),
    ("train", &["error", "io", "math", "vocabulary", "dataset", "embeddings", "pretext", "objective", "format"]),
    ("eval", &["error", "io", "math", "embeddings", "analysis"]),
    ("analysis", &["error", "io", "math", "estimator", "dataset", "embeddings"]),
];

/// The only files with `unsafe`: mapping, shared rows, registers, and the product that calls a foreign kernel.
const UNSAFE: &[&str] =
    &["io.rs", "math/lanes.rs", "math/matrix.rs", "math/scalar.rs", "math/shared.rs", "math/simd.rs"];

/// A file longer than this has grown past its idea.
const LINES: usize = 600;

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a source folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// Every source file: its path below `src` and its text.
fn sources() -> Vec<(String, String)> {
    let mut paths = Vec::new();
    files(&source(), &mut paths);
    paths.sort();
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(source()).expect("below src").to_string_lossy().replace('\\', "/");
        (name, fs::read_to_string(path).expect("a source file"))
    };
    paths.iter().map(read).collect()
}

#[test]
fn modules_use_lower_layers_only() {
    let allowed: BTreeMap<_, _> = MODULES.iter().copied().collect();
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let module = file.split(['/', '.']).next().expect("a name");
        if ["lib", "bin"].contains(&module) {
            continue;
        }
        let Some(uses) = allowed.get(module) else {
            wrong.push(format!("src/{file}: module {module} has no layer"));
            continue;
        };
        // Tests at a file's foot may use what they like to set the stage.
        let code = text.split("#[cfg(test)]").next().expect("text");
        for (at, line) in code.lines().enumerate() {
            for used in line.split("crate::").skip(1) {
                let used = used.split(|c: char| !c.is_alphanumeric() && c != '_').next().expect("a name");
                let is_module = allowed.contains_key(used);
                if is_module && used != module && !uses.contains(&used) {
                    wrong.push(format!("src/{file}:{}: {module} may not use {used}", at + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_command_sees_only_the_public_library() {
    for (file, text) in sources().iter().filter(|(file, _)| file.starts_with("bin/")) {
        assert!(!text.contains("#[path"), "src/{file} reaches into the library's files");
    }
}

#[test]
fn unsafe_stands_only_where_it_may_and_says_why() {
    for (file, text) in sources() {
        let mentions = |word: &str| text.lines().filter(|line| line.contains(word)).count();
        let blocks = mentions("unsafe {") + mentions("unsafe impl");
        if UNSAFE.contains(&file.as_str()) {
            let reasons = mentions("SAFETY:") + mentions("# Safety");
            assert!(reasons >= blocks, "src/{file}: {blocks} unsafe blocks, {reasons} reasons");
        } else {
            assert_eq!(blocks, 0, "src/{file}: unsafe belongs into {}", UNSAFE.join(", "));
        }
    }
}

#[test]
fn no_file_has_grown_past_its_idea() {
    for (file, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= LINES, "src/{file}: {lines} lines, at most {LINES}");
    }
}
