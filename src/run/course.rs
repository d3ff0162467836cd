//! One sample's way from its first evaluation to its record.

use std::{collections::HashMap, sync::Arc, time::Instant};

use crossbeam_channel::Sender;

use super::{
    ControlOutcome, Controls, RandomOutcome, SampleCost, SampleRecord, Sampled,
    assessed::{Assessed, Unmodified, WrongTargets},
    evaluation_log::Logged,
    findings::{Findings, keep_shortest},
    fluency::{Fluency, prompt_loss},
    in_flight::{Arrival, InFlight, Settled},
    influence::{is_order_near_tie, mean_influence},
    pareto::pareto,
    phase::{Phase, WrongSearch},
    sampling::Draws,
    searches::Searches,
};
use crate::problem::{Judge, Target};
use cola_engine::{Backend, Completion, DecodePlan, EngineError, Outcome, Row};
use cola_search::{Ask, Strategy, StrategyFactory, chain::Chain};

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
    /// To [submit](Course::submit) its evaluation, and [receive](Course::receive) what comes of it.
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
    /// The sample failed, and its record says why.
    Failed,
}

/// A sample in flight. One evaluation is outstanding at a time, of all its rows.
pub struct Course<J> {
    label: Label,
    judge: J,
    rows: Vec<Arc<Row>>,
    decode: Option<DecodePlan>,
    layers: usize,
    searches: Searches,
    with_controls: bool,
    phase: Phase,
    /// The evaluation that is to be submitted, or is.
    outstanding: Option<InFlight>,
    /// A chain near the bound on degradation, which waits for what the unmodified model gives isolated.
    deferred: Option<(Chain, Assessed)>,
    /// How to draw the outstanding evaluation's answer; `None` if it is not a draw.
    drawing: Option<DecodePlan>,
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
            phase: Phase::Baseline,
            outstanding: None,
            deferred: None,
            drawing: None,
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
        if self.outstanding.is_some() {
            return Next::Submit;
        }
        loop {
            let (wanted, isolated) = match &mut self.phase {
                Phase::Over => return Next::Record,
                Phase::Sampling(draws) => {
                    let wanted = draws.next(self.decode.as_ref(), self.label.seed);
                    self.drawing = wanted;
                    let chain = self.drawing.is_some().then(|| Chain::identity(self.layers));
                    (chain, false)
                }
                Phase::Baseline => (
                    (self.findings.baseline.is_none()).then(|| Chain::identity(self.layers)),
                    false,
                ),
                Phase::Confirm(candidates) => (candidates.pop_front(), true),
                Phase::Search(strategy) | Phase::Random(strategy, _) => {
                    (wanted(strategy.as_mut()), false)
                }
                Phase::Matched(search) | Phase::Drawn(search) => {
                    (wanted(search.strategy.as_mut()), false)
                }
            };
            let Some(chain) = wanted else {
                self.end_phase();
                continue;
            };
            // Only what runs isolated confirms a chain that is known, and every draw is another.
            let known = self.known.get(&chain);
            match known
                .filter(|_| !isolated && self.drawing.is_none())
                .cloned()
            {
                Some(assessed) => self.tell(chain, &assessed),
                None => {
                    self.outstanding = Some(InFlight::new(chain, self.rows.len(), isolated));
                    return Next::Submit;
                }
            }
        }
    }

    /// Submits the evaluation that [`advance`](Self::advance) wants run.
    pub fn submit(&self, backend: &dyn Backend, asker: usize, reply: &Sender<Completion>) {
        if let Some(evaluation) = &self.outstanding {
            let decode = self.drawing.as_ref().or(self.decode.as_ref());
            evaluation.submit(backend, &self.rows, decode, asker, reply);
        }
    }

    /// Takes in the outcome of one row. Unless others are missing, it is time to [`advance`](Self::advance).
    pub fn receive(&mut self, row: usize, result: Result<Outcome, EngineError>) -> Received {
        let Some(evaluation) = &mut self.outstanding else {
            return Received::Waiting;
        };
        let judge = |outcomes: &[Outcome]| {
            let mut judged = self.judge.judge(&self.rows, outcomes, Target::Gold)?;
            let loss = prompt_loss(&self.rows, outcomes);
            judged.near_tie |= self.drawing.is_none() && self.fluency.is_near_bound(loss);
            if matches!(self.phase, Phase::Baseline) && self.fluency.near_tie_nats > 0.0 {
                judged.near_tie |=
                    mean_influence(outcomes).is_some_and(|all| is_order_near_tie(&all));
            }
            Ok(judged)
        };
        match evaluation.receive(row, result, judge) {
            Arrival::Waiting => Received::Waiting,
            Arrival::Again => Received::Again,
            Arrival::Done(result) => {
                let (chain, isolated) = (evaluation.chain().clone(), evaluation.is_isolated());
                let mut cost = SampleCost::default();
                let (engine_cost, runs) = evaluation.cost();
                cost.add(engine_cost, runs);
                let drafts = evaluation.take_drafts();
                match result.and_then(|settled| self.assess(settled)) {
                    Err(error) => {
                        self.cost += cost;
                        self.fail(error);
                        Received::Failed
                    }
                    Ok(assessed) => {
                        let degradation = self.fluency.degradation(assessed.loss());
                        let logged = Logged {
                            task: self.label.task.clone(),
                            id: self.label.id.clone(),
                            phase: self.phase.name().to_owned(),
                            chain,
                            isolated,
                            assessed,
                            degradation: degradation.filter(|nats| nats.is_finite()),
                            drafts,
                            cost,
                            session: 0,
                            elapsed: 0.0,
                        };
                        self.take(logged.clone());
                        Received::Known(Box::new(logged))
                    }
                }
            }
        }
    }

    /// Takes in an evaluation from the log, in place of the one that [`advance`](Self::advance) wants run.
    ///
    /// # Errors
    /// It is another one that is wanted now: which, in words.
    pub fn replay(&mut self, logged: Logged, backend: &dyn Backend) -> Result<(), String> {
        let phase = self.phase.name();
        let wanted = self.outstanding.as_ref();
        let is_wanted = wanted.is_some_and(|wanted| {
            let ran_as_wanted = logged.isolated || !wanted.is_isolated();
            *wanted.chain() == logged.chain && ran_as_wanted && phase == logged.phase
        });
        if !is_wanted {
            let wanted = wanted.map_or_else(|| "none".to_owned(), |w| w.chain().to_string());
            return Err(format!(
                "chain {} in phase {}, where the search asks for {wanted} in phase {phase}",
                logged.chain, logged.phase
            ));
        }
        for (row, draft) in self.rows.iter().zip(&logged.drafts) {
            backend.learn_draft(row, draft);
        }
        self.take(logged);
        Ok(())
    }

    /// What is to be kept of an evaluation.
    fn assess(&self, settled: Settled) -> Result<Assessed, String> {
        let Settled { outcomes, judged } = settled;
        let (judge, rows) = (&self.judge, self.rows.as_slice());
        if self.drawing.is_some() {
            return Ok(Assessed::draw(judged.verdict));
        }
        let is_first = matches!(self.phase, Phase::Baseline) && self.findings.baseline.is_none();
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
    fn take(&mut self, logged: Logged) {
        let Logged {
            chain,
            isolated,
            assessed,
            cost,
            ..
        } = logged;
        self.outstanding = None;
        self.evaluations += 1;
        self.cost += cost;
        let loss = assessed.loss();
        if let Some((chain, assessed)) = self.deferred.take() {
            self.fluency.unmodified_isolated = loss;
            return self.learn(chain, assessed);
        }
        let known = self.fluency.unmodified_isolated.is_some() || self.drawing.is_some();
        if isolated && !known && self.fluency.is_near_bound(loss) {
            let unmodified = Chain::identity(self.layers);
            self.outstanding = Some(InFlight::new(unmodified, self.rows.len(), true));
            self.deferred = Some((chain, assessed));
            return;
        }
        self.learn(chain, assessed);
    }

    fn learn(&mut self, chain: Chain, assessed: Assessed) {
        let loss = assessed.loss();
        match &mut self.phase {
            Phase::Baseline => {
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
                self.tell(chain.clone(), &assessed);
                self.known.insert(chain, assessed);
            }
        }
    }

    /// Gives the sample up; its record says why.
    fn fail(&mut self, error: String) {
        tracing::warn!(task = %self.label.task, id = %self.label.id, %error, "sample failed");
        self.findings.error = Some(error);
        self.outstanding = None;
        self.phase = Phase::Over;
    }

    /// Tells the running search what a chain came to.
    fn tell(&mut self, chain: Chain, assessed: &Assessed) {
        if let Err(error) = self.heed(chain, assessed) {
            self.fail(error);
        }
    }

    fn heed(&mut self, chain: Chain, assessed: &Assessed) -> Result<(), String> {
        let fluency = self.fluency;
        let loss = assessed.loss();
        match &mut self.phase {
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
            Phase::Baseline | Phase::Confirm(_) | Phase::Sampling(_) | Phase::Over => {}
        }
        Ok(())
    }

    fn end_phase(&mut self) {
        let seed = self.label.seed;
        self.phase = match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Baseline => Phase::Search(self.begin(&*self.searches.main, seed)),
            Phase::Search(strategy) => {
                self.findings.health = Some(strategy.health());
                Phase::Confirm(self.findings.right_chains())
            }
            Phase::Confirm(_) if self.with_controls => {
                let outcome = RandomOutcome {
                    target: self.label.gold.clone(),
                    ..RandomOutcome::default()
                };
                Phase::Random(
                    self.begin(&*self.searches.random, seed ^ RANDOM_SEED),
                    outcome,
                )
            }
            Phase::Random(_, outcome) => {
                self.findings.random = Some(outcome);
                match self.targets.matched {
                    Some(target) => Phase::Matched(self.search_for_wrong(target)),
                    None => self.search_for_drawn(),
                }
            }
            Phase::Matched(search) => {
                self.findings.matched_target = Some(search.outcome);
                self.search_for_drawn()
            }
            Phase::Drawn(search) => {
                self.findings.wrong_target = Some(search.outcome);
                self.sampling()
            }
            Phase::Confirm(_) => self.sampling(),
            Phase::Sampling(draws) => {
                self.findings.sampling = draws.into_outcomes();
                Phase::Over
            }
            Phase::Over => Phase::Over,
        };
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

    /// The search for the wrong answer drawn at random: where that is the matched one it is done already.
    fn search_for_drawn(&mut self) -> Phase {
        match self.targets.drawn {
            None => self.sampling(),
            Some(_) if self.targets.drawn == self.targets.matched => {
                self.findings.wrong_target = self.findings.matched_target.clone();
                self.sampling()
            }
            Some(target) => Phase::Drawn(self.search_for_wrong(target)),
        }
    }

    /// Draws from the unmodified model, if the run does: of options by their scores, without running anything.
    fn sampling(&mut self) -> Phase {
        let Some(plan) = &self.searches.sampling else {
            return Phase::Over;
        };
        if self.decode.is_some() {
            return Phase::Sampling(Draws::new(plan.clone()));
        }
        self.findings.sampling = Sampled::of_options(plan, &self.findings.candidates);
        Phase::Over
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
        let findings = self.findings;
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
            error: findings.error,
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

fn wanted(strategy: &mut dyn Strategy) -> Option<Chain> {
    match strategy.ask() {
        Ask::Evaluate(chain) => Some(chain),
        // With nothing outstanding there is nothing to wait for.
        Ask::Wait | Ask::Done => None,
    }
}
