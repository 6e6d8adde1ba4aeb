//! The contract of everything that learns from rows: parameters fit, models transform.
//!
//! Parameters are plain structs with public fields; `fit` validates them and gives another type, the model. A model that
//! was not fitted can therefore not be used.

use crate::error::Result;
use crate::math::Matrix;

/// Parameters that learn a model from data.
pub trait Fit<X: ?Sized> {
    /// What is learnt.
    type Model;

    /// Learns from `x`, without regard to anything learnt before.
    ///
    /// # Errors
    /// If a parameter is out of range, or the data are empty, not finite or too few.
    fn fit(&self, x: &X) -> Result<Self::Model>;
}

/// A model that maps data to rows.
pub trait Transform<X: ?Sized> {
    /// A row for each row of `x`.
    ///
    /// # Errors
    /// If `x` has another number of columns than the model learnt from.
    fn transform(&self, x: &X) -> Result<Matrix>;
}
