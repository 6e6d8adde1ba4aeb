//! `firth eval classify`: a linear probe of labels, over folds or on documents of its own.

use std::ops::ControlFlow;
use std::path::PathBuf;

use firth::eval::classify::{self, ClassifyReport, Probe, Scaling};

use crate::clustering::{self, Labelled};
use crate::failure::{Failure, Outcome, Reading};
use crate::globals::{Globals, Typed};
use crate::items::{self, ItemFlags, Items};
use crate::output::{self, Results};
use crate::progress::{Meter, memory_now};

/// What follows the flags in the help.
pub const HELP: &str = "Example:\n  firth eval classify run\n  \
    firth eval classify run train.tsv --label-field 1 --test test.tsv\n\n\
    Folds are stratified and not shuffled: of each label's documents, in their order, the first part is tested by the\n\
    first fold. Accuracy and macro-F1 are means over folds, with their standard deviation.\n\
    Columns when piped: score, mean, spread.";

/// Flags of `eval classify`.
#[derive(Debug, clap::Args)]
pub struct Flags {
    #[command(flatten)]
    items: ItemFlags,
    /// Documents to test on, in the input's form; all others are learnt from [default: folds]
    #[arg(long, value_name = "INPUT", num_args = 1..)]
    test: Vec<PathBuf>,
    /// Parts of the documents, each of which is tested once [2 to 1000]
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(2..=1000))]
    folds: u16,
    /// What is done to vectors first
    #[arg(long, value_enum, default_value = "standard")]
    scaling: ScalingName,
    /// How much the data weigh against the penalty of half the squared weights, above 0
    #[arg(long, value_name = "C", default_value_t = 1.0)]
    strength: f64,
}

/// What is done to vectors before a probe learns from them.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ScalingName {
    /// Each number less its mean and divided by its deviation, over the documents learnt from
    Standard,
    /// Each vector divided by its length
    Unit,
    /// Nothing
    None,
}

/// Learns, and prints scores.
pub fn run(flags: &Flags, globals: &Globals, typed: &Typed) -> Outcome {
    let scaling = match flags.scaling {
        ScalingName::Standard => Scaling::Standard,
        ScalingName::Unit => Scaling::Unit,
        ScalingName::None => Scaling::None,
    };
    let probe = Probe { strength: flags.strength, scaling, ..Probe::default() };
    if !flags.test.is_empty() {
        typed.refuse("folds", "--test says what to test on")?;
        if flags.items.inputs.is_empty() {
            return Err(Failure::usage(
                "--test: needs documents to learn from, too, before it: MODEL INPUT --test INPUT",
            ));
        }
    }
    if flags.items.lack_labels() {
        return Err(clustering::no_labels(items::NOUNS[1]));
    }
    let items = Items::open(&flags.items, globals, typed)?;
    let nouns = items.nouns;
    if flags.test.is_empty() {
        let documents = Labelled::of(items)?;
        let (mut meter, folds) = (Meter::new(globals), usize::from(flags.folds));
        let report =
            classify::cross_validate(&probe, documents.vectors.vectors(), &documents.labels, folds, &mut |done| {
                meter.show(|| format!("classifying  fold {}/{folds}{}", done + 1, memory_now()));
                ControlFlow::Continue(())
            });
        meter.clear();
        return print(&report.reading()?, nouns, globals);
    }
    let tested = ItemFlags {
        model: flags.items.model.clone(),
        inputs: flags.test.clone(),
        words: false,
        documents: flags.items.documents.clone(),
    };
    let learnt = names_and_vectors(items)?;
    let tested = names_and_vectors(Items::open(&tested, globals, typed)?)?;
    // Both sets' labels get their numbers together.
    let (numbers, _) = classify::numbered(learnt.1.iter().chain(&tested.1).map(String::as_str));
    let (labels, expected) = numbers.split_at(learnt.1.len());
    let report = classify::train_and_test(&probe, (&learnt.0, labels), (&tested.0, expected)).reading()?;
    print(&report, nouns, globals)
}

/// The vectors that have a label, and that label.
fn names_and_vectors(items: Items) -> Outcome<(firth::math::Matrix, Vec<String>)> {
    let documents = Labelled::of(items)?;
    let labels = documents.vectors.labels().expect("checked: labelled").iter().map(str::to_owned).collect();
    Ok((documents.vectors.vectors().clone(), labels))
}

fn print(report: &ClassifyReport, nouns: [&str; 2], globals: &Globals) -> Outcome {
    if globals.json {
        return output::json(report);
    }
    let mut results = Results::new();
    let [accuracy, f1] = [(report.accuracy, report.accuracy_spread), (report.macro_f1, report.macro_f1_spread)]
        .map(|(mean, spread)| [super::number(Some(mean)), super::number(spread)]);
    let count = |name: &str, count: usize| vec![name.to_owned(), count.to_string(), String::new()];
    let mut rows = vec![
        vec!["accuracy".to_owned(), accuracy[0].clone(), accuracy[1].clone()],
        vec!["macro_f1".to_owned(), f1[0].clone(), f1[1].clone()],
        vec!["commonest".to_owned(), super::number(Some(report.commonest)), String::new()],
    ];
    rows.extend(report.folds.map(|folds| count("folds", folds)));
    rows.extend([count("labels", report.labels), count(nouns[1], report.documents)]);
    output::table(&mut results, &["score", "mean", "spread"], &rows)?;
    results.done()
}
