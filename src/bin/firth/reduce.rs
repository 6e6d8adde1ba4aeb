//! `firth reduce`: vectors of fewer numbers.

use std::path::PathBuf;

use firth::analysis::Trustworthiness;
use firth::format;
use firth::math::Matrix;
use serde_json::json;

use crate::failure::Outcome;
use crate::globals::{Globals, Typed};
use crate::items::{ItemFlags, Items};
use crate::maps::{MapFlags, Method};
use crate::output::{self, Force, Results};
use crate::progress::{note, warn};
use crate::staged::Staged;
use crate::{model, place};

/// Make vectors of fewer numbers: two for a map, some fifty for what cannot take more.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  firth reduce run --to 2 --method tsne -o map.npy\n  \
    firth reduce run --words --to 50 -o words.safetensors\n\n\
    The output has any format of 'firth convert', by the ending of its name. Labels and first words of documents are\n\
    kept in safetensors.")]
pub struct Flags {
    #[command(flatten)]
    items: ItemFlags,
    /// Numbers of each row that is made, from 1
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    to: u32,
    /// How
    #[arg(long, value_name = "NAME", value_enum, default_value = "pca")]
    method: Method,
    #[command(flatten)]
    map: MapFlags,
    /// Where to save them; missing folders are made [default: standard output, a key and its numbers a line]
    #[arg(short, long, value_name = "PATH", help_heading = "Output")]
    output: Option<PathBuf>,
    #[command(flatten)]
    force: Force,
}

/// Reads, reduces, and prints or saves.
pub fn run(flags: &Flags, globals: &Globals, typed: &Typed) -> Outcome {
    let read: Vec<PathBuf> = std::iter::once(&flags.items.model).chain(&flags.items.inputs).cloned().collect();
    let place = match &flags.output {
        Some(path) => {
            place::check(path, "vectors", &read)?;
            let format = format::for_path(path, None)?;
            place::check_vectors(path, format, &read, flags.force.force)?;
            Some((path, format, Staged::new(path, flags.force.force)?))
        }
        None => {
            typed.refuse("force", "nothing is written without --output")?;
            None
        }
    };
    flags.map.check(flags.method, typed)?;
    let items = Items::open(&flags.items, globals, typed)?;
    let rows = flags.map.seen(items.vectors.vectors());
    let points = flags.map.map(&rows, flags.method, flags.to as usize, globals)?;
    // Trust is asked for by those who read much; for large inputs it costs seconds.
    let trust = (globals.verbose || globals.json).then(|| trust(&rows, &points)).flatten();
    let reduced = items.vectors.with_vectors(points)?;

    let report = json!({"method": flags.method, "rows": reduced.len(), "from": rows.cols(), "to": reduced.dim(),
        "trustworthiness": trust, "output": flags.output});
    if let Some(trust) = trust.filter(|_| globals.verbose) {
        note(globals, format_args!("trustworthiness {trust:.4} (1 is best; 10 neighbours, at most 2000 rows)"));
    }
    let Some((path, format, staged)) = place else {
        return print(&reduced, globals, report);
    };
    model::write(&reduced, format, &staged, path, globals)?;
    staged.commit()?;
    if globals.json {
        return output::json(&report);
    }
    let (count, dim) = (reduced.len(), reduced.dim());
    note(globals, format_args!("{count} vectors of {dim} numbers in {}", path.display()));
    Ok(())
}

/// How far neighbours on the map are neighbours in truth; nothing for so few rows that it has no meaning.
fn trust(rows: &Matrix, points: &Matrix) -> Option<f64> {
    let most = rows.rows().saturating_sub(1) / 2;
    let measure = Trustworthiness { neighbors: 10.min(most), ..Trustworthiness::default() };
    match measure.measure(rows, points) {
        Ok(trust) => Some(trust),
        Err(error) => {
            warn(format_args!("trustworthiness: {error}"));
            None
        }
    }
}

fn print(reduced: &firth::embeddings::Embeddings, globals: &Globals, mut report: serde_json::Value) -> Outcome {
    let rows = reduced.keys().iter().zip(reduced.vectors().iter_rows());
    if globals.json {
        let rows: Vec<_> = rows.map(|(key, vector)| json!({"key": key, "vector": vector})).collect();
        report["vectors"] = rows.into();
        return output::json(&report);
    }
    let mut results = Results::new();
    for (key, vector) in rows {
        output::vector(&mut results, key, vector)?;
    }
    results.done()
}
