//! When a generation ends: at a stop token, at the token limit, or as soon as nothing that may follow changes its verdict.

use std::sync::{Arc, OnceLock};

use super::PromptLayout;
use cola_engine::{DecodePlan, Finished};
use cola_model::Tokenizer;
use lm_tasks::{BoxReach, Question, Sample, Variant};

/// How many tokens of a tokenizer a box takes at least; found out when it is first needed.
#[derive(Debug, Default)]
pub struct BoxTokens(OnceLock<Option<BoxReach>>);

impl BoxTokens {
    /// `None` if the tokenizer's texts say nothing of that.
    fn of(&self, tokenizer: &Tokenizer) -> Option<&BoxReach> {
        let reach = || {
            let pieces = tokenizer.ascii_pieces()?;
            BoxReach::new(pieces.iter().map(String::as_str))
        };
        self.0.get_or_init(reach).as_ref()
    }
}

impl PromptLayout {
    /// When the generation for a sample ends; `None` if it generates nothing.
    pub(super) fn decode_plan(&self, sample: &Arc<Sample>) -> Option<DecodePlan> {
        let Question::Generate { max_tokens, .. } = sample.own.question else {
            return None;
        };
        let mut filters = sample.task.filters.iter();
        let judge = Arc::clone(sample);
        let tokenizer = Arc::clone(&self.tokenizer);
        let boxes = filters.any(|filter| filter.reads_a_box());
        let boxes = boxes.then(|| Arc::clone(&self.boxes));
        let finished: Finished = Arc::new(move |tokens| {
            // Whether a text is complete does not depend on the order of options.
            let asked = judge.as_asked();
            let left = max_tokens.saturating_sub(tokens.len());
            is_finished(asked, &tokenizer, boxes.as_deref(), tokens, left)
        });
        Some(DecodePlan {
            max_tokens,
            stop_tokens: Arc::clone(&self.stop_tokens),
            finished: Some(finished),
            sampling: None,
        })
    }
}

/// Whether no verdict depends on what follows these tokens, at most `left` more.
fn is_finished(
    asked: Variant<'_>,
    tokenizer: &Tokenizer,
    boxes: Option<&BoxTokens>,
    tokens: &[u32],
    left: usize,
) -> bool {
    // A tokenizer that cannot decode says so again, as an error, when the text is graded.
    let Ok(decoded) = tokenizer.decode_so_far(tokens) else {
        return false;
    };
    let (text, settled) = (decoded.text(), decoded.settled());
    // As in lm-evaluation-harness, a stop text counts once it is there, though a byte token that is none of a character may
    // unmake it.
    if asked.is_stopped(text) || asked.is_complete(settled) {
        return true;
    }
    let boxes = boxes.and_then(|boxes| boxes.of(tokenizer));
    text == settled && boxes.is_some_and(|boxes| asked.is_complete_within(text, left, boxes))
}
