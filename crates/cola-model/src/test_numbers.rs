//! Numbers for tests: drawn at random, and the same in every run.

use std::cell::RefCell;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::Tensor;

thread_local! {
    /// Generator of one thread. Each test runs in a thread of its own, so it draws the same numbers
    /// in every run.
    static RANDOM: RefCell<ChaCha8Rng> = RefCell::new(ChaCha8Rng::seed_from_u64(1));
}

/// Numbers about as large as normal ones: sums of four uniform draws with variance 1.
pub fn random(shape: &[i64]) -> Tensor {
    let count = shape.iter().product::<i64>() as usize;
    let draw = |random: &mut ChaCha8Rng| -> f32 {
        let uniform = (0..4).map(|_| random.random_range(-1.0f32..1.0));
        uniform.sum::<f32>() * 0.75f32.sqrt()
    };
    let numbers: Vec<f32> =
        RANDOM.with_borrow_mut(|random| (0..count).map(|_| draw(random)).collect());
    Tensor::from_slice(&numbers).reshape(shape)
}
