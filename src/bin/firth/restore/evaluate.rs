//! `firth restore --evaluate`: are hidden words found, and foreign ones told, better than by frequency and by LSA?

use std::io::Write;

use firth::Error;
use firth::analysis::ranking::auc;
use firth::analysis::restore::{Restorer, absent};
use firth::analysis::{Lsa, LsaModel};
use firth::autoencoder::{Autoencoder, Bag};
use firth::corpus::Corpus;
use firth::estimator::Fit;
use firth::math::{AliasTable, Matrix, Rng, Samples, SparseMatrix};
use rayon::prelude::*;
use serde_json::json;

use super::Flags;
use crate::failure::{Failure, Outcome, Reading};
use crate::globals::Globals;
use crate::output::{self, Results};
use crate::rows::Rows;
use crate::{blocks, encoder};

/// Documents with fewer distinct words are left out.
const FEWEST: usize = 15;
/// So many documents are enough.
const MOST: usize = 1500;
/// The share of a document's distinct words that is hidden, and as many that are put in.
const SHARE: f32 = 0.3;
/// Directions of LSA.
const COMPONENTS: [usize; 2] = [20, 100];
/// Shares of the words' log frequency that are added to LSA's scores; the best counts. It favours LSA: nothing is added to
/// the autoencoder's.
const PRIORS: [f32; 5] = [0.0, 0.02, 0.1, 0.3, 1.0];
/// Documents that are scored together.
const BLOCK: usize = 64;

/// A document in its three states.
struct Document {
    /// Without the hidden words.
    rest: Bag,
    hidden: Vec<u32>,
    /// With foreign words.
    mixed: Bag,
    foreign: Vec<u32>,
}

/// What one method reaches, as means over the documents.
struct Figures {
    name: String,
    recall: f64,
    precision: f64,
    auc: f64,
}

/// Measures, and prints.
pub fn run(flags: &Flags, model: &Autoencoder, globals: &Globals) -> Outcome {
    let words = model.words().expect("checked: text");
    let restorer = Restorer::new(model)?;
    let Samples::Sparse(training) = Rows::of_run(&flags.run)?.input else {
        return Err(Failure::Library(Error::data("the rows of a text are sparse")));
    };
    let segmenter = encoder::segmenter(&flags.run)?;
    let corpus = Corpus::open(&flags.inputs, &flags.documents).reading()?;
    let sums = training.sums_by_column();
    let total: f64 = sums.iter().sum();
    let noise = AliasTable::new(&sums);
    let mut documents = Vec::new();
    blocks::documents(&corpus, "reading", globals, |block| {
        let bags = encoder::bags(block, words, &segmenter)?;
        for bag in bags.into_iter().filter(|bag| bag.counts.len() >= FEWEST) {
            if documents.len() < MOST {
                let rng = Rng::stream(globals.seed, &[documents.len() as u64]);
                documents.push(spoilt(bag, &noise, rng));
            }
        }
        Ok(())
    })?;
    if documents.is_empty() {
        let reason = format!("no document has {FEWEST} distinct words that the model knows; give longer ones");
        return Err(Failure::Input(Error::data(reason)));
    }
    let logs: Vec<f32> = sums.iter().map(|&sum| (sum / total + 1e-9).ln() as f32).collect();
    let mut all = vec![autoencoder(&restorer, &documents)?, frequency(&logs, &documents)];
    for components in COMPONENTS.into_iter().filter(|&components| components <= training.rows().min(training.cols())) {
        let lsa = Lsa { components, seed: globals.seed, ..Lsa::default() }.fit(&training)?;
        all.push(best_prior(&lsa, components, &logs, &documents)?);
    }
    if globals.json {
        let figures = |figures: &Figures| {
            let Figures { name, recall, precision, auc } = figures;
            json!({"method": name, "recall@50": recall, "precision@10": precision, "foreign_auc": auc})
        };
        let all: Vec<_> = all.iter().map(figures).collect();
        return output::json(&json!({"documents": documents.len(), "words": words.keys().len(), "methods": all}));
    }
    let line = |figures: &Figures| {
        let numbers = [figures.recall, figures.precision, figures.auc].map(|number| format!("{number:.3}"));
        std::iter::once(figures.name.clone()).chain(numbers).collect()
    };
    let lines: Vec<Vec<String>> = all.iter().map(line).collect();
    let mut results = Results::new();
    output::table(&mut results, &["method", "missing R@50", "P@10", "foreign AUC"], &lines)?;
    results.flush()?;
    results.done()
}

/// Hides words of a document, and puts others in, drawn by frequency.
fn spoilt(bag: Bag, noise: &AliasTable, mut rng: Rng) -> Document {
    let (mut rest, mut hidden) = (Bag::default(), Vec::new());
    for &(column, count) in &bag.counts {
        if rng.uniform() < SHARE { hidden.push(column) } else { rest.counts.push((column, count)) }
    }
    let wanted = ((SHARE * bag.counts.len() as f32) as usize).max(2);
    let is_own = |word: u32| bag.counts.binary_search_by_key(&word, |(column, _)| *column).is_ok();
    let mut drawn: Vec<u32> = Vec::new();
    // Of a tiny vocabulary nearly all may be the document's own.
    for _ in 0..100 * wanted {
        let word = noise.draw(&mut rng);
        if drawn.len() < wanted && !drawn.contains(&word) {
            drawn.push(word);
        }
    }
    let foreign: Vec<u32> = drawn.into_iter().filter(|&word| !is_own(word)).collect();
    let mut mixed = bag;
    mixed.counts.extend(foreign.iter().map(|&word| (word, 1.0)));
    mixed.counts.sort_unstable_by_key(|(column, _)| *column);
    Document { rest, hidden, mixed, foreign }
}

/// Shares of the hidden words that were found: recall and precision.
type Found = [f64; 2];

/// The share of the hidden words among the first 50, of 50 at most, and of the first 10 that are hidden; not of documents
/// that hide none.
fn found(scores: &[f32], document: &Document) -> Option<Found> {
    let Document { rest, hidden, .. } = document;
    if hidden.is_empty() {
        return None;
    }
    let best = absent(scores, rest, 50);
    let hits = |count: usize| best.iter().take(count).filter(|(word, _)| hidden.binary_search(word).is_ok()).count();
    Some([hits(50) as f64 / hidden.len().min(50) as f64, hits(10) as f64 / 10.0])
}

fn told(document: &Document, score: impl Fn(u32) -> f64) -> Option<f64> {
    let scores: Vec<f64> = document.mixed.counts.iter().map(|&(word, _)| score(word)).collect();
    let is_foreign: Vec<bool> = document.mixed.counts.iter().map(|(word, _)| document.foreign.contains(word)).collect();
    auc(&scores, &is_foreign)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    sum / count.max(1) as f64
}

fn figures(name: String, found: &[Option<Found>], told: &[Option<f64>]) -> Figures {
    Figures {
        name,
        recall: mean(found.iter().flatten().map(|found| found[0])),
        precision: mean(found.iter().flatten().map(|found| found[1])),
        auc: mean(told.iter().flatten().copied()),
    }
}

fn autoencoder(restorer: &Restorer<'_>, documents: &[Document]) -> Outcome<Figures> {
    let parts = documents.par_chunks(BLOCK).map(|documents| {
        let rests: Vec<Bag> = documents.iter().map(|document| document.rest.clone()).collect();
        let scores = restorer.probabilities(&rests)?;
        let found: Vec<_> = documents.iter().zip(scores.iter_rows()).map(|(one, scores)| found(scores, one)).collect();
        let told = documents.iter().map(|document| {
            let foreign = restorer.foreign(&document.mixed)?;
            let excess = |word| foreign.iter().find(|found| found.column == word).map_or(0.0, |found| found.excess);
            Ok(told(document, excess))
        });
        Ok((found, told.collect::<firth::Result<Vec<_>>>()?))
    });
    let parts: Vec<_> = parts.collect::<firth::Result<_>>()?;
    let (found, told): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    Ok(figures("autoencoder".into(), &found.concat(), &told.concat()))
}

fn frequency(logs: &[f32], documents: &[Document]) -> Figures {
    let found: Vec<_> = documents.par_iter().map(|document| found(logs, document)).collect();
    let told: Vec<_> = documents.iter().map(|one| told(one, |word| -f64::from(logs[word as usize]))).collect();
    figures("frequency".into(), &found, &told)
}

/// LSA with the share of the log frequency that suits these documents best.
fn best_prior(lsa: &LsaModel, components: usize, logs: &[f32], documents: &[Document]) -> Outcome<Figures> {
    let scores = |bags: &mut dyn Iterator<Item = &Bag>| -> firth::Result<Matrix> {
        let mut rows = SparseMatrix::empty(logs.len());
        bags.for_each(|bag| rows.push(bag.counts.iter().copied()));
        lsa.restore(&lsa.transform(&rows)?)
    };
    let squares = documents.par_chunks(BLOCK).map(|documents| {
        let all = scores(&mut documents.iter().map(|one| &one.rest))?;
        Ok(all.as_slice().iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>())
    });
    let squares: Vec<f64> = squares.collect::<firth::Result<_>>()?;
    let size = (squares.iter().sum::<f64>() / (documents.len() * logs.len()) as f64).sqrt().max(1e-12) as f32;
    let parts = documents.par_chunks(BLOCK).map(|documents| {
        let mixed = scores(&mut documents.iter().map(|one| &one.mixed))?;
        let told =
            documents.iter().zip(mixed.iter_rows()).map(|(one, row)| told(one, |word| -f64::from(row[word as usize])));
        let told: Vec<_> = told.collect();
        let rest = scores(&mut documents.iter().map(|one| &one.rest))?;
        let with = |prior: f32| -> Vec<Option<Found>> {
            let score = |row: &[f32]| row.iter().zip(logs).map(|(x, log)| x / size + prior * log).collect::<Vec<f32>>();
            documents.iter().zip(rest.iter_rows()).map(|(one, row)| found(&score(row), one)).collect()
        };
        Ok((PRIORS.map(with), told))
    });
    let parts: Vec<(_, Vec<_>)> = parts.collect::<firth::Result<_>>()?;
    let told: Vec<Option<f64>> = parts.iter().flat_map(|(_, told)| told.clone()).collect();
    let with = |at: usize| {
        let found: Vec<Option<Found>> = parts.iter().flat_map(|(found, _)| found[at].clone()).collect();
        figures(format!("LSA {components}"), &found, &told)
    };
    let best = (0..PRIORS.len()).map(with).max_by(|a, b| a.recall.total_cmp(&b.recall));
    Ok(best.expect("some priors"))
}
