//! What a run says about the model's depth: the summary table, depth-usage statistics, controls,
//! CSV files, figures and the report.
//!
//! Everything here is derived from the journal's records and can be made again. [`RunRecords`]
//! reads them once, one at a time, and keeps a [`Digest`] of each; [`Summary`] holds the numbers of the paper's Table 1 ([`render`] prints it);
//! [`write_report`] writes the depth-usage statistics. Numbers a search found are *oracle* numbers
//! and are called so wherever they are shown.

mod answers;
mod arms;
mod bounds;
mod certificates;
mod controls;
mod csv_files;
mod depth;
mod digest;
mod equal_score;
mod error;
mod figures;
mod format;
mod headline;
mod html;
mod layers;
mod outcome;
mod report;
mod runs;
mod selectivity;
mod statistics;
mod summary;
mod table;
mod tables;
mod terminal;
mod tries;

#[cfg(test)]
pub(crate) mod fixtures;

pub use answers::{Source, Within};
pub use arms::{ArmCurve, ArmPoint, arms};
pub use bounds::AtBound;
pub use certificates::CertificateCounts;
pub use controls::ControlCounts;
pub use digest::Digest;
pub use error::AnalysisError;
pub use figures::{Cell, draw_square};
pub use headline::{ExcessCounts, SelectivityCounts};
pub use report::write_report;
pub use runs::RunRecords;
pub use selectivity::Selectivity;
pub use statistics::{Excess, Interval, Mean, Paired, Proportion, entropy_bits, percentile};
pub use summary::{DatasetSummary, Summary};
pub use terminal::render;
