//! The product of two matrices, for candle's automatic differentiation.
//!
//! candle's own asks before each product how many cores there are, which reads `/proc/cpuinfo`: for layers as small as these
//! that costs more than the product.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use crate::math::{View, multiply};

/// `a b`, on this thread.
pub(super) fn product(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.apply_op2(b, Product)
}

struct Product;

impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        "product"
    }

    fn cpu_fwd(&self, a: &CpuStorage, a_at: &Layout, b: &CpuStorage, b_at: &Layout) -> Result<(CpuStorage, Shape)> {
        let ((rows, inner), (other, cols)) = (a_at.shape().dims2()?, b_at.shape().dims2()?);
        if inner != other {
            bail!("a product of {rows} x {inner} and {other} x {cols}");
        }
        let mut out = vec![0.0; rows * cols];
        multiply(view(a, a_at)?, view(b, b_at)?, &mut out);
        Ok((CpuStorage::F32(out), Shape::from((rows, cols))))
    }

    /// Of `c = a b` with gradient `g`: `g bᵀ` and `aᵀ g`.
    fn bwd(&self, a: &Tensor, b: &Tensor, _: &Tensor, g: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(g.apply_op2_no_bwd(&b.t()?, self)?), Some(a.t()?.apply_op2_no_bwd(g, self)?)))
    }
}

/// A matrix as it lies in memory, row after row or column after column.
fn view<'a>(numbers: &'a CpuStorage, layout: &Layout) -> Result<View<'a>> {
    let numbers = &numbers.as_slice::<f32>()?[layout.start_offset()..];
    let (rows, cols) = layout.shape().dims2()?;
    match layout.stride() {
        &[stride, 1] if stride >= cols => Ok(View::new(numbers, rows, cols, stride)),
        &[1, stride] if stride >= rows => Ok(View::new(numbers, cols, rows, stride).transposed()),
        strides => bail!("a matrix of {rows} x {cols} with strides {strides:?}"),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;
    use crate::math::Rng;

    fn numbers(tensor: &Tensor) -> Result<Vec<f32>> {
        tensor.flatten_all()?.to_vec1()
    }

    #[test]
    fn products_and_gradients_are_those_of_candle() -> Result<()> {
        let random = |shape: (usize, usize)| {
            let mut rng = Rng::stream(1, &[shape.0 as u64, shape.1 as u64]);
            let numbers: Vec<f32> = (0..shape.0 * shape.1).map(|_| 2.0 * rng.uniform() - 1.0).collect();
            Var::from_tensor(&Tensor::from_vec(numbers, shape, &Device::Cpu)?)
        };
        for (rows, inner, cols) in [(5, 7, 3), (1, 4, 4), (6, 1, 2), (3, 5, 1)] {
            let (a, b, weights) = (random((rows, inner))?, random((cols, inner))?, random((rows, cols))?);
            let ours = product(&a, &b.t()?)?;
            let theirs = a.matmul(&b.t()?)?;
            let gradients = |product: &Tensor| (product * weights.as_tensor())?.sum_all()?.backward();
            let (ours_back, theirs_back) = (gradients(&ours)?, gradients(&theirs)?);
            for (ours, theirs) in [
                (&ours, &theirs),
                (ours_back.get(&a).expect("a"), theirs_back.get(&a).expect("a")),
                (ours_back.get(&b).expect("b"), theirs_back.get(&b).expect("b")),
            ] {
                assert_eq!(ours.dims(), theirs.dims());
                let pairs = numbers(ours)?.into_iter().zip(numbers(theirs)?);
                pairs.for_each(|(ours, theirs)| assert!((ours - theirs).abs() < 1e-5, "{ours} {theirs}"));
            }
        }
        let wide = random((2, 3))?;
        assert!(product(&wide, &wide).is_err());
        Ok(())
    }
}
