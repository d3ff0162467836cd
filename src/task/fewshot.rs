//! Solved examples before the question.

use std::collections::HashMap;

use super::error::TaskError;
use super::letters;
use super::mersenne::PythonRandom;
use super::python;
use super::spec::TaskSpec;
use super::target::{self, Prompt, Target};
use super::template::{self, Columns, Row};

/// lm-evaluation-harness's seed of the draw.
const SEED: u32 = 1234;

/// The rows examples come from, and the state of their draw: one generator a task, one draw a question, in order.
#[derive(Debug)]
pub(super) struct Examples {
    /// By what they say in the task's `same_column`: each is drawn from as if it were a task of its own.
    pools: HashMap<String, Pool>,
    /// The task as examples are told.
    told: TaskSpec,
}

#[derive(Debug)]
struct Pool {
    rows: Vec<Columns>,
    random: PythonRandom,
}

impl Examples {
    /// Examples from these rows.
    ///
    /// # Errors
    /// Fewer rows than the task draws, or one without its `same_column`.
    pub fn new(spec: &TaskSpec, rows: Vec<Columns>) -> Result<Self, TaskError> {
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
            pool(&mut pools, spec, "").map_err(refuse)?;
        }
        Ok(Examples {
            pools,
            told: spec.of_examples(),
        })
    }

    /// The text of the examples for one question; must be called once a question, in order.
    pub fn text(&mut self, question: &Columns) -> Result<String, String> {
        let spec = &self.told;
        let name = pool_name(spec, question)?;
        let pool = pool(&mut self.pools, spec, &name)?;
        let count = drawn(spec);
        let picked = match spec.first_examples {
            true => (0..count).collect(),
            false => pool.random.sample(pool.rows.len(), count),
        };
        let rows = picked
            .into_iter()
            .map(|at| &pool.rows[at])
            .filter(|row| *row != question);
        rows.take(spec.num_fewshot)
            .map(|row| example(spec, &Row::new(row)))
            .collect()
    }
}

/// One more than is shown where the question itself may be drawn.
fn drawn(spec: &TaskSpec) -> usize {
    spec.num_fewshot + usize::from(spec.source.fewshot == spec.source.test)
}

fn pool_name(spec: &TaskSpec, row: &Columns) -> Result<String, String> {
    match &spec.same_column {
        None => Ok(String::new()),
        Some(column) => match row.get(column) {
            Some(value) => Ok(python::to_str(value)),
            None => Err(template::no_column(column, &Row::new(row))),
        },
    }
}

/// The rows to draw from, where there are enough of them.
fn pool<'p>(
    pools: &'p mut HashMap<String, Pool>,
    spec: &TaskSpec,
    name: &str,
) -> Result<&'p mut Pool, String> {
    let of = match &spec.same_column {
        Some(column) => format!(" whose {column} is {name}"),
        None => String::new(),
    };
    let needed = drawn(spec);
    let there = pools.get(name).map_or(0, |pool| pool.rows.len());
    match pools.get_mut(name) {
        Some(pool) if there >= needed => Ok(pool),
        _ => Err(format!(
            "num_fewshot needs {needed} rows{of} to draw from, there are {there}"
        )),
    }
}

fn example(spec: &TaskSpec, row: &Row<'_>) -> Result<String, String> {
    let options = target::options(spec, row)?;
    let mut text = match (target::prompt(spec, row)?, &options) {
        (Prompt::Text(text), _) => text,
        (Prompt::Option(index), Some(options)) => target::option(options, index)?.clone(),
        (Prompt::Option(index), None) => index.to_string(),
    };
    if let (true, Some(options)) = (spec.letters, &options) {
        text = letters::listed(&text, options)?;
    }
    let answer = match (target::target(spec, row)?, options) {
        (target, Some(options)) if spec.letters => {
            let gold = target::gold_index(&target, &options)?;
            letters::letter(gold).unwrap_or_default().to_owned()
        }
        (Target::Text(answer), _) => answer,
        (index, Some(options)) => options[target::gold_index(&index, &options)?].clone(),
        (Target::Index(index), None) => index.to_string(),
    };
    if !answer.is_empty() {
        text.push_str(&spec.target_delimiter);
        if let Some(prefix) = target::answer_prefix(spec, row)? {
            text.push_str(&prefix);
            text.push(' ');
        }
        text.push_str(&answer);
        text.push_str(&spec.fewshot_delimiter);
    }
    Ok(text)
}
