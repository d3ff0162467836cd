//! Rows of different lengths in one pass: linear parts on packed tokens, attention by segment or in
//! buckets.
//!
//! ```text
//! segments      a a a | b b b b b | c            packed, [N, D], zeros up to a few at the end
//! buckets       (a b) padded to one shape, (c) with its long context alone
//! ```
//!
//! On the CPU in f32 each node attends to its own keys (`kernels`). Elsewhere libtorch's attention
//! runs on buckets; the padded shape of a segment depends on that segment alone, never on what else
//! is in the batch: what a row computes must not depend on its company.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::{ModelError, kernels, linear::padded_rows};

/// Keys and values of one application of one layer, for `n` nodes: `[n, 2, KV heads, head_dim]`,
/// keys first, already rotated.
pub type KeyValue = super::Frozen;

/// New nodes of one row, at one position of a chain.
pub struct Segment<'a> {
    /// Residual stream of the nodes, `[n, D]`.
    pub residual: &'a Tensor,
    /// Position of each node (its depth in the token tree).
    pub positions: &'a [i64],
    /// Keys and values of earlier nodes at this chain position, with how many of the first of them
    /// to use.
    pub context: Vec<(&'a KeyValue, i64)>,
    /// Which nodes see which.
    pub visible: Visibility<'a>,
}

/// What the new nodes of a segment attend to, among its context and themselves. A layer's window
/// hides of that what lies too far back.
pub enum Visibility<'a> {
    /// The whole context and each other. Right for a single node that continues a sequence, the
    /// context being the last nodes before it.
    All,
    /// A tree.
    Tree {
        /// Position of each context node, `[m]`.
        context: &'a [i64],
        /// `[n, m + n]` row-major: may node `i` see context or new node `j`?
        seen: &'a [bool],
    },
}

impl Segment<'_> {
    /// Which of its `context` keys, and after them its own nodes, one of its nodes sees.
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
    /// `[N, D]`: the segments' nodes, then zeros up to a number of rows that is multiplied fast.
    pub(super) residual: Tensor,
    /// `[N]`.
    pub(super) positions: Tensor,
    /// Largest position.
    pub(super) last_position: i64,
    pub(super) segments: &'a [Segment<'a>],
    pub(super) window: Option<i64>,
    /// `None` where attention reads the segments themselves.
    pub(super) buckets: Option<Buckets>,
    lengths: Vec<i64>,
    last_positions: Vec<i64>,
}

/// What libtorch's attention runs on.
pub(super) struct Buckets {
    /// Context of all segments, whole; the buckets index what is used of it, after the batch's own
    /// nodes.
    pub context: Vec<Tensor>,
    pub each: Vec<Bucket>,
    /// Where each packed node's output lies in the buckets' outputs, `[N]`.
    pub restore: Tensor,
}

/// Segments attended together, padded to `queries` nodes that see `keys` nodes.
pub(super) struct Bucket {
    pub rows: i64,
    pub queries: i64,
    pub keys: i64,
    /// Packed node of each padded query, `[rows * queries]`.
    pub query_index: Tensor,
    /// Packed or context node of each padded key, `[rows * keys]`.
    pub key_index: Tensor,
    /// Added to the scores, `[rows, 1, queries, keys]`: 0 or minus infinity.
    pub mask: Tensor,
}

/// One node decodes alone; longer segments are padded to a multiple of this.
const QUERY_STEP: i64 = 8;
/// Keys are padded to a multiple of this.
const KEY_STEP: i64 = 16;

fn round_up(n: i64, step: i64) -> i64 {
    (n + step - 1) / step * step
}

/// A segment's place in the batch.
struct Placed<'a> {
    segment: &'a Segment<'a>,
    /// Its nodes.
    nodes: i64,
    /// Packed index of its first node.
    start: i64,
    /// Index of its first context node among packed and context nodes.
    context_start: i64,
    /// Number of context nodes.
    context: i64,
}

impl<'a> Batch<'a> {
    /// Packs the segments for a layer in which a node sees itself and the `window - 1` positions
    /// before it (`None`: all). Tensors are moved to the device of the first residual.
    pub fn pack(segments: &'a [Segment<'a>], window: Option<i64>) -> Result<Self, ModelError> {
        let direct = segments.iter().all(|segment| {
            let context = segment.context.iter();
            context.fold(kernels::suit(segment.residual), |all, (kv, _)| {
                all && kernels::suit(kv)
            })
        });
        Self::pack_for(segments, window, direct)
    }

    /// For attention that reads the segments themselves, or for libtorch's.
    fn pack_for(
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
            positions: Tensor::f_from_slice(&positions)?.f_to_device(device)?,
            segments,
            window,
            buckets,
            lengths,
            last_positions,
        })
    }

    /// Nodes of each segment, in order.
    pub fn lengths(&self) -> &[i64] {
        &self.lengths
    }

    /// Largest position of each segment, in order.
    pub(super) fn last_positions(&self) -> &[i64] {
        &self.last_positions
    }
}

impl Buckets {
    fn new(
        segments: &[Segment<'_>],
        window: Option<i64>,
        residual: &Tensor,
    ) -> Result<Self, ModelError> {
        let (device, kind) = (residual.device(), residual.kind());
        let rows = residual.size()[0];
        let placed = place(segments, rows);
        let mut groups: BTreeMap<(i64, i64), Vec<&Placed>> = BTreeMap::new();
        for segment in &placed {
            let queries = match segment.nodes {
                1 => 1,
                n => round_up(n, QUERY_STEP),
            };
            let keys = round_up(segment.context + segment.nodes, KEY_STEP);
            groups.entry((queries, keys)).or_default().push(segment);
        }
        let mut restore = vec![0; rows as usize];
        let mut offset = 0;
        let mut each = Vec::with_capacity(groups.len());
        for ((queries, keys), members) in groups {
            for (row, member) in members.iter().enumerate() {
                let base = offset + row as i64 * queries;
                for node in 0..member.nodes {
                    restore[(member.start + node) as usize] = base + node;
                }
            }
            offset += members.len() as i64 * queries;
            each.push(Bucket::new(
                &members,
                (queries, keys),
                window,
                device,
                kind,
            )?);
        }
        let context = segments.iter().flat_map(|segment| &segment.context);
        Ok(Self {
            context: context.map(|(kv, _)| kv.shallow_clone()).collect(),
            each,
            restore: Tensor::f_from_slice(&restore)?.f_to_device(device)?,
        })
    }
}

/// The segments' places; their context lies after the packed nodes and their padding.
fn place<'a>(segments: &'a [Segment<'a>], rows: i64) -> Vec<Placed<'a>> {
    let (mut start, mut context_start) = (0, rows);
    let mut placed = Vec::with_capacity(segments.len());
    for segment in segments {
        let nodes = segment.positions.len() as i64;
        let context = segment.context.iter().map(|&(_, used)| used).sum();
        placed.push(Placed {
            segment,
            nodes,
            start,
            context_start,
            context,
        });
        start += nodes;
        context_start += segment
            .context
            .iter()
            .map(|(kv, _)| kv.size()[0])
            .sum::<i64>();
    }
    placed
}

impl Bucket {
    fn new(
        members: &[&Placed<'_>],
        (queries, keys): (i64, i64),
        window: Option<i64>,
        device: Device,
        kind: Kind,
    ) -> Result<Self, ModelError> {
        let rows = members.len();
        let (nq, nk) = (queries as usize, keys as usize);
        // Padding repeats a row's first node: a valid index whose result nobody reads.
        let mut query_index = Vec::with_capacity(rows * nq);
        let mut key_index = Vec::with_capacity(rows * nk);
        let mut mask = vec![0f32; rows * nq * nk];
        for (row, member) in members.iter().enumerate() {
            let nodes = member.nodes;
            query_index.extend((0..queries).map(|i| member.start + if i < nodes { i } else { 0 }));
            let end = key_index.len() + nk;
            member.index_keys(&mut key_index);
            key_index.resize(end, member.start);
            member.fill_mask(&mut mask[row * nq * nk..(row + 1) * nq * nk], nk, window);
        }
        let rows = rows as i64;
        let upload = |index: &[i64]| -> Result<Tensor, ModelError> {
            Ok(Tensor::f_from_slice(index)?.f_to_device(device)?)
        };
        Ok(Self {
            rows,
            queries,
            keys,
            query_index: upload(&query_index)?,
            key_index: upload(&key_index)?,
            mask: Tensor::f_from_slice(&mask)?
                .f_reshape([rows, 1, queries, keys])?
                .f_to_device(device)?
                .f_to_kind(kind)?,
        })
    }
}

impl Placed<'_> {
    /// Where its context and its own nodes lie among packed and context nodes.
    fn index_keys(&self, index: &mut Vec<i64>) {
        let mut start = self.context_start;
        for (key_value, used) in &self.segment.context {
            index.extend(start..start + used);
            start += key_value.size()[0];
        }
        index.extend(self.start..self.start + self.nodes);
    }

    /// Hides padding keys, what the tree hides and what lies outside the window. Padding queries
    /// see everything: an all-hidden row would be a softmax over nothing.
    fn fill_mask(&self, mask: &mut [f32], stride: usize, window: Option<i64>) {
        let keys = (self.context + self.nodes) as usize;
        let hide = |score: &mut f32| *score = f32::NEG_INFINITY;
        let queries = mask.chunks_exact_mut(stride).zip(self.segment.positions);
        for (query, (row, &position)) in queries.enumerate() {
            row[keys..].iter_mut().for_each(hide);
            match self.segment.visible {
                Visibility::All => {
                    // Its nodes continue the context one after the other.
                    let before = position - query as i64 - self.context;
                    if let Some(window) = window {
                        let hidden = (position + 1 - window - before).clamp(0, keys as i64);
                        row[..hidden as usize].iter_mut().for_each(hide);
                    }
                }
                Visibility::Tree { context, seen } => {
                    debug_assert_eq!(context.len() as i64, self.context);
                    let seen = &seen[query * keys..(query + 1) * keys];
                    let positions = context.iter().chain(self.segment.positions);
                    let far = |key: i64| window.is_some_and(|window| position - key >= window);
                    for ((score, &seen), &key) in row.iter_mut().zip(seen).zip(positions) {
                        if !seen || far(key) {
                            hide(score);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::Frozen, *};

    fn zeros(shape: &[i64]) -> Tensor {
        Tensor::zeros(shape, (Kind::Float, Device::Cpu))
    }

    fn indices(tensor: &Tensor) -> Vec<usize> {
        let indices: Vec<i64> = Vec::try_from(tensor).unwrap();
        indices.into_iter().map(|index| index as usize).collect()
    }

    /// What each packed node sees, as indices into packed and context nodes: by the kernel's list,
    /// and by the masks of the buckets.
    fn seen(segments: &[Segment<'_>], window: Option<i64>) -> Vec<BTreeSet<usize>> {
        let batch = Batch::pack_for(segments, window, false).unwrap();
        let listed: Vec<BTreeSet<usize>> = place(segments, batch.residual.size()[0])
            .iter()
            .flat_map(|placed| {
                let mut keys = Vec::new();
                placed.index_keys(&mut keys);
                (0..placed.nodes as usize).map(move |node| {
                    let seen = placed
                        .segment
                        .seen_by(node, placed.context as usize, window);
                    seen.map(|key| keys[key] as usize).collect()
                })
            })
            .collect();
        let mut of_places: Vec<(usize, BTreeSet<usize>)> = Vec::new();
        let buckets = batch.buckets.as_ref().unwrap();
        for bucket in &buckets.each {
            let (queries, keys) = (indices(&bucket.query_index), indices(&bucket.key_index));
            let mask: Vec<f32> = Vec::try_from(bucket.mask.flatten(0, -1)).unwrap();
            let [queries_each, keys_each] = [bucket.queries, bucket.keys].map(|n| n as usize);
            for (place, scores) in mask.chunks(keys_each).enumerate() {
                let row = place / queries_each * keys_each;
                let visible = (0..keys_each).filter(|&key| scores[key] == 0.0);
                of_places.push((queries[place], visible.map(|key| keys[row + key]).collect()));
            }
        }
        let restore = indices(&buckets.restore).into_iter();
        let of_nodes = restore.take(listed.len()).enumerate().map(|(node, place)| {
            let (query, seen) = of_places[place].clone();
            assert_eq!(query, node, "the output of a node is its own");
            seen
        });
        let masked: Vec<BTreeSet<usize>> = of_nodes.collect();
        assert_eq!(masked, listed);
        masked
    }

    fn causal(nodes: usize) -> Vec<bool> {
        (0..nodes * nodes).map(|i| i % nodes <= i / nodes).collect()
    }

    /// A segment without context.
    fn whole(seen: &[bool]) -> Visibility<'_> {
        Visibility::Tree { context: &[], seen }
    }

    #[test]
    fn every_node_sees_its_own_ancestors_and_context_and_nothing_else() {
        let (three, nine) = (causal(3), causal(9));
        // A trunk of one node and two branches of two.
        let tree = [
            [1, 0, 0, 0, 0],
            [1, 1, 0, 0, 0],
            [1, 1, 1, 0, 0],
            [1, 0, 0, 1, 0],
            [1, 0, 0, 1, 1],
        ];
        let tree: Vec<bool> = tree.iter().flatten().map(|&sees| sees == 1).collect();
        let residuals = [3, 1, 9, 1, 5].map(|nodes| zeros(&[nodes, 4]));
        let key_values = [6, 2, 20].map(|nodes| Frozen::new(zeros(&[nodes, 2, 1, 4])));
        let positions = [
            vec![0, 1, 2],
            vec![7],
            (0..9).collect(),
            vec![20],
            vec![0, 1, 2, 1, 2],
        ];
        let contexts = [
            vec![],
            vec![(&key_values[0], 5), (&key_values[1], 2)],
            vec![],
            vec![(&key_values[2], 20)],
            vec![],
        ];
        let visible = [
            whole(&three),
            Visibility::All,
            whole(&nine),
            Visibility::All,
            whole(&tree),
        ];
        let parts = residuals.iter().zip(&positions).zip(contexts).zip(visible);
        let segments: Vec<Segment> = parts
            .map(|(((residual, positions), context), visible)| Segment {
                residual,
                positions,
                context,
                visible,
            })
            .collect();
        let batch = Batch::pack(&segments, None).unwrap();
        assert_eq!(batch.lengths(), [3, 1, 9, 1, 5]);
        assert_eq!(batch.last_position, 20);
        // Packed: 0..3, 3, 4..13, 13, 14..19, one of padding. Context: 20..26 without the last,
        // 26..28, 28..48.
        let seen = seen(&segments, None);
        for node in 0..3 {
            assert_eq!(seen[node], (0..=node).collect());
            assert_eq!(seen[4 + node], (4..=4 + node).collect());
        }
        assert_eq!(seen[3], (20..25).chain([26, 27, 3]).collect());
        assert_eq!(seen[12], (4..13).collect());
        assert_eq!(seen[13], (28..48).chain([13]).collect());
        assert_eq!(seen[16], BTreeSet::from([14, 15, 16]));
        assert_eq!(seen[18], BTreeSet::from([14, 17, 18]));
    }

    #[test]
    fn the_padded_shape_of_a_segment_depends_on_it_alone() {
        let visible: Vec<Vec<bool>> = (1..20).map(causal).collect();
        let positions: Vec<Vec<i64>> = (1..20).map(|n| (0..n).collect()).collect();
        let residuals: Vec<Tensor> = (1..20).map(|n| zeros(&[n, 4])).collect();
        let segment = |i: usize| Segment {
            residual: &residuals[i],
            positions: &positions[i],
            context: Vec::new(),
            visible: whole(&visible[i]),
        };
        let shapes = |segments: &[Segment<'_>]| -> BTreeSet<(i64, i64)> {
            let batch = Batch::pack_for(segments, None, false).unwrap();
            let buckets = batch.buckets.unwrap().each.into_iter();
            buckets
                .map(|bucket| (bucket.queries, bucket.keys))
                .collect()
        };
        let together: Vec<Segment> = (0..19).map(segment).collect();
        let together = shapes(&together);
        let alone = (0..19).flat_map(|i| shapes(&[segment(i)]));
        assert_eq!(together, alone.collect());
    }

    #[test]
    fn a_window_hides_what_lies_further_back_in_context_and_tree() {
        let residuals = [1, 3].map(|nodes| zeros(&[nodes, 4]));
        let key_values = [6, 2].map(|nodes| Frozen::new(zeros(&[nodes, 2, 1, 4])));
        // One node at position 9 after eight others, of which only the last seven are context.
        let decoded = Segment {
            residual: &residuals[0],
            positions: &[9],
            context: vec![(&key_values[0], 5), (&key_values[1], 2)],
            visible: Visibility::All,
        };
        // Two branches after a context at positions 0 and 1: 2, 3 and 2.
        let seen = [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 0, 0, 1]];
        let seen: Vec<bool> = seen.iter().flatten().map(|&sees| sees == 1).collect();
        let tree = Segment {
            residual: &residuals[1],
            positions: &[2, 3, 2],
            context: vec![(&key_values[1], 2)],
            visible: Visibility::Tree {
                context: &[0, 1],
                seen: &seen,
            },
        };
        // Packed: 0, 1..4. Context: 4..10 without the last, 10..12, 12..14.
        let seen = self::seen(&[decoded, tree], Some(3));
        assert_eq!(seen[0], BTreeSet::from([10, 11, 0]));
        assert_eq!(seen[1], BTreeSet::from([12, 13, 1]));
        assert_eq!(seen[2], BTreeSet::from([13, 1, 2]));
        assert_eq!(seen[3], BTreeSet::from([12, 13, 3]));
    }
}
