//! The block steps of each kernel and width, with tables in the cache and far larger than it, beside what bounds them.
//!
//! Throughput counts floating-point operations, two for a multiply-add: Gelem/s are GFLOP/s. What gathers and scatters
//! a mean is not counted. `roof` is the best product of two matrices in the cache, and a table in memory that is read
//! once, or read and written: bytes of the table per second. All on one core; less than two minutes.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use firth::math::{Kernel, Outputs, Rng, RowId, SharedTable, Tables, multiply_transposed};

/// Rows of a table that no cache holds: 85 MB at 300 dimensions.
const MANY: usize = 70_000;

/// Rows and columns of the factors of a product: of 64 to 512, the fastest that stays in 1 MB of cache.
const SIDE: usize = 320;

fn group<'c>(criterion: &'c mut Criterion, name: &str) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    group
}

fn table(rows: usize, dim: usize, seed: u64) -> SharedTable {
    SharedTable::uniform(rows, dim, seed).expect("memory for a table")
}

/// What a core can do and what memory can bring.
fn roof(criterion: &mut Criterion) {
    let mut group = group(criterion, "roof");
    let factor = table(SIDE, SIDE, 1).into_matrix();
    let mut product = vec![0.0; SIDE * SIDE];
    group.throughput(Throughput::Elements(2 * (SIDE * SIDE * SIDE) as u64));
    group.bench_function("product", |bencher| {
        bencher.iter(|| multiply_transposed(black_box(factor.as_slice()), factor.as_slice(), SIDE, &mut product));
    });
    let mut table = table(MANY, 300, 1);
    let numbers = table.as_padded_mut();
    group.throughput(Throughput::BytesDecimal(size_of_val(numbers) as u64));
    // Sums of bits and changes of sign: arithmetic that is never the slower part.
    group.bench_function("read", |bencher| {
        bencher.iter(|| black_box(&*numbers).iter().fold(0u32, |sum, number| sum.wrapping_add(number.to_bits())));
    });
    group.bench_function("read and write", |bencher| {
        bencher.iter(|| black_box(&mut *numbers).iter_mut().for_each(|number| *number = -*number));
    });
}

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

/// Six outputs (a target and five noise words) and six hidden rows: as many as a window of 5 has on average, and the
/// most that a block holds.
fn steps(criterion: &mut Criterion) {
    for (place, rows) in [("cached", 64), ("memory", MANY)] {
        let mut group = group(criterion, &format!("block step, {place}"));
        for dim in [100, 300] {
            for kernel in Kernel::available() {
                let tables = Tables::new(table(rows, dim, 1), table(rows, dim, 2), kernel).expect("equal widths");
                let mut worker = tables.worker().expect("a worker");
                let lists = lists(rows as u32);
                let mut lists = lists.iter().cycle();
                let mut block = || lists.next().expect("an endless cycle");
                let id = |task| BenchmarkId::new(format!("{task}/{}", kernel.name()), dim);
                // A score and two updates for each pair of rows.
                let operations = |pairs: usize| Throughput::Elements((2 * 3 * pairs * dim) as u64);
                group.throughput(operations(36));
                group.bench_function(id("rows"), |bencher| {
                    bencher.iter(|| tables.step_rows(block(), Outputs::target_first(block()), 1e-6, &mut worker));
                });
                group.throughput(operations(6));
                group.bench_function(id("mean"), |bencher| {
                    bencher.iter(|| {
                        tables.step_mean(block(), 1.0 / 6.0, Outputs::target_first(block()), 1e-6, &mut worker)
                    });
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, roof, steps);
criterion_main!(benches);
