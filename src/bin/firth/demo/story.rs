//! What the demo tells its reader.

use std::io::Write;

use firth::analysis::{Method, Neighbors};
use firth::corpus::synthetic::Planted;
use firth::dataset::EncodedCorpus;

use super::{Documents, FILES, Model, Models, Report};
use crate::failure::Outcome;
use crate::output::{self, Results};
use crate::progress::{short, thousands};

/// Words whose neighbours are shown; those that the corpus lacks are passed over.
const WORDS: [&str; 6] = ["france", "euro", "cat", "tailor", "nurse", "violin"];
/// Neighbours shown for each.
const NEIGHBORS: usize = 6;
/// Relations of which a question is shown.
const RELATIONS: [&str; 8] = [
    "country-capital",
    "country-currency",
    "family",
    "animal-young",
    "trade-workplace",
    "gram-comparative",
    "gram-plural",
    "gram-past-tense",
];
/// Documents shown, and the letters of each.
const DOCUMENTS: usize = 5;
const LETTERS: usize = 88;
/// Documents whose nearest ones are shown, and how many of these.
const CODED: usize = 3;
const NEAR: usize = 3;

/// Prints the whole story.
pub fn tell(
    planted: &Planted,
    corpus: &EncodedCorpus,
    models: &Models,
    codes: &Documents,
    report: &Report<'_>,
) -> Outcome {
    let mut out = Results::new();
    text(&mut out, planted, corpus)?;
    writeln!(out, "\nTraining. Skip-gram lets each word predict its neighbours, CBOW lets them predict the word.")?;
    let summary = &models.skipgram.summary;
    writeln!(out, "Both make vectors of {} numbers in {} passes over the text (epochs).", summary.dim, summary.epochs)?;
    for (name, model) in [("skip-gram", &models.skipgram), ("CBOW", &models.cbow)] {
        let summary = &model.summary;
        let loss = summary.epoch_losses.first().copied().unwrap_or(summary.loss);
        writeln!(
            out,
            "  {name:9} {} words/s for {:.1} s, loss from {loss:.3} to {:.3}",
            short(summary.words_per_second),
            summary.train_seconds,
            summary.loss
        )?;
    }
    neighbors(&mut out, &models.skipgram)?;
    analogies(&mut out, planted, &models.skipgram)?;
    scores(&mut out, models)?;
    documents(&mut out, planted, codes)?;
    clusters(&mut out, codes)?;
    files(&mut out, report)?;
    out.done()
}

fn text(out: &mut Results, planted: &Planted, corpus: &EncodedCorpus) -> Outcome {
    let counted = corpus.report();
    writeln!(
        out,
        "The corpus: {} short documents, {} words, {} of them different. Some of it:",
        thousands(counted.documents),
        thousands(counted.tokens),
        thousands(counted.types)
    )?;
    let mut shown: Vec<&str> = Vec::new();
    for document in &planted.documents {
        if shown.len() < DOCUMENTS && !shown.contains(&document.label.as_str()) {
            shown.push(&document.label);
            let start: String = document.text.chars().take(LETTERS).collect();
            let dots = if start.len() < document.text.len() { " ..." } else { "" };
            writeln!(out, "  [{}] {}{dots}", document.label, start.trim_end())?;
        }
    }
    Ok(())
}

fn neighbors(out: &mut Results, model: &Model) -> Outcome {
    writeln!(out, "\nNeighbours. Nobody told the program what any word means; this is what it made of the text:")?;
    let nearest = Neighbors::new(&model.vectors);
    for word in WORDS.into_iter().filter(|word| model.vectors.keys().find(word).is_some()) {
        let found = nearest.nearest_to(word, NEIGHBORS)?;
        let keys: Vec<&str> = found.iter().map(|neighbor| model.vectors.keys().get(neighbor.position)).collect();
        writeln!(out, "  {word:10} {}", keys.join(", "))?;
    }
    Ok(())
}

fn analogies(out: &mut Results, planted: &Planted, model: &Model) -> Outcome {
    writeln!(out, "\nAnalogies. Subtract one word from another, add a third, and look what is near:")?;
    let nearest = Neighbors::new(&model.vectors);
    let keys = model.vectors.keys();
    for name in RELATIONS {
        let mut questions = planted.analogies.iter().filter(|section| section.name == name).flat_map(|s| &s.questions);
        let known = |question: &&[String; 4]| question.iter().all(|word| keys.find(word).is_some());
        let Some([a, b, c, expected]) = questions.find(known) else { continue };
        let found = nearest.analogy(a, b, c, Method::Cos3Add, 1)?;
        let answer = found.first().map_or("", |neighbor| keys.get(neighbor.position));
        let verdict = if answer == expected { String::new() } else { format!("  (wrong: {expected})") };
        writeln!(out, "  {a} is to {b} as {c} is to {answer}{verdict}")?;
    }
    Ok(())
}

fn scores(out: &mut Results, models: &Models) -> Outcome {
    let percent = |accuracy: Option<f64>| accuracy.map_or_else(|| "-".into(), |part| format!("{:.1} %", 100.0 * part));
    writeln!(
        out,
        "\nScores. Analogies answered right, by relation, and how well cosines agree with planted likeness:"
    )?;
    let (skipgram, cbow) = (&models.skipgram.analogies, &models.cbow.analogies);
    let sections = skipgram.sections.iter().zip(&cbow.sections);
    let row = |name: &str, total: u64, one: Option<f64>, two: Option<f64>| {
        vec![format!("  {name}"), total.to_string(), percent(one), percent(two)]
    };
    let mut rows: Vec<Vec<String>> =
        sections.map(|(one, two)| row(&one.name, one.tally.covered, one.tally.accuracy, two.tally.accuracy)).collect();
    rows.push(row("all analogies", skipgram.overall.covered, skipgram.overall.accuracy, cbow.overall.accuracy));
    let (one, two) = (&models.skipgram.similarity.correlation, &models.cbow.similarity.correlation);
    let number = |number: Option<f64>| number.map_or_else(|| "-".into(), |number| format!("{number:.3}"));
    rows.push(vec![
        "  likeness (Spearman)".into(),
        one.covered.to_string(),
        number(one.spearman),
        number(two.spearman),
    ]);
    output::columns(out, &["  relation", "questions", "skip-gram", "CBOW"], &rows)
}

fn documents(out: &mut Results, planted: &Planted, codes: &Documents) -> Outcome {
    let summary = &codes.summary;
    writeln!(
        out,
        "\nDocuments. An autoencoder squeezes each through {} numbers and gives its words back ({:.1} s). Nearest by these:",
        summary.dim, summary.train_seconds
    )?;
    let start = |at: usize| {
        let document = planted.documents.iter().find(|document| document.id == codes.codes.keys().get(at));
        let text: String = document.map(|document| document.text.chars().take(LETTERS).collect()).unwrap_or_default();
        format!("[{}] {}", codes.label(at), text.trim_end())
    };
    let mut shown: Vec<usize> = Vec::new();
    for at in 0..codes.codes.len() {
        if shown.len() < CODED && shown.iter().all(|&other| codes.label(other) != codes.label(at)) {
            shown.push(at);
        }
    }
    for (&at, found) in shown.iter().zip(codes.nearest(&shown, NEAR)?) {
        writeln!(out, "  {}", start(at))?;
        for near in found {
            writeln!(out, "      {}", start(near))?;
        }
    }
    writeln!(
        out,
        "Of {:.1} % of the documents the nearest has the same label, which the program never saw; by chance {:.1} %.",
        100.0 * codes.same_label,
        100.0 * codes.chance
    )?;
    writeln!(out, "Each number stands for something. Two of them, the words that raise and lower it:")?;
    for latent in codes.latents.iter().take(2) {
        writeln!(out, "  number {:<3} up    {}", latent.dimension, latent.raised_by.join(", "))?;
        writeln!(out, "             down  {}", latent.lowered_by.join(", "))?;
    }
    Ok(())
}

fn clusters(out: &mut Results, codes: &Documents) -> Outcome {
    let Some(clusters) = &codes.clusters else { return Ok(()) };
    writeln!(
        out,
        "\nClusters. K-means puts documents with like codes together; each is named by its most telling words:"
    )?;
    for cluster in &clusters.all {
        writeln!(
            out,
            "  {:>6}  {:54}  {:.0} % [{}]",
            thousands(cluster.documents as u64),
            cluster.words.join(", "),
            100.0 * cluster.share,
            cluster.label
        )?;
    }
    writeln!(out, "Clusters and labels agree to {:.2} (normalised mutual information; 1 is best).", clusters.nmi)?;
    Ok(())
}

fn files(out: &mut Results, report: &Report<'_>) -> Outcome {
    let folder = report.output.display();
    writeln!(out, "\nAll of it took {:.1} s and is in {folder}:", report.seconds)?;
    for (name, what) in FILES {
        writeln!(out, "  {:28} {what}", report.output.join(name).display().to_string())?;
    }
    writeln!(out, "\nNext:")?;
    writeln!(out, "  firth nearest {folder}/skipgram paris")?;
    writeln!(out, "  firth analogy {folder}/skipgram man king woman")?;
    writeln!(out, "  firth nearest {folder}/autoencoder --documents \"the king rules his country\"")?;
    writeln!(out, "  firth info {folder}/autoencoder --latents")?;
    writeln!(out, "  firth train skipgram YOUR-TEXT.txt -o run")?;
    Ok(())
}
