//! The certificate of one sample while parts of it are not known.

use super::{
    Certificate, RotationCount, Transfer, UndoneEdit,
    edits::{blocks, undo},
    file::CertificateLine,
};
use crate::run::{
    Evaluation, SampleRecord,
    fixed_chains::{Measured, keep_least},
};

/// A part of a certificate that one evaluation answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The chain in another rotation of the options.
    Rotation,
    /// The chain without one of its edits, by the index of that.
    Edit(usize),
    /// The chain on another sample.
    Transfer,
}

/// What one evaluation came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// Whether it was right.
    pub correct: bool,
    /// Whether the chain read the prompt within the bound on degradation.
    pub fluent: bool,
    /// Its degradation; `None` where that is not measured, or not finite.
    pub degradation: Option<f64>,
}

impl Answer {
    /// What a run of a chain came to.
    pub fn measured(measured: &Measured) -> Self {
        let Measured {
            verdict,
            loss,
            fluency,
        } = measured;
        Self {
            correct: verdict.correct,
            fluent: fluency.holds(*loss),
            // JSON has no infinity.
            degradation: fluency.degradation(*loss).filter(|nats| nats.is_finite()),
        }
    }

    /// What a record says of a chain.
    pub fn recorded(record: &SampleRecord, evaluation: &Evaluation) -> Self {
        Self {
            correct: evaluation.correct,
            fluent: record.is_fluent(evaluation),
            degradation: evaluation.degradation,
        }
    }
}

/// A certificate in the making.
#[derive(Debug)]
pub struct Pending {
    line: CertificateLine,
    certificate: Certificate,
    /// Evaluations that are not known.
    missing: usize,
}

impl Pending {
    /// Begins with what the record alone says. `covered`: the rotations that the verdict covers, where it covers them.
    pub fn new(record: &SampleRecord, best: &Evaluation, covered: Option<usize>) -> Self {
        let chain = &best.chain;
        let edits = blocks(chain, record.layers).into_iter().map(|block| {
            let undone = block.text(chain);
            UndoneEdit {
                undone,
                chain: undo(chain, &[block]),
                correct: false,
                degradation: None,
            }
        });
        Self {
            line: CertificateLine::new(record, best),
            certificate: Certificate {
                confirmed: true,
                degradation: best.degradation,
                rotations: covered.map(|of| RotationCount { right: of, of }),
                edits: edits.collect(),
                needed: 0,
                transfer: Transfer::default(),
            },
            missing: 0,
        }
    }

    /// The edits of the chain.
    pub fn edits(&self) -> &[UndoneEdit] {
        &self.certificate.edits
    }

    /// One other rotation is to be learned.
    pub fn expect_rotation(&mut self) {
        self.missing += 1;
        // In the task's own order the chain is right.
        let own = RotationCount { right: 1, of: 1 };
        self.certificate.rotations.get_or_insert(own).of += 1;
    }

    /// The verdict without an edit is to be learned.
    pub fn expect_edit(&mut self) {
        self.missing += 1;
    }

    /// The verdict on another sample is to be learned, which the unmodified model answers right or wrong.
    pub fn expect_transfer(&mut self, unmodified_right: bool) {
        self.missing += 1;
        self.certificate.transfer.samples += 1;
        self.certificate.transfer.unmodified_right += usize::from(unmodified_right);
    }

    /// Takes in a part.
    pub fn learn(&mut self, part: Part, answer: Answer) {
        self.missing = self.missing.saturating_sub(1);
        let counts = answer.correct && answer.fluent;
        let certificate = &mut self.certificate;
        match part {
            Part::Rotation => {
                if let Some(rotations) = &mut certificate.rotations {
                    rotations.right += usize::from(answer.correct);
                }
            }
            Part::Edit(at) => {
                certificate.needed += usize::from(!counts);
                let edit = &mut certificate.edits[at];
                edit.correct = answer.correct;
                edit.degradation = answer.degradation;
            }
            Part::Transfer => certificate.transfer.right += usize::from(counts),
        }
    }

    /// A part failed.
    pub fn fail(&mut self, error: String) {
        self.missing = self.missing.saturating_sub(1);
        keep_least(&mut self.line.error, error);
    }

    /// The line to write, once nothing is missing.
    pub fn line(&self) -> Option<CertificateLine> {
        let certificate = self.line.error.is_none().then(|| self.certificate.clone());
        (self.missing == 0).then(|| CertificateLine {
            certificate,
            ..self.line.clone()
        })
    }
}
