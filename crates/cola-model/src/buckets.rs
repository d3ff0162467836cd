//! Segments padded to common shapes, on which libtorch's attention runs.
//!
//! ```text
//! segments      a a a | b b b b b | c            packed, [N, D]
//! buckets       (a b) padded to one shape, (c) with its long context alone
//! ```
//!
//! The padded shape of a segment depends on that segment alone: the results of a row must not
//! depend on the rest of its batch. A batch costs three transfers to its device and no wait for it,
//! however many buckets it has.

use std::{collections::BTreeMap, ops::Range};

use tch::{Device, Kind, Tensor};

use super::{ModelError, Segment, transfer::upload};

/// The segments of a batch, grouped by padded shape.
pub(super) struct Buckets {
    /// Context tensors of all segments. A bucket's indices count the batch's own nodes first, then
    /// the rows of these tensors, of which only the used ones occur.
    pub context: Vec<Tensor>,
    pub each: Vec<Bucket>,
    /// Index of each packed node's output in the concatenated outputs of all buckets, `[N]`.
    pub restore: Tensor,
}

/// Segments whose attention is computed together, each padded to `queries` nodes that see `keys`
/// nodes.
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

/// Shapes are padded to multiples of these. Small steps waste less work; large ones make fewer
/// buckets, each of which costs kernel launches.
#[derive(Clone, Copy)]
struct Steps {
    /// Step for the number of nodes; a single node, as in decoding, is not padded.
    queries: i64,
    keys: i64,
}

impl Steps {
    fn of(device: Device) -> Self {
        match device {
            Device::Cpu => Self {
                queries: 8,
                keys: 16,
            },
            _ => Self {
                queries: 32,
                keys: 128,
            },
        }
    }
}

fn round_up(n: i64, step: i64) -> i64 {
    (n + step - 1) / step * step
}

/// A segment's place in the batch.
struct Placed<'a> {
    segment: &'a Segment<'a>,
    /// Number of its nodes.
    nodes: i64,
    /// Packed index of its first node.
    start: i64,
    /// Index of its first context node among packed and context nodes.
    context_start: i64,
    /// Number of context nodes.
    context: i64,
}

impl Buckets {
    /// Groups segments that are packed into `residual` `[N, D]`.
    pub fn new(
        segments: &[Segment<'_>],
        window: Option<i64>,
        residual: &Tensor,
    ) -> Result<Self, ModelError> {
        let (device, kind) = (residual.device(), residual.kind());
        let rows = residual.size()[0];
        let steps = Steps::of(device);
        let placed = place(segments, rows);
        let mut groups: BTreeMap<(i64, i64), Vec<&Placed>> = BTreeMap::new();
        for segment in &placed {
            let queries = match segment.nodes {
                1 => 1,
                n => round_up(n, steps.queries),
            };
            let keys = round_up(segment.context + segment.nodes, steps.keys);
            groups.entry((queries, keys)).or_default().push(segment);
        }
        let mut host = Host {
            indices: vec![0; rows as usize],
            hidden: Vec::new(),
        };
        let mut offset = 0;
        let mut plans = Vec::with_capacity(groups.len());
        for ((queries, keys), members) in groups {
            for (row, member) in members.iter().enumerate() {
                let base = offset + row as i64 * queries;
                for node in 0..member.nodes {
                    host.indices[(member.start + node) as usize] = base + node;
                }
            }
            offset += members.len() as i64 * queries;
            plans.push(host.plan(&members, (queries, keys), window));
        }
        let indices = upload(&host.indices, device)?;
        let hidden = upload(&host.hidden, device)?;
        let each = plans
            .into_iter()
            .map(|plan| plan.bucket(&indices, &hidden, kind))
            .collect::<Result<_, _>>()?;
        let context = segments.iter().flat_map(|segment| &segment.context);
        Ok(Self {
            context: context.map(|(kv, _)| kv.shallow_clone()).collect(),
            each,
            restore: indices.f_narrow(0, 0, rows)?,
        })
    }
}

/// The segments' places. Indices of context nodes follow those of the packed nodes and their
/// padding.
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

/// Arrays of all buckets, uploaded to the device together.
struct Host {
    indices: Vec<i64>,
    hidden: Vec<bool>,
}

/// Offsets of one bucket's indices and mask in the arrays uploaded for the whole batch.
struct Plan {
    rows: i64,
    queries: i64,
    keys: i64,
    query_index: Range<i64>,
    key_index: Range<i64>,
    hidden: Range<i64>,
}

impl Host {
    fn plan(
        &mut self,
        members: &[&Placed<'_>],
        (queries, keys): (i64, i64),
        window: Option<i64>,
    ) -> Plan {
        let start = self.indices.len() as i64;
        // Padding repeats a row's first node: a valid index whose result is never read.
        for member in members {
            let nodes = member.nodes;
            let index = (0..queries).map(|i| member.start + if i < nodes { i } else { 0 });
            self.indices.extend(index);
        }
        let between = self.indices.len() as i64;
        let each = (queries * keys) as usize;
        let first = self.hidden.len();
        self.hidden.resize(first + members.len() * each, false);
        let masks = self.hidden[first..].chunks_exact_mut(each);
        for (member, mask) in members.iter().zip(masks) {
            let end = self.indices.len() + keys as usize;
            member.index_keys(&mut self.indices);
            self.indices.resize(end, member.start);
            member.hide(mask, keys as usize, window);
        }
        Plan {
            rows: members.len() as i64,
            queries,
            keys,
            query_index: start..between,
            key_index: between..self.indices.len() as i64,
            hidden: first as i64..self.hidden.len() as i64,
        }
    }
}

impl Plan {
    fn bucket(self, indices: &Tensor, hidden: &Tensor, kind: Kind) -> Result<Bucket, ModelError> {
        let part =
            |of: &Tensor, range: Range<i64>| of.f_narrow(0, range.start, range.end - range.start);
        let shape = [self.rows, 1, self.queries, self.keys];
        let hidden = part(hidden, self.hidden)?.f_view(shape)?;
        let mask = Tensor::f_zeros(shape, (kind, hidden.device()))?;
        Ok(Bucket {
            rows: self.rows,
            queries: self.queries,
            keys: self.keys,
            query_index: part(indices, self.query_index)?,
            key_index: part(indices, self.key_index)?,
            mask: mask.f_masked_fill(&hidden, f64::NEG_INFINITY)?,
        })
    }
}

impl Placed<'_> {
    /// Appends the indices of its context and its own nodes among packed and context nodes.
    fn index_keys(&self, index: &mut Vec<i64>) {
        let mut start = self.context_start;
        for (key_value, used) in &self.segment.context {
            index.extend(start..start + used);
            start += key_value.size()[0];
        }
        index.extend(self.start..self.start + self.nodes);
    }

    /// Hides padding keys, keys that the tree hides, and keys outside the window. Padding queries
    /// see every key, because a softmax over no keys would not be finite.
    fn hide(&self, mask: &mut [bool], stride: usize, window: Option<i64>) {
        for (query, row) in (0..self.nodes as usize).zip(mask.chunks_exact_mut(stride)) {
            row.fill(true);
            for key in self.segment.seen_by(query, self.context as usize, window) {
                row[key] = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{
        super::{Ancestors, Batch, Frozen, Visibility},
        *,
    };

    fn zeros(shape: &[i64]) -> Tensor {
        Tensor::zeros(shape, (Kind::Float, Device::Cpu))
    }

    fn indices(tensor: &Tensor) -> Vec<usize> {
        let indices: Vec<i64> = Vec::try_from(tensor).unwrap();
        indices.into_iter().map(|index| index as usize).collect()
    }

    /// The nodes that each packed node sees, as indices into packed and context nodes. Asserts that
    /// the kernel's list and the masks of the buckets agree.
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

    fn tree(trunk: usize, parents: &[usize]) -> Ancestors {
        let mut tree = Ancestors::causal(trunk);
        parents.iter().for_each(|&parent| tree.push(Some(parent)));
        tree
    }

    #[test]
    fn every_node_sees_its_own_ancestors_and_context_and_nothing_else() {
        let (three, nine) = (tree(3, &[]), tree(9, &[]));
        // A trunk of one node and two branches of two.
        let tree = tree(1, &[0, 1, 0, 3]);
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
            Visibility::Tree {
                context: &[],
                tree: &three,
            },
            Visibility::All,
            Visibility::Tree {
                context: &[],
                tree: &nine,
            },
            Visibility::All,
            Visibility::Tree {
                context: &[],
                tree: &tree,
            },
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
        // Packed: 0..3, 3, 4..13, 13, 14..19, three of padding. Context: 22..28 without the last,
        // 28..30, 30..50.
        let seen = seen(&segments, None);
        for node in 0..3 {
            assert_eq!(seen[node], (0..=node).collect());
            assert_eq!(seen[4 + node], (4..=4 + node).collect());
        }
        assert_eq!(seen[3], (22..27).chain([28, 29, 3]).collect());
        assert_eq!(seen[12], (4..13).collect());
        assert_eq!(seen[13], (30..50).chain([13]).collect());
        assert_eq!(seen[16], BTreeSet::from([14, 15, 16]));
        assert_eq!(seen[18], BTreeSet::from([14, 17, 18]));
    }

    #[test]
    fn the_padded_shape_of_a_segment_depends_on_it_alone() {
        let visible: Vec<Ancestors> = (1..20).map(Ancestors::causal).collect();
        let positions: Vec<Vec<i64>> = (1..20).map(|n| (0..n).collect()).collect();
        let residuals: Vec<Tensor> = (1..20).map(|n| zeros(&[n, 4])).collect();
        let segment = |i: usize| Segment {
            residual: &residuals[i],
            positions: &positions[i],
            context: Vec::new(),
            visible: Visibility::Tree {
                context: &[],
                tree: &visible[i],
            },
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
        let ancestors = self::tree(2, &[1, 2, 1]);
        let tree = Segment {
            residual: &residuals[1],
            positions: &[2, 3, 2],
            context: vec![(&key_values[1], 2)],
            visible: Visibility::Tree {
                context: &[0, 1],
                tree: &ancestors,
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
