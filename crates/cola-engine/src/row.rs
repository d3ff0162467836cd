//! Rows: the prompt and continuations of a sample as a token tree, with the predictions to read
//! from it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::tree::Tree;
use cola_model::{Ancestors, ReadAt, Reading};

/// Identifies a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowId(u64);

/// A token tree, and the predictions to read from it. Attention sees a node's ancestors and itself;
/// a node's position is its depth.
#[derive(Debug)]
pub struct Row {
    id: RowId,
    /// Index of the engine's device that holds its states.
    pub(super) home: usize,
    tree: Arc<Tree>,
    trunk: usize,
    /// Nodes to read, ascending, with the tokens whose log-probabilities are read at each.
    reads: Vec<(usize, ReadAt)>,
    /// Nodes of the prompts at which [`Outcome::prompt_loss`](super::Outcome::prompt_loss) is read,
    /// each with the token that follows it in the prompt.
    loss_reads: Vec<(usize, ReadAt)>,
    /// Nodes of the prompts, if [`Outcome::influence`](super::Outcome::influence) is measured there.
    pub(super) influence_nodes: Vec<i64>,
    for_decoding: bool,
}

/// Most positions at which the loss of a row's prompts is read; a row with more prompts than this
/// reads one position of each.
pub const LOSS_POSITIONS: usize = 32;

impl Row {
    /// Starts a row with its prompt.
    pub fn builder(trunk: &[u32]) -> RowBuilder {
        RowBuilder {
            trunk: Tree::new(trunk),
            branches: Vec::new(),
            end: trunk.len().checked_sub(1),
            children: BTreeMap::new(),
            reads: BTreeMap::new(),
            prompts: Vec::from_iter((!trunk.is_empty()).then(|| (0..trunk.len()).collect())),
            reads_loss: false,
            measures_influence: false,
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

    /// What each node attends to.
    pub fn ancestors(&self) -> &Ancestors {
        self.tree.ancestors()
    }

    /// The tree itself.
    pub(super) fn tree(&self) -> &Arc<Tree> {
        &self.tree
    }

    /// Number of nodes of the prompt; they come first.
    pub fn trunk(&self) -> usize {
        self.trunk
    }

    /// Nodes that are run through norm and head, ascending, with the tokens to read at each.
    pub fn reads(&self) -> &[(usize, ReadAt)] {
        &self.reads
    }

    /// Nodes of the prompts that are run through norm and head only for
    /// [`Outcome::prompt_loss`](super::Outcome::prompt_loss): at most [`LOSS_POSITIONS`], or one of
    /// each prompt.
    pub fn loss_reads(&self) -> &[(usize, ReadAt)] {
        &self.loss_reads
    }

    /// Whether states of this row keep keys and values, so that decoding can continue from them.
    pub fn for_decoding(&self) -> bool {
        self.for_decoding
    }

    /// Hash of the tree and its reads, 32 hex digits: equal for equal trees with equal reads.
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
    /// Nodes of each prompt, first to last.
    prompts: Vec<Vec<usize>>,
    reads_loss: bool,
    measures_influence: bool,
    for_decoding: bool,
}

/// A continuation of the prompt whose log-probability a row reads. Each step is a `(node, token)`:
/// the token, and the node at which it is predicted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continuation {
    steps: Vec<(usize, u32)>,
}

impl RowBuilder {
    /// Adds a branch after the prompt and reads the log-probability of each of its tokens. The last
    /// token needs no node, because nothing is predicted from it.
    pub fn read_continuation(&mut self, tokens: &[u32]) -> Continuation {
        self.ask_from(self.end, tokens)
    }

    /// Like [`read_continuation`](Self::read_continuation), but after a prompt of its own, which
    /// becomes a second root. This is for a continuation whose prompt has other tokens than the
    /// trunk.
    pub fn read_sequence(&mut self, prompt: &[u32], tokens: &[u32]) -> Continuation {
        let mut nodes = Vec::with_capacity(prompt.len());
        for &token in prompt {
            nodes.push(self.child(nodes.last().copied(), token));
        }
        let end = nodes.last().copied();
        self.prompts.push(nodes);
        self.ask_from(end, tokens)
    }

    /// Also reads the loss on the prompt's own tokens, see
    /// [`Outcome::prompt_loss`](super::Outcome::prompt_loss).
    pub fn read_prompt_loss(&mut self) {
        self.reads_loss = true;
    }

    /// Also measures how much each layer changes the prompts, see
    /// [`Outcome::influence`](super::Outcome::influence).
    pub fn measure_influence(&mut self) {
        self.measures_influence = true;
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

    /// Also reads the prediction after the prompt, and keeps keys and values so that decoding can
    /// continue from there.
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
        let tree = self.trunk.grown(&self.branches);
        let loss_reads = match self.reads_loss {
            true => loss_reads(&self.prompts, tree.tokens()),
            false => Vec::new(),
        };
        let prompt_nodes: BTreeSet<usize> = self.prompts.iter().flatten().copied().collect();
        Row {
            home: 0,
            id: RowId(NEXT.fetch_add(1, Ordering::Relaxed)),
            tree: Arc::new(tree),
            loss_reads,
            influence_nodes: match self.measures_influence {
                true => prompt_nodes.into_iter().map(|node| node as i64).collect(),
                false => Vec::new(),
            },
            trunk: self.trunk.len(),
            reads: self
                .reads
                .into_iter()
                .map(|(node, tokens)| (node, read_at(tokens)))
                .collect(),
            for_decoding: self.for_decoding,
        }
    }
}

/// The nodes at which the loss of prompts is read. `prompts` has the nodes of each prompt, `tokens`
/// the token of every node. Prompts share [`LOSS_POSITIONS`] evenly, with at least one position
/// each; a node that several prompts share is read once.
fn loss_reads(prompts: &[Vec<usize>], tokens: &[u32]) -> Vec<(usize, ReadAt)> {
    let most = (LOSS_POSITIONS / prompts.len().max(1)).max(1);
    let mut chosen = BTreeSet::new();
    for nodes in prompts {
        for at in loss_positions(nodes.len().saturating_sub(1), most) {
            chosen.insert((nodes[at], tokens[nodes[at + 1]]));
        }
    }
    let read = |(node, token)| (node, read_at(vec![token]));
    chosen.into_iter().map(read).collect()
}

fn read_at(tokens: Vec<u32>) -> ReadAt {
    ReadAt { tokens, draw: None }
}

/// Chooses at most `most` of `count` positions: half of them are the last positions, the others are
/// evenly spaced before these.
fn loss_positions(count: usize, most: usize) -> Vec<usize> {
    if count <= most {
        return (0..count).collect();
    }
    let last = most.div_ceil(2);
    let (before, spaced) = (count - last, most - last);
    let spaced = (0..spaced).map(|nth| nth * before / spaced);
    spaced.chain(before..count).collect()
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
        let sees = |i: usize| -> Vec<usize> { row.ancestors().of(i).collect() };
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

    fn loss_of(row: &Row) -> Vec<(usize, u32)> {
        let reads = row.loss_reads().iter();
        reads.map(|(node, read)| (*node, read.tokens[0])).collect()
    }

    #[test]
    fn the_loss_of_a_short_prompt_is_read_at_every_token_but_the_first() {
        let mut builder = Row::builder(&[1, 2, 3]);
        builder.read_continuation(&[4, 5]);
        assert_eq!(loss_of(&builder.build()), []);
        let mut builder = Row::builder(&[1, 2, 3]);
        builder.read_prompt_loss();
        builder.read_continuation(&[4, 5]);
        assert_eq!(loss_of(&builder.build()), [(0, 2), (1, 3)]);
        let mut single = Row::builder(&[1]);
        single.read_prompt_loss();
        assert_eq!(loss_of(&single.build()), []);
    }

    #[test]
    fn of_a_long_prompt_the_last_positions_and_evenly_spaced_ones_are_read() {
        assert_eq!(loss_positions(5, 8), [0, 1, 2, 3, 4]);
        assert_eq!(loss_positions(20, 8), [0, 4, 8, 12, 16, 17, 18, 19]);
        assert_eq!(loss_positions(9, 1), [8]);
        for count in 0..200 {
            let positions = loss_positions(count, LOSS_POSITIONS);
            assert_eq!(positions.len(), count.min(LOSS_POSITIONS));
            assert!(positions.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(positions.iter().all(|&at| at < count));
        }
    }

    #[test]
    fn prompts_that_begin_alike_share_what_they_share() {
        let mut builder = Row::builder(&[]);
        builder.read_prompt_loss();
        builder.read_sequence(&[1, 2, 3], &[9]);
        builder.read_sequence(&[1, 2, 4], &[9]);
        // Nodes 0 and 1 are shared; from node 1 both 3 and 4 follow.
        assert_eq!(loss_of(&builder.build()), [(0, 2), (1, 3), (1, 4)]);
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
