//! The exponential function on vectors.
//!
//! In all kernels the functions that handle vectors are inlined, because a function that is not
//! inlined is compiled without the processor's vector instructions.

use pulp::Simd;

/// `e^x` within two units in the last place for x from -87 to 88; beyond, the value at the nearer
/// end. NaN and infinities give NaN.
#[inline(always)]
pub fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let inside = simd.min_f32s(
        simd.max_f32s(x, simd.splat_f32s(-87.0)),
        simd.splat_f32s(88.0),
    );
    // Adding 1.5 * 2^23 leaves the nearest integer to x / ln 2 in the low bits.
    let shift = simd.splat_f32s(12_582_912.0);
    let shifted = simd.mul_add_e_f32s(inside, simd.splat_f32s(std::f32::consts::LOG2_E), shift);
    let power = simd.sub_f32s(shifted, shift);
    // ln 2 in two parts, so that the rest is exact.
    let rest = simd.mul_add_e_f32s(power, simd.splat_f32s(-0.693_359_4), inside);
    let rest = simd.mul_add_e_f32s(power, simd.splat_f32s(2.121_944_4e-4), rest);
    // e^rest = 1 + rest + rest^2 p(rest) on [-ln 2 / 2, ln 2 / 2]: the coefficients are Taylor's,
    // the last two adjusted.
    let mut p = simd.splat_f32s(1.987_569_1e-4);
    for coefficient in [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        5.0e-1,
    ] {
        p = simd.mul_add_e_f32s(p, rest, simd.splat_f32s(coefficient));
    }
    let value = simd.mul_add_e_f32s(p, simd.mul_f32s(rest, rest), rest);
    let value = simd.add_f32s(value, simd.splat_f32s(1.0));
    // Multiplies by 2^power, by adding to the exponent.
    let exponent = simd.wrapping_dyn_shl_u32s(
        simd.transmute_u32s_f32s(shifted),
        simd.splat_u32s(f32::MANTISSA_DIGITS - 1),
    );
    let scaled = simd.add_u32s(simd.transmute_u32s_f32s(value), exponent);
    // Zero if x is finite, else NaN.
    let not_finite = simd.sub_f32s(x, x);
    simd.add_f32s(simd.transmute_f32s_u32s(scaled), not_finite)
}

#[cfg(test)]
mod tests {
    use pulp::{Arch, Scalar, WithSimd};

    use super::*;

    struct All<'a>(&'a mut [f32]);

    impl WithSimd for All<'_> {
        type Output = ();

        fn with_simd<S: Simd>(self, simd: S) {
            let (vectors, rest) = S::as_mut_simd_f32s(self.0);
            assert!(rest.is_empty());
            for vector in vectors {
                *vector = exp(simd, *vector);
            }
        }
    }

    #[test]
    fn it_is_the_exponential_function() {
        let inputs: Vec<f32> = (-87_000..88_000)
            .step_by(7)
            .map(|x| x as f32 / 1000.0)
            .collect();
        let inputs = &inputs[..inputs.len() / 64 * 64];
        let (mut fast, mut scalar) = (inputs.to_vec(), inputs.to_vec());
        Arch::new().dispatch(All(&mut fast));
        All(&mut scalar).with_simd(Scalar);
        for (x, y) in inputs.iter().zip(fast.iter().chain(&scalar)) {
            let exact = f64::from(*x).exp();
            assert!(
                (f64::from(*y) / exact - 1.0).abs() < 3e-7,
                "e^{x}: {y}, not {exact}"
            );
        }
    }

    #[test]
    fn the_ends_are_held_and_what_is_no_number_stays_so() {
        let mut values = [0.0; 64];
        values[..5].copy_from_slice(&[0.0, -200.0, 200.0, f32::NAN, f32::INFINITY]);
        Arch::new().dispatch(All(&mut values));
        assert_eq!(values[0], 1.0);
        assert!(values[1] > 0.0 && values[1] < 2e-38);
        assert!(values[2] > 1e38 && values[2].is_finite());
        assert!(values[3].is_nan() && values[4].is_nan());
    }
}
