//! Reading of valid files, and of tensors in them that are refused.

use super::*;

#[test]
fn every_float_dtype_is_read_to_the_value_it_stores() {
    let directory = single(&file_of(&[
        floats("wide", &[1.5, -0.1]),
        (
            "half".into(),
            Dtype::F16,
            vec![1, 2],
            vec![0x00, 0x3e, 0x00, 0xc1],
        ),
        (
            "brain".into(),
            Dtype::BF16,
            vec![2],
            vec![0xc0, 0x3f, 0x20, 0xc0],
        ),
    ]));
    let weights = Weights::open(directory.path()).unwrap();
    assert_eq!(read(&weights, "wide", &[2]).unwrap(), [1.5, -0.1]);
    assert_eq!(read(&weights, "half", &[1, 2]).unwrap(), [1.5, -2.5]);
    assert_eq!(read(&weights, "brain", &[2]).unwrap(), [1.5, -2.5]);
    assert_eq!(weights.main_kind(), Some(Kind::Float));
    assert_eq!(
        weights.names().collect::<Vec<_>>(),
        ["brain", "half", "wide"]
    );
}

#[test]
fn data_that_is_not_aligned_for_its_type_is_read_all_the_same() {
    let entry = json!({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).to_string();
    for padding in 0..8 {
        let header = entry.clone() + &" ".repeat(padding);
        let data = [1.5_f32.to_le_bytes(), (-2.0_f32).to_le_bytes()].concat();
        let directory = single(&file_with(header.as_bytes(), &data));
        let weights = Weights::open(directory.path()).unwrap();
        assert_eq!(read(&weights, "x", &[2]).unwrap(), [1.5, -2.0]);
    }
}

#[test]
fn a_tensor_is_copied_into_a_part_of_a_fused_one_through_an_arrangement() {
    let directory = single(&file_of(&[(
        "x".into(),
        Dtype::F32,
        vec![2, 3],
        (0..6).flat_map(|n| (n as f32).to_le_bytes()).collect(),
    )]));
    let weights = Weights::open(directory.path()).unwrap();
    let fused = Tensor::zeros([5, 2], (Kind::BFloat16, Device::Cpu));
    let mut place = fused.narrow(0, 1, 3);
    weights
        .copy_into("x", &[2, 3], None, &mut place, |x, _| Ok(x.f_tr()?))
        .unwrap();
    let values = Vec::<f32>::try_from(fused.to_kind(Kind::Float).flatten(0, -1)).unwrap();
    assert_eq!(values, [0., 0., 0., 3., 1., 4., 2., 5., 0., 0.]);
    // A target of another shape would be filled by broadcasting.
    let found = weights.copy_into("x", &[2, 3], None, &mut place, |x, _| {
        Ok(x.f_narrow(1, 0, 1)?)
    });
    let reason = reason(found, &directory.path().join(SINGLE), "x");
    assert!(
        reason.contains("[2, 1]") && reason.contains("[3, 2]"),
        "{reason}"
    );
}

#[test]
fn a_tensor_outlives_the_files_it_was_read_from() {
    let directory = single(&file_of(&[floats("x", &[1.0; 4096])]));
    let weights = Weights::open(directory.path()).unwrap();
    let tensor = weights
        .read("x", &[4096], Kind::Float, Device::Cpu)
        .unwrap();
    drop(weights);
    assert_eq!(f64::try_from(tensor.sum(Kind::Float)).unwrap(), 4096.0);
}

#[test]
fn the_prefix_of_the_whole_model_may_be_missing_from_all_names() {
    let directory = single(&file_of(&[
        floats("norm.weight", &[1.0]),
        floats("old", &[1.0]),
    ]));
    let mut weights = Weights::open(directory.path()).unwrap();
    assert!(weights.find("model.norm.weight").is_none());
    weights.allow_missing_prefix("model.");
    assert!(weights.find("model.norm.weight").is_some() && weights.find("norm.weight").is_some());
    assert!(weights.find("lm_head.weight").is_none());
    weights.check("model.norm.weight", &[1]).unwrap();
    weights.refuse_unread(|name| name == "model.old").unwrap();
    weights.refuse_unread(|name| name == "old").unwrap();
    assert_eq!(read(&weights, "model.norm.weight", &[1]).unwrap(), [1.0]);
}

#[test]
fn a_prefix_that_some_name_has_is_not_missing() {
    let directory = single(&file_of(&[floats("model.x", &[1.0]), floats("y", &[1.0])]));
    let mut weights = Weights::open(directory.path()).unwrap();
    weights.allow_missing_prefix("model.");
    assert!(weights.find("model.y").is_none());
}

#[test]
fn a_missing_tensor_is_named_with_the_directory() {
    let directory = single(&file_of(&[floats("x", &[1.0])]));
    let weights = Weights::open(directory.path()).unwrap();
    let reason = reason(weights.check("y", &[1]), directory.path(), "y");
    assert_eq!(reason, "is missing from the weights");
}

#[test]
fn a_wrong_shape_is_named_with_both_shapes() {
    let directory = single(&file_of(&[floats("x", &[1.0, 2.0])]));
    let weights = Weights::open(directory.path()).unwrap();
    let found = weights.check("x", &[2, 1]);
    let reason = reason(found, &directory.path().join(SINGLE), "x");
    assert_eq!(reason, "has shape [2]; config.json says [2, 1]");
}

#[test]
fn a_weight_that_is_not_finite_is_refused() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let directory = single(&file_of(&[floats("x", &[1.0, value, 2.0])]));
        let weights = Weights::open(directory.path()).unwrap();
        let found = read(&weights, "x", &[3]);
        let reason = reason(found, &directory.path().join(SINGLE), "x");
        assert_eq!(reason, "holds values that are not finite");
    }
}

#[test]
fn a_weight_too_large_for_the_compute_dtype_is_refused() {
    let directory = single(&file_of(&[floats("x", &[1e6])]));
    let weights = Weights::open(directory.path()).unwrap();
    let found = weights.read("x", &[1], Kind::Half, Device::Cpu);
    reason(found, &directory.path().join(SINGLE), "x");
}

#[test]
fn a_dtype_that_is_no_weight_is_named() {
    let directory = single(&file_of(&[("x".into(), Dtype::I64, vec![1], vec![0; 8])]));
    let weights = Weights::open(directory.path()).unwrap();
    let reason = reason(
        weights.check("x", &[1]),
        &directory.path().join(SINGLE),
        "x",
    );
    assert_eq!(reason, "has unsupported dtype I64");
}

#[test]
fn a_tensor_nothing_reads_is_refused_unless_it_is_ignored() {
    let directory = single(&file_of(&[floats("x", &[1.0]), floats("extra", &[1.0])]));
    let weights = Weights::open(directory.path()).unwrap();
    weights.check("x", &[1]).unwrap();
    assert!(weights.refuse_unread(|name| name == "extra").is_ok());
    let found = weights.refuse_unread(|_| false);
    let reason = reason(found, &directory.path().join(SINGLE), "extra");
    assert!(reason.contains("not part of this architecture"), "{reason}");
}

#[test]
fn the_hash_is_that_of_the_bytes_of_all_files() {
    let directory = single(&vec![7; 40 << 20]);
    let bytes = fs::read(directory.path().join(SINGLE)).unwrap();
    let file = MappedFile::open(directory.path().join(SINGLE)).unwrap();
    let mut hasher = blake3::Hasher::new();
    file.hash_into(&mut hasher);
    assert_eq!(hasher.finalize(), blake3::hash(&bytes));
}

#[test]
fn a_part_of_a_tensor_is_copied_alone() {
    let values: Vec<u8> = (0..12).flat_map(|n| (n as f32).to_le_bytes()).collect();
    let directory = single(&file_of(&[("x".into(), Dtype::F32, vec![3, 2, 2], values)]));
    let weights = Weights::open(directory.path()).unwrap();
    let mut place = Tensor::zeros([2, 2], (Kind::Float, Device::Cpu));
    weights
        .copy_into("x", &[3, 2, 2], Some(1), &mut place, |x, _| {
            Ok(x.shallow_clone())
        })
        .unwrap();
    let values = Vec::<f32>::try_from(place.flatten(0, -1)).unwrap();
    assert_eq!(values, [4., 5., 6., 7.]);
}
