//! Analogies: `a` is to `b` as `c` is to what? (Mikolov et al., 2013, and their file `questions-words.txt`.)
//!
//! A question counts if all four words are known. Its answer is the best candidate that is not one of the three words
//! given, in any spelling. gensim looks at the best five besides the three rows themselves and so do we; it matters only
//! where five spellings of the words given crowd out the rest.
//!
//! Questions share words: 19,544 of them use 905. So the cosines of each distinct word with a block of candidates are
//! computed once, as one product, and each question only combines three rows of that block.

use std::path::Path;

use super::lexicon::Lexicon;
use super::questions::QuestionFile;
use crate::embeddings::{BLOCK_ROWS, Best, Cosines, Embeddings, Method, Neighbor};
use crate::error::Result;

/// The analogy test.
#[derive(Debug, Default, Clone, PartialEq)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct Analogy {
    /// How a candidate is scored from its cosines with the three words.
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value_t = Method::Cos3Add))]
    pub method: Method,
    /// Ask about, and answer with, only the N most frequent words [default: all].
    #[cfg_attr(feature = "cli", arg(long, value_name = "N"))]
    pub restrict: Option<usize>,
    /// Tell upper from lower case; otherwise the most frequent spelling of a word stands for all.
    #[cfg_attr(feature = "cli", arg(long))]
    pub keep_case: bool,
}

/// What the analogy test found.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct AnalogyReport {
    /// The file of questions.
    pub file: String,
    /// How candidates were scored.
    pub method: Method,
    /// All questions.
    #[serde(flatten)]
    pub overall: Tally,
    /// The 95 % interval of the accuracy (Wilson, 1927), as if questions were independent.
    pub interval: [f64; 2],
    /// Questions of sections about meaning.
    pub semantic: Tally,
    /// Questions of sections about grammar: those named `gram…`.
    pub syntactic: Tally,
    /// Each section of the file.
    pub sections: Vec<Section>,
    /// Lines that are neither four words nor a section, and were left out.
    pub skipped_lines: usize,
    /// The number of the first of them, from 1.
    pub first_skipped_line: Option<u64>,
}

/// Counts of questions.
#[derive(Debug, Default, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Tally {
    /// Answered right.
    pub correct: u64,
    /// Asked: all four words are known.
    pub covered: u64,
    /// In the file.
    pub total: u64,
    /// `correct / covered`, from 0 to 1; none if nothing is covered.
    pub accuracy: Option<f64>,
    /// `covered / total`, from 0 to 1.
    pub coverage: f64,
}

/// A section of the file.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Section {
    /// What stands behind its colon.
    pub name: String,
    /// Its questions.
    #[serde(flatten)]
    pub tally: Tally,
}

/// How many of the best candidates are looked at.
const LOOKED_AT: usize = 5;

impl Analogy {
    /// Asks all questions of a file.
    ///
    /// # Errors
    /// If the file cannot be read or holds no question.
    pub fn run(&self, embeddings: &Embeddings, questions: &Path) -> Result<AnalogyReport> {
        let lexicon = Lexicon::new(embeddings, self.restrict, self.keep_case)?;
        let file = QuestionFile::read(questions)?;
        // For each section, the positions of the words of its covered questions.
        let covered: Vec<Vec<[usize; 4]>> = file
            .sections
            .iter()
            .map(|section| {
                let known = |words: &[String; 4]| {
                    let [a, b, c, d] = words.each_ref().map(|word| lexicon.find(word));
                    Some([a?, b?, c?, d?])
                };
                section.words.iter().filter_map(known).collect()
            })
            .collect();
        let asked = covered.concat();
        let mut answers = self.answers(embeddings, &asked).into_iter().zip(&asked);
        let mut sections = Vec::with_capacity(covered.len());
        for (section, covered) in file.sections.into_iter().zip(&covered) {
            let right = |(candidates, question): (Vec<Neighbor>, &[usize; 4])| {
                is_right(&candidates, question, |position| lexicon.find(embeddings.keys().get(position)))
            };
            let correct = answers.by_ref().take(covered.len()).map(right).filter(|&right| right).count();
            let tally = Tally::new(correct as u64, covered.len() as u64, section.words.len() as u64);
            sections.push(Section { name: section.section, tally });
        }
        let sum = |keep: &dyn Fn(bool) -> bool| {
            Tally::sum(sections.iter().filter(|section| keep(section.is_syntactic())).map(|section| section.tally))
        };
        let overall = sum(&|_| true);
        Ok(AnalogyReport {
            file: questions.display().to_string(),
            method: self.method,
            overall,
            interval: overall.interval(),
            semantic: sum(&|syntactic| !syntactic),
            syntactic: sum(&|syntactic| syntactic),
            sections,
            skipped_lines: file.bad_lines.len(),
            first_skipped_line: file.bad_lines.first().copied(),
        })
    }

    /// The best candidates for each question, without the positions of the words given.
    fn answers(&self, embeddings: &Embeddings, questions: &[[usize; 4]]) -> Vec<Vec<Neighbor>> {
        let mut words: Vec<usize> = questions.iter().flat_map(|[a, b, c, _]| [*a, *b, *c]).collect();
        words.sort_unstable();
        words.dedup();
        let row_of = |word| words.binary_search(&word).expect("collected above");
        let rows: Vec<[usize; 3]> = questions.iter().map(|&[a, b, c, _]| [a, b, c].map(row_of)).collect();
        let cosines = Cosines::new(embeddings.vectors(), self.restrict.unwrap_or(usize::MAX));
        let mut unit = Vec::with_capacity(words.len() * embeddings.dim());
        words.iter().for_each(|&word| cosines.unit_row(word, &mut unit));
        let best = cosines.visit(
            &unit,
            || vec![Best::new(LOOKED_AT); questions.len()],
            |best, first, scores| {
                let width = scores.len() / words.len();
                let mut out = [0.0; BLOCK_ROWS];
                let out = &mut out[..width];
                for ((best, rows), question) in best.iter_mut().zip(&rows).zip(questions) {
                    self.method.score(rows.map(|row| &scores[row * width..][..width]), out);
                    best.offer(first, out, |position| !question[..3].contains(&position));
                }
            },
            |mut a, b| {
                a.iter_mut().zip(b).for_each(|(a, b)| a.merge(b));
                a
            },
        );
        best.into_iter().map(Best::into_sorted).collect()
    }
}

/// Is the first candidate that is no spelling of a word given a spelling of the fourth word?
///
/// `commonest` is the position of a candidate's commonest spelling, which stands for all of them.
fn is_right(
    candidates: &[Neighbor],
    [given @ .., wanted]: &[usize; 4],
    commonest: impl Fn(usize) -> Option<usize>,
) -> bool {
    let mut answers = candidates.iter().filter_map(|candidate| commonest(candidate.position));
    answers.find(|answer| !given.contains(answer)) == Some(*wanted)
}

impl Section {
    fn is_syntactic(&self) -> bool {
        self.name.starts_with("gram")
    }
}

impl Tally {
    fn new(correct: u64, covered: u64, total: u64) -> Self {
        let ratio = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let (accuracy, coverage) = (ratio(correct, covered), ratio(covered, total).unwrap_or(0.0));
        Self { correct, covered, total, accuracy, coverage }
    }

    fn sum(parts: impl Iterator<Item = Self>) -> Self {
        let add = |sum: Self, part: Self| {
            Self::new(sum.correct + part.correct, sum.covered + part.covered, sum.total + part.total)
        };
        parts.fold(Self::default(), add)
    }

    /// Wilson's interval: (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n).
    fn interval(&self) -> [f64; 2] {
        const Z: f64 = 1.96;
        let Some(p) = self.accuracy else { return [0.0, 1.0] };
        let n = self.covered as f64;
        let center = p + Z * Z / (2.0 * n);
        let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        [center - half, center + half].map(|bound| (bound / (1.0 + Z * Z / n)).clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::math::Matrix;

    /// Axes: country, capital, and three places; a name stands for its place and its kind.
    fn places() -> Result<Embeddings> {
        let words = ["paris", "france", "rome", "italy", "bern", "swiss", "Rome"];
        let rows = [
            [0., 1., 1., 0., 0.],
            [1., 0., 1., 0., 0.],
            [0., 1., 0., 1., 0.],
            [1., 0., 0., 1., 0.],
            [0., 1., 0., 0., 1.],
            // Swiss lies where Rome is, so that questions about it come out wrong.
            [0., 1., 0., 1., 0.],
            [0., 2., 0., 3., 0.],
        ];
        Embeddings::new(words.iter().collect(), Matrix::from_vec(7, 5, rows.concat())?, None)
    }

    fn run(test: &Analogy, questions: &str) -> Result<AnalogyReport> {
        let file = tempfile::NamedTempFile::new().map_err(|error| Error::io("temporary file", error))?;
        std::fs::write(file.path(), questions).map_err(|error| Error::io(file.path(), error))?;
        test.run(&places()?, file.path())
    }

    const QUESTIONS: &str = ": capitals\nParis France Rome Italy\nfrance paris italy rome\nParis France Bern Swiss\n\
                             Paris France Oslo Norway\nParis France Oslo\n: gram1\nrome italy paris france\n: none\n";

    #[test]
    fn sections_totals_and_coverage_are_counted() -> Result<()> {
        for method in [Method::Cos3Add, Method::Cos3Mul] {
            let report = run(&Analogy { method, ..Analogy::default() }, QUESTIONS)?;
            let counts = |tally: &Tally| (tally.correct, tally.covered, tally.total);
            assert_eq!(counts(&report.overall), (3, 4, 5));
            assert_eq!((report.overall.accuracy, report.overall.coverage), (Some(0.75), 0.8));
            assert_eq!(counts(&report.semantic), (2, 3, 4));
            assert_eq!(counts(&report.syntactic), (1, 1, 1));
            let sections: Vec<_> =
                report.sections.iter().map(|section| (section.name.as_str(), counts(&section.tally))).collect();
            assert_eq!(sections, [("capitals", (2, 3, 4)), ("gram1", (1, 1, 1)), ("none", (0, 0, 0))]);
            assert_eq!((report.skipped_lines, report.first_skipped_line), (1, Some(6)));
            assert!(report.interval[0] < 0.75 && 0.75 < report.interval[1]);
        }
        Ok(())
    }

    #[test]
    fn a_missing_file_is_named() -> Result<()> {
        let error = Analogy::default().run(&places()?, Path::new("no/such-file.txt")).expect_err("there is no file");
        assert!(error.to_string().contains("no/such-file.txt"), "{error}");
        Ok(())
    }

    #[test]
    fn restriction_limits_questions_and_candidates() -> Result<()> {
        let report = run(&Analogy { restrict: Some(4), ..Analogy::default() }, QUESTIONS)?;
        assert_eq!((report.overall.correct, report.overall.covered), (3, 3));
        assert!(run(&Analogy { restrict: Some(0), ..Analogy::default() }, QUESTIONS).is_err());
        Ok(())
    }

    #[test]
    fn case_matters_only_when_kept() -> Result<()> {
        let report = run(&Analogy { keep_case: true, ..Analogy::default() }, QUESTIONS)?;
        assert_eq!((report.overall.covered, report.overall.total), (2, 5));
        Ok(())
    }

    #[test]
    fn another_spelling_of_a_word_given_is_no_answer() {
        let candidates = [6, 3].map(|position| Neighbor { position, score: 1.0 });
        let commonest = |position| Some(if position == 6 { 2 } else { position });
        assert!(is_right(&candidates, &[0, 1, 2, 3], commonest));
        assert!(!is_right(&candidates, &[0, 1, 4, 3], commonest));
        assert!(is_right(&candidates, &[0, 1, 4, 2], commonest));
    }

    #[test]
    fn the_report_has_the_fields_of_the_command_line() -> Result<()> {
        let json = serde_json::to_value(run(&Analogy::default(), QUESTIONS)?).expect("plain data");
        assert_eq!((&json["correct"], &json["accuracy"]), (&3.into(), &0.75.into()));
        assert_eq!((&json["sections"][1]["name"], &json["sections"][1]["covered"]), (&"gram1".into(), &1.into()));
        assert_eq!(json["method"], "3cosadd");
        Ok(())
    }
}
