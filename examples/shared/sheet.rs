//! Pictures: rows of small images side by side, and clouds of points.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use super::Result;
use super::digits::{PIXELS, SIDE};
use firth::math::Matrix;

/// Images of a row.
const IMAGES: usize = 12;
/// Width and height of a pixel of an image, on paper.
const DOT: i32 = 7;
/// Space between images.
const GAP: i32 = 6;
/// Space for the captions of rows, and for the title.
const MARGIN: (i32, i32) = (112, 36);
/// Width and height of a cloud of points.
const CLOUD: i32 = 300;
/// Points of a cloud that are drawn, the first ones: they suffice for the eye, and keep the file small.
const POINTS: usize = 560;
const INK: RGBColor = RGBColor(34, 34, 34);
const PAPER: RGBColor = RGBColor(244, 244, 244);
/// The name under which the font that comes with firth is registered.
const FONT: &str = "firth";

type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

fn paper<'a>(path: &'a Path, size: (i32, i32), title: &str) -> Result<Area<'a>> {
    register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT)
        .map_err(|_| "the font cannot be read")?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let area = BitMapBackend::new(path, (size.0 as u32, size.1 as u32)).into_drawing_area();
    area.fill(&PAPER)?;
    write(&area, title, (GAP, 8), 22)?;
    Ok(area)
}

fn write(area: &Area<'_>, text: &str, at: (i32, i32), size: i32) -> Result<()> {
    Ok(area.draw_text(text, &(FONT, size).into_font().color(&INK), at)?)
}

fn dot(area: &Area<'_>, (x, y): (i32, i32), size: i32, color: RGBColor) -> Result<()> {
    Ok(area.draw(&Rectangle::new([(x, y), (x + size, y + size)], color.filled()))?)
}

/// Draws the first images of each row, captions before them. Images are grey, or red, green and blue for each pixel.
pub fn images(path: &Path, title: &str, rows: &[(&str, Matrix)]) -> Result<()> {
    let step = SIDE as i32 * DOT + GAP;
    let area = paper(path, (MARGIN.0 + IMAGES as i32 * step, MARGIN.1 + rows.len() as i32 * step), title)?;
    for (line, (caption, images)) in (0..).zip(rows) {
        let top = MARGIN.1 + line * step;
        write(&area, caption, (GAP, top + step / 2 - 14), 20)?;
        for (column, image) in (0..).zip(images.iter_rows().take(IMAGES)) {
            for (at, pixel) in (0..).zip(image.chunks(image.len() / PIXELS)) {
                let byte = |channel: usize| (pixel[channel.min(pixel.len() - 1)].clamp(0.0, 1.0) * 255.0).round() as u8;
                let (across, down) = (at % SIDE as i32 * DOT, at / SIDE as i32 * DOT);
                let color = RGBColor(byte(0), byte(1), byte(2));
                dot(&area, (MARGIN.0 + column * step + across, top + down), DOT, color)?;
            }
        }
    }
    Ok(area.present()?)
}

/// Draws clouds of points side by side, each with its caption; `shades` from 0 to 1 colour the points.
pub fn clouds(path: &Path, title: &str, clouds: &[(&str, Matrix)], shades: &[f32]) -> Result<()> {
    let size = (clouds.len() as i32 * (CLOUD + GAP) + GAP, MARGIN.1 + CLOUD + 40);
    let area = paper(path, size, title)?;
    for (column, (caption, points)) in (0..).zip(clouds) {
        let (left, top) = (GAP + column * (CLOUD + GAP), MARGIN.1);
        area.draw(&Rectangle::new([(left, top), (left + CLOUD, top + CLOUD)], WHITE.filled()))?;
        write(&area, caption, (left, top + CLOUD + 8), 20)?;
        let ranges = [0, 1].map(|axis| {
            let values = points.iter_rows().map(|row| row[axis]);
            values.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
        });
        let pixel = |value: f32, (low, high): (f32, f32)| {
            (12.0 + (value - low) / (high - low).max(f32::MIN_POSITIVE) * (CLOUD - 26) as f32) as i32
        };
        for (point, &shade) in points.iter_rows().zip(shades).take(POINTS) {
            let at = (left + pixel(point[0], ranges[0]), top + CLOUD - pixel(point[1], ranges[1]));
            // A few colours will do, too.
            let (r, g, b) = HSLColor(f64::from((shade * 24.0).floor()) / 30.0, 0.85, 0.45).to_backend_color().rgb;
            dot(&area, at, 3, RGBColor(r, g, b))?;
        }
    }
    Ok(area.present()?)
}
