//! Properties of every strategy, and of each preset.

use std::collections::HashSet;

use super::{graph::Verdict, mcts::Mcts, planted::Planted, score::PathUcb, *};
use crate::chain::{Alpha, Edit, Step};

fn resolved(strategy: &str, preset: &str, layers: usize, simulations: usize) -> ResolvedSearch {
    let config = SearchConfig {
        strategy: strategy.to_owned(),
        preset: preset.to_owned(),
        simulations: Some(simulations),
        ..SearchConfig::default()
    };
    config.resolve(layers).unwrap()
}

/// A search with the preset `default` and damped repeats.
fn damped(strategy: &str, layers: usize, simulations: usize) -> ResolvedSearch {
    let config = SearchConfig {
        strategy: strategy.to_owned(),
        simulations: Some(simulations),
        damping: Alpha::from_thousandths(500),
        ..SearchConfig::default()
    };
    config.resolve(layers).unwrap()
}

/// Every strategy and preset worth running on `layers` layers.
fn all_searches(layers: usize) -> Vec<ResolvedSearch> {
    let presets = Preset::ALL.map(|(preset, _)| resolved("mcts", preset, layers, 150));
    let mut searches = Vec::from(presets);
    searches.push(resolved("random", "default", layers, 150));
    searches.push(resolved("beam", "default", layers, 150));
    searches.push(damped("mcts", layers, 150));
    searches.push(damped("beam", layers, 150));
    searches.push(damped("random", layers, 150));
    if layers <= 4 {
        searches.push(resolved("exhaustive", "default", layers, 400));
    }
    searches
}

/// A pseudo-random verdict that is always the same for a chain; `share` of 256 chains are right.
fn arbitrary(chain: &Chain, share: u64) -> Feedback {
    let hash = seed_for(9, "verdict", &chain.to_string());
    Feedback::new(
        hash % 256 < share,
        (!hash.is_multiple_of(3)).then_some(-((hash % 7) as f64)),
    )
}

/// Runs a search with up to `outstanding` chains outstanding, and returns the chains in order. The next
/// verdict is that of the oldest or of the newest outstanding chain, in turn.
fn run(search: &mut dyn Strategy, outstanding: usize, share: u64) -> Vec<Chain> {
    let (mut asked, mut open) = (Vec::new(), Vec::new());
    loop {
        match search.ask() {
            Ask::Evaluate(chain) => {
                asked.push(chain.clone());
                open.push(chain);
                if open.len() < outstanding {
                    continue;
                }
            }
            Ask::Wait => assert!(!open.is_empty(), "waits for nothing"),
            Ask::Done => {
                assert!(open.is_empty(), "done with {} chains open", open.len());
                return asked;
            }
        }
        let chain = open.remove(if asked.len().is_multiple_of(2) {
            0
        } else {
            open.len() - 1
        });
        search.tell(&chain, arbitrary(&chain, share));
    }
}

fn health(search: &ResolvedSearch, share: u64) -> Health {
    let mut built = search.build(5);
    run(&mut *built, 1, share);
    built.health()
}

#[test]
fn the_identity_comes_first_and_no_chain_comes_twice_or_out_of_bounds() {
    for layers in [1, 2, 4, 8, 28] {
        for search in all_searches(layers) {
            for outstanding in [1, 2, 7] {
                for share in [0, 20, 200] {
                    let asked = run(&mut *search.build(11), outstanding, share);
                    assert!(asked[0].is_identity(layers));
                    let distinct: HashSet<&Chain> = asked.iter().collect();
                    assert_eq!(distinct.len(), asked.len(), "{search:?}");
                    assert!(asked.len() <= search.params.simulations);
                    let bounds = search.params.deep_edits.lengths;
                    for chain in &asked[1..] {
                        assert!(bounds.contains(chain.len()), "{chain} of {search:?}");
                        assert!(chain.check(layers).is_ok());
                    }
                }
            }
        }
    }
}

#[test]
fn the_same_seed_asks_the_same_and_another_seed_does_not() {
    for search in all_searches(12) {
        let asked = |seed| run(&mut *search.build(seed), 1, 20);
        assert_eq!(asked(1), asked(1));
        assert_ne!(asked(1), asked(2), "{search:?}");
    }
}

#[test]
fn nothing_else_is_asked_while_the_identity_is_outstanding() {
    for search in all_searches(8)
        .iter()
        .filter(|s| s.strategy == StrategyKind::Mcts)
    {
        let mut search = search.build(0);
        assert!(matches!(search.ask(), Ask::Evaluate(_)));
        assert_eq!(search.ask(), Ask::Wait);
        let stranger = Chain::new([3, 1]);
        search.tell(&stranger, arbitrary(&stranger, 256));
        assert_eq!(search.ask(), Ask::Wait, "a chain not asked for is ignored");
    }
}

#[test]
fn float_noise_in_margins_does_not_change_the_questions() {
    let asked = |noise: f64| {
        let mut search = resolved("mcts", "default", 12, 150).build(4);
        let mut asked = Vec::new();
        while let Ask::Evaluate(chain) = search.ask() {
            let margin = Some(-(chain.len() as f64) + noise * asked.len() as f64);
            asked.push(chain.clone());
            let correct = false;
            search.tell(&chain, Feedback::new(correct, margin));
        }
        asked
    };
    assert_eq!(asked(0.0), asked(1e-8));
}

/// `default` deletes layers once it found a right chain, and is then not judged as a tree.
#[test]
fn no_preset_degenerates_on_a_real_models_depth() {
    for layers in [12, 28, 48] {
        for search in all_searches(layers) {
            for share in [0, 20, 128] {
                let health = health(&search, share);
                assert_eq!(health.degenerate, None, "{:?} {health:?}", search.preset);
                assert_eq!(health.distinct_chains + health.re_asked, health.simulations);
            }
        }
    }
}

#[test]
fn a_tree_made_to_degenerate_is_reported() {
    let degenerate = |factor, exponent| {
        let mut search = resolved("mcts", "cola-paper", 28, 60);
        search.params.widening_factor = factor;
        search.params.widening_exponent = exponent;
        health(&search, 0).degenerate.unwrap_or_default()
    };
    // With one child for each node, the tree is a single line, as in Dr.LLM's loop; with a new child at
    // every visit, it never gets below the root's children.
    assert!(degenerate(1.0, 0.0).starts_with("a single line"));
    assert!(degenerate(100.0, 1.0).starts_with("depth 1 only"));
}

#[test]
fn a_space_used_up_ends_the_search() {
    let search = resolved("mcts", "default", 1, 200);
    let mut built = search.build(0);
    let asked = run(&mut *built, 1, 0);
    assert_eq!(asked.len(), 17, "one layer, once to 17 times");
    assert!(built.health().exhausted);
}

#[test]
fn exhaustive_runs_every_chain_shortest_first() {
    let search = resolved("exhaustive", "default", 3, 39);
    let asked = run(&mut *search.build(0), 1, 0);
    assert_eq!(asked.len(), 3 + 9 + 27);
    assert!(asked[1..].is_sorted_by_key(Chain::len));
}

#[test]
fn exhaustive_with_damping_runs_every_chain_of_plain_and_damped_places() {
    let search = damped("exhaustive", 2, 20);
    let asked = run(&mut *search.build(0), 1, 0);
    assert_eq!(asked.len(), 4 + 16);
    for text in ["0@0.5", "(1)x2@0.5", "1@0.5,0"] {
        assert!(asked.contains(&text.parse().unwrap()), "{text}");
    }
    let edits = damped("exhaustive", 8, 600);
    let edited = run(&mut *edits.build(0), 1, 0);
    assert!(edited.iter().any(Chain::is_damped), "{:?}", edits.covers);
}

#[test]
fn seeds_spread_over_presets_of_random_chains() {
    let first = |seed| run(&mut *resolved("random", "default", 28, 5).build(seed), 1, 0);
    let different: HashSet<Vec<Chain>> = (0..20).map(first).collect();
    assert_eq!(different.len(), 20);
}

// The published rules.

fn score(search: &SearchParams, total: f64, visits: f64, v: f64, len: usize) -> f64 {
    let ucb = PathUcb {
        exploration: search.exploration,
        length_penalty: search.length_penalty,
        layers: search.layers,
    };
    ucb.score(total, visits, v + search.visit_offset, len)
}

#[test]
fn scores_are_the_published_ones() {
    for (preset, layers, (total, visits, v, len), by_hand) in [
        // 3/5 + sqrt 2 * sqrt(ln 40 / 5) - 5 * 24/28
        (
            Preset::ColaPaper,
            28,
            (3.0, 5.0, 40.0, 24),
            -2.470_991_361_9,
        ),
        // 2/3 - 5 * 26/28 + sqrt(2 ln(50 + 1) / 3)
        (
            Preset::PolarRelease,
            28,
            (2.0, 3.0, 50.0, 26),
            -2.357_173_154_3,
        ),
        // 1/4 + 1.8 * sqrt(ln 12 / 4) - 3 * 31/32
        (Preset::DrLlm, 32, (1.0, 4.0, 12.0, 31), -1.237_527_198_9),
        // 1/2 + 1.414 * sqrt(ln 100 / 2) - 5 * 20/28
        (Preset::RePolar, 28, (1.0, 2.0, 100.0, 20), -0.925_786_610_4),
    ] {
        let params = SearchParams::preset(preset, layers);
        let scored = score(&params, total, visits, v, len);
        assert!((scored - by_hand).abs() < 1e-9, "{preset:?}: {scored}");
    }
}

#[test]
fn published_parameters_are_kept() {
    let of = |preset| SearchParams::preset(preset, 28);
    let paper = of(Preset::ColaPaper);
    assert_eq!((paper.simulations, paper.random_child), (200, 0.1));
    assert_eq!(
        (paper.root_edits.skip_block, paper.root_edits.extra_repeats),
        (4, 4)
    );
    assert_eq!(paper.visit_total, VisitTotal::Root);
    let dr = of(Preset::DrLlm);
    assert_eq!((dr.simulations, dr.root_edits.lengths.max), (50, 56));
    assert_eq!(
        (dr.root_edits.skip_block, dr.root_edits.repeat_block),
        (2, 1)
    );
    assert_eq!(dr.visit_total, VisitTotal::Parent);
    for (layers, min, max) in [(24, 16, 28), (28, 16, 32), (36, 24, 44), (48, 36, 54)] {
        let lengths = SearchParams::preset(Preset::PolarRelease, layers)
            .deep_edits
            .lengths;
        assert_eq!((lengths.min, lengths.max), (min, max));
    }
    let re = of(Preset::RePolar);
    assert_eq!((re.widening_factor, re.widening_exponent), (2.0, 0.5));
    assert!(re.shared_nodes && re.deep_edits.untouched_only);
    for (_, preset) in Preset::ALL {
        assert_eq!(
            of(preset).root_edits.swap_block > 0,
            preset == Preset::Default
        );
    }
}

/// Runs a search to its end, to inspect its graph.
fn searched(preset: Preset, layers: usize, share: u64) -> Mcts {
    let mut search = Mcts::new(SearchParams::preset(preset, layers), 3);
    run(&mut search, 1, share);
    search
}

#[test]
fn polar_release_edits_single_layers_below_the_root_and_owns_each_chain_once() {
    let search = searched(Preset::PolarRelease, 28, 0);
    assert_eq!(search.graph.children(search.root).count(), 212);
    let mut below = 0;
    for (child, _) in search.graph.children(search.root) {
        for (grandchild, step) in search.graph.children(child) {
            assert_eq!(search.graph.node(grandchild).parent, Some(child));
            let (Some(Edit::Skip { len, .. }) | Some(Edit::Repeat { len, .. })) = step.edit else {
                panic!("{step:?}");
            };
            assert_eq!(len, 1);
            below += 1;
        }
    }
    assert!(below > 0);
    let visited = search.graph.children(search.root);
    let visited = visited
        .filter(|(child, _)| search.graph.node(*child).told())
        .count();
    assert!(
        (2..=30).contains(&visited),
        "its own rule visits few: {visited}"
    );
}

#[test]
fn dr_llm_stops_at_the_first_right_chain_of_a_wrong_sample() {
    let mut search = Mcts::new(SearchParams::preset(Preset::DrLlm, 28), 0);
    let verdicts = [false, false, false, true];
    for correct in verdicts {
        let Ask::Evaluate(chain) = search.ask() else {
            panic!("stopped early");
        };
        let margin = None;
        search.tell(&chain, Feedback::new(correct, margin));
    }
    assert_eq!(search.ask(), Ask::Done);
}

#[test]
fn dr_llm_goes_on_with_a_right_sample_until_a_shorter_chain_is_right() {
    let mut search = Mcts::new(SearchParams::preset(Preset::DrLlm, 28), 0);
    let mut shortest = usize::MAX;
    while let Ask::Evaluate(chain) = search.ask() {
        assert!(shortest >= 28, "went on after a right chain of {shortest}");
        shortest = shortest.min(chain.len());
        let feedback = Feedback::new(true, None);
        search.tell(&chain, feedback);
    }
    assert!(shortest < 28);
}

#[test]
fn re_polar_never_edits_a_block_twice() {
    let search = searched(Preset::RePolar, 28, 20);
    for node in search
        .graph
        .nodes()
        .filter(|node| node.verdict != Verdict::Unasked)
    {
        // Every block is edited at most once, so a layer runs once and is repeated at most four times.
        let uses = node.chain.uses(28);
        assert!(uses.iter().all(|&n| n <= 5), "{}", node.chain);
    }
}

#[test]
fn a_chain_reached_twice_is_one_node() {
    let search = searched(Preset::RePolar, 8, 0);
    let chains: Vec<&Chain> = search.graph.nodes().map(|node| &node.chain).collect();
    let distinct: HashSet<&Chain> = chains.iter().copied().collect();
    assert_eq!(distinct.len(), chains.len());
    let edges: usize = (search.graph.children(search.root))
        .map(|(child, _)| search.graph.children(child).count())
        .sum();
    let own: usize = (search.graph.children(search.root))
        .flat_map(|(child, _)| search.graph.children(child).map(move |(at, _)| (child, at)))
        .filter(|&(child, at)| search.graph.node(at).parent == Some(child))
        .count();
    assert!(edges > own, "some grandchildren have two parents");
}

/// Damped and plain places of a layer are distinguished by the verdicts, by shrinking, and by the
/// simulations near the shortest right chain.
#[test]
fn a_damped_visit_that_is_needed_is_found_and_kept() {
    let half = Alpha::from_thousandths(500).unwrap();
    let needed = [Alpha::PLAIN, half].map(|alpha| Step { layer: 3, alpha });
    for seed in 0..20 {
        let mut search = damped("mcts", 8, 200).build(seed);
        let mut shortest: Option<Chain> = None;
        while let Ask::Evaluate(chain) = search.ask() {
            let mut missing = needed.iter().peekable();
            for step in chain.steps() {
                missing.next_if_eq(&&step);
            }
            let correct = missing.next().is_none();
            let margin = None;
            search.tell(&chain, Feedback::new(correct, margin));
            if correct && shortest.as_ref().is_none_or(|s| chain.len() < s.len()) {
                shortest = Some(chain);
            }
        }
        let shortest = shortest.map(|chain| chain.to_string());
        assert_eq!(shortest.as_deref(), Some("(3)x2@0.5"), "seed {seed}");
    }
}

#[test]
fn without_damping_no_damped_chain_is_asked_for() {
    for search in all_searches(8) {
        let asked = run(&mut *search.build(2), 1, 20);
        let damping = search.params.root_edits.damping.is_some();
        assert_eq!(asked.iter().any(Chain::is_damped), damping, "{search:?}");
    }
}

#[test]
fn a_search_by_verdicts_asks_what_it_would_ask_without_margins() {
    let asked = |score, margins: bool| {
        let config = SearchConfig {
            score,
            ..SearchConfig::default()
        };
        let mut strategy = config.resolve(8).unwrap().build(3);
        let mut asked = Vec::new();
        while let Ask::Evaluate(chain) = strategy.ask() {
            // No chain is right, so only margins can guide the search.
            let margin = margins.then(|| -(chain.len() as f64));
            let correct = false;
            strategy.tell(&chain, Feedback::new(correct, margin));
            asked.push(chain);
        }
        asked
    };
    let blind = asked(Some(Score::Verdict), true);
    assert_eq!(blind, asked(None, false));
    assert_ne!(blind, asked(Some(Score::Margin), true));
}

// Planted cases.

/// Number of planted cases, out of 200, in which a search finds a shortest right chain.
fn solved(search: &str, strict: bool, margins: bool) -> usize {
    (0..200)
        .filter(|&seed| {
            let case = Planted {
                strict,
                ..Planted::draw(seed)
            };
            let search = resolved(search, "default", case.layers, 200);
            let seed = seed_for(0, "planted", &seed.to_string());
            case.run(&mut *search.build(seed), margins) == Some(case.shortest())
        })
        .count()
}

#[test]
fn planted_cases_are_of_every_kind() {
    let cases: Vec<Planted> = (0..200).map(Planted::draw).collect();
    let right = |case: &&Planted| case.right(Chain::identity(case.layers).layers());
    let baseline_right = cases.iter().filter(right).count();
    assert!((15..60).contains(&baseline_right), "{baseline_right}");
    let three_faults = cases.iter().filter(|case| {
        let twice = case.needed.windows(2).any(|w| w[0] == w[1]);
        let swapped = case.needed.windows(2).any(|w| w[0] > w[1]);
        twice && swapped && !case.harmful.is_empty()
    });
    assert!(three_faults.count() >= 15);
}

#[test]
fn default_finds_a_shortest_chain_in_nine_of_ten_planted_cases_from_bare_verdicts() {
    let (ours, random) = (solved("mcts", false, false), solved("random", false, false));
    println!("of 200, bare verdicts: default {ours}, random {random}");
    assert!(ours >= 180, "{ours} of 200");
    assert!(ours > random, "{ours}, random {random}");
}

#[test]
fn default_finds_them_with_margins_too() {
    let ours = solved("mcts", false, true);
    println!("of 200, margins: default {ours}");
    assert!(ours >= 180, "{ours} of 200");
}

/// Under strict rules (a needed layer may run at no other position) no chain satisfies several rules by
/// luck, and verdicts without margins do not lead to a chain with two faults repaired at once.
#[test]
fn margins_lead_through_strict_rules_where_bare_verdicts_do_not() {
    let (with, without) = (solved("mcts", true, true), solved("mcts", true, false));
    let random = solved("random", true, false);
    println!("of 200, strict: margins {with}, bare verdicts {without}, random {random}");
    assert!(with > without, "with {with}, without {without}");
    assert!(without > random, "without {without}, random {random}");
}
