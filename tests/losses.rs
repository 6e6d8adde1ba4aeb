//! Every loss: learns what was planted by every task, gives the same bytes where that is promised, stopped or not, and is
//! taken over by a later run only where its rows mean the same.

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use firth::analysis::Neighbors;
use firth::corpus::Corpus;
use firth::dataset::EncodedCorpus;
use firth::embeddings::Embeddings;
use firth::math::Rng;
use firth::tokenizer::Tokenizer;
use firth::train::{
    Checkpoint, Every, KernelChoice, KnownWords, Loss, ParagraphVectors, Silent, Strategy, Summary, Task, TrainConfig,
    Trainer,
};
use firth::vocabulary::VocabularyConfig;
use firth::vocabulary::{Phrases, Segmenter};
use firth::{Error, Result};

mod stopper;

use stopper::Stopper;

const GROUPS: u32 = 10;

/// Lines of eight words of one group each, `g3_5` being one of group 3; a group's first words are its most frequent.
fn text(lines: u32) -> String {
    let mut rng = Rng::stream(3, &[]);
    let mut word = |group| format!("g{group}_{} ", rng.below(8) * rng.below(8) / 6);
    (0..lines).map(|line| (0..8).map(|_| word(line % GROUPS)).collect::<String>() + "\n").collect()
}

fn encode(text: &str, to: &Path) -> EncodedCorpus {
    let file = to.with_extension("txt");
    std::fs::write(&file, text).expect("room for the text");
    let corpus = Corpus::open(&[file], &Default::default()).expect("the text");
    let tokenizer = Tokenizer::new("whitespace", None).expect("a known tokenizer");
    let words = VocabularyConfig { min_count: 1, ..VocabularyConfig::default() };
    EncodedCorpus::build(&corpus, &tokenizer, &words, None, to, &mut |_| {}).expect("an encoded corpus")
}

/// A planted text, encoded once for all tests.
static WORLD: LazyLock<(tempfile::TempDir, EncodedCorpus)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let encoded = encode(&text(3000), &folder.path().join("corpus"));
    (folder, encoded)
});

const LOSSES: [Loss; 3] = [Loss::Ns, Loss::Hs, Loss::Softmax];
const TASKS: [(Task, bool); 5] =
    [(Task::SkipGram, false), (Task::Cbow, false), (Task::PvDbow, false), (Task::PvDbow, true), (Task::PvDm, false)];

/// All tasks with all losses that they can have.
fn configs() -> impl Iterator<Item = TrainConfig> {
    TASKS.into_iter().flat_map(|(task, dbow_words)| LOSSES.map(|loss| config(task, dbow_words, loss))).filter(
        |config| {
            let has_no_words = config.loss == Loss::Hs && config.task == Task::PvDbow && !config.dbow_words;
            assert_eq!(config.resolved().is_err(), has_no_words, "{config:?}");
            !has_no_words
        },
    )
}

fn config(task: Task, dbow_words: bool, loss: Loss) -> TrainConfig {
    let sample = Some(0.0);
    TrainConfig { task, dbow_words, loss, sample, dim: 24, epochs: Some(6), threads: 1, ..TrainConfig::default() }
}

fn train(config: &TrainConfig) -> Result<(Embeddings, Summary)> {
    let mut trainer = Trainer::new(config, &WORLD.1.vocabulary, &WORLD.1.dataset)?;
    let summary = trainer.run(&mut Silent)?;
    Ok((trainer.finish()?, summary))
}

/// The entropy of a word given its group, in nats.
fn entropy_given_group() -> f64 {
    let (keys, counts) = (WORLD.1.vocabulary.keys(), WORLD.1.vocabulary.counts());
    let group = |word: &str| word.split('_').next().map(str::to_owned);
    let mut tokens = std::collections::BTreeMap::new();
    keys.iter().zip(counts).for_each(|(word, count)| *tokens.entry(group(word)).or_insert(0) += count);
    let nats =
        keys.iter().zip(counts).map(|(word, &count)| count as f64 * (tokens[&group(word)] as f64 / count as f64).ln());
    nats.sum::<f64>() / WORLD.1.vocabulary.tokens() as f64
}

/// The share of words whose nearest other word is of their group.
fn same_group(words: &Embeddings) -> Result<f64> {
    let exclude: Vec<Vec<usize>> = (0..words.len()).map(|at| vec![at]).collect();
    let found = Neighbors::new(words).nearest(words.vectors(), 1, &exclude)?;
    let group = |at: usize| words.keys().get(at).split('_').next().map(str::to_owned);
    let same = found.iter().enumerate().filter(|(at, found)| group(*at) == group(found[0].position));
    Ok(same.count() as f64 / words.len() as f64)
}

#[test]
fn every_task_learns_what_was_planted_by_every_loss() -> Result<()> {
    for config in configs() {
        for strategy in [Strategy::Serial, Strategy::Averaged] {
            let (words, summary) = train(&TrainConfig { strategy, ..config.clone() })?;
            let share = same_group(&words)?;
            let (first, last) = (summary.epoch_losses[0], summary.loss);
            println!("{:?}, {}, {strategy:?}: {share:.2}, {:?}", config.task, summary.objective, summary.epoch_losses);
            assert!(share > 0.9 && last < first, "{config:?}: {share}, losses {:?}", summary.epoch_losses);
            // Exact losses cannot do better than the entropy of a word given its group, and come close to it; documents, which
            // are seen once a pass, want more passes than these.
            if config.loss != Loss::Ns && !config.task.has_documents() {
                let least = entropy_given_group();
                assert!(last > least - 0.05 && last < least + 0.25, "{config:?}: {last}, at least {least}");
            }
        }
    }
    Ok(())
}

#[test]
fn pairs_of_rows_learn_as_blocks_do() -> Result<()> {
    for loss in [Loss::Hs, Loss::Softmax] {
        for task in [Task::SkipGram, Task::Cbow] {
            let config = TrainConfig { kernel: KernelChoice::Reference, ..config(task, false, loss) };
            let share = same_group(&train(&config)?.0)?;
            assert!(share > 0.9, "{task:?}, {loss:?}: {share}");
        }
    }
    Ok(())
}

/// The names and bytes of files.
type Files = Vec<(String, Vec<u8>)>;

/// What a run leaves in a folder, stopped and resumed as often as may be or not at all; says how often that was.
fn leaves(config: &TrainConfig, stops: bool) -> Result<(Files, Summary, usize)> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (checkpoints, run) = (folder.path().join("checkpoints"), folder.path().join("run"));
    [&checkpoints, &run].iter().for_each(|folder| std::fs::create_dir(folder).expect("a folder"));
    let EncodedCorpus { vocabulary, dataset, .. } = &WORLD.1;
    let mut trainer = Trainer::new(config, vocabulary, dataset)?;
    for stopped in 0.. {
        let left = if stops { 1 } else { usize::MAX };
        match trainer.run(&mut Stopper { folder: checkpoints.clone(), left }) {
            Err(Error::Interrupted) => {
                let (checkpoint, damaged) = Checkpoint::newest(&checkpoints)?;
                assert!(damaged.is_empty(), "{damaged:?}");
                trainer = Trainer::resume(&checkpoint, config.threads, vocabulary, dataset)?;
            }
            summary => {
                trainer.save(&run, None)?;
                let mut files: Vec<_> = std::fs::read_dir(&run)
                    .expect("the run")
                    .map(|entry| entry.expect("an entry"))
                    .map(|entry| {
                        let bytes = std::fs::read(entry.path()).expect("a file");
                        (entry.file_name().to_string_lossy().into_owned(), bytes)
                    })
                    .collect();
                files.sort();
                return Ok((files, summary?, stopped));
            }
        }
    }
    unreachable!("every resumed run comes further")
}

#[test]
fn the_same_bytes_come_of_it_again_on_any_threads_and_after_any_stop() -> Result<()> {
    // Negative sampling has tests of its own.
    let is_new = |config: &TrainConfig| config.loss != Loss::Ns && [Task::SkipGram, Task::PvDm].contains(&config.task);
    for config in configs().filter(is_new) {
        for strategy in [Strategy::Serial, Strategy::Averaged] {
            let heldout = if config.task.has_documents() { 0.0 } else { 0.1 };
            // At a rate that does not fall: the best epoch is not the last.
            let (lr, min_lr, checkpoint_every) = (Some(0.1), 1.0, Every::Time(Duration::from_nanos(1)));
            let config = TrainConfig { strategy, heldout, lr, min_lr, checkpoint_every, ..config.clone() };
            let what = format!("{:?} {:?} {strategy:?}", config.task, config.loss);
            let (whole, summary, _) = leaves(&config, false)?;
            let (resumed, parts, stopped) = leaves(&TrainConfig { threads: 3, ..config.clone() }, true)?;
            println!("{what}: stopped {stopped} times, epoch {} kept", summary.epoch);
            assert!(stopped > 0 && whole == resumed, "{what}: stopped {stopped} times");
            assert_eq!((summary.heldout_losses, summary.epoch), (parts.heldout_losses, parts.epoch), "{what}");
            let names: Vec<&str> = whole.iter().map(|(name, _)| name.as_str()).collect();
            let has = |name| names.contains(&name);
            let is_hs = config.loss == Loss::Hs;
            assert_eq!([has("nodes.safetensors"), has("context.safetensors")], [is_hs, !is_hs], "{what}: {names:?}");
        }
    }
    Ok(())
}

#[test]
fn new_documents_are_vectored_by_the_loss_of_the_run() -> Result<()> {
    for config in configs().filter(|config| config.task.has_documents()) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let corpus = encode(&text(400), &folder.path().join("corpus"));
        let mut trainer =
            Trainer::new(&TrainConfig { epochs: Some(40), ..config.clone() }, &corpus.vocabulary, &corpus.dataset)?;
        trainer.run(&mut Silent)?;
        trainer.save(folder.path(), None)?;
        let model = ParagraphVectors::open(folder.path())?;
        let segmenter = Segmenter::new(Tokenizer::new("whitespace", None)?, Phrases::default());
        // Lines that were not trained on.
        let lines: Vec<String> = text(600).lines().skip(400).map(str::to_owned).collect();
        let texts = lines.iter().map(|line| model.read(line, &segmenter)).collect::<Result<Vec<KnownWords>>>()?;
        let new = model.infer(&texts)?;
        assert!(model.infer(&texts[7..8])?.as_slice() == new.row(7), "{config:?}");
        let documents = firth::format::read(&folder.path().join("documents.safetensors"))?;
        let found = Neighbors::new(&documents).nearest(&new, 1, &[])?;
        let same =
            found.iter().enumerate().filter(|(at, found)| found[0].position as u32 % GROUPS == *at as u32 % GROUPS);
        let share = same.count() as f64 / lines.len() as f64;
        println!("{:?}, {:?}: {share:.2}", config.task, config.loss);
        // In PV-DM the words around the target tell the group as well, and little is left for the document to say.
        let least = if config.task == Task::PvDm { 0.3 } else { 0.9 };
        assert!(share > least, "{config:?}: {share}");
    }
    Ok(())
}

#[test]
fn an_output_table_is_taken_over_only_where_its_rows_mean_the_same() -> Result<()> {
    let EncodedCorpus { vocabulary, dataset, .. } = &WORLD.1;
    for loss in LOSSES {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut first = Trainer::new(&config(Task::SkipGram, false, loss), vocabulary, dataset)?;
        let before = first.run(&mut Silent)?.loss;
        first.save(folder.path(), None)?;
        let words = firth::format::read(&folder.path().join("words.safetensors"))?;
        let output = firth::format::read(&folder.path().join(firth::train::output_file(loss)))?;
        assert_eq!(output.len(), if loss == Loss::Hs { words.len() - 1 } else { words.len() });
        for later in LOSSES {
            let config = TrainConfig { epochs: Some(1), lr: Some(1e-9), ..config(Task::Cbow, false, later) };
            let mut trainer = Trainer::new(&config, vocabulary, dataset)?;
            let why = trainer.start_from(&words, Some(&output))?;
            assert_eq!(why.is_none(), loss == later, "{loss:?} to {later:?}: {why:?}");
            let began = trainer.run(&mut Silent)?.loss;
            // A table of zeros knows nothing; that of the earlier run, skip-gram's, nearly all.
            assert_eq!(began < before + 0.3, loss == later, "{loss:?} to {later:?}: {before}, then {began}");
        }
        // The same words with other counts have another tree.
        let other = encode(&(text(3000) + &"g0_0 g9_0 ".repeat(2000)), &folder.path().join("other"));
        let mut trainer = Trainer::new(&config(Task::SkipGram, false, loss), &other.vocabulary, &other.dataset)?;
        let why = trainer.start_from(&words, Some(&output))?;
        assert_eq!(why.is_some_and(|why| why.contains("tree")), loss == Loss::Hs, "{loss:?}: {why:?}");
    }
    Ok(())
}

#[test]
fn vocabularies_that_a_loss_is_not_for_are_refused() -> Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let refused = |text: &str, loss| {
        let corpus = encode(text, &folder.path().join(text.len().to_string()));
        let config = config(Task::Cbow, false, loss);
        let mut trainer = match Trainer::new(&config, &corpus.vocabulary, &corpus.dataset) {
            Ok(trainer) => trainer,
            Err(error) => return Some(error.to_string()),
        };
        trainer.run(&mut Silent).err().map(|error| error.to_string())
    };
    for loss in LOSSES {
        let only = refused("one one one one", loss);
        assert_eq!(only.is_some_and(|error| error.contains("the only word")), loss != Loss::Ns, "{loss:?}");
        assert_eq!(refused("one two one two", loss), None);
    }
    let many: String = (0..100_001).map(|word| format!("{word}\n")).collect();
    let error = refused(&many, Loss::Softmax).expect("too many words");
    for part in ["--loss", "100001 words", "at most 100000", "--max-vocabulary", "hs"] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    Ok(())
}

#[test]
fn a_hopeless_rate_diverges_and_is_noticed() {
    for loss in [Loss::Hs, Loss::Softmax] {
        for task in [Task::SkipGram, Task::Cbow] {
            let outcome = train(&TrainConfig { lr: Some(1e5), ..config(task, false, loss) });
            assert!(matches!(outcome, Err(Error::Diverged { .. })), "{task:?}, {loss:?}: {:?}", outcome.map(|ok| ok.1));
        }
    }
}
