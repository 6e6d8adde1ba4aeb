//! `firth odd`: the word that does not belong with the others.

use std::path::PathBuf;

use firth::analysis::Neighbors;

use crate::failure::{Failure, Outcome};
use crate::globals::Globals;
use crate::model::{self, Finder};
use crate::queries::{self, Answer, Queries, Scored};

/// Rank words by how well they fit together, the odd one first.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  firth odd run breakfast lunch dinner cereal\n\n\
    Without words, asks for them; from a pipe, reads one set a line. Of several sets those that can be are ranked;\n\
    exit code 2 tells of others. Columns when piped: the set, word, score.")]
pub struct Flags {
    /// A run folder or a vector file of any format, compressed or not
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Three words or more
    #[arg(value_name = "WORD")]
    words: Vec<String>,
}

/// Prints the words, the odd one first.
pub fn run(flags: &Flags, globals: &Globals) -> Outcome {
    let model = model::read(&flags.model)?;
    let odd = Odd { finder: Finder::new(&model, &flags.model), neighbors: Neighbors::new(&model) };
    let words = flags.words.iter().map(String::as_str).collect::<Vec<_>>();
    let given = if words.is_empty() { Vec::new() } else { vec![odd.known(&words)] };
    queries::run(&odd, given, globals)
}

struct Odd<'a> {
    finder: Finder<'a>,
    neighbors: Neighbors<'a>,
}

impl Odd<'_> {
    /// Three words or more, as the model spells them.
    fn known(&self, words: &[&str]) -> Outcome<Vec<String>> {
        if words.len() < 3 {
            return Err(Failure::usage(format!("the odd one is one of three words or more, found {}", words.len())));
        }
        words.iter().map(|word| Ok(self.finder.find(word)?.with_direction()?.key)).collect()
    }
}

impl Queries for Odd<'_> {
    type Query = Vec<String>;
    const PROMPT: &'static str = "Which word does not belong? Three words or more";

    fn parse(&self, line: &str) -> Outcome<Vec<String>> {
        self.known(&queries::words(line))
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
