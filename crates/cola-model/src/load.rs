//! Builds a model's modules from its spec: which tensors of the files go where.
//!
//! The same code loads a model and checks one: it requests every tensor from a [`Source`], and only
//! the source knows whether values are copied or headers are read.

use std::sync::{Arc, Mutex, PoisonError};

use super::{
    AttentionSpec, Compute, DenseSpec, Frozen, Layer, LayerSpec, MixtureSpec, MlpSpec, ModelError,
    NormKind, NormSpec, QueryKeyNorm, RopeSpec,
    arrange::Arrange,
    attention::{Attention, HeadNorm},
    family::{QueryKeyValueLayout, Resolved, Role},
    halved::halved,
    head::Head,
    linear::Linear,
    mlp::{Dense, Expert, Mixture, Mlp},
    norm::Norm,
    rope::Rope,
    source::{Piece, Source, Wanted},
    threads::in_threads,
};

/// The parts of a model, without its spec.
pub struct Parts {
    pub embedding: Frozen,
    pub positions: Option<Frozen>,
    pub layers: Vec<Layer>,
    pub head: Head,
}

/// Builds the parts of a model.
pub struct Loader<'a, S> {
    pub resolved: &'a Resolved,
    pub source: S,
    pub compute: Compute,
}

impl<S: Source> Loader<'_, S> {
    pub fn load(&self) -> Result<Parts, ModelError> {
        let spec = &self.resolved.spec;
        let table = [spec.vocabulary, spec.hidden];
        let embedding = self.whole(Role::Embedding, &table)?;
        let positions = match spec.learned_positions {
            true => Some(self.whole(Role::Positions, &[spec.max_positions, spec.hidden])?),
            false => None,
        };
        let own = match spec.tied_head {
            true => None,
            false => Some(self.whole(Role::Head, &table)?),
        };
        let output = own.as_ref().unwrap_or(&embedding);
        let norm = self.norm(Role::FinalNorm, spec.final_norm, spec.hidden)?;
        let head = Head::new(norm, output, spec.vocabulary, spec.logit_softcap)?;
        drop(own);
        // A packed head has a copy of its own, so that the embedding may take less.
        let embedding = match head.is_packed() {
            true => halved(embedding)?,
            false => embedding,
        };
        let ropes = Ropes::default();
        let at_once = self.source.layers_at_once(spec);
        let layers = in_threads(at_once, spec.layers.len(), |index| {
            self.layer(index, &spec.layers[index], &ropes)
        })?;
        Ok(Parts {
            embedding,
            positions,
            layers,
            head,
        })
    }

    fn layer(&self, l: usize, spec: &LayerSpec, ropes: &Ropes) -> Result<Layer, ModelError> {
        let norm = |role, norm: Option<NormSpec>| -> Result<Option<Norm>, ModelError> {
            let hidden = self.resolved.spec.hidden;
            norm.map(|norm| self.norm(role, norm, hidden)).transpose()
        };
        Ok(Layer {
            parallel: spec.parallel,
            attention_norm: norm(Role::AttentionNorm(l), spec.attention_norm)?,
            attention: self.attention(l, &spec.attention, ropes)?,
            attention_output_norm: norm(Role::AttentionOutputNorm(l), spec.attention_output_norm)?,
            mlp_norm: norm(Role::MlpNorm(l), spec.mlp_norm)?,
            mlp: match spec.mlp {
                MlpSpec::Dense(dense) => Mlp::Dense(self.dense(l, dense)?),
                MlpSpec::Mixture(mixture) => Mlp::Mixture(self.mixture(l, mixture)?),
            },
            mlp_output_norm: norm(Role::MlpOutputNorm(l), spec.mlp_output_norm)?,
        })
    }

    fn attention(
        &self,
        l: usize,
        spec: &AttentionSpec,
        ropes: &Ropes,
    ) -> Result<Attention, ModelError> {
        let hidden = self.resolved.spec.hidden;
        let (query, key_value) = (spec.query_width(), spec.key_value_width());
        let all = query + 2 * key_value;
        let layout = self.resolved.stored.query_key_value;
        let input = match layout {
            QueryKeyValueLayout::Apart => vec![
                (Role::Query(l), query),
                (Role::Key(l), key_value),
                (Role::Value(l), key_value),
            ],
            _ => vec![(Role::QueryKeyValue(l), all)],
        };
        Ok(Attention {
            input: self.linear(&input, hidden, spec.input_bias)?,
            norm: self.head_norm(l, spec)?,
            rope: match &spec.rope {
                Some(rope) => Some(ropes.get(rope, self.compute)?),
                None => None,
            },
            output: self.linear(
                &[(Role::AttentionOutput(l), hidden)],
                query,
                spec.output_bias,
            )?,
            spec: spec.clone(),
        })
    }

    fn head_norm(&self, l: usize, spec: &AttentionSpec) -> Result<Option<HeadNorm>, ModelError> {
        Ok(match spec.query_key_norm {
            None => None,
            Some(QueryKeyNorm::AllHeads(norm)) => Some(HeadNorm::AllHeads {
                query: self.norm(Role::QueryNorm(l), norm, spec.query_width())?,
                key: self.norm(Role::KeyNorm(l), norm, spec.key_value_width())?,
            }),
            Some(QueryKeyNorm::PerHead(norm)) => {
                // One row of weights for each head: queries and keys go through one norm.
                let piece = |role, start, rows| Piece {
                    name: (self.resolved.name)(role) + ".weight",
                    shape: vec![spec.head_dim],
                    slice: None,
                    start,
                    rows,
                    arrange: self.arrange(role, "weight"),
                };
                let weight = self.source.tensor(&Wanted {
                    shape: vec![spec.heads + spec.key_value_heads, spec.head_dim],
                    pieces: vec![
                        piece(Role::QueryNorm(l), 0, spec.heads),
                        piece(Role::KeyNorm(l), spec.heads, spec.key_value_heads),
                    ],
                })?;
                Some(HeadNorm::PerHead(Norm::new(weight, None, norm)?))
            }
        })
    }

    fn dense(&self, l: usize, spec: DenseSpec) -> Result<Dense, ModelError> {
        let inner = spec.intermediate;
        let input = match (spec.gated, self.resolved.stored.gate_up_together) {
            (false, _) => vec![(Role::Up(l), inner)],
            (true, true) => vec![(Role::GateUp(l), 2 * inner)],
            (true, false) => vec![(Role::Gate(l), inner), (Role::Up(l), inner)],
        };
        self.dense_of(&input, Role::Down(l), spec)
    }

    fn dense_of(
        &self,
        input: &[(Role, i64)],
        down: Role,
        spec: DenseSpec,
    ) -> Result<Dense, ModelError> {
        let hidden = self.resolved.spec.hidden;
        Ok(Dense {
            input: self.linear(input, hidden, spec.bias)?,
            down: self.linear(&[(down, hidden)], spec.intermediate, spec.bias)?,
            spec,
        })
    }

    fn mixture(&self, l: usize, spec: MixtureSpec) -> Result<Mixture, ModelError> {
        let hidden = self.resolved.spec.hidden;
        let inner = spec.intermediate;
        let experts = 0..spec.experts;
        let linear = |parts: &[(Role, i64)], width| self.linear(parts, width, false);
        let experts = experts.map(|e| {
            let gate_up = [
                (Role::ExpertGate(l, e), inner),
                (Role::ExpertUp(l, e), inner),
            ];
            Ok(Expert {
                gate_up: linear(&gate_up, hidden)?,
                down: linear(&[(Role::ExpertDown(l, e), hidden)], inner)?,
            })
        });
        let shared = match spec.shared {
            None => None,
            Some(intermediate) => {
                let input = [
                    (Role::SharedGate(l), intermediate),
                    (Role::SharedUp(l), intermediate),
                ];
                let dense = DenseSpec {
                    intermediate,
                    activation: spec.activation,
                    gated: true,
                    bias: false,
                };
                let expert = self.dense_of(&input, Role::SharedDown(l), dense)?;
                Some((expert, linear(&[(Role::SharedRouter(l), 1)], hidden)?))
            }
        };
        Ok(Mixture {
            router: linear(&[(Role::Router(l), spec.experts)], hidden)?,
            experts: experts.collect::<Result<_, ModelError>>()?,
            shared,
            spec,
        })
    }

    fn norm(&self, role: Role, spec: NormSpec, width: i64) -> Result<Norm, ModelError> {
        let part = [(role, width)];
        let read = |suffix| self.source.tensor(&self.wanted(&part, None, suffix));
        let bias = match spec.kind {
            NormKind::Layer => Some(read("bias")?),
            _ => None,
        };
        Norm::new(read("weight")?, bias, spec)
    }

    /// A matrix that is one tensor in the files.
    fn whole(&self, role: Role, shape: &[i64; 2]) -> Result<Frozen, ModelError> {
        let [rows, width] = *shape;
        self.source
            .tensor(&self.wanted(&[(role, rows)], Some(width), "weight"))
    }

    /// Projections of the same input, their outputs one after the other.
    fn linear(&self, parts: &[(Role, i64)], input: i64, bias: bool) -> Result<Linear, ModelError> {
        let weight = self.wanted(parts, Some(input), "weight");
        let bias = bias.then(|| self.wanted(parts, None, "bias"));
        let bias = bias.map(|bias| self.source.tensor(&bias)).transpose()?;
        Linear::new(self.source.tensor(&weight)?, bias)
    }

    /// Tensors stacked by rows: `[sum of rows, width]`, or `[sum of rows]` without a width.
    fn wanted(&self, parts: &[(Role, i64)], width: Option<i64>, suffix: &str) -> Wanted {
        let mut start = 0;
        let pieces = parts.iter().map(|&(role, rows)| {
            start += rows;
            let arrange = self.arrange(role, suffix);
            let shape = std::iter::once(rows).chain(width).collect();
            let (shape, slice) = self.stored_shape(role, shape, arrange);
            Piece {
                name: format!("{}.{suffix}", (self.resolved.name)(role)),
                shape,
                slice,
                start: start - rows,
                rows,
                arrange,
            }
        });
        let pieces = pieces.collect();
        Wanted {
            shape: std::iter::once(start).chain(width).collect(),
            pieces,
        }
    }

    /// The shape in the file of a tensor of shape `[rows, width]` or `[rows]`, and the tensor's
    /// index in the first dimension if the file keeps all experts together.
    fn stored_shape(
        &self,
        role: Role,
        mut shape: Vec<i64>,
        arrange: Arrange,
    ) -> (Vec<i64>, Option<i64>) {
        let stored = self.resolved.stored;
        if matches!(arrange, Arrange::Transposed) {
            shape.reverse();
        }
        match role {
            Role::ExpertGate(l, e) | Role::ExpertUp(l, e) | Role::ExpertDown(l, e)
                if stored.experts_together =>
            {
                let experts = match &self.resolved.spec.layers[l].mlp {
                    MlpSpec::Mixture(mixture) => mixture.experts,
                    MlpSpec::Dense(_) => 1,
                };
                shape.insert(0, experts);
                (shape, Some(e))
            }
            Role::SharedRouter(_) if stored.experts_together => (shape.split_off(1), None),
            _ => (shape, None),
        }
    }

    /// Order in the file of the values of a weight or bias.
    fn arrange(&self, role: Role, suffix: &str) -> Arrange {
        let Resolved { spec, stored, .. } = self.resolved;
        let attention = |l: usize| &spec.layers[l].attention;
        match role {
            Role::Embedding | Role::Positions | Role::Head => Arrange::Same,
            _ if role.is_norm() => match stored.norms_hold_one {
                true => Arrange::LessOne,
                false => Arrange::Same,
            },
            Role::QueryKeyValue(l) if stored.query_key_value == QueryKeyValueLayout::ByHead => {
                Arrange::ByHead(attention(l).heads)
            }
            Role::Query(l) if stored.interleaved => Arrange::Interleaved(attention(l).heads),
            Role::Key(l) if stored.interleaved => {
                Arrange::Interleaved(attention(l).key_value_heads)
            }
            _ if stored.transposed && suffix == "weight" => Arrange::Transposed,
            _ => Arrange::Same,
        }
    }
}

/// Rotary tables, one for each different spec.
#[derive(Default)]
struct Ropes(Mutex<Vec<(RopeSpec, Arc<Rope>)>>);

impl Ropes {
    fn get(&self, spec: &RopeSpec, compute: Compute) -> Result<Arc<Rope>, ModelError> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, rope)) = made.iter().find(|(known, _)| known == spec) {
            return Ok(Arc::clone(rope));
        }
        let rope = Arc::new(Rope::new(spec, compute.kind, compute.device)?);
        made.push((spec.clone(), Arc::clone(&rope)));
        Ok(rope)
    }
}
