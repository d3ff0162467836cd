//! A sample as the engine is asked it, and what the engine's outcome says of it.
//!
//! What a chain makes of a sample does not depend on which answer is wanted: the options'
//! log-probabilities, or the generated text, decide for any target. So one evaluation serves the
//! search for the right answer and the control that searches for a wrong one.

use std::sync::Arc;

use super::{Metric, Question, Sample, TaskError, TaskSpec, WrongTarget, answer::math_equal};
use crate::{
    chain::Chain,
    engine::{Continuation, DecodePlan, Finished, Outcome, Request, Row, RowBuilder},
    model::{Message, ModelError, Tokenizer},
};

/// What a search wants a sample to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The right answer.
    Gold,
    /// The `n`-th wrong answer of [`Probe::wrong_targets`].
    Wrong(usize),
}

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

/// The verdict on an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Whether the target was answered.
    pub correct: bool,
    /// Margin of the target in nats, where the state was finite.
    pub margin: Option<f64>,
    /// The picked option, or the extracted answer.
    pub answer: String,
    /// The values of [`TaskSpec::metric_keys`](super::TaskSpec::metric_keys).
    pub values: Vec<f64>,
}

/// How samples are put to a model.
#[derive(Debug, Clone)]
pub struct Asking {
    /// The model's tokenizer.
    pub tokenizer: Arc<Tokenizer>,
    /// Tokens that end a generation.
    pub stop_tokens: Arc<[u32]>,
    /// Longest sequence the model was made for, in tokens.
    pub max_positions: usize,
    /// Whether prompts go through the model's chat template, as one user message.
    pub chat: bool,
    /// What the company of a batch can change in a log-probability, nats: answers that hang on less
    /// are near-ties.
    pub spread: f64,
    /// Seed of the wrong answers the control searches for; `None` makes none.
    pub wrong_targets: Option<u64>,
}

/// A sample ready to be asked: its row and the continuations read from it.
#[derive(Debug)]
pub struct Probe {
    sample: Sample,
    continuations: Vec<Continuation>,
    wrong: Vec<WrongTarget>,
    decode: Option<DecodePlan>,
    tokenizer: Arc<Tokenizer>,
    spread: f64,
}

/// Wrong answers drawn a sample: two, so that one is left when the model itself answers the other.
const WRONG_TARGETS: u64 = 2;

impl Asking {
    /// Lays out the row of a sample.
    pub fn probe(&self, sample: Sample) -> Result<(Probe, Row), TaskError> {
        if let Question::MultipleChoice { contexts, .. } = &sample.question
            && !contexts.is_empty()
        {
            return self.probe_in_prompts(sample);
        }
        let fail = |error: ModelError| unaskable(&sample, &error);
        let context = self.context(&sample.context).map_err(fail)?;
        let wrong = self.draw_wrong(&sample);
        let texts = continuation_texts(&sample, &wrong);
        let mut trunk = self.trunk(&sample, &context).map_err(fail)?;
        let mut branches = Vec::with_capacity(texts.len());
        for text in &texts {
            branches.push(
                self.branch(&sample, &context, text, trunk.len())
                    .map_err(fail)?,
            );
        }
        if sample.task.is_multiple_choice() && branches.iter().any(Vec::is_empty) {
            return Err(adds_nothing(&sample));
        }
        self.begin(&mut trunk);
        let decode = self.plan(&sample);
        let (mut builder, continuations) = self.lay_out(&sample, &trunk, &branches);
        if decode.is_some() {
            builder.ask_decoding();
        }
        let probe = Probe {
            sample,
            continuations,
            wrong,
            decode,
            tokenizer: Arc::clone(&self.tokenizer),
            spread: self.spread,
        };
        Ok((probe, builder.build()))
    }

    /// Lays out the row of a sample whose options are its prompts: one sequence an option, which share what they begin with.
    fn probe_in_prompts(&self, sample: Sample) -> Result<(Probe, Row), TaskError> {
        let fail = |error: ModelError| unaskable(&sample, &error);
        let mut builder = Row::builder(&[]);
        let mut continuations = Vec::new();
        if let Question::MultipleChoice {
            contexts,
            continuations: texts,
            ..
        } = &sample.question
        {
            for (context, text) in contexts.iter().zip(texts) {
                let context = self.context(context).map_err(fail)?;
                let mut prompt = self.trunk(&sample, &context).map_err(fail)?;
                let branch = self
                    .branch(&sample, &context, text, prompt.len())
                    .map_err(fail)?;
                if branch.is_empty() {
                    return Err(adds_nothing(&sample));
                }
                self.begin(&mut prompt);
                let room = (self.max_positions + 1).saturating_sub(branch.len()).max(1);
                let kept = &prompt[prompt.len().saturating_sub(room)..];
                continuations.push(builder.ask_sequence(kept, &branch));
            }
        }
        let wrong = self.draw_wrong(&sample);
        let probe = Probe {
            sample,
            continuations,
            wrong,
            decode: None,
            tokenizer: Arc::clone(&self.tokenizer),
            spread: self.spread,
        };
        Ok((probe, builder.build()))
    }

    /// As lm-eval does: with nothing to condition on, the token that begins a text.
    fn begin(&self, prompt: &mut Vec<u32>) {
        if prompt.is_empty() {
            let token = self.tokenizer.beginning();
            prompt.extend(token.or(self.stop_tokens.first().copied()));
        }
    }

    /// The token tree. A prompt too long for the model loses its beginning, as in lm-eval: before a
    /// generation as much as the generation may need; before options as much as each option needs,
    /// so that they no longer share a trunk.
    fn lay_out(
        &self,
        sample: &Sample,
        trunk: &[u32],
        branches: &[Vec<u32>],
    ) -> (RowBuilder, Vec<Continuation>) {
        let room = match sample.question {
            Question::Generate { max_tokens, .. } => self.max_positions.saturating_sub(max_tokens),
            // The last token of a continuation is predicted, not read.
            Question::MultipleChoice { .. } => {
                let longest = branches.iter().map(Vec::len).max().unwrap_or(0);
                (self.max_positions + 1).saturating_sub(longest)
            }
        };
        let fits = trunk.len() <= room.max(1);
        if !fits {
            tracing::warn!(
                task = %sample.task.name, id = %sample.id, tokens = trunk.len(), room,
                "prompt too long for the model: its beginning is cut off"
            );
        }
        if fits || !sample.task.is_multiple_choice() {
            let kept = &trunk[trunk.len().saturating_sub(room.max(1))..];
            let mut builder = Row::builder(kept);
            let asked = branches
                .iter()
                .map(|branch| builder.ask_continuation(branch));
            let asked = asked.collect();
            return (builder, asked);
        }
        let mut builder = Row::builder(&[]);
        let asked = branches.iter().map(|branch| {
            let room = (self.max_positions + 1).saturating_sub(branch.len()).max(1);
            builder.ask_sequence(&trunk[trunk.len().saturating_sub(room)..], branch)
        });
        let asked = asked.collect();
        (builder, asked)
    }

    fn context(&self, text: &str) -> Result<String, ModelError> {
        if !self.chat {
            return Ok(text.to_owned());
        }
        self.tokenizer.chat()?.render(&[Message {
            role: "user".into(),
            content: text.to_owned(),
        }])
    }

    fn trunk(&self, sample: &Sample, context: &str) -> Result<Vec<u32>, ModelError> {
        match sample.question {
            // The continuations take the trailing white space: see `Tokenizer::encode_pair`.
            Question::MultipleChoice { .. } if context.trim_end().is_empty() => Ok(Vec::new()),
            Question::MultipleChoice { .. } => self.tokenizer.encode(context.trim_end()),
            Question::Generate { .. } => self.tokenizer.encode(context),
        }
    }

    fn branch(
        &self,
        sample: &Sample,
        context: &str,
        text: &str,
        trunk: usize,
    ) -> Result<Vec<u32>, ModelError> {
        if trunk == 0 {
            return self.tokenizer.encode_with(text, false);
        }
        match sample.question {
            Question::MultipleChoice { .. } => Ok(self.tokenizer.encode_pair(context, text)?.1),
            Question::Generate { .. } => {
                let mut whole = self.tokenizer.encode(&format!("{context}{text}"))?;
                Ok(whole.split_off(trunk.min(whole.len())))
            }
        }
    }

    fn draw_wrong(&self, sample: &Sample) -> Vec<WrongTarget> {
        let Some(seed) = self.wrong_targets else {
            return Vec::new();
        };
        let mut wrong: Vec<WrongTarget> = Vec::new();
        for draw in 0..16 {
            match sample.wrong_target(seed.wrapping_add(draw)) {
                Some(target) if !wrong.contains(&target) => wrong.push(target),
                _ => {}
            }
            if wrong.len() as u64 == WRONG_TARGETS {
                break;
            }
        }
        wrong
    }

    fn plan(&self, sample: &Sample) -> Option<DecodePlan> {
        let Question::Generate { max_tokens, .. } = sample.question else {
            return None;
        };
        let (judge, tokenizer) = (sample.clone(), Arc::clone(&self.tokenizer));
        let finished: Finished = Arc::new(move |tokens| {
            // A tokenizer that cannot decode says so again, as an error, when the text is graded.
            tokenizer
                .decode(tokens)
                .is_ok_and(|text| judge.is_complete(&text))
        });
        Some(DecodePlan {
            max_tokens,
            stop_tokens: Arc::clone(&self.stop_tokens),
            finished: Some(finished),
        })
    }
}

/// What is read after the prompt: every option, or the gold and the wrong answers.
fn continuation_texts(sample: &Sample, wrong: &[WrongTarget]) -> Vec<String> {
    match &sample.question {
        Question::MultipleChoice { continuations, .. } => continuations.clone(),
        Question::Generate { gold, .. } => {
            let wrong = wrong.iter().filter_map(|target| match target {
                WrongTarget::Text(text) => Some(text),
                WrongTarget::Option(_) => None,
            });
            std::iter::once(gold)
                .chain(wrong)
                .map(|answer| answer_text(&sample.task, answer))
                .collect()
        }
    }
}

/// How a model would write an answer after the prompt.
fn answer_text(task: &TaskSpec, answer: &str) -> String {
    let delimiter = &task.target_delimiter;
    match task.filters.iter().all(|filter| filter.reads_a_box()) {
        true => format!("{delimiter}\\boxed{{{answer}}}"),
        false => format!("{delimiter}{answer}"),
    }
}

/// The log-probability of nothing is 0, above every other option's.
fn adds_nothing(sample: &Sample) -> TaskError {
    TaskError::Row {
        place: place(sample),
        message: "an option adds no token to the prompt, so it cannot be scored".to_owned(),
    }
}

fn unaskable(sample: &Sample, error: &ModelError) -> TaskError {
    TaskError::Row {
        place: place(sample),
        message: error.to_string(),
    }
}

fn place(sample: &Sample) -> String {
    format!("task {}, sample {}", sample.task.name, sample.id)
}

impl Probe {
    /// The sample.
    pub fn sample(&self) -> &Sample {
        &self.sample
    }

    /// Wrong answers the control may search for.
    pub fn wrong_targets(&self) -> usize {
        self.wrong.len()
    }

    /// The evaluation of a chain on the registered row.
    pub fn request(&self, row: &Arc<Row>, chain: Chain, alone: bool, tag: u64) -> Request {
        Request {
            row: Arc::clone(row),
            chain,
            decode: self.decode.clone(),
            alone,
            tag,
        }
    }

    /// What an outcome answers.
    pub fn answer(&self, row: &Row, outcome: &Outcome) -> Result<Answer, TaskError> {
        if !outcome.is_finite() {
            return Ok(Answer::NotFinite);
        }
        let readings = &outcome.readings;
        if let Some(generated) = &outcome.generated {
            let text = self.tokenizer.decode(&generated.tokens);
            let text = text.map_err(|error| unaskable(&self.sample, &error))?;
            let margins = self
                .continuations
                .iter()
                .map(|c| c.greedy_margin(row, readings));
            return Ok(Answer::Text {
                text,
                margins: margins.collect(),
            });
        }
        let log_probs = self.continuations.iter().map(|c| c.log_prob(row, readings));
        let greedy = self
            .continuations
            .iter()
            .map(|c| c.is_greedy(row, readings));
        Ok(Answer::Choice {
            log_probs: log_probs.collect(),
            greedy: greedy.collect(),
        })
    }

    /// Whether another batch could have given another answer: the two best options, or the least
    /// certain token of the text, are closer than the spread. To be asked again, alone: what runs
    /// alone has no company to depend on.
    pub fn is_near_tie(&self, outcome: &Outcome, answer: &Answer) -> bool {
        match answer {
            Answer::NotFinite => false,
            Answer::Text { .. } => outcome.lead < self.spread,
            Answer::Choice { log_probs, .. } => self.sample.choice_lead(log_probs) < self.spread,
        }
    }

    /// The target as text.
    pub fn target_text(&self, target: &Target) -> &str {
        let wrong = match target {
            Target::Gold => None,
            Target::Wrong(n) => self.wrong.get(*n),
        };
        match (wrong, &self.sample.question) {
            (None, _) => self.sample.gold_text(),
            (Some(WrongTarget::Text(text)), _) => text,
            (Some(WrongTarget::Option(at)), Question::MultipleChoice { options, .. }) => {
                &options[*at]
            }
            (Some(WrongTarget::Option(_)), Question::Generate { .. }) => "",
        }
    }

    /// Whether an answer is the target's own, by text.
    pub fn answers_target(&self, answer: &str, target: &Target) -> bool {
        let text = self.target_text(target);
        answer == text || (!self.sample.task.is_multiple_choice() && math_equal(answer, text))
    }

    /// Judges an answer.
    pub fn verdict(&self, answer: &Answer, target: &Target) -> Verdict {
        match answer {
            Answer::NotFinite => Verdict {
                correct: false,
                margin: None,
                answer: String::new(),
                values: vec![0.0; self.sample.task.metric_keys().len()],
            },
            Answer::Choice { log_probs, .. } => self.choice_verdict(log_probs, target),
            Answer::Text { text, margins } => {
                let graded = self.sample.grade_text(text, self.target_text(target));
                let place = match target {
                    Target::Gold => 0,
                    Target::Wrong(n) => n + 1,
                };
                Verdict {
                    correct: graded.correct,
                    margin: margins.get(place).copied().filter(|m| m.is_finite()),
                    answer: graded.answer,
                    values: graded.values,
                }
            }
        }
    }

    fn choice_verdict(&self, log_probs: &[f64], target: &Target) -> Verdict {
        let graded = match target {
            Target::Wrong(n) => match self.wrong.get(*n) {
                Some(WrongTarget::Option(at)) => self.sample.grade_choice_against(log_probs, *at),
                _ => self.sample.grade_choice(log_probs),
            },
            Target::Gold => self.sample.grade_choice(log_probs),
        };
        let picked = match matches!(self.sample.task.metrics.first(), Some(Metric::AccNorm)) {
            true => graded.picked_norm,
            false => graded.picked,
        };
        let answer = match &self.sample.question {
            Question::MultipleChoice { options, .. } => {
                options.get(picked).cloned().unwrap_or_default()
            }
            Question::Generate { .. } => String::new(),
        };
        Verdict {
            correct: graded.correct,
            margin: Some(graded.margin),
            answer,
            values: graded.values,
        }
    }
}
