//! The right chains of a sample that are worth a choice between them.

use super::Evaluation;
use cola_search::chain::Chain;

/// Right chains that no other right one equals or beats on depth, margin and degradation together, shortest first. A margin or
/// degradation that is not known counts as the worst.
pub fn pareto(evaluations: &[Evaluation], unconfirmed: &[Chain]) -> Vec<Evaluation> {
    let mut right: Vec<&Evaluation> = evaluations
        .iter()
        .filter(|e| e.correct && !unconfirmed.contains(&e.chain))
        .collect();
    let margin = |e: &Evaluation| e.margin.unwrap_or(f64::NEG_INFINITY);
    let degradation = |e: &Evaluation| e.degradation.unwrap_or(f64::INFINITY);
    right.sort_by(|a, b| {
        let by_margin = margin(b).total_cmp(&margin(a));
        let by_degradation = degradation(a).total_cmp(&degradation(b));
        let by_length = a.chain.len().cmp(&b.chain.len());
        by_length.then(by_margin).then(by_degradation)
    });
    let mut front: Vec<Evaluation> = Vec::new();
    for evaluation in right {
        // Those in the front are at most as long.
        let beats = |other: &Evaluation| {
            margin(other) >= margin(evaluation) && degradation(other) <= degradation(evaluation)
        };
        if !front.iter().any(beats) {
            front.push(evaluation.clone());
        }
    }
    front
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right(chain: &str, margin: f64, degradation: f64) -> Evaluation {
        Evaluation {
            chain: chain.parse().unwrap(),
            correct: true,
            margin: Some(margin),
            answer: String::new(),
            degradation: Some(degradation),
        }
    }

    #[test]
    fn only_chains_that_nothing_beats_on_all_three_are_kept_shortest_first() {
        let all = [
            right("0-5", 1.0, 0.0),
            // Shorter, and worse in both else.
            right("0-3", 0.5, 0.4),
            // Beaten by the one above.
            right("0-4", 0.4, 0.5),
            // As long, with another balance.
            right("1-4", 0.9, 0.6),
            // Refuted.
            right("0", 9.0, 0.0),
            // As good as the first: one is kept.
            right("5-0", 1.0, 0.0),
        ];
        let front = pareto(&all, &["0".parse().unwrap()]);
        let chains: Vec<String> = front.iter().map(|e| e.chain.to_string()).collect();
        assert_eq!(chains, ["1-4", "0-3", "0-5"]);
        assert!(pareto(&[], &[]).is_empty());
    }
}
