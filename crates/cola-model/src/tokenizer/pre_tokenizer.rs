//! The words into which a byte-level tokenizer splits a text before it merges: `tokenizer.ggml.pre`
//! of a GGUF file.

use tokenizers::{
    Result,
    pre_tokenizers::{
        PreTokenizerWrapper,
        byte_level::ByteLevel,
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
    tokenizer::SplitDelimiterBehavior,
};

use super::{
    super::{ModelError, gguf::Metadata},
    bounded::{Inner, Steps},
    vocabulary::shown,
};

pub const KEY: &str = "tokenizer.ggml.pre";

/// A pre-tokenizer.
#[derive(Debug, Clone, Copy)]
pub struct PreTokenizer {
    name: &'static str,
    /// Pattern of a word; `None` for the words of GPT-2, whose pattern the tokenizers library has.
    pattern: Option<&'static str>,
    /// Whether a word that is a token is taken without merging. tiktoken's vocabularies need this,
    /// because tiktoken looks a word up before it merges. transformers does not do so; its tokens
    /// differ only for words that are tokens but cannot be reached by merges.
    pub ignore_merges: bool,
}

/// GPT-4's words (cl100k).
const CL100K: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);
/// The words of cl100k, but each digit is a word.
const QWEN2: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);
/// GPT-4o's words (o200k), which begin at a capital letter.
const O200K: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);
/// Mistral's Tekken: the words of o200k without contractions, and each digit is a word.
const TEKKEN: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);

const GPT2: PreTokenizer = of("gpt-2", None, false);

/// llama.cpp knows some eighty names; these are those of the families that are supported here.
///
/// For `smollm` this table has GPT-2's words, like transformers, which does not read the name: so
/// both give the same ids. SmolLM2 was trained with a tokenizer that first splits off every digit.
/// It differs for several white-space characters before a digit: they are one word there, and two
/// here.
const KNOWN: [PreTokenizer; 15] = [
    GPT2,
    of("olmo", None, false),
    of("smollm", None, false),
    of("llama-bpe", Some(CL100K), true),
    of("llama3", Some(CL100K), true),
    of("llama-v3", Some(CL100K), true),
    of("falcon3", Some(CL100K), true),
    of("dbrx", Some(CL100K), false),
    of("smaug-bpe", Some(CL100K), false),
    of("qwen2", Some(QWEN2), false),
    of("deepseek-r1-qwen", Some(QWEN2), false),
    of("megrez", Some(QWEN2), false),
    of("tekken", Some(TEKKEN), true),
    of("pixtral", Some(CL100K), true),
    of("gpt-4o", Some(O200K), false),
];

const fn of(
    name: &'static str,
    pattern: Option<&'static str>,
    ignore_merges: bool,
) -> PreTokenizer {
    PreTokenizer {
        name,
        pattern,
        ignore_merges,
    }
}

impl PreTokenizer {
    /// The pre-tokenizer that a file names.
    ///
    /// Files from before April 2024 name no pre-tokenizer, and some tools write `default` instead.
    /// For GPT-2 and GPT-NeoX only one is possible. For other architectures it is not known, and
    /// the file is refused: transformers would take GPT-2's words and llama.cpp, with a warning,
    /// other ones, and the model may have been trained with neither.
    pub fn read(metadata: &Metadata, architecture: &str) -> std::result::Result<Self, ModelError> {
        let config = metadata.config();
        let name = config.text_opt(KEY)?;
        let one_of = || {
            let names: Vec<&str> = KNOWN.iter().map(|known| known.name).collect();
            names.join(", ")
        };
        match name.as_deref() {
            None | Some("default") if matches!(architecture, "gpt2" | "gptneox") => Ok(GPT2),
            None | Some("default") => Err(config.refuse(
                KEY,
                format!(
                    "{} does not say where words end in a {} model; supported: {}; convert the model again, or give \
                     option `tokenizer`",
                    name.map_or("a missing value".to_owned(), |name| format!("\"{name}\"")),
                    shown(architecture),
                    one_of()
                ),
            )),
            Some(name) => (KNOWN.iter().find(|known| known.name == name))
                .copied()
                .ok_or_else(|| {
                    config.refuse(
                        KEY,
                        format!(
                            "{} is not supported; supported: {}; or give option `tokenizer`",
                            shown(name),
                            one_of()
                        ),
                    )
                }),
        }
    }

    /// Sets the steps before the merges, and the decoder that undoes them.
    pub fn set(self, tokenizer: &mut Inner) -> Result<()> {
        let bytes = |words| ByteLevel::new(false, true, words);
        let cut: PreTokenizerWrapper = match self.pattern {
            None => bytes(true).into(),
            Some(pattern) => {
                let pattern = SplitPattern::Regex(pattern.to_owned());
                let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false)?;
                Sequence::new(vec![split.into(), bytes(false).into()]).into()
            }
        };
        tokenizer
            .with_pre_tokenizer(Some(Steps::of(cut)))
            .with_decoder(Some(Steps::of(ByteLevel::default())));
        Ok(())
    }
}
