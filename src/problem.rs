//! What is searched for: rows to run chains on, and a judge of what comes of them.
//!
//! A search knows nothing of tasks and texts. It runs every chain on the rows of a [`Problem`], and asks the problem's
//! [`Judge`] what the outcomes say. What a chain makes of the rows does not depend on which answer is wanted, so one
//! evaluation serves the search for the right answer and the controls that search for a wrong one.

use std::sync::Arc;

use cola_engine::{DecodePlan, Outcome, Row};

/// One question to search chains for.
pub trait Problem: Send {
    /// What judges its outcomes.
    type Judge: Judge;

    /// The task it belongs to. Records, and the seeds of searches, go by the task and the [id](Self::id).
    fn task(&self) -> &str;

    /// Its name, unique in the task.
    fn id(&self) -> &str;

    /// Its place in the dataset, from 0.
    fn index(&self) -> usize {
        0
    }

    /// The right answer, as records show it.
    fn gold(&self) -> String;

    /// Everything its verdicts depend on, as text: a run that is continued must find the same.
    fn fingerprint(&self) -> String;

    /// The rows to run. Called when its search begins, so that only problems in flight take memory.
    ///
    /// # Errors
    /// Why it cannot be asked, in words: it becomes a failed record.
    fn prepare(&self) -> Result<Prepared<Self::Judge>, String>;

    /// The question with its options in other orders, which certificates ask for.
    fn rotations(&self) -> Rotations<Self>
    where
        Self: Sized,
    {
        Rotations::None
    }
}

/// The other rotations of a question's options.
#[derive(Debug, Clone, PartialEq)]
pub enum Rotations<P> {
    /// There are none: the question has no options, or they cannot be rotated.
    None,
    /// The verdict covers all of them, so many with the task's own.
    Covered(usize),
    /// All but the task's own, each as a problem of its own.
    Others(Vec<P>),
}

/// A problem made ready for the engine.
#[derive(Debug)]
pub struct Prepared<J> {
    /// A chain is run on all of them.
    pub rows: Vec<Row>,
    /// How to continue each row; None only reads it.
    pub decode: Option<DecodePlan>,
    /// What judges the outcomes of the rows.
    pub judge: J,
}

/// What a search wants answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The right answer.
    Gold,
    /// The `n`-th of [`Judge::wrong_answers`].
    Wrong(usize),
}

/// Says what the outcomes of a problem's rows are worth. Any `Fn(&[Arc<Row>], &[Outcome]) -> Result<Judged, String>` is one
/// that has no wrong answers to search for.
pub trait Judge: Send {
    /// The verdict on the outcomes of all rows, in their order. A pure function: the same outcomes are judged again for
    /// other targets, and after a run was continued.
    ///
    /// # Errors
    /// Why there is none, in words: the sample fails.
    fn judge(
        &self,
        rows: &[Arc<Row>],
        outcomes: &[Outcome],
        target: Target,
    ) -> Result<Judged, String>;

    /// Wrong answers that a control may search for, in an order that says nothing of how likely they are. Those that the
    /// unmodified model gives are passed over.
    fn wrong_answers(&self) -> Vec<String> {
        Vec::new()
    }

    /// How likely the outcomes make the right answer and the wrong ones; `None` where that is not known. Of the wrong answers
    /// the one is *matched* whose score under the unmodified model is nearest to the right one's.
    fn scores(&self, _rows: &[Arc<Row>], _outcomes: &[Outcome]) -> Option<Scores> {
        None
    }

    /// Nats by which a log-probability can differ with the other rows of its batch: what hangs on less is run again, isolated.
    fn near_tie_nats(&self) -> f64 {
        0.0
    }

    /// Whether two answers say the same.
    fn is_same(&self, answer: &str, other: &str) -> bool {
        answer == other
    }
}

impl<F> Judge for F
where
    F: Fn(&[Arc<Row>], &[Outcome]) -> Result<Judged, String> + Send,
{
    fn judge(&self, rows: &[Arc<Row>], outcomes: &[Outcome], _: Target) -> Result<Judged, String> {
        self(rows, outcomes)
    }
}

/// How likely each answer is: log-probabilities (nats), or whatever the verdict compares answers by.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// Of the right answer.
    pub gold: f64,
    /// Of each of [`Judge::wrong_answers`], in their order.
    pub wrong: Vec<f64>,
}

/// A verdict, and whether it may be trusted.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// What the outcomes say.
    pub verdict: Verdict,
    /// Whether another batch could have given another verdict: the chain is then run again, isolated, where no other row can
    /// change it, and what comes of that counts.
    pub near_tie: bool,
}

/// What a chain answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Whether it is the target.
    pub correct: bool,
    /// How far the target is ahead of the best other answer, nats; None where that is unknown.
    pub margin: Option<f64>,
    /// The answer, as records show it.
    pub answer: String,
    /// The values of the task's metrics (for tasks of lm-evaluation-harness those of
    /// [`TaskSpec::metric_keys`](lm_tasks::TaskSpec::metric_keys)).
    pub values: Vec<f64>,
}
