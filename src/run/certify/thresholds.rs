//! Which certificates are good enough.

use super::{Certificate, TRANSFER_SAMPLES};
use crate::run::SampleRecord;

/// Of 16 other samples, so many fewer than the unmodified model a chain may answer right, unless something else is said.
pub const MAX_TRANSFER_LOSS: usize = 4;

/// What a best chain must hold to count as certified.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Least share of the rotations in which it is right. A sample without rotations holds any.
    pub min_rotations: f64,
    /// Of 16 other samples, most by which it is right on fewer than the unmodified model; of fewer samples in proportion.
    pub max_transfer_loss: usize,
    /// Most degradation, nats a token; `None` for the run's own bound.
    pub max_degradation: Option<f64>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            min_rotations: 1.0,
            max_transfer_loss: MAX_TRANSFER_LOSS,
            max_degradation: None,
        }
    }
}

impl Thresholds {
    /// Whether the chain is right in enough rotations; `None` where there are none.
    pub fn rotations(&self, certificate: &Certificate) -> Option<bool> {
        let count = certificate.rotations?;
        Some(count.right as f64 / count.of.max(1) as f64 >= self.min_rotations)
    }

    /// Whether the chain is right on enough other samples.
    pub fn transfer(&self, certificate: &Certificate) -> bool {
        let found = certificate.transfer;
        let loss = found.unmodified_right.saturating_sub(found.right);
        loss * TRANSFER_SAMPLES <= self.max_transfer_loss * found.samples
    }

    /// Whether the best chain of a sample still reads the prompt.
    pub fn degradation(&self, record: &SampleRecord) -> bool {
        let bound = self.max_degradation.or(record.max_degradation);
        record
            .label()
            .is_some_and(|best| record.is_within(bound, best))
    }

    /// Whether the best chain of a sample holds all of them; `None` where it has no certificate.
    pub fn hold(&self, record: &SampleRecord) -> Option<bool> {
        let certificate = record.certificate.as_ref()?;
        Some(
            self.rotations(certificate).unwrap_or(true)
                && self.transfer(certificate)
                && self.degradation(record),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        analysis::fixtures::{certificate, sample},
        run::RotationCount,
    };

    fn rotated(right: usize, of: usize) -> Certificate {
        Certificate {
            rotations: Some(RotationCount { right, of }),
            ..certificate((16, 10, 10))
        }
    }

    #[test]
    fn rotations_are_a_share_and_none_hold_any() {
        let at = |min_rotations| Thresholds {
            min_rotations,
            ..Thresholds::default()
        };
        assert_eq!(at(1.0).rotations(&rotated(4, 4)), Some(true));
        assert_eq!(at(1.0).rotations(&rotated(3, 4)), Some(false));
        assert_eq!(at(0.75).rotations(&rotated(3, 4)), Some(true));
        // Three of five are 0.6, as it is typed.
        assert_eq!(at(0.6).rotations(&rotated(3, 5)), Some(true));
        assert_eq!(at(1.0).rotations(&certificate((16, 10, 10))), None);
        let record = sample("t", 0).best("0-2").certified((16, 10, 10)).build();
        assert_eq!(at(1.0).hold(&record), Some(true));
    }

    #[test]
    fn what_is_lost_on_other_samples_counts_in_proportion() {
        let holds = |counts, max_transfer_loss| {
            let thresholds = Thresholds {
                max_transfer_loss,
                ..Thresholds::default()
            };
            thresholds.transfer(&certificate(counts))
        };
        assert!(holds((16, 6, 10), 4) && !holds((16, 5, 10), 4));
        // Of 4 samples a quarter as much.
        assert!(holds((4, 2, 3), 4) && !holds((4, 1, 3), 4));
        assert!(!holds((3, 2, 3), 4));
        // More than the unmodified model is no loss, and neither is nothing.
        assert!(holds((16, 12, 10), 0) && holds((0, 0, 0), 0));
    }

    #[test]
    fn the_bound_on_degradation_is_the_runs_unless_another_is_given() {
        let record = sample("t", 0).best("0-2").certified((16, 10, 10));
        let record = record.with(|record| {
            record.max_degradation = Some(0.5);
            record.best.as_mut().unwrap().degradation = Some(0.3);
        });
        let mut record = record.build();
        let bounded = |nats| Thresholds {
            max_degradation: Some(nats),
            ..Thresholds::default()
        };
        assert_eq!(Thresholds::default().hold(&record), Some(true));
        assert_eq!(bounded(0.3).hold(&record), Some(true));
        assert_eq!(bounded(0.2).hold(&record), Some(false));
        record.certificate = None;
        assert_eq!(Thresholds::default().hold(&record), None);
    }
}
