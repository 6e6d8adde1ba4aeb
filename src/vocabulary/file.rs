//! A vocabulary on disk: a safetensors file of the words' bytes, their ends and their counts.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::Dtype;

use super::{Keys, Vocabulary};
use crate::error::{Error, Result};
use crate::io::{Container, ContainerWriter, checksum};

const KIND: &str = "vocabulary";

impl Vocabulary {
    /// Writes it, with settings (such as the tokenizer's) in the header.
    ///
    /// Tensors: `counts` u64 and `ends` u64, one for each word; `text` u8, the words without separator.
    pub fn save(&self, path: &Path, settings: &BTreeMap<String, String>) -> Result<()> {
        let text = self.keys().text().as_bytes();
        let tensors = [
            ("counts", Dtype::U64, vec![self.len()]),
            ("ends", Dtype::U64, vec![self.len()]),
            ("text", Dtype::U8, vec![text.len()]),
        ];
        let mut writer = ContainerWriter::create(path, KIND, settings, &tensors)?;
        writer.write(self.counts())?;
        writer.write(self.keys().ends())?;
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
        let text = std::str::from_utf8(&text).map_err(|error| {
            Error::byte(path, error.valid_up_to() as u64, "the words are not UTF-8; build the vocabulary anew")
        })?;
        let keys = Keys::from_parts(text.to_owned(), ends.to_vec())
            .ok_or_else(|| Error::byte(path, 0, "the words' ends do not fit their text; build the vocabulary anew"))?;
        if let Some((_, again)) = keys.first_repeated() {
            let word = keys.get(again);
            return Err(Error::byte(path, 0, format!("the word {word:?} stands twice; build the vocabulary anew")));
        }
        if let Some(at) = counts.iter().position(|&count| count == 0) {
            let word = keys.get(at);
            return Err(Error::byte(path, 0, format!("the word {word:?} has count 0; build the vocabulary anew")));
        }
        if counts.iter().try_fold(0u64, |sum, &count| sum.checked_add(count)).is_none() {
            return Err(Error::byte(path, 0, "the counts add up to more than 2^64; build the vocabulary anew"));
        }
        Ok((Self::new(keys, counts.to_vec()), container.entries()))
    }

    /// A checksum of the words and their counts in order.
    pub fn checksum(&self) -> u64 {
        let (text, ends, counts) = (self.keys().text().as_bytes(), self.keys().ends(), self.counts());
        checksum::join(&[
            (checksum::part(text, 0, u64::from), text.len() as u64),
            (checksum::part(ends, 0, |end| end), ends.len() as u64),
            (checksum::part(counts, 0, |count| count), counts.len() as u64),
        ])
    }
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
}
