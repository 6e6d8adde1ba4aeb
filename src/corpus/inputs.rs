//! Which files an input names: files, folders, patterns, and `-` for stdin.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{DocumentFormat, DocumentOptions};
use crate::error::{Error, Result};
use crate::io::compression::unpacked_name;
use crate::io::{MappedFile, spool, stdin};

/// One file to read.
#[derive(Debug, Clone)]
pub struct Source {
    /// What messages call it.
    pub name: PathBuf,
    /// How it is cut into documents; never `Auto`.
    pub format: DocumentFormat,
    /// Its size on disk.
    pub bytes: u64,
    /// What stdin or a pipe gave.
    spooled: Option<MappedFile>,
}

impl Source {
    /// Its bytes, as they lie on disk.
    pub(super) fn map(&self) -> Result<MappedFile> {
        match &self.spooled {
            Some(file) => Ok(file.clone()),
            None => MappedFile::open(&self.name),
        }
    }
}

/// What the inputs name, in the order given; within a folder or pattern by path.
#[derive(Debug, Default)]
pub struct Inputs {
    pub sources: Vec<Source>,
    pub hidden_files: u64,
}

impl Inputs {
    /// Finds all files.
    pub fn find(inputs: &[PathBuf], options: &DocumentOptions) -> Result<Self> {
        let mut found = Self::default();
        for input in inputs {
            if input.as_os_str() == "-" {
                found.sources.push(spooled(stdin()?, Path::new("stdin"), options)?);
                continue;
            }
            match std::fs::metadata(input) {
                Ok(metadata) => found.add(input, &metadata, options)?,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && is_pattern(input) => {
                    found.add_pattern(input, options)?;
                }
                Err(source) => return Err(Error::io(input, source)),
            }
        }
        if found.sources.is_empty() {
            return Err(Error::data("no input; name a file, a folder, a pattern or - for stdin"));
        }
        Ok(found)
    }

    fn add(&mut self, path: &Path, metadata: &std::fs::Metadata, options: &DocumentOptions) -> Result<()> {
        if !metadata.is_dir() {
            self.sources.push(source(path, metadata, options)?);
            return Ok(());
        }
        let before = self.sources.len();
        self.add_folder(path, options)?;
        if self.sources.len() == before {
            return Err(Error::data(format!(
                "{}: the folder holds no files ({} hidden ones are skipped); expected text",
                path.display(),
                self.hidden_files
            )));
        }
        Ok(())
    }

    fn add_folder(&mut self, folder: &Path, options: &DocumentOptions) -> Result<()> {
        let entries = std::fs::read_dir(folder).map_err(|source| Error::io(folder, source))?;
        let mut paths = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|source| Error::io(folder, source))?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                self.hidden_files += 1;
            } else {
                paths.push(entry.path());
            }
        }
        paths.sort();
        for path in paths {
            // Of a link only a file is followed: linked folders may lead in circles.
            let link = std::fs::symlink_metadata(&path).map_err(|source| Error::io(&path, source))?;
            let metadata = std::fs::metadata(&path).map_err(|source| Error::io(&path, source))?;
            if link.is_dir() {
                self.add_folder(&path, options)?;
            } else if metadata.is_file() {
                self.sources.push(source(&path, &metadata, options)?);
            }
        }
        Ok(())
    }

    fn add_pattern(&mut self, pattern: &Path, options: &DocumentOptions) -> Result<()> {
        let text = pattern
            .to_str()
            .ok_or_else(|| Error::data(format!("{}: a pattern must be valid Unicode", pattern.display())))?;
        let matches = glob::glob(text)
            .map_err(|error| Error::data(format!("{text}: not a valid pattern ({}, at {})", error.msg, error.pos)))?;
        let mut paths = Vec::new();
        for path in matches {
            paths.push(path.map_err(|error| {
                let path = error.path().to_owned();
                Error::io(path, error.into())
            })?);
        }
        if paths.is_empty() {
            return Err(Error::data(format!("{text}: no file matches the pattern")));
        }
        paths.sort();
        for path in paths {
            let metadata = std::fs::metadata(&path).map_err(|source| Error::io(&path, source))?;
            self.add(&path, &metadata, options)?;
        }
        Ok(())
    }
}

fn is_pattern(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().iter().any(|byte| b"*?[".contains(byte))
}

fn source(path: &Path, metadata: &std::fs::Metadata, options: &DocumentOptions) -> Result<Source> {
    // Opened here, so that a file that may not be read is told before any work.
    let file = File::open(path).map_err(|source| Error::io(path, source))?;
    if metadata.is_file() {
        let format = options.format.of(path);
        return Ok(Source { name: path.into(), format, bytes: metadata.len(), spooled: None });
    }
    // A pipe or a device can be read but once, as stdin.
    spooled(file, path, options)
}

fn spooled(from: impl Read, name: &Path, options: &DocumentOptions) -> Result<Source> {
    let file = spool(from, name)?;
    let (format, bytes) = (options.format.of(name), file.bytes().len() as u64);
    Ok(Source { name: name.into(), format, bytes, spooled: Some(file) })
}

impl DocumentFormat {
    /// What is asked for or, of [`DocumentFormat::Auto`], what a file's name tells; a compressed file's is before the last
    /// dot.
    pub fn of(self, path: &Path) -> Self {
        if self != Self::Auto {
            return self;
        }
        let named = unpacked_name(path);
        let ending =
            named.as_deref().unwrap_or(path).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        match ending.to_ascii_lowercase().as_str() {
            "tsv" => Self::Tsv,
            "csv" => Self::Csv,
            "jsonl" | "ndjson" => Self::Jsonl,
            _ => Self::Lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(inputs: &[PathBuf]) -> Result<(Vec<String>, u64)> {
        let found = Inputs::find(inputs, &DocumentOptions::default())?;
        let names = found.sources.iter().map(|source| {
            let name = source.name.file_name().unwrap_or_default();
            format!("{} {:?}", name.to_string_lossy(), source.format)
        });
        Ok((names.collect(), found.hidden_files))
    }

    #[test]
    fn folders_are_read_in_order_without_hidden_files() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["b.txt", "a/z.tsv.gz", "a/y.JSONL", ".hidden", "c.csv"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, "text").expect("a file");
        }
        let expected = ["y.JSONL Jsonl", "z.tsv.gz Tsv", "b.txt Lines", "c.csv Csv"].map(String::from);
        assert_eq!(names(&[folder.path().into()])?, (expected.to_vec(), 1));
        assert_eq!(names(&[folder.path().join("*.[tc]*")])?.0, expected[2..]);
        let twice = [folder.path().join("c.csv"), folder.path().join("b.txt")];
        assert_eq!(names(&twice)?.0, ["c.csv Csv", "b.txt Lines"]);
        Ok(())
    }

    #[test]
    fn inputs_that_name_nothing_are_errors() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let message = |path: PathBuf| names(&[path]).expect_err("nothing there").to_string();
        assert!(message(folder.path().into()).contains("the folder holds no files"));
        assert!(message(folder.path().join("none.txt")).contains("none.txt"));
        assert!(message(folder.path().join("*.txt")).contains("no file matches"));
        assert!(names(&[]).is_err());
    }

    #[test]
    fn standard_input_is_a_source_as_it_came() -> Result<()> {
        let packed = zstd::encode_all(&b"one two\n"[..], 1).expect("memory");
        let source = spooled(&packed[..], Path::new("stdin"), &DocumentOptions::default())?;
        let file = source.map()?;
        assert_eq!((file.bytes(), file.path(), source.bytes), (&packed[..], Path::new("stdin"), packed.len() as u64));
        Ok(())
    }

    #[test]
    fn errors_in_standard_input_name_it() -> Result<()> {
        let packed = zstd::encode_all(&b"one two\n"[..], 1).expect("memory");
        let options = DocumentOptions::default();
        let source = spooled(&packed[..packed.len() - 3], Path::new("stdin"), &options)?;
        let corpus = super::super::Corpus { sources: vec![source], options, hidden_files: 0 };
        let error = corpus.documents(|_| Ok(())).expect_err("truncated").to_string();
        assert!(error.starts_with("stdin, byte "), "{error}");
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn files_that_may_not_be_read_are_told_at_once() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut path = folder.path().join("a.txt");
        std::fs::write(&path, "text").expect("a file");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).expect("my file");
        let mut input = folder.path().to_owned();
        if File::open(&path).is_ok() {
            // Root may read all but what the kernel refuses.
            path = PathBuf::from("/proc/sys/vm/compact_memory");
            input = path.clone();
        }
        if !path.is_file() || File::open(&path).is_ok() {
            println!("skipped: every file can be read here");
            return;
        }
        let error = names(&[input]).expect_err("no permission").to_string();
        assert!(error.starts_with(&path.display().to_string()), "{error}");
    }
}
