//! Parses the keys that define how an answer is scored: `metric_list` and `filter_list`.

use pyjinja::PythonRegex;
use serde_yaml_ng::{Mapping, Value};

use super::error::TaskError;
use super::filter::{FALLBACK, Filter, Pipeline};
use super::listed_choice::ListedChoice;
use super::metric::{ExactMatch, Metric};
use super::process::Comparison;
use super::spec::Output;
use super::yaml::{Entry, Keys, scalar};

/// A mapping inside a key. Its options are taken out one by one; options that are left are unknown.
struct Options<'e> {
    entry: &'e Entry,
    /// The place of the mapping within the key, for messages: `[0]` in `metric_list[0]`.
    place: String,
    left: Mapping,
}

impl<'e> Options<'e> {
    fn of(entry: &'e Entry, place: String, value: &Value) -> Result<Self, TaskError> {
        match value {
            Value::Mapping(left) => Ok(Options {
                entry,
                place,
                left: left.clone(),
            }),
            _ => Err(entry.error_at(&place, "expected `key: value` lines")),
        }
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        self.left.remove(key)
    }

    fn error(&self, key: &str, message: impl Into<String>) -> TaskError {
        self.entry
            .error_at(&format!("{}.{key}", self.place), message)
    }

    fn text(&mut self, key: &str) -> Result<Option<String>, TaskError> {
        match self.take(key) {
            Some(value) => match scalar(&value) {
                Some(text) => Ok(Some(text)),
                None => Err(self.error(key, "expected a text")),
            },
            None => Ok(None),
        }
    }

    fn flag(&mut self, key: &str) -> Result<bool, TaskError> {
        match self.take(key) {
            Some(value) => value
                .as_bool()
                .ok_or_else(|| self.error(key, "expected true or false")),
            None => Ok(false),
        }
    }

    fn regex(&self, key: &str, pattern: &str) -> Result<PythonRegex, TaskError> {
        PythonRegex::new(pattern).map_err(|reason| self.error(key, reason))
    }

    fn finish(self) -> Result<(), TaskError> {
        match self.left.keys().next() {
            Some(key) => Err(self.error(
                &scalar(key).unwrap_or_default(),
                "unknown or unsupported option",
            )),
            None => Ok(()),
        }
    }
}

fn list(entry: &Entry) -> Result<&[Value], TaskError> {
    match &entry.value {
        Value::Sequence(items) if !items.is_empty() => Ok(items),
        _ => Err(entry.error("expected a list")),
    }
}

/// `metric_list`, or lm-evaluation-harness's metrics for a task without one.
pub(super) fn metrics(
    keys: &mut Keys,
    output: &Output,
    comparison: Option<Comparison>,
) -> Result<Vec<Metric>, TaskError> {
    let Some(entry) = keys.take("metric_list") else {
        return Ok(match (output, comparison) {
            (Output::MultipleChoice, _) => vec![Metric::Acc, Metric::AccNorm],
            (Output::LogLikelihood, _) => vec![Metric::Perplexity, Metric::Greedy],
            (Output::Rolling, _) => vec![
                Metric::WordPerplexity,
                Metric::BytePerplexity,
                Metric::BitsPerByte,
            ],
            (_, Some(comparison)) => vec![Metric::Compared(comparison)],
            (_, None) => vec![Metric::ExactMatch(ExactMatch::default())],
        });
    };
    let mut metrics: Vec<Metric> = Vec::new();
    for (at, value) in list(&entry)?.iter().enumerate() {
        let mut options = Options::of(&entry, format!("[{at}]"), value)?;
        let metric = metric(&mut options, output, comparison)?;
        if metrics.iter().any(|known| known.name() == metric.name()) {
            return Err(options.error("metric", format!("`{}` is listed twice", metric.name())));
        }
        options.finish()?;
        metrics.push(metric);
    }
    Ok(metrics)
}

fn metric(
    options: &mut Options<'_>,
    output: &Output,
    comparison: Option<Comparison>,
) -> Result<Metric, TaskError> {
    let name = options
        .text("metric")?
        .ok_or_else(|| options.error("metric", "missing"))?;
    let usual = match name.as_str() {
        "perplexity" => "perplexity",
        "word_perplexity" | "byte_perplexity" => "weighted_perplexity",
        "bits_per_byte" => "bits_per_byte",
        _ => "mean",
    };
    if let Some(aggregation) = options.text("aggregation")?
        && aggregation != usual
    {
        return Err(options.error(
            "aggregation",
            format!("`{aggregation}` is not supported: only {usual}"),
        ));
    }
    // Neither option changes a mean over samples.
    for key in ["higher_is_better", "weight_by_size"] {
        options.take(key);
    }
    if options.flag("hf_evaluate")? {
        return Err(options.error("hf_evaluate", "only false is supported"));
    }
    match (name.as_str(), output) {
        ("acc", Output::MultipleChoice) => Ok(Metric::Acc),
        ("acc_norm", Output::MultipleChoice) => Ok(Metric::AccNorm),
        ("acc_bytes", Output::MultipleChoice) => Ok(Metric::AccBytes),
        ("acc", Output::LogLikelihood) => Ok(Metric::Greedy),
        ("perplexity", Output::LogLikelihood) => Ok(Metric::Perplexity),
        ("word_perplexity", Output::Rolling) => Ok(Metric::WordPerplexity),
        ("byte_perplexity", Output::Rolling) => Ok(Metric::BytePerplexity),
        ("bits_per_byte", Output::Rolling) => Ok(Metric::BitsPerByte),
        ("exact_match", Output::Generate { .. }) => match comparison {
            Some(comparison) => Ok(Metric::Compared(comparison)),
            None => exact_match(options),
        },
        ("math_match", Output::Generate { .. }) if comparison.is_some() => Ok(Metric::AnswerMatch),
        ("math_match", Output::Generate { .. }) => Ok(Metric::MathMatch),
        _ => {
            let known = match output {
                Output::MultipleChoice => "acc, acc_norm and acc_bytes are",
                Output::LogLikelihood => "acc and perplexity are",
                Output::Rolling => "word_perplexity, byte_perplexity and bits_per_byte are",
                Output::Generate { .. } => "exact_match and math_match are",
            };
            Err(options.error("metric", format!("`{name}` is not supported: {known}")))
        }
    }
}

fn regexes_to_ignore(options: &mut Options<'_>) -> Result<Vec<PythonRegex>, TaskError> {
    const PATTERNS: &str = "regexes_to_ignore";
    let mut regexes = Vec::new();
    if let Some(patterns) = options.take(PATTERNS).filter(|value| !value.is_null()) {
        let inside = format!("{}.{PATTERNS}", options.place);
        for pattern in options.entry.texts_in(&inside, &patterns)? {
            regexes.push(options.regex(PATTERNS, &pattern)?);
        }
    }
    Ok(regexes)
}

fn exact_match(options: &mut Options<'_>) -> Result<Metric, TaskError> {
    Ok(Metric::ExactMatch(ExactMatch {
        regexes_to_ignore: regexes_to_ignore(options)?,
        ignore_case: options.flag("ignore_case")?,
        ignore_punctuation: options.flag("ignore_punctuation")?,
        ignore_numbers: options.flag("ignore_numbers")?,
    }))
}

/// Parses `filter_list`.
pub(super) fn filters(entry: &Entry, output: &Output) -> Result<Vec<Pipeline>, TaskError> {
    let mut pipelines: Vec<Pipeline> = Vec::new();
    for (at, value) in list(entry)?.iter().enumerate() {
        let mut options = Options::of(entry, format!("[{at}]"), value)?;
        let name = options
            .text("name")?
            .ok_or_else(|| options.error("name", "missing"))?;
        if pipelines.iter().any(|known| known.name == name) {
            return Err(options.error("name", format!("`{name}` is listed twice")));
        }
        let steps = match options.take("filter") {
            Some(Value::Sequence(items)) => items,
            _ => return Err(options.error("filter", "expected a list of functions")),
        };
        options.finish()?;
        let steps = steps.iter().enumerate().map(|(step, value)| {
            filter(Options::of(entry, format!("[{at}].filter[{step}]"), value)?)
        });
        let steps: Vec<Filter> = steps
            .filter_map(Result::transpose)
            .collect::<Result<_, _>>()?;
        if !matches!(output, Output::Generate { .. }) && !steps.is_empty() {
            return Err(entry.error(
                "a multiple_choice or loglikelihood task has no text to filter: only take_first is supported",
            ));
        }
        pipelines.push(Pipeline { name, steps });
    }
    Ok(pipelines)
}

/// One filter. `None` for filters that choose among several responses: there is only one response.
fn filter(mut options: Options<'_>) -> Result<Option<Filter>, TaskError> {
    let function = options
        .text("function")?
        .ok_or_else(|| options.error("function", "missing"))?;
    let filter = match function.as_str() {
        "take_first" | "majority_vote" => None,
        "remove_whitespace" => Some(Filter::RemoveWhitespace),
        "lowercase" => Some(Filter::Lowercase),
        "uppercase" => Some(Filter::Uppercase),
        "boxed" => Some(Filter::Boxed {
            fallback: options
                .text("fallback")?
                .unwrap_or_else(|| FALLBACK.to_owned()),
        }),
        "answer" => Some(Filter::Answer {
            fallback: options
                .text("fallback")?
                .unwrap_or_else(|| FALLBACK.to_owned()),
        }),
        "regex" => {
            let (regex, select, fallback) = regex_options(&mut options)?;
            Some(Filter::Regex {
                regex,
                select,
                fallback,
            })
        }
        "multi_choice_regex" => {
            let (regex, select, fallback) = regex_options(&mut options)?;
            Some(Filter::ListedChoice(ListedChoice {
                regex,
                select,
                fallback,
                regexes_to_ignore: regexes_to_ignore(&mut options)?,
                ignore_case: options.flag("ignore_case")?,
                ignore_punctuation: options.flag("ignore_punctuation")?,
            }))
        }
        _ => {
            let known = "regex, multi_choice_regex, take_first, remove_whitespace, lowercase, uppercase, majority_vote, boxed and answer are";
            return Err(options.error(
                "function",
                format!("`{function}` is not supported: {known}"),
            ));
        }
    };
    options.finish()?;
    Ok(filter)
}

/// `regex_pattern`, `group_select` and `fallback`.
fn regex_options(options: &mut Options<'_>) -> Result<(PythonRegex, i64, String), TaskError> {
    let pattern = options.text("regex_pattern")?;
    let pattern = pattern.unwrap_or_else(|| r"#### (\-?[0-9\.\,]+)".to_owned());
    let select = match options.take("group_select") {
        Some(value) => value
            .as_i64()
            .ok_or_else(|| options.error("group_select", "expected a whole number"))?,
        None => 0,
    };
    let fallback = options.text("fallback")?;
    let regex = options.regex("regex_pattern", &pattern)?;
    Ok((
        regex,
        select,
        fallback.unwrap_or_else(|| FALLBACK.to_owned()),
    ))
}
