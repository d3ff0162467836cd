//! What analysis keeps of a sample.
//!
//! Nearly all of a record are lists of evaluations, a megabyte for thirty samples of two hundred chains. What statistics need of them is
//! counted once, while the record is at hand, and the lists are dropped: so the analysis of a run takes a few kilobytes a sample.

use std::{collections::BTreeMap, ops::Deref};

use super::{
    answers::{AnswerCount, Source, answer_counts},
    bounds::BOUNDS,
    outcome::failed,
    tries::ChainTries,
};
use crate::run::{Evaluation, SampleRecord};
use cola_search::chain::Chain;

/// A record without its lists of evaluations, which are empty, and what those say.
#[derive(Debug, Clone)]
pub struct Digest {
    record: SampleRecord,
    pub(super) facts: Facts,
}

/// What the lists of evaluations of a record say.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// Tries of the search.
    pub search: ChainTries,
    /// Of its random control; without chains where there was none.
    pub random: ChainTries,
    /// Of a menu, if the sample has one.
    pub menu: Option<ChainTries>,
    /// Every chain evaluated by the search and the unmodified model, by length, ascending.
    pub lengths: Box<[LengthCount]>,
    /// Length of the shortest right chain within each of [`BOUNDS`], and within none.
    pub shortest_right: [Option<usize>; BOUNDS.len() + 1],
    /// Whether a right chain within the bound only skips layers.
    pub skips_right: bool,
    /// Whether one only repeats layers.
    pub repeats_right: bool,
    search_answers: Box<[AnswerCount]>,
    random_answers: Box<[AnswerCount]>,
}

/// The chains of one length that were evaluated on a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LengthCount {
    pub length: usize,
    pub evaluated: usize,
    /// Of these, those whose answer was right.
    pub correct: usize,
    /// Of these, those within the bound on degradation that the re-check did not refute.
    pub right: usize,
}

impl Facts {
    /// Counts what the lists of a record say, and empties them.
    pub fn take(record: &mut SampleRecord) -> Self {
        let controls = record.controls.as_ref();
        let random = controls.map_or(&[][..], |controls| &controls.random.evaluations);
        let facts = Self {
            search: ChainTries::of(record, &record.evaluations),
            random: ChainTries::of(record, random),
            menu: tries_of_menu(record),
            lengths: lengths(record),
            shortest_right: shortest_right(record),
            skips_right: right_chains(record).any(|e| e.chain.only_skips()),
            repeats_right: right_chains(record).any(|e| e.chain.only_repeats(record.layers)),
            search_answers: answer_counts(record, &record.evaluations),
            random_answers: answer_counts(record, random),
        };
        record.drop_evaluations();
        facts
    }

    /// Takes the menu that the record has got since.
    pub fn take_menu(&mut self, record: &mut SampleRecord) {
        self.menu = tries_of_menu(record);
        record.menu = Vec::new();
    }

    /// What chains of a source answered; nothing of a sample that the unmodified model gets right.
    pub fn answers(&self, source: Source) -> &[AnswerCount] {
        match source {
            Source::Search => &self.search_answers,
            Source::Random => &self.random_answers,
        }
    }
}

impl Digest {
    /// Puts together what was [taken](Facts::take) apart.
    pub(super) fn new(record: SampleRecord, facts: Facts) -> Self {
        Self { record, facts }
    }
}

impl From<SampleRecord> for Digest {
    fn from(mut record: SampleRecord) -> Self {
        let facts = Facts::take(&mut record);
        Self::new(record, facts)
    }
}

impl Deref for Digest {
    type Target = SampleRecord;

    fn deref(&self) -> &SampleRecord {
        &self.record
    }
}

fn tries_of_menu(record: &SampleRecord) -> Option<ChainTries> {
    (!record.menu.is_empty()).then(|| ChainTries::of(record, &record.menu))
}

/// Every chain evaluated on the sample, the unmodified model included, once each; of a failed
/// sample none.
fn evaluated(record: &SampleRecord) -> impl Iterator<Item = &Evaluation> {
    let searched_identity = record
        .evaluations
        .iter()
        .any(|e| e.chain.is_identity(record.layers));
    let baseline = record.baseline.iter().filter(move |_| !searched_identity);
    let count = if failed(record) { 0 } else { usize::MAX };
    baseline.chain(&record.evaluations).take(count)
}

/// The evaluated chains within the bound on degradation whose answer was right, without those the re-check refuted.
fn right_chains(record: &SampleRecord) -> impl Iterator<Item = &Evaluation> {
    evaluated(record)
        .filter(|evaluation| is_right_within(record, record.max_degradation, evaluation))
}

fn is_right_within(record: &SampleRecord, bound: Option<f64>, evaluation: &Evaluation) -> bool {
    evaluation.correct
        && record.is_within(bound, evaluation)
        && !record.unconfirmed.contains(&evaluation.chain)
}

fn lengths(record: &SampleRecord) -> Box<[LengthCount]> {
    let mut counts: BTreeMap<usize, LengthCount> = BTreeMap::new();
    for evaluation in evaluated(record) {
        let length = evaluation.chain.len();
        let none = LengthCount {
            length,
            evaluated: 0,
            correct: 0,
            right: 0,
        };
        let count = counts.entry(length).or_insert(none);
        let right = is_right_within(record, record.max_degradation, evaluation);
        count.evaluated += 1;
        count.correct += usize::from(evaluation.correct);
        count.right += usize::from(right);
    }
    counts.into_values().collect()
}

fn shortest_right(record: &SampleRecord) -> [Option<usize>; BOUNDS.len() + 1] {
    let shortest = |bound| {
        let right = evaluated(record).filter(|e| is_right_within(record, bound, e));
        right.map(|e| e.chain.len()).min()
    };
    let [a, b, c, d] = BOUNDS.map(|bound| shortest(Some(bound)));
    [a, b, c, d, shortest(None)]
}

/// Every chain that a statistic may look at.
pub(super) fn chains_of(record: &SampleRecord) -> impl Iterator<Item = &Chain> {
    let evaluations = record.evaluations.iter().chain(&record.best);
    evaluations.chain(&record.baseline).map(|e| &e.chain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::{sample, synthetic_records};

    #[test]
    fn facts_are_those_counted_over_the_whole_record() {
        for (nth, mut record) in synthetic_records(&["t"], 12, 60).into_iter().enumerate() {
            for (at, evaluation) in record.evaluations.iter_mut().enumerate() {
                evaluation.degradation = Some((at * nth % 23) as f64 / 10.0);
            }
            record.max_degradation = (nth % 3 > 0).then_some(0.5);
            let mut unmodified = record.baseline.clone().into_iter().collect::<Vec<_>>();
            let is_unmodified = |e: &Evaluation| e.chain.is_identity(12);
            if record.evaluations.iter().any(is_unmodified) {
                unmodified.clear();
            }
            let all: Vec<Evaluation> = match record.error {
                Some(_) => Vec::new(),
                None => [unmodified, record.evaluations.clone()].concat(),
            };
            let facts = Digest::from(record.clone()).facts;
            let nats = |e: &Evaluation| e.degradation.unwrap_or(f64::INFINITY);
            for (bound, shortest) in [0.1, 0.2, 0.5, 1.0, f64::INFINITY]
                .into_iter()
                .zip(facts.shortest_right)
            {
                let right = all.iter().filter(|e| e.correct && nats(e) <= bound);
                assert_eq!(shortest, right.map(|e| e.chain.len()).min(), "{bound}");
            }
            let bound = record.max_degradation.unwrap_or(f64::INFINITY);
            let right: Vec<&Evaluation> = (all.iter())
                .filter(|e| e.correct && nats(e) <= bound)
                .collect();
            for count in &facts.lengths {
                let long = |e: &&Evaluation| e.chain.len() == count.length;
                assert_eq!(count.evaluated, all.iter().filter(long).count());
                let correct = all.iter().filter(long).filter(|e| e.correct);
                assert_eq!(count.correct, correct.count());
                assert_eq!(count.right, right.iter().copied().filter(long).count());
            }
            let evaluated = facts.lengths.iter().map(|count| count.evaluated);
            assert_eq!(evaluated.sum::<usize>(), all.len());
            assert_eq!(
                facts.skips_right,
                right.iter().any(|e| e.chain.only_skips())
            );
            assert_eq!(
                facts.repeats_right,
                right.iter().any(|e| e.chain.only_repeats(12))
            );
        }
    }

    #[test]
    fn of_a_failed_sample_nothing_was_evaluated() {
        let record = sample("t", 0)
            .baseline(true)
            .best("0-2")
            .failed("out of memory")
            .build();
        assert_eq!(evaluated(&record).count(), 0);
        let digest = Digest::from(record);
        assert!(digest.facts.lengths.is_empty() && !digest.facts.skips_right);
        assert_eq!(digest.facts.shortest_right, [None; 5]);
    }

    #[test]
    fn the_unmodified_model_is_one_evaluation_whether_or_not_the_search_asked_for_it() {
        let unasked = sample("t", 0).baseline(true).tried("0-2", true).build();
        assert_eq!(evaluated(&unasked).count(), 2);
        let asked = sample("t", 0).baseline(true).tried("0-3", true).build();
        assert_eq!(evaluated(&asked).count(), 1);
    }

    #[test]
    fn refuted_chains_are_not_right() {
        let record = sample("t", 0)
            .tried("0-2", true)
            .tried("1-3", true)
            .refuted("1-3")
            .build();
        let right: Vec<_> = right_chains(&record).map(|e| e.chain.to_string()).collect();
        assert_eq!(right, ["0-2"]);
        let count = |length, evaluated, correct, right| LengthCount {
            length,
            evaluated,
            correct,
            right,
        };
        let digest = Digest::from(record);
        assert_eq!(
            *digest.facts.lengths,
            [count(3, 2, 2, 1), count(4, 1, 0, 0)]
        );
    }

    #[test]
    fn a_digest_is_the_record_without_its_lists() {
        let record = sample("t", 0).best("0-2").controls(Some("0"), None);
        let mut record = record
            .with(|record| {
                record.menu.clone_from(&record.evaluations);
                record.pareto.clone_from(&record.evaluations);
                let controls = record.controls.as_mut().unwrap();
                controls.random.evaluations.clone_from(&record.evaluations);
            })
            .build();
        let digest = Digest::from(record.clone());
        record.drop_evaluations();
        assert_eq!(*digest, record);
        let chains = [
            &digest.facts.search,
            &digest.facts.random,
            digest.facts.menu.as_ref().unwrap(),
        ];
        assert_eq!(chains.map(ChainTries::chains), [1, 1, 1]);
    }
}
