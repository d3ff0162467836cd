//! The resolved description of a model, the only one that the implementation of layers uses.
//!
//! A family's module turns `config.json` into these types; code that uses them does not depend on
//! the family.

use serde::Serialize;

use super::RopeSpec;

/// A whole model. Sizes: `D` hidden, `V` vocabulary.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelSpec {
    /// The architecture, as `config.json` names it.
    pub architecture: String,
    /// `D`, width of the residual stream.
    pub hidden: i64,
    /// `V`, number of token ids.
    pub vocabulary: i64,
    /// Longest sequence the model was made for, in tokens.
    pub max_positions: i64,
    /// Whether a learned vector for each position is added to the embedding (GPT-2); a sequence
    /// then cannot be longer than `max_positions`.
    pub learned_positions: bool,
    /// Factor on the embedding, in the compute dtype (Gemma: `sqrt(D)`).
    pub embedding_scale: Option<f64>,
    /// Whether the head shares the embedding's weights.
    pub tied_head: bool,
    /// Logits become `cap * tanh(logits / cap)` (Gemma 2).
    pub logit_softcap: Option<f64>,
    /// The layers, by index: a layer's properties follow it wherever a chain puts it.
    pub layers: Vec<LayerSpec>,
    /// The norm before the head.
    pub final_norm: NormSpec,
}

/// One decoder block. With `n` the norms (identity where absent), in sequence
///
/// ```text
/// x += n_attention_output(attention(n_attention(x)))
/// x += n_mlp_output(mlp(n_mlp(x)))
/// ```
///
/// and in parallel (GPT-NeoX) `x += attention(n_attention(x)) + mlp(n_mlp(x))`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerSpec {
    /// Whether attention and MLP read the same input.
    pub parallel: bool,
    /// Norm before attention.
    pub attention_norm: Option<NormSpec>,
    /// Self-attention.
    pub attention: AttentionSpec,
    /// Norm of attention's output, before it is added to the residual stream.
    pub attention_output_norm: Option<NormSpec>,
    /// Norm before the MLP.
    pub mlp_norm: Option<NormSpec>,
    /// Feed-forward part.
    pub mlp: MlpSpec,
    /// Norm of the MLP's output, before it is added to the residual stream.
    pub mlp_output_norm: Option<NormSpec>,
}

/// A norm over the last dimension.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NormSpec {
    /// Kind of norm.
    pub kind: NormKind,
    /// Added under the root.
    pub epsilon: f64,
}

/// Kinds of norms. `r = x / sqrt(mean(x^2) + epsilon)` is computed in f32. Families round the
/// result to the compute dtype at different points, which matters in 16 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NormKind {
    /// `w * round(r)` (Llama).
    Rms,
    /// `round(w * r)` (OLMo 2).
    RmsWide,
    /// `round((1 + w) * r)` (Gemma).
    RmsPlusOne,
    /// `w * (x - mean) / sqrt(variance + epsilon) + b` (GPT-2).
    Layer,
}

/// Grouped-query self-attention.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttentionSpec {
    /// Query heads.
    pub heads: i64,
    /// Key and value heads; divides `heads`.
    pub key_value_heads: i64,
    /// Width of one head.
    pub head_dim: i64,
    /// Factor on the scores, usually `1 / sqrt(head_dim)`.
    pub scale: f64,
    /// Whether the query, key and value projections have biases.
    pub input_bias: bool,
    /// Whether the output projection has a bias.
    pub output_bias: bool,
    /// Norm of queries and keys, before the rotation.
    pub query_key_norm: Option<QueryKeyNorm>,
    /// Queries, keys and values are cut to `-clip..=clip` (OLMoE).
    pub clip: Option<f64>,
    /// Rotary position embedding; `None` for a layer without.
    pub rope: Option<RopeSpec>,
    /// A node sees itself and the `window - 1` before it; `None` sees all.
    pub window: Option<i64>,
    /// Scores become `cap * tanh(scores / cap)` (Gemma 2).
    pub softcap: Option<f64>,
}

/// Extent of a norm of queries and keys.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryKeyNorm {
    /// Each head by itself, weights `[head_dim]` (Qwen 3, Gemma 3).
    PerHead(NormSpec),
    /// All heads together, weights `[heads * head_dim]` (OLMo 2, OLMoE).
    AllHeads(NormSpec),
}

/// The feed-forward part of a layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MlpSpec {
    /// One feed-forward network.
    Dense(DenseSpec),
    /// A few of many experts, chosen for each token.
    Mixture(MixtureSpec),
}

/// Feed-forward: `down(activation(gate(x)) * up(x))`, or `down(activation(up(x)))` without a gate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DenseSpec {
    /// Inner width.
    pub intermediate: i64,
    /// The nonlinearity.
    pub activation: Activation,
    /// Whether there is a gate.
    pub gated: bool,
    /// Whether the projections have biases.
    pub bias: bool,
}

/// Mixture of gated experts: `sum over the active of p_e * expert_e(x)`, `p` the softmax of the
/// router's scores (Shazeer et al., arXiv 1701.06538).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MixtureSpec {
    /// Number of experts.
    pub experts: i64,
    /// Number of experts that a token uses: those with the largest `p`.
    pub active: i64,
    /// Inner width of an expert.
    pub intermediate: i64,
    /// The gates' nonlinearity.
    pub activation: Activation,
    /// Whether the `p` of the active experts are made to sum to 1.
    pub normalize: bool,
    /// Inner width of one more expert, which every token uses, weighted by a gate of its own.
    pub shared: Option<i64>,
}

/// Nonlinearities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// `x * sigmoid(x)`.
    Silu,
    /// Gaussian error linear unit, exact.
    Gelu,
    /// Gaussian error linear unit, tanh approximation.
    #[serde(rename = "gelu_tanh")]
    GeluTanh,
    /// `max(x, 0)`.
    Relu,
}

impl NormSpec {
    /// Parameters over a last dimension of `width`.
    pub fn parameters(&self, width: i64) -> i64 {
        match self.kind {
            NormKind::Layer => 2 * width,
            NormKind::Rms | NormKind::RmsWide | NormKind::RmsPlusOne => width,
        }
    }
}

impl AttentionSpec {
    /// Width of all queries of a token.
    pub fn query_width(&self) -> i64 {
        self.heads * self.head_dim
    }

    /// Width of all keys, or of all values, of a token.
    pub fn key_value_width(&self) -> i64 {
        self.key_value_heads * self.head_dim
    }

    /// Parameters, for a residual stream of width `hidden`.
    pub fn parameters(&self, hidden: i64) -> i64 {
        let (query, key_value) = (self.query_width(), self.key_value_width());
        let input = query + 2 * key_value;
        let norms = match self.query_key_norm {
            None => 0,
            Some(QueryKeyNorm::PerHead(norm)) => 2 * norm.parameters(self.head_dim),
            Some(QueryKeyNorm::AllHeads(norm)) => {
                norm.parameters(query) + norm.parameters(key_value)
            }
        };
        let biases = [(self.input_bias, input), (self.output_bias, hidden)];
        let biases: i64 = biases.iter().filter(|b| b.0).map(|b| b.1).sum();
        (input + query) * hidden + norms + biases
    }
}

impl DenseSpec {
    fn parameters(&self, hidden: i64) -> i64 {
        let inner = if self.gated { 2 } else { 1 } * self.intermediate;
        let bias = if self.bias { inner + hidden } else { 0 };
        (inner + self.intermediate) * hidden + bias
    }
}

impl MlpSpec {
    /// Parameters, for a residual stream of width `hidden`.
    pub fn parameters(&self, hidden: i64) -> i64 {
        match self {
            Self::Dense(dense) => dense.parameters(hidden),
            Self::Mixture(mixture) => {
                let experts = mixture.experts * 3 * mixture.intermediate * hidden;
                experts + mixture.used_by_all(hidden)
            }
        }
    }

    /// Parameters that one token uses.
    fn active_parameters(&self, hidden: i64) -> i64 {
        match self {
            Self::Dense(dense) => dense.parameters(hidden),
            Self::Mixture(mixture) => {
                let experts = mixture.active * 3 * mixture.intermediate * hidden;
                experts + mixture.used_by_all(hidden)
            }
        }
    }
}

impl MixtureSpec {
    /// Parameters of router and shared expert.
    fn used_by_all(&self, hidden: i64) -> i64 {
        let shared = self.shared.map_or(0, |inner| 3 * inner * hidden + hidden);
        self.experts * hidden + shared
    }
}

impl LayerSpec {
    fn norms(&self) -> impl Iterator<Item = NormSpec> {
        let norms = [
            self.attention_norm,
            self.attention_output_norm,
            self.mlp_norm,
            self.mlp_output_norm,
        ];
        norms.into_iter().flatten()
    }

    fn outside_mlp(&self, hidden: i64) -> i64 {
        let norms: i64 = self.norms().map(|norm| norm.parameters(hidden)).sum();
        norms + self.attention.parameters(hidden)
    }

    /// Parameters of the block, for a residual stream of width `hidden`.
    pub fn parameters(&self, hidden: i64) -> i64 {
        self.outside_mlp(hidden) + self.mlp.parameters(hidden)
    }

    /// Floating-point operations of the linear parts for one token: two for each weight that the
    /// token uses.
    pub fn flops_per_token(&self, hidden: i64) -> i64 {
        2 * (self.outside_mlp(hidden) + self.mlp.active_parameters(hidden))
    }
}

impl ModelSpec {
    /// All parameters, a tied head counted once.
    pub fn parameters(&self) -> i64 {
        let layers: i64 = self
            .layers
            .iter()
            .map(|layer| layer.parameters(self.hidden))
            .sum();
        self.outside_layers() + layers
    }

    /// Parameters of embedding, positions, final norm and head.
    pub fn outside_layers(&self) -> i64 {
        let table = self.vocabulary * self.hidden;
        let tables = if self.tied_head { table } else { 2 * table };
        let positions = match self.learned_positions {
            true => self.max_positions * self.hidden,
            false => 0,
        };
        tables + positions + self.final_norm.parameters(self.hidden)
    }

    /// Whether any layer has a sliding window.
    pub fn has_windows(&self) -> bool {
        self.layers
            .iter()
            .any(|layer| layer.attention.window.is_some())
    }
}
