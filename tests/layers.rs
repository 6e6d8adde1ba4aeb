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
    ("embeddings", &["error", "io", "math", "tokenizer", "vocabulary"]),
    ("pretext", &["math", "vocabulary", "dataset"]),
    ("objective", &["math", "vocabulary", "pretext"]),
    ("format", &["error", "io", "math", "tokenizer", "vocabulary", "embeddings"]),
    (
        "train",
        &["error", "io", "math", "tokenizer", "vocabulary", "dataset", "embeddings", "pretext", "objective", "format"],
    ),
    (
        "autoencoder",
        &["error", "io", "math", "corpus", "tokenizer", "vocabulary", "dataset", "embeddings", "format", "train"],
    ),
    ("eval", &["error", "io", "math", "embeddings"]),
    (
        "analysis",
        &["error", "io", "math", "estimator", "corpus", "vocabulary", "dataset", "embeddings", "train", "autoencoder"],
    ),
];

/// The only files with `unsafe`: mapping, shared rows, registers, the product that calls a foreign kernel, and what a
/// signal does.
const UNSAFE: &[&str] = &[
    "bin/firth/signals.rs",
    "io.rs",
    "math/composed.rs",
    "math/lanes.rs",
    "math/matrix.rs",
    "math/scalar.rs",
    "math/shared.rs",
    "math/shared/softmax.rs",
    "math/shared/table.rs",
    "math/simd.rs",
    "math/vector.rs",
];

/// A reason stands at most so many lines above its `unsafe`.
const REASON: usize = 4;

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

/// The lines before the tests at a file's foot, which may use what they like to set the stage.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().take_while(|line| !line.trim_start().trim_start_matches("pub(super) ").starts_with("mod tests {"))
}

/// The lines, from 1, with an `unsafe` block or implementation that no line shortly before gives a reason for.
fn unreasoned(text: &str) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let is_unsafe = |line: &str| line.contains("unsafe {") || line.contains("unsafe impl");
    let is_reason = |line: &&str| line.contains("SAFETY:") || line.contains("# Safety");
    (0..lines.len())
        .filter(|&at| is_unsafe(lines[at]) && !lines[at.saturating_sub(REASON)..at].iter().any(is_reason))
        .map(|at| at + 1)
        .collect()
}

#[test]
fn code_in_the_middle_and_each_unsafe_are_seen() {
    let file = "use a;\n#[cfg(test)]\nfn helper() {}\nuse crate::b;\n#[cfg(test)]\nmod tests {\n    use crate::c;\n}\n";
    assert_eq!(
        code(file).collect::<Vec<_>>(),
        ["use a;", "#[cfg(test)]", "fn helper() {}", "use crate::b;", "#[cfg(test)]"]
    );
    assert_eq!(code("    pub(super) mod tests {\n").count(), 0);
    // One block with two reasons does not excuse another with none.
    let file =
        "// SAFETY: fine.\n// SAFETY: fine.\nunsafe { a() };\n\n\n\nunsafe { b() };\n/// # Safety\nunsafe impl A {}\n";
    assert_eq!(unreasoned(file), [7]);
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
        for (at, line) in code(&text).enumerate() {
            if line.contains("use crate::{") {
                wrong.push(format!(
                    "src/{file}:{}: one `use crate::` for each module, so that this test sees it",
                    at + 1
                ));
            }
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
            let bare = unreasoned(&text);
            assert!(bare.is_empty(), "src/{file}: no SAFETY line above the unsafe of lines {bare:?}");
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
