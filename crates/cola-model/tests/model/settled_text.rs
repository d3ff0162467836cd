//! The settled text of some tokens begins the text of those and any further tokens.

use std::fs;
use std::path::PathBuf;

use cola_model::Tokenizer;
use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::fixtures;

/// The tokenizers of real kinds.
fn real() -> Vec<(String, Tokenizer)> {
    let directory = |name: &str| fs::read_dir(fixtures().join(name)).unwrap();
    let paths = directory("tokenizers").chain(directory("gguf_tokenizers"));
    let mut paths: Vec<PathBuf> = paths.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let readable = paths.into_iter().filter_map(|path| {
        let tokenizer = Tokenizer::load(&path).ok()?;
        Some((path.display().to_string(), tokenizer))
    });
    readable.collect()
}

/// A tokenizer of these tokens and 256 bytes with some decoder; `<s>` is special.
fn made(decoder: &Value) -> Tokenizer {
    let mut tokens: Vec<String> = [
        "<s>", "a", "b", "ab", "▁", "▁a", "Ġ", "Ġa", "Ċ", "Ã", "©", "ð", "##a", "##", ".", ",",
        "'", "s", "n't", "do", "not", "x</w>", "</w>x", " ", "|", "<pad>", "\u{fffd}", "é",
        "<0x0>", "<0xZZ>",
    ]
    .map(str::to_owned)
    .to_vec();
    tokens.extend((0..=255).map(|byte| format!("<0x{byte:02X}>")));
    let vocab = tokens.iter().enumerate();
    let vocab = vocab.map(|(id, token)| (token.clone(), json!(id)));
    let vocab: serde_json::Map<String, Value> = vocab.collect();
    let special = json!({"id": 0, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true});
    let tokenizer = json!({
        "version": "1.0", "added_tokens": [special], "normalizer": null, "pre_tokenizer": null, "post_processor": null,
        "decoder": decoder, "model": {"type": "BPE", "vocab": vocab, "merges": []},
    });
    let directory = tempfile::tempdir().unwrap();
    fs::write(
        directory.path().join("tokenizer.json"),
        tokenizer.to_string(),
    )
    .unwrap();
    Tokenizer::load(directory.path()).unwrap()
}

fn sequence(decoders: Value) -> Value {
    json!({"type": "Sequence", "decoders": decoders})
}

fn replace(pattern: &str, content: &str) -> Value {
    json!({"type": "Replace", "pattern": {"String": pattern}, "content": content})
}

/// Fails unless the settled text of every beginning of random tokens begins the text of every longer one. Returns what share of
/// the bytes was settled.
fn check(name: &str, tokenizer: &Tokenizer, ids: &[u32]) -> f64 {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let (mut settled, mut all) = (0, 0);
    for _ in 0..150 {
        let count = random.random_range(1..9);
        let tokens: Vec<u32> = (0..count)
            .map(|_| *ids.choose(&mut random).unwrap())
            .collect();
        // Some decoders fail without any token.
        let decoded = (1..=count).map(|end| tokenizer.decode_so_far(&tokens[..end]));
        let Ok(decoded) = decoded.collect::<Result<Vec<_>, _>>() else {
            continue;
        };
        for (at, shorter) in decoded.iter().enumerate() {
            (settled, all) = (
                settled + shorter.settled().len(),
                all + shorter.text().len(),
            );
            for longer in &decoded[at..] {
                let holds = longer.text().starts_with(shorter.settled());
                assert!(
                    holds,
                    "{name}: {tokens:?} after {at}: {shorter:?} and {longer:?}"
                );
            }
        }
    }
    settled as f64 / all as f64
}

#[test]
fn settled_text_begins_all_longer_texts_of_real_tokenizers() {
    let mut kinds = 0;
    for (name, tokenizer) in real() {
        let ids: Vec<u32> = (0..u32::try_from(tokenizer.ids()).unwrap()).collect();
        let share = check(&name, &tokenizer, &ids);
        assert!(share > 0.3, "{name}: {share}");
        // A word, the bytes of a character that has no token, and a line break.
        let mut tokens = tokenizer.encode_with("a \u{1f9ff}\n", false).unwrap();
        tokens.extend(&ids[..ids.len().min(300)]);
        check(&name, &tokenizer, &tokens);
        // Plain words are settled at once.
        let tokens = tokenizer.encode_with("a b", false).unwrap();
        let decoded = tokenizer.decode_so_far(&tokens).unwrap();
        assert_eq!(decoded.settled(), decoded.text(), "{name}");
        kinds += 1;
    }
    assert!(kinds > 15, "{kinds}");
}

#[test]
fn settled_text_begins_all_longer_texts_whatever_the_decoder() {
    let bytes = json!({"type": "ByteFallback"});
    let fuse = json!({"type": "Fuse"});
    let level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let strip = |start: u32, stop: u32| json!({"type": "Strip", "content": "a", "start": start, "stop": stop});
    let meta =
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true});
    let pieces = |cleanup: bool| json!({"type": "WordPiece", "prefix": "##", "cleanup": cleanup});
    let ctc =
        json!({"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": true});
    let bpe = json!({"type": "BPEDecoder", "suffix": "</w>"});
    let spaces = replace("▁", " ");
    let settled = [
        json!(null),
        level.clone(),
        meta.clone(),
        pieces(true),
        pieces(false),
        ctc.clone(),
        sequence(json!([spaces, bytes, fuse, strip(1, 0)])),
        sequence(json!([spaces, bytes, fuse])),
        sequence(json!([bytes, fuse, replace("a", "bb"), meta])),
        sequence(json!([replace("ab", "c"), strip(1, 1), fuse])),
    ];
    let open = [
        bpe,
        sequence(json!([fuse, strip(0, 1)])),
        sequence(json!([fuse, replace("ab", "c")])),
        sequence(json!([fuse, pieces(true)])),
        sequence(json!([fuse, ctc])),
        sequence(json!([fuse, bytes])),
        sequence(json!([level, replace("\u{fffd}", "?")])),
        sequence(json!([replace("b", "<0x0A>"), bytes, fuse])),
    ];
    // Names before bytes, and bytes of ASCII, of characters and of none.
    let ids: Vec<u32> = (0..30)
        .chain([40, 95, 30 + 0xc3, 30 + 0xa9, 30 + 0xff, 30 + 0xe2])
        .collect();
    for decoder in &settled {
        let share = check(&decoder.to_string(), &made(decoder), &ids);
        assert!(share > 0.3, "{decoder}: {share}");
    }
    for decoder in &open {
        assert_eq!(
            check(&decoder.to_string(), &made(decoder), &ids),
            0.0,
            "{decoder}"
        );
    }
}

#[test]
fn a_character_is_settled_with_its_last_byte_and_byte_tokens_with_the_token_after_them() {
    let decoder = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let tokenizer = made(&decoder);
    let settled = |tokenizer: &Tokenizer, tokens: &[u32]| {
        let decoded = tokenizer.decode_so_far(tokens).unwrap();
        (decoded.text().to_owned(), decoded.settled().to_owned())
    };
    let of = |text: &str, settled: &str| (text.to_owned(), settled.to_owned());
    // a, the two bytes of é.
    assert_eq!(settled(&tokenizer, &[1, 9]), of("a\u{fffd}", "a"));
    assert_eq!(settled(&tokenizer, &[1, 9, 10]), of("aé", "aé"));
    let fallback = sequence(json!([{"type": "ByteFallback"}, {"type": "Fuse"}]));
    let tokenizer = made(&fallback);
    // a, a line break, the special token, the first byte of é, b.
    let (line, special, byte) = (30 + 0x0a, 0, 30 + 0xc3);
    assert_eq!(settled(&tokenizer, &[1, line]), of("a\n", "a"));
    assert_eq!(settled(&tokenizer, &[1, line, special]), of("a\n", "a"));
    assert_eq!(
        settled(&tokenizer, &[1, line, special, byte]),
        of("a\u{fffd}\u{fffd}", "a")
    );
    assert_eq!(settled(&tokenizer, &[1, line, 2]), of("a\nb", "a\nb"));
    assert_eq!(settled(&tokenizer, &[line]), of("\n", ""));
}
