//! Models in GGUF files give the results of transformers with the same values. Files that are
//! damaged or need something unsupported are refused by the name of the key or tensor.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::support::{fixtures, load, options};
use anamnesis::{GgufMetadataValue as Value, GgufType, GgufWriteTensor, parse_gguf, write_gguf};
use cola_engine::{Engine, verify};
use cola_model::{Compute, Model};
use cola_search::chain::Chain;
use proptest::prelude::*;
use tempfile::TempDir;

/// Largest difference of a logit allowed in f32.
const TOLERANCE: f64 = 2e-4;

fn file(name: &str) -> PathBuf {
    fixtures().join("gguf").join(name)
}

/// GGUF fixtures, each with its reference file; a model split into parts has one reference.
fn references() -> Vec<(PathBuf, PathBuf)> {
    let entries = std::fs::read_dir(fixtures().join("gguf")).unwrap();
    let mut references: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    references.retain(|path| path.extension().is_some_and(|e| e == "safetensors"));
    references.sort();
    assert!(references.len() >= 20, "{references:?}");
    let with_file = |reference: PathBuf| {
        let whole = reference.with_extension("gguf");
        let stem = reference.file_stem().unwrap().to_str().unwrap();
        let parts = (2..9).map(|n| file(&format!("{stem}-00002-of-{n:05}.gguf")));
        let any = std::iter::once(whole)
            .chain(parts)
            .find(|path| path.exists());
        (any.expect("a GGUF file beside its references"), reference)
    };
    references.into_iter().map(with_file).collect()
}

#[test]
fn every_file_gives_the_logits_and_the_continuation_of_transformers() {
    for (file, reference) in references() {
        let engine = Engine::start(Arc::new(load(&file)), options());
        for case in verify(&engine, &reference).unwrap() {
            assert!(case.passes(TOLERANCE), "{}: {case:?}", file.display());
            assert_eq!(
                case.greedy_agree,
                Some((20, 20)),
                "{}: {case:?}",
                file.display()
            );
        }
    }
}

#[test]
fn every_supported_type_is_in_a_file_and_inspected_by_tensor() {
    let mut seen = std::collections::BTreeSet::new();
    for (file, _) in references() {
        let found = Model::inspect(&file).unwrap();
        assert!(
            found.problems.is_empty(),
            "{}: {:?}",
            file.display(),
            found.problems
        );
        let values: usize = found.encodings.iter().map(|stored| stored.values).sum();
        // Tensors of rotary divisors are not counted as parameters.
        let parameters = found.spec.parameters() as usize;
        assert!(
            (parameters..parameters + 100).contains(&values),
            "{}",
            file.display()
        );
        seen.extend(found.encodings.into_iter().map(|stored| stored.encoding));
    }
    let all = "BF16 F16 F32 Q2_K Q3_K Q4_0 Q4_1 Q4_K Q5_0 Q5_1 Q5_K Q6_K Q8_0";
    assert_eq!(seen.into_iter().collect::<Vec<_>>().join(" "), all);
}

/// The error of loading a file that is refused: one line that names the file.
fn refusal(path: &Path) -> String {
    let error = Model::load(path, Compute::cpu()).unwrap_err().to_string();
    assert!(
        error.contains(path.file_name().unwrap().to_str().unwrap()),
        "{error}"
    );
    assert!(!error.contains(char::is_control), "{error:?}");
    error
}

/// A directory with one file of these bytes.
fn written(bytes: &[u8]) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.gguf");
    std::fs::write(&path, bytes).unwrap();
    (directory, path)
}

/// A copy of `llama-f32.gguf` with changed metadata.
fn with_metadata(change: impl FnOnce(&mut HashMap<String, Value>)) -> (TempDir, PathBuf) {
    let original = parse_gguf(file("llama-f32.gguf")).unwrap();
    let mut metadata = original.metadata().clone();
    change(&mut metadata);
    let tensors: Vec<_> = original.tensors().collect();
    let tensors: Vec<_> = tensors
        .iter()
        .map(|tensor| GgufWriteTensor {
            name: tensor.name,
            shape: tensor.shape,
            dtype: tensor.dtype,
            data: &tensor.data,
        })
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.gguf");
    write_gguf(&path, &tensors, &metadata).unwrap();
    (directory, path)
}

#[test]
fn a_key_of_the_architecture_that_is_not_read_is_refused_by_name() {
    let (_kept, path) = with_metadata(|keys| {
        keys.insert("llama.logit_scale".into(), Value::F32(0.5));
    });
    let error = refusal(&path);
    assert!(
        error.contains("`llama.logit_scale`: is not supported"),
        "{error}"
    );
    let (_kept, path) = with_metadata(|keys| {
        keys.insert("somebody.note".into(), Value::F32(0.5));
    });
    load(&path);
}

#[test]
fn keys_that_lie_are_refused_by_name() {
    let cases: [(&str, Option<Value>, &str); 12] = [
        ("llama.block_count", Some(Value::U32(5)), "blk.4."),
        ("llama.block_count", Some(Value::U32(3)), "tensor `blk.3."),
        (
            "llama.block_count",
            Some(Value::U32(u32::MAX)),
            "`llama.block_count`",
        ),
        ("llama.block_count", None, "`llama.block_count`: is missing"),
        (
            "llama.embedding_length",
            Some(Value::U32(64)),
            "token_embd.weight",
        ),
        (
            "llama.attention.head_count",
            Some(Value::U32(3)),
            "head_count",
        ),
        (
            "llama.attention.head_count",
            Some(Value::String("4".into())),
            "`llama.attention.head_count`",
        ),
        (
            "llama.attention.head_count_kv",
            Some(Value::U32(3)),
            "`llama.attention.head_count_kv`",
        ),
        (
            "llama.vocab_size",
            Some(Value::U32(95)),
            "`llama.vocab_size`: 95, but token_embd.weight has 96 rows",
        ),
        (
            "llama.rope.freq_base",
            Some(Value::F32(f32::NAN)),
            "`llama.rope.freq_base`",
        ),
        (
            "llama.rope.dimension_count",
            Some(Value::U32(4)),
            "`llama.rope.dimension_count`",
        ),
        (
            "general.architecture",
            Some(Value::String("rwkv\u{1b}".into())),
            "`general.architecture`",
        ),
    ];
    for (key, value, expected) in cases {
        let (_kept, path) = with_metadata(|keys| {
            match value.clone() {
                Some(value) => keys.insert(key.into(), value),
                None => keys.remove(key),
            };
        });
        let error = refusal(&path);
        assert!(error.contains(expected), "{key} {value:?}: {error}");
    }
}

#[test]
fn a_type_that_is_not_read_is_refused_with_the_name_of_the_tensor() {
    let mut bytes = std::fs::read(file("llama-legacy.gguf")).unwrap();
    let name = b"blk.0.ffn_up.weight";
    let at = bytes.windows(name.len()).position(|w| w == name).unwrap() + name.len();
    // After the name come the number of dimensions, two dimensions, and the type.
    let kind = at + 4 + 2 * 8;
    assert_eq!(bytes[kind], 2, "Q4_0");
    bytes[kind] = 20; // IQ4_NL, whose blocks are as long
    let (_kept, path) = written(&bytes);
    let error = refusal(&path);
    assert!(
        error
            .contains("tensor `blk.0.ffn_up.weight`: has unsupported dtype IQ4_NL; supported: F32"),
        "{error}"
    );
    let found = Model::inspect(&path).unwrap();
    assert_eq!(found.problems.len(), 1);
    assert_eq!(found.problems[0].to_string(), error);
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let copy = |from: &str, to: &str| {
        std::fs::copy(file(from), directory.path().join(to)).unwrap();
    };
    let parts = std::fs::read_dir(fixtures().join("gguf")).unwrap();
    let count = parts
        .filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_str().unwrap().starts_with("llama-split-0")
        })
        .count();
    assert!(count >= 3);
    let name = |part: usize| format!("llama-split-{part:05}-of-{count:05}.gguf");
    copy(&name(1), &name(1));
    let error = Model::load(&directory.path().join(name(1)), Compute::cpu()).unwrap_err();
    assert!(error.to_string().contains(&name(2)), "{error}");
    copy(&name(1), "alone.gguf");
    let error = refusal(&directory.path().join("alone.gguf"));
    assert!(error.contains("`split.count`"), "{error}");
    for part in 2..=count {
        copy(&name(part), &name(part));
    }
    load(&directory.path().join(name(2)));
    copy(&name(2), &name(3));
    let error = Model::load(&directory.path().join(name(1)), Compute::cpu()).unwrap_err();
    assert!(error.to_string().contains(&name(3)), "{error}");
}

#[test]
fn a_file_that_ends_anywhere_too_early_is_refused() {
    let bytes = std::fs::read(file("llama-f32.gguf")).unwrap();
    let header = bytes.len()
        - parse_gguf(file("llama-f32.gguf"))
            .unwrap()
            .tensors()
            .map(|t| t.data.len())
            .sum::<usize>();
    let ends = (0..header)
        .step_by(7)
        .chain((header..bytes.len()).step_by(997));
    for end in ends.chain([bytes.len() - 1]) {
        let (_kept, path) = written(&bytes[..end]);
        let error = refusal(&path);
        assert!(
            error.contains("not a valid GGUF file") || error.contains("not a complete"),
            "{end}: {error}"
        );
    }
}

#[test]
fn what_is_no_gguf_file_is_refused() {
    for bytes in [
        &b""[..],
        b"GGUF",
        b"GGML0000",
        b"{\"a\": 1}",
        &[0; 64],
        b"version https://git-lfs",
    ] {
        let (_kept, path) = written(bytes);
        assert!(refusal(&path).contains("not a valid GGUF file"));
    }
}

/// Values that a hostile file may claim for a count, a length or an offset.
fn lies() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        Just(u64::MAX),
        Just(1 << 62),
        Just(u64::from(u32::MAX)),
        0..1000u64,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_damaged_file_is_refused_in_one_line_or_is_a_model_that_runs(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        lie in proptest::option::of((any::<prop::sample::Index>(), lies())),
        quantized in any::<bool>(),
    ) {
        let name = if quantized { "llama-legacy.gguf" } else { "llama-f32.gguf" };
        let mut bytes = std::fs::read(file(name)).unwrap();
        // Everything but the values of tensors lies at the beginning of the file.
        let tables = 4096.min(bytes.len());
        for (at, value) in flips {
            bytes[at.index(tables)] = value;
        }
        if let Some((at, value)) = lie {
            let at = at.index(tables - 8);
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        let (_kept, path) = written(&bytes);
        match Model::load(&path, Compute::cpu()) {
            Ok(model) => {
                let chain = Chain::identity(model.depth());
                let logits = model.logits(&[1, 7, 3], &chain, cola_model::Repeat::Clean);
                prop_assert_eq!(logits.unwrap().size()[0], 3);
            }
            Err(error) => {
                let text = error.to_string();
                prop_assert!(text.contains("model.gguf"), "{}", text);
                prop_assert!(!text.contains(char::is_control), "{:?}", text);
            }
        }
    }
}

#[test]
fn values_that_are_not_finite_are_refused_in_blocks_too() {
    let original = parse_gguf(file("llama-legacy.gguf")).unwrap();
    let tensor = original
        .tensor_info()
        .iter()
        .find(|info| info.dtype == GgufType::Q8_0)
        .unwrap();
    let mut bytes = std::fs::read(file("llama-legacy.gguf")).unwrap();
    // The scale of the first block.
    let at = tensor.data_offset as usize;
    bytes[at..at + 2].copy_from_slice(&half::f16::INFINITY.to_le_bytes());
    let (_kept, path) = written(&bytes);
    let error = refusal(&path);
    let expected = format!("tensor `{}`: holds values that are not finite", tensor.name);
    assert!(error.contains(&expected), "{error}");
}
