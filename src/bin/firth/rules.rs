//! `firth rules`: association rules from baskets, counted, beside what an autoencoder makes of them.

use std::path::PathBuf;
use std::time::Instant;

use firth::Error;
use firth::analysis::interactions::read_baskets;
use firth::analysis::recommend::{Confidence, Ease, HiddenItems, Hits, MultDae, Popularity, Recommend};
use firth::analysis::rules::{Estimator, FrequentItemsets, Itemsets, Rule, Rules, Support, common_part};
use firth::corpus::{Corpus, DocumentOptions};
use firth::estimator::Fit;
use firth::math::SparseMatrix;
use firth::vocabulary::Keys;
use serde::Serialize;
use serde_json::json;

use crate::failure::{Failure, Outcome, Reading};
use crate::globals::{Globals, Typed};
use crate::listing::{ListFlags, Listing};
use crate::output::{self, Results};
use crate::progress::{Meter, counted, note};
use crate::queries;
use crate::recommend::Epochs;

/// Find goods that are bought together: rules with support, confidence and lift, from baskets.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  firth rules baskets.csv --min-support 1% --min-confidence 30%\n\n\
    BASKETS holds a basket in each line, its items apart by commas or tabs.\n\
    Counts are exact. The estimate is an autoencoder's answer to the same question as\n\
    the confidence; it leans on similar items where counts are small.\n\
    Columns when piped: rule, support, confidence, lift, count, estimate (- for none); of --itemsets: itemset,\n\
    support, count; of --evaluate: method, hit@1, hit@5, hit@10, mrr, baskets, seconds.")]
pub struct Flags {
    /// Baskets: files, folders, patterns, or - for standard input
    #[arg(value_name = "BASKETS", required = true)]
    inputs: Vec<PathBuf>,
    /// The baskets that must hold all items of a rule: a share (0.5%, 0.005) or a number (50) [above 0 to 100%, or from 1]
    #[arg(long, value_name = "SHARE|N", default_value = "0.5%")]
    min_support: Support,
    /// How many of the baskets with the antecedent must hold the consequent [0 to 1, or 10%]
    #[arg(long, value_name = "SHARE", default_value = "10%", value_parser = parse_share)]
    min_confidence: f64,
    /// The most items in a rule, both sides together [1 to 10]
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=10))]
    max_items: u8,
    /// How many times likelier the antecedent must make the consequent [from 0]
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    min_lift: f64,
    /// How many to print, the best by lift, from 1
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = queries::parse_top)]
    top: usize,
    /// Only rules (or itemsets) with this item
    #[arg(long, value_name = "ITEM")]
    with: Option<String>,
    /// Train no autoencoder, and print counts alone
    #[arg(long)]
    no_estimate: bool,
    /// Print frequent itemsets instead of rules, the most frequent first
    #[arg(long, conflicts_with = "evaluate")]
    itemsets: bool,
    /// Measure rules and other methods: hide an item of each of a fifth of the baskets and look for it
    #[arg(long)]
    evaluate: bool,
    #[command(flatten)]
    list: ListFlags,
}

/// Prints rules or itemsets, or measures.
pub fn run(flags: &Flags, globals: &Globals, typed: &Typed) -> Outcome {
    if flags.evaluate {
        let why = "--evaluate measures methods and prints no rules";
        let unused = ["min-support", "min-confidence", "max-items", "min-lift", "top", "with"];
        unused.iter().try_for_each(|flag| typed.refuse(flag, why))?;
        flags.list.refuse(why)?;
    }
    if flags.itemsets {
        let why = "--itemsets prints no rules";
        ["min-confidence", "min-lift", "no-estimate"].iter().try_for_each(|flag| typed.refuse(flag, why))?;
    } else if flags.max_items < 2 {
        return Err(Error::config("--max-items", "a rule has two items or more; 1 is for --itemsets").into());
    }
    let listing = flags.list.open(if flags.itemsets { "itemsets" } else { "rules" }, &flags.inputs)?;
    let corpus = Corpus::open(&flags.inputs, &DocumentOptions::default()).reading()?;
    let (items, baskets) = read_baskets(&corpus).reading()?;
    let (count, kinds) = (baskets.rows() as u64, items.len() as u64);
    note(globals, format_args!("{}, {}", counted(count, "basket", "baskets"), counted(kinds, "item", "items")));
    if flags.evaluate {
        return evaluate(&baskets, flags, globals);
    }
    let unknown = |item: &str| Failure::unknown(item, "item", &corpus.name(), &items);
    let with = flags.with.as_deref().map(|item| items.find(item).ok_or_else(|| unknown(item))).transpose()?;
    let with = with.map(|item| item as u32);
    let search = FrequentItemsets { min_support: flags.min_support, max_items: flags.max_items.into() };
    let itemsets = search.fit(&baskets)?;
    if flags.itemsets {
        return print_itemsets(&itemsets, with, flags.top, &items, listing, globals);
    }
    let rules = Rules { min_confidence: flags.min_confidence, min_lift: flags.min_lift, with, top: Some(flags.top) };
    let rules = rules.find(&itemsets)?;
    let estimates = if flags.no_estimate || rules.is_empty() {
        vec![None; rules.len()]
    } else {
        let settings = autoencoder(&baskets, globals);
        let estimator = Estimator::fit(&settings, &baskets, &itemsets, &mut Epochs(Meter::new(globals)))?;
        estimator.estimate(&rules)?.into_iter().map(Some).collect()
    };
    if rules.is_empty() {
        note(globals, "no rule passes; lower --min-support, --min-confidence or --min-lift");
    }
    print_rules(&rules, &estimates, &items, listing, globals)
}

/// The settings of an autoencoder of baskets.
fn autoencoder(baskets: &SparseMatrix, globals: &Globals) -> MultDae {
    MultDae { threads: globals.threads(), seed: globals.seed, ..MultDae::baskets(baskets.rows()) }
}

#[derive(Debug, Serialize)]
struct RuleReport<'a> {
    r#if: Vec<&'a str>,
    then: Vec<&'a str>,
    count: u64,
    support: f64,
    confidence: f64,
    lift: f64,
    leverage: f64,
    /// Nothing for a rule that never fails.
    conviction: Option<f64>,
    /// Nothing without an autoencoder.
    estimate: Option<f64>,
}

fn print_rules(
    rules: &[Rule],
    estimates: &[Option<f64>],
    items: &Keys,
    listing: Listing<'_>,
    globals: &Globals,
) -> Outcome {
    let names = |side: &[u32]| -> Vec<&str> { side.iter().map(|&item| items.get(item as usize)).collect() };
    let report = |(rule, &estimate): (&Rule, &Option<f64>)| RuleReport {
        r#if: names(&rule.antecedent),
        then: names(&rule.consequent),
        count: rule.count,
        support: rule.support(),
        confidence: rule.confidence(),
        lift: rule.lift(),
        leverage: rule.leverage(),
        conviction: Some(rule.conviction()).filter(|conviction| conviction.is_finite()),
        estimate,
    };
    let row = |rule: &RuleReport<'_>| {
        vec![
            [&rule.r#if, &rule.then].map(|side| side.join(", ")).join(" => "),
            format!("{:.6}", rule.support),
            format!("{:.4}", rule.confidence),
            format!("{:.2}", rule.lift),
            rule.count.to_string(),
            rule.estimate.map_or_else(|| "-".into(), |estimate| format!("{estimate:.4}")),
        ]
    };
    let reports: Vec<RuleReport<'_>> = rules.iter().zip(estimates).map(report).collect();
    print(listing, &reports, &["rule", "support", "confidence", "lift", "count", "estimate"], row, globals)
}

/// A row for each report; of a file, where it is and how many it holds.
fn print<R: Serialize>(
    listing: Listing<'_>,
    reports: &[R],
    header: &[&str],
    row: impl Fn(&R) -> Vec<String>,
    globals: &Globals,
) -> Outcome {
    let rows: Vec<Vec<String>> = reports.iter().map(row).collect();
    let Some(path) = listing.put(reports, header, &rows, globals)? else { return Ok(()) };
    if globals.json {
        return output::json(&json!({"output": path, "results": rows.len()}));
    }
    note(globals, format_args!("{} results in {}", rows.len(), path.display()));
    Ok(())
}

#[derive(Debug, Serialize)]
struct ItemsetReport<'a> {
    items: Vec<&'a str>,
    count: u64,
    support: f64,
}

fn print_itemsets(
    itemsets: &Itemsets,
    with: Option<u32>,
    top: usize,
    items: &Keys,
    listing: Listing<'_>,
    globals: &Globals,
) -> Outcome {
    let is_wanted = |set: &usize| with.is_none_or(|item| itemsets.items(*set).contains(&item));
    let mut sets: Vec<usize> = (0..itemsets.len()).filter(is_wanted).collect();
    // Sets come in the order of their names, which a stable sort keeps.
    sets.sort_by_key(|&set| std::cmp::Reverse(itemsets.count(set)));
    let report = |&set: &usize| ItemsetReport {
        items: itemsets.items(set).iter().map(|&item| items.get(item as usize)).collect(),
        count: itemsets.count(set),
        support: itemsets.count(set) as f64 / itemsets.baskets() as f64,
    };
    let reports: Vec<ItemsetReport<'_>> = sets.iter().take(top).map(report).collect();
    let row =
        |set: &ItemsetReport<'_>| vec![set.items.join(", "), format!("{:.6}", set.support), set.count.to_string()];
    print(listing, &reports, &["itemset", "support", "count"], row, globals)
}

#[derive(Debug, Serialize)]
struct Measured {
    method: &'static str,
    #[serde(flatten)]
    hits: Hits,
    seconds: f64,
}

/// Items in fewer baskets than this are no fair question.
const COMMON: u64 = 10;

type Fitted = Outcome<Box<dyn Recommend>>;

fn evaluate(baskets: &SparseMatrix, flags: &Flags, globals: &Globals) -> Outcome {
    let split = HiddenItems::new(&common_part(baskets, COMMON, 2).0, globals.seed).reading()?;
    let train = &split.train;
    let methods: [(&'static str, &dyn Fn() -> Fitted); 4] = [
        ("popularity", &|| Ok(Box::new(Popularity.fit(train)?))),
        ("rules", &|| Ok(Box::new(Confidence.fit(train)?))),
        ("ease", &|| Ok(Box::new(Ease::default().fit(train)?))),
        ("autoencoder", &|| {
            let mut epochs = Epochs(Meter::new(globals));
            Ok(Box::new(autoencoder(train, globals).fit_observed(train, &mut epochs)?))
        }),
    ];
    let mut measured = Vec::with_capacity(methods.len());
    for (method, fit) in methods.into_iter().take(if flags.no_estimate { 3 } else { 4 }) {
        let started = Instant::now();
        let hits = split.evaluate(&*fit()?)?;
        measured.push(Measured { method, hits, seconds: started.elapsed().as_secs_f64() });
    }
    if globals.json {
        return output::json(&measured);
    }
    let row = |Measured { method, hits, seconds }: &Measured| {
        let shares = [hits.first, hits.five, hits.ten, hits.mrr].map(|share| format!("{share:.4}"));
        let last = [hits.baskets.to_string(), format!("{seconds:.2}")];
        [(*method).to_owned()].into_iter().chain(shares).chain(last).collect()
    };
    let rows: Vec<Vec<String>> = measured.iter().map(row).collect();
    let mut results = Results::new();
    output::table(&mut results, &["method", "hit@1", "hit@5", "hit@10", "mrr", "baskets", "seconds"], &rows)?;
    results.done()
}

/// A share as a number or in per cent.
fn parse_share(text: &str) -> Result<f64, String> {
    let (number, unit) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
    match number.trim().parse::<f64>() {
        Ok(number) if (0.0..=1.0).contains(&(number / unit)) => Ok(number / unit),
        _ => Err("expected a share from 0 to 1, or from 0% to 100%".into()),
    }
}
