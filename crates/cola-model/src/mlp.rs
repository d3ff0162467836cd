//! The feed-forward part of a block.

use tch::{Device, Kind, Tensor};

use super::{
    Activation, DenseSpec, MixtureSpec, ModelError, kernels,
    linear::{Linear, join, row_chunks},
};

/// One MLP, or a mixture of them.
#[derive(Debug)]
pub enum Mlp {
    Dense(Dense),
    Mixture(Mixture),
}

/// `down(activation(gate(x)) * up(x))`, gate and up in one product; or without a gate.
#[derive(Debug)]
pub struct Dense {
    pub(super) input: Linear,
    pub(super) down: Linear,
    pub(super) spec: DenseSpec,
}

/// Experts that each see the tokens routed to them.
#[derive(Debug)]
pub struct Mixture {
    /// Gives a score for each expert.
    pub(super) router: Linear,
    pub(super) experts: Vec<Expert>,
    /// The expert that all tokens use, and the gate that gives its score.
    pub(super) shared: Option<(Dense, Linear)>,
    pub(super) spec: MixtureSpec,
}

/// One expert of a mixture: `down(activation(gate(x)) * up(x))`.
#[derive(Debug)]
pub struct Expert {
    pub(super) gate_up: Linear,
    pub(super) down: Linear,
}

impl Mlp {
    /// `[N, D] -> [N, D]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        match self {
            Self::Dense(dense) => dense.forward(x),
            Self::Mixture(mixture) => mixture.forward(x),
        }
    }
}

impl Mlp {
    /// See [`Layer::multiply_only`](super::Layer::multiply_only).
    pub fn multiply_only(&self, rows: i64) -> Result<(), ModelError> {
        let dense = |dense: &Dense| {
            dense.input.multiply_only(rows)?;
            dense.down.multiply_only(rows)
        };
        match self {
            Self::Dense(only) => dense(only),
            Self::Mixture(mixture) => {
                let spec = mixture.spec;
                let each = (rows * spec.active + spec.experts - 1) / spec.experts;
                mixture.router.multiply_only(rows)?;
                for expert in &mixture.experts {
                    expert.gate_up.multiply_only(each)?;
                    expert.down.multiply_only(each)?;
                }
                mixture.shared.as_ref().map_or(Ok(()), |(shared, gate)| {
                    gate.multiply_only(rows)?;
                    dense(shared)
                })
            }
        }
    }
}

impl Dense {
    /// As many rows at a time as are multiplied at once on the CPU: their inner values, which are many, stay in the cache.
    fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        if x.device() != Device::Cpu {
            return self.forward_at_once(x);
        }
        let outputs = row_chunks(x.size()[0])
            .map(|(start, rows)| self.forward_at_once(&x.f_narrow(0, start, rows)?));
        join(outputs.collect::<Result<_, _>>()?)
    }

    fn forward_at_once(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let inner = self.input.forward(x)?;
        let inner = match self.spec.gated {
            true => gated(&inner, self.spec.activation)?,
            false => activate(&inner, self.spec.activation)?,
        };
        self.down.forward(&inner)
    }
}

impl Mixture {
    fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let active = self.spec.active;
        let scores = self.router.forward(x)?;
        let (weights, experts) = scores
            .f_softmax(-1, Kind::Float)?
            .f_topk(active, -1, true, true)?;
        let weights = match self.spec.normalize {
            true => weights.f_div(&weights.f_sum_dim_intlist(
                Some([-1i64].as_slice()),
                true,
                None,
            )?)?,
            false => weights,
        };
        // Every (token, expert) pair, sorted by expert: each expert's tokens lie together.
        let (_, order) = experts.f_flatten(0, 1)?.f_sort_stable(true, 0, false)?;
        // Not bincount, which waits for the GPU once more to read the largest id.
        let ids = Tensor::f_arange(self.spec.experts, (Kind::Int64, x.device()))?;
        let counts = experts
            .f_flatten(0, 1)?
            .f_unsqueeze(1)?
            .f_eq_tensor(&ids)?
            .f_sum_dim_intlist(Some([0i64].as_slice()), false, Kind::Int64)?;
        let counts: Vec<i64> = Vec::try_from(&counts)?;
        let token = order.f_floor_divide_scalar(active)?;
        let outputs = self.run_experts(&x.f_index_select(0, &token)?, &counts)?;
        // Back in the order of the tokens, the pairs of one token side by side.
        let place = order.f_argsort_stable(true, 0, false)?;
        let outputs = outputs
            .f_index_select(0, &place)?
            .f_view([-1, active, x.size()[1]])?;
        let weights = weights.f_to_kind(x.kind())?.f_unsqueeze(-1)?;
        let mixed =
            outputs
                .f_mul(&weights)?
                .f_sum_dim_intlist(Some([1i64].as_slice()), false, None)?;
        match &self.shared {
            None => Ok(mixed),
            Some((expert, gate)) => {
                // The gate is expanded before the sigmoid: libtorch computes the last few numbers
                // of a tensor in another way than the rest, and which tokens these belong to must
                // not depend on the batch.
                let gate = gate.forward(x)?.f_expand_as(&mixed)?.f_contiguous()?;
                let gate = gate.f_sigmoid()?;
                Ok(mixed.f_add(&gate.f_mul(&expert.forward(x)?)?)?)
            }
        }
    }

    /// Runs the experts on their tokens: `x` `[P, D]` holds `counts[0]` tokens for the first
    /// expert, then `counts[1]` for the second, and so on.
    fn run_experts(&self, x: &Tensor, counts: &[i64]) -> Result<Tensor, ModelError> {
        let mut outputs = Vec::with_capacity(counts.len());
        let mut start = 0;
        let used = self
            .experts
            .iter()
            .zip(counts)
            .filter(|&(_, &count)| count > 0);
        for (expert, &count) in used {
            let inner = expert.gate_up.forward(&x.f_narrow(0, start, count)?)?;
            let inner = gated(&inner, self.spec.activation)?;
            outputs.push(expert.down.forward(&inner)?);
            start += count;
        }
        Ok(Tensor::f_cat(&outputs, 0)?)
    }
}

/// `activation(gate) * up` of `[N, 2 I]`, the gate first.
fn gated(inner: &Tensor, activation: Activation) -> Result<Tensor, ModelError> {
    if activation == Activation::Silu
        && let Some(gated) = kernels::silu_gated(inner)?
    {
        return Ok(gated);
    }
    let width = inner.size()[1] / 2;
    let gate = inner.f_narrow(1, 0, width)?;
    let up = inner.f_narrow(1, width, width)?;
    Ok(activate(&gate, activation)?.f_mul(&up)?)
}

fn activate(x: &Tensor, activation: Activation) -> Result<Tensor, ModelError> {
    Ok(match activation {
        Activation::Silu => x.f_silu()?,
        Activation::Gelu => x.f_gelu("none")?,
        Activation::GeluTanh => x.f_gelu("tanh")?,
        Activation::Relu => x.f_relu()?,
    })
}
