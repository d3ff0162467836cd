//! How much a run has still to do.

/// Counts the evaluations to come. What a search takes is known at most, not exactly: it may end early, asks for known chains for
/// nothing, and searches for wrong answers run only where the unmodified model is wrong. What finished samples took of their most
/// is expected of the others too.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    /// Evaluations of a search, at most.
    tries: f64,
    /// Samples that are not finished: without controls, and with.
    unfinished: [usize; 2],
    /// Evaluations of samples that are not finished.
    in_flight: u64,
    /// Of finished samples: evaluations at most, and those that they took.
    most: f64,
    taken: f64,
    /// Finished samples, and those of them that the unmodified model gets wrong.
    finished: usize,
    wrong: usize,
}

impl Workload {
    /// Of so many samples without controls and with them, and searches of at most so many evaluations.
    pub fn new(tries: usize, [plain, controlled]: [usize; 2]) -> Self {
        Self {
            tries: tries as f64,
            unfinished: [plain, controlled],
            in_flight: 0,
            most: 0.0,
            taken: 0.0,
            finished: 0,
            wrong: 0,
        }
    }

    /// So many evaluations more.
    pub fn evaluated(&mut self, evaluations: u64) {
        self.in_flight += evaluations;
    }

    /// A sample is finished. `wrong`: whether the unmodified model gets it wrong.
    pub fn finish(&mut self, controlled: bool, wrong: bool, evaluations: u64) {
        self.most += self.most_of(controlled, f64::from(u8::from(wrong)));
        self.taken += evaluations as f64;
        self.finished += 1;
        self.wrong += usize::from(wrong);
        self.in_flight = self.in_flight.saturating_sub(evaluations);
        let unfinished = &mut self.unfinished[usize::from(controlled)];
        *unfinished = unfinished.saturating_sub(1);
    }

    /// Evaluations to come.
    pub fn left(&self) -> f64 {
        // As if one sample had been right, and another wrong.
        let wrong = (self.wrong + 1) as f64 / (self.finished + 2) as f64;
        let expected = [false, true].map(|controlled| {
            self.unfinished[usize::from(controlled)] as f64 * self.most_of(controlled, wrong)
        });
        // As if one sample had taken its most.
        let one = self.most_of(true, 1.0);
        let share = (self.taken + one) / (self.most + one);
        let samples: usize = self.unfinished.iter().sum();
        let left = expected.iter().sum::<f64>() * share - self.in_flight as f64;
        left.max(samples as f64)
    }

    /// The unmodified model, the search and the best chain once more; with controls random chains, and where the unmodified model is
    /// wrong searches for two wrong answers.
    fn most_of(&self, controlled: bool, wrong: f64) -> f64 {
        let controls = match controlled {
            true => self.tries * (1.0 + 2.0 * wrong),
            false => 0.0,
        };
        2.0 + self.tries + controls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_shrinks_to_nothing_and_follows_what_samples_take() {
        let mut work = Workload::new(100, [0, 40]);
        let first = work.left();
        assert!((40.0 * 102.0..=40.0 * 402.0).contains(&first), "{first}");
        let mut last = first;
        for sample in 0..40 {
            work.evaluated(150);
            work.finish(true, sample % 2 == 0, 150);
            assert!(work.left() < last);
            last = work.left();
            if sample == 19 {
                let error = last / (20.0 * 150.0);
                assert!((0.85..1.25).contains(&error), "{error}");
            }
        }
        assert_eq!(work.left(), 0.0);
    }

    #[test]
    fn evaluations_of_unfinished_samples_are_done() {
        let mut work = Workload::new(10, [5, 0]);
        let before = work.left();
        work.evaluated(7);
        assert_eq!(work.left(), before - 7.0);
    }
}
