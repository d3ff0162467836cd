//! Any bytes as `model.safetensors`: they are refused by name, or are a model that runs.

#![no_main]

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::LazyLock,
};

use cola::{
    chain::Chain,
    model::{Compute, Model, Repeat},
};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = std::env::temp_dir().join(format!("cola-fuzz-{}", process::id()));
    fs::create_dir_all(&directory).unwrap();
    fs::write(
        directory.join("config.json"),
        include_str!("../config.json"),
    )
    .unwrap();
    directory
});

fuzz_target!(|file: &[u8]| {
    let directory: &Path = &DIRECTORY;
    fs::write(directory.join("model.safetensors"), file).unwrap();
    let inspected = Model::inspect(directory);
    let loaded = Model::load(directory, Compute::cpu());
    for error in [inspected.as_ref().err(), loaded.as_ref().err()]
        .into_iter()
        .flatten()
    {
        let text = error.to_string();
        assert!(text.contains(directory.to_str().unwrap()), "{text}");
        assert!(!text.contains(char::is_control), "{text:?}");
    }
    if let Ok(model) = loaded {
        assert!(inspected.is_ok());
        let logits = model.logits(&[1, 7, 3], &Chain::identity(1), Repeat::Clean).unwrap();
        assert_eq!(logits.size(), [3, 8]);
    }
});

// Most changes of a file break its header length or leave its data too long, and stop there. Two of
// three change the header alone and set its length right.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    if seed % 3 == 0 {
        return fuzzer_mutate(data, size, max_size);
    }
    let Some((length, rest)) = data[..size].split_first_chunk() else {
        return fuzzer_mutate(data, size, max_size);
    };
    let Some((header, values)) = usize::try_from(u64::from_le_bytes(*length))
        .ok()
        .and_then(|length| rest.split_at_checked(length))
    else {
        return fuzzer_mutate(data, size, max_size);
    };
    let (length, mut header, values) = (header.len(), header.to_vec(), values.to_vec());
    let room = max_size - 8 - values.len();
    header.resize(room.max(length), 0);
    let length = fuzzer_mutate(&mut header, length, room);
    data[..8].copy_from_slice(&(length as u64).to_le_bytes());
    data[8..8 + length].copy_from_slice(&header[..length]);
    data[8 + length..8 + length + values.len()].copy_from_slice(&values);
    8 + length + values.len()
});
