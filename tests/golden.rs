//! Files that other tools wrote (`tests/golden/make.py`, `versions.txt`) are read as those tools read them.

use std::path::{Path, PathBuf};

use firth::Result;
use firth::embeddings::{Embeddings, cosine};
use firth::format;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// What a tool says is in its file.
fn expected(name: &str) -> serde_json::Value {
    let text = std::fs::read(path(&format!("{name}.json"))).expect("what must be read");
    serde_json::from_slice(&text).expect("JSON")
}

fn numbers(value: &serde_json::Value) -> Vec<f32> {
    value.as_array().expect("numbers").iter().map(|value| value.as_f64().expect("a number") as f32).collect()
}

/// Reads a file and asserts that words and numbers are those that the tool gives, the latter within `slack`.
fn read(name: &str, format: &str, slack: f32) -> Result<(Embeddings, serde_json::Value)> {
    let expected = expected(name);
    assert_eq!(format::detect(&path(name))?.name(), format);
    let read = format::read(&path(name))?;
    let words: Vec<&str> =
        expected["words"].as_array().expect("words").iter().filter_map(|word| word.as_str()).collect();
    assert_eq!(read.keys().iter().collect::<Vec<_>>(), words, "{name}");
    for (row, vector) in read.vectors().iter_rows().zip(expected["vectors"].as_array().expect("rows")) {
        for (found, value) in row.iter().zip(numbers(vector)) {
            assert!((found - value).abs() <= slack, "{name}: {row:?} is {vector}");
        }
    }
    Ok((read, expected))
}

#[test]
fn fasttext_models_give_the_vectors_that_fasttext_gives() -> Result<()> {
    for (name, labels) in [("skipgram.bin", false), ("plain.bin", false), ("quantized.ftz", true), ("norms.ftz", true)]
    {
        // Sums in the same order give the same bits; a fused multiplication of theirs may differ in the last.
        let (read, expected) = read(name, "fasttext", 1e-7)?;
        let counts: Vec<u64> =
            expected["counts"].as_array().expect("counts").iter().filter_map(|n| n.as_u64()).collect();
        assert_eq!(read.counts(), Some(&counts[..]), "{name}");
        assert_eq!(read.ngrams().is_some(), name != "plain.bin");
        assert_eq!(read.warnings.iter().any(|warning| warning.contains("2 labels")), labels, "{:?}", read.warnings);
        let unseen = expected["unseen"].as_object().expect("unseen words");
        assert_eq!(unseen.len(), 3);
        for (word, vector) in unseen.iter().filter(|_| read.ngrams().is_some()) {
            let found = read.vector(word).expect("a vector from its n-grams");
            let off = found.iter().zip(numbers(vector)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off < 1e-7, "{name}, {word}: {off}");
        }
    }
    Ok(())
}

#[test]
fn n_grams_that_were_thinned_out_give_the_direction() -> Result<()> {
    let (read, expected) = read("pruned.ftz", "fasttext", 1e-7)?;
    assert!(read.warnings.iter().any(|warning| warning.contains("thinned out")), "{:?}", read.warnings);
    assert!(read.ngrams().is_some_and(|ngrams| ngrams.buckets().len() < 900));
    directions(&read, &expected);
    Ok(())
}

/// Unseen words point where the tool says.
fn directions(read: &Embeddings, expected: &serde_json::Value) {
    for (word, vector) in expected["unseen"].as_object().expect("unseen words") {
        let vector = numbers(vector);
        match read.vector(word) {
            Some(found) => assert!(cosine(&found, &vector) > 0.999_999, "{word}"),
            None => assert!(vector.iter().all(|&value| value == 0.0), "{word}"),
        }
    }
}

#[test]
fn finalfusion_files_of_each_kind_are_read() -> Result<()> {
    for name in ["simple", "bare", "hashed", "explicit", "codes", "projected"] {
        let (read, _) = read(&format!("{name}.fifu"), "finalfusion", 3e-7)?;
        // The Python package does not hand them on when it lists n-grams.
        if name != "explicit" {
            assert_eq!(read.metadata["language"], "de");
            assert!(read.metadata["training"].contains("epochs = 5"), "{:?}", read.metadata);
        }
        let tells = read.warnings.iter().any(|warning| warning.contains("n-grams"));
        assert_eq!(tells, ["hashed", "explicit"].contains(&name), "{:?}", read.warnings);
    }
    let (read, expected) = read("subwords.fifu", "finalfusion", 3e-7)?;
    directions(&read, &expected);
    assert_eq!(expected["unseen"].as_object().map(|unseen| unseen.len()), Some(3));
    Ok(())
}

#[test]
fn static_embeddings_are_read_in_all_layouts() -> Result<()> {
    for (name, slack) in [("wordlevel", 0.0), ("unigram", 1e-7), ("nested", 0.0)] {
        let (read, _) = read(name, "static-embedding", slack)?;
        assert!(read.warnings.is_empty(), "{:?}", read.warnings);
    }
    Ok(())
}

#[test]
fn plain_vectors_of_gensim_and_numpy_are_read_exactly() -> Result<()> {
    for (name, format) in [("gensim.txt", "word2vec"), ("gensim.bin", "word2vec-bin"), ("numpy.npy", "npy")] {
        let (read, _) = read(name, format, 0.0)?;
        assert!(read.warnings.is_empty(), "{name}: {:?}", read.warnings);
    }
    Ok(())
}

#[test]
fn vectors_of_spacy_are_read_with_symbols_and_shared_rows() -> Result<()> {
    let (read, _) = read("spacy", "spacy", 0.0)?;
    assert_eq!((read.row("king"), read.row("mark").is_some()), (read.row("queen"), true));
    // The vocabulary alone is as good.
    assert_eq!(format::read(&path("spacy/vocab"))?.vectors().as_slice(), read.vectors().as_slice());
    Ok(())
}
