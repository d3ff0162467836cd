//! lm-evaluation-harness's output files: `results_TIME.json`, and `samples_TASK_TIME.jsonl` of each task.

mod results;
mod samples;

use serde::{Deserialize, Serialize};

use super::Sample;

pub use results::{Results, metrics_of};

/// A model's response to a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Response {
    /// Texts were scored.
    Scores {
        /// Sums of the log-probabilities of their tokens, nats.
        log_probs: Vec<f64>,
        /// Whether greedy decoding would produce each of them.
        greedy: Vec<bool>,
    },
    /// A text was generated.
    Text(String),
    /// The model's state was not finite, so there is no answer.
    Nothing,
}

/// The result of a sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SampleResult {
    /// Response to the question with the options in the task's own order.
    pub response: Response,
    /// Responses to its rotations.
    pub rotated: Vec<Response>,
    /// The values of [`TaskSpec::metric_keys`](super::TaskSpec::metric_keys).
    pub values: Vec<f64>,
    /// Whether the answer is right.
    pub correct: bool,
    /// Lead of the right answer over the best other one, nats.
    pub margin: Option<f64>,
    /// Mean loss on the prompt's own tokens, nats per token; `None` if it was not read or is not
    /// finite.
    pub prompt_loss: Option<f64>,
    /// `prompt_loss` less that of the unmodified model.
    pub degradation: Option<f64>,
    /// The answer.
    pub answer: String,
}

/// A sample and its result; `None` if it failed.
pub type Row<'a> = (&'a Sample, Option<&'a SampleResult>);

/// The settings of an evaluation, as its output files report them.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// Name of the model.
    pub model: String,
    /// Hash of its configuration and weights.
    pub model_hash: String,
    /// Number of its parameters.
    pub parameters: i64,
    /// Longest sequence it was made for, in tokens.
    pub max_length: i64,
    /// `f32`, `bf16` or `f16`.
    pub dtype: &'static str,
    /// The device.
    pub device: String,
    /// Version of the program.
    pub version: &'static str,
    /// Whether prompts go through the chat template.
    pub chat: bool,
    /// Whether solved examples are turns of the chat.
    pub fewshot_as_multiturn: bool,
    /// The chat's system message.
    pub system: Option<String>,
    /// The chat template, where it is used.
    pub chat_template: Option<String>,
    /// Whether options are listed by letter.
    pub letters: bool,
    /// Whether questions are put in every rotation of their options.
    pub rotations: bool,
    /// Whether the tokenizer's special tokens are left out.
    pub no_bos: bool,
    /// Most samples per task.
    pub limit: Option<usize>,
    /// Conditions on rows, as they were given.
    pub conditions: Vec<String>,
    /// The padding token and its id.
    pub pad_token: Option<(String, Option<u32>)>,
    /// The end-of-sequence token and its id.
    pub eos_token: Option<(String, Option<u32>)>,
    /// The beginning-of-sequence token and its id.
    pub bos_token: Option<(String, Option<u32>)>,
}

impl Setting {
    fn torch_dtype(&self) -> &'static str {
        match self.dtype {
            "f32" => "torch.float32",
            "bf16" => "torch.bfloat16",
            "f16" => "torch.float16",
            other => other,
        }
    }
}
