//! The phases of a sample's [lanes](super::lane).

use std::collections::VecDeque;

use super::{
    ControlOutcome, RandomOutcome, assessed::Reached, findings::keep_shortest, fluency::Fluency,
    sampling::Draws,
};
use cola_search::{Strategy, chain::Chain};

/// What a lane is at.
pub enum Phase {
    /// The unmodified model: what every chain is compared with.
    Baseline {
        is_known: bool,
    },
    Search(Box<dyn Strategy>),
    /// Right chains yet to be run again, shortest first.
    Confirm(VecDeque<Chain>),
    Random(Box<dyn Strategy>, RandomOutcome),
    Matched(WrongSearch),
    Drawn(WrongSearch),
    /// Answers drawn from the unmodified model.
    Sampling(Draws),
    Over,
}

impl Phase {
    /// Its name in the evaluation log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Baseline { .. } => "baseline",
            Self::Search(_) => "search",
            Self::Confirm(_) => "confirm",
            Self::Random(..) => "random",
            Self::Matched(_) => "matched",
            Self::Drawn(_) => "drawn",
            Self::Sampling(_) => "sampling",
            Self::Over => "over",
        }
    }
}

/// A search for a wrong answer.
pub struct WrongSearch {
    pub strategy: Box<dyn Strategy>,
    pub outcome: ControlOutcome,
}

impl WrongSearch {
    /// Tells it what a chain came to, of which `reached` is the verdict on its answer.
    pub fn heed(
        &mut self,
        chain: Chain,
        reached: Option<Reached>,
        fluency: Fluency,
        loss: Option<f64>,
    ) -> Result<(), String> {
        let reached = reached.ok_or("there is no verdict on the wrong answer")?;
        let feedback = fluency.feedback(reached, loss);
        self.strategy.tell(&chain, feedback);
        self.outcome.chains += 1;
        keep_shortest(&mut self.outcome.found, &chain, feedback.correct);
        Ok(())
    }
}
