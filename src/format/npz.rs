//! NumPy's `.npz`, all in one file: `numpy.load("words.npz")["words"]` are the keys and `["vectors"]` the rows.
//!
//! A zip archive, nothing packed, of `vectors` (float32 \[n, dim\]; float16; or int8 with `scales`, float32 \[n\], one for
//! each row), `counts` (uint64 \[n\]) if known, `words` and, if known, `labels` and `texts`. Texts are arrays of `<U` as
//! long as their longest, if that has at most 64 characters and none ends in a zero, which NumPy would lose; else they are
//! a pair, `words_utf8` (uint8) and `words_ends` (int64 \[n\]): text i ends before byte `ends[i]`.

use std::io::Write;
use std::path::Path;

use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::archive::{self, Archive, Member};
use super::care::{self, Omitted};
use super::checks::{self, Place};
use super::npy::{self, Kind};
use super::{Candidate, Care, Dtype, Format, numbers, text};
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::io::{AtomicFile, as_bytes};
use crate::math::Matrix;
use crate::vocabulary::Keys;

/// The longest text that is kept as an array of characters, four bytes each.
const LONGEST: usize = 64;

/// The `.npz` format.
pub struct Npz;

impl Format for Npz {
    fn name(&self) -> &'static str {
        "npz"
    }

    fn about(&self) -> &'static str {
        "NumPy archive with the arrays words, vectors and counts"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["npz"]
    }

    fn cannot_hold(&self) -> &'static str {
        "metadata, vectors of n-grams"
    }

    fn losses(&self, embeddings: &Embeddings) -> Vec<String> {
        checks::dropped(embeddings, super::rows::KEEPS)
    }

    fn dtypes(&self) -> &'static [Dtype] {
        &[Dtype::F32, Dtype::F16, Dtype::I8]
    }

    fn write_as(&self, embeddings: &Embeddings, path: &Path, dtype: Dtype) -> Result<()> {
        numbers::writable(self, embeddings, dtype)?;
        let mut file = AtomicFile::create(path)?;
        write(&mut file, embeddings, dtype).map_err(|source| Error::io(path, source))?;
        file.commit()
    }

    fn read_as(&self, candidate: &Candidate, care: Care) -> Result<Embeddings> {
        let file = candidate.file()?;
        file.advise_sequential();
        let path = file.path();
        let mut archive = Archive::open(path, file.bytes())?;
        let vectors = archive.member("vectors")?;
        let shape = vectors.header.vectors(vectors.data().len() as u64);
        let (number, rows, dim) = shape.map_err(|reason| vectors.fault(reason))?;
        let mut values = number.floats(vectors.data());
        let at = vectors.at;
        if number.kind == Kind::I8 && archive.has("scales") {
            let member = archive.member("scales")?;
            let found = member.len()?;
            if found != rows {
                return Err(member.fault(format!("found {found} numbers, expected a scale for each of {rows} rows")));
            }
            let scales =
                member.floats(rows)?.map_err(|(row, shown)| member.fault(format!("scale {} is {shown}", row + 1)))?;
            values.chunks_exact_mut(dim).zip(scales).for_each(|(row, scale)| row.iter_mut().for_each(|x| *x *= scale));
        }
        let mut warnings = Vec::new();
        if number.kind == Kind::F64 {
            warnings.push("64-bit numbers were rounded to 32 bits".into());
        }
        let mut strings = |name: &str| -> Result<Option<Keys>> {
            if !has_strings(&archive, name) {
                return Ok(None);
            }
            let what = if name == "words" { "keys" } else { name };
            let (keys, warning) = strings(&mut archive, name, rows)?.finish_as(what, |row| format!("row {}", row + 1));
            warnings.extend(warning);
            Ok(Some(keys))
        };
        let (keys, labels, texts) = (strings("words")?, strings("labels")?, strings("texts")?);
        let keys = keys.ok_or_else(|| archive.fault("the archive holds no words.npy, the keys; write it anew"))?;
        let counts = if archive.has("counts") { Some(counts(&archive.member("counts")?, rows)?) } else { None };
        let mut embeddings = Embeddings::new(keys, Matrix::from_vec(rows, dim, values)?, counts)?;
        if let Some(labels) = labels {
            embeddings = embeddings.with_labels(labels)?;
        }
        if let Some(texts) = texts {
            embeddings = embeddings.with_texts(texts)?;
        }
        (embeddings.numbers, embeddings.warnings) = (number.kind.name(), warnings);
        care::sound(path, embeddings, Omitted::new(care), |row| Place::Byte(at, row))
    }

    fn recognizes(&self, candidate: &Candidate) -> bool {
        let Some(bytes) = candidate.bytes().filter(|bytes| archive::recognizes(bytes)) else { return false };
        Archive::open(candidate.path(), bytes)
            .is_ok_and(|archive| archive.has("vectors") && has_strings(&archive, "words"))
    }
}

fn has_strings(archive: &Archive, name: &str) -> bool {
    archive.has(name) || archive.has(&format!("{name}_utf8"))
}

/// Texts, one for each row.
fn strings(archive: &mut Archive, name: &str, rows: usize) -> Result<text::KeyList> {
    let wrong = |member: &Member, found: usize| {
        Err(member.fault(format!("found {found} texts, expected one for each of {rows} rows of the vectors")))
    };
    if archive.has(name) {
        let member = archive.member(name)?;
        let found = member.header.count().unwrap_or(0) as usize;
        return if found == rows { member.strings() } else { wrong(&member, found) };
    }
    let member = archive.member(&format!("{name}_ends"))?;
    let found = member.len()?;
    if found != rows {
        return wrong(&member, found);
    }
    let bytes = archive.member(&format!("{name}_utf8"))?;
    let (mut list, mut start) = (text::KeyList::with_capacity(rows), 0);
    for end in member.integers()? {
        let end = usize::try_from(end).ok().filter(|&end| end >= start);
        let Some(key) = end.and_then(|end| bytes.data().get(start..end)) else {
            return Err(member.fault(format!("an end does not fit the {} bytes of {name}_utf8", bytes.data().len())));
        };
        list.push(key);
        start += key.len();
    }
    Ok(list)
}

fn counts(member: &Member, rows: usize) -> Result<Vec<u64>> {
    let counts = member.integers()?.map(u64::try_from).collect::<Result<Vec<_>, _>>();
    let counts = counts.map_err(|_| member.fault("a count is negative; expected whole numbers from 0"))?;
    if counts.len() != rows {
        return Err(member.fault(format!("found {} counts, expected one for each of {rows} rows", counts.len())));
    }
    Ok(counts)
}

fn write(file: &mut AtomicFile, embeddings: &Embeddings, dtype: Dtype) -> std::io::Result<()> {
    let rows = embeddings.len();
    let mut zip = ZipWriter::new(file);
    let start = |zip: &mut ZipWriter<&mut AtomicFile>, name: &str, bytes: usize| {
        // Members beyond 4 GiB have longer sizes, which must be known before.
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        zip.start_file(format!("{name}.npy"), options.large_file(bytes >= (1 << 32) - (1 << 16)))
    };
    let list = |kind: &str, count: usize| npy::header(kind, &format!("({count},)"));
    write_strings(&mut zip, start, "words", embeddings.keys())?;
    if let Some(labels) = embeddings.labels() {
        write_strings(&mut zip, start, "labels", labels)?;
    }
    if let Some(texts) = embeddings.texts() {
        write_strings(&mut zip, start, "texts", texts)?;
    }
    if let Some(counts) = embeddings.counts() {
        start(&mut zip, "counts", 8 * rows)?;
        zip.write_all(&list("<u8", rows))?;
        zip.write_all(as_bytes(counts))?;
    }
    if dtype == Dtype::I8 {
        start(&mut zip, "scales", 4 * rows)?;
        zip.write_all(&list("<f4", rows))?;
        embeddings.vectors().iter_rows().try_for_each(|row| zip.write_all(&numbers::scale(row).to_le_bytes()))?;
    }
    start(&mut zip, "vectors", rows * embeddings.dim() * dtype.bytes())?;
    npy::write(&mut zip, embeddings.vectors(), dtype)?;
    zip.finish()?;
    Ok(())
}

/// Writes texts as characters, or as bytes and their ends.
fn write_strings<W: Write>(
    zip: &mut W,
    start: impl Fn(&mut W, &str, usize) -> zip::result::ZipResult<()>,
    name: &str,
    strings: &Keys,
) -> std::io::Result<()> {
    let count = strings.len();
    let longest = strings.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(1);
    if longest > LONGEST || strings.iter().any(|text| text.ends_with('\0')) {
        start(zip, &format!("{name}_ends"), 8 * count)?;
        zip.write_all(&npy::header("<i8", &format!("({count},)")))?;
        zip.write_all(as_bytes(strings.ends()))?;
        start(zip, &format!("{name}_utf8"), strings.text().len())?;
        zip.write_all(&npy::header("|u1", &format!("({},)", strings.text().len())))?;
        return zip.write_all(strings.text().as_bytes());
    }
    start(zip, name, 4 * longest * count)?;
    zip.write_all(&npy::header(&format!("<U{longest}"), &format!("({count},)")))?;
    let mut letters = Vec::with_capacity(4 * longest);
    strings.iter().try_for_each(|text| {
        letters.clear();
        letters.extend(text.chars().flat_map(|letter| u32::from(letter).to_le_bytes()));
        letters.resize(4 * longest, 0);
        zip.write_all(&letters)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::checks::tests::{embeddings, same, scratch};
    use crate::format::{self, detect};

    #[test]
    fn short_and_long_keys_come_back() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a");
        let long = "x".repeat(LONGEST + 1);
        for keys in [&["a b", "", "日\t本", "\0a", "😀"][..], &[&long, "b"], &["a", "b\0"], &[]] {
            let words = embeddings(keys, 5);
            Npz.write(&words, &path)?;
            assert_eq!(detect(&path)?.name(), "npz");
            same(&words, &format::read(&path)?, true);
        }
        Ok(())
    }

    #[test]
    fn faults_are_told_with_the_member() -> Result<()> {
        use crate::format::matrix::npz_archive as archive;
        use crate::format::npy::tests::array;
        let folder = scratch();
        let path = folder.path().join("a");
        let vectors = |numbers: &[f32]| array("<f4", false, &format!("({}, 1)", numbers.len()), as_bytes(numbers));
        let words = |letters: &[u8]| array("|S1", false, &format!("({},)", letters.len()), letters);
        let counts = |counts: &[i64]| {
            let bytes: Vec<u8> = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
            array("<i8", false, &format!("({},)", counts.len()), &bytes)
        };
        let good = [("vectors.npy", vectors(&[1.0, 2.0])), ("words.npy", words(b"ab"))];
        for (members, message) in [
            (vec![], "read"),
            (vec![("words.npy", words(b"abc"))], "words.npy: found 3 texts, expected one for each of 2 rows"),
            (vec![("words.npy", words(b"aa"))], "row 2: \"a\" stands here and on row 1"),
            (vec![("words.npy", words(b"a\xff"))], "read"),
            (vec![("vectors.npy", vectors(&[1.0, f32::NAN]))], "row 2: number 1 of the vector of \"b\" is NaN"),
            (vec![("vectors.npy", array("<i4", false, "(2, 1)", &[0; 8]))], "numbers of type \"'<i4'\""),
            (vec![("vectors.npy", array("<f4", true, "(2, 1)", &[0; 8]))], "ascontiguousarray"),
            (vec![("words.npy", array("|S0", false, "(99999999999,)", &[]))], "words.npy: "),
            (vec![("counts.npy", counts(&[1, -1]))], "counts.npy: a count is negative"),
            (vec![("counts.npy", counts(&[1]))], "found 1 counts, expected one for each of 2 rows"),
        ] {
            let rest = good.iter().filter(|member| !members.iter().any(|other| other.0 == member.0)).cloned();
            let all: Vec<_> = rest.chain(members.clone()).collect();
            for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
                std::fs::write(&path, archive(&all, method)).expect("a file");
                let found = format::read(&path).map_or_else(|error| error.to_string(), |_| "read".into());
                assert!(found.contains(message), "{found} holds {message}");
            }
        }
        Ok(())
    }

    #[test]
    fn letters_that_are_no_characters_are_escaped_and_told() -> Result<()> {
        use crate::format::matrix::npz_archive as archive;
        use crate::format::npy::tests::array;
        let folder = scratch();
        let path = folder.path().join("a");
        let vectors = array("<f4", false, "(2, 1)", as_bytes(&[1f32, 2.0]));
        let letters = |letters: [u32; 4]| array("<U2", false, "(2,)", as_bytes(&letters));
        let b = u32::from('b');
        // What Python makes of the byte E9, half of a pair, and a number beyond all characters.
        let (words, labels) = (letters([b, 0xdce9, b, 0]), letters([0xd800, b, 0x11_0000, 0]));
        let members = [("vectors.npy", vectors), ("words.npy", words), ("labels.npy", labels)];
        std::fs::write(&path, archive(&members, CompressionMethod::Stored)).expect("a file");
        let read = format::read(&path)?;
        assert_eq!(read.keys().iter().collect::<Vec<_>>(), ["b\\xe9", "b"]);
        let labels = read.labels().map(|labels| labels.iter().collect::<Vec<_>>());
        assert_eq!(labels, Some(vec!["\\x00\\x00\\xd8\\x00b", "\\x00\\x11\\x00\\x00"]));
        let [keys, labels] = read.warnings.as_slice() else { panic!("{:?}", read.warnings) };
        assert!(keys.starts_with("1 keys are not valid UTF-8"), "{keys}");
        assert!(labels.starts_with("2 labels are not valid UTF-8"), "{labels}");
        Ok(())
    }

    #[test]
    fn a_damaged_number_is_found_by_the_checksum() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a");
        Npz.write(&embeddings(&["a", "b"], 3), &path)?;
        let mut bytes = std::fs::read(&path).expect("the file");
        let at = bytes.windows(12).rposition(|w| w == as_bytes(&[-2.5f32 / 3.0, -0.5, -0.5 / 3.0])).expect("numbers");
        bytes[at] ^= 1;
        std::fs::write(&path, &bytes).expect("a file");
        let error = Npz.read(&path).expect_err("damage").to_string();
        assert!(error.contains("vectors.npy: the checksum is wrong"), "{error}");
        Ok(())
    }
}
