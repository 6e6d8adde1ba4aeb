//! Text as input: the flags that say how to read it, and the encoding of it with a line of progress.

use std::path::{Path, PathBuf};

use firth::corpus::{Corpus, DocumentOptions};
use firth::dataset::{BuildProgress, EncodedCorpus};
use firth::tokenizer::Tokenizer;
use firth::vocabulary::{Vocabulary, VocabularyConfig};

use crate::failure::{Outcome, Reading};
use crate::globals::{Globals, Typed};
use crate::progress::{Log, Meter, clock, memory_now, short, thousands};

/// How text becomes words.
#[derive(Debug, clap::Args)]
pub struct TextFlags {
    #[command(flatten)]
    documents: DocumentOptions,
    #[command(flatten)]
    tokens: TokenFlags,
    #[command(flatten)]
    vocabulary: VocabularyConfig,
    /// Use the words and counts of an earlier vocabulary.safetensors, corpus or run
    #[arg(long = "vocabulary", value_name = "PATH", help_heading = "Vocabulary")]
    given: Option<PathBuf>,
}

/// How a line becomes tokens.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Tokens")]
struct TokenFlags {
    /// words (of any script, lower-cased), whitespace (text that is tokenised already), or the path of a Hugging Face
    /// tokenizer.json
    #[arg(long, value_name = "NAME|PATH", default_value = "words")]
    tokenizer: String,
    /// Lower-case the text first [default: with words only]
    #[arg(long, overrides_with = "no_lowercase")]
    lowercase: bool,
    /// Keep upper case
    #[arg(long, overrides_with = "lowercase")]
    no_lowercase: bool,
}

/// The flags above, by name, for input that is encoded already.
const NAMES: [&str; 11] = [
    "format", "text-field", "label-field", "id-field", "strict", "tokenizer", "lowercase", "no-lowercase", "min-count",
    "max-vocabulary", "vocabulary",
];

impl TextFlags {
    /// Refuses these flags for input whose words are encoded already.
    pub fn refuse(typed: &Typed, corpus: &Path) -> Outcome {
        let why = format!("{} is encoded already; give the text itself or drop the flag", corpus.display());
        NAMES.iter().try_for_each(|name| typed.refuse(name, &why))
    }

    /// Reads the text twice and writes it, encoded, into a folder.
    pub fn build(&self, inputs: &[PathBuf], folder: &Path, globals: &Globals, log: &mut Log) -> Outcome<EncodedCorpus> {
        let lowercase = match (self.tokens.lowercase, self.tokens.no_lowercase) {
            (false, false) => None,
            (lowercase, _) => Some(lowercase),
        };
        let tokenizer = Tokenizer::new(&self.tokens.tokenizer, lowercase).reading()?;
        let given = self.given.as_deref().map(read_vocabulary).transpose()?;
        let corpus = Corpus::open(inputs, &self.documents).reading()?;
        let mut meter = Meter::new(globals);
        let mut show = |progress: BuildProgress| {
            meter.show(|| line(&progress));
            let _ = &log;
        };
        let built = EncodedCorpus::build(&corpus, &tokenizer, &self.vocabulary, given, folder, &mut show);
        meter.clear();
        Ok(built?)
    }
}

/// The vocabulary in a file, or of a corpus or run folder.
fn read_vocabulary(path: &Path) -> Outcome<Vocabulary> {
    let file = if path.is_dir() { path.join("vocabulary.safetensors") } else { path.to_owned() };
    Vocabulary::open(&file).reading()
}
