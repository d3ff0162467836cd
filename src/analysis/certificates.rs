//! How much the labels of a run are worth, by their certificates.

use serde::{Deserialize, Serialize};

use super::{digest::Digest, outcome::found, statistics::Mean};
use crate::run::{Certificate, SampleRecord, Thresholds};

/// Counts over the labels of some samples, their best chains. One whose certification failed, or is still to come, holds no
/// threshold. The thresholds are those of `cola export --certified`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CertificateCounts {
    /// Best chains.
    pub labels: usize,
    /// Those whose certificate holds all thresholds.
    pub certified: usize,
    /// Labels right in every rotation of the options, of `rotated`.
    pub rotations: usize,
    /// Labels whose options can be rotated.
    pub rotated: usize,
    /// Labels right on enough other samples of the task.
    pub transfer: usize,
    /// Labels within the bound on degradation.
    pub degradation: usize,
    /// Labels that need all of their edits, of `edited`.
    pub all_needed: usize,
    /// Labels that are not the unmodified model.
    pub edited: usize,
    /// Labels without a certificate.
    pub without: usize,
    /// Mean length of the labels.
    pub depth: Option<Mean>,
    /// Mean length of the certified ones.
    pub depth_certified: Option<Mean>,
}

/// A threshold, or what else of a certificate can be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threshold {
    /// Right in every rotation of the options.
    Rotations,
    /// Right on enough other samples.
    Transfer,
    /// Within the bound on degradation.
    Degradation,
    /// All edits needed: counted, and not a condition.
    AllNeeded,
    /// All but the last.
    Certified,
}

impl Threshold {
    /// All, in the order of the files.
    pub const ALL: [Self; 5] = [
        Self::Rotations,
        Self::Transfer,
        Self::Degradation,
        Self::AllNeeded,
        Self::Certified,
    ];

    /// Name in the CSV file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rotations => "rotations",
            Self::Transfer => "transfer",
            Self::Degradation => "degradation",
            Self::AllNeeded => "all edits needed",
            Self::Certified => "certified",
        }
    }

    /// The labels that are asked whether they hold it, and those that do.
    pub fn split(self, records: &[Digest]) -> (Vec<&Digest>, Vec<&Digest>) {
        let labels = records.iter().filter(|record| found(record).is_some());
        let asked: Vec<&Digest> = labels.filter(|record| self.concerns(record)).collect();
        let holds = asked.iter().copied().filter(|record| self.holds(record));
        let holding = holds.collect();
        (asked, holding)
    }

    fn concerns(self, record: &SampleRecord) -> bool {
        let certificate = record.certificate.as_ref();
        match self {
            Self::Rotations => certificate.is_some_and(|c| c.rotations.is_some()),
            Self::AllNeeded => certificate.is_some_and(|c| !c.edits.is_empty()),
            Self::Transfer | Self::Degradation | Self::Certified => true,
        }
    }

    fn holds(self, record: &SampleRecord) -> bool {
        let thresholds = Thresholds::default();
        let of =
            |holds: &dyn Fn(&Certificate) -> bool| record.certificate.as_ref().is_some_and(holds);
        match self {
            Self::Rotations => of(&|c| thresholds.rotations(c) == Some(true)),
            Self::Transfer => of(&|c| thresholds.transfer(c)),
            Self::Degradation => of(&|_| thresholds.degradation(record)),
            Self::AllNeeded => of(&|c| c.needed == c.edits.len()),
            Self::Certified => thresholds.hold(record) == Some(true),
        }
    }
}

impl CertificateCounts {
    /// Counts some samples; `None` where none has a certificate.
    pub fn of(records: &[Digest]) -> Option<Self> {
        let labels: Vec<&Digest> = records.iter().filter(|r| found(r).is_some()).collect();
        let has_certificate = |record: &&&Digest| record.certificate.is_some();
        let with = labels.iter().filter(has_certificate).count();
        if with == 0 {
            return None;
        }
        let count = |threshold: Threshold| {
            let (asked, holding) = threshold.split(records);
            (asked.len(), holding.len())
        };
        let (rotated, rotations) = count(Threshold::Rotations);
        let (edited, all_needed) = count(Threshold::AllNeeded);
        let (_, certified) = Threshold::Certified.split(records);
        Some(Self {
            labels: labels.len(),
            certified: certified.len(),
            rotations,
            rotated,
            transfer: count(Threshold::Transfer).1,
            degradation: count(Threshold::Degradation).1,
            all_needed,
            edited,
            without: labels.len() - with,
            depth: mean_depth(&labels),
            depth_certified: mean_depth(&certified),
        })
    }
}

/// Mean length of the best chains of some samples.
pub fn mean_depth(records: &[&Digest]) -> Option<Mean> {
    let depths = records.iter().filter_map(|record| found(record));
    let depths: Vec<f64> = depths.map(|best| best.chain.len() as f64).collect();
    Mean::of(&depths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        analysis::fixtures::{certified_run, sample},
        run::RotationCount,
    };

    #[test]
    fn counts_equal_those_made_by_hand() {
        let run = certified_run();
        let counts = CertificateCounts::of(run.records()).unwrap();
        assert_eq!((counts.labels, counts.without), (5, 1));
        assert_eq!((counts.rotated, counts.rotations), (2, 1));
        assert_eq!((counts.edited, counts.all_needed), (2, 1));
        assert_eq!((counts.transfer, counts.degradation), (3, 4));
        assert_eq!(counts.certified, 2);
        assert_eq!(counts.depth.unwrap().value, 15.0 / 5.0);
        assert_eq!(counts.depth_certified.unwrap().value, 3.5);
    }

    #[test]
    fn without_certificates_there_is_nothing_to_count() {
        let records = [sample("t", 0).best("0-2").build().into()];
        assert_eq!(CertificateCounts::of(&records), None);
        // What a failed sample is certified for is no label.
        let failed = sample("t", 0).best("0-2").certified((16, 9, 9)).failed("x");
        assert_eq!(CertificateCounts::of(&[failed.build().into()]), None);
    }

    #[test]
    fn a_rotation_that_is_wrong_is_enough_to_fail() {
        let record = sample("t", 0).best("0-2").certified((16, 9, 9));
        let record = record.with(|record| {
            let certificate = record.certificate.as_mut().unwrap();
            certificate.rotations = Some(RotationCount { right: 3, of: 4 });
        });
        let counts = CertificateCounts::of(&[record.build().into()]).unwrap();
        assert_eq!(
            (counts.rotated, counts.rotations, counts.certified),
            (1, 0, 0)
        );
    }
}
