//! A tokenizer that makes the library panic, or a short text long, is refused in one line that names its file, in bounded time
//! and memory. A test of this kind that fails may not end.

use std::fs;

use cola_model::Tokenizer;
use serde_json::{Value, json};

/// A tokenizer of single bytes, with other parts.
fn with(parts: Value) -> Value {
    let letters = ('!'..='~').chain(['Ġ', 'Ċ', 'Ã', '©', '▁']);
    let vocab = letters
        .enumerate()
        .map(|(id, letter)| (letter.to_string(), json!(id)));
    let vocab: serde_json::Map<String, Value> = vocab.collect();
    let mut tokenizer = json!({
        "version": "1.0",
        "added_tokens": [],
        "normalizer": null,
        "pre_tokenizer": null,
        "post_processor": null,
        "decoder": null,
        "model": {"type": "BPE", "vocab": vocab, "merges": []},
    });
    for (name, part) in parts.as_object().unwrap() {
        tokenizer[name] = part.clone();
    }
    tokenizer
}

fn load(parts: Value) -> Result<Tokenizer, String> {
    let directory = tempfile::tempdir().unwrap();
    fs::write(
        directory.path().join("tokenizer.json"),
        with(parts).to_string(),
    )
    .unwrap();
    let error = |error: String| error.replace(directory.path().to_str().unwrap(), "DIR");
    Tokenizer::load(directory.path()).map_err(|it| error(it.to_string()))
}

#[track_caller]
fn one_line(error: &str, expected: &str) {
    assert!(error.contains("tokenizer.json: "), "{error}");
    assert!(error.contains(expected), "{error}");
    assert!(error.len() < 400 && !error.contains('\n'), "{error}");
}

#[track_caller]
fn refused(parts: Value, expected: &str) {
    let error = load(parts).map(|_| ()).unwrap_err();
    one_line(&error, expected);
}

fn sequence(name: &str, of: Value) -> Value {
    json!({"type": "Sequence", name: of})
}

fn replace(pattern: Value, content: &str) -> Value {
    json!({"type": "Replace", "pattern": pattern, "content": content})
}

#[test]
fn a_panic_of_the_library_is_one_line() {
    let template = json!({
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [],
        "special_tokens": {},
    });
    refused(
        json!({"post_processor": template}),
        "the tokenizers library failed",
    );
    let charsmap = json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"});
    refused(json!({"normalizer": charsmap}), "");
}

#[test]
fn a_pattern_that_goes_back_for_ever_ends() {
    let split = |pattern: &str| {
        json!({"pre_tokenizer": {
            "type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false,
        }})
    };
    for (pattern, text) in [
        ("(a+)+$", 100),
        ("(a|a)*$", 100),
        ("(a|aa)+$", 100),
        ("a*a*a*a*(?<=x)", 200),
    ] {
        let tokenizer = load(split(pattern)).unwrap();
        let text = format!("{}!", "a".repeat(text));
        let error = tokenizer.encode(&text).unwrap_err().to_string();
        one_line(&error, "retry-limit");
    }
    // Long texts of the patterns in use take no steps back.
    let usual = r"(?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    let tokenizer = load(split(usual)).unwrap();
    for text in ["a", "!", "a!", "7"] {
        let text = text.repeat(200_000);
        assert_eq!(tokenizer.encode(&text).unwrap().len(), text.len());
    }
}

#[test]
fn a_normalizer_that_makes_a_short_text_long_is_refused() {
    let twice = replace(json!({"String": "a"}), "aa");
    let doubling = sequence("normalizers", json!(vec![twice; 25]));
    refused(
        json!({"normalizer": doubling}),
        "the normalizer makes more than 32 times",
    );
    let all = replace(json!({"Regex": "."}), "aa");
    let inner = sequence("normalizers", json!(vec![all; 5]));
    let nested = sequence("normalizers", json!(vec![inner; 5]));
    refused(
        json!({"normalizer": nested}),
        "the normalizer makes more than 32 times",
    );
    let megabyte = "x".repeat(1 << 20);
    let prepend = json!({"type": "Prepend", "prepend": megabyte});
    refused(
        json!({"normalizer": prepend}),
        "the normalizer makes more than 32 times",
    );
    for pattern in [json!({"String": "b"}), json!({"Regex": "b"})] {
        // No `b`, no harm.
        let tokenizer = load(json!({"normalizer": replace(pattern, &megabyte)})).unwrap();
        assert_eq!(tokenizer.encode("aaa").unwrap().len(), 3);
        let error = tokenizer
            .encode(&"b".repeat(100_000))
            .unwrap_err()
            .to_string();
        one_line(&error, "the normalizer makes more than 32 times");
    }
    let steps = vec![json!({"type": "Lowercase"}); 1001];
    refused(
        json!({"normalizer": sequence("normalizers", json!(steps))}),
        "1001 steps",
    );
}

#[test]
fn what_stands_before_every_part_of_a_text_counts_each_time() {
    let prepend = json!({"type": "Prepend", "prepend": "x".repeat(10_000)});
    let added = json!([{"id": 99, "content": "|", "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true}]);
    let tokenizer = load(json!({"normalizer": prepend, "added_tokens": added})).unwrap();
    assert_eq!(tokenizer.encode("a").unwrap().len(), 10_001);
    let error = tokenizer
        .encode(&"|a".repeat(1000))
        .unwrap_err()
        .to_string();
    one_line(&error, "the normalizer makes more than 32 times");
}

#[test]
fn pre_tokenizers_decoders_and_templates_are_bounded_too() {
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false});
    let many = sequence("pretokenizers", json!(vec![bytes; 25]));
    let tokenizer = load(json!({"pre_tokenizer": many})).unwrap();
    let error = tokenizer
        .encode(&"é".repeat(10_000))
        .unwrap_err()
        .to_string();
    one_line(&error, "the pre_tokenizer makes more than 32 times");

    let twice = replace(json!({"String": "a"}), "aa");
    let decoder = sequence("decoders", json!(vec![twice; 25]));
    let tokenizer = load(json!({"decoder": decoder})).unwrap();
    let tokens = tokenizer.encode("a").unwrap();
    let error = tokenizer.decode(&tokens).unwrap_err().to_string();
    one_line(&error, "the decoder makes more than 32 times");

    let text = json!({"Sequence": {"id": "A", "type_id": 0}});
    let template = json!({
        "type": "TemplateProcessing", "single": [text, text], "pair": [], "special_tokens": {},
    });
    let processors = sequence("processors", json!(vec![template; 25]));
    refused(
        json!({"post_processor": processors}),
        "names the text more than once",
    );
}

#[test]
fn the_steps_of_real_tokenizers_stay() {
    let normalizer = json!({"normalizer": sequence("normalizers", json!([
        {"type": "Prepend", "prepend": "▁"}, replace(json!({"String": " "}), "▁"),
    ]))});
    let tokenizer = load(normalizer).unwrap();
    let text = " ".repeat(100_000);
    assert_eq!(tokenizer.encode(&text).unwrap().len(), 100_001);
    // The sign that grows most: 18 letters of one.
    let tokenizer = load(json!({"normalizer": {"type": "NFKC"}})).unwrap();
    assert!(tokenizer.encode(&"\u{fdfa}".repeat(10_000)).is_ok());
}

#[test]
#[cfg(unix)]
fn no_file_of_a_tokenizer_is_a_pipe_or_a_device() {
    for name in [
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "chat_template.jinja",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let tokenizer = with(json!({})).to_string();
        fs::write(directory.path().join("tokenizer.json"), tokenizer).unwrap();
        let path = directory.path().join(name);
        let error = || Tokenizer::load(directory.path()).unwrap_err().to_string();
        let _ = fs::remove_file(&path);
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        let expected = format!("{name}: this is a device, not a regular file");
        assert!(error().ends_with(&expected), "{}", error());
        fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        let expected = format!("{name}: this is a pipe, not a regular file");
        assert!(error().ends_with(&expected), "{}", error());
        fs::remove_file(&path).unwrap();
        fs::File::create(&path).unwrap().set_len(10 << 30).unwrap();
        assert!(
            error().contains("its 10737418240 bytes are more than"),
            "{}",
            error()
        );
    }
}
