//! The folder that TensorBoard's projector opens (`tensorflow/tensorboard`, `projector_plugin.py`).
//!
//! `vectors.tsv`: numbers with tabs between, no header. `metadata.tsv`: one key per line without header, or, with
//! counts, a header `word`, tab, `count` and these two columns. `projector_config.pbtxt` names both files.

use std::path::{Path, PathBuf};

use super::checks::{self, Keeps, Place};
use super::folder::Folder;
use super::rows::Columns;
use super::{Candidate, Care, Dtype, Format, care, numbers, text};
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::io::{AtomicFile, MappedFile};
use crate::vocabulary::Keys;

const CONFIG: &str = "projector_config.pbtxt";
const VECTORS: &str = "vectors.tsv";
const METADATA: &str = "metadata.tsv";
/// What takes keys that this format refuses.
const HOLDS: &str = "safetensors";

/// TensorBoard's projector.
pub struct Projector;

impl Format for Projector {
    fn name(&self) -> &'static str {
        "projector"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["tensorboard"]
    }

    fn about(&self) -> &'static str {
        "a folder for TensorBoard's projector: vectors.tsv, metadata.tsv and projector_config.pbtxt"
    }

    fn is_folder(&self) -> bool {
        true
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["projector"]
    }

    fn cannot_hold(&self) -> &'static str {
        "metadata, no keys at all, blank keys, keys with a tab, newline or carriage return, \
         a first key that begins with a byte order mark"
    }

    fn losses(&self, embeddings: &Embeddings) -> Vec<String> {
        checks::dropped(embeddings, Keeps { counts: true, ..Keeps::default() })
    }

    fn write_as(&self, embeddings: &Embeddings, path: &Path, dtype: Dtype) -> Result<()> {
        numbers::writable(self, embeddings, dtype)?;
        checks::no_characters(self.name(), embeddings.keys(), &['\t', '\n', '\r'], HOLDS)?;
        checks::no_mark(self.name(), embeddings.keys(), HOLDS)?;
        // The projector skips blank lines, so that all later keys would stand at the wrong points.
        if let Some((row, key)) = embeddings.keys().iter().enumerate().find(|(_, key)| key.trim().is_empty()) {
            return Err(checks::unsupported(self.name(), row, key, "that is blank", HOLDS));
        }
        if embeddings.is_empty() {
            return Err(Error::Unsupported {
                format: self.name().into(),
                feature: "no keys at all, since nothing would tell the dimension; write word2vec instead".into(),
            });
        }
        let mut folder = Folder::create(path);
        write_metadata(folder.file(METADATA)?, embeddings)?;
        text::write(folder.file(VECTORS)?, None, embeddings.vectors(), b'\t')?;
        let entry = format!("embeddings {{\n  tensor_path: \"{VECTORS}\"\n  metadata_path: \"{METADATA}\"\n}}\n");
        // The projector looks for the last.
        folder.file(CONFIG)?.write(entry.as_bytes())?;
        folder.commit()
    }

    fn read_as(&self, candidate: &Candidate, care: Care) -> Result<Embeddings> {
        let Files { tensor: file, metadata, left_out } = Files::find(candidate)?;
        file.advise_sequential();
        let (tensor, bytes) = (file.path(), file.bytes());
        let start = start(bytes);
        let first = text::line_at(bytes, start);
        let dim = text::numbers_at_end(first, false) as u64;
        if dim == 0 {
            let found = checks::excerpt(first);
            return Err(Error::line(tensor, 1, format!("found {found}, expected numbers with tabs between")));
        }
        let layout = text::Layout { start, line: 1, dim, keyed: false, rows: None, care };
        let table = text::read(tensor, bytes, &layout)?;
        let all = 0..table.lines;
        let kept = table.kept.unwrap_or_else(|| all.collect());
        let labels = read_metadata(&metadata, table.lines, &kept)?;
        let mut embeddings = Embeddings::new(labels.keys, table.vectors, labels.counts)?;
        embeddings.numbers = numbers::TEXT;
        embeddings.warnings = [table.warnings, labels.warnings].concat();
        if !left_out.is_empty() {
            embeddings.warnings.push(format!("other vectors of {CONFIG} were left out: {}", left_out.join(", ")));
        }
        let place = |row: usize| Place::Line((labels.header + kept[row] + 1) as u64);
        care::sound(&metadata, embeddings, table.omitted, place)
    }

    fn recognizes(&self, candidate: &Candidate) -> bool {
        let path = candidate.path();
        match candidate.bytes() {
            None => path.join(CONFIG).is_file() || path.join(VECTORS).is_file(),
            // Numbers alone, with tabs; with the keys beside them.
            Some(bytes) => {
                let line = text::trimmed(text::line_at(bytes, start(bytes)));
                let fields = line.split(|&byte| byte == b'\t').count();
                path.with_file_name(METADATA).is_file() && text::numbers_at_end(line, false) == fields
            }
        }
    }
}

/// Where the first line begins: behind a byte order mark.
fn start(bytes: &[u8]) -> usize {
    if bytes.starts_with(text::BOM) { text::BOM.len() } else { 0 }
}

/// Writes a key a line, with counts where they are known.
fn write_metadata(file: &mut AtomicFile, embeddings: &Embeddings) -> Result<()> {
    let Some(counts) = embeddings.counts() else {
        return embeddings.keys().iter().try_for_each(|key| file.write(format!("{key}\n").as_bytes()));
    };
    file.write(b"word\tcount\n")?;
    let rows = embeddings.keys().iter().zip(counts);
    rows.into_iter().try_for_each(|(key, count)| file.write(format!("{key}\t{count}\n").as_bytes()))
}

/// Where the numbers and the keys are.
struct Files {
    tensor: MappedFile,
    metadata: PathBuf,
    /// Other vectors that the folder holds.
    left_out: Vec<String>,
}

impl Files {
    fn find(candidate: &Candidate) -> Result<Self> {
        let path = candidate.path();
        let of = |tensor, metadata| Self { tensor, metadata, left_out: Vec::new() };
        if candidate.bytes().is_some() {
            return Ok(of(candidate.file()?.clone(), path.with_file_name(METADATA)));
        }
        let config = path.join(CONFIG);
        if !config.is_file() {
            return Ok(of(MappedFile::open(&path.join(VECTORS))?, path.join(METADATA)));
        }
        let file = MappedFile::open(&config)?;
        let text = String::from_utf8_lossy(file.bytes());
        let blocks = blocks(&text);
        let mut entries: Vec<_> =
            blocks.iter().map(|block| ["tensor_path", "metadata_path"].map(|name| value(block, name))).collect();
        // Vectors without keys may stand beside such with keys.
        let Some(at) = entries.iter().position(|names| names.iter().all(Option::is_some)) else {
            let reason = "no entry embeddings { tensor_path: \"FILE\" metadata_path: \"FILE\" }; expected one, with the \
                          names of the vectors and of their keys";
            return Err(Error::byte(&config, 0, reason));
        };
        let [tensor, metadata] = entries.remove(at).map(|name| path.join(name.unwrap_or_default()));
        let left_out = entries.into_iter().map(|[tensor, _]| tensor.unwrap_or("without a name").to_owned()).collect();
        Ok(Self { tensor: MappedFile::open(&tensor)?, metadata, left_out })
    }
}

/// What stands between the outermost braces, block by block, without comments.
fn blocks(config: &str) -> Vec<String> {
    let (mut depth, mut quote, mut block, mut blocks) = (0, None, String::new(), Vec::new());
    for letter in config.chars() {
        match (quote, letter) {
            (Some(open), _) => quote = Some(open).filter(|&open| open != letter),
            (None, '"' | '\'') => quote = Some(letter),
            // A comment ends with its line.
            (None, '#') => quote = Some('\n'),
            (None, '{') => depth += 1,
            (None, '}') if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    blocks.push(std::mem::take(&mut block));
                }
            }
            _ => {}
        }
        if depth > 0 && quote != Some('\n') {
            block.push(letter);
        }
    }
    blocks
}

/// The string of that name in a block.
fn value<'a>(block: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = block.split_once(name)?.1.split_once('"')?;
    Some(value.split_once('"')?.0)
}

/// What the metadata file tells.
struct Labels {
    keys: Keys,
    counts: Option<Vec<u64>>,
    warnings: Vec<String>,
    /// How many lines stand before the first key.
    header: usize,
}

/// The keys of the rows that were `kept`, of so many in all.
fn read_metadata(path: &Path, rows: usize, kept: &[usize]) -> Result<Labels> {
    let file = MappedFile::open(path)?;
    let lines = text::lines(file.bytes());
    // Several columns have a header, a single one has none.
    let names: Vec<String> = match lines.first() {
        Some(first) if first.contains(&b'\t') => {
            String::from_utf8_lossy(first).split('\t').map(str::to_lowercase).collect()
        }
        _ => Vec::new(),
    };
    // What the projector shows at a point is its label, where tables elsewhere mean a class.
    let has_label = names.iter().any(|name| name == "label");
    let shown: Vec<&str> =
        names.iter().map(|name| if has_label && name == "id" { "" } else { name.as_str() }).collect();
    let columns = Columns::named(&shown);
    let key_column = columns.key.unwrap_or(0);
    let count_column = columns.count.filter(|&column| column != key_column);
    let header = usize::from(!names.is_empty());
    let (lines, blank) = lines[header..].split_at(rows.min(lines.len() - header));
    if lines.len() < rows || blank.iter().any(|line| !text::trimmed(line).is_empty()) {
        let found = lines.len() + blank.len();
        let reason = format!("found {found} keys, expected one for each of {rows} rows of the vectors");
        return Err(Error::line(path, (header + found.min(rows + 1)) as u64, reason));
    }

    let line_of = |row: usize| (header + row + 1) as u64;
    let mut keys = text::KeyList::with_capacity(kept.len());
    let mut counts = count_column.map(|_| Vec::with_capacity(kept.len()));
    for (row, line) in kept.iter().map(|&row| (row, &lines[row])) {
        let field = |column: usize| {
            line.split(|&byte| byte == b'\t').nth(column).ok_or_else(|| {
                let reason = format!("found {}, expected {} columns", checks::excerpt(line), names.len());
                Error::line(path, line_of(row), reason)
            })
        };
        keys.push(field(key_column)?);
        if let (Some(column), Some(counts)) = (count_column, &mut counts) {
            let field = field(column)?;
            let count = std::str::from_utf8(field).ok().and_then(|field| field.trim().parse().ok());
            counts.push(count.ok_or_else(|| {
                Error::line(
                    path,
                    line_of(row),
                    format!("found the count {}, expected a whole number", checks::excerpt(field)),
                )
            })?);
        }
    }
    let (keys, warning) = keys.finish(|row| format!("line {}", line_of(kept[row])));
    let mut warnings = Vec::from_iter(warning);
    let read = 1 + usize::from(count_column.is_some());
    if names.len() > read {
        warnings.push(format!("{} columns of {} were left out", names.len() - read, path.display()));
    }
    Ok(Labels { keys, counts, warnings, header })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::checks::tests::{embeddings, refused, same, scratch};

    fn folder(vectors: &str, metadata: &str) -> tempfile::TempDir {
        let folder = scratch();
        std::fs::write(folder.path().join(VECTORS), vectors).expect("a file");
        std::fs::write(folder.path().join(METADATA), metadata).expect("a file");
        folder
    }

    #[test]
    fn a_folder_comes_back_with_counts_and_from_its_vectors_file() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("map");
        let words = embeddings(&["New York", "日本", "5"], 2);
        Projector.write(&words, &path)?;
        let metadata = std::fs::read_to_string(path.join(METADATA)).expect("the file");
        assert_eq!(metadata, "word\tcount\nNew York\t2\n日本\t1\n5\t0\n");
        same(&words, &crate::format::read(&path)?, true);
        same(&words, &crate::format::read(&path.join(VECTORS))?, true);
        let bare = Embeddings::new(words.keys().clone(), words.vectors().clone(), None)?;
        Projector.write(&bare, &path)?;
        assert!(std::fs::read_to_string(path.join(METADATA)).expect("the file").starts_with("New York\n"));
        same(&bare, &crate::format::read(&path)?, false);
        Ok(())
    }

    #[test]
    fn folders_of_others_are_read() -> Result<()> {
        let folder = folder("1\t2\n3\t4\n", "id\tLabel\tpart\n7\ta b\tx\n8\tc\ty\n");
        let read = crate::format::read(folder.path())?;
        assert_eq!((read.row("a b"), read.row("c")), (Some(&[1.0, 2.0][..]), Some(&[3.0, 4.0][..])));
        assert!(read.warnings[0].contains("2 columns"));
        std::fs::rename(folder.path().join(VECTORS), folder.path().join("t.tsv")).expect("a new name");
        let config = "# TensorBoard's config\nembeddings {\n tensor_name: \"#x\"\n # tensor_path: \"}\"\n \
                      tensor_path: \"t.tsv\"\n metadata_path: \"metadata.tsv\"\n}";
        std::fs::write(folder.path().join(CONFIG), config).expect("a file");
        assert_eq!(crate::format::read(folder.path())?.len(), 2);
        // Keys are those of the same vectors.
        std::fs::write(folder.path().join("a.tsv"), "9\n8\n").expect("a file");
        let two = format!("embeddings {{\n tensor_path: \"a.tsv\"\n sprite {{ image_path: \"}}\" }}\n}}\n{config}");
        std::fs::write(folder.path().join(CONFIG), two).expect("a file");
        let read = crate::format::read(folder.path())?;
        assert_eq!((read.row("c"), read.dim()), (Some(&[3.0, 4.0][..]), 2));
        assert!(read.warnings.iter().any(|warning| warning.ends_with("were left out: a.tsv")), "{:?}", read.warnings);
        std::fs::write(folder.path().join(CONFIG), "embeddings { tensor_path: \"a.tsv\" }").expect("a file");
        let error = Projector.read(folder.path()).expect_err("no keys").to_string();
        assert!(error.contains("no entry embeddings { tensor_path"), "{error}");
        Ok(())
    }

    #[test]
    fn a_byte_order_mark_stands_before_the_numbers() -> Result<()> {
        let folder = folder("\u{feff}1\t2\n3\t4\n", "a\nb\n");
        let path = folder.path().join(VECTORS);
        assert_eq!(crate::format::detect(&path)?.name(), "projector");
        assert_eq!(crate::format::read(&path)?.row("a"), Some(&[1.0, 2.0][..]));
        Ok(())
    }

    #[test]
    fn faults_name_file_and_line() {
        for (vectors, metadata, message) in [
            ("1\t2\n3\t4\n", "a\n", "metadata.tsv, line 1: found 1 keys, expected one for each of 2"),
            ("1\t2\n3\t4\n", "a\nb\nc\n", "metadata.tsv, line 3: found 3 keys"),
            ("1\t2\n3\n", "a\nb\n", "vectors.tsv, line 2: found 1 numbers at the end of the line, expected 2"),
            ("1\t2\n3\tx\n", "a\nb\n", "vectors.tsv, line 2: found 0 numbers"),
            ("1\t2\n3\t4\t5\n", "a\nb\n", "vectors.tsv, line 2: found 3 numbers"),
            ("", "", "vectors.tsv, line 1: found \"\""),
            ("1\n2\n", "word\tcount\na\t1\nb\tx\n", "metadata.tsv, line 3: found the count \"x\""),
            ("1\n2\n", "word\tcount\na\t1\nb\n", "metadata.tsv, line 3: found \"b\", expected 2 columns"),
            ("1\n2\n", "a\na\n", "metadata.tsv, line 2: \"a\" stands here and on line 1"),
        ] {
            let folder = folder(vectors, metadata);
            let error = Projector.read(folder.path()).expect_err(message).to_string();
            assert!(error.contains(message), "{error} holds {message}");
        }
        refused(&Projector, &["a", " "], "a key that is blank");
        refused(&Projector, &["a\tb"], "a key with a tab");
    }
}
