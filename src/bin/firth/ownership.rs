//! Which folders firth made, so that `--force` never deletes what others keep.

use std::fs;
use std::path::{Path, PathBuf};

use firth::embeddings::pooling;
use firth::format::{self, native};
use firth::io::Container;
use firth::{autoencoder, train};

use crate::config::RUN_TABLE;
use crate::failure::{Failure, Outcome};
use crate::run_folder;

/// How the README.txt of a planted corpus begins.
const PLANTED: &str = "A planted corpus of kind";
/// All that a planted corpus may hold.
const PLANTED_FILES: [&str; 8] = [
    "README.txt",
    "text.txt",
    "documents.tsv",
    "questions.txt",
    "similarity.tsv",
    "anomalies.tsv",
    "baskets.tsv",
    "rules.tsv",
];
/// The files of a demo, beside folders of other kinds.
const DEMO: [&str; 4] = [DEMO_REPORT, "map.png", "documents.html", "documents.png"];
/// The file that only a demo's folder has.
pub const DEMO_REPORT: &str = "demo.json";
/// All that a folder for TensorBoard's projector holds, sorted.
const PROJECTOR: [&str; 3] = ["metadata.tsv", "projector_config.pbtxt", "vectors.tsv"];
/// All that a static embedding is, sorted; the rows say that firth wrote them.
const STATIC: [&str; 4] = ["config.json", STATIC_ROWS, "modules.json", "tokenizer.json"];
const STATIC_ROWS: &str = "model.safetensors";
/// All that a folder for spaCy holds, sorted; the first but one says that firth wrote it.
const SPACY: [&str; 4] = ["config.cfg", "meta.json", "tokenizer", "vocab"];

/// All that a run's folder may hold.
const RUN: [&str; 12] = [
    run_folder::CONFIG,
    run_folder::LOG,
    run_folder::CHECKPOINTS,
    run_folder::VOCABULARY,
    run_folder::DATASET,
    pooling::FILE,
    native::FILE,
    train::CONTEXT,
    train::NODES,
    train::DOCUMENTS,
    train::COMMON,
    autoencoder::FILE,
];

/// Did firth make this folder and all that is in it? What cannot be told is somebody else's.
pub fn is_own(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    let Ok(mut paths) = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>() else {
        return false;
    };
    paths.sort();
    let is_one_of =
        |path: &Path, names: &[&str]| names.iter().any(|name| path.file_name().is_some_and(|is| is == *name));
    let holds_only = |names: &[&str]| paths.iter().all(|path| is_one_of(path, names));
    is_exported(folder, &paths)
        || paths.iter().all(|path| is_container(path))
        || holds_only(&RUN) && (is_run(folder) || paths.iter().any(|path| is_container(path)))
        || is_demo(folder) && paths.iter().all(|path| if path.is_dir() { is_own(path) } else { is_one_of(path, &DEMO) })
        || is_planted(folder) && holds_only(&PLANTED_FILES)
}

fn is_planted(folder: &Path) -> bool {
    fs::read_to_string(folder.join(PLANTED_FILES[0])).is_ok_and(|text| text.starts_with(PLANTED))
}

/// Did `firth demo` make this folder?
pub fn is_demo(folder: &Path) -> bool {
    let report = fs::read(folder.join(DEMO_REPORT)).unwrap_or_default();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap_or_default();
    ["skipgram", "cbow"].iter().all(|name| report[*name]["train"].is_object())
}

/// A run has vectors or checkpoints, and a configuration that says which firth wrote it.
pub fn is_run(folder: &Path) -> bool {
    let config = fs::read_to_string(folder.join("config.toml")).unwrap_or_default();
    let config: toml::Table = toml::from_str(&config).unwrap_or_default();
    let is_ours = config.get(RUN_TABLE).and_then(|run| run.get("firth")).is_some();
    is_ours && (run_folder::is_finished(folder) || run_folder::is_unfinished(folder))
}

/// Is it one of the formats that are folders, with nothing else in it?
fn is_exported(folder: &Path, paths: &[PathBuf]) -> bool {
    let holds = |names: &[&str]| paths.iter().filter_map(|path| path.file_name()).eq(names.iter().copied());
    let meta = || fs::read_to_string(folder.join(SPACY[1])).unwrap_or_default();
    holds(&PROJECTOR)
        || holds(&STATIC) && is_container(&folder.join(STATIC_ROWS))
        || holds(&SPACY) && meta().contains(format::spacy::NAME)
}

/// Vectors, a vocabulary or an encoded text of ours, not a network of somebody else's.
fn is_container(path: &Path) -> bool {
    let is_named = path.extension().is_some_and(|extension| extension == "safetensors");
    is_named && Container::open(path).is_ok_and(|container| container.kind().is_some())
}

/// Refuses an output that is an input, holds one or lies in one: it would be deleted, or be read the next time.
pub fn refuse_inputs(inputs: &[PathBuf], target: &Path) -> Outcome {
    let Some(output) = resolved(target) else { return Ok(()) };
    for input in inputs {
        let matches = || input.to_str().and_then(|pattern| glob::glob(pattern).ok()).into_iter().flatten().flatten();
        for found in std::iter::once(input.clone()).chain(matches()).filter_map(|path| path.canonicalize().ok()) {
            let how = if output == found {
                "is an input itself"
            } else if found.starts_with(&output) {
                "holds an input"
            } else if found.is_dir() && output.starts_with(&found) {
                "lies in an input"
            } else {
                continue;
            };
            let (target, input) = (target.display(), input.display());
            return Err(Failure::usage(format!("{target}: {how} ({input}); name another output")));
        }
    }
    Ok(())
}

/// The absolute path that a name will have, whether or not it exists.
pub fn resolved(target: &Path) -> Option<PathBuf> {
    let existing = target.ancestors().find(|part| part.exists() || part.as_os_str().is_empty())?;
    let rest = target.strip_prefix(existing).ok()?;
    let start = if existing.as_os_str().is_empty() { Path::new(".") } else { existing };
    let start = start.canonicalize().ok()?;
    // Joining nothing would add a slash.
    Some(if rest.as_os_str().is_empty() { start } else { start.join(rest) })
}

#[cfg(test)]
mod tests {
    use firth::embeddings::Embeddings;
    use firth::math::Matrix;

    use super::*;

    #[test]
    fn only_marked_folders_are_ours() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        assert!(is_own(folder.path()), "an empty folder is anybody's");
        let write = |name: &str, content: &str| fs::write(folder.path().join(name), content);
        for (name, content) in [
            ("config.toml", "[server]\nport = 1\n"),
            ("vectors.tsv", "1\t2\n"),
            ("demo.json", "{}"),
            ("words.safetensors", "not one"),
            ("README.txt", "Read me"),
        ] {
            write(name, content)?;
            assert!(!is_own(folder.path()), "{name}");
        }
        write("config.toml", "dim = 3\n[run]\nfirth = \"0.1.0\"\n")?;
        assert!(is_run(folder.path()) && !is_own(folder.path()), "a run with other things");
        ["vectors.tsv", "demo.json", "README.txt"]
            .iter()
            .try_for_each(|name| fs::remove_file(folder.path().join(name)))?;
        assert!(is_own(folder.path()));
        fs::create_dir(folder.path().join("paper"))?;
        assert!(!is_own(folder.path()));
        Ok(())
    }

    #[test]
    fn formats_that_are_folders_are_ours_until_something_is_added() -> firth::Result<()> {
        let folder = tempfile::tempdir().expect("a folder");
        let vectors = Matrix::from_vec(1, 1, vec![1.0])?;
        let words = Embeddings::new(["a"].iter().collect(), vectors, None)?;
        for name in ["projector", "static-embedding", "spacy"] {
            let path = folder.path().join(name);
            format::by_name(name)?.write(&words, &path)?;
            assert!(is_own(&path), "{name}");
            fs::write(path.join("notes"), "").expect("a file");
            assert!(!is_own(&path), "{name}");
        }
        Ok(())
    }
}
