//! The records of one run, checked once so that nothing after has to.

use super::AnalysisError;
use crate::run::SampleRecord;
use cola_search::chain::Chain;

/// The finished samples of one run: at least one, of one model, sorted by (task, index).
#[derive(Debug, Clone)]
pub struct RunRecords {
    model: String,
    seconds: f64,
    records: Vec<SampleRecord>,
}

impl RunRecords {
    /// Sorts and checks a journal. `model` is the name to show, `seconds` the run's wall-clock
    /// time over all its sittings.
    ///
    /// # Errors
    /// No records, records of models with different numbers of layers, a chain that names a layer
    /// its model does not have, or a duration that is negative or not finite.
    pub fn new(
        model: impl Into<String>,
        seconds: f64,
        mut records: Vec<SampleRecord>,
    ) -> Result<Self, AnalysisError> {
        let model = model.into();
        let Some(first) = records.first() else {
            return Err(AnalysisError::NoRecords { model });
        };
        if !seconds.is_finite() || seconds < 0.0 {
            return Err(AnalysisError::Seconds { model, seconds });
        }
        let layers = first.layers;
        for record in &records {
            check(record, layers)?;
        }
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
    pub fn records(&self) -> &[SampleRecord] {
        &self.records
    }

    /// (task, its records), by task name.
    pub fn datasets(&self) -> impl Iterator<Item = (&str, &[SampleRecord])> {
        self.records
            .chunk_by(|a, b| a.task == b.task)
            .map(|records| (records[0].task.as_str(), records))
    }
}

fn check(record: &SampleRecord, layers: usize) -> Result<(), AnalysisError> {
    if record.layers != layers {
        return Err(AnalysisError::MixedLayers {
            task: record.task.clone(),
            id: record.id.clone(),
            layers: record.layers,
            expected: layers,
        });
    }
    let mut chains = chains_of(record);
    chains.try_for_each(|chain| {
        chain.check(layers).map_err(|source| AnalysisError::Chain {
            task: record.task.clone(),
            id: record.id.clone(),
            source,
        })
    })
}

/// Every chain a statistic may look at.
fn chains_of(record: &SampleRecord) -> impl Iterator<Item = &Chain> {
    let evaluations = record.evaluations.iter().chain(&record.best);
    evaluations.chain(&record.baseline).map(|e| &e.chain)
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
