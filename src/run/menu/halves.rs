//! The halves of each task, and the chains that menus are chosen from.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use crate::run::SampleRecord;
use cola_search::{chain::Chain, seed_for};

/// Fewest samples of a task that have menus: two to choose on, and two to try on.
pub const LEAST_SAMPLES: usize = 4;

/// Half of the samples of a task.
#[derive(Debug)]
pub struct Half {
    /// Indices of their records.
    pub members: BTreeSet<usize>,
    /// Chains that the menu of the other half is chosen from.
    pub pool: Vec<Chain>,
}

/// Tasks in halves, two one after the other, and the tasks that are too small, with how many samples they have.
pub fn halves(
    records: &[SampleRecord],
    seed: u64,
    tries: usize,
) -> (Vec<Half>, Vec<(String, usize)>) {
    let mut tasks: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, record) in records.iter().enumerate() {
        let ran = record.error.is_none() && record.baseline.is_some();
        tasks
            .entry(&record.task)
            .or_default()
            .extend(ran.then_some(at));
    }
    let (mut halves, mut too_small) = (Vec::new(), Vec::new());
    for (task, mut members) in tasks {
        if members.len() < LEAST_SAMPLES {
            too_small.push((task.to_owned(), members.len()));
            continue;
        }
        members.sort_by_cached_key(|&at| {
            let id = &records[at].id;
            (seed_for(seed ^ HALF, task, id), id.clone())
        });
        for members in members.chunks(members.len().div_ceil(2)) {
            halves.push(Half {
                members: members.iter().copied().collect(),
                pool: pool(members.iter().map(|&at| &records[at]), 2 * tries),
            });
        }
    }
    (halves, too_small)
}

/// The other half of the same task.
pub fn other(half: usize) -> usize {
    half ^ 1
}

/// Best chains other than the unmodified model: the most frequent first, then the shorter ones, then by chain.
fn pool<'a>(records: impl Iterator<Item = &'a SampleRecord>, most: usize) -> Vec<Chain> {
    let mut counts: BTreeMap<&Chain, usize> = BTreeMap::new();
    for record in records {
        let best = record.label().map(|best| &best.chain);
        if let Some(chain) = best.filter(|chain| !chain.is_identity(record.layers)) {
            *counts.entry(chain).or_default() += 1;
        }
    }
    let mut counts: Vec<(&Chain, usize)> = counts.into_iter().collect();
    // Stable: of equals the first by chain stays first.
    counts.sort_by_key(|(chain, count)| (Reverse(*count), chain.len()));
    let most_frequent = counts.into_iter().take(most);
    most_frequent.map(|(chain, _)| chain.clone()).collect()
}

/// Keeps the halves independent of the searches' seeds.
const HALF: u64 = 0x6861_6c66;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::sample;

    fn texts(pool: &[Chain]) -> Vec<String> {
        pool.iter().map(Chain::to_string).collect()
    }

    #[test]
    fn a_pool_holds_the_most_frequent_best_chains() {
        let bests = ["0-2", "1-3", "0,3", "0-2", "0-3", "0-2", "1-3", "0,2"];
        let records: Vec<SampleRecord> = (bests.iter().enumerate())
            .map(|(at, best)| sample("t", at).best(best).build())
            .collect();
        let of = |most| texts(&pool(records.iter(), most));
        // Without 0-3, which is the unmodified model.
        assert_eq!(of(9), ["0-2", "1-3", "0,2", "0,3"]);
        assert_eq!(of(2), ["0-2", "1-3"]);
    }

    #[test]
    fn halves_are_of_one_task_equal_and_drawn_by_the_seed() {
        let mut records: Vec<SampleRecord> = Vec::new();
        for (task, count) in [("a", 7), ("b", 4), ("c", 4)] {
            records.extend((0..count).map(|at| sample(task, at).best("0-2").build()));
        }
        // One that failed is in no half, and leaves too few.
        records.last_mut().unwrap().error = Some("broken".to_owned());
        let (found, too_small) = halves(&records, 1, 10);
        let sizes: Vec<usize> = found.iter().map(|half| half.members.len()).collect();
        assert_eq!(sizes, [4, 3, 2, 2]);
        assert_eq!(too_small, [("c".to_owned(), 3)]);
        let all: BTreeSet<usize> = found.iter().flat_map(|half| half.members.clone()).collect();
        assert_eq!(
            all.into_iter().collect::<Vec<_>>(),
            (0..11).collect::<Vec<_>>()
        );
        let first = |seed| halves(&records, seed, 10).0[0].members.clone();
        assert_eq!(first(1), found[0].members);
        assert!((2..20).any(|seed| first(seed) != found[0].members));
        assert!(found[0].members.iter().all(|&at| records[at].task == "a"));
    }
}
