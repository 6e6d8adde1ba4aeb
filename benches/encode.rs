//! Text to an encoded corpus, both passes: megabytes of text per second.
//!
//! On generated text, and on the file that `FIRTH_TEXT` names, for 1 and 2 threads.

use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use firth::corpus::{Corpus, DocumentOptions};
use firth::dataset::EncodedCorpus;
use firth::math::Rng;
use firth::tokenizer::Tokenizer;
use firth::vocabulary::VocabularyConfig;

/// Lines of words whose frequencies fall as in natural language (Zipf), three to nine letters long.
fn generated() -> String {
    let mut rng = Rng::stream(1, &[0]);
    let mut text = String::new();
    while text.len() < 20_000_000 {
        for _ in 0..20 + rng.below(400) {
            // The logarithm of the rank is even: rank r has a share of about 1 / r.
            let rank = (f64::from(rng.uniform()) * 11.0).exp() as u64;
            let mut name = rank.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            for _ in 0..3 + rank % 7 {
                text.push((b'a' + (name % 26) as u8) as char);
                name /= 26;
            }
            text.push(' ');
        }
        text.push('\n');
    }
    text
}

fn build(input: &Path, tokenizer: &str, threads: usize) {
    let out = tempfile::tempdir().expect("a temporary folder");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
    pool.install(|| {
        let corpus = Corpus::open(&[input.to_owned()], &DocumentOptions::default()).expect("a file");
        let tokenizer = Tokenizer::new(tokenizer, None).expect("a tokenizer");
        let config = VocabularyConfig::default();
        EncodedCorpus::build(&corpus, &tokenizer, &config, None, out.path(), &mut |_| {}).expect("a corpus");
    });
}

fn encode(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("generated.txt");
    std::fs::write(&path, generated()).expect("written");
    let mut inputs = vec![("generated", path)];
    inputs.extend(std::env::var_os("FIRTH_TEXT").map(|path| ("real", PathBuf::from(path))));
    let mut group = criterion.benchmark_group("encode");
    group.sample_size(10);
    for (name, input) in &inputs {
        group.throughput(Throughput::Bytes(std::fs::metadata(input).expect("a file").len()));
        for tokenizer in ["whitespace", "words"] {
            for threads in [1, 2] {
                group.bench_function(format!("{name}/{tokenizer}/{threads}"), |bencher| {
                    bencher.iter(|| build(input, tokenizer, threads));
                });
            }
        }
    }
}

criterion_group!(benches, encode);
criterion_main!(benches);
