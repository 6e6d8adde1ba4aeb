//! Maps: points in the plane with labels, as PNG or SVG, or as a page of HTML ([`Page`]).
//!
//! Labels are placed greedily, in the order given: each takes the first free place of several around its point and is
//! left out if there is none. So the most important points should come first. Points without labels are many: then the
//! names of their groups stand on the map.

mod centers;
mod colors;
mod labels;
mod page;

use std::io::Write as _;
use std::path::Path;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};

use crate::error::{Error, Result};
use crate::io::AtomicFile;
use crate::math::Matrix;
use colors::{colors, darkened};
use labels::{Area, place};
pub use page::Page;

/// The picture's width and height in pixels.
const SIZE: (i32, i32) = (1600, 1200);
/// The frame around the points, in pixels, if the legend has one row.
const FRAME: Area = Area { left: 40, top: 120, right: 1560, bottom: 1160 };
/// How far inside the frame the outermost points lie; a label fits there.
const INSET: (i32, i32) = (90, 45);
/// The radius of a point, if there are few.
const RADIUS: i32 = 5;
/// The sizes of title, legend, labels and names of groups. plotters takes a size to be 1.24 times the em.
const TEXT: (i32, i32, i32, i32) = (38, 25, 23, 30);
/// The most rows of the legend, and the height of each.
const ROWS: i32 = 4;
const ROW: i32 = 34;
/// The space kept free on either side of a label.
const GAP: i32 = 2;
/// Text is drawn this much lower, so that small letters stand level with the middle of their point.
const DROP: i32 = 4;
/// A label further from its point than this is tied to it by a line.
const LEADER: i32 = 14;
/// The name under which our font is registered; in an SVG, what the reader has for it.
const FONT: &str = "sans-serif";

const INK: RGBColor = RGBColor(34, 34, 34);
const RULE: RGBColor = RGBColor(208, 208, 208);

/// Draws a map of labelled points, 1600 x 1200 pixels, as a PNG, or as an SVG if the name ends so; returns how many
/// labels found no room.
///
/// `points` is n x 2; each point has a label, which may be empty, and a group, which gives colour and shape and stands
/// in the legend by its name, and on the map if no point has a label. Both axes have the same scale, so that distances
/// on paper are distances in the data. The file appears whole or not at all.
///
/// # Errors
/// If `points` has not two columns, a point is not finite, or labels or groups are not as many as points.
pub fn scatter(
    points: &Matrix,
    labels: &[String],
    groups: &[usize],
    group_names: &[String],
    title: &str,
    path: &Path,
) -> Result<usize> {
    check(points, labels, groups, group_names)?;
    // Registering the same font again changes nothing.
    register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT)
        .map_err(|_| Error::data("the font that comes with firth cannot be read"))?;
    let picture = Picture { points, labels, groups, group_names, title, colors: colors(group_names.len()) };
    let size = (SIZE.0 as u32, SIZE.1 as u32);
    let failed = |source: Box<dyn std::error::Error>| Error::Backend { source: source.to_string().into() };
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("svg")) {
        let mut text = String::new();
        let left_out = picture.draw(&SVGBackend::with_string(&mut text, size).into_drawing_area()).map_err(failed)?;
        let mut file = AtomicFile::create(path)?;
        file.write(text.as_bytes())?;
        file.commit()?;
        return Ok(left_out);
    }
    let mut pixels = vec![0; (SIZE.0 * SIZE.1 * 3) as usize];
    let left_out = picture.draw(&BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area()).map_err(failed)?;
    write_png(&pixels, path)?;
    Ok(left_out)
}

fn check(points: &Matrix, labels: &[String], groups: &[usize], group_names: &[String]) -> Result<()> {
    if points.cols() != 2 {
        return Err(Error::mismatch("columns of the points to plot", 2, points.cols()));
    }
    if labels.len() != points.rows() {
        return Err(Error::mismatch("labels of the points to plot", points.rows(), labels.len()));
    }
    if groups.len() != points.rows() {
        return Err(Error::mismatch("groups of the points to plot", points.rows(), groups.len()));
    }
    if let Some(group) = groups.iter().find(|&&group| group >= group_names.len()) {
        return Err(Error::mismatch("group of a point to plot", format!("below {}", group_names.len()), group));
    }
    if let Some(row) = points.iter_rows().position(|row| row.iter().any(|x| !x.is_finite())) {
        return Err(Error::data(format!("point {} ({:?}) is not finite and cannot be plotted", row + 1, labels[row])));
    }
    Ok(())
}

/// Pixels of the points: centred in the frame, one scale for both axes, the second upwards.
fn positions(points: &Matrix, frame: Area) -> Vec<(i32, i32)> {
    let range = |axis: usize| {
        let values = points.iter_rows().map(|row| f64::from(row[axis]));
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)))
    };
    let (x_range, y_range) = (range(0), range(1));
    let fit =
        |pixels: i32, (low, high): (f64, f64)| if high > low { f64::from(pixels) / (high - low) } else { f64::MAX };
    let (width, height) = (frame.right - frame.left - 2 * INSET.0, frame.bottom - frame.top - 2 * INSET.1);
    let scale = fit(width, x_range).min(fit(height, y_range));
    let offset = |x: f32, (low, high): (f64, f64)| {
        let distance = f64::from(x) - f64::midpoint(low, high);
        if distance == 0.0 { 0 } else { (distance * scale).round() as i32 }
    };
    let center = (i32::midpoint(frame.left, frame.right), i32::midpoint(frame.top, frame.bottom));
    let pixel = |row: &[f32]| (center.0 + offset(row[0], x_range), center.1 - offset(row[1], y_range));
    points.iter_rows().map(pixel).collect()
}

type Drawing<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What is drawn.
struct Picture<'a> {
    points: &'a Matrix,
    labels: &'a [String],
    groups: &'a [usize],
    group_names: &'a [String],
    title: &'a str,
    colors: Vec<RGBColor>,
}

impl Picture<'_> {
    fn draw<B: DrawingBackend>(&self, root: &DrawingArea<B, Shift>) -> Drawing<usize>
    where
        B::ErrorType: 'static,
    {
        root.fill(&WHITE)?;
        write(root, self.title, (FRAME.left, 18), TEXT.0, INK)?;
        let rows = self.legend(root)?;
        let frame = Area { top: FRAME.top + (rows - 1).max(0) * ROW, ..FRAME };
        root.draw(&Rectangle::new([(frame.left, frame.top), (frame.right, frame.bottom)], RULE))?;
        let positions = positions(self.points, frame);
        let radius = radius(positions.len());
        let sizes = self.labels.iter().map(|label| root.estimate_text_size(label, &style(TEXT.2, &INK)));
        let sizes: Vec<(i32, i32)> = sizes
            .map(|size| size.map(|(w, h)| if w == 0 { (0, 0) } else { (w as i32 + 2 * GAP, h as i32) }))
            .collect::<std::result::Result<_, _>>()?;
        let places = place(&positions, &sizes, radius, frame);
        for (area, &at) in places.iter().zip(&positions).filter_map(|(area, at)| Some(((*area)?, at))) {
            let (distance, pixel) = area.nearest(at);
            if distance > LEADER {
                root.draw(&PathElement::new([at, pixel], RULE))?;
            }
        }
        for (&at, &group) in positions.iter().zip(self.groups) {
            self.mark(root, at, radius, group)?;
        }
        for ((label, place), &group) in self.labels.iter().zip(&places).zip(self.groups) {
            if let Some(area) = place {
                write(root, label, (area.left + GAP, area.top + DROP), TEXT.2, darkened(self.colors[group]))?;
            }
        }
        if self.labels.iter().all(String::is_empty) && self.group_names.len() > 1 {
            self.name_groups(root, &positions, frame)?;
        }
        root.present()?;
        Ok(places.iter().zip(self.labels).filter(|(place, label)| place.is_none() && !label.is_empty()).count())
    }

    /// The groups that occur, in rows under the title; those that would not fit are counted. Returns the number of rows.
    fn legend<B: DrawingBackend>(&self, root: &DrawingArea<B, Shift>) -> Drawing<i32>
    where
        B::ErrorType: 'static,
    {
        let start = FRAME.left + 2 * RADIUS;
        let (mut at, mut row) = (start, 0);
        let mut present = vec![false; self.group_names.len()];
        self.groups.iter().for_each(|&group| present[group] = true);
        let present: Vec<usize> = (0..present.len()).filter(|&group| present[group]).collect();
        for (position, &group) in present.iter().enumerate() {
            let name = brief(&self.group_names[group]);
            let (width, height) = root.estimate_text_size(&name, &style(TEXT.1, &INK))?;
            let (width, height) = (width as i32, height as i32);
            // The last row keeps room for what is left out.
            let right = FRAME.right - if row == ROWS - 1 { 140 } else { 0 };
            let y = |row: i32| 92 + row * ROW;
            if at + 14 + width > right && row == ROWS - 1 {
                let rest = format!("and {} more", present.len() - position);
                write(root, &rest, (at, y(row) - height / 2 + DROP), TEXT.1, INK)?;
                break;
            }
            if at + 14 + width > right && at > start {
                (at, row) = (start, row + 1);
            }
            self.mark(root, (at, y(row)), RADIUS, group)?;
            write(root, &name, (at + 14, y(row) - height / 2 + DROP), TEXT.1, INK)?;
            at += 14 + width + 34;
        }
        Ok(row + 1)
    }

    /// The names of the groups where these are densest, the largest first.
    fn name_groups<B: DrawingBackend>(
        &self,
        root: &DrawingArea<B, Shift>,
        positions: &[(i32, i32)],
        frame: Area,
    ) -> Drawing<()>
    where
        B::ErrorType: 'static,
    {
        let names: Vec<String> = self.group_names.iter().map(|name| brief(name)).collect();
        let mut counts = vec![0usize; names.len()];
        self.groups.iter().for_each(|&group| counts[group] += 1);
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_by_key(|&group| std::cmp::Reverse(counts[group]));
        let sizes = names.iter().map(|name| root.estimate_text_size(name, &style(TEXT.3, &INK)));
        let sizes: Vec<(i32, i32)> = sizes
            .map(|size| size.map(|(width, height)| (width as i32 + 4 * GAP, height as i32)))
            .collect::<std::result::Result<_, _>>()?;
        let centers = centers::centers(positions, self.groups, names.len(), frame);
        let places = centers::place(&centers, &sizes, &order, frame);
        for (group, (name, place)) in names.iter().zip(places).enumerate() {
            let Some((left, top)) = place else { continue };
            let at = |dx: i32, dy: i32| (left + 2 * GAP + dx, top + DROP + dy);
            // A rim of paper, so that letters can be read on points.
            for (dx, dy) in (-2..=2).flat_map(|dx| (-2..=2).map(move |dy| (dx, dy))) {
                write(root, name, at(dx, dy), TEXT.3, WHITE)?;
            }
            let color = darkened(self.colors[group]);
            // Twice, side by side: the font has no bold.
            [0, 1].into_iter().try_for_each(|dx| write(root, name, at(dx, 0), TEXT.3, color))?;
        }
        Ok(())
    }

    /// A point: circles, squares and triangles in turn where colours alone may not tell groups apart.
    fn mark<B: DrawingBackend>(
        &self,
        root: &DrawingArea<B, Shift>,
        at: (i32, i32),
        radius: i32,
        group: usize,
    ) -> Drawing<()>
    where
        B::ErrorType: 'static,
    {
        let fill = self.colors[group].filled();
        let side = radius * 4 / 5;
        match if self.colors.len() > 8 { group % 3 } else { 0 } {
            _ if radius < RADIUS => {
                root.draw(&Circle::new(at, radius, self.colors[group].mix(0.75).filled()))?;
            }
            0 => root.draw(&Circle::new(at, radius, fill))?,
            1 => root.draw(&Rectangle::new([(at.0 - side, at.1 - side), (at.0 + side, at.1 + side)], fill))?,
            _ => root.draw(&TriangleMarker::new(at, radius + 2, fill))?,
        }
        Ok(())
    }
}

/// The more points, the smaller.
fn radius(points: usize) -> i32 {
    match points {
        0..=1000 => RADIUS,
        1001..=4000 => 4,
        4001..=20_000 => 3,
        _ => 2,
    }
}

/// A name that fits into a legend.
fn brief(name: &str) -> String {
    const LETTERS: usize = 40;
    match name.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.to_owned(),
    }
}

fn style(size: i32, color: &RGBColor) -> TextStyle<'static> {
    let font = (FONT, size).into_font();
    TextStyle { font, color: color.to_backend_color(), pos: Pos::new(HPos::Left, VPos::Top) }
}

fn write<B: DrawingBackend>(
    root: &DrawingArea<B, Shift>,
    text: &str,
    at: (i32, i32),
    size: i32,
    color: RGBColor,
) -> Drawing<()>
where
    B::ErrorType: 'static,
{
    Ok(root.draw_text(text, &style(size, &color), at)?)
}

/// Writes RGB pixels as a PNG: a header, the rows compressed by zlib, an end (W3C, PNG specification, section 11).
fn write_png(pixels: &[u8], path: &Path) -> Result<()> {
    let failed = |source| Error::io(path, source);
    let mut data = ZlibEncoder::new(Vec::new(), Compression::default());
    for row in pixels.chunks_exact(SIZE.0 as usize * 3) {
        // Each row starts with the number of its filter: none.
        data.write_all(&[0]).and_then(|()| data.write_all(row)).map_err(failed)?;
    }
    let data = data.finish().map_err(failed)?;
    let (width, height) = ((SIZE.0 as u32).to_be_bytes(), (SIZE.1 as u32).to_be_bytes());
    // Eight bits per channel, red, green and blue, and the only methods there are.
    let header = [&width[..], &height, &[8, 2, 0, 0, 0]].concat();
    let mut file = AtomicFile::create(path)?;
    file.write(b"\x89PNG\r\n\x1a\n")?;
    for (kind, content) in [(b"IHDR", &header), (b"IDAT", &data), (b"IEND", &Vec::new())] {
        let mut sum = Crc::new();
        sum.update(kind);
        sum.update(content);
        file.write(&(content.len() as u32).to_be_bytes())?;
        file.write(kind)?;
        file.write(content)?;
        file.write(&sum.sum().to_be_bytes())?;
    }
    file.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("word{number}")).collect()
    }

    #[test]
    fn a_map_is_a_whole_png_of_the_stated_size() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("map.png");
        let points = Matrix::from_vec(3, 2, vec![0.0, 0.0, 1.0, 2.0, -1.0, 1.0])?;
        let left_out = scatter(&points, &names(3), &[0, 1, 1], &names(2), "Three words", &path)?;
        assert_eq!(left_out, 0);
        let bytes = std::fs::read(&path)?;
        assert!(bytes.starts_with(b"\x89PNG") && bytes.ends_with(b"IEND\xae\x42\x60\x82"));
        assert_eq!(bytes[16..24], [0, 0, 6, 64, 0, 0, 4, 176]);
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 1);
        Ok(())
    }

    #[test]
    fn an_svg_holds_its_texts_as_texts() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("map.SVG");
        let points = Matrix::from_vec(2, 2, vec![0.0, 0.0, 1.0, 2.0])?;
        let groups = ["<script>alert(1)</script>".to_owned(), "a & b".to_owned()];
        scatter(&points, &["".into(), "".into()], &[0, 1], &groups, "Two", &path)?;
        let text = std::fs::read_to_string(&path)?;
        assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>"), "{text}");
        assert!(text.contains("a &amp; b") && !text.contains("<script"), "{text}");
        Ok(())
    }

    #[test]
    fn labels_without_room_are_counted() -> Result<()> {
        let folder = tempfile::tempdir().map_err(|source| Error::io("temporary folder", source))?;
        let points = Matrix::from_vec(40, 2, vec![0.5; 80])?;
        let left_out = scatter(&points, &names(40), &[0; 40], &names(1), "", &folder.path().join("map.png"))?;
        assert!((20..39).contains(&left_out), "{left_out}");
        Ok(())
    }

    #[test]
    fn nothing_and_many_groups_can_be_drawn() -> Result<()> {
        let folder = tempfile::tempdir().map_err(|source| Error::io("temporary folder", source))?;
        let path = folder.path().join("map.png");
        assert_eq!(scatter(&Matrix::zeros(0, 2), &[], &[], &[], "nothing", &path)?, 0);
        let groups: Vec<usize> = (0..60).collect();
        let values = (0..120).map(|x| x as f32).collect();
        scatter(&Matrix::from_vec(60, 2, values)?, &names(60), &groups, &names(60), "many", &path)?;
        Ok(())
    }

    #[test]
    fn wrong_shapes_and_numbers_are_refused_and_nothing_is_written() -> Result<()> {
        let path = Path::new("never-written.png");
        let points = Matrix::from_vec(1, 2, vec![f32::NAN, 0.0])?;
        assert!(scatter(&points, &names(1), &[0], &names(1), "", path).is_err());
        assert!(scatter(&Matrix::zeros(1, 3), &names(1), &[0], &names(1), "", path).is_err());
        assert!(scatter(&Matrix::zeros(1, 2), &names(2), &[0], &names(1), "", path).is_err());
        assert!(scatter(&Matrix::zeros(1, 2), &names(1), &[], &names(1), "", path).is_err());
        assert!(scatter(&Matrix::zeros(1, 2), &names(1), &[1], &names(1), "", path).is_err());
        assert!(!path.exists());
        Ok(())
    }
}
