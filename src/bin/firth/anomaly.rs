//! `firth anomaly`: documents, or rows of a matrix, that do not fit what an autoencoder has learnt.

use std::collections::BTreeSet;
use std::path::PathBuf;

use firth::Error;
use firth::analysis::anomaly::{Blamed, Detector, Parts, Score, scores};
use firth::analysis::ranking::{ENOUGH, auc, average_precision};
use firth::autoencoder::Autoencoder;
use firth::corpus::{Corpus, DocumentOptions};
use serde_json::{Value, json};

use crate::blocks::{self, BLOCK};
use crate::encoder;
use crate::failure::{Failure, Outcome, Reading};
use crate::globals::{Globals, Typed};
use crate::output::{self, Results};
use crate::progress::{note, warn};
use crate::rows::{self, Names};
use crate::run_folder::{self, DOCUMENTS, Settings};
use crate::{model, queries};

/// Score documents by how badly they fit what an autoencoder has learnt, and name the words to blame.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  firth anomaly run new.txt --top 20\n  \
    firth anomaly run test.tsv --label-field 1 --normal 'comp.*'\n\n\
    The combination is the mean of the ranks, from 0 to 1, by surprise, distance and twice the share of unseen words,\n\
    among the documents scored together: the parts are printed beside it, since they can be compared from run to run.\n\
    With labels, says how well the scores tell anomalies (AUC, average precision), beside trivial baselines.\n\
    Columns when piped: id, score, surprise, distance, unseen (of documents), terms to blame, each with its surprise.")]
pub struct Flags {
    /// The run folder of an autoencoder
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Documents (files, folders, globs, - for standard input), or one matrix, as the run learnt from
    #[arg(value_name = "INPUT", required = true)]
    inputs: Vec<PathBuf>,
    /// Print the documents with the highest scores only, from 1 [default: all]
    #[arg(long, value_name = "N", value_parser = queries::parse_top)]
    top: Option<usize>,
    /// What to rank by
    #[arg(long, value_enum, default_value = "combination")]
    score: Score,
    /// Nearest training codes whose mean distance counts, from 1
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = queries::parse_top)]
    neighbors: usize,
    /// Words to blame for each document [0 to 1000]
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(0..=1000))]
    terms: u16,
    /// With --label-field, the labels of what is normal; those that begin so if one ends in *
    #[arg(long, value_name = "LABEL,...", value_delimiter = ',', requires = "label_field")]
    normal: Vec<String>,
    #[command(flatten)]
    documents: DocumentOptions,
}

/// What was scored.
#[derive(Default)]
struct Scored {
    names: Names,
    labels: Vec<String>,
    parts: Vec<Parts>,
}

/// Scores, and prints.
pub fn run(flags: &Flags, globals: &Globals, typed: &Typed) -> Outcome {
    let autoencoder = encoder::open(&flags.run)?;
    let matrix = encoder::matrix(&autoencoder, &flags.run, &flags.inputs, typed)?;
    let is_text = autoencoder.words().is_some();
    if !is_text && matches!(flags.score, Score::Unseen | Score::Excess) {
        return Err(Failure::usage("--score: rows of a matrix have no unseen words; choose surprise or distance"));
    }
    if !is_text && Settings::read(&flags.run)?.matrix().is_some_and(|(_, target)| target.is_some()) {
        let shown = flags.run.display();
        return Err(Failure::usage(format!(
            "{shown}: learnt another matrix than its input, which it cannot be surprised by"
        )));
    }
    let codes = model::read(&flags.run.join(DOCUMENTS))?;
    let detector = Detector::new(&autoencoder, &codes, flags.neighbors, flags.terms.into())?;
    let mut scored = Scored::default();
    match (autoencoder.words(), matrix) {
        (Some(words), _) => {
            if words.rare().types == 0
                && run_folder::corpus(&flags.run)
                    .is_ok_and(|corpus| corpus.report().types > words.keys().len() as u64 + words.common().len() as u64)
            {
                warn(format_args!(
                    "{}: an older firth trained it, without the price of unseen words; train anew",
                    flags.run.display()
                ));
            }
            let segmenter = encoder::segmenter(&flags.run)?;
            let corpus = Corpus::open(&flags.inputs, &flags.documents).reading()?;
            if corpus.has_labels() && flags.normal.is_empty() {
                return Err(missing_normal(&corpus)?);
            }
            blocks::documents(&corpus, "scoring", globals, |block| {
                let bags = encoder::bags(block, words, &segmenter)?;
                for waiting in block {
                    scored.names.add(waiting.id.as_deref());
                    scored.labels.push(waiting.label.clone().unwrap_or_default());
                }
                scored.parts.extend(detector.documents(&bags)?);
                Ok(())
            })?;
        }
        (None, path) => {
            let rows = encoder::read_matrix(path.expect("checked: a matrix"), autoencoder.columns())?;
            for start in (0..rows.rows()).step_by(BLOCK) {
                let range = start..rows.rows().min(start + BLOCK);
                range.clone().for_each(|_| scored.names.add(None));
                scored.parts.extend(detector.rows(&rows::part(&rows, range)?)?);
            }
        }
    }
    if scored.parts.is_empty() {
        return Err(Failure::Input(Error::data("the input holds no document; there is nothing to score")));
    }
    if flags.score == Score::Combination && scored.parts.len() < ENOUGH {
        let count = scored.parts.len();
        warn(format_args!(
            "ranks among {count} documents say little; score {ENOUGH} or more together, or compare the parts"
        ));
    }
    print(flags, scored, &autoencoder, globals)
}

/// Which labels there are, for one who has not said which of them is normal.
fn missing_normal(corpus: &Corpus) -> Outcome<Failure> {
    const SHOWN: usize = 20;
    let mut labels = BTreeSet::new();
    let _ = corpus
        .documents(|document| {
            labels.insert(document.label.unwrap_or_default().to_owned());
            Ok(())
        })
        .reading()?;
    let dots = if labels.len() > SHOWN { ", ..." } else { "" };
    let labels: Vec<String> = labels.into_iter().take(SHOWN).collect();
    Ok(Failure::usage(format!("--label-field: needs --normal, one or more of {}{dots}", labels.join(", "))))
}

fn is_normal(label: &str, normal: &[String]) -> bool {
    normal.iter().any(|known| match known.strip_suffix('*') {
        Some(start) => label.starts_with(start),
        None => label == known,
    })
}

/// How well a list of values tells anomalies.
struct Told {
    auc: f64,
    average_precision: f64,
}

impl Told {
    fn by(values: &[f64], is_anomaly: &[bool]) -> Option<Self> {
        Some(Self { auc: auc(values, is_anomaly)?, average_precision: average_precision(values, is_anomaly)? })
    }

    fn json(&self) -> Value {
        json!({"auc": self.auc, "average_precision": self.average_precision})
    }
}

fn print(flags: &Flags, scored: Scored, autoencoder: &Autoencoder, globals: &Globals) -> Outcome {
    let Scored { names, labels, parts } = scored;
    let (keys, scores) = (names.done(), scores(&parts, flags.score));
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
    order.truncate(flags.top.unwrap_or(usize::MAX));
    let told = if flags.normal.is_empty() { None } else { Some(told(flags, &labels, &scores, &parts)?) };
    let is_text = autoencoder.words().is_some();
    let name = |word: &Blamed| match word {
        Blamed::Unseen(word) => word.clone(),
        Blamed::Column(column) => match autoencoder.words() {
            Some(words) => words.keys().get(*column as usize).to_owned(),
            None => (column + 1).to_string(),
        },
    };
    if globals.json {
        let document = |&at: &usize| {
            let parts = &parts[at];
            let terms: Vec<Value> =
                parts.terms.iter().map(|term| json!({"term": name(&term.word), "surprise": term.surprise})).collect();
            let mut value = json!({"id": keys.get(at), "score": scores[at], "surprise": parts.surprise,
                "distance": parts.distance, "terms": terms});
            if is_text {
                value["unseen"] = parts.unseen.into();
                value["excess"] = parts.excess.into();
            }
            if told.is_some() {
                value["label"] = labels[at].clone().into();
            }
            value
        };
        let documents: Vec<Value> = order.iter().map(document).collect();
        return match &told {
            None => output::json(&documents),
            Some([score, length, unseen]) => output::json(&json!({
                "auc": score.auc, "average_precision": score.average_precision,
                "baselines": {"length": length.json(), "unseen": unseen.json()}, "documents": documents,
            })),
        };
    }
    let mut results = Results::new();
    if let Some(told) = &told {
        for (name, told) in ["score", "length alone", "unseen words alone"].iter().zip(told) {
            let line = format!("AUC {:.3}  average precision {:.3}", told.auc, told.average_precision);
            // Figures of the whole go beside the list for a program, which reads --json for them.
            match output::is_terminal() {
                true => output::pairs(&mut results, [[(*name).to_owned(), line]])?,
                false => note(globals, format_args!("{name}: {line}")),
            }
        }
    }
    let unseen = if is_text { &["unseen"][..] } else { &[] };
    let header = [&["id", "score", "surprise", "distance"], unseen, &["terms"]].concat();
    let line = |&at: &usize| {
        let part = &parts[at];
        let mut cells = vec![keys.get(at).to_owned()];
        cells.extend([scores[at], part.surprise, part.distance].map(|number| format!("{number:.4}")));
        if is_text {
            cells.push(format!("{:.4}", part.unseen));
        }
        let terms = part.terms.iter().map(|term| format!("{} {:.2}", name(&term.word), term.surprise));
        cells.push(terms.collect::<Vec<_>>().join(", "));
        cells
    };
    let lines: Vec<Vec<String>> = order.iter().map(line).collect();
    output::table(&mut results, &header, &lines)?;
    results.done()
}

/// How well the score tells anomalies, and how well length and unseen words alone do.
fn told(flags: &Flags, labels: &[String], scores: &[f64], parts: &[Parts]) -> Outcome<[Told; 3]> {
    let is_anomaly: Vec<bool> = labels.iter().map(|label| !is_normal(label, &flags.normal)).collect();
    let values: [Vec<f64>; 3] = [
        scores.to_vec(),
        parts.iter().map(|parts| f64::from(parts.tokens)).collect(),
        parts.iter().map(|parts| parts.unseen).collect(),
    ];
    let [score, length, unseen] = values.map(|values| Told::by(&values, &is_anomaly));
    match (score, length, unseen) {
        (Some(score), Some(length), Some(unseen)) => Ok([score, length, unseen]),
        _ => {
            let seen: BTreeSet<&String> = labels.iter().take(100_000).collect();
            let seen: Vec<&str> = seen.into_iter().take(20).map(String::as_str).collect();
            let kind = if is_anomaly.iter().any(|&is| is) { "none" } else { "all" };
            let shown = flags.normal.join(",");
            Err(Failure::usage(format!(
                "--normal {shown}: {kind} of the documents are; the labels are {}",
                seen.join(", ")
            )))
        }
    }
}
