//! JSON, an object on each line, as vector databases take it (Qdrant, Chroma, Weaviate and others).
//!
//! `{"id":0,"text":"king","vector":[0.1,…],"metadata":{"count":5}}`: `id` counts the rows from 0, `text` is the key. Of
//! documents with first words, `text` is these, and `metadata` has the `key`; it has the `label` where there are labels.
//! Of other programs' files, fields are found by name, in the object itself or in its `metadata` (or `payload`); an `id`
//! that is text and stands beside a `text` is the key of a document, whose text this is.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::rows::{self, Columns, Row, Rows};
use super::{Candidate, Care, Dtype, Format, care, checks, numbers, text};
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::io::AtomicFile;

/// JSON lines.
pub struct Jsonl;

impl Format for Jsonl {
    fn name(&self) -> &'static str {
        "jsonl"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["ndjson"]
    }

    fn about(&self) -> &'static str {
        "a JSON object per line (id, text, vector, metadata), for vector databases"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["jsonl", "ndjson"]
    }

    fn cannot_hold(&self) -> &'static str {
        "metadata of the whole, vectors of n-grams, no keys at all"
    }

    fn losses(&self, embeddings: &Embeddings) -> Vec<String> {
        checks::dropped(embeddings, rows::KEEPS)
    }

    fn write_as(&self, embeddings: &Embeddings, path: &Path, dtype: Dtype) -> Result<()> {
        numbers::writable(self, embeddings, dtype)?;
        if embeddings.is_empty() {
            return Err(Error::Unsupported {
                format: self.name().into(),
                feature: "no keys at all, since nothing would tell the dimension; write csv instead".into(),
            });
        }
        let json = |text: &str| serde_json::to_string(text).expect("text is JSON");
        let before = |row: usize, line: &mut Vec<u8>| {
            let text = embeddings.texts().map_or_else(|| embeddings.keys().get(row), |texts| texts.get(row));
            line.extend_from_slice(format!("{{\"id\":{row},\"text\":{},\"vector\":[", json(text)).as_bytes());
        };
        let after = |row: usize, line: &mut Vec<u8>| {
            let key = embeddings.texts().map(|_| format!("\"key\":{}", json(embeddings.keys().get(row))));
            let label = embeddings.labels().map(|labels| format!("\"label\":{}", json(labels.get(row))));
            let count = embeddings.counts().map(|counts| format!("\"count\":{}", counts[row]));
            let metadata: Vec<_> = [key, label, count].into_iter().flatten().collect();
            line.push(b']');
            if !metadata.is_empty() {
                line.extend_from_slice(format!(",\"metadata\":{{{}}}", metadata.join(",")).as_bytes());
            }
            line.push(b'}');
        };
        let mut file = AtomicFile::create(path)?;
        text::write_lines(&mut file, embeddings.vectors(), b',', before, after)?;
        file.commit()
    }

    fn read_as(&self, candidate: &Candidate, care: Care) -> Result<Embeddings> {
        let file = candidate.file()?;
        file.advise_sequential();
        let path = file.path();
        let mut rows = Rows::new(path, care, None, false);
        let mut strange = BTreeMap::new();
        let bytes = file.bytes().strip_prefix(text::BOM).unwrap_or(file.bytes());
        for (number, line) in (1..).zip(text::split(bytes)) {
            if text::trimmed(line).is_empty() {
                continue;
            }
            let mut object = Object::default();
            rows.add(number, |vectors| {
                object.read(line, vectors).map_err(|reason| (care::MALFORMED, reason))?;
                object.row().ok_or_else(|| (care::MALFORMED, "no key; expected a field \"text\" or \"word\"".into()))
            })?;
            object.others.into_iter().for_each(|name| *strange.entry(name).or_insert(0u64) += 1);
            // Names may be without end; the first tell enough.
            while strange.len() > 8 {
                strange.pop_last();
            }
        }
        let none =
            || Error::byte(path, 0, "no row tells a vector, expected {\"text\": KEY, \"vector\": [NUMBERS]} lines");
        let mut embeddings = rows.finish()?.ok_or_else(none)?;
        if !strange.is_empty() {
            let names: Vec<_> = strange.into_keys().collect();
            embeddings.warnings.push(format!("fields were left out: {}", names.join(", ")));
        }
        Ok(embeddings)
    }

    fn recognizes(&self, candidate: &Candidate) -> bool {
        let Some(bytes) = candidate.bytes() else { return false };
        let bytes = bytes.strip_prefix(text::BOM).unwrap_or(bytes).trim_ascii_start();
        let mut object = Object::default();
        let (line, mut numbers) = (text::line_at(bytes, 0), Vec::new());
        let Some(inside) = line.strip_prefix(b"{").map(<[u8]>::trim_ascii_start) else { return false };
        // A line that is cut or damaged is told by how it begins: other text may begin with a brace as well.
        matches!(inside.first(), Some(b'"' | b'}')) && (object.read(line, &mut numbers).is_err() || !numbers.is_empty())
    }
}

/// A line.
#[derive(Default)]
struct Object<'a> {
    /// Fields of text and numbers: names and values.
    names: Vec<Cow<'a, str>>,
    values: Vec<Scalar<'a>>,
    /// Fields that are none of ours.
    others: Vec<String>,
    columns: Columns,
    count: Option<u64>,
}

impl<'a> Object<'a> {
    /// Reads an object, appending the numbers of its vector.
    fn read(&mut self, line: &'a [u8], vectors: &mut Vec<f32>) -> Result<(), String> {
        let mut json = serde_json::Deserializer::from_slice(text::trimmed(line));
        Fields { object: self, vectors, is_inner: false }.deserialize(&mut json).and_then(|()| json.end()).map_err(
            |error| format!("{error}; expected a JSON object with a vector; it begins {}", checks::excerpt(line)),
        )?;
        self.columns = Columns::named(&self.names);
        // An id that is a number may count the rows, one that is text is the name of a document.
        let id = self.names.iter().position(|name| name == "id");
        let name = id.filter(|&id| self.values[id].is_text);
        if name.is_some() && self.columns.key.is_some_and(|key| self.names[key].eq_ignore_ascii_case("text")) {
            (self.columns.key, self.columns.text) = (name, self.columns.key);
        }
        if let Some(column) = self.columns.count {
            let count = &self.values[column].text;
            let fault = || format!("found the count {count:?}, expected a whole number");
            self.count = Some(count.parse().map_err(|_| fault())?);
        }
        let is_other = |&at: &usize| !self.columns.has(at) && (Some(at) != id || name.is_some());
        let others = (0..self.names.len()).filter(is_other).map(|at| self.names[at].clone().into_owned());
        self.others.extend(others);
        Ok(())
    }

    fn row(&self) -> Option<Row<'_>> {
        let text = |column: Option<usize>| column.map(|column| self.values[column].text.as_bytes());
        let Columns { key, label, text: beside, .. } = self.columns;
        Some(Row { key: text(key)?, count: self.count, label: text(label), text: text(beside) })
    }
}

/// Reads the fields of an object, or of the one within it.
struct Fields<'o, 'a> {
    object: &'o mut Object<'a>,
    vectors: &'o mut Vec<f32>,
    is_inner: bool,
}

impl<'a> DeserializeSeed<'a> for Fields<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        // The inner object may be null, as databases export it.
        if self.is_inner { json.deserialize_option(self) } else { json.deserialize_map(self) }
    }
}

impl<'a> Visitor<'a> for Fields<'_, 'a> {
    type Value = ();

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { object, vectors, is_inner } = self;
        let mut has_vector = false;
        while let Some(name) = map.next_key_seed(Text)? {
            let name = name.expect("names of fields are text").text;
            if !is_inner && !has_vector && Columns::named(&[&name]).vector.is_some() {
                map.next_value_seed(Numbers(vectors))?;
                has_vector = true;
            } else if !is_inner && matches!(name.as_ref(), "metadata" | "payload") {
                map.next_value_seed(Fields { object, vectors, is_inner: true })?;
            } else if let Some(value) = map.next_value_seed(Text)? {
                object.names.push(name);
                object.values.push(value);
            } else {
                object.others.push(name.into_owned());
            }
        }
        if !is_inner && !has_vector {
            return Err(A::Error::custom("no field \"vector\""));
        }
        Ok(())
    }
}

/// Text, or a number as text.
struct Scalar<'a> {
    text: Cow<'a, str>,
    is_text: bool,
}

impl<'a> Scalar<'a> {
    fn text(text: impl Into<Cow<'a, str>>) -> Option<Self> {
        Some(Self { text: text.into(), is_text: true })
    }

    fn number(number: impl ToString) -> Option<Self> {
        Some(Self { text: number.to_string().into(), is_text: false })
    }
}

/// Reads text or a number; `None` for anything else, which is skipped.
struct Text;

impl<'a> DeserializeSeed<'a> for Text {
    type Value = Option<Scalar<'a>>;

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Text {
    type Value = Option<Scalar<'a>>;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("text or a number")
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Self::Value, E> {
        Ok(Scalar::text(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::text(text.to_owned()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Scalar::number(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Scalar::number(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Scalar::number(number))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

/// Appends a list of numbers.
struct Numbers<'o>(&'o mut Vec<f32>);

impl<'a> DeserializeSeed<'a> for Numbers<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'a> Visitor<'a> for Numbers<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("a list of numbers")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(number) = list.next_element::<f32>()? {
            self.0.push(number);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::checks::tests::{embeddings, fault, refused, same, scratch};
    use crate::format::{self, detect};
    use crate::vocabulary::Keys;

    #[test]
    fn words_and_documents_come_back() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a");
        let words = embeddings(&["a\"b", "", "日\n本", "\u{feff}"], 2);
        Jsonl.write(&words, &path)?;
        assert_eq!(detect(&path)?.name(), "jsonl");
        same(&words, &format::read(&path)?, true);
        let text = std::fs::read_to_string(&path).expect("text");
        let first = r#"{"id":0,"text":"a\"b","vector":[-0.8333333,-0.5],"metadata":{"count":3}}"#;
        assert_eq!(text.lines().next(), Some(first));
        let strings = |strings: [&str; 2]| strings.into_iter().collect::<Keys>();
        let documents =
            embeddings(&["d1", "d2"], 2).with_labels(strings(["sea", ""]))?.with_texts(strings(["A boat…", ""]))?;
        Jsonl.write(&documents, &path)?;
        let read = Jsonl.read(&path)?;
        same(&documents, &read, true);
        assert_eq!((read.labels(), read.texts()), (documents.labels(), documents.texts()));
        refused(&Jsonl, &[], "no keys at all");
        Ok(())
    }

    #[test]
    fn lines_of_others_are_read() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a");
        for (text, warnings) in [
            ("{\"vector\":[1,2],\"id\":\"a\",\"payload\":null}\n\n{\"vector\":[3.0,4e0],\"id\":\"b\"}", 0),
            ("\u{feff}{\"word\": \"a\", \"embedding\": [1, 2]}\r\n{\"word\": \"b\", \"embedding\": [3, 4]}\r\n", 0),
            (
                "{\"id\":1,\"vector\":[1,2],\"payload\":{\"word\":\"a\",\"x\":[1]}}\n{\"id\":2,\"vector\":[3,4],\"payload\":{\"word\":\"b\",\"y\":null}}",
                1,
            ),
        ] {
            std::fs::write(&path, text).expect("a file");
            let read = format::read(&path)?;
            assert_eq!(read.row("b"), Some(&[3.0, 4.0][..]), "{text}");
            assert_eq!(read.warnings.len(), warnings, "{:?}", read.warnings);
        }
        Ok(())
    }

    #[test]
    fn an_id_that_is_text_names_the_document() -> Result<()> {
        let folder = scratch();
        let path = folder.path().join("a");
        let line = |id: &str, rest: &str| format!("{{\"id\":{id},\"vector\":[1,2],{rest}}}\n");
        let boat = "\"text\":\"A boat\"";
        for (text, key, beside, told) in [
            (line("\"doc-17\"", boat), "doc-17", Some("A boat"), ""),
            (line("\"doc-17\"", &format!("\"payload\":{{{boat}}}")), "doc-17", Some("A boat"), ""),
            (line("17", boat), "A boat", None, ""),
            (line("\"doc-17\"", "\"word\":\"boat\""), "boat", None, "fields were left out: id"),
        ] {
            std::fs::write(&path, &text).expect("a file");
            let read = format::read(&path)?;
            assert_eq!((read.keys().get(0), read.texts().map(|texts| texts.get(0))), (key, beside), "{text}");
            assert_eq!(read.warnings.join("; "), told, "{text}");
        }
        Ok(())
    }

    #[test]
    fn faults_name_the_line_and_lenient_leaves_it_out() -> Result<()> {
        let good = "{\"text\":\"a\",\"vector\":[1,2]}";
        for (line, message) in [
            ("{\"text\":\"b\",\"vector\":[1]}", "line 2: found a vector of 1 numbers, expected 2 as before"),
            ("{\"text\":\"b\",\"vector\":[1,2", "line 2: EOF while parsing a list"),
            ("{\"text\":\"b\",\"vector\":[1,null]}", "line 2: invalid type: null, expected f32"),
            ("{\"text\":\"b\",\"vector\":[1,1e99]}", "line 2: "),
            ("{\"text\":\"b\"}", "line 2: no field \"vector\""),
            ("{\"vector\":[1,2]}", "line 2: no key; expected a field \"text\""),
            ("{\"text\":\"b\",\"vector\":[]}", "line 2: the vector has no numbers"),
            ("{\"text\":\"b\",\"vector\":[1,2]} x", "line 2: trailing characters"),
            ("{\"text\":\"a\",\"vector\":[1,2]}", "line 2: \"a\" stands here and on line 1"),
            ("{\"text\":\"b\",\"vector\":[1,2],\"count\":\"x\"}", "line 2: found the count \"x\""),
        ] {
            let text = format!("{good}\n{line}\n");
            let found = fault(&Jsonl, text.as_bytes());
            assert!(found.contains(message) && found.contains("--lenient"), "{found} holds {message}");
            let folder = scratch();
            let path = folder.path().join("a");
            std::fs::write(&path, text).expect("a file");
            let read = Jsonl.read_as(&Candidate::open(&path)?, Care::Lenient)?;
            assert_eq!((read.len(), read.warnings.len()), (1, 1), "{line} {:?}", read.warnings);
        }
        assert!(fault(&Jsonl, b"").contains("no row tells a vector"));
        Ok(())
    }
}
