//! Rows: what a sample asks of the model, as a token tree.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::tree::Tree;
use cola_model::{ReadAt, Reading};

/// Identifies a row while it is in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowId(u64);

/// A token tree, and what to read from it. Attention sees a node's ancestors and itself; a node's
/// position is its depth.
#[derive(Debug)]
pub struct Row {
    id: RowId,
    /// Device of the engine that holds its states.
    pub(super) home: usize,
    tree: Arc<Tree>,
    trunk: usize,
    /// Nodes to read, ascending, and what to read there.
    reads: Vec<(usize, ReadAt)>,
    for_decoding: bool,
}

impl Row {
    /// Starts a row with its prompt.
    pub fn builder(trunk: &[u32]) -> RowBuilder {
        RowBuilder {
            trunk: Tree::new(trunk),
            branches: Vec::new(),
            end: trunk.len().checked_sub(1),
            children: BTreeMap::new(),
            reads: BTreeMap::new(),
            for_decoding: false,
        }
    }

    /// Its identity in the state table.
    pub fn id(&self) -> RowId {
        self.id
    }

    /// Token of each node, parents before children.
    pub fn tokens(&self) -> &[u32] {
        self.tree.tokens()
    }

    /// Depth of each node in the tree.
    pub fn positions(&self) -> &[i64] {
        self.tree.positions()
    }

    /// Which nodes see which, `[T, T]` row-major.
    pub fn visible(&self) -> &[bool] {
        self.tree.visible()
    }

    /// The tree itself.
    pub(super) fn tree(&self) -> &Arc<Tree> {
        &self.tree
    }

    /// Number of nodes of the prompt; they come first.
    pub fn trunk(&self) -> usize {
        self.trunk
    }

    /// The nodes that reach norm and head.
    pub fn reads(&self) -> &[(usize, ReadAt)] {
        &self.reads
    }

    /// Whether states of this row keep keys and values, so that decoding can continue from them.
    pub fn for_decoding(&self) -> bool {
        self.for_decoding
    }

    /// Hash of the tree, 32 hex digits: equal for equal trees that ask the same.
    pub fn content_hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (token, position) in self.tokens().iter().zip(self.positions()) {
            hasher.update(&token.to_le_bytes());
            hasher.update(&position.to_le_bytes());
        }
        for (node, read) in &self.reads {
            hasher.update(&node.to_le_bytes());
            for token in &read.tokens {
                hasher.update(&token.to_le_bytes());
            }
        }
        hasher.finalize().to_hex()[..32].to_owned()
    }
}

/// Builds a [`Row`].
#[derive(Debug)]
pub struct RowBuilder {
    trunk: Tree,
    /// Parent and token of each further node.
    branches: Vec<(Option<usize>, u32)>,
    /// Last node of the trunk.
    end: Option<usize>,
    /// `(parent, token) -> node`, for branches: options that begin alike share nodes.
    children: BTreeMap<(Option<usize>, u32), usize>,
    /// Node -> tokens to read there.
    reads: BTreeMap<usize, Vec<u32>>,
    for_decoding: bool,
}

/// A continuation of the prompt whose log-probability a row reads: `(node, token)` per token, the
/// token being predicted at that node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continuation {
    steps: Vec<(usize, u32)>,
}

impl RowBuilder {
    /// Adds a branch after the prompt and asks for the log-probability of each of its tokens. The
    /// last token needs no node: nothing is predicted from it.
    pub fn read_continuation(&mut self, tokens: &[u32]) -> Continuation {
        self.ask_from(self.end, tokens)
    }

    /// The same after a prompt of its own: a second root, for a continuation that cannot share the
    /// trunk because its prompt is cut elsewhere.
    pub fn read_sequence(&mut self, prompt: &[u32], tokens: &[u32]) -> Continuation {
        let mut end = None;
        for &token in prompt {
            end = Some(self.child(end, token));
        }
        self.ask_from(end, tokens)
    }

    fn ask_from(&mut self, end: Option<usize>, tokens: &[u32]) -> Continuation {
        let mut steps = Vec::with_capacity(tokens.len());
        let Some(mut node) = end else {
            return Continuation { steps };
        };
        for (index, &token) in tokens.iter().enumerate() {
            self.read_at(node, Some(token));
            steps.push((node, token));
            if index + 1 < tokens.len() {
                node = self.child(Some(node), token);
            }
        }
        Continuation { steps }
    }

    /// Also reads what follows the prompt, and keeps keys and values so that decoding can go on there.
    pub fn keep_decodable(&mut self) {
        if let Some(end) = self.end {
            self.read_at(end, None);
        }
        self.for_decoding = true;
    }

    fn child(&mut self, parent: Option<usize>, token: u32) -> usize {
        if let Some(&node) = self.children.get(&(parent, token)) {
            return node;
        }
        let node = self.trunk.len() + self.branches.len();
        self.branches.push((parent, token));
        self.children.insert((parent, token), node);
        node
    }

    fn read_at(&mut self, node: usize, token: Option<u32>) {
        let tokens = self.reads.entry(node).or_default();
        if let Some(token) = token
            && !tokens.contains(&token)
        {
            tokens.push(token);
        }
    }

    /// Finishes the row.
    pub fn build(self) -> Row {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Row {
            home: 0,
            id: RowId(NEXT.fetch_add(1, Ordering::Relaxed)),
            tree: Arc::new(self.trunk.grown(&self.branches)),
            trunk: self.trunk.len(),
            reads: self
                .reads
                .into_iter()
                .map(|(node, tokens)| (node, ReadAt { tokens }))
                .collect(),
            for_decoding: self.for_decoding,
        }
    }
}

impl Continuation {
    /// Log-probability (nats) of each token, from the readings of `row` under some chain.
    pub fn log_probs<'a>(
        &'a self,
        row: &'a Row,
        readings: &'a [Reading],
    ) -> impl Iterator<Item = f64> + 'a {
        self.readings(row, readings).map(|(log_prob, _)| log_prob)
    }

    /// Log-probability of the whole continuation, nats.
    pub fn log_prob(&self, row: &Row, readings: &[Reading]) -> f64 {
        self.log_probs(row, readings).sum()
    }

    /// The least margin, over its tokens, of the token's log-probability over that of the most
    /// likely other token: above 0 exactly when greedy decoding produces the continuation.
    pub fn greedy_margin(&self, row: &Row, readings: &[Reading]) -> f64 {
        let margin =
            |(log_prob, reading): (f64, &Reading)| match log_prob >= reading.argmax_log_prob {
                true => log_prob - reading.second_log_prob,
                false => log_prob - reading.argmax_log_prob,
            };
        self.readings(row, readings)
            .map(margin)
            .fold(f64::INFINITY, nan_min)
    }

    /// Whether the most likely next token is always the continuation's.
    pub fn is_greedy(&self, row: &Row, readings: &[Reading]) -> bool {
        self.steps
            .iter()
            .zip(self.readings(row, readings))
            .all(|((_, token), (_, reading))| reading.argmax == *token)
    }

    fn readings<'a>(
        &'a self,
        row: &'a Row,
        readings: &'a [Reading],
    ) -> impl Iterator<Item = (f64, &'a Reading)> {
        self.steps.iter().filter_map(|&(node, token)| {
            let at = row
                .reads
                .binary_search_by_key(&node, |&(node, _)| node)
                .ok()?;
            let place = row.reads[at].1.tokens.iter().position(|&t| t == token)?;
            Some((readings[at].log_probs[place], &readings[at]))
        })
    }
}

/// Minimum that keeps a NaN: a margin of a non-finite state is not finite.
fn nan_min(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.min(b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_see_the_trunk_and_themselves_only() {
        let mut builder = Row::builder(&[1, 2]);
        builder.read_continuation(&[5, 6, 9]);
        builder.read_continuation(&[7, 8, 9]);
        let row = builder.build();
        assert_eq!(row.tokens(), [1, 2, 5, 6, 7, 8]);
        assert_eq!(row.positions(), [0, 1, 2, 3, 2, 3]);
        let sees =
            |i: usize| -> Vec<usize> { (0..6).filter(|j| row.visible()[i * 6 + j]).collect() };
        assert_eq!(sees(3), [0, 1, 2, 3]);
        assert_eq!(sees(5), [0, 1, 4, 5]);
    }

    #[test]
    fn continuations_that_begin_alike_share_nodes() {
        let mut builder = Row::builder(&[1]);
        builder.read_continuation(&[5, 6, 7]);
        builder.read_continuation(&[5, 6, 8]);
        builder.read_continuation(&[5]);
        let row = builder.build();
        assert_eq!(row.tokens(), [1, 5, 6]);
        let reads: Vec<_> = row
            .reads()
            .iter()
            .map(|(n, a)| (*n, a.tokens.clone()))
            .collect();
        assert_eq!(reads, [(0, vec![5]), (1, vec![6]), (2, vec![7, 8])]);
    }

    #[test]
    fn equal_trees_have_equal_hashes_and_different_ones_do_not() {
        let build = |option: &[u32]| {
            let mut builder = Row::builder(&[1, 2]);
            builder.read_continuation(option);
            builder.build().content_hash()
        };
        assert_eq!(build(&[3, 4]), build(&[3, 4]));
        assert_ne!(build(&[3, 4]), build(&[4, 3]));
        assert_ne!(build(&[3]), build(&[4]));
    }
}
