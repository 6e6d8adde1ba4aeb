//! Tables of ratings and of titles: what is apart by what, and which column is which.

use std::borrow::Cow;
use std::path::Path;

use super::{InteractionFormat, InteractionOptions};
use crate::corpus::Corpus;
use crate::error::{Error, Result};
use crate::vocabulary::Keys;

/// Names of columns, in lower case and without anything but letters.
const USERS: &[&str] =
    &["user", "userid", "users", "uid", "customer", "customerid", "reviewer", "reviewerid", "visitorid"];
const ITEMS: &[&str] = &[
    "item",
    "itemid",
    "items",
    "iid",
    "movie",
    "movieid",
    "product",
    "productid",
    "book",
    "bookid",
    "isbn",
    "asin",
    "song",
    "songid",
    "track",
    "trackid",
    "artist",
    "artistid",
    "article",
    "articleid",
];
const RATINGS: &[&str] = &["rating", "ratings", "score", "stars", "bookrating", "overall"];
const TITLES: &[&str] = &["title", "name", "itemname", "movietitle", "producttitle", "booktitle"];

/// What is in a line.
#[derive(Debug)]
pub(super) enum Layout {
    Table(Table),
    Histories { have_ids: bool },
}

/// Where a table has its columns, from 0.
#[derive(Debug)]
pub(super) struct Table {
    delimiter: &'static str,
    header: Option<String>,
    user: usize,
    item: usize,
    rating: Option<usize>,
}

impl Layout {
    /// Tells by the first line that is not empty.
    pub fn detect(options: &InteractionOptions, path: &Path, number: u64, line: &str) -> Result<Self> {
        let InteractionOptions { format, user_field, item_field, rating_field } = options;
        let delimiter = delimiter(line);
        let fields = split(line, delimiter);
        let is_asked = [user_field, item_field, rating_field].iter().any(|field| field.is_some());
        let are_numbers = fields.iter().all(|field| field.trim().parse::<f64>().is_ok());
        let is_movielens = (3..=4).contains(&fields.len()) && are_numbers && ["\t", "::"].contains(&delimiter);
        let is_named = named(&fields, USERS).is_some() && named(&fields, ITEMS).is_some();
        let is_table = match format {
            InteractionFormat::Histories if is_asked => {
                return Err(Error::config("--user-field", "histories have no columns; leave out --format histories"));
            }
            InteractionFormat::Histories => false,
            InteractionFormat::Ratings => true,
            InteractionFormat::Auto => is_asked || is_named || is_movielens,
        };
        if !is_table {
            return Ok(Self::Histories { have_ids: line.contains('\t') });
        }
        let known = |fields: &[Cow<'_, str>]| fields.iter().map(|field| field.trim()).collect::<Vec<_>>().join(", ");
        let find = |field: &Option<String>, option: &str, names: &[&str], unnamed: usize| match field.as_deref() {
            Some(field) => match (field.parse::<usize>(), fields.iter().position(|name| name.trim() == field)) {
                (_, Some(at)) => Ok(Some((at, true))),
                (Ok(column), None) if column > 0 => Ok(Some((column - 1, false))),
                _ => {
                    let reason = format!("no column {field:?} ({option}); the columns are {}", known(&fields));
                    Err(Error::line(path, number, reason))
                }
            },
            None if is_movielens && !is_asked => Ok(Some((unnamed, false))),
            None => Ok(named(&fields, names).map(|at| (at, true))),
        };
        let missing = |what: &str, option: &str| {
            let reason = format!(
                "none of the columns {} is named as a column of {what} would be; say which it is: {option}",
                known(&fields)
            );
            Error::line(path, number, reason)
        };
        let user = find(user_field, "--user-field", USERS, 0)?.ok_or_else(|| missing("users", "--user-field"))?;
        let item = find(item_field, "--item-field", ITEMS, 1)?.ok_or_else(|| missing("items", "--item-field"))?;
        let rating = find(rating_field, "--rating-field", RATINGS, 2)?;
        // A field that is asked for by number may have a name above it all the same.
        let is_text = |at: usize| fields.get(at).is_some_and(|field| field.trim().parse::<f64>().is_err());
        let is_header = user.1 || item.1 || rating.is_some_and(|(at, is_named)| is_named || is_text(at));
        let table = Table {
            delimiter,
            header: is_header.then(|| line.to_owned()),
            user: user.0,
            item: item.0,
            rating: rating.map(|(at, _)| at),
        };
        Ok(Self::Table(table))
    }
}

impl Table {
    /// Is this the header, of the first file or of another?
    pub fn is_header(&self, number: u64, line: &str) -> bool {
        // Empty lines may come before.
        number < 10 && self.header.as_deref() == Some(line)
    }

    pub fn has_ratings(&self) -> bool {
        self.rating.is_some()
    }

    /// User, item and rating of a line.
    pub fn row<'a>(&self, path: &Path, number: u64, line: &'a str) -> Result<(Cow<'a, str>, Cow<'a, str>, f32)> {
        let mut fields = split(line, self.delimiter);
        let needed = self.user.max(self.item).max(self.rating.unwrap_or(0)) + 1;
        if fields.len() < needed {
            let found = fields.len();
            let reason = format!("found {found} columns, expected at least {needed}; mend the line or leave it out");
            return Err(Error::line(path, number, reason));
        }
        let rating = match self.rating {
            None => 1.0,
            Some(at) => {
                let text = fields[at].trim();
                text.parse().ok().filter(|rating: &f32| rating.is_finite()).ok_or_else(|| {
                    let reason =
                        format!("found {text:?} as the rating, expected a number; mend the line or leave it out");
                    Error::line(path, number, reason)
                })?
            }
        };
        let mut take = |at: usize, what: &str| match trimmed(std::mem::take(&mut fields[at])) {
            name if name.is_empty() => {
                Err(Error::line(path, number, format!("the {what} is empty; mend the line or leave it out")))
            }
            name => Ok(name),
        };
        Ok((take(self.user, "user")?, take(self.item, "item")?, rating))
    }
}

/// Reads the title of each item; `None` for those without. The file is a table with a header that names a column for the
/// item and one for the title, or with the two as its first columns.
///
/// # Errors
/// If no item has a title.
pub fn titles(corpus: &Corpus, items: &Keys) -> Result<Vec<Option<String>>> {
    let mut titles = vec![None; items.len()];
    let mut layout: Option<(&str, usize, usize)> = None;
    corpus.lines(|path, number, line| {
        if line.trim().is_empty() {
            return Ok(());
        }
        let (delimiter, item, title) = *layout.get_or_insert_with(|| {
            let delimiter = delimiter(line);
            let fields = split(line, delimiter);
            let item = named(&fields, ITEMS).or_else(|| named(&fields, &["id"])).unwrap_or(0);
            let title = named(&fields, TITLES).unwrap_or(usize::from(item == 0));
            (delimiter, item, title)
        });
        let fields = split(line, delimiter);
        let (Some(item), Some(title)) = (fields.get(item), fields.get(title)) else {
            let reason = format!("found {} columns, expected at least {}", fields.len(), item.max(title) + 1);
            return Err(Error::line(path, number, reason));
        };
        if let Some(item) = items.find(item.trim()) {
            titles[item] = Some(title.trim().replace('\t', " ")).filter(|title| !title.is_empty());
        }
        Ok(())
    })?;
    if titles.iter().all(Option::is_none) {
        let (first, name) = (items.iter().next().unwrap_or_default(), corpus.name());
        let reason =
            format!("{name}: no title for any of the {} items, such as {first:?}; is it their file?", items.len());
        return Err(Error::data(reason));
    }
    Ok(titles)
}

/// What parts the fields of a line: the first of these that is in it.
fn delimiter(line: &str) -> &'static str {
    ["::", "\t", ",", "|", ";"].into_iter().find(|delimiter| line.contains(delimiter)).unwrap_or(",")
}

/// The fields of a line; apart by commas or semicolons they may be quoted.
pub(super) fn split<'a>(line: &'a str, delimiter: &str) -> Vec<Cow<'a, str>> {
    if matches!(delimiter, "," | ";") && line.contains('"') {
        let byte = delimiter.as_bytes()[0];
        let reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(byte).from_reader(line.as_bytes());
        // A line of text is text, and memory can be read: no record fails.
        let record = reader.into_records().next().and_then(std::result::Result::ok).unwrap_or_default();
        return record.iter().map(|field| Cow::Owned(field.to_owned())).collect();
    }
    line.split(delimiter).map(Cow::Borrowed).collect()
}

fn trimmed(field: Cow<'_, str>) -> Cow<'_, str> {
    match field {
        Cow::Borrowed(field) => Cow::Borrowed(field.trim()),
        Cow::Owned(field) => Cow::Owned(field.trim().to_owned()),
    }
}

/// The first column with one of these names.
fn named(fields: &[Cow<'_, str>], names: &[&str]) -> Option<usize> {
    let plain =
        |field: &str| field.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    fields.iter().position(|field| names.contains(&plain(field).as_str()))
}
