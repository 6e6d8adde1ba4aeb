//! `firth recommend`: items for users, similar items, and how well each method does it.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::ValueEnum;
use firth::Error;
use firth::analysis::Neighbor;
use firth::analysis::interactions::{InteractionFormat, InteractionOptions, Interactions, titles};
use firth::analysis::recommend::{Ease, Holdout, ItemItem, ItemKnn, MultDae, Popularity, Recommend, Sum, best};
use firth::corpus::{Corpus, DocumentOptions};
use firth::estimator::Fit;
use firth::math::SparseMatrix;
use firth::train::{Observer, Progress};
use firth::vocabulary::Keys;
use serde::Serialize;
use serde_json::json;

use crate::failure::{Failure, Outcome, Reading};
use crate::globals::{Globals, Typed};
use crate::listing::{ListFlags, Listing};
use crate::output::{self, Results};
use crate::progress::{Meter, counted, note, warn};
use crate::queries;

/// Recommend items to users by what they liked, from ratings or histories.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("task").required(true).args(["user", "all_users", "similar", "evaluate"])))]
#[command(after_help = "Example:\n  firth recommend ratings.csv --user 1 2 --items movies.csv\n\n\
    RATINGS is a table with a header such as userId,movieId,rating, or holds a user's items in each line, apart by commas.\n\
    What a user has had, liked or not, is never recommended.\n\
    Columns when piped: user, rank, item, title, score; of --similar: item, title, rank, similar item, its title, score; \
    of --evaluate: method, recall@20, ndcg@100, users, seconds.")]
pub struct Flags {
    /// Ratings or histories: files, folders, patterns, or - for standard input
    #[arg(value_name = "RATINGS", required = true)]
    inputs: Vec<PathBuf>,
    /// Recommend to these users
    #[arg(long, value_name = "ID", num_args = 1..)]
    user: Vec<String>,
    /// Recommend to all users
    #[arg(long)]
    all_users: bool,
    /// Print the items most like these, given by id or title
    #[arg(long, value_name = "ITEM", num_args = 1..)]
    similar: Vec<String>,
    /// Measure every method, or that of --method: hold out users, show four fifths of their items and look for the others
    #[arg(long)]
    evaluate: bool,
    /// Splits to measure on, from 1 [default: 2]
    #[arg(long, value_name = "N", value_parser = queries::parse_top)]
    rounds: Option<usize>,
    /// How items are scored [default: sum; for --similar knn]
    #[arg(long, value_enum)]
    method: Option<Method>,
    /// A table of titles: columns for the item and its title, as in MovieLens' movies.csv
    #[arg(long, value_name = "FILE")]
    items: Option<PathBuf>,
    /// Results for each user or item, from 1
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = queries::parse_top)]
    top: usize,
    #[command(flatten)]
    layout: InteractionOptions,
    /// The least rating that counts as liked, any number
    #[arg(long, value_name = "RATING", default_value_t = 3.5, help_heading = "Ratings", allow_negative_numbers = true)]
    min_rating: f64,
    /// Leave out items that fewer users liked, from 1
    #[arg(long, value_name = "USERS", default_value_t = 5, value_parser = queries::parse_top, help_heading = "Ratings")]
    min_users: usize,
    /// Do not learn from users who liked fewer items, from 1
    #[arg(long, value_name = "ITEMS", default_value_t = 5, value_parser = queries::parse_top, help_heading = "Ratings")]
    min_items: usize,
    #[command(flatten)]
    list: ListFlags,
}

/// A way to score items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Method {
    /// The z-scores of ease and autoencoder, added
    Sum,
    /// Weights between items in closed form (EASE), lambda 400
    Ease,
    /// A denoising autoencoder of users (Mult-DAE)
    Autoencoder,
    /// The cosine between items, shrunk
    Knn,
    /// What most users liked, the same for all
    Popularity,
}

/// All methods, from the simplest to the sum.
const METHODS: [Method; 5] = [Method::Popularity, Method::Knn, Method::Ease, Method::Autoencoder, Method::Sum];

/// What was recommended to a user.
#[derive(Debug, Serialize)]
struct ForUser<'a> {
    user: &'a str,
    results: Vec<Scored<'a>>,
}

/// What is like an item.
#[derive(Debug, Serialize)]
struct ForItem<'a> {
    item: &'a str,
    title: Option<&'a str>,
    results: Vec<Scored<'a>>,
}

#[derive(Debug, Serialize)]
struct Scored<'a> {
    item: &'a str,
    title: Option<&'a str>,
    score: f32,
}

/// Recommends, or measures.
pub fn run(flags: &Flags, globals: &Globals, typed: &Typed) -> Outcome {
    flags.check(typed)?;
    let read: Vec<PathBuf> = flags.inputs.iter().chain(&flags.items).cloned().collect();
    let listing = flags.list.open("recommendations", &read)?;
    let corpus = Corpus::open(&flags.inputs, &DocumentOptions::default()).reading()?;
    let all = Interactions::read(&corpus, &flags.layout).reading()?;
    if !all.has_ratings {
        typed.refuse("min-rating", "the input has no ratings")?;
    }
    let learnt = all.dense_part(flags.min_rating, flags.min_users, flags.min_items).reading()?;
    flags.tell(&all, &learnt, globals);
    if flags.evaluate {
        return evaluate(&learnt.ratings, flags, globals);
    }
    let names = match &flags.items {
        Some(path) => {
            let corpus = Corpus::open(std::slice::from_ref(path), &DocumentOptions::default()).reading()?;
            titles(&corpus, &learnt.items).reading()?
        }
        None => vec![None; learnt.items.len()],
    };
    let catalogue = Catalogue { items: &learnt.items, titles: &names, all: &all.items, input: corpus.name() };
    if !flags.similar.is_empty() {
        return similar(flags, &learnt.ratings, &catalogue, listing, globals);
    }
    let asked: Vec<usize> = if flags.all_users {
        (0..all.users.len()).collect()
    } else {
        let unknown = |user: &str| Failure::unknown(user, "user", &corpus.name(), &all.users);
        let position = |user: &String| all.users.find(user).ok_or_else(|| unknown(user));
        flags.user.iter().map(position).collect::<Outcome<_>>()?
    };
    let model = fit(flags.method.unwrap_or(Method::Sum), &learnt.ratings, globals)?;
    let popularity = Popularity.fit(&learnt.ratings)?;
    let (mut answers, mut strangers) = (Vec::with_capacity(asked.len()), 0);
    for users in asked.chunks(BATCH) {
        let histories: Vec<_> = users.iter().map(|&user| all.history(user, flags.min_rating, &learnt.items)).collect();
        let mut rows = SparseMatrix::empty(learnt.items.len());
        histories.iter().for_each(|(liked, _)| rows.push(liked.iter().map(|&item| (item, 1.0))));
        let scores = model.scores(&rows)?;
        let fallback = popularity.scores(&rows)?;
        for (at, (&user, (liked, had))) in users.iter().zip(&histories).enumerate() {
            // Of whom nothing is known, nothing better can be said than what most users like.
            let scores = if liked.is_empty() { fallback.row(at) } else { scores.row(at) };
            strangers += u64::from(liked.is_empty());
            let results = catalogue.scored(best(scores, had, flags.top));
            answers.push(ForUser { user: all.users.get(user), results });
        }
    }
    if strangers > 0 {
        let whose = counted(strangers, "user", "users");
        warn(format_args!(
            "{whose} liked nothing that {} others like: what is popular is recommended",
            flags.min_users
        ));
    }
    let rows = |answer: &ForUser<'_>| -> Vec<Vec<String>> { lines(&[answer.user], &answer.results) };
    print(listing, &answers, &["user", "rank", "item", "title", "score"], rows, globals)
}

/// Users that are scored together, so that dense scores stay few.
const BATCH: usize = 256;

impl Flags {
    /// Says what is learnt from, and what the thresholds leave out.
    fn tell(&self, all: &Interactions, learnt: &Interactions, globals: &Globals) {
        let sizes = |of: &Interactions| [of.users.len(), of.items.len(), of.ratings.entries()];
        let nouns = [["user", "users"], ["item", "items"], ["event", "events"]];
        let listed = |sizes: [usize; 3]| {
            let part = |(size, [one, many]): (usize, [&str; 2])| counted(size as u64, one, many);
            sizes.into_iter().zip(nouns).filter(|&(size, _)| size > 0).map(part).collect::<Vec<_>>().join(", ")
        };
        let (all, learnt) = (sizes(all), sizes(learnt));
        note(globals, listed(learnt));
        let left_out = [0, 1, 2].map(|at| all[at] - learnt[at]);
        if left_out != [0; 3] {
            let flags = "--min-rating, --min-users and --min-items";
            note(globals, format_args!("not learnt from, by {flags}: {}", listed(left_out)));
        }
    }

    /// Refuses what would change nothing.
    fn check(&self, typed: &Typed) -> Outcome {
        if self.evaluate {
            let why = "--evaluate recommends nothing";
            ["top", "items"].iter().try_for_each(|flag| typed.refuse(flag, why))?;
            self.list.refuse(why)?;
        } else if self.rounds.is_some() {
            return Err(Failure::usage("--rounds: has no effect without --evaluate"));
        }
        if self.layout.format == InteractionFormat::Histories {
            typed.refuse("min-rating", "histories have no ratings")?;
        }
        if self.min_rating.is_nan() {
            return Err(Error::config("--min-rating", "NaN is no rating, expected a number").into());
        }
        match self.method {
            Some(Method::Sum | Method::Autoencoder | Method::Popularity) if !self.similar.is_empty() => {
                let message = "--method: has no weights between items, which --similar needs; take knn or ease";
                Err(Failure::usage(message))
            }
            _ => Ok(()),
        }
    }
}

/// Items and what they are called.
struct Catalogue<'a> {
    items: &'a Keys,
    titles: &'a [Option<String>],
    /// All items of the input, of which the thresholds leave some out.
    all: &'a Keys,
    input: String,
}

impl<'a> Catalogue<'a> {
    fn scored(&self, found: Vec<Neighbor>) -> Vec<Scored<'a>> {
        let scored = |Neighbor { position, score }: Neighbor| Scored {
            item: self.items.get(position),
            title: self.titles[position].as_deref(),
            score,
        };
        found.into_iter().map(scored).collect()
    }

    /// An item by its id or its title.
    fn find(&self, item: &str) -> Outcome<usize> {
        let title = |title: &Option<String>| title.as_ref().is_some_and(|title| title.eq_ignore_ascii_case(item));
        match self.items.find(item).or_else(|| self.titles.iter().position(title)) {
            Some(found) => Ok(found),
            None if self.all.find(item).is_some() => {
                let reason = "liked by too few to learn from; lower --min-users, --min-items or --min-rating";
                Err(Failure::usage(format!("--similar: {item:?} is an item in {}, but {reason}", self.input)))
            }
            None => {
                let names: Keys = self.items.iter().chain(self.titles.iter().flatten().map(String::as_str)).collect();
                Err(Failure::unknown(item, "item", &self.input, &names))
            }
        }
    }
}

fn fit(method: Method, users: &SparseMatrix, globals: &Globals) -> Outcome<Arc<dyn Recommend>> {
    Ok(match method {
        Method::Popularity => Arc::new(Popularity.fit(users)?),
        Method::Knn => Arc::new(ItemKnn::default().fit(users)?),
        Method::Ease => Arc::new(Ease::default().fit(users)?),
        Method::Autoencoder => {
            let settings = MultDae { threads: globals.threads(), seed: globals.seed, ..MultDae::default() };
            Arc::new(settings.fit_observed(users, &mut Epochs(Meter::new(globals)))?)
        }
        Method::Sum => {
            Arc::new(Sum { parts: vec![fit(Method::Ease, users, globals)?, fit(Method::Autoencoder, users, globals)?] })
        }
    })
}

/// The line of progress while an autoencoder learns.
pub struct Epochs(pub Meter);

impl Observer for Epochs {
    fn progress(&mut self, progress: &Progress) -> ControlFlow<()> {
        let Progress { epoch, epochs, loss, .. } = progress;
        self.0.show(|| format!("autoencoder: epoch {epoch}/{epochs}  loss {loss:.4}"));
        ControlFlow::Continue(())
    }
}

impl Drop for Epochs {
    fn drop(&mut self) {
        self.0.clear();
    }
}

fn similar(
    flags: &Flags,
    users: &SparseMatrix,
    catalogue: &Catalogue<'_>,
    listing: Listing<'_>,
    globals: &Globals,
) -> Outcome {
    let asked = flags.similar.iter().map(|item| catalogue.find(item)).collect::<Outcome<Vec<_>>>()?;
    let model: ItemItem = match flags.method {
        Some(Method::Ease) => Ease::default().fit(users)?,
        _ => ItemKnn::default().fit(users)?,
    };
    let answer = |&item: &usize| ForItem {
        item: catalogue.items.get(item),
        title: catalogue.titles[item].as_deref(),
        results: catalogue.scored(model.similar(item, flags.top)),
    };
    let answers: Vec<ForItem<'_>> = asked.iter().map(answer).collect();
    let rows = |answer: &ForItem<'_>| lines(&[answer.item, answer.title.unwrap_or_default()], &answer.results);
    print(listing, &answers, &["item", "title", "rank", "similar", "similar title", "score"], rows, globals)
}

/// A line for each result, which begins with what it answers.
fn lines(query: &[&str], results: &[Scored<'_>]) -> Vec<Vec<String>> {
    let line = |(at, result): (usize, &Scored<'_>)| {
        let (rank, score) = ((at + 1).to_string(), format!("{:.6}", result.score));
        let rest = [rank.as_str(), result.item, result.title.unwrap_or_default(), &score];
        query.iter().copied().chain(rest).map(str::to_owned).collect()
    };
    results.iter().enumerate().map(line).collect()
}

fn print<A: Serialize>(
    listing: Listing<'_>,
    answers: &[A],
    header: &[&str],
    rows: impl Fn(&A) -> Vec<Vec<String>>,
    globals: &Globals,
) -> Outcome {
    let rows: Vec<_> = answers.iter().flat_map(rows).collect();
    let Some(path) = listing.put(answers, header, &rows, globals)? else { return Ok(()) };
    if globals.json {
        return output::json(&json!({"output": path, "queries": answers.len(), "results": rows.len()}));
    }
    note(globals, format_args!("{} results for {} in {}", rows.len(), answers.len(), path.display()));
    Ok(())
}

/// How well a method serves held-out users.
#[derive(Debug, Serialize)]
struct Measured {
    method: String,
    #[serde(rename = "recall@20")]
    recall: f64,
    #[serde(rename = "ndcg@100")]
    ndcg: f64,
    users: usize,
    seconds: f64,
}

fn evaluate(users: &SparseMatrix, flags: &Flags, globals: &Globals) -> Outcome {
    let rounds = flags.rounds.unwrap_or(2);
    let methods: Vec<Method> =
        METHODS.into_iter().filter(|method| flags.method.is_none_or(|one| one == *method)).collect();
    let name =
        |method: Method| method.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    let start = |&method: &Method| Measured { method: name(method), recall: 0.0, ndcg: 0.0, users: 0, seconds: 0.0 };
    let mut measured: Vec<Measured> = methods.iter().map(start).collect();
    for round in 0..rounds {
        let split = Holdout::new(users, globals.seed, round as u64).reading()?;
        // The sum is made of models that are there already, if all are measured, and takes the time of both.
        let (mut parts, mut parts_took): (Vec<Arc<dyn Recommend>>, f64) = (Vec::new(), 0.0);
        for (&method, measured) in methods.iter().zip(&mut measured) {
            let started = Instant::now();
            let model = match method {
                Method::Sum if !parts.is_empty() => Arc::new(Sum { parts: std::mem::take(&mut parts) }),
                method => fit(method, &split.train, globals)?,
            };
            let ranking = split.evaluate(&*model)?;
            let mut took = started.elapsed().as_secs_f64();
            match method {
                Method::Ease | Method::Autoencoder => {
                    parts.push(model);
                    parts_took += took;
                }
                Method::Sum => took += parts_took,
                _ => {}
            }
            measured.recall += ranking.recall / rounds as f64;
            measured.ndcg += ranking.ndcg / rounds as f64;
            measured.users += ranking.users;
            measured.seconds += took / rounds as f64;
        }
    }
    if globals.json {
        return output::json(&measured);
    }
    let row = |measured: &Measured| {
        let Measured { method, recall, ndcg, users, seconds } = measured;
        let (recall, ndcg, users) = (format!("{recall:.4}"), format!("{ndcg:.4}"), users.to_string());
        vec![method.clone(), recall, ndcg, users, format!("{seconds:.2}")]
    };
    let rows: Vec<Vec<String>> = measured.iter().map(row).collect();
    let mut results = Results::new();
    output::table(&mut results, &["method", "recall@20", "ndcg@100", "users", "seconds"], &rows)?;
    results.done()
}
