//! One sample's way from its first evaluation to its record.
//!
//! ```text
//! unmodified model ──▶ search ──▶ confirm ──────────────▶ record
//!                 ├──▶ random chains ─────────────────────▲
//!                 ├──▶ search for the matched wrong answer ─▲
//!                 ├──▶ search for the drawn wrong answer ───▲
//!                 └──▶ draws ───────────────────────────────▲
//! ```
//!
//! Each line is a [lane](super::lane). What a lane asks for depends only on what it was told, so that the record does not
//! depend on which lane is faster. A chain that two lanes ask for is run once.

use std::{collections::HashMap, sync::Arc, time::Instant};

use crossbeam_channel::Sender;

use super::{
    ControlOutcome, Controls, RandomOutcome, SampleCost, SampleRecord, Sampled,
    assessed::{Assessed, Unmodified, WrongTargets},
    evaluation_log::Logged,
    findings::{Findings, keep_shortest},
    fluency::{Fluency, prompt_loss},
    in_flight::{Arrival, Settled},
    influence::{is_order_near_tie, mean_influence},
    lane::{Lane, Wanted},
    pareto::pareto,
    phase::{Phase, WrongSearch},
    sampling::Draws,
    searches::Searches,
};
use crate::problem::{Judge, Target};
use cola_engine::{Backend, Completion, DecodePlan, EngineError, Outcome, Row};
use cola_search::{Strategy, StrategyFactory, chain::Chain};

/// Whose record a course writes.
#[derive(Debug, Clone)]
pub struct Label {
    /// Name of the task.
    pub task: String,
    /// Name of the sample.
    pub id: String,
    /// Its place in the dataset.
    pub index: usize,
    /// The right answer.
    pub gold: String,
    /// Seed of its search.
    pub seed: u64,
}

/// What a course needs next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// To [submit](Course::submit) its evaluations, and [receive](Course::receive) what comes of them.
    Submit,
    /// Nothing: take the record.
    Record,
}

/// What came of a completion.
#[derive(Debug)]
pub enum Received {
    /// Other rows of the evaluation are missing.
    Waiting,
    /// The evaluation was a near-tie, and is to be submitted again.
    Again,
    /// An evaluation is known: it belongs into the log.
    Known(Box<Logged>),
    /// Nothing: the evaluation failed, and the record says why, or it is not needed any more.
    Nothing,
}

/// A sample in flight. One evaluation of each lane is outstanding at a time, of all the sample's rows.
pub struct Course<J> {
    label: Label,
    judge: J,
    rows: Vec<Arc<Row>>,
    decode: Option<DecodePlan>,
    layers: usize,
    searches: Searches,
    with_controls: bool,
    /// The first is the search's own; the others begin when the unmodified model has run.
    lanes: Vec<Lane>,
    fluency: Fluency,
    /// Influence of each layer in the unmodified model, if the rows measure it.
    influence: Option<Vec<f64>>,
    /// Every chain run so far: the controls ask for many of the same chains.
    known: HashMap<Chain, Assessed>,
    targets: WrongTargets,
    findings: Findings,
    /// Evaluations taken in.
    evaluations: u64,
    cost: SampleCost,
    started: Instant,
}

/// More than a sample has lanes.
pub const LANES: usize = 8;

/// Seed of the random control: other draws than the search's own. The searches for wrong answers have the search's seed: what
/// differs is what they are told.
const RANDOM_SEED: u64 = 0x7261_6e64;

impl<J: Judge> Course<J> {
    /// Begins a sample whose rows are registered.
    pub fn new(
        label: Label,
        judge: J,
        (rows, decode): (Vec<Arc<Row>>, Option<DecodePlan>),
        layers: usize,
        searches: Searches,
        with_controls: bool,
    ) -> Self {
        let fluency = Fluency {
            max_degradation: searches.max_degradation,
            near_tie_nats: judge.near_tie_nats(),
            ..Fluency::default()
        };
        Self {
            label,
            judge,
            rows,
            decode,
            layers,
            searches,
            with_controls,
            lanes: vec![Lane::new(Phase::Baseline { is_known: false })],
            fluency,
            influence: None,
            known: HashMap::new(),
            targets: WrongTargets::default(),
            findings: Findings::default(),
            evaluations: 0,
            cost: SampleCost::default(),
            started: Instant::now(),
        }
    }

    /// Whose record it writes.
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// Whether controls run on it.
    pub fn has_controls(&self) -> bool {
        self.with_controls
    }

    /// How many evaluations it has taken in.
    pub fn evaluations(&self) -> u64 {
        self.evaluations
    }

    /// Its rows.
    pub fn rows(&self) -> &[Arc<Row>] {
        &self.rows
    }

    /// What to do next.
    pub fn advance(&mut self) -> Next {
        let mut at = 0;
        // The first lane may begin others.
        while at < self.lanes.len() {
            self.advance_lane(at);
            at += 1;
        }
        match self.lanes.iter().all(Lane::is_over) {
            true => Next::Record,
            false => Next::Submit,
        }
    }

    /// Goes on with a lane until it waits for an evaluation or is over.
    fn advance_lane(&mut self, at: usize) {
        while self.lanes[at].is_free() {
            let (plan, seed) = (self.decode.as_ref(), self.label.seed);
            let identity = || Chain::identity(self.layers);
            let Some(wanted) = self.lanes[at].want(plan, seed, identity) else {
                self.end_phase(at);
                continue;
            };
            // Only what runs isolated confirms a chain that is known, and every draw is another.
            if wanted.may_be_known() {
                if let Some(assessed) = self.known.get(&wanted.chain).cloned() {
                    self.tell(at, wanted.chain, &assessed);
                    continue;
                }
                if self.lanes.iter().any(|lane| lane.runs(&wanted.chain)) {
                    return self.lanes[at].wait_for(wanted);
                }
            }
            self.lanes[at].run(wanted, self.rows.len());
        }
    }

    /// Submits the evaluations that [`advance`](Self::advance) wants run. The tag of a lane's completions says that
    /// `first_asker` plus its number asked.
    pub fn submit(
        &mut self,
        backend: &dyn Backend,
        first_asker: usize,
        reply: &Sender<Completion>,
    ) {
        for (at, lane) in self.lanes.iter_mut().enumerate() {
            let Some((evaluation, draw)) = lane.take_due() else {
                continue;
            };
            let decode = draw.or(self.decode.as_ref());
            evaluation.submit(backend, &self.rows, decode, first_asker + at, reply);
        }
    }

    /// Takes in the outcome of one row of a lane's evaluation. Unless others are missing, it is time to
    /// [`advance`](Self::advance).
    pub fn receive(
        &mut self,
        at: usize,
        row: usize,
        result: Result<Outcome, EngineError>,
    ) -> Received {
        let Some(lane) = self.lanes.get_mut(at) else {
            return Received::Waiting;
        };
        let (is_draw, is_ended) = (lane.is_draw(), lane.is_ended());
        let is_baseline = matches!(lane.phase, Phase::Baseline { .. });
        let Some(evaluation) = &mut lane.outstanding else {
            return Received::Waiting;
        };
        let judge = |outcomes: &[Outcome]| {
            let mut judged = self.judge.judge(&self.rows, outcomes, Target::Gold)?;
            let loss = prompt_loss(&self.rows, outcomes);
            judged.near_tie |= !is_draw && self.fluency.is_near_bound(loss);
            if is_baseline && self.fluency.near_tie_nats > 0.0 {
                judged.near_tie |=
                    mean_influence(outcomes).is_some_and(|all| is_order_near_tie(&all));
            }
            judged.near_tie &= !is_ended;
            Ok(judged)
        };
        let result = match evaluation.receive(row, result, judge) {
            Arrival::Waiting => return Received::Waiting,
            Arrival::Again => {
                lane.submit_again();
                return Received::Again;
            }
            Arrival::Done(result) => result,
        };
        let (chain, isolated) = (evaluation.chain().clone(), evaluation.is_isolated());
        let mut cost = SampleCost::default();
        let (engine_cost, runs) = evaluation.cost();
        cost.add(engine_cost, runs);
        let drafts = evaluation.take_drafts();
        if is_ended {
            lane.outstanding = None;
            self.cost += cost;
            return Received::Nothing;
        }
        match result.and_then(|settled| self.assess(at, settled)) {
            Err(error) => {
                self.cost += cost;
                self.fail(at, &error);
                Received::Nothing
            }
            Ok(assessed) => {
                let degradation = self.fluency.degradation(assessed.loss());
                let logged = Logged {
                    task: self.label.task.clone(),
                    id: self.label.id.clone(),
                    phase: self.lanes[at].phase.name().to_owned(),
                    chain,
                    isolated,
                    assessed,
                    degradation: degradation.filter(|nats| nats.is_finite()),
                    drafts,
                    cost,
                    session: 0,
                    elapsed: 0.0,
                };
                self.take(at, logged.clone());
                Received::Known(Box::new(logged))
            }
        }
    }

    /// Takes in an evaluation from the log, in place of one that [`advance`](Self::advance) wants run.
    ///
    /// # Errors
    /// It is none of those that are wanted now: which are, in words.
    pub fn replay(&mut self, logged: Logged, backend: &dyn Backend) -> Result<(), String> {
        let wants = |lane: &Lane| lane.phase.name() == logged.phase && lane.wants(&logged);
        let Some(at) = self.lanes.iter().position(wants) else {
            let wanted = self.lanes.iter().filter_map(Lane::wanted_chain);
            let wanted: Vec<String> = wanted
                .map(|(chain, phase)| format!("{chain} in phase {phase}"))
                .collect();
            return Err(format!(
                "chain {} in phase {}, where the search asks for {}",
                logged.chain,
                logged.phase,
                match wanted.is_empty() {
                    true => "none".to_owned(),
                    false => wanted.join(", "),
                }
            ));
        };
        for (row, draft) in self.rows.iter().zip(&logged.drafts) {
            backend.learn_draft(row, draft);
        }
        self.take(at, logged);
        Ok(())
    }

    /// What is to be kept of an evaluation.
    fn assess(&self, at: usize, settled: Settled) -> Result<Assessed, String> {
        let Settled { outcomes, judged } = settled;
        let (judge, rows) = (&self.judge, self.rows.as_slice());
        let lane = &self.lanes[at];
        if lane.is_draw() {
            return Ok(Assessed::draw(judged.verdict));
        }
        let is_first = matches!(lane.phase, Phase::Baseline { .. });
        let unmodified = is_first.then(|| Unmodified::new(judge, rows, &outcomes));
        let targets = match &unmodified {
            Some(unmodified) => {
                let own = (judged.verdict.correct, judged.verdict.answer.as_str());
                WrongTargets::choose(judge, own, unmodified)
            }
            None => self.targets,
        };
        let targets = if self.with_controls {
            targets
        } else {
            WrongTargets::default()
        };
        let assessed = Assessed::new(judge, rows, &outcomes, judged.verdict, targets)?;
        Ok(Assessed {
            unmodified,
            ..assessed
        })
    }

    /// Takes in a known evaluation. One near the bound waits until the unmodified model has run isolated too.
    fn take(&mut self, at: usize, logged: Logged) {
        let Logged {
            isolated,
            assessed,
            cost,
            ..
        } = logged;
        self.lanes[at].outstanding = None;
        self.evaluations += 1;
        self.cost += cost;
        let loss = assessed.loss();
        if self.lanes[at].deferred.is_some() {
            self.fluency.unmodified_isolated = loss;
            for at in 0..self.lanes.len() {
                if let Some(assessed) = self.lanes[at].deferred.take() {
                    self.learn(at, assessed);
                }
            }
            return;
        }
        let known = self.fluency.unmodified_isolated.is_some() || self.lanes[at].is_draw();
        if isolated && !known && self.fluency.is_near_bound(loss) {
            let is_running = self.lanes.iter().any(|lane| lane.deferred.is_some());
            self.lanes[at].deferred = Some(assessed);
            if !is_running {
                let unmodified = Chain::identity(self.layers);
                self.lanes[at].run_for_another(unmodified, self.rows.len());
            }
            return;
        }
        self.learn(at, assessed);
    }

    /// Learns what the chain that a lane wanted came to.
    fn learn(&mut self, at: usize, assessed: Assessed) {
        let lane = &mut self.lanes[at];
        let Some(Wanted { chain, .. }) = lane.take_wanted() else {
            return;
        };
        let loss = assessed.loss();
        match &mut lane.phase {
            Phase::Baseline { is_known } => {
                *is_known = true;
                self.fluency.unmodified = loss;
                let degradation = self.fluency.degradation(loss);
                let baseline = assessed.evaluation(chain.clone(), degradation);
                if let Some(unmodified) = &assessed.unmodified {
                    self.influence.clone_from(&unmodified.influence);
                    let own = (assessed.correct, assessed.answer.as_str());
                    self.targets = WrongTargets::choose(&self.judge, own, unmodified);
                    self.findings.candidates = unmodified.candidates(&self.judge, &self.label.gold);
                }
                self.findings.baseline = Some(baseline);
                self.known.insert(chain, assessed);
            }
            Phase::Confirm(candidates) => {
                if assessed.correct && self.fluency.holds(loss) {
                    candidates.clear();
                    let degradation = self.fluency.degradation(loss);
                    self.findings.best = Some(assessed.evaluation(chain, degradation));
                } else {
                    self.findings.unconfirmed.push(chain);
                }
            }
            Phase::Sampling(draws) => draws.learn(assessed.correct),
            _ => {
                self.tell(at, chain.clone(), &assessed);
                self.known.insert(chain, assessed);
            }
        }
    }

    /// Gives a lane up, and with the search's own the sample: its record says why.
    fn fail(&mut self, at: usize, error: &str) {
        tracing::warn!(task = %self.label.task, id = %self.label.id, error, "sample failed");
        // Others may wait for the same run of the unmodified model.
        let was_deferred = self.lanes[at].deferred.is_some();
        self.lanes[at].outstanding = None;
        for (other, lane) in self.lanes.iter_mut().enumerate() {
            if other == at || (was_deferred && lane.deferred.is_some()) {
                lane.error = Some(error.to_owned());
                lane.end();
            } else if at == 0 {
                lane.end();
            }
        }
    }

    /// Tells the search of a lane what a chain came to.
    fn tell(&mut self, at: usize, chain: Chain, assessed: &Assessed) {
        if let Err(error) = self.heed(at, chain, assessed) {
            self.fail(at, &error);
        }
    }

    fn heed(&mut self, at: usize, chain: Chain, assessed: &Assessed) -> Result<(), String> {
        let fluency = self.fluency;
        let loss = assessed.loss();
        match &mut self.lanes[at].phase {
            Phase::Search(strategy) => {
                let feedback = fluency.feedback(assessed.gold(), loss);
                strategy.tell(&chain, feedback);
                if feedback.correct {
                    self.findings.right.push(chain.clone());
                }
                let evaluation = assessed.evaluation(chain, feedback.degradation);
                self.findings.evaluations.push(evaluation);
            }
            Phase::Random(strategy, outcome) => {
                let feedback = fluency.feedback(assessed.gold(), loss);
                strategy.tell(&chain, feedback);
                outcome.chains += 1;
                keep_shortest(&mut outcome.found, &chain, feedback.correct);
                for (reached, found) in [
                    (assessed.matched, &mut outcome.found_matched),
                    (assessed.drawn, &mut outcome.found_wrong),
                ] {
                    if let Some(reached) = reached.filter(|_| fluency.holds(loss)) {
                        keep_shortest(found, &chain, reached.correct);
                    }
                }
                let evaluation = assessed.evaluation(chain, feedback.degradation);
                outcome.evaluations.push(evaluation);
            }
            Phase::Matched(search) => search.heed(chain, assessed.matched, fluency, loss)?,
            Phase::Drawn(search) => search.heed(chain, assessed.drawn, fluency, loss)?,
            Phase::Baseline { .. } | Phase::Confirm(_) | Phase::Sampling(_) | Phase::Over => {}
        }
        Ok(())
    }

    /// Ends the phase of a lane, and begins its next one.
    fn end_phase(&mut self, at: usize) {
        let ended = std::mem::replace(&mut self.lanes[at].phase, Phase::Over);
        match ended {
            Phase::Baseline { .. } => {
                let search = self.begin(&*self.searches.main, self.label.seed);
                self.lanes[at].phase = Phase::Search(search);
                self.begin_controls();
            }
            Phase::Search(strategy) => {
                self.findings.health = Some(strategy.health());
                self.lanes[at].phase = Phase::Confirm(self.findings.right_chains());
            }
            Phase::Random(_, outcome) => self.findings.random = Some(outcome),
            Phase::Matched(search) => {
                if self.targets.drawn == self.targets.matched {
                    self.findings.wrong_target = Some(search.outcome.clone());
                }
                self.findings.matched_target = Some(search.outcome);
            }
            Phase::Drawn(search) => self.findings.wrong_target = Some(search.outcome),
            Phase::Sampling(draws) => self.findings.sampling = draws.into_outcomes(),
            Phase::Confirm(_) | Phase::Over => {}
        }
    }

    /// Begins what the search is compared with, each in a lane of its own.
    fn begin_controls(&mut self) {
        let mut phases = Vec::new();
        if self.with_controls {
            let outcome = RandomOutcome {
                target: self.label.gold.clone(),
                ..RandomOutcome::default()
            };
            let seed = self.label.seed ^ RANDOM_SEED;
            phases.push(Phase::Random(
                self.begin(&*self.searches.random, seed),
                outcome,
            ));
            let WrongTargets { matched, drawn } = self.targets;
            phases.extend(matched.map(|target| Phase::Matched(self.search_for_wrong(target))));
            let drawn = drawn.filter(|_| drawn != matched);
            phases.extend(drawn.map(|target| Phase::Drawn(self.search_for_wrong(target))));
        }
        match (&self.searches.sampling, &self.decode) {
            (Some(plan), Some(_)) => phases.push(Phase::Sampling(Draws::new(plan.clone()))),
            // Of options by their scores, without running anything.
            (Some(plan), None) => {
                self.findings.sampling = Sampled::of_options(plan, &self.findings.candidates);
            }
            (None, _) => {}
        }
        self.lanes.extend(phases.into_iter().map(Lane::new));
    }

    /// A search of the sample, which knows what the unmodified model's own pass tells.
    fn begin(&self, factory: &dyn StrategyFactory, seed: u64) -> Box<dyn Strategy> {
        let mut strategy = factory.build(seed);
        if let Some(influence) = &self.influence {
            strategy.learn_influence(influence);
        }
        strategy
    }

    fn search_for_wrong(&self, target: usize) -> WrongSearch {
        let answer = self.judge.wrong_answers().into_iter().nth(target);
        WrongSearch {
            strategy: self.begin(&*self.searches.main, self.label.seed),
            outcome: ControlOutcome {
                target: answer.unwrap_or_default(),
                chains: 0,
                found: None,
            },
        }
    }

    /// The finished record.
    pub fn into_record(mut self, model_hash: &str, session: u32, elapsed: f64) -> SampleRecord {
        self.cost.seconds = self.started.elapsed().as_secs_f64();
        let Label {
            task,
            id,
            index,
            gold,
            seed,
        } = self.label;
        let mut findings = self.findings;
        if self.lanes.first().is_some_and(|lane| lane.error.is_some()) {
            // How far the controls had come then hangs on the batches.
            findings.forget_controls();
        }
        let error = self.lanes.into_iter().find_map(|lane| lane.error);
        SampleRecord {
            task,
            id,
            index,
            layers: self.layers,
            model_hash: model_hash.to_owned(),
            prompt_hash: prompt_hash(&self.rows),
            gold,
            seed,
            max_degradation: self.fluency.max_degradation,
            prompt_loss: self.fluency.unmodified.filter(|loss| loss.is_finite()),
            candidates: findings.candidates,
            baseline: findings.baseline,
            pareto: pareto(&findings.evaluations, &findings.unconfirmed),
            best: findings.best,
            unconfirmed: findings.unconfirmed,
            evaluations: findings.evaluations,
            health: findings.health,
            controls: findings.random.map(|random| Controls {
                random,
                matched_target: findings.matched_target,
                wrong_target: findings.wrong_target,
            }),
            sampling: findings.sampling,
            menu: Vec::new(),
            menu_error: None,
            certificate: None,
            cost: self.cost,
            error,
            session,
            elapsed,
        }
    }
}

/// Hash of all the model is asked, 32 hex digits: of a single row that row's own.
fn prompt_hash(rows: &[Arc<Row>]) -> String {
    if let [row] = rows {
        return row.content_hash();
    }
    let mut hasher = blake3::Hasher::new();
    for row in rows {
        hasher.update(row.content_hash().as_bytes());
    }
    hasher.finalize().to_hex()[..32].to_owned()
}
