//! `firth convert`: a vector file in another format.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use firth::format::{self, Care, Dtype};
use firth::vocabulary::Keys;
use serde_json::json;

use crate::failure::{Failure, Outcome, Reading};
use crate::globals::Globals;
use crate::model::Finder;
use crate::output::{self, Force};
use crate::progress::warn;
use crate::staged::Staged;
use crate::{documents, model, place, queries, run_folder};

/// Turn a vector file into another format; what the new format cannot hold is told before it is dropped.
#[derive(Debug, clap::Args)]
#[command(after_help = formats_help())]
pub struct Flags {
    /// A run folder or a vector file of any format, compressed or not
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// The file to write; missing folders are made
    #[arg(value_name = "OUT")]
    output: PathBuf,
    /// The format [default: what the name's ending stands for]
    #[arg(long, value_name = "FORMAT")]
    to: Option<String>,
    /// The numbers [default: f32]; f16 and bf16 halve the file, i8 quarters it (each row with a scale of its own)
    #[arg(long, value_enum, value_name = "KIND", default_value_t, hide_default_value = true)]
    dtype: Dtype,
    /// The run's documents instead of its words
    #[arg(long)]
    documents: bool,
    /// Keep only the keys of FILE (- for standard input; .gz .zst .bz2 .xz too), one per line and treated as in queries,
    /// in the model's order; a model with subwords makes vectors of others
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Keep only the first N vectors, those of the commonest words, from 1 [default: all]
    #[arg(long, value_name = "N", value_parser = queries::parse_top)]
    top: Option<usize>,
    /// Take the mean of all vectors off each: better analogies and similarities, sometimes worse rare words
    #[arg(long)]
    center: bool,
    /// Scale each vector to length one, after --center
    #[arg(long)]
    normalize: bool,
    /// Leave out rows at fault (broken lines, repeated keys, NaN) and tell how many, rather than stop at the first
    #[arg(long)]
    lenient: bool,
    #[command(flatten)]
    force: Force,
}

/// Reads, changes and writes.
pub fn run(flags: &Flags, globals: &Globals) -> Outcome {
    let inputs = [Some(&flags.input), flags.keys.as_ref()].into_iter().flatten().cloned().collect::<Vec<_>>();
    place::check(&flags.output, "vectors", &inputs)?;
    let format = format::for_path(&flags.output, flags.to.as_deref())?;
    place::check_vectors(&flags.output, format, &inputs, flags.force.force)?;
    let staged = Staged::new(&flags.output, flags.force.force)?;
    run_folder::refuse_unfinished(&flags.input)?;
    if flags.documents && !flags.input.is_dir() {
        let shown = flags.input.display();
        return Err(Failure::usage(format!("--documents: {shown} is no run, and has no documents beside its vectors")));
    }
    let input = if flags.documents { documents::of_model(&flags.input)? } else { flags.input.clone() };
    let input = model::open(&input)?;
    let from = input.format().reading()?.name();
    let keys = flags.keys.as_deref().map(read_keys).transpose()?;
    let care = if flags.lenient { Care::Lenient } else { Care::Strict };
    let mut vectors = model::read_as(&input, care)?;
    if format.keeps_contexts() && !flags.documents {
        let contexts = model::contexts(&input, &vectors)?;
        vectors = vectors.with_contexts(contexts)?;
    }
    if !flags.documents {
        let segmenter = model::segmenter(&flags.input, &vectors)?;
        vectors = vectors.with_segmenter(segmenter);
    }
    let total = vectors.len();
    let mut missing = Vec::new();
    let mut stay = total;
    if let Some(keys) = &keys {
        let finder = Finder::new(&vectors, &flags.input);
        let (mut found, mut before) = (Vec::new(), HashSet::new());
        for key in keys.iter().enumerate().filter(|&(at, key)| keys.find(key) == Some(at)).map(|(_, key)| key) {
            // Only words have ways of being spelt.
            match if flags.documents { finder.known(key) } else { finder.look(key)? } {
                // Two keys may be ways to spell one.
                Some(one) if before.insert(one.key.clone()) => found.push(one),
                Some(_) => {}
                None => missing.push(key),
            }
        }
        found.sort_by_key(|found| found.position.unwrap_or(total));
        stay = found.iter().filter(|found| found.position.is_some()).count();
        vectors = model::chosen(&vectors, &found)?;
        let place = flags.keys.as_deref().unwrap_or(Path::new("")).display();
        if vectors.is_empty() && total > 0 {
            let reason = format!("{place}: none of its {} keys is in {}", keys.len(), flags.input.display());
            return Err(Failure::Input(firth::Error::data(format!("{reason}; give one key per line, spelt as there"))));
        }
        if !missing.is_empty() {
            let few = missing.iter().take(5).map(|key| format!("{key:?}")).collect::<Vec<_>>().join(", ");
            let more = if missing.len() > 5 { ", ..." } else { "" };
            warn(format_args!("{place}: {} of {} keys have no vector ({few}{more})", missing.len(), keys.len()));
        }
    }
    if let Some(top) = flags.top.filter(|&top| top < vectors.len()) {
        vectors = vectors.select(&(0..top).collect::<Vec<_>>())?;
    }
    if flags.center {
        vectors = vectors.centered()?;
    }
    if flags.normalize {
        if vectors.ngrams().is_some() {
            warn("--normalize leaves the vectors of n-grams out, since means of them would have other lengths");
        }
        let normalized = vectors.vectors().normalized();
        vectors = vectors.with_vectors(normalized)?;
    }
    model::write_as(&vectors, (format, flags.dtype), &staged, &flags.output, globals)?;
    staged.commit()?;
    let (keys, dim) = (vectors.len(), vectors.dim());
    if globals.json {
        let report = json!({"input": flags.input, "from": from, "output": flags.output, "to": format.name(),
            "keys": keys, "dropped": total - stay.min(keys), "missing": missing.len(), "dim": dim,
            "dtype": flags.dtype.name()});
        return output::json(&report);
    }
    crate::progress::note(
        globals,
        format_args!("{keys} vectors of {dim} numbers in {} ({})", flags.output.display(), format.name()),
    );
    Ok(())
}

/// The keys of a file, one per line; empty lines are none.
fn read_keys(path: &Path) -> Outcome<Keys> {
    let text = firth::io::read_text(path).reading()?;
    Ok(text.lines().filter(|line| !line.is_empty()).collect())
}

fn formats_help() -> String {
    let mut help = String::from("Formats (and the endings that stand for them):\n");
    for format in format::FORMATS {
        let endings: Vec<String> = format.extensions().iter().map(|ending| format!(".{ending}")).collect();
        help += &format!("  {} ({})\n      {}\n", format.name(), endings.join(" "), format.about());
    }
    help + "\nExample:\n  firth convert run words.bin\n  firth convert run words.parquet --keys wanted.txt --dtype f16"
}
