//! The whole model: embedding, layers, head.

use std::{path::Path, sync::Arc};

use tch::{Kind, Tensor};

use super::{
    Compute, Config, Frozen, Keep, Layer, LayerSpec, ModelError, ModelSpec, NormSpec, Segment,
    Visibility,
    attention::Attention,
    batch::Batch,
    family::{self, Resolved, Role},
    head::Head,
    linear::Linear,
    mlp::Mlp,
    norm::Norm,
    rope::Rope,
    weights::Weights,
};
use crate::chain::Chain;

/// A frozen LLM on a device. Shared by reference between threads; nothing in it changes.
#[derive(Debug)]
pub struct Model {
    spec: ModelSpec,
    compute: Compute,
    /// Dtype the weights have on disk.
    stored: Option<Kind>,
    hash: String,
    embedding: Arc<Frozen>,
    layers: Vec<Layer>,
    head: Head,
}

/// What a model directory holds.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// The resolved architecture.
    pub spec: ModelSpec,
    /// Dtype most weights are stored in.
    pub stored: Option<Kind>,
    /// The weights files.
    pub files: Vec<std::path::PathBuf>,
    /// Their size.
    pub bytes: usize,
}

impl Model {
    /// Loads `config.json` and the safetensors files of `directory`.
    pub fn load(directory: &Path, compute: Compute) -> Result<Self, ModelError> {
        let _guard = tch::no_grad_guard();
        let config = Config::read(directory, "config.json")?;
        let resolved = family::resolve(&config)?;
        let weights = Weights::open(directory)?;
        let model = Loader {
            weights: &weights,
            resolved: &resolved,
            compute,
        }
        .load(hash(directory, &weights)?)?;
        let tied = model.spec.tied_head;
        let head = (resolved.name)(Role::Head) + ".weight";
        weights.refuse_unread(|name| (resolved.ignored)(name) || (tied && name == head))?;
        Ok(model)
    }

    /// What can be known of a model without copying its weights.
    pub fn inspect(directory: &Path) -> Result<Inspection, ModelError> {
        let spec = family::resolve(&Config::read(directory, "config.json")?)?.spec;
        let weights = Weights::open(directory)?;
        Ok(Inspection {
            spec,
            stored: weights.main_kind()?,
            files: weights.files().map(Path::to_owned).collect(),
            bytes: weights.bytes(),
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

    /// The residual stream before any layer: `[T] -> [T, D]`.
    pub fn embed(&self, tokens: &[u32]) -> Result<Tensor, ModelError> {
        let index: Vec<i64> = tokens.iter().map(|&token| i64::from(token)).collect();
        let index = Tensor::f_from_slice(&index)?.f_to_device(self.compute.device)?;
        Ok(self.embedding.f_index_select(0, &index)?)
    }

    /// One layer.
    pub fn layer(&self, index: usize) -> &Layer {
        &self.layers[index]
    }

    /// Final norm and output matrix.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Logits `[T, V]`, f32, of one plain sequence under a chain: the model as its definition
    /// reads, one layer after the other, nothing shared, nothing cached.
    pub fn logits(&self, tokens: &[u32], chain: &Chain) -> Result<Tensor, ModelError> {
        let _guard = tch::no_grad_guard();
        let positions: Vec<i64> = (0..tokens.len() as i64).collect();
        let causal: Vec<bool> = positions
            .iter()
            .flat_map(|i| positions.iter().map(move |j| j <= i))
            .collect();
        let mut residual = Frozen::new(self.embed(tokens)?);
        for &layer in chain.layers() {
            let batch = Batch::pack(&[Segment {
                residual: &residual,
                positions: &positions,
                context: Vec::new(),
                visible: Visibility::Tree(&causal),
            }])?;
            let applied = self
                .layer(layer as usize)
                .forward(&batch, &[Keep::Residual])?;
            for step in applied {
                residual = step.residual;
            }
        }
        self.head.logits(&residual)
    }
}

/// Builds the parts of a model from its weights.
struct Loader<'a> {
    weights: &'a Weights,
    resolved: &'a Resolved,
    compute: Compute,
}

impl Loader<'_> {
    fn load(&self, hash: String) -> Result<Model, ModelError> {
        let spec = &self.resolved.spec;
        let table = [spec.vocabulary, spec.hidden];
        let embedding = Arc::new(Frozen::new(self.matrix(Role::Embedding, &table)?));
        let head = match spec.tied_head {
            true => Arc::clone(&embedding),
            false => Arc::new(Frozen::new(self.matrix(Role::Head, &table)?)),
        };
        let mut ropes = Ropes::default();
        let layers = spec
            .layers
            .iter()
            .enumerate()
            .map(|(index, layer)| self.layer(index, layer, &mut ropes))
            .collect::<Result<_, _>>()?;
        Ok(Model {
            compute: self.compute,
            stored: self.weights.main_kind()?,
            hash,
            embedding,
            layers,
            head: Head {
                norm: self.norm(Role::FinalNorm, spec.final_norm)?,
                weight: head,
            },
            spec: spec.clone(),
        })
    }

    fn layer(
        &self,
        index: usize,
        spec: &LayerSpec,
        ropes: &mut Ropes,
    ) -> Result<Layer, ModelError> {
        let hidden = self.resolved.spec.hidden;
        let attention = &spec.attention;
        let query = attention.heads * attention.head_dim;
        let key_value = attention.key_value_heads * attention.head_dim;
        let intermediate = spec.mlp.intermediate;
        let input = [
            (Role::Query(index), query),
            (Role::Key(index), key_value),
            (Role::Value(index), key_value),
        ];
        let gate_up = [
            (Role::Gate(index), intermediate),
            (Role::Up(index), intermediate),
        ];
        Ok(Layer {
            attention_norm: self.norm(Role::AttentionNorm(index), spec.attention_norm)?,
            attention: Attention {
                input: self.linear(&input, hidden, attention.input_bias)?,
                output: self.linear(
                    &[(Role::AttentionOutput(index), hidden)],
                    query,
                    attention.output_bias,
                )?,
                rope: ropes.get(attention, self.compute)?,
                spec: attention.clone(),
            },
            mlp_norm: self.norm(Role::MlpNorm(index), spec.mlp_norm)?,
            mlp: Mlp {
                gate_up: self.linear(&gate_up, hidden, spec.mlp.bias)?,
                down: self.linear(&[(Role::Down(index), hidden)], intermediate, spec.mlp.bias)?,
                spec: spec.mlp.clone(),
            },
        })
    }

    fn matrix(&self, role: Role, shape: &[i64]) -> Result<Tensor, ModelError> {
        let name = (self.resolved.name)(role) + ".weight";
        self.weights
            .read(&name, shape, self.compute.kind, self.compute.device)
    }

    fn norm(&self, role: Role, spec: NormSpec) -> Result<Norm, ModelError> {
        Ok(Norm::new(
            self.matrix(role, &[self.resolved.spec.hidden])?,
            spec,
        ))
    }

    fn linear(&self, parts: &[(Role, i64)], input: i64, bias: bool) -> Result<Linear, ModelError> {
        let named: Vec<(String, i64)> = parts
            .iter()
            .map(|&(role, output)| ((self.resolved.name)(role), output))
            .collect();
        let Compute { kind, device } = self.compute;
        Linear::read(self.weights, &named, input, bias, kind, device)
    }
}

/// Rotary tables, one for each different spec.
#[derive(Default)]
struct Ropes(Vec<((super::RopeSpec, i64), Arc<Rope>)>);

impl Ropes {
    fn get(
        &mut self,
        spec: &super::AttentionSpec,
        compute: Compute,
    ) -> Result<Arc<Rope>, ModelError> {
        let key = (spec.rope.clone(), spec.head_dim);
        if let Some((_, rope)) = self.0.iter().find(|(known, _)| *known == key) {
            return Ok(Arc::clone(rope));
        }
        let Compute { kind, device } = compute;
        let rope = Arc::new(Rope::new(&spec.rope, spec.head_dim, kind, device)?);
        self.0.push((key, Arc::clone(&rope)));
        Ok(rope)
    }
}

/// BLAKE3 over `config.json` and every weights file, 32 hex digits.
fn hash(directory: &Path, weights: &Weights) -> Result<String, ModelError> {
    let mut hasher = blake3::Hasher::new();
    let config = directory.join("config.json");
    for path in std::iter::once(config.as_path()).chain(weights.files()) {
        hasher
            .update_mmap_rayon(path)
            .map_err(|source| ModelError::Io {
                path: path.to_owned(),
                source,
            })?;
    }
    Ok(hasher.finalize().to_hex()[..32].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> std::path::PathBuf {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models");
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
        // Two bytes a parameter, and the headers.
        let weights = 2 * model.spec().parameters() as usize;
        assert!((weights..weights + 20_000).contains(&inspection.bytes));
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
    fn a_tied_model_may_carry_its_head_and_old_rotary_buffers_but_nothing_else() {
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
        assert_eq!(with("lm_head.weight").unwrap(), 6);
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
