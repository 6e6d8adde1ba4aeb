//! `firth convert`: a vector file in another format.

use std::path::PathBuf;

use firth::embeddings::Embeddings;
use firth::format;
use firth::math::Matrix;
use serde_json::json;

use crate::failure::Outcome;
use crate::globals::Globals;
use crate::output::{self, Force};
use crate::{model, place, queries, run_folder};

/// Turn a vector file into another format; what the new format cannot hold is told before it is dropped.
#[derive(Debug, clap::Args)]
#[command(after_help = formats_help())]
pub struct Flags {
    /// A run folder or a vector file of any format
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// The file to write
    #[arg(value_name = "OUT")]
    output: PathBuf,
    /// The format [default: what the name's ending stands for]
    #[arg(long, value_name = "FORMAT")]
    to: Option<String>,
    /// Keep only the first N vectors, those of the commonest words, from 1 [default: all]
    #[arg(long, value_name = "N", value_parser = queries::parse_top)]
    top: Option<usize>,
    /// Take the mean of all vectors off each: better analogies and similarities, sometimes worse rare words
    #[arg(long)]
    center: bool,
    /// Scale each vector to length one, after --center
    #[arg(long)]
    normalize: bool,
    #[command(flatten)]
    force: Force,
}

/// Reads, changes and writes.
pub fn run(flags: &Flags, globals: &Globals) -> Outcome {
    place::check(&flags.output, "vectors", std::slice::from_ref(&flags.input))?;
    let format = format::for_path(&flags.output, flags.to.as_deref())?;
    place::check_vectors(&flags.output, format)?;
    let from = format::detect(&run_folder::vectors(&flags.input)).map_err(crate::failure::Failure::Input)?.name();
    let mut vectors = model::read(&flags.input)?;
    let total = vectors.len();
    if let Some(top) = flags.top.filter(|&top| top < total) {
        vectors = select(&vectors, &(0..top).collect::<Vec<_>>())?;
    }
    if flags.center {
        vectors = with(vectors, |vectors| vectors.centered())?;
    }
    if flags.normalize {
        vectors = with(vectors, |vectors| vectors.normalized())?;
    }
    model::save(&vectors, format, &flags.output, flags.force, globals)?;
    let (keys, dim) = (vectors.len(), vectors.dim());
    if globals.json {
        let report = json!({"input": flags.input, "from": from, "output": flags.output, "to": format.name(),
            "keys": keys, "dropped": total - keys, "dim": dim});
        return output::json(&report);
    }
    crate::progress::note(
        globals,
        format_args!("{keys} vectors of {dim} numbers in {} ({})", flags.output.display(), format.name()),
    );
    Ok(())
}

/// The same keys with changed vectors.
fn with(all: Embeddings, change: impl Fn(&Matrix) -> Matrix) -> Outcome<Embeddings> {
    let counts = all.counts().map(<[u64]>::to_vec);
    let mut changed = Embeddings::new(all.keys().clone(), change(all.vectors()), counts)?;
    changed.metadata = all.metadata;
    Ok(changed)
}

/// The rows at some positions, with their keys and counts.
pub fn select(all: &Embeddings, positions: &[usize]) -> Outcome<Embeddings> {
    let keys = positions.iter().map(|&position| all.keys().get(position)).collect();
    let rows: Vec<f32> = positions.iter().flat_map(|&position| all.vectors().row(position)).copied().collect();
    let counts = all.counts().map(|counts| positions.iter().map(|&position| counts[position]).collect());
    let mut chosen = Embeddings::new(keys, Matrix::from_vec(positions.len(), all.dim(), rows)?, counts)?;
    chosen.metadata = all.metadata.clone();
    Ok(chosen)
}

fn formats_help() -> String {
    let mut help = String::from("Formats (and the endings that stand for them):\n");
    for format in format::FORMATS {
        let endings: Vec<String> = format.extensions().iter().map(|ending| format!(".{ending}")).collect();
        help += &format!("  {} ({})\n      {}\n", format.name(), endings.join(" "), format.about());
    }
    help + "\nExample:\n  firth convert run words.bin"
}
