//! The state table: (row, prefix) -> state, within a byte budget.
//!
//! Eviction is GreedyDual (Young 1994) with lazy updates: an entry's priority is the table's clock
//! when it was last seen to the evictor plus the steps it would take to compute it again; the
//! least goes, and the clock follows it. A state some job still holds is pinned: dropping the
//! table's reference would free nothing.

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

/// A prefix of a row: the row, and the node of its prefix trie.
pub type Key = (RowId, u32);

/// States of finished steps, shared by all workers.
#[derive(Debug)]
pub struct StateTable {
    states: DashMap<Key, Slot>,
    /// Bytes of the states in the table; never above the budget.
    bytes: AtomicUsize,
    budget: usize,
    evictor: Mutex<Evictor>,
}

#[derive(Debug)]
struct Slot {
    state: Arc<State>,
    /// Layer steps to compute it again.
    cost: u32,
    /// Uses since the evictor last saw it.
    hits: AtomicU32,
}

#[derive(Debug, Default)]
struct Evictor {
    clock: u64,
    /// Least priority first. May name states that are gone.
    order: BinaryHeap<Reverse<(u64, Key)>>,
}

impl StateTable {
    /// An empty table that holds at most `budget` bytes of states.
    pub fn new(budget: usize) -> Self {
        Self {
            states: DashMap::new(),
            bytes: AtomicUsize::new(0),
            budget,
            evictor: Mutex::default(),
        }
    }

    /// The state of a prefix, if it is there.
    pub(super) fn get(&self, key: Key) -> Option<Arc<State>> {
        let slot = self.states.get(&key)?;
        slot.hits.fetch_add(1, Ordering::Relaxed);
        Some(Arc::clone(&slot.state))
    }

    /// Keeps a state that took `cost` steps, if the budget allows; evicts cheaper ones for it.
    pub(super) fn insert(&self, key: Key, state: &Arc<State>, cost: u32) {
        let bytes = state.bytes();
        // A poisoned lock only means that another thread panicked: the heap it guards is whole.
        let mut evictor = self.evictor.lock().unwrap_or_else(|e| e.into_inner());
        if self.states.contains_key(&key) || !self.make_room(&mut evictor, bytes) {
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

    /// Evicts until `bytes` more fit. False where only pinned states are left, or nothing helps.
    fn make_room(&self, evictor: &mut Evictor, bytes: usize) -> bool {
        if bytes > self.budget {
            return false;
        }
        let mut pinned = Vec::new();
        while self.bytes.load(Ordering::Relaxed) + bytes > self.budget {
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
                Candidate::Idle => {
                    evictor.clock = evictor.clock.max(priority);
                    self.remove(key);
                }
            }
        }
        evictor.order.extend(pinned);
        self.bytes.load(Ordering::Relaxed) + bytes <= self.budget
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

    fn remove(&self, key: Key) {
        if let Some((_, slot)) = self.states.remove(&key) {
            self.bytes.fetch_sub(slot.state.bytes(), Ordering::Relaxed);
        }
    }

    /// Forgets all prefixes `0..nodes` of a finished row.
    pub(super) fn drop_row(&self, row: RowId, nodes: u32) {
        for node in 0..nodes {
            self.remove((row, node));
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

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }
}

/// What the evictor finds at a key.
enum Candidate {
    Gone,
    Pinned,
    Used { cost: u32 },
    Idle,
}
