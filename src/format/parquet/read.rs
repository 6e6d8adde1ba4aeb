//! Parquet from anywhere: a column of keys, one of lists of floats, and what stands beside them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parquet::basic::{LogicalType, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader};
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::schema::types::ColumnDescriptor;

use super::{BATCH, DIM, OWN, pages};
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::format::rows::{Columns, Row, Rows};
use crate::format::{Care, care};
use crate::io::{MappedFile, compression};

/// Reads keys and vectors; the columns are found by name and type.
pub(super) fn read(file: &MappedFile, care: Care) -> Result<Embeddings> {
    file.advise_sequential();
    let path = file.path();
    // The library checks most that it reads, but a damaged file can still make it panic; that is an error like others.
    let read = catch_unwind(AssertUnwindSafe(|| read_columns(path, file.clone(), care)));
    read.unwrap_or_else(|_| Err(fault(path, "the file is damaged in a way that its library does not expect".into())))
}

fn fault(path: &Path, reason: String) -> Error {
    Error::byte(path, 0, format!("{reason}; write it anew"))
}

/// A column that is read.
struct Source<'a> {
    leaf: usize,
    column: &'a ColumnDescriptor,
}

impl Source<'_> {
    fn name(&self) -> &str {
        self.column.path().parts().first().map_or("", String::as_str)
    }

    fn is_flat(&self) -> bool {
        self.column.max_rep_level() == 0 && self.column.path().parts().len() == 1
    }

    fn is_vector(&self) -> bool {
        let is_half = || self.column.logical_type_ref() == Some(&LogicalType::Float16);
        let is_float = match self.column.physical_type() {
            Physical::FLOAT | Physical::DOUBLE => true,
            Physical::FIXED_LEN_BYTE_ARRAY => is_half(),
            _ => false,
        };
        self.column.max_rep_level() == 1 && is_float
    }
}

fn read_columns(path: &Path, file: MappedFile, care: Care) -> Result<Embeddings> {
    let bytes = bytes::Bytes::from_owner(file);
    let library = |error: ParquetError| fault(path, format!("the file is no whole Parquet file ({error})"));
    let reader = SerializedFileReader::new(bytes.clone()).map_err(library)?;
    let metadata = reader.metadata().file_metadata();
    let schema = metadata.schema_descr_ptr();
    let sources: Vec<Source> =
        schema.columns().iter().enumerate().map(|(leaf, column)| Source { leaf, column }).collect();

    let names = || sources.iter().map(Source::name).collect::<Vec<_>>().join(", ");
    let flat: Vec<&Source> = sources.iter().filter(|source| source.is_flat()).collect();
    let columns = Columns::named(&flat.iter().map(|source| source.name()).collect::<Vec<_>>());
    let vectors: Vec<&Source> = sources.iter().filter(|source| source.is_vector()).collect();
    let named = Columns::named(&vectors.iter().map(|source| source.name()).collect::<Vec<_>>()).vector;
    let vector = named.map(|at| vectors[at]).or(if let [one] = vectors[..] { Some(one) } else { None });
    let is_text = |source: &&&Source| source.column.physical_type() == Physical::BYTE_ARRAY;
    let key = columns.key.map(|at| flat[at]).or_else(|| flat.iter().find(is_text).copied());
    let (Some(vector), Some(key)) = (vector, key) else {
        let expected = "expected word, of text, and vector, of lists of floats";
        return Err(fault(path, format!("found the columns {}; {expected}", names())));
    };
    let beside = |column: Option<usize>| column.map(|at| flat[at]);
    let is_whole = |source: &&Source| matches!(source.column.physical_type(), Physical::INT32 | Physical::INT64);
    let count = beside(columns.count).filter(is_whole);
    let [label, text] = [columns.label, columns.text].map(|column| beside(column).filter(|source| is_text(&source)));

    let entries = metadata.key_value_metadata();
    let entry = |name: &str| entries?.iter().find(|entry| entry.key == name)?.value.as_deref();
    let dim = entry(DIM).and_then(|dim| dim.parse().ok()).filter(|dim| (1..=1 << 20).contains(dim));
    let mut rows = Rows::new(path, care, dim, true);
    rows.has_counts = count.is_some();
    rows.numbers = match vector.column.physical_type() {
        Physical::FLOAT => "f32",
        Physical::DOUBLE => "f64",
        _ => "f16",
    };
    let used = [Some(vector), Some(key), count, label, text];
    let is_used = |source: &&Source| used.iter().flatten().any(|used| used.leaf == source.leaf);
    let out: Vec<_> = sources.iter().filter(|source| !is_used(source)).map(Source::name).take(8).collect();
    if !out.is_empty() {
        rows.warnings.push(format!("columns were left out: {}", out.join(", ")));
    }
    if vector.column.physical_type() == Physical::DOUBLE {
        rows.warnings.push("64-bit numbers were rounded to 32 bits".into());
    }
    let leaves = used.map(|source| source.map(|source| source.leaf));
    let mut room = compression::unpacked_room(bytes.len() as u64);
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).map_err(library)?;
        let read = check_pages(&*group, &leaves, &bytes, &mut room);
        read.and_then(|()| read_group(&*group, &leaves, &mut rows, bytes.len())).map_err(|error| match error {
            Fault::Library(error) => library(error),
            Fault::Row(error) => error,
            Fault::Large => fault(path, compression::packed_too_well(bytes.len() as u64)),
        })?;
    }
    let none = || fault(path, "the file has no rows, and nothing tells how long its vectors are".into());
    let mut embeddings = rows.finish()?.ok_or_else(none)?;
    for entry in entries.into_iter().flatten() {
        if let Some((name, value)) = entry.key.strip_prefix(OWN).zip(entry.value.clone()) {
            embeddings.metadata.insert(name.into(), value);
        }
    }
    Ok(embeddings)
}

enum Fault {
    Library(ParquetError),
    Row(Error),
    Large,
}

impl From<ParquetError> for Fault {
    fn from(error: ParquetError) -> Self {
        Self::Library(error)
    }
}

/// Refuses pages that would take more than what is left of the room of all, before one is unpacked.
fn check_pages(
    group: &dyn RowGroupReader,
    leaves: &[Option<usize>; 5],
    file: &[u8],
    room: &mut u64,
) -> Result<(), Fault> {
    for &leaf in leaves.iter().flatten() {
        let column = group.metadata().column(leaf);
        let (start, length) = column.byte_range();
        let range = start as usize..start.saturating_add(length) as usize;
        let ends = || ParquetError::General(format!("the column {} lies beyond its end", column.column_path()));
        let unpacked = pages::unpacked(file.get(range).ok_or_else(ends)?, column.compression(), column.column_type());
        *room = room.checked_sub(unpacked.map_err(ParquetError::General)?).ok_or(Fault::Large)?;
    }
    Ok(())
}

/// A value of a column that holds one for each row.
type Value = Option<Vec<u8>>;

/// Reads a group of rows; the columns are vector, key, count, label and text.
fn read_group(
    group: &dyn RowGroupReader,
    leaves: &[Option<usize>; 5],
    rows: &mut Rows,
    size: usize,
) -> Result<(), Fault> {
    let at = group.metadata().column(0).byte_range().0;
    let mut readers = Vec::new();
    for &leaf in leaves {
        let open = |leaf: usize| {
            let column = group.metadata().column(leaf);
            let pages = pages::Checked::new(group.get_column_page_reader(leaf)?, column);
            let reader = get_column_reader(column.column_descr_ptr(), Box::new(pages));
            Ok::<_, ParquetError>((reader, if pages::has_prefixes(column) { 1 } else { BATCH }))
        };
        readers.push(leaf.map(open).transpose()?);
    }
    let [Some((vectors, _)), flat @ ..] = readers.as_mut_slice() else { return Ok(()) };
    let column = leaves[0].map(|leaf| group.metadata().schema_descr().column(leaf));
    let there = column.map_or(0, |column| column.max_def_level());
    let (all, mut done) = (usize::try_from(group.metadata().num_rows()).unwrap_or(0), 0);
    loop {
        let lists = lists(vectors, there)?;
        let count = lists.len();
        if count == 0 && done < all {
            let reason = format!("the vectors end after {done} of {all} rows of a group");
            return Err(ParquetError::General(reason).into());
        }
        if count == 0 {
            return Ok(());
        }
        done += count;
        // Texts that are a dictionary are packed once more.
        let room = usize::try_from(compression::unpacked_room(size as u64)).unwrap_or(usize::MAX);
        let room = room.checked_sub(rows.held()).ok_or(Fault::Large)?;
        let mut values: Vec<Vec<Value>> = Vec::new();
        for reader in flat.iter_mut() {
            let found =
                reader.as_mut().map_or(Ok(Vec::new()), |(reader, most)| flat_values(reader, count, *most, room))?;
            if reader.is_some() && found.len() != count {
                let reason = format!("a column ends after {} of {count} rows of a group", found.len());
                return Err(ParquetError::General(reason).into());
            }
            values.push(found);
        }
        for (row, list) in lists.into_iter().enumerate() {
            let value = |column: usize| values[column].get(row).and_then(Option::as_deref);
            let added = rows.add(at, |vector| {
                vector.extend(list.ok_or_else(|| (care::FIELDS, "a number of the vector is missing".to_owned()))?);
                let key = value(0).ok_or_else(|| (care::FIELDS, "the key is missing".to_owned()))?;
                let count = value(1).map(|count| std::str::from_utf8(count).ok().and_then(|count| count.parse().ok()));
                let count = count.map(|count| count.ok_or_else(|| (care::FIELDS, "the count is negative".to_owned())));
                Ok(Row { key, count: count.transpose()?, label: value(2), text: value(3) })
            });
            added.map_err(Fault::Row)?;
        }
    }
}

/// The next lists of a column; `None` for one that lacks a number, or itself.
fn lists(reader: &mut ColumnReader, there: i16) -> Result<Vec<Option<Vec<f32>>>, ParquetError> {
    let (mut levels, mut begins) = (Vec::new(), Vec::new());
    let values: Vec<f32> = match reader {
        ColumnReader::FloatColumnReader(reader) => next(reader, &mut levels, &mut begins)?,
        ColumnReader::DoubleColumnReader(reader) => {
            next(reader, &mut levels, &mut begins)?.into_iter().map(|wide| wide as f32).collect()
        }
        ColumnReader::FixedLenByteArrayColumnReader(reader) => next(reader, &mut levels, &mut begins)?
            .iter()
            .map(|two| two.data().first_chunk().map_or(f32::NAN, |&two| half::f16::from_le_bytes(two).to_f32()))
            .collect(),
        _ => return Err(ParquetError::General("vectors of another type".into())),
    };
    let mut values = values.into_iter();
    let mut lists: Vec<Option<Vec<f32>>> = Vec::new();
    for (level, begin) in levels.into_iter().zip(begins) {
        if begin == 0 {
            lists.push(Some(Vec::new()));
        }
        let number = if level == there { values.next() } else { None };
        if let Some(list) = lists.last_mut() {
            match (number, &mut *list) {
                (Some(number), Some(list)) => list.push(number),
                _ => *list = None,
            }
        }
    }
    Ok(lists)
}

/// The next values of a column that has one for each row, as text.
fn flat_values(reader: &mut ColumnReader, count: usize, most: usize, room: usize) -> Result<Vec<Value>, Fault> {
    match reader {
        ColumnReader::ByteArrayColumnReader(reader) => flat(reader, count, most, room, |value| value.data().to_vec()),
        ColumnReader::Int32ColumnReader(reader) => {
            flat(reader, count, most, room, |value| value.to_string().into_bytes())
        }
        ColumnReader::Int64ColumnReader(reader) => {
            flat(reader, count, most, room, |value| value.to_string().into_bytes())
        }
        _ => Err(ParquetError::General("keys of another type, expected text or whole numbers".into()).into()),
    }
}

/// A value of a dictionary may stand in every row, and is copied for each: together they may take `room` bytes. So may
/// those that begin like the one before, which the library spells out; hence no call asks it for more than `most`.
fn flat<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    count: usize,
    most: usize,
    mut room: usize,
    text: impl Fn(&T::T) -> Vec<u8>,
) -> Result<Vec<Value>, Fault> {
    let (mut found, mut levels, mut all) = (Vec::new(), Vec::new(), Vec::new());
    let mut copy = |value: &T::T| {
        let text = text(value);
        room = room.checked_sub(text.len()).ok_or(Fault::Large)?;
        Ok::<_, Fault>(text)
    };
    // One call may end with a page.
    while all.len() < count {
        found.clear();
        levels.clear();
        let next = most.min(count - all.len());
        let (records, values, _) = reader.read_records(next, Some(&mut levels), None, &mut found)?;
        if records == 0 {
            break;
        }
        let mut found = found.iter();
        for row in 0..records {
            let is_there = values == records || levels.get(row).is_some_and(|&level| level > 0);
            all.push(if is_there { found.next().map(&mut copy).transpose()? } else { None });
        }
    }
    Ok(all)
}

/// The next numbers of lists, with their levels.
fn next<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    levels: &mut Vec<i16>,
    begins: &mut Vec<i16>,
) -> Result<Vec<T::T>, ParquetError> {
    let mut values = Vec::new();
    reader.read_records(BATCH, Some(levels), Some(begins), &mut values)?;
    Ok(values)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::basic::Encoding;
    use parquet::data_type::{ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType};
    use parquet::file::properties::{EnabledStatistics, WriterProperties};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use parquet::schema::types::ColumnPath;

    use super::*;
    use crate::format::checks::tests::fault;
    use crate::format::parquet::Parquet;

    /// What pyarrow wrote, with one byte of the header of its first page, a dictionary of words, changed.
    fn with(at: usize, byte: u8) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pyarrow.parquet");
        let mut bytes = std::fs::read(path).expect("the file");
        bytes[at] = byte;
        fault(&Parquet, &bytes)
    }

    /// Rows of a key and a vector of one f16, with the values of that column told by how they differ from those before.
    fn with_prefixes(column: &[&str], keys: &[&str]) -> Vec<u8> {
        let schema = "message schema { REQUIRED BYTE_ARRAY word (STRING); REQUIRED GROUP vector (LIST) { \
                      REPEATED GROUP list { REQUIRED FIXED_LEN_BYTE_ARRAY(2) element (FLOAT16); } } }";
        let column = ColumnPath::new(column.iter().map(|&part| part.into()).collect());
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_column_encoding(column, Encoding::DELTA_BYTE_ARRAY)
            .build();
        let write = || -> Result<Vec<u8>, ParquetError> {
            let schema = Arc::new(parse_message_type(schema)?);
            let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
            let mut group = writer.next_row_group()?;
            let mut column = group.next_column()?.expect("keys");
            let keys: Vec<_> = keys.iter().map(|&key| ByteArray::from(key)).collect();
            column.typed::<ByteArrayType>().write_batch(&keys, None, None)?;
            column.close()?;
            let mut column = group.next_column()?.expect("vectors");
            let numbers = vec![FixedLenByteArray::from(vec![0, 0x3c]); keys.len()];
            let (there, begins) = (vec![1; keys.len()], vec![0; keys.len()]);
            column.typed::<FixedLenByteArrayType>().write_batch(&numbers, Some(&there), Some(&begins))?;
            column.close()?;
            group.close()?;
            writer.into_inner()
        };
        write().expect("memory")
    }

    #[test]
    fn texts_that_begin_like_the_ones_before_are_read_and_vectors_are_not() -> Result<()> {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), with_prefixes(&["word"], &["king", "kings", "queen"])).expect("written");
        let read = crate::format::read(file.path())?;
        assert_eq!(read.keys().iter().collect::<Vec<_>>(), ["king", "kings", "queen"]);
        assert_eq!(read.row("kings"), Some(&[1.0][..]));
        // The type of the keys, and a list of how they are told, in the footer: it keeps silent about one.
        let mut silent = with_prefixes(&["word"], &["king", "kings"]);
        let listed = [0x15, 0x0c, 0x19];
        let at = silent.windows(listed.len()).rposition(|window| window == listed).expect("a column") + listed.len();
        let told = silent[at..at + 4].iter().position(|&encoding| encoding == 0x0e).expect("a kind of texts");
        silent[at + told] = 0x06;
        for bytes in [silent, with_prefixes(&["vector", "list", "element"], &["king", "kings"])] {
            let found = fault(&Parquet, &bytes);
            assert!(found.contains("values begin like the ones before"), "{found}");
        }
        Ok(())
    }

    #[test]
    fn texts_that_begin_like_the_ones_before_are_measured_one_by_one() {
        let mut bytes = with_prefixes(&["word"], &[&*"a".repeat(400); 5]);
        // The last one takes a byte more from the one before than that has, which is found only if it is asked for.
        let differences = [0x80, 1, 4, 5, 0, 0, 9, 0, 0, 0, 0x90, 1, 0, 0];
        let at = bytes.windows(differences.len()).position(|window| window == differences).expect("lengths");
        bytes[at + differences.len() - 1] = 1 << 3;
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).expect("a file");
        let group = reader.get_row_group(0).expect("a group");
        let read = |size: usize| {
            let mut rows = Rows::new(Path::new("a"), Care::Strict, None, true);
            read_group(&*group, &[Some(1), Some(0), None, None, None], &mut rows, size)
        };
        assert!(matches!(read(1), Err(Fault::Large)));
        assert!(matches!(read(2), Err(Fault::Library(_))));
    }

    #[test]
    fn pages_are_checked_before_they_are_unpacked() {
        // Lengths stand there twice, since their lowest bit is their sign.
        let (unpacked, packed, values) = (7, 9, 13);
        for (found, message) in [
            (with(unpacked, 0x7a), "read"),
            (with(unpacked, 0x7e), "a page of 61 bytes, expected 63"),
            (with(values, 0x7e), "a dictionary of 63 values in 61 bytes"),
            (with(values, 0x7d), "a page of the size -63"),
            (with(packed, 0xff), "a page of"),
        ] {
            assert!(found.contains(message), "{found} holds {message}");
        }
    }
}
