//! The problems of a finished search with what it recorded of them: what later stages begin with.

use std::collections::BTreeMap;

use super::{Pair, SampleRecord, fluency::Fluency};
use crate::problem::Problem;
use cola_search::chain::Chain;

/// The problems of a run and what the search recorded of them.
pub struct Searched<'a, P> {
    pub problems: &'a [P],
    /// Of each problem; `None` where the search failed.
    pub records: Vec<Option<&'a SampleRecord>>,
    /// Of each task, the problems with a record, in ascending order.
    pub tasks: BTreeMap<&'a str, Vec<usize>>,
}

impl<'a, P: Problem> Searched<'a, P> {
    pub fn new(problems: &'a [P], records: &'a [SampleRecord]) -> Self {
        let ran = records.iter().filter(|record| record.error.is_none());
        let by_name: BTreeMap<(&str, &str), &SampleRecord> = ran
            .map(|record| ((&*record.task, &*record.id), record))
            .collect();
        let record = |problem: &P| by_name.get(&(problem.task(), problem.id())).copied();
        let records: Vec<_> = problems.iter().map(record).collect();
        let mut tasks: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, record) in records.iter().enumerate() {
            if let Some(record) = record {
                tasks.entry(&record.task).or_default().push(at);
            }
        }
        Self {
            problems,
            records,
            tasks,
        }
    }

    /// What degradations of chains on a problem are measured by. Of another rotation none is asked.
    pub fn fluency(&self, problem: usize, near_tie_nats: f64) -> Fluency {
        let record = self.records.get(problem).copied().flatten();
        record.map_or_else(Fluency::default, |record| Fluency {
            max_degradation: record.max_degradation,
            near_tie_nats,
            unmodified: record.prompt_loss,
            unmodified_isolated: None,
        })
    }

    /// The unmodified model on a problem.
    pub fn unmodified(&self, problem: usize) -> Pair {
        let record = self.records.get(problem).copied().flatten();
        Pair {
            problem,
            chain: Chain::identity(record.map_or(0, |record| record.layers)),
        }
    }
}
