//! Where a result may go: not onto an input, not to standard output, not into a device.

use std::path::{Path, PathBuf};

use firth::format::{self, Format};

use crate::failure::{Failure, Outcome};

/// Endings that promise a file of a kind that training does not write; with them a folder would surprise.
const FILE_ENDINGS: [&str; 14] =
    ["gz", "zst", "bz2", "xz", "zip", "npz", "parquet", "arrow", "csv", "jsonl", "json", "pkl", "model", "h5"];

/// Refuses an output that cannot be one; `what` is what it would hold.
pub fn check(target: &Path, what: &str, inputs: &[PathBuf]) -> Outcome {
    if target.as_os_str() == "-" {
        return Err(Failure::usage(format!("standard output cannot hold {what}; name a file or folder")));
    }
    let shown = target.display();
    if target.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
        return Err(Failure::usage(format!("{shown}: is a device or a pipe, which cannot hold {what}; name a file")));
    }
    let Some(output) = resolved(target) else { return Ok(()) };
    for input in inputs.iter().flat_map(|input| named(input)) {
        let Ok(found) = input.canonicalize() else { continue };
        let how = if output == found {
            "is an input itself"
        } else if found.starts_with(&output) {
            "holds an input"
        } else if found.is_dir() && output.starts_with(&found) {
            "lies in an input"
        } else {
            continue;
        };
        return Err(Failure::usage(format!("{shown}: {how} ({}); name another output", input.display())));
    }
    Ok(())
}

/// Refuses to put a file, or a folder that is no run, in the place of a run or a corpus.
pub fn check_vectors(target: &Path, format: &dyn Format) -> Outcome {
    let is_ours =
        ["words.safetensors", "dataset.safetensors", "demo.json"].iter().any(|name| target.join(name).is_file());
    if !is_ours {
        return Ok(());
    }
    let (shown, name) = (target.display(), format.name());
    Err(Failure::usage(format!(
        "{shown}: is a run or a corpus, which vectors alone ({name}) do not replace; name another output"
    )))
}

/// The format of the vectors if they are written alone, without the folder of a run.
pub fn vectors_only(target: &Path, to: Option<&str>) -> Outcome<Option<&'static dyn Format>> {
    if to.is_some() {
        return Ok(Some(format::for_path(target, to)?));
    }
    let found = format::for_path(target, None);
    let ending = target.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    match found {
        Err(error) if FILE_ENDINGS.contains(&ending.as_str()) => Err(error.into()),
        found => Ok(found.ok()),
    }
}

/// The files that an input names; a pattern names several.
fn named(input: &Path) -> Vec<PathBuf> {
    match input.to_str() {
        Some(pattern) if !input.exists() => glob(pattern),
        _ => vec![input.into()],
    }
}

/// The absolute path that a name will have, whether or not it exists.
fn resolved(target: &Path) -> Option<PathBuf> {
    let existing = target.ancestors().find(|part| part.exists() || part.as_os_str().is_empty())?;
    let rest = target.strip_prefix(existing).ok()?;
    let start = if existing.as_os_str().is_empty() { Path::new(".") } else { existing };
    let start = start.canonicalize().ok()?;
    // Joining nothing would add a slash.
    Some(if rest.as_os_str().is_empty() { start } else { start.join(rest) })
}

fn glob(pattern: &str) -> Vec<PathBuf> {
    glob::glob(pattern).map(|found| found.filter_map(Result::ok).collect()).unwrap_or_default()
}
