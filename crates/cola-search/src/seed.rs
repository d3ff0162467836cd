//! The seed of each sample's search.

/// Seed of the search of one sample: a function of the run's seed, the task and the sample's id,
/// so that it does not depend on which other samples run or in which order.
///
/// FNV-1a over the length-prefixed parts, then the finaliser of SplitMix64; written out here
/// because the value is part of a run's record and must not change with a library.
pub fn seed_for(run_seed: u64, task: &str, sample_id: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    eat(&mut hash, &run_seed.to_le_bytes());
    for part in [task, sample_id] {
        eat(&mut hash, &(part.len() as u64).to_le_bytes());
        eat(&mut hash, part.as_bytes());
    }
    let mut z = hash.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn eat(hash: &mut u64, bytes: &[u8]) {
    for &byte in bytes {
        *hash = (*hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_matters_and_the_value_is_fixed() {
        let base = seed_for(0, "arc", "7");
        assert_eq!(base, seed_for(0, "arc", "7"));
        for other in [
            seed_for(1, "arc", "7"),
            seed_for(0, "ar", "c7"),
            seed_for(0, "arc7", ""),
            seed_for(0, "arc", "8"),
        ] {
            assert_ne!(base, other);
        }
        // Recorded runs depend on this number.
        assert_eq!(base, 14_822_668_274_111_060_923);
    }
}
