//! Ways to spend tries on a sample, compared: how many samples are right within 1, 2, .. tries of each.
//!
//! | arm | one try |
//! | --- | --- |
//! | `search` | a chain of the search, within the bound on degradation |
//! | `random` | a random chain, within the bound |
//! | `sampling T` | an answer drawn from the unmodified model at temperature T |
//! | `menu` | a chain of a menu that was chosen on other samples, within the bound; a sample whose menu failed is not right |
//! | `layers+sampling T` | half of the tries of the search, half of `sampling T` |
//!
//! All are oracle numbers: a sample counts if any of its tries is right, and only the gold answer says which. The first try of
//! a chain arm is the unmodified model. What drawing gives is an expectation over draws, not one outcome.

use serde::{Deserialize, Serialize};

use super::{
    digest::Digest,
    outcome::failed,
    statistics::Mean,
    tries::{ChainTries, Given},
};
use crate::run::Sampled;

/// Numbers of tries at which arms are compared; after them comes the largest that the arm has.
const TRIES: [usize; 9] = [1, 2, 5, 10, 20, 50, 100, 200, 500];

/// Name of the arm that the others are compared with.
pub const SEARCH: &str = "search";

/// Name of its control.
pub const RANDOM: &str = "random";

/// Name of the arm of menus.
pub const MENU: &str = "menu";

/// Names of the arms that draw answers, before the temperature.
pub const SAMPLING: &str = "sampling ";
pub const LAYERS_AND_SAMPLING: &str = "layers+sampling ";

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

/// The arms that a run holds, on all its samples; nothing where there is only the search.
pub fn arms(records: &[Digest]) -> Vec<ArmCurve> {
    let curves = curves(records);
    match curves.len() {
        1 => Vec::new(),
        _ => curves,
    }
}

/// The search and whatever it is compared with; nothing where all samples failed.
pub fn curves(records: &[Digest]) -> Vec<ArmCurve> {
    let asked: Vec<&Digest> = records.iter().filter(|record| !failed(record)).collect();
    let in_all = |has: fn(&Digest) -> bool| asked.iter().all(|&record| has(record));
    let in_some = |has: fn(&Digest) -> bool| asked.iter().any(|&record| has(record));
    let drawn = in_all(|record| !record.sampling.is_empty());
    // A sample whose menu failed is not right; where others have none, the run was interrupted or a task is too small.
    let menu = in_some(|record| record.facts.menu.is_some())
        && in_all(|record| record.facts.menu.is_some() || record.menu_error.is_some());
    let random = in_all(|record| record.controls.is_some());
    if asked.is_empty() {
        return Vec::new();
    }
    let most =
        |count: &dyn Fn(&Digest) -> usize| asked.iter().map(|&r| count(r)).max().unwrap_or(0);
    let search = |at: usize, tries: usize| Some(records[at].facts.search.within(tries));
    let arm = |name: String, budget: usize, given: &dyn Fn(usize, usize) -> Option<Given>| {
        let tries = TRIES.into_iter().filter(|&tries| tries < budget);
        let point = |tries| {
            point(records, tries, &|at| given(at, tries), &|at| {
                search(at, tries)
            })
        };
        ArmCurve {
            arm: name,
            points: tries.chain([budget]).filter_map(point).collect(),
        }
    };
    let chains = |name: &str, of: fn(&Digest) -> Option<&ChainTries>| {
        let budget = most(&|record| of(record).map_or(0, ChainTries::chains));
        arm(name.to_owned(), budget, &|at, tries| {
            Some(of(&records[at])?.within(tries))
        })
    };
    let budget = most(&|record| record.facts.search.chains());
    let mut curves = vec![arm(SEARCH.to_owned(), budget, &search)];
    if random {
        curves.push(chains(RANDOM, |record| Some(&record.facts.random)));
    }
    if menu {
        curves.push(chains(MENU, |record| record.facts.menu.as_ref()));
    }
    let temperatures = asked.first().map_or(&[][..], |record| &record.sampling);
    for (number, Sampled { temperature, .. }) in temperatures.iter().enumerate().filter(|_| drawn) {
        // Draws from the unmodified model, which runs once.
        let sampling = |at: usize, tries| {
            let sampled = records[at].sampling.get(number);
            let right = sampled.and_then(|sampled| sampled.pass_at(tries));
            (right.unwrap_or(0.0), records[at].layers as f64)
        };
        let both = |at: usize, tries: usize| {
            let (found, steps) = records[at].facts.search.within(tries.div_ceil(2));
            let (drawn, _) = sampling(at, tries / 2);
            // The first chain of the search is the pass that answers are drawn from.
            (1.0 - (1.0 - found) * (1.0 - drawn), steps)
        };
        let budget = budget.min(most(&|record| record.sampling[number].most_tries()));
        let name = format!("{SAMPLING}{temperature}");
        curves.push(arm(name, budget, &|at, tries| Some(sampling(at, tries))));
        let name = format!("{LAYERS_AND_SAMPLING}{temperature}");
        curves.push(arm(name, budget, &|at, tries| Some(both(at, tries))));
    }
    curves
}

/// An arm at a number of tries. `arm` and the search give what each sample gives, by index; `None` where it failed in the arm.
fn point(
    records: &[Digest],
    tries: usize,
    arm: &dyn Fn(usize) -> Option<Given>,
    search: &dyn Fn(usize) -> Option<Given>,
) -> Option<ArmPoint> {
    let (mut right, mut ahead, mut steps) = (Vec::new(), Vec::new(), Vec::new());
    for (at, record) in records.iter().enumerate() {
        let ran = |given: Option<Given>| given.filter(|_| !failed(record));
        let here = ran(arm(at));
        let share = |given: Option<Given>| given.map_or(0.0, |(share, _)| share);
        right.push(share(here));
        ahead.push(share(ran(search(at))) - share(here));
        steps.extend(here.map(|(_, steps)| steps));
    }
    Some(ArmPoint {
        tries,
        right: Mean::of_shares(&right)?,
        steps: Mean::of(&steps)?.value,
        search_ahead: Mean::of_differences(&ahead),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        analysis::fixtures::sample,
        run::{Evaluation, SampleRecord},
    };

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
        let curves = arms(&[first, second, lost].map(Digest::from));
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
        let curves = arms(&[record.into()]);
        assert_eq!(at(&curves, "search", 2).0, 0.0);
        assert_eq!(at(&curves, "search", 3).0, 0.0);
        let last = curves[0].points.last().unwrap();
        assert_eq!((last.tries, last.right.value), (3, 0.0));
    }

    #[test]
    fn a_menu_counts_where_every_sample_has_one_or_failed() {
        let chain = |chain: &str, correct| Evaluation {
            chain: chain.parse().unwrap(),
            correct,
            margin: None,
            answer: String::new(),
            degradation: Some(0.0),
        };
        let with_menu = |at, menu: &[(&str, bool)]| {
            let menu: Vec<Evaluation> = menu
                .iter()
                .map(|&(text, right)| chain(text, right))
                .collect();
            sample("t", at)
                .tried("0-2", false)
                .tried("0-1", true)
                .with(|r| r.menu = menu)
                .build()
        };
        let first = with_menu(0, &[("0-3", false), ("0-2", true), ("1", false)]);
        let second = with_menu(1, &[("0-3", false), ("0-2", false), ("1", true)]);
        // Right as it is, and yet not by a menu that is not known.
        let mut broken = with_menu(2, &[]);
        broken.baseline.as_mut().unwrap().correct = true;
        let without = arms(&[&first, &second, &broken].map(|record| record.clone().into()));
        assert_eq!(without, []);
        broken.menu_error = Some("broken".to_owned());
        let curves = arms(&[first, second, broken].map(Digest::from));
        let names: Vec<&str> = curves.iter().map(|curve| curve.arm.as_str()).collect();
        assert_eq!(names, ["search", "menu"]);
        // Steps of the two that ran: the unmodified model's, nothing for its prefix 0-2, one for the layer 1 alone.
        assert_eq!(at(&curves, "menu", 1), (0.0, 4.0));
        assert_eq!(at(&curves, "menu", 2), (1.0 / 3.0, 4.0));
        assert_eq!(at(&curves, "menu", 3), (2.0 / 3.0, 5.0));
        let ahead = curves[1].points[0].search_ahead.unwrap();
        assert!((ahead.value - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_run_with_the_search_alone_compares_nothing() {
        let records = [sample("t", 0).tried("0", true).build().into()];
        assert_eq!(arms(&records), []);
        assert_eq!(at(&curves(&records), "search", 1), (0.0, 4.0));
    }
}
