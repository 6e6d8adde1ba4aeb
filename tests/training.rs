//! What training must give: good vectors for every task and way of training, and the same bytes where it promises them.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use firth::corpus::Corpus;
use firth::corpus::synthetic::Planted;
use firth::dataset::EncodedCorpus;
use firth::embeddings::Embeddings;
use firth::eval::{Analogy, Similarity};
use firth::math::Kernel;
use firth::tokenizer::Tokenizer;
use firth::train::{
    Checkpoint, Compat, Every, KernelChoice, Observer, Progress, STATE, Silent, Strategy, Summary, Task, TrainConfig,
    Trainer,
};
use firth::{Error, Result};

mod forge;
mod stopper;

use forge::forge;
use stopper::Stopper;

/// The planted world: encoded once for all tests, with its questions.
struct World {
    folder: tempfile::TempDir,
    encoded: EncodedCorpus,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let planted = Planted::grow("world", 1, 20_000).expect("a known kind");
    planted.write(&folder.path().join("planted")).expect("room for the text");
    let corpus = Corpus::open(&[folder.path().join("planted/text.txt")], &Default::default()).expect("the text");
    let tokenizer = Tokenizer::new("words", None).expect("a known tokenizer");
    let to = folder.path().join("corpus");
    let encoded = EncodedCorpus::build(&corpus, &tokenizer, &Default::default(), None, &to, &mut |_| {});
    World { encoded: encoded.expect("an encoded corpus"), folder }
});

impl World {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("planted").join(name)
    }
}

fn train(config: &TrainConfig) -> Result<(Embeddings, Summary)> {
    let mut trainer = Trainer::new(config, &WORLD.encoded.vocabulary, &WORLD.encoded.dataset)?;
    let summary = trainer.run(&mut Silent)?;
    Ok((trainer.finish()?, summary))
}

/// The share of planted analogies answered right, and the correlation with planted likeness.
fn scores(embeddings: &Embeddings) -> Result<(f64, f64)> {
    let analogy = Analogy::default().run(embeddings, &WORLD.file("questions.txt"))?;
    let similarity = Similarity::default().run(embeddings, &WORLD.file("similarity.tsv"))?.correlation;
    assert_eq!(analogy.overall.covered, analogy.overall.total, "every planted word is common enough");
    Ok((analogy.overall.accuracy.expect("questions are covered"), similarity.spearman.expect("more than two pairs")))
}

/// Fast settings that still learn everything planted.
fn config(task: Task) -> TrainConfig {
    TrainConfig { task, dim: 64, epochs: Some(8), threads: 1, ..TrainConfig::default() }
}

#[test]
fn both_tasks_learn_what_was_planted_alone_and_with_others() -> Result<()> {
    for task in [Task::SkipGram, Task::Cbow] {
        for (strategy, threads) in [(Strategy::Serial, 1), (Strategy::Hogwild, 3)] {
            let (embeddings, summary) = train(&TrainConfig { strategy, threads, ..config(task) })?;
            let (accuracy, correlation) = scores(&embeddings)?;
            println!("{task:?}, {strategy:?}: {accuracy:.3}, {correlation:.3}, losses {:?}", summary.epoch_losses);
            assert!(accuracy > 0.8 && correlation > 0.5, "{task:?}, {strategy:?}: {accuracy}, {correlation}");
            assert!(summary.epoch_losses[0] > summary.epoch_losses[1], "{:?}", summary.epoch_losses);
        }
    }
    Ok(())
}

#[test]
fn blocks_are_as_good_as_single_pairs() -> Result<()> {
    for task in [Task::SkipGram, Task::Cbow] {
        let (blocks, _) = train(&config(task))?;
        let (pairs, _) = train(&TrainConfig { kernel: KernelChoice::Reference, ..config(task) })?;
        let ((blocks, _), (pairs, _)) = (scores(&blocks)?, scores(&pairs)?);
        println!("{task:?}: blocks {blocks:.3}, pairs {pairs:.3}");
        assert!(blocks > pairs - 0.03, "{task:?}: {blocks} in blocks, {pairs} by pairs");
    }
    Ok(())
}

#[test]
fn the_old_cbow_update_learns_too_at_its_own_rate() -> Result<()> {
    let (embeddings, _) = train(&TrainConfig { compat: Some(Compat::Word2vec), ..config(Task::Cbow) })?;
    let (accuracy, _) = scores(&embeddings)?;
    assert!(accuracy > 0.6, "{accuracy}");
    Ok(())
}

#[test]
fn serial_training_gives_the_same_bytes_again() -> Result<()> {
    for task in [Task::SkipGram, Task::Cbow] {
        let short = TrainConfig { epochs: Some(1), strategy: Strategy::Serial, ..config(task) };
        let first = train(&short)?.0;
        // The machine's threads do not matter, the seed does.
        let again = train(&TrainConfig { threads: 8, ..short.clone() })?.0;
        assert!(first.vectors().as_slice() == again.vectors().as_slice(), "{task:?}");
        let other = train(&TrainConfig { seed: 2, ..short })?.0;
        assert!(first.vectors().as_slice() != other.vectors().as_slice(), "{task:?}");
    }
    Ok(())
}

#[test]
fn averaged_training_gives_the_same_bytes_for_any_threads() -> Result<()> {
    for task in [Task::SkipGram, Task::Cbow] {
        // Many rounds, and more replicas than some have threads.
        let averaged = TrainConfig { epochs: Some(1), strategy: Strategy::Averaged, replicas: 3, ..config(task) };
        let first = train(&averaged)?.0;
        for threads in [2, 3, 8] {
            let again = train(&TrainConfig { threads, ..averaged.clone() })?.0;
            assert!(first.vectors().as_slice() == again.vectors().as_slice(), "{task:?}, {threads} threads");
        }
        let other = train(&TrainConfig { seed: 2, ..averaged })?.0;
        assert!(first.vectors().as_slice() != other.vectors().as_slice(), "{task:?}");
    }
    Ok(())
}

#[test]
fn replicas_learn_about_as_much_as_one_model() -> Result<()> {
    for task in [Task::SkipGram, Task::Cbow] {
        let one = scores(&train(&TrainConfig { strategy: Strategy::Serial, ..config(task) })?.0)?;
        for replicas in [2, 4] {
            let averaged = TrainConfig { strategy: Strategy::Averaged, replicas, threads: 2, ..config(task) };
            let many = scores(&train(&averaged)?.0)?;
            println!("{task:?}: serial {one:.3?}, {replicas} replicas {many:.3?}");
            let is_as_good = many.0 > one.0 - 0.05 && many.1 > one.1 - 0.05;
            assert!(is_as_good, "{task:?}: {replicas} replicas {many:?}, serial {one:?}");
        }
    }
    Ok(())
}

#[test]
fn every_kernel_learns_what_was_planted() -> Result<()> {
    let available: Vec<_> = Kernel::available().iter().map(Kernel::name).collect();
    for (name, kernel) in
        [("scalar", KernelChoice::Scalar), ("avx2", KernelChoice::Avx2), ("avx512", KernelChoice::Avx512)]
    {
        let config = TrainConfig { kernel, ..config(Task::Cbow) };
        if !available.contains(&name) {
            println!("skipped: this processor has no {name}");
            continue;
        }
        let (accuracy, _) = scores(&train(&config)?.0)?;
        println!("{kernel:?}: {accuracy:.3}");
        assert!(accuracy > 0.8, "{kernel:?}: {accuracy}");
    }
    Ok(())
}

/// Trains to the end, resuming as often as the run is stopped; says how often that was.
fn train_and_resume(config: &TrainConfig, stops: bool) -> Result<(Embeddings, Summary, usize)> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let EncodedCorpus { vocabulary, dataset, .. } = &WORLD.encoded;
    let mut trainer = Trainer::new(config, vocabulary, dataset)?;
    for stopped in 0.. {
        let left = if stops { 1 } else { usize::MAX };
        match trainer.run(&mut Stopper { folder: folder.path().into(), left }) {
            Err(Error::Interrupted) => {
                let (checkpoint, damaged) = Checkpoint::newest(folder.path())?;
                assert!(damaged.is_empty(), "{damaged:?}");
                trainer = Trainer::resume(&checkpoint, config.threads, vocabulary, dataset)?;
            }
            summary => return Ok((trainer.finish()?, summary?, stopped)),
        }
    }
    unreachable!("every resumed run comes further")
}

#[test]
fn a_run_resumed_again_and_again_gives_the_same_bytes() -> Result<()> {
    for (strategy, heldout) in [(Strategy::Serial, 0.0), (Strategy::Serial, 0.05), (Strategy::Averaged, 0.05)] {
        // With a rate that does not fall the best epoch is not the last.
        let (lr, min_lr, epochs) = (Some(0.1), 1.0, Some(2));
        let checkpoint_every = Every::Time(Duration::from_nanos(1));
        let config = TrainConfig { strategy, heldout, lr, min_lr, epochs, checkpoint_every, ..config(Task::SkipGram) };
        let (undisturbed, whole, _) = train_and_resume(&config, false)?;
        let (resumed, parts, stopped) = train_and_resume(&config, true)?;
        println!("{strategy:?}: stopped {stopped} times, {:?}", whole.heldout_losses);
        assert!(stopped > 0 && undisturbed.vectors().as_slice() == resumed.vectors().as_slice(), "{strategy:?}");
        assert_eq!(whole.epoch_losses, parts.epoch_losses);
        assert_eq!((whole.heldout_losses, whole.epoch), (parts.heldout_losses, parts.epoch));
    }
    Ok(())
}

#[test]
fn a_checkpoint_of_no_place_in_its_run_is_refused() -> Result<()> {
    let (folder, World { encoded, .. }) = (tempfile::tempdir().expect("a temporary folder"), &*WORLD);
    let config = TrainConfig {
        heldout: 0.05,
        dim: 8,
        epochs: Some(3),
        checkpoint_every: Every::Epochs(1),
        ..config(Task::Cbow)
    };
    let mut stopper = Stopper { folder: folder.path().into(), left: 1 };
    let stopped = Trainer::new(&config, &encoded.vocabulary, &encoded.dataset)?.run(&mut stopper);
    assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
    let state = Checkpoint::newest(folder.path())?.0.path().join(STATE);
    let whole = std::fs::read(&state).expect("the state");
    for (field, value) in [
        ("turn", serde_json::json!(u64::MAX)),
        ("epoch", serde_json::json!(0)),
        ("epochs", serde_json::json!([])),
        ("heldout", serde_json::json!([1.0, 2.0, 3.0])),
    ] {
        std::fs::write(&state, &whole).expect("written");
        forge(&state, |all| all["state"][field] = value);
        let (checkpoint, _) = Checkpoint::newest(folder.path())?;
        let resumed = Trainer::resume(&checkpoint, 1, &encoded.vocabulary, &encoded.dataset);
        let message = resumed.expect_err("no place in the run").to_string();
        assert!(message.contains("is no place in its run") && message.contains(&*state.to_string_lossy()), "{message}");
    }
    Ok(())
}

#[test]
fn every_token_is_counted_once_an_epoch() -> Result<()> {
    let tokens = WORLD.encoded.dataset.tokens();
    // Without subsampling each word is predicted once an epoch, but for those alone in their sentence.
    let sentences = WORLD.encoded.dataset.sentences(0..WORLD.encoded.dataset.sentences_len());
    let alone = sentences.filter(|sentence| sentence.words.len() == 1).count() as u64;
    for strategy in [Strategy::Serial, Strategy::Hogwild, Strategy::Averaged] {
        let config =
            TrainConfig { strategy, epochs: Some(2), sample: Some(0.0), dim: 8, threads: 3, ..config(Task::Cbow) };
        let (_, summary) = train(&config)?;
        assert_eq!((summary.tokens, summary.words_trained), (tokens, 2 * (tokens - alone)), "{strategy:?}");
    }
    Ok(())
}

#[test]
fn a_rate_far_too_high_is_noticed_and_named() {
    let config = TrainConfig { lr: Some(1e4), ..config(Task::SkipGram) };
    let error = train(&config).expect_err("no vectors come of that");
    assert!(matches!(error, Error::Diverged { epoch: 1, .. }), "{error}");
    assert!(error.to_string().contains("--lr"), "{error}");
}

#[test]
fn divergence_is_noticed_in_a_corpus_of_a_hundred_words() -> Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = folder.path().join("tiny.txt");
    std::fs::write(&text, "a b c d e ".repeat(20)).expect("room for a line");
    let corpus = Corpus::open(&[text], &Default::default())?;
    let to = folder.path().join("corpus");
    let tokenizer = Tokenizer::new("whitespace", None)?;
    let encoded = EncodedCorpus::build(&corpus, &tokenizer, &Default::default(), None, &to, &mut |_| {})?;
    let config = TrainConfig { lr: Some(1e30), sample: Some(0.0), ..config(Task::SkipGram) };
    let outcome = Trainer::new(&config, &encoded.vocabulary, &encoded.dataset)?.run(&mut Silent);
    assert!(matches!(outcome, Err(Error::Diverged { .. })), "{outcome:?}");
    Ok(())
}

#[test]
fn an_observer_sees_progress_and_may_stop_the_run() -> Result<()> {
    struct StopLater(Vec<Progress>);
    impl Observer for StopLater {
        fn progress(&mut self, progress: &Progress) -> ControlFlow<()> {
            self.0.push(progress.clone());
            if self.0.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    let config = TrainConfig { epochs: Some(10_000), ..config(Task::SkipGram) };
    let mut observer = StopLater(Vec::new());
    let mut trainer = Trainer::new(&config, &WORLD.encoded.vocabulary, &WORLD.encoded.dataset)?;
    assert!(matches!(trainer.run(&mut observer), Err(Error::Interrupted)));
    let seen = observer.0;
    assert!(seen.len() == 3 && seen.windows(2).all(|pair| pair[0].tokens <= pair[1].tokens));
    assert!(seen[2].lr <= 0.04 && seen[2].loss.is_finite() && seen[2].eta_seconds > 0.0, "{:?}", seen[2]);
    Ok(())
}

#[test]
fn any_width_and_the_smallest_corpora_train() -> Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = folder.path().join("tiny.txt");
    for (content, min_count) in [("a b a b a b", 1), ("x x x x x x x x", 1), ("one", 1)] {
        std::fs::write(&text, content).expect("room for a line");
        let corpus = Corpus::open(std::slice::from_ref(&text), &Default::default())?;
        let tokenizer = Tokenizer::new("whitespace", None)?;
        let words = firth::vocabulary::VocabularyConfig { min_count, ..Default::default() };
        let to = folder.path().join(content.len().to_string());
        let encoded = EncodedCorpus::build(&corpus, &tokenizer, &words, None, &to, &mut |_| {})?;
        for task in [Task::SkipGram, Task::Cbow] {
            for dim in [1, 3, 16, 4096] {
                // More workers than shards: some find nothing to do.
                let config =
                    TrainConfig { dim, epochs: Some(3), negative: 7, threads: 4, sample: Some(0.0), ..config(task) };
                let mut trainer = Trainer::new(&config, &encoded.vocabulary, &encoded.dataset)?;
                let outcome = trainer.run(&mut Silent);
                if content == "one" {
                    // A word without a neighbour teaches nothing, and that is said.
                    assert!(matches!(outcome, Err(Error::Data { .. })), "{outcome:?}");
                } else {
                    assert!(outcome?.loss.is_finite());
                    assert_eq!(trainer.finish()?.dim(), dim);
                }
            }
        }
    }
    Ok(())
}
