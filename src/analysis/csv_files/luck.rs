//! What is beyond luck: excess, selectivity by degradation, and depth against degradation.

use std::io;

use super::{PROPORTION, build, proportion_cells};
use crate::analysis::{
    AtBound, ControlCounts, Mean, Paired, Proportion, RunRecords, Selectivity, Source, Within,
    answers::{Answer, BINS, other_answers},
    arms::{SEARCH, curves},
    digest::Digest,
    equal_score::excess_at_equal_score,
    format::csv_number,
};

/// The search and random chains: the right answer against the matched wrong one, on the same samples.
pub fn excess(runs: &[RunRecords]) -> io::Result<Vec<u8>> {
    let header = [
        "by",
        "samples",
        "both",
        "right_only",
        "wrong_only",
        "excess",
        "low_95",
        "high_95",
        "p_mcnemar",
        "at_equal_score",
        "equal_low_95",
        "equal_high_95",
    ];
    build(runs, &header, |dataset, rows| {
        let counts = ControlCounts::of(dataset.records);
        for (by, paired, source) in [
            ("search", counts.matched, Source::Search),
            ("random chains", counts.random_matched, Source::Random),
        ] {
            let Paired {
                of,
                both,
                first_only,
                second_only,
            } = paired;
            let excess = paired.excess();
            let equal = excess_at_equal_score(dataset.records, source);
            let counts = [of, both, first_only, second_only].map(|n| n.to_string());
            let numbers = [
                excess.map(|e| e.value),
                excess.map(|e| e.interval.low),
                excess.map(|e| e.interval.high),
                excess.map(|e| e.p_value),
                equal.map(|mean| mean.value),
                equal.and_then(|mean| mean.interval).map(|i| i.low),
                equal.and_then(|mean| mean.interval).map(|i| i.high),
            ];
            let cells = [by.to_owned()].into_iter().chain(counts);
            let cells: Vec<String> = cells.chain(numbers.map(csv_number)).collect();
            dataset.row(rows, &cells)?;
        }
        Ok(())
    })
}

/// Chains on the samples that the unmodified model gets wrong, by source and degradation: how often they give the right
/// answer, each wrong one that is not the model's own, and the model's own.
pub fn selectivity(runs: &[RunRecords]) -> io::Result<Vec<u8>> {
    let header = [
        "source",
        "degradation_from",
        "degradation_to",
        "samples",
        "chains",
        "right",
        "each_wrong",
        "models_own",
        "samples_reached",
        "odds",
        "odds_low_95",
        "odds_high_95",
    ];
    build(runs, &header, |dataset, rows| {
        for (name, source) in [("random", Source::Random), ("search", Source::Search)] {
            for (nth, &from) in BINS.iter().enumerate() {
                let to = BINS.get(nth + 1).copied().unwrap_or(f64::INFINITY);
                let within = Within::Bin(nth);
                let counts = Counts::of(dataset.records, source, within);
                let odds = Selectivity::of(dataset.records, source, within);
                let mut cells = vec![name.to_owned()];
                let ends = [from, to].map(|end| Some(end).filter(|end| end.is_finite()));
                cells.extend(ends.map(csv_number));
                cells.extend(counts.cells());
                let interval = odds.and_then(|odds| odds.interval);
                let numbers = [
                    odds.map(|odds| odds.odds),
                    interval.map(|i| i.low),
                    interval.map(|i| i.high),
                ];
                cells.extend(numbers.map(csv_number));
                dataset.row(rows, &cells)?;
            }
        }
        Ok(())
    })
}

/// What some chains answered.
#[derive(Default)]
struct Counts {
    samples: usize,
    chains: usize,
    right: usize,
    /// Wrong answers given that are not the model's own, and how many could have been, summed over the chains.
    wrong: usize,
    wrong_answers: usize,
    own: usize,
    reached: usize,
}

impl Counts {
    fn of(records: &[Digest], source: Source, within: Within) -> Self {
        let mut counts = Self::default();
        for record in records {
            let Some(others) = other_answers(record) else {
                continue;
            };
            let wrong_answers = others.iter().filter(|other| !other.gold).count();
            let before = (counts.chains, counts.right);
            let answers = record.facts.answers(source).iter();
            for count in answers.filter(|count| count.is_within(within) && !count.is_unmodified) {
                let chains = count.chains as usize;
                counts.chains += chains;
                counts.wrong_answers += chains * wrong_answers;
                match count.answer {
                    Answer::Own => counts.own += chains,
                    Answer::Other(at) if others[at as usize].gold => counts.right += chains,
                    Answer::Other(_) => counts.wrong += chains,
                    Answer::Unknown => {}
                }
            }
            counts.samples += usize::from(counts.chains > before.0);
            counts.reached += usize::from(counts.right > before.1);
        }
        counts
    }

    fn cells(&self) -> Vec<String> {
        let share = |hits, of| csv_number(Proportion::new(hits, of).rate());
        vec![
            self.samples.to_string(),
            self.chains.to_string(),
            share(self.right, self.chains),
            share(self.wrong, self.wrong_answers),
            share(self.own, self.chains),
            self.reached.to_string(),
        ]
    }
}

/// How many samples are right within so many tries of the search, and of other ways to spend them, where the run has any.
pub fn arms(runs: &[RunRecords]) -> io::Result<Vec<u8>> {
    let header = [
        "arm",
        "tries",
        "right",
        "low_95",
        "high_95",
        "layer_steps",
        "search_ahead",
        "ahead_low_95",
        "ahead_high_95",
    ];
    build(runs, &header, |dataset, rows| {
        for curve in curves(dataset.records) {
            for point in curve.points {
                let mean = |mean: Option<Mean>| {
                    let interval = mean.and_then(|mean| mean.interval);
                    let ends = [interval.map(|i| i.low), interval.map(|i| i.high)];
                    [mean.map(|mean| mean.value), ends[0], ends[1]].map(csv_number)
                };
                let mut cells = vec![curve.arm.clone(), point.tries.to_string()];
                cells.extend(mean(Some(point.right)));
                cells.push(csv_number(Some(point.steps)));
                cells.extend(mean(point.search_ahead.filter(|_| curve.arm != SEARCH)));
                dataset.row(rows, &cells)?;
            }
        }
        Ok(())
    })
}

/// The shortest right chains at several bounds on degradation.
pub fn depth_by_bound(runs: &[RunRecords]) -> io::Result<Vec<u8>> {
    let header = [
        &[
            "max_degradation",
            "fixed",
            "mean_depth",
            "mean_depth_of_right",
        ][..],
        &PROPORTION,
    ]
    .concat();
    build(runs, &header, |dataset, rows| {
        for at in AtBound::curve(dataset.records) {
            let mut cells = vec![
                at.bound
                    .map_or_else(|| "none".to_owned(), |bound| bound.to_string()),
                at.fixed.to_string(),
                csv_number(at.depth.map(|mean| mean.value)),
                csv_number(at.depth_of_right.map(|mean| mean.value)),
            ];
            cells.extend(proportion_cells(Proportion::new(at.right, at.samples)));
            dataset.row(rows, &cells)?;
        }
        Ok(())
    })
}
