//! A checksum of numbers in order that threads can compute in parts.
//!
//! H = Σ xᵢ rⁱ modulo 2^64 with an odd r: one changed number always changes it, and parts add up in any order.

const R: u64 = 0x9e37_79b9_7f4a_7c15;
const R2: u64 = R.wrapping_mul(R);
const R3: u64 = R2.wrapping_mul(R);
const R4: u64 = R3.wrapping_mul(R);

/// The part of the sum that belongs to `values`, the first of which has position `start`.
pub fn part<T: Copy>(values: &[T], start: u64, number: impl Fn(T) -> u64) -> u64 {
    let fours = values.chunks_exact(4);
    let mut sum = fours.remainder().iter().rev().fold(0u64, |sum, &x| sum.wrapping_mul(R).wrapping_add(number(x)));
    for four in fours.rev() {
        let high = number(four[2]).wrapping_mul(R2).wrapping_add(number(four[3]).wrapping_mul(R3));
        let low = number(four[0]).wrapping_add(number(four[1]).wrapping_mul(R));
        sum = sum.wrapping_mul(R4).wrapping_add(low.wrapping_add(high));
    }
    sum.wrapping_mul(power(start))
}

fn power(mut exponent: u64) -> u64 {
    let (mut square, mut product) = (R, 1u64);
    while exponent > 0 {
        if exponent & 1 == 1 {
            product = product.wrapping_mul(square);
        }
        square = square.wrapping_mul(square);
        exponent >>= 1;
    }
    product
}

/// One number from several, each with its length, whose order counts.
pub fn join(parts: &[(u64, u64)]) -> u64 {
    let mut all = 0u64;
    for &(sum, length) in parts {
        for number in [sum, length] {
            all = (all ^ number).wrapping_mul(R4 | 1);
            all ^= all >> 32;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_to_the_whole() {
        let values: Vec<u32> = (0..1003).map(|i| i * 7919 % 1009).collect();
        let whole = part(&values, 0, u64::from);
        for cut in [0, 1, 5, 500, 1003] {
            let (a, b) = values.split_at(cut);
            assert_eq!(part(a, 0, u64::from).wrapping_add(part(b, cut as u64, u64::from)), whole);
        }
        let naive = values.iter().rev().fold(0u64, |sum, &x| sum.wrapping_mul(R).wrapping_add(x.into()));
        assert_eq!(whole, naive);
    }

    #[test]
    fn order_counts() {
        assert_ne!(part(&[1u32, 2], 0, u64::from), part(&[2u32, 1], 0, u64::from));
        assert_ne!(join(&[(1, 2), (3, 4)]), join(&[(3, 4), (1, 2)]));
    }
}
