//! The command `firth`: parse, call the library, print.

mod aliases;
mod analogy;
mod anomaly;
mod blocks;
mod cluster;
mod clustering;
mod codes;
mod config;
mod convert;
mod corpus;
mod demo;
mod documents;
mod earlier;
mod embed;
mod embedder;
mod encoder;
mod eval;
mod failure;
mod globals;
mod info;
mod items;
mod listing;
mod maps;
mod model;
mod nearest;
mod odd;
mod output;
mod ownership;
mod place;
mod plan;
mod plot;
mod pooled;
mod process;
mod progress;
mod queries;
mod recommend;
mod reduce;
mod restore;
mod resume;
mod rows;
mod rules;
mod run_folder;
mod signals;
mod staged;
mod text;
mod train;
mod training;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use failure::{Failure, Outcome};
use globals::{Globals, Typed};

/// Learns vectors for words and documents from raw text, without labels.
#[derive(Debug, Parser)]
#[command(name = "firth", version, args_override_self = true, help_template = OVERVIEW, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    globals: Globals,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train, query and draw on a small built-in corpus, in well under a minute.
    Demo(demo::Flags),
    /// Encode text, look into an encoded corpus, generate a planted one.
    #[command(subcommand)]
    Corpus(corpus::Command),
    /// Learn vectors from text.
    #[command(subcommand)]
    Train(Box<train::Command>),
    /// Go on with a run that was stopped.
    Resume(resume::Flags),
    /// Print the words nearest to a word, or the documents nearest to a text.
    Nearest(nearest::Flags),
    /// Solve "A is to B as C is to what?".
    Analogy(analogy::Flags),
    /// Find the word that does not belong with the others.
    Odd(odd::Flags),
    /// Recommend items to users, from ratings or histories.
    Recommend(Box<recommend::Flags>),
    /// Find goods that are bought together, from baskets.
    Rules(rules::Flags),
    /// Tell which documents do not fit what an autoencoder has learnt, and which words are to blame.
    Anomaly(anomaly::Flags),
    /// Tell which words a document has lost and which do not belong; take noise out of a matrix.
    Restore(restore::Flags),
    /// Put documents, or words, into clusters, and tell what each is about.
    Cluster(Box<cluster::Flags>),
    /// Score vectors against questions, labels and human judgements.
    #[command(subcommand)]
    Eval(eval::Command),
    /// Print or save vectors of documents or words.
    Embed(embed::Flags),
    /// Draw a map of words or documents.
    Plot(plot::Flags),
    /// Make vectors of fewer numbers.
    Reduce(reduce::Flags),
    /// Turn a vector file into another format.
    Convert(convert::Flags),
    /// Tell what a model, vector file or corpus is.
    Info(info::Flags),
}

/// The overview: one screen, commands in the order in which one meets them.
const OVERVIEW: &str = "\
{about}

{usage-heading} firth COMMAND [ARGUMENTS] [FLAGS]

Start:
  demo       train, query and draw on a small built-in corpus, in well under a minute

Text:
  corpus     build: text to an encoded corpus; info: what is in it; generate: planted corpora

Learn:
  train      skipgram, cbow: vectors of words; autoencoder, pv-dbow, pv-dm: of documents
  resume     go on with a run that was stopped

Ask:
  nearest    the words nearest to a word; the documents nearest to a document or a text
  analogy    A is to B as C is to what?
  odd        the word that does not belong with the others
  recommend  items for users, from ratings or histories
  rules      goods that are bought together, from baskets
  cluster    which documents belong together, and what each cluster is about
  anomaly    which documents do not fit what an autoencoder has learnt, and the words to blame
  restore    words that a document has lost, words that do not belong; a matrix without its noise

Measure:
  eval       of words: analogy, similarity, categories, outlier; of texts: sentences, clusters, classify, retrieval

Use elsewhere:
  embed      vectors of new documents, or of chosen words
  plot       a map of words or documents: a picture, or a page to search in
  reduce     vectors of fewer numbers
  convert    a vector file in another format
  info       what a model, vector file or corpus is

Flags of every command:
{options}

Example:
  firth train skipgram text.txt -o run && firth nearest run king

'firth COMMAND --help' tells more.
";

fn main() -> ExitCode {
    match run(std::env::args_os().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        // What went wrong while stopping, a folder that is gone say, is of no interest.
        Err(_) if signals::interrupted() => {
            signals::announce();
            ExitCode::from(signals::INTERRUPTED)
        }
        Err(failure) => {
            if !matches!(failure, Failure::Pipe) {
                progress::tell(format_args!("firth: error: {failure}"));
            }
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(arguments: Vec<OsString>) -> Outcome {
    let mut root = Cli::command();
    root.build();
    let arguments = aliases::translate(&config::flag_names(&root), arguments)?;
    config::refuse_contradictions(&arguments)?;
    obey(&mut root, &arguments).map_err(|failure| run_folder::with_remedy(config::with_origin(failure, &arguments)))
}

fn obey(root: &mut clap::Command, arguments: &[OsString]) -> Outcome {
    let all = config::expand(root, arguments.to_vec())?;
    let all = std::iter::once("firth".into()).chain(all);
    let matches = match root.try_get_matches_from_mut(all) {
        Ok(matches) => matches,
        Err(error) => return complaint(&error, root, arguments),
    };
    let cli = Cli::from_arg_matches(&matches).map_err(|error| Failure::usage(error.to_string()))?;
    let typed = Typed::new(root, &matches, arguments);
    rayon::ThreadPoolBuilder::new()
        .num_threads(cli.globals.threads())
        .build_global()
        .map_err(|error| firth::Error::Backend { source: Box::new(error) })?;
    let globals = &cli.globals;
    if !matches!(cli.command, Command::Demo(_) | Command::Corpus(_) | Command::Train(_) | Command::Resume(_)) {
        typed.refuse("log-json", "only training and encoding report as they go")?;
    }
    match cli.command {
        Command::Demo(flags) => demo::run(&flags, globals),
        Command::Corpus(command) => corpus::run(&command, globals, &typed),
        Command::Train(command) => train::run(&command, globals, &typed),
        Command::Resume(flags) => resume::run(&flags, globals, &typed),
        Command::Nearest(flags) => nearest::run(&flags, globals),
        Command::Analogy(flags) => analogy::run(&flags, globals),
        Command::Odd(flags) => odd::run(&flags, globals),
        Command::Recommend(flags) => recommend::run(&flags, globals, &typed),
        Command::Rules(flags) => rules::run(&flags, globals, &typed),
        Command::Anomaly(flags) => anomaly::run(&flags, globals, &typed),
        Command::Restore(flags) => restore::run(&flags, globals, &typed),
        Command::Cluster(flags) => cluster::run(&flags, globals, &typed),
        Command::Eval(command) => eval::run(&command, globals, &typed),
        Command::Embed(flags) => embed::run(&flags, globals, &typed),
        Command::Plot(flags) => plot::run(&flags, globals, &typed),
        Command::Reduce(flags) => reduce::run(&flags, globals, &typed),
        Command::Convert(flags) => convert::run(&flags, globals),
        Command::Info(flags) => info::run(&flags, globals),
    }
}

/// Help and version go to standard output and are no failures; everything else is wrong usage.
fn complaint(error: &clap::Error, root: &clap::Command, arguments: &[OsString]) -> Outcome {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ok(error.print()?),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            progress::put(format_args!("{}", error.render()));
            let command = config::find_command(root, arguments).0.get_bin_name().unwrap_or("firth");
            Err(Failure::usage(format!("no command given (see '{command} --help')")))
        }
        _ => Err(Failure::usage(failure::usage_message(error, config::find_command(root, arguments).0))),
    }
}
