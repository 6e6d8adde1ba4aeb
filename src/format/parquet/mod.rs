//! Parquet, for pyarrow, Polars, DuckDB, LanceDB and everything that reads columns.
//!
//! Columns `word` (`key` if there are labels or texts; UTF-8), `count` (int64), `label` and `text` if known, and `vector`,
//! a list of `dim` floats of 32 or 16 bits, which Arrow's readers see as one of fixed size (`arrow.rs`). None may lack a
//! value. Vectors are neither packed nor dictionaries, since they would not get smaller; texts are packed by Snappy. Rows
//! are written in groups of some 64 MiB. The metadata are entries of the file, named `firth:NAME`, beside `firth.dim`.

use std::path::Path;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use super::checks::Keeps;
use super::{Candidate, Care, Dtype, Format, checks, numbers, rows};
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::io::AtomicFile;
use crate::vocabulary::Keys;

mod arrow;
mod pages;
mod read;

/// Bytes of vectors in a group of rows.
const GROUP: usize = 64 << 20;
/// Rows that are handed on at once.
const BATCH: usize = 1024;
/// The entry with the length of the vectors, which a file without rows does not tell otherwise.
const DIM: &str = "firth.dim";
/// How the names of metadata begin.
const OWN: &str = "firth:";

/// Parquet.
pub struct Parquet;

impl Format for Parquet {
    fn name(&self) -> &'static str {
        "parquet"
    }

    fn about(&self) -> &'static str {
        "columns word, count and vector (a list of fixed size), for pyarrow, Polars, DuckDB and LanceDB"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["parquet"]
    }

    fn cannot_hold(&self) -> &'static str {
        "vectors of n-grams, frequencies beyond 2^63"
    }

    fn losses(&self, embeddings: &Embeddings) -> Vec<String> {
        checks::dropped(embeddings, Keeps { metadata: true, ..rows::KEEPS })
    }

    fn dtypes(&self) -> &'static [Dtype] {
        &[Dtype::F32, Dtype::F16]
    }

    fn write_as(&self, embeddings: &Embeddings, path: &Path, dtype: Dtype) -> Result<()> {
        numbers::writable(self, embeddings, dtype)?;
        if let Some(row) = embeddings.counts().and_then(|counts| counts.iter().position(|&count| count > MOST)) {
            let key = embeddings.keys().get(row);
            return Err(checks::unsupported(self.name(), row, key, "that occurs more than 2^63 times", "safetensors"));
        }
        let file = AtomicFile::create(path)?;
        write(file, embeddings, dtype)
            .map_err(|error| match error {
                ParquetError::External(source) if source.is::<std::io::Error>() => {
                    Error::io(path, *source.downcast().expect("an error of the system"))
                }
                other => Error::Backend { source: Box::new(other) },
            })?
            .commit()
    }

    fn read_as(&self, candidate: &Candidate, care: Care) -> Result<Embeddings> {
        read::read(candidate.file()?, care)
    }

    fn recognizes(&self, candidate: &Candidate) -> bool {
        candidate.bytes().is_some_and(|bytes| bytes.starts_with(b"PAR1"))
    }
}

/// The largest count that fits.
const MOST: u64 = i64::MAX as u64;

fn write(file: AtomicFile, embeddings: &Embeddings, dtype: Dtype) -> ParquetResult<AtomicFile> {
    let dim = embeddings.dim();
    let is_half = dtype == Dtype::F16;
    let key = rows::key_name(embeddings);
    let texts: Vec<(&str, &Keys)> = [("label", embeddings.labels()), ("text", embeddings.texts())]
        .into_iter()
        .filter_map(|(name, strings)| Some((name, strings?)))
        .collect();

    let mut columns = vec![(key, arrow::Type::Utf8)];
    columns.extend(embeddings.counts().map(|_| ("count", arrow::Type::Int64)));
    columns.extend(texts.iter().map(|&(name, _)| (name, arrow::Type::Utf8)));
    columns.push(("vector", arrow::Type::Vector(if is_half { 16 } else { 32 }, dim as i32)));
    let spelt = columns.iter().map(|&(name, kind)| match kind {
        arrow::Type::Int64 => format!("REQUIRED INT64 {name};"),
        arrow::Type::Utf8 => format!("REQUIRED BYTE_ARRAY {name} (STRING);"),
        _ => {
            let number = if is_half { "FIXED_LEN_BYTE_ARRAY(2) element (FLOAT16)" } else { "FLOAT element" };
            format!("REQUIRED GROUP {name} (LIST) {{ REPEATED GROUP list {{ REQUIRED {number}; }} }}")
        }
    });
    let schema = parse_message_type(&format!("message schema {{ {} }}", spelt.collect::<String>()))?;
    let mut entries = vec![
        KeyValue::new("ARROW:schema".to_owned(), arrow::schema(&columns)),
        KeyValue::new(DIM.to_owned(), dim.to_string()),
    ];
    entries
        .extend(embeddings.metadata.iter().map(|(name, value)| KeyValue::new(format!("{OWN}{name}"), value.clone())));
    let vector = ColumnPath::from("vector.list.element");
    let properties = WriterProperties::builder()
        .set_created_by(format!("firth version {}", env!("CARGO_PKG_VERSION")))
        .set_compression(Compression::SNAPPY)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_column_compression(vector, Compression::UNCOMPRESSED)
        .set_key_value_metadata(Some(entries))
        .build();

    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))?;
    let group = (GROUP / (4 * dim)).max(1);
    for start in (0..embeddings.len()).step_by(group) {
        let rows = start..(start + group).min(embeddings.len());
        let mut group = writer.next_row_group()?;
        let mut column = 0;
        while let Some(mut next) = group.next_column()? {
            for start in rows.clone().step_by(BATCH) {
                let batch = start..(start + BATCH).min(rows.end);
                let strings = |strings: &Keys| batch.clone().map(|row| ByteArray::from(strings.get(row))).collect();
                let strings: Option<Vec<ByteArray>> = match columns[column].0 {
                    "count" | "vector" => None,
                    "label" | "text" => {
                        texts.iter().find(|text| text.0 == columns[column].0).map(|text| strings(text.1))
                    }
                    _ => Some(strings(embeddings.keys())),
                };
                let values = &embeddings.vectors().as_slice()[batch.start * dim..batch.end * dim];
                // All values are there; a row's first begins a list.
                let levels = || {
                    let begins: Vec<i16> = (0..values.len()).map(|at| i16::from(at % dim != 0)).collect();
                    (vec![1i16; values.len()], begins)
                };
                match next.untyped() {
                    ColumnWriter::ByteArrayColumnWriter(writer) => {
                        writer.write_batch(&strings.unwrap_or_default(), None, None)?;
                    }
                    ColumnWriter::Int64ColumnWriter(writer) => {
                        let counts = embeddings.counts().map_or(&[][..], |counts| &counts[batch]);
                        let counts: Vec<i64> = counts.iter().map(|&count| count as i64).collect();
                        writer.write_batch(&counts, None, None)?;
                    }
                    ColumnWriter::FloatColumnWriter(writer) => {
                        let (there, begins) = levels();
                        writer.write_batch(values, Some(&there), Some(&begins))?;
                    }
                    ColumnWriter::FixedLenByteArrayColumnWriter(writer) => {
                        let (there, begins) = levels();
                        let mut bytes = Vec::with_capacity(2 * values.len());
                        numbers::encode(values, Dtype::F16, 1.0, &mut bytes);
                        let all = bytes::Bytes::from(bytes);
                        let number =
                            |at: usize| FixedLenByteArray::from(ByteArray::from(all.slice(2 * at..2 * at + 2)));
                        let halves: Vec<FixedLenByteArray> = (0..values.len()).map(number).collect();
                        writer.write_batch(&halves, Some(&there), Some(&begins))?;
                    }
                    _ => unreachable!("no column has another type"),
                }
            }
            next.close()?;
            column += 1;
        }
        group.close()?;
    }
    writer.into_inner()
}
