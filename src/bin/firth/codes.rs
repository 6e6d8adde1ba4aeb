//! What an autoencoder's run leaves: the model, a code for each row, and a vector for each word; and what is said of it.

use std::path::Path;

use firth::autoencoder::{self, Autoencoder, Summary};
use firth::embeddings::Embeddings;
use firth::format::{Format, native};
use firth::math::{Matrix, Samples};

use crate::documents;
use crate::failure::Outcome;
use crate::globals::Globals;
use crate::output::{self, Results};
use crate::progress::{self, clock, counted, short, thousands};
use crate::rows::{self, NAMED, Rows};
use crate::run_folder::DOCUMENTS;
use crate::text::{self, quoted};
use crate::training;

/// The name of the task.
pub const TASK: &str = "autoencoder";

/// Rows that are encoded together: enough for both cores, and little memory.
const BLOCK: usize = 4096;

/// The codes of all rows.
pub fn encode(model: &Autoencoder, rows: &Samples) -> Outcome<Matrix> {
    let mut codes = Vec::with_capacity(rows.rows() * model.code());
    for start in (0..rows.rows()).step_by(BLOCK) {
        let block = rows::part(rows, start..rows.rows().min(start + BLOCK))?;
        codes.extend_from_slice(model.encode(&block)?.as_slice());
    }
    Ok(Matrix::from_vec(rows.rows(), model.code(), codes)?)
}

/// Writes model, codes and words into a run's folder. Last comes the file whose presence says that the run is finished.
pub fn write(model: &Autoencoder, rows: &Rows, folder: &Path) -> Outcome<Embeddings> {
    model.save(&folder.join(autoencoder::FILE))?;
    let codes = encode(model, &rows.input)?;
    let documents = match &rows.corpus {
        Some(corpus) => documents::of_corpus(corpus, codes)?,
        None => Embeddings::new(rows.keys(), codes, None)?,
    };
    native::Native.write(&documents, &folder.join(DOCUMENTS))?;
    if let Some(words) = model.word_vectors() {
        native::Native.write(&words?, &folder.join(native::FILE))?;
    }
    Ok(documents)
}

/// Warns of rows that were not learnt, since there is nothing in them.
pub fn warn_of_empty(empty: &[usize], rows: &Rows, documents: &Embeddings) {
    let first: Vec<&str> = empty.iter().take(NAMED).map(|&row| documents.keys().get(row)).collect();
    let what = match rows.words {
        Some(_) => [
            "document has no word that is learnt and was left out of training; its code is that of nothing",
            "documents have no word that is learnt and were left out of training; their codes are that of nothing",
        ],
        None => [
            "row has nothing but zeros and was left out of training; its code is that of nothing",
            "rows have nothing but zeros and were left out of training; their codes are that of nothing",
        ],
    };
    rows::warn_of_empty(empty.len(), &first, what);
}

/// Prints what was trained, and what to do next.
pub fn print(summary: &Summary, rows: &Rows, target: &Path, globals: &Globals) -> Outcome {
    if globals.quiet {
        return Ok(());
    }
    let [one, many] = rows.nouns();
    let [column, columns] = if rows.words.is_some() { ["word", "words"] } else { ["column", "columns"] };
    let mut lines = vec![
        (
            "trained on",
            format!(
                "{}, {}",
                counted(summary.documents, one, many),
                counted(summary.vocabulary as u64, column, columns)
            ),
        ),
        ("codes", format!("{} of {} numbers", thousands(rows.input.rows() as u64), summary.dim)),
        (
            "trained",
            format!("{}, {}", training::epochs(summary.epochs, summary.planned_epochs), clock(summary.train_seconds)),
        ),
        (
            "training speed",
            format!(
                "{} {}/s with {} ({})",
                short(summary.words_per_second),
                unit(rows),
                training::threads_of(summary.threads),
                summary.strategy
            ),
        ),
        ("loss by epoch", training::losses(&summary.epoch_losses)),
    ];
    if summary.empty_documents > 0 {
        lines.insert(1, ("left out", format!("{}, empty", counted(summary.empty_documents, one, many))));
    }
    if !summary.heldout_losses.is_empty() {
        lines.push(("held-out loss", training::losses(&summary.heldout_losses)));
        lines.push(("epoch kept", summary.epoch.to_string()));
    }
    if summary.restart > 1 {
        lines.push(("start kept", summary.restart.to_string()));
    }
    lines.push(("fingerprint", summary.fingerprint.clone()));
    lines.push(("output", target.display().to_string()));
    let lines = lines.into_iter().map(|(name, value)| [name.to_owned(), value]);
    let corpus = rows.corpus.as_ref().map(|corpus| text::summary(corpus.report()));
    let mut results = Results::new();
    output::pairs(&mut results, corpus.into_iter().flatten().chain(lines))?;
    results.done()?;
    for next in hints(rows, target) {
        progress::note(globals, format_args!("next: firth {next}"));
    }
    Ok(())
}

/// What the speed of training counts.
pub fn unit(rows: &Rows) -> &'static str {
    if rows.words.is_some() { "words" } else { "rows" }
}

/// Commands to try.
fn hints(rows: &Rows, target: &Path) -> Vec<String> {
    let run = quoted(&target.to_string_lossy());
    let Some(words) = &rows.words else {
        return vec![
            format!("info {run} --latents"),
            format!("nearest {run} 1"),
            format!("embed {run} NEW.npy -o codes.npy"),
        ];
    };
    let word = training::example_word(words.keys());
    vec![
        format!("info {run} --latents"),
        format!("nearest {run} --documents {word}"),
        format!("cluster {run} --clusters 20 --describe"),
        format!("embed {run} NEW.txt -o codes.npy"),
    ]
}
