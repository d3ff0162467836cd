//! Tests of all generators together.

use std::collections::{HashMap, HashSet};

use super::*;

fn every_level() -> impl Iterator<Item = (Kind, u32)> {
    Kind::ALL
        .into_iter()
        .flat_map(|kind| kind.levels().map(move |level| (kind, level)))
}

fn ids(items: &[Item]) -> HashSet<&str> {
    items.iter().map(|item| item.id.as_str()).collect()
}

#[test]
fn the_solver_agrees_with_every_item_of_every_level() {
    for (kind, level) in every_level() {
        for (split, count) in [(Split::Train, 2000), (Split::Test, 400)] {
            let items = generate(kind, level, count, 7, split).unwrap();
            assert_eq!(ids(&items).len(), count, "{kind} {level}: ids are distinct");
            for item in &items {
                assert_eq!(check(item), Ok(()));
                assert_eq!(item.split(), split);
            }
        }
    }
}

#[test]
fn ten_thousand_items_of_every_kind_are_distinct_and_what_the_solver_says() {
    for kind in Kind::ALL {
        let levels = kind.levels().count();
        let mut seen = HashSet::new();
        for level in kind.levels() {
            for item in
                generate(kind, level, 10_000_usize.div_ceil(levels), 21, Split::Train).unwrap()
            {
                assert_eq!(check(&item), Ok(()));
                assert!(
                    seen.insert(item.sameness()),
                    "{kind} {level}: asked twice, but for the order of options: {}",
                    item.question
                );
            }
        }
        assert!(seen.len() >= 10_000, "{kind}: {}", seen.len());
    }
}

#[test]
fn no_question_is_in_train_and_in_test_whatever_the_seeds() {
    let questions = |kind, level, count, seed, split| -> HashSet<String> {
        let items = generate(kind, level, count, seed, split).unwrap();
        items.into_iter().map(|item| item.question).collect()
    };
    for (kind, level) in every_level() {
        let train = questions(kind, level, 3000, 1, Split::Train);
        let test = questions(kind, level, 400, 2, Split::Test);
        assert!(train.is_disjoint(&test), "{kind} {level}");
    }
}

#[test]
fn every_question_of_commonsense_falls_on_one_side() {
    for (level, all) in [(1, 16 * 8 + 16 * 3), (2, 16 * 8 * 3)] {
        let questions = |split| -> HashSet<String> {
            let items = generate(Kind::Commonsense, level, 5000, 3, split).unwrap();
            items.into_iter().map(|item| item.question).collect()
        };
        let (train, test) = (questions(Split::Train), questions(Split::Test));
        assert_eq!(train.len() + test.len(), all, "level {level}");
        assert!(
            (all / 6..all / 3).contains(&test.len()),
            "{level}: {}",
            test.len()
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_items_and_a_larger_count_only_adds() {
    for (kind, level) in every_level() {
        let long = generate(kind, level, 60, 11, Split::Train).unwrap();
        assert_eq!(long, generate(kind, level, 60, 11, Split::Train).unwrap());
        assert_eq!(
            long[..20],
            generate(kind, level, 20, 11, Split::Train).unwrap()
        );
        assert_ne!(long, generate(kind, level, 60, 12, Split::Train).unwrap());
    }
}

#[test]
fn no_answer_is_favoured() {
    let mut answers: HashMap<String, usize> = HashMap::new();
    for item in generate(Kind::Arith, 3, 10_000, 5, Split::Train).unwrap() {
        let Solution::Text { answer } = item.solution else {
            panic!("a number")
        };
        *answers.entry(answer).or_default() += 1;
    }
    assert_eq!(answers.len(), 100);
    assert!(
        answers.values().all(|count| (50..170).contains(count)),
        "{answers:?}"
    );
    let mut keys: HashMap<String, usize> = HashMap::new();
    for item in generate(Kind::Commonsense, 2, 400, 5, Split::Test).unwrap() {
        let Solution::Choice { answer_key, .. } = item.solution else {
            panic!("a choice")
        };
        *keys.entry(answer_key).or_default() += 1;
    }
    assert!(
        ["A", "B", "C", "D"].iter().all(|key| keys[*key] == 100),
        "{keys:?}"
    );
}

#[test]
fn answers_that_come_in_turn_are_equally_frequent_at_every_level() {
    for (kind, answers) in [
        (Kind::Commonsense, &["A", "B", "C", "D"][..]),
        (Kind::Countdown, &["A", "B", "C", "D"]),
        (Kind::Hops, &["A", "B", "C", "D"]),
        (Kind::Boolean, &["True", "False"]),
        (
            Kind::ListOps,
            &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
        ),
        (
            Kind::Counting,
            &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
        ),
    ] {
        for level in kind.levels() {
            let mut counts: HashMap<String, usize> = HashMap::new();
            for item in generate(kind, level, 400, 5, Split::Test).unwrap() {
                let answer = match item.solution {
                    Solution::Text { answer } => answer,
                    Solution::Choice { answer_key, .. } => answer_key,
                };
                *counts.entry(answer).or_default() += 1;
            }
            assert_eq!(counts.len(), answers.len(), "{kind} {level}: {counts:?}");
            for answer in answers {
                assert_eq!(
                    counts[*answer],
                    400 / answers.len(),
                    "{kind} {level}: {answer}"
                );
            }
        }
    }
}

/// Highest share of right options among all options with the same `hint`, over hints that at least 1,000
/// options have. It is near 1/4 if a guess from the hint alone is no better than chance.
fn guessed<H: std::hash::Hash + Eq>(items: &[Item], hint: impl Fn(&Item, &str) -> H) -> f64 {
    let mut right: HashMap<H, usize> = HashMap::new();
    let mut all: HashMap<H, usize> = HashMap::new();
    for item in items {
        let Solution::Choice {
            choices,
            answer_key,
        } = &item.solution
        else {
            panic!("a choice")
        };
        for (text, label) in choices.text.iter().zip(&choices.label) {
            *all.entry(hint(item, text)).or_default() += 1;
            *right.entry(hint(item, text)).or_default() += usize::from(label == answer_key);
        }
    }
    let often = all.iter().filter(|(_, count)| **count >= 1000);
    often
        .map(|(hint, count)| right[hint] as f64 / *count as f64)
        .fold(0.0, f64::max)
}

#[test]
fn the_look_of_an_option_does_not_tell_that_it_is_right() {
    for level in Kind::Countdown.levels() {
        let items = generate(Kind::Countdown, level, 3000, 5, Split::Train).unwrap();
        for operation in ['+', '-', '*'] {
            let share = guessed(&items, |_, text| text.matches(operation).count());
            assert!(share < 0.33, "{level} {operation}: {share}");
        }
        let share = guessed(&items, |_, text| text.len());
        assert!(share < 0.33, "{level} length: {share}");
    }
    for level in Kind::Hops.levels() {
        let items = generate(Kind::Hops, level, 3000, 5, Split::Train).unwrap();
        let share = guessed(&items, |item, text| item.question.matches(text).count());
        assert!(share < 0.3, "{level} mentions: {share}");
    }
}

#[test]
fn half_of_the_operators_of_true_and_of_false_formulas_are_and() {
    for level in [1, 4, 8] {
        for answer in ["True", "False"] {
            let items = generate(Kind::Boolean, level, 4000, 5, Split::Train).unwrap();
            let of = |item: &&Item| matches!(&item.solution, Solution::Text { answer: found } if found == answer);
            let (mut and, mut or) = (0, 0);
            for item in items.iter().filter(of) {
                and += item.question.matches("and").count();
                or += item.question.matches("or").count();
            }
            let share = and as f64 / (and + or) as f64;
            assert!((0.46..0.54).contains(&share), "{level} {answer}: {share}");
        }
    }
}

#[test]
fn a_tampered_item_is_refused() {
    let number = generate(Kind::Arith, 2, 1, 1, Split::Train)
        .unwrap()
        .remove(0);
    let choice = generate(Kind::Commonsense, 1, 1, 1, Split::Train)
        .unwrap()
        .remove(0);
    let refused = |item: Item| matches!(check(&item), Err(SynthError::Wrong { .. }));
    assert!(refused(Item {
        solution: Solution::Text {
            answer: "100".to_owned()
        },
        ..number.clone()
    }));
    assert!(refused(Item {
        id: "arith-2-000000000000".to_owned(),
        ..number.clone()
    }));
    assert!(refused(Item {
        level: 3,
        ..number.clone()
    }));
    assert!(refused(Item {
        question: number.question.replace("Dial", "Clock"),
        ..number.clone()
    }));
    assert!(refused(Item {
        solution: choice.solution.clone(),
        ..number.clone()
    }));
    let mut swapped = choice.clone();
    let Solution::Choice { choices, .. } = &mut swapped.solution else {
        panic!("a choice")
    };
    choices.text.swap(0, 1);
    assert!(refused(swapped));
}

#[test]
fn asking_for_more_than_there_is_says_how_many_there_are() {
    let train = generate(Kind::Arith, 1, 5000, 1, Split::Train);
    let test = generate(Kind::Arith, 1, 5000, 1, Split::Test);
    let (
        Err(SynthError::Exhausted { found: train, .. }),
        Err(error @ SynthError::Exhausted { found: test, .. }),
    ) = (train, test)
    else {
        panic!("both run out");
    };
    assert_eq!(train + test, 4000, "100 starts, 20 turns, 2 directions");
    assert!(
        error.to_string().contains(&format!("only {test} distinct")),
        "{error}"
    );
}

#[test]
fn a_level_outside_the_range_is_refused_by_name() {
    for (kind, level, message) in [
        (Kind::Arith, 0, "option `level` 0: arith has levels 1 to 8"),
        (Kind::Arith, 9, "option `level` 9: arith has levels 1 to 8"),
        (
            Kind::Commonsense,
            3,
            "option `level` 3: commonsense has levels 1 to 2",
        ),
        (
            Kind::Countdown,
            5,
            "option `level` 5: countdown has levels 1 to 4",
        ),
        (
            Kind::ListOps,
            9,
            "option `level` 9: list-ops has levels 1 to 8",
        ),
    ] {
        assert_eq!(
            generate(kind, level, 1, 0, Split::Train)
                .unwrap_err()
                .to_string(),
            message
        );
    }
}

#[test]
fn names_of_kinds_and_splits_round_trip_and_others_are_refused() {
    for kind in Kind::ALL {
        assert_eq!(kind.name().parse(), Ok(kind));
    }
    assert_eq!("test".parse(), Ok(Split::Test));
    assert!(
        "algebra"
            .parse::<Kind>()
            .unwrap_err()
            .to_string()
            .contains("arith, commonsense, countdown, boolean, list-ops, hops, counting")
    );
    assert!(
        "dev"
            .parse::<Split>()
            .unwrap_err()
            .to_string()
            .contains("train, test")
    );
}

#[test]
fn rows_are_laid_out_as_readers_of_the_files_expect() {
    let number = generate(Kind::Arith, 1, 1, 1, Split::Test)
        .unwrap()
        .remove(0);
    let row = serde_json::to_value(&number).unwrap();
    let keys: HashSet<&str> = row
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        keys,
        HashSet::from(["id", "kind", "level", "question", "answer"])
    );
    let choice = generate(Kind::Commonsense, 2, 1, 1, Split::Test)
        .unwrap()
        .remove(0);
    let row = serde_json::to_value(&choice).unwrap();
    assert_eq!(
        row["choices"]["label"],
        serde_json::json!(["A", "B", "C", "D"])
    );
    assert!(row["answerKey"].is_string());
    assert_eq!(serde_json::from_value::<Item>(row).unwrap(), choice);
}
