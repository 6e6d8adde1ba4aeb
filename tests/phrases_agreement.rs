//! One pass of joining is gensim's: the same pairs are phrases, and the same words of every line are joined.
//!
//! Opt-in, since it needs Python with gensim 4. `FIRTH_TEXT` names a text of words apart by white space, on which pairs and
//! times are compared too:
//!
//! ```sh
//! pip install gensim==4.4.0
//! FIRTH_PYTHON=python3 cargo test --release --test phrases_agreement -- --ignored --nocapture
//! ```
//!
//! gensim's default score has the number of distinct words and pairs where word2phrase.c has that of all words; its
//! threshold is set accordingly.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use firth::corpus::{Corpus, DocumentOptions};
use firth::dataset::EncodedCorpus;
use firth::math::Rng;
use firth::tokenizer::Tokenizer;
use firth::vocabulary::{PhraseConfig, PhraseScore, VocabularyConfig};

const SCRIPT: &str = r#"
import json, sys, time
from gensim.models.phrases import Phrases
from gensim.models.word2vec import LineSentence

text, scoring, threshold, lines = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4] == "lines"
sentences = LineSentence(text, max_sentence_length=10**9)
start = time.process_time()
phrases = Phrases(sentences, min_count=5, threshold=1 if scoring == "default" else threshold, scoring=scoring, max_vocab_size=10**9)
if scoring == "default":
    phrases.threshold = threshold * len(phrases.vocab) / phrases.corpus_word_count
found = sorted(phrases.export_phrases())
seconds = time.process_time() - start
joined = [" ".join(phrases[sentence]) for sentence in sentences] if lines else []
json.dump({"phrases": found, "lines": joined, "seconds": seconds}, sys.stdout)
"#;

#[derive(serde::Deserialize)]
struct Gensim {
    phrases: BTreeSet<String>,
    lines: Vec<String>,
    seconds: f64,
}

fn gensim(text: &Path, score: PhraseScore, threshold: f64, lines: bool) -> Result<Gensim, Box<dyn Error>> {
    let python = std::env::var("FIRTH_PYTHON").unwrap_or_else(|_| "python3".into());
    let scoring = if score == PhraseScore::Npmi { "npmi" } else { "default" };
    let (threshold, lines) = (threshold.to_string(), if lines { "lines" } else { "" });
    let ran = Command::new(python).args(["-c", SCRIPT]).arg(text).args([scoring, &threshold, lines]).output()?;
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    Ok(serde_json::from_slice(&ran.stdout)?)
}

fn firth(text: &Path, score: PhraseScore, threshold: f64, to: &Path) -> firth::Result<EncodedCorpus> {
    let corpus = Corpus::open(&[text.to_owned()], &DocumentOptions::default())?;
    let phrases =
        PhraseConfig { passes: 1, score: Some(score), threshold: Some(threshold), min_count: Some(5), delta: None };
    let config = VocabularyConfig { min_count: 1, max_vocabulary: None, phrases };
    EncodedCorpus::build(&corpus, &Tokenizer::new("whitespace", None)?, &config, None, to, &mut |_| {})
}

fn phrases(corpus: &EncodedCorpus) -> BTreeSet<String> {
    let phrases = corpus.vocabulary.phrases();
    phrases.passes().iter().flatten().filter_map(|&pair| phrases.spelling(pair)).collect()
}

/// Words of all frequencies; some like to follow others.
fn planted(path: &Path) -> std::io::Result<()> {
    let (mut rng, mut text) = (Rng::stream(7, &[]), String::new());
    for _ in 0..6000 {
        let mut last = 0;
        for _ in 0..3 + rng.below(30) {
            let word = (rng.uniform() + 0.02).powf(-1.6) as u64;
            let follows = last % 3 > 0 && rng.uniform() < 0.3;
            last = if follows { last * 7 % 1999 } else { word };
            text += &format!("w{last} ");
        }
        text += "\n";
    }
    std::fs::write(path, text)
}

const SETTINGS: [(PhraseScore, f64); 4] = [
    (PhraseScore::Word2phrase, 100.0),
    (PhraseScore::Word2phrase, 3.5),
    (PhraseScore::Npmi, 0.5),
    (PhraseScore::Npmi, 0.2),
];

#[test]
#[ignore = "needs Python with gensim"]
fn the_same_pairs_are_phrases_and_the_same_words_are_joined() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let text = folder.path().join("a.txt");
    planted(&text)?;
    for (at, (score, threshold)) in SETTINGS.into_iter().enumerate() {
        let expected = gensim(&text, score, threshold, true)?;
        let corpus = firth(&text, score, threshold, &folder.path().join(at.to_string()))?;
        println!("{score:?} {threshold}: {} phrases", expected.phrases.len());
        assert!(expected.phrases.len() > 20);
        assert_eq!(phrases(&corpus), expected.phrases);
        let dataset = &corpus.dataset;
        let word = |id: &firth::vocabulary::WordId| corpus.vocabulary.keys().get(id.0 as usize);
        let lines = dataset.sentences(0..dataset.sentences_len());
        let lines: Vec<String> =
            lines.map(|sentence| sentence.words.iter().map(word).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(lines, expected.lines);
    }
    Ok(())
}

#[test]
#[ignore = "needs Python with gensim, and a text"]
fn pairs_of_a_text_of_ones_own_are_the_same() -> Result<(), Box<dyn Error>> {
    let Some(text) = std::env::var_os("FIRTH_TEXT").map(PathBuf::from) else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    for (at, (score, threshold)) in [SETTINGS[0], SETTINGS[2]].into_iter().enumerate() {
        let started = Instant::now();
        let found = phrases(&firth(&text, score, threshold, &folder.path().join(at.to_string()))?);
        let seconds = started.elapsed().as_secs_f64();
        let expected = gensim(&text, score, threshold, false)?;
        let (only, missing) =
            (found.difference(&expected.phrases).count(), expected.phrases.difference(&found).count());
        println!(
            "{score:?} {threshold}: {} phrases, {only} of them not gensim's, {missing} of gensim's missing; \
             {seconds:.1} s of wall, gensim {:.1} s of CPU",
            found.len(),
            expected.seconds
        );
        assert!(only + missing <= expected.phrases.len() / 1000);
    }
    Ok(())
}
