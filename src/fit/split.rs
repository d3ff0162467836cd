//! Which samples choose, and which are held out.

use cola_search::seed_for;

/// Numbers of samples.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Split {
    /// Those that chains are chosen on, in the order in which races take them: each task's by turns, so that few of them are
    /// of all tasks.
    pub training: Vec<usize>,
    /// Those that the choice is reported on, ascending.
    pub held_out: Vec<usize>,
}

/// Splits samples, given as `(task, key)`: of each task the share `held_out`, drawn by `seed` and the key, so that a sample keeps
/// its side when others are added, and samples with one key are on one side.
pub fn split<'a>(
    samples: impl Iterator<Item = (&'a str, &'a str)>,
    held_out: f64,
    seed: u64,
) -> Split {
    let mut split = Split::default();
    let mut training = Vec::new();
    for (at, (task, key)) in samples.enumerate() {
        let drawn = seed_for(seed, task, key);
        // The upper 53 bits are a number in 0..1.
        if ((drawn >> 11) as f64) < held_out * (1u64 << 53) as f64 {
            split.held_out.push(at);
        } else {
            training.push((task, drawn, at));
        }
    }
    split.training = by_turns(training);
    split
}

/// The samples of each task in the order of what was drawn for them, one of each task after the other.
pub fn by_turns(mut samples: Vec<(&str, u64, usize)>) -> Vec<usize> {
    samples.sort_unstable();
    let mut turns = Vec::with_capacity(samples.len());
    let (mut last, mut turn) = (None, 0);
    for (task, _, at) in samples {
        turn = if last == Some(task) { turn + 1 } else { 0 };
        last = Some(task);
        turns.push((turn, task, at));
    }
    turns.sort_unstable();
    turns.into_iter().map(|(_, _, at)| at).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names(count: usize) -> Vec<(&'static str, String)> {
        let name = |n: usize| {
            (
                ["a", "b"][usize::from(n.is_multiple_of(3))],
                format!("s{n}"),
            )
        };
        (0..count).map(name).collect()
    }

    fn halves(names: &[(&'static str, String)]) -> Split {
        split(names.iter().map(|(task, id)| (*task, id.as_str())), 0.5, 3)
    }

    #[test]
    fn every_sample_is_on_one_side_and_keeps_it() {
        let names = names(300);
        let all = halves(&names);
        let both: BTreeSet<usize> = all.training.iter().chain(&all.held_out).copied().collect();
        assert_eq!(both.len(), 300);
        assert_eq!(all.training.len() + all.held_out.len(), 300);
        assert!((110..190).contains(&all.held_out.len()));
        let fewer = halves(&names[..120]);
        let first: Vec<usize> = all
            .held_out
            .iter()
            .copied()
            .filter(|&at| at < 120)
            .collect();
        assert_eq!(fewer.held_out, first);
        let twice = halves(&[names.as_slice(), &names].concat());
        let again = all.held_out.iter().map(|at| at + 300);
        let both: Vec<usize> = all.held_out.iter().copied().chain(again).collect();
        assert_eq!(twice.held_out, both);
    }

    #[test]
    fn tasks_take_turns() {
        let names = names(300);
        let split = halves(&names);
        for few in [4, 10, 40] {
            let of_b = split.training[..few]
                .iter()
                .filter(|&&at| names[at].0 == "b");
            assert_eq!(of_b.count(), few / 2);
        }
    }
}
