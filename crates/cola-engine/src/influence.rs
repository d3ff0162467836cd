//! How much each layer of the unmodified model changes a row: Block Influence (Men et al., ShortGPT, arXiv 2403.03853).

use tch::{Device, Kind, Tensor};

use cola_model::{ModelError, upload};

/// `1 - cos(before, after)` of the residual stream `[T, D]` before and after a layer, mean over `nodes`. NaN if a state is not
/// finite.
pub fn influence(before: &Tensor, after: &Tensor, nodes: &[i64]) -> Result<f64, ModelError> {
    let nodes = upload(nodes, before.device())?;
    let part = |residual: &Tensor| {
        let part = residual.f_index_select(0, &nodes)?;
        part.f_to_kind(Kind::Double)
    };
    let cosine = Tensor::f_cosine_similarity(&part(before)?, &part(after)?, 1, 1e-12)?;
    let mean = cosine.f_mean(Kind::Double)?.f_to_device(Device::Cpu)?;
    Ok(1.0 - f64::try_from(mean)?)
}
