//! A model as commands take it: a run folder or a vector file.

use std::path::Path;

use firth::embeddings::Embeddings;
use firth::format::{self, Care, Dtype};

use crate::failure::{Outcome, Reading};
use crate::globals::Globals;
use crate::output::Force;
use crate::progress::{note, warn};
use crate::run_folder;
use crate::staged::Staged;

/// Reads vectors, and tells what the reader had to change.
pub fn read(path: &Path) -> Outcome<Embeddings> {
    read_as(path, Care::Strict)
}

/// [`read`], with more or less care.
pub fn read_as(path: &Path, care: Care) -> Outcome<Embeddings> {
    let model = format::read_as(&run_folder::vectors(path), care).reading()?;
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
    write_as(embeddings, (format, Dtype::F32), staged, target, globals)
}

fn write_as(
    embeddings: &Embeddings,
    (format, dtype): (&dyn format::Format, Dtype),
    staged: &Staged,
    target: &Path,
    globals: &Globals,
) -> Outcome {
    let losses = format.losses(embeddings);
    if !losses.is_empty() {
        // The user has chosen the format: a note, not a warning.
        note(globals, format_args!("{}: {} drops {}", target.display(), format.name(), losses.join(" and ")));
    }
    Ok(format.write_as(embeddings, &staged.path(), dtype)?)
}

/// Writes vectors under a name, whole or not at all, in a format and a kind of numbers.
pub fn save(
    embeddings: &Embeddings,
    (format, dtype): (&dyn format::Format, Dtype),
    target: &Path,
    force: Force,
    globals: &Globals,
) -> Outcome {
    let staged = Staged::new(target, force.force)?;
    write_as(embeddings, (format, dtype), &staged, target, globals)?;
    staged.commit()
}
