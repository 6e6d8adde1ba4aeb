//! The flags that every command knows.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches};

use crate::failure::{Failure, Outcome};

/// Flags of every command.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "General")]
pub struct Globals {
    /// Print the result as one JSON document
    #[arg(long, global = true)]
    pub json: bool,
    /// Threads to work with, 1 to 1024 [default: the machine's cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Where all random choices start from, any whole number from 0
    #[arg(long, global = true, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Say nothing on standard error but warnings and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Say more on standard error
    #[arg(long, short, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Write every progress report to a file, as a line of JSON each
    #[arg(long, global = true, value_name = "FILE")]
    pub log_json: Option<PathBuf>,
    /// Read settings from a TOML file, such as a run's config.toml; flags typed here win
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Vec<PathBuf>,
}

impl Globals {
    /// The number of threads to work with.
    pub fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.map_or_else(cores, usize::from)
    }
}

/// The flags on the command line itself, without those that a config file or a default gave.
pub struct Typed {
    flags: Vec<String>,
    settings: toml::Table,
}

/// Flags that say where results go and how they are told, not what they are.
const NO_SETTINGS: [&str; 9] = ["output", "force", "dry-run", "json", "quiet", "verbose", "log-json", "config", "help"];

impl Typed {
    /// Looks up what was typed for the innermost command.
    pub fn new(root: &clap::Command, matches: &ArgMatches, arguments: &[OsString]) -> Self {
        let (mut command, mut matches) = (root, matches);
        while let Some((name, inner)) = matches.subcommand() {
            let Some(found) = command.find_subcommand(name) else { break };
            (command, matches) = (found, inner);
        }
        let spelt = |flag: &clap::Arg| {
            arguments.iter().any(|argument| {
                let text = argument.to_string_lossy();
                let is_long = text.strip_prefix("--").is_some_and(|rest| rest.split('=').next() == flag.get_long());
                let starts_so = |short| text.strip_prefix('-').is_some_and(|rest| rest.starts_with(short));
                is_long || flag.get_short().is_some_and(starts_so)
            })
        };
        let given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
        let all = command.get_arguments().filter(|argument| given(argument.get_id().as_str()));
        let name = |argument: &clap::Arg| argument.get_long().map(str::to_owned);
        let flags = all.filter(|argument| spelt(argument)).filter_map(name).collect();
        let settings = command
            .get_arguments()
            .filter_map(|argument| Some((argument.get_long()?, setting(argument, matches)?)))
            .filter(|(long, _)| !NO_SETTINGS.contains(long))
            .map(|(long, value)| (long.to_owned(), value))
            .collect();
        Self { flags, settings }
    }

    /// All settings of the command, given or default, as a file for `--config` holds them.
    pub fn settings(&self) -> &toml::Table {
        &self.settings
    }

    /// Was a flag typed?
    pub fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|typed| typed == flag)
    }

    /// Refuses a flag that was typed and would change nothing.
    pub fn refuse(&self, flag: &str, why: &str) -> Outcome {
        if self.has(flag) {
            return Err(Failure::usage(format!("--{flag}: has no effect, since {why}")));
        }
        Ok(())
    }
}

/// A flag's value as TOML; nothing for a switch that is off and for a flag without a value.
fn setting(argument: &clap::Arg, matches: &ArgMatches) -> Option<toml::Value> {
    if matches!(argument.get_action(), ArgAction::SetTrue) {
        return matches.get_flag(argument.get_id().as_str()).then_some(true.into());
    }
    let text = matches.get_raw(argument.get_id().as_str())?.next_back()?.to_string_lossy();
    if let Ok(number) = text.parse() {
        return Some(toml::Value::Integer(number));
    }
    // A whole number beyond TOML's range keeps its digits as text.
    match text.parse() {
        Ok(number) if text.parse::<u64>().is_err() => Some(toml::Value::Float(number)),
        _ => Some(text.into_owned().into()),
    }
}
