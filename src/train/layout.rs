//! Which rows of which table are what, and the files that they go to.
//!
//! With subwords the rows go to checkpoints only; a finished run has `words`, which holds the means and the n-grams.
//!
//! | task | input table | output table |
//! |---|---|---|
//! | skip-gram, CBOW | `words` | `context` |
//! | the same with subwords | `rows` of words, then `ngrams` | `context` |
//! | PV-DBOW | `documents` | `words` |
//! | PV-DBOW with words, PV-DM | `words`, then `documents` | `context` |
//!
//! With hierarchical softmax the output table has no rows of words but those of inner nodes of their tree, and is `nodes`.

use std::ops::Range;

use super::config::TrainConfig;
use super::loss::Loss;
use crate::format::native;

/// The file with the output table, where words have an input table, too.
pub const CONTEXT: &str = "context.safetensors";
/// The file with the output table of hierarchical softmax: inner nodes of the words' tree, numbered from the root, 0.
pub const NODES: &str = "nodes.safetensors";
/// The file with the vectors of documents.
pub const DOCUMENTS: &str = "documents.safetensors";

/// The file with the own rows of words that are means of these and of their n-grams' rows.
pub(super) const ROWS: &str = "rows.safetensors";
/// The file with the rows of n-grams.
pub(super) const NGRAMS: &str = "ngrams.safetensors";

/// How many rows there are of each kind.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sizes {
    pub words: usize,
    pub ngrams: usize,
    pub documents: usize,
}

/// Rows of one table that have a file of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub file: &'static str,
    /// 0: the input table, 1: the output table.
    pub table: usize,
    pub rows: Range<usize>,
}

impl Part {
    /// Are its rows documents, and not words?
    pub fn is_documents(&self) -> bool {
        self.file == DOCUMENTS
    }

    /// Are its rows nodes of a tree?
    pub fn is_nodes(&self) -> bool {
        self.file == NODES
    }
}

/// The parts of a run, in the order in which they are written: last the words, whose file says that the run is finished.
pub(super) fn parts(config: &TrainConfig, sizes: Sizes) -> Vec<Part> {
    let Sizes { words, ngrams, documents } = sizes;
    let part = |file, table, rows| Part { file, table, rows };
    let output = part(output_file(config.loss), 1, 0..config.loss.output_rows(words));
    match (config.task.has_documents(), config.words_predict()) {
        (false, _) if config.subwords().is_some() => {
            vec![output, part(NGRAMS, 0, words..words + ngrams), part(ROWS, 0, 0..words)]
        }
        (false, _) => vec![output, part(native::FILE, 0, 0..words)],
        (true, false) => vec![part(DOCUMENTS, 0, 0..documents), part(native::FILE, 1, 0..words)],
        (true, true) => vec![part(DOCUMENTS, 0, words..words + documents), output, part(native::FILE, 0, 0..words)],
    }
}

/// The file with the output table of a run with such a loss, where words have an input table, too.
pub fn output_file(loss: Loss) -> &'static str {
    if loss == Loss::Hs { NODES } else { CONTEXT }
}

/// The rows of the input table that come before the documents.
pub(super) fn before_documents(config: &TrainConfig, words: usize) -> usize {
    if config.words_predict() { words } else { 0 }
}

/// The rows of the input table.
pub(super) fn input_rows(config: &TrainConfig, sizes: Sizes) -> usize {
    let documents = if config.task.has_documents() { sizes.documents } else { 0 };
    before_documents(config, sizes.words) + sizes.ngrams + documents
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Task;

    #[test]
    fn every_row_of_both_tables_has_one_place() {
        for task in [Task::SkipGram, Task::Cbow, Task::PvDbow, Task::PvDm] {
            for (dbow_words, loss, ngrams) in [
                (false, Loss::Ns, 0),
                (true, Loss::Ns, 0),
                (true, Loss::Hs, 0),
                (false, Loss::Softmax, 0),
                (false, Loss::Ns, 5),
            ] {
                if task.has_documents() && ngrams > 0 {
                    continue;
                }
                let config = TrainConfig { task, dbow_words, loss, max_n: Some(ngrams), ..TrainConfig::default() };
                let sizes = Sizes { words: 7, ngrams, documents: 3 };
                let parts = parts(&config, sizes);
                let last = if ngrams > 0 { ROWS } else { native::FILE };
                assert_eq!(parts.last().map(|part| part.file), Some(last));
                for (table, rows) in [input_rows(&config, sizes), loss.output_rows(7)].into_iter().enumerate() {
                    let mut all: Vec<usize> =
                        parts.iter().filter(|part| part.table == table).flat_map(|part| part.rows.clone()).collect();
                    all.sort_unstable();
                    assert_eq!(all, (0..rows).collect::<Vec<_>>(), "{task:?} {dbow_words} {loss:?}");
                }
            }
        }
    }
}
