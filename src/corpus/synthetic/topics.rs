//! Topics: word lists and sentences of twelve subjects, and the `topics` corpus made of ten of them.
//!
//! The words of the last two topics occur only in the planted anomalies, which are labelled as one of the ten.

use super::facts::Lists;
use super::market::Market;
use super::template::{Scope, Templates};
use super::world::{fillers, protagonist};
use super::{Anomaly, Planted, PlantedDocument, similarity};
use crate::math::Rng;

/// All topics.
pub(super) struct Topics {
    topics: Vec<Topic>,
}

struct Topic {
    name: &'static str,
    lists: Lists,
    templates: Templates,
}

/// Topics at the end of the list that only anomalies use.
pub(super) const RESERVED: usize = 2;
/// One in so many documents is an anomaly.
const ANOMALY_EVERY: u32 = 50;
/// One in so many documents is a basket of goods.
const MARKET_EVERY: u32 = 8;

macro_rules! topics {
    ($($name:literal),*) => {
        &[$(($name, include_str!(concat!("../../../corpora/topics/", $name, ".txt")))),*]
    };
}

const FILES: &[(&str, &str)] = topics!(
    "cooking",
    "football",
    "astronomy",
    "medicine",
    "music",
    "sailing",
    "law",
    "farming",
    "computing",
    "weather",
    "chess",
    "geology"
);

impl Topics {
    /// The topics that come with the program.
    pub(super) fn embedded() -> Self {
        let common = Templates::parse(include_str!("../../../corpora/topics/common.txt"));
        let topic = |&(name, text): &(&'static str, &str)| {
            let (lists, sentences) = text.split_once("= text").unwrap_or((text, ""));
            let mut templates = Templates::parse(sentences);
            templates.0.extend(common.0.iter().cloned());
            Topic { name, lists: Lists::parse(lists), templates }
        };
        Self { topics: FILES.iter().map(topic).collect() }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.topics.len()
    }

    /// A topic's name.
    pub(super) fn name(&self, topic: usize) -> &'static str {
        self.topics[topic].name
    }

    /// A topic's own words: those of its lists that are single words and that no other topic lists.
    pub(super) fn words(&self, topic: usize) -> Vec<&str> {
        let is_own = |word: &&str| {
            word.chars().all(char::is_alphabetic)
                && (0..self.len()).filter(|&other| self.topics[other].lists.words().any(|known| known == *word)).count()
                    == 1
        };
        let mut words: Vec<&str> = self.topics[topic].lists.words().filter(is_own).collect();
        words.sort_unstable();
        words.dedup();
        words
    }

    /// A few sentences on a topic.
    pub(super) fn document(&self, topic: usize, fillers: &Lists, rng: &mut Rng) -> String {
        let (_, fixed) = protagonist(fillers, rng);
        let topic = &self.topics[topic];
        let scope = Scope { fixed, record: None, lists: vec![&topic.lists, fillers] };
        topic.templates.document(5 + rng.below(6) as usize, &scope, rng)
    }
}

/// Grows the corpus.
pub(super) fn grow(seed: u64, documents: usize) -> Planted {
    let (topics, market, fillers) = (Topics::embedded(), Market::embedded(), fillers());
    let ordinary = topics.len() - RESERVED;
    let mut planted = Planted { kind: "topics".into(), seed, ..Planted::default() };
    for number in 0..documents {
        let mut rng = Rng::stream(seed, &[2, number as u64]);
        let id = format!("t{number:06}");
        let topic = rng.below(ordinary as u32) as usize;
        let mut label = topics.name(topic);
        let text = if rng.below(ANOMALY_EVERY) == 0 {
            let foreign = ordinary + rng.below(RESERVED as u32) as usize;
            planted.anomalies.push(Anomaly { id: id.clone(), topic: topics.name(foreign).into() });
            topics.document(foreign, &fillers, &mut rng)
        } else if rng.below(MARKET_EVERY) == 0 {
            label = "market";
            let (basket, text) = market.document(&id, &fillers, &mut rng);
            planted.baskets.push(basket);
            text
        } else {
            topics.document(topic, &fillers, &mut rng)
        };
        planted.documents.push(PlantedDocument { id, label: label.into(), text });
    }
    planted.rules = market.rules(&planted.baskets);
    planted.similarity = similarity::topics(&topics, ordinary, seed);
    planted
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet};

    fn words(text: &str) -> HashSet<String> {
        text.split(|letter: char| !letter.is_alphanumeric()).map(str::to_lowercase).collect()
    }

    #[test]
    fn every_slot_of_every_topic_is_known_and_rendered() {
        let (topics, fillers) = (Topics::embedded(), fillers());
        for topic in &topics.topics {
            let (_, fixed) = protagonist(&fillers, &mut Rng::stream(1, &[]));
            let scope = Scope { fixed, record: None, lists: vec![&topic.lists, &fillers] };
            for slot in topic.templates.0.iter().flatten().flat_map(|template| template.slots()) {
                assert!(scope.words(slot, None).is_some_and(|words| !words.is_empty()), "{}: {slot}", topic.name);
            }
        }
    }

    #[test]
    fn anomalies_use_the_words_of_topics_that_no_other_document_uses() {
        let planted = grow(1, 3000);
        let topics = Topics::embedded();
        let text: HashMap<&str, &PlantedDocument> =
            planted.documents.iter().map(|document| (document.id.as_str(), document)).collect();
        assert!((30..100).contains(&planted.anomalies.len()), "{}", planted.anomalies.len());
        let own = |name: &str| {
            let topic = (0..topics.len()).find(|&topic| topics.name(topic) == name);
            topic.map(|topic| topics.words(topic)).unwrap_or_default()
        };
        let foreign: Vec<&str> = own("chess").into_iter().chain(own("geology")).collect();
        for anomaly in &planted.anomalies {
            let document = text[anomaly.id.as_str()];
            let found = words(&document.text);
            assert_ne!(document.label, anomaly.topic);
            let of = |name: &str| own(name).iter().filter(|word| found.contains(**word)).count();
            assert!(of(&anomaly.topic) > of(&document.label), "{}", document.text);
        }
        let odd: HashSet<&str> = planted.anomalies.iter().map(|anomaly| anomaly.id.as_str()).collect();
        for document in planted.documents.iter().filter(|document| !odd.contains(document.id.as_str())) {
            let found = words(&document.text);
            assert!(foreign.iter().all(|word| !found.contains(*word)), "{}", document.text);
        }
    }
}
