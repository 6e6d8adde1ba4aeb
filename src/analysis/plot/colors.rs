//! Colours for groups: those that all can tell apart as long as they suffice, then hues all around.

use plotters::style::RGBColor;

/// Colours that people with colour blindness can tell apart (Okabe and Ito, 2008); the yellow is darkened for white paper.
const FEW: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(80, 80, 80),
    RGBColor(176, 160, 20),
];
/// Lightness and chroma of neighbouring hues, in turn.
const SHADES: [(f64, f64); 3] = [(0.60, 0.16), (0.50, 0.13), (0.72, 0.15)];

/// A colour for each of so many groups.
pub(super) fn colors(count: usize) -> Vec<RGBColor> {
    if count <= FEW.len() {
        return FEW[..count].to_vec();
    }
    let color = |group: usize| {
        let (lightness, chroma) = SHADES[group % SHADES.len()];
        oklch(lightness, chroma, group as f64 * 360.0 / count as f64 + 20.0)
    };
    (0..count).map(color).collect()
}

/// A colour darkened so that thin letters can be read.
pub(super) fn darkened(RGBColor(r, g, b): RGBColor) -> RGBColor {
    let dark = |channel: u8| (u16::from(channel) * 5 / 9) as u8;
    RGBColor(dark(r), dark(g), dark(b))
}

/// The colour of a lightness (0 to 1), a chroma and a hue in degrees, evenly spaced for the eye (Ottosson, 2020, "Oklab").
fn oklch(lightness: f64, chroma: f64, hue: f64) -> RGBColor {
    let (sin, cos) = hue.to_radians().sin_cos();
    let (a, b) = (chroma * cos, chroma * sin);
    let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548 * b).powi(3);
    let channel = |linear: f64| {
        let linear = linear.clamp(0.0, 1.0);
        let value = if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 };
        (255.0 * value).round() as u8
    };
    RGBColor(
        channel(4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s),
        channel(-1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s),
        channel(-0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701 * s),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_has_a_colour_of_its_own() {
        for count in [0, 1, 8, 9, 20, 60] {
            let mut all: Vec<_> = colors(count).into_iter().map(|RGBColor(r, g, b)| (r, g, b)).collect();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), count);
        }
    }

    #[test]
    fn lightness_one_is_white_and_red_has_its_known_place() {
        assert_eq!(oklch(1.0, 0.0, 0.0), RGBColor(255, 255, 255));
        let RGBColor(r, g, b) = oklch(0.627_955, 0.257_683, 29.233_9);
        assert!(r == 255 && g <= 1 && b <= 1, "{r} {g} {b}");
    }
}
