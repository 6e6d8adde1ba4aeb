//! `firth embed`: the vectors of chosen words.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use firth::{Error, format};
use serde_json::json;

use crate::convert::select;
use crate::failure::{Failure, Outcome};
use crate::globals::Globals;
use crate::output::{self, Force, Results};
use crate::{model, progress};

/// Print the vectors of words, or save them in any format.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  firth embed run --words king queen\n\n\
    From a pipe, reads one word a line; with -o and no words, takes all of the model's.")]
pub struct Flags {
    /// A run folder or a vector file of any format
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// The words
    #[arg(long, value_name = "WORD", num_args = 0.., required = true)]
    words: Vec<String>,
    /// Where to save them [default: standard output, a word and its numbers a line]
    #[arg(short, long, value_name = "PATH", help_heading = "Output")]
    output: Option<PathBuf>,
    /// The format of the file [default: what the name's ending stands for]
    #[arg(long, value_name = "FORMAT", help_heading = "Output", requires = "output")]
    to: Option<String>,
    #[command(flatten)]
    force: Force,
}

/// Prints or saves vectors.
pub fn run(flags: &Flags, globals: &Globals) -> Outcome {
    if flags.force.force && flags.output.is_none() {
        return Err(Failure::usage("--force: has no effect without --output"));
    }
    let format = flags.output.as_ref().map(|path| format::for_path(path, flags.to.as_deref())).transpose()?;
    let all = model::read(&flags.model)?;
    let words = if flags.words.is_empty() { waiting_words()? } else { flags.words.clone() };
    let chosen = if words.is_empty() {
        (0..all.len()).collect()
    } else {
        words.iter().map(|word| all.position(word)).collect::<Result<Vec<_>, _>>()?
    };
    let vectors = select(&all, &chosen)?;
    if let (Some(path), Some(format)) = (&flags.output, format) {
        model::save(&vectors, &flags.model, format, path, flags.force)?;
        let (words, dim) = (vectors.len(), vectors.dim());
        if globals.json {
            return output::json(&json!({"output": path, "format": format.name(), "words": words, "dim": dim}));
        }
        progress::note(globals, format_args!("{words} vectors of {dim} numbers in {}", path.display()));
        return Ok(());
    }
    let rows = vectors.keys().iter().zip(vectors.vectors().iter_rows());
    if globals.json {
        let rows: Vec<_> = rows.map(|(key, vector)| json!({"key": key, "vector": vector})).collect();
        return output::json(&rows);
    }
    let mut results = Results::new();
    for (key, vector) in rows {
        let numbers: Vec<String> = vector.iter().map(f32::to_string).collect();
        writeln!(results, "{key}\t{}", numbers.join("\t"))?;
    }
    results.done()
}

/// One word a line from a pipe.
fn waiting_words() -> Outcome<Vec<String>> {
    if std::io::stdin().is_terminal() {
        return Ok(Vec::new());
    }
    let text = std::io::read_to_string(std::io::stdin())
        .map_err(|source| Failure::Input(Error::io("standard input", source)))?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}
