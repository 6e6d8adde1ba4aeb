//! L-BFGS: a quasi-Newton step from the last few gradients (Nocedal and Wright, 2006, algorithms 7.4 and 7.5).

use std::collections::VecDeque;

/// Steps that the direction is made from.
const MEMORY: usize = 10;
/// The share of what the slope promises that a step must fall by.
const FALL: f64 = 1e-4;
/// How often a step is halved.
const TRIES: usize = 30;

/// A step, the change of the gradient over it, and their product.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    curvature: f64,
}

/// Makes a smooth convex function small: `of` gives its value and writes its gradient. Ends when no part of the gradient is
/// above `tolerance`, when no step helps, or after `iterations`; returns how many there were.
pub(super) fn minimize(
    at: &mut Vec<f64>,
    tolerance: f64,
    iterations: usize,
    mut of: impl FnMut(&[f64], &mut [f64]) -> f64,
) -> usize {
    let mut gradient = vec![0.0; at.len()];
    let (mut next, mut next_gradient) = (at.clone(), gradient.clone());
    let mut value = of(at, &mut gradient);
    let mut pairs: VecDeque<Pair> = VecDeque::with_capacity(MEMORY);
    for done in 0..iterations {
        if gradient.iter().all(|g| g.abs() <= tolerance) {
            return done;
        }
        let direction = direction(&gradient, &pairs);
        let slope = dot(&gradient, &direction);
        // The first step has no scale to go by.
        let mut length = if pairs.is_empty() { 1.0 / dot(&gradient, &gradient).sqrt().max(1.0) } else { 1.0 };
        let mut tries = 0..TRIES;
        let fallen = loop {
            next.iter_mut().zip(&*at).zip(&direction).for_each(|((next, x), d)| *next = x + length * d);
            let next_value = of(&next, &mut next_gradient);
            if next_value <= value + FALL * length * slope {
                break next_value;
            }
            length /= 2.0;
            if tries.next().is_none() {
                return done;
            }
        };
        let difference = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>();
        let (step, change) = (difference(&next, at), difference(&next_gradient, &gradient));
        let curvature = dot(&step, &change);
        // Positive for a convex function, but for rounding.
        if curvature > 0.0 {
            if pairs.len() == MEMORY {
                pairs.pop_front();
            }
            pairs.push_back(Pair { step, change, curvature });
        }
        std::mem::swap(at, &mut next);
        std::mem::swap(&mut gradient, &mut next_gradient);
        value = fallen;
    }
    iterations
}

/// Minus the gradient times an approximation of the inverse Hessian.
fn direction(gradient: &[f64], pairs: &VecDeque<Pair>) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut factors = Vec::with_capacity(pairs.len());
    for pair in pairs.iter().rev() {
        let factor = dot(&pair.step, &direction) / pair.curvature;
        direction.iter_mut().zip(&pair.change).for_each(|(d, change)| *d -= factor * change);
        factors.push(factor);
    }
    if let Some(last) = pairs.back() {
        let scale = last.curvature / dot(&last.change, &last.change);
        direction.iter_mut().for_each(|d| *d *= scale);
    }
    for (pair, factor) in pairs.iter().zip(factors.into_iter().rev()) {
        let factor = factor - dot(&pair.change, &direction) / pair.curvature;
        direction.iter_mut().zip(&pair.step).for_each(|(d, step)| *d += factor * step);
    }
    direction
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bottom_of_a_long_valley_is_found() {
        // Σ wᵢ (xᵢ − i)² / 2 with weights from 1 to 100.
        let weight = |at: usize| 10f64.powf(at as f64 / 10.0);
        let mut at = vec![50.0; 21];
        let done = minimize(&mut at, 1e-8, 200, |x, gradient| {
            let slopes = x.iter().enumerate().map(|(at, x)| weight(at) * (x - at as f64));
            gradient.iter_mut().zip(slopes).for_each(|(g, slope)| *g = slope);
            x.iter().zip(gradient).enumerate().map(|(at, (x, g))| *g * (x - at as f64) / 2.0).sum()
        });
        assert!(done < 200, "{done}");
        assert!(at.iter().enumerate().all(|(place, x)| (x - place as f64).abs() < 1e-7), "{at:?}");
    }
}
