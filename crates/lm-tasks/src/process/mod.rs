//! The functions with which lm-evaluation-harness processes rows and answers in Python, for the
//! tasks it ships. A task file gives a function's name where lm-evaluation-harness's own file has a
//! `!function`.

use crate::data::no_column;
use pyjinja::Columns;
mod hellaswag;
mod hendrycks;
mod last_box;
mod minerva;

/// `process_docs: NAME`: adds columns that are computed from a row's own, before any template reads
/// the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowProcess {
    /// Adds `query`, `choices` and `gold`, without WikiHow's marks.
    Hellaswag,
    /// Adds `answer`: the content of the last `\boxed{}` of the solution.
    HendrycksMath,
    /// Adds `answer`: the same in Minerva's normal form.
    MinervaMath,
}

impl RowProcess {
    /// The names, for messages.
    pub const NAMES: &str = "hellaswag, hendrycks_math, minerva_math";

    /// The process of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "hellaswag" => Some(Self::Hellaswag),
            "hendrycks_math" => Some(Self::HendrycksMath),
            "minerva_math" => Some(Self::MinervaMath),
            _ => None,
        }
    }

    /// The row with its new columns. The error says which column is missing or wrong.
    pub fn apply(self, mut row: Columns) -> Result<Columns, String> {
        match self {
            Self::Hellaswag => hellaswag::process(&mut row)?,
            Self::HendrycksMath => {
                let answer = last_box::content(text(&row, "solution")?)?;
                row.insert("answer".to_owned(), answer.into());
            }
            Self::MinervaMath => {
                let answer = minerva::normal(&last_box::content(text(&row, "solution")?)?);
                row.insert("answer".to_owned(), answer.into());
            }
        }
        Ok(row)
    }
}

/// `process_results: NAME`: how a generated text is compared with the gold answer, reported as `exact_match`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Hendrycks et al. 2021: the text between the first and the last dollar sign is compared, with
    /// LaTeX in one spelling.
    HendrycksMath,
    /// Lewkowycz et al. 2022: the answer after "Final Answer: The final answer is" is compared
    /// mathematically, in normal form.
    MinervaMath,
}

impl Comparison {
    /// The names, for messages.
    pub(super) const NAMES: &str = "hendrycks_math, minerva_math";

    /// The comparison of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "hendrycks_math" => Some(Self::HendrycksMath),
            "minerva_math" => Some(Self::MinervaMath),
            _ => None,
        }
    }

    /// Whether a text gives the gold answer.
    pub(super) fn matches(self, text: &str, gold: &str) -> bool {
        match self {
            Self::HendrycksMath => hendrycks::matches(text, gold),
            Self::MinervaMath => minerva::matches(text, gold),
        }
    }
}

/// A column that must be a text.
fn text<'r>(row: &'r Columns, column: &str) -> Result<&'r str, String> {
    match row.get(column) {
        Some(serde_json::Value::String(text)) => Ok(text),
        Some(_) => Err(format!("column `{column}` is not a text")),
        None => Err(no_column(row, column)),
    }
}
