//! The names that word2vec, fastText and gensim give to commands and flags, turned into ours before parsing.
//!
//! Only the spelling changes here: `-size 100`, `--vector_size=100` and `-dim 100` all become `--dim 100`. What a name
//! means in its own tool and cannot mean here is refused. One dash and several letters are one flag, as in word2vec.c,
//! never a bundle of short ones.

mod elsewhere;
mod switches;

use std::ffi::OsString;

use crate::config::GLOBAL_WITH_VALUE;
use crate::failure::{Failure, Outcome, nearest_name};

/// Other tools' names of training flags, without dashes, and ours.
const TRAINING: &[(&str, &str)] = &[
    ("size", "--dim"),
    ("vector-size", "--dim"),
    ("ws", "--window"),
    ("iter", "--epochs"),
    ("epoch", "--epochs"),
    ("alpha", "--lr"),
    ("t", "--sample"),
    ("neg", "--negative"),
    ("loss", "--loss"),
    ("thread", "--threads"),
    ("workers", "--threads"),
    ("max-final-vocab", "--max-vocabulary"),
    ("max-vocab", "--max-vocabulary"),
    ("minn", "--min-n"),
    ("maxn", "--max-n"),
    ("bucket", "--buckets"),
    ("output", "--output"),
    // Spelt as ours, but with one dash or with underscores.
    ("dim", "--dim"),
    ("window", "--window"),
    ("epochs", "--epochs"),
    ("lr", "--lr"),
    ("sample", "--sample"),
    ("negative", "--negative"),
    ("threads", "--threads"),
    ("min-count", "--min-count"),
    ("ns-exponent", "--ns-exponent"),
    ("max-vocabulary", "--max-vocabulary"),
    ("min-lr", "--min-lr"),
    ("min-n", "--min-n"),
    ("max-n", "--max-n"),
    ("buckets", "--buckets"),
    ("seed", "--seed"),
];

/// Other libraries' names of an autoencoder's flags.
const AUTOENCODER: &[(&str, &str)] = &[
    ("latent-dim", "--code"),
    ("encoding-dim", "--code"),
    ("code-size", "--code"),
    ("hidden-layer-sizes", "--hidden"),
    ("hidden-dims", "--hidden"),
    ("batch-size", "--batch"),
    ("learning-rate", "--lr"),
];

/// Flags that name the text in other tools, where ours are plain arguments.
const INPUTS: &[&str] = &["train", "input", "corpus-file"];

/// Other tools' names of query and evaluation flags.
const QUERIES: &[(&str, &str)] = &[
    ("topn", "--top"),
    ("top-n", "--top"),
    ("k", "--top"),
    ("top", "--top"),
    ("restrict-vocab", "--restrict"),
    ("restrict", "--restrict"),
    ("method", "--method"),
    ("workers", "--threads"),
    ("threads", "--threads"),
];

/// Other tools' names of commands: one word each, and ours.
const COMMANDS: &[(&str, &[&str])] = &[
    ("skipgram", &["train", "skipgram"]),
    ("skip-gram", &["train", "skipgram"]),
    ("cbow", &["train", "cbow"]),
    ("autoencoder", &["train", "autoencoder"]),
    ("nn", &["nearest"]),
    ("distance", &["nearest"]),
    ("most-similar", &["nearest"]),
    ("analogies", &["analogy"]),
    ("word-analogy", &["analogy"]),
    ("compute-accuracy", &["eval", "analogy"]),
];

/// The arguments after the program's name, in our spelling. `known` are the names of all of our flags, without dashes.
pub fn translate(known: &[String], arguments: Vec<OsString>) -> Outcome<Vec<OsString>> {
    let mut out: Vec<OsString> = Vec::new();
    let mut arguments = word2vec_line(arguments)?.into_iter().peekable();
    // Flags before the command stay as they are, with their values.
    while let Some(flag) = arguments.next_if(|argument| argument.as_encoded_bytes().starts_with(b"--")) {
        let has_value = GLOBAL_WITH_VALUE.iter().any(|known| flag == *known);
        out.push(flag);
        out.extend(arguments.next_if(|_| has_value));
    }
    let Some(first) = arguments.next() else { return Ok(out) };
    let command = out.len();
    match COMMANDS.iter().find(|(name, _)| first.to_str().is_some_and(|first| kebab(first) == *name)) {
        Some((_, ours)) => out.extend(ours.iter().map(OsString::from)),
        None => out.push(first),
    }
    let table = match out[command].to_str() {
        Some("train" | "corpus") => TRAINING,
        Some("nearest" | "analogy" | "odd" | "recommend" | "rules" | "eval") => QUERIES,
        _ => &[],
    };
    let trains = out[command] == "train";
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            out.push(argument);
            break;
        }
        let Some((dashes, name, value)) = argument.to_str().and_then(parts) else {
            out.push(argument);
            continue;
        };
        let spelt = format!("{dashes}{name}");
        let name = kebab(name);
        // There --loss and --input are flags of ours, and mean what they say.
        let is_autoencoder = trains && out.get(command + 1).is_some_and(|task| task == "autoencoder");
        let is_words = trains && !is_autoencoder;
        let autoencoder = if is_autoencoder { AUTOENCODER } else { &[] };
        let next =
            || value.map(str::to_owned).or_else(|| Some(arguments.clone().next()?.to_string_lossy().into_owned()));
        let is_switch = |switch: &switches::Switch| switch.takes(dashes, next().as_deref());
        if is_words && let Some(switch) = switches::find(&name).filter(is_switch) {
            let value = match value {
                Some(value) => value.to_owned(),
                None => arguments.next().unwrap_or_default().to_string_lossy().into_owned(),
            };
            let task = out.get(command + 1).and_then(|task| task.to_str()).unwrap_or_default();
            out.extend(switch.ours(&format!("{dashes}{name}"), &value, task)?.map(OsString::from));
        } else if is_words && INPUTS.contains(&name.as_str()) {
            out.extend(value.map(OsString::from));
        } else if let Some((_, ours)) = autoencoder.iter().chain(table).find(|(theirs, _)| *theirs == name) {
            out.push(with_value(ours, value));
        } else if table == TRAINING
            && !known.contains(&name)
            && let Some(instead) = elsewhere::instead(&name)
        {
            return Err(Failure::usage(format!("{spelt}: is no flag of firth's: {instead}")));
        } else if dashes == "--" || name.len() == 1 {
            out.push(argument);
        } else if known.contains(&name) {
            out.push(with_value(&format!("--{name}"), value));
        } else {
            return Err(unknown(&argument.to_string_lossy(), &name, known, table));
        }
    }
    out.extend(arguments);
    if out.iter().any(|argument| argument == switches::HIERARCHICAL) {
        drop_no_noise(&mut out);
    }
    Ok(out)
}

/// Takes out word2vec.c's and gensim's way of saying that hierarchical softmax is to be the only loss, as it is here.
fn drop_no_noise(arguments: &mut Vec<OsString>) {
    arguments.retain(|argument| argument != "--negative=0");
    while let Some(at) = arguments.windows(2).position(|pair| pair[0] == "--negative" && pair[1] == "0") {
        arguments.drain(at..at + 2);
    }
}

/// A flag's dashes, name and value: `-size` is one flag of several letters, `-1e-4` is none.
fn parts(argument: &str) -> Option<(&str, &str, Option<&str>)> {
    let dashes = if argument.starts_with("--") { "--" } else { "-" };
    let name = argument.strip_prefix(dashes)?;
    let (name, value) = name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value)));
    name.starts_with(char::is_alphabetic).then_some((dashes, name, value))
}

fn with_value(flag: &str, value: Option<&str>) -> OsString {
    value.map_or_else(|| flag.to_owned(), |value| format!("{flag}={value}")).into()
}

fn unknown(argument: &str, name: &str, known: &[String], table: &[(&str, &str)]) -> Failure {
    let names = known.iter().map(String::as_str).chain(table.iter().map(|(theirs, _)| *theirs));
    let hint = nearest_name(name, names).map(|near| {
        let ours = table.iter().find(|(theirs, _)| *theirs == near).map(|(_, ours)| (*ours).to_owned());
        format!("; did you mean '{}'?", ours.unwrap_or_else(|| format!("--{near}")))
    });
    let short = || match argument.get(1..2) {
        Some("o") => format!("; for an output write '-o {}'", &argument[2..]),
        _ => "; one dash and several letters are one flag".to_owned(),
    };
    Failure::usage(format!("unknown flag '{argument}'{}", hint.unwrap_or_else(short)))
}

/// A line of word2vec.c's program, which has no commands, with the command and the task that it asks for.
fn word2vec_line(arguments: Vec<OsString>) -> Outcome<Vec<OsString>> {
    let is = |at: usize, name: &str| arguments.get(at).is_some_and(|argument| argument == name);
    let start = usize::from(is(0, "train"));
    let is_flag = arguments.get(start).is_some_and(|next| next.as_encoded_bytes().starts_with(b"-"));
    if !(start == 0 && is(0, "-train") || start == 1 && is_flag) || is(1, "--help") || is(1, "-h") {
        return Ok(arguments);
    }
    let flags: Vec<String> = arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let value = |name: &str| {
        let at = flags.iter().position(|flag| flag.trim_start_matches('-') == name && flag.starts_with('-'))?;
        flags.get(at + 1).map(String::as_str)
    };
    let task = match (value("cbow"), value("sg")) {
        (Some("0"), _) | (None, Some("1")) => "skipgram",
        (Some("1"), _) | (None, Some("0")) => "cbow",
        _ => return Err(Failure::usage("which task? Use firth train skipgram or firth train cbow")),
    };
    let rest = arguments.into_iter().skip(start);
    Ok(["train", task].into_iter().map(OsString::from).chain(rest).collect())
}

/// `minCount`, `min_count` and `min-count` as `min-count`.
fn kebab(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 2);
    for letter in name.chars() {
        match letter {
            '_' => out.push('-'),
            _ if letter.is_ascii_uppercase() => {
                out.push('-');
                out.push(letter.to_ascii_lowercase());
            }
            _ => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(line: &str) -> String {
        let known = ["output", "json", "dim"].map(String::from);
        let words = translate(&known, line.split(' ').map(OsString::from).collect()).expect("a line we know");
        words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn flags_of_other_tools_become_ours() {
        let ours =
            "train cbow text.txt --output run --dim 50 --window 8 --epochs 3 --lr 0.05 --threads 2 --min-count 1";
        let word2vec =
            "train cbow -train text.txt -output run -size 50 -window 8 -iter 3 -alpha 0.05 -threads 2 -min-count 1";
        let fasttext =
            "cbow -input text.txt -output run -verbose 2 -dim 50 -ws 8 -epoch 3 -lr 0.05 -thread 2 -minCount 1";
        assert_eq!(translated(word2vec), ours);
        assert_eq!(translated(fasttext), ours);
        assert_eq!(
            translated("train skipgram t.txt --vector_size=50 -t 1e-3 --neg 10"),
            "train skipgram t.txt --dim=50 --sample 1e-3 --negative 10"
        );
        assert_eq!(translated("skipgram -input t.txt -loss hs"), "train skipgram t.txt --loss hs");
        assert_eq!(translated("train cbow t.txt -hs 1 -negative 0 -size 9"), "train cbow t.txt --loss=hs --dim 9");
        assert_eq!(translated("train cbow t.txt -hs 0 -negative 0"), "train cbow t.txt --negative 0");
    }

    #[test]
    fn flags_that_only_others_have_are_refused_with_what_stands_for_them() {
        let refused = |line: &str| {
            let words = line.split(' ').map(OsString::from).collect();
            translate(&["min-lr".to_owned()], words).expect_err("a refusal").to_string()
        };
        for (line, flag, instead) in [
            ("train cbow t.txt -save-vocab v.txt", "-save-vocab: ", "firth corpus info RUN"),
            ("skipgram -input t.txt -pretrainedVectors v.vec", "-pretrainedVectors: ", "--from"),
            ("train cbow t.txt --autotune_duration=5", "--autotune_duration: ", "--heldout"),
            ("train skipgram t.txt --trim_rule x", "--trim_rule: ", "--min-count and --max-vocabulary"),
            ("corpus build t.txt --min-alpha 0.1", "--min-alpha: ", "--min-lr"),
        ] {
            let said = refused(line);
            assert!(said.starts_with(flag) && said.contains(instead), "{said}");
        }
        assert_eq!(translated("eval classify run --label x"), "eval classify run --label x");
    }

    #[test]
    fn an_autoencoder_has_its_own_loss_and_input() {
        let line = "train autoencoder docs.txt --loss mse --input tfidf";
        assert_eq!(translated(line), line);
        assert_eq!(
            translated("autoencoder docs.txt --latent_dim 20 --batch_size=64 -epoch 3"),
            "train autoencoder docs.txt --code 20 --batch=64 --epochs 3"
        );
    }

    #[test]
    fn everything_else_stays_as_it_is() {
        let line = "train skipgram -o run text.txt --bogus -x -1e-4 -- -size 3";
        assert_eq!(translated(line), line);
        assert_eq!(translated("--threads 2 train cbow -size 3"), "--threads 2 train cbow --dim 3");
        assert_eq!(translated("info -json run"), "info --json run");
        assert_eq!(translated("most_similar model king --topn 3"), "nearest model king --top 3");
    }
}
