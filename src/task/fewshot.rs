//! Solved examples before the question.

use super::error::TaskError;
use super::letters;
use super::mersenne::PythonRandom;
use super::spec::TaskSpec;
use super::target::{self, Target};
use super::template::{Columns, Row};

/// lm-evaluation-harness's seed of the draw.
const SEED: u32 = 1234;

/// The rows examples come from, and the state of their draw: one generator a task, one draw a question, in order.
#[derive(Debug)]
pub(super) struct Examples {
    rows: Vec<Columns>,
    random: PythonRandom,
}

impl Examples {
    /// Examples from these rows.
    ///
    /// # Errors
    /// Fewer rows than the task draws.
    pub fn new(spec: &TaskSpec, rows: Vec<Columns>) -> Result<Self, TaskError> {
        if rows.len() < drawn(spec) {
            let message = format!(
                "num_fewshot needs {} rows to draw from, there are {}",
                drawn(spec),
                rows.len()
            );
            return Err(TaskError::NoData {
                task: spec.name.clone(),
                message,
                dataset: None,
            });
        }
        Ok(Examples {
            rows,
            random: PythonRandom::new(SEED),
        })
    }

    /// The text of the examples for one question; must be called once a question, in order.
    pub fn text(&mut self, spec: &TaskSpec, question: &Columns) -> Result<String, String> {
        let count = drawn(spec);
        let picked = match spec.first_examples {
            true => (0..count).collect(),
            false => self.random.sample(self.rows.len(), count),
        };
        let rows = picked
            .into_iter()
            .map(|at| &self.rows[at])
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

fn example(spec: &TaskSpec, row: &Row<'_>) -> Result<String, String> {
    let mut text = target::prompt(spec, row)?;
    let options = target::options(spec, row)?;
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
