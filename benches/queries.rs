//! Exact queries over 100,000 x 300 and the full analogy test over 70,000 x 300, on random vectors.
//!
//! `cargo bench --bench queries`. The floor of a single query is reading 120 MB; a batch shares that reading.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use firth::analysis::Neighbors;
use firth::embeddings::Embeddings;
use firth::eval::{Analogy, Method};
use firth::math::{Matrix, Rng};

const DIM: usize = 300;

fn random(rows: usize) -> Embeddings {
    let mut rng = Rng::stream(1, &[]);
    let numbers = (0..rows * DIM).map(|_| rng.uniform() - 0.5).collect();
    let vectors = Matrix::from_vec(rows, DIM, numbers).expect("the right length");
    Embeddings::new((0..rows).map(|row| format!("w{row}")).collect(), vectors, None).expect("a key a row")
}

fn nearest(c: &mut Criterion) {
    let words = random(100_000);
    let mut group = c.benchmark_group("nearest, 100k x 300");
    group.sample_size(20);
    group.bench_function("prepare", |b| b.iter(|| Neighbors::new(black_box(&words))));
    let neighbors = Neighbors::new(&words);
    group.bench_function("one key", |b| b.iter(|| neighbors.nearest_to("w777", 10).expect("a known key")));
    group.bench_function("analogy, 3CosAdd", |b| {
        b.iter(|| neighbors.analogy("w7", "w77", "w777", Method::Cos3Add, 10).expect("known keys"));
    });
    group.bench_function("analogy, 3CosMul", |b| {
        b.iter(|| neighbors.analogy("w7", "w77", "w777", Method::Cos3Mul, 10).expect("known keys"));
    });
    for count in [4, 256, 1024] {
        let queries = Matrix::from_vec(count, DIM, words.vectors().as_slice()[..count * DIM].to_vec());
        let queries = queries.expect("the right length");
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("batch of {count}"), |b| {
            b.iter(|| neighbors.nearest(black_box(&queries), 10, &[]).expect("queries that fit"));
        });
    }
}

/// As many questions over as many words as the Google set has.
fn analogy(c: &mut Criterion) {
    let words = random(70_000);
    let mut text = String::from(": random\n");
    let mut rng = Rng::stream(2, &[]);
    for _ in 0..19_544 {
        let [x, y, z, w] = [0; 4].map(|_| 70 * rng.below(905));
        writeln!(text, "w{x} w{y} w{z} w{w}").expect("memory");
    }
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), text).expect("a temporary file");
    let mut group = c.benchmark_group("analogy test, 19,544 questions, 70k x 300");
    group.sample_size(10);
    for (name, method) in [("3CosAdd", Method::Cos3Add), ("3CosMul", Method::Cos3Mul)] {
        let test = Analogy { method, ..Analogy::default() };
        group.bench_function(name, |b| b.iter(|| test.run(&words, file.path()).expect("a file of questions")));
    }
}

criterion_group!(queries, nearest, analogy);
criterion_main!(queries);
