//! The files of a directory that are read, and the checks of its index.

use super::*;

const BOTH: &str = r#"{"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}"#;

#[test]
fn shards_are_found_through_their_index() {
    let directory = sharded(&[1.0], &[2.0], BOTH);
    let weights = Weights::open(directory.path()).unwrap();
    assert_eq!(read(&weights, "x", &[1]).unwrap(), [1.0]);
    assert_eq!(read(&weights, "y", &[1]).unwrap(), [2.0]);
    assert_eq!(weights.files().count(), 2);
}

#[test]
fn a_tensor_the_index_does_not_name_is_one_like_any_other() {
    let directory = sharded(&[1.0], &[2.0], BOTH);
    let both = file_of(&[floats("y", &[2.0]), floats("z", &[3.0])]);
    fs::write(directory.path().join("b.safetensors"), both).unwrap();
    let weights = Weights::open(directory.path()).unwrap();
    assert_eq!(read(&weights, "z", &[1]).unwrap(), [3.0]);
}

#[test]
fn a_tensor_that_its_shard_does_not_hold_is_named() {
    let index = BOTH.replace(r#""y""#, r#""w": "b.safetensors", "y""#);
    let directory = sharded(&[1.0], &[2.0], &index);
    let file = directory.path().join("b.safetensors");
    let reason = reason(Weights::open(directory.path()), &file, "w");
    assert!(reason.contains("index"), "{reason}");
}

#[test]
fn a_tensor_in_two_shards_is_refused() {
    let directory = sharded(&[1.0], &[2.0], BOTH);
    let both = file_of(&[floats("y", &[2.0]), floats("x", &[3.0])]);
    fs::write(directory.path().join("b.safetensors"), both).unwrap();
    let file = directory.path().join("b.safetensors");
    let reason = reason(Weights::open(directory.path()), &file, "x");
    assert!(reason.ends_with("a.safetensors"), "{reason}");
}

#[test]
fn an_index_that_names_a_file_elsewhere_is_refused() {
    for file in [
        "../b.safetensors",
        "/etc/passwd",
        "..",
        ".",
        "",
        "sub/b.safetensors",
        "c:\\\\b",
        "c:b",
        "b\\u0000",
    ] {
        let index = format!(r#"{{"weight_map": {{"x": "a.safetensors", "y": "{file}"}}}}"#);
        let directory = sharded(&[1.0], &[1.0], &index);
        match Weights::open(directory.path()).err() {
            Some(ModelError::Field { path, field, .. }) => {
                assert_eq!(path, directory.path().join(INDEX));
                assert_eq!(field, "weight_map");
            }
            other => panic!("{file}: {other:?}"),
        }
    }
}

#[test]
fn an_index_that_is_not_one_is_named() {
    let deep = "[".repeat(100_000);
    for index in [
        "",
        "[]",
        "{}",
        "{",
        r#"{"weight_map": null}"#,
        r#"{"weight_map": []}"#,
        r#"{"weight_map": {}}"#,
        r#"{"weight_map": {"x": 1}}"#,
        r#"{"weight_map": {"x": ["a.safetensors"]}}"#,
        &deep,
    ] {
        let directory = sharded(&[1.0], &[1.0], index);
        let error = open_error(directory.path());
        assert!(error.contains("model.safetensors.index.json"), "{error}");
    }
}

#[test]
fn a_missing_shard_is_named() {
    let directory = sharded(&[1.0], &[], BOTH);
    fs::remove_file(directory.path().join("b.safetensors")).unwrap();
    let error = Weights::open(directory.path()).err().unwrap();
    assert!(matches!(&error, ModelError::Io { path, .. } if path.ends_with("b.safetensors")));
}

#[test]
fn a_directory_without_weights_says_which_files_it_looked_for() {
    let directory = tempfile::tempdir().unwrap();
    let error = open_error(directory.path());
    assert!(error.contains("no model.safetensors and no model.safetensors.index.json"));
}

#[test]
fn pickled_weights_are_named_and_not_read() {
    for name in [
        "pytorch_model.bin",
        "pytorch_model-00001-of-00002.bin",
        "consolidated.00.pth",
        "model.pt",
        "epoch.ckpt",
    ] {
        let directory = tempfile::tempdir().unwrap();
        for file in [name, "training_args.bin", "tokenizer.json"] {
            fs::write(directory.path().join(file), "pickle").unwrap();
        }
        let error = open_error(directory.path());
        assert!(error.contains(name), "{error}");
        assert!(error.contains("convert them to safetensors"), "{error}");
        // Beside safetensors, pickled files are ignored.
        let file = file_of(&[floats("x", &[1.0])]);
        fs::write(directory.path().join(SINGLE), file).unwrap();
        assert!(Weights::open(directory.path()).is_ok());
    }
}

#[test]
fn what_is_not_a_regular_file_is_refused_without_waiting_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(SINGLE);
    fs::create_dir(&file).unwrap();
    assert!(open_error(directory.path()).contains("not a regular file"));
    #[cfg(unix)]
    for target in ["/dev/zero", "/dev/stdin"] {
        let _ = fs::remove_dir(&file).or_else(|_| fs::remove_file(&file));
        std::os::unix::fs::symlink(target, &file).unwrap();
        if !fs::metadata(&file).unwrap().is_file() {
            assert!(open_error(directory.path()).contains("not a regular file"));
        }
    }
}
