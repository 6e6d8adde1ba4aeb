//! Templates: plain sentences with slots and choices, and the few rules of English that filling them needs.
//!
//! `{slot}` is replaced by a word, `{other slot}` by that of another record, `[this|that]` by one of its parts. "a" and
//! "an" are put right afterwards, and the sentence gets its capital.

use super::facts::{Lists, Table, content};
use crate::math::Rng;

/// What slots are filled from: words fixed for a document first, then a record's fields, then lists.
pub(super) struct Scope<'a> {
    /// Slot and word, the same in all sentences of a document.
    pub(super) fixed: Vec<(&'static str, String)>,
    /// The record that the document is about.
    pub(super) record: Option<(&'a Table, usize)>,
    /// Lists, the most specific first.
    pub(super) lists: Vec<&'a Lists>,
}

/// One sentence to be filled in.
#[derive(Debug, Clone)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Slot(String),
    Choice(Vec<Vec<Part>>),
}

/// Templates in sections: a document takes its sentences from each in turn, so that every kind of word gets its share.
#[derive(Debug, Clone)]
pub(super) struct Templates(pub(super) Vec<Vec<Template>>);

impl Templates {
    /// Reads one template a line; a line `= name` starts a section.
    pub(super) fn parse(text: &str) -> Self {
        let mut sections = vec![Vec::new()];
        for line in content(text) {
            if line.starts_with("= ") {
                sections.push(Vec::new());
            } else if let Some(section) = sections.last_mut() {
                section.push(Template::parse(line));
            }
        }
        sections.retain(|section| !section.is_empty());
        Self(sections)
    }

    /// Some sentences, joined by spaces: sections in a random order, no template twice while there are others.
    pub(super) fn document(&self, sentences: usize, scope: &Scope<'_>, rng: &mut Rng) -> String {
        let mut order: Vec<usize> = (0..self.0.len()).collect();
        shuffle(&mut order, rng);
        let mut decks: Vec<Vec<&Template>> = self.0.iter().map(|_| Vec::new()).collect();
        let mut text: Vec<String> = Vec::with_capacity(sentences);
        let mut misses = 0;
        for turn in 0.. {
            // A template whose slot is empty in this record is passed over; 99 in a row means that none fits.
            if text.len() == sentences || misses == 99 || order.is_empty() {
                break;
            }
            let section = order[turn % order.len()];
            if decks[section].is_empty() {
                decks[section] = self.0[section].iter().collect();
                shuffle(&mut decks[section], rng);
            }
            match decks[section].pop().and_then(|template| template.render(scope, rng)) {
                Some(sentence) => {
                    text.push(sentence);
                    misses = 0;
                }
                None => misses += 1,
            }
        }
        text.join(" ")
    }
}

impl Template {
    /// Reads one line. Brackets that do not close are taken to close at its end.
    pub(super) fn parse(line: &str) -> Self {
        let mut choice: Option<Vec<Vec<Part>>> = None;
        let mut parts = Vec::new();
        let mut rest = line;
        while let Some(at) = rest.find(['{', '[', '|', ']']) {
            let target = choice.as_mut().and_then(|options| options.last_mut()).unwrap_or(&mut parts);
            if at > 0 {
                target.push(Part::Text(rest[..at].to_owned()));
            }
            let mark = rest.as_bytes()[at];
            rest = &rest[at + 1..];
            match mark {
                b'{' => {
                    let (slot, after) = rest.split_once('}').unwrap_or((rest, ""));
                    target.push(Part::Slot(slot.to_owned()));
                    rest = after;
                }
                b'[' => choice = Some(vec![Vec::new()]),
                b'|' => {
                    if let Some(options) = choice.as_mut() {
                        options.push(Vec::new());
                    }
                }
                _ => parts.extend(choice.take().map(Part::Choice)),
            }
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        parts.extend(choice.map(Part::Choice));
        Self(parts)
    }

    /// The sentence; `None` if a slot has no word in this scope.
    pub(super) fn render(&self, scope: &Scope<'_>, rng: &mut Rng) -> Option<String> {
        let mut text = String::new();
        let other = scope.record.map(|(table, row)| other_row(table.len(), row, rng));
        fill(&self.0, scope, other, rng, &mut Vec::new(), &mut text)?;
        Some(capitalize(&mend_articles(&text)))
    }

    /// The names of all slots.
    #[cfg(test)]
    pub(super) fn slots(&self) -> Vec<&str> {
        fn collect<'a>(parts: &'a [Part], into: &mut Vec<&'a str>) {
            for part in parts {
                match part {
                    Part::Text(_) => {}
                    Part::Slot(slot) => into.push(slot),
                    Part::Choice(options) => options.iter().for_each(|option| collect(option, into)),
                }
            }
        }
        let mut slots = Vec::new();
        collect(&self.0, &mut slots);
        slots
    }
}

impl Scope<'_> {
    /// The words that may stand in a slot, if it is known here.
    pub(super) fn words(&self, slot: &str, other: Option<usize>) -> Option<&[String]> {
        if let Some((_, word)) = self.fixed.iter().find(|(name, _)| *name == slot) {
            return Some(std::slice::from_ref(word));
        }
        let (column, row) = match slot.strip_prefix("other ") {
            Some(column) => (column, other),
            None => (slot, self.record.map(|(_, row)| row)),
        };
        let field = self.record.zip(row).and_then(|((table, _), row)| table.field(row, column));
        field.or_else(|| self.lists.iter().find_map(|lists| lists.get(slot)))
    }
}

/// Appends the parts; a word of several alternatives is not used twice in a sentence while there are others.
fn fill(
    parts: &[Part],
    scope: &Scope<'_>,
    other: Option<usize>,
    rng: &mut Rng,
    used: &mut Vec<String>,
    text: &mut String,
) -> Option<()> {
    for part in parts {
        match part {
            Part::Text(words) => text.push_str(words),
            Part::Choice(options) => fill(pick(options, rng)?, scope, other, rng, used, text)?,
            Part::Slot(slot) => {
                let words = scope.words(slot, other)?;
                let start = rng.below(words.len() as u32) as usize;
                let turned = words[start..].iter().chain(&words[..start]);
                let word = turned.clone().find(|word| !used.contains(word)).or_else(|| turned.clone().next())?;
                used.push(word.clone());
                text.push_str(word);
            }
        }
    }
    Some(())
}

/// One of several, each as likely.
pub(super) fn pick<'a, T>(items: &'a [T], rng: &mut Rng) -> Option<&'a T> {
    items.get(rng.below(items.len() as u32) as usize)
}

/// Any row but this one.
fn other_row(rows: usize, row: usize, rng: &mut Rng) -> usize {
    let step = 1 + rng.below(rows.saturating_sub(1) as u32) as usize;
    (row + step) % rows.max(1)
}

/// Puts the items in a random order (Fisher and Yates).
pub(super) fn shuffle<T>(items: &mut [T], rng: &mut Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, rng.below(last as u32 + 1) as usize);
    }
}

/// "a" before consonants, "an" before vowels.
fn mend_articles(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let mut mended = String::with_capacity(text.len() + 8);
    for (position, word) in words.iter().enumerate() {
        let bare = word.trim_start_matches('"');
        match (bare, words.get(position + 1)) {
            ("a" | "A" | "an" | "An", Some(next)) => {
                mended.push_str(&word[..word.len() - bare.len() + 1]);
                mended.push_str(if takes_an(next) { "n" } else { "" });
            }
            _ => mended.push_str(word),
        }
        if position + 1 < words.len() {
            mended.push(' ');
        }
    }
    mended
}

/// Does the word start with a vowel when spoken? By spelling, with the exceptions that our word lists meet.
pub(super) fn takes_an(word: &str) -> bool {
    let word = word.trim_start_matches('"').to_lowercase();
    let silent = ["hour", "honest", "honour", "heir"].iter().any(|start| word.starts_with(start));
    let sounded = ["eu", "ewe", "one", "once", "unif", "univ", "unic", "use", "ukr", "ura", "uten"];
    let vowel = word.starts_with(['a', 'e', 'i', 'o', 'u']) && !sounded.iter().any(|start| word.starts_with(start));
    silent || vowel
}

/// A capital for the first letter, after an opening quotation mark if there is one.
fn capitalize(text: &str) -> String {
    let start = text.find(char::is_alphanumeric).unwrap_or(0);
    let (head, tail) = text.split_at(start);
    let mut letters = tail.chars();
    let first: String = letters.next().map(|letter| letter.to_uppercase().collect()).unwrap_or_default();
    format!("{head}{first}{}", letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(line: &str, lists: &Lists, seed: u64) -> Option<String> {
        let scope = Scope { fixed: vec![("name", "Anna".into())], record: None, lists: vec![lists] };
        Template::parse(line).render(&scope, &mut Rng::stream(seed, &[]))
    }

    #[test]
    fn slots_and_choices_are_filled_and_articles_agree() {
        let lists = Lists::parse("fruit: apple");
        assert_eq!(render("a {fruit} for {name}.", &lists, 1).as_deref(), Some("An apple for Anna."));
        assert_eq!(
            render("\"an banana,\" said [{name}|{name}].", &lists, 1).as_deref(),
            Some("\"A banana,\" said Anna.")
        );
        assert_eq!(render("{nothing} here.", &lists, 1), None);
    }

    #[test]
    fn articles_follow_the_sound() {
        for word in ["apple", "hour", "unhappy", "\"egg", "honest", "heiress", "Irish", "ox"] {
            assert!(takes_an(word), "{word}");
        }
        for word in ["banana", "uniform", "European", "one", "Ukrainian", "hand"] {
            assert!(!takes_an(word), "{word}");
        }
    }

    #[test]
    fn a_word_is_not_repeated_in_a_sentence_while_there_are_others() {
        let lists = Lists::parse("food: rice, soup");
        for seed in 0..20 {
            let text = render("{food} and {food}.", &lists, seed).unwrap_or_default();
            assert!(["Rice and soup.", "Soup and rice."].contains(&text.as_str()), "{text}");
        }
    }
}
