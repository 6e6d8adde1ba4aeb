//! What ends a command early, its exit code, and its one message.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use firth::error::suggestion;
use firth::vocabulary::Keys;

/// Why a command did not end well.
#[derive(Debug)]
pub enum Failure {
    /// The library refused.
    Library(firth::Error),
    /// The library refused what it was given to read.
    Input(firth::Error),
    /// The command line asks for something that does not exist or does not fit.
    Usage(String),
    /// The machine lacks what the work needs.
    Lacking(String),
    /// Some of several queries could not be answered; each was reported when it was met.
    Queries(usize),
    /// Standard output could not be written.
    Output(std::io::Error),
    /// The reader of our output has seen enough: a success.
    Pipe,
}

/// What a command returns.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// Wrong usage, with the remedy in the message.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// A name that the input does not hold, with the nearest that it does; `kind` is what it would be the name of.
    pub fn unknown(name: &str, kind: &str, input: &str, known: &Keys) -> Self {
        Self::usage(format!("{name:?} is no {kind} in {input}{}", suggestion(&known.nearest(name, 3))))
    }

    /// Does it ask for something that does not exist or does not fit?
    pub fn is_usage(&self) -> bool {
        self.exit_code() == 2
    }

    /// The process's exit code, as the command-line page fixes it.
    pub fn exit_code(&self) -> u8 {
        use firth::Error;
        match self {
            Self::Pipe => 0,
            Self::Output(_) | Self::Lacking(_) => 1,
            Self::Usage(_) | Self::Queries(_) => 2,
            Self::Input(Error::Io { .. }) => 3,
            Self::Library(error) | Self::Input(error) => match error {
                Error::Config { .. } | Error::UnknownKey { .. } | Error::Unsupported { .. } => 2,
                Error::Parse { .. } | Error::Data { .. } | Error::Mismatch { .. } => 3,
                Error::Diverged { .. } => 4,
                Error::Interrupted => 130,
                _ => 1,
            },
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Library(error) | Self::Input(error) => error.fmt(f),
            Self::Usage(message) | Self::Lacking(message) => f.write_str(message),
            Self::Queries(count) => write!(f, "{count} of the queries could not be answered, see above"),
            Self::Output(error) => write!(f, "standard output: {error}"),
            Self::Pipe => f.write_str("nobody reads the output any more"),
        }
    }
}

impl From<firth::Error> for Failure {
    fn from(error: firth::Error) -> Self {
        Self::Library(error)
    }
}

/// Input and output errors that carry no path are those of standard output.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::Pipe,
            _ => Self::Output(error),
        }
    }
}

/// Marks an error as one of reading: a file that cannot be read is bad input, not a failure of ours.
pub trait Reading<T> {
    /// The same result, with errors marked.
    fn reading(self) -> Outcome<T>;
}

impl<T> Reading<T> for firth::Result<T> {
    fn reading(self) -> Outcome<T> {
        self.map_err(Failure::Input)
    }
}

/// The known name that is spelt most like `name`.
pub fn nearest_name<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let known: Keys = known.into_iter().collect();
    // Of a very short name every other is near.
    if name.chars().count() < 3 { None } else { known.nearest(name, 1).pop() }
}

/// Clap's complaint as one message in our words: what is wrong, the nearest right thing, where help is.
pub fn usage_message(error: &clap::Error, command: &clap::Command) -> String {
    let name = command.get_bin_name().unwrap_or("firth");
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) if !texts.is_empty() => Some(texts.join(", ")),
        _ => None,
    };
    let near = |typed: &str, known: &mut dyn Iterator<Item = &str>| {
        let near = nearest_name(typed.trim_start_matches('-'), known);
        near.map(|name| format!("; did you mean '{}{name}'?", if typed.starts_with('-') { "--" } else { "" }))
    };
    let argument = text(ContextKind::InvalidArg).unwrap_or_default();
    let message = match error.kind() {
        ErrorKind::UnknownArgument => {
            let kind = if argument.starts_with('-') { "unknown flag" } else { "unexpected argument" };
            let hint = near(&argument, &mut command.get_arguments().filter_map(clap::Arg::get_long));
            let hint = hint.filter(|_| argument.starts_with("--")).unwrap_or_default();
            format!("{kind} '{argument}'{hint}")
        }
        ErrorKind::InvalidSubcommand => {
            let name = text(ContextKind::InvalidSubcommand).unwrap_or_default();
            let known: Vec<&str> =
                command.get_subcommands().map(clap::Command::get_name).filter(|&name| name != "help").collect();
            let hint = near(&name, &mut known.iter().copied()).unwrap_or_default();
            format!("unknown command '{name}'{hint} (choose one of {})", known.join(", "))
        }
        ErrorKind::InvalidValue => {
            let value = text(ContextKind::InvalidValue).unwrap_or_default();
            let choices = text(ContextKind::ValidValue);
            let found = if value.is_empty() { "needs a value".into() } else { format!("unknown value '{value}'") };
            let hint = choices.map(|choices| match near(&value, &mut choices.split(", ")) {
                None => format!("; choose one of {choices}"),
                Some(hint) => format!("{hint} (choose one of {choices})"),
            });
            let hint = hint.unwrap_or_default();
            format!("{argument}: {found}{hint}")
        }
        ErrorKind::ValueValidation => {
            let value = text(ContextKind::InvalidValue).unwrap_or_default();
            let reason = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            format!("{argument}: wrong value '{value}'; {}", expected(&reason, &argument, command))
        }
        ErrorKind::MissingRequiredArgument => format!("missing {argument}"),
        ErrorKind::MissingSubcommand => {
            let known = text(ContextKind::ValidSubcommand).unwrap_or_default();
            format!("'{name}' needs a command: {known}")
        }
        ErrorKind::ArgumentConflict => {
            let other = text(ContextKind::PriorArg).unwrap_or_default();
            format!("{argument} cannot be used with {other}")
        }
        _ => {
            let rendered = error.render().to_string();
            let first = rendered.lines().next().unwrap_or_default();
            first.strip_prefix("error: ").unwrap_or(first).to_owned()
        }
    };
    format!("{message} (see '{name} --help')")
}

/// What a number's parser says, in words, with the range that the flag's help gives.
fn expected(reason: &str, argument: &str, command: &clap::Command) -> String {
    if let Some((low, high)) = reason.split_once(" is not in ").and_then(|(_, range)| range.split_once("..=")) {
        return format!("expected a whole number from {low} to {high}");
    }
    let kind = match reason {
        _ if reason.contains("digit found") || reason.contains("number too") || reason.contains("parse integer") => {
            "a whole number"
        }
        _ if reason.contains("float") => "a number",
        _ => return reason.to_owned(),
    };
    let long = argument.trim_start_matches('-').split(' ').next();
    let flag = command.get_arguments().find(|flag| flag.get_long() == long);
    let help = flag.and_then(clap::Arg::get_help).map(ToString::to_string).unwrap_or_default();
    let ranges = help.split('[').skip(1).filter_map(|part| part.split_once(']'));
    let range = ranges.map(|(range, _)| range).find(|range| range.contains(" to ") || range.starts_with("above"));
    match range {
        Some(range) if range.starts_with("above") => format!("expected {kind} {range}"),
        Some(range) => format!("expected {kind} from {range}"),
        None => format!("expected {kind}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_follow_the_page() {
        let io = || firth::Error::io("a", std::io::Error::other("no"));
        assert_eq!(Failure::from(io()).exit_code(), 1);
        assert_eq!(Failure::Input(io()).exit_code(), 3);
        assert_eq!(Failure::from(firth::Error::config("--dim", "0")).exit_code(), 2);
        assert_eq!(Failure::Input(firth::Error::line("a", 1, "x")).exit_code(), 3);
        let cause = firth::error::Divergence::NotFinite;
        assert_eq!(Failure::from(firth::Error::Diverged { epoch: 1, tokens: 2, lr: 3.0, cause }).exit_code(), 4);
        assert_eq!(Failure::from(firth::Error::Interrupted).exit_code(), 130);
        assert_eq!(Failure::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe)).exit_code(), 0);
    }

    #[test]
    fn the_nearest_name_is_suggested() {
        assert_eq!(nearest_name("dimm", ["window", "dim"]).as_deref(), Some("dim"));
        assert_eq!(nearest_name("zzz", ["window", "dim"]), None);
        assert_eq!(nearest_name("x", ["w", "dim"]), None);
    }
}
