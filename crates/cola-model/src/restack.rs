//! A chain as a checkpoint of its own: its layers copied to the places where it runs them.
//!
//! The copy is a model like any other, without `cola`: transformers, vLLM and llama.cpp's converter load it. What a layer is
//! like belongs to the layer, so fields of `config.json` that go by its number (windows, rotary embeddings, experts) are
//! written out for the new places; then the new configuration is read, and each of its layers must be described as the one it
//! was copied from.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
};

use safetensors::{SafeTensors, serialize_to_file, tensor::TensorView};
use serde_json::{Map, Value, json};

use super::{
    Config, MlpSpec, Model, ModelError, ModelSpec, family,
    weights::{INDEX, MappedFile, SINGLE, locate},
};
use cola_search::chain::Chain;

/// What a checkpoint may hold beside weights and configuration; each is copied where it is there.
const OTHER_FILES: [&str; 14] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
    "spiece.model",
    "generation_config.json",
    "chat_template.jinja",
    "LICENSE",
    "LICENSE.txt",
    "NOTICE",
];

/// Names that layers' tensors begin with, in checkpoints of the whole model and of its bare decoder.
const STEMS: [&str; 5] = [
    "model.layers.",
    "layers.",
    "transformer.h.",
    "h.",
    "gpt_neox.layers.",
];

/// Most bytes of a file of weights, as transformers shards them; one tensor may be larger.
const SHARD: usize = 5_000_000_000;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restacked {
    /// Layers of the new model.
    pub layers: usize,
    /// Bytes of its tensors.
    pub bytes: usize,
    /// Files of weights.
    pub files: usize,
}

/// Writes the model in `directory` with its layers as `chain` runs them to the directory `out`, which is there and empty.
///
/// # Errors
/// A chain that is damped or runs no layer or one that the model has not; a model whose layers go by their number in a way that no
/// configuration can say of the copy: then nothing is written; and a file that cannot be read or written.
pub fn restack(directory: &Path, chain: &Chain, out: &Path) -> Result<Restacked, ModelError> {
    let config = Config::read(directory, "config.json")?;
    let spec = Model::describe(directory)?;
    let refuse = |reason: String| ModelError::NotFound(directory.display().to_string(), reason);
    if chain.is_damped() {
        let reason =
            "a damped chain is no checkpoint: no layer of one adds a part of what it computes";
        return Err(refuse(format!("chain {chain}: {reason}")));
    }
    if chain.is_empty() {
        return Err(refuse("a checkpoint has at least one layer".into()));
    }
    let depth = spec.layers.len();
    chain
        .check(depth)
        .map_err(|error| refuse(error.to_string()))?;
    let fields = restacked_fields(config.fields(), &spec, chain);
    let described = family::resolve(&Config::of(out.join("config.json"), fields.clone()))?.spec;
    for (place, (&layer, copy)) in chain.layers().iter().zip(&described.layers).enumerate() {
        if *copy != spec.layers[layer as usize] {
            return Err(refuse(format!(
                "layer {layer} cannot be copied to place {place}: in {} what a layer computes goes by its place",
                spec.architecture
            )));
        }
    }
    for name in OTHER_FILES {
        let (from, to) = (directory.join(name), out.join(name));
        if from.is_file() {
            fs::copy(&from, &to).map_err(|source| ModelError::Io { path: to, source })?;
        }
    }
    let (files, bytes) = write_weights(directory, chain, out)?;
    // Last, so that what was written in part is no model.
    write(&out.join("config.json"), &(pretty(&fields) + "\n"))?;
    Ok(Restacked {
        layers: chain.len(),
        bytes,
        files,
    })
}

fn pretty(fields: &Map<String, Value>) -> String {
    // A map of JSON values is JSON.
    serde_json::to_string_pretty(fields).unwrap_or_default()
}

fn write(path: &Path, text: &str) -> Result<(), ModelError> {
    fs::write(path, text).map_err(|source| ModelError::Io {
        path: path.to_owned(),
        source,
    })
}

/// The fields of `config.json` for the new places of the layers.
fn restacked_fields(
    fields: &Map<String, Value>,
    spec: &ModelSpec,
    chain: &Chain,
) -> Map<String, Value> {
    let mut fields = fields.clone();
    let layers: Vec<usize> = chain.layers().iter().map(|&layer| layer as usize).collect();
    for name in ["num_hidden_layers", "n_layer"] {
        if fields.contains_key(name) {
            fields.insert(name.to_owned(), json!(layers.len()));
        }
    }
    // Fields with a value for each layer.
    for name in ["layer_types", "no_rope_layers"] {
        if let Some(Value::Array(values)) = fields.get(name).filter(|list| is_of(list, spec)) {
            let moved: Vec<Value> = layers.iter().map(|&layer| values[layer].clone()).collect();
            fields.insert(name.to_owned(), moved.into());
        }
    }
    let some =
        |name: &str, fields: &Map<String, Value>| fields.get(name).is_some_and(|v| !v.is_null());
    let differ = |of: &dyn Fn(usize) -> bool| layers.iter().any(|&l| of(l) != of(layers[0]));
    let windowed = |layer: usize| spec.layers[layer].attention.window.is_some();
    if spec.has_windows()
        && !some("layer_types", &fields)
        && (0..spec.layers.len()).any(|l| windowed(l) != windowed(0))
    {
        let kind = |&layer: &usize| match windowed(layer) {
            true => "sliding_attention",
            false => "full_attention",
        };
        let kinds: Vec<&str> = layers.iter().map(kind).collect();
        fields.insert("layer_types".to_owned(), kinds.into());
    }
    let rotates = |layer: usize| spec.layers[layer].attention.rope.is_some();
    let by_interval = some("no_rope_layer_interval", &fields) || differ(&rotates);
    if by_interval && !some("no_rope_layers", &fields) {
        let rotated: Vec<u8> = layers
            .iter()
            .map(|&layer| u8::from(rotates(layer)))
            .collect();
        fields.insert("no_rope_layers".to_owned(), json!(rotated));
    }
    let dense = |layer: usize| matches!(spec.layers[layer].mlp, MlpSpec::Dense(_));
    if some("mlp_only_layers", &fields) || some("decoder_sparse_step", &fields) {
        let places: Vec<usize> = (0..layers.len())
            .filter(|&place| dense(layers[place]))
            .collect();
        fields.insert("mlp_only_layers".to_owned(), json!(places));
        fields.insert("decoder_sparse_step".to_owned(), json!(1));
    }
    fields
}

/// Whether it is a list with a value for each layer.
fn is_of(list: &Value, spec: &ModelSpec) -> bool {
    list.as_array()
        .is_some_and(|list| list.len() == spec.layers.len())
}

/// The names that a tensor gets: of a layer's tensor one for each place of the layer, of all others its own.
fn new_names(name: &str, chain: &Chain) -> Vec<String> {
    let of_layer = STEMS.iter().find_map(|stem| {
        let (number, rest) = name.strip_prefix(stem)?.split_once('.')?;
        Some((*stem, number.parse::<u16>().ok()?, rest))
    });
    let Some((stem, layer, rest)) = of_layer else {
        return vec![name.to_owned()];
    };
    let places = chain
        .layers()
        .iter()
        .enumerate()
        .filter(|(_, other)| **other == layer);
    places
        .map(|(place, _)| format!("{stem}{place}.{rest}"))
        .collect()
}

/// Writes the tensors; returns the number of files and the bytes of the tensors.
fn write_weights(
    directory: &Path,
    chain: &Chain,
    out: &Path,
) -> Result<(usize, usize), ModelError> {
    let files = locate::locate(directory)?.into_keys();
    let files: Vec<MappedFile> = files
        .map(|name| MappedFile::open(directory.join(name)))
        .collect::<Result<_, _>>()?;
    let mut tensors: BTreeMap<String, TensorView<'_>> = BTreeMap::new();
    for file in &files {
        let bad = |error: safetensors::SafeTensorError| ModelError::Malformed {
            path: file.path().to_owned(),
            reason: error.to_string(),
        };
        for (name, view) in SafeTensors::deserialize(file.bytes())
            .map_err(bad)?
            .tensors()
        {
            for name in new_names(&name, chain) {
                tensors.insert(name, view.clone());
            }
        }
    }
    let mut shards: Vec<Vec<(String, TensorView<'_>)>> = vec![Vec::new()];
    let (mut total, mut shard) = (0, 0);
    for (name, view) in tensors {
        let bytes = view.data().len();
        if shard > 0 && shard + bytes > SHARD {
            shards.push(Vec::new());
            shard = 0;
        }
        (total, shard) = (total + bytes, shard + bytes);
        // There is always a last one.
        if let Some(last) = shards.last_mut() {
            last.push((name, view));
        }
    }
    let count = shards.len();
    let mut map = BTreeMap::new();
    for (number, shard) in shards.into_iter().enumerate() {
        let name = match count {
            1 => SINGLE.to_owned(),
            _ => format!("model-{:05}-of-{count:05}.safetensors", number + 1),
        };
        for (tensor, _) in &shard {
            map.insert(tensor.clone(), name.clone());
        }
        let path = out.join(&name);
        let about = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        serialize_to_file(shard, Some(about), &path).map_err(|error| ModelError::Malformed {
            path,
            reason: error.to_string(),
        })?;
    }
    if count > 1 {
        let index = json!({"metadata": {"total_size": total}, "weight_map": map});
        let text = serde_json::to_string_pretty(&index).unwrap_or_default();
        write(&out.join(INDEX), &(text + "\n"))?;
    }
    Ok((count, total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Compute, Repeat};

    fn fixtures() -> Vec<std::path::PathBuf> {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/models");
        let mut all: Vec<_> = fs::read_dir(models)
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        all.retain(|path| path.join("config.json").exists());
        all.sort();
        all
    }

    #[test]
    fn the_copy_of_every_family_is_the_chain_or_is_refused() {
        let (mut copied, mut refused) = (0, Vec::new());
        for path in fixtures() {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let model = Model::load(&path, Compute::cpu()).unwrap();
            let last = model.depth() - 1;
            // The last layer first, and the first one twice.
            let layers: Vec<u16> = [last, 0, 0]
                .into_iter()
                .chain(1..last)
                .map(|l| l as u16)
                .collect();
            for chain in [Chain::new(layers), Chain::new(vec![last as u16])] {
                let out = tempfile::tempdir().unwrap();
                match restack(&path, &chain, out.path()) {
                    Err(error) => {
                        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
                        refused.push(format!("{name}: {error}"));
                    }
                    Ok(restacked) => {
                        let copy = Model::load(out.path(), Compute::cpu()).unwrap();
                        assert_eq!((copy.depth(), restacked.layers), (chain.len(), chain.len()));
                        let vocabulary = model.spec().vocabulary as u32;
                        let tokens: Vec<u32> = (0..20).map(|n| (n * 37 + 5) % vocabulary).collect();
                        let ours = model.logits(&tokens, &chain, Repeat::Clean).unwrap();
                        let identity = Chain::identity(chain.len());
                        let theirs = copy.logits(&tokens, &identity, Repeat::Clean).unwrap();
                        assert!(ours.equal(&theirs), "{name} {chain}");
                        copied += 1;
                    }
                }
            }
        }
        assert!(copied > 80, "{copied}: {refused:#?}");
        // GPT-2 may divide scores by the number of the layer.
        assert!(
            refused
                .iter()
                .all(|line| line.starts_with("gpt2-inverse-layer")),
            "{refused:#?}"
        );
    }

    #[test]
    fn what_is_no_checkpoint_is_refused() {
        let model = &fixtures()[0];
        for (chain, reason) in [
            ("empty", "at least one layer"),
            ("0,(0)x2@0.5", "a damped chain is no checkpoint"),
            ("0,99", "99"),
        ] {
            let out = tempfile::tempdir().unwrap();
            let error = restack(model, &chain.parse().unwrap(), out.path()).unwrap_err();
            assert!(error.to_string().contains(reason), "{chain}: {error}");
        }
    }

    #[test]
    fn names_of_layers_get_their_new_places() {
        let chain: Chain = "0,2,2,1".parse().unwrap();
        assert_eq!(
            new_names("model.layers.2.mlp.w", &chain),
            ["model.layers.1.mlp.w", "model.layers.2.mlp.w"]
        );
        assert_eq!(
            new_names("transformer.h.1.ln.w", &chain),
            ["transformer.h.3.ln.w"]
        );
        assert_eq!(
            new_names("model.layers.7.mlp.w", &chain),
            Vec::<String>::new()
        );
        assert_eq!(
            new_names("model.embed_tokens.weight", &chain),
            ["model.embed_tokens.weight"]
        );
    }
}
