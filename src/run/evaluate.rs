//! Fixed chains: one chain on every problem, or a list of (problem, chain) pairs.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crossbeam_channel::{RecvTimeoutError, Sender, unbounded};

use super::{
    Progress, RunError,
    fluency::prompt_loss,
    in_flight::{Arrival, InFlight, Settled, asker_of},
};
use crate::problem::{Judge, Prepared, Problem, Target, Verdict};
use cola_engine::{Backend, Completion, Cost, DecodePlan, EngineError, Outcome, Row};
use cola_search::chain::Chain;

/// One problem and one chain.
#[derive(Debug, Clone)]
pub struct Pair {
    /// Index into the problems.
    pub problem: usize,
    /// The chain.
    pub chain: Chain,
}

/// How pairs run.
#[derive(Debug, Clone, Copy)]
pub struct Batching {
    /// Most pairs in flight.
    pub most: usize,
    /// Whether each runs by itself, where no other row can change what comes of it.
    pub isolated: bool,
}

/// What came of a pair.
#[derive(Debug)]
pub struct Evaluated<'a, J> {
    /// The problem's judge.
    pub judge: &'a J,
    /// The problem's rows.
    pub rows: &'a [Arc<Row>],
    /// The outcome of each row.
    pub outcomes: Vec<Outcome>,
    /// The verdict on the right answer.
    pub verdict: Verdict,
    /// Loss on the prompt, nats a token; see [`prompt_loss`](super::prompt_loss).
    pub prompt_loss: Option<f64>,
    /// What it cost.
    pub cost: Cost,
}

/// Evaluates pairs, many at a time.
pub struct Evaluator<'a, P: Problem> {
    backend: &'a dyn Backend,
    problems: &'a [&'a P],
    pairs: &'a [Pair],
    batching: Batching,
    /// Problems with pairs in flight, by their index.
    active: BTreeMap<usize, Active<P::Judge>>,
    /// Evaluations in flight, by the index of their pair.
    in_flight: BTreeMap<usize, InFlight>,
    /// Evaluations that are over.
    ended: usize,
    reply: Sender<Completion>,
}

/// A problem whose rows are registered.
struct Active<J> {
    judge: J,
    rows: Vec<Arc<Row>>,
    decode: Option<DecodePlan>,
    /// Its pairs that are still to come.
    left: usize,
}

impl<'a, P: Problem> Evaluator<'a, P> {
    /// Evaluates `pairs` on `problems`, and calls `done` with the index of each pair and what came of it, or the reason it
    /// failed, in whatever order that becomes known.
    ///
    /// Returns whether it was interrupted: then some were not run.
    ///
    /// # Errors
    /// The device is lost, or `done` fails.
    pub fn run(
        backend: &'a dyn Backend,
        problems: &'a [&'a P],
        pairs: &'a [Pair],
        batching: Batching,
        (interrupt, progress): (&AtomicBool, &mut Progress),
        mut done: impl FnMut(usize, Result<Evaluated<'_, P::Judge>, String>) -> Result<(), RunError>,
    ) -> Result<bool, RunError> {
        let (reply, completions) = unbounded();
        let mut run = Self {
            backend,
            problems,
            pairs,
            batching,
            active: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            ended: 0,
            reply,
        };
        let mut left: BTreeMap<usize, usize> = BTreeMap::new();
        for pair in pairs {
            *left.entry(pair.problem).or_default() += 1;
        }
        progress.start(pairs.len(), 0);
        let mut next = 0;
        let mut interrupted = false;
        while next < pairs.len() || !run.in_flight.is_empty() {
            if interrupt.load(Ordering::Relaxed) {
                interrupted = true;
                break;
            }
            while next < pairs.len() && run.in_flight.len() < run.batching.most.max(1) {
                if let Err(error) = run.begin(next, &left) {
                    progress.recorded(true);
                    done(next, Err(error))?;
                }
                next += 1;
            }
            match completions.recv_timeout(Duration::from_millis(100)) {
                Ok(completion) => run.deliver(completion, progress, &mut done)?,
                Err(RecvTimeoutError::Timeout) => progress.tick(),
                // `run.reply` is alive, so the channel cannot be disconnected.
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // Those whose other pairs are not run any more.
        for active in run.active.values() {
            run.release(active);
        }
        progress.finish(interrupted);
        Ok(interrupted)
    }

    /// Submits a pair. `left`: how many pairs each problem has.
    fn begin(&mut self, at: usize, left: &BTreeMap<usize, usize>) -> Result<(), String> {
        let Pair { problem, chain } = &self.pairs[at];
        if !self.active.contains_key(problem) {
            let Prepared {
                rows,
                decode,
                judge,
            } = self.problems[*problem].prepare()?;
            let rows = self.backend.register_all(rows);
            let active = Active {
                judge,
                rows: rows.map_err(|error| error.to_string())?,
                decode,
                left: left.get(problem).copied().unwrap_or(1),
            };
            self.active.insert(*problem, active);
        }
        let active = &self.active[problem];
        let evaluation = InFlight::new(chain.clone(), active.rows.len(), self.batching.isolated);
        self.submit(at, active, &evaluation);
        self.in_flight.insert(at, evaluation);
        Ok(())
    }

    fn submit(&self, at: usize, active: &Active<P::Judge>, evaluation: &InFlight) {
        let decode = active.decode.as_ref();
        evaluation.submit(self.backend, &active.rows, decode, at, &self.reply);
    }

    fn deliver(
        &mut self,
        completion: Completion,
        progress: &mut Progress,
        done: &mut impl FnMut(usize, Result<Evaluated<'_, P::Judge>, String>) -> Result<(), RunError>,
    ) -> Result<(), RunError> {
        if let Err(error @ (EngineError::Device(_) | EngineError::Stopped)) = completion.result {
            return Err(error.into());
        }
        let (at, row) = asker_of(completion.tag);
        let problem = self.pairs[at].problem;
        let Some(evaluation) = self.in_flight.get_mut(&at) else {
            return Ok(());
        };
        let active = &self.active[&problem];
        let judge = |outcomes: &[Outcome]| active.judge.judge(&active.rows, outcomes, Target::Gold);
        let result = match evaluation.receive(row, completion.result, judge) {
            Arrival::Waiting => return Ok(()),
            Arrival::Again => {
                self.submit(at, active, &self.in_flight[&at]);
                return Ok(());
            }
            Arrival::Done(result) => result,
        };
        let (cost, _) = evaluation.cost();
        self.ended += 1;
        progress.expect((self.pairs.len() - self.ended) as f64);
        progress.evaluated();
        progress.recorded(result.is_err());
        let evaluated = result.map(|Settled { outcomes, judged }| Evaluated {
            judge: &active.judge,
            rows: &active.rows,
            prompt_loss: prompt_loss(&active.rows, &outcomes),
            outcomes,
            verdict: judged.verdict,
            cost,
        });
        done(at, evaluated)?;
        self.in_flight.remove(&at);
        self.end(problem);
        Ok(())
    }

    /// One pair of a problem less; after the last, its rows are released.
    fn end(&mut self, problem: usize) {
        let Some(active) = self.active.get_mut(&problem) else {
            return;
        };
        active.left = active.left.saturating_sub(1);
        if active.left > 0 {
            return;
        }
        if let Some(active) = self.active.remove(&problem) {
            self.release(&active);
        }
    }

    fn release(&self, active: &Active<P::Judge>) {
        for row in &active.rows {
            self.backend.release(row);
        }
    }
}
