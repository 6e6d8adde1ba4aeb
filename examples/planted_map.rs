//! Draws a labelled map of points in the plane as a PNG.
//!
//!     cargo run --release --example planted_map -- points.txt map.png
//!
//! Each line holds a word, its group and two numbers, separated by tabs.

use std::path::Path;

use firth::analysis::plot::scatter;
use firth::math::Matrix;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [points, picture] = arguments.as_slice() else { return Err("usage: planted_map POINTS PICTURE".into()) };

    // # Reading
    let (mut values, mut labels, mut groups, mut names) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for line in std::fs::read_to_string(points)?.lines() {
        let [word, group, x, y] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(format!("expected word, group and two numbers, found {line:?}").into());
        };
        values.extend([x.parse::<f32>()?, y.parse::<f32>()?]);
        labels.push(word.to_owned());
        let position = names.iter().position(|name| name == group);
        groups.push(position.unwrap_or_else(|| {
            names.push(group.to_owned());
            names.len() - 1
        }));
    }

    // # Drawing
    let points = Matrix::from_vec(labels.len(), 2, values)?;
    let left_out = scatter(&points, &labels, &groups, &names, "A map of the planted world", Path::new(picture))?;
    println!("{} words, {left_out} labels without room", labels.len());
    Ok(())
}
