//! Random numbers: SplitMix64 (Steele, Lea and Flood, 2014), in streams that are named, not saved.

/// A generator with 64 bits of state.
///
/// A stream is a pure function of a seed and a path (epoch and sentence, or table and row), so that threads, shards
/// and resuming cannot shift it.
#[derive(Debug, Clone)]
pub struct Rng(u64);

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

impl Rng {
    /// The stream of that name.
    pub fn stream(seed: u64, path: &[u64]) -> Self {
        let mut state = mix(seed.wrapping_add(GOLDEN));
        for &part in path {
            state = mix(state.wrapping_add(GOLDEN) ^ mix(part.wrapping_add(GOLDEN)));
        }
        Self(state)
    }

    /// 64 random bits.
    #[allow(clippy::should_implement_trait)] // An endless source, not an iterator; the field's name for this is `next`.
    #[inline(always)]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number below `bound` (Lemire's multiplication; the bias is below `bound` / 2³²); 0 if `bound` is 0.
    #[inline(always)]
    pub fn below(&mut self, bound: u32) -> u32 {
        (((self.next() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// A number from 0 up to but without 1, in steps of 2⁻²⁴.
    #[inline(always)]
    pub fn uniform(&mut self) -> f32 {
        (self.next() >> 40) as f32 * (1.0 / (1u32 << 24) as f32)
    }
}

#[inline(always)]
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ_by_every_part_of_their_name() {
        let first = |seed, path: &[u64]| Rng::stream(seed, path).next();
        assert_eq!(first(1, &[2, 3]), first(1, &[2, 3]));
        let names = [first(1, &[2, 3]), first(2, &[2, 3]), first(1, &[3, 2]), first(1, &[2]), first(1, &[2, 3, 0])];
        for (i, a) in names.iter().enumerate() {
            assert!(names[i + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn numbers_stay_in_range_and_fill_it() {
        let mut rng = Rng::stream(1, &[]);
        let mut seen = [0; 5];
        for _ in 0..5000 {
            seen[rng.below(5) as usize] += 1;
            assert!((0.0..1.0).contains(&rng.uniform()));
        }
        assert!(seen.iter().all(|&count| (900..1100).contains(&count)), "{seen:?}");
    }
}
