//! Recorded comparison with math-verify. `tests/make_math_pairs.py` makes the pairs and records
//! math-verify's verdicts.

use serde_json::Value;

use super::super::{math_equal, math_verdict};

const LABELLED: &str = include_str!("../../tests/math_labels.jsonl");
const RECORDED: &str = include_str!("../../tests/math_pairs.jsonl");

fn pairs(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn sides(pair: &Value) -> (&str, &str) {
    (
        pair["answer"].as_str().unwrap(),
        pair["gold"].as_str().unwrap(),
    )
}

#[test]
fn recorded_pairs_have_their_verdicts() {
    let pairs = pairs(RECORDED);
    assert!(pairs.len() >= 300);
    for pair in &pairs {
        let (answer, gold) = sides(pair);
        assert_eq!(
            math_equal(answer, gold),
            pair["ours"].as_bool().unwrap(),
            "{pair}: {}",
            math_verdict(answer, gold)
        );
    }
}

#[test]
fn no_recorded_pair_that_was_made_different_is_equal() {
    for pair in pairs(RECORDED) {
        assert!(pair["same"] == true || pair["ours"] == false, "{pair}");
    }
}

/// Pairs labelled by a reader who had not seen this code. `ours` is present only where this crate's verdict
/// differs from the label, nearly always because it does not understand a notation.
#[test]
fn labelled_pairs_have_their_verdicts() {
    let pairs = pairs(LABELLED);
    let mut missed = 0;
    for pair in &pairs {
        let (answer, gold) = sides(pair);
        let same = pair["same"].as_bool().unwrap();
        let ours = pair["ours"].as_bool().unwrap_or(same);
        let verdict = math_verdict(answer, gold);
        assert_eq!(verdict.is_equal(), ours, "{pair}: {verdict}");
        missed += usize::from(ours != same);
    }
    assert!(pairs.len() > 1_000 && 20 * missed < pairs.len(), "{missed}");
}
