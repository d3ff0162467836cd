//! Metrics of one sample, and their mean with its standard error.

use super::process::Comparison;
use super::words::words;
use math_answer::{extract_answer, math_equal};
use pyjinja::PythonRegex;

/// A metric of a task, with its options.
#[derive(Debug, Clone)]
pub enum Metric {
    /// The option with the highest sum of log-probabilities is the gold one.
    Acc,
    /// Like [`Acc`](Metric::Acc), but each sum is divided by the number of characters of its
    /// option.
    AccNorm,
    /// Like [`Acc`](Metric::Acc), but each sum is divided by the number of bytes of its option.
    AccBytes,
    /// Greedy decoding produces the target (`acc` of `output_type: loglikelihood`).
    Greedy,
    /// exp(-mean of the targets' log-probabilities) over all samples. The value of a single sample
    /// is its log-probability.
    Perplexity,
    /// exp(-sum of the texts' log-probabilities / sum of their words) over all samples. The value
    /// of a single sample is its log-probability.
    WordPerplexity,
    /// Like [`WordPerplexity`](Metric::WordPerplexity), by bytes.
    BytePerplexity,
    /// -sum of log2-probabilities / sum of bytes, over all samples.
    BitsPerByte,
    /// Answer and gold are the same text after normalisation.
    ExactMatch(ExactMatch),
    /// Answer and gold are mathematically equal, see [`math_equal`]. Not in lm-evaluation-harness.
    MathMatch,
    /// The comparison that `process_results` names, on the whole text. Reported as `exact_match`.
    Compared(Comparison),
    /// Reported as `math_match`, beside [`Compared`](Metric::Compared): the answer that
    /// [`extract_answer`] finds in the whole text is mathematically equal to gold.
    AnswerMatch,
}

impl Metric {
    /// The name in task files and in results.
    pub fn name(&self) -> &'static str {
        match self {
            Metric::Acc | Metric::Greedy => "acc",
            Metric::Perplexity => "perplexity",
            Metric::WordPerplexity => "word_perplexity",
            Metric::BytePerplexity => "byte_perplexity",
            Metric::BitsPerByte => "bits_per_byte",
            Metric::AccNorm => "acc_norm",
            Metric::AccBytes => "acc_bytes",
            Metric::ExactMatch(_) | Metric::Compared(_) => "exact_match",
            Metric::MathMatch | Metric::AnswerMatch => "math_match",
        }
    }

    /// Whether an answer is right under this metric. Always false for metrics of scored options or
    /// texts.
    pub(super) fn matches(&self, answer: &str, gold: &str) -> bool {
        match self {
            Metric::Acc
            | Metric::AccNorm
            | Metric::AccBytes
            | Metric::Greedy
            | Metric::Perplexity
            | Metric::WordPerplexity
            | Metric::BytePerplexity
            | Metric::BitsPerByte => false,
            Metric::ExactMatch(options) => options.normalise(answer) == options.normalise(gold),
            Metric::MathMatch => math_equal(answer, gold),
            Metric::Compared(comparison) => comparison.matches(answer, gold),
            Metric::AnswerMatch => {
                extract_answer(answer).is_some_and(|answer| math_equal(answer, gold))
            }
        }
    }

    /// Whether a higher value is better.
    pub fn higher_is_better(&self) -> bool {
        !self.is_log_prob()
    }

    /// Whether the value of a sample is a log-probability.
    fn is_log_prob(&self) -> bool {
        matches!(
            self,
            Metric::Perplexity
                | Metric::WordPerplexity
                | Metric::BytePerplexity
                | Metric::BitsPerByte
        )
    }

    /// The number by which a text's log-probability is divided: its words or bytes. `None` for
    /// metrics in which every sample counts the same.
    pub fn length(&self, text: &str) -> Option<usize> {
        match self {
            Metric::WordPerplexity => Some(words(text)),
            Metric::BytePerplexity | Metric::BitsPerByte => Some(text.len()),
            _ => None,
        }
    }

    /// The value for a sample that was not answered; NaN if such samples are left out of the mean.
    pub fn of_nothing(&self) -> f64 {
        match self.is_log_prob() {
            true => f64::NAN,
            false => 0.0,
        }
    }

    /// The reported value for all samples, given as `(value, length)` with the [`Metric::length`]
    /// of each; `None` without samples.
    pub fn over_samples(&self, values: &[(f64, Option<usize>)]) -> Option<Mean> {
        if !self.is_log_prob() {
            let values: Vec<f64> = values.iter().map(|(value, _)| *value).collect();
            return Mean::of(&values);
        }
        let known = values.iter().filter(|(value, _)| value.is_finite());
        let known: Vec<(f64, Option<usize>)> = known.copied().collect();
        let log_probs: Vec<f64> = known.iter().map(|(value, _)| *value).collect();
        let mean = Mean::of(&log_probs)?;
        if let Metric::Perplexity = self {
            let value = (-mean.value).exp();
            return Some(Mean {
                value,
                // To first order; lm-evaluation-harness uses a bootstrap instead.
                standard_error: mean.standard_error.map(|error| error * value),
                ..mean
            });
        }
        let length: usize = known.iter().filter_map(|(_, length)| *length).sum();
        let rate = -log_probs.iter().sum::<f64>() / length as f64;
        Some(Mean {
            value: match self {
                Metric::BitsPerByte => rate / std::f64::consts::LN_2,
                _ => rate.exp(),
            },
            standard_error: None,
            count: known.len(),
        })
    }

    /// The gold answer in the form that the metric compares.
    pub(super) fn normalise(&self, gold: &str) -> String {
        match self {
            Metric::ExactMatch(options) => options.normalise(gold),
            _ => gold.trim().to_owned(),
        }
    }
}

/// Options of `exact_match`, applied to both sides in this order.
#[derive(Debug, Clone, Default)]
pub struct ExactMatch {
    pub(super) regexes_to_ignore: Vec<PythonRegex>,
    pub(super) ignore_case: bool,
    pub(super) ignore_punctuation: bool,
    pub(super) ignore_numbers: bool,
}

impl ExactMatch {
    fn normalise(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for regex in &self.regexes_to_ignore {
            text = regex.replace(&text, "", 0);
        }
        if self.ignore_case {
            text = text.to_lowercase();
        }
        // Python's string.punctuation and string.digits: ASCII alone.
        text.retain(|c| {
            !(self.ignore_punctuation && c.is_ascii_punctuation()
                || self.ignore_numbers && c.is_ascii_digit())
        });
        text
    }
}

/// A mean over samples as lm-evaluation-harness reports it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// The mean.
    pub value: f64,
    /// Its standard error from the sample variance (n - 1); `None` for a single sample.
    pub standard_error: Option<f64>,
    /// Number of samples.
    pub count: usize,
}

impl Mean {
    /// The mean of these values; `None` without values.
    pub fn of(values: &[f64]) -> Option<Mean> {
        let count = values.len();
        if count == 0 {
            return None;
        }
        let value = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|x| (x - value).powi(2)).sum();
        let standard_error =
            (count > 1).then(|| (squares / (count - 1) as f64 / count as f64).sqrt());
        Some(Mean {
            value,
            standard_error,
            count,
        })
    }
}

/// `acc,none` -> `acc_stderr,none`.
pub fn standard_error_key(key: &str) -> String {
    let (metric, filter) = key.split_once(',').unwrap_or((key, "none"));
    format!("{metric}_stderr,{filter}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_error_is_that_of_the_sample_mean() {
        let values: Vec<f64> = (0..10).map(|i| f64::from(i % 5 < 3)).collect();
        let mean = Mean::of(&values).unwrap();
        let p: f64 = 0.6;
        assert!((mean.value - p).abs() < 1e-12);
        assert!((mean.standard_error.unwrap() - (p * (1.0 - p) / 9.0).sqrt()).abs() < 1e-12);
        assert_eq!(Mean::of(&[1.0]).unwrap().standard_error, None);
        assert_eq!(Mean::of(&[]), None);
        assert_eq!(
            standard_error_key("exact_match,strict-match"),
            "exact_match_stderr,strict-match"
        );
    }

    #[test]
    fn gsm8ks_exact_match_drops_working_commas_and_money() {
        let patterns = [",", "\\$", "(?s).*#### ", "\\.$"];
        let options = ExactMatch {
            regexes_to_ignore: patterns
                .iter()
                .map(|p| PythonRegex::new(p).unwrap())
                .collect(),
            ignore_case: true,
            ..ExactMatch::default()
        };
        let metric = Metric::ExactMatch(options);
        let gold = "He sells 16 <<16-3=13>>\nso\n#### 1,800";
        for answer in ["1800", "$1,800.", "1,800"] {
            assert!(metric.matches(answer, gold), "{answer}");
        }
        for answer in ["1800.0", "180", "[invalid]", " 1800"] {
            assert!(!metric.matches(answer, gold), "{answer}");
        }
        assert_eq!(metric.normalise(gold), "1800");
    }

    #[test]
    fn case_punctuation_and_numbers_are_ignored_where_asked() {
        let metric = |case, punctuation, numbers| {
            Metric::ExactMatch(ExactMatch {
                ignore_case: case,
                ignore_punctuation: punctuation,
                ignore_numbers: numbers,
                ..ExactMatch::default()
            })
        };
        assert!(metric(true, true, false).matches("(b)", "B."));
        assert!(!metric(false, true, false).matches("(b)", "B."));
        assert!(metric(false, false, true).matches("x12", "x3"));
        assert!(!metric(false, false, false).matches("x ", "x"));
    }
}
