//! A vocabulary on disk: a safetensors file of the words' bytes, their ends and their counts, and of the phrases' parts.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::Dtype;

use super::{Keys, PhraseConfig, Phrases, Vocabulary};
use crate::error::{Error, Result};
use crate::io::{Container, ContainerWriter, checksum};

const KIND: &str = "vocabulary";

impl Vocabulary {
    /// Writes it, with settings (such as the tokenizer's) in the header.
    ///
    /// Tensors: `counts` u64 and `ends` u64, one for each word; `text` u8, the words without separator. If phrases are
    /// joined: `phrase_text` and `phrase_ends`, the words that they are made of, likewise; `phrase_pairs` u32, two numbers
    /// for each pair, those of the words or, behind them, of phrases in the order in which pairs make them; `phrase_passes`
    /// u64, where each pass ends among the pairs.
    pub fn save(&self, path: &Path, settings: &BTreeMap<String, String>) -> Result<()> {
        let text = self.keys().text().as_bytes();
        let parts = Parts::of(self.phrases());
        let mut tensors = vec![("counts", Dtype::U64, vec![self.len()]), ("ends", Dtype::U64, vec![self.len()])];
        if !self.phrases().is_empty() {
            tensors.extend(parts.tensors());
        }
        tensors.push(("text", Dtype::U8, vec![text.len()]));
        let mut writer = ContainerWriter::create(path, KIND, settings, &tensors)?;
        writer.write(self.counts())?;
        writer.write(self.keys().ends())?;
        if !self.phrases().is_empty() {
            parts.write(&mut writer)?;
            writer.write(parts.text)?;
        }
        writer.write(text)?;
        writer.commit()
    }

    /// Reads one that was saved.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with_settings(path).map(|(vocabulary, _)| vocabulary)
    }

    /// Reads one that was saved, and the settings in its header.
    pub fn open_with_settings(path: &Path) -> Result<(Self, BTreeMap<String, String>)> {
        let container = Container::open_kind(path, KIND)?;
        let counts = container.slice::<u64>("counts")?;
        let ends = container.slice::<u64>("ends")?;
        let text = container.slice::<u8>("text")?;
        if ends.len() != counts.len() {
            return Err(Error::mismatch(
                format!("{}: counts", path.display()),
                format!("one for each of {} words", ends.len()),
                counts.len(),
            ));
        }
        let keys = keys(path, &text, &ends)?;
        if let Some((_, again)) = keys.first_repeated() {
            let word = keys.get(again);
            return Err(Error::damaged(path, format!("the word {word:?} stands twice")));
        }
        if let Some(at) = counts.iter().position(|&count| count == 0) {
            let word = keys.get(at);
            return Err(Error::damaged(path, format!("the word {word:?} has count 0")));
        }
        if counts.iter().try_fold(0u64, |sum, &count| sum.checked_add(count)).is_none() {
            return Err(Error::damaged(path, "the counts add up to more than 2^64"));
        }
        let vocabulary = Self::new(keys, counts.to_vec()).with_phrases(&phrases(path, &container)?);
        Ok((vocabulary, container.entries()))
    }

    /// A checksum of the words and their counts in order, and of the phrases.
    pub fn checksum(&self) -> u64 {
        let (text, ends, counts) = (self.keys().text().as_bytes(), self.keys().ends(), self.counts());
        let mut all = vec![
            (checksum::part(text, 0, u64::from), text.len() as u64),
            (checksum::part(ends, 0, |end| end), ends.len() as u64),
            (checksum::part(counts, 0, |count| count), counts.len() as u64),
        ];
        if !self.phrases().is_empty() {
            let Parts { text, ends, pairs, passes } = Parts::of(self.phrases());
            all.extend([
                (checksum::part(text, 0, u64::from), text.len() as u64),
                (checksum::part(ends, 0, |end| end), ends.len() as u64),
                (checksum::part(&pairs, 0, u64::from), pairs.len() as u64),
                (checksum::part(&passes, 0, |end| end), passes.len() as u64),
            ]);
        }
        checksum::join(&all)
    }
}

/// Phrases as a file holds them.
pub(crate) struct Parts<'a> {
    /// The words that they are made of, which [`Parts::write`] leaves to the caller.
    pub text: &'a [u8],
    ends: &'a [u64],
    pairs: Vec<u32>,
    passes: Vec<u64>,
}

impl<'a> Parts<'a> {
    pub fn of(phrases: &'a Phrases) -> Self {
        let ends = &phrases.keys().ends()[..phrases.words()];
        let text = &phrases.keys().text().as_bytes()[..ends.last().map_or(0, |&end| end as usize)];
        let pairs = phrases.passes().iter().flatten().flatten().copied().collect();
        let count = |end: &mut u64, pass: &Vec<[u32; 2]>| {
            *end += pass.len() as u64;
            Some(*end)
        };
        Self { text, ends, pairs, passes: phrases.passes().iter().scan(0, count).collect() }
    }

    /// The tensors that hold them, the text last: it may stand behind others, which need to be aligned.
    pub fn tensors(&self) -> [(&'static str, Dtype, Vec<usize>); 4] {
        [
            ("phrase_ends", Dtype::U64, vec![self.ends.len()]),
            ("phrase_passes", Dtype::U64, vec![self.passes.len()]),
            ("phrase_pairs", Dtype::U32, vec![self.pairs.len() / 2, 2]),
            ("phrase_text", Dtype::U8, vec![self.text.len()]),
        ]
    }

    /// Writes all of these but the text.
    pub fn write(&self, writer: &mut ContainerWriter) -> Result<()> {
        writer.write(self.ends)?;
        writer.write(&self.passes)?;
        writer.write(&self.pairs)
    }
}

fn keys(path: &Path, text: &[u8], ends: &[u64]) -> Result<Keys> {
    let text = std::str::from_utf8(text).map_err(|error| {
        Error::damaged(path, format!("the words are not UTF-8 from their byte {}", error.valid_up_to()))
    })?;
    Keys::from_parts(text.to_owned(), ends.to_vec())
        .ok_or_else(|| Error::damaged(path, "the words' ends do not fit their text"))
}

/// The phrases in a file; none if it has no such tensors.
pub(crate) fn phrases(path: &Path, container: &Container) -> Result<Phrases> {
    if container.shape("phrase_pairs").is_err() {
        return Ok(Phrases::default());
    }
    let (text, ends) = (container.slice::<u8>("phrase_text")?, container.slice::<u64>("phrase_ends")?);
    let pairs = container.slice::<u32>("phrase_pairs")?;
    let mut phrases = Phrases::of(keys(path, &text, &ends)?);
    let damaged = |what: String| Error::damaged(path, what);
    let (pairs, passes) = (pairs.as_chunks::<2>().0, container.slice::<u64>("phrase_passes")?);
    if passes.len() > usize::from(PhraseConfig::MOST) || passes.last().is_some_and(|&end| end != pairs.len() as u64) {
        return Err(damaged(format!("{} passes do not fit {} pairs of phrases", passes.len(), pairs.len())));
    }
    let mut start = 0;
    for &end in passes.iter() {
        let end = end as usize;
        let pass = pairs.get(start..end).ok_or_else(|| damaged("passes of phrases out of order".into()))?;
        let numbers = phrases.keys().len();
        if let Some(part) = pass.iter().flatten().find(|&&part| part as usize >= numbers) {
            return Err(damaged(format!(
                "a phrase has part {part}, but before it there are {numbers} words and phrases"
            )));
        }
        phrases.add_pass(pass.to_vec());
        start = end;
    }
    Ok(phrases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_vocabulary_reads_back() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("vocabulary.safetensors");
        let vocabulary = Vocabulary::new(["der", "Straße", "日本"].into_iter().collect(), vec![9, 5, 1]);
        vocabulary.save(&path, &BTreeMap::from([("tokenizer".to_owned(), "words".to_owned())]))?;
        let (read, settings) = Vocabulary::open_with_settings(&path)?;
        assert_eq!(read, vocabulary);
        assert_eq!(settings["tokenizer"], "words");
        assert_eq!(read.checksum(), vocabulary.checksum());
        Ok(())
    }

    #[test]
    fn repeated_and_uncounted_words_are_refused() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("vocabulary.safetensors");
        for (words, counts, expected) in
            [(["a", "b", "a"], [3, 2, 1], "\"a\" stands twice"), (["a", "b", "c"], [3, 0, 1], "\"b\" has count 0")]
        {
            Vocabulary::new(words.into_iter().collect(), counts.to_vec()).save(&path, &BTreeMap::new())?;
            let error = Vocabulary::open(&path).expect_err("a bad vocabulary").to_string();
            assert!(error.contains(expected) && error.contains("vocabulary.safetensors"), "{error}");
        }
        Ok(())
    }

    #[test]
    fn phrases_are_saved_with_the_words() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("vocabulary.safetensors");
        let mut phrases = Phrases::of(["times", "new", "el", "york", "a"].into_iter().collect());
        phrases.add_pass(vec![[1, 3], [3, 0]]);
        phrases.add_pass(vec![[5, 0]]);
        let plain = Vocabulary::new(["new_york", "a"].into_iter().collect(), vec![5, 1]);
        let vocabulary = plain.clone().with_phrases(&phrases);
        vocabulary.save(&path, &BTreeMap::new())?;
        let read = Vocabulary::open(&path)?;
        assert_eq!((&read, read.checksum()), (&vocabulary, vocabulary.checksum()));
        assert_ne!(plain.checksum(), vocabulary.checksum());
        assert_eq!(read.phrases().passes(), [vec![[0, 1], [1, 2]], vec![[3, 2]]]);

        let bytes = std::fs::read(&path).expect("the file");
        let pairs: Vec<u8> = [0u32, 1, 1, 2, 3, 2].iter().flat_map(|part| part.to_le_bytes()).collect();
        let at = bytes.windows(pairs.len()).position(|found| found == pairs).expect("the pairs");
        for (offset, wrong) in [(16, 5), (8, 3), (-8, 4), (-16, 4)] {
            let mut damaged = bytes.clone();
            damaged[(at as isize + offset) as usize] = wrong;
            std::fs::write(&path, damaged).expect("written");
            let error = Vocabulary::open(&path).expect_err("damaged").to_string();
            assert!(error.contains("phrases") || error.contains("a phrase has part"), "{error}");
        }
        Ok(())
    }
}
