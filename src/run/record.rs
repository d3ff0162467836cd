//! One line of the journal: everything that is known of one finished sample.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Certificate, Sampled};
use crate::problem::Verdict;
use cola_engine::Cost;
use cola_search::Health;
use cola_search::chain::Chain;

/// A finished sample. The journal (`samples.jsonl`) holds one such object a line; every table,
/// figure and export is derived from these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SampleRecord {
    /// Name of the task.
    pub task: String,
    /// Identifier of the row in the dataset (its own `id`, or its line number).
    pub id: String,
    /// Position of the row in the dataset, from 0.
    pub index: usize,
    /// Number of layers of the model.
    pub layers: usize,
    /// Hash of the model's configuration and weights, as in the manifest.
    pub model_hash: String,
    /// Hash of the token tree the model was asked.
    pub prompt_hash: String,
    /// The right answer: an option's text, or the target string.
    pub gold: String,
    /// Seed of this sample's search, drawn from (run seed, task, id).
    pub seed: u64,
    /// Most nats a token by which a chain may read the prompt worse than the unmodified model and still count; `None` for no
    /// bound.
    #[serde(default)]
    pub max_degradation: Option<f64>,
    /// Loss of the unmodified model on the prompt, nats a token; `None` of a prompt of one token, and when the sample failed.
    #[serde(default)]
    pub prompt_loss: Option<f64>,
    /// The right answer and the wrong ones a control may search for, with how likely the unmodified model finds each. Empty
    /// where the task has no wrong answers, or the model's scores are not finite.
    #[serde(default)]
    pub candidates: Vec<Candidate>,
    /// The unmodified model. `None` only when the sample failed.
    pub baseline: Option<Evaluation>,
    /// The shortest right chain within the bound on degradation, run again alone and uncached before it was written here.
    pub best: Option<Evaluation>,
    /// Right chains the re-check did not confirm, in the order they were tried.
    pub unconfirmed: Vec<Chain>,
    /// The right chains, within the bound or not, that no other right one beats on depth, margin and degradation together,
    /// shortest first.
    pub pareto: Vec<Evaluation>,
    /// Every chain the search evaluated, in the order it was told.
    pub evaluations: Vec<Evaluation>,
    /// How the search went.
    pub health: Option<Health>,
    /// Control searches, if the sample is in the control subsample.
    pub controls: Option<Controls>,
    /// Answers drawn from the unmodified model, one entry a temperature, if the run draws any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sampling: Vec<Sampled>,
    /// What the chains of a menu give that was chosen on other samples, in the menu's order, the unmodified model first. Not in the
    /// journal: it is filled in from `menu.jsonl` when records are read. Empty where the run has no menu.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub menu: Vec<Evaluation>,
    /// Why the menu could not be evaluated, if it could not; then `menu` is empty. Filled in like that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub menu_error: Option<String>,
    /// What the best chain is worth. Not in the journal: it is filled in from `certificates.jsonl` when records are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    /// What the sample cost, controls and re-checks included.
    pub cost: SampleCost,
    /// Why the sample failed, if it did.
    pub error: Option<String>,
    /// Which invocation of the run wrote this record, from 0, and how many seconds into it.
    pub session: u32,
    /// See `session`.
    pub elapsed: f64,
}

/// One chain's verdict on one sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// What ran.
    pub chain: Chain,
    /// Whether the answer was right.
    pub correct: bool,
    /// Log-probability (nats) of the gold option or continuation minus that of the best other;
    /// `None` where the state was not finite.
    pub margin: Option<f64>,
    /// What was answered: the chosen option's text, or the extracted answer.
    pub answer: String,
    /// How much worse than the unmodified model the chain reads the prompt, nats a token. `None` where the sample has no
    /// [prompt loss](SampleRecord::prompt_loss), and otherwise where a state was not finite.
    #[serde(default)]
    pub degradation: Option<f64>,
}

/// An answer that a sample can be given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// As answers are recorded: an option's text, or a text.
    pub answer: String,
    /// How likely the unmodified model finds it: what options are compared by, or the log-probability (nats) of a text.
    pub score: f64,
    /// Whether it is the right one.
    pub gold: bool,
}

/// Control searches at the same budget and bound on the same sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Controls {
    /// Random chains from the same edit space, without a tree, and what they are told nothing of.
    pub random: RandomOutcome,
    /// The same search for the wrong answer whose score under the unmodified model is nearest to the right one's. Only of
    /// samples that the unmodified model gets wrong; `None` also where no wrong answer has a score.
    #[serde(default)]
    pub matched_target: Option<ControlOutcome>,
    /// The same search for a wrong answer drawn at random. Only of samples that the unmodified model gets wrong; `None` also
    /// where no wrong answer can be made up.
    pub wrong_target: Option<ControlOutcome>,
}

/// What random chains found. They are the same whatever answer is looked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RandomOutcome {
    /// The right answer.
    pub target: String,
    /// Distinct chains evaluated.
    pub chains: usize,
    /// The shortest chain within the bound that gave the right answer, the unmodified model included.
    pub found: Option<Chain>,
    /// The shortest that gave the matched wrong answer, where there is one.
    #[serde(default)]
    pub found_matched: Option<Chain>,
    /// The shortest that gave the wrong answer drawn at random, where there is one.
    #[serde(default)]
    pub found_wrong: Option<Chain>,
    /// Every chain evaluated, in the order drawn.
    #[serde(default)]
    pub evaluations: Vec<Evaluation>,
}

/// What a search for a wrong answer found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ControlOutcome {
    /// The answer it looked for.
    pub target: String,
    /// Distinct chains it evaluated.
    pub chains: usize,
    /// The shortest chain within the bound that gave the target.
    pub found: Option<Chain>,
}

/// What one sample cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SampleCost {
    /// Layer steps run on the sample's rows (one layer applied to one state).
    pub steps_run: u64,
    /// Layer steps run for the draft nodes alone that joined a row after its state was computed.
    #[serde(default)]
    pub steps_grown: u64,
    /// Layer steps the state table made unnecessary.
    pub steps_saved: u64,
    /// Tokens generated.
    pub tokens_decoded: u64,
    /// Of these, tokens that were read off the pass over the prompt: other chains had written them.
    #[serde(default)]
    pub tokens_drafted: u64,
    /// Passes through a chain: one an evaluation, and one for each token decoded by itself.
    #[serde(default)]
    pub passes: u64,
    /// Layer steps of single decoded tokens.
    pub decode_steps: u64,
    /// Positions that passed norm and head.
    #[serde(default)]
    pub head_positions: u64,
    /// Of these, positions that were read for the loss on the prompt alone.
    #[serde(default)]
    pub loss_positions: u64,
    /// Evaluations asked of the engine.
    pub evaluations: u64,
    /// Wall-clock seconds from the sample's start to its record; samples overlap.
    pub seconds: f64,
}

impl Evaluation {
    /// What a chain answered.
    pub fn new(chain: Chain, verdict: Verdict, degradation: Option<f64>) -> Self {
        Self {
            chain,
            correct: verdict.correct,
            margin: verdict.margin,
            answer: verdict.answer,
            // JSON has no infinity.
            degradation: degradation.filter(|nats| nats.is_finite()),
        }
    }
}

impl SampleCost {
    /// Adds what `runs` runs of a chain cost together.
    pub fn add(&mut self, cost: Cost, runs: u64) {
        self.evaluations += runs;
        self.steps_run += cost.steps_run;
        self.steps_grown += cost.steps_grown;
        self.steps_saved += cost.steps_saved;
        self.tokens_decoded += cost.tokens_decoded;
        self.decode_steps += cost.decode_steps;
        self.tokens_drafted += cost.tokens_drafted;
        self.passes += cost.passes;
        self.head_positions += cost.head_positions;
        self.loss_positions += cost.loss_positions;
    }
}

impl std::ops::AddAssign for SampleCost {
    fn add_assign(&mut self, other: Self) {
        self.steps_run += other.steps_run;
        self.steps_grown += other.steps_grown;
        self.steps_saved += other.steps_saved;
        self.tokens_decoded += other.tokens_decoded;
        self.tokens_drafted += other.tokens_drafted;
        self.passes += other.passes;
        self.decode_steps += other.decode_steps;
        self.head_positions += other.head_positions;
        self.loss_positions += other.loss_positions;
        self.evaluations += other.evaluations;
        self.seconds += other.seconds;
    }
}

impl SampleRecord {
    /// Whether the unmodified model answers right.
    pub fn baseline_correct(&self) -> bool {
        self.baseline.as_ref().is_some_and(|b| b.correct)
    }

    /// Whether a chain counts: it reads the prompt within the bound.
    pub fn is_fluent(&self, evaluation: &Evaluation) -> bool {
        self.is_within(self.max_degradation, evaluation)
    }

    /// Whether a chain reads the prompt within `bound`.
    pub fn is_within(&self, bound: Option<f64>, evaluation: &Evaluation) -> bool {
        match (bound, evaluation.degradation) {
            (None, _) => true,
            (Some(bound), Some(nats)) => nats <= bound,
            // The state was not finite, unless nothing could be measured.
            (Some(_), None) => self.prompt_loss.is_none(),
        }
    }

    /// What the search and its random control recorded of a chain. The best chain's own evaluation comes first: it ran isolated.
    pub fn evaluation_of(&self, chain: &Chain) -> Option<&Evaluation> {
        let random = self.controls.iter();
        let random = random.flat_map(|controls| &controls.random.evaluations);
        let all = self.best.iter().chain(&self.baseline);
        let mut all = all.chain(&self.evaluations).chain(random);
        all.find(|evaluation| evaluation.chain == *chain)
    }

    /// The best chain, which is a label for other tools. A sample that failed has none, whatever it recorded before.
    pub fn label(&self) -> Option<&Evaluation> {
        let best = self.best.as_ref().filter(|best| best.correct);
        best.filter(|_| self.error.is_none() && self.baseline.is_some())
    }

    /// Empties the lists of evaluations, which are nearly all of a record: those of the search, of its random control, of the menu, and
    /// the Pareto front.
    pub fn drop_evaluations(&mut self) {
        self.evaluations = Vec::new();
        self.pareto = Vec::new();
        self.menu = Vec::new();
        if let Some(controls) = &mut self.controls {
            controls.random.evaluations = Vec::new();
        }
    }

    /// Whether the best chain is right and shorter than the model.
    pub fn shorter(&self) -> bool {
        self.best
            .as_ref()
            .is_some_and(|b| b.chain.len() < self.layers)
    }
}

/// Wall-clock seconds of a run: each session lasted until its last record.
pub fn wall_seconds<'a>(records: impl IntoIterator<Item = &'a SampleRecord>) -> f64 {
    let mut sessions: BTreeMap<u32, f64> = BTreeMap::new();
    for record in records {
        let last = sessions.entry(record.session).or_default();
        *last = last.max(record.elapsed);
    }
    sessions.into_values().sum()
}
