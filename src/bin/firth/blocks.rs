//! Documents that are read once and worked on block by block, with a line of progress.

use std::time::Instant;

use firth::Error;
use firth::corpus::{Corpus, Document, Omitted};

use crate::failure::{Outcome, Reading};
use crate::globals::Globals;
use crate::progress::{Meter, counted, memory_now, short, warn};

/// Documents that are taken together.
pub const BLOCK: usize = 1024;
/// The text of a block holds no more bytes than this and one document.
const BLOCK_BYTES: usize = 1 << 24;

/// A document of a block.
pub struct Waiting {
    pub text: String,
    pub id: Option<String>,
    pub label: Option<String>,
}

impl Waiting {
    /// The document itself.
    pub fn document(&self) -> Document<'_> {
        Document { text: &self.text, id: self.id.as_deref(), label: self.label.as_deref() }
    }
}

/// Gives all documents, block by block, and warns of what was left out; `doing` is what the meter says.
pub fn documents(corpus: &Corpus, doing: &str, globals: &Globals, each: impl FnMut(&[Waiting]) -> Outcome) -> Outcome {
    let omitted = pass(corpus, doing, globals, each)?;
    warn_of_omitted(&omitted, corpus.has_ids());
    Ok(())
}

/// Warns of records that a lenient reading has left out.
pub fn warn_of_omitted(omitted: &Omitted, has_ids: bool) {
    if let Some(first) = &omitted.first {
        let count = counted(omitted.records, "record was", "records were");
        let rest = if has_ids { "" } else { "; documents are numbered without them" };
        warn(format_args!("{count} left out (the first is {first}){rest}"));
    }
}

/// [`documents`] in one pass of several, which does not warn.
pub fn pass(
    corpus: &Corpus,
    doing: &str,
    globals: &Globals,
    mut each: impl FnMut(&[Waiting]) -> Outcome,
) -> Outcome<Omitted> {
    let (mut meter, started) = (Meter::new(globals), Instant::now());
    let (mut block, mut bytes, mut done, mut failure) = (Vec::new(), 0, 0, None);
    let mut flush = |block: &mut Vec<Waiting>| -> Outcome {
        if block.is_empty() {
            return Ok(());
        }
        each(block)?;
        done += block.len();
        block.clear();
        let speed = done as f64 / started.elapsed().as_secs_f64().max(1e-9);
        meter.show(|| format!("{doing}  {} documents  {}/s{}", short(done as f64), short(speed), memory_now()));
        Ok(())
    };
    let read = corpus.documents(|document| {
        bytes += document.text.len();
        let [id, label] = [document.id, document.label].map(|text| text.map(str::to_owned));
        block.push(Waiting { text: document.text.into(), id, label });
        if block.len() < BLOCK && bytes < BLOCK_BYTES {
            return Ok(());
        }
        bytes = 0;
        flush(&mut block).map_err(|found| {
            failure = Some(found);
            Error::Interrupted
        })
    });
    let rest = if read.is_ok() { flush(&mut block) } else { Ok(()) };
    meter.clear();
    if let Some(failure) = failure {
        return Err(failure);
    }
    let omitted = read.reading()?;
    rest.map(|()| omitted)
}
