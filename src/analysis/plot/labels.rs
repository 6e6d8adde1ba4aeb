//! Where labels go so that they overlap neither points nor one another.

/// A rectangle in pixels; right and bottom are outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) left: i32,
    pub(super) top: i32,
    pub(super) right: i32,
    pub(super) bottom: i32,
}

impl Area {
    /// How far the nearest pixel of the rectangle is from a point, and which pixel that is.
    pub(super) fn nearest(&self, (x, y): (i32, i32)) -> (i32, (i32, i32)) {
        let pixel = (x.clamp(self.left, self.right), y.clamp(self.top, self.bottom));
        ((pixel.0 - x).abs().max((pixel.1 - y).abs()), pixel)
    }

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }

    pub(super) fn is_inside(&self, frame: &Self) -> bool {
        self.left >= frame.left && self.right <= frame.right && self.top >= frame.top && self.bottom <= frame.bottom
    }
}

/// The side of a cell of the grid in which neighbours are looked up.
const CELL: i32 = 64;

/// What already takes up room, by cells, so that many thousand labels are placed in an instant.
struct Taken {
    columns: i32,
    rows: i32,
    cells: Vec<Vec<Area>>,
}

impl Taken {
    fn new(frame: Area) -> Self {
        let (columns, rows) = (frame.right / CELL + 1, frame.bottom / CELL + 1);
        Self { columns, rows, cells: vec![Vec::new(); (columns * rows) as usize] }
    }

    fn cells_of(&self, area: Area) -> impl Iterator<Item = usize> + use<> {
        let (columns, rows) = (self.columns, self.rows);
        let column = move |x: i32| (x / CELL).clamp(0, columns - 1);
        let row = move |y: i32| (y / CELL).clamp(0, rows - 1);
        (row(area.top)..=row(area.bottom))
            .flat_map(move |row| (column(area.left)..=column(area.right)).map(move |column| row * columns + column))
            .map(|cell| cell as usize)
    }

    fn add(&mut self, area: Area) {
        for cell in self.cells_of(area) {
            self.cells[cell].push(area);
        }
    }

    fn is_free(&self, area: Area) -> bool {
        self.cells_of(area).all(|cell| self.cells[cell].iter().all(|taken| !taken.overlaps(&area)))
    }
}

/// A place for each label of a given width and height, the first in order choosing first; `None` if there is no room.
///
/// Right of the point is best, then left, above, below, the corners, and the same again further and further away.
pub(super) fn place(points: &[(i32, i32)], sizes: &[(i32, i32)], radius: i32, frame: Area) -> Vec<Option<Area>> {
    let mut taken = Taken::new(frame);
    for &(x, y) in points {
        taken.add(Area { left: x - radius, top: y - radius, right: x + radius, bottom: y + radius });
    }
    let mut choose = |(&(x, y), &(width, height)): (&(i32, i32), &(i32, i32))| {
        if width == 0 {
            return None;
        }
        let candidate = |gap: i32, (side, level): (i32, i32)| {
            // Side and level run from -1 to 1: left to right, above to below.
            let far = radius + gap;
            let left = x - width / 2 + side * (width / 2 + far);
            let lift = if side == 0 { height / 2 + far } else { height / 2 + gap };
            let top = y - height / 2 + level * lift;
            Area { left, top, right: left + width, bottom: top + height }
        };
        let sides = [(1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1)];
        let places = [3, 8, 16, 28, 44].into_iter().flat_map(|gap| sides.map(|side| candidate(gap, side)));
        let free = places.into_iter().find(|area| area.is_inside(&frame) && taken.is_free(*area));
        if let Some(area) = free {
            taken.add(area);
        }
        free
    };
    points.iter().zip(sizes).map(&mut choose).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Rng;

    const FRAME: Area = Area { left: 0, top: 0, right: 400, bottom: 300 };

    #[test]
    fn a_lonely_label_stands_right_of_its_point() {
        let places = place(&[(100, 100)], &[(40, 16)], 5, FRAME);
        assert_eq!(places, [Some(Area { left: 108, top: 92, right: 148, bottom: 108 })]);
    }

    #[test]
    fn labels_overlap_neither_points_nor_one_another_and_stay_in_the_frame() {
        let mut rng = Rng::stream(1, &[]);
        let points: Vec<(i32, i32)> = (0..200).map(|_| (rng.below(400) as i32, rng.below(300) as i32)).collect();
        let places = place(&points, &vec![(50, 16); 200], 4, FRAME);
        let found: Vec<Area> = places.into_iter().flatten().collect();
        assert!((20..200).contains(&found.len()), "{}", found.len());
        for (position, area) in found.iter().enumerate() {
            assert!(area.is_inside(&FRAME));
            assert!(found[position + 1..].iter().all(|other| !area.overlaps(other)));
            for &(x, y) in &points {
                assert!(!area.overlaps(&Area { left: x - 4, top: y - 4, right: x + 4, bottom: y + 4 }));
            }
        }
    }
}
