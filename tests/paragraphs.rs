//! Paragraph vectors: documents about one thing lie together, new ones are treated like those that were learnt, and the
//! same bytes come of it where that is promised.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use firth::Result;
use firth::analysis::Neighbors;
use firth::corpus::synthetic::Planted;
use firth::corpus::{Corpus, DocumentFormat, DocumentOptions};
use firth::dataset::EncodedCorpus;
use firth::embeddings::Embeddings;
use firth::math::Matrix;
use firth::tokenizer::Tokenizer;
use firth::train::{
    DocumentNames, KnownWords, ParagraphVectors, Silent, Strategy, Summary, Task, TrainConfig, Trainer,
};
use firth::vocabulary::{DocId, Keys, VocabularyConfig};

/// Labelled documents, encoded once for all tests.
struct Labelled {
    folder: tempfile::TempDir,
    encoded: EncodedCorpus,
}

static WORLD: LazyLock<Labelled> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let planted = Planted::grow("world", 1, 6_000).expect("a known kind");
    planted.write(&folder.path().join("planted")).expect("room for the text");
    let field = |name: &str| Some(name.to_owned());
    let options = DocumentOptions {
        format: DocumentFormat::Tsv,
        text_field: field("text"),
        label_field: field("label"),
        id_field: field("id"),
        ..DocumentOptions::default()
    };
    let encoded = encode(&folder.path().join("planted/documents.tsv"), &options, &folder.path().join("corpus"));
    Labelled { encoded, folder }
});

fn encode(text: &Path, options: &DocumentOptions, to: &Path) -> EncodedCorpus {
    let corpus = Corpus::open(&[text.to_owned()], options).expect("the text");
    let tokenizer = Tokenizer::new("words", None).expect("a known tokenizer");
    let vocabulary = VocabularyConfig { min_count: 2, ..VocabularyConfig::default() };
    EncodedCorpus::build(&corpus, &tokenizer, &vocabulary, None, to, &mut |_| {}).expect("an encoded corpus")
}

fn names(encoded: &EncodedCorpus) -> DocumentNames {
    let count = encoded.dataset.documents_len();
    let label = |at| encoded.dataset.document_label(DocId(at as u32)).unwrap_or_default();
    DocumentNames {
        keys: (1..=count).map(|number| number.to_string()).collect(),
        labels: Some((0..count).map(label).collect()),
        texts: None,
    }
}

/// Trains into a folder.
fn train(config: &TrainConfig, encoded: &EncodedCorpus, folder: &Path) -> Result<Summary> {
    let mut trainer = Trainer::new(config, &encoded.vocabulary, &encoded.dataset)?;
    let summary = trainer.run(&mut Silent)?;
    std::fs::create_dir_all(folder).expect("a folder");
    trainer.save(folder, Some(&names(encoded)))?;
    Ok(summary)
}

fn config(task: Task) -> TrainConfig {
    TrainConfig { task, dim: 50, threads: 1, epochs: Some(20), ..TrainConfig::default() }
}

/// The documents of a run, and its model.
fn open(folder: &Path) -> Result<(Embeddings, ParagraphVectors)> {
    Ok((firth::format::read(&folder.join("documents.safetensors"))?, ParagraphVectors::open(folder)?))
}

/// The words of the documents, as the model reads them.
fn texts(encoded: &EncodedCorpus) -> Vec<KnownWords> {
    let document = |doc| {
        let sentences = encoded.dataset.sentences(encoded.dataset.document(DocId(doc as u32)));
        let mut known = KnownWords::default();
        for sentence in sentences {
            known.words.extend_from_slice(sentence.words);
            known.line_ends.push(known.words.len());
        }
        known
    };
    (0..encoded.dataset.documents_len()).map(document).collect()
}

/// The share of documents whose nearest other document has their label.
fn same_label(documents: &Embeddings) -> Result<f64> {
    let labels = documents.labels().expect("labels");
    let asked: Vec<usize> = (0..documents.len()).step_by(7).collect();
    let exclude: Vec<Vec<usize>> = asked.iter().map(|&at| vec![at]).collect();
    let found = Neighbors::new(documents).nearest(documents.select(&asked)?.vectors(), 1, &exclude)?;
    let same = asked.iter().zip(&found).filter(|(at, found)| {
        // What has no word lies near to nothing.
        found.first().is_some_and(|nearest| labels.get(**at) == labels.get(nearest.position))
    });
    Ok(same.count() as f64 / asked.len() as f64)
}

/// The share of documents that are nearest to what is inferred from their own words.
fn find_themselves(documents: &Embeddings, inferred: &Matrix) -> Result<f64> {
    let found = Neighbors::new(documents).nearest(inferred, 1, &[])?;
    let same =
        found.iter().enumerate().filter(|(at, found)| found.first().is_some_and(|nearest| nearest.position == *at));
    Ok(same.count() as f64 / found.len() as f64)
}

#[test]
fn documents_about_one_thing_lie_together_and_new_ones_among_them() -> Result<()> {
    let encoded = &WORLD.encoded;
    for (task, dbow_words) in [(Task::PvDbow, false), (Task::PvDbow, true), (Task::PvDm, false)] {
        let folder = WORLD.folder.path().join(format!("{task:?}-{dbow_words}"));
        let summary = train(&TrainConfig { dbow_words, ..config(task) }, encoded, &folder)?;
        assert_eq!(summary.documents, Some(6_000));
        assert!(summary.epoch_losses[0] > summary.epoch_losses[1], "{:?}", summary.epoch_losses);
        let (documents, model) = open(&folder)?;
        let known = same_label(&documents)?;
        // New vectors of the first half, among those that were learnt of the other half.
        let inferred = model.infer(&texts(encoded)[..3_000])?;
        let both = [inferred.as_slice(), &documents.vectors().as_slice()[3_000 * 50..]].concat();
        let new = same_label(&documents.with_vectors(Matrix::from_vec(6_000, 50, both)?)?)?;
        println!("{task:?}, words {dbow_words}: same label {known:.3}, of new documents {new:.3}");
        assert!(known > 0.7 && new > known - 0.05, "{task:?}, words {dbow_words}: {known}, {new}");
    }
    Ok(())
}

#[test]
fn the_same_text_has_the_same_vector_alone_in_company_and_on_any_threads() -> Result<()> {
    let folder = WORLD.folder.path().join("stable");
    for task in [Task::PvDbow, Task::PvDm] {
        train(&TrainConfig { epochs: Some(3), ..config(task) }, &WORLD.encoded, &folder)?;
        let (_, model) = open(&folder)?;
        let texts = &texts(&WORLD.encoded)[..200];
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let one = pool(1).install(|| model.infer(texts))?;
        assert_eq!(pool(3).install(|| model.infer(texts))?.as_slice(), one.as_slice());
        for at in [0, 57, 199] {
            assert_eq!(model.infer(&texts[at..=at])?.as_slice(), one.row(at), "{task:?}");
        }
    }
    Ok(())
}

#[test]
fn reproducible_strategies_give_the_same_documents_for_any_threads() -> Result<()> {
    let encoded = &WORLD.encoded;
    for (strategy, same) in [(Strategy::Averaged, [1, 2, 3]), (Strategy::Serial, [1, 1, 2])] {
        let run = |threads| -> Result<String> {
            let config = TrainConfig { strategy, threads, epochs: Some(2), ..config(Task::PvDbow) };
            let mut trainer = Trainer::new(&config, &encoded.vocabulary, &encoded.dataset)?;
            Ok(trainer.run(&mut Silent)?.fingerprint)
        };
        let prints = same.map(|threads| run(threads).expect("a fingerprint"));
        assert!(prints.iter().all(|print| *print == prints[0]), "{strategy:?}: {prints:?}");
    }
    Ok(())
}

#[test]
fn every_word_of_every_document_is_predicted_once_a_pass() -> Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = folder.path().join("text");
    // Lines of one document each; the third has rare words alone, the fourth one word.
    std::fs::write(&text, "a b a b\nc c\nx\nb\n").expect("a file");
    let encoded = encode(&text, &DocumentOptions::default(), &folder.path().join("corpus"));
    let config = TrainConfig { sample: Some(0.0), dim: 4, epochs: Some(3), ..config(Task::PvDbow) };
    let mut trainer = Trainer::new(&config, &encoded.vocabulary, &encoded.dataset)?;
    let summary = trainer.run(&mut Silent)?;
    assert_eq!((summary.words_trained, summary.documents), (3 * 7, Some(4)));
    let keys: Keys = ["1", "2", "3", "4"].into_iter().collect();
    let documents = trainer.finish_documents(DocumentNames { keys, ..DocumentNames::default() })?;
    let is_zero = |at: usize| documents.vectors().row(at).iter().all(|&value| value == 0.0);
    assert_eq!([0, 1, 2, 3].map(is_zero), [false, false, true, false], "only words make a vector");
    Ok(())
}

/// 20 Newsgroups' test file, if it is there.
fn newsgroups() -> Option<PathBuf> {
    let data = std::env::var_os("FIRTH_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    Some(data.join("docs/20ng-test-clean.tsv.xz")).filter(|path| path.is_file())
}

#[test]
fn documents_of_20_newsgroups_find_themselves() -> Result<()> {
    let Some(path) = newsgroups() else {
        println!("skipped: no docs/20ng-test-clean.tsv.xz in ../shared/data or $FIRTH_DATA");
        return Ok(());
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let field = |name: &str| Some(name.to_owned());
    let options = DocumentOptions {
        format: DocumentFormat::Tsv,
        text_field: field("2"),
        label_field: field("1"),
        ..DocumentOptions::default()
    };
    let encoded = encode(&path, &options, &folder.path().join("corpus"));
    let run = folder.path().join("run");
    train(&TrainConfig { dim: 100, threads: 2, ..config(Task::PvDbow) }, &encoded, &run)?;
    let (documents, model) = open(&run)?;
    let texts = texts(&encoded);
    // Of documents with the same words, or with none, no one can be told from another.
    let mut seen = std::collections::HashMap::new();
    texts.iter().for_each(|text| *seen.entry(&text.words).or_insert(0) += 1);
    let chosen: Vec<usize> = (0..texts.len()).filter(|&at| seen[&texts[at].words] == 1).collect();
    let asked: Vec<KnownWords> = chosen.iter().map(|&at| texts[at].clone()).collect();
    let share = find_themselves(&documents.select(&chosen)?, &model.infer(&asked)?)?;
    println!(
        "{} documents, {share:.4} find themselves, {:.3} have a neighbour of their label",
        chosen.len(),
        same_label(&documents)?
    );
    assert!(share > 0.95, "{share}");
    Ok(())
}
