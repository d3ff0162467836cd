//! Ways to spend tries on a sample, compared: how many samples are right within 1, 2, .. tries of each.
//!
//! | arm | one try |
//! | --- | --- |
//! | `search` | a chain of the search, within the bound on degradation |
//! | `random` | a random chain, within the bound |
//! | `sampling T` | an answer drawn from the unmodified model at temperature T |
//! | `menu` | a chain of a menu that was chosen on other samples, within the bound |
//! | `layers+sampling T` | half of the tries of the search, half of `sampling T` |
//!
//! All are oracle numbers: a sample counts if any of its tries is right, and only the gold answer says which. The first try of
//! a chain arm is the unmodified model. What drawing gives is an expectation over draws, not one outcome.

use serde::{Deserialize, Serialize};

use super::{outcome::failed, statistics::Mean};
use crate::run::{Evaluation, SampleRecord, Sampled};
use cola_search::Prefixes;

/// Numbers of tries at which arms are compared; after them comes the largest that the arm has.
const TRIES: [usize; 9] = [1, 2, 5, 10, 20, 50, 100, 200, 500];

/// Name of the arm that the others are compared with.
pub const SEARCH: &str = "search";

/// One arm over the number of tries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmCurve {
    /// Its name.
    pub arm: String,
    /// Ascending numbers of tries.
    pub points: Vec<ArmPoint>,
}

/// An arm at one number of tries.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ArmPoint {
    /// Tries a sample.
    pub tries: usize,
    /// Share of the samples that are right within so many tries; failed samples are not.
    pub right: Mean,
    /// Mean layer steps over the prompt for so many tries, where every prefix that chains share runs once. Tokens decoded are
    /// not counted: every try of every arm decodes one answer.
    pub steps: f64,
    /// By how much the search is ahead at the same number of tries, on the same samples; `None` of the search itself.
    pub search_ahead: Option<Mean>,
}

/// What one sample gives for every number of tries.
type Course<'r> = Box<dyn Fn(usize) -> (f64, f64) + 'r>;

/// The arms that a run holds, on all its samples; nothing where there is only the search.
pub fn arms(records: &[SampleRecord]) -> Vec<ArmCurve> {
    let asked: Vec<&SampleRecord> = records.iter().filter(|record| !failed(record)).collect();
    let most =
        |count: &dyn Fn(&SampleRecord) -> usize| asked.iter().map(|&r| count(r)).max().unwrap_or(0);
    let searched = most(&|record| record.evaluations.len());
    let in_all =
        |has: &dyn Fn(&SampleRecord) -> bool| !asked.is_empty() && asked.iter().all(|&r| has(r));
    let mut curves = Vec::new();
    let mut add = |arm: String, budget: usize, of: &dyn Fn(&SampleRecord) -> Course<'_>| {
        let tries = TRIES
            .into_iter()
            .filter(|&tries| tries < budget)
            .chain([budget]);
        let points = tries
            .filter_map(|tries| point(records, tries, of, &search))
            .collect();
        curves.push(ArmCurve { arm, points });
    };
    let drawn = in_all(&|record| !record.sampling.is_empty());
    let menu = in_all(&|record| !record.menu.is_empty());
    let random = in_all(&|record| record.controls.is_some());
    if !drawn && !menu {
        return curves;
    }
    add(SEARCH.to_owned(), searched, &search);
    if random {
        let of = |record: &SampleRecord| {
            record
                .controls
                .as_ref()
                .map_or(0, |c| c.random.evaluations.len())
        };
        add("random".to_owned(), most(&of), &|record| {
            let random = record
                .controls
                .as_ref()
                .map(|c| c.random.evaluations.as_slice());
            chains(record, random.unwrap_or_default())
        });
    }
    if menu {
        add("menu".to_owned(), most(&|r| r.menu.len()), &|record| {
            chains(record, &record.menu)
        });
    }
    let temperatures = asked.first().map_or(&[][..], |record| &record.sampling);
    for (at, Sampled { temperature, .. }) in temperatures.iter().enumerate().filter(|_| drawn) {
        let budget = searched.min(most(&|record| record.sampling[at].most_tries()));
        add(format!("sampling {temperature}"), budget, &|record| {
            sampling(record, at)
        });
        add(
            format!("layers+sampling {temperature}"),
            budget,
            &|record| {
                let (search, sampling) = (search(record), sampling(record, at));
                Box::new(move |tries| {
                    let (found, steps) = search(tries.div_ceil(2));
                    let (drawn, _) = sampling(tries / 2);
                    // The first chain of the search is the pass that answers are drawn from.
                    (1.0 - (1.0 - found) * (1.0 - drawn), steps)
                })
            },
        );
    }
    curves
}

fn point(
    records: &[SampleRecord],
    tries: usize,
    arm: &dyn Fn(&SampleRecord) -> Course<'_>,
    search: &dyn Fn(&SampleRecord) -> Course<'_>,
) -> Option<ArmPoint> {
    let (mut right, mut ahead, mut steps) = (Vec::new(), Vec::new(), Vec::new());
    for record in records {
        if failed(record) {
            right.push(0.0);
            ahead.push(0.0);
            continue;
        }
        let (here, cost) = arm(record)(tries);
        right.push(here);
        steps.push(cost);
        ahead.push(search(record)(tries).0 - here);
    }
    Some(ArmPoint {
        tries,
        right: Mean::of(&right)?,
        steps: Mean::of(&steps)?.value,
        search_ahead: Mean::of(&ahead),
    })
}

fn search(record: &SampleRecord) -> Course<'_> {
    chains(record, &record.evaluations)
}

/// Chains in their order: the unmodified model is the first try, whether it is among them or not.
fn chains<'r>(record: &'r SampleRecord, evaluations: &'r [Evaluation]) -> Course<'r> {
    let mut prefixes = Prefixes::default();
    let mut steps = Vec::with_capacity(evaluations.len() + 1);
    let (mut total, mut first) = (0, None);
    let others = evaluations
        .iter()
        .filter(|e| !e.chain.is_identity(record.layers));
    for (at, evaluation) in record.baseline.iter().chain(others).enumerate() {
        total += prefixes.insert(&evaluation.chain);
        steps.push(total as f64);
        let counts = evaluation.correct
            && record.is_fluent(evaluation)
            && !record.unconfirmed.contains(&evaluation.chain);
        first = first.or(counts.then_some(at + 1));
    }
    Box::new(move |tries| {
        let found = first.is_some_and(|first| first <= tries);
        let run = tries
            .min(steps.len())
            .checked_sub(1)
            .map_or(0.0, |last| steps[last]);
        (f64::from(u8::from(found)), run)
    })
}

/// Draws from the unmodified model, which runs once.
fn sampling(record: &SampleRecord, at: usize) -> Course<'_> {
    let sampled = record.sampling.get(at);
    Box::new(move |tries| {
        let right = sampled.and_then(|sampled| sampled.pass_at(tries));
        (right.unwrap_or(0.0), record.layers as f64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::sample;

    fn drawn(record: &mut SampleRecord, right: usize) {
        record.sampling = vec![Sampled {
            temperature: 0.7,
            probability: None,
            draws: 4,
            right,
        }];
    }

    /// The share and the steps of an arm at a number of tries.
    fn at(curves: &[ArmCurve], arm: &str, tries: usize) -> (f64, f64) {
        let curve = curves.iter().find(|curve| curve.arm == arm).unwrap();
        let point = curve.points.iter().find(|point| point.tries == tries);
        let point = point.unwrap_or_else(|| panic!("{arm} {tries}: {curve:?}"));
        (point.right.value, point.steps)
    }

    #[test]
    fn arms_equal_those_counted_by_hand() {
        // Right from the third chain on; random chains never; one of four draws.
        let first = sample("t", 0)
            .tried("0-3", false)
            .tried("0-1", false)
            .tried("0-2", true)
            .tried("0-1,3", true)
            .controls(None, None)
            .with(|record| drawn(record, 1))
            .build();
        // Right as it is, as in three of four draws.
        let second = sample("t", 1)
            .baseline(true)
            .tried("0-3", true)
            .tried("1-3", false)
            .tried("2", false)
            .tried("3", true)
            .controls(Some("0-2"), None)
            .with(|record| drawn(record, 3))
            .build();
        let lost = sample("t", 2).failed("broken").build();
        let curves = arms(&[first, second, lost]);
        let names: Vec<&str> = curves.iter().map(|curve| curve.arm.as_str()).collect();
        let expected = ["search", "random", "sampling 0.7", "layers+sampling 0.7"];
        assert_eq!(names, expected);
        // Of three samples one fails; steps are of the two that ran: 0-3, then 1-3 anew (3) or nothing.
        assert_eq!(at(&curves, "search", 1), (1.0 / 3.0, 4.0));
        assert_eq!(at(&curves, "search", 2), (1.0 / 3.0, 4.0 + 1.5));
        // 0-1,3 has one step of its own, and so have 2 and 3.
        assert_eq!(at(&curves, "search", 4), (2.0 / 3.0, 4.0 + 3.0));
        // One try: 1/4 and 3/4. Two: 1 - (3/4)(2/3) and 1.
        let share = |tries| at(&curves, "sampling 0.7", tries).0;
        assert!((share(1) - 1.0 / 3.0).abs() < 1e-12);
        assert!((share(2) - (0.5 + 1.0) / 3.0).abs() < 1e-12);
        // Four tries: two chains of the search, which miss the first sample, and two draws.
        let both = at(&curves, "layers+sampling 0.7", 4).0;
        assert!((both - (0.5 + 1.0) / 3.0).abs() < 1e-12);
        let ahead = curves[2].points[0].search_ahead.unwrap();
        assert!((ahead.value - 0.0).abs() < 1e-12);
    }

    #[test]
    fn chains_beyond_the_bound_and_refuted_ones_are_no_hits() {
        let record = sample("t", 0)
            .tried("0-2", true)
            .tried("0-1", true)
            .refuted("0-1")
            .tried("0", true)
            .with(|record| {
                drawn(record, 0);
                record.max_degradation = Some(0.5);
                record.evaluations[0].degradation = Some(0.6);
            })
            .build();
        let curves = arms(&[record]);
        assert_eq!(at(&curves, "search", 2).0, 0.0);
        assert_eq!(at(&curves, "search", 3).0, 0.0);
        let last = curves[0].points.last().unwrap();
        assert_eq!((last.tries, last.right.value), (3, 0.0));
    }

    #[test]
    fn a_run_with_the_search_alone_compares_nothing() {
        assert_eq!(arms(&[sample("t", 0).tried("0", true).build()]), []);
    }
}
