//! `firth cluster`: which documents, or words, belong together, and what each cluster is about.

mod describe;

use std::io::Write;
use std::path::PathBuf;

use firth::Error;
use firth::analysis::Hdbscan;
use serde_json::{Value, json};

use crate::clustering::{self, Clusters, KMeansFlags, Method};
use crate::failure::{Failure, Outcome};
use crate::globals::{Globals, Typed};
use crate::items::{self, ItemFlags, Items};
use crate::output::{self, Force, Results, plain};
use crate::place;
use crate::progress::note;
use crate::staged::Staged;

/// Put documents, or words, into clusters: one key and the number of its cluster a line.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  firth cluster run --clusters 20 --describe -o clusters.tsv\n  \
    firth cluster run new.tsv --label-field 1 --method hdbscan\n\n\
    Clusters are numbered from 0 by falling size; -1 is noise, which --method hdbscan leaves. --describe tells each\n\
    cluster's size, its most telling words (class-based tf-idf), its commonest label and its most central documents.")]
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
    /// Where keys and clusters go, a TSV file [default: standard output]
    #[arg(short, long, value_name = "PATH", help_heading = "Output")]
    output: Option<PathBuf>,
    #[command(flatten)]
    force: Force,
}

/// Clusters, and prints or writes.
pub fn run(flags: &Flags, globals: &Globals, typed: &Typed) -> Outcome {
    clustering::refuse_foreign(flags.method, typed)?;
    if flags.method != Method::Hdbscan && flags.kmeans.clusters.is_none() && flags.items.lack_labels() {
        return Err(KMeansFlags::missing(items::NOUNS[1]));
    }
    let staged = match &flags.output {
        Some(path) => {
            let read: Vec<PathBuf> = std::iter::once(&flags.items.model).chain(&flags.items.inputs).cloned().collect();
            place::check(path, "clusters", &read)?;
            Some((path, Staged::new(path, flags.force.force)?))
        }
        None if flags.force.force => return Err(Failure::usage("--force: has no effect without --output")),
        None => None,
    };
    let items = Items::open(&flags.items, globals, typed)?;
    let clusters = found(flags, &items, globals)?;
    clustering::tell(&clusters, items.nouns, globals);
    let described = if flags.describe {
        Some(describe::Described::of(&items, &clusters, flags.kmeans.no_normalize, globals)?)
    } else {
        None
    };
    if let Some((path, staged)) = staged {
        let mut file =
            std::io::BufWriter::new(std::fs::File::create(staged.path()).map_err(|source| Error::io(path, source))?);
        write(&mut file, &items, &clusters).and_then(|()| file.flush()).map_err(|source| Error::io(path, source))?;
        drop(file);
        staged.commit()?;
        note(globals, format_args!("keys and clusters in {}", path.display()));
    }
    if globals.json {
        return print_json(flags, &items, &clusters, described.as_ref());
    }
    let mut results = Results::new();
    match (described, &flags.output) {
        (Some(described), _) => described.print(&mut results)?,
        (None, Some(_)) => {}
        (None, None) if output::is_terminal() => {
            let rows = items.vectors.keys().iter().zip(&clusters.assignments);
            let rows: Vec<_> = rows.map(|(key, &cluster)| vec![key.to_owned(), number(cluster).to_string()]).collect();
            output::table(&mut results, &["key", "cluster"], &rows)?;
        }
        (None, None) => write(&mut results, &items, &clusters)?,
    }
    results.done()
}

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

/// A key and its cluster a line.
fn write(out: &mut impl Write, items: &Items, clusters: &Clusters) -> std::io::Result<()> {
    for (key, &cluster) in items.vectors.keys().iter().zip(&clusters.assignments) {
        writeln!(out, "{}\t{}", plain(key), number(cluster))?;
    }
    Ok(())
}

fn print_json(flags: &Flags, items: &Items, clusters: &Clusters, described: Option<&describe::Described>) -> Outcome {
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
    match &flags.output {
        Some(path) => report["output"] = path.to_string_lossy().into(),
        None => {
            let rows = items.vectors.keys().iter().zip(&clusters.assignments);
            let rows = rows.map(|(key, &cluster)| json!({"key": key, "cluster": number(cluster)}));
            report["assignments"] = rows.collect::<Vec<Value>>().into();
        }
    }
    if let Some(described) = described {
        report["described"] = described.json();
    }
    output::json(&report)
}
