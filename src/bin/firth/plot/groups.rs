//! The groups of a map, which give points their colours: labels, or clusters named by what they are about.

use std::collections::BTreeMap;

use clap::ValueEnum;
use firth::analysis::{Describe, KMeans};
use firth::embeddings::Embeddings;
use firth::math::{Matrix, SparseMatrix};
use firth::vocabulary::Keys;

use crate::clustering;
use crate::failure::{Failure, Outcome};
use crate::globals::Globals;
use crate::items::Items;

/// What colours tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// The labels that the input gave
    Labels,
    /// Groups that k-means finds
    Clusters,
}

/// What is wanted: nothing, labels if there are any, or so many clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    LabelsIfAny,
    Labels,
    Clusters(usize),
}

/// A group for each point, and the groups' names.
pub struct Groups {
    pub of: Vec<usize>,
    pub names: Vec<String>,
}

/// Clusters unless told otherwise.
const CLUSTERS: usize = 10;
/// Telling words in a name.
const TELLING: usize = 3;
/// More labels than this cannot be told apart: the smallest become one group.
const LABELS: usize = 60;

/// The words that name each cluster: the most telling ones that are not mere numbers.
pub fn telling(
    counts: &SparseMatrix,
    words: &Keys,
    assignments: &[Option<u32>],
    clusters: usize,
    most: usize,
) -> Outcome<Vec<Vec<String>>> {
    // Some to spare for the numbers among them.
    let describe = Describe { words: 4 * most, ..Describe::default() };
    let name = |told: Vec<(u32, f64)>| {
        let told = told.into_iter().map(|(word, _)| words.get(word as usize));
        told.filter(|word| word.contains(char::is_alphabetic)).take(most).map(str::to_owned).collect()
    };
    Ok(describe.telling_words(counts, assignments, clusters)?.into_iter().map(name).collect())
}

/// Joins the two flags.
pub fn wanted(color: Option<Color>, clusters: Option<u32>) -> Outcome<Wanted> {
    match (color, clusters) {
        (Some(Color::Labels), Some(_)) => {
            Err(Failure::usage("--clusters: has no effect with --color labels; drop one of them"))
        }
        (Some(Color::Labels), None) => Ok(Wanted::Labels),
        (Some(Color::Clusters), None) => Ok(Wanted::Clusters(CLUSTERS)),
        (_, Some(clusters)) => Ok(Wanted::Clusters(clusters as usize)),
        (None, None) => Ok(Wanted::LabelsIfAny),
    }
}

/// There are no labels to tell by colours.
pub fn no_labels(many: &str) -> Failure {
    Failure::usage(format!(
        "--color labels: these {many} have none; give documents with --label-field, or use --color clusters"
    ))
}

impl Groups {
    /// Groups the points drawn: `chosen` are their positions among all items, `rows` what was mapped.
    pub fn find(
        items: &Items,
        chosen: &[usize],
        drawn: &Embeddings,
        rows: &Matrix,
        wanted: Wanted,
        globals: &Globals,
    ) -> Outcome<Self> {
        match (wanted, drawn.labels()) {
            (Wanted::Clusters(clusters), _) => Self::clusters(items, chosen, drawn, rows, clusters, globals),
            (_, Some(labels)) => Ok(Self::labels(labels)),
            (Wanted::Labels, None) => Err(no_labels(items.nouns[1])),
            (Wanted::LabelsIfAny, None) => {
                Ok(Self { of: vec![0; drawn.len()], names: vec![items.nouns[1].to_owned()] })
            }
        }
    }

    /// How many points each group has.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.names.len()];
        self.of.iter().for_each(|&group| counts[group] += 1);
        counts
    }

    /// A group for each label, in the order of their names; of too many the smallest are one.
    fn labels(labels: &Keys) -> Self {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        labels.iter().for_each(|label| *counts.entry(label).or_default() += 1);
        let mut by_size: Vec<(&str, usize)> = counts.into_iter().collect();
        by_size.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let kept = if by_size.len() > LABELS { LABELS - 1 } else { by_size.len() };
        let mut names: Vec<&str> = by_size[..kept].iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        let of = labels.iter().map(|label| names.binary_search(&label).unwrap_or(kept)).collect();
        let shown = |name: &&str| if name.is_empty() { "(no label)".to_owned() } else { (*name).to_owned() };
        let mut names: Vec<String> = names.iter().map(shown).collect();
        if by_size.len() > kept {
            names.push(format!("{} others", by_size.len() - kept));
        }
        Self { of, names }
    }

    fn clusters(
        items: &Items,
        chosen: &[usize],
        drawn: &Embeddings,
        rows: &Matrix,
        clusters: usize,
        globals: &Globals,
    ) -> Outcome<Self> {
        if clusters > drawn.len() {
            let (count, noun) = (drawn.len(), items.nouns[1]);
            return Err(Failure::usage(format!("--clusters {clusters}: there are {count} {noun}; give fewer")));
        }
        let settings = KMeans { clusters, seed: globals.seed, ..KMeans::default() };
        let model = clustering::kmeans(&settings, rows, "", globals)?;
        let found = model.sizes().len();
        let of: Vec<usize> = model.assignments.iter().map(|&cluster| cluster as usize).collect();
        let assignments: Vec<Option<u32>> = model.assignments.iter().map(|&cluster| Some(cluster)).collect();
        if items.nouns[0] != "document" {
            let describe = Describe { documents: TELLING, ..Describe::default() };
            let central = describe.central_rows(rows, &assignments, found)?;
            let name = |rows: &Vec<usize>| rows.iter().map(|&row| drawn.keys().get(row)).collect::<Vec<_>>().join(", ");
            return Ok(Self { of, names: central.iter().map(name).collect() });
        }
        let names = match clustering::bags(items, "clusters are numbered", globals)? {
            Some((words, counts)) => {
                let mut shown = SparseMatrix::empty(counts.cols());
                chosen.iter().for_each(|&row| shown.push(counts.row(row).iter().map(|(at, n)| (at as u32, n))));
                telling(&shown, &words, &assignments, found, TELLING)?.iter().map(|words| words.join(", ")).collect()
            }
            None => (1..=found).map(|number| format!("cluster {number}")).collect(),
        };
        Ok(Self { of, names })
    }
}
