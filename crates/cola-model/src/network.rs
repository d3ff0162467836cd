//! The whole model: embedding, layers, head.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use tch::{Kind, Tensor};

use super::{
    Ancestors, Compute, Config, Frozen, Keep, KeyValue, Layer, ModelError, ModelSpec, Repeat,
    Segment, StepOptions, Visibility,
    batch::Batch,
    family::{self, Resolved, Role},
    head::Head,
    load::Loader,
    repeat::seen_in_slot,
    source::{Checking, Copying},
    transfer::upload,
    weights::Weights,
};
use cola_search::chain::{Chain, Step};

/// A frozen LLM on a device. Shared by reference between threads; nothing in it changes.
#[derive(Debug)]
pub struct Model {
    spec: ModelSpec,
    compute: Compute,
    /// Dtype the weights have on disk.
    stored: Option<Kind>,
    hash: String,
    embedding: Frozen,
    positions: Option<Frozen>,
    layers: Vec<Layer>,
    head: Head,
}

/// Contents of a model directory or GGUF file.
#[derive(Debug)]
pub struct Inspection {
    /// The resolved architecture.
    pub spec: ModelSpec,
    /// Dtype most weights are stored in.
    pub stored: Option<Kind>,
    /// The weights files.
    pub files: Vec<std::path::PathBuf>,
    /// Size of the weights files in bytes.
    pub bytes: usize,
    /// The encodings of the tensors, the one with the most bytes first.
    pub encodings: Vec<StoredAs>,
    /// Reasons for which loading would be refused, as far as the files' headers show them.
    pub problems: Vec<ModelError>,
}

/// The tensors of a model that have the same encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAs {
    /// Dtype or quantisation type.
    pub encoding: String,
    /// The tensors' names, sorted.
    pub tensors: Vec<String>,
    /// Number of values in these tensors.
    pub values: usize,
    /// Bytes that these tensors take in the files.
    pub bytes: usize,
}

impl Model {
    /// Loads the model at `path`: a directory with `config.json` and safetensors files, or a GGUF
    /// file, whose blocks are dequantised into the compute dtype.
    pub fn load(path: &Path, compute: Compute) -> Result<Self, ModelError> {
        let _guard = tch::no_grad_guard();
        let start = Instant::now();
        let (resolved, weights) = open(path)?;
        let opened = start.elapsed();
        let hash = hash(path, &weights)?;
        let hashed = start.elapsed() - opened;
        let source = Copying {
            weights: &weights,
            compute,
        };
        let parts = Loader {
            resolved: &resolved,
            source,
            compute,
        }
        .load()?;
        weights.refuse_unread(ignored(&resolved))?;
        tracing::debug!(?opened, ?hashed, all = ?start.elapsed(), "loaded");
        Ok(Self {
            compute,
            stored: weights.main_kind(),
            hash,
            embedding: parts.embedding,
            positions: parts.positions,
            layers: parts.layers,
            head: parts.head,
            spec: resolved.spec,
        })
    }

    /// Reads the configuration and the headers of the weights files, without copying weights.
    pub fn inspect(path: &Path) -> Result<Inspection, ModelError> {
        let (resolved, weights) = open(path)?;
        let loader = Loader {
            resolved: &resolved,
            source: Checking {
                weights: &weights,
                problems: Mutex::default(),
            },
            compute: Compute::cpu(),
        };
        loader.load()?;
        let problems = loader.source.problems.into_inner();
        let mut problems = problems.unwrap_or_else(PoisonError::into_inner);
        problems.extend(weights.refuse_unread(ignored(&resolved)).err());
        Ok(Inspection {
            stored: weights.main_kind(),
            files: weights.files().map(Path::to_owned).collect(),
            bytes: weights.bytes(),
            encodings: encodings(&weights),
            problems,
            spec: resolved.spec,
        })
    }

    /// The architecture of a model, read from `config.json` alone (the weights files need not be
    /// there), or from the header of a GGUF file.
    pub fn describe(path: &Path) -> Result<ModelSpec, ModelError> {
        Ok(match path.is_dir() {
            true => family::resolve(&Config::read(path, "config.json")?)?.spec,
            false => open(path)?.0.spec,
        })
    }

    /// The resolved architecture.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// `L`, number of layers.
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// Device and dtype it computes with.
    pub fn compute(&self) -> Compute {
        self.compute
    }

    /// Dtype most weights have on disk.
    pub fn stored_kind(&self) -> Option<Kind> {
        self.stored
    }

    /// BLAKE3 of the configuration and the weights files.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The residual stream before any layer, for tokens at these positions: `[T] -> [T, D]`.
    pub fn embed(&self, tokens: &[u32], positions: &[i64]) -> Result<Tensor, ModelError> {
        let device = self.compute.device;
        let index: Vec<i64> = tokens.iter().map(|&token| i64::from(token)).collect();
        let embedded = self.embedding.f_index_select(0, &upload(&index, device)?)?;
        let mut embedded = embedded.f_to_kind(self.compute.kind)?;
        if let Some(scale) = self.spec.embedding_scale {
            // Rounded to the compute dtype first, as transformers does.
            let scale = upload(&[scale], device)?.f_to_kind(self.compute.kind)?;
            embedded = embedded.f_mul(&scale)?;
        }
        if let Some(table) = &self.positions {
            let most = self.spec.max_positions;
            if let Some(&position) = positions.iter().find(|&&position| position >= most) {
                return Err(ModelError::Position { position, most });
            }
            embedded = embedded.f_add(&table.f_index_select(0, &upload(positions, device)?)?)?;
        }
        Ok(embedded)
    }

    /// One layer.
    pub fn layer(&self, index: usize) -> &Layer {
        &self.layers[index]
    }

    /// Final norm and output matrix.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Logits `[T, V]`, f32, of one plain sequence under a chain. Runs one layer after the other
    /// and neither shares nor caches anything: the definition of the model.
    pub fn logits(
        &self,
        tokens: &[u32],
        chain: &Chain,
        repeat: Repeat,
    ) -> Result<Tensor, ModelError> {
        let _guard = tch::no_grad_guard();
        let positions: Vec<i64> = (0..tokens.len() as i64).collect();
        let causal = Ancestors::causal(tokens.len());
        // With a shared slot: keys and values of each layer's visits so far.
        let mut slots: BTreeMap<cola_search::chain::Layer, Vec<KeyValue>> = BTreeMap::new();
        let mut residual = Frozen::new(self.embed(tokens, &positions)?);
        for Step { layer, alpha } in chain.steps() {
            let visits = slots.get(&layer).map_or(&[][..], Vec::as_slice);
            let slot = seen_in_slot(visits.iter().collect(), &causal);
            let (visits, visible) = slot.unwrap_or((
                Vec::new(),
                Visibility::Tree {
                    context: &[],
                    tree: &causal,
                },
            ));
            let segment = Segment {
                residual: &residual,
                positions: &positions,
                context: visits
                    .into_iter()
                    .map(|visit| (visit, visit.size()[0]))
                    .collect(),
                visible,
            };
            let of_model = self.layer(layer as usize);
            let segments = [segment];
            let batch = Batch::pack(&segments, of_model.window())?;
            let options = StepOptions {
                keep: Keep::Everything,
                alpha: alpha.value(),
            };
            for step in of_model.forward(&batch, &[options])? {
                residual = step.residual;
                if repeat == Repeat::SharedSlot {
                    slots.entry(layer).or_default().extend(step.key_value);
                }
            }
        }
        self.head.logits(&residual)
    }
}

/// Resolves the configuration of a model and opens its weights.
fn open(path: &Path) -> Result<(Resolved, Weights), ModelError> {
    if !path.is_dir() {
        let (metadata, weights) = Weights::open_gguf(path)?;
        return Ok((family::resolve_gguf(&metadata, &weights)?, weights));
    }
    let mut resolved = family::resolve(&Config::read(path, "config.json")?)?;
    let mut weights = Weights::open(path)?;
    weights.allow_missing_prefix(resolved.prefix);
    let name = |role| (resolved.name)(role) + ".weight";
    if resolved.spec.tied_head {
        weights.allow_other_name(name(Role::Embedding), name(Role::Head));
    }
    if resolved.spec.tied_head && weights.differ(&name(Role::Embedding), &name(Role::Head)) {
        // Like transformers, use the stored head if its values differ from those of the embedding.
        tracing::warn!(
            "config.json ties the head to the embedding, but the weights hold another head: it is used"
        );
        resolved.spec.tied_head = false;
    }
    Ok((resolved, weights))
}

/// Tensors that may be left unread: buffers that old versions saved, and the head if it is tied and
/// stored all the same.
fn ignored(resolved: &Resolved) -> impl Fn(&str) -> bool {
    let head = (resolved.name)(Role::Head) + ".weight";
    let tied = resolved.spec.tied_head;
    let of_family = resolved.ignored;
    move |name| of_family(name) || (tied && name == head)
}

/// BLAKE3 over `config.json`, if there is one, and every weights file; 32 hex digits.
fn hash(path: &Path, weights: &Weights) -> Result<String, ModelError> {
    let mut hasher = blake3::Hasher::new();
    if path.is_dir() {
        let path = path.join("config.json");
        match cola_files::read(&path, cola_files::DESCRIPTION) {
            Ok(config) => hasher.update(&config),
            Err(source) => return Err(ModelError::Io { path, source }),
        };
    }
    weights.hash_into(&mut hasher);
    Ok(hasher.finalize().to_hex()[..32].to_owned())
}

/// Tensors grouped by encoding, the group with the most bytes first.
fn encodings(weights: &Weights) -> Vec<StoredAs> {
    let mut by_name: BTreeMap<String, StoredAs> = BTreeMap::new();
    for (name, entry) in weights.entries() {
        let encoding = entry.encoding.name();
        let stored = by_name.entry(encoding.clone()).or_insert_with(|| StoredAs {
            encoding,
            tensors: Vec::new(),
            values: 0,
            bytes: 0,
        });
        stored.tensors.push(name.to_owned());
        stored.values += entry.values();
        stored.bytes += entry.range.len();
    }
    let mut all: Vec<StoredAs> = by_name.into_values().collect();
    all.sort_by_key(|stored| std::cmp::Reverse(stored.bytes));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> std::path::PathBuf {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/models");
        fixtures.join(name)
    }

    #[test]
    fn inspection_and_model_agree_with_the_files() {
        let directory = fixture("sharded-f16");
        let inspection = Model::inspect(&directory).unwrap();
        let model = Model::load(&directory, Compute::cpu()).unwrap();
        assert_eq!(inspection.spec, *model.spec());
        assert_eq!(inspection.stored, Some(Kind::Half));
        assert_eq!(model.stored_kind(), Some(Kind::Half));
        assert_eq!((inspection.files.len(), model.depth()), (3, 6));
        // Two bytes per parameter, and the headers.
        let weights = 2 * model.spec().parameters() as usize;
        assert!((weights..weights + 20_000).contains(&inspection.bytes));
    }

    /// Writes the tensors of a model under other names; `None` leaves a tensor out.
    fn renamed(from: &Path, to: &Path, rename: impl Fn(&str) -> Option<String>) {
        let bytes = std::fs::read(from.join("model.safetensors")).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file.iter();
        let tensors = tensors.filter_map(|(name, tensor)| Some((rename(name)?, tensor)));
        let bytes = safetensors::serialize(tensors, None).unwrap();
        std::fs::write(to.join("model.safetensors"), bytes).unwrap();
        std::fs::copy(from.join("config.json"), to.join("config.json")).unwrap();
    }

    #[test]
    fn the_one_matrix_of_a_tied_model_may_have_either_name() {
        let models = std::fs::read_dir(fixture("")).unwrap();
        let mut families = std::collections::BTreeSet::new();
        for directory in models.map(|entry| entry.unwrap().path()) {
            let spec = Model::describe(&directory).unwrap();
            if !spec.tied_head || !directory.join("model.safetensors").is_file() {
                continue;
            }
            let chain = Chain::identity(spec.layers.len());
            let logits = |directory: &Path| {
                let inspection = Model::inspect(directory).unwrap();
                assert!(inspection.problems.is_empty(), "{:?}", inspection.problems);
                let model = Model::load(directory, Compute::cpu()).unwrap();
                let logits = model.logits(&[1, 2, 3], &chain, Repeat::Clean).unwrap();
                Vec::<f32>::try_from(logits.flatten(0, 1)).unwrap()
            };
            let expected = logits(&directory);
            let config = Config::read(&directory, "config.json").unwrap();
            let resolved = family::resolve(&config).unwrap();
            let [embedding, head] =
                [Role::Embedding, Role::Head].map(|role| (resolved.name)(role) + ".weight");
            let other = tempfile::tempdir().unwrap();
            renamed(&directory, other.path(), |name| match name {
                name if name == head => None,
                name if name == embedding => Some(head.clone()),
                other => Some(other.to_owned()),
            });
            assert_eq!(logits(other.path()), expected, "{directory:?}");
            families.insert(spec.architecture);
        }
        for family in [
            "GPT2LMHeadModel",
            "GemmaForCausalLM",
            "LlamaForCausalLM",
            "Qwen2ForCausalLM",
        ] {
            assert!(families.contains(family), "{families:?}");
        }
    }

    #[test]
    fn the_hash_is_that_of_the_files_not_of_their_place() {
        let original = fixture("biases-f32");
        let copy = tempfile::tempdir().unwrap();
        for file in ["config.json", "model.safetensors"] {
            std::fs::copy(original.join(file), copy.path().join(file)).unwrap();
        }
        let hash = |directory: &Path| {
            let model = Model::load(directory, Compute::cpu()).unwrap();
            model.hash().to_owned()
        };
        assert_eq!(hash(&original), hash(copy.path()));
        let config = copy.path().join("config.json");
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, text.replace("10000.0", "20000.0")).unwrap();
        assert_ne!(hash(&original), hash(copy.path()));
    }

    #[test]
    fn a_tied_model_whose_file_holds_another_head_uses_that() {
        use safetensors::{Dtype, SafeTensors, serialize_to_file, tensor::TensorView};
        let original = fixture("llama31-gqa-tied-bf16");
        let bytes = std::fs::read(original.join("model.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let embedding = tensors.tensor("model.embed_tokens.weight").unwrap();
        let ties = |head: &[u8]| {
            let copy = tempfile::tempdir().unwrap();
            let config = copy.path().join("config.json");
            std::fs::copy(original.join("config.json"), config).unwrap();
            let shape = embedding.shape().to_vec();
            let head = TensorView::new(Dtype::BF16, shape, head).unwrap();
            let all = tensors.tensors().into_iter();
            let all = all.chain([("lm_head.weight".to_owned(), head)]);
            serialize_to_file(all, None, &copy.path().join("model.safetensors")).unwrap();
            let found = Model::inspect(copy.path()).unwrap();
            assert!(found.problems.is_empty());
            let model = Model::load(copy.path(), Compute::cpu()).unwrap();
            assert_eq!(model.spec(), &found.spec);
            found.spec.tied_head
        };
        assert!(ties(embedding.data()));
        let mut other = embedding.data().to_vec();
        other[7] ^= 1;
        assert!(!ties(&other));
    }

    #[test]
    fn a_model_may_carry_old_rotary_buffers_but_nothing_else() {
        use safetensors::{Dtype, SafeTensors, serialize_to_file, tensor::TensorView};
        let original = fixture("llama31-gqa-tied-bf16");
        let bytes = std::fs::read(original.join("model.safetensors")).unwrap();
        let with = |extra: &str| {
            let copy = tempfile::tempdir().unwrap();
            std::fs::copy(
                original.join("config.json"),
                copy.path().join("config.json"),
            )
            .unwrap();
            let tensors = SafeTensors::deserialize(&bytes).unwrap();
            let view = TensorView::new(Dtype::F32, vec![1], &[0; 4]).unwrap();
            let tensors = tensors.tensors().into_iter();
            let all = tensors.chain([(extra.to_owned(), view)]);
            serialize_to_file(all, None, &copy.path().join("model.safetensors")).unwrap();
            Model::load(copy.path(), Compute::cpu()).map(|model| model.depth())
        };
        assert_eq!(
            with("model.layers.0.self_attn.rotary_emb.inv_freq").unwrap(),
            6
        );
        for extra in [
            "model.layers.6.input_layernorm.weight",
            "model.layers.0.mlp.up_proj.bias",
        ] {
            let error = with(extra).unwrap_err().to_string();
            assert!(
                error.contains(&format!("model.safetensors: tensor `{extra}`")),
                "{error}"
            );
        }
    }
}
