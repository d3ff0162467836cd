//! Fixed chains: one chain on every sample, or a list of (sample, chain) pairs.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use crossbeam_channel::{Sender, unbounded};
use std::sync::Arc;

use super::{
    Progress, RunError,
    gather::{Gathering, cost_of, tag, untag},
};
use crate::prepare::{Answer, PreparedSample, PromptLayout, Target, Verdict};
use cola_engine::{Completion, Cost, Engine, EngineError, Row};
use cola_search::chain::Chain;
use lm_tasks::Sample;

/// One (sample, chain) to evaluate.
#[derive(Debug, Clone)]
pub struct Pair {
    /// Index into the samples.
    pub sample: usize,
    /// The chain.
    pub chain: Chain,
}

/// What came of a pair.
#[derive(Debug, Clone)]
pub struct Evaluated {
    /// What the chain answered to the question in the task's own order.
    pub answer: Answer,
    /// And to its rotations.
    pub rotated: Vec<Answer>,
    /// The verdict on the gold answer.
    pub verdict: Verdict,
    /// What it cost.
    pub cost: Cost,
}

/// Evaluates pairs, many at a time.
pub struct Evaluator<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// How samples are put to the model.
    pub asking: &'a PromptLayout,
    /// Most pairs in flight.
    pub in_flight: usize,
}

/// A registered sample and how many of its pairs are still to come.
struct Active {
    probe: PreparedSample,
    rows: Vec<Arc<Row>>,
}

impl Evaluator<'_> {
    /// Results in the order of `pairs`; a pair that failed has the reason. `None` for what was not
    /// run when `interrupt` was set.
    pub fn run(
        &self,
        samples: &[Sample],
        pairs: &[Pair],
        interrupt: &AtomicBool,
        progress: &mut Progress,
    ) -> Result<Vec<Option<Result<Evaluated, String>>>, RunError> {
        let mut results: Vec<Option<Result<Evaluated, String>>> = vec![None; pairs.len()];
        let mut left: BTreeMap<usize, usize> = BTreeMap::new();
        for pair in pairs {
            *left.entry(pair.sample).or_default() += 1;
        }
        let mut active: BTreeMap<usize, Active> = BTreeMap::new();
        let mut gathering: BTreeMap<usize, Gathering> = BTreeMap::new();
        // Pairs asked again, alone, and what the first time cost.
        let mut near_ties: BTreeMap<usize, Cost> = BTreeMap::new();
        let (reply, completions) = unbounded();
        let (mut next, mut outstanding) = (0, 0);
        progress.start(pairs.len(), 0);
        let more = |next| next < pairs.len() && !interrupt.load(Ordering::Relaxed);
        while more(next) || outstanding > 0 {
            while more(next) && outstanding < self.in_flight.max(1) {
                let pair = &pairs[next];
                match self.activate(&mut active, &samples[pair.sample], pair.sample) {
                    Ok(active) => {
                        gathering.insert(next, Gathering::of(active.rows.len()));
                        self.submit(active, &pair.chain, false, next, &reply);
                        outstanding += 1;
                    }
                    Err(error) => {
                        results[next] = Some(Err(error));
                        progress.recorded(true);
                    }
                }
                next += 1;
            }
            if outstanding == 0 {
                continue;
            }
            // `reply` is alive, so the channel cannot be disconnected.
            let Ok(completion) = completions.recv() else {
                break;
            };
            if let Err(error @ (EngineError::Device(_) | EngineError::Stopped)) = completion.result
            {
                return Err(error.into());
            }
            let (at, row) = untag(completion.tag);
            let gathered = gathering.get_mut(&at);
            let Some(result) = gathered.and_then(|g| g.take(row, completion.result)) else {
                continue;
            };
            gathering.remove(&at);
            let sample = pairs[at].sample;
            let asked = &active[&sample];
            let probe = &asked.probe;
            let judged = result.and_then(|outcomes| {
                let mut answers = probe
                    .answers(&asked.rows, &outcomes)
                    .map_err(|error| error.to_string())?;
                let mut cost = cost_of(&outcomes);
                if probe.is_near_tie(&outcomes, &answers) && near_ties.insert(at, cost).is_none() {
                    return Ok(None);
                }
                cost += near_ties.remove(&at).unwrap_or_default();
                let verdict = probe.verdict(&answers, &Target::Gold);
                let rotated = answers.split_off(answers.len().min(1));
                Ok(answers.pop().map(|answer| Evaluated {
                    answer,
                    rotated,
                    verdict,
                    cost,
                }))
            });
            let judged = match judged {
                Ok(None) => {
                    gathering.insert(at, Gathering::of(asked.rows.len()));
                    self.submit(asked, &pairs[at].chain, true, at, &reply);
                    continue;
                }
                Ok(Some(evaluated)) => Ok(evaluated),
                Err(error) => Err(error),
            };
            outstanding -= 1;
            progress.evaluated();
            progress.recorded(judged.is_err());
            results[at] = Some(judged);
            if let Some(count) = left.get_mut(&sample) {
                *count -= 1;
                if *count == 0
                    && let Some(done) = active.remove(&sample)
                {
                    for row in &done.rows {
                        self.engine.release(row);
                    }
                }
            }
        }
        progress.finish(results.iter().any(Option::is_none));
        Ok(results)
    }

    /// Submits a chain on every row of a sample.
    fn submit(
        &self,
        asked: &Active,
        chain: &Chain,
        isolated: bool,
        pair: usize,
        reply: &Sender<Completion>,
    ) {
        for (at, row) in asked.rows.iter().enumerate() {
            let tag = tag(pair, at);
            let request = asked.probe.request(row, chain.clone(), isolated, tag);
            self.engine.submit(request, reply);
        }
    }

    fn activate<'m>(
        &self,
        active: &'m mut BTreeMap<usize, Active>,
        sample: &Sample,
        at: usize,
    ) -> Result<&'m Active, String> {
        use std::collections::btree_map::Entry;
        match active.entry(at) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let (probe, rows) = self
                    .asking
                    .prepare(sample.clone())
                    .map_err(|error| error.to_string())?;
                let rows = self
                    .engine
                    .register_all(rows)
                    .map_err(|error| error.to_string())?;
                Ok(entry.insert(Active { probe, rows }))
            }
        }
    }
}
