//! Baskets of goods with planted association rules: who buys these often buys that as well.

use super::facts::{Lists, content};
use super::template::{Scope, Template, Templates, pick, shuffle};
use super::world::protagonist;
use super::{Basket, Rule};
use crate::math::Rng;

/// The goods, the rules between them, and sentences about shopping.
pub(super) struct Market {
    goods: Vec<String>,
    rules: Vec<Habit>,
    templates: Templates,
}

/// A rule as it is planted: with this probability the consequent is added.
struct Habit {
    antecedent: Vec<String>,
    consequent: String,
    probability: f32,
}

impl Market {
    /// The market that comes with the program.
    pub(super) fn embedded() -> Self {
        let text = include_str!("../../../corpora/topics/market.txt");
        let (facts, sentences) = text.split_once("= text").unwrap_or((text, ""));
        let goods = Lists::parse(facts).get("goods").map(<[String]>::to_vec).unwrap_or_default();
        let rules = content(facts).filter_map(|line| line.strip_prefix("rule:")).filter_map(Habit::parse).collect();
        Self { goods, rules, templates: Templates::parse(sentences) }
    }

    /// A basket, and a sentence or two about it.
    pub(super) fn document(&self, id: &str, fillers: &Lists, rng: &mut Rng) -> (Basket, String) {
        let items = self.basket(rng);
        let (_, mut fixed) = protagonist(fillers, rng);
        fixed.push(("goods", enumerate(&items)));
        let scope = Scope { fixed, record: None, lists: vec![fillers] };
        let sentences: Vec<&Template> = self.templates.0.iter().filter_map(|section| pick(section, rng)).collect();
        let text: Vec<String> = sentences.iter().filter_map(|template| template.render(&scope, rng)).collect();
        let mut items = items;
        items.sort_unstable();
        (Basket { id: id.into(), items }, text.join(" "))
    }

    /// Two to five goods by chance or by a rule's antecedent, and what habit adds.
    fn basket(&self, rng: &mut Rng) -> Vec<String> {
        let mut items: Vec<String> = Vec::new();
        if rng.below(2) == 0
            && let Some(habit) = pick(&self.rules, rng)
        {
            items.extend(habit.antecedent.iter().cloned());
        }
        let size = items.len().max(1) + 1 + rng.below(3) as usize;
        while items.len() < size {
            match pick(&self.goods, rng) {
                Some(good) if items.contains(good) => {}
                Some(good) => items.push(good.clone()),
                None => break,
            }
        }
        for habit in &self.rules {
            let applies = habit.antecedent.iter().all(|good| items.contains(good));
            if applies && !items.contains(&habit.consequent) && rng.uniform() < habit.probability {
                items.push(habit.consequent.clone());
            }
        }
        shuffle(&mut items, rng);
        items
    }

    /// The planted rules with their figures in these baskets.
    pub(super) fn rules(&self, baskets: &[Basket]) -> Vec<Rule> {
        let share = |count: usize, of: usize| count as f64 / of.max(1) as f64;
        let rule = |habit: &Habit| {
            let holds = |basket: &&Basket| habit.antecedent.iter().all(|good| basket.items.contains(good));
            let with = |basket: &&Basket| basket.items.contains(&habit.consequent);
            let antecedent = baskets.iter().filter(holds).count();
            let both = baskets.iter().filter(|basket| holds(basket) && with(basket)).count();
            let confidence = share(both, antecedent);
            let expected = share(baskets.iter().filter(with).count(), baskets.len());
            Rule {
                antecedent: habit.antecedent.clone(),
                consequent: habit.consequent.clone(),
                support: share(both, baskets.len()),
                confidence,
                lift: if expected > 0.0 { confidence / expected } else { 0.0 },
            }
        };
        self.rules.iter().map(rule).collect()
    }
}

impl Habit {
    /// Reads `bread, butter => jam: 0.85`.
    fn parse(line: &str) -> Option<Self> {
        let (antecedent, rest) = line.split_once("=>")?;
        let (consequent, probability) = rest.split_once(':')?;
        Some(Self {
            antecedent: antecedent.split(',').map(|good| good.trim().to_owned()).collect(),
            consequent: consequent.trim().to_owned(),
            probability: probability.trim().parse().ok()?,
        })
    }
}

/// "bread", "bread and jam", "bread, jam and tea".
fn enumerate(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planted_rules_stand_out_in_the_baskets() {
        let market = Market::embedded();
        let fillers = super::super::world::fillers();
        let baskets: Vec<Basket> =
            (0..2000).map(|number| market.document("id", &fillers, &mut Rng::stream(1, &[number])).0).collect();
        let rules = market.rules(&baskets);
        assert_eq!(rules.len(), 7);
        for rule in rules {
            assert!(rule.confidence > 0.65 && rule.lift > 2.0 && rule.support > 0.02, "{rule:?}");
        }
    }

    #[test]
    fn the_text_names_every_good_in_the_basket() {
        let (basket, text) =
            Market::embedded().document("id", &super::super::world::fillers(), &mut Rng::stream(3, &[]));
        assert!(basket.items.iter().all(|good| text.contains(good.as_str())), "{text}");
    }
}
