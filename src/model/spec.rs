//! What a model is, resolved: the only description the layer implementation sees.
//!
//! A family file turns `config.json` into these; nothing below asks which family it was.

use serde::Serialize;

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
    /// Whether the head shares the embedding's weights.
    pub tied_head: bool,
    /// The layers, by index: a layer's properties follow it wherever a chain puts it.
    pub layers: Vec<LayerSpec>,
    /// The norm before the head.
    pub final_norm: NormSpec,
}

/// One decoder block: `x += attention(norm(x)); x += mlp(norm(x))`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerSpec {
    /// Norm before attention.
    pub attention_norm: NormSpec,
    /// Self-attention.
    pub attention: AttentionSpec,
    /// Norm before the MLP.
    pub mlp_norm: NormSpec,
    /// Feed-forward part.
    pub mlp: MlpSpec,
}

/// Root-mean-square norm, `w * x / sqrt(mean(x^2) + epsilon)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NormSpec {
    /// Added under the root.
    pub epsilon: f64,
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
    /// Rotary position embedding.
    pub rope: RopeSpec,
}

/// Rotary position embedding (Su et al., RoFormer), rotate-half form.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RopeSpec {
    /// Base of the wavelengths.
    pub theta: f64,
    /// How the wavelengths were stretched for longer contexts.
    pub scaling: RopeScaling,
}

/// Change of the rotary frequencies for long contexts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "rope_type", rename_all = "lowercase")]
pub enum RopeScaling {
    /// None.
    Default,
    /// All frequencies divided by `factor` (position interpolation).
    Linear {
        /// Divisor of the frequencies.
        factor: f64,
    },
    /// Llama 3.1: low frequencies divided by `factor`, high ones kept, a ramp between.
    Llama3 {
        /// Divisor of the low frequencies.
        factor: f64,
        /// Wavelengths above `original_max_positions / low_freq_factor` are divided.
        low_freq_factor: f64,
        /// Wavelengths below `original_max_positions / high_freq_factor` are kept.
        high_freq_factor: f64,
        /// Context length of the original training.
        original_max_positions: f64,
    },
}

/// Gated feed-forward: `down(activation(gate(x)) * up(x))`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MlpSpec {
    /// Inner width.
    pub intermediate: i64,
    /// The gate's nonlinearity.
    pub activation: Activation,
    /// Whether the three projections have biases.
    pub bias: bool,
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
    #[serde(rename = "gelu_pytorch_tanh")]
    GeluTanh,
    /// `max(x, 0)`.
    Relu,
}

impl LayerSpec {
    /// Parameters of the block, for a residual stream of width `hidden`.
    pub fn parameters(&self, hidden: i64) -> i64 {
        let attention = &self.attention;
        let query = attention.heads * attention.head_dim;
        let key_value = 2 * attention.key_value_heads * attention.head_dim;
        let mut count = 2 * hidden + (2 * query + key_value) * hidden;
        count += 3 * hidden * self.mlp.intermediate;
        if attention.input_bias {
            count += query + key_value;
        }
        if attention.output_bias {
            count += hidden;
        }
        if self.mlp.bias {
            count += 2 * self.mlp.intermediate + hidden;
        }
        count
    }

    /// Floating-point operations of the linear parts for one token: two a weight.
    pub fn flops_per_token(&self, hidden: i64) -> i64 {
        2 * self.parameters(hidden)
    }
}

impl ModelSpec {
    /// All parameters, a tied head counted once.
    pub fn parameters(&self) -> i64 {
        let table = self.vocabulary * self.hidden;
        let tables = if self.tied_head { table } else { 2 * table };
        let layers: i64 = self
            .layers
            .iter()
            .map(|layer| layer.parameters(self.hidden))
            .sum();
        tables + layers + self.hidden
    }
}
