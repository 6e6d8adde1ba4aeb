//! Queries from the command line, from a pipe (one a line) or from a prompt, and their answers.

use std::borrow::Cow;
use std::io::{BufRead, BufReader, IsTerminal, Write};

use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::globals::Globals;
use crate::output::{self, Results, plain};
use crate::progress::{put, tell};

/// How many waiting lines of a pipe are answered together.
const BATCH: usize = 1024;

/// A key and how well it answers.
#[derive(Debug, Serialize)]
pub struct Scored {
    /// The word.
    pub key: String,
    /// Higher is better.
    pub score: f32,
    /// What a document is labelled as, and its first words, where these are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl Scored {
    /// A word and its score.
    pub fn new(key: &str, score: f32) -> Self {
        Self { key: key.into(), score, label: None, text: None }
    }

    /// Label and text, as far as they are known, for the end of a line.
    fn rest(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.label.as_deref().into_iter().chain(self.text.as_deref()).map(plain)
    }
}

/// The answer to one query, best first.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// The query's words, apart by spaces.
    pub query: String,
    /// What answers it.
    pub results: Vec<Scored>,
}

/// A kind of query.
pub trait Queries {
    /// A query whose words are known.
    type Query;
    /// What the prompt asks for.
    const PROMPT: &'static str;

    /// Reads a query from the words of a line.
    fn parse(&self, line: &str) -> Outcome<Self::Query>;

    /// Answers many queries together, in order.
    fn answer(&self, queries: &[Self::Query]) -> Outcome<Vec<Answer>>;
}

/// Answers the queries given, or else those on standard input. Of several those that can be are answered.
pub fn run<Q: Queries>(kind: &Q, given: Vec<Outcome<Q::Query>>, globals: &Globals) -> Outcome {
    match given.len() {
        0 if std::io::stdin().is_terminal() => prompt(kind, globals),
        0 => pipe(kind, globals),
        1 => print(&kind.answer(&given.into_iter().collect::<Outcome<Vec<_>>>()?)?, globals),
        _ => {
            let (mut known, mut failed) = (Vec::new(), 0);
            for query in given {
                known.extend(answerable(query, &mut failed, "")?);
            }
            print(&kind.answer(&known)?, globals)?;
            all_answered(failed)
        }
    }
}

/// One of several queries; a word that is not known, say, is told and counted, and stops no other.
fn answerable<T>(query: Outcome<T>, failed: &mut usize, place: &str) -> Outcome<Option<T>> {
    match query {
        Ok(query) => Ok(Some(query)),
        Err(failure) if failure.is_usage() => {
            *failed += 1;
            tell(format_args!("firth: error: {place}{failure}"));
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

fn all_answered(failed: usize) -> Outcome {
    if failed > 0 { Err(Failure::Queries(failed)) } else { Ok(()) }
}

fn prompt<Q: Queries>(kind: &Q, globals: &Globals) -> Outcome {
    tell(format_args!("{}; an empty line ends", Q::PROMPT));
    let mut line = String::new();
    loop {
        put(format_args!("> "));
        line.clear();
        let read = std::io::stdin().read_line(&mut line)?;
        if read == 0 || line.trim().is_empty() {
            return Ok(());
        }
        match kind.parse(line.trim()).and_then(|query| kind.answer(&[query])) {
            Ok(answers) => print(&answers, globals)?,
            Err(failure) => tell(format_args!("{failure}")),
        }
    }
}

fn pipe<Q: Queries>(kind: &Q, globals: &Globals) -> Outcome {
    let mut input = BufReader::with_capacity(1 << 16, std::io::stdin().lock());
    let (mut all, mut failed, mut number) = (Vec::new(), 0, 0u64);
    let mut more = true;
    while more {
        // As many lines as wait already, so that a batch uses every core and a single line is answered at once.
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            let mut line = Vec::new();
            more = input.read_until(b'\n', &mut line).map_err(|error| firth::Error::io("standard input", error))? > 0;
            if !more {
                break;
            }
            number += 1;
            let line = String::from_utf8_lossy(&line);
            if !line.trim().is_empty() {
                let place = format!("standard input, line {number}: ");
                batch.extend(answerable(kind.parse(line.trim()), &mut failed, &place)?);
            }
            if !input.buffer().contains(&b'\n') {
                break;
            }
        }
        let answers = kind.answer(&batch)?;
        if globals.json {
            all.extend(answers);
        } else {
            print(&answers, globals)?;
        }
    }
    if globals.json {
        output::json(&all)?;
    }
    all_answered(failed)
}

/// For a person a block for each query; for a program lines of query, key and score, and of a document's label and text.
fn print(answers: &[Answer], globals: &Globals) -> Outcome {
    if globals.json {
        return output::json(&answers);
    }
    let mut results = Results::new();
    if !output::is_terminal() {
        for answer in answers {
            let query = plain(&answer.query);
            for scored in &answer.results {
                write!(results, "{query}\t{}\t{:.6}", plain(&scored.key), scored.score)?;
                scored.rest().try_for_each(|part| write!(results, "\t{part}"))?;
                writeln!(results)?;
            }
        }
        return results.done();
    }
    for answer in answers {
        if answers.len() > 1 {
            writeln!(results, "{}", plain(&answer.query))?;
        }
        let keys: Vec<_> = answer.results.iter().map(|result| plain(&result.key)).collect();
        let width = keys.iter().map(|key| key.chars().count()).max().unwrap_or(0);
        for (key, scored) in keys.iter().zip(&answer.results) {
            let blanks = width - key.chars().count();
            write!(results, "  {key}{:blanks$}  {:.4}", "", scored.score)?;
            scored.rest().try_for_each(|part| write!(results, "  {part}"))?;
            writeln!(results)?;
        }
    }
    results.done()
}

/// The words of a line: apart by tabs if there are any, so that words may hold spaces, or else by spaces.
pub fn words(line: &str) -> Vec<&str> {
    if line.contains('\t') { line.split('\t').collect() } else { line.split_whitespace().collect() }
}

/// How many results: at least one.
pub fn parse_top(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a whole number from 1".into()),
        Ok(top) => Ok(top),
    }
}
