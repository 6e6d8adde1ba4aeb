//! Text as input: the flags that say how to read it, and the encoding of it with a line of progress.

use std::path::{Path, PathBuf};
use std::time::Instant;

use firth::corpus::{Corpus, DocumentOptions, Omitted};
use firth::dataset::{BuildProgress, CorpusReport, EncodedCorpus, Pass};
use firth::io::Container;
use firth::tokenizer::Tokenizer;
use firth::vocabulary::{Given, Vocabulary, VocabularyConfig};

use crate::failure::{Outcome, Reading};
use crate::globals::{Globals, Typed};
use crate::progress::{self, Log, Meter, counted, memory_now, short, size, thousands};
use crate::run_folder::VOCABULARY;
use crate::staged::Staged;
use crate::{blocks, model, signals};

/// How text becomes words.
#[derive(Debug, clap::Args)]
pub struct TextFlags {
    #[command(flatten)]
    documents: DocumentOptions,
    #[command(flatten)]
    tokens: TokenFlags,
    #[command(flatten)]
    vocabulary: VocabularyConfig,
    /// Use the words, counts and phrases of an earlier corpus, run, vocabulary.safetensors or file of vectors with counts
    #[arg(long = "vocabulary", value_name = "PATH", help_heading = "Vocabulary")]
    given: Option<PathBuf>,
}

/// How a line becomes tokens.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Tokens")]
pub struct TokenFlags {
    /// words (of any script, lower-cased), whitespace (text that is tokenised already), or the path of a Hugging Face
    /// tokenizer.json [default: that of an earlier run, else words]
    #[arg(long, value_name = "NAME|PATH")]
    tokenizer: Option<String>,
    /// Lower-case the text first [default: with words only]
    #[arg(long, overrides_with = "no_lowercase")]
    lowercase: bool,
    /// Keep upper case
    #[arg(long, overrides_with = "lowercase")]
    no_lowercase: bool,
}

impl TokenFlags {
    /// The flags above, by name.
    pub const NAMES: [&str; 3] = ["tokenizer", "lowercase", "no-lowercase"];

    /// What the flags say; `lowercase` is what `words` does unless they tell.
    pub fn tokenizer(&self, lowercase: Option<bool>) -> Outcome<Tokenizer> {
        let spec = self.tokenizer.as_deref().unwrap_or("words");
        let usual = if spec == "words" { lowercase } else { None };
        Tokenizer::new(spec, self.case().or(usual)).reading()
    }

    fn case(&self) -> Option<bool> {
        match (self.lowercase, self.no_lowercase) {
            (false, false) => None,
            (lowercase, _) => Some(lowercase),
        }
    }
}

/// The flags that say what a document is, by name.
pub const DOCUMENTS: [&str; 7] = ["format", "text-field", "label-field", "id-field", "header", "strict", "lenient"];

/// The flags above, by name, for input that is encoded already.
pub const NAMES: [&str; 18] = [
    "format",
    "text-field",
    "label-field",
    "id-field",
    "header",
    "strict",
    "lenient",
    "tokenizer",
    "lowercase",
    "no-lowercase",
    "min-count",
    "max-vocabulary",
    "vocabulary",
    "phrases",
    "phrase-score",
    "phrase-threshold",
    "phrase-min-count",
    "phrase-delta",
];

/// The flags that say which words are joined to phrases, by name.
pub const PHRASES: [&str; 5] = ["phrases", "phrase-score", "phrase-threshold", "phrase-min-count", "phrase-delta"];

impl TextFlags {
    /// Refuses these flags for input that is no text, and says why.
    pub fn refuse(typed: &Typed, why: &str) -> Outcome {
        NAMES.iter().try_for_each(|name| typed.refuse(name, why))
    }

    /// Refuses flags that would change nothing beside words that were chosen before.
    pub fn check(&self, typed: &Typed) -> Outcome {
        if self.given.is_none() {
            return Ok(());
        }
        ["min-count", "max-vocabulary"]
            .iter()
            .try_for_each(|flag| typed.refuse(flag, "--vocabulary brings its own words"))?;
        PHRASES.iter().try_for_each(|flag| typed.refuse(flag, "--vocabulary brings its own phrases"))
    }

    /// Why they are refused for an encoded corpus.
    pub fn is_encoded(corpus: &Path) -> String {
        format!("{} is encoded already; give the text itself or drop the flag", corpus.display())
    }

    /// Finds the text and what cuts it into words: `otherwise`, unless a flag says what.
    pub fn open(&self, inputs: &[PathBuf], staged: &Staged, otherwise: Option<Tokenizer>) -> Outcome<Text> {
        // What can be read only once is copied; the copy too must go on Ctrl-C. The setting is refused the second time.
        let _ = tempfile::env::override_temp_dir(&staged.scratch()?);
        let tokenizer = match (otherwise, &self.tokens.tokenizer) {
            (Some(tokenizer), None) if self.tokens.case().is_none() => tokenizer,
            _ => self.tokens.tokenizer(None)?,
        };
        Ok(Text { corpus: Corpus::open(inputs, &self.documents).reading()?, tokenizer })
    }

    /// Reads the text and writes it, encoded, into a folder; `given` are the words to use, before those of a flag.
    pub fn encode(
        &self,
        text: &Text,
        given: Option<Given>,
        folder: &Path,
        globals: &Globals,
        log: &mut Log,
    ) -> Outcome<EncodedCorpus> {
        let given = match (given, &self.given) {
            (None, Some(path)) => Some(Given { vocabulary: read_vocabulary(path)?, grows: false }),
            (given, _) => given,
        };
        let mut meter = Meter::new(globals);
        let (mut failure, started) = (None, Instant::now());
        let mut watch = |built: BuildProgress<'_>| {
            let seconds = started.elapsed().as_secs_f64();
            meter.show(|| line(&built, seconds));
            failure = failure.take().or_else(|| log.report(progress::BUILD, &logged(&built, seconds)).err());
            if failure.is_some() || signals::interrupted() {
                built.interrupt();
            }
        };
        let built = signals::polled(|| {
            EncodedCorpus::build(&text.corpus, &text.tokenizer, &self.vocabulary, given, folder, &mut watch)
        });
        meter.clear();
        if let Some(failure) = failure {
            return Err(failure);
        }
        let built = built?;
        let CorpusReport { omitted_records: records, first_omitted: first, .. } = built.report().clone();
        blocks::warn_of_omitted(&Omitted { records, first }, text.corpus.has_ids());
        Ok(built)
    }
}

/// Text that was found but not yet read.
pub struct Text {
    corpus: Corpus,
    tokenizer: Tokenizer,
}

fn line(progress: &BuildProgress<'_>, seconds: f64) -> String {
    let name = match progress.pass {
        Pass::Count => "counting words",
        Pass::Join => "joining phrases",
        Pass::Encode => "encoding",
    };
    let part = 100.0 * progress.done as f64 / progress.total.max(1) as f64;
    let (words, rate) = (short(progress.tokens as f64), size((progress.done as f64 / seconds.max(1e-9)) as u64));
    format!("{name}  {part:.1}%  {words} words  {rate}/s{}", memory_now())
}

fn logged(progress: &BuildProgress<'_>, seconds: f64) -> serde_json::Value {
    let BuildProgress { pass, done, total, tokens, .. } = progress;
    serde_json::json!({"pass": pass, "done": done, "total": total, "tokens": tokens, "seconds": seconds})
}

/// What a corpus holds and what was dropped on the way, as names and values.
pub fn summary(report: &CorpusReport) -> Vec<[String; 2]> {
    let mut lines = vec![
        ("documents", thousands(report.documents)),
        ("sentences", thousands(report.sentences)),
        ("tokens", thousands(report.tokens)),
        ("distinct words", thousands(report.types)),
        ("tokens kept", thousands(report.tokens_kept)),
        // Words of an earlier vocabulary need not occur in the text.
        ("vocabulary", counted(report.vocabulary, "word", "words")),
    ];
    if !report.phrases.is_empty() {
        let passes: Vec<String> = report.phrases.iter().map(|&pairs| thousands(pairs)).collect();
        let joined = counted(report.tokens_joined, "token", "tokens");
        lines.push(("phrases", format!("{} ({joined} joined to the one before)", passes.join(" + "))));
    }
    let dropped = [
        (
            "dropped",
            report.tokens_dropped(),
            "token of words outside the vocabulary",
            "tokens of words outside the vocabulary",
        ),
        ("dropped", report.empty_documents, "document without words", "documents without words"),
        ("left out", report.omitted_records, "record at fault", "records at fault"),
        ("replaced", report.invalid_utf8, "invalid UTF-8 sequence, by U+FFFD", "invalid UTF-8 sequences, by U+FFFD"),
        ("skipped", report.hidden_files, "hidden file", "hidden files"),
    ];
    let dropped = dropped.iter().filter(|(_, count, ..)| *count > 0);
    lines.extend(dropped.map(|(name, count, one, many)| (*name, counted(*count, one, many))));
    // An encoded corpus does not keep how long it took.
    if report.seconds > 0.0 {
        let rate = size((report.bytes_in as f64 / report.seconds) as u64);
        lines.push(("encoding speed", format!("{rate}/s of text, {:.1} s", report.seconds)));
    }
    lines.into_iter().map(|(name, value)| [name.to_owned(), value]).collect()
}

/// A word as a shell takes it.
pub fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "_./:@%+,=-".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The vocabulary in a file, of a corpus or run folder, or of vectors.
fn read_vocabulary(path: &Path) -> Outcome<Vocabulary> {
    let within = path.join(VOCABULARY);
    let file = if within.is_file() { &within } else { path };
    let is_one = |container: Container| container.kind() == Some("vocabulary");
    if within.is_file() || Container::open(file).is_ok_and(is_one) {
        return Vocabulary::open(file).reading();
    }
    let words = model::read(file)?;
    model::vocabulary(file, &words, model::segmenter(file, &words)?.as_ref())
}
