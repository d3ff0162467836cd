//! The records of one run, checked once so that nothing after has to.

use std::path::Path;

use super::{
    AnalysisError,
    digest::{Digest, Facts, chains_of},
};
use crate::run::{Journal, RunError, SampleRecord, attach, wall_seconds};
use cola_search::chain::ChainError;

/// The finished samples of one run: at least one, of one model, sorted by (task, index).
#[derive(Debug, Clone)]
pub struct RunRecords {
    model: String,
    seconds: f64,
    records: Vec<Digest>,
}

impl RunRecords {
    /// Sorts and checks records. `model` is the name to show, `seconds` the run's wall-clock
    /// time over all its sittings.
    ///
    /// # Errors
    /// No records, records of models with different numbers of layers, a chain that names a layer
    /// its model does not have, or a duration that is negative or not finite.
    pub fn new(
        model: impl Into<String>,
        seconds: f64,
        records: impl IntoIterator<Item = SampleRecord>,
    ) -> Result<Self, AnalysisError> {
        let (records, facts) = checked(records.into_iter().map(|record| Ok(taken(record))))?;
        Self::sorted(model.into(), seconds, records, facts)
    }

    /// Reads the journal of a run directory, one record at a time: it may be larger than memory. `model` is the name to show.
    ///
    /// # Errors
    /// As [`new`](Self::new), and a file that cannot be read or is damaged.
    pub fn read(model: impl Into<String>, directory: &Path) -> Result<Self, AnalysisError> {
        let (mut records, mut facts) = checked(Journal::map(directory, taken)?)?;
        // Menus and certificates are of all records at once, and need none of their evaluations.
        attach(directory, &mut records, |at, record| {
            facts[at].take_menu(record);
        })?;
        let seconds = wall_seconds(&records);
        Self::sorted(model.into(), seconds, records, facts)
    }

    fn sorted(
        model: String,
        seconds: f64,
        records: Vec<SampleRecord>,
        facts: Vec<Facts>,
    ) -> Result<Self, AnalysisError> {
        if records.is_empty() {
            return Err(AnalysisError::NoRecords { model });
        }
        if !seconds.is_finite() || seconds < 0.0 {
            return Err(AnalysisError::Seconds { model, seconds });
        }
        let records = records.into_iter().zip(facts);
        let mut records: Vec<Digest> = records.map(|(r, facts)| Digest::new(r, facts)).collect();
        records.sort_by(|a, b| (&a.task, a.index, &a.id).cmp(&(&b.task, b.index, &b.id)));
        Ok(Self {
            model,
            seconds,
            records,
        })
    }

    /// Name of the model, as given.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Wall-clock seconds of the run.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Number of layers of the model.
    pub fn layers(&self) -> usize {
        self.records[0].layers
    }

    /// All records, by (task, index).
    pub fn records(&self) -> &[Digest] {
        &self.records
    }

    /// (task, its records), by task name.
    pub fn datasets(&self) -> impl Iterator<Item = (&str, &[Digest])> {
        self.records
            .chunk_by(|a, b| a.task == b.task)
            .map(|records| (records[0].task.as_str(), records))
    }
}

/// A record, and the facts that were taken out of it, or what is wrong with a chain.
type Taken = (SampleRecord, Result<Facts, ChainError>);

fn taken(mut record: SampleRecord) -> Taken {
    let checked = chains_of(&record).try_for_each(|chain| chain.check(record.layers));
    let facts = checked.map(|()| Facts::take(&mut record));
    (record, facts)
}

fn checked(
    all: impl Iterator<Item = Result<Taken, RunError>>,
) -> Result<(Vec<SampleRecord>, Vec<Facts>), AnalysisError> {
    let (mut records, mut facts) = (Vec::<SampleRecord>::new(), Vec::new());
    for taken in all {
        let (record, fact) = taken?;
        let (task, id) = (&record.task, &record.id);
        let expected = records.first().map_or(record.layers, |first| first.layers);
        if record.layers != expected {
            return Err(AnalysisError::MixedLayers {
                task: task.clone(),
                id: id.clone(),
                layers: record.layers,
                expected,
            });
        }
        facts.push(fact.map_err(|source| AnalysisError::Chain {
            task: task.clone(),
            id: id.clone(),
            source,
        })?);
        records.push(record);
    }
    Ok((records, facts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::sample;

    #[test]
    fn an_empty_journal_is_refused() {
        let error = RunRecords::new("demo", 1.0, vec![]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "run of \"demo\": no sample records, so there is nothing to analyse"
        );
    }

    #[test]
    fn records_are_sorted_and_split_by_task() {
        let records = vec![
            sample("b", 2).build(),
            sample("a", 1).build(),
            sample("b", 0).build(),
        ];
        let run = RunRecords::new("demo", 1.0, records).unwrap();
        let split: Vec<_> = run
            .datasets()
            .map(|(task, records)| (task, records.iter().map(|r| r.index).collect()))
            .collect();
        assert_eq!(split, [("a", vec![1]), ("b", vec![0, 2])]);
    }

    #[test]
    fn a_layer_the_model_does_not_have_is_named() {
        let record = sample("a", 7).tried("0-9", true).build();
        let error = RunRecords::new("demo", 1.0, vec![record]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "sample a/7: chain \"0-9\": layer 4 does not exist; the model has layers 0 to 3"
        );
    }

    #[test]
    fn records_of_two_models_and_impossible_durations_are_refused() {
        let mut other = sample("a", 1).build();
        other.layers = 5;
        let records = vec![sample("a", 0).build(), other];
        let error = RunRecords::new("demo", 1.0, records).unwrap_err();
        assert!(matches!(error, AnalysisError::MixedLayers { .. }));
        let error = RunRecords::new("demo", f64::NAN, vec![sample("a", 0).build()]).unwrap_err();
        assert!(matches!(error, AnalysisError::Seconds { .. }));
    }
}
