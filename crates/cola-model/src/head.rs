//! Final norm and language-model head, run only at nodes to read.

use tch::{Device, Kind, Tensor};

use super::{
    Draw, Drawn, ModelError,
    kernels::{Rows, top},
    linear::Linear,
    norm::Norm,
    transfer::upload,
};

/// Most logits computed at once: bounds the memory of a large vocabulary (64 MiB in f32).
const LOGITS_AT_ONCE: i64 = 16 << 20;
/// The same on a GPU (1 GiB): larger, because every reading waits for all queued work.
const LOGITS_AT_ONCE_CUDA: i64 = 256 << 20;

/// Tokens whose log-probabilities are read at one node, besides that of the most likely one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadAt {
    /// Token ids.
    pub tokens: Vec<u32>,
    /// How to draw the next token; `None` to draw none.
    pub draw: Option<Draw>,
}

/// The model's prediction at one node.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The most likely next token; of several equal ones the first.
    pub argmax: u32,
    /// Its log-probability, nats.
    pub argmax_log_prob: f64,
    /// Log-probability of the second most likely token, nats.
    pub second_log_prob: f64,
    /// Log-probabilities of [`ReadAt::tokens`], nats.
    pub log_probs: Vec<f64>,
    /// The token drawn, if [`ReadAt::draw`] requested one and the state is finite.
    pub drawn: Option<Drawn>,
}

impl Reading {
    /// The next token: the one drawn, otherwise the most likely one.
    pub fn next(&self) -> u32 {
        self.drawn.map_or(self.argmax, |drawn| drawn.token)
    }

    /// Lead of the [next](Self::next) token, nats: of one that was drawn [`Drawn::lead`], otherwise its lead over the second
    /// most likely one.
    pub fn lead(&self) -> f64 {
        match self.drawn {
            Some(drawn) => drawn.lead,
            None => self.argmax_log_prob - self.second_log_prob,
        }
    }

    /// Whether the log-probabilities are finite, as they are if the state was.
    pub fn is_finite(&self) -> bool {
        self.argmax_log_prob.is_finite() && self.log_probs.iter().all(|p| p.is_finite())
    }
}

/// The final norm and the output matrix `[V, D]`.
#[derive(Debug)]
pub struct Head {
    pub(super) norm: Norm,
    pub(super) output: Linear,
    pub(super) vocabulary: i64,
    /// Logits become `cap * tanh(logits / cap)`.
    pub(super) softcap: Option<f64>,
}

impl Head {
    /// Logits of every node, `[N, D] -> [N, V]`, f32.
    pub fn logits(&self, residual: &Tensor) -> Result<Tensor, ModelError> {
        let normed = self.norm.forward(residual)?;
        let logits = self.output.forward(&normed)?;
        let logits = match self.softcap {
            None => logits,
            Some(cap) => logits.f_div_scalar(cap)?.f_tanh()?.f_mul_scalar(cap)?,
        };
        Ok(logits.f_to_kind(Kind::Float)?)
    }

    /// Reads the predictions at nodes `[A, D]`, with one [`ReadAt`] for each.
    pub fn read(&self, residual: &Tensor, reads: &[&ReadAt]) -> Result<Vec<Reading>, ModelError> {
        let most = match residual.device() {
            Device::Cpu => LOGITS_AT_ONCE,
            _ => LOGITS_AT_ONCE_CUDA,
        };
        let at_once = (most / self.vocabulary).max(1) as usize;
        let mut readings = Vec::with_capacity(reads.len());
        for (chunk, reads) in reads.chunks(at_once).enumerate() {
            let start = (chunk * at_once) as i64;
            let rows = residual.f_narrow(0, start, reads.len() as i64)?;
            readings.extend(self.read_chunk(&rows, reads)?);
        }
        Ok(readings)
    }

    fn read_chunk(&self, residual: &Tensor, reads: &[&ReadAt]) -> Result<Vec<Reading>, ModelError> {
        let logits = self.logits(residual)?;
        match Rows::of(&logits) {
            Some(rows) => Ok(read_rows(rows, reads)),
            None => read_tensor(&logits, reads),
        }
    }
}

fn read_rows(logits: Rows<'_>, reads: &[&ReadAt]) -> Vec<Reading> {
    let read = |(row, reads): (usize, &&ReadAt)| {
        let logits = logits.get(row);
        let top = top(logits);
        let draw = reads.draw.filter(|_| top.log_total.is_finite());
        let log_prob = |logit: f32| f64::from(logit) - top.log_total;
        Reading {
            argmax: top.argmax as u32,
            argmax_log_prob: log_prob(top.largest[0]),
            second_log_prob: log_prob(top.largest[1]),
            log_probs: reads
                .tokens
                .iter()
                .map(|&token| log_prob(logits[token as usize]))
                .collect(),
            drawn: draw.map(|draw| draw.from(logits)),
        }
    };
    reads.iter().enumerate().map(read).collect()
}

/// Readings from `logits` `[A, V]` on another device: one transfer each way, however many tokens
/// are read.
fn read_tensor(logits: &Tensor, reads: &[&ReadAt]) -> Result<Vec<Reading>, ModelError> {
    let vocabulary = logits.size()[1];
    let total = logits.f_logsumexp([1], false)?;
    let (top, _) = logits.f_topk(vocabulary.min(2), 1, true, true)?;
    let argmax = logits.f_argmax(1, false)?;
    let wanted: Vec<i64> = (0i64..)
        .zip(reads)
        .flat_map(|(row, reads)| {
            let at = move |&token: &u32| row * vocabulary + i64::from(token);
            reads.tokens.iter().map(at)
        })
        .collect();
    let mut parts = vec![total, top.f_flatten(0, 1)?, argmax];
    if !wanted.is_empty() {
        let index = upload(&wanted, logits.device())?;
        parts.push(logits.f_flatten(0, 1)?.f_index_select(0, &index)?);
    }
    let width = vocabulary.min(2) as usize;
    let doubles = parts.iter().map(|part| part.f_to_kind(Kind::Double));
    let all = Tensor::f_cat(&doubles.collect::<Result<Vec<_>, _>>()?, 0)?;
    let all: Vec<f64> = Vec::try_from(all)?;
    let (total, all) = all.split_at(reads.len());
    let (top, all) = all.split_at(width * reads.len());
    let (argmax, values) = all.split_at(reads.len());
    let mut values = values.iter();
    let mut readings = Vec::with_capacity(reads.len());
    for (row, reads) in reads.iter().enumerate() {
        let log_probs = values.by_ref().take(reads.tokens.len());
        readings.push(Reading {
            argmax: argmax[row] as u32,
            argmax_log_prob: top[row * width] - total[row],
            second_log_prob: top[row * width + width - 1] - total[row],
            log_probs: log_probs.map(|logit| logit - total[row]).collect(),
            drawn: match reads.draw.filter(|_| total[row].is_finite()) {
                None => None,
                Some(draw) => {
                    let logits = logits.f_get(row as i64)?;
                    Some(draw.from(&Vec::<f32>::try_from(logits)?))
                }
            },
        });
    }
    Ok(readings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_of_a_tensor_is_what_is_read_of_its_rows() {
        let logits = crate::test_numbers::random(&[5, 40]) * 4;
        let reads = [vec![3, 9], vec![], vec![39], vec![], vec![0]];
        let draw = |noise| Draw {
            temperature: 0.8,
            top_p: 0.9,
            noise,
        };
        let reads = reads.map(|tokens| ReadAt {
            draw: tokens.first().map(|&token| draw(token.into())),
            tokens,
        });
        for count in [1, 2, 5] {
            let reads: Vec<&ReadAt> = reads.iter().rev().take(count).collect();
            let logits = logits.narrow(0, 0, count as i64).contiguous();
            let by_rows = read_rows(Rows::of(&logits).unwrap(), &reads);
            let by_tensor = read_tensor(&logits, &reads).unwrap();
            for (a, b) in by_rows.iter().zip(&by_tensor) {
                assert_eq!(a.argmax, b.argmax);
                assert_eq!(a.drawn, b.drawn);
                assert_eq!(a.log_probs.len(), b.log_probs.len());
                let pairs = a.log_probs.iter().zip(&b.log_probs);
                let tops = [
                    (&a.argmax_log_prob, &b.argmax_log_prob),
                    (&a.second_log_prob, &b.second_log_prob),
                ];
                for (a, b) in pairs.chain(tops) {
                    assert!((a - b).abs() < 1e-5, "{a} {b}");
                }
            }
        }
    }
}
