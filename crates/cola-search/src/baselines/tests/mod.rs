//! Properties of every baseline.

mod found;

use std::collections::HashSet;

use proptest::{
    prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq},
    proptest,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::{Prefixes, Preset, ResolvedSearch, SearchConfig, chain::LengthBounds, seed_for};

/// Every baseline, by its name on the command line.
fn names() -> Vec<&'static str> {
    let names = StrategyKind::ALL.map(|(name, _)| name);
    let baseline = |name: &&str| !["mcts", "exhaustive"].contains(name);
    names.into_iter().filter(baseline).collect()
}

fn resolved(
    strategy: &str,
    preset: &str,
    layers: usize,
    simulations: usize,
    budget_steps: Option<usize>,
) -> ResolvedSearch {
    let config = SearchConfig {
        strategy: strategy.to_owned(),
        preset: preset.to_owned(),
        simulations: Some(simulations),
        budget_steps,
        ..SearchConfig::default()
    };
    config.resolve(layers).unwrap()
}

fn search(strategy: &str, layers: usize, simulations: usize) -> Box<dyn Strategy> {
    resolved(strategy, "default", layers, simulations, None).build(7)
}

/// A pseudo-random verdict that is always the same for a chain; `share` of 256 chains are right.
fn arbitrary(chain: &Chain, share: u64) -> Feedback {
    let hash = seed_for(9, "verdict", &chain.to_string());
    let margin = (!hash.is_multiple_of(5)).then_some(-((hash % 7) as f64));
    Feedback {
        degradation: (!hash.is_multiple_of(4)).then_some((hash % 11) as f64 / 4.0),
        ..Feedback::new(hash % 256 < share, margin)
    }
}

/// Runs a search with up to `outstanding` chains outstanding, whose verdicts come in random order.
fn run(search: &mut dyn Strategy, outstanding: usize, share: u64, order: u64) -> Vec<Chain> {
    let mut rng = ChaCha8Rng::seed_from_u64(order);
    let (mut asked, mut open): (Vec<Chain>, Vec<Chain>) = Default::default();
    loop {
        match search.ask() {
            Ask::Evaluate(chain) => {
                asked.push(chain.clone());
                open.push(chain);
                if open.len() < outstanding && rng.random_bool(0.8) {
                    continue;
                }
            }
            Ask::Wait => assert!(!open.is_empty(), "waits for nothing"),
            Ask::Done => {
                assert!(open.is_empty(), "done with {} chains open", open.len());
                return asked;
            }
        }
        let told = open.swap_remove(rng.random_range(0..open.len()));
        search.tell(&told, arbitrary(&told, share));
        search.tell(&told, arbitrary(&told, 256 - share)); // ignored: not outstanding any more
        assert_eq!(search.health().distinct_chains, asked.len() - open.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn no_chain_comes_twice_or_out_of_bounds_or_beyond_the_budget(
        name in prop::sample::select(names()),
        preset in prop::sample::select(Preset::ALL.map(|(name, _)| name).to_vec()),
        layers in 1..14_usize,
        simulations in 1..120_usize,
        budget in prop::option::of(0..600_usize),
        outstanding in 1..9_usize,
        share in prop::sample::select(vec![0_u64, 20, 200]),
        seed in any::<u64>(),
    ) {
        let budget = budget.map(|steps| layers + steps);
        let search = resolved(name, preset, layers, simulations, budget);
        let asked = run(&mut *search.build(seed), outstanding, share, seed);
        prop_assert_eq!(&asked, &run(&mut *search.build(seed), outstanding, share, seed));
        prop_assert!(asked[0].is_identity(layers));
        prop_assert!(asked.len() <= simulations);
        let distinct: HashSet<&Chain> = asked.iter().collect();
        prop_assert_eq!(distinct.len(), asked.len());
        let lengths = search.params.deep_edits.lengths;
        let mut prefixes = Prefixes::default();
        prefixes.insert(&asked[0]);
        for chain in &asked[1..] {
            prop_assert!(lengths.contains(chain.len()) && chain.check(layers).is_ok(), "{}", chain);
            prefixes.insert(chain);
        }
        prop_assert!(budget.is_none_or(|budget| prefixes.steps() <= budget));
    }

    #[test]
    fn a_new_edit_is_a_legal_one_and_none_is_left_out(
        layers in 1..5_usize, seed in any::<u64>(), simulations in 0..40_usize,
    ) {
        let params = SearchParams::preset(Preset::Default, layers);
        let mut ledger = Ledger::new(params.clone(), seed);
        let ask = |ledger: &mut Ledger, draft: Draft| {
            let chain = draft.chain.clone();
            ledger.ask(draft);
            ledger.tell(&chain, Feedback::new(false, None)).unwrap()
        };
        ask(&mut ledger, Draft { chain: Chain::identity(layers), edits: 0 });
        for _ in 0..simulations {
            if let Some(draft) = ledger.new_chain() {
                ask(&mut ledger, draft);
            }
        }
        let mut left: HashSet<Chain> = (params.root_edits.edits(&Chain::identity(layers)).iter())
            .filter_map(|edit| edit.apply(&Chain::identity(layers)))
            .filter(|chain| !ledger.knows(chain))
            .collect();
        while let Some(draft) = ledger.new_edit(0) {
            prop_assert!(draft.edits == 1 && left.remove(&draft.chain), "{}", draft.chain);
            ask(&mut ledger, draft);
        }
        prop_assert!(left.is_empty());
    }
}

#[test]
fn the_seed_decides_unless_the_list_is_fixed() {
    for name in names() {
        let search = resolved(name, "default", 12, 60, None);
        let asked = |seed| run(&mut *search.build(seed), 1, 20, 0);
        let fixed = ["early-exit", "last-n", "shortgpt"].contains(&name);
        assert_eq!(asked(1) == asked(2), fixed, "{name}");
    }
}

#[test]
fn float_noise_does_not_change_the_questions() {
    for name in names() {
        let asked = |noise: f64| {
            let (mut search, mut asked) = (search(name, 12, 150), Vec::new());
            while let Ask::Evaluate(chain) = search.ask() {
                let noise = noise * (asked.len() % 5) as f64;
                let mut feedback = arbitrary(&chain, 10);
                feedback.margin = feedback.margin.map(|margin| margin + noise);
                feedback.degradation = feedback.degradation.map(|nats| nats - noise);
                search.tell(&chain, feedback);
                asked.push(chain);
            }
            asked
        };
        assert_eq!(asked(0.0), asked(1e-6), "{name}");
    }
}

#[test]
fn single_edits_come_in_order_if_all_fit_and_before_pairs() {
    let params = SearchParams::preset(Preset::Default, 6);
    let identity = Chain::identity(6);
    let edits = params.root_edits.edits(&identity);
    let singles: Vec<Chain> = edits
        .iter()
        .filter_map(|edit| edit.apply(&identity))
        .collect();
    let asked = |name: &str, simulations, budget| {
        let search = resolved(name, "default", 6, simulations, budget);
        run(&mut *search.build(1), 3, 0, 0).split_off(1)
    };
    let (all, count) = (singles.iter().collect::<HashSet<_>>(), singles.len());
    assert_eq!(asked("single-edits", count + 1, None), singles);
    for (simulations, budget) in [(count, None), (5000, Some(300))] {
        let some = asked("single-edits", simulations, budget);
        assert!(some.len() < count && some.iter().all(|chain| all.contains(chain)));
        assert_ne!(some, singles[..some.len()], "in random order");
    }
    let pairs = asked("double-edits", count + 200, None);
    assert_eq!(pairs[..count].iter().collect::<HashSet<_>>(), all);
    for pair in &pairs[count..] {
        let space = params.deep_edits;
        let from = |chain: &Chain| {
            space
                .edits(chain)
                .into_iter()
                .any(|edit| edit.apply(chain).as_ref() == Some(pair))
        };
        assert!(singles.iter().any(from), "{pair}");
    }
}

#[test]
fn influence_reaches_the_strategy_through_a_budget_of_steps() {
    let asked = |influence: &[f64]| {
        let mut search = resolved("shortgpt", "default", 4, 50, Some(50)).build(0);
        search.learn_influence(influence);
        run(&mut *search, 1, 0, 0)[1].to_string()
    };
    assert_eq!(asked(&[0.5, 0.1, 0.5, 0.5]), "0,2-3");
    assert_eq!(asked(&[0.5, 0.5, 0.1, 0.5]), "0-1,3");
}

#[test]
fn greedy_restarts_after_as_many_failures_as_1_5_times_the_layers() {
    let (mut search, mut edits) = (search("greedy", 8, 60), Vec::new());
    while let Ask::Evaluate(chain) = search.ask() {
        // Nothing is better than the identity, nor than the first chain of a later climb.
        let margin = -(edits.len() as f64);
        search.tell(&chain, Feedback::new(false, Some(margin)));
        edits.push(chain);
    }
    let single = |chain: &Chain| {
        let root = SearchParams::preset(Preset::Default, 8).root_edits;
        let identity = Chain::identity(8);
        root.edits(&identity)
            .iter()
            .any(|edit| edit.apply(&identity).as_ref() == Some(chain))
    };
    assert!(edits[1..=12].iter().all(single), "12 edits of the identity");
    assert!(
        !edits[14..=25].iter().all(single),
        "then those of a random chain"
    );
}

#[test]
fn a_bounded_length_of_one_leaves_nothing_to_ask() {
    for name in names() {
        let mut search = resolved(name, "default", 1, 50, None);
        let lengths = LengthBounds { min: 1, max: 1 };
        search.params.root_edits.lengths = lengths;
        search.params.deep_edits.lengths = lengths;
        let mut built = search.build(0);
        assert_eq!(run(&mut *built, 4, 0, 0).len(), 1, "{name}");
        assert!(built.health().exhausted, "{name}");
    }
}
