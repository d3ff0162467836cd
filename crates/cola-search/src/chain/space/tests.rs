//! Properties of every edit space.

use proptest::prelude::*;

use super::*;
use crate::chain::{Step, program};

fn space() -> EditSpace {
    EditSpace {
        skip_block: 3,
        repeat_block: 3,
        extra_repeats: 2,
        swap_block: 2,
        max_uses: None,
        damping: None,
        untouched_only: false,
        lengths: LengthBounds { min: 2, max: 10 },
    }
}

fn half() -> Alpha {
    Alpha::from_thousandths(500).unwrap()
}

fn damped() -> EditSpace {
    EditSpace {
        damping: Some(half()),
        ..space()
    }
}

fn chain(text: &str) -> Chain {
    text.parse().unwrap()
}

/// Pseudo-random numbers: each call returns one below its argument.
fn draws(mut state: u64) -> impl FnMut(usize) -> usize {
    move |n| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) as usize % n
    }
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
fn swapping_plain_with_damped_is_an_edit() {
    let swap = Edit::Swap {
        start: 0,
        left: 1,
        right: 1,
    };
    assert!(space().allows(&chain("(1)x2@0.5"), swap));
    assert!(!space().allows(&chain("1@0.5,1@0.5"), swap));
}

#[test]
fn damped_repeats_are_legal_where_plain_ones_are_and_damping_is() {
    let repeat = |alpha| Edit::DampedRepeat {
        start: 0,
        len: 2,
        extra: 1,
        alpha,
    };
    let root = Chain::identity(5);
    assert!(damped().allows(&root, repeat(half())));
    assert!(!damped().allows(&root, repeat(Alpha::from_thousandths(250).unwrap())));
    assert!(!space().allows(&root, repeat(half())));
    let narrow = EditSpace {
        repeat_block: 1,
        ..damped()
    };
    assert!(!narrow.allows(&root, repeat(half())));
    let twice = EditSpace {
        max_uses: Some(2),
        ..damped()
    };
    assert!(!twice.allows(&chain("0,1,1"), repeat(half())));
    let fresh = EditSpace {
        untouched_only: true,
        ..damped()
    };
    assert!(!fresh.allows(&chain("0,1@0.5,2"), repeat(half())));
    assert!(fresh.allows(&chain("0-1,2@0.5"), repeat(half())));
    let plain = EditSpace {
        damping: Some(Alpha::PLAIN),
        ..space()
    };
    assert!(!plain.allows(&root, repeat(Alpha::PLAIN)), "is a repeat");
    assert_eq!(plain.edits(&root), space().edits(&root));
}

#[test]
fn damping_adds_an_edit_for_every_repeat_and_changes_no_other() {
    let root = Chain::identity(6);
    let is_damped = |edit: &Edit| matches!(edit, Edit::DampedRepeat { .. });
    let (with, mut others): (Vec<Edit>, Vec<Edit>) =
        damped().edits(&root).into_iter().partition(is_damped);
    assert_eq!(others, space().edits(&root));
    others.retain(|edit| matches!(edit, Edit::Repeat { .. }));
    assert_eq!(with.len(), others.len());
}

#[test]
fn damped_repeats_are_a_kind_of_their_own_and_without_them_the_draws_are_the_same() {
    let drawn = |space: EditSpace| {
        let mut below = draws(1);
        let edits = (0..4000).map(|_| space.random_edit(&Chain::identity(6), &mut below));
        edits.map(Option::unwrap).collect::<Vec<Edit>>()
    };
    let edits = drawn(damped());
    let share = |kind: fn(&Edit) -> bool| edits.iter().filter(|&edit| kind(edit)).count();
    for count in [
        share(|edit| matches!(edit, Edit::Skip { .. })),
        share(|edit| matches!(edit, Edit::Repeat { .. })),
        share(|edit| matches!(edit, Edit::DampedRepeat { .. })),
        share(|edit| matches!(edit, Edit::Swap { .. })),
    ] {
        assert!((800..1200).contains(&count), "{count} of 4000");
    }
    let plain = EditSpace {
        damping: Some(Alpha::PLAIN),
        ..space()
    };
    assert_eq!(drawn(plain), drawn(space()));
}

#[test]
fn a_space_without_damping_is_written_as_before_damping_existed() {
    let text = serde_json::to_string(&space()).unwrap();
    assert!(!text.contains("damping"), "{text}");
    let text = serde_json::to_string(&damped()).unwrap();
    assert!(text.contains("\"damping\":0.5"), "{text}");
    assert_eq!(serde_json::from_str::<EditSpace>(&text).unwrap(), damped());
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

/// Steps of a plain chain or of one that may be damped, and in half of the cases the alpha of damped
/// repeats.
fn steps_and_damping(layers: Layer) -> impl Strategy<Value = (Vec<Step>, Option<Alpha>)> {
    let plain = prop::collection::vec(0..layers, 0..9)
        .prop_map(|layers| Chain::new(layers).steps().collect());
    let damped = program::tests::steps(layers, 0..9);
    (prop_oneof![plain, damped], prop::option::of(Just(half())))
}

proptest! {
    #[test]
    fn edits_stay_legal_sorted_and_distinct(
        (steps, damping) in steps_and_damping(5),
        fresh: bool,
        uses in prop::option::of(1usize..4),
    ) {
        let space = EditSpace { untouched_only: fresh, max_uses: uses, damping, ..space() };
        let chain = Chain::from_steps(steps);
        let edits = space.edits(&chain);
        prop_assert!(edits.windows(2).all(|w| w[0] < w[1]));
        let mut results = HashSet::new();
        for edit in edits {
            let result = space.apply(&chain, edit).unwrap();
            prop_assert!(space.lengths.contains(result.len()));
            prop_assert_ne!(&result, &chain);
            prop_assert!(results.insert(result), "{:?} is a duplicate", edit);
        }
        // No legal result is lost, although only one edit for each result is listed.
        for edit in space.shapes(chain.len()) {
            if let Some(result) = space.apply(&chain, edit) {
                prop_assert!(results.contains(&result));
            }
        }
    }

    #[test]
    fn on_distinct_layers_no_two_edits_meet(n in 0usize..9) {
        let space = EditSpace { swap_block: 4, ..damped() };
        let chain = Chain::identity(n);
        let edits = space.edits(&chain);
        let results: HashSet<Chain> = edits.iter().filter_map(|e| e.apply(&chain)).collect();
        prop_assert_eq!(results.len(), edits.len());
    }

    #[test]
    fn random_edits_are_legal_and_found_whenever_one_exists(
        (steps, damping) in steps_and_damping(4),
        seed: u64,
    ) {
        let space = EditSpace { damping, ..space() };
        let chain = Chain::from_steps(steps);
        match space.random_edit(&chain, draws(seed)) {
            Some(edit) => prop_assert!(space.allows(&chain, edit)),
            None => prop_assert_eq!(space.count(&chain), 0),
        }
    }
}
