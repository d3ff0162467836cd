//! A sample of a task as a problem to search chains for.

use std::sync::Arc;

use super::{PreparedSample, PromptLayout};
use crate::problem::{Prepared, Problem, Rotations};
use lm_tasks::Sample;

/// A sample, and how it is put to the model.
#[derive(Debug, Clone)]
pub struct SampleProblem {
    /// The sample.
    pub sample: Arc<Sample>,
    /// How it is put to the model.
    pub layout: Arc<PromptLayout>,
}

impl SampleProblem {
    /// All samples of a task, put to the model in one way.
    pub fn all(samples: Vec<Sample>, layout: &Arc<PromptLayout>) -> Vec<Self> {
        let problem = |sample| Self {
            sample: Arc::new(sample),
            layout: Arc::clone(layout),
        };
        samples.into_iter().map(problem).collect()
    }
}

impl Problem for SampleProblem {
    type Judge = PreparedSample;

    fn task(&self) -> &str {
        &self.sample.task.name
    }

    fn id(&self) -> &str {
        &self.sample.id
    }

    fn index(&self) -> usize {
        self.sample.index
    }

    fn gold(&self) -> String {
        self.sample.gold_text().to_owned()
    }

    fn fingerprint(&self) -> String {
        self.sample.fingerprint()
    }

    fn prepare(&self) -> Result<Prepared<PreparedSample>, String> {
        let prepared = self.layout.prepare(Arc::clone(&self.sample));
        prepared.map_err(|error| error.to_string())
    }

    fn rotations(&self) -> Rotations<Self> {
        if !self.sample.rotated.is_empty() {
            return Rotations::Covered(self.sample.variants().count());
        }
        let problem = |sample| Self {
            sample: Arc::new(sample),
            layout: Arc::clone(&self.layout),
        };
        let others: Vec<Self> = self.sample.in_other_rotations().map(problem).collect();
        match others.is_empty() {
            true => Rotations::None,
            false => Rotations::Others(others),
        }
    }
}
