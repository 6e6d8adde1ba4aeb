//! The first pass: text to provisional numbers.
//!
//! Every worker counts words in a table of its own and writes each word's number in that table to a temporary file.
//! So the second pass reads numbers, not text: files are read, unpacked and tokenised once.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::report::{BuildProgress, Pass};
use crate::corpus::{Chunk, Chunks, Corpus, End, Omitted};
use crate::error::{Error, Result};
use crate::io::{as_bytes, write_at};
use crate::tokenizer::{Scratch, Tokenizer};
use crate::vocabulary::WordTable;
use crate::vocabulary::count::sorted_run;

/// Ends a document among provisional numbers.
pub(super) const DOCUMENT_END: u32 = u32::MAX;
/// Ends a sentence within a document; all greater numbers are ends as well.
pub(super) const SENTENCE_END: u32 = u32::MAX - 1;

/// Distinct words in memory, over all workers, before tables go to disk: some 400 MB.
const TYPES_IN_MEMORY: usize = 1 << 23;

/// A temporary file without a name, which therefore never stays behind.
pub(super) struct Spool {
    pub file: File,
    pub written: u64,
}

impl Spool {
    pub fn new(folder: &Path) -> Result<Self> {
        let file = tempfile::tempfile_in(folder).map_err(|source| Error::io(folder, source))?;
        Ok(Self { file, written: 0 })
    }

    /// Appends bytes; gives where they lie.
    pub fn append(&mut self, bytes: &[u8], folder: &Path) -> Result<Range<usize>> {
        write_at(&self.file, bytes, self.written).map_err(|source| Error::io(folder, source))?;
        let start = self.written as usize;
        self.written += bytes.len() as u64;
        Ok(start..self.written as usize)
    }
}

/// A piece of the corpus as a worker left it.
pub(super) struct Piece {
    pub index: u64,
    pub worker: usize,
    /// Which of the worker's tables the numbers are from.
    pub table: usize,
    /// The numbers in the worker's spool.
    pub numbers: Range<usize>,
    /// The documents' ids and labels behind them, each with its length before it.
    pub strings: Range<usize>,
    pub omitted: Omitted,
}

/// A worker's share of the first pass.
pub(super) struct Worker {
    pub table: WordTable,
    /// Full tables, sorted, in `spilled`.
    pub runs: Vec<Range<usize>>,
    pub spilled: Option<Spool>,
    pub spool: Spool,
    pub pieces: Vec<Piece>,
    pub bytes: u64,
    pub invalid_utf8: u64,
    pub empty_documents: u64,
}

/// What all workers of the first pass share.
pub(super) struct Scan<'a> {
    corpus: &'a Corpus,
    tokenizer: &'a Tokenizer,
    folder: &'a Path,
    chunks: Mutex<(Chunks<'a>, u64)>,
    /// The first error by the corpus's order, whoever met it first.
    failed: Mutex<Option<(u64, Error)>>,
    stop: AtomicBool,
    tokens: AtomicU64,
    done: AtomicU64,
    types: usize,
}

/// Runs the first pass on the current threads of rayon, the calling one among them.
pub(super) fn scan(
    corpus: &Corpus,
    tokenizer: &Tokenizer,
    folder: &Path,
    types_in_memory: Option<usize>,
    progress: &mut dyn FnMut(BuildProgress<'_>),
) -> Result<Vec<Worker>> {
    let count = rayon::current_num_threads();
    let scan = Scan {
        corpus,
        tokenizer,
        folder,
        chunks: Mutex::new((corpus.chunks(), 0)),
        failed: Mutex::new(None),
        stop: AtomicBool::new(false),
        tokens: AtomicU64::new(0),
        done: AtomicU64::new(0),
        types: types_in_memory.unwrap_or(TYPES_IN_MEMORY) / count,
    };
    let mut workers = Vec::new();
    for _ in 0..count {
        workers.push(Worker::new(folder)?);
    }
    let (first, rest) = workers.split_first_mut().expect("at least one thread");
    rayon::in_place_scope(|scope| {
        for (at, worker) in rest.iter_mut().enumerate() {
            let scan = &scan;
            scope.spawn(move |_| scan.work(worker, at + 1, &mut || {}));
        }
        scan.work(first, 0, &mut || {
            progress(BuildProgress {
                pass: Pass::Count,
                done: scan.done.load(Ordering::Relaxed),
                total: corpus.bytes(),
                tokens: scan.tokens.load(Ordering::Relaxed),
                stop: &scan.stop,
            });
        });
    });
    match scan.failed.into_inner().expect("no worker panicked") {
        Some((_, error)) => Err(error),
        None if scan.stop.into_inner() => Err(Error::Interrupted),
        None => Ok(workers),
    }
}

impl Scan<'_> {
    fn work(&self, worker: &mut Worker, number: usize, after_each: &mut dyn FnMut()) {
        let mut scratch = Buffers::default();
        while !self.stop.load(Ordering::Relaxed) {
            let mut source = self.chunks.lock().expect("no worker panicked");
            let (chunks, next) = &mut *source;
            let index = *next;
            *next += 1;
            let chunk = chunks.next_chunk();
            self.done.store(chunks.begun(), Ordering::Relaxed);
            drop(source);
            let result = match chunk {
                Ok(None) => return,
                Ok(Some(chunk)) => self.piece(worker, number, index, &chunk, &mut scratch),
                Err(error) => Err(error),
            };
            if let Err(error) = result {
                self.stop.store(true, Ordering::Relaxed);
                let mut failed = self.failed.lock().expect("no worker panicked");
                if failed.as_ref().is_none_or(|(first, _)| index < *first) {
                    *failed = Some((index, error));
                }
                return;
            }
            after_each();
        }
    }

    fn piece(
        &self,
        worker: &mut Worker,
        number: usize,
        index: u64,
        chunk: &Chunk,
        scratch: &mut Buffers,
    ) -> Result<()> {
        let (text, invalid) = chunk.decoded(self.corpus.options().strict)?;
        let (ids, labels) = (self.corpus.has_ids(), self.corpus.has_labels());
        let plain = self.tokenizer.is_plain();
        let Buffers { numbers, strings, tokens } = scratch;
        numbers.clear();
        strings.clear();
        let mut ends = 0;
        // Of a document that began in an earlier piece, words may stand there.
        let mut is_empty = !chunk.continues;
        let table = &mut worker.table;
        let omitted = chunk.texts(&text, |part| {
            let before = numbers.len();
            self.tokenizer.spans(part.text, tokens, |text, start, end| {
                if plain {
                    table.count_at(text, start, end, numbers);
                } else {
                    numbers.push(table.count(&text[start..end], 1));
                }
            })?;
            let found = numbers.len() > before;
            is_empty &= !found;
            match part.end {
                End::Document if is_empty => worker.empty_documents += 1,
                End::Document => {
                    ends += 1;
                    numbers.push(DOCUMENT_END);
                    if ids {
                        push_string(strings, part.id.unwrap_or(""));
                    }
                    if labels {
                        push_string(strings, part.label.unwrap_or(""));
                    }
                }
                End::Sentence if found => {
                    ends += 1;
                    numbers.push(SENTENCE_END);
                }
                _ => {}
            }
            is_empty |= part.end == End::Document;
            Ok(())
        })?;
        worker.table.flush(numbers);
        self.tokens.fetch_add((numbers.len() - ends) as u64, Ordering::Relaxed);
        worker.bytes += chunk.bytes().len() as u64;
        worker.invalid_utf8 += invalid;
        let table = worker.runs.len();
        let numbers = worker.spool.append(as_bytes(numbers), self.folder)?;
        let strings_at = worker.spool.append(strings, self.folder)?;
        // Numbers are read back in place and must stay aligned.
        worker.spool.written = worker.spool.written.next_multiple_of(8);
        worker.pieces.push(Piece { index, worker: number, table, numbers, strings: strings_at, omitted });
        if worker.table.len() >= self.types {
            worker.spill(self.folder)?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Buffers {
    numbers: Vec<u32>,
    strings: Vec<u8>,
    tokens: Scratch,
}

fn push_string(strings: &mut Vec<u8>, text: &str) {
    strings.extend_from_slice(&(text.len() as u64).to_le_bytes());
    strings.extend_from_slice(text.as_bytes());
}

impl Worker {
    fn new(folder: &Path) -> Result<Self> {
        Ok(Self {
            table: WordTable::default(),
            runs: Vec::new(),
            spilled: None,
            spool: Spool::new(folder)?,
            pieces: Vec::new(),
            bytes: 0,
            invalid_utf8: 0,
            empty_documents: 0,
        })
    }

    /// Puts the table on disk, sorted, and starts a new one.
    pub fn spill(&mut self, folder: &Path) -> Result<()> {
        let run = sorted_run(&std::mem::take(&mut self.table));
        let spilled = match &mut self.spilled {
            Some(spilled) => spilled,
            none => none.insert(Spool::new(folder)?),
        };
        self.runs.push(spilled.append(&run, folder)?);
        Ok(())
    }
}
