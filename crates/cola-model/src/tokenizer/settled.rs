//! How much of a decoded text stays as it is, whatever tokens follow.
//!
//! Decoders map token after token, except for the last character: its bytes may be spread over several tokens, and until all
//! are there it is U+FFFD. Where a byte is a token of its own (`<0x0A>`), a run of such tokens is one text or, if its bytes are
//! not UTF-8, as many U+FFFD: a later token of the run may turn all of it into U+FFFD, or back.

use tokenizers::{decoders::DecoderWrapper as Step, normalizers::Replace};

use super::bounded::{Inner, Steps};
use super::{ModelError, Tokenizer};

/// A decoded text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    text: String,
    /// Length in bytes.
    settled: usize,
}

impl Decoded {
    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The part with which the text of these and any further tokens begins.
    pub fn settled(&self) -> &str {
        &self.text[..self.settled]
    }
}

impl Tokenizer {
    /// Text of tokens that more tokens may follow, special tokens left out, and how much of it stays whatever they are.
    pub fn decode_so_far(&self, tokens: &[u32]) -> Result<Decoded, ModelError> {
        let text = self.decode(tokens)?;
        let settled = match self.unsettled {
            Unsettled::LastCharacter => without_last(&text),
            Unsettled::LastBytes => match before_last_bytes(&self.inner, tokens) {
                0 => 0,
                all if all == tokens.len() => without_last(&text),
                before => without_last(&self.decode(&tokens[..before])?),
            },
            Unsettled::All => 0,
        };
        Ok(Decoded { text, settled })
    }
}

impl Tokenizer {
    /// The texts of all tokens as far as they are ASCII: a decoded text has the printable ASCII characters of its tokens, in
    /// their order, and what stands between two of them may be spelled in another way here. `None` if the decoder
    /// changes ASCII characters.
    pub fn ascii_pieces(&self) -> Option<Vec<String>> {
        let steps = self.inner.get_decoder().map_or(&[][..], Steps::list);
        if self.unsettled == Unsettled::All || !steps.iter().all(keeps_ascii) {
            return None;
        }
        let names_bytes = steps
            .iter()
            .any(|step| matches!(step, Step::ByteFallback(_)));
        let tokens = self.inner.get_vocab(true).into_keys();
        let piece = |token: String| match byte_of(&token).filter(|_| names_bytes) {
            Some(byte) if byte.is_ascii() => char::from(byte).to_string(),
            Some(_) => char::REPLACEMENT_CHARACTER.to_string(),
            None => token,
        };
        Some(tokens.map(piece).collect())
    }
}

/// Whether a step leaves printable ASCII characters as they are, and makes none.
fn keeps_ascii(step: &Step) -> bool {
    match step {
        Step::Fuse(_) | Step::ByteLevel(_) | Step::ByteFallback(_) => true,
        Step::Metaspace(step) => !step.get_replacement().is_ascii_graphic(),
        Step::Strip(step) => !step.content.is_ascii_graphic(),
        Step::Replace(step) => {
            let step = written(step);
            let text = step.pattern["String"].as_str();
            let other = |text: &str| !text.contains(|c: char| c.is_ascii_graphic());
            text.is_some_and(other) && other(&step.content)
        }
        _ => false,
    }
}

/// Length in bytes without U+FFFD at the end, which may stand for a character of which only some bytes are there.
fn without_last(text: &str) -> usize {
    text.trim_end_matches(char::REPLACEMENT_CHARACTER).len()
}

/// What further tokens can change of a decoded text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsettled {
    /// U+FFFD at its end.
    LastCharacter,
    /// The same, and what the last run of byte tokens became.
    LastBytes,
    /// Any of it.
    All,
}

impl Unsettled {
    /// What the decoder of a tokenizer leaves open.
    pub fn of(inner: &Inner) -> Self {
        match inner.get_decoder() {
            // Tokens with spaces between them.
            None => Self::LastCharacter,
            Some(steps) => Self::of_steps(steps),
        }
    }

    fn of_steps(steps: &Steps<Step>) -> Self {
        let mut unsettled = Self::LastCharacter;
        // Whether the tokens are one text by now, which a step reads as a whole.
        let mut joined = false;
        // Whether no step made a byte's name of another token.
        let mut as_named = true;
        let mut steps = steps.list().iter().peekable();
        while let Some(step) = steps.next() {
            let keeps_beginning = match step {
                Step::Fuse(_) => true,
                // Tokens that are bytes must be known by their names.
                Step::ByteFallback(_) => {
                    unsettled = Self::LastBytes;
                    as_named && !joined
                }
                // The U+FFFD at its end must be that of the result.
                Step::ByteLevel(_) => steps.peek().is_none() && unsettled == Self::LastCharacter,
                Step::Strip(strip) => !joined || strip.stop == 0,
                Step::Replace(replace) => !joined || written(replace).is_of_one_character(),
                Step::Metaspace(_) => true,
                Step::WordPiece(pieces) => !joined || !pieces.cleanup,
                Step::CTC(_) => !joined,
                // The last token is decoded in another way than all others.
                Step::BPE(_) | Step::Sequence(_) => false,
            };
            if !keeps_beginning {
                return Self::All;
            }
            as_named &= matches!(step, Step::Replace(replace) if written(replace).content == " ");
            joined |= matches!(step, Step::Fuse(_) | Step::ByteLevel(_));
        }
        unsettled
    }
}

/// A replacement, whose fields the library keeps private but writes.
#[derive(Default, serde::Deserialize)]
struct Written {
    pattern: serde_json::Value,
    content: String,
}

fn written(step: &Replace) -> Written {
    let written = serde_json::to_value(step).and_then(serde_json::from_value);
    written.unwrap_or_default()
}

impl Written {
    fn is_of_one_character(&self) -> bool {
        let text = self.pattern["String"].as_str();
        text.is_some_and(|text| text.chars().count() == 1)
    }
}

/// The number of tokens before the last run of byte tokens; special tokens, which are not decoded, do not end a run.
fn before_last_bytes(inner: &Inner, tokens: &[u32]) -> usize {
    let added = inner.get_added_vocabulary();
    let in_run = |token: &u32| match inner.id_to_token(*token) {
        Some(token) => byte_of(&token).is_some() || added.is_special_token(&token),
        None => true,
    };
    let run = tokens.iter().rev().take_while(|token| in_run(token));
    tokens.len() - run.count()
}

/// The byte that a token such as `<0x0A>` stands for.
fn byte_of(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    let byte = u8::from_str_radix(digits, 16).ok()?;
    (digits.len() == 2).then_some(byte)
}
