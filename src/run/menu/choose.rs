//! Chooses a menu from a pool.

use std::cmp::Reverse;

use cola_search::chain::Chain;

/// A chain of a pool, with what it is right on.
#[derive(Debug, Clone)]
pub struct Rated {
    /// The chain.
    pub chain: Chain,
    /// Samples that it is right on.
    pub right: usize,
    /// Of these, the ones that the unmodified model is wrong on, in any order.
    pub fixed: Vec<usize>,
}

/// Chooses up to `most` chains: each time the one that fixes most samples that none before it fixes, of equals the one that
/// is right on more samples, then the shorter one, then the first by chain. When none adds a sample, the rest follows by these ties.
pub fn choose(mut pool: Vec<Rated>, most: usize) -> Vec<Chain> {
    pool.sort_by(|a, b| {
        let key = |chain: &Rated| (Reverse(chain.right), chain.chain.len());
        key(a).cmp(&key(b)).then_with(|| a.chain.cmp(&b.chain))
    });
    let samples = pool.iter().flat_map(|chain| &chain.fixed).max();
    let mut is_fixed = vec![false; samples.map_or(0, |last| last + 1)];
    let mut menu = Vec::new();
    while menu.len() < most && !pool.is_empty() {
        let added = |chain: &Rated| chain.fixed.iter().filter(|&&at| !is_fixed[at]).count();
        // `max_by_key` takes the last of equals.
        let counted = pool.iter().map(added).enumerate();
        let best = counted.max_by_key(|&(at, added)| (added, Reverse(at)));
        let Some((at, 1..)) = best else {
            break;
        };
        let chosen = pool.remove(at);
        for &sample in &chosen.fixed {
            is_fixed[sample] = true;
        }
        menu.push(chosen.chain);
    }
    let rest = pool.into_iter().take(most - menu.len());
    menu.extend(rest.map(|chain| chain.chain));
    menu
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rated(chain: &str, right: usize, fixed: &[usize]) -> Rated {
        Rated {
            chain: chain.parse().unwrap(),
            right,
            fixed: fixed.to_vec(),
        }
    }

    fn chosen(pool: &[Rated], most: usize) -> String {
        let menu = choose(pool.to_vec(), most);
        let texts: Vec<String> = menu.iter().map(Chain::to_string).collect();
        texts.join(" ")
    }

    #[test]
    fn each_chain_is_chosen_for_what_it_adds() {
        // 0-3 fixes most; 1-3 adds two, 0-2 only one; the last two add nothing.
        let pool = [
            rated("0,2", 9, &[1, 2]),
            rated("0-2", 8, &[1, 2, 4]),
            rated("0-3", 5, &[1, 2, 3, 6]),
            rated("1-3", 4, &[4, 5]),
            rated("2", 9, &[5]),
        ];
        assert_eq!(chosen(&pool, 1), "0-3");
        assert_eq!(chosen(&pool, 2), "0-3 1-3");
        // Then those that are right on more samples, the shorter one first.
        assert_eq!(chosen(&pool, 9), "0-3 1-3 2 0,2 0-2");
        assert_eq!(chosen(&pool, 4), "0-3 1-3 2 0,2");
        assert_eq!(chosen(&pool, 0), "");
        assert_eq!(chosen(&[], 3), "");
    }

    #[test]
    fn ties_go_to_more_right_samples_then_to_shorter_chains_then_to_the_order_of_chains() {
        let pool = |rights: [usize; 3]| {
            [
                rated("1-2", rights[0], &[7]),
                rated("0,3", rights[1], &[3]),
                rated("0-2", rights[2], &[5]),
            ]
        };
        assert_eq!(chosen(&pool([4, 4, 5]), 3), "0-2 0,3 1-2");
        assert_eq!(chosen(&pool([4, 4, 4]), 3), "0,3 1-2 0-2");
    }
}
