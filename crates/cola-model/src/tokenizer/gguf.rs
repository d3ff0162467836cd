//! The tokenizer that the metadata of a GGUF file describes.
//!
//! Token ids are those that transformers gives for the file, with an exception: tokens that GPT-2's
//! byte alphabet does not spell, such as DeepSeek's control tokens and GPT-NeoX's runs of spaces
//! (user-defined tokens). transformers gives the former ids that the model does not have, and never
//! matches the latter; here both are matched under their own ids, as by the model's own tokenizer.
//! Also, `<|endoftext|>` is not added if the file does not have it.

use std::path::Path;

use tokenizers::models::bpe::{BPE, Merges};

use super::{
    super::{
        ChatTemplate, Config, ModelError,
        gguf::{Metadata, parse, part_files},
        weights::MappedFile,
    },
    Tokenizer,
    bounded::Inner,
    keys::{self, ADD_SPACE, CHAT, MODEL, NAMES, READ, id},
    library,
    merges::{self, MERGES, Order, SCORES},
    pieces::Spaces,
    post_processor::PostProcessor,
    pre_tokenizer::{self, PreTokenizer},
    settled::Unsettled,
    vocabulary::{Spelling, TOKENS, TYPES, Vocabulary, listed, shown},
};

/// Kind of tokenizer.
enum Kind {
    ByteLevel(PreTokenizer),
    SentencePiece(Spaces),
}

/// Reads the tokenizer of a file, or of the first of the parts that a model is split into.
pub fn load(path: &Path) -> Result<Tokenizer, ModelError> {
    described(&read(path)?)
}

/// The metadata of a file, or of the first of the parts that a model is split into.
pub fn read(path: &Path) -> Result<Metadata, ModelError> {
    // `part_files` returns at least one file.
    let first = part_files(path).swap_remove(0);
    let file = MappedFile::open(first)?;
    let (metadata, _) = parse(file.path(), file.bytes())?;
    Ok(metadata)
}

/// The tokenizer that these keys describe.
pub(super) fn described(metadata: &Metadata) -> Result<Tokenizer, ModelError> {
    let config = metadata.config();
    keys::check(metadata)?;
    let kind = Kind::read(metadata)?;
    let count = listed(metadata)?.len();
    let mut named = Vec::new();
    for (name, key) in NAMES {
        named.extend(id(metadata, key, count)?.map(|id| (name, id)));
    }
    let vocabulary = Vocabulary::read(metadata, kind.spelling(), &named)?;
    let special: Vec<(String, String)> = (named.iter())
        .map(|&(name, id)| (name.to_owned(), vocabulary.text(id).to_owned()))
        .collect();
    let post_processor = PostProcessor::read(config, kind.is_pieces(), &named, &vocabulary)?;
    let chat = (config.text_opt(CHAT)?)
        .map(|source| ChatTemplate::of_gguf(metadata.path(), CHAT, source, &special))
        .transpose()?;
    let merges = kind.merges(metadata, &vocabulary)?;
    let build = || kind.build(vocabulary, merges, &special, post_processor);
    let inner = library::run(metadata.path(), build)?;
    let beginning = special.iter().find(|(name, _)| name == "bos_token");
    Ok(Tokenizer {
        unsettled: Unsettled::of(&inner),
        inner,
        path: metadata.path().to_owned(),
        hash: hash(metadata, &kind)?,
        beginning: beginning.map(|(_, text)| text.clone()),
        special,
        chat,
    })
}

impl Kind {
    fn read(metadata: &Metadata) -> Result<Self, ModelError> {
        let config = metadata.config();
        let architecture = config.text_opt("general.architecture")?.unwrap_or_default();
        match config.text_opt(MODEL)?.as_deref() {
            Some("gpt2") => {
                if config.flag(ADD_SPACE, false)? {
                    let reason = "is not supported for gpt2; give option `tokenizer`";
                    return Err(config.refuse(ADD_SPACE, reason));
                }
                Ok(Self::ByteLevel(PreTokenizer::read(
                    metadata,
                    &architecture,
                )?))
            }
            Some("llama") => {
                // Only byte-level tokenizers have other pre-tokenizers.
                match config.text_opt(pre_tokenizer::KEY)?.as_deref() {
                    None | Some("default") => {}
                    Some(name) => {
                        let reason = format!(
                            "{} is not supported for llama; supported: default",
                            shown(name)
                        );
                        return Err(config.refuse(pre_tokenizer::KEY, reason));
                    }
                }
                let spaces = spaces(config, &architecture)?;
                Ok(Self::SentencePiece(spaces))
            }
            other => Err(config.refuse(
                MODEL,
                format!(
                    "{} is not supported; supported: gpt2, llama; or give option `tokenizer`",
                    other.map_or("a missing value".to_owned(), shown)
                ),
            )),
        }
    }

    fn is_pieces(&self) -> bool {
        matches!(self, Self::SentencePiece(_))
    }

    fn spelling(&self) -> Spelling {
        match self {
            Self::ByteLevel(_) => Spelling::Bytes,
            Self::SentencePiece(Spaces::Gemma) => Spelling::Gemma,
            Self::SentencePiece(_) => Spelling::Pieces,
        }
    }

    fn merges(&self, metadata: &Metadata, vocabulary: &Vocabulary) -> Result<Merges, ModelError> {
        let config = metadata.config();
        if self.is_pieces() {
            vocabulary.check_bytes(config)?;
        }
        if let Some(merges) = merges::stated(metadata, &vocabulary.ids)? {
            return Ok(merges);
        }
        let order = match self {
            Self::ByteLevel(_) => {
                return Err(config.refuse(MERGES, "is missing; give option `tokenizer`"));
            }
            Self::SentencePiece(Spaces::Gemma) => Order::Ids,
            Self::SentencePiece(_) => Order::scores(metadata, vocabulary.ids.len())?,
        };
        merges::derived(config, &vocabulary.ids, &order)
    }

    fn build(
        &self,
        vocabulary: Vocabulary,
        merges: Merges,
        special: &[(String, String)],
        post_processor: PostProcessor,
    ) -> tokenizers::Result<Inner> {
        // The tokens that transformers' classes of these tokenizers treat as special, whatever the
        // file says.
        let usual: &[&str] = match self {
            Self::ByteLevel(_) => &["<|endoftext|>"],
            Self::SentencePiece(Spaces::Gemma) => &["<unk>", "<bos>", "<eos>", "<pad>", "<mask>"],
            Self::SentencePiece(_) => &["<unk>", "<s>", "</s>"],
        };
        let named = special.iter().map(|(_, text)| text.as_str());
        let special: Vec<&str> = named.chain(usual.iter().copied()).collect();
        let added = vocabulary.added(&special);
        let model = BPE::builder().vocab_and_merges(vocabulary.ids, merges);
        let mut inner = match self {
            Self::ByteLevel(pre) => {
                Inner::new(model.ignore_merges(pre.ignore_merges).build()?.into())
            }
            Self::SentencePiece(_) => {
                Inner::new(model.fuse_unk(true).byte_fallback(true).build()?.into())
            }
        };
        match self {
            Self::ByteLevel(pre) => pre.set(&mut inner)?,
            Self::SentencePiece(spaces) => spaces.set(&mut inner)?,
        }
        inner.add_tokens(added)?;
        inner.with_post_processor(post_processor.template()?);
        Ok(inner)
    }
}

/// The treatment of spaces, which SentencePiece needs and a GGUF file does not state: it depends on
/// the family.
fn spaces(config: &Config, architecture: &str) -> Result<Spaces, ModelError> {
    if matches!(architecture, "gemma" | "gemma2" | "gemma3") {
        return match config.flag(ADD_SPACE, false)? {
            false => Ok(Spaces::Gemma),
            true => Err(config.refuse(
                ADD_SPACE,
                "is not supported for gemma; give option `tokenizer`",
            )),
        };
    }
    // transformers does not read the flag. llama.cpp does, and so do the tokenizers from which it
    // is written.
    Ok(match (config.flag(ADD_SPACE, true)?, architecture) {
        (false, _) => Spaces::Never,
        (true, "phi3") => Spaces::Doubled,
        (true, _) => Spaces::First,
    })
}

/// BLAKE3 of everything that determines the tokens of a text, 32 hex digits. Two files with the
/// same tokenizer have the same hash.
fn hash(metadata: &Metadata, kind: &Kind) -> Result<String, ModelError> {
    let mut hasher = blake3::Hasher::new();
    let mut feed = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    if let Kind::SentencePiece(spaces) = kind {
        feed(spaces.name().as_bytes());
    }
    for key in metadata.keys().filter(|key| READ.contains(key)) {
        feed(key.as_bytes());
        match key {
            TOKENS | MERGES => {
                let items = metadata.strings(key)?.unwrap_or_default();
                feed(&(items.len() as u64).to_le_bytes());
                items.iter().for_each(|item| feed(item.as_bytes()));
            }
            SCORES => {
                let items = metadata.floats(key)?.unwrap_or_default().iter();
                let bytes: Vec<u8> = items.flat_map(|score| score.to_le_bytes()).collect();
                feed(&bytes);
            }
            TYPES => {
                let items = metadata.integers(key)?.unwrap_or_default().into_iter();
                let bytes: Vec<u8> = items.flat_map(i64::to_le_bytes).collect();
                feed(&bytes);
            }
            _ => {
                let value = metadata.config().get(key).map(ToString::to_string);
                feed(value.unwrap_or_default().as_bytes());
            }
        }
    }
    Ok(hasher.finalize().to_hex()[..32].to_owned())
}
