//! Reads and checks the tokens of a GGUF file, and gives them the spelling that merges and texts
//! use.

use tokenizers::{AddedToken, models::bpe::Vocab};

use super::{
    super::{Config, ModelError, gguf::Metadata},
    pieces::SPACE,
};

pub const TOKENS: &str = "tokenizer.ggml.tokens";
pub const TYPES: &str = "tokenizer.ggml.token_type";

/// Token types of llama.cpp go from 0 (undefined) to 6 (byte).
const TYPE_RANGE: std::ops::RangeInclusive<i64> = 0..=6;
const NORMAL: i64 = 1;
pub const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;

/// Spelling of tokens in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// One letter of GPT-2's byte alphabet for each byte. Old files also have tokens with other
    /// characters, which are converted unless they are matched as they are before the merges.
    Bytes,
    /// Pieces of SentencePiece.
    Pieces,
    /// Pieces of SentencePiece, but tokens that consist of spaces are written with real spaces.
    Gemma,
}

/// Tokens with their ids and types.
pub struct Vocabulary {
    /// Tokens by id, as the file spells them.
    raw: Vec<String>,
    types: Vec<i64>,
    /// Token ids by the spelling that is matched; as many as in `raw`.
    pub ids: Vocab,
}

impl Vocabulary {
    /// The tokens of a file; `named` are ids of special tokens.
    pub fn read(
        metadata: &Metadata,
        spelling: Spelling,
        named: &[(&str, u32)],
    ) -> Result<Self, ModelError> {
        let config = metadata.config();
        let tokens = listed(metadata)?;
        let types = types(metadata, tokens.len())?;
        let mut vocabulary = Self {
            raw: Vec::with_capacity(tokens.len()),
            ids: Vocab::with_capacity(tokens.len()),
            types,
        };
        for (id, token) in (0..).zip(tokens) {
            // llama.cpp's name for an empty token, which no text can match.
            let raw = match token.is_empty() {
                true => format!("[EMPTY_{id}]"),
                false => token.clone(),
            };
            let kind = vocabulary.types[id as usize];
            let whole =
                matches!(kind, CONTROL | USER_DEFINED) || named.iter().any(|(_, n)| *n == id);
            let spelled = spelled(&raw, spelling, whole);
            if let Some(other) = vocabulary.ids.insert(spelled, id) {
                let reason = format!("tokens {other} and {id} are both {}", shown(&raw));
                return Err(config.refuse(TOKENS, reason));
            }
            vocabulary.raw.push(raw);
        }
        Ok(vocabulary)
    }

    /// Text of a token that is in the vocabulary.
    pub fn text(&self, id: u32) -> &str {
        &self.raw[id as usize]
    }

    /// The tokens that are matched in a text before all others: control tokens and `special`
    /// tokens, which decoding leaves out, and user-defined tokens. All of them are in the
    /// vocabulary.
    pub fn added(&self, special: &[&str]) -> Vec<AddedToken> {
        let whole = |(token, &kind): (&String, &i64)| {
            let special = kind == CONTROL || special.contains(&token.as_str());
            // A token whose spelling was changed is left to the merges.
            let matched = (special || kind == USER_DEFINED) && self.ids.contains_key(token);
            matched.then(|| AddedToken::from(token.clone(), special).normalized(false))
        };
        self.raw.iter().zip(&self.types).filter_map(whole).collect()
    }

    /// Refuses a vocabulary that lacks a byte token: a character without a token of its own is
    /// written in byte tokens.
    pub fn check_bytes(&self, config: &Config) -> Result<(), ModelError> {
        let missing = (0..=u8::MAX)
            .map(|byte| format!("<0x{byte:02X}>"))
            .find(|token| !self.ids.contains_key(token));
        missing.map_or(Ok(()), |token| {
            let reason = format!(
                "there is no token {token}, so text would be lost; give option `tokenizer`"
            );
            Err(config.refuse(TOKENS, reason))
        })
    }
}

/// The tokens of a file by id: at least one, and no more than there are ids.
pub fn listed(metadata: &Metadata) -> Result<&[String], ModelError> {
    let tokens = metadata.strings(TOKENS)?.unwrap_or_default();
    match (1..u32::MAX as usize).contains(&tokens.len()) {
        true => Ok(tokens),
        false => {
            let reason = format!("{} tokens; give option `tokenizer`", tokens.len());
            Err(metadata.config().refuse(TOKENS, reason))
        }
    }
}

/// The type of every token. In old files, which have no types, all tokens are normal.
fn types(metadata: &Metadata, count: usize) -> Result<Vec<i64>, ModelError> {
    let config = metadata.config();
    let Some(types) = metadata.integers(TYPES)? else {
        return Ok(vec![NORMAL; count]);
    };
    if types.len() != count {
        let reason = format!("{} types for {count} tokens", types.len());
        return Err(config.refuse(TYPES, reason));
    }
    match types.iter().find(|kind| !TYPE_RANGE.contains(kind)) {
        Some(kind) => Err(config.refuse(TYPES, format!("{kind} is not a type of tokens"))),
        None => Ok(types),
    }
}

fn spelled(token: &str, spelling: Spelling, whole: bool) -> String {
    match spelling {
        Spelling::Bytes if !whole && !token.chars().all(is_letter) => {
            token.bytes().map(letter).collect()
        }
        Spelling::Gemma if token.chars().all(|c| c == ' ') => SPACE.repeat(token.len()),
        _ => token.to_owned(),
    }
}

/// The letter for a byte in GPT-2's byte alphabet: the byte's own character if it is printable,
/// else the next of the letters from U+0100 on.
fn letter(byte: u8) -> char {
    let shift = match byte {
        0..=0x20 => 0x100,
        0x7F..=0xA0 => 0x100 + 0x21 - 0x7F,
        0xAD => 0x143 - 0xAD,
        _ => 0,
    };
    // Every letter is below U+0144.
    char::from_u32(u32::from(byte) + shift).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn is_letter(character: char) -> bool {
    matches!(character, '!'..='~' | '¡'..='¬' | '®'..='ÿ' | '\u{100}'..='\u{143}')
}

/// A text from the file as an error quotes it: escaped, and not long.
pub fn shown(text: &str) -> String {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_bytes_are_the_alphabet_of_the_tokenizers_library() {
        let alphabet = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet();
        let ours: std::collections::HashSet<char> = (0..=u8::MAX).map(letter).collect();
        assert_eq!(ours.len(), 256);
        assert!(ours.iter().all(|c| alphabet.contains(c) && is_letter(*c)));
        let all = (0..0x1000).filter_map(char::from_u32);
        assert_eq!(all.filter(|c| is_letter(*c)).count(), 256);
        assert_eq!([b' ', b'\n', b'a', 0xA0].map(letter), ['Ġ', 'Ċ', 'a', 'ł']);
    }
}
