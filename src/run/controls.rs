//! Which samples get control searches.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use cola_search::seed_for;

/// Control searches on a subsample of every task, at the search's own budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlPlan {
    /// Most samples a task; 0 runs none.
    pub samples: usize,
}

impl ControlPlan {
    /// The chosen of some samples, by (task, id): of every task those whose hash with the run's seed is
    /// least. The choice knows nothing of how the samples turn out.
    pub fn choose<'a>(
        &self,
        samples: impl Iterator<Item = (&'a str, &'a str)>,
        seed: u64,
    ) -> BTreeSet<(String, String)> {
        let mut by_task: BTreeMap<String, Vec<(u64, String)>> = BTreeMap::new();
        for (task, id) in samples {
            let rank = seed_for(seed ^ RANK, task, id);
            let ranked = by_task.entry(task.to_owned()).or_default();
            ranked.push((rank, id.to_owned()));
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
