//! Facts about the generators as a whole.

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
fn train_and_test_are_disjoint_whatever_the_seeds() {
    for (kind, level) in every_level() {
        let train = generate(kind, level, 2000, 1, Split::Train).unwrap();
        let test = generate(kind, level, 400, 2, Split::Test).unwrap();
        assert!(ids(&train).is_disjoint(&ids(&test)), "{kind} {level}");
    }
}

#[test]
fn two_fact_questions_of_the_test_split_are_never_asked_in_training() {
    let questions = |split, count| -> HashSet<String> {
        let items = generate(Kind::Commonsense, 2, count, 3, split).unwrap();
        items.into_iter().map(|item| item.question).collect()
    };
    let train = questions(Split::Train, 5000);
    let test = questions(Split::Test, 5000);
    assert!(train.is_disjoint(&test));
    assert_eq!(
        train.len() + test.len(),
        16 * 8 * 3,
        "every pair falls on one side"
    );
    assert!((60..140).contains(&test.len()), "{}", test.len());
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
        let Solution::Number { answer } = item.solution else {
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
fn a_tampered_item_is_refused() {
    let number = generate(Kind::Arith, 2, 1, 1, Split::Train)
        .unwrap()
        .remove(0);
    let choice = generate(Kind::Commonsense, 1, 1, 1, Split::Train)
        .unwrap()
        .remove(0);
    let refused = |item: Item| matches!(check(&item), Err(SynthError::Wrong { .. }));
    assert!(refused(Item {
        solution: Solution::Number {
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
        error
            .to_string()
            .contains(&format!("only {test} could be found")),
        "{error}"
    );
}

#[test]
fn a_level_outside_the_range_is_refused_by_name() {
    for (kind, level, message) in [
        (Kind::Arith, 0, "arith has levels 1 to 8, not 0"),
        (Kind::Arith, 9, "arith has levels 1 to 8, not 9"),
        (Kind::Commonsense, 3, "commonsense has levels 1 to 2, not 3"),
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
            .contains("arith and commonsense")
    );
    assert!(
        "dev"
            .parse::<Split>()
            .unwrap_err()
            .to_string()
            .contains("train and test")
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
