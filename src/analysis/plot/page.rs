//! Maps as one page of HTML that needs nothing else: hover, search, zoom, groups to hide. `map.html` is the page.

use std::path::Path;

use serde::Serialize;

use super::check;
use crate::error::{Error, Result};
use crate::io::AtomicFile;
use crate::math::Matrix;

/// The page, with a place for its data.
const PAGE: &str = include_str!("map.html");
const PLACE: &str = "@DATA@";
/// Coordinates along the longer side are whole numbers up to this: finer than any screen.
const STEPS: f64 = 10_000.0;

/// Points in the plane with all that the page tells of them. Lists without an entry for a point are not allowed.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// The heading.
    pub title: &'a str,
    /// A line below it: what was drawn, and how.
    pub about: &'a str,
    /// n x 2.
    pub points: &'a Matrix,
    /// What each point is called.
    pub keys: &'a [String],
    /// What each is labelled as, if anything is.
    pub labels: Option<&'a [String]>,
    /// The first words of each, if they are documents. Without texts, keys are written beside their points.
    pub texts: Option<&'a [String]>,
    /// The group of each point, which gives its colour.
    pub groups: &'a [usize],
    /// The names of the groups.
    pub group_names: &'a [String],
}

#[derive(Serialize)]
struct Data<'a> {
    title: &'a str,
    about: &'a str,
    x: Vec<u32>,
    y: Vec<u32>,
    group: &'a [usize],
    keys: &'a [String],
    labels: Option<&'a [String]>,
    texts: Option<&'a [String]>,
    groups: &'a [String],
}

impl Page<'_> {
    /// Writes the page, whole or not at all.
    ///
    /// # Errors
    /// If `points` has not two columns, a point is not finite, or a list has another length.
    pub fn write(&self, path: &Path) -> Result<()> {
        let page = self.html()?;
        let mut file = AtomicFile::create(path)?;
        file.write(page.as_bytes())?;
        file.commit()
    }

    fn html(&self) -> Result<String> {
        check(self.points, self.keys, self.groups, self.group_names)?;
        for (what, list) in [("labels", self.labels), ("texts", self.texts)] {
            if let Some(list) = list
                && list.len() != self.keys.len()
            {
                return Err(Error::mismatch(format!("{what} of the points to plot"), self.keys.len(), list.len()));
            }
        }
        let (x, y) = coordinates(self.points);
        let data = Data {
            title: self.title,
            about: self.about,
            x,
            y,
            group: self.groups,
            keys: self.keys,
            labels: self.labels,
            texts: self.texts,
            groups: self.group_names,
        };
        let json = serde_json::to_string(&data).map_err(|error| Error::Backend { source: Box::new(error) })?;
        // No text can end the script that holds it: within JSON's strings, < is as well written by its number.
        let json = json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
        Ok(PAGE.replacen(PLACE, &json, 1))
    }
}

/// Whole numbers from 0; the longer side is 10 000 long, and y grows downwards, as on a screen.
fn coordinates(points: &Matrix) -> (Vec<u32>, Vec<u32>) {
    let range = |axis: usize| {
        let values = points.iter_rows().map(|row| f64::from(row[axis]));
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)))
    };
    let ((left, right), (bottom, top)) = (range(0), range(1));
    let length = (right - left).max(top - bottom);
    let scale = if length > 0.0 { STEPS / length } else { 0.0 };
    let whole = |distance: f64| (distance * scale).round() as u32;
    points.iter_rows().map(|row| (whole(f64::from(row[0]) - left), whole(top - f64::from(row[1])))).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn no_text_can_become_part_of_the_page() -> Result<()> {
        let evil = "</script><script>alert(1)</script><!-- @DATA@ & \u{2028} \" ' \\";
        let points = Matrix::from_vec(2, 2, vec![0.0, 0.0, 1.0, 2.0])?;
        let (all, names) = (owned(&[evil, evil]), owned(&[evil]));
        let (keys, groups) = (&all[..], &[0, 0][..]);
        let page = Page {
            title: evil,
            about: evil,
            points: &points,
            keys,
            labels: Some(keys),
            texts: Some(keys),
            groups,
            group_names: &names,
        };
        let html = page.html()?;
        // The template's own two scripts, and nothing of the text's.
        assert_eq!(html.matches("</script").count(), PAGE.matches("</script").count());
        assert_eq!(html.matches("<script").count(), 2);
        assert!(!html.contains("alert(1)</") && !html.contains("<!-- @"));
        let start = html.find("id=\"data\">").expect("the data") + "id=\"data\">".len();
        let end = start + html[start..].find("</script").expect("an end");
        let data: serde_json::Value = serde_json::from_str(&html[start..end]).expect("JSON");
        assert_eq!(data["texts"][1], evil);
        assert_eq!((&data["x"], &data["y"]), (&serde_json::json!([0, 5000]), &serde_json::json!([10000, 0])));
        Ok(())
    }

    #[test]
    fn the_page_asks_nothing_of_the_network() {
        for part in ["http:", "https:", "src=", "@import", "url(", "fetch(", "innerHTML", "document.write"] {
            assert!(!PAGE.contains(part), "{part}");
        }
        assert_eq!(PAGE.matches(PLACE).count(), 1);
    }

    #[test]
    fn nothing_one_point_and_wrong_lengths_have_a_defined_outcome() -> Result<()> {
        let nothing = Page {
            title: "",
            about: "",
            points: &Matrix::zeros(0, 2),
            keys: &[],
            labels: None,
            texts: None,
            groups: &[],
            group_names: &[],
        };
        nothing.html()?;
        let (keys, names, point) = (owned(&["a"]), owned(&["g"]), Matrix::zeros(1, 2));
        let one = Page { points: &point, keys: &keys, groups: &[0], group_names: &names, ..nothing };
        assert!(one.html()?.contains("\"x\":[0]"));
        assert!(Page { texts: Some(&[]), ..one }.html().is_err());
        assert!(Page { groups: &[1], ..one }.html().is_err());
        Ok(())
    }
}
