//! What clusters are about: their telling words, their commonest labels, the first words of their central documents.

use std::io::Write;

use firth::analysis::Describe;
use serde_json::{Value, json};

use crate::clustering::{self, Clusters, Labels};
use crate::failure::Outcome;
use crate::globals::Globals;
use crate::items::Items;
use crate::output::{self, Results, plain};
use crate::progress::counted;

/// All clusters.
pub struct Described {
    clusters: Vec<Cluster>,
    nouns: [&'static str; 2],
}

/// What one cluster is about.
struct Cluster {
    size: usize,
    /// The most telling words and their scores, where texts are at hand.
    words: Vec<(String, f64)>,
    /// The commonest label and its share, where there are labels.
    label: Option<(String, f64)>,
    /// The keys of those nearest to the centre, and their first words.
    central: Vec<(String, String)>,
}

impl Described {
    /// Looks into each cluster.
    pub fn of(items: &Items, clusters: &Clusters, no_normalize: bool, globals: &Globals) -> Outcome<Self> {
        let are_words = items.nouns[0] == "word";
        let settings = if are_words { Describe { documents: 10, ..Describe::default() } } else { Describe::default() };
        let count = clusters.sizes.len();
        let bags = if are_words { None } else { clustering::bags(items, "no telling words", globals)? };
        let told = match bags {
            Some((keys, counts)) => {
                let told = settings.telling_words(&counts, &clusters.assignments, count)?;
                let name = |(column, score): (u32, f64)| (keys.get(column as usize).to_owned(), score);
                told.into_iter().map(|words| words.into_iter().map(name).collect()).collect()
            }
            None => vec![Vec::new(); count],
        };
        let vectors = if no_normalize { items.vectors.vectors() } else { &items.vectors.vectors().normalized() };
        let central = settings.central_rows(vectors, &clusters.assignments, count)?;
        let labels = commonest_labels(items, clusters);
        let name = |row: usize| {
            let text = items.vectors.texts().map_or("", |texts| texts.get(row));
            (items.vectors.keys().get(row).to_owned(), text.to_owned())
        };
        let parts = clusters.sizes.iter().zip(told).zip(labels).zip(central);
        let cluster = |(((&size, words), label), central): (((&usize, _), _), Vec<usize>)| Cluster {
            size,
            words,
            label,
            central: central.into_iter().map(name).collect(),
        };
        Ok(Self { clusters: parts.map(cluster).collect(), nouns: items.nouns })
    }

    /// As JSON: a list of clusters.
    pub fn json(&self) -> Value {
        let cluster = |(at, cluster): (usize, &Cluster)| {
            let words = cluster.words.iter().map(|(word, score)| json!({"word": word, "score": score}));
            let central = cluster.central.iter().map(|(key, text)| json!({"key": key, "text": text}));
            let mut value = json!({"cluster": at, "size": cluster.size, "words": words.collect::<Vec<_>>(),
                "central": central.collect::<Vec<_>>()});
            if let Some((label, share)) = &cluster.label {
                value["label"] = json!({"label": label, "share": share});
            }
            value
        };
        self.clusters.iter().enumerate().map(cluster).collect()
    }

    /// For a person in blocks; for a program a line for each thing that is told, with the cluster's number first.
    pub fn print(&self, results: &mut Results) -> Outcome {
        for (at, cluster) in self.clusters.iter().enumerate() {
            let words: Vec<_> = cluster.words.iter().map(|(word, _)| plain(word)).collect();
            if !output::is_terminal() {
                writeln!(results, "{at}\tsize\t{}", cluster.size)?;
                if let Some((label, share)) = &cluster.label {
                    writeln!(results, "{at}\tlabel\t{}\t{share:.4}", plain(label))?;
                }
                if !words.is_empty() {
                    writeln!(results, "{at}\twords\t{}", words.join("\t"))?;
                }
                for (key, text) in &cluster.central {
                    writeln!(results, "{at}\tcentral\t{}\t{}", plain(key), plain(text))?;
                }
                continue;
            }
            let label = cluster
                .label
                .as_ref()
                .map_or_else(String::new, |(label, share)| format!(", {:.0}% {}", 100.0 * share, plain(label)));
            let size = counted(cluster.size as u64, self.nouns[0], self.nouns[1]);
            writeln!(results, "cluster {at}: {size}{label}")?;
            if !words.is_empty() {
                writeln!(results, "  words    {}", words.join(", "))?;
            }
            if cluster.central.iter().all(|(_, text)| text.is_empty()) {
                let keys: Vec<_> = cluster.central.iter().map(|(key, _)| plain(key)).collect();
                writeln!(results, "  central  {}", keys.join(", "))?;
            } else {
                for (place, (key, text)) in cluster.central.iter().enumerate() {
                    let head = if place == 0 { "central" } else { "" };
                    writeln!(results, "  {head:7}  {}: {}", plain(key), plain(text))?;
                }
            }
            writeln!(results)?;
        }
        Ok(())
    }
}

/// The commonest label of each cluster and its share in those of its members that have one.
fn commonest_labels(items: &Items, clusters: &Clusters) -> Vec<Option<(String, f64)>> {
    let Some(labels) = items.vectors.labels().map(Labels::new) else {
        return vec![None; clusters.sizes.len()];
    };
    let mut counts = vec![vec![0u64; labels.names.len()]; clusters.sizes.len()];
    for (cluster, label) in clusters.assignments.iter().zip(&labels.numbers) {
        if let (Some(cluster), Some(label)) = (cluster, label) {
            counts[*cluster as usize][*label as usize] += 1;
        }
    }
    let commonest = |counts: &Vec<u64>| {
        let (label, &most) = counts.iter().enumerate().rev().max_by_key(|(_, count)| **count)?;
        let all: u64 = counts.iter().sum();
        (most > 0).then(|| (labels.names[label].clone(), most as f64 / all as f64))
    };
    counts.iter().map(commonest).collect()
}
