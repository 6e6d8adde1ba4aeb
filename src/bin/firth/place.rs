//! Where a result may go: not onto an input, not to standard output, not into a device.

use std::path::{Path, PathBuf};

use firth::autoencoder;
use firth::format::{self, Format};
use firth::io::compression::unpacked_name;

use crate::failure::{Failure, Outcome};
use crate::globals::Globals;
use crate::progress::note;
use crate::{ownership, run_folder, staged};

/// Endings that promise a file of a kind that training does not write; with them a folder would surprise.
const FILE_ENDINGS: [&str; 7] = ["zip", "arrow", "json", "tsv", "pkl", "model", "h5"];

/// Refuses an output that cannot be one; `what` is what it would hold.
pub fn check(target: &Path, what: &str, inputs: &[PathBuf]) -> Outcome {
    if target.as_os_str() == "-" {
        return Err(Failure::usage(format!("standard output cannot hold {what}; name a file or folder")));
    }
    let shown = target.display();
    if target.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
        return Err(Failure::usage(format!("{shown}: is a device or a pipe, which cannot hold {what}; name a file")));
    }
    ownership::refuse_inputs(inputs, target)
}

/// Refuses a log in the place of what is read, which it would empty, or of what is written, which would take its place.
pub fn check_log(log: Option<&Path>, inputs: &[PathBuf], output: &Path) -> Outcome {
    let Some(log) = log else { return Ok(()) };
    if log.as_os_str() == "-" {
        return Err(Failure::usage("--log-json: standard output is for results; name a file, or /dev/stderr"));
    }
    ownership::refuse_inputs(inputs, log)?;
    let place = ownership::resolved(log);
    let takes = |output| ownership::resolved(output).zip(place.as_ref()).is_some_and(|(to, log)| log.starts_with(to));
    if takes(output) || takes(&run_folder::interim(output)) {
        let (shown, output) = (log.display(), output.display());
        let reason = format!("is where the output goes ({output}); name another file for --log-json");
        return Err(Failure::usage(format!("{shown}: {reason}")));
    }
    Ok(())
}

/// Refuses to put a file in the place of a run, a corpus or a demo, which a slip of the name would cost, or a folder in that
/// of a file; and companions of the file in the place of an input or, without `force`, of anything.
pub fn check_vectors(target: &Path, format: &dyn Format, inputs: &[PathBuf], force: bool) -> Outcome {
    for companion in format.companions(target) {
        ownership::refuse_inputs(inputs, &companion)?;
        staged::refuse_existing(&companion, force, None)?;
    }
    if format.is_folder() {
        return staged::refuse_file(target);
    }
    let ours = ["words.safetensors", "dataset.safetensors", autoencoder::FILE, ownership::DEMO_REPORT];
    if ours.iter().any(|name| target.join(name).is_file()) {
        let (shown, name) = (target.display(), format.name());
        let message =
            format!("{shown}: is a folder of firth's, which a vector file ({name}) does not replace; name a file");
        return Err(Failure::usage(message));
    }
    Ok(())
}

/// Says of a name that looks like a file's that it will be a folder's.
pub fn note_folder(target: &Path, globals: &Globals) {
    let ending = target.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    // What has no letters alone is a version or a number: run.v1.
    if !ending.is_empty() && ending.chars().all(char::is_alphabetic) {
        let (shown, endings) = (target.display(), format::endings());
        note(globals, format_args!("{shown}: will be the folder of a run; vectors alone go to names with {endings}"));
    }
}

/// The format of the vectors if they are written alone, without the folder of a run.
pub fn vectors_only(target: &Path, to: Option<&str>) -> Outcome<Option<&'static dyn Format>> {
    if to.is_some() {
        return Ok(Some(format::for_path(target, to)?));
    }
    let found = format::for_path(target, None);
    let ending = target.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    let is_packed = unpacked_name(target).is_some();
    match found {
        Err(error) if is_packed || FILE_ENDINGS.contains(&ending.as_str()) => Err(error.into()),
        found => Ok(found.ok()),
    }
}
