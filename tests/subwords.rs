//! Words as means of n-grams: they learn, unseen words find their kin, and the same bytes come back where promised.

use std::sync::LazyLock;

use firth::corpus::Corpus;
use firth::dataset::EncodedCorpus;
use firth::embeddings::{Embeddings, cosine};
use firth::format::{self, Format, native};
use firth::math::Rng;
use firth::tokenizer::Tokenizer;
use firth::train::{Checkpoint, Every, Silent, Strategy, Task, TrainConfig, Trainer};
use firth::{Error, Result};

mod stopper;

use stopper::Stopper;

/// Stems of two kinds with endings: what stands beside a word tells its stem's kind and its ending.
const STEMS: [[&str; 6]; 2] =
    [["walk", "jump", "climb", "march", "crawl", "wander"], ["bake", "fry", "boil", "roast", "grill", "stew"]];
const ENDINGS: [(&str, &str); 3] = [("ing", "now"), ("ed", "yesterday"), ("er", "person")];
const PLACES: [[&str; 3]; 2] = [["road", "hill", "path"], ["oven", "pan", "kitchen"]];
/// Never in the text.
const UNSEEN: &str = "walked";

static CORPUS: LazyLock<(tempfile::TempDir, EncodedCorpus)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut rng = Rng::stream(5, &[]);
    let mut text = String::new();
    for _ in 0..20_000 {
        let kind = rng.below(2) as usize;
        let stem = STEMS[kind][rng.below(6) as usize];
        let (ending, beside) = ENDINGS[rng.below(3) as usize];
        let (place, word) = (PLACES[kind][rng.below(3) as usize], format!("{stem}{ending}"));
        if word != UNSEEN {
            text += &format!("the {word} {beside} {place}\n");
        }
    }
    let file = folder.path().join("text.txt");
    std::fs::write(&file, text).expect("a file");
    let corpus = Corpus::open(&[file], &Default::default()).expect("the text");
    let tokenizer = Tokenizer::new("words", None).expect("a known tokenizer");
    let to = folder.path().join("corpus");
    let encoded = EncodedCorpus::build(&corpus, &tokenizer, &Default::default(), None, &to, &mut |_| {});
    (folder, encoded.expect("an encoded corpus"))
});

fn config(task: Task) -> TrainConfig {
    let (min_n, max_n) = (Some(3), Some(5));
    TrainConfig {
        task,
        dim: 32,
        epochs: Some(5),
        threads: 1,
        min_n,
        max_n,
        sample: Some(0.0),
        ..TrainConfig::default()
    }
}

fn train(config: &TrainConfig) -> Result<Embeddings> {
    let (_, corpus) = &*CORPUS;
    let mut trainer = Trainer::new(config, &corpus.vocabulary, &corpus.dataset)?;
    trainer.run(&mut Silent)?;
    trainer.finish()
}

fn bits(embeddings: &Embeddings) -> Vec<u32> {
    let ngrams = embeddings.ngrams().expect("n-grams").vectors().as_slice();
    embeddings.vectors().as_slice().iter().chain(ngrams).map(|value| value.to_bits()).collect()
}

#[test]
fn unseen_words_lie_with_their_stem_and_their_ending() -> Result<()> {
    for (task, strategy, threads) in [
        (Task::SkipGram, Strategy::Serial, 1),
        (Task::Cbow, Strategy::Serial, 1),
        (Task::SkipGram, Strategy::Hogwild, 3),
        (Task::Cbow, Strategy::Averaged, 2),
    ] {
        let words = train(&TrainConfig { strategy, threads, ..config(task) })?;
        assert!(words.row(UNSEEN).is_none());
        let unseen = words.vector(UNSEEN).expect("its n-grams are known");
        let to = |word: &str| cosine(&unseen, &words.require(word).expect("a word of the text"));
        let (kin, ending, other) = (to("walking"), to("jumped"), to("grilling"));
        println!("{task:?} {strategy:?}: stem {kin:.2}, ending {ending:.2}, neither {other:.2}");
        assert!(kin > other + 0.1 && ending > other + 0.1, "{task:?}: {kin}, {ending}, {other}");
        assert_eq!((words.vector("qqqq"), words.require("qqqq").is_err()), (None, true));
    }
    Ok(())
}

#[test]
fn a_word_is_the_mean_of_its_rows_and_comes_back_from_a_file() -> Result<()> {
    let words = train(&TrainConfig { epochs: Some(1), ..config(Task::SkipGram) })?;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.safetensors");
    native::Native.write(&words, &path)?;
    let read = format::read(&path)?;
    assert_eq!((bits(&words), words.vector(UNSEEN)), (bits(&read), read.vector(UNSEEN)));
    assert!(read.ngrams().is_some_and(|ngrams| ngrams.vectors().is_mapped()));
    // Only buckets in use have rows.
    let ngrams = read.ngrams().expect("as just read");
    assert!(ngrams.buckets().len() < 1000 && ngrams.subwords().buckets == 2_000_000);
    Ok(())
}

#[test]
fn serial_and_averaged_runs_give_the_same_bytes_again() -> Result<()> {
    for task in [Task::SkipGram, Task::Cbow] {
        for strategy in [Strategy::Serial, Strategy::Averaged] {
            let short = TrainConfig { epochs: Some(1), strategy, ..config(task) };
            let first = bits(&train(&short)?);
            assert!(first == bits(&train(&TrainConfig { threads: 3, ..short.clone() })?), "{task:?} {strategy:?}");
            assert!(first != bits(&train(&TrainConfig { seed: 2, ..short })?), "{task:?} {strategy:?}");
        }
    }
    Ok(())
}

#[test]
fn a_resumed_run_gives_the_bytes_of_one_that_was_not_stopped() -> Result<()> {
    let (_, corpus) = &*CORPUS;
    let whole = TrainConfig { checkpoint_every: Every::Epochs(1), heldout: 0.05, ..config(Task::SkipGram) };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let stopper = |name: &str, left| Stopper { folder: folder.path().join(name), left };
    let learn = |observer: &mut Stopper| -> Result<Embeddings> {
        let mut trainer = Trainer::new(&whole, &corpus.vocabulary, &corpus.dataset)?;
        trainer.run(observer)?;
        trainer.finish()
    };
    let expected = bits(&learn(&mut stopper("whole", usize::MAX))?);
    let outcome = learn(&mut stopper("stopped", 2));
    assert!(matches!(outcome, Err(Error::Interrupted)), "{:?}", outcome.map(|words| words.len()));
    let (checkpoint, _) = Checkpoint::newest(&folder.path().join("stopped"))?;
    let mut trainer = Trainer::resume(&checkpoint, 1, &corpus.vocabulary, &corpus.dataset)?;
    trainer.run(&mut stopper("stopped", usize::MAX))?;
    assert!(expected == bits(&trainer.finish()?));
    Ok(())
}

#[test]
fn ends_of_n_grams_that_do_not_fit_are_refused() {
    for (min_n, max_n, part) in
        [(Some(3), Some(0), "--max-n: 0"), (Some(0), Some(6), "--min-n: 0"), (Some(6), Some(3), "--max-n: 3")]
    {
        let error = TrainConfig { min_n, max_n, ..config(Task::Cbow) }.resolved().expect_err(part).to_string();
        assert!(error.starts_with(part), "{error}");
    }
    for (min_n, max_n, found) in [(None, None, None), (Some(2), None, Some((2, 6))), (None, Some(4), Some((3, 4)))] {
        let config = TrainConfig { min_n, max_n, ..config(Task::Cbow) };
        assert_eq!(config.subwords().map(|subwords| (subwords.min_n, subwords.max_n)), found);
    }
}

#[test]
fn training_goes_on_from_words_with_the_same_n_grams_only() -> Result<()> {
    let (_, corpus) = &*CORPUS;
    let before = train(&TrainConfig { epochs: Some(1), ..config(Task::SkipGram) })?;
    let start = |config: &TrainConfig| -> Result<Embeddings> {
        let mut trainer = Trainer::new(config, &corpus.vocabulary, &corpus.dataset)?;
        trainer.start_from(&before, None)?;
        let drift = trainer.drift(&before);
        assert!(drift.mean_cosine > 0.999_99, "{drift:?}");
        trainer.finish()
    };
    let after = start(&config(Task::SkipGram))?;
    for (before, after) in before.vectors().as_slice().iter().zip(after.vectors().as_slice()) {
        assert!((before - after).abs() < 1e-5, "{before} {after}");
    }
    let error = start(&TrainConfig { max_n: Some(6), ..config(Task::SkipGram) }).expect_err("other n-grams");
    assert!(error.to_string().contains("n-grams"), "{error}");
    Ok(())
}
