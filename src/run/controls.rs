//! Which samples get control searches.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use cola_search::seed_for;
use lm_tasks::Sample;

/// Control searches on a subsample of every task, at the search's own budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlPlan {
    /// Most samples a task; 0 runs none.
    pub samples: usize,
}

impl ControlPlan {
    /// The chosen samples, by (task, id): of every task those whose hash with the run's seed is
    /// least. The choice knows nothing of how the samples turn out.
    pub fn choose<'a>(
        &self,
        samples: impl Iterator<Item = &'a Sample>,
        seed: u64,
    ) -> BTreeSet<(String, String)> {
        let mut by_task: BTreeMap<String, Vec<(u64, String)>> = BTreeMap::new();
        for sample in samples {
            let task = &sample.task.name;
            let rank = seed_for(seed ^ RANK, task, &sample.id);
            by_task
                .entry(task.clone())
                .or_default()
                .push((rank, sample.id.clone()));
        }
        let mut chosen = BTreeSet::new();
        for (task, mut ranked) in by_task {
            ranked.sort();
            let ids = ranked.into_iter().take(self.samples);
            chosen.extend(ids.map(|(_, id)| (task.clone(), id)));
        }
        chosen
    }
}

/// Keeps the choice of samples independent of their searches' seeds.
const RANK: u64 = 0x636f_6e74_726f_6c73;
