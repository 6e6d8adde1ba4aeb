//! Nanoseconds per block step, for each kernel and width, with tables in the cache and far larger than it.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use firth::math::{Kernel, Rng, RowId, SharedTable, Tables};

/// Lists of six rows that differ, since a repeated row would split a block; drawn ahead, since draws take time too.
///
/// A round of the lists names twice as many rows as there are, so that it does not fit the cache unless the table does.
fn lists(rows: u32) -> Vec<[RowId; 6]> {
    let mut rng = Rng::stream(1, &[]);
    let distinct = |_| {
        loop {
            let list = std::array::from_fn(|_| RowId(rng.below(rows)));
            if (1..list.len()).all(|at| !list[..at].contains(&list[at])) {
                return list;
            }
        }
    };
    (0..(rows / 3).max(512)).map(distinct).collect()
}

/// Six outputs (a target and five noise words) and six hidden rows: skip-gram's commonest block at window 5.
fn bench(criterion: &mut Criterion) {
    for (place, rows) in [("cached", 64), ("memory", 70_000)] {
        let mut group = criterion.benchmark_group(format!("block step, {place}"));
        for dim in [100, 300] {
            for kernel in Kernel::available() {
                let input = SharedTable::uniform(rows, dim, 1).expect("memory for a table");
                let output = SharedTable::uniform(rows, dim, 2).expect("memory for a table");
                let tables = Tables::new(input, output, kernel).expect("equal widths");
                let mut worker = tables.worker().expect("a worker");
                let lists = lists(rows as u32);
                let mut lists = lists.iter().cycle();
                let mut block = || lists.next().expect("an endless cycle");
                let id = |task| BenchmarkId::new(format!("{task}/{}", kernel.name()), dim);
                group.throughput(Throughput::Elements(36));
                group.bench_function(id("rows"), |bencher| {
                    bencher.iter(|| tables.step_rows(block(), block(), 1e-6, &mut worker));
                });
                group.throughput(Throughput::Elements(6));
                group.bench_function(id("mean"), |bencher| {
                    bencher.iter(|| tables.step_mean(block(), 1.0 / 6.0, block(), 1e-6, &mut worker));
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
