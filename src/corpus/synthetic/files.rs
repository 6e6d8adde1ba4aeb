//! A planted corpus as files.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::Planted;
use crate::error::Result;
use crate::io::AtomicFile;

/// Writes the files that the corpus has something for; returns their paths.
pub(super) fn write(planted: &Planted, folder: &Path) -> Result<Vec<PathBuf>> {
    let files = [
        ("text.txt", "one document per line", text(planted)),
        ("documents.tsv", "id, label and text of each document, with a header", documents(planted)),
        ("questions.txt", "analogy questions, `: section` lines between them", questions(planted)),
        ("similarity.tsv", "word, word, planted score from 0 (unrelated) to 10", similarity(planted)),
        ("anomalies.tsv", "documents that do not belong, and the topic their words come from", anomalies(planted)),
        ("baskets.tsv", "id of a market document and the goods it names, separated by commas", baskets(planted)),
        ("rules.tsv", "antecedent, consequent, support, confidence, lift in those baskets", rules(planted)),
    ];
    let kept: Vec<_> = files.into_iter().filter(|(.., content)| !content.is_empty()).collect();
    let readme = ("README.txt", "", readme(planted, &kept));
    kept.iter().chain([&readme]).map(|(name, _, content)| save(&folder.join(name), content)).collect()
}

fn save(path: &Path, content: &str) -> Result<PathBuf> {
    let mut file = AtomicFile::create(path)?;
    file.write(content.as_bytes())?;
    file.commit()?;
    Ok(path.into())
}

fn readme(planted: &Planted, files: &[(&str, &str, String)]) -> String {
    let words = planted.documents.iter().map(|document| document.text.split(' ').count()).sum::<usize>();
    let mut text = format!(
        "A planted corpus of kind `{}`, grown by `firth corpus generate` from seed {}: {} documents, {words} words.\n\
         The text is made from facts and templates, so the right answers are known.\n\n",
        planted.kind,
        planted.seed,
        planted.documents.len()
    );
    for (name, about, content) in files {
        lines(&mut text, format_args!("{name:<15} {about} ({} lines)", content.lines().count()));
    }
    text.push('\n');
    for section in &planted.analogies {
        lines(&mut text, format_args!("analogies  {:<28} {} questions", section.name, section.questions.len()));
    }
    if !planted.analogies.is_empty() {
        text.push_str("Words that are also much used in another sense are left out of the questions.\n");
    }
    if !planted.anomalies.is_empty() {
        lines(
            &mut text,
            format_args!(
                "anomalies  {} documents carry an ordinary label, but are about a topic that no label names; the words \
                 that only this topic lists occur in no other document, its other words may",
                planted.anomalies.len()
            ),
        );
    }
    text
}

fn text(planted: &Planted) -> String {
    collect(&planted.documents, |document| document.text.clone())
}

fn documents(planted: &Planted) -> String {
    let rows =
        collect(&planted.documents, |document| format!("{}\t{}\t{}", document.id, document.label, document.text));
    format!("id\tlabel\ttext\n{rows}")
}

fn questions(planted: &Planted) -> String {
    collect(&planted.analogies, |section| {
        let mut block = format!(": {}", section.name);
        for question in &section.questions {
            block.push('\n');
            block.push_str(&question.join(" "));
        }
        block
    })
}

fn similarity(planted: &Planted) -> String {
    collect(&planted.similarity, |(first, second, score)| format!("{first}\t{second}\t{score}"))
}

fn anomalies(planted: &Planted) -> String {
    collect(&planted.anomalies, |anomaly| format!("{}\t{}", anomaly.id, anomaly.topic))
}

fn baskets(planted: &Planted) -> String {
    collect(&planted.baskets, |basket| format!("{}\t{}", basket.id, basket.items.join(",")))
}

fn rules(planted: &Planted) -> String {
    collect(&planted.rules, |rule| {
        let figures = format!("{:.4}\t{:.4}\t{:.4}", rule.support, rule.confidence, rule.lift);
        format!("{}\t{}\t{figures}", rule.antecedent.join(","), rule.consequent)
    })
}

fn collect<T>(items: &[T], line: impl Fn(&T) -> String) -> String {
    items.iter().map(|item| line(item) + "\n").collect()
}

fn lines(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use crate::corpus::synthetic::{KINDS, Planted};

    #[test]
    fn each_kind_writes_its_text_and_answers() -> Result<(), Box<dyn std::error::Error>> {
        for kind in KINDS {
            let folder = tempfile::tempdir()?;
            let planted = Planted::grow(kind.name, 1, 400)?;
            let paths = planted.write(folder.path())?;
            assert!(paths.iter().all(|path| path.is_file()));
            let text = std::fs::read_to_string(folder.path().join("text.txt"))?;
            assert_eq!(text.lines().count(), 400);
            let table = std::fs::read_to_string(folder.path().join("documents.tsv"))?;
            for (line, text) in table.lines().skip(1).zip(text.lines()) {
                assert_eq!(line.split('\t').nth(2), Some(text));
            }
            let readme = std::fs::read_to_string(folder.path().join("README.txt"))?;
            assert!(readme.contains(kind.name) && readme.contains("documents.tsv"));
            assert_eq!(readme.contains("left out of the questions"), !planted.analogies.is_empty());
            assert_eq!(readme.contains("its other words may"), !planted.anomalies.is_empty());
        }
        Ok(())
    }
}
