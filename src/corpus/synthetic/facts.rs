//! Facts and word lists as plain text: what the planted corpora know.
//!
//! A table has a header and one record a line, fields separated by `|`, alternatives within a field by commas; `-` is an
//! empty field. A list is `name: word, word`. Lines that start with `#` are comments.

/// Records with named fields.
#[derive(Debug, Clone)]
pub(super) struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<Vec<String>>>,
}

impl Table {
    /// Reads a table; the first line that is no comment names the columns.
    pub(super) fn parse(text: &str) -> Self {
        let mut lines = content(text).map(|line| line.split('|').map(str::trim));
        let columns = lines.next().map(|header| header.map(str::to_owned).collect()).unwrap_or_default();
        Self { columns, rows: lines.map(|fields| fields.map(alternatives).collect()).collect() }
    }

    /// The number of records.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The alternatives in a field; `None` if there is no such column.
    pub(super) fn field(&self, row: usize, column: &str) -> Option<&[String]> {
        let position = self.columns.iter().position(|name| name == column)?;
        self.rows.get(row)?.get(position).map(Vec::as_slice)
    }

    /// Does every record have a field for every column?
    #[cfg(test)]
    pub(super) fn is_even(&self) -> bool {
        self.rows.iter().all(|row| row.len() == self.columns.len())
    }

    /// The only or first word in a field.
    pub(super) fn word(&self, row: usize, column: &str) -> Option<&str> {
        self.field(row, column)?.first().map(String::as_str)
    }
}

/// Named lists of words.
#[derive(Debug, Clone, Default)]
pub(super) struct Lists(Vec<(String, Vec<String>)>);

impl Lists {
    /// Reads `name: word, word` lines.
    pub(super) fn parse(text: &str) -> Self {
        let pairs = content(text).filter_map(|line| line.split_once(':'));
        Self(pairs.map(|(name, words)| (name.trim().to_owned(), alternatives(words))).collect())
    }

    /// The words under that name.
    pub(super) fn get(&self, name: &str) -> Option<&[String]> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, words)| words.as_slice())
    }

    /// All words, list after list.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|(_, words)| words.iter().map(String::as_str))
    }
}

/// The lines that are neither empty nor comments.
pub(super) fn content(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn alternatives(field: &str) -> Vec<String> {
    field.split(',').map(str::trim).filter(|word| !word.is_empty() && *word != "-").map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_knows_its_alternatives_and_its_gaps() {
        let table = Table::parse("# comment\nanimal | sound | feed\ndeer | - | bark, buds\n");
        assert_eq!(table.len(), 1);
        assert_eq!(table.word(0, "animal"), Some("deer"));
        assert_eq!(table.field(0, "sound"), Some(&[][..]));
        assert_eq!(table.field(0, "feed").map(<[String]>::len), Some(2));
        assert!(table.field(0, "colour").is_none());
    }

    #[test]
    fn a_list_is_found_by_name() {
        let lists = Lists::parse("day: Monday, Friday\n");
        assert_eq!(lists.get("day").map(<[String]>::len), Some(2));
        assert!(lists.get("night").is_none());
    }
}
