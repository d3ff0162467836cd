//! From a row to its questions.
//!
//! Errors are reasons in words; the caller knows the row.

use super::fewshot::Examples;
use super::letters;
use super::rotate::rotated;
use super::sample::{ContextParts, Question};
use super::spec::{Output, TaskSpec};
use super::target::{self, Target};
use super::template::{self, Columns, Row};

/// How rows are asked, beside what the task says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Manner {
    /// Prompts go through a chat template: an answer begins a turn, so that no delimiter stands before it.
    pub chat: bool,
    /// Every question is also asked with its options rotated.
    pub rotations: bool,
}

/// A row's prompt and question.
#[derive(Debug)]
pub(super) struct Asked {
    pub context: String,
    pub parts: ContextParts,
    pub question: Question,
}

/// What comes before the prompt of a row.
struct Head {
    text: String,
    /// Bytes of it that are the description.
    description: usize,
}

/// A rotation: what options and gold then are.
struct Turned {
    options: Vec<String>,
    gold: usize,
}

/// The questions of a row: as the task asks it, then with the options rotated by one place, two, ..., where that is wanted.
pub(super) fn ask(
    task: &TaskSpec,
    columns: &Columns,
    examples: Option<&mut Examples>,
    manner: Manner,
) -> Result<Vec<Asked>, String> {
    let row = Row::new(columns);
    let mut text = template::render(&task.description, &row)?;
    let description = text.len();
    if let Some(examples) = examples {
        text.push_str(&examples.text(task, columns)?);
    }
    let head = Head { text, description };
    let asked = one(task, &row, &head, manner, None)?;
    let mut all = vec![asked];
    if !manner.rotations {
        return Ok(all);
    }
    let Some((options, gold)) = all[0].question.choice() else {
        return Err("--rotations: there are no options to rotate".to_owned());
    };
    let (options, count) = (options.to_vec(), options.len());
    for turn in 1..count {
        let mut order = options.clone();
        if !letters::are_letters(&options) {
            order.rotate_left(turn);
        }
        let turned = Turned {
            options: order,
            gold: (gold + count - turn) % count,
        };
        let columns = rotated(columns, &options, turn);
        let row = Row::new(&columns);
        all.push(one(task, &row, &head, manner, Some(turned))?);
    }
    let (first, rest) = all.split_at(1);
    if !rest.is_empty() && rest.iter().all(|asked| asked.context == first[0].context) {
        let hint = match task.letters {
            true => "",
            false => ", or list them with --letters",
        };
        return Err(format!(
            "--rotations: the prompt lists no options that could be rotated (options in a list of the row, \
             or in columns of their own, can); leave it out{hint}"
        ));
    }
    Ok(all)
}

fn one(
    task: &TaskSpec,
    row: &Row<'_>,
    head: &Head,
    manner: Manner,
    turned: Option<Turned>,
) -> Result<Asked, String> {
    let mut prompt = target::prompt(task, row)?;
    let prefix = target::answer_prefix(task, row)?;
    let target = target::target(task, row)?;
    let mut options = target::options(task, row)?;
    let gold = match (&turned, &options) {
        (Some(turned), _) => Some(turned.gold),
        (None, Some(options)) => Some(target::gold_index(&target, options)?),
        (None, None) => None,
    };
    if let Some(turned) = turned {
        // Letters are put to whatever order there is; what is scored must have moved with the prompt.
        if !task.letters && options.as_ref() != Some(&turned.options) {
            return Err(
                "--rotations: the options are not texts of the row, so they cannot be rotated; leave it out, or list \
                 them with --letters"
                    .to_owned(),
            );
        }
        options = Some(turned.options);
    }
    if task.letters {
        prompt = letters::listed(&prompt, options.as_deref().unwrap_or_default())?;
    }
    let question = question(task, target, options, gold, manner)?;
    let mut context = format!("{}{prompt}", head.text);
    if let Some(prefix) = &prefix {
        context.push_str(&task.target_delimiter);
        context.push_str(prefix);
    }
    Ok(Asked {
        context,
        parts: ContextParts {
            description: head.description,
            prefix,
        },
        question,
    })
}

fn question(
    task: &TaskSpec,
    target: Target,
    options: Option<Vec<String>>,
    gold: Option<usize>,
    manner: Manner,
) -> Result<Question, String> {
    Ok(match &task.output {
        Output::MultipleChoice => {
            let options = options.unwrap_or_default();
            let delimiter = match manner.chat {
                true => "",
                false => &task.target_delimiter,
            };
            Question::MultipleChoice {
                continuations: options
                    .iter()
                    .map(|option| format!("{delimiter}{option}"))
                    .collect(),
                gold: match gold {
                    Some(gold) => gold,
                    None => target::gold_index(&target, &options)?,
                },
                options,
            }
        }
        Output::Generate { until, max_tokens } => {
            let right = match (gold, &options, target) {
                (Some(gold), _, _) if task.letters => {
                    letters::letter(gold).unwrap_or_default().to_owned()
                }
                (Some(gold), Some(options), _) => options[gold].clone(),
                (_, _, Target::Text(text)) => text,
                (_, _, Target::Index(index)) => index.to_string(),
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
