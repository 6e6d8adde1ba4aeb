//! `firth demo`: the whole way, from text to a map of its words, on a corpus that comes with firth.

mod clusters;
mod documents;
mod story;

use std::path::{Path, PathBuf};
use std::time::Instant;

use firth::Error;
use firth::analysis::{Pca, plot};
use firth::corpus::synthetic::Planted;
use firth::corpus::{Corpus, DocumentFormat, DocumentOptions};
use firth::dataset::EncodedCorpus;
use firth::embeddings::Embeddings;
use firth::estimator::{Fit, Transform};
use firth::eval::{Analogy, AnalogyReport, Similarity, SimilarityReport};
use firth::format::{Format, native};
use firth::io::AtomicFile;
use firth::math::Matrix;
use firth::tokenizer::Tokenizer;
use firth::train::{Summary, Task, TrainConfig, Trainer};
use firth::vocabulary::VocabularyConfig;
use serde::Serialize;

use self::documents::Documents;
use crate::failure::Outcome;
use crate::globals::Globals;
use crate::output::{self, Force};
use crate::ownership::{self, DEMO_REPORT as REPORT};
use crate::place;
use crate::progress::Log;
use crate::staged::Staged;
use crate::training::{self, Work};

/// Train, query and draw on a small built-in corpus.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  firth demo -o firth-demo")]
pub struct Flags {
    /// Where corpus, vectors and map go; an earlier demo's folder is replaced
    #[arg(short, long, value_name = "DIR", default_value = "firth-demo", help_heading = "Output")]
    output: PathBuf,
    #[command(flatten)]
    force: Force,
}

/// The size of the corpus: enough for good analogies, quick on two cores.
const DOCUMENTS: usize = 40_000;
/// The settings that suit a corpus so small: many epochs, few dimensions.
const EPOCHS: usize = 6;
const DIM: usize = 100;
/// Points of each group on the map.
const POINTS: usize = 14;

/// What is on the map: a relation, which of its two words, and what these are.
const GROUPS: [(&str, usize, &str); 6] = [
    ("country-capital", 0, "countries"),
    ("country-capital", 1, "capitals"),
    ("animal-young", 0, "animals"),
    ("trade-tool", 0, "trades"),
    ("family", 0, "men of the family"),
    ("family", 1, "women of the family"),
];

/// What is in the folder, by name, and what it is.
const FILES: [(&str, &str); 9] = [
    ("map.png", "a map of countries, capitals, animals, trades and family"),
    ("documents.html", "a map of documents to search and look around in: open it in a browser"),
    ("documents.png", "the same as a picture"),
    ("planted", "the text, and the questions that it answers"),
    ("corpus", "the text, encoded"),
    ("skipgram", "vectors"),
    ("cbow", "vectors"),
    ("autoencoder", "codes of the documents, and the model that encodes others"),
    (REPORT, "all scores"),
];

/// Both trained models.
struct Models {
    skipgram: Model,
    cbow: Model,
}

/// A trained model and its scores.
struct Model {
    vectors: Embeddings,
    summary: Summary,
    analogies: AnalogyReport,
    similarity: SimilarityReport,
}

/// What `--json` prints and the folder keeps.
#[derive(Serialize)]
struct Report<'a> {
    output: &'a Path,
    seconds: f64,
    documents: usize,
    skipgram: Scores<'a>,
    cbow: Scores<'a>,
    autoencoder: DocumentScores<'a>,
    files: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Scores<'a> {
    #[serde(flatten)]
    analogies: &'a AnalogyReport,
    spearman: Option<f64>,
    train: &'a Summary,
}

/// How well the codes of documents tell what each is about.
#[derive(Serialize)]
struct DocumentScores<'a> {
    same_label: f64,
    chance: f64,
    /// How well k-means finds the labels in the codes.
    nmi: Option<f64>,
    train: &'a firth::autoencoder::Summary,
}

/// Generates, encodes, trains, measures, draws and tells.
pub fn run(flags: &Flags, globals: &Globals) -> Outcome {
    let started = Instant::now();
    let target = &flags.output;
    place::check_log(globals.log_json.as_deref(), &[], target)?;
    let staged = Staged::folder(target, flags.force.force || ownership::is_demo(target))?;
    let folder = staged.path();
    let mut log = Log::create(None, globals.log_json.as_deref())?;

    let planted = Planted::grow("world", globals.seed, DOCUMENTS)?;
    planted.write(&folder.join("planted"))?;
    let corpus = encode(&folder)?;
    let mut model = |task, name: &str| -> Outcome<Model> {
        let config = TrainConfig {
            task,
            dim: DIM,
            epochs: Some(EPOCHS),
            threads: globals.threads(),
            seed: globals.seed,
            ..TrainConfig::default()
        };
        let mut trainer = Trainer::new(&config, &corpus.vocabulary, &corpus.dataset)?;
        let summary =
            training::learn(|observer| trainer.run(observer), Work::words(config.workers()), None, globals, &mut log)?;
        let vectors = trainer.finish()?;
        native::Native.write(&vectors, &folder.join(name).join(native::FILE))?;
        let mut analogies = Analogy::default().run(&vectors, &folder.join("planted/questions.txt"))?;
        let similarity = Similarity::default().run(&vectors, &folder.join("planted/similarity.tsv"))?;
        // The folder's present name is a temporary one.
        analogies.file = target.join("planted/questions.txt").display().to_string();
        Ok(Model { vectors, summary, analogies, similarity })
    };
    let models = Models { skipgram: model(Task::SkipGram, "skipgram")?, cbow: model(Task::Cbow, "cbow")? };
    let again = EncodedCorpus::open(&folder.join("corpus"))?;
    let documents = Documents::learn(again, &folder.join("autoencoder"), globals, &mut log)?;
    draw(&models.skipgram.vectors, &planted, &folder.join("map.png"))?;
    if let Some(clusters) = &documents.clusters {
        clusters.draw(&documents.codes, &folder.join("documents.png"), &folder.join("documents.html"), globals)?;
    }

    let report = Report {
        output: target,
        seconds: started.elapsed().as_secs_f64(),
        documents: planted.documents.len(),
        skipgram: models.skipgram.scores(),
        cbow: models.cbow.scores(),
        autoencoder: DocumentScores {
            same_label: documents.same_label,
            chance: documents.chance,
            nmi: documents.clusters.as_ref().map(|clusters| clusters.nmi),
            train: &documents.summary,
        },
        files: FILES.map(|(name, _)| target.join(name)).into(),
    };
    let text = serde_json::to_string_pretty(&report).map_err(|error| Error::Backend { source: Box::new(error) })?;
    let mut file = AtomicFile::create(&folder.join(REPORT))?;
    file.write(text.as_bytes())?;
    file.commit()?;
    staged.commit()?;
    if globals.json { output::json(&report) } else { story::tell(&planted, &corpus, &models, &documents, &report) }
}

impl Model {
    fn scores(&self) -> Scores<'_> {
        Scores { analogies: &self.analogies, spearman: self.similarity.correlation.spearman, train: &self.summary }
    }
}

/// The text as an encoded corpus, with the ids and labels of its documents.
fn encode(folder: &Path) -> Outcome<EncodedCorpus> {
    let field = |name: &str| Some(name.to_owned());
    let options = DocumentOptions {
        format: DocumentFormat::Tsv,
        text_field: field("text"),
        label_field: field("label"),
        id_field: field("id"),
        ..DocumentOptions::default()
    };
    let corpus = Corpus::open(&[folder.join("planted/documents.tsv")], &options)?;
    let tokenizer = Tokenizer::new("words", None)?;
    let corpus_folder = folder.join("corpus");
    Ok(EncodedCorpus::build(&corpus, &tokenizer, &VocabularyConfig::default(), None, &corpus_folder, &mut |_| {})?)
}

/// A map of some words by their two principal components, each kind of word in its colour.
fn draw(vectors: &Embeddings, planted: &Planted, path: &Path) -> Outcome {
    let (mut rows, mut labels, mut groups, mut names) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (section, place, name) in GROUPS {
        let questions =
            planted.analogies.iter().filter(|known| known.name == section).flat_map(|known| &known.questions);
        let mut words: Vec<&str> =
            questions.flat_map(|[a, b, c, d]| if place == 0 { [a, c] } else { [b, d] }).map(String::as_str).collect();
        words.sort_unstable();
        words.dedup();
        for word in words.into_iter().filter(|word| vectors.keys().find(word).is_some()).take(POINTS) {
            rows.extend_from_slice(vectors.row(word).unwrap_or_default());
            labels.push(word.to_owned());
            groups.push(names.len());
        }
        names.push(name.to_owned());
    }
    let chosen = Matrix::from_vec(labels.len(), vectors.dim(), rows)?.normalized();
    let points = Pca { components: 2 }.fit(&chosen)?.transform(&chosen)?;
    let title = "Words of the planted corpus, by the two main directions of their vectors";
    plot::scatter(&points, &labels, &groups, &names, title, path)?;
    Ok(())
}
