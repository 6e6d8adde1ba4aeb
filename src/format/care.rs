//! Rows at fault: an error at the first of them, or left out, counted and told.
//!
//! Every reader hands the rows that it cannot take to [`Omitted`], and all rows together to [`sound`], so that all
//! formats are as strict or as lenient as one another. What a lenient reader never does is guess which key belongs to
//! which numbers.

use std::path::Path;

use super::Care;
use super::checks::{self, Place};
use crate::embeddings::Embeddings;
use crate::error::Result;
use crate::vocabulary::Keys;

/// What strict readers say at the end of an error about one row.
const REMEDY: &str = "firth convert --lenient leaves such rows out";

/// Kinds of faults, as warnings name them.
pub(super) const EMPTY: &str = "lines without a key and numbers";
pub(super) const FIELDS: &str = "with the wrong number of fields or a field that is no number";
pub(super) const NOT_FINITE: &str = "with a number that is NaN, infinite or too large";
pub(super) const REPEATED: &str = "whose key stands earlier";
pub(super) const MALFORMED: &str = "that are not in this format";

/// What was left out of a file: for each kind of fault the number of rows, and where and why the first was.
#[derive(Debug, Default)]
pub(super) struct Omitted {
    care: Care,
    kinds: Vec<(&'static str, u64, String)>,
}

impl Omitted {
    pub fn new(care: Care) -> Self {
        Self { care, kinds: Vec::new() }
    }

    /// Are rows at fault left out?
    pub fn is_lenient(&self) -> bool {
        self.care == Care::Lenient
    }

    /// Notes a row at fault; the error if that is not to be borne.
    pub fn row(
        &mut self,
        path: &Path,
        place: &Place,
        kind: &'static str,
        reason: impl FnOnce() -> String,
    ) -> Result<()> {
        if !self.is_lenient() {
            return Err(place.error(path, format!("{}; {REMEDY}", reason())));
        }
        match self.kinds.iter_mut().find(|(known, ..)| *known == kind) {
            Some((_, count, _)) => *count += 1,
            None => self.kinds.push((kind, 1, format!("{place}: {}", reason()))),
        }
        Ok(())
    }

    /// Adds what was left out of a later part of the same file.
    pub fn append(&mut self, later: Self) {
        for (kind, count, first) in later.kinds {
            match self.kinds.iter_mut().find(|(known, ..)| *known == kind) {
                Some((_, all, _)) => *all += count,
                None => self.kinds.push((kind, count, first)),
            }
        }
    }

    /// A sentence for each kind of fault.
    pub fn warnings(&self) -> Vec<String> {
        let told = |(kind, count, first): &(&str, u64, String)| {
            format!("{count} rows were left out: {kind} (the first is {first})")
        };
        self.kinds.iter().map(told).collect()
    }
}

/// A file and the place of each row in it.
pub(super) type Places<'a> = (&'a Path, &'a dyn Fn(usize) -> Place);

/// Refuses, or leaves out, rows with a number that is not finite and rows whose key stands earlier; `place` says where a
/// row is. What was left out, here and before, is added to the warnings, and that keys are blank, which no query finds.
pub(super) fn sound(
    path: &Path,
    embeddings: Embeddings,
    omitted: Omitted,
    place: impl Fn(usize) -> Place,
) -> Result<Embeddings> {
    sound_apart((path, &place), (path, &place), embeddings, omitted)
}

/// [`sound`], of numbers in one file and keys in another.
pub(super) fn sound_apart(
    (numbers_file, number_at): Places<'_>,
    (keys_file, key_at): Places<'_>,
    embeddings: Embeddings,
    mut omitted: Omitted,
) -> Result<Embeddings> {
    let (keys, vectors) = (embeddings.keys(), embeddings.vectors());
    let broken = |row: usize| vectors.row(row).iter().position(|value| !value.is_finite());
    let not_finite = checks::not_finite(vectors.as_slice(), vectors.cols());
    let repeated = checks::repeated(keys);
    let faults = |row: usize, omitted: &mut Omitted| -> Result<bool> {
        if let Some(column) = broken(row) {
            let value = vectors.row(row)[column];
            omitted.row(numbers_file, &number_at(row), NOT_FINITE, || {
                let key = keys.get(row);
                format!("number {} of the vector of {key:?} is {value}; remove the row or mend it", column + 1)
            })?;
            return Ok(true);
        }
        Ok(false)
    };
    if let Some((first, again)) = repeated.filter(|_| !omitted.is_lenient()) {
        omitted.row(keys_file, &key_at(again), REPEATED, || {
            let first = key_at(first);
            format!("{:?} stands here and on {first}; every key must stand once, remove one", keys.get(again))
        })?;
    }
    if let Some((row, _)) = not_finite.filter(|_| !omitted.is_lenient()) {
        faults(row, &mut omitted)?;
    }
    let mut kept = Vec::new();
    if repeated.is_some() || not_finite.is_some() {
        // The first sound row of a key counts, not one that is left out itself.
        let mut known = hashbrown::HashMap::new();
        for (row, key) in keys.iter().enumerate() {
            if faults(row, &mut omitted)? {
                continue;
            }
            if let Some(&first) = known.get(key) {
                let reason = || format!("{key:?} stands here and on {}", key_at(first));
                omitted.row(keys_file, &key_at(row), REPEATED, reason)?;
                continue;
            }
            known.insert(key, row);
            kept.push(row);
        }
    }
    let is_whole = repeated.is_none() && not_finite.is_none();
    let mut warnings = embeddings.warnings.clone();
    let mut embeddings = if is_whole { embeddings } else { embeddings.select(&kept)? };
    warnings.extend(blank_keys(embeddings.keys(), |row| key_at(if is_whole { row } else { kept[row] })));
    warnings.extend(omitted.warnings());
    embeddings.warnings = warnings;
    Ok(embeddings)
}

/// That some keys are blank, if some are.
fn blank_keys(keys: &Keys, place: impl Fn(usize) -> Place) -> Option<String> {
    let is_blank = |&(_, key): &(usize, &str)| key.chars().all(char::is_whitespace);
    let mut blank = keys.iter().enumerate().filter(is_blank);
    let (row, key) = blank.next()?;
    Some(format!("{} keys are blank (the first is {key:?}, {})", 1 + blank.count(), place(row)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Matrix;

    #[test]
    fn a_key_is_taken_from_its_first_sound_row() -> Result<()> {
        let vectors = Matrix::from_vec(5, 1, vec![f32::NAN, 1.0, 2.0, 3.0, f32::INFINITY])?;
        let words = Embeddings::new(["a", "b", "a", "b", "c"].iter().collect(), vectors, Some(vec![5, 4, 3, 2, 1]))?;
        let path = Path::new("x");
        let read = |care| sound(path, words.clone(), Omitted::new(care), |row| Place::Line(row as u64 + 1));
        let lenient = read(Care::Lenient)?;
        assert_eq!(lenient.keys().iter().collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!((lenient.vectors().as_slice(), lenient.counts()), (&[1.0, 2.0][..], Some(&[4, 3][..])));
        let [broken, again] = lenient.warnings.as_slice() else { panic!("{:?}", lenient.warnings) };
        assert!(broken.starts_with("2 rows were left out: with a number that is NaN"), "{broken}");
        assert!(broken.contains("the first is line 1: number 1 of the vector of \"a\" is NaN"), "{broken}");
        assert!(again.contains("1 rows") && again.contains("line 4: \"b\" stands here and on line 2"), "{again}");
        let strict = read(Care::Strict).expect_err("faults").to_string();
        assert!(strict.contains("x, line 3: \"a\" stands here and on line 1") && strict.contains("--lenient"));
        Ok(())
    }
}
