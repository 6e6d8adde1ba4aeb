//! `--config FILE`: a TOML file becomes arguments placed before the typed ones, so that the last one wins.
//!
//! A key is a flag's name without its dashes, `_` and `-` alike. The table `[run]` of a run's own `config.toml` tells
//! what was trained and on what; it is no setting and is passed over.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::{ArgAction, Command};
use firth::Error;

use crate::failure::{Failure, Outcome, Reading, nearest_name};
use crate::progress::warn;

/// The table of a run's `config.toml` that holds no settings.
pub const RUN_TABLE: &str = "run";

/// Flags that stand before the command and take a value, which must not be mistaken for the command.
pub const GLOBAL_WITH_VALUE: [&str; 4] = ["--threads", "--seed", "--log-json", "--config"];

/// The arguments with those of all `--config` files put behind the command's name.
pub fn expand(root: &Command, arguments: Vec<OsString>) -> Outcome<Vec<OsString>> {
    let files = config_files(&arguments);
    if files.is_empty() {
        return Ok(arguments);
    }
    let (command, position) = find_command(root, &arguments);
    let mut added = Vec::new();
    for file in files {
        added.extend(file_arguments(Path::new(&file), command)?);
    }
    let mut out = arguments;
    out.splice(position..position, added);
    Ok(out)
}

/// The long flags of a command and of all commands below it, without dashes.
pub fn flag_names(command: &Command) -> Vec<String> {
    let own = command.get_arguments().filter_map(clap::Arg::get_long).map(str::to_owned);
    let mut names: Vec<String> = own.chain(command.get_subcommands().flat_map(flag_names)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn config_files(arguments: &[OsString]) -> Vec<OsString> {
    let mut files = Vec::new();
    let mut all = arguments.iter().take_while(|argument| *argument != "--");
    while let Some(argument) = all.next() {
        if argument == "--config" {
            files.extend(all.next().cloned());
        } else if let Some(file) = argument.to_str().and_then(|text| text.strip_prefix("--config=")) {
            files.push(file.into());
        }
    }
    files
}

/// The innermost command named by the arguments, and the position behind its name.
pub fn find_command<'a>(root: &'a Command, arguments: &[OsString]) -> (&'a Command, usize) {
    let (mut command, mut position) = (root, 0);
    let mut all = arguments.iter().map(OsString::as_os_str).enumerate();
    while let Some((at, argument)) = all.next() {
        if GLOBAL_WITH_VALUE.iter().any(|flag| argument == OsStr::new(flag)) {
            all.next();
        } else if let Some(found) = command.find_subcommand(argument) {
            (command, position) = (found, at + 1);
        }
    }
    (command, position)
}

/// Refuses flags that say two things at once, which the parser would settle by taking the last.
pub fn refuse_contradictions(arguments: &[OsString]) -> Outcome {
    let typed: Vec<_> =
        arguments.iter().take_while(|argument| *argument != "--").map(|a| a.to_string_lossy()).collect();
    let has = |flag: &str| typed.iter().any(|argument| argument == flag);
    if has("--lowercase") && has("--no-lowercase") {
        return Err(Failure::usage("--lowercase cannot be used with --no-lowercase"));
    }
    let output = |at: usize| match &*typed[at] {
        "-o" | "--output" => typed.get(at + 1).map(|value| value.as_ref()),
        flag => flag.strip_prefix("--output=").or_else(|| flag.strip_prefix("-o=")),
    };
    let mut outputs: Vec<&str> = (0..typed.len()).filter_map(output).collect();
    outputs.dedup();
    match outputs[..] {
        [one, other, ..] => Err(Failure::usage(format!("two outputs, '{one}' and '{other}'; give one -o"))),
        _ => Ok(()),
    }
}

/// Names the settings file from which a wrong value came, if it was not typed.
pub fn with_origin(failure: Failure, arguments: &[OsString]) -> Failure {
    let message = match &failure {
        Failure::Usage(message) => message.clone(),
        Failure::Library(error @ Error::Config { .. }) => error.to_string(),
        _ => return failure,
    };
    let Some(name) = message.strip_prefix("--").and_then(|rest| rest.split([' ', ':', '=']).next()) else {
        return failure;
    };
    let is_typed = |argument: &OsString| {
        argument
            .to_str()
            .and_then(|text| text.strip_prefix("--"))
            .is_some_and(|text| text.split('=').next() == Some(name))
    };
    if arguments.iter().take_while(|argument| *argument != "--").any(is_typed) {
        return failure;
    }
    let sets = |file: &OsString| {
        let table = std::fs::read_to_string(file).ok().and_then(|text| text.parse::<toml::Table>().ok());
        table.is_some_and(|table| table.keys().any(|key| key.replace('_', "-") == name))
    };
    match config_files(arguments).into_iter().rev().find(sets) {
        Some(file) => Failure::usage(format!("{}: {message}", Path::new(&file).display())),
        None => failure,
    }
}

fn file_arguments(file: &Path, command: &Command) -> Outcome<Vec<OsString>> {
    let text = std::fs::read_to_string(file).map_err(|source| Error::io(file, source)).reading()?;
    let table: toml::Table = toml::from_str(&text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let line = text[..at.min(text.len())].matches('\n').count() as u64 + 1;
        Failure::Input(Error::line(file, line, format!("not TOML: {}; write lines such as dim = 100", error.message())))
    })?;
    if let Some(task) = table.get(RUN_TABLE).and_then(|run| run.get("task")).and_then(toml::Value::as_str)
        && task != command.get_name()
    {
        let (file, name) = (file.display(), command.get_name());
        warn(format_args!("{file}: settings of a {task} run, used for {name}; its learning rate may not fit"));
    }
    let mut arguments = Vec::new();
    for (key, value) in table.iter().filter(|(key, _)| *key != RUN_TABLE) {
        arguments.extend(setting(file, command, key, value)?);
    }
    Ok(arguments)
}

fn setting(file: &Path, command: &Command, key: &str, value: &toml::Value) -> Outcome<Option<OsString>> {
    let name = key.replace('_', "-");
    let known = || command.get_arguments().filter(|argument| !argument.is_positional());
    let find = |name: &str| known().find(|argument| argument.get_long() == Some(name));
    let Some(argument) = find(&name) else {
        let hint = nearest_name(&name, known().filter_map(clap::Arg::get_long));
        let hint = hint.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default();
        let name = command.get_bin_name().unwrap_or("firth");
        let message = format!("{}: {key:?} is no setting of '{name}'{hint}", file.display());
        return Err(Failure::usage(message));
    };
    let is_switch = matches!(argument.get_action(), ArgAction::SetTrue);
    let text = match value {
        toml::Value::Boolean(true) if is_switch => return Ok(Some(format!("--{name}").into())),
        toml::Value::Boolean(false) if is_switch => {
            let opposite = format!("no-{name}");
            return Ok(find(&opposite).map(|_| format!("--{opposite}").into()));
        }
        toml::Value::String(text) => text.clone(),
        // No value at all is what a list has unless told otherwise.
        toml::Value::Array(items) if items.is_empty() => return Ok(None),
        toml::Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        toml::Value::Table(_) => {
            let message = format!("{}: {key:?} is a table, expected one value", file.display());
            return Err(Failure::usage(message));
        }
        other => other.to_string(),
    };
    Ok(Some(format!("--{name}={text}").into()))
}

fn plain(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Command {
        let dim = clap::Arg::new("dim").long("dim");
        let strict = clap::Arg::new("strict").long("strict").action(ArgAction::SetTrue);
        Command::new("firth").subcommand(Command::new("train").subcommand(Command::new("cbow").args([dim, strict])))
    }

    fn expanded(toml: &str) -> Outcome<Vec<String>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("a.toml");
        std::fs::write(&file, toml)?;
        let line = ["--threads", "2", "train", "cbow", "x", "--config"].map(OsString::from);
        let arguments = line.into_iter().chain([file.clone().into_os_string()]).collect();
        let all = expand(&command(), arguments)?;
        let all: Vec<String> = all.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
        Ok(all[4..all.len() - 3].to_vec())
    }

    #[test]
    fn settings_stand_behind_the_command() -> Outcome {
        assert_eq!(expanded("dim = 7\nstrict = true\n[run]\ntask = \"cbow\"\n")?, ["--dim=7", "--strict"]);
        assert_eq!(expanded("strict = false\ndim = []\n")?, [""; 0]);
        Ok(())
    }

    #[test]
    fn unknown_settings_and_broken_files_are_refused() {
        let message = |toml| expanded(toml).expect_err("a refusal").to_string();
        assert!(message("dimm = 7").contains("did you mean \"dim\"?"), "{}", message("dimm = 7"));
        assert!(message("dim = 7\ndim").contains("line 2: not TOML"), "{}", message("dim = 7\ndim"));
    }
}
