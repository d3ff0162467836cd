//! What has to be evaluated to certify some samples.

use std::collections::BTreeMap;

use super::{
    draw::draw_others,
    pending::{Answer, Part, Pending},
};
use crate::{
    problem::{Problem, Rotations},
    run::{Evaluation, Pair, SampleRecord, fluency::Fluency},
};
use cola_search::chain::Chain;

/// The problems of a run and what the search recorded of them.
pub struct Searched<'a, P> {
    pub problems: &'a [P],
    /// Of each problem; `None` where the search failed.
    records: Vec<Option<&'a SampleRecord>>,
    /// Of each task, the problems with a record, in ascending order.
    tasks: BTreeMap<&'a str, Vec<usize>>,
}

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

impl<'a, P: Problem> Searched<'a, P> {
    pub fn new(problems: &'a [P], records: &'a [SampleRecord]) -> Self {
        let ran = records.iter().filter(|record| record.error.is_none());
        let by_name: BTreeMap<(&str, &str), &SampleRecord> = ran
            .map(|record| ((&*record.task, &*record.id), record))
            .collect();
        let record = |problem: &P| by_name.get(&(problem.task(), problem.id())).copied();
        let records: Vec<_> = problems.iter().map(record).collect();
        let mut tasks: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, record) in records.iter().enumerate() {
            if let Some(record) = record {
                tasks.entry(&record.task).or_default().push(at);
            }
        }
        Self {
            problems,
            records,
            tasks,
        }
    }

    /// The problems that have a best chain.
    pub fn labels(&self) -> impl Iterator<Item = usize> {
        let is_label = |record: &Option<&SampleRecord>| record.is_some_and(|r| r.label().is_some());
        let records = self.records.iter().enumerate();
        records.filter(move |(_, r)| is_label(r)).map(|(at, _)| at)
    }

    /// What degradations of chains on a problem are measured by. Of another rotation none is asked.
    pub fn fluency(&self, problem: usize, near_tie_nats: f64) -> Fluency {
        let record = self.records.get(problem).copied().flatten();
        record.map_or_else(Fluency::default, |record| Fluency {
            max_degradation: record.max_degradation,
            near_tie_nats,
            unmodified: record.prompt_loss,
            unmodified_isolated: None,
        })
    }

    /// The unmodified model on a problem.
    pub fn unmodified(&self, problem: usize) -> Pair {
        let record = self.records.get(problem).copied().flatten();
        Pair {
            problem,
            chain: Chain::identity(record.map_or(0, |record| record.layers)),
        }
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

/// What the search and its random control recorded of a chain on a sample.
fn recorded(record: &SampleRecord, chain: &Chain) -> Option<Answer> {
    let random = record.controls.iter();
    let random = random.flat_map(|controls| &controls.random.evaluations);
    let all = record.best.iter().chain(&record.baseline);
    let mut all = all.chain(&record.evaluations).chain(random);
    let evaluation = all.find(|evaluation| evaluation.chain == *chain)?;
    Some(Answer::recorded(record, evaluation))
}
