//! Every document of a corpus is visited exactly once, whatever the format, the compression and the threads.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};

use firth::corpus::{Corpus, DocumentFormat, DocumentOptions};
use firth::dataset::{EncodedCorpus, MAX_SENTENCE};
use firth::tokenizer::Tokenizer;
use firth::vocabulary::VocabularyConfig;
use proptest::prelude::*;

type Outcome = Result<(), Box<dyn Error>>;

/// Every word.
fn all() -> VocabularyConfig {
    VocabularyConfig { min_count: 1, ..Default::default() }
}

fn build(
    inputs: &[PathBuf],
    options: &DocumentOptions,
    config: &VocabularyConfig,
    folder: &Path,
    threads: usize,
) -> firth::Result<EncodedCorpus> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
    pool.install(|| {
        let corpus = Corpus::open(inputs, options)?;
        EncodedCorpus::build(&corpus, &Tokenizer::new("whitespace", None)?, config, None, folder, &mut |_| {})
    })
}

/// Each document's words, from the encoded corpus.
fn documents(encoded: &EncodedCorpus) -> Vec<String> {
    let dataset = &encoded.dataset;
    let mut documents = vec![String::new(); dataset.documents_len() as usize];
    for sentence in dataset.sentences(0..dataset.sentences_len()) {
        assert!((1..=MAX_SENTENCE).contains(&sentence.words.len()));
        for word in sentence.words {
            let document = &mut documents[sentence.doc.0 as usize];
            if !document.is_empty() {
                document.push(' ');
            }
            document.push_str(encoded.vocabulary.keys().get(word.0 as usize));
        }
    }
    documents
}

/// Text of several mebibytes with lines from empty to longer than a piece.
fn text() -> Vec<u8> {
    let mut text = Vec::new();
    for line in 0..3000u64 {
        let words = match line {
            1000 => 400_000,
            _ if line % 17 == 0 => 0,
            _ => line * 7919 % 300,
        };
        for word in 0..words {
            write!(text, "w{} ", (line * 31 + word * word) % 5003).expect("memory");
        }
        text.push(b'\n');
    }
    text
}

fn expected(text: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(text).expect("UTF-8");
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect()
}

#[test]
fn every_line_is_encoded_once_and_the_same_for_any_threads_and_compression() -> Outcome {
    let folder = tempfile::tempdir()?;
    let text = text();
    let plain = folder.path().join("a.txt");
    std::fs::write(&plain, &text)?;
    let packed = folder.path().join("a.gz");
    let mut writer = flate2::write::GzEncoder::new(std::fs::File::create(&packed)?, flate2::Compression::fast());
    writer.write_all(&text)?;
    writer.finish()?;

    let config = VocabularyConfig::default();
    let options = DocumentOptions::default();
    let mut files = Vec::new();
    for (input, threads) in [(&plain, 1), (&plain, 8), (&packed, 3)] {
        let out = folder.path().join(format!("{threads}"));
        let encoded = build(std::slice::from_ref(input), &options, &config, &out, threads)?;
        assert_eq!(encoded.report().empty_documents, 186);
        encoded.dataset.verify()?;
        files.push(["dataset.safetensors", "vocabulary.safetensors"].map(|name| std::fs::read(out.join(name))));
        let names: Vec<_> = std::fs::read_dir(&out)?.map(|entry| entry.map(|entry| entry.file_name())).collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }
    let [first, second, third] = &files[..] else { unreachable!("three builds") };
    for at in 0..2 {
        let bytes = first[at].as_ref().expect("a file");
        assert!(bytes == second[at].as_ref().expect("a file"), "8 threads");
        assert!(bytes == third[at].as_ref().expect("a file"), "compressed, 3 threads");
    }
    let encoded = build(&[plain], &options, &all(), &folder.path().join("all"), 2)?;
    assert!(documents(&encoded) == expected(&text));
    Ok(())
}

#[test]
fn plain_and_packed_files_folders_and_tables_make_one_corpus() -> Outcome {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("d"))?;
    std::fs::write(at("d/b.txt"), "three\n\nfour five")?;
    std::fs::write(at("d/a.tsv"), "x\tone\r\ny\ttwo\r\n")?;
    std::fs::write(at("d/.hidden"), "never")?;
    std::fs::write(at("c.csv"), "id,text\n1,\"six\nseven\"\n2,\"eight \"\"nine\"\"\"\n")?;
    std::fs::write(at("d.jsonl"), "{\"text\": \"ten\", \"id\": 7}\n\n{\"id\": 8, \"text\": \"\"}\n")?;
    let mut writer = zstd::stream::write::Encoder::new(std::fs::File::create(at("e"))?, 1)?;
    writer.write_all("\u{feff}eleven\n".as_bytes())?;
    writer.finish()?;
    let encoded = build(&[at("d"), at("e")], &DocumentOptions::default(), &all(), &at("out"), 2)?;
    assert_eq!(documents(&encoded), ["one", "two", "three", "four five", "eleven"]);
    let report = encoded.report();
    assert_eq!((report.hidden_files, report.empty_documents, report.files), (1, 1, 3));

    let options =
        DocumentOptions { text_field: Some("text".into()), id_field: Some("id".into()), ..Default::default() };
    let encoded = build(&[at("c.csv"), at("d.jsonl")], &options, &all(), &at("out2"), 2)?;
    assert_eq!(documents(&encoded), ["six seven", "eight \"nine\"", "ten"]);
    assert_eq!(encoded.dataset.sentences_len(), 4);
    let dataset = EncodedCorpus::open(&at("out2"))?.dataset;
    let ids: Vec<_> = (0..3).map(|doc| dataset.document_id(firth::vocabulary::DocId(doc))).collect();
    assert_eq!(ids, [Some("1"), Some("2"), Some("7")]);
    assert_eq!(dataset.document_label(firth::vocabulary::DocId(0)), None);

    let options = DocumentOptions { format: DocumentFormat::Files, ..Default::default() };
    let encoded = build(&[at("d")], &options, &all(), &at("out3"), 2)?;
    assert_eq!(documents(&encoded), ["x one y two", "three four five"]);
    Ok(())
}

#[test]
fn faults_are_named_with_file_place_and_remedy() -> Outcome {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    let strict = DocumentOptions { strict: true, ..Default::default() };
    let fails = |name: &str, bytes: &[u8], options: &DocumentOptions| -> Result<String, Box<dyn Error>> {
        std::fs::write(at(name), bytes)?;
        let error = build(&[at(name)], options, &VocabularyConfig::default(), &at("out"), 2).err();
        assert!(!at("out").exists(), "{name}: nothing is left behind");
        Ok(error.ok_or("an error")?.to_string())
    };
    // Beyond the first piece of the file.
    let late = format!("{}\n{{\"text\": \"x\n", "{\"text\": \"some words\"}\n".repeat(60_000));
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(late.as_bytes())?;
    let packed = packer.finish()?;
    for (name, bytes, options, part) in [
        ("empty.txt", &b""[..], &strict, "no words"),
        ("blank.txt", b"\n \n", &strict, "no words"),
        ("rare.txt", b"a b b", &strict, "(\"b\", the commonest, occurs 2); lower --min-count"),
        ("binary", b"abc\0def", &strict, "byte 3: a NUL byte"),
        ("utf16.txt", b"\xff\xfea\0", &strict, "UTF-16"),
        ("latin.txt", b"a\nb \xe9t\xe9", &strict, "byte 4: invalid UTF-8"),
        ("short.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b", &strict, "truncated"),
        ("bad.jsonl", b"{\"text\": 1}\nno\n", &strict, "line 2: column 2: not a JSON object (expected ident)"),
        ("late.jsonl", late.as_bytes(), &strict, "line 60002: column 11: not a JSON object (EOF while parsing"),
        ("late.jsonl.gz", &packed, &strict, "line 60002: column 11: not a JSON object (EOF while parsing"),
    ] {
        let message = fails(name, bytes, options)?;
        assert!(message.contains(part) && message.contains(name), "{message}");
    }
    let labelled = DocumentOptions { label_field: Some("3".into()), ..Default::default() };
    assert!(fails("two.tsv", b"a\tb\n", &labelled)?.contains("line 1: a row of 2 columns, expected at least 3"));
    let quoted = b"label,text\nx,\"one\ntwo\"\ny\n";
    let by_name = DocumentOptions { text_field: Some("text".into()), ..Default::default() };
    assert!(fails("rows.csv", quoted, &by_name)?.contains("line 4: a row of 1 columns, expected at least 2"));
    let named = DocumentOptions { text_field: Some("body".into()), ..Default::default() };
    assert!(fails("two.tsv", b"a\tb\n", &named)?.contains("no column \"body\" (--text-field); the columns are a, b"));
    assert!(fails("two.txt", b"a\tb\n", &named)?.contains("no fields"));

    std::fs::write(at("latin.txt"), b"a \xe9t\xe9 a\n\xff a")?;
    let encoded = build(&[at("latin.txt")], &DocumentOptions::default(), &all(), &at("out"), 2)?;
    assert_eq!(encoded.report().invalid_utf8, 3);
    assert_eq!(documents(&encoded), ["a \u{fffd}t\u{fffd} a", "\u{fffd} a"]);
    std::fs::write(at("file"), b"")?;
    assert!(build(&[at("rare.txt")], &DocumentOptions::default(), &all(), &at("file/out"), 2).is_err());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..Default::default() })]
    #[test]
    fn shards_partition_and_counts_equal_the_naive(
        text in "([a-d]{1,3}[ \n]{1,2}){0,60}[a-z]{9,20} [a-z]{17,30}",
        (min_count, threads, shards) in (1u64..4, 1usize..4, 1usize..12),
    ) {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.txt");
        std::fs::write(&path, &text)?;
        let mut counts = BTreeMap::<&str, u64>::new();
        text.split_whitespace().for_each(|word| *counts.entry(word).or_default() += 1);
        let mut kept: Vec<_> = counts.into_iter().filter(|&(_, count)| count >= min_count).collect();
        kept.sort_by_key(|&(word, count)| (std::cmp::Reverse(count), word));
        let config = VocabularyConfig { min_count, ..Default::default() };
        let result = build(&[path], &DocumentOptions::default(), &config, &folder.path().join("out"), threads);
        if kept.is_empty() {
            prop_assert!(result.is_err());
            return Ok(());
        }
        let encoded = result.expect("a corpus");
        let found: Vec<_> = encoded.vocabulary.keys().iter().zip(encoded.vocabulary.counts().iter().copied()).collect();
        prop_assert_eq!(found, kept);
        let dataset = &encoded.dataset;
        prop_assert_eq!(dataset.tokens(), encoded.vocabulary.tokens());
        let mut next = 0;
        for shard in dataset.shards(shards) {
            prop_assert_eq!(shard.start, next);
            next = shard.end;
            prop_assert_eq!(dataset.sentences(shard.clone()).count() as u64, shard.end - shard.start);
        }
        prop_assert_eq!(next, dataset.sentences_len());
        let words: usize = dataset.sentences(0..next).map(|sentence| sentence.words.len()).sum();
        prop_assert_eq!(words as u64, dataset.tokens());
    }
}
