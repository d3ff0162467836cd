//! Grades a model's output for a sample, with pure functions.

use super::complete::truncate_at_stop;
use super::metric::Metric;
use super::sample::{Question, Variant};

/// Margins are clamped to this, so that they are finite numbers in every file.
pub const MARGIN_LIMIT: f64 = 1e9;

/// The verdict on the log-probabilities of a question's options.
#[derive(Debug, Clone, PartialEq)]
pub struct ChoiceVerdict {
    /// The option with the highest sum; ties go to the first.
    pub picked: usize,
    /// The option with the highest sum per character.
    pub picked_norm: usize,
    /// The option with the highest sum per byte.
    pub picked_bytes: usize,
    /// Whether the answer is right under the deciding metric, the task's first.
    pub correct: bool,
    /// The gold option's score under the deciding metric minus the best other option's.
    pub margin: f64,
    /// The values of [`TaskSpec::metric_keys`](super::TaskSpec::metric_keys).
    pub values: Vec<f64>,
}

/// The verdict on a generated text.
#[derive(Debug, Clone, PartialEq)]
pub struct TextVerdict {
    /// Whether the answer is right under the deciding filter and metric, the task's first ones.
    pub correct: bool,
    /// The answer that the deciding filter finds in the text.
    pub answer: String,
    /// The values of [`TaskSpec::metric_keys`](super::TaskSpec::metric_keys).
    pub values: Vec<f64>,
}

impl Variant<'_> {
    /// Grades the sums of log-probabilities of the options' continuations, in order.
    ///
    /// NaN and missing values count as minus infinity. An option whose score is not finite is never
    /// right, because the model's state was not finite. For a question without options the verdict
    /// is never right.
    pub fn grade_choice(&self, logprobs: &[f64]) -> ChoiceVerdict {
        let options = self.question.scored_options().len();
        let right = (0..options).filter(|&at| self.is_right_option(at));
        self.grade_options(logprobs, &right.collect::<Vec<_>>())
    }

    /// Lead of the picked option over the next best one, nats: the smallest lead by any of the
    /// scores that the task's metrics use.
    pub fn choice_lead(&self, logprobs: &[f64]) -> f64 {
        let scores = self.scores(logprobs);
        let metrics = self.sample.task.metrics.iter();
        let read = metrics.filter_map(|metric| scores.of(metric));
        std::iter::once(&scores.sums)
            .chain(read)
            .map(|scores| lead(scores))
            .fold(f64::INFINITY, f64::min)
    }

    /// The options' scores under the deciding metric, in order: sums of log-probabilities (nats),
    /// in all or for each character or byte.
    pub fn deciding_scores(&self, logprobs: &[f64]) -> Vec<f64> {
        let scores = self.scores(logprobs);
        let deciding = self.sample.task.metrics.first().and_then(|m| scores.of(m));
        deciding.unwrap_or(&scores.sums).clone()
    }

    /// Like [`grade_choice`](Self::grade_choice), with option `target` as the right one: for the
    /// control that searches for a wrong answer.
    pub fn grade_choice_against(&self, logprobs: &[f64], target: usize) -> ChoiceVerdict {
        self.grade_options(logprobs, &[target])
    }

    fn grade_options(&self, logprobs: &[f64], wanted: &[usize]) -> ChoiceVerdict {
        let scores = self.scores(logprobs);
        let right = |scores: &[f64]| {
            let picked = first_highest(scores);
            wanted.contains(&picked) && scores.get(picked).is_some_and(|s| s.is_finite())
        };
        let value = |metric: &Metric| scores.of(metric).map_or(0.0, |s| f64::from(right(s)));
        let pipelines = self.sample.task.filters.len();
        let values: Vec<f64> = (0..pipelines)
            .flat_map(|_| self.sample.task.metrics.iter().map(value))
            .collect();
        ChoiceVerdict {
            picked: first_highest(&scores.sums),
            picked_norm: first_highest(&scores.normed),
            picked_bytes: first_highest(&scores.by_bytes),
            correct: values.first() == Some(&1.0),
            margin: margin(&self.deciding_scores(logprobs), wanted),
            values,
        }
    }

    /// The scores of the options. NaN and missing values count as minus infinity.
    fn scores(&self, logprobs: &[f64]) -> Scores {
        let options = self.question.scored_options();
        let sum = |at: usize| {
            let sum = logprobs.get(at).copied().filter(|sum| !sum.is_nan());
            sum.unwrap_or(f64::NEG_INFINITY)
        };
        let sums: Vec<f64> = (0..options.len()).map(sum).collect();
        let by = |length: &dyn Fn(&String) -> usize| {
            let pairs = sums.iter().zip(options);
            pairs
                .map(|(sum, option)| sum / length(option) as f64)
                // An empty option with a sum of 0 gives NaN.
                .map(|share| {
                    if share.is_nan() {
                        f64::NEG_INFINITY
                    } else {
                        share
                    }
                })
                .collect()
        };
        Scores {
            normed: by(&|option| option.chars().count()),
            by_bytes: by(&String::len),
            sums,
        }
    }

    /// Grades the log-probability of the one text that is scored. It is right if greedy decoding
    /// produces the text, that is, if `lead`, the smallest lead of its tokens over the most likely
    /// other ones, is above 0.
    pub fn grade_log_likelihood(&self, log_prob: f64, greedy: bool, lead: f64) -> ChoiceVerdict {
        let value = |metric: &Metric| match metric {
            Metric::Greedy => f64::from(greedy),
            _ => log_prob,
        };
        let values = self.sample.task.filters.iter();
        let values = values.flat_map(|_| self.sample.task.metrics.iter().map(value));
        ChoiceVerdict {
            picked: 0,
            picked_norm: 0,
            picked_bytes: 0,
            correct: greedy,
            margin: margin(&[lead, 0.0], &[0]),
            values: values.collect(),
        }
    }

    /// Grades a generated text against `target`, normally the gold answer of the question.
    ///
    /// The text is first cut at a stop text. For a question that does not ask for generated text
    /// the verdict is never right.
    pub fn grade_text(&self, text: &str, target: &str) -> TextVerdict {
        self.grade_text_among(text, &[target])
    }

    /// Like [`grade_text`](Self::grade_text), with several right answers.
    pub fn grade_text_among(&self, text: &str, targets: &[&str]) -> TextVerdict {
        let (until, asks_text) = match &self.question {
            Question::Generate { until, .. } => (until.as_slice(), true),
            _ => (&[][..], false),
        };
        let text = truncate_at_stop(text, until);
        let answers: Vec<String> = self
            .sample
            .task
            .filters
            .iter()
            .map(|filter| filter.apply(text, &self.sample.doc))
            .collect();
        let values: Vec<f64> = answers
            .iter()
            .flat_map(|answer| {
                self.sample.task.metrics.iter().map(move |metric| {
                    let mut targets = targets.iter();
                    let right = targets.any(|target| metric.matches(answer, target));
                    f64::from(asks_text && right)
                })
            })
            .collect();
        TextVerdict {
            correct: values.first() == Some(&1.0),
            answer: answers.into_iter().next().unwrap_or_default(),
            values,
        }
    }
}

/// The scores by which options are compared.
struct Scores {
    sums: Vec<f64>,
    normed: Vec<f64>,
    by_bytes: Vec<f64>,
}

impl Scores {
    /// The scores that a metric uses.
    fn of(&self, metric: &Metric) -> Option<&Vec<f64>> {
        match metric {
            Metric::Acc => Some(&self.sums),
            Metric::AccNorm => Some(&self.normed),
            Metric::AccBytes => Some(&self.by_bytes),
            _ => None,
        }
    }
}

/// Lead of the best score over the second best.
fn lead(scores: &[f64]) -> f64 {
    let (mut best, mut second) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    for &score in scores {
        if score > best {
            (best, second) = (score, best);
        } else {
            second = second.max(score);
        }
    }
    best - second
}

/// The index of the highest score; of equal ones the first. 0 if there are no scores.
fn first_highest(scores: &[f64]) -> usize {
    let mut best = 0;
    for (at, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = at;
        }
    }
    best
}

/// Lead of the best of the wanted options over the best other one.
fn margin(scores: &[f64], wanted: &[usize]) -> f64 {
    let best = |own: bool| {
        let scores = scores.iter().enumerate();
        let among = scores.filter(|(at, _)| wanted.contains(at) == own);
        among.fold(f64::NEG_INFINITY, |best, (_, score)| best.max(*score))
    };
    match best(true) - best(false) {
        // Both are minus infinity: this counts as the largest lead of the others.
        margin if margin.is_nan() => -MARGIN_LIMIT,
        margin => margin.clamp(-MARGIN_LIMIT, MARGIN_LIMIT),
    }
}
