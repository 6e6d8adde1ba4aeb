//! `firth embed`: vectors of documents, by a run's own model or pooled from words, or of chosen words.

mod documents;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use firth::corpus::DocumentOptions;
use firth::embeddings::Embeddings;
use firth::format::Format;
use firth::{Error, format};
use serde_json::json;

use crate::failure::{Failure, Outcome};
use crate::globals::{Globals, Typed};
use crate::model::{self, Finder};
use crate::output::{self, Force, Results};
use crate::pooled::PoolFlags;
use crate::staged::Staged;
use crate::{place, progress, text};

/// Print or save, in any format, vectors for documents, by a run's own model or pooled from words, or those of words.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  firth embed run new.txt -o new.npy\n  firth embed words.txt docs.txt --pool sif -o pooled\n  \
    firth embed run --words king queen\n\n\
    Vectors of words are pooled into vectors of documents, fitted on the documents given; with -o and a name without\n\
    an ending, into a run: a folder by which new documents are treated alike. Words are looked up as written first if\n\
    the model tells upper from lower case. Documents get the ids of their input, or are numbered from 1, empty ones too. With --words, reads one word a\n\
    line from a pipe; with -o and no words, takes all of the model's."
)]
pub struct Flags {
    /// A run folder or a vector file of any format, compressed or not
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Documents (files, folders, globs, - for standard input), or one matrix for a run that has learnt from one
    #[arg(value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Words, instead of documents
    #[arg(long, value_name = "WORD", num_args = 0.., conflicts_with = "inputs")]
    words: Option<Vec<String>>,
    #[command(flatten)]
    pool: PoolFlags,
    #[command(flatten)]
    documents: DocumentOptions,
    /// Where to save them: a file, or for pooled documents a run's folder; missing folders are made [default: standard
    /// output, a key and its numbers a line]
    #[arg(short, long, value_name = "PATH", help_heading = "Output")]
    output: Option<PathBuf>,
    /// The format of the file [default: what the name's ending stands for]
    #[arg(long, value_name = "FORMAT", help_heading = "Output", requires = "output")]
    to: Option<String>,
    #[command(flatten)]
    force: Force,
}

/// Prints or saves vectors.
pub fn run(flags: &Flags, globals: &Globals, typed: &Typed) -> Outcome {
    let read: Vec<PathBuf> = std::iter::once(&flags.model).chain(&flags.inputs).cloned().collect();
    if let Some(path) = &flags.output {
        place::check(path, "vectors", &read)?;
    } else if flags.force.force {
        return Err(Failure::usage("--force: has no effect without --output"));
    }
    if let Some(path) = &flags.output
        && flags.words.is_none()
        && documents::is_pooled(flags)
        && place::vectors_only(path, flags.to.as_deref())?.is_none()
    {
        place::note_folder(path, globals);
        return documents::into_run(flags, path, globals, typed);
    }
    let format = flags.output.as_ref().map(|path| format::for_path(path, flags.to.as_deref())).transpose()?;
    if let (Some(path), Some(format)) = (&flags.output, format) {
        place::check_vectors(path, format, &read, flags.force.force)?;
    }
    let place = flags.output.as_deref().zip(format);
    match &flags.words {
        Some(words) => {
            text::DOCUMENTS.iter().try_for_each(|flag| typed.refuse(flag, "words are no documents"))?;
            PoolFlags::refuse(typed, "words are no documents")?;
            of_words(flags, words, place, globals)
        }
        None if flags.inputs.is_empty() => Err(documents::missing()),
        None => documents::run(flags, place, globals, typed),
    }
}

/// A file and the format to write it in.
type Place<'a> = (&'a Path, &'static dyn Format);

fn of_words(flags: &Flags, words: &[String], place: Option<Place<'_>>, globals: &Globals) -> Outcome {
    // A name that is taken is told before the work, not after it.
    let staged = place.map(|(path, _)| Staged::new(path, flags.force.force)).transpose()?;
    let all = model::read(&flags.model)?;
    let words = if words.is_empty() { waiting_words()? } else { words.to_vec() };
    let vectors = if words.is_empty() { all } else { chosen(&all, &words, &flags.model)? };
    match staged.zip(place) {
        Some((staged, place)) => {
            let segmenter = model::segmenter(&flags.model, &vectors)?;
            save(&vectors.with_segmenter(segmenter), staged, place, "words", globals)
        }
        None => print(&vectors, globals),
    }
}

/// The vectors of some words, among which may be unseen ones.
fn chosen(all: &Embeddings, words: &[String], path: &Path) -> Outcome<Embeddings> {
    let finder = Finder::new(all, path);
    let found = words.iter().map(|word| finder.find(word)).collect::<Outcome<Vec<_>>>()?;
    model::chosen(all, &found)
}

/// Writes vectors and tells where; `noun` is what they are of.
fn save(vectors: &Embeddings, staged: Staged, (path, format): Place<'_>, noun: &str, globals: &Globals) -> Outcome {
    model::write(vectors, format, &staged, path, globals)?;
    staged.commit()?;
    let (keys, dim) = (vectors.len(), vectors.dim());
    if globals.json {
        return output::json(&json!({"output": path, "format": format.name(), noun: keys, "dim": dim}));
    }
    progress::note(globals, format_args!("{keys} vectors of {dim} numbers in {}", path.display()));
    Ok(())
}

fn print(vectors: &Embeddings, globals: &Globals) -> Outcome {
    let rows = vectors.keys().iter().zip(vectors.vectors().iter_rows());
    if globals.json {
        let rows: Vec<_> = rows.map(|(key, vector)| json!({"key": key, "vector": vector})).collect();
        return output::json(&rows);
    }
    let mut results = Results::new();
    for (key, vector) in rows {
        output::vector(&mut results, key, vector)?;
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
