//! What chains answer on the samples that the unmodified model gets wrong, by how much worse they read the prompt.

use super::outcome::failed;
use crate::run::{Candidate, Evaluation, SampleRecord};

/// Lower ends of the bins of degradation, nats a token; the first has none, and the last no upper end.
pub const BINS: [f64; 8] = [f64::NEG_INFINITY, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0];

/// Which chains of a record are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Random chains, which are told nothing: what they pick cannot follow the search.
    Random,
    /// Those of the search, which is told which answer is right.
    Search,
}

/// Which of them, by degradation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// All of them.
    Any,
    /// Those within the bound of their sample.
    Bound,
    /// Those in a bin, by its number: up to 0.1, 0.2, 0.5, 1, 2, 4 and 8 nats a token, and beyond.
    Bin(usize),
}

/// Chains of one sample that are alike in everything that is counted, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerCount {
    pub answer: Answer,
    pub bin: u8,
    pub is_fluent: bool,
    /// Whether it is the unmodified model.
    pub is_unmodified: bool,
    pub chains: u32,
}

/// What a chain answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// What the unmodified model answers.
    Own,
    /// One of the [others](other_answers).
    Other(u16),
    /// None of the candidates.
    Unknown,
}

impl AnswerCount {
    /// Whether the chains are among those that are looked at.
    pub fn is_within(&self, within: Within) -> bool {
        match within {
            Within::Any => true,
            Within::Bound => self.is_fluent,
            Within::Bin(bin) => usize::from(self.bin) == bin,
        }
    }
}

/// Counts what chains of a sample answered; nothing where [`other_answers`] are not known.
pub fn answer_counts(record: &SampleRecord, chains: &[Evaluation]) -> Box<[AnswerCount]> {
    let (Some(others), Some(baseline)) = (other_answers(record), &record.baseline) else {
        return Box::default();
    };
    let mut counts: Vec<AnswerCount> = Vec::new();
    for chain in chains {
        let other = others
            .iter()
            .position(|other| other.answer == chain.answer)
            .and_then(|at| u16::try_from(at).ok());
        let answer = match other {
            Some(at) => Answer::Other(at),
            None if chain.answer == baseline.answer => Answer::Own,
            None => Answer::Unknown,
        };
        let one = AnswerCount {
            answer,
            bin: bin_of(chain.degradation),
            is_fluent: record.is_fluent(chain),
            is_unmodified: chain.chain.is_identity(record.layers),
            chains: 1,
        };
        let same = |known: &&mut AnswerCount| {
            AnswerCount {
                chains: 1,
                ..**known
            } == one
        };
        match counts.iter_mut().find(same) {
            Some(known) => known.chains += 1,
            None => counts.push(one),
        }
    }
    counts.into()
}

/// The number of the bin. Without a finite state a chain has lost all there is.
fn bin_of(degradation: Option<f64>) -> u8 {
    let nats = degradation.unwrap_or(f64::INFINITY);
    let above = BINS.iter().skip(1).filter(|&&from| nats >= from);
    // There are eight bins.
    above.count() as u8
}

/// The answers of a sample that are not the unmodified model's own, those it finds likelier first; `None` where that is not
/// known, or the model is right.
pub fn other_answers(record: &SampleRecord) -> Option<Vec<&Candidate>> {
    let baseline = record.baseline.as_ref().filter(|_| !failed(record))?;
    if baseline.correct || record.candidates.is_empty() {
        return None;
    }
    let others = record.candidates.iter();
    let mut others: Vec<&Candidate> = others.filter(|c| c.answer != baseline.answer).collect();
    others.sort_by(|a, b| b.score.total_cmp(&a.score));
    Some(others)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::sample;

    #[test]
    fn a_degradation_is_in_the_bin_whose_lower_end_it_reaches() {
        let bins = [-3.0, 0.0999, 0.1, 0.2, 0.7, 1.0, 3.9, 4.0, 8.0, 1e9].map(Some);
        let expected = [0, 0, 1, 2, 3, 4, 5, 6, 7, 7];
        assert_eq!(bins.map(bin_of), expected);
        assert_eq!(bin_of(None), 7);
    }

    #[test]
    fn chains_are_counted_by_answer_bin_and_bound() {
        let candidate = |answer: &str, score, gold| Candidate {
            answer: answer.to_owned(),
            score,
            gold,
        };
        let wrong = sample("t", 0).with(|record| {
            record.max_degradation = Some(0.5);
            record.candidates = vec![
                candidate("5", -3.0, false),
                candidate("17", -1.0, false),
                candidate("42", -2.0, true),
            ];
        });
        // The fixture's unmodified model answers 17; a right chain answers 42.
        let tried = wrong
            .tried("0-3", false)
            .tried("0-2", true)
            .tried("0-1", true)
            .tried("0", true)
            .tried("1", false)
            .tried("2", false)
            .with(|record| {
                record.evaluations[3].degradation = Some(0.5);
                record.evaluations[4].degradation = None;
                record.evaluations[5].answer = "6".to_owned();
            });
        let count = |answer, bin, is_fluent, is_unmodified, chains| AnswerCount {
            answer,
            bin,
            is_fluent,
            is_unmodified,
            chains,
        };
        let record = tried.build();
        let expected = [
            count(Answer::Own, 0, true, true, 1),
            count(Answer::Other(0), 0, true, false, 2),
            count(Answer::Other(0), 3, true, false, 1),
            count(Answer::Own, 7, false, false, 1),
            count(Answer::Unknown, 0, true, false, 1),
        ];
        assert_eq!(*answer_counts(&record, &record.evaluations), expected);
        let right = SampleRecord {
            baseline: record.best.clone().or(record.evaluations.get(1).cloned()),
            ..record
        };
        assert_eq!(*answer_counts(&right, &right.evaluations), []);
    }
}
