//! Files without an end, or that are not what their name says: one line, status 2. A test of this kind that fails does not end.
#![cfg(unix)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::support_cli::{Place, fixture_model, fixture_reference};

const KINDS: [(&str, &str); 3] = [
    ("zero", "this is a device, not a regular file"),
    ("pipe", "this is a pipe, not a regular file"),
    ("sparse", "bytes are more than the"),
];

/// Puts an endless file of this kind in a place.
fn put(path: &Path, kind: &str) {
    let _ = fs::remove_file(path);
    match kind {
        "zero" => std::os::unix::fs::symlink("/dev/zero", path).unwrap(),
        "pipe" => {
            let made = std::process::Command::new("mkfifo").arg(path).status();
            assert!(made.unwrap().success());
        }
        _ => fs::File::create(path).unwrap().set_len(10 << 30).unwrap(),
    }
}

fn copied(place: &Place, from: &Path) -> PathBuf {
    let to = place.join("model");
    fs::create_dir_all(&to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    to
}

#[test]
fn no_small_file_of_a_model_is_endless() {
    let line = "generate --model model --prompt a --max-new-tokens 1";
    for (kind, expected) in KINDS {
        for name in [
            "config.json",
            "generation_config.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "added_tokens.json",
            "chat_template.jinja",
        ] {
            let place = Place::new();
            let model = copied(&place, &fixture_model("llama31-gqa-tied-bf16"));
            put(&model.join(name), kind);
            let reason = place.refused(line);
            assert!(reason.contains(name), "{reason}");
            assert!(reason.contains(expected), "{name}: {reason}");
        }
        let place = Place::new();
        let model = copied(&place, &fixture_model("sharded-f16"));
        put(&model.join("model.safetensors.index.json"), kind);
        let reason = place.refused("inspect --model model");
        assert!(reason.contains("model.safetensors.index.json"), "{reason}");
        assert!(reason.contains(expected), "{reason}");
    }
}

#[test]
fn no_file_that_a_flag_names_is_endless() {
    let place = Place::new();
    place.synth("arith.jsonl", "arith", 1, 4);
    let eval = "eval --model @demo --task arith --data arith.jsonl";
    for kind in ["zero", "pipe", "sparse"] {
        for (file, line) in [
            (
                "task.yaml",
                "eval --model @demo --task task.yaml --data arith.jsonl".to_owned(),
            ),
            (
                "rows.jsonl",
                "eval --model @demo --task arith --data rows.jsonl".to_owned(),
            ),
            (
                "rows.csv",
                "eval --model @demo --task arith --data rows.csv".to_owned(),
            ),
            (
                "pairs.jsonl",
                format!("{eval} --pairs pairs.jsonl --out out"),
            ),
            ("ref", "verify --model @demo --reference ref".to_owned()),
        ] {
            put(&place.join(file), kind);
            let reason = place.refused(&line);
            assert!(reason.contains(file), "{line}: {reason}");
            fs::remove_file(place.join(file)).unwrap();
        }
    }
}

#[test]
fn a_long_line_of_pairs_is_told_by_its_number() {
    let place = Place::new();
    place.synth("arith.jsonl", "arith", 1, 4);
    let long = "x".repeat(17 << 20);
    place.write("pairs.jsonl", format!("\n{{\"id\": \"{long}\"}}\n"));
    let reason = place.refused(
        "eval --model @demo --task arith --data arith.jsonl --pairs pairs.jsonl --out out",
    );
    assert!(
        reason.starts_with("pairs.jsonl:2: the line is longer than the 16777216 bytes"),
        "{reason}"
    );
}

#[test]
fn a_reference_that_is_no_safetensors_is_told_so() {
    let place = Place::new();
    place.write("text", "These are no logits, but some words about them.");
    place.write("short", "x");
    let whole = fs::read(fixture_reference("biases-f32")).unwrap();
    place.write("cut", &whole[..100]);
    for file in ["text", "short", "cut"] {
        let reason = place.refused(&format!("verify --model @demo --reference {file}"));
        assert_eq!(
            reason,
            format!("{file}: this is not a safetensors file, as a reference file is")
        );
    }
}

#[test]
fn a_directory_without_a_configuration_is_told_by_the_flag() {
    let place = Place::new();
    for line in ["inspect --model .", "generate --model . --prompt a"] {
        let reason = place.refused(line);
        assert!(
            reason.starts_with("--model .: there is no ./config.json; give a directory"),
            "{reason}"
        );
    }
}

#[test]
fn a_device_that_is_not_there_is_told_in_one_sentence() {
    let place = Place::new();
    let ended = place.run("generate --model @demo --prompt a --max-new-tokens 1 --device cuda:0");
    // A machine may have one.
    if ended.status == Some(0) {
        return;
    }
    let reason = ended.with_status(2).stderr;
    assert!(reason.starts_with("cola: --device cuda:0: "), "{reason}");
    assert!(
        !reason.contains("cannot open shared object file"),
        "{reason}"
    );
}

#[test]
fn a_tokenizer_of_another_model_is_warned_of() {
    let place = Place::new();
    // Three rows of four are for no token.
    let letters: String = ('a'..='z')
        .map(|c| format!("\"{c}\": {}, ", c as u32 - 97))
        .collect();
    place.write(
        "other/tokenizer.json",
        format!(
            r#"{{"version": "1.0", "added_tokens": [], "model": {{"type": "BPE", "vocab": {{{letters}"!": 26}}, "merges": []}}}}"#
        ),
    );
    let line = "generate --model @demo --prompt a --max-new-tokens 1";
    let ended = place
        .run(&format!("{line} --tokenizer other"))
        .with_status(0);
    assert_eq!(
        ended.stderr,
        "cola: warning: the tokenizer has 27 token ids, but the model's embedding 816 rows; check that they belong together\n"
    );
    assert_eq!(place.ok(line).stderr, "");
}
