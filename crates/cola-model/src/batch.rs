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

use super::{
    Ancestors, ModelError, buckets::Buckets, kernels, linear::padded_rows, transfer::upload,
};

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
#[derive(Debug, Clone, Copy)]
pub enum Visibility<'a> {
    /// Each node attends to the whole context and to the new nodes up to itself. Meant for a single
    /// node that continues a sequence, with the nodes before it as context.
    All,
    /// Each node attends to its ancestors in a token tree.
    Tree {
        /// Position of each context node, `[m]`. These are the first nodes of the tree.
        context: &'a [i64],
        /// The tree, whose last nodes are the new ones.
        tree: &'a Ancestors,
    },
    /// Each node attends to its ancestors in an earlier visit of the layer, which is the context, and to none of the new nodes.
    Earlier(&'a Ancestors),
}

impl Segment<'_> {
    /// The keys that `node` attends to, ascending: indices below `context` are keys of the context, the others are the
    /// segment's own nodes.
    pub(super) fn seen_by(
        &self,
        node: usize,
        context: usize,
        window: Option<i64>,
    ) -> impl Iterator<Item = usize> + '_ {
        let window = window.map_or(i64::MAX, |window| window.max(0));
        let position = self.positions[node];
        let (all, tree) = match &self.visible {
            Visibility::All => {
                // The nodes are at consecutive positions, the context's too.
                let keys = context + node + 1;
                let back = usize::try_from(window).unwrap_or(usize::MAX);
                (Some(keys.saturating_sub(back)..keys), None)
            }
            Visibility::Tree { context: at, tree } => {
                debug_assert_eq!(at.len(), context);
                (None, Some((tree.of(context + node), *at)))
            }
            // Only of models without windows: see `Repeat::check`.
            Visibility::Earlier(tree) => (None, Some((tree.of(node), &[][..]))),
        };
        let of_tree = tree.into_iter().flat_map(move |(keys, at)| {
            keys.filter(move |&key| {
                let own = || self.positions[key - context];
                window == i64::MAX || position - at.get(key).copied().unwrap_or_else(own) < window
            })
        });
        all.into_iter().flatten().chain(of_tree)
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
