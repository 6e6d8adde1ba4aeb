//! `firth analogy`: A is to B as C is to what?

use std::path::PathBuf;

use firth::analysis::{Method, Neighbor, Neighbors};
use firth::embeddings::Embeddings;
use firth::math::Matrix;

use crate::failure::{Failure, Outcome};
use crate::globals::Globals;
use crate::model::{self, Finder, Found};
use crate::nearest::named;
use crate::queries::{self, Answer, Queries};

/// Solve "A is to B as C is to what?".
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  firth analogy run france paris germany\n\n\
    Without words, asks for them; from a pipe, reads three a line. Of several questions those that can be are\n\
    answered; exit code 2 tells of others. Columns when piped: the three words, key, score.")]
pub struct Flags {
    /// A run folder or a vector file of any format, compressed or not
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Three words A B C; more threes are more questions
    #[arg(value_name = "A B C")]
    words: Vec<String>,
    /// How candidates are scored
    #[arg(long, value_enum, default_value = "3cosadd")]
    method: Method,
    /// Results for each question, from 1
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = queries::parse_top)]
    top: usize,
}

/// Prints answers.
pub fn run(flags: &Flags, globals: &Globals) -> Outcome {
    if !flags.words.len().is_multiple_of(3) {
        let found = flags.words.len();
        return Err(Failure::usage(format!(
            "an analogy takes three words A B C, found {found}; quote words with spaces"
        )));
    }
    let model = model::read(&flags.model)?;
    let neighbors = Neighbors::new(&model);
    let analogies = Analogies {
        model: &model,
        finder: Finder::new(&model, &flags.model),
        neighbors,
        method: flags.method,
        top: flags.top,
    };
    queries::run(&analogies, flags.words.chunks_exact(3).map(|words| analogies.question(words)).collect(), globals)
}

struct Analogies<'a> {
    model: &'a Embeddings,
    finder: Finder<'a>,
    neighbors: Neighbors<'a>,
    method: Method,
    top: usize,
}

impl<'a> Analogies<'a> {
    fn question<S: AsRef<str>>(&self, words: &[S]) -> Outcome<[Found<'a>; 3]> {
        match words {
            [a, b, c] => {
                let find = |word: &S| self.finder.find(word.as_ref())?.with_direction();
                Ok([find(a)?, find(b)?, find(c)?])
            }
            _ => Err(Failure::usage(format!("expected three words, found {}", words.len()))),
        }
    }

    /// What is nearest to b - a + c, for all questions in one product with the vectors.
    fn sums(&self, questions: &[[Found<'a>; 3]]) -> Outcome<Vec<Vec<Neighbor>>> {
        let dim = self.model.dim();
        let rows = questions.iter().flatten().flat_map(|word| word.vector.iter()).copied();
        let units = Matrix::from_vec(3 * questions.len(), dim, rows.collect())?.normalized();
        let sum = |at: usize| {
            let [a, b, c] = [0, 1, 2].map(|word| units.row(3 * at + word));
            (0..dim).map(move |i| b[i] - a[i] + c[i])
        };
        let sums = Matrix::from_vec(questions.len(), dim, (0..questions.len()).flat_map(sum).collect())?;
        let positions = |question: &[Found<'a>; 3]| question.iter().filter_map(|word| word.position).collect();
        let exclude: Vec<Vec<usize>> = questions.iter().map(positions).collect();
        Ok(self.neighbors.nearest(&sums, self.top, &exclude)?)
    }
}

impl<'a> Queries for Analogies<'a> {
    type Query = [Found<'a>; 3];
    const PROMPT: &'static str = "A is to B as C is to what? Three words";

    fn parse(&self, line: &str) -> Outcome<[Found<'a>; 3]> {
        self.question(&queries::words(line))
    }

    fn answer(&self, questions: &[[Found<'a>; 3]]) -> Outcome<Vec<Answer>> {
        let words = |question: &[Found<'a>; 3]| question.each_ref().map(|word| word.key.clone());
        let found = match self.method {
            Method::Cos3Add => self.sums(questions)?,
            Method::Cos3Mul => {
                let answer = |[a, b, c]: [String; 3]| self.neighbors.analogy(&a, &b, &c, self.method, self.top);
                questions.iter().map(|question| answer(words(question))).collect::<Result<_, _>>()?
            }
        };
        let answer = |(question, found)| Answer { query: words(question).join(" "), results: named(self.model, found) };
        Ok(questions.iter().zip(found).map(answer).collect())
    }
}
