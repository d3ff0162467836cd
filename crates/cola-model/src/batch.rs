//! Runs rows of different lengths in one pass: matrix products on all packed tokens, attention by
//! segment or in buckets.
//!
//! ```text
//! segments      a a a | b b b b b | c            packed, [N, D], zeros up to a few at the end
//! ```
//!
//! On the CPU in f32 each node attends to its own keys (`kernels`). Elsewhere libtorch's attention
//! runs on [`Buckets`](super::buckets::Buckets).

use tch::Tensor;

use super::{ModelError, buckets::Buckets, kernels, linear::padded_rows, transfer::upload};

/// Keys and values of one application of one layer, for `n` nodes: `[n, 2, KV heads, head_dim]`,
/// keys first, already rotated.
pub type KeyValue = super::Frozen;

/// New nodes of one row, at one position of a chain. A node is a token of the row's token tree.
pub struct Segment<'a> {
    /// Residual stream of the nodes, `[n, D]`.
    pub residual: &'a Tensor,
    /// Position of each node (its depth in the token tree).
    pub positions: &'a [i64],
    /// Keys and values of earlier nodes at this chain position. Of each tensor only the first rows
    /// are used, as many as the number beside it says.
    pub context: Vec<(&'a KeyValue, i64)>,
    /// The nodes that the new nodes attend to.
    pub visible: Visibility<'a>,
}

/// The nodes, of its context and its own, that the new nodes of a segment attend to. A layer's
/// window restricts these further, to recent positions.
pub enum Visibility<'a> {
    /// Each node attends to the whole context and to the new nodes up to itself. Meant for a single
    /// node that continues a sequence, with the nodes before it as context.
    All,
    /// Each node attends to its ancestors in a token tree.
    Tree {
        /// Position of each context node, `[m]`.
        context: &'a [i64],
        /// `[n, m + n]` row-major: may node `i` see context or new node `j`?
        seen: &'a [bool],
    },
}

impl Segment<'_> {
    /// The keys that `node` attends to: indices below `context` are keys of the context, the others
    /// are the segment's own nodes.
    pub(super) fn seen_by(
        &self,
        node: usize,
        context: usize,
        window: Option<i64>,
    ) -> impl Iterator<Item = usize> + '_ {
        // No node sees a later one.
        let keys = context + node + 1;
        let back = window.map_or(usize::MAX, |window| window.max(0) as usize);
        let position = self.positions[node];
        let (first, tree) = match &self.visible {
            Visibility::All => (keys.saturating_sub(back), None),
            Visibility::Tree { context: at, seen } => {
                let row = &seen[node * (context + self.positions.len())..][..keys];
                (0, Some((row, *at)))
            }
        };
        (first..keys).filter(move |&key| match tree {
            None => true,
            Some((row, at)) => {
                row[key]
                    && window.is_none_or(|window| {
                        let own = || self.positions[key - context];
                        position - at.get(key).copied().unwrap_or_else(own) < window
                    })
            }
        })
    }
}

/// Segments packed for one layer.
pub struct Batch<'a> {
    /// `[N, D]`: the segments' nodes, then zeros up to [`padded_rows`].
    pub(super) residual: Tensor,
    /// Position of each row of `residual`, `[N]`.
    pub(super) positions: Tensor,
    /// Largest position.
    pub(super) last_position: i64,
    pub(super) segments: &'a [Segment<'a>],
    pub(super) window: Option<i64>,
    /// The segments, padded for libtorch's attention; `None` if the CPU kernel reads the segments
    /// themselves.
    pub(super) buckets: Option<Buckets>,
    lengths: Vec<i64>,
    last_positions: Vec<i64>,
}

impl<'a> Batch<'a> {
    /// Packs the segments for a layer in which a node sees itself and the `window - 1` positions
    /// before it (`None`: all). Index tensors are created on the device of the first residual.
    pub fn pack(segments: &'a [Segment<'a>], window: Option<i64>) -> Result<Self, ModelError> {
        let direct = segments.iter().all(|segment| {
            let context = segment.context.iter();
            context.fold(kernels::suit(segment.residual), |all, (kv, _)| {
                all && kernels::suit(kv)
            })
        });
        Self::pack_for(segments, window, direct)
    }

    /// Packs the segments for the CPU's attention kernel (`direct`) or for libtorch's attention.
    pub(super) fn pack_for(
        segments: &'a [Segment<'a>],
        window: Option<i64>,
        direct: bool,
    ) -> Result<Self, ModelError> {
        let mut residuals: Vec<&Tensor> = segments.iter().map(|s| s.residual).collect();
        let lengths: Vec<i64> = residuals.iter().map(|r| r.size()[0]).collect();
        let nodes: i64 = lengths.iter().sum();
        let first = residuals[0];
        let device = first.device();
        let rows = padded_rows(nodes, device);
        let padding = first.f_new_zeros([rows - nodes, first.size()[1]], (first.kind(), device))?;
        if rows > nodes {
            residuals.push(&padding);
        }
        let residual = match residuals.as_slice() {
            [single] => single.shallow_clone(),
            several => Tensor::f_cat(several, 0)?,
        };
        let mut positions: Vec<i64> = segments.iter().flat_map(|s| s.positions).copied().collect();
        positions.resize(rows as usize, 0);
        let last = |segment: &Segment| segment.positions.iter().copied().max().unwrap_or(0);
        let last_positions: Vec<i64> = segments.iter().map(last).collect();
        let buckets = match direct {
            true => None,
            false => Some(Buckets::new(segments, window, &residual)?),
        };
        Ok(Self {
            residual,
            last_position: last_positions.iter().copied().max().unwrap_or(0),
            positions: upload(&positions, device)?,
            segments,
            window,
            buckets,
            lengths,
            last_positions,
        })
    }

    /// Number of nodes of each segment, in order.
    pub fn lengths(&self) -> &[i64] {
        &self.lengths
    }

    /// Largest position of each segment, in order.
    pub(super) fn last_positions(&self) -> &[i64] {
        &self.last_positions
    }
}
