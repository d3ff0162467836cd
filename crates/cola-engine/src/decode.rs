//! Decoding along a chain, greedily or by sampling.

use std::{fmt, sync::Arc};

use super::tail::Tail;
use cola_model::{Applied, Frozen, ModelError, Reading, Sampling};

/// Ways to compute a continuation. Both produce the same tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Decode {
    /// One pass runs the prompt together with the drafts, which are continuations that other chains
    /// of the row produced. Tokens from the first one on that no draft has are decoded one by one.
    #[default]
    Draft,
    /// Token by token.
    Plain,
}

/// Tells from the tokens generated so far whether the text is complete: it contains a stop string,
/// or a whole answer.
pub type Finished = Arc<dyn Fn(&[u32]) -> bool + Send + Sync>;

/// When a continuation ends.
#[derive(Clone)]
pub struct DecodePlan {
    /// Most tokens to generate.
    pub max_tokens: usize,
    /// Tokens that end the continuation; they are not included in it.
    pub stop_tokens: Arc<[u32]>,
    /// Called after each generated token with all tokens so far; `true` ends the continuation.
    pub finished: Option<Finished>,
    /// How to draw each token; `None` takes the most likely one.
    pub sampling: Option<Sampling>,
}

impl fmt::Debug for DecodePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecodePlan")
            .field("max_tokens", &self.max_tokens)
            .field("stop_tokens", &self.stop_tokens)
            .field("sampling", &self.sampling)
            .finish_non_exhaustive()
    }
}

impl DecodePlan {
    /// Appends the next token to `generated`, unless decoding ends before it. Returns why decoding
    /// ends, or `None` if it goes on.
    pub(super) fn take(&self, next: &Reading, generated: &mut Vec<u32>) -> Option<Finish> {
        let token = next.next();
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
    /// [`DecodePlan::finished`] returned `true`.
    Complete,
    /// [`DecodePlan::max_tokens`] was reached.
    Length,
    /// The model's output was not finite, so there is no next token.
    NotFinite,
}

/// A continuation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// The tokens, without the stop token.
    pub tokens: Vec<u32>,
    /// Why the continuation ended.
    pub finish: Finish,
}

impl Generated {
    /// The tokens that later chains of the row can use as a draft: those after which another token is predicted. Empty if there are
    /// none.
    pub fn draft(&self) -> &[u32] {
        match self.finish {
            Finish::StopToken(_) => &self.tokens,
            Finish::Complete | Finish::Length => {
                &self.tokens[..self.tokens.len().saturating_sub(1)]
            }
            Finish::NotFinite => &[],
        }
    }
}

/// Decoding state of a job whose newest token is running through the chain.
#[derive(Debug)]
pub struct Decoding {
    /// When the continuation ends.
    pub plan: DecodePlan,
    /// Tokens generated so far; the last one is running through the chain.
    pub tokens: Vec<u32>,
    /// Residual stream of the newest token, `[1, D]`.
    pub residual: Frozen,
    /// Position of the newest token in the sequence.
    pub position: i64,
    /// Layers of the chain that the newest token has passed.
    pub done: usize,
    /// Keys and values of the tokens generated before the newest, one [`Tail`] for each position in
    /// the chain.
    pub tails: Vec<Tail>,
}

/// The tokens that a job has generated so far, with the keys and values of those that have passed
/// the chain.
pub struct Written {
    pub plan: DecodePlan,
    pub tokens: Vec<u32>,
    pub tails: Vec<Tail>,
}

impl Decoding {
    /// Takes over the newest token's residual, keys and values after a layer.
    pub fn pass(&mut self, applied: Applied) -> Result<(), ModelError> {
        if let Some(kv) = applied.key_value {
            self.tails[self.done].push(&kv)?;
        }
        self.residual = applied.residual;
        self.done += 1;
        Ok(())
    }

    /// Moves the generated tokens and their keys and values out, once the newest token has passed
    /// the whole chain.
    pub fn take_written(&mut self) -> Written {
        Written {
            plan: self.plan.clone(),
            tokens: std::mem::take(&mut self.tokens),
            tails: std::mem::take(&mut self.tails),
        }
    }
}
