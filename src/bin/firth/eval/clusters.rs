//! `firth eval clusters`: k-means of documents against their labels, averaged over seeds.

use firth::eval::Agreement;
use firth::eval::classify::{mean, spread};
use serde_json::json;

use crate::clustering::{self, KMeansFlags, Labelled, Method};
use crate::failure::{Failure, Outcome};
use crate::globals::{Globals, Typed};
use crate::items::{self, ItemFlags, Items};
use crate::output::{self, Results};

/// What follows the flags in the help.
pub const HELP: &str = "Example:\n  firth eval clusters run\n  firth eval clusters run test.tsv --label-field 1\n\n\
    K-means runs once for each of several seeds, from --seed on, and the scores are means, with their standard deviation.\n\
    Columns when piped: score, mean, spread.";

/// Flags of `eval clusters`.
#[derive(Debug, clap::Args)]
pub struct Flags {
    #[command(flatten)]
    items: ItemFlags,
    #[command(flatten)]
    kmeans: KMeansFlags,
    /// How clusters are found: kmeans, spherical or minibatch
    #[arg(long, value_enum, default_value = "kmeans")]
    method: Method,
    /// Seeds whose scores are averaged, from 1
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = crate::queries::parse_top)]
    seeds: usize,
}

/// The scores, as they are called in JSON and in tables.
type Score = (&'static str, fn(&Agreement) -> f64);
const SCORES: [Score; 6] = [
    ("nmi", |found| found.nmi),
    ("ari", |found| found.ari),
    ("v_measure", |found| found.v_measure),
    ("purity", |found| found.purity),
    ("homogeneity", |found| found.homogeneity),
    ("completeness", |found| found.completeness),
];

/// Clusters, and prints scores.
pub fn run(flags: &Flags, globals: &Globals, typed: &Typed) -> Outcome {
    if flags.method == Method::Hdbscan {
        return Err(Failure::usage(
            "--method: hdbscan leaves noise, which has no label; choose kmeans, spherical or minibatch",
        ));
    }
    clustering::refuse_foreign(flags.method, typed)?;
    if flags.items.lack_labels() {
        return Err(clustering::no_labels(items::NOUNS[1]));
    }
    let items = Items::open(&flags.items, globals, typed)?;
    let nouns = items.nouns;
    let Labelled { vectors, labels, without } = Labelled::of(items)?;
    let kinds = labels.iter().max().map_or(0, |&most| most as usize + 1);
    if !flags.kmeans.no_normalize {
        clustering::warn_of_zeros(&vectors, nouns);
    }
    let clusters = flags.kmeans.clusters.unwrap_or(kinds);
    let (mut found, mut inertias) = (Vec::new(), Vec::new());
    for at in 0..flags.seeds {
        let settings = flags.kmeans.kmeans(clusters, flags.method, globals.seed.wrapping_add(at as u64));
        let what = format!("  seed {}/{}", at + 1, flags.seeds);
        let model = clustering::kmeans(&settings, vectors.vectors(), &what, globals)?;
        found.push(Agreement::between(&model.assignments, &labels)?);
        inertias.push(model.inertia);
    }
    let values = SCORES.map(|(name, score)| (name, found.iter().map(score).collect::<Vec<f64>>()));
    if globals.json {
        let mut report = json!({
            "clusters": clusters, "labels": kinds, "documents": labels.len(), "unlabelled": without,
            "seeds": flags.seeds, "method": flags.method.name(), "inertia": mean(&inertias),
        });
        for (name, values) in values {
            report[name] = mean(&values).into();
            report[format!("{name}_spread")] = spread(&values).into();
        }
        return output::json(&report);
    }
    let mut results = Results::new();
    let score = |(name, values): (&str, Vec<f64>)| {
        vec![name.to_owned(), super::number(Some(mean(&values))), super::number(spread(&values))]
    };
    let counts = [("clusters", clusters), ("labels", kinds), (nouns[1], labels.len())];
    let counts = counts.map(|(name, count)| vec![name.to_owned(), count.to_string(), String::new()]);
    let rows: Vec<Vec<String>> = values.into_iter().map(score).chain(counts).collect();
    output::table(&mut results, &["score", "mean", "spread"], &rows)?;
    results.done()
}
