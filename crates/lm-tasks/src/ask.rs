//! Renders a row into its questions.
//!
//! Errors are plain reasons; the caller adds the row's place.

use super::fewshot::{Example, Examples};
use super::letters;
use super::rotate::rotated;
use super::sample::{AlsoRight, ContextParts, ExampleParts, Question, Rendered};
use super::spec::{Output, TaskSpec};
use super::target::{self, Prompt, Target};
use crate::TEMPLATES;
use pyjinja::{Row, python};

/// Options of the prompts that are not in the task file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PromptOptions {
    /// Whether prompts go through a chat template: an answer then begins the assistant's message,
    /// without a delimiter before it.
    pub chat: bool,
    /// Whether every question is also rendered with its options rotated.
    pub rotations: bool,
    /// Whether every question whose options can be rotated is also rendered with its options rotated, as
    /// questions of their own, which no verdict on the sample depends on. Without effect beside
    /// `rotations`.
    pub other_rotations: bool,
    /// Whether a question is left out of its own solved examples, wherever they come from.
    pub exclude_self: bool,
}

/// The questions of a row.
pub(super) struct Questions {
    /// With the options in the task's own order.
    pub own: Rendered,
    /// With the options rotated by one place, by two, and so on; empty unless requested.
    pub rotated: Vec<Rendered>,
    /// The same as questions of their own; empty unless requested, and where the options cannot be
    /// rotated.
    pub other_rotations: Vec<Rendered>,
    /// Whether the row is among the solved examples of its own prompt.
    pub shows_itself: bool,
}

/// The text before the prompt of a row: description and solved examples.
struct Head {
    text: String,
    parts: ContextParts,
}

impl Head {
    fn new(description: String, examples: Vec<Example>) -> Self {
        let mut parts = ContextParts {
            description: description.len(),
            ..ContextParts::default()
        };
        let mut text = description;
        for example in examples {
            let begin = text.len();
            text += &example.question;
            let asked = text.len();
            text += &example.delimiter;
            let answer = text.len();
            text += &example.answer;
            let answered = text.len();
            text += &example.end;
            parts.examples.push(ExampleParts {
                question: begin..asked,
                answer: answer..answered,
                end: text.len(),
            });
        }
        Head { text, parts }
    }
}

/// The options after a rotation, and the index of the right one.
struct Turned {
    options: Vec<String>,
    gold: usize,
}

/// The questions of a row.
pub(super) fn ask(
    task: &TaskSpec,
    row: &Row<'_>,
    examples: Option<&mut Examples>,
    manner: PromptOptions,
) -> Result<Questions, String> {
    let columns = row.columns;
    let description = match columns.get(&task.description) {
        Some(value) => python::to_str(value),
        None => TEMPLATES.render(&task.description, row)?,
    };
    let drawn = examples.map(|examples| examples.draw(columns));
    let drawn = drawn.transpose()?.unwrap_or_default();
    let head = Head::new(description, drawn.examples);
    let own = one(task, row, &head, manner, None)?;
    let mut questions = Questions {
        rotated: Vec::new(),
        other_rotations: Vec::new(),
        own,
        shows_itself: drawn.shows_itself,
    };
    let rotations = PromptOptions {
        rotations: true,
        ..manner
    };
    if manner.rotations {
        questions.rotated = rotate(task, row, &head, rotations, &questions.own)?;
    } else if manner.other_rotations {
        let rotated = rotate(task, row, &head, rotations, &questions.own);
        questions.other_rotations = rotated.unwrap_or_default();
    }
    Ok(questions)
}

/// A question with its options rotated by one place, by two, and so on.
fn rotate(
    task: &TaskSpec,
    row: &Row<'_>,
    head: &Head,
    manner: PromptOptions,
    own: &Rendered,
) -> Result<Vec<Rendered>, String> {
    let choice = own.question.choice();
    let Some((options, gold)) = choice.filter(|_| task.has_options()) else {
        return Err("option `rotations`: there are no options to rotate".to_owned());
    };
    let (options, count) = (options.to_vec(), options.len());
    let mut all = Vec::new();
    for turn in 1..count {
        let mut order = options.clone();
        if !letters::are_letters(&options) {
            order.rotate_left(turn);
        }
        let turned = Turned {
            options: order,
            gold: (gold + count - turn) % count,
        };
        let columns = rotated(row.columns, &options, turn);
        let row = Row::new(&columns);
        all.push(one(task, &row, head, manner, Some(turned))?);
    }
    if !all.is_empty() && all.iter().all(|rotated| rotated.context == own.context) {
        let hint = match task.letters {
            true => "",
            false => ", or list them with option `letters`",
        };
        return Err(format!(
            "option `rotations`: the prompt lists no options that can be rotated (they must be in a list of the row, \
             or in columns of their own); leave it out{hint}"
        ));
    }
    Ok(all)
}

fn one(
    task: &TaskSpec,
    row: &Row<'_>,
    head: &Head,
    manner: PromptOptions,
    turned: Option<Turned>,
) -> Result<Rendered, String> {
    let prefix = target::answer_prefix(task, row)?;
    let target = target::target(task, row)?;
    let mut filters = task.filters.iter();
    filters.try_for_each(|filter| filter.check(row.columns))?;
    if task.letters || manner.rotations {
        target.only()?;
    }
    let printed = target.printed.clone();
    let mut options = target::options(task, row)?;
    let mut prompt = match target::prompt(task, row)? {
        Prompt::Text(text) => text,
        Prompt::Option(_) if task.letters => {
            return Err(
                "option `letters`: the options are prompts, not answers; leave it out".to_owned(),
            );
        }
        Prompt::Option(gold) if task.is_multiple_choice() => {
            target.only()?;
            let options = options.unwrap_or_default();
            return in_prompts(task, head, &options, gold, printed, prefix, manner);
        }
        Prompt::Option(index) => {
            target::option(options.as_deref().unwrap_or_default(), index)?.clone()
        }
    };
    let gold = match (&turned, &options) {
        (Some(turned), _) => Some(turned.gold),
        (None, Some(options)) if !task.is_log_likelihood() && !task.is_rolling() => {
            Some(target::gold_index(&target.each()[0], options)?)
        }
        (None, Some(_)) => None,
        (None, None) => None,
    };
    if let Some(turned) = turned {
        // With letters the prompt is built from the options below, so it rotates by itself.
        // Otherwise the task's template must have produced the rotated order; if it did not,
        // scoring the rotated options would grade a different question.
        if !task.letters && options.as_ref() != Some(&turned.options) {
            return Err(
                "option `rotations`: the options are not texts of the row, so they cannot be rotated; leave it out, or list \
                 them with option `letters`"
                    .to_owned(),
            );
        }
        options = Some(turned.options);
    }
    if task.letters {
        prompt = letters::listed(&prompt, options.as_deref().unwrap_or_default())?;
    }
    let also_right = also_right(task, &target, options.as_deref())?;
    let question = question(task, &target, options, gold, manner)?;
    let printed = match &question {
        Question::Generate { gold, .. } if task.letters => gold.clone(),
        _ => printed,
    };
    let mut parts = head.parts.clone();
    let mut context = format!("{}{prompt}", head.text);
    if let Some(prefix) = prefix {
        let delimiter = target::before_prefix(task, &prompt, &prefix);
        context = context + delimiter + &prefix;
        parts.delimiter = delimiter.len();
        parts.prefix = Some(prefix);
    }
    Ok(Rendered {
        context,
        parts,
        question,
        also_right,
        target: printed,
    })
}

/// A question whose options are prompts: the same continuation is scored after each.
fn in_prompts(
    task: &TaskSpec,
    head: &Head,
    options: &[String],
    gold: usize,
    target: String,
    prefix: Option<String>,
    manner: PromptOptions,
) -> Result<Rendered, String> {
    target::option(options, gold)?;
    // No delimiter stands before the prefix here.
    let end = prefix.as_deref().unwrap_or_default();
    let prompts = options
        .iter()
        .map(|option| format!("{}{option}{end}", head.text));
    Ok(Rendered {
        context: head.text.clone(),
        parts: ContextParts {
            prefix: prefix.clone(),
            ..head.parts.clone()
        },
        question: Question::ChoiceOfPrompts {
            options: options.to_vec(),
            prompts: prompts.collect(),
            continuation: format!("{}{target}", delimiter(task, manner)),
            gold,
        },
        also_right: AlsoRight::default(),
        target,
    })
}

fn only_text(target: &Target) -> Result<String, String> {
    target.only()?;
    Ok(target.texts(None)?.swap_remove(0))
}

/// The text between a prompt and an answer.
fn delimiter(task: &TaskSpec, manner: PromptOptions) -> &str {
    match manner.chat {
        true => task.chat_delimiter(),
        false => &task.target_delimiter,
    }
}

/// The right answers except the first.
fn also_right(
    task: &TaskSpec,
    target: &Target,
    options: Option<&[String]>,
) -> Result<AlsoRight, String> {
    let mut also = AlsoRight::default();
    match options.filter(|_| task.is_multiple_choice()) {
        Some(options) => {
            let others = target.each().iter().skip(1);
            let indices = others.map(|right| target::gold_index(right, options));
            also.options = indices.collect::<Result<_, _>>()?;
        }
        None => also.texts = target.texts(options)?.split_off(1),
    }
    Ok(also)
}

fn question(
    task: &TaskSpec,
    target: &Target,
    options: Option<Vec<String>>,
    gold: Option<usize>,
    manner: PromptOptions,
) -> Result<Question, String> {
    Ok(match &task.output {
        Output::MultipleChoice => {
            let options = options.unwrap_or_default();
            let delimiter = delimiter(task, manner);
            Question::Choice {
                continuations: options
                    .iter()
                    .map(|option| format!("{delimiter}{option}"))
                    .collect(),
                gold: match gold {
                    Some(gold) => gold,
                    None => target::gold_index(&target.each()[0], &options)?,
                },
                options,
            }
        }
        // The target without a delimiter before it.
        Output::LogLikelihood => Question::Text {
            text: only_text(target)?,
        },
        Output::Rolling => Question::Rolling {
            text: only_text(target)?,
        },
        Output::Generate { until, max_tokens } => {
            let right = match (gold, &options, target) {
                (Some(gold), _, _) if task.letters => {
                    letters::letter(gold).unwrap_or_default().to_owned()
                }
                (Some(gold), Some(options), _) => options[gold].clone(),
                (_, _, target) => target.texts(None)?.swap_remove(0),
            };
            Question::Generate {
                until: until.clone(),
                max_tokens: *max_tokens,
                gold: right,
                options: options.filter(|_| task.letters).unwrap_or_default(),
            }
        }
    })
}
