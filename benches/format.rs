//! Bytes per second of every reader and writer, with the file warm: `cargo bench --bench format`.

use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use firth::embeddings::Embeddings;
use firth::format::FORMATS;
use firth::math::{Matrix, Rng};

/// 100k words of 100 numbers, as a training run leaves them.
fn words() -> Embeddings {
    let (rows, dim) = (100_000, 100);
    let mut rng = Rng::stream(1, &[]);
    let values = (0..rows * dim).map(|_| (rng.uniform() - 0.5) * 2.0).collect();
    let keys = (0..rows).map(|row| format!("word{row}")).collect();
    Embeddings::new(keys, Matrix::from_vec(rows, dim, values).expect("as many numbers"), None).expect("as many rows")
}

fn bytes(path: &Path) -> u64 {
    let metadata = std::fs::metadata(path).expect("a file");
    if !metadata.is_dir() {
        return metadata.len();
    }
    std::fs::read_dir(path).expect("a folder").map(|file| bytes(&file.expect("a file").path())).sum()
}

fn formats(criterion: &mut Criterion) {
    let words = words();
    let folder = tempfile::tempdir().expect("a folder");
    let mut group = criterion.benchmark_group("format");
    group.sample_size(10).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_millis(500));
    for format in FORMATS {
        let path = folder.path().join(format.name());
        format.write(&words, &path).expect("a file");
        group.throughput(Throughput::BytesDecimal(bytes(&path)));
        // Writing ends with the file on the disk, not in its cache.
        group.bench_function(format!("write/{}", format.name()), |bencher| {
            bencher.iter(|| format.write(&words, &path).expect("a file"));
        });
        group.bench_function(format!("read/{}", format.name()), |bencher| {
            bencher.iter(|| format.read(&path).expect("its own file"));
        });
    }
    group.finish();
}

criterion_group!(benches, formats);
criterion_main!(benches);
