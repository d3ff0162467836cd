//! Python's `random.Random(seed).sample`, which lm-evaluation-harness draws its few-shot examples with.
//!
//! The generator is MT19937 (Matsumoto and Nishimura 1998), seeded by their `init_by_array`.

use std::collections::HashSet;

use mt19937::MT19937;
use rand::Rng;

/// Python's random number generator.
#[derive(Debug)]
pub struct PythonRandom(MT19937);

impl PythonRandom {
    /// `random.Random(seed)`.
    pub fn new(seed: u32) -> Self {
        PythonRandom(MT19937::new_with_slice_seed(&[seed]))
    }

    fn word(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// A uniform integer below `bound`. As in Python, as many bits as `bound` has are drawn until their
    /// value is below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        let bits = (usize::BITS - bound.leading_zeros()).clamp(1, 32);
        loop {
            let draw = (self.word() >> (32 - bits)) as usize;
            if draw < bound {
                return draw;
            }
        }
    }

    /// The indices that `sample(range(population), count)` picks. `count` is at most `population`, which is
    /// below 2^32.
    pub fn sample(&mut self, population: usize, count: usize) -> Vec<usize> {
        // As in Python, a small population is copied and shuffled; for a larger one the indices already
        // picked are remembered.
        let mut set_size = 21;
        if count > 5 {
            set_size += 4usize.pow((count as f64 * 3.0).log(4.0).ceil() as u32);
        }
        if population <= set_size {
            let mut pool: Vec<usize> = (0..population).collect();
            return (0..count)
                .map(|i| {
                    let at = self.below(population - i);
                    let picked = pool[at];
                    pool[at] = pool[population - i - 1];
                    picked
                })
                .collect();
        }
        let mut picked = HashSet::new();
        let mut in_order = Vec::with_capacity(count);
        while in_order.len() < count {
            let at = self.below(population);
            if picked.insert(at) {
                in_order.push(at);
            }
        }
        in_order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected values: CPython 3.11, random.Random(seed).
    #[test]
    fn the_words_are_pythons() {
        let mut random = PythonRandom::new(1234);
        assert_eq!(
            [random.word(), random.word(), random.word()],
            [4150886329, 3342196574, 1892932127]
        );
        let mut random = PythonRandom::new(7);
        assert_eq!((0..701).map(|_| random.word()).last(), Some(2724896942));
    }

    #[test]
    fn the_samples_are_pythons() {
        let mut random = PythonRandom::new(1234);
        for expected in [
            [6374, 3610, 957, 61, 742],
            [7462, 6610, 4769, 286, 5501],
            [5677, 687, 806, 6279, 2905],
        ] {
            assert_eq!(random.sample(7473, 5), expected);
        }
        let mut random = PythonRandom::new(1234);
        for expected in [[7, 1, 0, 9], [9, 0, 1, 8]] {
            assert_eq!(random.sample(10, 4), expected);
        }
        assert_eq!(random.sample(100, 8), [98, 45, 30, 2, 3, 44, 82, 79]);
    }
}
