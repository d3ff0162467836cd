//! What became of one sample, and which of its chains count.

use super::{digest::Digest, statistics::Proportion};
use crate::run::{Evaluation, SampleRecord};

/// Which samples a statistic is about. The groups are the paper's: C is correct, W wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Every sample with a confirmed right chain.
    Found,
    /// C->C: those the unmodified model answers right.
    StayedRight,
    /// W->C: those it answers wrong.
    TurnedRight,
}

impl Group {
    /// All groups, in the order of the tables.
    pub const ALL: [Self; 3] = [Self::Found, Self::StayedRight, Self::TurnedRight];

    /// Name in the CSV files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::StayedRight => "C->C",
            Self::TurnedRight => "W->C",
        }
    }

    /// Name in the report.
    pub fn label(self) -> &'static str {
        match self {
            Self::Found => "all found",
            Self::StayedRight => "C→C",
            Self::TurnedRight => "W→C",
        }
    }

    /// Whether the sample is in the group.
    pub fn holds(self, record: &SampleRecord) -> bool {
        found(record).is_some()
            && match self {
                Self::Found => true,
                Self::StayedRight => started_right(record),
                Self::TurnedRight => !started_right(record),
            }
    }
}

/// From the unmodified model's answer to that of the best chain, by length (the paper's stacked
/// bars). Every sample has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// Right, and right with fewer layer applications than the model has layers.
    RightShorter,
    /// Right, shortest chain as long as the model.
    RightSame,
    /// Right, only longer chains confirmed.
    RightLonger,
    /// Right at first, but no chain was confirmed, the unmodified model included.
    Lost,
    /// Wrong, then right with a shorter chain.
    FixedShorter,
    /// Wrong, then right with as many layer applications.
    FixedSame,
    /// Wrong, then right with a longer chain.
    FixedLonger,
    /// Wrong, and no right chain found.
    StillWrong,
    /// The sample could not be evaluated.
    Failed,
}

impl Transition {
    /// All transitions, in the order of the figure.
    pub const ALL: [Self; 9] = [
        Self::RightShorter,
        Self::RightSame,
        Self::RightLonger,
        Self::Lost,
        Self::FixedShorter,
        Self::FixedSame,
        Self::FixedLonger,
        Self::StillWrong,
        Self::Failed,
    ];

    /// The transition of a sample.
    pub fn of(record: &SampleRecord) -> Self {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let length = found(record).map(|best| best.chain.len().cmp(&record.layers));
        match (started_right(record), length) {
            _ if failed(record) => Self::Failed,
            (true, Some(Less)) => Self::RightShorter,
            (true, Some(Equal)) => Self::RightSame,
            (true, Some(Greater)) => Self::RightLonger,
            (true, None) => Self::Lost,
            (false, Some(Less)) => Self::FixedShorter,
            (false, Some(Equal)) => Self::FixedSame,
            (false, Some(Greater)) => Self::FixedLonger,
            (false, None) => Self::StillWrong,
        }
    }

    /// Name in the figures.
    pub fn label(self) -> &'static str {
        match self {
            Self::RightShorter => "C→C shorter",
            Self::RightSame => "C→C same length",
            Self::RightLonger => "C→C longer",
            Self::Lost => "C→C unconfirmed",
            Self::FixedShorter => "W→C shorter",
            Self::FixedSame => "W→C same length",
            Self::FixedLonger => "W→C longer",
            Self::StillWrong => "still wrong",
            Self::Failed => "failed",
        }
    }

    /// How many of the samples, all in the denominator.
    pub fn share(self, records: &[Digest]) -> Proportion {
        let hits = records.iter().filter(|record| Self::of(record) == self);
        Proportion::new(hits.count(), records.len())
    }

    /// Name in the CSV files.
    pub fn name(self) -> &'static str {
        match self {
            Self::RightShorter => "C->C shorter",
            Self::RightSame => "C->C same",
            Self::RightLonger => "C->C longer",
            Self::Lost => "C->C unconfirmed",
            Self::FixedShorter => "W->C shorter",
            Self::FixedSame => "W->C same",
            Self::FixedLonger => "W->C longer",
            Self::StillWrong => "still wrong",
            Self::Failed => "failed",
        }
    }
}

/// Whether the sample failed. It then counts as wrong everywhere, whatever else it recorded.
pub fn failed(record: &SampleRecord) -> bool {
    record.error.is_some() || record.baseline.is_none()
}

/// Whether the unmodified model answers the sample right.
pub fn started_right(record: &SampleRecord) -> bool {
    !failed(record) && record.baseline_correct()
}

/// The confirmed shortest right chain.
pub fn found(record: &SampleRecord) -> Option<&Evaluation> {
    record.label()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::sample;

    #[test]
    fn every_sample_has_the_transition_its_chains_say() {
        let of =
            |start, best: &str| Transition::of(&sample("t", 0).baseline(start).best(best).build());
        assert_eq!(of(true, "0-2"), Transition::RightShorter);
        assert_eq!(of(true, "0-3"), Transition::RightSame);
        assert_eq!(of(true, "0-3,3"), Transition::RightLonger);
        assert_eq!(of(false, "0-2"), Transition::FixedShorter);
        assert_eq!(of(false, "3-0"), Transition::FixedSame);
        assert_eq!(of(false, "0-3,3"), Transition::FixedLonger);
        let wrong = sample("t", 0).tried("0-2", false).build();
        assert_eq!(Transition::of(&wrong), Transition::StillWrong);
        let lost = sample("t", 0).baseline(true).refuted("0-3").build();
        assert_eq!(Transition::of(&lost), Transition::Lost);
    }

    #[test]
    fn a_failed_sample_counts_for_nothing_it_recorded() {
        let record = sample("t", 0)
            .baseline(true)
            .best("0-2")
            .failed("out of memory")
            .build();
        assert_eq!(Transition::of(&record), Transition::Failed);
        assert!(!started_right(&record) && found(&record).is_none());
    }
}
