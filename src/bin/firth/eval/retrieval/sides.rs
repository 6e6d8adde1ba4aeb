//! The two sides of a search: documents and queries, and what is relevant to whom.

use std::collections::HashMap;

use super::{
    Bm25Index, Corpus, Embedder, Embeddings, Error, Failure, Globals, Keys, Matrix, Outcome, Terms, Tokenizer, Wanted,
    blocks,
};
use crate::embedder::Unknown;

/// Documents, or queries.
pub struct Side {
    /// As the input has them, or positions from 1.
    pub ids: Keys,
    /// Empty for those that have none.
    pub labels: Keys,
    pub vectors: Matrix,
    /// The words of documents that are indexed, by number.
    pub terms: Vec<Terms>,
    /// The words of queries.
    pub words: Vec<Vec<String>>,
}

/// A query and what answers it.
pub struct Query<'a> {
    pub vector: &'a [f32],
    pub terms: Terms,
    pub relevance: Relevance,
    pub wanted: Wanted,
    /// The query among the documents.
    pub itself: Option<u32>,
}

/// Which documents are relevant.
pub enum Relevance {
    /// Those that people found so.
    Graded(HashMap<u32, i64>),
    /// Those of a label, by number.
    Class(u32),
}

impl Relevance {
    /// A document's grade.
    pub fn grade(&self, document: u32, classes: &[u32]) -> i64 {
        match self {
            Self::Graded(grades) => grades.get(&document).copied().unwrap_or(0),
            Self::Class(class) => i64::from(classes[document as usize] == *class),
        }
    }
}

impl Side {
    /// Reads and embeds a corpus; its words go into an index, or else are kept.
    pub fn read(
        corpus: &Corpus,
        embedder: &Embedder,
        mut index: Option<&mut Bm25Index>,
        globals: &Globals,
    ) -> Outcome<Self> {
        let mut side = Self {
            ids: Keys::new(),
            labels: Keys::new(),
            vectors: Matrix::zeros(0, 0),
            terms: Vec::new(),
            words: Vec::new(),
        };
        // Single words, phrases not joined: who asks for york is to find new york.
        let tokenizer = embedder.segmenter().tokenizer();
        let (mut numbers, mut unknown) = (Vec::new(), Unknown::default());
        blocks::documents(corpus, "embedding", globals, |block| {
            let first = side.ids.len();
            for waiting in block {
                let position = (side.ids.len() + 1).to_string();
                side.ids.push(waiting.id.as_deref().filter(|id| !id.is_empty()).unwrap_or(&position));
                side.labels.push(waiting.label.as_deref().unwrap_or_default());
                match &mut index {
                    Some(index) => {
                        each_word(tokenizer, &waiting.text, |word| index.push(word))?;
                        side.terms.push(index.end());
                    }
                    None => {
                        let mut words = Vec::new();
                        each_word(tokenizer, &waiting.text, |word| words.push(word.to_owned()))?;
                        side.words.push(words);
                    }
                }
            }
            let embedded = embedder.embed(block)?;
            unknown.note(&embedded, |at| side.ids.get(first + at).to_owned());
            numbers.extend_from_slice(embedded.vectors.as_slice());
            Ok(())
        })?;
        unknown.tell(globals);
        if side.ids.is_empty() {
            return Err(Failure::Input(Error::data(format!("{}: holds no document", corpus.name()))));
        }
        side.vectors = Matrix::from_vec(side.ids.len(), embedder.dim(), numbers)?;
        Ok(side)
    }

    /// Vectors that a run keeps.
    pub fn stored(vectors: &Embeddings, labels: Keys) -> Self {
        let (ids, rows) = (vectors.keys().clone(), vectors.vectors().clone());
        Self { ids, labels, vectors: rows, terms: Vec::new(), words: Vec::new() }
    }

    /// Refuses an id that comes again, since nobody could tell which is meant.
    pub fn check_ids(&self, name: &str, what: &str) -> Outcome {
        let Some((first, again)) = self.ids.first_repeated() else { return Ok(()) };
        let (id, first, again) = (self.ids.get(again), first + 1, again + 1);
        let reason = format!("{name}: {what} {again} has the id {id:?} of {what} {first}; give each one its own");
        Err(Failure::Input(Error::data(reason)))
    }

    /// Forgets ids, which may come again where none are judged by them.
    pub fn name_by_position(&mut self) {
        self.ids = (1..=self.ids.len()).map(|position| format!("{position:012}")).collect::<Vec<_>>().iter().collect();
    }

    /// The labels: each one's number, and of how many documents it is.
    pub fn classes(&self) -> HashMap<&str, (u32, usize)> {
        let mut classes = HashMap::new();
        for label in self.labels.iter() {
            let next = classes.len() as u32;
            classes.entry(label).or_insert((next, 0)).1 += 1;
        }
        classes
    }

    /// The number of each document's label.
    pub fn class_of_each(&self) -> Vec<u32> {
        let classes = self.classes();
        self.labels.iter().map(|label| classes[label].0).collect()
    }
}

fn each_word(tokenizer: &Tokenizer, text: &str, mut each: impl FnMut(&str)) -> Outcome {
    for line in text.lines() {
        tokenizer.tokens(line, &mut each)?;
    }
    Ok(())
}
