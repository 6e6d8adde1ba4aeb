//! Every format on the list gives back what was written, tells itself from the others, and survives any bytes.

use std::path::{Path, PathBuf};

use firth::embeddings::{Embeddings, Ngrams};
use firth::format::{self, Care, Dtype, FORMATS, Format};
use firth::math::{Matrix, Rng};
use firth::vocabulary::{Keys, Subwords};
use firth::{Error, Result};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

fn bits(embeddings: &Embeddings) -> Vec<u32> {
    embeddings.vectors().as_slice().iter().map(|value| value.to_bits()).collect()
}

/// Does the format promise to keep counts?
fn keeps_counts(format: &dyn Format) -> bool {
    !format.cannot_hold().contains("counts")
}

/// The counts that a format gives back: fastText's are from 1 to the largest whole number with a sign.
fn kept_counts(format: &dyn Format, words: &Embeddings) -> Option<Vec<u64>> {
    let counts = words.counts().filter(|_| keeps_counts(format))?;
    let cut = |&count: &u64| if format.name() == "fasttext" { count.clamp(1, i64::MAX as u64) } else { count };
    Some(counts.iter().map(cut).collect())
}

/// Are the numbers the same, bit by bit unless the format says that it drops the last digits?
fn has_same_numbers(format: &dyn Format, words: &Embeddings, read: &Embeddings) -> bool {
    if !format.losses(words).iter().any(|loss| loss.starts_with("the last digits")) {
        return bits(words) == bits(read);
    }
    let near = |(row, found): (&[f32], &[f32])| {
        let largest = row.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        row.iter().zip(found).all(|(&value, &found)| {
            let (relative, absolute) = match format.name() {
                // As far off as sums of a word's n-grams, numbers below 1 here, may be.
                "fasttext" => (1e-5, 1e-5),
                _ => (2.0 * f32::EPSILON, 1e-37 * largest.max(1e-7)),
            };
            (value - found).abs() <= relative * value.abs() + absolute
        })
    };
    words.dim() == read.dim() && words.vectors().iter_rows().zip(read.vectors().iter_rows()).all(near)
}

/// Any finite number, most of them of the usual size.
fn number() -> impl Strategy<Value = f32> {
    prop_oneof![3 => -1f32..1f32, 1 => any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |x| x.is_finite())]
}

/// Any key: plain, with odd blanks, like a number, or with every character there is.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-zäß日本0-9_./-]{1,8}",
        1 => "[0-9]{1,3}(\\.[0-9])?",
        1 => "[ a\u{a0}\u{3000}7]{0,5}",
        1 => "[a\n\r\t\u{feff}\u{85} ]{0,3}",
        1 => any::<String>(),
    ]
}

/// Different keys in any order.
fn keys() -> impl Strategy<Value = Vec<String>> {
    btree_set(key(), 0..12).prop_map(|keys| keys.into_iter().collect::<Vec<_>>()).prop_shuffle()
}

prop_compose! {
    /// Rows for some of a few buckets.
    fn ngrams(dim: usize)(min_n in 1usize..4, longer in 0usize..3, buckets in btree_set(0u32..40, 0..20))
        (values in vec(-1f32..1f32, buckets.len() * dim), min_n in Just(min_n), longer in Just(longer),
         buckets in Just(buckets)) -> Ngrams {
        let vectors = Matrix::from_vec(buckets.len(), dim, values).expect("as many numbers");
        let subwords = Subwords { min_n, max_n: min_n + longer, buckets: 40 };
        Ngrams::new(subwords, buckets.into_iter().collect(), vectors).expect("buckets rise")
    }
}

prop_compose! {
    fn embeddings()(keys in keys(), dim in 1usize..7)
        (values in vec(number(), keys.len() * dim), counts in proptest::option::of(vec(any::<u64>(), keys.len())),
         ngrams in proptest::option::of(ngrams(dim)), note in any::<String>(), keys in Just(keys), dim in Just(dim))
        -> Embeddings {
        let vectors = Matrix::from_vec(keys.len(), dim, values).expect("as many numbers");
        let mut made = Embeddings::new(keys.iter().collect(), vectors, counts).expect("as many rows");
        made.metadata.insert("note".into(), note);
        made.with_ngrams(ngrams).expect("as many numbers")
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// What a format accepts comes back bit by bit; what it refuses leaves nothing behind.
    #[test]
    fn what_is_written_is_read(words in embeddings()) {
        for format in FORMATS {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("a");
            match format.write(&words, &path) {
                Ok(()) => {
                    let read = format.read(&path).expect("its own file");
                    prop_assert_eq!(read.keys(), words.keys(), "{}", format.name());
                    prop_assert_eq!(read.dim(), words.dim(), "{}", format.name());
                    prop_assert!(has_same_numbers(*format, &words, &read), "{}", format.name());
                    let counts = kept_counts(*format, &words);
                    prop_assert_eq!(read.counts(), counts.as_deref(), "{}", format.name());
                    let drops_ngrams = format.losses(&words).iter().any(|loss| loss.contains("unseen words get none"));
                    for unseen in ["", "unseen", "日本語", "</s>"].iter().filter(|unseen| words.row(unseen).is_none()) {
                        let expected = words.vector(unseen).filter(|_| !drops_ngrams);
                        prop_assert_eq!(read.vector(unseen), expected, "{}", format.name());
                    }
                    if format.losses(&words).iter().all(|loss| !loss.contains("metadata")) {
                        prop_assert_eq!(&read.metadata, &words.metadata);
                    }
                }
                Err(Error::Unsupported { .. }) => {
                    prop_assert!(!format.cannot_hold().is_empty(), "{} refused", format.name());
                    prop_assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0);
                }
                Err(other) => prop_assert!(false, "{}: {}", format.name(), other),
            }
        }
    }
}

fn sample(rows: usize, dim: usize) -> Embeddings {
    let mut rng = Rng::stream(7, &[rows as u64, dim as u64]);
    let keys: Keys = (0..rows).map(|row| format!("wörd{row}")).collect();
    let values = (0..rows * dim).map(|_| rng.uniform() - 0.5).collect();
    let counts = (1..=rows as u64).rev().collect();
    Embeddings::new(keys, Matrix::from_vec(rows, dim, values).expect("as many numbers"), Some(counts)).expect("fits")
}

/// The files of a result: itself, the keys beside it, or all in its folder.
fn files(path: &Path) -> Vec<PathBuf> {
    let folder = if path.is_dir() { path } else { path.parent().expect("in a folder") };
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut all: Vec<_> = entries.flat_map(|entry| if entry.is_dir() { files(&entry) } else { vec![entry] }).collect();
    all.sort();
    all
}

#[test]
fn every_format_is_told_from_the_others_by_content() -> Result<()> {
    for format in FORMATS {
        for (rows, dim) in [(1, 1), (3, 1), (1, 2), (40, 3), (7, 300)] {
            let folder = tempfile::tempdir().expect("a folder");
            // The name tells nothing, or the wrong thing.
            for name in ["vectors", "a.txt", "b.safetensors"] {
                let path = folder.path().join(name);
                let words = sample(rows, dim);
                format.write(&words, &path)?;
                assert_eq!(format::detect(&path)?.name(), format.name(), "{rows} x {dim} in {name}");
                assert!(has_same_numbers(*format, &words, &format::read(&path)?));
            }
        }
    }
    Ok(())
}

#[test]
fn files_that_hold_no_vectors_are_named() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.txt");
    for (bytes, message) in [
        (&b""[..], "a.txt, byte 0: the file is empty"),
        (b"\x1f\x8b\x08\0", "after unpacking so far: the gzip data end too early, the file is truncated"),
        (b"\x80\x04\x95", "a Python pickle; save it in gensim with save_word2vec_format"),
        (b"\xba\x16\x4f\x2f\x0c\0\0\0", "byte 8: the settings of 4 bytes, but 0 are left; the file is truncated"),
        (b"FiFu\0\0\0\0\0\0\0\0", "byte 12: the file has no chunk of words"),
        (b"Once upon a time\nthere was\n", "line 1: found \"Once upon a time\", expected two whole numbers"),
    ] {
        std::fs::write(&path, bytes).expect("a file");
        let error = format::read(&path).expect_err(message).to_string();
        assert!(error.contains(message), "{error} holds {message}");
    }
    let error = format::read(folder.path()).expect_err("no vectors").to_string();
    assert!(error.contains("the folder holds no vectors; expected words.safetensors"), "{error}");
    std::fs::write(folder.path().join("b"), b"Once upon a time\n").expect("a file");
    let error = format::read(&folder.path().join("b")).expect_err("text").to_string();
    assert!(error.contains("begins no vector file that firth reads (safetensors, npy"), "{error}");
    let error = format::read(&folder.path().join("missing")).expect_err("no file");
    assert!(matches!(error, Error::Io { .. }));
    Ok(())
}

/// Every length of a truncated file is refused, or is a shorter file in its own right.
#[test]
fn truncated_files_are_refused() -> Result<()> {
    // What is there for other programs only.
    const UNREAD: [&str; 6] = ["config.json", "modules.json", "config.cfg", "meta.json", "tokenizer", "lookups.bin"];
    for format in FORMATS.iter().filter(|format| !matches!(format.name(), "glove" | "projector" | "csv" | "jsonl")) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.npy");
        format.write(&sample(3, 2).with_ngrams(Some(few_ngrams()))?, &path)?;
        for file in files(&path) {
            let name = file.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
            let bytes = std::fs::read(&file).expect("the file");
            // The newline at the end, and the last digits of the last number, may be missing unnoticed.
            let end = bytes.len().saturating_sub(if format.name() == "word2vec" { 14 } else { 2 });
            for length in (0..end).filter(|_| !UNREAD.contains(&name.as_str()) && !name.ends_with("vocab")) {
                std::fs::write(&file, &bytes[..length]).expect("a file");
                let read = format.read(&path);
                assert!(read.is_err(), "{}: {name} with {length} of {} bytes", format.name(), bytes.len());
            }
            std::fs::write(&file, &bytes).expect("a file");
        }
    }
    Ok(())
}

fn few_ngrams() -> Ngrams {
    let subwords = Subwords { min_n: 3, max_n: 4, buckets: 9 };
    let vectors = Matrix::from_vec(2, 2, vec![0.5, -0.25, 1.0, 0.0]).expect("as many numbers");
    Ngrams::new(subwords, vec![2, 7], vectors).expect("buckets rise")
}

#[test]
fn a_million_words_survive_every_format() -> Result<()> {
    let words = sample(1_000_000, 2);
    for format in FORMATS {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        format.write(&words, &path)?;
        let read = format::read(&path)?;
        assert!(read.keys() == words.keys() && has_same_numbers(*format, &words, &read), "{}", format.name());
    }
    Ok(())
}

#[test]
fn numbers_that_are_not_finite_and_repeated_keys_are_never_written() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let broken = Embeddings::new(["a", "b"].iter().collect(), Matrix::from_vec(2, 1, vec![0.0, f32::NAN])?, None)?;
    let double = Embeddings::new(["a", "b", "a"].iter().collect(), Matrix::zeros(3, 1), None)?;
    let flat = Embeddings::new(["a"].iter().collect(), Matrix::zeros(1, 0), None)?;
    for format in FORMATS {
        for (words, message) in [
            (&broken, "number 1 of the vector of \"b\" (row 2) is NaN"),
            (&double, "key \"a\" stands in row 1 and row 3"),
            (&flat, "dimension 0"),
        ] {
            let error = format.write(words, &folder.path().join("a")).expect_err(message).to_string();
            assert!(error.contains(message), "{}: {error}", format.name());
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0);
    }
    Ok(())
}

#[test]
fn what_would_be_dropped_is_told_before() {
    let mut words = sample(3, 2);
    words.metadata.insert("seed".into(), "1".into());
    for format in FORMATS {
        let losses = format.losses(&words).join("; ");
        assert_eq!(losses.contains("the counts of 3 keys"), !keeps_counts(*format), "{}: {losses}", format.name());
        assert_eq!(losses.contains("the metadata (seed)"), format.cannot_hold().contains("metadata"), "{losses}");
    }
}

/// Keys that no query finds are told, whatever the file is; what firth's own fingerprint vouches for was told before.
#[test]
fn blank_keys_are_told_by_every_reader() -> Result<()> {
    let words = Embeddings::new(["a", "", "\u{3000}"].iter().collect(), Matrix::zeros(3, 2), None)?;
    for format in FORMATS.iter().filter(|format| format.name() != "safetensors") {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        match format.write(&words, &path) {
            Ok(()) => {
                let warnings = format.read(&path)?.warnings;
                let told =
                    warnings.iter().filter(|warning| warning.starts_with("2 keys are blank (the first is \"\","));
                assert_eq!(told.count(), 1, "{}: {warnings:?}", format.name());
            }
            Err(Error::Unsupported { .. }) => {}
            Err(other) => panic!("{}: {other}", format.name()),
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in [("a.txt", &b"2 1\n 1.5\nb 2\n"[..]), ("a.bin", b"2 1\n \0\0\0\0b \0\0\0\0")] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        let warnings = format::read(&path)?.warnings;
        assert!(warnings[0].starts_with("1 keys are blank (the first is \"\", "), "{name}: {warnings:?}");
    }
    Ok(())
}

/// What `tests/golden/make_tables.py` made, with the programs and versions that it names.
#[test]
fn tables_of_other_programs_are_read_bit_by_bit() -> Result<()> {
    let words: Keys = ["the", "naïve", "New York", "日本語", "say \"no\", twice"].iter().collect();
    let mut vectors: Vec<f32> = (0..15u8).map(|at| (f32::from(at) - 7.0) / 3.0).collect();
    vectors[..3].copy_from_slice(&[1e-30, -0.0, f32::MAX]);
    let all = Embeddings::new(words.clone(), Matrix::from_vec(5, 3, vectors)?, None)?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for (name, format, has_counts) in [
        ("numpy.npz", "npz", true),
        ("pyarrow.parquet", "parquet", true),
        ("pyarrow_zstd.parquet", "parquet", false),
        ("polars.parquet", "parquet", false),
        ("duckdb.parquet", "parquet", false),
        ("pandas.csv", "csv", false),
        ("pandas_index.csv", "csv", false),
        ("polars.csv", "csv", true),
        ("polars.jsonl", "jsonl", false),
        ("qdrant.jsonl", "jsonl", true),
    ] {
        let path = folder.join(name);
        assert_eq!(format::detect(&path)?.name(), format, "{name}");
        for care in [Care::Strict, Care::Lenient] {
            let read = format::read_as(&path, care)?;
            assert_eq!((read.keys(), bits(&read)), (&words, bits(&all)), "{name}");
            assert_eq!(read.counts(), has_counts.then_some(&[5, 4, 3, 2, 1][..]), "{name}");
            let told = usize::from(name == "pyarrow_zstd.parquet");
            assert_eq!(read.warnings.len(), told, "{name} {:?}", read.warnings);
        }
    }
    let zeros = format::read(&folder.join("pyarrow_zeros.parquet")).expect_err("too many").to_string();
    assert!(zeros.contains("its 832 bytes become more than 1024 times as many"), "{zeros}");
    // Of 16 bits.
    let packed = format::read(&folder.join("numpy_packed.npz"))?;
    assert_eq!((packed.keys(), packed.vectors().row(4)), (&words, &[-1.3330078, -1.0, -0.6665039][..]));
    Ok(())
}

/// Numbers come back as what they were rounded to, from every format that can hold their kind; others refuse.
#[test]
fn numbers_of_fewer_bits_are_held_or_refused() -> Result<()> {
    let words = sample(50, 7);
    for format in FORMATS {
        let mut found = Vec::new();
        for dtype in Dtype::ALL {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("a");
            if !format.dtypes().contains(&dtype) {
                let error = format.write_as(&words, &path, dtype).expect_err("a refusal").to_string();
                assert!(error.contains(&format!("{} cannot hold {}", format.name(), dtype.name())), "{error}");
                assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0);
                continue;
            }
            format.write_as(&words, &path, dtype)?;
            let read = format::read(&path)?;
            let (held, given) = (read.vectors().as_slice(), words.vectors().as_slice());
            let worst = held.iter().zip(given).map(|(a, b)| (a - b).abs());
            let worst = worst.fold(0f32, f32::max);
            let keeps_bits = !format.losses(&words).iter().any(|loss| loss.starts_with("the last digits"));
            let exactly = if keeps_bits { 0.0 } else { 1e-6 };
            assert!(
                worst <= [exactly, 0.000_13, 0.001, 0.002][dtype as usize],
                "{} {} {worst}",
                format.name(),
                dtype.name()
            );
            // Written again, nothing changes any more.
            let again = folder.path().join("b");
            format.write_as(&read, &again, dtype)?;
            if !keeps_bits {
                found.push(dtype);
                continue;
            }
            assert_eq!(bits(&format::read(&again)?), bits(&read), "{} {}", format.name(), dtype.name());
            found.push(dtype);
        }
        assert!(found.contains(&Dtype::F32));
    }
    Ok(())
}

/// The table of `docs/formats.md` has a row for every format on the list.
#[test]
fn every_format_is_documented() {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/formats.md")).expect("the page");
    for format in FORMATS {
        assert!(page.contains(&format!("| `{}` |", format.name())), "docs/formats.md lacks {}", format.name());
    }
}

/// Every reader has a fuzz target.
#[test]
fn every_format_is_fuzzed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("the manifest");
    for name in FORMATS.iter().map(|format| format.name()) {
        let target = folder.join(format!("fuzz_targets/{}.rs", name.replace('-', "_")));
        let text = std::fs::read_to_string(&target).unwrap_or_else(|error| panic!("{}: {error}", target.display()));
        assert!(text.contains(&format!("read({name:?}, bytes)")), "{text}");
        assert!(manifest.contains(&format!("name = {name:?}")), "fuzz/Cargo.toml lacks {name}");
    }
}
