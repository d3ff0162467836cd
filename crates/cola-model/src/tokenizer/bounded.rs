//! Bounds what the steps of a tokenizer make of a text. A few of them can double it time and again, or put a megabyte before
//! every word; real ones make three bytes of one, or eleven of a rare sign.
//!
//! The steps of a sequence run one by one. None runs that would make too much, as far as that is known before, and none
//! follows one that did.

use std::cell::Cell;

use serde::{Deserialize, Deserializer, de::Error};
use tokenizers::{
    Decoder, NormalizedString, Normalizer, OffsetReferential, OffsetType, PostProcessorWrapper,
    PreTokenizedString, PreTokenizer, Result, TokenizerImpl,
    decoders::DecoderWrapper,
    models::ModelWrapper,
    normalizers::{NormalizerWrapper, Replace},
    pre_tokenizers::PreTokenizerWrapper,
    utils::SysRegex,
};

/// A tokenizer whose steps are bounded.
pub type Inner = TokenizerImpl<
    ModelWrapper,
    Steps<NormalizerWrapper>,
    Steps<PreTokenizerWrapper>,
    PostProcessorWrapper,
    Steps<DecoderWrapper>,
>;

/// Most bytes that a text may have after its steps: this many times its own, and [`MORE`].
const TIMES: usize = 32;
const MORE: usize = 64 << 10;

/// Most steps of a sequence. Real ones have some ten.
const STEPS: usize = 1000;

/// Steps that can only multiply a text by less than [`TIMES`], if each at most quadruples it.
const FEW: usize = 2;

fn most(bytes: usize) -> usize {
    bytes.saturating_mul(TIMES).saturating_add(MORE)
}

thread_local! {
    /// Bytes that the normalizer may still make of the current text, whose parts it gets one by one; `None` where no text
    /// is being encoded.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    /// Set by a normalizer that would make too much: the library ignores its errors.
    static OVER: Cell<bool> = const { Cell::new(false) };
}

/// Encodes a text of so many bytes: its normalized parts are bounded together.
pub fn encoding<T>(bytes: usize, encode: impl FnOnce() -> Result<T>) -> Result<T> {
    LEFT.set(Some(most(bytes)));
    OVER.set(false);
    let encoded = encode();
    LEFT.set(None);
    match OVER.get() {
        true => Err(too_much(NORMALIZER)),
        false => encoded,
    }
}

const NORMALIZER: &str = "normalizer";

fn too_much(step: &str) -> tokenizers::Error {
    format!("the {step} makes more than {TIMES} times as many bytes of a text as it has").into()
}

/// The steps of a part of a tokenizer, sequences of sequences as one.
#[derive(Debug, Clone)]
pub struct Steps<T>(Vec<T>);

impl<T> Steps<T> {
    /// The steps, in order.
    pub fn list(&self) -> &[T] {
        &self.0
    }
}

impl<T: Nested> Steps<T> {
    /// The steps that one part consists of.
    pub fn of(part: impl Into<T>) -> Self {
        let mut steps = Vec::new();
        let mut left = vec![part.into()];
        while let Some(part) = left.pop() {
            match part.nested() {
                Some(parts) => left.extend(parts.iter().rev().cloned()),
                None => steps.push(part),
            }
        }
        Self(steps)
    }
}

impl<'de, T: Nested + Deserialize<'de>> Deserialize<'de> for Steps<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let steps = Self::of(T::deserialize(deserializer)?);
        match steps.0.len() {
            count if count > STEPS => Err(D::Error::custom(format!(
                "a sequence of {count} steps; at most {STEPS} are supported"
            ))),
            _ => Ok(steps),
        }
    }
}

/// A part that may be a sequence of parts.
pub trait Nested: Clone {
    /// The parts of a sequence.
    fn nested(&self) -> Option<&[Self]>;
}

impl Nested for NormalizerWrapper {
    fn nested(&self) -> Option<&[Self]> {
        match self {
            Self::Sequence(sequence) => Some(sequence.as_ref()),
            _ => None,
        }
    }
}

impl Nested for PreTokenizerWrapper {
    fn nested(&self) -> Option<&[Self]> {
        match self {
            Self::Sequence(sequence) => Some(sequence.as_ref()),
            _ => None,
        }
    }
}

impl Nested for DecoderWrapper {
    fn nested(&self) -> Option<&[Self]> {
        match self {
            Self::Sequence(sequence) => Some(sequence.get_decoders()),
            _ => None,
        }
    }
}

impl Normalizer for Steps<NormalizerWrapper> {
    fn normalize(&self, text: &mut NormalizedString) -> Result<()> {
        let over = || {
            OVER.set(true);
            too_much(NORMALIZER)
        };
        if OVER.get() {
            return Err(over());
        }
        let most = most(text.get_original().len());
        for step in &self.0 {
            let fits = match step {
                NormalizerWrapper::Replace(step) => replaced(step, &[text.get()], most)?,
                NormalizerWrapper::Prepend(step) => step.prepend.len() <= most,
                _ => true,
            };
            if fits {
                step.normalize(text)?;
            }
            if !fits || text.get().len() > most {
                return Err(over());
            }
        }
        if let Some(left) = LEFT.get() {
            let left = left.checked_sub(text.get().len());
            LEFT.set(Some(left.ok_or_else(over)?));
        }
        Ok(())
    }
}

impl PreTokenizer for Steps<PreTokenizerWrapper> {
    fn pre_tokenize(&self, text: &mut PreTokenizedString) -> Result<()> {
        let bytes = |text: &PreTokenizedString| -> usize {
            let parts = text.get_splits(OffsetReferential::Normalized, OffsetType::None);
            parts.iter().map(|(part, ..)| part.len()).sum()
        };
        let few = self.0.len() <= FEW;
        let most = if few { usize::MAX } else { most(bytes(text)) };
        for step in &self.0 {
            step.pre_tokenize(text)?;
            if !few && bytes(text) > most {
                return Err(too_much("pre_tokenizer"));
            }
        }
        Ok(())
    }
}

impl Decoder for Steps<DecoderWrapper> {
    fn decode_chain(&self, mut tokens: Vec<String>) -> Result<Vec<String>> {
        let most = most(tokens.iter().map(String::len).sum());
        for step in &self.0 {
            if let DecoderWrapper::Replace(step) = step {
                let texts: Vec<&str> = tokens.iter().map(String::as_str).collect();
                if !replaced(step, &texts, most)? {
                    return Err(too_much("decoder"));
                }
            }
            tokens = step.decode_chain(tokens)?;
        }
        Ok(tokens)
    }
}

/// Whether texts have at most so many bytes after the replacement.
fn replaced(step: &Replace, texts: &[&str], most: usize) -> Result<bool> {
    let bytes: usize = texts.iter().map(|text| text.len()).sum();
    let with = |matches: usize| {
        let new = matches.saturating_mul(step.content.len());
        new.saturating_add(bytes) <= most
    };
    // A pattern matches at most at every byte, and at the end.
    if with(bytes + texts.len()) {
        return Ok(true);
    }
    // The pattern is private, but it is written.
    let pattern = serde_json::to_value(step)?["pattern"].take();
    let regex = match (pattern["String"].as_str(), pattern["Regex"].as_str()) {
        (Some(text), _) => {
            let matches = texts.iter().map(|of| of.matches(text).count());
            return Ok(with(matches.sum()));
        }
        (None, regex) => SysRegex::new(regex.unwrap_or_default())?,
    };
    let matches = texts.iter().map(|text| regex.find_iter(text).count());
    Ok(with(matches.sum()))
}
