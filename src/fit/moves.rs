//! Chains as sets of skipped or doubled layers, which candidates are built from.

use std::collections::BTreeMap;

use cola_search::chain::Chain;

/// Whether layers are taken out or run twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    Skip,
    Double,
}

/// Layers that a chain skips, or that it runs once more right after themselves (as often as they are in the list), ascending.
pub type Moved = Vec<usize>;

/// The chain of a model of `depth` layers with these layers skipped or doubled.
pub fn chain_of(depth: usize, way: Way, moved: &[usize]) -> Chain {
    let mut layers = Vec::new();
    for layer in 0..depth {
        let times = moved.iter().filter(|&&other| other == layer).count();
        let times = match way {
            Way::Skip => usize::from(times == 0),
            Way::Double => 1 + times,
        };
        layers.extend(std::iter::repeat_n(layer as u16, times));
    }
    Chain::new(layers)
}

/// The layers that a chain skips or doubles, if it does nothing else.
pub fn moved_of(depth: usize, way: Way, chain: &Chain) -> Option<Moved> {
    let uses = chain.uses(depth);
    let moved: Moved = (0..depth)
        .flat_map(|layer| {
            let times = match way {
                Way::Skip => usize::from(uses[layer] == 0),
                Way::Double => (uses[layer] as usize).saturating_sub(1),
            };
            std::iter::repeat_n(layer, times)
        })
        .collect();
    (chain_of(depth, way, &moved) == *chain).then_some(moved)
}

/// The `most` likeliest ways to skip or double `more` layers beside those of `parent`, by what each of them was worth alone
/// (`worth`; 0 if unknown): the likeliest of all, and then those in which one layer is another.
pub fn extended(
    depth: usize,
    way: Way,
    parent: &[usize],
    more: usize,
    worth: &BTreeMap<usize, f64>,
    most: usize,
) -> Vec<Moved> {
    let worth_of = |layer: usize| worth.get(&layer).copied().unwrap_or(0.0);
    let free = |layer: &usize| way == Way::Double || !parent.contains(layer);
    let mut layers: Vec<usize> = (0..depth).filter(free).collect();
    layers.sort_by(|&a, &b| worth_of(b).total_cmp(&worth_of(a)).then(a.cmp(&b)));
    if layers.len() < more {
        return Vec::new();
    }
    let (first, others) = layers.split_at(more);
    let mut ways: Vec<(f64, Moved)> = Vec::new();
    let mut add = |added: Moved, loss: f64| {
        let mut moved: Moved = parent.iter().copied().chain(added).collect();
        moved.sort_unstable();
        ways.push((loss, moved));
    };
    add(first.to_vec(), 0.0);
    for (at, &out) in first.iter().enumerate() {
        for &other in others {
            let mut added = first.to_vec();
            added[at] = other;
            add(added, worth_of(out) - worth_of(other));
        }
    }
    likeliest(ways, most)
}

/// The `most` likeliest ways to exchange one of the layers of `moved` for another.
pub fn exchanged(
    depth: usize,
    way: Way,
    moved: &[usize],
    worth: &BTreeMap<usize, f64>,
    most: usize,
) -> Vec<Moved> {
    let worth_of = |layer: usize| worth.get(&layer).copied().unwrap_or(0.0);
    let mut ways: Vec<(f64, Moved)> = Vec::new();
    for (at, &out) in moved.iter().enumerate() {
        if at > 0 && moved[at - 1] == out {
            continue;
        }
        for layer in 0..depth {
            let is_free = match way {
                Way::Skip => !moved.contains(&layer),
                Way::Double => layer != out,
            };
            if is_free {
                let mut other = moved.to_vec();
                other[at] = layer;
                other.sort_unstable();
                ways.push((worth_of(out) - worth_of(layer), other));
            }
        }
    }
    likeliest(ways, most)
}

fn likeliest(mut ways: Vec<(f64, Moved)>, most: usize) -> Vec<Moved> {
    ways.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    ways.dedup_by(|a, b| a.1 == b.1);
    ways.truncate(most);
    ways.into_iter().map(|(_, moved)| moved).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_chain_skips_and_doubles_is_read_off_it() {
        for (way, moved, text) in [
            (Way::Skip, vec![1, 2], "0,3-5"),
            (Way::Double, vec![1, 2, 2], "0,1,1,2,2,2,3-5"),
            (Way::Skip, vec![], "0-5"),
        ] {
            let chain: Chain = text.parse().unwrap();
            assert_eq!(chain_of(6, way, &moved), chain);
            assert_eq!(moved_of(6, way, &chain), Some(moved));
        }
        let block: Chain = "0-3,2-5".parse().unwrap();
        assert_eq!(moved_of(6, Way::Double, &block), None);
        assert_eq!(moved_of(6, Way::Skip, &block), None);
    }

    #[test]
    fn the_likeliest_come_first_and_none_twice() {
        let worth = BTreeMap::from([(0, -9.0), (1, -1.0), (2, 0.5), (3, -2.0)]);
        let skips = extended(4, Way::Skip, &[2], 1, &worth, 9);
        assert_eq!(skips, [vec![1, 2], vec![2, 3], vec![0, 2]]);
        let pairs = extended(4, Way::Skip, &[], 2, &worth, 3);
        assert_eq!(pairs, [vec![1, 2], vec![2, 3], vec![1, 3]]);
        assert_eq!(extended(4, Way::Skip, &[0, 1, 2], 2, &worth, 9).len(), 0);
        let doubles = extended(3, Way::Double, &[2], 1, &worth, 2);
        assert_eq!(doubles, [vec![2, 2], vec![1, 2]]);
        assert_eq!(
            exchanged(4, Way::Skip, &[0, 1], &worth, 2),
            [vec![1, 2], vec![1, 3]]
        );
    }
}
