//! Treatment of spaces in SentencePiece tokenizers.

use tokenizers::{
    Result,
    decoders::{
        DecoderWrapper, byte_fallback::ByteFallback, fuse::Fuse, sequence::Sequence as Decoders,
        strip::Strip,
    },
    normalizers::{Prepend, Sequence as Normalizers, replace::Replace},
    pre_tokenizers::{
        metaspace::{Metaspace, PrependScheme},
        split::Split,
    },
    tokenizer::SplitDelimiterBehavior,
};

use super::bounded::{Inner, Steps};

/// A space in a piece.
pub const SPACE: &str = "▁";
const SPACE_CHARACTER: char = '▁';

/// Treatment of the spaces of a text: where a space is added, apart from those in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spaces {
    /// Added at the beginning of a text, unless a space or a special token is there (Llama 2,
    /// Mistral).
    First,
    /// Added at the beginning of a text and after each special token, unless a space is there
    /// (Llama 2's old behaviour).
    Always,
    /// Added at the beginning of a text and after each special token, even if a space is there
    /// (Phi-3).
    Doubled,
    /// Never added.
    Never,
    /// Never added, in a tokenizer with the normalizer and pre-tokenizer of Gemma.
    Gemma,
}

impl Spaces {
    /// Sets the steps before the merges, and the decoder that undoes them.
    pub fn set(self, tokenizer: &mut Inner) -> Result<()> {
        let replace = || Replace::new(" ", SPACE);
        let metaspace = |scheme| Steps::of(Metaspace::new(SPACE_CHARACTER, scheme, false));
        match self {
            Self::First => tokenizer.with_pre_tokenizer(Some(metaspace(PrependScheme::First))),
            Self::Always => tokenizer.with_pre_tokenizer(Some(metaspace(PrependScheme::Always))),
            Self::Never => tokenizer.with_pre_tokenizer(Some(metaspace(PrependScheme::Never))),
            Self::Doubled => {
                let prepend = Prepend::new(SPACE.to_owned());
                let both = Normalizers::new(vec![prepend.into(), replace()?.into()]);
                tokenizer.with_normalizer(Some(Steps::of(both)))?
            }
            Self::Gemma => {
                let split = Split::new(" ", SplitDelimiterBehavior::MergedWithPrevious, false)?;
                tokenizer
                    .with_normalizer(Some(Steps::of(replace()?)))?
                    .with_pre_tokenizer(Some(Steps::of(split)))
            }
        };
        let mut decoders: Vec<DecoderWrapper> = vec![
            Replace::new(SPACE, " ")?.into(),
            ByteFallback::new().into(),
            Fuse::new().into(),
        ];
        if matches!(self, Self::First | Self::Always | Self::Doubled) {
            decoders.push(Strip::new(' ', 1, 0).into());
        }
        tokenizer.with_decoder(Some(Steps::of(Decoders::new(decoders))));
        Ok(())
    }

    /// Name of this treatment in a tokenizer's hash.
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Always => "always",
            Self::Doubled => "doubled",
            Self::Never => "never",
            Self::Gemma => "gemma",
        }
    }
}
