//! `firth corpus`: text to an encoded corpus, what is in one, and planted corpora.

use std::io::Write;
use std::path::PathBuf;

use firth::corpus::synthetic;
use firth::dataset::EncodedCorpus;
use serde_json::json;

use crate::failure::{Failure, Outcome};
use crate::globals::{Globals, Typed};
use crate::output::{self, OutputFlags, Results};
use crate::progress::{Log, size, thousands};
use crate::staged::Staged;
use crate::text::{self, TextFlags};
use crate::{place, queries};

/// Encoded corpora.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Encode text once, so that training and everything else starts at once.
    #[command(after_help = "Example:\n  firth corpus build texts/*.txt.gz -o corpus --min-count 10")]
    Build(Box<BuildFlags>),
    /// Tell how large a corpus is and which words are commonest.
    #[command(after_help = "Example:\n  firth corpus info corpus --top 20")]
    Info(InfoFlags),
    /// Write a planted corpus: text with the questions it answers.
    #[command(after_help = kinds_help())]
    Generate(GenerateFlags),
}

/// Flags of `corpus build`.
#[derive(Debug, clap::Args)]
pub struct BuildFlags {
    /// Text: files, folders, globs, - for standard input; .gz .zst .bz2 .xz too
    #[arg(value_name = "INPUT", required = true)]
    inputs: Vec<PathBuf>,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    text: TextFlags,
}

/// Flags of `corpus info`.
#[derive(Debug, clap::Args)]
pub struct InfoFlags {
    /// An encoded corpus, or a run that was trained from text
    #[arg(value_name = "CORPUS")]
    corpus: PathBuf,
    /// How many of the commonest words to list, and of the commonest phrases, from 1
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = queries::parse_top)]
    top: usize,
}

/// Flags of `corpus generate`.
#[derive(Debug, clap::Args)]
pub struct GenerateFlags {
    /// What is planted
    #[arg(value_name = "KIND")]
    kind: String,
    #[command(flatten)]
    output: OutputFlags,
}

/// Runs one of them.
pub fn run(command: &Command, globals: &Globals, typed: &Typed) -> Outcome {
    match command {
        Command::Build(flags) => build(flags, globals, typed),
        Command::Info(flags) => info(flags, globals),
        Command::Generate(flags) => generate(flags, globals),
    }
}

fn build(flags: &BuildFlags, globals: &Globals, typed: &Typed) -> Outcome {
    flags.text.check(typed)?;
    let target = &flags.output.output;
    place::check(target, "a corpus", &flags.inputs)?;
    place::check_log(globals.log_json.as_deref(), &flags.inputs, target)?;
    let staged = Staged::folder(target, flags.output.force.force)?;
    let mut log = Log::create(None, globals.log_json.as_deref())?;
    let text = flags.text.open(&flags.inputs, &staged, None)?;
    let corpus = flags.text.encode(&text, None, &staged.path(), globals, &mut log)?;
    log.report("done", corpus.report())?;
    staged.commit()?;
    if globals.json {
        return output::json(corpus.report());
    }
    if globals.quiet {
        return Ok(());
    }
    let mut results = Results::new();
    let output = ["output".to_owned(), target.display().to_string()];
    output::pairs(&mut results, text::summary(corpus.report()).into_iter().chain([output]))?;
    results.done()?;
    crate::progress::note(globals, format_args!("next: firth train skipgram {} -o run", target.display()));
    Ok(())
}

fn info(flags: &InfoFlags, globals: &Globals) -> Outcome {
    if flags.corpus.exists() && !EncodedCorpus::is_encoded(&flags.corpus) {
        let shown = flags.corpus.display();
        return Err(Failure::usage(format!(
            "{shown}: not an encoded corpus; make one with firth corpus build TEXT -o CORPUS"
        )));
    }
    let corpus = EncodedCorpus::open(&flags.corpus).map_err(|error| match error {
        firth::Error::Io { source, .. } => Failure::Input(firth::Error::io(&flags.corpus, source)),
        error => Failure::Input(error),
    })?;
    let vocabulary = &corpus.vocabulary;
    let commonest = || vocabulary.keys().iter().zip(vocabulary.counts().iter().copied()).take(flags.top);
    let phrases = || {
        let all = vocabulary.keys().iter().zip(vocabulary.counts().iter().copied());
        all.filter(|(word, _)| vocabulary.phrases().contains(word)).take(flags.top)
    };
    let report = corpus.report();
    let bytes = folder_bytes(&flags.corpus);
    if globals.json {
        let mut value = serde_json::to_value(report).map_err(|error| firth::Error::Backend { source: error.into() })?;
        if let serde_json::Value::Object(fields) = &mut value {
            let word = |(word, count): (&str, u64)| json!({"word": word, "count": count});
            fields.insert("commonest".into(), commonest().map(word).collect());
            if !vocabulary.phrases().is_empty() {
                fields.insert("commonest_phrases".into(), phrases().map(word).collect());
            }
            fields.insert("bytes_on_disk".into(), bytes.into());
        }
        return output::json(&value);
    }
    let mut results = Results::new();
    let size = ["size on disk".to_owned(), size(bytes)];
    output::pairs(&mut results, text::summary(report).into_iter().chain([size]))?;
    output::pairs(&mut results, commonest().chain(phrases()).map(|(word, count)| [word.to_owned(), thousands(count)]))?;
    results.done()
}

/// The bytes of the files in a folder.
fn folder_bytes(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| entry.metadata().ok()).filter(std::fs::Metadata::is_file).map(|file| file.len()).sum()
}

fn generate(flags: &GenerateFlags, globals: &Globals) -> Outcome {
    let known = synthetic::KINDS.iter().map(|kind| kind.name);
    if !known.clone().any(|name| name == flags.kind) {
        let hint = crate::failure::nearest_name(&flags.kind, known.clone());
        let hint = hint.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default();
        let all = known.collect::<Vec<_>>().join(", ");
        return Err(Failure::usage(format!("no planted corpus is called {:?}{hint} (there are {all})", flags.kind)));
    }
    let target = &flags.output.output;
    place::check(target, "a corpus", &[])?;
    let staged = Staged::folder(target, flags.output.force.force)?;
    let files = synthetic::generate(&flags.kind, globals.seed, &staged.path())?;
    staged.commit()?;
    let files: Vec<PathBuf> = files.iter().filter_map(|file| Some(target.join(file.file_name()?))).collect();
    if globals.json {
        return output::json(&json!({"kind": flags.kind, "seed": globals.seed, "output": target, "files": files}));
    }
    let mut results = Results::new();
    for file in files {
        writeln!(results, "{}", file.display())?;
    }
    results.done()
}

fn kinds_help() -> String {
    let mut help = String::from("Kinds:\n");
    for kind in synthetic::KINDS {
        help += &format!("  {:8} {}\n", kind.name, kind.about);
    }
    help + "\nExample:\n  firth corpus generate world -o planted"
}
