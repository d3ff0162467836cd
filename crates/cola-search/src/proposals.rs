//! The order in which the edits of a chain are proposed.
//!
//! The edits that fit a chain depend on its length alone, so they are listed and sorted once for each
//! length and shared by all nodes of that length; a node only stores its position in the list ([`Walk`]).
//! Edits of the same weight form a group. Every node goes through a group in its own pseudo-random order: a
//! random start and a stride coprime to the group's size visit each edit once.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::chain::{Edit, EditSpace};

/// Longest chain for which `default` proposes every edit. Longer chains get only edits on a coarse grid,
/// whose combinations reach all other edits.
const ALL_EDITS_UP_TO: usize = 16;

/// Number of classes of edits. Each class has a total prior: a column of [`Order::masses`]. A damped repeat
/// is in the class of the plain one with the same weight, so that damping does not lower the priors of
/// skips and swaps.
const CLASSES: usize = 7;

/// How edits are weighted against each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// All edits equally, as in the published presets.
    Even,
    /// `default`, for a wrong chain of a model so small that the budget covers combinations of edits: every
    /// pair of single skips, alone and together with a repeat of the whole chain.
    Cover,
    /// `default`, for a wrong chain: the smallest edits of all kinds equally, larger ones later.
    Repair,
    /// `default`, for a right chain: mostly skips.
    Shorten,
}

impl Order {
    /// Total prior of each class, up to a common factor.
    fn masses(self) -> [f64; CLASSES] {
        match self {
            //               skip 1, skip block, repeat all, repeat 1, repeat block, swap 1 1, swap
            Order::Even | Order::Repair => [1.0; CLASSES],
            Order::Cover => [48.0, 5.0, 17.0, 10.0, 3.0, 12.0, 5.0],
            Order::Shorten => [40.0, 15.0, 1.5, 1.0, 1.0, 1.0, 1.0],
        }
    }

    /// Class of an edit of a chain of `n` layers, and its weight within the class.
    fn weigh(self, edit: Edit, n: usize) -> (usize, f64) {
        let (class, weight) = match edit {
            _ if self == Order::Even => return (0, 1.0),
            _ if self == Order::Repair => (0, small_first(edit)),
            Edit::Skip { len: 1, .. } => (0, 1.0),
            Edit::Skip { len, .. } => (1, 1.0 / len as f64),
            // Three passes contain any two layers in both orders, and each of them twice. If an answer
            // needs a repeat or another order, a right chain is likely contained in them, and shrinking
            // finds it.
            Edit::Repeat { len, extra, .. } | Edit::DampedRepeat { len, extra, .. } if len == n => {
                (2, if extra == 2 { 1.0 } else { 0.1 / extra as f64 })
            }
            Edit::Repeat { len: 1, extra, .. } | Edit::DampedRepeat { len: 1, extra, .. } => {
                (3, 1.0 / (extra * extra) as f64)
            }
            Edit::Repeat { extra, .. } | Edit::DampedRepeat { extra, .. } => {
                (4, 1.0 / (extra * extra) as f64)
            }
            Edit::Swap {
                left: 1, right: 1, ..
            } => (5, 1.0),
            Edit::Swap { left, right, .. } => (6, 1.0 / (left + right) as f64),
        };
        match on_grid(edit) {
            true => (class, weight),
            false if n <= ALL_EDITS_UP_TO => (class, weight / 6.0),
            false => (class, 0.0),
        }
    }
}

/// The edits that fit chains of one length, the most likely ones first.
#[derive(Debug)]
pub struct Proposals {
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    /// Prior of each edit; over all groups they add up to 1.
    prior: f64,
    edits: Vec<Edit>,
}

impl Proposals {
    /// The edits of `space` that fit a chain of `n` layers.
    pub fn new(space: &EditSpace, n: usize, order: Order) -> Self {
        let mut sums = [0.0; CLASSES];
        let mut weighed: Vec<(usize, f64, Edit)> = Vec::new();
        for edit in space.shapes(n) {
            let (class, weight) = order.weigh(edit, n);
            if weight > 0.0 {
                sums[class] += weight;
                weighed.push((class, weight, edit));
            }
        }
        let masses = order.masses();
        let present = (0..CLASSES).filter(|&class| sums[class] > 0.0);
        let all: f64 = present.map(|class| masses[class]).sum();
        let mut proposed: Vec<(f64, Edit)> = weighed
            .into_iter()
            .map(|(class, weight, edit)| (weight / sums[class] * masses[class] / all, edit))
            .collect();
        proposed.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let groups = proposed
            .chunk_by(|a, b| a.0 == b.0)
            .map(|group| Group {
                prior: group[0].0,
                edits: group.iter().map(|&(_, edit)| edit).collect(),
            })
            .collect();
        Self { groups }
    }
}

/// Weight of an edit by its size. The smallest edits of all kinds have the same weight, so that a walk
/// mixes them.
fn small_first(edit: Edit) -> f64 {
    match edit {
        Edit::Skip { len: 1 | 2, .. } => 6.0,
        Edit::Repeat {
            len: 1 | 2,
            extra: 1,
            ..
        }
        | Edit::DampedRepeat {
            len: 1 | 2,
            extra: 1,
            ..
        } => 6.0,
        Edit::Swap {
            left: 1, right: 1, ..
        } => 6.0,
        Edit::Skip { len, .. } => 12.0 / len as f64,
        Edit::Repeat { len, extra, .. } | Edit::DampedRepeat { len, extra, .. } => {
            12.0 / (len * extra * extra) as f64
        }
        Edit::Swap { left, right, .. } => 6.0 / (left + right) as f64,
    }
}

/// Whether an edit is on the coarse grid: blocks of 1, 2, 4, 8, ... layers, starting at multiples of half a
/// block.
fn on_grid(edit: Edit) -> bool {
    let block =
        |start: usize, len: usize| len.is_power_of_two() && start.is_multiple_of(len.div_ceil(2));
    match edit {
        Edit::Skip { start, len } => block(start, len),
        Edit::Repeat { start, len, extra }
        | Edit::DampedRepeat {
            start, len, extra, ..
        } => (block(start, len) || start == 0) && (extra == 1 || len <= 2),
        Edit::Swap { start, left, right } => {
            block(start, left) && (left == right || left.min(right) == 1 && right.max(left) <= 4)
        }
    }
}

/// Position of a node in its proposals.
#[derive(Debug, Clone, Copy, Default)]
pub struct Walk {
    group: u32,
    taken: u32,
    start: u32,
    stride: u32,
}

impl Walk {
    /// Prior of the next edit; `None` when all were proposed.
    pub fn next_prior(&self, proposals: &Proposals) -> Option<f64> {
        proposals
            .groups
            .get(self.group as usize)
            .map(|group| group.prior)
    }

    /// The next edit and its prior.
    pub fn next(&mut self, proposals: &Proposals, rng: &mut ChaCha8Rng) -> Option<(Edit, f64)> {
        let group = proposals.groups.get(self.group as usize)?;
        let size = group.edits.len() as u32;
        if self.taken == 0 {
            self.start = rng.random_range(0..size);
            self.stride = coprime_stride(size, rng);
        }
        let at = (u64::from(self.start) + u64::from(self.taken) * u64::from(self.stride))
            % u64::from(size);
        self.taken += 1;
        if self.taken == size {
            self.group += 1;
            self.taken = 0;
        }
        Some((group.edits[at as usize], group.prior))
    }
}

fn coprime_stride(size: u32, rng: &mut ChaCha8Rng) -> u32 {
    loop {
        let stride = rng.random_range(1..=size);
        if gcd(stride, size) == 1 {
            return stride;
        }
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng;

    use super::*;
    use crate::chain::Alpha;
    use crate::{Preset, SearchParams};

    fn space(layers: usize) -> EditSpace {
        SearchParams::preset(Preset::Default, layers).root_edits
    }

    #[test]
    fn a_walk_proposes_every_edit_once_and_never_a_likelier_one_later() {
        let space = EditSpace {
            damping: Alpha::from_thousandths(500),
            ..space(8)
        };
        let proposals = Proposals::new(&space, 8, Order::Repair);
        let (mut walk, mut rng) = (Walk::default(), ChaCha8Rng::seed_from_u64(3));
        let (mut met, mut sum, mut last) = (BTreeSet::new(), 0.0, 1.0);
        while let Some(next) = walk.next_prior(&proposals) {
            let (edit, prior) = walk.next(&proposals, &mut rng).unwrap();
            assert_eq!(prior, next);
            assert!(prior <= last && met.insert(edit));
            (sum, last) = (sum + prior, prior);
        }
        assert!((sum - 1.0_f64).abs() < 1e-9);
        assert_eq!(met, space.shapes(8).collect());
    }

    #[test]
    fn below_a_right_chain_single_skips_come_first() {
        let proposals = Proposals::new(&space(32), 32, Order::Shorten);
        assert_eq!(proposals.groups[0].edits.len(), 32);
        assert_eq!(
            proposals.groups[0].edits[0],
            Edit::Skip { start: 0, len: 1 }
        );
    }
}
