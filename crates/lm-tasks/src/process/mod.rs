//! What lm-evaluation-harness does to rows and answers in Python, for the tasks it ships: named in a task file where its own
//! file has a `!function`.

use pyjinja::Columns;
mod hellaswag;
mod hendrycks;
mod last_box;
mod minerva;

/// `process_docs: NAME`: columns made of a row's own, before any template reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowProcess {
    /// `query`, `choices` and `gold`, cleaned of WikiHow's marks.
    Hellaswag,
    /// `answer`: what stands in the last box of the solution.
    HendrycksMath,
    /// `answer`: the same in Minerva's normal form.
    MinervaMath,
}

impl RowProcess {
    /// The names, for messages.
    pub const NAMES: &str = "hellaswag, hendrycks_math, minerva_math";

    /// The one of this name.
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
    /// Hendrycks et al. 2021: what stands between the first and the last dollar sign, with spellings of LaTeX evened out.
    HendrycksMath,
    /// Lewkowycz et al. 2022: what "Final Answer: The final answer is" says, in normal form, then mathematically.
    MinervaMath,
}

impl Comparison {
    /// The names, for messages.
    pub(super) const NAMES: &str = "hendrycks_math, minerva_math";

    /// The one of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "hendrycks_math" => Some(Self::HendrycksMath),
            "minerva_math" => Some(Self::MinervaMath),
            _ => None,
        }
    }

    /// Whether a text has the gold answer.
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
        Some(_) => Err(format!("column `{column}` is no text")),
        None => {
            let known: Vec<&str> = row.keys().map(String::as_str).collect();
            Err(format!(
                "no column `{column}` (the row has {})",
                known.join(", ")
            ))
        }
    }
}
