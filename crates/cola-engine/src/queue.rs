//! The queue of the step scheduler: which job waits for which step. It only keeps books, under one
//! lock, and computes nothing.
//!
//! A job is in exactly one place: in a group (its next step is pending), among the waiters of a
//! step another job is running, or with the worker that runs it.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ops::Bound,
    sync::Arc,
};

use super::{
    EngineError, Row, RowId, StateTable,
    draft::{Acceptance, Written},
    job::{Job, NodeBytes, Work},
    state::State,
    table::Key,
    tree::Tree,
};
use cola_search::chain::{Chain, Step};

/// Pending steps, grouped by the layer they need, and the jobs that wait for the result of a step.
#[derive(Debug, Default)]
pub struct Queue {
    groups: BTreeMap<Work, Group>,
    /// For each step that is pending or running: the jobs that wait for its result.
    in_flight: HashMap<Key, Vec<Job>>,
    rows: HashMap<RowId, Registered>,
    /// What became of the drafts of all rows.
    acceptance: Acceptance,
    /// Jobs that have not begun because the state budget has no room for them. Oldest first.
    waiting: VecDeque<Job>,
    /// Tokens of pending steps. `running`: tokens of the batches that workers are running.
    pending: usize,
    running: usize,
    /// Set when the engine stops; workers then exit.
    pub stopped: bool,
}

/// Steps that need the same layer.
#[derive(Debug, Default)]
struct Group {
    jobs: VecDeque<Job>,
    tokens: usize,
}

/// A registered row, and the trie of the prefixes of all chains that were requested for it.
#[derive(Debug)]
struct Registered {
    row: Arc<Row>,
    /// The embedded row: the state of the empty prefix.
    root: Arc<State>,
    /// The tree that `root` embeds.
    tree: Arc<Tree>,
    /// The tree with all drafts. It is larger than `tree` while it is being embedded.
    latest: Arc<Tree>,
    written: Written,
    children: HashMap<(u32, Step), u32>,
}

/// The data with which a job begins.
pub struct Beginning {
    /// The embedded row.
    pub root: Arc<State>,
    /// The tree that `root` embeds.
    pub tree: Arc<Tree>,
    /// For each prefix of the chain, shortest first, its node in the row's prefix trie.
    pub path: Vec<u32>,
}

/// Bytes of states that jobs may hold however small the budget is, so that there is always work to
/// run.
const WORK_IN_FLIGHT: usize = 256 << 20;

/// Limits of one batch.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimit {
    /// Most tokens in one batch; a single step with more of them runs by itself.
    pub tokens: usize,
    /// Workers that share the pending steps.
    pub workers: usize,
}

/// A batch of steps.
#[derive(Debug)]
pub struct Taken {
    /// The operation that all steps of the batch need.
    pub work: Work,
    /// The jobs whose next step is in the batch.
    pub jobs: Vec<Job>,
    /// Number of tokens in the batch, to be passed to [`Queue::ran`].
    pub tokens: usize,
}

impl Queue {
    /// Registers a row; `root` is its embedded state.
    pub fn register(&mut self, row: Arc<Row>, root: Arc<State>) {
        let registered = Registered {
            row: Arc::clone(&row),
            root,
            tree: Arc::clone(row.tree()),
            latest: Arc::clone(row.tree()),
            written: Written::default(),
            children: HashMap::new(),
        };
        self.rows.insert(row.id(), registered);
    }

    /// Unregisters a row; returns the number of trie nodes it had.
    pub fn release(&mut self, row: RowId) -> u32 {
        self.rows
            .remove(&row)
            .map_or(0, |registered| registered.children.len() as u32 + 1)
    }

    /// Adds the chain to the row's prefix trie, and returns the data with which a job begins.
    /// `None` for a row that is not registered.
    pub fn begin(&mut self, row: RowId, chain: &Chain) -> Option<Beginning> {
        let registered = self.rows.get_mut(&row)?;
        debug_assert_eq!(registered.row.id(), row);
        let mut node = 0;
        let path = chain
            .steps()
            .map(|step| {
                let fresh = registered.children.len() as u32 + 1;
                node = *registered.children.entry((node, step)).or_insert(fresh);
                node
            })
            .collect();
        Some(Beginning {
            root: Arc::clone(&registered.root),
            tree: Arc::clone(&registered.tree),
            path,
        })
    }

    /// Counts a continuation of a row as a possible draft. If the row's tree grows by it, returns
    /// the new tree, which the caller embeds and then passes to [`adopt`](Self::adopt).
    pub fn learn(&mut self, row: RowId, continuation: &[u32], limit: i64) -> Option<Arc<Tree>> {
        let registered = self.rows.get_mut(&row)?;
        let end = registered.row.trunk().checked_sub(1)?;
        let Registered {
            latest, written, ..
        } = registered;
        // Later trees of a row only append nodes to earlier ones.
        let acceptance = &mut self.acceptance;
        *latest = Arc::new(written.add(continuation, latest, end, limit, acceptance)?);
        Some(Arc::clone(latest))
    }

    /// Makes later chains of this row run on `tree`, whose embedding is `root`.
    pub fn adopt(&mut self, row: RowId, tree: Arc<Tree>, root: Arc<State>) {
        let registered = self.rows.get_mut(&row);
        if let Some(registered) = registered.filter(|r| r.tree.len() < tree.len()) {
            registered.tree = tree;
            registered.root = root;
        }
    }

    /// Lets a new job wait until there is memory for it.
    pub fn wait(&mut self, job: Job) {
        self.waiting.push_back(job);
    }

    /// Takes the oldest waiting job, if the state budget has room for it now.
    pub fn admit(&mut self, table: &StateTable, node: NodeBytes) -> Option<Job> {
        let need = self.waiting.front()?.need(node);
        let promise = table.promise(need, WORK_IN_FLIGHT)?;
        let mut job = self.waiting.pop_front()?;
        job.promise = Some(promise);
        Some(job)
    }

    /// Moves a job along its chain as far as the table has states for it, then lets it wait for a
    /// step in flight or makes its next step pending. Returns whether a new step became pending.
    pub fn advance(&mut self, mut job: Job, table: &StateTable) -> bool {
        take_from_table(&mut job, table);
        if let Some(key) = job.next_key() {
            if let Some(waiters) = self.in_flight.get_mut(&key) {
                waiters.push(job);
                return false;
            }
            self.in_flight.insert(key, Vec::new());
        }
        let tokens = job.tokens();
        let group = self.groups.entry(job.work()).or_default();
        group.tokens += tokens;
        group.jobs.push_back(job);
        self.pending += tokens;
        true
    }

    /// Takes the next batch for a worker whose last batch was `after`: steps of the next layer that
    /// has any pending. The head follows the last layer, and the first layer follows the head.
    ///
    /// So a worker sweeps over the layers in the order in which most chains use them, and steps
    /// gather at a layer until the worker reaches it. A chain that skips layers waits at a later
    /// layer of the same sweep, a chain that goes back joins the next sweep, and no step waits
    /// longer than one sweep. A worker takes at most its share of all tokens, so that several
    /// workers sweep with batches of similar size.
    pub fn next_batch(&mut self, limit: BatchLimit, after: Option<Work>) -> Option<Taken> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut onwards = self.groups.range((from, Bound::Unbounded));
        let (&work, _) = onwards.next().or_else(|| self.groups.iter().next())?;
        let group = self.groups.get_mut(&work)?;
        let share = (self.pending + self.running).div_ceil(limit.workers.max(1));
        let most = limit.tokens.min(share);
        let mut jobs: Vec<Job> = Vec::new();
        let mut tokens = 0;
        while let Some(next) = group.jobs.front() {
            let adds = next.tokens();
            let isolated =
                next.request.isolated || jobs.last().is_some_and(|job| job.request.isolated);
            if !jobs.is_empty() && (isolated || tokens + adds > most) {
                break;
            }
            tokens += adds;
            // `front` found this job above.
            jobs.extend(group.jobs.pop_front());
        }
        group.tokens -= tokens;
        if group.jobs.is_empty() {
            self.groups.remove(&work);
        }
        self.pending -= tokens;
        self.running += tokens;
        Some(Taken { work, jobs, tokens })
    }

    /// Records that a batch of `tokens` tokens has run.
    pub fn ran(&mut self, tokens: usize) {
        self.running -= tokens;
    }

    /// Ends the step with result `key`, and returns the jobs that waited for it. They take over the
    /// state, or run the step themselves if it failed (`state` is `None`).
    pub fn settle(&mut self, key: Key, state: Option<&Arc<State>>) -> Vec<Job> {
        let mut waiters = self.in_flight.remove(&key).unwrap_or_default();
        if let Some(state) = state {
            for job in &mut waiters {
                take_over(job, state);
            }
        }
        waiters
    }

    /// Fails every job that is not with a worker.
    pub fn stop(&mut self) {
        self.stopped = true;
        let pending = std::mem::take(&mut self.groups).into_values();
        let pending = pending.flat_map(|group| group.jobs);
        let waiting = std::mem::take(&mut self.in_flight).into_values().flatten();
        let not_begun = std::mem::take(&mut self.waiting);
        for job in pending.chain(waiting).chain(not_begun) {
            job.fail(EngineError::Stopped);
        }
    }
}

/// Gives a job the state after the next layer of its row. If that state is of a smaller tree, it
/// becomes the walk's [`base`](crate::job::Walk::base) and the job runs the missing nodes. Returns
/// whether the job has passed the layer.
fn take_over(job: &mut Job, state: &Arc<State>) -> bool {
    let nodes = job.tree.len();
    let Some(walk) = job.shared_walk() else {
        return false;
    };
    if state.nodes() < nodes {
        walk.since_shared = 0;
        walk.base = Some(Arc::clone(state));
        return false;
    }
    let done = walk.done + 1;
    job.arrive(done, Arc::clone(state), 0);
    true
}

/// Moves a job on along its chain by states in the table. A job that needs the keys and values of
/// every prefix takes one state after the other, up to the first that is missing; any other job
/// takes only the state of the longest prefix that the table has.
fn take_from_table(job: &mut Job, table: &StateTable) {
    if job.keeps {
        while let Some(state) = job.next_key().and_then(|key| table.get(key)) {
            if !take_over(job, &state) {
                return;
            }
        }
        return;
    }
    let Some(done) = job.shared_walk().map(|walk| walk.done) else {
        return;
    };
    let row = job.request.row.id();
    for at in (done..job.path.len()).rev() {
        if let Some(state) = table.get((row, job.path[at])) {
            job.arrive(at + 1, state, 0);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures::{Jobs, chain, plan, state_over},
        job::{Stage, Walk},
    };

    const LIMIT: BatchLimit = BatchLimit {
        tokens: 10,
        workers: 1,
    };

    fn next(queue: &mut Queue, after: Option<Work>) -> Option<(Work, Vec<Job>)> {
        let taken = queue.next_batch(LIMIT, after)?;
        Some((taken.work, taken.jobs))
    }

    fn tags(jobs: &[Job]) -> Vec<u64> {
        jobs.iter().map(|job| job.request.tag).collect()
    }

    fn walk(job: &Job) -> &Walk {
        match &job.stage {
            Stage::Row(walk) => walk,
            Stage::Token(_) => panic!("it decodes"),
        }
    }

    fn setup() -> (Queue, StateTable, Jobs) {
        (Queue::default(), StateTable::new(usize::MAX), Jobs::new())
    }

    #[test]
    fn two_chains_that_want_the_same_step_wait_for_one_result() {
        let (mut queue, table, jobs) = setup();
        let row = jobs.row(&mut queue, 3);
        for (tag, text) in (0..).zip(["0-3", "0-3", "0,2", "1"]) {
            let job = jobs.job(&mut queue, &row, &chain(text), tag);
            let pending = queue.advance(job, &table);
            assert_eq!(pending, tag == 0 || tag == 3, "{text}");
        }
        let (work, other) = next(&mut queue, Some(Work::Layer(0))).unwrap();
        assert_eq!((work, tags(&other)), (Work::Layer(1), vec![3]));
        let (work, batch) = next(&mut queue, Some(work)).unwrap();
        assert_eq!((work, tags(&batch)), (Work::Layer(0), vec![0]));
        assert!(next(&mut queue, None).is_none(), "the others wait");
        let key = batch[0].next_key().unwrap();
        let result = state_over(&jobs.meter, 3, 2);
        let waiters = queue.settle(key, Some(&result));
        assert_eq!(tags(&waiters), [1, 2]);
        for job in waiters {
            let walk = walk(&job);
            assert_eq!(walk.done, 1);
            assert!(Arc::ptr_eq(&walk.state, &result));
        }
    }

    #[test]
    fn who_waited_for_a_state_of_a_smaller_tree_runs_what_it_lacks() {
        let (mut queue, table, jobs) = setup();
        let row = jobs.row(&mut queue, 3);
        for tag in 0..2 {
            let job = jobs.job(&mut queue, &row, &chain("0"), tag);
            queue.advance(job, &table);
        }
        let (_, batch) = next(&mut queue, None).unwrap();
        let small = state_over(&jobs.meter, 2, 2);
        let waiters = queue.settle(batch[0].next_key().unwrap(), Some(&small));
        for job in waiters {
            assert_eq!(
                (walk(&job).done, walk(&job).covered(), job.tokens()),
                (0, 2, 1)
            );
            assert!(queue.advance(job, &table), "a step of its own");
        }
    }

    #[test]
    fn those_who_waited_for_a_step_that_failed_try_themselves() {
        let (mut queue, table, jobs) = setup();
        let row = jobs.row(&mut queue, 3);
        for tag in 0..3 {
            let job = jobs.job(&mut queue, &row, &chain("0-3"), tag);
            queue.advance(job, &table);
        }
        let (_, failed) = next(&mut queue, None).unwrap();
        let waiters = queue.settle(failed[0].next_key().unwrap(), None);
        let pending: Vec<bool> = waiters
            .into_iter()
            .map(|job| queue.advance(job, &table))
            .collect();
        assert_eq!(pending, [true, false]);
        let (work, batch) = next(&mut queue, None).unwrap();
        assert_eq!((work, tags(&batch)), (Work::Layer(0), vec![1]));
    }

    #[test]
    fn a_worker_sweeps_over_the_layers_and_takes_what_has_gathered_up_to_the_limit() {
        let (mut queue, table, jobs) = setup();
        for (tag, (tokens, text)) in (0..).zip([(3, "0"), (4, "2"), (5, "2"), (4, "2"), (8, "0")]) {
            let row = jobs.row(&mut queue, tokens);
            let job = jobs.job(&mut queue, &row, &chain(text), tag);
            queue.advance(job, &table);
        }
        let row = jobs.row(&mut queue, 1);
        let job = jobs.job(&mut queue, &row, &chain("empty"), 5);
        queue.advance(job, &table);
        let (mut batches, mut last) = (Vec::new(), Some(Work::Layer(0)));
        while let Some((work, batch)) = next(&mut queue, last) {
            batches.push(tags(&batch));
            last = Some(work);
        }
        assert_eq!(batches, [vec![1, 2], vec![5], vec![0], vec![3], vec![4]]);
    }

    #[test]
    fn each_of_several_workers_takes_its_share() {
        let (mut queue, table, jobs) = setup();
        for tag in 0..9 {
            let row = jobs.row(&mut queue, 1);
            let job = jobs.job(&mut queue, &row, &chain("0"), tag);
            queue.advance(job, &table);
        }
        let two = BatchLimit {
            workers: 2,
            ..LIMIT
        };
        let first = queue.next_batch(two, None).unwrap();
        assert_eq!(tags(&first.jobs), [0, 1, 2, 3, 4]);
        let second = queue.next_batch(two, None).unwrap();
        assert_eq!(tags(&second.jobs), [5, 6, 7, 8]);
        queue.ran(first.tokens);
        queue.ran(second.tokens);
        assert_eq!((queue.pending, queue.running), (0, 0));
    }

    #[test]
    fn jobs_wait_for_memory_in_the_order_they_came() {
        let (mut queue, _, jobs) = setup();
        let table = StateTable::new(0);
        let row = jobs.row(&mut queue, 3);
        for tag in 0..3 {
            let job = jobs.job(&mut queue, &row, &chain("0"), tag);
            queue.wait(job);
        }
        // A job needs two states of three nodes each: half of `WORK_IN_FLIGHT`.
        let node = NodeBytes {
            residual: WORK_IN_FLIGHT / 12,
            key_value: 0,
        };
        let mut begun: Vec<Job> = Vec::new();
        for admitted in [1, 2, 2] {
            begun.extend(queue.admit(&table, node));
            assert_eq!(begun.len(), admitted);
        }
        begun.remove(0);
        begun.extend(queue.admit(&table, node));
        assert_eq!(tags(&begun), [1, 2]);
    }

    #[test]
    fn a_row_longer_than_the_limit_still_runs() {
        let (mut queue, table, jobs) = setup();
        let row = jobs.row(&mut queue, 50);
        let job = jobs.job(&mut queue, &row, &chain("0"), 7);
        queue.advance(job, &table);
        assert_eq!(tags(&next(&mut queue, None).unwrap().1), [7]);
    }

    #[test]
    fn a_rare_layer_is_not_starved_by_busy_ones() {
        let (mut queue, table, jobs) = setup();
        let rare = jobs.row(&mut queue, 1);
        let job = jobs.job(&mut queue, &rare, &chain("3"), 1000);
        queue.advance(job, &table);
        let mut last = None;
        for batch in 0.. {
            // The busy groups never empty.
            for layer in ["0", "1", "2", "4"] {
                let row = jobs.row(&mut queue, 9);
                let job = jobs.job(&mut queue, &row, &chain(layer), 0);
                queue.advance(job, &table);
            }
            last = next(&mut queue, last).map(|(work, _)| work);
            if last == Some(Work::Layer(3)) {
                break;
            }
            assert!(batch < 5, "the rare layer never ran");
        }
    }

    #[test]
    fn a_job_alone_shares_neither_batch_nor_states() {
        let (mut queue, table, jobs) = setup();
        let row = jobs.row(&mut queue, 1);
        for tag in 0..4 {
            let mut job = jobs.job(&mut queue, &row, &chain("0,1"), tag);
            job.request.isolated = tag != 0;
            let held = state_over(&jobs.meter, row.tokens().len(), 1);
            table.insert((row.id(), job.path[1]), &held, 1);
            assert!(queue.advance(job, &table));
        }
        // The first took its state from the table and only needs the head.
        let mut batches = Vec::new();
        while let Some((work, batch)) = next(&mut queue, None) {
            batches.push((work, tags(&batch)));
        }
        batches.sort();
        let isolated = |tag| (Work::Layer(0), vec![tag]);
        assert_eq!(
            batches,
            [isolated(1), isolated(2), isolated(3), (Work::Head, vec![0])]
        );
    }

    #[test]
    fn scoring_takes_the_longest_prefix_and_decoding_every_one_up_to_the_first_gap() {
        let (mut queue, table, jobs) = setup();
        let row = jobs.row(&mut queue, 1);
        let long = chain("0,1,2,3,4");
        let path = queue.begin(row.id(), &long).unwrap().path;
        for prefix in [1, 2, 4] {
            let held = state_over(&jobs.meter, row.tokens().len(), 1);
            table.insert((row.id(), path[prefix - 1]), &held, 1);
        }
        for (decode, done) in [(None, 4), (Some(plan(1)), 2)] {
            let mut job = jobs.job(&mut queue, &row, &long, 0);
            job.keeps = decode.is_some();
            job.request.decode = decode;
            take_from_table(&mut job, &table);
            assert_eq!(walk(&job).done, done);
            let kept = if job.request.decode.is_some() {
                done
            } else {
                0
            };
            assert_eq!(job.kept.len(), kept);
        }
    }

    #[test]
    fn chains_that_begin_alike_share_the_nodes_of_their_prefixes() {
        let (mut queue, _, jobs) = setup();
        let rows = [1, 1].map(|tokens| jobs.row(&mut queue, tokens));
        let mut path =
            |row: usize, text: &str| queue.begin(rows[row].id(), &chain(text)).unwrap().path;
        let (a, b, c) = (path(0, "0,1,2"), path(0, "0,1,1"), path(0, "1,0"));
        assert_eq!(a[..2], b[..2]);
        assert_ne!(a[2], b[2]);
        assert_ne!(a[0], c[0]);
        assert_eq!(path(1, "0,1,2"), a, "numbered by row");
        assert_eq!(queue.release(rows[0].id()), 7, "six prefixes and the root");
        assert!(queue.begin(rows[0].id(), &chain("0")).is_none());
        assert_eq!(queue.release(rows[0].id()), 0);
    }

    #[test]
    fn stopping_fails_what_is_pending_and_what_waits() {
        let (mut queue, table, jobs) = setup();
        let row = jobs.row(&mut queue, 3);
        for (tag, text) in (0..).zip(["0-3", "0-3", "1", "empty"]) {
            let job = jobs.job(&mut queue, &row, &chain(text), tag);
            queue.advance(job, &table);
        }
        queue.stop();
        assert!(queue.stopped && next(&mut queue, None).is_none());
        let mut ended: Vec<u64> = jobs
            .done
            .try_iter()
            .map(|completion| {
                assert!(matches!(completion.result, Err(EngineError::Stopped)));
                completion.tag
            })
            .collect();
        ended.sort_unstable();
        assert_eq!(ended, [0, 1, 2, 3]);
    }
}
