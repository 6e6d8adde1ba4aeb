//! Which neighbouring words make a phrase: two scores, and where they are cut.
//!
//! With a and b how often two words occur, ab how often one follows the other, and N all words:
//!
//! - word2phrase: (ab − δ) · N / (a · b), how many times as often the two meet as by chance; the discount δ keeps pairs of
//!   rare words out (Mikolov et al., 2013, Distributed representations, section 4). The paper leaves out N, word2phrase.c
//!   has it, and gensim has the number of distinct words and pairs in its place: its threshold, times N over that number,
//!   is ours.
//! - NPMI: ln(p(ab) / (p(a) · p(b))) / −ln p(ab), from −1 to 1 whatever the size of the text (Bouma, 2009).

use crate::error::{Error, Result};

/// How pairs are scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum PhraseScore {
    /// How many times as often as by chance the two words meet, less a discount for rare pairs
    #[default]
    Word2phrase,
    /// Normalised pointwise mutual information, from -1 to 1
    Npmi,
}

/// Which neighbouring words are joined to one.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "cli", derive(clap::Args), command(next_help_heading = "Phrases"))]
pub struct PhraseConfig {
    /// Passes that join words to phrases: new_york in the first, new_york_times in the second [0 to 8; 0: none]
    #[cfg_attr(
        feature = "cli",
        arg(id = "phrases", long = "phrases", value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=8))
    )]
    pub passes: u8,
    /// How pairs of words are scored [default: word2phrase]
    #[cfg_attr(feature = "cli", arg(id = "phrase_score", long = "phrase-score", value_name = "SCORE", value_enum))]
    pub score: Option<PhraseScore>,
    /// Pairs that score more are joined; word2phrase halves it in each further pass [default: 200; of npmi 0.5]
    #[cfg_attr(
        feature = "cli",
        arg(id = "phrase_threshold", long = "phrase-threshold", value_name = "X", allow_negative_numbers = true)
    )]
    pub threshold: Option<f64>,
    /// Pairs that occur less often are no phrases [times, from 1; default: 5, or --min-count if that is more]
    #[cfg_attr(feature = "cli", arg(id = "phrase_min_count", long = "phrase-min-count", value_name = "N"))]
    pub min_count: Option<u64>,
    /// With word2phrase: what is taken off a pair's count [from 0; default: --phrase-min-count]
    #[cfg_attr(
        feature = "cli",
        arg(id = "phrase_delta", long = "phrase-delta", value_name = "X", allow_negative_numbers = true)
    )]
    pub delta: Option<f64>,
}

impl PhraseConfig {
    /// The most passes.
    pub const MOST: u8 = 8;

    /// Refuses values that no score can have, and settings without effect.
    pub fn validate(&self) -> Result<()> {
        let refuse = |flag: &str, reason: &str| Err(Error::config(flag, reason));
        if self.passes > Self::MOST {
            return refuse("--phrases", "expected 0 to 8 passes");
        }
        let given = [
            ("--phrase-score", self.score.is_some()),
            ("--phrase-threshold", self.threshold.is_some()),
            ("--phrase-min-count", self.min_count.is_some()),
            ("--phrase-delta", self.delta.is_some()),
        ];
        if let Some((flag, _)) = given.iter().find(|(_, is_given)| self.passes == 0 && *is_given) {
            return refuse(flag, "has no effect, since no phrases are joined; add --phrases 1");
        }
        if self.min_count == Some(0) {
            return refuse("--phrase-min-count", "0 is too small; 1 takes every pair into account");
        }
        if self.delta.is_some_and(|delta| !(delta >= 0.0 && delta.is_finite())) {
            return refuse("--phrase-delta", "expected a number from 0");
        }
        let is_npmi = self.score == Some(PhraseScore::Npmi);
        if is_npmi && self.delta.is_some() {
            return refuse("--phrase-delta", "has no effect, since --phrase-score npmi discounts nothing");
        }
        match self.threshold {
            Some(threshold) if is_npmi && !(-1.0..1.0).contains(&threshold) => {
                refuse("--phrase-threshold", "expected a number from -1 to below 1 with --phrase-score npmi")
            }
            Some(threshold) if !(is_npmi || threshold > 0.0 && threshold.is_finite()) => {
                refuse("--phrase-threshold", "expected a number above 0; a pair by chance scores 1")
            }
            _ => Ok(()),
        }
    }

    /// The settings in force, where words are kept that occur `min_count` times.
    pub fn collocation(&self, min_count: u64) -> Collocation {
        let score = self.score.unwrap_or_default();
        let usual = match score {
            PhraseScore::Word2phrase => 200.0,
            PhraseScore::Npmi => 0.5,
        };
        let min_count = self.min_count.unwrap_or(min_count.max(5));
        let delta = self.delta.unwrap_or(min_count as f64);
        Collocation { score, threshold: self.threshold.unwrap_or(usual), min_count, delta }
    }
}

/// Tells phrases from words that meet by chance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Collocation {
    /// How pairs are scored.
    pub score: PhraseScore,
    /// Phrases of the first pass score more.
    pub threshold: f64,
    /// Phrases occur as often, before overlapping ones are joined.
    pub min_count: u64,
    /// What word2phrase takes off a pair's count.
    pub delta: f64,
}

impl Collocation {
    /// What phrases of a pass, from 0, score more than. The longer a phrase, the more of its score the shorter one in it
    /// has used up: word2phrase's threshold is halved from pass to pass, as is the custom; NPMI's range is fixed.
    pub fn threshold(&self, pass: usize) -> f64 {
        match self.score {
            PhraseScore::Word2phrase => self.threshold / 2f64.powi(pass as i32),
            PhraseScore::Npmi => self.threshold,
        }
    }

    /// A pair's score.
    pub fn score(&self, pair: u64, left: u64, right: u64, total: u64) -> f64 {
        let [pair, left, right, total] = [pair, left, right, total].map(|count| count as f64);
        match self.score {
            PhraseScore::Word2phrase => (pair - self.delta) / (left * right) * total,
            // Of a text that is nothing but the pair the logarithm is 0; then it meets as often as can be.
            PhraseScore::Npmi if pair >= total => 1.0,
            PhraseScore::Npmi => (pair * total / (left * right)).ln() / (total / pair).ln(),
        }
    }

    /// Is a pair that occurs so often a phrase?
    pub fn is_phrase(&self, pass: usize, pair: u64, left: u64, right: u64, total: u64) -> bool {
        pair >= self.min_count && self.score(pair, left, right, total) > self.threshold(pass)
    }

    /// Can a word that occurs so often be part of a phrase? Not beside any other word if not beside one as common that it
    /// never stands without: with a threshold of 200 no word is that makes up half a percent of the text.
    pub fn may_join(&self, pass: usize, count: u64, total: u64) -> bool {
        self.is_phrase(pass, count, count, count, total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_the_papers() {
        let of = |config: PhraseConfig| config.collocation(5);
        let word2phrase = of(PhraseConfig { delta: Some(3.0), threshold: Some(100.0), ..Default::default() });
        assert_eq!(word2phrase.score(13, 20, 50, 10_000), 100.0);
        assert!(!word2phrase.is_phrase(0, 13, 20, 50, 10_000) && word2phrase.is_phrase(1, 13, 20, 50, 10_000));
        let npmi = of(PhraseConfig { score: Some(PhraseScore::Npmi), ..Default::default() });
        // p(ab) = .01, p(a) = .02, p(b) = .05: ln(10) / ln(100).
        assert!((npmi.score(100, 200, 500, 10_000) - 0.5).abs() < 1e-12);
        assert_eq!((npmi.score(7, 7, 7, 100), npmi.score(7, 7, 7, 7)), (1.0, 1.0));
        assert_eq!((npmi.threshold(3), word2phrase.threshold(3)), (0.5, 12.5));
        assert!(!npmi.is_phrase(0, 4, 4, 4, 1000), "four are too few");
    }

    #[test]
    fn no_word_that_is_passed_over_could_be_in_a_phrase() {
        for score in [PhraseScore::Word2phrase, PhraseScore::Npmi] {
            let collocation = PhraseConfig { score: Some(score), ..Default::default() }.collocation(5);
            let counts = [1, 4, 5, 6, 9, 12, 40, 99, 100, 101, 400];
            for left in counts.into_iter().filter(|&left| !collocation.may_join(0, left, 9000)) {
                let found = counts.iter().any(|&right| {
                    (1..=left.min(right)).any(|pair| {
                        collocation.is_phrase(0, pair, left, right, 9000)
                            || collocation.is_phrase(0, pair, right, left, 9000)
                    })
                });
                assert!(!found, "{score:?} {left}");
            }
        }
    }

    #[test]
    fn settings_out_of_range_or_without_effect_name_their_flag() {
        let on = PhraseConfig { passes: 1, ..Default::default() };
        let npmi = PhraseConfig { score: Some(PhraseScore::Npmi), ..on.clone() };
        assert!(on.validate().and(npmi.validate()).and(PhraseConfig::default().validate()).is_ok());
        for (flag, config) in [
            ("--phrases", PhraseConfig { passes: 9, ..on.clone() }),
            ("--phrase-score", PhraseConfig { passes: 0, ..npmi.clone() }),
            ("--phrase-threshold", PhraseConfig { threshold: Some(3.0), ..Default::default() }),
            ("--phrase-threshold", PhraseConfig { threshold: Some(0.0), ..on.clone() }),
            ("--phrase-threshold", PhraseConfig { threshold: Some(f64::NAN), ..on.clone() }),
            ("--phrase-threshold", PhraseConfig { threshold: Some(1.0), ..npmi.clone() }),
            ("--phrase-min-count", PhraseConfig { min_count: Some(0), ..on.clone() }),
            ("--phrase-delta", PhraseConfig { delta: Some(-1.0), ..on.clone() }),
            ("--phrase-delta", PhraseConfig { delta: Some(1.0), ..npmi }),
        ] {
            let message = config.validate().expect_err(flag).to_string();
            assert!(message.starts_with(&format!("{flag}: ")), "{message}");
        }
    }
}
