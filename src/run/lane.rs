//! One of the things that are done for a sample side by side, with one evaluation outstanding at a time.

use super::{assessed::Assessed, evaluation_log::Logged, in_flight::InFlight, phase::Phase};
use cola_engine::DecodePlan;
use cola_search::{Ask, Strategy, chain::Chain};

/// A chain that a phase wants to be told of.
#[derive(Debug)]
pub struct Wanted {
    pub chain: Chain,
    /// Whether only what runs isolated will do.
    isolated: bool,
    /// How to draw its answer; `None` if it is not drawn.
    draw: Option<DecodePlan>,
}

impl Wanted {
    /// Whether what is known of the chain already will do.
    pub fn may_be_known(&self) -> bool {
        !self.isolated && self.draw.is_none()
    }
}

/// One phase after another.
pub struct Lane {
    pub phase: Phase,
    /// What the phase wants to be told next: it is outstanding, or deferred, or another lane runs it.
    wanted: Option<Wanted>,
    /// The evaluation that is to be submitted, or is.
    pub outstanding: Option<InFlight>,
    is_submitted: bool,
    /// What the wanted chain came to, if that is near the bound on degradation and waits for what the unmodified model gives
    /// isolated.
    pub deferred: Option<Assessed>,
    /// Why it ended before its time.
    pub error: Option<String>,
}

impl Lane {
    /// A lane that begins with a phase.
    pub fn new(phase: Phase) -> Self {
        Self {
            phase,
            wanted: None,
            outstanding: None,
            is_submitted: false,
            deferred: None,
            error: None,
        }
    }

    /// Whether it has no phase any more. An evaluation may be outstanding still.
    pub fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Whether nothing more comes of it.
    pub fn is_over(&self) -> bool {
        self.is_ended() && self.outstanding.is_none()
    }

    /// Whether it can go on.
    pub fn is_free(&self) -> bool {
        !self.is_ended() && self.outstanding.is_none() && self.deferred.is_none()
    }

    /// Whether the answer of what it wants is drawn.
    pub fn is_draw(&self) -> bool {
        self.wanted
            .as_ref()
            .is_some_and(|wanted| wanted.draw.is_some())
    }

    /// What the phase wants next; `None` where it ends. `plan` and `seed`: how the sample's answers are generated, and its seed.
    pub fn want(
        &mut self,
        plan: Option<&DecodePlan>,
        seed: u64,
        identity: impl Fn() -> Chain,
    ) -> Option<Wanted> {
        if let Some(wanted) = self.wanted.take() {
            return Some(wanted);
        }
        let (chain, isolated, draw) = match &mut self.phase {
            Phase::Over => return None,
            Phase::Sampling(draws) => (identity(), false, Some(draws.next(plan, seed)?)),
            Phase::Baseline { is_known: true } => return None,
            Phase::Baseline { is_known: false } => (identity(), false, None),
            Phase::Confirm(candidates) => (candidates.pop_front()?, true, None),
            Phase::Search(strategy) | Phase::Random(strategy, _) => {
                (ask(strategy.as_mut())?, false, None)
            }
            Phase::Matched(search) | Phase::Drawn(search) => {
                (ask(search.strategy.as_mut())?, false, None)
            }
        };
        Some(Wanted {
            chain,
            isolated,
            draw,
        })
    }

    /// Waits until another lane has run what it wants.
    pub fn wait_for(&mut self, wanted: Wanted) {
        self.wanted = Some(wanted);
    }

    /// Runs what it wants on `rows` rows.
    pub fn run(&mut self, wanted: Wanted, rows: usize) {
        self.outstanding = Some(InFlight::new(wanted.chain.clone(), rows, wanted.isolated));
        self.is_submitted = false;
        self.wanted = Some(wanted);
    }

    /// Runs a chain isolated that the wanted one is compared with.
    pub fn run_for_another(&mut self, chain: Chain, rows: usize) {
        self.outstanding = Some(InFlight::new(chain, rows, true));
        self.is_submitted = false;
    }

    /// Whether it is finding out what others may ask of a chain too.
    pub fn runs(&self, chain: &Chain) -> bool {
        let is_running = self.outstanding.is_some() || self.deferred.is_some();
        let wanted = self.wanted.as_ref().filter(|_| is_running);
        wanted.is_some_and(|wanted| wanted.may_be_known() && wanted.chain == *chain)
    }

    /// The evaluation that is to be submitted now, if one is, and how to draw its answer.
    pub fn take_due(&mut self) -> Option<(&InFlight, Option<&DecodePlan>)> {
        let evaluation = self.outstanding.as_ref().filter(|_| !self.is_submitted)?;
        self.is_submitted = true;
        let draw = self.wanted.as_ref().and_then(|wanted| wanted.draw.as_ref());
        Some((evaluation, draw))
    }

    /// The evaluation is to be submitted once more.
    pub fn submit_again(&mut self) {
        self.is_submitted = false;
    }

    /// Whether it waits for this evaluation of its phase.
    pub fn wants(&self, logged: &Logged) -> bool {
        match (&self.outstanding, &self.wanted) {
            (Some(evaluation), _) => {
                let ran_as_wanted = logged.isolated || !evaluation.is_isolated();
                *evaluation.chain() == logged.chain && ran_as_wanted
            }
            (None, Some(wanted)) => self.deferred.is_none() && wanted.chain == logged.chain,
            (None, None) => false,
        }
    }

    /// The chain that it waits for, and in which phase.
    pub fn wanted_chain(&self) -> Option<(&Chain, &'static str)> {
        let outstanding = self.outstanding.as_ref().map(InFlight::chain);
        let wanted = self.wanted.as_ref().map(|wanted| &wanted.chain);
        Some((outstanding.or(wanted)?, self.phase.name()))
    }

    /// What it wanted, which is known now.
    pub fn take_wanted(&mut self) -> Option<Wanted> {
        self.wanted.take()
    }

    /// Ends it. What is submitted is still to be received.
    pub fn end(&mut self) {
        self.phase = Phase::Over;
        self.wanted = None;
        self.deferred = None;
        self.outstanding = self.outstanding.take().filter(|_| self.is_submitted);
    }
}

fn ask(strategy: &mut dyn Strategy) -> Option<Chain> {
    match strategy.ask() {
        Ask::Evaluate(chain) => Some(chain),
        // With nothing outstanding there is nothing to wait for.
        Ask::Wait | Ask::Done => None,
    }
}
