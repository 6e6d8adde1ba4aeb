//! Where the name of a group stands: in the middle of its densest part.

use std::collections::BTreeMap;

use super::labels::Area;

/// Cells of the grid along the longer side in which density is counted.
const CELLS: i32 = 24;

/// For each group the middle of its densest part, in pixels; nothing for a group without points.
pub(super) fn centers(points: &[(i32, i32)], groups: &[usize], count: usize, frame: Area) -> Vec<Option<(i32, i32)>> {
    let side = ((frame.right - frame.left).max(frame.bottom - frame.top) / CELLS).max(1);
    // For each group and cell: how many points are in it and its eight neighbours, and the sums of these.
    let mut cells: Vec<BTreeMap<(i32, i32), [i64; 3]>> = vec![BTreeMap::new(); count];
    for (&(x, y), &group) in points.iter().zip(groups) {
        for (dx, dy) in (-1..=1).flat_map(|dx| (-1..=1).map(move |dy| (dx, dy))) {
            let sums = cells[group].entry((x / side + dx, y / side + dy)).or_default();
            sums.iter_mut().zip([1, i64::from(x), i64::from(y)]).for_each(|(sum, value)| *sum += value);
        }
    }
    let middle = |cells: &BTreeMap<(i32, i32), [i64; 3]>| {
        let densest = cells.values().rev().max_by_key(|sums| sums[0])?;
        Some(((densest[1] / densest[0]) as i32, (densest[2] / densest[0]) as i32))
    };
    cells.iter().map(middle).collect()
}

/// The top left corners of names around their centres, moved up or down until they do not overlap: the first come first.
/// A name that finds no room is left out.
pub(super) fn place(
    centers: &[Option<(i32, i32)>],
    sizes: &[(i32, i32)],
    order: &[usize],
    frame: Area,
) -> Vec<Option<(i32, i32)>> {
    let mut taken: Vec<Area> = Vec::new();
    let mut places = vec![None; centers.len()];
    for &name in order {
        let (Some((x, y)), (width, height)) = (centers[name], sizes[name]) else { continue };
        let left = (x - width / 2).clamp(frame.left, (frame.right - width).max(frame.left));
        let lifts = [0, -1, 1, -2, 2, -3, 3, -4, 4].map(|lift| y - height / 2 + lift * height);
        let areas = lifts.map(|top| Area { left, top, right: left + width, bottom: top + height });
        let free = areas.into_iter().find(|area| area.is_inside(&frame) && !taken.iter().any(|o| o.overlaps(area)));
        if let Some(area) = free {
            taken.push(area);
            places[name] = Some((area.left, area.top));
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Area = Area { left: 0, top: 0, right: 480, bottom: 480 };

    #[test]
    fn a_name_stands_where_its_group_is_densest() {
        let mut points = vec![(400, 400); 5];
        points.extend([(10, 10), (200, 30)]);
        let found = centers(&points, &[1; 7], 2, FRAME);
        assert_eq!(found, [None, Some((400, 400))]);
    }

    #[test]
    fn names_do_not_overlap_and_stay_in_the_frame() {
        let centers = [Some((5, 100)), Some((6, 100)), None, Some((470, 479))];
        let places = place(&centers, &[(60, 20); 4], &[0, 1, 2, 3], FRAME);
        assert_eq!(places, [Some((0, 90)), Some((0, 70)), None, Some((420, 449))]);
    }
}
