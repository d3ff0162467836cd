//! Few-shot prompts: solved examples before the question.

use pyjinja::{Columns, PythonRandom, Row, no_column, python};
use std::collections::HashMap;

use super::error::TaskError;
use super::letters;
use super::spec::TaskSpec;
use super::target::{self, Prompt};

/// lm-evaluation-harness's seed of the draw.
const SEED: u32 = 1234;

/// The rows that examples are drawn from, and the state of the draw. Each question draws once, in
/// order.
#[derive(Debug)]
pub(super) struct Examples {
    /// The rows by their value in the task's `same_column`. Each pool has its own random generator,
    /// as if it were a task of its own.
    pools: HashMap<String, Pool>,
    /// The task's spec with the values for examples.
    told: TaskSpec,
    /// Whether a question is never among its own examples.
    exclude_self: bool,
}

/// The examples of one question.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    pub examples: Vec<Example>,
    /// Whether the question itself is one of them, answer included.
    pub shows_itself: bool,
}

#[derive(Debug)]
struct Pool {
    rows: Vec<Columns>,
    random: PythonRandom,
}

/// The text of a solved example: a question and its answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Example {
    pub question: String,
    /// Text between question and answer.
    pub delimiter: String,
    /// Empty if there is no answer.
    pub answer: String,
    /// Text after the answer.
    pub end: String,
}

impl Examples {
    /// Examples from these rows; with `exclude_self`, none of the question itself.
    ///
    /// # Errors
    /// Returns an error if there are fewer rows than the task draws, or if one has no `same_column`.
    pub fn new(spec: &TaskSpec, rows: Vec<Columns>, exclude_self: bool) -> Result<Self, TaskError> {
        let refuse = |message| TaskError::NoExamples {
            task: spec.name.clone(),
            message,
        };
        let mut pools: HashMap<String, Pool> = HashMap::new();
        for row in rows {
            let name = pool_name(spec, &row).map_err(refuse)?;
            let pool = pools.entry(name).or_insert_with(|| Pool {
                rows: Vec::new(),
                random: PythonRandom::new(SEED),
            });
            pool.rows.push(row);
        }
        if spec.same_column.is_none() {
            pool(&mut pools, spec, "", exclude_self).map_err(refuse)?;
        }
        Ok(Examples {
            pools,
            told: spec.of_examples(),
            exclude_self,
        })
    }

    /// The examples for one question; must be called once per question, in order.
    ///
    /// As lm-evaluation-harness does, leaves out the question's own row if questions and examples come from one split. If
    /// they do not, or if the row is there twice with another id, the question can be among them.
    pub fn draw(&mut self, question: &Columns) -> Result<Drawn, String> {
        let (spec, exclude_self) = (&self.told, self.exclude_self);
        let name = pool_name(spec, question)?;
        let pool = pool(&mut self.pools, spec, &name, exclude_self)?;
        // A question that cannot be an example is not one of them.
        let own = example(spec, &Row::new(question)).unwrap_or_default();
        let is_own = |at: usize, shown: &Example| {
            pool.rows[at] == *question || (!own.question.trim().is_empty() && *shown == own)
        };
        let other = |at: &usize| match exclude_self {
            true => {
                let shown = example(spec, &Row::new(&pool.rows[*at]));
                !is_own(*at, &shown.unwrap_or_default())
            }
            false => !may_be_asked(spec) || pool.rows[*at] != *question,
        };
        let count = spec.num_fewshot;
        let others = || (0..pool.rows.len()).filter(other);
        let mut picked: Vec<usize> = match spec.first_examples {
            true => others().take(count).collect(),
            false => {
                let drawn = pool
                    .random
                    .sample(pool.rows.len(), drawn(spec, exclude_self));
                drawn.into_iter().filter(other).take(count).collect()
            }
        };
        if picked.len() < count {
            // The question itself was drawn more than once: draw again, from all other rows.
            let rest: Vec<usize> = others().collect();
            if rest.len() < count {
                return Err(too_few(spec, &name, count, rest.len()));
            }
            let again = pool.random.sample(rest.len(), count).into_iter();
            picked = again.map(|at| rest[at]).collect();
        }
        let examples: Vec<Example> = picked
            .iter()
            .map(|&at| example(spec, &Row::new(&pool.rows[at])))
            .collect::<Result<_, _>>()
            .map_err(|reason| format!("a row of the solved examples: {reason}"))?;
        let mut shown = picked.into_iter().zip(&examples);
        Ok(Drawn {
            shows_itself: shown.any(|(at, example)| is_own(at, example)),
            examples,
        })
    }
}

/// Whether questions and examples come from the same split.
fn may_be_asked(spec: &TaskSpec) -> bool {
    spec.source.fewshot == spec.source.test
}

/// Number of rows to draw: one more than are shown, if the question itself may be drawn.
fn drawn(spec: &TaskSpec, exclude_self: bool) -> usize {
    let own = usize::from(exclude_self || may_be_asked(spec));
    spec.num_fewshot.saturating_add(own)
}

fn pool_name(spec: &TaskSpec, row: &Columns) -> Result<String, String> {
    match &spec.same_column {
        None => Ok(String::new()),
        Some(column) => match row.get(column) {
            Some(value) => Ok(python::to_str(value)),
            None => Err(no_column(column, &Row::new(row))),
        },
    }
}

/// The pool of this name, if it has enough rows to draw from.
fn pool<'p>(
    pools: &'p mut HashMap<String, Pool>,
    spec: &TaskSpec,
    name: &str,
    exclude_self: bool,
) -> Result<&'p mut Pool, String> {
    let needed = match spec.first_examples {
        true => spec.num_fewshot,
        false => drawn(spec, exclude_self),
    };
    let there = pools.get(name).map_or(0, |pool| pool.rows.len());
    match pools.get_mut(name) {
        Some(pool) if there >= needed => Ok(pool),
        _ => Err(too_few(spec, name, needed, there)),
    }
}

fn too_few(spec: &TaskSpec, name: &str, needed: usize, there: usize) -> String {
    let of = match &spec.same_column {
        Some(column) => format!(" whose {column} is {name}"),
        None => String::new(),
    };
    format!("num_fewshot needs {needed} rows{of} to draw from, but there are only {there}")
}

fn example(spec: &TaskSpec, row: &Row<'_>) -> Result<Example, String> {
    let options = target::options(spec, row)?;
    let options = options.as_deref();
    let mut question = match target::prompt(spec, row)? {
        Prompt::Text(text) => text,
        Prompt::Option(index) => target::option(options.unwrap_or_default(), index)?.clone(),
    };
    if let (true, Some(options)) = (spec.letters, options) {
        question = letters::listed(&question, options)?;
    }
    let target = target::target(spec, row)?;
    let answer = match options {
        Some(options) if spec.letters => {
            let gold = target::gold_index(&target.each()[0], options)?;
            letters::letter(gold).unwrap_or_default().to_owned()
        }
        options => target.texts(options)?.swap_remove(0),
    };
    let prefix = target::answer_prefix(spec, row)?;
    let answered = !answer.is_empty();
    let delimiter = match &prefix {
        None if answered => spec.target_delimiter.clone(),
        None => String::new(),
        Some(prefix) => target::before_prefix(spec, &question, prefix).to_owned(),
    };
    Ok(Example {
        question,
        delimiter,
        answer: target::joined(prefix.as_deref().unwrap_or_default(), &answer, " "),
        end: match answered {
            true => spec.fewshot_delimiter.clone(),
            false => String::new(),
        },
    })
}
