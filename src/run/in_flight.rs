//! One evaluation in flight: a chain on every row of a problem.
//!
//! ```text
//! submit ──▶ one request a row ──▶ backend ──▶ completions, in any order
//!    ▲                                             │ receive
//!    └──── near-tie: once more, isolated ◀── all are there: judge ──▶ settled
//! ```

use std::sync::Arc;

use crossbeam_channel::Sender;

use crate::problem::Judged;
use cola_engine::{
    Backend, Completion, Cost, DecodePlan, EngineError, Generated, Outcome, Request, Row,
};
use cola_search::chain::Chain;

/// An evaluation that is not known yet.
#[derive(Debug)]
pub struct InFlight {
    chain: Chain,
    isolated: bool,
    outcomes: Vec<Option<Outcome>>,
    missing: usize,
    error: Option<String>,
    cost: Cost,
    runs: u64,
    drafts: Vec<Vec<u32>>,
}

/// What an evaluation came to.
#[derive(Debug, PartialEq)]
pub struct Settled {
    /// Of each row, in their order.
    pub outcomes: Vec<Outcome>,
    /// The verdict on the right answer.
    pub judged: Judged,
}

/// What the outcome of one row means for its evaluation.
#[derive(Debug, PartialEq)]
pub enum Arrival {
    /// Others are missing.
    Waiting,
    /// It was a near-tie: [submit](InFlight::submit) it again; it is isolated now.
    Again,
    /// It is known, or failed for a reason in words.
    Done(Result<Settled, String>),
}

impl InFlight {
    /// An evaluation of `chain` on `rows` rows, which is to be submitted. `isolated`: from the first time on.
    pub fn new(chain: Chain, rows: usize, isolated: bool) -> Self {
        Self {
            chain,
            isolated,
            outcomes: vec![None; rows],
            missing: rows,
            error: None,
            cost: Cost::default(),
            runs: 0,
            drafts: Vec::new(),
        }
    }

    /// The chain.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Whether it runs by itself, where no other row can change what comes of it.
    pub fn is_isolated(&self) -> bool {
        self.isolated
    }

    /// What it cost so far, all runs together, and how many those are.
    pub fn cost(&self) -> (Cost, u64) {
        (self.cost, self.runs)
    }

    /// What the engine learned from it as drafts, of each row; empty if nothing.
    pub fn take_drafts(&mut self) -> Vec<Vec<u32>> {
        std::mem::take(&mut self.drafts)
    }

    /// Submits the chain on every row; completions carry `asker` in their [tags](asker_of).
    pub fn submit(
        &self,
        backend: &dyn Backend,
        rows: &[Arc<Row>],
        decode: Option<&DecodePlan>,
        asker: usize,
        reply: &Sender<Completion>,
    ) {
        for (at, row) in rows.iter().enumerate() {
            let request = Request {
                row: Arc::clone(row),
                chain: self.chain.clone(),
                decode: decode.cloned(),
                isolated: self.isolated,
                tag: tag(asker, at),
            };
            backend.submit(request, reply);
        }
    }

    /// Takes in what came of one row. Once all are there, `judge` says what they are worth.
    pub fn receive(
        &mut self,
        row: usize,
        result: Result<Outcome, EngineError>,
        judge: impl FnOnce(&[Outcome]) -> Result<Judged, String>,
    ) -> Arrival {
        // A completion that is not awaited is none of ours.
        let Some(missing) = self.missing.checked_sub(1) else {
            return Arrival::Waiting;
        };
        self.missing = missing;
        match (result, self.outcomes.get_mut(row)) {
            (Ok(outcome), Some(place)) => *place = Some(outcome),
            (Err(error), _) => drop(self.error.get_or_insert(error.to_string())),
            (Ok(_), None) => {}
        }
        if missing > 0 {
            return Arrival::Waiting;
        }
        let rows = self.outcomes.len();
        let outcomes = std::mem::replace(&mut self.outcomes, vec![None; rows]);
        if let Some(error) = self.error.take() {
            return Arrival::Done(Err(error));
        }
        let outcomes: Vec<Outcome> = outcomes.into_iter().flatten().collect();
        self.runs += 1;
        // The engine learns nothing from what runs isolated.
        if !self.isolated && outcomes.iter().any(|outcome| outcome.generated.is_some()) {
            let drafts = outcomes.iter().map(|outcome| outcome.generated.as_ref());
            let drafts = drafts.map(|generated| generated.map_or(&[][..], Generated::draft));
            self.drafts = drafts.map(<[u32]>::to_vec).collect();
        }
        for outcome in &outcomes {
            self.cost += outcome.cost;
        }
        match judge(&outcomes) {
            Err(error) => Arrival::Done(Err(error)),
            Ok(judged) if judged.near_tie && !self.isolated => {
                self.isolated = true;
                self.missing = rows;
                Arrival::Again
            }
            Ok(judged) => Arrival::Done(Ok(Settled { outcomes, judged })),
        }
    }
}

/// Rows of one evaluation have tags of their own: who asked, and which row.
fn tag(asker: usize, row: usize) -> u64 {
    (row as u64) << ASKER_BITS | asker as u64
}

/// Who asked, and which row, by the tag of a completion.
pub fn asker_of(tag: u64) -> (usize, usize) {
    let asker = tag & ((1 << ASKER_BITS) - 1);
    (asker as usize, (tag >> ASKER_BITS) as usize)
}

/// Far more pairs than any memory holds; a question has at most a few dozen orders.
const ASKER_BITS: u32 = 48;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Verdict;
    use crate::run::fakes::outcome;
    use proptest::prelude::*;

    fn judged(near_tie: bool) -> Judged {
        Judged {
            verdict: Verdict {
                correct: true,
                margin: Some(1.0),
                answer: String::new(),
                values: Vec::new(),
            },
            near_tie,
        }
    }

    fn chain() -> Chain {
        Chain::identity(3)
    }

    #[test]
    fn an_error_is_told_when_nothing_is_outstanding_any_more() {
        let mut evaluation = InFlight::new(chain(), 2, false);
        let judge = |_: &[Outcome]| Ok(judged(false));
        let first = evaluation.receive(0, Err(EngineError::Released), judge);
        assert_eq!(first, Arrival::Waiting);
        let last = evaluation.receive(1, Ok(outcome(1)), judge);
        let told = Err(EngineError::Released.to_string());
        assert_eq!(last, Arrival::Done(told));
    }

    #[test]
    fn a_near_tie_is_run_again_once_and_what_both_runs_cost_is_counted() {
        let mut evaluation = InFlight::new(chain(), 1, false);
        let tie = |_: &[Outcome]| Ok(judged(true));
        assert_eq!(evaluation.receive(0, Ok(outcome(5)), tie), Arrival::Again);
        let last = evaluation.receive(0, Ok(outcome(3)), tie);
        assert!(matches!(last, Arrival::Done(Ok(settled)) if settled.outcomes == [outcome(3)]));
        let (cost, runs) = evaluation.cost();
        assert_eq!((cost.steps_run, runs), (8, 2));
    }

    #[test]
    fn what_is_isolated_from_the_first_is_not_run_again() {
        let mut evaluation = InFlight::new(chain(), 1, true);
        let last = evaluation.receive(0, Ok(outcome(5)), |_| Ok(judged(true)));
        assert!(matches!(last, Arrival::Done(Ok(_))));
    }

    proptest! {
        #[test]
        fn outcomes_are_judged_in_the_order_of_the_rows_however_they_come(
            order in Just((0..6).collect::<Vec<usize>>()).prop_shuffle()
        ) {
            let mut evaluation = InFlight::new(chain(), 6, false);
            for (nth, &row) in order.iter().enumerate() {
                let arrival = evaluation.receive(row, Ok(outcome(row as u64)), |_| Ok(judged(false)));
                match arrival {
                    Arrival::Waiting => prop_assert!(nth < 5),
                    Arrival::Done(Ok(settled)) => {
                        let expected: Vec<Outcome> = (0..6).map(outcome).collect();
                        prop_assert_eq!(settled.outcomes, expected);
                    }
                    other => prop_assert!(false, "{:?}", other),
                }
            }
            let late = evaluation.receive(0, Ok(outcome(0)), |_| Ok(judged(false)));
            prop_assert_eq!(late, Arrival::Waiting);
        }

        #[test]
        fn a_tag_says_who_asked_and_which_row(asker in 0usize..1 << 40, row in 0usize..1000) {
            prop_assert_eq!(asker_of(tag(asker, row)), (asker, row));
        }
    }
}
