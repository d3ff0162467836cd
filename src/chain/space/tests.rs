//! What every space of edits keeps.

use proptest::prelude::*;

use super::*;

fn space() -> EditSpace {
    EditSpace {
        skip_block: 3,
        repeat_block: 3,
        extra_repeats: 2,
        swap_block: 2,
        max_uses: None,
        untouched_only: false,
        lengths: LengthBounds { min: 2, max: 10 },
    }
}

fn chain(text: &str) -> Chain {
    text.parse().unwrap()
}

#[test]
fn swapping_equal_blocks_is_no_edit() {
    let swap = Edit::Swap {
        start: 0,
        left: 1,
        right: 1,
    };
    assert!(!space().allows(&chain("1,1,2"), swap));
    assert!(space().allows(&chain("1,2,1"), swap));
}

#[test]
fn a_root_of_28_layers_has_212_skips_and_single_copies() {
    let polar = EditSpace {
        skip_block: 4,
        repeat_block: 4,
        extra_repeats: 1,
        swap_block: 0,
        lengths: LengthBounds { min: 16, max: 32 },
        ..space()
    };
    assert_eq!(polar.count(&Chain::identity(28)), 212);
}

#[test]
fn uses_and_untouched_blocks_are_respected() {
    let twice = EditSpace {
        max_uses: Some(2),
        ..space()
    };
    let again = |start| Edit::Repeat {
        start,
        len: 1,
        extra: 1,
    };
    assert!(twice.allows(&chain("0,1,1,2"), again(0)));
    assert!(!twice.allows(&chain("0,1,1,2"), again(1)));
    let fresh = EditSpace {
        untouched_only: true,
        ..space()
    };
    let skip = |start| Edit::Skip { start, len: 2 };
    assert!(fresh.allows(&chain("0,2-4,4,5"), skip(1)));
    assert!(!fresh.allows(&chain("0,2-4,4,5"), skip(0)), "spans a skip");
    assert!(
        !fresh.allows(&chain("0,2-4,4,5"), skip(2)),
        "spans a repeat"
    );
}

proptest! {
    #[test]
    fn edits_stay_legal_sorted_and_distinct(
        layers in prop::collection::vec(0u16..5, 0..9),
        fresh: bool,
        uses in prop::option::of(1usize..4),
    ) {
        let space = EditSpace { untouched_only: fresh, max_uses: uses, ..space() };
        let chain = Chain::new(layers);
        let edits = space.edits(&chain);
        prop_assert!(edits.windows(2).all(|w| w[0] < w[1]));
        let mut results = HashSet::new();
        for edit in edits {
            let result = space.apply(&chain, edit).unwrap();
            prop_assert!(space.lengths.contains(result.len()));
            prop_assert_ne!(&result, &chain);
            prop_assert!(results.insert(result), "{:?} is a duplicate", edit);
        }
        // Nothing legal is lost by listing only one edit a result.
        for edit in space.shapes(chain.len()) {
            if let Some(result) = space.apply(&chain, edit) {
                prop_assert!(results.contains(&result));
            }
        }
    }

    #[test]
    fn on_distinct_layers_no_two_edits_meet(n in 0usize..9) {
        let space = EditSpace { swap_block: 4, ..space() };
        let chain = Chain::identity(n);
        let edits = space.edits(&chain);
        let results: HashSet<Chain> = edits.iter().filter_map(|e| e.apply(&chain)).collect();
        prop_assert_eq!(results.len(), edits.len());
    }

    #[test]
    fn random_edits_are_legal_and_found_whenever_one_exists(
        layers in prop::collection::vec(0u16..4, 0..9),
        seed: u64,
    ) {
        let chain = Chain::new(layers);
        let mut state = seed;
        let below = |n: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as usize % n
        };
        match space().random_edit(&chain, below) {
            Some(edit) => prop_assert!(space().allows(&chain, edit)),
            None => prop_assert_eq!(space().count(&chain), 0),
        }
    }
}
