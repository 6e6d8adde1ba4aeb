//! What stands before a fastText model's numbers: its settings and its words.

use serde::{Deserialize, Serialize};

use super::super::checks;
use super::super::cursor::Cursor;
use crate::embeddings::Embeddings;
use crate::error::Result;
use crate::io::AtomicFile;
use crate::vocabulary::Subwords;

/// How every file begins: 793712314.
pub(super) const MAGIC: [u8; 4] = 793_712_314i32.to_le_bytes();
/// The version that is written.
const VERSION: i32 = 12;
/// The version before: the same bytes, but labels were learnt without n-grams of characters.
const OLD_VERSION: i32 = 11;
/// The model that learns labels.
pub(super) const SUPERVISED: i32 = 3;
/// More characters than any n-gram needs, as for `--max-n`.
const LONGEST: i32 = 64;
/// The least that an entry of the dictionary takes: a zero byte, its count, its kind.
const ENTRY: u64 = 10;

/// The settings, as fastText names them; kept in the metadata of what is read.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Arguments {
    pub dim: i32,
    pub ws: i32,
    pub epoch: i32,
    pub min_count: i32,
    pub neg: i32,
    pub word_ngrams: i32,
    pub loss: i32,
    pub model: i32,
    pub bucket: i32,
    pub minn: i32,
    pub maxn: i32,
    pub lr_update_rate: i32,
    pub t: f64,
}

/// How fastText notes hierarchical softmax.
pub(super) const HIERARCHICAL_SOFTMAX: i32 = 1;

/// The entry of the metadata that keeps the settings of a file.
pub(super) const ARGUMENTS: &str = "fasttext.args";

impl Arguments {
    /// The settings of a run, as far as it was firth or fastText that noted them; of the rest fastText's defaults.
    ///
    /// `minCount` is the least count of a word, since a run does not note the one that was asked for.
    pub(super) fn of(embeddings: &Embeddings) -> Self {
        // Words that are rarer were left out, as far as can be told.
        let least = embeddings.counts().and_then(|counts| counts.iter().min()).copied().unwrap_or(1);
        let least = i32::try_from(least).unwrap_or(i32::MAX).max(1);
        let earlier = embeddings.metadata.get(ARGUMENTS).and_then(|text| serde_json::from_str(text).ok());
        let mut arguments = earlier.unwrap_or(Self {
            dim: 0,
            ws: 5,
            epoch: 5,
            min_count: least,
            neg: 5,
            word_ngrams: 1,
            loss: 2,
            model: 2,
            bucket: 0,
            minn: 0,
            maxn: 0,
            lr_update_rate: 100,
            t: 1e-4,
        });
        let config = embeddings.metadata.get("firth.config").map(String::as_str).unwrap_or_default();
        let config: serde_json::Value = serde_json::from_str(config).unwrap_or_default();
        let note = |name: &str, into: &mut i32| {
            *into = config[name].as_i64().and_then(|value| value.try_into().ok()).unwrap_or(*into);
        };
        note("window", &mut arguments.ws);
        note("epochs", &mut arguments.epoch);
        note("negative", &mut arguments.neg);
        arguments.t = config["sample"].as_f64().unwrap_or(arguments.t);
        match config["task"].as_str() {
            Some("cbow") => arguments.model = 1,
            Some(_) => arguments.model = 2,
            None => {}
        }
        match config["loss"].as_str() {
            Some("hs") => arguments.loss = HIERARCHICAL_SOFTMAX,
            Some("ns") => arguments.loss = 2,
            Some("softmax") => arguments.loss = 3,
            _ => {}
        }
        // Words only: with labels there would have to be some.
        arguments.model = arguments.model.clamp(1, 2);
        arguments.loss = arguments.loss.clamp(1, 3);
        arguments.dim = embeddings.dim() as i32;
        let subwords = embeddings.ngrams().map(|ngrams| ngrams.subwords());
        let size = |size: usize| i32::try_from(size).unwrap_or(i32::MAX);
        (arguments.bucket, arguments.minn, arguments.maxn) = subwords
            .map_or((0, 0, 0), |subwords| (subwords.buckets as i32, size(subwords.min_n), size(subwords.max_n)));
        arguments
    }

    pub(super) fn write(&self, file: &mut AtomicFile) -> Result<()> {
        file.write(&MAGIC)?;
        file.write(&VERSION.to_le_bytes())?;
        for value in [
            self.dim,
            self.ws,
            self.epoch,
            self.min_count,
            self.neg,
            self.word_ngrams,
            self.loss,
            self.model,
            self.bucket,
            self.minn,
            self.maxn,
            self.lr_update_rate,
        ] {
            file.write(&value.to_le_bytes())?;
        }
        file.write(&self.t.to_le_bytes())
    }

    /// How words are cut; `None` without n-grams.
    pub(super) fn subwords(&self) -> Option<Subwords> {
        let subwords = || Subwords {
            // With 0 fastText takes what it takes with 1.
            min_n: self.minn.max(1) as usize,
            max_n: self.maxn as usize,
            buckets: self.bucket as u32,
        };
        (self.maxn > 0 && self.maxn >= self.minn && self.bucket > 0).then(subwords)
    }
}

/// The settings and the dictionary of a file.
pub(super) struct Header<'a> {
    pub arguments: Arguments,
    /// The words and where each begins.
    pub words: Vec<(&'a [u8], usize)>,
    /// How often each occurred; `None` if no tokens were counted.
    pub counts: Option<Vec<u64>>,
    /// Labels, which follow the words and are left out.
    pub labels: usize,
    /// Of a model whose n-grams were thinned out: each bucket that is left, and its row among them, sorted.
    pub pruned: Option<Vec<(u32, u32)>>,
}

impl<'a> Header<'a> {
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self> {
        if cursor.number("the magic number")? != MAGIC {
            return Err(Cursor::new(cursor.path(), cursor.rest()).fault("not a fastText model"));
        }
        let version = cursor.i32("the version")?;
        if ![OLD_VERSION, VERSION].contains(&version) {
            return Err(cursor.fault(format!("version {version}, expected {OLD_VERSION} or {VERSION}")));
        }
        let start = cursor.clone();
        let mut arguments = read_arguments(cursor)?;
        let after = cursor.clone();
        let sizes = read_sizes(cursor)?;
        if !sizes.fit() {
            // Two more numbers stand before the end of floret's settings.
            let mut floret = after.clone();
            if floret.take(8, "").is_ok() && read_sizes(&mut floret).is_ok_and(|sizes| sizes.fit()) {
                return Err(start.fault(
                    "the file is a floret model, whose words have no rows of their own; \
                     read the vectors that floret wrote as text (word2vec's format has them)",
                ));
            }
            let Sizes { entries, words, labels, .. } = sizes;
            return Err(after.fault(format!(
                "a dictionary of {entries} entries that are {words} words and {labels} labels; the file is damaged"
            )));
        }
        if version == OLD_VERSION && arguments.model == SUPERVISED {
            arguments.maxn = 0;
        }
        if arguments.maxn > LONGEST {
            let reason = format!("n-grams of up to {} characters, expected at most {LONGEST}", arguments.maxn);
            return Err(start.fault(reason));
        }
        let dim = u64::try_from(arguments.dim).unwrap_or_default();
        checks::shape(sizes.entries as u64, dim, ENTRY, cursor.left()).map_err(|reason| after.fault(reason))?;

        let mut words = Vec::with_capacity(sizes.words as usize);
        let mut counts = Vec::with_capacity(sizes.words as usize);
        for entry in 0..sizes.entries {
            let start = cursor.at();
            let word = cursor.until_zero("a word")?;
            let count = cursor.i64("a word's count")?;
            let is_label = cursor.number::<1>("the kind of an entry")?[0] != 0;
            if is_label != (entry >= sizes.words) {
                let expected = if is_label { "word" } else { "label" };
                let found = checks::excerpt(word);
                return Err(cursor.fault(format!("entry {} is {found}, expected a {expected}", entry + 1)));
            }
            if !is_label {
                words.push((word, start));
                counts.push(u64::try_from(count).map_err(|_| cursor.fault(format!("a count of {count}")))?);
            }
        }
        let pruned = read_pruned(cursor, sizes.pruned, arguments.bucket)?;
        let counts = (sizes.tokens > 0).then_some(counts);
        Ok(Self { arguments, words, counts, labels: sizes.labels as usize, pruned })
    }
}

fn read_arguments(cursor: &mut Cursor<'_>) -> Result<Arguments> {
    let mut next = || cursor.i32("the settings");
    Ok(Arguments {
        dim: next()?,
        ws: next()?,
        epoch: next()?,
        min_count: next()?,
        neg: next()?,
        word_ngrams: next()?,
        loss: next()?,
        model: next()?,
        bucket: next()?,
        minn: next()?,
        maxn: next()?,
        lr_update_rate: next()?,
        t: f64::from_le_bytes(cursor.number("the settings")?),
    })
}

struct Sizes {
    entries: i32,
    words: i32,
    labels: i32,
    tokens: i64,
    /// Buckets that are left; -1 if all are.
    pruned: i64,
}

impl Sizes {
    fn fit(&self) -> bool {
        self.words >= 0 && self.labels >= 0 && self.words.checked_add(self.labels) == Some(self.entries)
    }
}

fn read_sizes(cursor: &mut Cursor<'_>) -> Result<Sizes> {
    let mut next = || cursor.i32("the size of the dictionary");
    let (entries, words, labels) = (next()?, next()?, next()?);
    let tokens = cursor.i64("the number of tokens")?;
    Ok(Sizes { entries, words, labels, tokens, pruned: cursor.i64("the number of buckets")? })
}

fn read_pruned(cursor: &mut Cursor<'_>, count: i64, buckets: i32) -> Result<Option<Vec<(u32, u32)>>> {
    let Ok(count) = u64::try_from(count) else { return Ok(None) };
    let start = cursor.clone();
    let pairs = cursor.take(count.saturating_mul(8), "the buckets that are left")?;
    let number = |four: &[u8]| u32::from_le_bytes(four.try_into().expect("four bytes"));
    let mut pruned: Vec<_> = pairs.chunks_exact(8).map(|pair| (number(&pair[..4]), number(&pair[4..]))).collect();
    pruned.sort_unstable();
    let repeated = pruned.windows(2).any(|pair| pair[0].0 == pair[1].0);
    if repeated || pruned.iter().any(|&(bucket, row)| i64::from(bucket) >= buckets.into() || row as u64 >= count) {
        return Err(start.fault(format!("buckets that stand twice or are not below {buckets}; the file is damaged")));
    }
    Ok(Some(pruned))
}

/// Writes the sizes and the words; counts are cut to what fastText can hold, and of unknown ones there are no tokens.
pub(super) fn write_dictionary(file: &mut AtomicFile, embeddings: &Embeddings) -> Result<()> {
    let words = embeddings.len() as i32;
    for size in [words, words, 0] {
        file.write(&size.to_le_bytes())?;
    }
    let cut = |count: u64| count.clamp(1, i64::MAX as u64);
    let counts = embeddings.counts();
    let tokens = counts.map_or(0, |counts| {
        let tokens = counts.iter().map(|&count| cut(count)).fold(0, u64::saturating_add);
        cut(tokens) as i64
    });
    file.write(&tokens.to_le_bytes())?;
    file.write(&(-1i64).to_le_bytes())?;
    for (row, key) in embeddings.keys().iter().enumerate() {
        // Readers expect falling counts.
        let count = counts.map_or((embeddings.len() - row) as u64, |counts| cut(counts[row]));
        file.write(key.as_bytes())?;
        file.write(&[0])?;
        file.write(&count.to_le_bytes())?;
        file.write(&[0])?;
    }
    Ok(())
}
