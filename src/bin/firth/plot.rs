//! `firth plot`: a map of words or documents, as a picture or as a page to look around in.

pub mod groups;

use std::path::{Path, PathBuf};

use firth::analysis::plot::{self, Page};
use firth::corpus::DocumentOptions;
use firth::embeddings::Embeddings;
use serde_json::json;

use self::groups::{Color, Groups, Wanted};
use crate::failure::{Failure, Outcome};
use crate::globals::{Globals, Typed};
use crate::items::{self, ItemFlags, Items};
use crate::maps::{MapFlags, Method};
use crate::output::{self, Force};
use crate::place;
use crate::progress::{note, thousands};
use crate::staged::Staged;

/// Draw a labelled map of words or documents: a picture, or one page of HTML to search and look around in.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  firth plot run -o map.html\n  firth plot run -o map.png --clusters 20\n  \
    firth plot run -o words.svg --words king queen man woman\n\n\
    A page needs no network and nothing beside it: points tell their key, label and first words, groups are hidden by a\n\
    click, a search lights up what it finds.")]
pub struct Flags {
    /// A run folder or a vector file of any format, compressed or not
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Documents to embed with the run's model (files, folders, globs, - for standard input) [default: the run's own
    /// documents, or else its words]
    #[arg(value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Words instead of documents: these, or without any the commonest
    #[arg(long, value_name = "WORD", num_args = 0.., conflicts_with = "inputs")]
    words: Option<Vec<String>>,
    /// At most so many points: the commonest words, or documents evenly spaced, from 2 [default: 300 words, 20000
    /// documents]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    top: Option<u32>,
    #[command(flatten)]
    documents: DocumentOptions,
    /// How the plane is made [default: tsne, but pca for fewer than 50 points]
    #[arg(long, value_name = "NAME", value_enum, help_heading = "Method")]
    method: Option<Method>,
    #[command(flatten)]
    map: MapFlags,
    /// What colours tell [default: clusters if --clusters is given, else labels if there are any]
    #[arg(long, value_name = "WHAT", value_enum, help_heading = "Picture")]
    color: Option<Color>,
    /// Groups that k-means finds, named by their telling words, from 1 to 1000 [default: 10, with --color clusters]
    #[arg(long, value_name = "K", help_heading = "Picture", value_parser = clap::value_parser!(u32).range(1..=1000))]
    clusters: Option<u32>,
    /// The heading [default: the model's name, and what is drawn]
    #[arg(long, value_name = "TEXT", help_heading = "Picture")]
    title: Option<String>,
    /// The file, which ends in .png, .svg or .html; it appears whole or not at all, missing folders are made
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: PathBuf,
    #[command(flatten)]
    force: Force,
}

/// Points that are drawn unless told otherwise.
const WORDS: usize = 300;
const DOCUMENTS: usize = 20_000;
/// From so many points on t-SNE has something to show.
const FEW: usize = 50;

/// Reads, reduces, groups and draws.
pub fn run(flags: &Flags, globals: &Globals, typed: &Typed) -> Outcome {
    let read: Vec<PathBuf> = std::iter::once(&flags.model).chain(&flags.inputs).cloned().collect();
    let is_page = is_page(&flags.output)?;
    place::check(&flags.output, "a map", &read)?;
    let staged = Staged::new(&flags.output, flags.force.force)?;
    let color = groups::wanted(flags.color, flags.clusters)?;

    let item_flags = ItemFlags {
        model: flags.model.clone(),
        inputs: flags.inputs.clone(),
        words: flags.words.is_some(),
        documents: flags.documents.clone(),
    };
    if color == Wanted::Labels && item_flags.lack_labels() {
        return Err(groups::no_labels(items::NOUNS[1]));
    }
    let check = |method| flags.map.check(method, typed).map(|()| method);
    let given = flags.method.map(check).transpose()?;
    let items = Items::open(&item_flags, globals, typed)?;
    let chosen = choose(&items, flags)?;
    let drawn = items.vectors.select(&chosen)?;
    let usual = if drawn.len() < FEW { Method::Pca } else { Method::Tsne };
    let method = given.map_or_else(|| check(usual), Ok)?;
    let rows = flags.map.seen(drawn.vectors());
    // Groups first: what is wrong with them is told before the map, which takes longer.
    let groups = Groups::find(&items, &chosen, &drawn, &rows, color, globals)?;
    let points = flags.map.map(&rows, method, 2, globals)?;

    let noun = items.nouns[usize::from(drawn.len() != 1)];
    let about = about(&items, drawn.len(), noun, method);
    let name =
        flags.model.file_name().map_or_else(|| flags.model.display().to_string(), |n| n.to_string_lossy().into());
    let title = flags.title.clone().unwrap_or_else(|| format!("{name}: {noun}"));
    let keys: Vec<String> = drawn.keys().iter().map(str::to_owned).collect();
    let mut left_out = 0;
    if is_page {
        let owned = |strings: &firth::vocabulary::Keys| strings.iter().map(str::to_owned).collect::<Vec<_>>();
        let (labels, texts) = (drawn.labels().map(owned), drawn.texts().map(owned));
        let page = Page {
            title: &title,
            about: &about,
            points: &points,
            keys: &keys,
            labels: labels.as_deref(),
            texts: texts.as_deref(),
            groups: &groups.of,
            group_names: &groups.names,
        };
        page.write(&staged.path())?;
    } else {
        // Ids of documents say nothing; the names of their groups stand on the map instead.
        let labels =
            if drawn.texts().is_some() || items.nouns[0] == "row" { vec![String::new(); keys.len()] } else { keys };
        let heading = flags.title.clone().unwrap_or(format!("{name}: {about}"));
        left_out = plot::scatter(&points, &labels, &groups.of, &groups.names, &heading, &staged.path())?;
    }
    staged.commit()?;
    if globals.json {
        let counts = groups.counts();
        let groups: Vec<_> =
            groups.names.iter().zip(counts).map(|(name, points)| json!({"name": name, "points": points})).collect();
        return output::json(&json!({"output": flags.output, "points": drawn.len(), "of": items.vectors.len(),
            "method": method, "groups": groups, "labels_left_out": left_out}));
    }
    let rest = if left_out > 0 { format!("; {left_out} labels found no room") } else { String::new() };
    note(globals, format_args!("{about} in {}{rest}", flags.output.display()));
    Ok(())
}

/// What is drawn, and how, in a line.
fn about(items: &Items, drawn: usize, noun: &str, method: Method) -> String {
    let all = items.vectors.len();
    let count = if drawn == all { thousands(all as u64) } else { format!("{drawn} of {}", thousands(all as u64)) };
    let method = match method {
        Method::Pca => "two principal components",
        Method::Tsne => "t-SNE",
        Method::Umap => "UMAP",
        Method::Autoencoder => "a two-number autoencoder",
    };
    format!("{count} {noun} by {method}")
}

/// Is it a page, rather than a picture?
fn is_page(path: &Path) -> Outcome<bool> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    match ending.as_str() {
        "html" | "htm" => Ok(true),
        "png" | "svg" => Ok(false),
        _ => {
            let message = format!("{}: a map's name ends in .png, .svg or .html", path.display());
            Err(Failure::usage(message))
        }
    }
}

/// The positions that are drawn.
fn choose(items: &Items, flags: &Flags) -> Outcome<Vec<usize>> {
    let all: &Embeddings = &items.vectors;
    if let Some(words) = flags.words.as_ref().filter(|words| !words.is_empty()) {
        if flags.top.is_some() {
            return Err(Failure::usage("--top: has no effect, since the words are given; drop one of them"));
        }
        let mut chosen = words.iter().map(|word| all.position(word)).collect::<Result<Vec<_>, _>>()?;
        let mut seen = std::collections::HashSet::new();
        chosen.retain(|&position| seen.insert(position));
        return Ok(chosen);
    }
    let is_words = items.nouns[0] == "word";
    let most = flags.top.map_or(if is_words { WORDS } else { DOCUMENTS }, |top| top as usize);
    if is_words || all.len() <= most {
        return Ok((0..all.len().min(most)).collect());
    }
    Ok((0..most).map(|at| (at as u128 * all.len() as u128 / most as u128) as usize).collect())
}
