//! Analogy questions: sections open with `: name`, each other line holds four words, `a b c d`.

use std::path::Path;

use crate::error::{Error, Result};
use crate::io::read_text;

/// A part of the test.
#[derive(Debug, PartialEq)]
pub(super) struct Questions {
    pub(super) section: String,
    pub(super) words: Vec<[String; 4]>,
}

/// A file of questions, and the lines that are none.
#[derive(Debug)]
pub(super) struct QuestionFile {
    pub(super) sections: Vec<Questions>,
    /// Line numbers, from 1.
    pub(super) bad_lines: Vec<u64>,
}

/// The section of questions that stand before any `: name`.
const UNNAMED: &str = "unnamed";

impl QuestionFile {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = read_text(path)?;
        let file = Self::parse(&text);
        if file.sections.iter().all(|section| section.words.is_empty()) {
            let wanted = "expected four words `a b c d` a line, under `: section` lines";
            let line = file.bad_lines.first().copied().unwrap_or(1);
            let found = text.lines().nth(line as usize - 1).map_or(0, |line| line.split_whitespace().count());
            return Err(Error::line(
                path,
                line,
                format!("no question in the whole file; found {found} words, {wanted}"),
            ));
        }
        let questions: usize = file.sections.iter().map(|section| section.words.len()).sum();
        if let Some(&first) = file.bad_lines.first().filter(|_| file.bad_lines.len() > questions) {
            let (bad, all) = (file.bad_lines.len(), file.bad_lines.len() + questions);
            let reason = format!("{bad} of {all} lines are no questions, this is the first; expected `a b c d`");
            return Err(Error::line(path, first, reason));
        }
        Ok(file)
    }

    fn parse(text: &str) -> Self {
        let mut file = Self { sections: Vec::new(), bad_lines: Vec::new() };
        for (line, number) in text.lines().zip(1..) {
            if let Some(name) = line.strip_prefix(':') {
                file.sections.push(Questions { section: name.trim().to_owned(), words: Vec::new() });
                continue;
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                [] => {}
                [a, b, c, d] => {
                    if file.sections.is_empty() {
                        file.sections.push(Questions { section: UNNAMED.to_owned(), words: Vec::new() });
                    }
                    let section = file.sections.last_mut().expect("pushed above");
                    section.words.push([a, b, c, d].map(str::to_owned));
                }
                _ => file.bad_lines.push(number),
            }
        }
        file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_and_bad_lines_are_told_apart() {
        let file = QuestionFile::parse("a b c d\r\n: gram1 x\n\ne f\tg  h\ne f g\n: empty\n");
        let shape: Vec<(&str, usize)> =
            file.sections.iter().map(|section| (section.section.as_str(), section.words.len())).collect();
        assert_eq!(shape, [("unnamed", 1), ("gram1 x", 1), ("empty", 0)]);
        assert_eq!(file.sections[1].words[0], ["e", "f", "g", "h"]);
        assert_eq!(file.bad_lines, [5]);
    }

    #[test]
    fn a_file_without_questions_is_refused_with_its_first_bad_line() -> Result<()> {
        let file = tempfile::NamedTempFile::new().map_err(|error| Error::io("temporary file", error))?;
        std::fs::write(file.path(), ": section\ntiger\tcat\t7.35\n").map_err(|error| Error::io(file.path(), error))?;
        let message = QuestionFile::read(file.path()).expect_err("no question").to_string();
        assert!(message.contains("line 2: no question in the whole file; found 3 words, expected four"), "{message}");
        Ok(())
    }
}
