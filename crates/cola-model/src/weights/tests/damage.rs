//! Damaged and malicious files: each gives an error that names the file, and the tensor if one is
//! at fault.

use super::*;

fn refused(bytes: &[u8]) -> String {
    let directory = single(bytes);
    let error = open_error(directory.path());
    assert!(error.contains(SINGLE), "{error}");
    error
}

fn header_refused(header: impl AsRef<[u8]>, data: usize) -> String {
    refused(&file_with(header.as_ref(), &vec![0; data]))
}

fn entry(dtype: &str, shape: &str, offsets: &str) -> String {
    format!(r#"{{"dtype": "{dtype}", "shape": {shape}, "data_offsets": {offsets}}}"#)
}

/// A header with one tensor `x`.
fn one(dtype: &str, shape: &str, offsets: &str) -> String {
    format!(r#"{{"x": {}}}"#, entry(dtype, shape, offsets))
}

#[test]
fn a_truncated_file_is_named() {
    let bytes = file_of(&[floats("x", &[1.0; 64])]);
    for kept in [0, 1, 7, 8, 20, bytes.len() - 1] {
        let error = refused(&bytes[..kept]);
        assert!(error.contains("not a complete safetensors file"), "{error}");
    }
}

#[test]
fn a_header_length_past_the_end_reads_nothing_there() {
    let mut bytes = file_of(&[floats("x", &[1.0])]);
    let header = bytes.len() as u64 - 8 - 4;
    for length in [header + 5, 1 << 20, 100_000_000] {
        bytes[..8].copy_from_slice(&length.to_le_bytes());
        assert!(refused(&bytes).contains("not a complete safetensors file"));
    }
    for length in [100_000_001, u64::MAX - 8, u64::MAX - 7, u64::MAX] {
        bytes[..8].copy_from_slice(&length.to_le_bytes());
        assert!(refused(&bytes).contains(&format!("its header would have {length} bytes")));
    }
    for length in [0, header / 2, header + 4] {
        bytes[..8].copy_from_slice(&length.to_le_bytes());
        assert!(refused(&bytes).contains("broken safetensors header"));
    }
}

#[test]
fn a_header_that_is_no_json_object_of_tensors_is_refused() {
    for header in [
        "",
        "null",
        "[]",
        "{",
        "{\"x\"}",
        "{} {}",
        r#"{"x": null}"#,
        r#"{"x": ["F32", [1], [0, 4]]}"#,
        r#"{"x": {"dtype": "F32", "shape": [1]}}"#,
        r#"{"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], "more": 1}}"#,
        r#"{"x": {"dtype": "F32", "dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}"#,
        r#"{"x": {"dtype": "F32", "\u001bshape": [1], "data_offsets": [0, 4]}}"#,
        r#"{"x": {"dtype": "F32", "shape": "\u001b", "data_offsets": [0, 4]}}"#,
        r#"{"__metadata__": {"format": 1}}"#,
        r#"{"__metadata__": "pt"}"#,
        r#"{"a\u001bb": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}"#,
    ] {
        let error = header_refused(header, 4);
        assert!(error.contains("broken safetensors header"), "{error}");
    }
    let error = header_refused(b"{\"\xff\": 1}", 4);
    assert!(error.contains("utf-8"), "{error}");
}

#[test]
fn a_header_of_deep_nesting_does_not_exhaust_the_stack() {
    for opening in ["[", "{\"x\":"] {
        for place in [
            "",
            r#"{"x": "#,
            r#"{"x": {"shape": "#,
            r#"{"__metadata__": "#,
        ] {
            header_refused(place.to_owned() + &opening.repeat(1_000_000), 4);
        }
    }
}

#[test]
fn a_field_of_the_wrong_type_is_named_with_its_tensor() {
    for entry in [
        entry("F32", "[-1]", "[0, 4]"),
        entry("F32", "[1.0]", "[0, 4]"),
        entry("F32", "[1e400]", "[0, 4]"),
        entry("F32", "[18446744073709551616]", "[0, 4]"),
        entry("F32", "1", "[0, 4]"),
        entry("F32", r#"["1"]"#, "[0, 4]"),
        entry("F32", "[1]", "[0]"),
        entry("F32", "[1]", "[0, 4, 8]"),
        entry("F32", "[1]", "[-4, 4]"),
        entry("F32", "[1]", "4"),
    ] {
        let error = header_refused(format!(r#"{{"blk.0": {entry}}}"#), 4);
        assert!(error.contains("tensor \"blk.0\": "), "{error}");
    }
}

#[test]
fn ranges_that_do_not_tile_the_data_are_refused() {
    for (offsets, what) in [
        (
            "[0, 8]",
            "tensor `x` ends at byte 8 of the data, but there are only 4",
        ),
        ("[0, 18446744073709551615]", "not a complete"),
        (
            "[18446744073709551612, 18446744073709551615]",
            "not a complete",
        ),
        ("[4, 0]", "tensor `x`: lies at bytes 4..0"),
        ("[1, 4]", "tensor `x`: lies at bytes 1..4"),
        ("[0, 3]", "tensor `x`: has 3 bytes"),
        ("[0, 0]", "tensor `x`: has 0 bytes"),
    ] {
        let error = header_refused(one("F32", "[1]", offsets), 4);
        assert!(error.contains(what), "{error}");
    }
    let error = header_refused(one("F32", "[1]", "[0, 4]"), 5);
    assert!(
        error.contains("has 1 bytes after its last tensor"),
        "{error}"
    );
    for second in ["[0, 4]", "[2, 6]", "[5, 9]", "[8, 4]"] {
        let (x, y) = (entry("F32", "[1]", "[0, 4]"), entry("F32", "[1]", second));
        let error = header_refused(format!(r#"{{"x": {x}, "y": {y}}}"#), 9);
        assert!(error.contains("tensor `"), "{error}");
    }
}

#[test]
fn a_shape_whose_size_cannot_be_counted_is_refused() {
    for shape in [
        "[4294967296, 4294967296]",
        "[4294967296, 4294967296, 0]",
        "[18446744073709551615]",
        "[0, 18446744073709551615]",
        "[9223372036854775807, 2]",
        "[4611686018427387905]",
        "[2305843009213693952, 2, 2, 2, 2]",
    ] {
        // Lengths to which the products would wrap.
        for length in [0, 4, 8, 12] {
            let error = header_refused(one("F32", shape, &format!("[0, {length}]")), length);
            assert!(error.contains("tensor `x`: has"), "{shape}: {error}");
        }
    }
}

#[test]
fn a_tensor_described_twice_is_refused() {
    let x = entry("F32", "[1]", "[0, 4]");
    let later = entry("F32", "[1]", "[4, 8]");
    let error = header_refused(format!(r#"{{"x": {x}, "x": {later}}}"#), 8);
    assert!(error.contains("tensor `x`: is described twice"), "{error}");
    let empty = entry("F32", "[0]", "[0, 0]");
    let error = header_refused(format!(r#"{{"x": {empty}, "\u0078": {empty}}}"#), 0);
    assert!(error.contains("tensor `x`: is described twice"), "{error}");
    header_refused(format!(r#"{{"x": {x}, "x": {x}}}"#), 4);
}

#[test]
fn an_unknown_dtype_is_named_with_its_tensor() {
    for dtype in ["F31", "f32", "", "Q4_K"] {
        let error = header_refused(one(dtype, "[1]", "[0, 4]"), 4);
        let expected = format!("tensor `x`: has unknown dtype {dtype:?}");
        assert!(error.contains(&expected), "{error}");
    }
    // Half a byte.
    let error = header_refused(one("F4", "[1]", "[0, 1]"), 1);
    assert!(error.contains("tensor `x`: has 1 bytes"), "{error}");
}

#[test]
fn a_file_without_tensors_lacks_all_of_them() {
    let directory = single(&file_with(b"{}", b""));
    let weights = Weights::open(directory.path()).unwrap();
    assert_eq!(weights.names().count(), 0);
    assert_eq!(weights.main_kind(), None);
    assert!(weights.check("x", &[1]).is_err());
}

#[test]
fn a_git_lfs_pointer_is_called_that() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 98362432\n";
    assert!(refused(pointer).contains("Git LFS pointer"));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.gguf");
    fs::write(&path, pointer).unwrap();
    let error = Weights::open_gguf(&path).err().unwrap().to_string();
    assert!(
        error.contains("model.gguf: this is a Git LFS pointer"),
        "{error}"
    );
}
