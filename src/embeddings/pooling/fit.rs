//! Fitting in two passes over the documents, of which only sums are kept: one that counts words where the method asks for
//! it, and one that finds the directions.

use rayon::prelude::*;

use super::{Frequencies, Pool, Pooling, PoolingModel};
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::math::{Matrix, Moment};

/// What the first pass counts.
#[derive(Debug, Clone)]
pub struct Survey {
    /// Occurrences of each word.
    counts: Vec<u64>,
    /// Documents with each word.
    with: Vec<u64>,
    documents: u64,
    /// Those with a known word.
    known: u64,
    /// The last document that each word was seen in, from 1.
    last: Vec<u64>,
}

impl Survey {
    /// Nothing counted yet, of so many words.
    pub fn new(words: usize) -> Self {
        Self { counts: vec![0; words], with: vec![0; words], documents: 0, known: 0, last: vec![0; words] }
    }

    /// Counts documents, given as positions of words.
    pub fn add(&mut self, documents: &[Vec<u32>]) {
        for document in documents {
            self.documents += 1;
            self.known += u64::from(!document.is_empty());
            for &word in document {
                let word = word as usize;
                self.counts[word] += 1;
                self.with[word] += u64::from(self.last[word] != self.documents);
                self.last[word] = self.documents;
            }
        }
    }

    /// The mean number of known words of the documents that have any; 1 if none has.
    fn length(&self) -> f64 {
        let tokens: u64 = self.counts.iter().sum();
        if self.known > 0 { tokens as f64 / self.known as f64 } else { 1.0 }
    }
}

/// Documents whose vectors are summed together; fixed, so that sums do not depend on threads.
const BLOCK: usize = 1024;

impl Pooling {
    /// Must the first pass be made, whose [`Survey`] else may be that of no document?
    pub fn needs_survey(&self) -> bool {
        let by_documents = self.frequencies == Some(Frequencies::Documents) && self.pool == Pool::Sif;
        by_documents || matches!(self.pool, Pool::Idf | Pool::Usif)
    }

    /// Must the second pass be made, that of [`Fitting`]?
    pub fn needs_directions(&self) -> bool {
        self.components() > 0
    }

    fn components(&self) -> usize {
        match self.pool {
            Pool::Sif => self.components.unwrap_or(1),
            Pool::Usif => self.components.unwrap_or(5),
            Pool::Mean | Pool::Max | Pool::Idf => 0,
        }
    }

    /// Weighs the words after the first pass; what it returns sees the documents again, in the same order.
    ///
    /// # Errors
    /// If a setting is out of range or does not fit the model.
    pub fn weigh<'a>(&self, words: &'a Embeddings, survey: &Survey) -> Result<Fitting<'a>> {
        if !(self.a > 0.0 && self.a.is_finite()) {
            return Err(Error::config(
                "--a",
                format!("{} is out of range; give a number above 0, such as 1e-3", self.a),
            ));
        }
        if self.components() > words.dim() {
            let reason = format!("{} of vectors of {} numbers; give 0 to that", self.components(), words.dim());
            return Err(Error::config("--components", reason));
        }
        let mut pooling = self.clone();
        pooling.components = self.needs_directions().then_some(self.components());
        let mut scale = Vec::new();
        let weights: Vec<f32> = match self.pool {
            Pool::Mean | Pool::Max => vec![1.0; words.len()],
            Pool::Idf => {
                let all = 1.0 + survey.documents as f64;
                survey.with.iter().map(|&with| ((all / (1.0 + with as f64)).ln() + 1.0) as f32).collect()
            }
            Pool::Sif => {
                let shares = self.shares(words, survey, &mut pooling)?;
                shares.map(|share| (self.a / (self.a + share)) as f32).collect()
            }
            Pool::Usif => {
                scale = scale_of_columns(words.vectors());
                let shares: Vec<f64> = self.shares(words, survey, &mut pooling)?.collect();
                usif_weights(&shares, survey.length())
            }
        };
        let directions = Matrix::zeros(0, words.dim());
        let model = PoolingModel { pooling, documents: 0, weights, scale, directions, shares: Vec::new() };
        Ok(Fitting { words, model, moment: Moment::new(words.dim()), waiting: Vec::new() })
    }

    /// Learns from documents that are in memory.
    ///
    /// # Errors
    /// As [`Pooling::weigh`], and if a vector is not finite.
    pub fn fit(&self, words: &Embeddings, documents: &[Vec<u32>]) -> Result<PoolingModel> {
        let mut survey = Survey::new(words.len());
        survey.add(documents);
        let mut fitting = self.weigh(words, &survey)?;
        fitting.add(documents);
        fitting.done()
    }

    /// Each word's share of all words.
    fn shares<'a>(
        &self,
        words: &'a Embeddings,
        survey: &'a Survey,
        resolved: &mut Pooling,
    ) -> Result<Box<dyn Iterator<Item = f64> + 'a>> {
        let counted = |counts: &'a [u64]| -> Box<dyn Iterator<Item = f64> + 'a> {
            let all = counts.iter().map(|&count| count as f64).sum::<f64>().max(1.0);
            Box::new(counts.iter().map(move |&count| count as f64 / all))
        };
        let found = words.counts().filter(|counts| counts.iter().any(|&count| count > 0));
        let chosen = self.frequencies.unwrap_or(if found.is_some() { Frequencies::Model } else { Frequencies::Rank });
        resolved.frequencies = Some(chosen);
        match (chosen, found) {
            (Frequencies::Model, Some(counts)) => Ok(counted(counts)),
            (Frequencies::Model, None) => {
                let reason = "the model does not tell how often its words occurred; choose rank or documents";
                Err(Error::config("--frequencies", reason))
            }
            (Frequencies::Documents, _) => Ok(counted(&survey.counts)),
            (Frequencies::Rank, _) => {
                let all: f64 = (1..=words.len()).map(|rank| 1.0 / rank as f64).sum();
                Ok(Box::new((1..=words.len()).map(move |rank| 1.0 / (rank as f64 * all))))
            }
        }
    }
}

/// What each column is multiplied with to have length one over all words; columns of zeros stay so.
fn scale_of_columns(vectors: &Matrix) -> Vec<f32> {
    let mut squares = vec![0f64; vectors.cols()];
    for row in vectors.iter_rows() {
        squares.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value).powi(2));
    }
    squares.iter().map(|&sum| if sum > 0.0 { sum.sqrt().recip() as f32 } else { 0.0 }).collect()
}

/// a / (a/2 + p), with the a that vocabulary and length ask for.
fn usif_weights(shares: &[f64], length: f64) -> Vec<f32> {
    let words = shares.len() as f64;
    let threshold = 1.0 - (1.0 - 1.0 / words).powf(length);
    let alpha = shares.iter().filter(|&&share| share > threshold).count() as f64 / words;
    let a = (1.0 - alpha) / (alpha * words / 2.0);
    // No word is so common: a grows without end, and every word weighs two.
    shares.iter().map(|share| if a.is_finite() { (a / (a / 2.0 + share)) as f32 } else { 2.0 }).collect()
}

/// The second pass: sees the vectors of documents, keeps their sums of products.
#[derive(Debug)]
pub struct Fitting<'a> {
    words: &'a Embeddings,
    model: PoolingModel,
    moment: Moment,
    waiting: Vec<f64>,
}

impl Fitting<'_> {
    /// Sees documents, given as positions of words, on the current rayon pool; those without words do not count.
    pub fn add(&mut self, documents: &[Vec<u32>]) {
        if !self.model.pooling.needs_directions() {
            return;
        }
        let known: Vec<&Vec<u32>> = documents.iter().filter(|document| !document.is_empty()).collect();
        let gathered = |document: &&Vec<u32>| {
            let mut sum = Vec::new();
            self.model.gather(self.model.weighed(self.words, document), &mut sum);
            sum
        };
        for block in known.chunks(BLOCK) {
            for sum in block.par_iter().map(gathered).collect::<Vec<Vec<f64>>>() {
                self.waiting.extend_from_slice(&sum);
                if self.waiting.len() >= BLOCK * self.model.dim() {
                    self.moment.add(&self.waiting);
                    self.waiting.clear();
                }
            }
        }
    }

    /// Ends the pass.
    ///
    /// # Errors
    /// If a vector was not finite.
    pub fn done(mut self) -> Result<PoolingModel> {
        self.moment.add(&self.waiting);
        self.model.documents = self.moment.rows();
        if self.model.pooling.needs_directions() && self.moment.rows() >= PoolingModel::ENOUGH {
            let found = self.moment.directions(self.model.pooling.components())?;
            let all: f64 = found.values.iter().sum();
            let share = |value: &f64| if self.model.pooling.pool == Pool::Sif { 1.0 } else { value / all };
            // Where all vectors are zero, or lie in fewer directions than asked for, the rest is arbitrary.
            let kept = found.values.iter().take_while(|&&value| value > 1e-12 * self.moment.total()).count();
            self.model.shares = found.values[..kept].iter().map(|value| share(value) as f32).collect();
            let numbers = found.vectors[..kept * self.model.dim()].iter().map(|&x| x as f32).collect();
            self.model.directions = Matrix::from_vec(kept, self.model.dim(), numbers)?;
        }
        Ok(self.model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(vectors: &[f32], dim: usize, counts: Option<Vec<u64>>) -> Result<Embeddings> {
        let keys = (0..vectors.len() / dim).map(|at| format!("w{at}"));
        let keys: Vec<String> = keys.collect();
        Embeddings::new(
            keys.iter().map(String::as_str).collect(),
            Matrix::from_vec(keys.len(), dim, vectors.to_vec())?,
            counts,
        )
    }

    fn close(found: &[f32], expected: &[f64]) {
        assert_eq!(found.len(), expected.len(), "{found:?}");
        let near = |(found, expected): (&f32, &f64)| (f64::from(*found) - expected).abs() < 1e-6;
        assert!(found.iter().zip(expected).all(near), "{found:?}, expected {expected:?}");
    }

    #[test]
    fn sif_weighs_by_share_and_takes_the_first_direction_off() -> Result<()> {
        let words = words(&[1.0, 0.0, 0.0, 1.0], 2, Some(vec![3, 1]))?;
        let pooling = Pooling { a: 0.25, ..Pooling::of(Pool::Sif) };
        // Shares 3/4 and 1/4: weights 1/4 and 1/2. Twenty documents along (1/4, 0), one along (0, 1/2).
        let mut documents = vec![vec![0]; 20];
        documents.push(vec![1, 1]);
        let model = pooling.fit(&words, &documents)?;
        close(model.weights(), &[0.25, 0.5]);
        close(model.directions().as_slice(), &[1.0, 0.0]);
        assert_eq!((model.shares(), model.documents()), (&[1.0][..], 21));
        let pooled = model.pool(&words, &[vec![0, 1, 1], vec![0], vec![]])?;
        close(pooled.as_slice(), &[0.0, 1.0 / 3.0, 0.0, 0.0, 0.0, 0.0]);
        Ok(())
    }

    #[test]
    fn usif_finds_its_own_a_and_takes_off_parts() -> Result<()> {
        // V = 4, n = 2: threshold 1 - (3/4)^2 = 7/16, one word of four above it: a = (3/4) / (1/4 * 2) = 3/2.
        close(&usif_weights(&[0.7, 0.1, 0.1, 0.1], 2.0), &[1.5 / 1.45, 1.5 / 0.85, 1.5 / 0.85, 1.5 / 0.85]);
        close(&usif_weights(&[0.5, 0.5], 2.0), &[2.0, 2.0]);
        let words = words(&[3.0, 0.0, 4.0, 0.0, 0.0, 2.0, 0.0, 0.0], 2, Some(vec![7, 1, 1, 1]))?;
        close(&scale_of_columns(words.vectors()), &[0.2, 0.5]);
        let mut documents = vec![vec![1, 1]; 12];
        documents.extend(vec![vec![2, 2]; 3]);
        let model = Pooling::of(Pool::Usif).fit(&words, &documents).err();
        assert!(model.is_some_and(|error| error.to_string().contains("--components")), "five of two");
        let model = Pooling { components: Some(2), ..Pooling::of(Pool::Usif) }.fit(&words, &documents)?;
        // Before: (0.8 w, 0) twelve times and (0, w) three times, w = 1.5 / 0.85; squares 7.68 and 3.
        let (first, second, w) = (7.68 / 10.68, 3.0 / 10.68, 1.5 / 0.85);
        close(model.shares(), &[first, second]);
        let pooled = model.pool(&words, &[vec![1], vec![2, 2], vec![3]])?;
        close(pooled.as_slice(), &[0.8 * w * (1.0 - first), 0.0, 0.0, w * (1.0 - second), 0.0, 0.0]);
        Ok(())
    }

    #[test]
    fn mean_max_and_idf_follow_their_formulas() -> Result<()> {
        let words = words(&[1.0, -2.0, 3.0, -4.0], 2, None)?;
        let documents = [vec![0, 0, 1], vec![0], vec![]];
        let pooled = |pool| Pooling::of(pool).fit(&words, &documents)?.pool(&words, &documents);
        close(pooled(Pool::Mean)?.as_slice(), &[5.0 / 3.0, -8.0 / 3.0, 1.0, -2.0, 0.0, 0.0]);
        close(pooled(Pool::Max)?.as_slice(), &[3.0, -2.0, 1.0, -2.0, 0.0, 0.0]);
        // Three documents, the first word in two, the second in one.
        let (common, rare) = ((4f64 / 3.0).ln() + 1.0, 2f64.ln() + 1.0);
        let both = [2.0 * common + 3.0 * rare, -4.0 * common - 4.0 * rare].map(|sum| sum / (2.0 * common + rare));
        close(pooled(Pool::Idf)?.row(0), &both);
        Ok(())
    }

    #[test]
    fn frequencies_come_from_counts_ranks_or_documents() -> Result<()> {
        let (counted, bare) = (words(&[1.0, 1.0], 1, Some(vec![9, 1]))?, words(&[1.0, 1.0], 1, None)?);
        let documents = [vec![0, 1, 1, 1]];
        let weights = |words: &Embeddings, frequencies| -> Result<Vec<f32>> {
            let pooling = Pooling { a: 1.0, frequencies, ..Pooling::default() };
            Ok(pooling.fit(words, &documents)?.weights().to_vec())
        };
        close(&weights(&counted, None)?, &[1.0 / 1.9, 1.0 / 1.1]);
        close(&weights(&bare, None)?, &[1.0 / (1.0 + 2.0 / 3.0), 1.0 / (1.0 + 1.0 / 3.0)]);
        close(&weights(&counted, Some(Frequencies::Documents))?, &[1.0 / 1.25, 1.0 / 1.75]);
        let error = weights(&bare, Some(Frequencies::Model)).expect_err("no counts").to_string();
        assert!(error.starts_with("--frequencies: "), "{error}");
        Ok(())
    }

    #[test]
    fn few_documents_keep_their_vectors_and_none_is_no_failure() -> Result<()> {
        let words = words(&[1.0, 2.0, 3.0, 4.0], 2, None)?;
        let model = Pooling::of(Pool::Sif).fit(&words, &[vec![0]])?;
        assert_eq!((model.directions().rows(), model.documents()), (0, 1));
        assert!(model.pool(&words, &[vec![0]])?.row(0)[1] > 0.0);
        for pool in [Pool::Mean, Pool::Max, Pool::Idf, Pool::Sif] {
            let model = Pooling::of(pool).fit(&words, &[])?;
            assert_eq!(model.pool(&words, &[vec![], vec![1]])?.row(0), [0.0, 0.0], "{pool:?}");
        }
        assert!(Pooling { a: 0.0, ..Pooling::default() }.fit(&words, &[]).is_err());
        let other = Embeddings::new(["x"].into_iter().collect(), Matrix::zeros(1, 2), None)?;
        assert!(matches!(model.pool(&other, &[]), Err(Error::Mismatch { .. })));
        Ok(())
    }
}
