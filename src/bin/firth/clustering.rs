//! Clusters of documents or words, as `cluster`, `eval clusters` and `eval categories` find them.

use std::ops::ControlFlow;

use firth::analysis::kmeans::{Batch, Stage, Step};
use firth::analysis::{Hdbscan, KMeans, KMeansModel};
use firth::embeddings::Embeddings;
use firth::math::{Matrix, SparseMatrix};
use firth::vocabulary::Keys;

use crate::failure::{Failure, Outcome, Reading};
use crate::globals::{Globals, Typed};
use crate::items::Items;
use crate::progress::{Meter, counted, memory_now, note, short, warn};

/// How clusters are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Method {
    /// K-means; from 100,000 vectors on by mini-batches
    Kmeans,
    /// K-means of directions: vectors and centres have length one
    Spherical,
    /// K-means by mini-batches, whatever the number of vectors
    Minibatch,
    /// By density: finds out how many there are, and leaves noise
    Hdbscan,
}

impl Method {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kmeans => "kmeans",
            Self::Spherical => "spherical",
            Self::Minibatch => "minibatch",
            Self::Hdbscan => "hdbscan",
        }
    }
}

/// Flags of k-means.
#[derive(Debug, clap::Args)]
pub struct KMeansFlags {
    /// How many clusters [default: as many as there are labels]
    #[arg(long, value_name = "K")]
    pub clusters: Option<usize>,
    /// Starts of k-means, of which the best is kept, from 1
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = crate::queries::parse_top)]
    pub restarts: usize,
    /// Keep the vectors' lengths, which are otherwise made one, so that angles count
    #[arg(long)]
    pub no_normalize: bool,
}

impl KMeansFlags {
    /// The number of clusters asked for, or of labels.
    pub fn clusters(&self, items: &Items) -> Outcome<usize> {
        if let Some(clusters) = self.clusters {
            return Ok(clusters);
        }
        match items.vectors.labels().map(|labels| Labels::new(labels).names.len()) {
            Some(labels @ 1..) => Ok(labels),
            _ => Err(Self::missing(items.nouns[1])),
        }
    }

    /// Nothing tells how many clusters there are.
    pub fn missing(many: &str) -> Failure {
        Failure::usage(format!("missing --clusters, how many; the {many} have no labels that would tell"))
    }

    /// K-means as the flags ask for it.
    pub fn kmeans(&self, clusters: usize, method: Method, seed: u64) -> KMeans {
        let batch = if method == Method::Minibatch {
            Batch::Rows(Batch::DEFAULT.max(clusters.saturating_mul(2)))
        } else {
            Batch::Auto
        };
        let spherical = method == Method::Spherical;
        let normalize = !self.no_normalize;
        KMeans { clusters, restarts: self.restarts, batch, normalize, spherical, seed, ..KMeans::default() }
    }
}

/// Labels as numbers; of documents that have one.
pub struct Labels {
    /// The number of each label, none where it is empty.
    pub numbers: Vec<Option<u32>>,
    /// The labels, in the order in which they first occur.
    pub names: Vec<String>,
}

impl Labels {
    /// Numbers them.
    pub fn new(labels: &Keys) -> Self {
        let labelled = labels.iter().filter(|label| !label.is_empty());
        let (found, names) = firth::eval::classify::numbered(labelled);
        let mut found = found.into_iter();
        let number = |label: &str| if label.is_empty() { None } else { found.next() };
        let numbers = labels.iter().map(number).collect();
        Self { numbers, names: names.into_iter().map(str::to_owned).collect() }
    }
}

/// There is nothing to compare with.
pub fn no_labels(many: &str) -> Failure {
    Failure::usage(format!(
        "the {many} have no labels to compare with; give documents with --label-field, or a run that learnt from such"
    ))
}

/// The vectors that have a label, and its number.
pub struct Labelled {
    /// With all that is known of them.
    pub vectors: Embeddings,
    /// The label of each.
    pub labels: Vec<u32>,
    /// How many have none, and were left out.
    pub without: usize,
}

impl Labelled {
    /// Leaves out, with a warning, what has no label; refuses what has none at all.
    pub fn of(items: Items) -> Outcome<Self> {
        let nouns = items.nouns;
        let labels = items.vectors.labels().map(Labels::new);
        let Some(labels) = labels.filter(|labels| !labels.names.is_empty()) else {
            return Err(no_labels(nouns[1]));
        };
        let kept: Vec<usize> = (0..labels.numbers.len()).filter(|&at| labels.numbers[at].is_some()).collect();
        let without = labels.numbers.len() - kept.len();
        if without == 0 {
            return Ok(Self {
                vectors: items.vectors,
                labels: labels.numbers.into_iter().flatten().collect(),
                without,
            });
        }
        warn(format_args!("left out {} without a label", counted(without as u64, nouns[0], nouns[1])));
        let vectors = items.vectors.select(&kept)?;
        Ok(Self { vectors, labels: labels.numbers.into_iter().flatten().collect(), without })
    }
}

/// Warns of vectors that are nothing but zeros, of which no length can be made one.
pub fn warn_of_zeros(vectors: &Embeddings, nouns: [&str; 2]) {
    let zeros = vectors.vectors().iter_rows().filter(|row| row.iter().all(|&x| x == 0.0)).count() as u64;
    if zeros > 0 {
        let counted = counted(zeros, nouns[0], nouns[1]);
        warn(format_args!("{counted} with a vector of zeros, which has no direction, clustered all the same"));
    }
}

/// The words and their counts in each document; where the texts are not at hand, which is said, nothing: `without` them.
pub fn bags(items: &Items, without: &str, globals: &Globals) -> Outcome<Option<(Keys, SparseMatrix)>> {
    match items.bags(globals) {
        Ok(bags) => Ok(Some(bags)),
        Err(Failure::Usage(why)) => {
            note(globals, format_args!("{without}: {why}"));
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// Runs k-means with a line of progress, and tells if it found fewer clusters or was cut short.
pub fn kmeans(settings: &KMeans, vectors: &Matrix, what: &str, globals: &Globals) -> Outcome<KMeansModel> {
    let mut meter = Meter::new(globals);
    let result = settings.fit_observed(vectors, &mut |step| {
        meter.show(|| line(step, what));
        ControlFlow::Continue(())
    });
    meter.clear();
    let model = result.reading()?;
    let found = model.centers.rows();
    if found < settings.clusters {
        warn(format_args!("{found} clusters instead of {}: no more of the vectors differ enough", settings.clusters));
    }
    if !model.has_converged {
        warn(format_args!("k-means ended at its limit of iterations, {}, and had not settled", settings.iterations));
    }
    Ok(model)
}

fn line(step: &Step, what: &str) -> String {
    let stage = match step.stage {
        Stage::Seeding => "choosing centres",
        Stage::Iterations => "iteration",
        Stage::Batches => "batch",
    };
    let inertia = step.inertia.map_or_else(String::new, |inertia| format!("  inertia {}", short(inertia)));
    let Step { restart, restarts, done, total, .. } = step;
    format!("clustering{what}  start {restart}/{restarts}  {stage} {done}/{total}{inertia}{}", memory_now())
}

/// Clusters of rows: some may be in none.
pub struct Clusters {
    /// The cluster of each row.
    pub assignments: Vec<Option<u32>>,
    /// How many rows each has.
    pub sizes: Vec<usize>,
    /// The sum of squared distances to the centres, and the iterations, of k-means.
    pub kmeans: Option<(f64, usize)>,
}

/// By density, with a line of progress.
pub fn hdbscan(settings: &Hdbscan, vectors: &Matrix, globals: &Globals) -> Outcome<Clusters> {
    let mut meter = Meter::new(globals);
    let result = settings.fit_observed(vectors, &mut |done, total| {
        let percent = 100 * done / total.max(1);
        meter.show(|| format!("clustering  {percent}% of distances{}", memory_now()));
        ControlFlow::Continue(())
    });
    meter.clear();
    let model = result.reading()?;
    Ok(Clusters { assignments: model.assignments, sizes: model.sizes, kmeans: None })
}

impl From<KMeansModel> for Clusters {
    fn from(model: KMeansModel) -> Self {
        let sizes = model.sizes();
        let kmeans = Some((model.inertia, model.iterations));
        Self { assignments: model.assignments.into_iter().map(Some).collect(), sizes, kmeans }
    }
}

/// Refuses flags that the method does not know.
pub fn refuse_foreign(method: Method, typed: &Typed) -> Outcome {
    let name = method.name();
    let (flags, why): (&[&str], String) = match method {
        Method::Hdbscan => (&["clusters", "restarts"], format!("--method {name} finds out how many there are")),
        Method::Spherical => {
            (&["no-normalize", "min-cluster-size"], format!("--method {name} compares directions of k-means"))
        }
        Method::Kmeans | Method::Minibatch => (&["min-cluster-size"], format!("--method {name} knows no density")),
    };
    flags.iter().try_for_each(|flag| typed.refuse(flag, &why))
}

/// What was found, for a person.
pub fn tell(clusters: &Clusters, nouns: [&str; 2], globals: &Globals) {
    let noise = clusters.assignments.iter().filter(|cluster| cluster.is_none()).count() as u64;
    let count = clusters.assignments.len() as u64 - noise;
    let found = counted(clusters.sizes.len() as u64, "cluster", "clusters");
    let noise = match (clusters.kmeans, noise) {
        (None, noise) => format!(", {} left as noise", counted(noise, nouns[0], nouns[1])),
        _ => String::new(),
    };
    note(globals, format_args!("{} in {found}{noise}", counted(count, nouns[0], nouns[1])));
}
