//! The flags that every command knows.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ArgMatches;
use clap::parser::ValueSource;

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
    /// Append every progress report as a line of JSON to a new file
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
}

impl Typed {
    /// Looks up what was typed for the innermost command.
    pub fn new(root: &clap::Command, matches: &ArgMatches, arguments: &[OsString]) -> Self {
        let (mut command, mut matches) = (root, matches);
        while let Some((name, inner)) = matches.subcommand() {
            let Some(found) = command.find_subcommand(name) else { break };
            (command, matches) = (found, inner);
        }
        let spelt = |long: &str| {
            arguments.iter().any(|argument| {
                let text = argument.to_string_lossy();
                text.strip_prefix("--").is_some_and(|rest| rest.split('=').next() == Some(long))
            })
        };
        let given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
        let flags = command
            .get_arguments()
            .filter(|argument| given(argument.get_id().as_str()))
            .filter_map(|argument| argument.get_long())
            .filter(|long| spelt(long))
            .map(str::to_owned)
            .collect();
        Self { flags }
    }

    /// Refuses a flag that was typed and would change nothing.
    pub fn refuse(&self, flag: &str, why: &str) -> Outcome {
        if self.flags.iter().any(|typed| typed == flag) {
            return Err(Failure::usage(format!("--{flag}: has no effect, since {why}")));
        }
        Ok(())
    }
}
