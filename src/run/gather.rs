//! The outcomes of one evaluation: one for each row of its sample, in whatever order they come.

use cola_engine::{Cost, EngineError, Outcome};

/// Outcomes as they come in.
#[derive(Debug, Default)]
pub struct Gathering {
    outcomes: Vec<Option<Outcome>>,
    missing: usize,
    error: Option<String>,
}

impl Gathering {
    /// Of an evaluation that asks `rows` rows.
    pub fn of(rows: usize) -> Self {
        Self {
            outcomes: vec![None; rows],
            missing: rows,
            error: None,
        }
    }

    /// Takes one in; once all are, all of them, or the first error. One that is not awaited is ignored.
    pub fn take(
        &mut self,
        row: usize,
        result: Result<Outcome, EngineError>,
    ) -> Option<Result<Vec<Outcome>, String>> {
        self.missing = self.missing.checked_sub(1)?;
        match (result, self.outcomes.get_mut(row)) {
            (Ok(outcome), Some(place)) => *place = Some(outcome),
            (Err(error), _) => drop(self.error.get_or_insert(error.to_string())),
            (Ok(_), None) => {}
        }
        if self.missing > 0 {
            return None;
        }
        let outcomes = std::mem::take(&mut self.outcomes);
        Some(match self.error.take() {
            Some(error) => Err(error),
            None => Ok(outcomes.into_iter().flatten().collect()),
        })
    }
}

/// What outcomes cost together.
pub fn cost_of(outcomes: &[Outcome]) -> Cost {
    let mut cost = Cost::default();
    for outcome in outcomes {
        cost += outcome.cost;
    }
    cost
}

/// Rows of one evaluation have tags of their own: who asked, and which row.
pub fn tag(asker: usize, row: usize) -> u64 {
    (row as u64) << ASKER_BITS | asker as u64
}

/// Who asked, and which row.
pub fn untag(tag: u64) -> (usize, usize) {
    let asker = tag & ((1 << ASKER_BITS) - 1);
    (asker as usize, (tag >> ASKER_BITS) as usize)
}

/// Far more pairs than any memory holds; a question has at most a few dozen orders.
const ASKER_BITS: u32 = 48;

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(steps: u64) -> Outcome {
        Outcome {
            readings: Vec::new(),
            generated: None,
            lead: f64::INFINITY,
            cost: Cost {
                steps_run: steps,
                ..Cost::default()
            },
        }
    }

    #[test]
    fn outcomes_are_given_in_the_order_of_the_rows_once_all_are_there() {
        let mut gathering = Gathering::of(3);
        assert!(gathering.take(2, Ok(outcome(2))).is_none());
        assert!(gathering.take(0, Ok(outcome(0))).is_none());
        let all = gathering.take(1, Ok(outcome(1))).unwrap().unwrap();
        assert_eq!(all, [outcome(0), outcome(1), outcome(2)]);
        assert_eq!(cost_of(&all).steps_run, 3);
        assert!(gathering.take(1, Ok(outcome(1))).is_none());
    }

    #[test]
    fn an_error_is_told_when_nothing_is_outstanding_any_more() {
        let mut gathering = Gathering::of(2);
        assert!(gathering.take(0, Err(EngineError::Released)).is_none());
        let told = gathering.take(1, Ok(outcome(1))).unwrap();
        assert_eq!(told, Err(EngineError::Released.to_string()));
    }

    #[test]
    fn a_tag_says_who_asked_and_which_row() {
        for (asker, row) in [(0, 0), (5, 0), (0, 7), (123_456_789, 25)] {
            assert_eq!(untag(tag(asker, row)), (asker, row));
        }
    }
}
