//! Final norm and language-model head, run only at nodes to read.

use tch::{Device, Kind, Tensor};

use super::{
    Draw, Drawn, Frozen, ModelError,
    kernels::{Rows, Summary},
    linear::{Linear, ROWS_AT_ONCE},
    norm::Norm,
    transfer::upload,
};

/// Words in one block of the output matrix on the CPU: a block's logits are read while they are in
/// the cache.
const BLOCK: i64 = 4096;
/// Most logits computed at once on a GPU (1 GiB): many, because every reading waits for all queued
/// work.
const LOGITS_AT_ONCE: i64 = 256 << 20;

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
    norm: Norm,
    /// Rows of the output matrix, in order.
    blocks: Vec<Linear>,
    vocabulary: i64,
    /// Logits become `cap * tanh(logits / cap)`.
    softcap: Option<f64>,
}

impl Head {
    /// Takes over the output matrix `[V, D]`.
    pub(super) fn new(
        norm: Norm,
        output: &Frozen,
        vocabulary: i64,
        softcap: Option<f64>,
    ) -> Result<Self, ModelError> {
        // A matrix that is not there, because only headers are read, has no rows.
        let rows = output.size().first().copied().unwrap_or(0);
        let block = match output.device() {
            Device::Cpu => BLOCK,
            _ => rows.max(1),
        };
        let blocks = (0..rows).step_by(block as usize).map(|start| {
            let part = output.f_narrow(0, start, block.min(rows - start))?;
            Linear::new(Frozen::new(part), None)
        });
        Ok(Self {
            norm,
            blocks: blocks.collect::<Result<_, _>>()?,
            vocabulary,
            softcap,
        })
    }

    /// Whether it has a packed copy of the output matrix, which leaves the matrix itself unused.
    pub(super) fn is_packed(&self) -> bool {
        self.blocks.iter().all(Linear::is_packed)
    }

    /// Runs only the matrix products, on `rows` rows of zeros. See
    /// [`Layer::multiply_only`](super::Layer::multiply_only).
    pub fn multiply_only(&self, rows: i64) -> Result<(), ModelError> {
        let mut blocks = self.blocks.iter();
        blocks.try_for_each(|block| block.multiply_only(rows))
    }

    /// Logits of every node, `[N, D] -> [N, V]`, f32.
    pub fn logits(&self, residual: &Tensor) -> Result<Tensor, ModelError> {
        let normed = self.norm.forward(residual)?;
        let blocks = self.blocks.iter().map(|block| self.block(block, &normed));
        match blocks.collect::<Result<Vec<_>, _>>()?.as_slice() {
            [whole] => Ok(whole.shallow_clone()),
            blocks => Ok(Tensor::f_cat(blocks, 1)?),
        }
    }

    /// Logits of the words of one block, f32; `x` is normed.
    fn block(&self, block: &Linear, x: &Tensor) -> Result<Tensor, ModelError> {
        let logits = block.forward(x)?;
        let logits = match self.softcap {
            None => logits,
            Some(cap) => logits.f_div_scalar(cap)?.f_tanh()?.f_mul_scalar(cap)?,
        };
        Ok(logits.f_to_kind(Kind::Float)?)
    }

    /// Reads the predictions at nodes `[A, D]`, with one [`ReadAt`] for each.
    pub fn read(&self, residual: &Tensor, reads: &[&ReadAt]) -> Result<Vec<Reading>, ModelError> {
        let on_cpu = residual.device() == Device::Cpu;
        let at_once = match on_cpu {
            true => ROWS_AT_ONCE as usize,
            false => (LOGITS_AT_ONCE / self.vocabulary).max(1) as usize,
        };
        let mut readings = Vec::with_capacity(reads.len());
        for (chunk, reads) in reads.chunks(at_once).enumerate() {
            let start = (chunk * at_once) as i64;
            let nodes = residual.f_narrow(0, start, reads.len() as i64)?;
            readings.extend(match on_cpu {
                true => self.read_blocks(&nodes, reads)?,
                false => read_tensor(&self.logits(&nodes)?, reads)?,
            });
        }
        Ok(readings)
    }

    /// Readings on the CPU, from one block of logits after the other.
    fn read_blocks(
        &self,
        residual: &Tensor,
        reads: &[&ReadAt],
    ) -> Result<Vec<Reading>, ModelError> {
        let normed = self.norm.forward(residual)?;
        let mut nodes: Vec<Node> = reads.iter().map(|reads| Node::new(reads)).collect();
        for block in &self.blocks {
            let logits = self.block(block, &normed)?;
            let rows = Rows::of(&logits)
                .ok_or_else(|| tch::TchError::Torch("logits are not in rows".into()))?;
            for (at, node) in nodes.iter_mut().enumerate() {
                node.add(rows.get(at));
            }
        }
        Ok(nodes.into_iter().map(Node::finish).collect())
    }
}

/// The reading of one node in the making.
struct Node<'a> {
    reads: &'a ReadAt,
    summary: Summary,
    /// Words whose logits were taken in.
    seen: usize,
    /// Logits of [`ReadAt::tokens`], those of later blocks unknown.
    wanted: Vec<f32>,
    /// All logits so far, if a token is drawn from them.
    all: Vec<f32>,
}

impl<'a> Node<'a> {
    fn new(reads: &'a ReadAt) -> Self {
        Self {
            reads,
            summary: Summary::default(),
            seen: 0,
            wanted: vec![f32::NAN; reads.tokens.len()],
            all: Vec::new(),
        }
    }

    /// Takes in the logits of the next words.
    fn add(&mut self, logits: &[f32]) {
        self.summary.add(logits);
        for (wanted, &token) in self.wanted.iter_mut().zip(&self.reads.tokens) {
            let place = (token as usize).checked_sub(self.seen);
            if let Some(&logit) = place.and_then(|place| logits.get(place)) {
                *wanted = logit;
            }
        }
        if self.reads.draw.is_some() {
            self.all.extend_from_slice(logits);
        }
        self.seen += logits.len();
    }

    fn finish(self) -> Reading {
        let top = self.summary.finish();
        let draw = self.reads.draw.filter(|_| top.log_total.is_finite());
        let log_prob = |logit: f32| f64::from(logit) - top.log_total;
        Reading {
            argmax: top.argmax as u32,
            argmax_log_prob: log_prob(top.largest[0]),
            second_log_prob: log_prob(top.largest[1]),
            log_probs: self.wanted.iter().map(|&logit| log_prob(logit)).collect(),
            drawn: draw.map(|draw| draw.from(&self.all)),
        }
    }
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
    fn what_is_read_block_by_block_is_what_is_read_of_all_logits() {
        let _guard = tch::no_grad_guard();
        // The last block is smaller than the others.
        let vocabulary = 2 * BLOCK + 40;
        let weight = Frozen::new(crate::test_numbers::random(&[vocabulary, 8]));
        let scale = crate::test_numbers::random(&[8]);
        let reads = [
            vec![3, 9],
            vec![],
            vec![BLOCK as u32, vocabulary as u32 - 1],
            vec![],
            vec![0],
        ];
        let draw = |noise| Draw {
            temperature: 0.8,
            top_p: 0.9,
            noise,
        };
        let reads = reads.map(|tokens| ReadAt {
            draw: tokens.first().map(|&token| draw(token.into())),
            tokens,
        });
        let residual = crate::test_numbers::random(&[300, 8]) * 4;
        for softcap in [None, Some(3.0)] {
            let spec = crate::NormSpec {
                kind: crate::NormKind::Rms,
                epsilon: 1e-5,
            };
            let norm = Norm::new(Frozen::new(scale.shallow_clone()), None, spec).unwrap();
            let head = Head::new(norm, &weight, vocabulary, softcap).unwrap();
            assert_eq!(head.blocks.len(), 3);
            for count in [1, 2, 5, 300] {
                let reads: Vec<&ReadAt> = reads.iter().cycle().take(count).collect();
                let nodes = residual.narrow(0, 0, count as i64);
                let by_blocks = head.read(&nodes, &reads).unwrap();
                let by_tensor = read_tensor(&head.logits(&nodes).unwrap(), &reads).unwrap();
                for (a, b) in by_blocks.iter().zip(&by_tensor) {
                    assert_eq!(a.argmax, b.argmax);
                    assert_eq!(a.drawn.is_some(), b.drawn.is_some());
                    if let (Some(a), Some(b)) = (a.drawn, b.drawn) {
                        assert_eq!(a.token, b.token);
                        assert!((a.lead - b.lead).abs() < 1e-5, "{a:?} {b:?}");
                    }
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
}
