//! `firth cluster`: which documents, or words, belong together, and what each cluster is about.

mod describe;

use std::path::{Path, PathBuf};

use firth::analysis::Hdbscan;
use serde::Serialize;
use serde_json::json;

use crate::clustering::{self, Clusters, KMeansFlags, Method};
use crate::failure::Outcome;
use crate::globals::{Globals, Typed};
use crate::items::{self, ItemFlags, Items};
use crate::listing::ListFlags;
use crate::output::{self, Results};
use crate::progress::note;

/// Put documents, or words, into clusters: one key and the number of its cluster a line.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  firth cluster run --clusters 20 --describe -o clusters.tsv\n  \
    firth cluster run new.tsv --label-field 1 --method hdbscan\n\n\
    Clusters are numbered from 0 by falling size; -1 is noise, which --method hdbscan leaves. --describe tells each\n\
    cluster's size, its most telling words (class-based tf-idf), its commonest label and its most central documents.\n\
    Columns when piped: key, cluster; with --describe cluster, what is told (size, label, words, central), and that.")]
pub struct Flags {
    #[command(flatten)]
    items: ItemFlags,
    #[command(flatten)]
    kmeans: KMeansFlags,
    /// How clusters are found
    #[arg(long, value_enum, default_value = "kmeans")]
    method: Method,
    /// The fewest that are a cluster, for --method hdbscan [2 to all]
    #[arg(long, value_name = "N", default_value_t = 10)]
    min_cluster_size: usize,
    /// Print what each cluster is about, instead of which is in it
    #[arg(long)]
    describe: bool,
    #[command(flatten)]
    list: ListFlags,
}

/// A key and the number of its cluster.
#[derive(Serialize)]
struct Assigned<'a> {
    key: &'a str,
    cluster: i64,
}

/// Clusters, and prints or writes.
pub fn run(flags: &Flags, globals: &Globals, typed: &Typed) -> Outcome {
    clustering::refuse_foreign(flags.method, typed)?;
    if flags.method != Method::Hdbscan && flags.kmeans.clusters.is_none() && flags.items.lack_labels() {
        return Err(KMeansFlags::missing(items::NOUNS[1]));
    }
    let read: Vec<PathBuf> = std::iter::once(&flags.items.model).chain(&flags.items.inputs).cloned().collect();
    let listing = flags.list.open("clusters", &read)?;
    let items = Items::open(&flags.items, globals, typed)?;
    let clusters = found(flags, &items, globals)?;
    clustering::tell(&clusters, items.nouns, globals);
    let described = if flags.describe {
        Some(describe::Described::of(&items, &clusters, flags.kmeans.no_normalize, globals)?)
    } else {
        None
    };
    let assigned = |(key, &cluster)| Assigned { key, cluster: number(cluster) };
    let assigned: Vec<Assigned<'_>> = items.vectors.keys().iter().zip(&clusters.assignments).map(assigned).collect();
    let rows: Vec<_> = assigned.iter().map(|one| vec![one.key.to_owned(), one.cluster.to_string()]).collect();
    let output = listing.save(&assigned, &COLUMNS, &rows)?;
    if let Some(path) = output {
        note(globals, format_args!("keys and clusters in {}", path.display()));
    }
    if globals.json {
        return print_json(flags, &items, &clusters, described.as_ref(), output, &assigned);
    }
    let mut results = Results::new();
    match (described, output) {
        (Some(described), _) => described.print(&mut results)?,
        (None, Some(_)) => {}
        (None, None) => output::table(&mut results, &COLUMNS, &rows)?,
    }
    results.done()
}

/// What stands over keys and clusters.
const COLUMNS: [&str; 2] = ["key", "cluster"];

fn found(flags: &Flags, items: &Items, globals: &Globals) -> Outcome<Clusters> {
    let vectors = items.vectors.vectors();
    if !flags.kmeans.no_normalize {
        clustering::warn_of_zeros(&items.vectors, items.nouns);
    }
    if flags.method == Method::Hdbscan {
        let settings = Hdbscan { min_cluster_size: flags.min_cluster_size, ..Hdbscan::default() };
        let vectors = if flags.kmeans.no_normalize { vectors } else { &vectors.normalized() };
        return clustering::hdbscan(&settings, vectors, globals);
    }
    let clusters = flags.kmeans.clusters(items)?;
    let settings = flags.kmeans.kmeans(clusters, flags.method, globals.seed);
    Ok(clustering::kmeans(&settings, vectors, "", globals)?.into())
}

/// The number of a cluster; that of none is -1.
fn number(cluster: Option<u32>) -> i64 {
    cluster.map_or(-1, i64::from)
}

fn print_json(
    flags: &Flags,
    items: &Items,
    clusters: &Clusters,
    described: Option<&describe::Described>,
    output: Option<&Path>,
    assigned: &[Assigned<'_>],
) -> Outcome {
    let noise = clusters.assignments.iter().filter(|cluster| cluster.is_none()).count();
    let mut report = json!({
        "method": flags.method.name(),
        items.nouns[1]: items.vectors.len(),
        "clusters": clusters.sizes.len(),
        "noise": noise,
        "sizes": clusters.sizes,
    });
    if let Some((inertia, iterations)) = clusters.kmeans {
        report["inertia"] = inertia.into();
        report["iterations"] = iterations.into();
    }
    match output {
        Some(path) => report["output"] = path.to_string_lossy().into(),
        None => report["assignments"] = json!(assigned),
    }
    if let Some(described) = described {
        report["described"] = described.json();
    }
    output::json(&report)
}
