//! What each baseline finds.

use super::*;
use crate::{chain::Layer, planted::Planted};

/// Number of planted cases, out of 200, in which a search finds a shortest right chain.
fn solved(name: &str, strict: bool, margins: bool) -> usize {
    let case = |seed: u64| {
        let case = Planted {
            strict,
            ..Planted::draw(seed)
        };
        let search = resolved(name, "default", case.layers, 200, None);
        let seed = seed_for(0, "planted", &seed.to_string());
        case.run(&mut *search.build(seed), margins) == Some(case.needed.len())
    };
    (0..200).filter(|&seed| case(seed)).count()
}

#[test]
fn searches_that_compare_chains_find_more_planted_cases_than_random_ones() {
    let random = solved("random", false, true);
    println!("of 200, margins: random {random}");
    for (name, least) in [
        ("greedy", 70),
        ("beam", 120),
        ("best-first", 120),
        ("anneal", 90),
    ] {
        let (with, bare) = (solved(name, false, true), solved(name, false, false));
        let strict = solved(name, true, true);
        println!("of 200: {name} with margins {with}, bare {bare}, strict with margins {strict}");
        assert!(with >= least, "{name}: {with}");
        assert!(bare > random, "{name}: {bare}, random {random}");
    }
}

/// Length of the shortest right chain that a search finds, if `right` says which are.
fn shortest(mut search: Box<dyn Strategy>, right: impl Fn(&[Layer]) -> bool) -> Option<usize> {
    let mut shortest: Option<usize> = None;
    while let Ask::Evaluate(chain) = search.ask() {
        let correct = right(chain.layers());
        if correct && shortest.is_none_or(|len| chain.len() < len) {
            shortest = Some(chain.len());
        }
        search.tell(&chain, Feedback::new(correct, None));
    }
    shortest
}

#[test]
fn lists_find_the_cases_they_are_made_for() {
    let without = |layers: &'static [Layer]| {
        move |chain: &[Layer]| !chain.iter().any(|layer| layers.contains(layer))
    };
    let planted = |needed: &[Layer]| Planted {
        layers: 8,
        needed: needed.to_vec(),
        harmful: Vec::new(),
        strict: true,
    };
    assert_eq!(
        shortest(search("early-exit", 8, 50), without(&[5, 7])),
        Some(1)
    );
    let last = |chain: &[Layer]| {
        chain.ends_with(&[7]) && chain.starts_with(&[0, 1]) && !chain.contains(&6)
    };
    assert_eq!(shortest(search("last-n", 8, 50), last), Some(3));
    let twice = planted(&[0, 1, 2, 3, 4, 2, 3, 4, 5, 6, 7]);
    assert_eq!(twice.run(&mut *search("rys", 8, 50), false), Some(11));
    let skipped = planted(&[0, 1, 2, 4, 5, 6, 7]);
    let skipped = Planted {
        harmful: vec![3],
        ..skipped
    };
    assert_eq!(
        skipped.run(&mut *search("single-edits", 8, 2000), false),
        Some(7)
    );
    let two = planted(&[0, 2, 4, 5, 6, 7]);
    let two = Planted {
        harmful: vec![1, 3],
        ..two
    };
    assert_eq!(two.run(&mut *search("single-edits", 8, 2000), false), None);
    assert_eq!(
        two.run(&mut *search("double-edits", 8, 8000), false),
        Some(6)
    );
    let mut told = search("shortgpt", 8, 50);
    told.learn_influence(&[0.9, 0.1, 0.8, 0.2, 0.7, 0.3, 0.6, 0.4]);
    assert_eq!(shortest(told, |chain| chain == [0, 2, 4, 6]), Some(4));
}
