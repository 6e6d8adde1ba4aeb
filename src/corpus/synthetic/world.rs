//! The `world` corpus: records of eight subjects and some topics, and the analogies that hold between them.

use std::collections::HashMap;

use super::facts::{Lists, Table};
use super::template::{Scope, Template, Templates, pick, shuffle};
use super::topics::Topics;
use super::{Planted, PlantedDocument, Section, similarity};
use crate::math::Rng;

/// Facts of one kind, and sentences about them.
pub(super) struct Subject {
    pub(super) name: &'static str,
    /// Out of all shares, how many documents are about it: in proportion to the words to be learnt.
    share: u32,
    /// The share of its documents that hold one kind of sentence about many records.
    alike: f32,
    pub(super) table: Table,
    templates: Templates,
    relations: Vec<Relation>,
}

/// Two columns whose words are asked for; `unless` is a column whose word the second must not equal.
struct Relation {
    name: &'static str,
    from: &'static str,
    to: &'static str,
    unless: Option<&'static str>,
}

const fn relation(name: &'static str, from: &'static str, to: &'static str) -> Relation {
    Relation { name, from, to, unless: None }
}

macro_rules! subject {
    ($name:literal, $share:literal, $alike:literal, $relations:expr) => {
        Subject {
            name: $name,
            share: $share,
            alike: $alike,
            table: Table::parse(include_str!(concat!("../../../corpora/facts/", $name, ".txt"))),
            templates: Templates::parse(include_str!(concat!("../../../corpora/templates/", $name, ".txt"))),
            relations: $relations,
        }
    };
}

/// All subjects, in the order of the question file.
pub(super) fn subjects() -> Vec<Subject> {
    vec![
        subject!(
            "countries",
            34,
            0.35,
            vec![
                relation("country-capital", "country", "capital"),
                relation("country-currency", "country", "currency"),
                Relation { name: "country-language", from: "country", to: "language", unless: Some("demonym") },
                relation("gram-nationality-adjective", "country", "demonym"),
            ]
        ),
        subject!("family", 9, 0.45, vec![relation("family", "male", "female")]),
        subject!(
            "animals",
            17,
            0.35,
            vec![
                relation("animal-young", "animal", "young"),
                relation("animal-sound", "animal", "sound"),
                relation("animal-home", "animal", "home"),
            ]
        ),
        subject!(
            "trades",
            11,
            0.5,
            vec![relation("trade-tool", "trade", "tool"), relation("trade-workplace", "trade", "workplace")]
        ),
        subject!(
            "adjectives",
            11,
            0.5,
            vec![
                relation("gram-comparative", "base", "comparative"),
                relation("gram-superlative", "base", "superlative"),
            ]
        ),
        subject!("opposites", 9, 0.5, vec![relation("gram-opposite", "base", "opposite")]),
        subject!("plurals", 9, 0.75, vec![relation("gram-plural", "singular", "plural")]),
        subject!(
            "verbs",
            15,
            0.7,
            vec![
                relation("gram-third-person", "base", "third"),
                relation("gram-past-tense", "base", "past"),
                Relation { name: "gram-participle", from: "base", to: "participle", unless: Some("past") },
                relation("gram-present-participle", "base", "ing"),
            ]
        ),
    ]
}

/// Documents about topics, out of all shares.
const TOPICS_SHARE: u32 = 8;
/// Questions asked of one relation at most, so that no section outweighs the others.
const QUESTIONS: usize = 300;

/// A word is asked for if its subject has at least this share of its occurrences.
const PLAIN: (usize, usize) = (9, 10);

/// Grows the corpus.
pub(super) fn grow(seed: u64, documents: usize) -> Planted {
    let (subjects, topics, fillers) = (subjects(), Topics::embedded(), fillers());
    let total = subjects.iter().map(|subject| subject.share).sum::<u32>() + TOPICS_SHARE;
    let document = |number: usize| {
        let mut rng = Rng::stream(seed, &[0, number as u64]);
        let mut draw = rng.below(total);
        let subject = subjects.iter().find(|subject| {
            let found = draw < subject.share;
            draw = draw.saturating_sub(subject.share);
            found
        });
        let (label, text) = match subject {
            Some(subject) => (subject.name.to_owned(), subject.document(&fillers, &mut rng)),
            None => {
                let topic = rng.below(topics.len() as u32) as usize;
                (topics.name(topic).to_owned(), topics.document(topic, &fillers, &mut rng))
            }
        };
        PlantedDocument { id: format!("w{number:06}"), label, text }
    };
    let documents: Vec<PlantedDocument> = (0..documents).map(document).collect();
    let senses = Senses::count(&documents);
    Planted {
        kind: "world".into(),
        seed,
        analogies: subjects.iter().flat_map(|subject| subject.analogies(seed, &senses)).collect(),
        similarity: similarity::world(&subjects, &topics, seed),
        documents,
        ..Planted::default()
    }
}

/// How often each word occurs under each label: "turkey" the country, "patient" in a ward or in a queue.
struct Senses(HashMap<String, HashMap<String, usize>>);

impl Senses {
    fn count(documents: &[PlantedDocument]) -> Self {
        let mut counts: HashMap<String, HashMap<String, usize>> = HashMap::new();
        for document in documents {
            for word in document.text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()) {
                let labels = counts.entry(word.to_lowercase()).or_default();
                *labels.entry(document.label.clone()).or_default() += 1;
            }
        }
        Self(counts)
    }

    /// Is the word used nearly always in documents with that label? Words that do not occur are.
    fn is_plain(&self, word: &str, label: &str) -> bool {
        let labels = self.0.get(word);
        let own = labels.and_then(|labels| labels.get(label)).copied().unwrap_or(0);
        let all = labels.map_or(0, |labels| labels.values().sum());
        all * PLAIN.0 <= own * PLAIN.1
    }
}

/// Names, days and other words for any template.
pub(super) fn fillers() -> Lists {
    Lists::parse(include_str!("../../../corpora/fillers.txt"))
}

/// The person a document is about, and what follows from whether it is a man or a woman.
pub(super) fn protagonist(fillers: &Lists, rng: &mut Rng) -> (bool, Vec<(&'static str, String)>) {
    let male = rng.below(2) == 0;
    let name = |male: bool, rng: &mut Rng| {
        let names = fillers.get(if male { "male_name" } else { "female_name" });
        names.and_then(|names| pick(names, rng)).cloned().unwrap_or_default()
    };
    let hero = name(male, rng);
    let mut friend = name(rng.below(2) == 0, rng);
    while friend == hero {
        friend = name(!male, rng);
    }
    let words = if male { ["he", "him", "his", "himself", "Mr"] } else { ["she", "her", "her", "herself", "Mrs"] };
    let slots = ["he", "him", "his", "himself", "title"];
    let mut fixed = vec![("name", hero), ("friend", friend)];
    fixed.extend(slots.into_iter().zip(words.map(str::to_owned)));
    (male, fixed)
}

impl Subject {
    /// A few sentences: about one record with every kind of sentence in turn, or about many records with one kind of
    /// sentence. The first gives a record's words a common context, the second does so for words of the same kind.
    fn document(&self, fillers: &Lists, rng: &mut Rng) -> String {
        let sentences = 5 + rng.below(6) as usize;
        let (male, fixed) = protagonist(fillers, rng);
        let scope = |rng: &mut Rng| self.scope(male, &fixed, rng.below(self.table.len() as u32) as usize, fillers);
        if rng.uniform() >= self.alike {
            return self.templates.document(sentences, &scope(rng), rng);
        }
        let section = pick(&self.templates.0, rng).map_or(&[][..], Vec::as_slice);
        let mut templates: Vec<&Template> = section.iter().collect();
        shuffle(&mut templates, rng);
        let text =
            templates.iter().cycle().take(4 * sentences).filter_map(|template| template.render(&scope(rng), rng));
        text.take(sentences).collect::<Vec<_>>().join(" ")
    }

    fn scope<'a>(&'a self, male: bool, fixed: &[(&'static str, String)], row: usize, fillers: &'a Lists) -> Scope<'a> {
        let mut fixed = fixed.to_vec();
        if let Some(role) = self.table.word(row, if male { "male" } else { "female" }) {
            fixed.push(("role", role.to_owned()));
        }
        Scope { fixed, record: Some((&self.table, row)), lists: vec![fillers] }
    }

    /// The questions of all its relations: every pair of records, or as many as a section takes.
    fn analogies(&self, seed: u64, senses: &Senses) -> Vec<Section> {
        let section = |relation: &Relation| {
            let pairs = self.pairs(relation, senses);
            let mut order: Vec<(usize, usize)> =
                (0..pairs.len()).flat_map(|a| (0..pairs.len()).map(move |b| (a, b))).filter(|(a, b)| a != b).collect();
            shuffle(&mut order, &mut Rng::stream(seed, &[1, pairs.len() as u64]));
            order.truncate(QUESTIONS);
            order.sort_unstable();
            let question = |&(a, b): &(usize, usize)| {
                let [(a, b), (c, d)] = [&pairs[a], &pairs[b]];
                [a.clone(), b.clone(), c.clone(), d.clone()]
            };
            Section { name: relation.name.into(), questions: order.iter().map(question).collect() }
        };
        self.relations.iter().map(section).collect()
    }

    /// A field's first word, or an empty one.
    fn word(&self, row: usize, column: &str) -> &str {
        self.table.word(row, column).unwrap_or_default()
    }

    /// The pairs of a relation that can be asked for: single words, none twice on its side or with
    /// another sense elsewhere.
    fn pairs(&self, relation: &Relation, senses: &Senses) -> Vec<(String, String)> {
        let is_unique = |row: usize, column: &str| {
            let value = self.word(row, column);
            !value.is_empty()
                && value.chars().all(char::is_alphabetic)
                && (0..self.table.len()).filter(|&other| self.word(other, column) == value).count() == 1
        };
        let differs = |row: usize| match relation.unless {
            Some(column) => self.word(row, relation.to) != self.word(row, column),
            None => true,
        };
        (0..self.table.len())
            .filter(|&row| is_unique(row, relation.from) && is_unique(row, relation.to) && differs(row))
            .map(|row| (self.word(row, relation.from).to_lowercase(), self.word(row, relation.to).to_lowercase()))
            .filter(|(a, b)| senses.is_plain(a, self.name) && senses.is_plain(b, self.name))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_slot_of_every_template_is_known() {
        let (subjects, fillers) = (subjects(), fillers());
        for subject in &subjects {
            for template in subject.templates.0.iter().flatten() {
                for slot in template.slots() {
                    let (male, fixed) = protagonist(&fillers, &mut Rng::stream(1, &[]));
                    let scope = subject.scope(male, &fixed, 0, &fillers);
                    assert!(scope.words(slot, Some(1)).is_some(), "{}: {slot}", subject.name);
                }
            }
        }
    }

    #[test]
    fn every_record_has_every_field() {
        for subject in subjects() {
            assert!(subject.table.is_even(), "{}", subject.name);
        }
    }

    #[test]
    fn no_answer_can_be_two_words() {
        for section in subjects().iter().flat_map(|subject| subject.analogies(1, &Senses::count(&[]))) {
            let answers: HashMap<_, HashSet<_>> =
                section.questions.iter().fold(HashMap::new(), |mut all, [a, b, c, d]| {
                    all.entry(a.clone()).or_insert_with(HashSet::new).insert(b.clone());
                    all.entry(c.clone()).or_insert_with(HashSet::new).insert(d.clone());
                    all
                });
            assert!(answers.values().all(|answers| answers.len() == 1), "{}", section.name);
            assert!(section.questions.len() >= 90, "{}: {}", section.name, section.questions.len());
        }
    }

    #[test]
    fn words_asked_for_occur_often() {
        let planted = grow(1, 12_500);
        let mut counts: HashMap<String, usize> = HashMap::new();
        for document in &planted.documents {
            for word in document.text.split(|letter: char| !letter.is_alphanumeric()) {
                *counts.entry(word.to_lowercase()).or_default() += 1;
            }
        }
        for word in planted.analogies.iter().flat_map(|section| section.questions.iter().flatten()) {
            assert!(counts.get(word).is_some_and(|&count| count >= 20), "{word}: {:?}", counts.get(word));
        }
        for (a, b, _) in &planted.similarity {
            assert!(counts.contains_key(a) && counts.contains_key(b), "{a} {b}");
        }
    }
}
