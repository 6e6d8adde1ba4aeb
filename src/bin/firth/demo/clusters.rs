//! The demo's clusters: documents put together by their codes, named by their telling words, on a map.

use std::collections::BTreeMap;
use std::path::Path;

use firth::analysis::plot::{self, Page};
use firth::analysis::{KMeans, Tsne};
use firth::embeddings::Embeddings;
use firth::estimator::Fit;
use firth::eval::Agreement;
use firth::math::SparseMatrix;
use firth::vocabulary::Keys;

use crate::failure::Outcome;
use crate::globals::Globals;
use crate::plot::groups::telling;

/// More clusters than subjects, as one would try not knowing these.
const CLUSTERS: usize = 12;
const RESTARTS: usize = 3;
/// Telling words of each cluster; the first few are its name.
const WORDS: usize = 6;
const NAME: usize = 3;
/// Documents on the map, and steps that make it.
const POINTS: usize = 2000;
const STEPS: usize = 500;

/// Documents that belong together.
pub struct Clusters {
    /// The cluster of each document.
    of: Vec<u32>,
    /// What is known of each cluster, the largest first.
    pub all: Vec<Cluster>,
    /// How well clusters and labels agree, from 0 to 1 (normalised mutual information).
    pub nmi: f64,
}

/// One of them.
pub struct Cluster {
    pub documents: usize,
    pub words: Vec<String>,
    /// The commonest label, and the share of the documents that have it.
    pub label: String,
    pub share: f64,
}

impl Clusters {
    /// Finds them in the codes, and names them by the words counted in each document.
    pub fn find(
        codes: &Embeddings,
        counts: &SparseMatrix,
        words: &Keys,
        labels: &[String],
        seed: u64,
    ) -> Outcome<Self> {
        let settings = KMeans { clusters: CLUSTERS, restarts: RESTARTS, seed, ..KMeans::default() };
        let of = settings.fit(&codes.vectors().normalized())?.assignments;
        let count = of.iter().max().map_or(0, |&last| last as usize + 1);
        let assignments: Vec<Option<u32>> = of.iter().map(|&cluster| Some(cluster)).collect();
        let told = telling(counts, words, &assignments, count, WORDS)?;
        let mut tallies = vec![BTreeMap::<&str, usize>::new(); count];
        for (&cluster, label) in of.iter().zip(labels) {
            *tallies[cluster as usize].entry(label).or_default() += 1;
        }
        let cluster = |(words, tally): (Vec<String>, BTreeMap<&str, usize>)| {
            let documents: usize = tally.values().sum();
            let (label, most) = tally.into_iter().max_by_key(|&(_, count)| count).unwrap_or_default();
            Cluster { documents, words, label: label.to_owned(), share: most as f64 / documents.max(1) as f64 }
        };
        let mut numbers = BTreeMap::new();
        labels.iter().for_each(|label| {
            let next = numbers.len() as u32;
            numbers.entry(label.as_str()).or_insert(next);
        });
        let truth: Vec<u32> = labels.iter().map(|label| numbers[label.as_str()]).collect();
        let nmi = Agreement::between(&of, &truth)?.nmi;
        Ok(Self { of, all: told.into_iter().zip(tallies).map(cluster).collect(), nmi })
    }

    /// Draws some of the documents, as a picture and as a page.
    pub fn draw(&self, codes: &Embeddings, picture: &Path, page: &Path, globals: &Globals) -> Outcome {
        let shown = codes.len().min(POINTS);
        let chosen: Vec<usize> = (0..shown).map(|at| at * codes.len() / shown).collect();
        let drawn = codes.select(&chosen)?;
        let settings = Tsne { iterations: STEPS, seed: globals.seed, ..Tsne::default() };
        let points = settings.map(&drawn.vectors().normalized(), &|| false, |_| ())?;
        let groups: Vec<usize> = chosen.iter().map(|&at| self.of[at] as usize).collect();
        let names: Vec<String> =
            self.all.iter().map(|cluster| cluster.words[..NAME.min(cluster.words.len())].join(", ")).collect();
        let title = "Documents of the planted corpus, in clusters named by their telling words";
        plot::scatter(&points, &vec![String::new(); shown], &groups, &names, title, picture)?;
        let owned = |strings: &Keys| strings.iter().map(str::to_owned).collect::<Vec<_>>();
        let (keys, labels, texts) = (owned(drawn.keys()), drawn.labels().map(owned), drawn.texts().map(owned));
        let about = format!("{shown} of {} documents by t-SNE of an autoencoder's codes", codes.len());
        let page_of = Page {
            title: "Documents of the planted corpus",
            about: &about,
            points: &points,
            keys: &keys,
            labels: labels.as_deref(),
            texts: texts.as_deref(),
            groups: &groups,
            group_names: &names,
        };
        Ok(page_of.write(page)?)
    }
}
