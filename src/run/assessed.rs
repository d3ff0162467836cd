//! What a chain came to on a sample: everything that the sample's searches, its controls and its record depend on.
//!
//! It is made from the engine's outcomes once, and these are dropped. A search that asks for the chain again, for whatever answer,
//! is told from here, and a run that is continued reads it from the evaluation log.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Candidate, Evaluation, exact::Exact, fluency::prompt_loss, influence::mean_influence};
use crate::problem::{Judge, Scores, Target, Verdict};
use cola_engine::{Outcome, Row};
use cola_search::chain::Chain;

/// The verdicts on an evaluation, and what it read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assessed {
    /// Whether the answer was right.
    pub correct: bool,
    /// How far the right answer is ahead of the best other one, nats; `None` where that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<Exact>,
    /// What was answered.
    pub answer: String,
    /// Loss on the prompt, nats a token; see [`prompt_loss`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Exact>,
    /// The verdict on the matched wrong answer, if a control looks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<Reached>,
    /// The same of the wrong answer drawn at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawn: Option<Reached>,
    /// What only the unmodified model's first run tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmodified: Option<Unmodified>,
}

/// Whether a wrong answer was reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reached {
    /// Whether it was given.
    pub correct: bool,
    /// How far it is ahead of the best other one, nats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<Exact>,
}

/// What the unmodified model tells of a sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unmodified {
    /// Influence of each layer, if the rows measure it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub influence: Option<Vec<f64>>,
    /// How likely it finds the right answer and the wrong ones, if that is known of all of them and finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scores: Option<LoggedScores>,
}

/// [`Scores`], all finite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoggedScores {
    pub gold: f64,
    pub wrong: Vec<f64>,
}

/// The wrong answers that the controls look for, as numbers in [`Judge::wrong_answers`]. None where the unmodified model is
/// right.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WrongTargets {
    /// The one whose score under the unmodified model is nearest to the right answer's.
    pub matched: Option<usize>,
    /// One drawn at random.
    pub drawn: Option<usize>,
}

impl Assessed {
    /// What `outcomes` say, whose verdict on the right answer is `gold`.
    ///
    /// # Errors
    /// The judge's, in words.
    pub fn new(
        judge: &impl Judge,
        rows: &[Arc<Row>],
        outcomes: &[Outcome],
        gold: Verdict,
        targets: WrongTargets,
    ) -> Result<Self, String> {
        let reached = |target: Option<usize>| {
            let judged = target.map(|n| judge.judge(rows, outcomes, Target::Wrong(n)));
            let judged = judged.transpose()?;
            Ok::<_, String>(judged.map(|judged| Reached {
                correct: judged.verdict.correct,
                margin: judged.verdict.margin.map(Exact),
            }))
        };
        Ok(Self {
            correct: gold.correct,
            margin: gold.margin.map(Exact),
            answer: gold.answer,
            loss: prompt_loss(rows, outcomes).map(Exact),
            matched: reached(targets.matched)?,
            drawn: reached(targets.drawn)?,
            unmodified: None,
        })
    }

    /// Of an answer that is drawn only the verdict counts.
    pub fn draw(gold: Verdict) -> Self {
        Self {
            correct: gold.correct,
            margin: gold.margin.map(Exact),
            answer: gold.answer,
            loss: None,
            matched: None,
            drawn: None,
            unmodified: None,
        }
    }

    /// The verdict on the right answer.
    pub fn gold(&self) -> Reached {
        Reached {
            correct: self.correct,
            margin: self.margin,
        }
    }

    /// Loss on the prompt, nats a token.
    pub fn loss(&self) -> Option<f64> {
        self.loss.map(|Exact(loss)| loss)
    }

    /// As the record has it.
    pub fn evaluation(&self, chain: Chain, degradation: Option<f64>) -> Evaluation {
        Evaluation {
            chain,
            correct: self.correct,
            margin: self.margin.map(|Exact(margin)| margin),
            answer: self.answer.clone(),
            // JSON has no infinity.
            degradation: degradation.filter(|nats| nats.is_finite()),
        }
    }
}

impl Reached {
    /// How far the answer is ahead of the best other one, nats.
    pub fn margin(&self) -> Option<f64> {
        self.margin.map(|Exact(margin)| margin)
    }
}

impl Unmodified {
    /// What the first run of the unmodified model tells beside its verdict.
    pub fn new(judge: &impl Judge, rows: &[Arc<Row>], outcomes: &[Outcome]) -> Self {
        let wrong = judge.wrong_answers().len();
        let scores = judge.scores(rows, outcomes).filter(|scores| {
            let mut all = scores.wrong.iter().chain([&scores.gold]);
            scores.wrong.len() == wrong && all.all(|score| score.is_finite())
        });
        Self {
            influence: mean_influence(outcomes),
            scores: scores.map(|Scores { gold, wrong }| LoggedScores { gold, wrong }),
        }
    }

    /// The right answer and the wrong ones with their scores; none where there are no wrong ones, or no scores.
    pub fn candidates(&self, judge: &impl Judge, gold: &str) -> Vec<Candidate> {
        let wrong = judge.wrong_answers();
        let Some(scores) = self.scores.as_ref().filter(|_| !wrong.is_empty()) else {
            return Vec::new();
        };
        let candidate = |answer, score, gold| Candidate {
            answer,
            score,
            gold,
        };
        let right = candidate(gold.to_owned(), scores.gold, true);
        let wrong = wrong.into_iter().zip(&scores.wrong);
        let wrong = wrong.map(|(answer, &score)| candidate(answer, score, false));
        std::iter::once(right).chain(wrong).collect()
    }
}

impl WrongTargets {
    /// Those of a sample that the unmodified model answers with `answer`.
    pub fn choose(
        judge: &impl Judge,
        (correct, answer): (bool, &str),
        unmodified: &Unmodified,
    ) -> Self {
        let wrong = judge.wrong_answers();
        if correct {
            return Self::default();
        }
        let is_own = |at: &usize| judge.is_same(answer, &wrong[*at]);
        let others: Vec<usize> = (0..wrong.len()).filter(|at| !is_own(at)).collect();
        let drawn = others.first().copied();
        let matched = unmodified.scores.as_ref().and_then(|scores| {
            let distance = |at: &usize| (scores.wrong[*at] - scores.gold).abs();
            let nearest = |a: &usize, b: &usize| distance(a).total_cmp(&distance(b));
            others.into_iter().min_by(nearest)
        });
        Self { matched, drawn }
    }
}
