//! What users did with items, read from ratings or from histories, and baskets, which are histories without a name.
//!
//! Ratings are a table with a user, an item and perhaps a rating in each line: apart by commas (quoted where needed), tabs,
//! semicolons or `::`, under a header that names the columns, as MovieLens has them. Histories are a user's items in each
//! line, apart by commas, perhaps after the user's id and a tab. Baskets are items in each line, apart by commas or tabs.

mod table;

use std::borrow::Cow;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::corpus::Corpus;
use crate::error::{Error, Result};
use crate::math::SparseMatrix;
use crate::vocabulary::Keys;

use table::{Layout, split};

pub use table::titles;

/// How interactions lie in a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum InteractionFormat {
    /// Ratings if the first line names columns such as userId and movieId, or holds three or four numbers apart by tabs or
    /// ::; else histories
    #[default]
    Auto,
    /// A user, an item and perhaps a rating in each line
    Ratings,
    /// A user's items in each line, apart by commas, perhaps after the user's id and a tab
    Histories,
}

/// How to read interactions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct InteractionOptions {
    /// How the input is laid out
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value = "auto", help_heading = "Ratings"))]
    pub format: InteractionFormat,
    /// The user's column, by name or number from 1 [default: the one named userId or the like]
    #[cfg_attr(feature = "cli", arg(long, value_name = "FIELD", help_heading = "Ratings"))]
    pub user_field: Option<String>,
    /// The item's column, by name or number from 1 [default: the one named itemId, movieId or the like]
    #[cfg_attr(feature = "cli", arg(long, value_name = "FIELD", help_heading = "Ratings"))]
    pub item_field: Option<String>,
    /// The rating's column, by name or number from 1 [default: the one named rating or the like, if there is one]
    #[cfg_attr(feature = "cli", arg(long, value_name = "FIELD", help_heading = "Ratings"))]
    pub rating_field: Option<String>,
}

/// Who had which items, and how each was rated.
#[derive(Debug, Clone)]
pub struct Interactions {
    /// The users, in the order of the input.
    pub users: Keys,
    /// The items, in the order of their names.
    pub items: Keys,
    /// `users x items`: the rating, the higher one of two; one where there are none.
    pub ratings: SparseMatrix,
    /// Did the input have ratings?
    pub has_ratings: bool,
}

impl Interactions {
    /// Reads ratings or histories.
    ///
    /// # Errors
    /// If a line lacks a column or holds a rating that is no number, or there is nothing at all.
    pub fn read(corpus: &Corpus, options: &InteractionOptions) -> Result<Self> {
        let mut layout = None;
        let mut found = Pairs::default();
        corpus.lines(|path, number, line| {
            if line.trim().is_empty() {
                return Ok(());
            }
            let is_first = layout.is_none();
            if is_first {
                layout = Some(Layout::detect(options, path, number, line)?);
            }
            match layout.as_ref().expect("detected above") {
                Layout::Histories { have_ids } => {
                    let (user, items) = match line.split_once('\t') {
                        Some((user, items)) if *have_ids => (Cow::Borrowed(user.trim()), items),
                        None if !have_ids => (Cow::Owned((found.users.len() + 1).to_string()), line),
                        _ => {
                            let reason = "found a user's id and a tab in some lines and not in others; give all lines an id, \
                                          or none";
                            return Err(Error::line(path, number, reason));
                        }
                    };
                    let user = found.users.intern(&user);
                    for item in split(items, ",").iter().map(|item| item.trim()).filter(|item| !item.is_empty()) {
                        found.add(user, item, 1.0);
                    }
                }
                Layout::Table(table) if table.is_header(number, line) => {}
                Layout::Table(table) => {
                    let (user, item, rating) = table.row(path, number, line)?;
                    let user = found.users.intern(&user);
                    found.add(user, &item, rating);
                }
            }
            Ok(())
        })?;
        if found.pairs.is_empty() {
            let reason = format!("{}: no user has any item; expected ratings or histories", corpus.name());
            return Err(Error::data(reason));
        }
        let has_ratings = matches!(layout, Some(Layout::Table(table)) if table.has_ratings());
        let (users, items, ratings) = found.finish()?;
        Ok(Self { users, items, ratings, has_ratings })
    }

    /// What can be learnt from: who liked what (rated `min_rating` or more), as ones, without items that fewer than
    /// `min_users` users liked and users who liked fewer than `min_items` items; each of these may make others rare in turn,
    /// until none is.
    ///
    /// # Errors
    /// If nothing is left.
    pub fn dense_part(&self, min_rating: f64, min_users: usize, min_items: usize) -> Result<Self> {
        let mut rows: Vec<(usize, Vec<u32>)> =
            (0..self.users.len()).map(|user| (user, self.liked(user, min_rating).collect())).collect();
        loop {
            let mut counts = vec![0usize; self.items.len()];
            rows.iter().flat_map(|(_, items)| items).for_each(|&item| counts[item as usize] += 1);
            let before: usize = rows.iter().map(|(_, items)| items.len()).sum();
            rows.iter_mut().for_each(|(_, items)| items.retain(|&item| counts[item as usize] >= min_users));
            rows.retain(|(_, items)| items.len() >= min_items.max(1));
            if rows.iter().map(|(_, items)| items.len()).sum::<usize>() == before {
                break;
            }
        }
        if rows.is_empty() {
            let rated = if self.has_ratings { format!(" rated {min_rating} or more") } else { String::new() };
            let reason = format!(
                "no user has {min_items} items{rated} that {min_users} users have; lower --min-items, --min-users{} \
                 (or is the input a table? then name its columns: --user-field 1 --item-field 2)",
                if self.has_ratings { " or --min-rating" } else { "" }
            );
            return Err(Error::data(reason));
        }
        let mut is_kept = vec![false; self.items.len()];
        rows.iter().flat_map(|(_, items)| items).for_each(|&item| is_kept[item as usize] = true);
        let kept: Vec<usize> = (0..self.items.len()).filter(|&item| is_kept[item]).collect();
        let mut positions = vec![0; self.items.len()];
        kept.iter().enumerate().for_each(|(position, &item)| positions[item] = position as u32);
        let mut ratings = SparseMatrix::empty(kept.len());
        rows.iter().for_each(|(_, items)| ratings.push(items.iter().map(|&item| (positions[item as usize], 1.0))));
        let users = rows.iter().map(|&(user, _)| self.users.get(user)).collect();
        let items = kept.iter().map(|&item| self.items.get(item)).collect();
        Ok(Self { users, items, ratings, has_ratings: self.has_ratings })
    }

    /// A user's history over other items: those liked (rated `min_rating` or more) that are among them, and all that were had
    /// at all; both ascending.
    pub fn history(&self, user: usize, min_rating: f64, items: &Keys) -> (Vec<u32>, Vec<u32>) {
        let known = |item: u32| items.find(self.items.get(item as usize)).map(|item| item as u32);
        let mut liked: Vec<u32> = self.liked(user, min_rating).filter_map(known).collect();
        let mut had: Vec<u32> = self.ratings.row(user).indices.iter().copied().filter_map(known).collect();
        liked.sort_unstable();
        had.sort_unstable();
        (liked, had)
    }

    fn liked(&self, user: usize, min_rating: f64) -> impl Iterator<Item = u32> + '_ {
        let row = self.ratings.row(user);
        let likes = move |rating: f32| !self.has_ratings || f64::from(rating) >= min_rating;
        row.indices.iter().zip(row.values).filter(move |(_, rating)| likes(**rating)).map(|(&item, _)| item)
    }
}

/// Reads baskets: items in each line, apart by commas or tabs; lines without any are no baskets. The items are in the order
/// of their names, and the matrix, baskets x items, holds ones.
///
/// # Errors
/// If there is nothing at all.
pub fn read_baskets(corpus: &Corpus) -> Result<(Keys, SparseMatrix)> {
    let mut found = Pairs::default();
    let mut basket = 0;
    corpus.lines(|_, _, line| {
        let fields = split(line, ",");
        let items = fields.iter().flat_map(|field| field.split('\t')).map(str::trim).filter(|item| !item.is_empty());
        let before = found.pairs.len();
        items.for_each(|item| found.add(basket, item, 1.0));
        basket += u32::from(found.pairs.len() > before);
        Ok(())
    })?;
    if found.pairs.is_empty() {
        let reason =
            format!("{}: no basket holds anything; expected items apart by commas in each line", corpus.name());
        return Err(Error::data(reason));
    }
    let (_, items, baskets) = found.finish()?;
    Ok((items, baskets))
}

/// Names and their positions, in the order in which they are met.
#[derive(Debug, Default)]
struct Interner(HashMap<Box<str>, u32, FixedState>);

impl Interner {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn intern(&mut self, name: &str) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry_ref(name).or_insert(next)
    }

    fn into_names(self) -> Vec<Box<str>> {
        let mut names: Vec<(Box<str>, u32)> = self.0.into_iter().collect();
        names.sort_unstable_by_key(|&(_, position)| position);
        names.into_iter().map(|(name, _)| name).collect()
    }
}

/// Users, items and ratings as they are read.
#[derive(Debug, Default)]
struct Pairs {
    users: Interner,
    items: Interner,
    pairs: Vec<(u32, u32, f32)>,
}

impl Pairs {
    fn add(&mut self, user: u32, item: &str, rating: f32) {
        self.pairs.push((user, self.items.intern(item), rating));
    }

    /// The users, the items in the order of their names, and the matrix.
    fn finish(self) -> Result<(Keys, Keys, SparseMatrix)> {
        let names = self.items.into_names();
        let mut order: Vec<u32> = (0..names.len() as u32).collect();
        order.sort_unstable_by_key(|&item| &names[item as usize]);
        let mut positions = vec![0; names.len()];
        order.iter().enumerate().for_each(|(position, &item)| positions[item as usize] = position as u32);
        let mut pairs = self.pairs;
        pairs.iter_mut().for_each(|pair| pair.1 = positions[pair.1 as usize]);
        pairs.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(b.2.total_cmp(&a.2)));
        pairs.dedup_by_key(|pair| (pair.0, pair.1));
        let rows = self.users.len().max(pairs.last().map_or(0, |last| last.0 as usize + 1));
        let mut ends = vec![0; rows];
        pairs.iter().for_each(|pair| ends[pair.0 as usize] += 1);
        ends.iter_mut().fold(0, |sum, end| {
            *end += sum;
            *end
        });
        let (indices, values) = pairs.iter().map(|pair| (pair.1, pair.2)).unzip();
        let items = order.iter().map(|&item| &names[item as usize]).collect();
        let users = self.users.into_names().into_iter().collect();
        Ok((users, items, SparseMatrix::new(names.len(), ends, indices, values)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::DocumentOptions;

    fn corpus(text: &str) -> (tempfile::TempDir, Corpus) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("input.csv");
        std::fs::write(&path, text).expect("written");
        let corpus = Corpus::open(&[path], &DocumentOptions::default()).expect("a corpus");
        (folder, corpus)
    }

    fn read(text: &str, options: &InteractionOptions) -> Result<Vec<String>> {
        let found = Interactions::read(&corpus(text).1, options)?;
        let row = |user: usize| {
            let row = found.ratings.row(user);
            let items = row.iter().map(|(item, rating)| format!("{}:{rating}", found.items.get(item)));
            format!("{} {}", found.users.get(user), items.collect::<Vec<_>>().join(" "))
        };
        Ok((0..found.users.len()).map(row).collect())
    }

    #[test]
    fn ratings_are_found_by_the_names_of_their_columns() -> Result<()> {
        let auto = InteractionOptions::default();
        let text = "userId,movieId,rating,timestamp\n7,b,4.0,1\n7,\"a, b\",2.5,2\r\n3,b,1,3\n7,b,4.5,9\n";
        assert_eq!(read(text, &auto)?, ["7 a, b:2.5 b:4.5", "3 b:1"]);
        assert_eq!(read("item_id\tUSER\nx\tu\ny\tu\n", &auto)?, ["u x:1 y:1"]);
        assert_eq!(read("1::10::5::978300760\n1::20::3::978300760\n", &auto)?, ["1 10:5 20:3"]);
        let named = InteractionOptions {
            user_field: Some("who".into()),
            item_field: Some("3".into()),
            rating_field: Some("how".into()),
            ..auto.clone()
        };
        assert_eq!(read("how,who,what\n2,ann,tea\n", &named)?, ["ann tea:2"]);
        let numbered = InteractionOptions { user_field: Some("2".into()), item_field: Some("1".into()), ..auto };
        assert_eq!(read("tea,ann\nrum,bob\n", &numbered)?, ["ann tea:1", "bob rum:1"]);
        Ok(())
    }

    #[test]
    fn histories_may_have_ids() -> Result<()> {
        let auto = InteractionOptions::default();
        assert_eq!(read("tea, milk,tea\n\nrum\n", &auto)?, ["1 milk:1 tea:1", "2 rum:1"]);
        assert_eq!(read("ann\ttea,milk\nbob\trum\n", &auto)?, ["ann milk:1 tea:1", "bob rum:1"]);
        let message = read("ann\ttea,milk\nrum\n", &auto).expect_err("no id").to_string();
        assert!(message.contains("line 2") && message.contains("id"), "{message}");
        Ok(())
    }

    #[test]
    fn bad_lines_name_what_was_found_and_expected() {
        let auto = InteractionOptions::default();
        let ratings = InteractionOptions { format: InteractionFormat::Ratings, ..auto.clone() };
        let unknown = InteractionOptions { rating_field: Some("stars".into()), ..auto.clone() };
        for (text, options, parts) in [
            ("user,item,rating\n1,2,x\n", &auto, vec!["line 2", "\"x\"", "expected a number"]),
            ("user,item,rating\n1,2,nan\n", &auto, vec!["line 2", "\"nan\""]),
            ("user,item,rating\n1,2\n", &auto, vec!["line 2", "2 columns", "at least 3"]),
            ("user,item,rating\n1,,3\n", &auto, vec!["line 2", "item", "empty"]),
            ("user,item,rating\n1,2,3\n", &unknown, vec!["line 1", "\"stars\"", "user, item, rating"]),
            ("u,v,w\n1,2,3\n", &ratings, vec!["line 1", "u, v, w", "--user-field"]),
            ("\n\n", &auto, vec!["no user has any item"]),
        ] {
            let message = read(text, options).expect_err(text).to_string();
            assert!(parts.iter().all(|part| message.contains(part)), "{parts:?} is not in: {message}");
        }
    }

    #[test]
    fn the_dense_part_has_no_rare_users_and_items() -> Result<()> {
        // c is disliked by 1; without it 3 has one item, and without 3 item d has one user.
        let text = "user,item,rating\n1,a,5\n1,b,5\n1,c,1\n2,a,5\n2,b,4\n2,d,5\n3,c,5\n3,d,5\n";
        let all = Interactions::read(&corpus(text).1, &InteractionOptions::default())?;
        let part = all.dense_part(3.5, 2, 2)?;
        assert_eq!(part.users.iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(part.items.iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(part.ratings.values(), [1.0; 4]);
        let every = all.dense_part(0.0, 1, 1)?;
        assert_eq!(all.history(0, 3.5, &every.items), (vec![0, 1], vec![0, 1, 2]), "what was disliked was had, too");
        let message = all.dense_part(3.5, 9, 2).expect_err("none").to_string();
        assert!(message.contains("--min-users") && message.contains("--min-rating"), "{message}");
        Ok(())
    }

    #[test]
    fn baskets_are_apart_by_commas_or_tabs() -> Result<()> {
        let (items, baskets) = read_baskets(&corpus("milk,tea \n\n,\nrum\tmilk\n\"tea, green\",rum,rum\n").1)?;
        assert_eq!(items.iter().collect::<Vec<_>>(), ["milk", "rum", "tea", "tea, green"]);
        let rows: Vec<&[u32]> = baskets.iter_rows().map(|row| row.indices).collect();
        assert_eq!(rows, [&[0, 2][..], &[0, 1], &[1, 3]]);
        assert!(read_baskets(&corpus("\n,\n").1).is_err());
        Ok(())
    }

    #[test]
    fn titles_are_found_by_the_item() -> Result<()> {
        let items: Keys = ["1", "11", "2"].into_iter().collect();
        let text =
            "movieId,title,genres\n1,Toy Story (1995),Comedy\n11,\"American President, The (1995)\",Drama\n5,Other,x\n";
        let found = titles(&corpus(text).1, &items)?;
        let expected = [Some("Toy Story (1995)"), Some("American President, The (1995)"), None];
        assert_eq!(found.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
        let found = titles(&corpus("1|Toy Story (1995)|01-Jan-1995\n2|GoldenEye, again|x\n").1, &items)?;
        assert_eq!(found[2].as_deref(), Some("GoldenEye, again"));
        assert!(titles(&corpus("7,none\n").1, &items).is_err());
        Ok(())
    }
}
