//! What is exported of one sample, whatever the format.

use serde::Serialize;

use crate::run::{ControlOutcome, SampleRecord, Thresholds};
use cola_search::chain::{Alpha, Chain, Layer};

/// The names of the columns.
pub const COLUMNS: [&str; 32] = [
    "task",
    "id",
    "index",
    "gold",
    "baseline_correct",
    "baseline_answer",
    "found",
    "chain",
    "layers",
    "alphas",
    "length",
    "unique_layers",
    "margin",
    "degradation",
    "answer",
    "random_found",
    "random_chain",
    "matched_target",
    "matched_target_found",
    "matched_target_chain",
    "wrong_target",
    "wrong_target_found",
    "wrong_target_chain",
    "rotations_right",
    "rotations",
    "edits",
    "needed_edits",
    "transfer_samples",
    "transfer_right",
    "transfer_unmodified_right",
    "certified",
    "error",
];

/// One sample. Every sample has a row: without a right chain it is a row with an empty `chain`.
/// The names of the fields are the columns' names.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Name of the task.
    pub task: String,
    /// Identifier of the sample in its dataset.
    pub id: String,
    /// Position in the dataset, from 0.
    pub index: usize,
    /// The right answer.
    pub gold: String,
    /// Whether the unmodified model answers right; nothing where the sample failed before it ran.
    pub baseline_correct: Option<bool>,
    /// What it answers.
    pub baseline_answer: Option<String>,
    /// Whether a right chain was found and confirmed. An oracle number.
    pub found: bool,
    /// The shortest right chain in canonical notation; `empty` is the chain without layers.
    pub chain: Option<Chain>,
    /// Its layers in order: a list, or separated by spaces.
    pub layers: Option<Vec<Layer>>,
    /// How strongly each of them counts (1: as the model defines it); nothing where none is damped.
    pub alphas: Option<Vec<Alpha>>,
    /// Its length (layer applications).
    pub length: Option<usize>,
    /// Number of different layers in it.
    pub unique_layers: Option<usize>,
    /// Its log-probability margin (nats).
    pub margin: Option<f64>,
    /// How much worse than the unmodified model it reads the prompt, nats a token.
    pub degradation: Option<f64>,
    /// What it answers.
    pub answer: Option<String>,
    /// Whether random chains found a right one; nothing where the control did not run.
    pub random_found: Option<bool>,
    /// The shortest they found.
    pub random_chain: Option<Chain>,
    /// The wrong answer that the unmodified model finds about as likely as the right one; nothing where no control searched
    /// for it.
    pub matched_target: Option<String>,
    /// Whether the control reached it.
    pub matched_target_found: Option<bool>,
    /// The shortest chain that did.
    pub matched_target_chain: Option<Chain>,
    /// The wrong answer drawn at random; nothing where no control searched for it.
    pub wrong_target: Option<String>,
    /// Whether it reached it.
    pub wrong_target_found: Option<bool>,
    /// The shortest chain that did.
    pub wrong_target_chain: Option<Chain>,
    /// Rotations of the options in which the chain is right; nothing without a certificate, here and up to `certified`, and
    /// where the options cannot be rotated.
    pub rotations_right: Option<usize>,
    /// All rotations.
    pub rotations: Option<usize>,
    /// Edits that make the chain differ from the unmodified model.
    pub edits: Option<usize>,
    /// Of those, edits without which it is not right within the bound on degradation.
    pub needed_edits: Option<usize>,
    /// Other samples of the task on which it ran.
    pub transfer_samples: Option<usize>,
    /// Of those, samples that it answers right within the bound.
    pub transfer_right: Option<usize>,
    /// Of those, samples that the unmodified model answers right.
    pub transfer_unmodified_right: Option<usize>,
    /// Whether the certificate holds the thresholds.
    pub certified: Option<bool>,
    /// Why the sample failed.
    pub error: Option<String>,
}

impl Row {
    /// The row of a sample. A failed sample has no best chain, whatever it recorded before.
    pub fn of(record: &SampleRecord, thresholds: &Thresholds) -> Self {
        let best = record.label();
        let certificate = record.certificate.as_ref().filter(|_| best.is_some());
        let rotations = certificate.and_then(|certificate| certificate.rotations);
        let transfer = certificate.map(|certificate| certificate.transfer);
        let random = record.controls.as_ref().map(|controls| &controls.random);
        let controls = record.controls.as_ref();
        let matched = controls.and_then(|c| c.matched_target.as_ref());
        let wrong = controls.and_then(|c| c.wrong_target.as_ref());
        let found = |outcome: &ControlOutcome| outcome.found.is_some();
        Self {
            task: record.task.clone(),
            id: record.id.clone(),
            index: record.index,
            gold: record.gold.clone(),
            baseline_correct: record.baseline.as_ref().map(|b| b.correct),
            baseline_answer: record.baseline.as_ref().map(|b| b.answer.clone()),
            found: best.is_some(),
            chain: best.map(|b| b.chain.clone()),
            layers: best.map(|b| b.chain.layers().to_vec()),
            alphas: best.and_then(|b| b.chain.alphas().map(<[Alpha]>::to_vec)),
            length: best.map(|b| b.chain.len()),
            unique_layers: best.map(|b| b.chain.unique_layers()),
            margin: best.and_then(|b| b.margin),
            degradation: best.and_then(|b| b.degradation),
            answer: best.map(|b| b.answer.clone()),
            random_found: random.map(|outcome| outcome.found.is_some()),
            random_chain: random.and_then(|outcome| outcome.found.clone()),
            matched_target: matched.map(|outcome| outcome.target.clone()),
            matched_target_found: matched.map(found),
            matched_target_chain: matched.and_then(|outcome| outcome.found.clone()),
            wrong_target: wrong.map(|outcome| outcome.target.clone()),
            wrong_target_found: wrong.map(found),
            wrong_target_chain: wrong.and_then(|outcome| outcome.found.clone()),
            rotations_right: rotations.map(|count| count.right),
            rotations: rotations.map(|count| count.of),
            edits: certificate.map(|certificate| certificate.edits.len()),
            needed_edits: certificate.map(|certificate| certificate.needed),
            transfer_samples: transfer.map(|transfer| transfer.samples),
            transfer_right: transfer.map(|transfer| transfer.right),
            transfer_unmodified_right: transfer.map(|transfer| transfer.unmodified_right),
            certified: certificate.and_then(|_| thresholds.hold(record)),
            error: record.error.clone(),
        }
    }
}
