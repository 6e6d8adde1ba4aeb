//! Documents, or the rows of a matrix, that a run has not seen, embedded block by block.

use std::path::Path;

use firth::corpus::Corpus;
use firth::embeddings::Embeddings;
use firth::format::matrix;
use firth::math::Matrix;
use firth::train::Every;
use firth::vocabulary::Keys;
use serde_json::{Value, json};

use super::{Flags, Place};
use crate::blocks::{self, BLOCK};
use crate::embedder::{Embedder, Unknown};
use crate::failure::{Failure, Outcome, Reading};
use crate::globals::{Globals, Typed};
use crate::output::{self, Results};
use crate::pooled::{PoolFlags, Pooled, TASK, Texts};
use crate::progress::note;
use crate::rows::{self, NAMED, Names};
use crate::run_folder::{Elsewhere, Origin, RunFolder};
use crate::staged::Staged;
use crate::text::quoted;
use crate::{encoder, run_folder};

/// Embeds the inputs and prints or saves their vectors.
pub fn run(flags: &Flags, place: Option<Place<'_>>, globals: &Globals, typed: &Typed) -> Outcome {
    // A name that is taken is told before the work, not after it.
    let staged = place.map(|(path, _)| Staged::new(path, flags.force.force)).transpose()?;
    let (vectors, noun) = if run_folder::has_rows_alone(&flags.model) {
        (matrix_rows(flags, place.is_some(), globals, typed)?, "rows")
    } else {
        let (embedder, corpus) = open(flags, globals, typed)?;
        let vectors = if place.is_some() {
            Some(embedder.all(&corpus, globals)?)
        } else {
            printed(&embedder, &corpus, globals)?;
            None
        };
        (vectors, "documents")
    };
    match vectors.zip(staged.zip(place)) {
        Some((vectors, (staged, place))) => super::save(&vectors, staged, place, noun, globals),
        None => Ok(()),
    }
}

/// Are vectors of words pooled, as the flags say or since the model has no other way?
pub fn is_pooled(flags: &Flags) -> bool {
    let has_other = run_folder::has_rows_alone(&flags.model) || Embedder::has_own(&flags.model);
    flags.pool.has_method() || Pooled::is_stored(&flags.model) || !has_other
}

/// There is nothing to embed.
pub fn missing() -> Failure {
    Failure::usage("missing INPUT, documents to embed, or --words (see 'firth embed --help')")
}

/// What embeds the documents, and these.
fn open(flags: &Flags, globals: &Globals, typed: &Typed) -> Outcome<(Embedder, Corpus)> {
    refuse_matrix(flags)?;
    let corpus = Corpus::open(&flags.inputs, &flags.documents).reading()?;
    let embedder = Embedder::open_or_fit(&flags.model, &flags.pool, Texts::Corpus(&corpus), typed, globals)?;
    Ok((embedder, corpus))
}

/// Pools the inputs and writes a run of them.
pub fn into_run(flags: &Flags, target: &Path, globals: &Globals, typed: &Typed) -> Outcome {
    if flags.inputs.is_empty() {
        return Err(missing());
    }
    let run = RunFolder::new(target, flags.force.force, Every::Never)?;
    let (embedder, corpus) = open(flags, globals, typed)?;
    let documents = embedder.all(&corpus, globals)?;
    let pooled = embedder.pooled().expect("checked: words are pooled");
    let folder = run.path()?;
    let origin = Origin { task: TASK, inputs: &flags.inputs, elsewhere: Elsewhere::Nothing, checksum: None };
    run_folder::save_config(&folder, typed, pooled.model.pooling(), &origin)?;
    pooled.save(&documents, &folder)?;
    run.finish()?;
    let (count, dim) = (documents.len(), documents.dim());
    if globals.json {
        return output::json(&json!({"output": target, "format": "run", "documents": count, "dim": dim,
            "pooling": pooled.model.pooling()}));
    }
    let shown = target.display();
    note(globals, format_args!("{count} documents of {dim} numbers in {shown}, a run"));
    note(globals, format_args!("next: firth embed {0} NEW.txt", quoted(&target.to_string_lossy())));
    Ok(())
}

/// Embeds and prints block by block.
fn printed(embedder: &Embedder, corpus: &Corpus, globals: &Globals) -> Outcome {
    let (mut names, mut unknown, mut out) = (Names::default(), Unknown::default(), Out::new(globals));
    blocks::documents(corpus, "embedding", globals, |block| {
        let first = names.keys().len();
        block.iter().for_each(|waiting| names.add(waiting.id.as_deref()));
        let embedded = embedder.embed(block)?;
        unknown.note(&embedded, |at| names.keys().get(first + at).to_owned());
        out.take(names.keys(), first, &embedded.vectors)
    })?;
    unknown.tell(globals);
    names.done();
    out.done()
}

/// The codes of a matrix's rows, kept for a file or printed block by block.
fn matrix_rows(flags: &Flags, is_kept: bool, globals: &Globals, typed: &Typed) -> Outcome<Option<Embeddings>> {
    PoolFlags::refuse(typed, &format!("{} has learnt from a matrix", flags.model.display()))?;
    let model = encoder::open(&flags.model)?;
    let path = encoder::matrix(&model, &flags.model, &flags.inputs, typed)?.expect("checked: learnt from a matrix");
    let rows = encoder::read_matrix(path, model.columns())?;
    let (mut names, mut numbers, mut out) = (Names::default(), Vec::new(), Out::new(globals));
    for start in (0..rows.rows()).step_by(BLOCK) {
        let range = start..rows.rows().min(start + BLOCK);
        range.clone().for_each(|_| names.add(None));
        let codes = model.encode(&rows::part(&rows, range)?)?;
        if is_kept {
            numbers.extend_from_slice(codes.as_slice());
        } else {
            out.take(names.keys(), start, &codes)?;
        }
    }
    let empty = (0..rows.rows()).filter(|&row| rows.stored(row).iter().all(|&value| value == 0.0));
    let empty: Vec<&str> = empty.map(|row| names.keys().get(row)).collect();
    let what = [
        "row has nothing but zeros; its code is that of nothing",
        "rows have nothing but zeros; their codes are that of nothing",
    ];
    rows::warn_of_empty(empty.len(), &empty[..empty.len().min(NAMED)], what);
    if !is_kept {
        return out.done().map(|()| None);
    }
    let codes = Matrix::from_vec(rows.rows(), model.code(), numbers)?;
    Ok(Some(Embeddings::new(names.done(), codes, None)?))
}

/// A run on text takes text.
fn refuse_matrix(flags: &Flags) -> Outcome {
    let Some(path) = flags.inputs.iter().find(|path| matrix::is_matrix(path)) else { return Ok(()) };
    let (path, run) = (path.display(), flags.model.display());
    Err(Failure::usage(format!("{path}: is a matrix, but {run} has learnt from text; give text")))
}

/// Standard output, as vectors come.
enum Out {
    Lines(Results),
    Json(Vec<Value>),
}

impl Out {
    fn new(globals: &Globals) -> Self {
        if globals.json { Self::Json(Vec::new()) } else { Self::Lines(Results::new()) }
    }

    /// Prints vectors; their keys begin with the one at `first`.
    fn take(&mut self, keys: &Keys, first: usize, vectors: &Matrix) -> Outcome {
        for (at, vector) in vectors.iter_rows().enumerate() {
            let key = keys.get(first + at);
            match self {
                Self::Lines(results) => output::vector(results, key, vector)?,
                Self::Json(all) => all.push(json!({"key": key, "vector": vector})),
            }
        }
        Ok(())
    }

    fn done(self) -> Outcome {
        match self {
            Self::Lines(results) => results.done(),
            Self::Json(all) => output::json(&all),
        }
    }
}
