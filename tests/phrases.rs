//! Phrases are those of a naive program that joins strings, whatever the text, the passes, the score and the threads.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use firth::corpus::{Corpus, DocumentOptions};
use firth::dataset::EncodedCorpus;
use firth::tokenizer::Tokenizer;
use firth::vocabulary::{Collocation, Given, PhraseConfig, PhraseScore, VocabularyConfig};
use proptest::prelude::*;

fn build(
    text: &str,
    config: &VocabularyConfig,
    given: Option<Given>,
    to: &Path,
    threads: usize,
) -> firth::Result<EncodedCorpus> {
    let input = to.with_extension("txt");
    std::fs::write(&input, text).expect("written");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
    pool.install(|| {
        let corpus = Corpus::open(&[input], &DocumentOptions::default())?;
        EncodedCorpus::build(&corpus, &Tokenizer::new("whitespace", None)?, config, given, to, &mut |_| {})
    })
}

/// The words of every line.
fn lines(corpus: &EncodedCorpus) -> Vec<String> {
    let word = |id: &firth::vocabulary::WordId| corpus.vocabulary.keys().get(id.0 as usize);
    let sentences = corpus.dataset.sentences(0..corpus.dataset.sentences_len());
    sentences.map(|sentence| sentence.words.iter().map(word).collect::<Vec<_>>().join(" ")).collect()
}

fn naive(text: &str, passes: u8, collocation: &Collocation) -> Vec<String> {
    let mut lines: Vec<Vec<String>> =
        text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect();
    for pass in 0..usize::from(passes) {
        let (mut words, mut pairs, mut total) = (BTreeMap::new(), BTreeMap::new(), 0);
        for line in &lines {
            line.iter().for_each(|word| *words.entry(word.clone()).or_insert(0) += 1);
            line.windows(2).for_each(|pair| *pairs.entry(pair.to_vec()).or_insert(0) += 1);
            total += line.len() as u64;
        }
        for line in &mut lines {
            let mut joined = Vec::new();
            let mut rest = &line[..];
            while let [word, after @ ..] = rest {
                let count = after.first().map(|next| pairs[&rest[..2]].min(words[next]));
                match count.filter(|&count| collocation.is_phrase(pass, count, words[word], words[&after[0]], total)) {
                    Some(_) => joined.push(format!("{word}_{}", after[0])),
                    None => joined.push(word.clone()),
                }
                rest = &after[usize::from(count.is_some() && joined[joined.len() - 1] != *word)..];
            }
            *line = joined;
        }
    }
    lines.into_iter().filter(|line| !line.is_empty()).map(|line| line.join(" ")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..Default::default() })]
    #[test]
    fn lines_are_joined_as_by_a_naive_program(
        text in "(([a-d]|a_b|e f|g h i){1,2}[ \n]{1,2}){0,90}a",
        (passes, threads, min_count, is_npmi) in (0u8..4, 1usize..4, 1u64..4, any::<bool>()),
        (threshold, delta) in (0.05f64..0.9, 0u8..3),
    ) {
        let phrases = PhraseConfig {
            passes,
            score: (passes > 0 && is_npmi).then_some(PhraseScore::Npmi),
            threshold: (passes > 0).then_some(if is_npmi { threshold } else { 6.0 * threshold }),
            min_count: (passes > 0).then_some(min_count),
            delta: (passes > 0 && !is_npmi).then_some(f64::from(delta)),
        };
        are_joined_as_by_a_naive_program(&text, phrases, threads)?;
    }
}

#[test]
fn a_token_spelt_like_a_part_of_a_phrase_is_kept() -> Result<(), TestCaseError> {
    // "fa_b" is a token, and what "fa b" becomes on the way to "e_fa_b".
    let text = "a\ne fa b\ne f\ne fa_b\na a\na\na\na";
    let phrases = PhraseConfig {
        passes: 2,
        score: Some(PhraseScore::Npmi),
        threshold: Some(0.6117230347017837),
        min_count: Some(1),
        delta: None,
    };
    are_joined_as_by_a_naive_program(text, phrases, 1)
}

fn are_joined_as_by_a_naive_program(text: &str, phrases: PhraseConfig, threads: usize) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir()?;
    let (passes, collocation) = (phrases.passes, phrases.collocation(1));
    let config = VocabularyConfig { min_count: 1, max_vocabulary: None, phrases };
    let corpus = build(text, &config, None, &folder.path().join("out"), threads).expect("a corpus");
    let expected = naive(text, passes, &collocation);
    prop_assert_eq!(lines(&corpus), expected);
    let report = corpus.report();
    prop_assert_eq!(report.tokens, report.tokens_kept + report.tokens_joined);
    prop_assert_eq!(report.tokens_kept, corpus.vocabulary.tokens());
    prop_assert_eq!(report.phrases.len(), usize::from(passes));

    // The stored phrases, put to the same text, give the same.
    let opened = EncodedCorpus::open(&folder.path().join("out")).expect("a corpus");
    prop_assert_eq!(&opened.vocabulary, &corpus.vocabulary);
    let given = Given { vocabulary: opened.vocabulary, grows: false };
    let plain = VocabularyConfig { min_count: 1, ..Default::default() };
    let again = build(text, &plain, Some(given), &folder.path().join("again"), threads).expect("a corpus");
    prop_assert_eq!(lines(&again), lines(&corpus));
    Ok(())
}

/// Text with some phrases in it, of words that stand alone elsewhere.
fn text() -> String {
    let line = |at: u64| {
        let word = |of: u64| format!("w{}", (at * 31 + of * of * 7 + of) % 211);
        let mut words: Vec<String> = (0..20).map(word).collect();
        for (every, phrase) in
            [(11, "ice cream"), (13, "new york times"), (17, "new york"), (19, "york"), (23, "cream")]
        {
            if at.is_multiple_of(every) {
                words.insert((at % 7 + every % 11) as usize, phrase.to_owned());
            }
        }
        // Together at the end of one line and the beginning of the next.
        if at.is_multiple_of(10) {
            words.push("dead".to_owned());
        }
        if at % 10 == 1 {
            words.insert(0, "line".to_owned());
        }
        words.join(" ")
    };
    (0..1500).map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_same_bytes_for_any_number_of_threads() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let phrases = PhraseConfig { passes: 2, threshold: Some(100.0), ..Default::default() };
    let config = VocabularyConfig { phrases, ..Default::default() };
    // Some mebibytes, so that there are pieces enough for all.
    let text = text().repeat(30);
    let mut files = Vec::new();
    for threads in [1, 2, 5] {
        let out = folder.path().join(threads.to_string());
        let corpus = build(&text, &config, None, &out, threads)?;
        corpus.dataset.verify()?;
        let id = |word: &str| corpus.vocabulary.id(word).is_some();
        assert!(id("ice_cream") && id("new_york") && id("new_york_times") && !id("dead_line"));
        assert!(!id("new") && !id("times") && id("york") && id("cream"), "new and times are never alone");
        files.push(
            ["dataset.safetensors", "vocabulary.safetensors"].map(|name| std::fs::read(out.join(name)).expect(name)),
        );
    }
    assert!(files[0] == files[1] && files[0] == files[2]);
    Ok(())
}

#[test]
fn words_that_are_given_grow_by_those_of_a_text_joined_alike() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let phrases = PhraseConfig { passes: 1, threshold: Some(100.0), ..Default::default() };
    let config = VocabularyConfig { phrases, ..Default::default() };
    let first = build(&text(), &config, None, &folder.path().join("first"), 2)?;
    let count = |corpus: &EncodedCorpus, word| {
        corpus.vocabulary.id(word).map_or(0, |id| corpus.vocabulary.counts()[id.0 as usize])
    };
    let given = |grows| Some(Given { vocabulary: first.vocabulary.clone(), grows });
    let plain = VocabularyConfig::default();
    let new = "new york zebra\n".repeat(6) + "new zebra york ice cream\n";
    let grown = build(&new, &plain, given(true), &folder.path().join("grown"), 2)?;
    assert_eq!(count(&grown, "new_york"), count(&first, "new_york") + 6);
    assert_eq!((count(&grown, "zebra"), count(&grown, "ice_cream")), (7, count(&first, "ice_cream")));
    assert_eq!(lines(&grown)[5..], ["new_york zebra", "zebra york ice_cream"].map(str::to_owned));
    assert_eq!(grown.report().tokens_dropped(), 1, "new, which is no word of its own");
    let same = build(&new, &plain, given(false), &folder.path().join("same"), 2)?;
    assert_eq!((&same.vocabulary, lines(&same)[6].as_str()), (&first.vocabulary, "york ice_cream"));
    let refused = build(&new, &config, given(true), &folder.path().join("refused"), 2);
    assert!(refused.expect_err("two kinds of phrases").to_string().starts_with("--phrases: "));
    Ok(())
}
