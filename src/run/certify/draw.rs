//! Which other samples a chain is tried on.

use std::collections::BTreeSet;

use cola_search::seed_for;

/// Most samples that a chain is tried on.
pub const TRANSFER_SAMPLES: usize = 16;

/// Draws up to [`TRANSFER_SAMPLES`] of `count` samples without the one at `own`, in ascending order. `seed` is that of the
/// sample's search, which follows from the run's seed, the task and the sample's id.
pub fn draw_others(seed: u64, count: usize, own: usize) -> BTreeSet<usize> {
    if count <= TRANSFER_SAMPLES + 1 {
        return (0..count).filter(|&at| at != own).collect();
    }
    let draws = (0_u64..).map(|nth| seed_for(seed, "transfer", &nth.to_string()) % count as u64);
    let mut drawn = BTreeSet::new();
    for at in draws.map(|at| at as usize) {
        if at != own && drawn.insert(at) && drawn.len() == TRANSFER_SAMPLES {
            break;
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn others_are_drawn_by_seed_each_once_and_never_the_sample_itself(
            seed in any::<u64>(), count in 1_usize..200, own in any::<prop::sample::Index>()
        ) {
            let own = own.index(count);
            let drawn = draw_others(seed, count, own);
            prop_assert_eq!(drawn.len(), TRANSFER_SAMPLES.min(count - 1));
            prop_assert!(!drawn.contains(&own));
            prop_assert!(drawn.iter().all(|&at| at < count));
            prop_assert_eq!(draw_others(seed, count, own), drawn);
        }
    }

    #[test]
    fn every_sample_is_drawn_about_as_often() {
        let mut counts = [0; 40];
        for seed in 0..1000 {
            for at in draw_others(seed, counts.len(), 7) {
                counts[at] += 1;
            }
        }
        // 1000 x 16 / 39 is 410, with a standard deviation of 16.
        assert_eq!(counts[7], 0);
        let others = counts.iter().enumerate().filter(|(at, _)| *at != 7);
        assert!(
            others.clone().all(|(_, n)| (330..490).contains(n)),
            "{counts:?}"
        );
    }
}
