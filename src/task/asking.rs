//! How samples are put to a model: prompts through the tokenizer, into rows of the engine.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::probe::{Probe, Way};
use super::prompt::{Prompt, PromptContinuation, PromptWarning, PromptWarnings};
use super::{Question, Sample, TaskError, WrongTarget, letters, rolling};
use crate::{
    engine::{Continuation, DecodePlan, Finished, Row, RowBuilder},
    model::{ModelError, Tokenizer},
};

/// How samples are put to a model.
#[derive(Debug, Clone)]
pub struct Asking {
    /// The model's tokenizer.
    pub tokenizer: Arc<Tokenizer>,
    /// Tokens that end a generation.
    pub stop_tokens: Arc<[u32]>,
    /// Longest sequence the model was made for, in tokens.
    pub max_positions: usize,
    /// Whether prompts go through the model's chat template.
    pub chat: bool,
    /// Whether solved examples are turns of that chat, rather than part of the one user message.
    pub examples_as_turns: bool,
    /// The system message of that chat. A task's description follows it, or is one by itself.
    pub system: Option<String>,
    /// Whether the special tokens are left out that the tokenizer would put around a prompt.
    pub no_bos: bool,
    /// What the company of a batch can change in a log-probability, nats: answers that hang on less
    /// are near-ties.
    pub spread: f64,
    /// Seed of the wrong answers the control searches for; `None` makes none.
    pub wrong_targets: Option<u64>,
    /// What looked wrong with the prompts so far.
    pub warnings: Arc<PromptWarnings>,
}

/// Wrong answers drawn a sample: two, so that one is left when the model itself answers the other.
const WRONG_TARGETS: u64 = 2;

/// A way of asking a sample, in tokens.
struct Laid {
    trunk: Vec<u32>,
    texts: Vec<String>,
    branches: Vec<Vec<u32>>,
    /// Tokens of the trunk there is room for.
    room: usize,
    warnings: BTreeSet<PromptWarning>,
}

impl Asking {
    /// Lays out the rows of a sample: one for each of [`Sample::ways`].
    pub fn probe(&self, sample: Sample) -> Result<(Probe, Vec<Row>), TaskError> {
        let fail = |error: ModelError| unaskable(&sample, &error);
        let wrong = self.draw_wrong(&sample);
        let decode = self.plan(&sample);
        let (mut ways, mut rows) = (Vec::new(), Vec::new());
        let mut warnings = BTreeSet::new();
        for (turn, way) in sample.ways().enumerate() {
            let wrong = turned(way, &wrong, turn);
            let laid = way.by_prompt().into_iter().map(|part| {
                let laid = self.lay(&part, &wrong)?;
                Ok((part, laid))
            });
            let laid = laid.collect::<Result<Vec<_>, _>>().map_err(fail)?;
            let nothing = |(_, laid): &(Sample, Laid)| laid.branches.iter().any(Vec::is_empty);
            if way.task.is_scored() && laid.iter().any(nothing) {
                // Its log-probability would be that of nothing, 0, above every other option's.
                return Err(TaskError::Row {
                    place: place(&sample),
                    message: "an answer adds no token to the prompt, so it cannot be scored"
                        .to_owned(),
                });
            }
            let longest = laid
                .iter()
                .flat_map(|(_, laid)| laid.branches.iter().map(Vec::len));
            let longest = longest.max().unwrap_or(0);
            if way.task.is_multiple_choice() && longest > self.max_positions {
                return Err(TaskError::Row {
                    place: place(&sample),
                    message: format!(
                        "an option of {longest} tokens is longer than the model's context of {}",
                        self.max_positions
                    ),
                });
            }
            if way.task.is_rolling() {
                for (builder, continuations) in laid.iter().flat_map(|(_, laid)| self.roll(laid)) {
                    ways.push(Way { continuations });
                    rows.push(builder.build());
                }
                continue;
            }
            let (mut builder, continuations) = match laid.as_slice() {
                [(way, laid)] => self.build(way, laid),
                several => self.build_apart(several),
            };
            if decode.is_some() {
                builder.ask_decoding();
            }
            ways.push(Way { continuations });
            rows.push(builder.build());
            warnings.extend(laid.into_iter().flat_map(|(_, laid)| laid.warnings));
        }
        self.warnings
            .count(&sample.task.name, &sample.id, &warnings);
        let tokenizer = Arc::clone(&self.tokenizer);
        let probe = Probe::new(sample, ways, wrong, decode, tokenizer, self.spread);
        Ok((probe, rows))
    }

    /// A sample's prompts: of each of [`Sample::ways`] one, or where its options are prompts one for each.
    pub fn prompts(&self, sample: &Sample) -> Result<Vec<Prompt>, TaskError> {
        let prompt = |(turn, part): (usize, Sample)| {
            let laid = self
                .lay(&part, &[])
                .map_err(|error| unaskable(sample, &error))?;
            let cut = laid.trunk.len().saturating_sub(laid.room);
            let continuations = laid.texts.into_iter().zip(laid.branches);
            Ok(Prompt {
                turn,
                gold: match part.question {
                    Question::MultipleChoice { gold, .. } => gold,
                    Question::Generate { .. } => 0,
                },
                tokens: laid.trunk[cut..].to_vec(),
                cut,
                continuations: continuations
                    .map(|(text, tokens)| PromptContinuation { text, tokens })
                    .collect(),
                warnings: laid.warnings,
            })
        };
        let ways = sample.ways().enumerate();
        let parts = ways.flat_map(|(turn, way)| {
            let parts = way.by_prompt().into_iter();
            parts.map(move |part| (turn, part))
        });
        parts.map(prompt).collect()
    }

    fn lay(&self, way: &Sample, wrong: &[WrongTarget]) -> Result<Laid, ModelError> {
        let mut warnings = BTreeSet::new();
        let context = self.context(way, &mut warnings)?;
        let texts = self.continuation_texts(way, wrong);
        // Options take the trailing white space of the prompt, as in lm-eval.
        let scored = way.task.is_scored();
        let head = match scored {
            true => context.trim_end(),
            false => &context,
        };
        let no_prompt = scored && context.is_empty();
        let mut trunk = match no_prompt {
            true => Vec::new(),
            false => self.encode(head)?,
        };
        let mut branches = Vec::with_capacity(texts.len());
        for text in &texts {
            if no_prompt {
                // A text that is all there is begins as the tokenizer says.
                branches.push(match way.task.is_rolling() {
                    true => self.encode(text)?,
                    false => self.tokenizer.encode_with(text, false)?,
                });
                continue;
            }
            let mut whole = self.encode(&format!("{context}{text}"))?;
            branches.push(whole.split_off(trunk.len().min(whole.len())));
            if whole != trunk {
                warnings.insert(PromptWarning::RunsOver);
            }
        }
        if trunk.is_empty() {
            // As lm-eval does: with nothing to condition on, the token that begins texts, or else ends them.
            let beginning = self.tokenizer.beginning().or(self.tokenizer.end());
            trunk.push(beginning.ok_or_else(|| self.tokenizer.nameless_beginning())?);
        } else {
            self.inspect(way, &context, &texts, &trunk, &mut warnings);
        }
        let room = self.room(way, &branches).max(1);
        if trunk.len() > room && !way.task.is_rolling() {
            tracing::debug!(
                task = %way.task.name, id = %way.id, tokens = trunk.len(), room,
                "prompt too long for the model: its beginning is cut off"
            );
            warnings.insert(PromptWarning::Cut);
        }
        Ok(Laid {
            trunk,
            texts,
            branches,
            room,
            warnings,
        })
    }

    /// Tokens of a prompt there is room for. A prompt too long for the model loses its beginning, as in lm-eval:
    /// before a generation as much as the generation may need, before options as much as the longest needs.
    fn room(&self, way: &Sample, branches: &[Vec<u32>]) -> usize {
        match way.question {
            Question::Generate { max_tokens, .. } => self.max_positions.saturating_sub(max_tokens),
            // The last token of a continuation is predicted, not read.
            Question::MultipleChoice { .. } => {
                let longest = branches.iter().map(Vec::len).max().unwrap_or(0);
                (self.max_positions + 1).saturating_sub(longest)
            }
        }
    }

    /// The token tree. Options that a cut prompt precedes each have as much of it as they leave room for, so that they
    /// no longer share a trunk.
    fn build(&self, way: &Sample, laid: &Laid) -> (RowBuilder, Vec<Continuation>) {
        let Laid {
            trunk, branches, ..
        } = laid;
        if trunk.len() <= laid.room || !way.task.is_scored() {
            let mut builder = Row::builder(&trunk[trunk.len().saturating_sub(laid.room)..]);
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

    /// A whole text, in windows of the model's context: a row each.
    fn roll(&self, laid: &Laid) -> Vec<(RowBuilder, Vec<Continuation>)> {
        let beginning = laid.trunk.first().copied().unwrap_or_default();
        let tokens = laid.branches.concat();
        let windows = rolling::windows(&tokens, beginning, self.max_positions).into_iter();
        let row = |window: rolling::Window| {
            let mut builder = Row::builder(&window.context);
            let counted = vec![builder.ask_continuation(&window.counted)];
            (builder, counted)
        };
        windows.map(row).collect()
    }

    /// Options that are prompts: one sequence each, which share what they begin with.
    fn build_apart(&self, parts: &[(Sample, Laid)]) -> (RowBuilder, Vec<Continuation>) {
        let mut builder = Row::builder(&[]);
        let asked = parts.iter().flat_map(|(_, laid)| {
            let kept = &laid.trunk[laid.trunk.len().saturating_sub(laid.room)..];
            laid.branches.iter().map(move |branch| (kept, branch))
        });
        let asked = asked
            .map(|(kept, branch)| builder.ask_sequence(kept, branch))
            .collect();
        (builder, asked)
    }

    fn encode(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        match self.no_bos {
            true => self.tokenizer.encode_with(text, false),
            false => self.tokenizer.encode(text),
        }
    }

    fn inspect(
        &self,
        way: &Sample,
        context: &str,
        texts: &[String],
        trunk: &[u32],
        warnings: &mut BTreeSet<PromptWarning>,
    ) {
        let spaced = context.ends_with(char::is_whitespace);
        match (&way.question, self.chat) {
            // Templates end turns with white space of their own, and answers begin without any.
            (_, true) => {}
            (Question::Generate { .. }, false) if context.ends_with([' ', '\t']) => {
                warnings.insert(PromptWarning::TrailingSpace);
            }
            (Question::Generate { .. }, false) => {}
            (Question::MultipleChoice { .. }, false) => {
                for text in texts {
                    let mut leading = text.chars().take_while(|c| c.is_whitespace());
                    let several = leading.by_ref().count() > 1;
                    match (spaced || several, text.starts_with(char::is_whitespace)) {
                        (true, true) => warnings.insert(PromptWarning::DoubleSpace),
                        (false, false) => warnings.insert(PromptWarning::NoSpace),
                        _ => false,
                    };
                }
            }
        }
        if let (Some(beginning), [first, second, ..]) = (self.tokenizer.beginning(), trunk)
            && (*first, *second) == (beginning, beginning)
        {
            warnings.insert(PromptWarning::DoubleBeginning);
        } else if !self.chat
            && !self.no_bos
            && let Some((beginning, Some(_))) = self.tokenizer.special("bos_token")
            && context.starts_with(beginning)
        {
            warnings.insert(PromptWarning::OwnBeginning);
        }
        let last = trunk.last();
        if !self.chat && last.is_some_and(|token| self.stop_tokens.contains(token)) {
            warnings.insert(PromptWarning::EndToken);
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
        // Whether a text is complete does not depend on the order of options.
        let judge = Sample {
            rotations: Vec::new(),
            ..sample.clone()
        };
        let tokenizer = Arc::clone(&self.tokenizer);
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

    /// What is read after the prompt: every option, or the gold and the wrong answers.
    fn continuation_texts(&self, way: &Sample, wrong: &[WrongTarget]) -> Vec<String> {
        match &way.question {
            Question::MultipleChoice { continuations, .. } => continuations.clone(),
            Question::Generate { gold, .. } => {
                let wrong = wrong.iter().filter_map(|target| match target {
                    WrongTarget::Text(text) => Some(text.as_str()),
                    WrongTarget::Option(at) => letters::letter(*at),
                });
                std::iter::once(gold.as_str())
                    .chain(wrong)
                    .map(|answer| self.answer_text(way, answer))
                    .collect()
            }
        }
    }

    /// How a model would write an answer after the prompt.
    fn answer_text(&self, way: &Sample, answer: &str) -> String {
        let delimiter = match self.chat {
            true => way.task.chat_delimiter(),
            false => &way.task.target_delimiter,
        };
        match way.task.filters.iter().all(|filter| filter.reads_a_box()) {
            true => format!("{delimiter}\\boxed{{{answer}}}"),
            false => format!("{delimiter}{answer}"),
        }
    }
}

/// The wrong answers as they are called when the options are rotated by `turn` places.
fn turned(way: &Sample, wrong: &[WrongTarget], turn: usize) -> Vec<WrongTarget> {
    let count = way
        .question
        .choice()
        .map_or(1, |(options, _)| options.len());
    let turned = |target: &WrongTarget| match target {
        WrongTarget::Option(at) => WrongTarget::Option((at + count - turn) % count),
        WrongTarget::Text(text) => WrongTarget::Text(text.clone()),
    };
    wrong.iter().map(turned).collect()
}

pub(super) fn unaskable(sample: &Sample, error: &ModelError) -> TaskError {
    TaskError::Row {
        place: place(sample),
        message: error.to_string(),
    }
}

fn place(sample: &Sample) -> String {
    format!("task {}, sample {}", sample.task.name, sample.id)
}
