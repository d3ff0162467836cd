//! `certificates.jsonl`: one line a certified sample, with what its certificate depends on.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::Certificate;
use crate::run::{Evaluation, RunError, SampleRecord, StaleLine, json_lines::Lines};
use cola_search::chain::Chain;

/// Name of the file in a run directory.
pub const NAME: &str = "certificates.jsonl";

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CertificateLine {
    /// Name of the task.
    pub task: String,
    /// Identifier of the sample.
    pub id: String,
    /// Seed of the sample's search, from which the other samples are drawn.
    pub seed: u64,
    /// The best chain.
    pub chain: Chain,
    /// The bound on degradation.
    pub max_degradation: Option<f64>,
    /// `None` where an evaluation failed.
    pub certificate: Option<Certificate>,
    /// Why there is no certificate.
    pub error: Option<String>,
}

impl CertificateLine {
    /// The line of a sample, so far without a certificate.
    pub fn new(record: &SampleRecord, best: &Evaluation) -> Self {
        Self {
            task: record.task.clone(),
            id: record.id.clone(),
            seed: record.seed,
            chain: best.chain.clone(),
            max_degradation: record.max_degradation,
            certificate: None,
            error: None,
        }
    }

    /// Refuses a certificate of something else than the run found.
    fn check(&self, record: Option<&SampleRecord>, path: &Path) -> Result<(), RunError> {
        let nats = |bound: Option<f64>| bound.map_or_else(|| "none".to_owned(), |b| b.to_string());
        let label = record.and_then(SampleRecord::label);
        let chain = label.map_or_else(|| "none".to_owned(), |best| best.chain.to_string());
        let mut fields = vec![("best chain", self.chain.to_string(), chain)];
        if let Some(record) = record {
            let bounds = [self.max_degradation, record.max_degradation].map(nats);
            let [was, now] = bounds;
            fields.push(("seed", self.seed.to_string(), record.seed.to_string()));
            fields.push(("max_degradation", was, now));
        }
        match fields.into_iter().find(|(_, was, now)| was != now) {
            None => Ok(()),
            Some((field, was, now)) => Err(StaleLine {
                path: PathBuf::from(path),
                stage: "certificate",
                option: "certify",
                sample: format!("{}/{}", self.task, self.id),
                field,
                was,
                now,
            }
            .into()),
        }
    }
}

/// Whether a run directory has certificates.
pub fn is_in(directory: &Path) -> bool {
    directory.join(NAME).exists()
}

/// Gives the records the certificates that stand in a run directory.
///
/// # Errors
/// The file cannot be read, or is not of these records.
pub fn attach(directory: &Path, records: &mut [SampleRecord]) -> Result<(), RunError> {
    let lines = Lines::of_any(directory, NAME)?;
    attach_lines(directory, lines, records)
}

/// Gives the records their certificates.
pub fn attach_lines(
    directory: &Path,
    lines: impl IntoIterator<Item = Result<CertificateLine, RunError>>,
    records: &mut [SampleRecord],
) -> Result<(), RunError> {
    let path = directory.join(NAME);
    let named = records.iter().enumerate();
    let places: BTreeMap<(String, String), usize> = named
        .map(|(at, record)| ((record.task.clone(), record.id.clone()), at))
        .collect();
    for line in lines {
        let line = line?;
        let place = places.get(&(line.task.clone(), line.id.clone()));
        line.check(place.map(|&at| &records[at]), &path)?;
        if let Some(&at) = place {
            records[at].certificate = line.certificate;
        }
    }
    Ok(())
}
