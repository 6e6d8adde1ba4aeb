//! `firth convert`: a vector file in another format.

use std::path::PathBuf;

use firth::format;
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
        vectors = vectors.select(&(0..top).collect::<Vec<_>>())?;
    }
    if flags.center {
        let centered = vectors.vectors().centered();
        vectors = vectors.with_vectors(centered)?;
    }
    if flags.normalize {
        let normalized = vectors.vectors().normalized();
        vectors = vectors.with_vectors(normalized)?;
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

fn formats_help() -> String {
    let mut help = String::from("Formats (and the endings that stand for them):\n");
    for format in format::FORMATS {
        let endings: Vec<String> = format.extensions().iter().map(|ending| format!(".{ending}")).collect();
        help += &format!("  {} ({})\n      {}\n", format.name(), endings.join(" "), format.about());
    }
    help + "\nExample:\n  firth convert run words.bin"
}
