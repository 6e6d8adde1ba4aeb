//! Draws from a discrete distribution in constant time: the alias method (Walker, 1977; Vose, 1991).

use super::Rng;

/// A distribution over `0..len`, eight bytes an outcome, so that a small one stays in the cache.
#[derive(Debug, Clone)]
pub struct AliasTable {
    slots: Vec<Slot>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// Of 2³² draws that hit this slot, so many keep it; the others take the alias.
    threshold: u32,
    alias: u32,
}

impl AliasTable {
    /// Outcomes in proportion to their weights, which are finite and not negative; if all are zero, all are equal.
    pub fn new(weights: &[f64]) -> Self {
        let total: f64 = weights.iter().sum();
        let scale = if total > 0.0 { weights.len() as f64 / total } else { 0.0 };
        let mut odds: Vec<f64> = weights.iter().map(|w| if scale > 0.0 { w * scale } else { 1.0 }).collect();
        let mut slots: Vec<_> = (0..odds.len()).map(|i| Slot { threshold: u32::MAX, alias: i as u32 }).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..odds.len()).partition(|&i| odds[i] < 1.0);
        while let (Some(&few), Some(&many)) = (small.last(), large.last()) {
            small.pop();
            slots[few] = Slot { threshold: (odds[few] * 2f64.powi(32)) as u32, alias: many as u32 };
            odds[many] -= 1.0 - odds[few];
            if odds[many] < 1.0 {
                large.pop();
                small.push(many);
            }
        }
        Self { slots }
    }

    /// No outcomes, of which none can be drawn.
    pub const fn nothing() -> Self {
        Self { slots: Vec::new() }
    }

    /// The number of outcomes.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Has it no outcomes?
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// One outcome. One random number serves both choices: its high half the slot, its low half the threshold.
    ///
    /// # Panics
    /// If the table is empty.
    #[inline(always)]
    pub fn draw(&self, rng: &mut Rng) -> u32 {
        let random = rng.next();
        let slot = (((random >> 32) * self.slots.len() as u64) >> 32) as usize;
        let Slot { threshold, alias } = self.slots[slot];
        if (random as u32) < threshold { slot as u32 } else { alias }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_the_weights() {
        let weights = [5.0, 0.0, 1.0, 3.0, 0.5, 0.5];
        let table = AliasTable::new(&weights);
        let mut rng = Rng::stream(7, &[]);
        let mut seen = [0f64; 6];
        for _ in 0..100_000 {
            seen[table.draw(&mut rng) as usize] += 1.0;
        }
        for (seen, weight) in seen.iter().zip(weights) {
            assert!((seen / 10_000.0 - weight).abs() < 0.06, "{seen} draws for weight {weight}");
        }
    }
}
