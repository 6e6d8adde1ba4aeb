//! A model as commands take it: a run folder or a vector file.

use std::path::Path;

use firth::embeddings::Embeddings;
use firth::format;

use crate::failure::{Outcome, Reading};
use crate::globals::Globals;
use crate::output::Force;
use crate::progress::{note, warn};
use crate::run_folder;
use crate::staged::Staged;

/// Reads vectors, and tells what the reader had to change.
pub fn read(path: &Path) -> Outcome<Embeddings> {
    let model = format::read(&run_folder::vectors(path)).reading()?;
    for warning in &model.warnings {
        warn(format_args!("{}: {warning}", path.display()));
    }
    Ok(model)
}

/// Writes vectors in a format, after telling what that will drop.
pub fn write(
    embeddings: &Embeddings,
    format: &dyn format::Format,
    staged: &Staged,
    target: &Path,
    globals: &Globals,
) -> Outcome {
    let losses = format.losses(embeddings);
    if !losses.is_empty() {
        // The user has chosen the format: a note, not a warning.
        note(globals, format_args!("{}: {} drops {}", target.display(), format.name(), losses.join(" and ")));
    }
    Ok(format.write(embeddings, &staged.path())?)
}

/// Writes vectors under a name, whole or not at all.
pub fn save(
    embeddings: &Embeddings,
    format: &dyn format::Format,
    target: &Path,
    force: Force,
    globals: &Globals,
) -> Outcome {
    let staged = Staged::new(target, force.force)?;
    write(embeddings, format, &staged, target, globals)?;
    staged.commit()
}
