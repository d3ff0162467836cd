//! Certificates: what is known of a best chain beside its verdict.
//!
//! The best chain of a sample is a label for other tools. That it is right and within the bound on degradation does not say
//! how much it is worth: it may be right in one order of the options, hold changes that do nothing, or answer no other question
//! any more. A second stage after the search asks for that, on the samples that have a best chain:
//!
//! ```text
//! records ── pending (edits, draw) ──▶ pairs of a problem and a chain ── Evaluator ──▶ found
//!                                                                                       │
//! samples.jsonl + certificates.jsonl ──▶ records with certificates ◀── one line a sample ◀┘
//! ```
//!
//! - *rotations*: the verdict in every rotation of the options, the degradation there is not asked for.
//! - *edits*: every change of the unmodified model undone alone, on the same sample.
//! - *transfer*: the chain on other samples of the task, which are drawn by the sample's seed from those that did not fail in
//!   the search. What the unmodified model answers there is on their records.
//!
//! The stage goes through the samples in groups, as many at once as the search has in flight, and within a group through the
//! pairs problem by problem: chains on one problem share states. A degradation near the bound is measured again, isolated, as in
//! the search. A process killed at any time loses the group at hand.

mod certificate;
mod certifier;
mod draw;
mod edits;
mod file;
mod group;
mod pending;
#[cfg(test)]
mod tests;
mod thresholds;

pub use certificate::{Certificate, RotationCount, Transfer, UndoneEdit};
pub use certifier::Certifier;
pub use draw::TRANSFER_SAMPLES;
pub use file::{attach, is_in};
pub use thresholds::{MAX_TRANSFER_LOSS, Thresholds};
