//! Fixed chains: one chain on every sample, or a list of (sample, chain) pairs.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use crossbeam_channel::unbounded;
use std::sync::Arc;

use super::{Progress, RunError};
use crate::{
    chain::Chain,
    engine::{Cost, Engine, EngineError, Row},
    task::{Answer, Asking, Probe, Sample, Target, Verdict},
};

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
    /// What the chain answered.
    pub answer: Answer,
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
    pub asking: &'a Asking,
    /// Most pairs in flight.
    pub in_flight: usize,
}

/// A registered sample and how many of its pairs are still to come.
struct Active {
    probe: Probe,
    row: Arc<Row>,
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
                        let request = active.probe.request(
                            &active.row,
                            pair.chain.clone(),
                            false,
                            next as u64,
                        );
                        self.engine.submit(request, &reply);
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
            let at = completion.tag as usize;
            let sample = pairs[at].sample;
            let result = match completion.result {
                Err(error @ (EngineError::Device(_) | EngineError::Stopped)) => {
                    return Err(error.into());
                }
                result => result.map_err(|error| error.to_string()),
            };
            let Active { probe, row } = &active[&sample];
            let judged = result.and_then(|outcome| {
                let answer = probe
                    .answer(row, &outcome)
                    .map_err(|error| error.to_string())?;
                if probe.is_near_tie(&outcome, &answer)
                    && near_ties.insert(at, outcome.cost).is_none()
                {
                    return Ok(None);
                }
                let mut cost = outcome.cost;
                cost += near_ties.remove(&at).unwrap_or_default();
                Ok(Some(Evaluated {
                    verdict: probe.verdict(&answer, &Target::Gold),
                    answer,
                    cost,
                }))
            });
            let judged = match judged {
                Ok(None) => {
                    let chain = pairs[at].chain.clone();
                    let again = probe.request(row, chain, true, completion.tag);
                    self.engine.submit(again, &reply);
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
                    self.engine.release(&done.row);
                }
            }
        }
        progress.finish(results.iter().any(Option::is_none));
        Ok(results)
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
                let (probe, row) = self
                    .asking
                    .probe(sample.clone())
                    .map_err(|error| error.to_string())?;
                let row = self
                    .engine
                    .register(row)
                    .map_err(|error| error.to_string())?;
                Ok(entry.insert(Active { probe, row }))
            }
        }
    }
}
