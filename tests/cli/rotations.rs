//! The verdict on a question in every order of its options is that on each order by itself.

use std::{fs, sync::Arc};

use crate::support_cli::fixtures;
use cola::{
    model::Tokenizer,
    prepare::{Answer, PreparedSample, PromptLayout},
    problem::{Judge, Target},
    task::{LoadOptions, PromptOptions, Sample, load_samples, resolve},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ROW: &str = r#"{"q": "Where?", "options": ["house", "garden", "town", "basket"], "gold": 2}"#;
const LETTERS: [&str; 4] = ["A", "B", "C", "D"];

fn layout() -> PromptLayout {
    let tokenizer = Tokenizer::load(&fixtures().join("tokenizers/llama3-byte-level")).unwrap();
    PromptLayout {
        tokenizer: Arc::new(tokenizer),
        stop_tokens: [].into(),
        max_positions: 4096,
        chat: false,
        examples_as_turns: false,
        system: None,
        no_bos: false,
        near_tie_nats: 0.0,
        wrong_targets: Some(1),
        wrong_texts: 2,
        warnings: Arc::default(),
        boxes: Arc::default(),
    }
}

/// A question on four options, in all orders.
fn sample(prompt: &str, choices: &str, letters: bool) -> Sample {
    let directory = tempfile::tempdir().unwrap();
    let (data, yaml) = (
        directory.path().join("rows.jsonl"),
        directory.path().join("t.yaml"),
    );
    fs::write(&data, ROW).unwrap();
    let text = format!(
        "task: t\noutput_type: multiple_choice\ndoc_to_text: \"{prompt}\"\ndoc_to_target: gold\n\
         doc_to_choice: {choices}\nmetric_list:\n  - metric: acc\n  - metric: acc_norm\n"
    );
    fs::write(&yaml, text).unwrap();
    let mut task = resolve(yaml.to_str().unwrap()).unwrap();
    if letters {
        task = task.by_letters(2).unwrap();
    }
    let options = LoadOptions {
        data: vec![data],
        manner: PromptOptions {
            chat: false,
            rotations: true,
            ..PromptOptions::default()
        },
        ..LoadOptions::default()
    };
    let loaded = load_samples(&Arc::new(task), &options).unwrap();
    loaded.samples.into_iter().next().unwrap()
}

fn texts(sample: &Sample) -> Vec<&str> {
    sample
        .variants()
        .map(|variant| variant.rendered.context.as_str())
        .collect()
}

fn golds(sample: &Sample) -> Vec<usize> {
    sample
        .variants()
        .map(|variant| variant.question.choice().unwrap().1)
        .collect()
}

#[test]
fn every_order_is_asked_with_the_right_one_where_it_then_is() {
    let listed = sample("{{q}} {{options | join(', ')}}:", "options", false);
    assert_eq!(
        texts(&listed),
        [
            "Where? house, garden, town, basket:",
            "Where? garden, town, basket, house:",
            "Where? town, basket, house, garden:",
            "Where? basket, house, garden, town:",
        ]
    );
    assert_eq!(golds(&listed), [2, 1, 0, 3]);
    assert!(
        listed
            .variants()
            .all(|variant| variant.question.gold_text() == "town")
    );

    // Letters are scored: what they stand for moves.
    let letters = sample(
        "{{q}} A {{options[0]}} D {{options[3]}}",
        "[A, B, C, D]",
        false,
    );
    assert_eq!(texts(&letters)[1], "Where? A garden D house");
    assert_eq!(golds(&letters), [2, 1, 0, 3]);

    let by_letter = sample("{{q}}\\nAnswer:", "options", true);
    assert_eq!(
        texts(&by_letter)[3],
        "Where?\nA. basket\nB. house\nC. garden\nD. town\nAnswer:"
    );
    let gold: Vec<&str> = by_letter
        .variants()
        .map(|variant| variant.rendered.question.gold_text())
        .collect();
    assert_eq!(gold, ["C", "B", "A", "D"]);
}

/// The first wrong answer of a sample, as the place of the option in the task's own order.
fn wrong_place(prepared: &PreparedSample, names: [&str; 4]) -> usize {
    let answers = prepared.wrong_answers();
    names.iter().position(|name| *name == answers[0]).unwrap()
}

#[test]
fn scored_options_are_right_where_all_orders_are_by_the_least_margin() {
    let sample = sample("{{q}} {{options}}", "options", false);
    let prepared = layout().prepare(Arc::new(sample)).unwrap();
    assert_eq!(prepared.rows.len(), 4);
    let prepared = prepared.judge;
    let names = ["house", "garden", "town", "basket"];
    let wrong = wrong_place(&prepared, names);
    assert_ne!(wrong, 2);
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut right = 0;
    for _ in 0..4000 {
        // The log-probability of an option in an order; the right one often leads.
        let scores: Vec<[f64; 4]> = (0..4)
            .map(|_| {
                let mut scores = [0.0; 4].map(|_| -random.random_range(1.0..9.0));
                scores[2] += 4.0;
                scores
            })
            .collect();
        let answers: Vec<Answer> = (0..4)
            .map(|turn| Answer::Choice {
                log_probs: (0..4).map(|at| scores[turn][(at + turn) % 4]).collect(),
                greedy: vec![false; 4],
                leads: vec![-1.0; 4],
            })
            .collect();
        for (target, place) in [(Target::Gold, 2), (Target::Wrong(0), wrong)] {
            let margin = |scores: &[f64; 4]| {
                let others = (0..4).filter(|&at| at != place).map(|at| scores[at]);
                scores[place] - others.fold(f64::NEG_INFINITY, f64::max)
            };
            let margins: Vec<f64> = scores.iter().map(margin).collect();
            let least = margins.iter().copied().fold(f64::INFINITY, f64::min);
            let verdict = prepared.verdict(&answers, target);
            assert_eq!(verdict.correct, margins.iter().all(|&margin| margin > 0.0));
            assert_eq!(verdict.margin, Some(least));
            assert_eq!(verdict.correct, verdict.answer == names[place]);
            right += usize::from(verdict.correct);
        }
    }
    assert!((100..3900).contains(&right), "{right}");
    // A state that is not finite in one order answers nothing.
    let mut answers = vec![Answer::NotFinite; 4];
    answers[0] = Answer::Choice {
        log_probs: vec![-9.0, -9.0, -1.0, -9.0],
        greedy: vec![false; 4],
        leads: vec![-1.0; 4],
    };
    let verdict = prepared.verdict(&answers, Target::Gold);
    assert_eq!((verdict.correct, verdict.margin), (false, None));
}

#[test]
fn letters_are_right_where_they_name_the_same_option_in_all_orders() {
    let sample = sample("{{q}}\\nAnswer:", "options", true);
    let prepared = layout().prepare(Arc::new(sample)).unwrap();
    assert_eq!(prepared.rows.len(), 4);
    let prepared = prepared.judge;
    let wrong = wrong_place(&prepared, LETTERS);
    assert_ne!(wrong, 2);
    let written = [" A", "b.", "Answer: C", "D\n", "none"];
    let mut right = 0;
    for all in 0..5_usize.pow(4) {
        let picks: Vec<usize> = (0..4).map(|turn| all / 5_usize.pow(turn) % 5).collect();
        let answers: Vec<Answer> = picks
            .iter()
            .map(|&pick| Answer::Text {
                text: written[pick].to_owned(),
                margins: vec![0.0; 3],
            })
            .collect();
        for (target, place) in [(Target::Gold, 2), (Target::Wrong(0), wrong)] {
            let named = |(turn, &pick): (usize, &usize)| pick < 4 && (pick + turn) % 4 == place;
            let expected = picks.iter().enumerate().all(named);
            let verdict = prepared.verdict(&answers, target);
            assert_eq!(verdict.correct, expected, "{picks:?}");
            assert_eq!(
                verdict.correct,
                verdict.answer == LETTERS[place],
                "{picks:?}"
            );
            right += usize::from(expected);
        }
    }
    assert_eq!(right, 2, "one way to name an option in four orders");
}
