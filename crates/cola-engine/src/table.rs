//! The state table: (row, prefix) -> state. The table and the jobs in flight share one byte budget.
//!
//! Eviction is GreedyDual (Young 1994) with lazy updates. An entry's priority is the value of the
//! table's clock when the evictor last looked at the entry, plus the steps needed to compute the
//! state again. The entry of least priority is evicted, and the clock advances to that priority. A
//! state that a job still holds is pinned: dropping the table's reference would free nothing.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
};

use dashmap::DashMap;

use super::{RowId, state::State};

/// A prefix of a chain on a row: the row, and the prefix's node in the row's prefix trie.
pub type Key = (RowId, u32);

/// States of finished steps, shared by all workers.
#[derive(Debug)]
pub struct StateTable {
    states: DashMap<Key, Slot>,
    /// Bytes of the states in the table.
    bytes: AtomicUsize,
    budget: usize,
    /// Bytes of the budget that are promised to jobs.
    promised: Arc<AtomicUsize>,
    evictor: Mutex<Evictor>,
}

#[derive(Debug)]
struct Slot {
    state: Arc<State>,
    /// Layer steps to compute it again.
    cost: u32,
    /// Lookups since the evictor last looked at this state.
    hits: AtomicU32,
}

/// The evictor's order is cleaned of removed states when it is longer than twice the number of
/// states in the table plus this.
const SLACK: usize = 1024;

#[derive(Debug, Default)]
struct Evictor {
    clock: u64,
    /// Least priority first. May contain keys whose states were removed.
    order: BinaryHeap<Reverse<(u64, Key)>>,
}

/// Bytes of the budget that are promised to a job until this is dropped.
#[derive(Debug)]
pub struct Promise {
    bytes: usize,
    of: Arc<AtomicUsize>,
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl StateTable {
    /// An empty table that holds at most `budget` bytes of states, less the bytes promised to jobs.
    pub fn new(budget: usize) -> Self {
        Self {
            states: DashMap::new(),
            bytes: AtomicUsize::new(0),
            budget,
            promised: Arc::default(),
            evictor: Mutex::default(),
        }
    }

    /// Promises `bytes` of the budget to a job, and evicts states that no longer fit into the rest.
    /// `None` if the promises would exceed half of the budget, or `least` if that is more. The
    /// first job always gets its bytes, however many they are.
    pub(super) fn promise(&self, bytes: usize, least: usize) -> Option<Promise> {
        let most = least.max(self.budget / 2);
        let fits = |promised: usize| {
            let sum = promised.saturating_add(bytes);
            (promised == 0 || sum <= most).then_some(sum)
        };
        let order = Ordering::Relaxed;
        self.promised.fetch_update(order, order, fits).ok()?;
        if self.bytes() > self.limit() {
            let mut evictor = self.evictor.lock().unwrap_or_else(|e| e.into_inner());
            self.make_room(&mut evictor, 0);
        }
        Some(Promise {
            bytes,
            of: Arc::clone(&self.promised),
        })
    }

    /// Bytes that the table may hold now: the budget less what is promised, but at least half of
    /// the budget.
    fn limit(&self) -> usize {
        let promised = self.promised.load(Ordering::Relaxed);
        self.budget.saturating_sub(promised).max(self.budget / 2)
    }

    /// The state of a prefix, if the table has it.
    pub(super) fn get(&self, key: Key) -> Option<Arc<State>> {
        let slot = self.states.get(&key)?;
        slot.hits.fetch_add(1, Ordering::Relaxed);
        Some(Arc::clone(&slot.state))
    }

    /// Inserts a state that took `cost` steps, if the budget allows, and evicts states of lower
    /// priority for it. A state replaces one that covers fewer nodes of the row.
    pub(super) fn insert(&self, key: Key, state: &Arc<State>, cost: u32) {
        let bytes = state.bytes();
        // A poisoned lock only means that another thread panicked: the heap it guards is whole.
        let mut evictor = self.evictor.lock().unwrap_or_else(|e| e.into_inner());
        let known = self.states.get(&key).map(|slot| slot.state.nodes());
        match known {
            Some(nodes) if nodes >= state.nodes() => return,
            Some(_) => self.remove(key),
            None => {}
        }
        if !self.make_room(&mut evictor, bytes) {
            return;
        }
        let slot = Slot {
            state: Arc::clone(state),
            cost,
            hits: AtomicU32::new(0),
        };
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let priority = evictor.clock + u64::from(cost);
        evictor.order.push(Reverse((priority, key)));
        self.states.insert(key, slot);
    }

    /// Evicts states until `bytes` more fit. Returns false if they do not fit: they are more than
    /// the limit, or only pinned states are left.
    fn make_room(&self, evictor: &mut Evictor, bytes: usize) -> bool {
        let limit = self.limit();
        if bytes > limit {
            return false;
        }
        let mut pinned = Vec::new();
        while self.bytes.load(Ordering::Relaxed) + bytes > limit {
            let Some(Reverse((priority, key))) = evictor.order.pop() else {
                break;
            };
            match self.examine(key) {
                Candidate::Gone => {}
                Candidate::Pinned => pinned.push(Reverse((priority, key))),
                Candidate::Used { cost } => {
                    let again = evictor.clock + u64::from(cost);
                    evictor.order.push(Reverse((again.max(priority + 1), key)));
                }
                Candidate::Idle if self.remove_idle(key) => {
                    evictor.clock = evictor.clock.max(priority);
                }
                // A job took the state after `examine` looked at it.
                Candidate::Idle => pinned.push(Reverse((priority, key))),
            }
        }
        evictor.order.extend(pinned);
        self.bytes.load(Ordering::Relaxed) + bytes <= limit
    }

    fn examine(&self, key: Key) -> Candidate {
        let Some(slot) = self.states.get(&key) else {
            return Candidate::Gone;
        };
        if Arc::strong_count(&slot.state) > 1 {
            return Candidate::Pinned;
        }
        match slot.hits.swap(0, Ordering::Relaxed) {
            0 => Candidate::Idle,
            hits => Candidate::Used {
                cost: slot.cost.saturating_mul(1 + hits),
            },
        }
    }

    /// Removes a state if no job holds it. Returns whether it was removed.
    fn remove_idle(&self, key: Key) -> bool {
        let idle = |_: &Key, slot: &Slot| Arc::strong_count(&slot.state) == 1;
        let removed = self.states.remove_if(&key, idle);
        if let Some((_, slot)) = &removed {
            self.bytes.fetch_sub(slot.state.bytes(), Ordering::Relaxed);
        }
        removed.is_some()
    }

    fn remove(&self, key: Key) {
        if let Some((_, slot)) = self.states.remove(&key) {
            self.bytes.fetch_sub(slot.state.bytes(), Ordering::Relaxed);
        }
    }

    /// Removes the states of all prefixes `0..nodes` of a finished row.
    pub(super) fn drop_row(&self, row: RowId, nodes: u32) {
        for node in 0..nodes {
            self.remove((row, node));
        }
        self.tidy();
    }

    /// Removes every state that no job holds; returns their bytes.
    pub(super) fn evict_idle(&self) -> usize {
        let keys: Vec<Key> = self.states.iter().map(|slot| *slot.key()).collect();
        let before = self.bytes();
        for key in keys {
            self.remove_idle(key);
        }
        self.tidy();
        before.saturating_sub(self.bytes())
    }

    /// Cleans the evictor's order of removed states. Otherwise only evictions do that, and in a
    /// long run without evictions the order would grow without end.
    fn tidy(&self) {
        let mut evictor = self.evictor.lock().unwrap_or_else(|e| e.into_inner());
        if evictor.order.len() > 2 * self.states.len() + SLACK {
            let states = &self.states;
            evictor
                .order
                .retain(|Reverse((_, key))| states.contains_key(key));
        }
    }

    /// Bytes of the states it holds.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Number of states it holds.
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// Whether it holds no states.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }
}

/// State of an entry in the evictor's order.
enum Candidate {
    Gone,
    Pinned,
    Used { cost: u32 },
    Idle,
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::fixtures::{meter, row_ids, state};

    const KIB: usize = 1024;

    #[test]
    fn what_costs_more_to_compute_again_stays_longer() {
        for (first, second) in [(5, 1), (1, 5)] {
            let (meter, [row]) = (meter(), row_ids());
            let table = StateTable::new(2 * KIB);
            table.insert((row, 1), &state(&meter, KIB), first);
            table.insert((row, 2), &state(&meter, KIB), second);
            table.insert((row, 3), &state(&meter, KIB), 2);
            assert_eq!(table.get((row, 1)).is_some(), first > second);
            assert_eq!(table.get((row, 2)).is_some(), second > first);
            assert!(table.get((row, 3)).is_some());
        }
    }

    #[test]
    fn what_was_used_stays_longer_than_its_like() {
        let (meter, [row]) = (meter(), row_ids());
        let table = StateTable::new(2 * KIB);
        table.insert((row, 1), &state(&meter, KIB), 1);
        table.insert((row, 2), &state(&meter, KIB), 1);
        assert!(table.get((row, 1)).is_some());
        table.insert((row, 3), &state(&meter, KIB), 1);
        assert!(table.get((row, 1)).is_some() && table.get((row, 2)).is_none());
    }

    #[test]
    fn an_expensive_state_nobody_uses_does_not_stay_forever() {
        let (meter, [row]) = (meter(), row_ids());
        let table = StateTable::new(2 * KIB);
        table.insert((row, 0), &state(&meter, KIB), 20);
        for node in 1..50 {
            table.insert((row, node), &state(&meter, KIB), 1);
        }
        assert!(table.get((row, 0)).is_none());
    }

    #[test]
    fn a_held_state_is_not_evicted_and_where_all_are_held_nothing_is_added() {
        let (meter, [row]) = (meter(), row_ids());
        let table = StateTable::new(2 * KIB);
        let held = [1, 2].map(|node| (node, state(&meter, KIB)));
        for (node, state) in &held {
            table.insert((row, *node), state, 1);
        }
        table.insert((row, 3), &state(&meter, KIB), 100);
        assert!(table.get((row, 1)).is_some() && table.get((row, 2)).is_some());
        assert!(table.get((row, 3)).is_none());
        drop(held);
        // The evictor first resets the hits of the lookups above, then evicts one of the two.
        table.insert((row, 3), &state(&meter, KIB), 100);
        assert!(table.get((row, 3)).is_some());
        assert_eq!((table.len(), table.bytes()), (2, 2 * KIB));
    }

    #[test]
    fn a_state_larger_than_the_budget_displaces_nothing() {
        let (meter, [row]) = (meter(), row_ids());
        let table = StateTable::new(2 * KIB);
        table.insert((row, 1), &state(&meter, KIB), 1);
        table.insert((row, 2), &state(&meter, 3 * KIB), 100);
        assert!(table.get((row, 1)).is_some() && table.get((row, 2)).is_none());
    }

    #[test]
    fn a_second_copy_of_a_state_counts_nothing() {
        let (meter, [row]) = (meter(), row_ids());
        let table = StateTable::new(4 * KIB);
        let first = state(&meter, KIB);
        table.insert((row, 1), &first, 1);
        table.insert((row, 1), &state(&meter, KIB), 1);
        assert!(Arc::ptr_eq(&table.get((row, 1)).unwrap(), &first));
        assert_eq!((table.len(), table.bytes()), (1, KIB));
    }

    #[test]
    fn finished_rows_leave_nothing_even_in_the_order_of_eviction() {
        let meter = meter();
        let table = StateTable::new(usize::MAX);
        let shared = state(&meter, 8);
        for _ in 0..200 {
            let [row] = row_ids();
            for node in 0..100 {
                table.insert((row, node), &shared, 1);
            }
            table.drop_row(row, 100);
        }
        assert!(table.is_empty() && table.bytes() == 0);
        assert_eq!(Arc::strong_count(&shared), 1);
        assert!(table.evictor.lock().unwrap().order.len() <= SLACK);
    }

    /// Random operations of one thread: it inserts and drops states of its own four rows, and looks
    /// up those of all.
    fn random_operations(
        table: &StateTable,
        meter: &Arc<super::super::state::Meter>,
        rows: &[RowId; 16],
        seed: usize,
    ) {
        const NODES: u32 = 40;
        let mut random = ChaCha8Rng::seed_from_u64(seed as u64);
        let mut held: Vec<(Key, Arc<State>)> = Vec::new();
        let own = &rows[4 * seed..4 * seed + 4];
        for _ in 0..25_000 {
            let key = (
                own[random.random_range(0..4)],
                random.random_range(0..NODES),
            );
            match random.random_range(0..100) {
                0..60 => {
                    let bytes = 8 * random.random_range(1..100);
                    table.insert(key, &state(meter, bytes), random.random_range(1..30));
                }
                60..85 => held.extend(table.get(key).map(|state| (key, state))),
                85..95 => drop(table.get((rows[random.random_range(0..16)], key.1))),
                95..99 => held.clear(),
                _ => {
                    table.drop_row(key.0, NODES);
                    held.retain(|(kept, _)| kept.0 != key.0);
                    assert!((0..NODES).all(|node| table.get((key.0, node)).is_none()));
                }
            }
            assert!(table.bytes() <= table.budget);
            if held.len() > 5 {
                held.swap_remove(0);
            }
            for (key, state) in &held {
                let found = table.get(*key).expect("a held state stays");
                assert!(Arc::ptr_eq(&found, state));
            }
        }
    }

    #[test]
    fn a_hundred_thousand_random_operations_keep_the_budget_and_every_held_state() {
        let (meter, rows) = (meter(), row_ids::<16>());
        let table = StateTable::new(20 * KIB);
        std::thread::scope(|scope| {
            for seed in 0..4 {
                let (table, meter, rows) = (&table, &meter, &rows);
                scope.spawn(move || random_operations(table, meter, rows, seed));
            }
        });
        assert!(table.bytes() > 10 * KIB, "the budget was never reached");
        assert_eq!(meter.now(), table.bytes());
        for row in rows {
            table.drop_row(row, 40);
        }
        assert!(table.is_empty());
        assert_eq!((table.bytes(), meter.now()), (0, 0));
    }

    #[test]
    fn jobs_get_half_of_the_budget_and_the_table_the_rest() {
        let (meter, table) = (meter(), StateTable::new(10 * KIB));
        let [row] = row_ids();
        for node in 0..10 {
            table.insert((row, node), &state(&meter, KIB), 1);
        }
        assert_eq!(table.bytes(), 10 * KIB);
        let first = table.promise(3 * KIB, 0).unwrap();
        assert_eq!(table.bytes(), 7 * KIB, "evicted for the job");
        let second = table.promise(2 * KIB, 0).unwrap();
        assert!(table.promise(KIB, 0).is_none(), "half is given away");
        assert!(
            table.promise(KIB, 6 * KIB).is_some(),
            "but jobs may have that much"
        );
        drop((first, second));
        // A single job gets its bytes, however many, and the table keeps its half.
        let alone = table.promise(100 * KIB, 0).unwrap();
        assert_eq!(table.bytes(), 5 * KIB);
        drop(alone);
        table.insert((row, 20), &state(&meter, KIB), 1);
        assert_eq!(table.bytes(), 6 * KIB);
    }
}
