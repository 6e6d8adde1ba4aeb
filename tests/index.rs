//! The index at full size: what it costs, what it finds, against the exact answer.
//!
//!     cargo test --release --test index -- --ignored --nocapture
//!
//! `ROWS=200000` in the environment makes it smaller, `BREADTH`, `EFFORT` and `LINKS` change the index.

use firth::analysis::{Hnsw, Neighbors};
use firth::embeddings::Embeddings;
use firth::math::{Matrix, Rng};

const DIM: usize = 100;
const CENTERS: usize = 1000;
const QUERIES: usize = 1000;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Seconds that all threads of this process have worked.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(f64::NAN);
    (ticks(11) + ticks(12)) / 100.0
}

/// A sum of four uniform numbers: near enough to normal.
fn noise(rng: &mut Rng) -> f32 {
    (0..4).map(|_| rng.uniform() - 0.5).sum()
}

#[test]
#[ignore = "minutes"]
fn a_million_rows_of_a_mixture() -> firth::Result<()> {
    let rows = setting("ROWS", 1_000_000);
    let mut rng = Rng::stream(1, &[]);
    let centers: Vec<f32> = (0..CENTERS * DIM).map(|_| noise(&mut rng)).collect();
    let mut numbers = Vec::with_capacity(rows * DIM);
    for _ in 0..rows {
        let center = &centers[rng.below(CENTERS as u32) as usize * DIM..][..DIM];
        numbers.extend(center.iter().map(|center| center + 0.7 * noise(&mut rng)));
    }
    let keys = (0..rows).map(|row| row.to_string()).collect();
    let all = Embeddings::new(keys, Matrix::from_vec(rows, DIM, numbers)?, None)?;

    let defaults = Hnsw::default();
    let settings = Hnsw {
        links: setting("LINKS", defaults.links),
        breadth: setting("BREADTH", defaults.breadth),
        effort: setting("EFFORT", defaults.effort),
        ..defaults
    };
    let started = cpu_seconds();
    let index = settings.build(&all, &|| false, &mut |_| ())?;
    println!("{rows} x {DIM}, {settings:?}: built in {:.1} CPU s", cpu_seconds() - started);

    let vectors = Matrix::from_vec(QUERIES, DIM, all.vectors().as_slice()[..QUERIES * DIM].to_vec())?;
    let exclude: Vec<Vec<usize>> = (0..QUERIES).map(|row| vec![row]).collect();
    let started = cpu_seconds();
    index.nearest(&vectors, 10, &exclude)?;
    println!("index: {:.3} CPU ms a query", (cpu_seconds() - started) * 1000.0 / QUERIES as f64);
    let started = cpu_seconds();
    let exact = Neighbors::new(&all);
    println!("exact: norms {:.2} CPU s", cpu_seconds() - started);
    let started = cpu_seconds();
    exact.nearest(&vectors, 10, &exclude)?;
    println!("exact, 256 together: {:.3} CPU ms a query", (cpu_seconds() - started) * 1000.0 / QUERIES as f64);
    let started = cpu_seconds();
    (0..20).try_for_each(|row| exact.nearest_to(&row.to_string(), 10).map(drop))?;
    println!("exact, one at a time: {:.3} CPU ms a query", (cpu_seconds() - started) * 1000.0 / 20.0);
    let recall = index.recall(QUERIES, 10)?;
    println!("recall at 10: {recall:.4}");
    assert!(recall > 0.9, "{recall}");
    Ok(())
}
