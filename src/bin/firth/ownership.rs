//! Which folders firth made, so that `--force` never deletes what others keep.

use std::fs;
use std::path::{Path, PathBuf};

use firth::format;
use firth::io::Container;

use crate::config::RUN_TABLE;
use crate::failure::{Failure, Outcome};
use crate::run_folder;

/// How the README.txt of a planted corpus begins.
const PLANTED: &str = "A planted corpus of kind";
/// The file that only a demo's folder has.
pub const DEMO_REPORT: &str = "demo.json";
/// All that a folder for TensorBoard's projector holds, sorted.
const PROJECTOR: [&str; 3] = ["metadata.tsv", "projector_config.pbtxt", "vectors.tsv"];
/// All that a static embedding is, sorted; the rows say that firth wrote them.
const STATIC: [&str; 4] = ["config.json", STATIC_ROWS, "modules.json", "tokenizer.json"];
const STATIC_ROWS: &str = "model.safetensors";
/// All that a folder for spaCy holds, sorted; the first but one says that firth wrote it.
const SPACY: [&str; 4] = ["config.cfg", "meta.json", "tokenizer", "vocab"];

/// Did firth make this folder? One that cannot be told is somebody else's.
pub fn is_own(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    let Ok(mut paths) = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>() else {
        return false;
    };
    paths.sort();
    is_exported(folder, &paths) || paths.iter().all(|path| is_container(path)) || is_run(folder) || is_demo(folder) || {
        fs::read_to_string(folder.join("README.txt")).is_ok_and(|text| text.starts_with(PLANTED))
    }
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
        assert!(is_own(folder.path()));
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
