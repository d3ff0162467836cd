//! Greedy decoding along a chain.

use std::{fmt, sync::Arc};

use super::tail::Tail;
use cola_model::{Applied, Frozen, ModelError, Reading};

/// How a greedy continuation is computed. Both write the same tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Decode {
    /// In one pass over the prompt and the continuations of other chains, for as long as it stays
    /// among them; then token by token.
    #[default]
    Draft,
    /// Token by token.
    Plain,
}

/// Says, of the tokens generated so far, whether the text is complete: a stop string was
/// produced, or the first whole answer.
pub type Finished = Arc<dyn Fn(&[u32]) -> bool + Send + Sync>;

/// When a continuation ends.
#[derive(Clone)]
pub struct DecodePlan {
    /// Most tokens to generate.
    pub max_tokens: usize,
    /// Tokens that end it; they are not part of it.
    pub stop_tokens: Arc<[u32]>,
    /// Called with the tokens so far, after each of them.
    pub finished: Option<Finished>,
}

impl fmt::Debug for DecodePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecodePlan")
            .field("max_tokens", &self.max_tokens)
            .field("stop_tokens", &self.stop_tokens)
            .finish_non_exhaustive()
    }
}

impl DecodePlan {
    /// Takes the next most likely token; says how decoding ends, if it does.
    pub(super) fn take(&self, next: &Reading, generated: &mut Vec<u32>) -> Option<Finish> {
        let token = next.argmax;
        if self.max_tokens == generated.len() {
            return Some(Finish::Length);
        }
        if !next.is_finite() {
            return Some(Finish::NotFinite);
        }
        if self.stop_tokens.contains(&token) {
            return Some(Finish::StopToken(token));
        }
        generated.push(token);
        if self
            .finished
            .as_ref()
            .is_some_and(|finished| finished(generated))
        {
            return Some(Finish::Complete);
        }
        (generated.len() >= self.max_tokens).then_some(Finish::Length)
    }
}

/// Why a continuation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// A stop token was produced.
    StopToken(u32),
    /// [`DecodePlan::finished`] said so.
    Complete,
    /// The token limit.
    Length,
    /// The model's state was not finite: there is no most likely token.
    NotFinite,
}

/// A greedy continuation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Its tokens, without a stop token.
    pub tokens: Vec<u32>,
    /// Why it ended.
    pub finish: Finish,
}

/// A job in the middle of decoding: the newest token on its way through the chain.
#[derive(Debug)]
pub struct Decoding {
    /// When it ends.
    pub plan: DecodePlan,
    /// Tokens so far; the last is on its way.
    pub tokens: Vec<u32>,
    /// Residual stream of the newest token, `[1, D]`.
    pub residual: Frozen,
    /// Position of the newest token in the sequence.
    pub position: i64,
    /// Layers of the chain it has passed.
    pub done: usize,
    /// Per position of the chain: keys and values of the tokens generated before.
    pub tails: Vec<Tail>,
}

/// What a job has written so far.
pub struct Written {
    pub plan: DecodePlan,
    pub tokens: Vec<u32>,
    pub tails: Vec<Tail>,
}

impl Decoding {
    /// The newest token has passed a layer.
    pub fn pass(&mut self, applied: Applied) -> Result<(), ModelError> {
        if let Some(kv) = applied.key_value {
            self.tails[self.done].push(&kv)?;
        }
        self.residual = applied.residual;
        self.done += 1;
        Ok(())
    }

    /// Takes what was written, once the newest token has passed the chain.
    pub fn take_written(&mut self) -> Written {
        Written {
            plan: self.plan.clone(),
            tokens: std::mem::take(&mut self.tokens),
            tails: std::mem::take(&mut self.tails),
        }
    }
}
