//! `firth odd`: the word that does not belong with the others.

use std::path::PathBuf;

use firth::analysis::Neighbors;

use crate::failure::Outcome;
use crate::globals::Globals;
use crate::model;
use crate::queries::{self, Answer, Queries, Scored};

/// Rank words by how well they fit together, the odd one first.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  firth odd run breakfast lunch dinner cereal\n\n\
    Without words, asks for them; from a pipe, reads one set a line.")]
pub struct Flags {
    /// A run folder or a vector file of any format
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Three words or more
    #[arg(value_name = "WORD")]
    words: Vec<String>,
}

/// Prints the words, the odd one first.
pub fn run(flags: &Flags, globals: &Globals) -> Outcome {
    let model = model::read(&flags.model)?;
    let odd = Odd { neighbors: Neighbors::new(&model) };
    let given = if flags.words.is_empty() { Vec::new() } else { vec![flags.words.clone()] };
    queries::run(&odd, given, globals)
}

struct Odd<'a> {
    neighbors: Neighbors<'a>,
}

impl Queries for Odd<'_> {
    type Query = Vec<String>;
    const PROMPT: &'static str = "Which word does not belong? Three words or more";

    fn parse(&self, line: &str) -> Outcome<Vec<String>> {
        let words = queries::words(line);
        self.neighbors.odd(&words)?;
        Ok(words.into_iter().map(str::to_owned).collect())
    }

    fn answer(&self, sets: &[Vec<String>]) -> Outcome<Vec<Answer>> {
        let answer = |words: &Vec<String>| {
            let ranked = self.neighbors.odd(words)?.into_iter();
            let results = ranked.map(|found| Scored::new(&words[found.position], found.score)).collect();
            Ok(Answer { query: words.join(" "), results })
        };
        sets.iter().map(answer).collect()
    }
}
