//! How much a run has still to do.

/// Counts the evaluations to come. What a search takes is known at most, not exactly: it may end early, asks for known chains for
/// nothing, and searches for wrong answers run only where the unmodified model is wrong. What finished samples took of their most
/// is expected of the others too; a sample that has taken that already is expected to take half of what is left to its most.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    /// Evaluations of a search, at most.
    tries: f64,
    /// Samples that are not finished: without controls, and with.
    unfinished: [usize; 2],
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
            most: 0.0,
            taken: 0.0,
            finished: 0,
            wrong: 0,
        }
    }

    /// A sample cannot be asked.
    pub fn skip(&mut self, controlled: bool) {
        let unfinished = &mut self.unfinished[usize::from(controlled)];
        *unfinished = unfinished.saturating_sub(1);
    }

    /// A sample is finished. `wrong`: whether the unmodified model gets it wrong.
    pub fn finish(&mut self, controlled: bool, wrong: bool, evaluations: u64) {
        self.most += self.most_of(controlled, f64::from(u8::from(wrong)));
        self.taken += evaluations as f64;
        self.finished += 1;
        self.wrong += usize::from(wrong);
        self.skip(controlled);
    }

    /// Evaluations to come. `in_flight`: of the samples that are begun, whether they have controls, and the evaluations that are known.
    pub fn left(&self, in_flight: impl Iterator<Item = (bool, u64)>) -> f64 {
        // As if one sample had been right, and another wrong.
        let wrong = (self.wrong + 1) as f64 / (self.finished + 2) as f64;
        // As if one sample had taken its most.
        let one = self.most_of(true, 1.0);
        let share = (self.taken + one) / (self.most + one);
        let expected = [false, true].map(|controlled| self.most_of(controlled, wrong) * share);
        let mut waiting = self.unfinished;
        let mut left = 0.0;
        for (controlled, known) in in_flight {
            let known = known as f64;
            let to_most = (self.most_of(controlled, 1.0) - known) / 2.0;
            let to_expected = expected[usize::from(controlled)] - known;
            left += if to_expected > 0.0 {
                to_expected
            } else {
                to_most
            }
            .max(1.0);
            let waiting = &mut waiting[usize::from(controlled)];
            *waiting = waiting.saturating_sub(1);
        }
        let waiting = waiting.iter().zip(expected);
        left + waiting
            .map(|(&samples, each)| samples as f64 * each.max(1.0))
            .sum::<f64>()
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

    fn left(work: &Workload) -> f64 {
        work.left(std::iter::empty())
    }

    #[test]
    fn what_is_left_shrinks_to_nothing_and_follows_what_samples_take() {
        let mut work = Workload::new(100, [0, 40]);
        let first = left(&work);
        assert!((40.0 * 102.0..=40.0 * 402.0).contains(&first), "{first}");
        let mut last = first;
        for sample in 0..40 {
            work.finish(true, sample % 2 == 0, 150);
            assert!(left(&work) < last);
            last = left(&work);
            if sample == 19 {
                let error = last / (20.0 * 150.0);
                assert!((0.85..1.25).contains(&error), "{error}");
            }
        }
        assert_eq!(last, 0.0);
    }

    #[test]
    fn evaluations_of_unfinished_samples_are_done() {
        let work = Workload::new(10, [5, 0]);
        assert_eq!(
            work.left([(false, 7), (false, 0)].into_iter()),
            left(&work) - 7.0
        );
    }

    #[test]
    fn a_sample_that_takes_longer_than_others_is_not_done_for_that() {
        let mut work = Workload::new(100, [0, 2]);
        work.finish(true, false, 30);
        let hard = work.left([(true, 200)].into_iter());
        assert_eq!(hard, (402.0 - 200.0) / 2.0);
    }
}
