//! The names that word2vec, fastText and gensim give to commands and flags, turned into ours before parsing.
//!
//! Only the spelling changes here: `-size 100`, `--vector_size=100` and `-dim 100` all become `--dim 100`. What a name
//! means in its own tool and cannot mean here is left alone, so that the parser refuses it.

use std::ffi::OsString;

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
    ("thread", "--threads"),
    ("workers", "--threads"),
    ("max-final-vocab", "--max-vocabulary"),
    ("max-vocab", "--max-vocabulary"),
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
    ("seed", "--seed"),
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
    ("nn", &["nearest"]),
    ("distance", &["nearest"]),
    ("most-similar", &["nearest"]),
    ("analogies", &["analogy"]),
    ("word-analogy", &["analogy"]),
    ("compute-accuracy", &["eval", "analogy"]),
];

/// The arguments after the program's name, in our spelling.
pub fn translate(arguments: Vec<OsString>) -> Vec<OsString> {
    let mut arguments = arguments.into_iter();
    let mut out: Vec<OsString> = Vec::new();
    let Some(first) = arguments.next() else { return out };
    match COMMANDS.iter().find(|(name, _)| first.to_str().is_some_and(|first| kebab(first) == *name)) {
        Some((_, ours)) => out.extend(ours.iter().map(OsString::from)),
        None => out.push(first),
    }
    let table = match out[0].to_str() {
        Some("train" | "corpus") => TRAINING,
        Some("nearest" | "analogy" | "odd" | "eval") => QUERIES,
        _ => return out.into_iter().chain(arguments).collect(),
    };
    let takes_text = out[0] == "train";
    let mut only_values = false;
    for argument in arguments {
        only_values |= argument == "--";
        match argument.to_str().filter(|_| !only_values).and_then(|text| flag(text, table, takes_text)) {
            Some(translated) if translated.is_empty() => {}
            Some(translated) => out.push(translated.into()),
            None => out.push(argument),
        }
    }
    out
}

/// One flag in our spelling; empty if only its value counts; nothing if it is not another tool's.
fn flag(argument: &str, table: &[(&str, &str)], takes_text: bool) -> Option<String> {
    let name = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-'))?;
    let (name, value) = match name.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (name, None),
    };
    let name = kebab(name);
    if takes_text && INPUTS.contains(&name.as_str()) {
        return Some(value.unwrap_or_default().to_owned());
    }
    let (_, ours) = table.iter().find(|(theirs, _)| *theirs == name)?;
    Some(value.map_or_else(|| (*ours).to_owned(), |value| format!("{ours}={value}")))
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
        let words = translate(line.split(' ').map(OsString::from).collect());
        words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn flags_of_other_tools_become_ours() {
        let ours =
            "train cbow text.txt --output run --dim 50 --window 8 --epochs 3 --lr 0.05 --threads 2 --min-count 1";
        let word2vec =
            "train cbow -train text.txt -output run -size 50 -window 8 -iter 3 -alpha 0.05 -threads 2 -min-count 1";
        let fasttext = "cbow -input text.txt -output run -dim 50 -ws 8 -epoch 3 -lr 0.05 -thread 2 -minCount 1";
        assert_eq!(translated(word2vec), ours);
        assert_eq!(translated(fasttext), ours);
        assert_eq!(
            translated("train skipgram t.txt --vector_size=50 -t 1e-3 --neg 10"),
            "train skipgram t.txt --dim=50 --sample 1e-3 --negative 10"
        );
    }

    #[test]
    fn everything_else_stays_as_it_is() {
        let line = "train skipgram -o run text.txt --bogus -x -- -size 3";
        assert_eq!(translated(line), line);
        assert_eq!(translated("info -size"), "info -size");
        assert_eq!(translated("most_similar model king --topn 3"), "nearest model king --top 3");
    }
}
