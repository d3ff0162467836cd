//! What has to be evaluated to certify some samples.

use super::{
    draw::draw_others,
    pending::{Answer, Part, Pending},
};
use crate::{
    problem::{Problem, Rotations},
    run::{Evaluation, Pair, SampleRecord, searched::Searched},
};
use cola_search::chain::Chain;

/// Samples that are certified together.
pub struct Group<P> {
    pub pending: Vec<Pending>,
    /// Other rotations. Pairs count them on from the problems of the run.
    pub rotated: Vec<P>,
    pub questions: Vec<Question>,
}

/// An evaluation, and what it is for.
pub struct Question {
    pub pair: Pair,
    /// Index of the certificate in its group.
    pub sample: usize,
    pub part: Part,
}

impl<P: Problem> Searched<'_, P> {
    /// The problems that have a best chain.
    pub fn labels(&self) -> impl Iterator<Item = usize> {
        let is_label = |record: &Option<&SampleRecord>| record.is_some_and(|r| r.label().is_some());
        let records = self.records.iter().enumerate();
        records.filter(move |(_, r)| is_label(r)).map(|(at, _)| at)
    }

    /// What has to be known of the best chains of some problems. What their records say is known already.
    pub fn group(&self, problems: &[usize]) -> Group<P> {
        let mut group = Group {
            pending: Vec::new(),
            rotated: Vec::new(),
            questions: Vec::new(),
        };
        for &problem in problems {
            if let Some(record) = self.records[problem]
                && let Some(best) = record.label()
            {
                self.add(problem, record, best, &mut group);
            }
        }
        group
    }

    fn add(&self, problem: usize, record: &SampleRecord, best: &Evaluation, group: &mut Group<P>) {
        let (covered, rotations) = match self.problems[problem].rotations() {
            Rotations::None => (None, Vec::new()),
            Rotations::Covered(all) => (Some(all), Vec::new()),
            Rotations::Others(others) => (None, others),
        };
        let mut pending = Pending::new(record, best, covered);
        let sample = group.pending.len();
        let mut ask = |problem: usize, chain: &Chain, part: Part| {
            let chain = chain.clone();
            let pair = Pair { problem, chain };
            group.questions.push(Question { pair, sample, part });
        };
        let first = self.problems.len() + group.rotated.len();
        for at in 0..rotations.len() {
            pending.expect_rotation();
            ask(first + at, &best.chain, Part::Rotation);
        }
        group.rotated.extend(rotations);
        for at in 0..pending.edits().len() {
            pending.expect_edit();
            let chain = pending.edits()[at].chain.clone();
            match recorded(record, &chain) {
                Some(answer) => pending.learn(Part::Edit(at), answer),
                None => ask(problem, &chain, Part::Edit(at)),
            }
        }
        for other in self.others(problem, record) {
            let Some(there) = self.records[other] else {
                continue;
            };
            pending.expect_transfer(there.baseline_correct());
            match recorded(there, &best.chain) {
                Some(answer) => pending.learn(Part::Transfer, answer),
                None => ask(other, &best.chain, Part::Transfer),
            }
        }
        group.pending.push(pending);
    }

    /// Other samples of the task, drawn from those that did not fail.
    fn others(&self, problem: usize, record: &SampleRecord) -> Vec<usize> {
        let ran = self.tasks.get(&*record.task);
        let ran = ran.map_or(&[][..], Vec::as_slice);
        let Ok(own) = ran.binary_search(&problem) else {
            return Vec::new();
        };
        let drawn = draw_others(record.seed, ran.len(), own);
        drawn.into_iter().map(|at| ran[at]).collect()
    }
}

/// What is recorded of a chain on a sample.
fn recorded(record: &SampleRecord, chain: &Chain) -> Option<Answer> {
    let evaluation = record.evaluation_of(chain)?;
    Some(Answer::recorded(record, evaluation))
}
