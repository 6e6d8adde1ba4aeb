//! A model as commands take it: a run folder or a vector file.

use std::path::Path;

use firth::embeddings::Embeddings;
use firth::format;

use crate::failure::{Outcome, Reading};
use crate::output::Force;
use crate::ownership;
use crate::progress::warn;
use crate::staged::Staged;

/// Reads vectors, and tells what the reader had to change.
pub fn read(path: &Path) -> Outcome<Embeddings> {
    let model = format::read(path).reading()?;
    for warning in &model.warnings {
        warn(format_args!("{}: {warning}", path.display()));
    }
    Ok(model)
}

/// Writes vectors in a format, after telling what that will drop.
pub fn write(embeddings: &Embeddings, format: &dyn format::Format, staged: &Staged, target: &Path) -> Outcome {
    for loss in format.losses(embeddings) {
        warn(format_args!("{}: {} drops {loss}", target.display(), format.name()));
    }
    Ok(format.write(embeddings, &staged.path())?)
}

/// Writes vectors that come from `source` under another name, whole or not at all.
pub fn save(
    embeddings: &Embeddings,
    source: &Path,
    format: &dyn format::Format,
    target: &Path,
    force: Force,
) -> Outcome {
    let staged = Staged::new(target, force.force)?;
    ownership::refuse_inputs([source], target)?;
    write(embeddings, format, &staged, target)?;
    staged.commit()
}
