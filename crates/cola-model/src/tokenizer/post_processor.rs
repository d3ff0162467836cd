//! The special tokens that a tokenizer adds before and after a text.

use tokenizers::processors::template::{SpecialToken, TemplateProcessing};

use super::{
    super::{Config, ModelError},
    keys::{ADD_BOS, ADD_EOS, BOS, EOS},
    vocabulary::Vocabulary,
};

/// The tokens added at the beginning and the end of a sequence, if any.
pub struct PostProcessor {
    bos: Option<(String, u32)>,
    eos: Option<(String, u32)>,
}

impl PostProcessor {
    /// Reads the file's flags. Without them the defaults are those of transformers: a tokenizer of
    /// SentencePiece `pieces` adds the beginning-of-sequence token, if the file names one; other
    /// tokenizers add nothing. (llama.cpp also adds one for Llama 3 and Tekken, whose files often
    /// have no flag.)
    pub fn read(
        config: &Config,
        pieces: bool,
        named: &[(&str, u32)],
        vocabulary: &Vocabulary,
    ) -> Result<Self, ModelError> {
        let token = |flag: &str, default: bool, name: &str, key: &str| {
            if !config.flag(flag, default)? {
                return Ok(None);
            }
            match named.iter().find(|(known, _)| *known == name) {
                Some(&(_, id)) => Ok(Some((vocabulary.text(id).to_owned(), id))),
                None if config.get(flag).is_none() => Ok(None),
                None => Err(config.refuse(flag, format!("is true, but {key} is missing"))),
            }
        };
        Ok(Self {
            bos: token(ADD_BOS, pieces, "bos_token", BOS)?,
            eos: token(ADD_EOS, false, "eos_token", EOS)?,
        })
    }

    /// The post-processor of the tokenizers library that adds these tokens; `None` if there are
    /// none.
    pub fn template(self) -> tokenizers::Result<Option<TemplateProcessing>> {
        if self.bos.is_none() && self.eos.is_none() {
            return Ok(None);
        }
        let mut layout = vec!["$A:0"];
        let mut tokens = Vec::new();
        if let Some((text, id)) = self.bos {
            layout.insert(0, "bos:0");
            tokens.push(SpecialToken::new("bos".into(), vec![id], vec![text])?);
        }
        if let Some((text, id)) = self.eos {
            layout.push("eos:0");
            tokens.push(SpecialToken::new("eos".into(), vec![id], vec![text])?);
        }
        let processor = TemplateProcessing::builder()
            .try_single(layout)?
            .special_tokens(tokens)
            .build()?;
        Ok(Some(processor))
    }
}
