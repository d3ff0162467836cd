//! One sample's way from its first evaluation to its record.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use crossbeam_channel::Sender;

use super::{
    Candidate, ControlOutcome, Controls, Evaluation, RandomOutcome, SampleCost, SampleRecord,
    fluency::{Fluency, prompt_loss},
    in_flight::{Arrival, InFlight, Settled},
    influence::{is_order_near_tie, mean_influence},
    pareto::pareto,
    sampling::{Draws, Sampled, SamplingPlan},
};
use crate::problem::{Judge, Judged, Target, Verdict};
use cola_engine::{Backend, Completion, DecodePlan, EngineError, Outcome, Row};
use cola_search::chain::Chain;
use cola_search::{Ask, Health, SearchConfig, SearchError, Strategy, StrategyFactory};

/// The searches a sample goes through.
#[derive(Clone)]
pub struct Searches {
    /// The search itself; the wrong-answer control runs it too.
    pub main: Arc<dyn StrategyFactory>,
    /// Random chains at the same budget.
    pub random: Arc<dyn StrategyFactory>,
    /// Most nats a token by which a chain may read the prompt worse than the unmodified model and still count as right; `None`
    /// for no bound.
    pub max_degradation: Option<f64>,
    /// Tries a sample of what the search is compared with: draws from the unmodified model, chains of a menu.
    pub tries: usize,
    /// Answers drawn from the unmodified model, to compare with; `None` for none.
    pub sampling: Option<SamplingPlan>,
}

impl Searches {
    /// A search and its random control, settled for a model of `layers` layers.
    ///
    /// # Errors
    /// An unknown name, or numbers that do not go together.
    pub fn resolve(config: &SearchConfig, layers: usize) -> Result<Self, SearchError> {
        let main = config.resolve(layers)?;
        let random = SearchConfig {
            strategy: "random".to_owned(),
            ..config.clone()
        };
        Ok(Self {
            max_degradation: main.max_degradation,
            tries: main.params.tries(),
            main: Arc::new(main),
            random: Arc::new(random.resolve(layers)?),
            sampling: None,
        })
    }
}

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
    deferred: Option<(Chain, Settled)>,
    /// How to draw the outstanding evaluation's answer; `None` if it is not a draw.
    drawing: Option<DecodePlan>,
    fluency: Fluency,
    /// Influence of each layer in the unmodified model, if the rows measure it.
    influence: Option<Vec<f64>>,
    /// The outcomes of every chain run so far: the controls ask for many of the same chains.
    known: HashMap<Chain, Vec<Outcome>>,
    targets: WrongTargets,
    findings: Findings,
    cost: SampleCost,
    started: Instant,
}

/// What is known of the sample so far, as its record will say it.
#[derive(Default)]
struct Findings {
    candidates: Vec<Candidate>,
    baseline: Option<Evaluation>,
    evaluations: Vec<Evaluation>,
    /// Right chains within the bound, in the order they were told.
    right: Vec<Chain>,
    best: Option<Evaluation>,
    unconfirmed: Vec<Chain>,
    health: Option<Health>,
    random: Option<RandomOutcome>,
    matched_target: Option<ControlOutcome>,
    wrong_target: Option<ControlOutcome>,
    sampling: Vec<Sampled>,
    error: Option<String>,
}

/// The wrong answers that the controls look for, as numbers in [`Judge::wrong_answers`]. None where the unmodified model is
/// right.
#[derive(Debug, Clone, Copy, Default)]
struct WrongTargets {
    /// The one whose score under the unmodified model is nearest to the right answer's.
    matched: Option<usize>,
    /// One drawn at random.
    drawn: Option<usize>,
}

enum Phase {
    /// The unmodified model: what every chain is compared with.
    Baseline,
    Search(Box<dyn Strategy>),
    /// Right chains yet to be run again, shortest first.
    Confirm(VecDeque<Chain>),
    Random(Box<dyn Strategy>, RandomOutcome),
    Matched(WrongSearch),
    Drawn(WrongSearch),
    /// Answers drawn from the unmodified model.
    Sampling(Draws),
    Over,
}

/// A search for a wrong answer.
struct WrongSearch {
    strategy: Box<dyn Strategy>,
    target: usize,
    outcome: ControlOutcome,
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
            cost: SampleCost::default(),
            started: Instant::now(),
        }
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
                Some(outcomes) => self.tell(chain, &outcomes, None),
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

    /// Takes in the outcome of one row. True when that was the last: time to [`advance`](Self::advance).
    pub fn receive(&mut self, row: usize, result: Result<Outcome, EngineError>) -> bool {
        let Some(evaluation) = &mut self.outstanding else {
            return false;
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
            Arrival::Waiting => return false,
            Arrival::Again => {}
            Arrival::Done(result) => {
                let (cost, runs) = evaluation.cost();
                self.cost.add(cost, runs);
                let (chain, isolated) = (evaluation.chain().clone(), evaluation.is_isolated());
                self.outstanding = None;
                match result {
                    Ok(settled) => self.settle(chain, settled, isolated),
                    Err(error) => self.fail(error),
                }
            }
        }
        true
    }

    /// Takes in a settled evaluation. One near the bound waits until the unmodified model has run isolated too.
    fn settle(&mut self, chain: Chain, settled: Settled, isolated: bool) {
        let loss = prompt_loss(&self.rows, &settled.outcomes);
        if let Some((chain, settled)) = self.deferred.take() {
            self.fluency.unmodified_isolated = loss;
            return self.learn(chain, settled);
        }
        let known = self.fluency.unmodified_isolated.is_some() || self.drawing.is_some();
        if isolated && !known && self.fluency.is_near_bound(loss) {
            let unmodified = Chain::identity(self.layers);
            self.outstanding = Some(InFlight::new(unmodified, self.rows.len(), true));
            self.deferred = Some((chain, settled));
            return;
        }
        self.learn(chain, settled);
    }

    fn learn(&mut self, chain: Chain, settled: Settled) {
        let Settled { outcomes, judged } = settled;
        let loss = prompt_loss(&self.rows, &outcomes);
        match &mut self.phase {
            Phase::Baseline => {
                self.influence = mean_influence(&outcomes);
                self.fluency.unmodified = loss;
                let degradation = self.fluency.degradation(loss);
                let baseline = Evaluation::new(chain.clone(), judged.verdict, degradation);
                self.compare_answers(&baseline, &outcomes);
                self.findings.baseline = Some(baseline);
                self.known.insert(chain, outcomes);
            }
            Phase::Confirm(candidates) => {
                if judged.verdict.correct && self.fluency.holds(loss) {
                    candidates.clear();
                    let degradation = self.fluency.degradation(loss);
                    self.findings.best = Some(Evaluation::new(chain, judged.verdict, degradation));
                } else {
                    self.findings.unconfirmed.push(chain);
                }
            }
            Phase::Sampling(draws) => draws.learn(judged.verdict.correct),
            _ => {
                self.tell(chain.clone(), &outcomes, Some(judged.verdict));
                self.known.insert(chain, outcomes);
            }
        }
    }

    /// Notes how likely the unmodified model finds each answer, and chooses the wrong ones to look for.
    fn compare_answers(&mut self, baseline: &Evaluation, outcomes: &[Outcome]) {
        let wrong = self.judge.wrong_answers();
        let scores = self.judge.scores(&self.rows, outcomes).filter(|scores| {
            let mut all = scores.wrong.iter().chain([&scores.gold]);
            scores.wrong.len() == wrong.len() && all.all(|score| score.is_finite())
        });
        let is_own = |at: &usize| self.judge.is_same(&baseline.answer, &wrong[*at]);
        if !baseline.correct {
            let others: Vec<usize> = (0..wrong.len()).filter(|at| !is_own(at)).collect();
            self.targets.drawn = others.first().copied();
            if let Some(scores) = &scores {
                let distance = |at: &usize| (scores.wrong[*at] - scores.gold).abs();
                let nearest = |a: &usize, b: &usize| distance(a).total_cmp(&distance(b));
                self.targets.matched = others.into_iter().min_by(nearest);
            }
        }
        if let Some(scores) = scores.filter(|_| !wrong.is_empty()) {
            let candidate = |answer, score, gold| Candidate {
                answer,
                score,
                gold,
            };
            let gold = candidate(self.label.gold.clone(), scores.gold, true);
            let wrong = wrong.into_iter().zip(scores.wrong);
            let wrong = wrong.map(|(answer, score)| candidate(answer, score, false));
            self.findings.candidates = std::iter::once(gold).chain(wrong).collect();
        }
    }

    /// Gives the sample up; its record says why.
    fn fail(&mut self, error: String) {
        tracing::warn!(task = %self.label.task, id = %self.label.id, %error, "sample failed");
        self.findings.error = Some(error);
        self.outstanding = None;
        self.phase = Phase::Over;
    }

    /// Tells the running search what a chain came to. `gold`: the verdict on the right answer, where it is known already.
    fn tell(&mut self, chain: Chain, outcomes: &[Outcome], gold: Option<Verdict>) {
        match self.heed(chain, outcomes, gold) {
            Ok(()) => {}
            Err(error) => self.fail(error),
        }
    }

    fn heed(
        &mut self,
        chain: Chain,
        outcomes: &[Outcome],
        gold: Option<Verdict>,
    ) -> Result<(), String> {
        let fluency = self.fluency;
        let loss = prompt_loss(&self.rows, outcomes);
        let judge = |target| {
            let judged = self.judge.judge(&self.rows, outcomes, target);
            judged.map(|Judged { verdict, .. }| verdict)
        };
        let on_gold = || gold.map_or_else(|| judge(Target::Gold), Ok);
        match &mut self.phase {
            Phase::Search(strategy) => {
                let verdict = on_gold()?;
                let feedback = fluency.feedback(&verdict, loss);
                strategy.tell(&chain, feedback);
                if feedback.correct {
                    self.findings.right.push(chain.clone());
                }
                let evaluation = Evaluation::new(chain, verdict, feedback.degradation);
                self.findings.evaluations.push(evaluation);
            }
            Phase::Random(strategy, outcome) => {
                let verdict = on_gold()?;
                let feedback = fluency.feedback(&verdict, loss);
                strategy.tell(&chain, feedback);
                outcome.chains += 1;
                keep_shortest(&mut outcome.found, &chain, feedback.correct);
                let WrongTargets { matched, drawn } = self.targets;
                for (target, found) in [
                    (matched, &mut outcome.found_matched),
                    (drawn, &mut outcome.found_wrong),
                ] {
                    if let Some(target) = target.filter(|_| fluency.holds(loss)) {
                        let verdict = judge(Target::Wrong(target))?;
                        keep_shortest(found, &chain, verdict.correct);
                    }
                }
                let evaluation = Evaluation::new(chain, verdict, feedback.degradation);
                outcome.evaluations.push(evaluation);
            }
            Phase::Matched(search) | Phase::Drawn(search) => {
                let verdict = judge(Target::Wrong(search.target))?;
                let feedback = fluency.feedback(&verdict, loss);
                search.strategy.tell(&chain, feedback);
                search.outcome.chains += 1;
                keep_shortest(&mut search.outcome.found, &chain, feedback.correct);
            }
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
            target,
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

impl Findings {
    /// Right chains of the search within the bound, shortest first; of equal length in the order they were tried.
    fn right_chains(&self) -> VecDeque<Chain> {
        let mut right = self.right.clone();
        right.sort_by_key(Chain::len);
        right.into()
    }
}

/// Keeps the first of the shortest chains that reached an answer.
fn keep_shortest(found: &mut Option<Chain>, chain: &Chain, reached: bool) {
    if reached && found.as_ref().is_none_or(|found| chain.len() < found.len()) {
        *found = Some(chain.clone());
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
