//! How samples are put to a model: prompts through the tokenizer, into rows of the engine.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::cannot_ask;
use super::ending::BoxTokens;
use super::prepared::PreparedSample;
use super::prompt::{Prompt, PromptContinuation, PromptWarning, PromptWarnings};
use super::rolling::{self, Window};
use crate::problem::Prepared;
use cola_engine::{Continuation, Row, RowBuilder};
use cola_model::{ModelError, Tokenizer, stop_tokens};
use lm_tasks::{Question, Sample, TaskError, Variant, WrongTarget, letter};

/// How samples are put to a model.
#[derive(Debug, Clone)]
pub struct PromptLayout {
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
    /// Nats that a log-probability can differ by with the other rows of its batch: answers that hang on less are
    /// near-ties.
    pub near_tie_nats: f64,
    /// Seed of the wrong answers the control searches for; `None` makes none.
    pub wrong_targets: Option<u64>,
    /// Wrong texts made up for a sample that is answered by a text. The unmodified model may give one itself, and of the others
    /// the one is matched that it finds nearest to the right answer; each adds a branch to the row.
    pub wrong_texts: usize,
    /// What looked wrong with the prompts so far.
    pub warnings: Arc<PromptWarnings>,
    /// How many of the tokenizer's tokens a box takes.
    pub boxes: Arc<BoxTokens>,
}

/// Wrong texts unless something else is said.
const WRONG_TEXTS: usize = 4;

/// A prompt and what is read after it, in tokens.
struct PromptTokens {
    trunk: Vec<u32>,
    texts: Vec<String>,
    branches: Vec<Vec<u32>>,
    /// Tokens of the trunk there is room for.
    room: usize,
    warnings: BTreeSet<PromptWarning>,
}

impl PromptTokens {
    /// The end of the prompt, as much of it as there is room for.
    fn kept(&self) -> &[u32] {
        &self.trunk[self.trunk.len().saturating_sub(self.room)..]
    }

    fn longest_branch(&self) -> usize {
        self.branches.iter().map(Vec::len).max().unwrap_or(0)
    }
}

/// What looks wrong with a sample's prompts whatever their tokens are.
fn of_sample(sample: &Sample) -> BTreeSet<PromptWarning> {
    let shown = sample.shows_itself.then_some(PromptWarning::ShowsItself);
    shown.into_iter().collect()
}

/// A row of the engine in the making, and what is read of it.
type Reading = (RowBuilder, Vec<Continuation>);

impl PromptLayout {
    /// Prompts as tasks have them, without a chat, for a model whose context holds `max_positions` tokens. A generation ends
    /// at the model's own end tokens and, as in lm-evaluation-harness, at the tokenizer's.
    ///
    /// # Errors
    /// The model's configuration cannot be read.
    pub fn new(
        tokenizer: Arc<Tokenizer>,
        model: &Path,
        max_positions: i64,
    ) -> Result<Self, ModelError> {
        let ends = stop_tokens(model)?.into_iter().chain(tokenizer.end());
        let ends: BTreeSet<u32> = ends.collect();
        Ok(Self {
            tokenizer,
            stop_tokens: ends.into_iter().collect(),
            max_positions: usize::try_from(max_positions).unwrap_or(usize::MAX),
            chat: false,
            examples_as_turns: false,
            system: None,
            no_bos: false,
            near_tie_nats: 0.0,
            wrong_targets: None,
            wrong_texts: WRONG_TEXTS,
            warnings: Arc::default(),
            boxes: Arc::default(),
        })
    }

    /// Lays out the rows of a sample: one for each of its [variants](Sample::variants), of a text that is scored as a
    /// whole one for each window of it.
    ///
    /// # Errors
    /// A prompt the tokenizer or the chat template refuses, and an option that adds no token to its prompt or is longer than the
    /// model's context.
    pub fn prepare(&self, sample: Arc<Sample>) -> Result<Prepared<PreparedSample>, TaskError> {
        let wrong = self.draw_wrong(&sample);
        let decode = self.decode_plan(&sample);
        let (mut continuations, mut rows) = (Vec::new(), Vec::new());
        let mut warnings = of_sample(&sample);
        for variant in sample.variants() {
            let prompts = self
                .tokenize(variant, &rotated(variant, &wrong))
                .map_err(|error| cannot_ask(&sample, &error.to_string()))?;
            self.check(variant, &prompts)?;
            for (mut builder, read) in self.readings(variant, &prompts) {
                if decode.is_some() {
                    builder.keep_decodable();
                }
                // A text that is scored as a whole has no prompt.
                if !matches!(variant.question, Question::Rolling { .. }) {
                    builder.read_prompt_loss();
                    if self.wrong_targets.is_some() {
                        builder.measure_influence();
                    }
                }
                continuations.push(read);
                rows.push(builder.build());
            }
            warnings.extend(prompts.into_iter().flat_map(|prompt| prompt.warnings));
        }
        self.warnings
            .count(&sample.task.name, &sample.id, &warnings);
        Ok(Prepared {
            rows,
            decode,
            judge: PreparedSample {
                sample,
                continuations,
                wrong,
                tokenizer: Arc::clone(&self.tokenizer),
                near_tie_nats: self.near_tie_nats,
            },
        })
    }

    /// A sample's prompts: of each of its [variants](Sample::variants) one, or where its options are prompts one for each.
    ///
    /// # Errors
    /// A prompt the tokenizer or the chat template refuses.
    pub fn prompts(&self, sample: &Sample) -> Result<Vec<Prompt>, TaskError> {
        let mut all = Vec::new();
        for variant in sample.variants() {
            let prompts = self
                .tokenize(variant, &[])
                .map_err(|error| cannot_ask(sample, &error.to_string()))?;
            for (at, prompt) in prompts.into_iter().enumerate() {
                let tokens = prompt.kept().to_vec();
                let continuations = prompt.texts.into_iter().zip(prompt.branches);
                all.push(Prompt {
                    rotation: variant.rotation,
                    gold: match &variant.question {
                        Question::Choice { gold, .. } => *gold,
                        // Each option has a prompt with one continuation.
                        Question::ChoiceOfPrompts { gold, .. } => usize::from(at != *gold),
                        _ => 0,
                    },
                    cut: prompt.trunk.len() - tokens.len(),
                    tokens,
                    continuations: continuations
                        .map(|(text, tokens)| PromptContinuation { text, tokens })
                        .collect(),
                    warnings: &prompt.warnings | &of_sample(sample),
                });
            }
        }
        Ok(all)
    }

    /// The prompts of a variant, each with what is read after it.
    fn tokenize(
        &self,
        variant: Variant<'_>,
        wrong: &[WrongTarget],
    ) -> Result<Vec<PromptTokens>, ModelError> {
        if let Question::Rolling { text } = &variant.question {
            return Ok(vec![self.tokenize_whole(text)?]);
        }
        let texts = self.continuation_texts(variant, wrong);
        let contexts = variant.prompts().into_iter();
        contexts
            .map(|context| self.tokenize_prompt(variant, context, texts.clone()))
            .collect()
    }

    fn tokenize_prompt(
        &self,
        variant: Variant<'_>,
        context: &str,
        texts: Vec<String>,
    ) -> Result<PromptTokens, ModelError> {
        let mut warnings = BTreeSet::new();
        let context = self.context(variant, context, &mut warnings)?;
        let generates = matches!(variant.question, Question::Generate { .. });
        let no_prompt = !generates && context.is_empty();
        // Options take the trailing white space of the prompt, as in lm-eval.
        let head = match generates {
            true => &context,
            false => context.trim_end(),
        };
        let mut trunk = match no_prompt {
            true => Vec::new(),
            false => self.encode(head)?,
        };
        let mut branches = Vec::with_capacity(texts.len());
        for text in &texts {
            if no_prompt {
                branches.push(self.tokenizer.encode_with(text, false)?);
                continue;
            }
            let mut whole = self.encode(&format!("{context}{text}"))?;
            branches.push(whole.split_off(trunk.len().min(whole.len())));
            if whole != trunk {
                warnings.insert(PromptWarning::RunsOver);
            }
        }
        match trunk.is_empty() {
            true => trunk.push(self.beginning()?),
            false => self.inspect(generates, &context, &texts, &trunk, &mut warnings),
        }
        let mut prompt = PromptTokens {
            trunk,
            texts,
            branches,
            room: 0,
            warnings,
        };
        prompt.room = self.room(variant, &prompt).max(1);
        if prompt.trunk.len() > prompt.room {
            tracing::debug!(
                task = %variant.sample.task.name, id = %variant.sample.id,
                tokens = prompt.trunk.len(), room = prompt.room,
                "prompt too long for the model: its beginning is cut off"
            );
            prompt.warnings.insert(PromptWarning::Cut);
        }
        Ok(prompt)
    }

    /// Rolling tasks have no prompt: the text is tokenized with the tokenizer's own special tokens.
    fn tokenize_whole(&self, text: &str) -> Result<PromptTokens, ModelError> {
        Ok(PromptTokens {
            trunk: vec![self.beginning()?],
            branches: vec![self.encode(text)?],
            texts: vec![text.to_owned()],
            room: 1,
            warnings: BTreeSet::new(),
        })
    }

    /// What stands before a text that has no prompt: as in lm-eval the token that begins texts, or else ends them.
    fn beginning(&self) -> Result<u32, ModelError> {
        let beginning = self.tokenizer.beginning().or(self.tokenizer.end());
        beginning.ok_or_else(|| self.tokenizer.nameless_beginning())
    }

    /// Refuses what cannot be scored.
    fn check(&self, variant: Variant<'_>, prompts: &[PromptTokens]) -> Result<(), TaskError> {
        if matches!(variant.question, Question::Generate { .. }) {
            return Ok(());
        }
        let mut branches = prompts.iter().flat_map(|prompt| &prompt.branches);
        if branches.any(Vec::is_empty) {
            // Its log-probability would be that of nothing, 0, above every other option's.
            return Err(cannot_ask(
                variant.sample,
                "an answer adds no token to the prompt, so it cannot be scored",
            ));
        }
        let longest = prompts.iter().map(PromptTokens::longest_branch).max();
        let longest = longest.unwrap_or(0);
        if variant.question.choice().is_some() && longest > self.max_positions {
            let message = format!(
                "an option of {longest} tokens is longer than the model's context of {} tokens",
                self.max_positions
            );
            return Err(cannot_ask(variant.sample, &message));
        }
        Ok(())
    }

    /// Tokens of a prompt there is room for. A prompt too long for the model loses its beginning, as in lm-eval:
    /// before a generation as much as the generation may need, before options as much as the longest needs.
    fn room(&self, variant: Variant<'_>, prompt: &PromptTokens) -> usize {
        match variant.question {
            Question::Generate { max_tokens, .. } => self.max_positions.saturating_sub(max_tokens),
            // The last token of a continuation is predicted, not read.
            _ => (self.max_positions + 1).saturating_sub(prompt.longest_branch()),
        }
    }

    /// The rows of a variant, and what is read of each.
    fn readings(&self, variant: Variant<'_>, prompts: &[PromptTokens]) -> Vec<Reading> {
        match (&variant.question, prompts) {
            (Question::Rolling { .. }, [whole]) => self.windows(whole),
            (Question::Generate { .. }, [prompt]) => vec![one_trunk(prompt)],
            (_, [prompt]) if prompt.trunk.len() <= prompt.room => vec![one_trunk(prompt)],
            (_, [prompt]) => vec![self.cut_apart(prompt)],
            (_, several) => vec![sequences(several)],
        }
    }

    /// Options after a prompt that is cut: each has as much of it as it leaves room for, so that they share no trunk.
    fn cut_apart(&self, prompt: &PromptTokens) -> Reading {
        let mut builder = Row::builder(&[]);
        let read = prompt.branches.iter().map(|branch| {
            let room = (self.max_positions + 1).saturating_sub(branch.len()).max(1);
            let kept = &prompt.trunk[prompt.trunk.len().saturating_sub(room)..];
            builder.read_sequence(kept, branch)
        });
        let read = read.collect();
        (builder, read)
    }

    /// A whole text, in windows of the model's context: a row each.
    fn windows(&self, whole: &PromptTokens) -> Vec<Reading> {
        let beginning = whole.trunk.first().copied().unwrap_or_default();
        let tokens = whole.branches.concat();
        let windows = rolling::windows(&tokens, beginning, self.max_positions).into_iter();
        let row = |window: Window| {
            let mut builder = Row::builder(&window.context);
            let counted = vec![builder.read_continuation(&window.counted)];
            (builder, counted)
        };
        windows.map(row).collect()
    }

    fn encode(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        match self.no_bos {
            true => self.tokenizer.encode_with(text, false),
            false => self.tokenizer.encode(text),
        }
    }

    /// Looks for what is usually a mistake in a prompt.
    fn inspect(
        &self,
        generates: bool,
        context: &str,
        texts: &[String],
        trunk: &[u32],
        warnings: &mut BTreeSet<PromptWarning>,
    ) {
        // Templates end turns with white space of their own, and answers begin without any.
        if !self.chat && generates && context.ends_with([' ', '\t']) {
            warnings.insert(PromptWarning::TrailingSpace);
        }
        if !self.chat && !generates {
            let spaced = context.ends_with(char::is_whitespace);
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
        let seed = self.wrong_targets;
        seed.map_or_else(Vec::new, |seed| {
            sample.wrong_targets(seed, self.wrong_texts)
        })
    }

    /// What is read after the prompt: every option, or the gold and the wrong answers.
    fn continuation_texts(&self, variant: Variant<'_>, wrong: &[WrongTarget]) -> Vec<String> {
        match &variant.question {
            Question::Choice { continuations, .. } => continuations.clone(),
            Question::ChoiceOfPrompts { continuation, .. } => vec![continuation.clone()],
            Question::Text { text } | Question::Rolling { text } => vec![text.clone()],
            Question::Generate { gold, .. } => {
                let wrong = wrong.iter().filter_map(|target| match target {
                    WrongTarget::Text(text) => Some(text.as_str()),
                    WrongTarget::Option(at) => letter(*at),
                });
                std::iter::once(gold.as_str())
                    .chain(wrong)
                    .map(|answer| self.answer_text(variant, answer))
                    .collect()
            }
        }
    }

    /// How a model would write an answer after the prompt.
    fn answer_text(&self, variant: Variant<'_>, answer: &str) -> String {
        let task = &variant.sample.task;
        let delimiter = match self.chat {
            true => task.chat_delimiter(),
            false => &task.target_delimiter,
        };
        match task.filters.iter().all(|filter| filter.reads_a_box()) {
            true => format!("{delimiter}\\boxed{{{answer}}}"),
            false => format!("{delimiter}{answer}"),
        }
    }
}

/// A prompt, and continuations that share it.
fn one_trunk(prompt: &PromptTokens) -> Reading {
    let mut builder = Row::builder(prompt.kept());
    let branches = prompt.branches.iter();
    let read = branches.map(|branch| builder.read_continuation(branch));
    let read = read.collect();
    (builder, read)
}

/// Options that are prompts: one sequence each, which share what they begin with.
fn sequences(prompts: &[PromptTokens]) -> Reading {
    let mut builder = Row::builder(&[]);
    let read = prompts.iter().flat_map(|prompt| {
        let branches = prompt.branches.iter();
        branches.map(move |branch| (prompt.kept(), branch))
    });
    let read = read
        .map(|(kept, branch)| builder.read_sequence(kept, branch))
        .collect();
    (builder, read)
}

/// The wrong answers as a variant calls them.
fn rotated(variant: Variant<'_>, wrong: &[WrongTarget]) -> Vec<WrongTarget> {
    let choice = variant.question.choice();
    let count = choice.map_or(1, |(options, _)| options.len());
    let rotated = |target: &WrongTarget| match target {
        WrongTarget::Option(at) => WrongTarget::Option((at + count - variant.rotation) % count),
        WrongTarget::Text(text) => WrongTarget::Text(text.clone()),
    };
    wrong.iter().map(rotated).collect()
}
