//! A sample as the engine is asked it, and what the engine's outcome says of it.
//!
//! What a chain makes of a sample does not depend on which answer is wanted: the options'
//! log-probabilities, or the generated text, decide for any target. So one evaluation serves the
//! search for the right answer and the control that searches for a wrong one.
//!
//! A sample whose options are rotated is several questions, each with a row of its own: an evaluation
//! asks all of them, and its verdict is right where all are, by the least margin of all.

use std::sync::Arc;

use super::cannot_ask;
use crate::problem::{Judge, Judged, Scores, Target, Verdict};
use cola_engine::{Continuation, Outcome, Row};
use cola_model::Tokenizer;
use lm_tasks::{Metric, Question, Sample, TaskError, Variant, WrongTarget, letter, letter_place};
use math_answer::math_equal;

/// What one chain answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Log-probability of each option's continuation, nats, and whether greedy decoding would
    /// produce it.
    Choice {
        /// Sums over the continuation's tokens.
        log_probs: Vec<f64>,
        /// Whether every token of the continuation is the most likely one.
        greedy: Vec<bool>,
        /// By how much the least certain token of each leads the most likely other one, nats; below 0 where it
        /// does not.
        leads: Vec<f64>,
    },
    /// The generated text, and the greedy margin of each target's continuation: gold, then the
    /// wrong ones.
    Text {
        /// What was generated, stop tokens left out.
        text: String,
        /// Nats; above 0 exactly when greedy decoding begins with that target's text.
        margins: Vec<f64>,
    },
    /// The state was not finite: it answers nothing.
    NotFinite,
}

/// A sample ready to be asked: its rows and the continuations read from them.
#[derive(Debug)]
pub struct PreparedSample {
    pub(super) sample: Arc<Sample>,
    /// Of each row.
    pub(super) continuations: Vec<Vec<Continuation>>,
    pub(super) wrong: Vec<WrongTarget>,
    pub(super) tokenizer: Arc<Tokenizer>,
    /// See [`PromptLayout::near_tie_nats`](super::PromptLayout::near_tie_nats).
    pub(super) near_tie_nats: f64,
}

impl Judge for PreparedSample {
    fn judge(
        &self,
        rows: &[Arc<Row>],
        outcomes: &[Outcome],
        target: Target,
    ) -> Result<Judged, String> {
        let answers = self
            .answers(rows, outcomes)
            .map_err(|error| error.to_string())?;
        Ok(Judged {
            verdict: self.verdict(&answers, target),
            near_tie: self.is_near_tie(outcomes, &answers),
        })
    }

    fn wrong_answers(&self) -> Vec<String> {
        let text = |target: &WrongTarget| match (target, &self.sample.own.question) {
            (WrongTarget::Text(text), _) => text.clone(),
            (WrongTarget::Option(at), Question::Generate { .. }) => {
                letter(*at).unwrap_or_default().to_owned()
            }
            (WrongTarget::Option(at), question) => {
                let option = question.scored_options().get(*at);
                option.cloned().unwrap_or_default()
            }
        };
        self.wrong.iter().map(text).collect()
    }

    /// Of several orders of the options the mean.
    fn scores(&self, rows: &[Arc<Row>], outcomes: &[Outcome]) -> Option<Scores> {
        let answers = self.answers(rows, outcomes).ok()?;
        let mut gold = 0.0;
        let mut wrong = vec![0.0; self.wrong.len()];
        let rows = rows.iter().zip(outcomes).zip(&self.continuations);
        let orders = self.sample.variants().zip(&answers).zip(rows);
        let share = 1.0 / answers.len() as f64;
        for ((variant, answer), ((row, outcome), continuations)) in orders {
            let rotation = variant.rotation;
            let (own, others) = match answer {
                Answer::Choice { log_probs, .. } => {
                    let (_, gold) = variant.question.choice()?;
                    let scores = variant.deciding_scores(log_probs);
                    let score = |target: &WrongTarget| match target {
                        WrongTarget::Option(at) => scores.get(self.there(rotation, *at)).copied(),
                        WrongTarget::Text(_) => None,
                    };
                    let others: Option<Vec<f64>> = self.wrong.iter().map(score).collect();
                    (*scores.get(gold)?, others?)
                }
                Answer::Text { .. } => {
                    let log_prob = |c: &Continuation| c.log_prob(row, &outcome.readings);
                    let mut all = continuations.iter().map(log_prob);
                    (all.next()?, all.collect())
                }
                Answer::NotFinite => return None,
            };
            gold += share * own;
            for (total, score) in wrong.iter_mut().zip(others) {
                *total += share * score;
            }
        }
        Some(Scores { gold, wrong })
    }

    fn near_tie_nats(&self) -> f64 {
        self.near_tie_nats
    }

    fn is_same(&self, answer: &str, other: &str) -> bool {
        answer == other || (!self.sample.task.has_options() && math_equal(answer, other))
    }
}

impl PreparedSample {
    /// The sample.
    pub fn sample(&self) -> &Sample {
        &self.sample
    }

    /// What the outcomes of all rows answer, in their order; of the windows of one text their sum.
    pub fn answers(
        &self,
        rows: &[Arc<Row>],
        outcomes: &[Outcome],
    ) -> Result<Vec<Answer>, TaskError> {
        let each = self.continuations.iter().zip(rows).zip(outcomes);
        let answers = each.map(|((read, row), outcome)| self.answer(read, row, outcome));
        match self.sample.own.question {
            Question::Rolling { .. } => Ok(vec![
                answers.reduce(joined).unwrap_or(Ok(Answer::NotFinite))?,
            ]),
            _ => answers.collect(),
        }
    }

    fn answer(
        &self,
        continuations: &[Continuation],
        row: &Row,
        outcome: &Outcome,
    ) -> Result<Answer, TaskError> {
        if !outcome.is_finite() {
            return Ok(Answer::NotFinite);
        }
        let readings = &outcome.readings;
        if let Some(generated) = &outcome.generated {
            let text = self.tokenizer.decode(&generated.tokens);
            let text = text.map_err(|error| cannot_ask(&self.sample, &error.to_string()))?;
            let margins = continuations.iter().map(|c| c.greedy_margin(row, readings));
            return Ok(Answer::Text {
                text,
                margins: margins.collect(),
            });
        }
        let log_probs = continuations.iter().map(|c| c.log_prob(row, readings));
        let greedy = continuations.iter().map(|c| c.is_greedy(row, readings));
        let leads = continuations.iter();
        let leads = leads.map(|c| c.greedy_margin(row, readings));
        Ok(Answer::Choice {
            log_probs: log_probs.collect(),
            greedy: greedy.collect(),
            leads: leads.collect(),
        })
    }

    /// Whether another batch could have given another answer: the two best options, or the least certain token of the
    /// text, are closer than `near_tie_nats`. To be run again, isolated: then no other row can change it.
    pub fn is_near_tie(&self, outcomes: &[Outcome], answers: &[Answer]) -> bool {
        let mut each = self.sample.variants().zip(outcomes).zip(answers);
        each.any(
            |((variant, outcome), answer)| match (answer, &variant.question) {
                (Answer::NotFinite, _) | (_, Question::Rolling { .. }) => false,
                (Answer::Text { .. }, _) => outcome.lead < self.near_tie_nats,
                (Answer::Choice { leads, .. }, Question::Text { .. }) => {
                    leads.iter().any(|lead| lead.abs() < self.near_tie_nats)
                }
                (Answer::Choice { log_probs, .. }, _) => {
                    variant.choice_lead(log_probs) < self.near_tie_nats
                }
            },
        )
    }

    fn wrong_target(&self, target: Target) -> Option<&WrongTarget> {
        match target {
            Target::Gold => None,
            Target::Wrong(n) => self.wrong.get(n),
        }
    }

    /// Judges the answers to all ways of asking: right where all of them are, by the least margin,
    /// and unknown margin where one is. What was answered is named as in the task's own order; where
    /// other orders gave other answers, all are named.
    pub fn verdict(&self, answers: &[Answer], target: Target) -> Verdict {
        let each = self.sample.variants().zip(answers);
        let mut verdicts = each.map(|(variant, answer)| self.verdict_of(variant, answer, target));
        // There is at least the task's own variant.
        let mut all = verdicts.next().unwrap_or_else(|| self.nothing());
        let mut named = vec![std::mem::take(&mut all.answer)];
        for verdict in verdicts {
            all.correct &= verdict.correct;
            all.margin = all.margin.zip(verdict.margin).map(|(a, b)| a.min(b));
            for (least, value) in all.values.iter_mut().zip(verdict.values) {
                *least = least.min(value);
            }
            named.push(verdict.answer);
        }
        if named.iter().all(|answer| *answer == named[0]) {
            named.truncate(1);
        }
        all.answer = named.join(" | ");
        all
    }

    /// The verdict on a state that is not finite.
    fn nothing(&self) -> Verdict {
        Verdict {
            correct: false,
            margin: None,
            answer: String::new(),
            values: {
                let task = &self.sample.task;
                let values = task.metrics.iter().map(Metric::of_nothing);
                task.filters.iter().flat_map(|_| values.clone()).collect()
            },
        }
    }

    fn verdict_of(&self, variant: Variant<'_>, answer: &Answer, target: Target) -> Verdict {
        let rotation = variant.rotation;
        match answer {
            Answer::NotFinite => self.nothing(),
            Answer::Choice {
                log_probs,
                greedy,
                leads,
            } if variant.question.scored_options().is_empty() => {
                one_text(variant, log_probs, greedy, leads)
            }
            Answer::Choice { log_probs, .. } => self.choice_verdict(variant, log_probs, target),
            Answer::Text { text, margins } => {
                let wanted = match self.wrong_target(target) {
                    Some(WrongTarget::Option(at)) => {
                        vec![letter(self.there(rotation, *at)).unwrap_or_default()]
                    }
                    Some(WrongTarget::Text(text)) => vec![text.as_str()],
                    None => variant.gold_texts(),
                };
                let graded = variant.grade_text_among(text, &wanted);
                let place = match target {
                    Target::Gold => 0,
                    Target::Wrong(n) => n + 1,
                };
                let letter = letter_place(&graded.answer).filter(|_| rotation > 0);
                let letter = letter.filter(|&at| at < self.count());
                let letter = letter.and_then(|at| lm_tasks::letter(self.here(rotation, at)));
                Verdict {
                    correct: graded.correct,
                    margin: margins.get(place).copied().filter(|m| m.is_finite()),
                    answer: letter.map_or(graded.answer, str::to_owned),
                    values: graded.values,
                }
            }
        }
    }

    fn choice_verdict(&self, variant: Variant<'_>, log_probs: &[f64], target: Target) -> Verdict {
        let rotation = variant.rotation;
        let graded = match self.wrong_target(target) {
            Some(WrongTarget::Option(at)) => {
                variant.grade_choice_against(log_probs, self.there(rotation, *at))
            }
            _ => variant.grade_choice(log_probs),
        };
        let picked = match self.sample.task.metrics.first() {
            Some(Metric::AccNorm) => graded.picked_norm,
            Some(Metric::AccBytes) => graded.picked_bytes,
            _ => graded.picked,
        };
        let options = self.sample.own.question.choice();
        let answer = options.and_then(|(options, _)| options.get(self.here(rotation, picked)));
        Verdict {
            correct: graded.correct,
            margin: Some(graded.margin),
            answer: answer.cloned().unwrap_or_default(),
            values: graded.values,
        }
    }

    fn count(&self) -> usize {
        let options = self.sample.own.question.choice();
        options.map_or(1, |(options, _)| options.len().max(1))
    }

    /// The option of the task's own order that is `at` after `rotation` rotations.
    fn here(&self, rotation: usize, at: usize) -> usize {
        (at + rotation) % self.count()
    }

    /// Where the option `at` of the task's own order is after `rotation` rotations.
    fn there(&self, rotation: usize, at: usize) -> usize {
        (at + self.count() - rotation) % self.count()
    }
}

/// Two parts of a text as one.
fn joined(
    one: Result<Answer, TaskError>,
    other: Result<Answer, TaskError>,
) -> Result<Answer, TaskError> {
    let (
        Answer::Choice {
            log_probs,
            greedy,
            leads,
        },
        Answer::Choice {
            log_probs: more,
            greedy: all,
            leads: least,
        },
    ) = (one?, other?)
    else {
        return Ok(Answer::NotFinite);
    };
    Ok(Answer::Choice {
        log_probs: log_probs.iter().zip(more).map(|(a, b)| a + b).collect(),
        greedy: greedy.iter().zip(all).map(|(a, b)| a & b).collect(),
        leads: leads.iter().zip(least).map(|(a, b)| a.min(b)).collect(),
    })
}

/// The verdict on the one text of a task that scores no others.
fn one_text(variant: Variant<'_>, log_probs: &[f64], greedy: &[bool], leads: &[f64]) -> Verdict {
    let first = |values: &[f64]| values.first().copied().unwrap_or(f64::NEG_INFINITY);
    let greedy = greedy.first().copied().unwrap_or(false);
    let graded = variant.grade_log_likelihood(first(log_probs), greedy, first(leads));
    let answer = if greedy {
        variant.question.gold_text()
    } else {
        ""
    };
    Verdict {
        correct: graded.correct,
        margin: Some(graded.margin),
        answer: answer.to_owned(),
        values: graded.values,
    }
}
