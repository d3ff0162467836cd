//! One sample's way from its first evaluation to its record.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use crossbeam_channel::Sender;

use super::{
    ControlOutcome, Controls, Evaluation, SampleCost, SampleRecord,
    in_flight::{Arrival, InFlight, Settled},
};
use crate::problem::{Judge, Target, Verdict};
use cola_engine::{Backend, Completion, DecodePlan, EngineError, Outcome, Row};
use cola_search::chain::Chain;
use cola_search::{Ask, Feedback, Health, SearchConfig, SearchError, Strategy, StrategyFactory};

/// The searches a sample goes through.
#[derive(Clone)]
pub struct Searches {
    /// The search itself; the wrong-answer control runs it too.
    pub main: Arc<dyn StrategyFactory>,
    /// Random chains at the same budget.
    pub random: Arc<dyn StrategyFactory>,
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
            main: Arc::new(main),
            random: Arc::new(random.resolve(layers)?),
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
    /// What every chain came to so far: the controls ask for many of the same chains.
    known: HashMap<Chain, Vec<Outcome>>,
    findings: Findings,
    cost: SampleCost,
    started: Instant,
}

/// What is known of the sample so far, as its record will say it.
#[derive(Default)]
struct Findings {
    evaluations: Vec<Evaluation>,
    best: Option<Evaluation>,
    unconfirmed: Vec<Chain>,
    health: Option<Health>,
    random: Option<ControlOutcome>,
    wrong_target: Option<ControlOutcome>,
    error: Option<String>,
}

enum Phase {
    Search(Box<dyn Strategy>),
    /// Right chains yet to be run again, shortest first.
    Confirm(VecDeque<Chain>),
    Random(Control),
    WrongTarget(Control),
    Over,
}

/// A control search.
struct Control {
    strategy: Box<dyn Strategy>,
    target: Target,
    target_text: String,
    chains: usize,
    found: Option<Chain>,
}

impl Control {
    fn new(strategy: Box<dyn Strategy>, target: Target, target_text: String) -> Self {
        Self {
            strategy,
            target,
            target_text,
            chains: 0,
            found: None,
        }
    }

    fn outcome(self) -> ControlOutcome {
        ControlOutcome {
            target: self.target_text,
            chains: self.chains,
            found: self.found,
        }
    }
}

/// Seeds of the controls differ from the search's, so that they are other draws.
const RANDOM_SEED: u64 = 0x7261_6e64;
const WRONG_SEED: u64 = 0x7772_6f6e;

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
        Self {
            phase: Phase::Search(searches.main.build(label.seed)),
            label,
            judge,
            rows,
            decode,
            layers,
            searches,
            with_controls,
            outstanding: None,
            known: HashMap::new(),
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
                Phase::Confirm(candidates) => (candidates.pop_front(), true),
                Phase::Search(strategy) => (wanted(strategy.as_mut()), false),
                Phase::Random(control) | Phase::WrongTarget(control) => {
                    (wanted(control.strategy.as_mut()), false)
                }
            };
            let Some(chain) = wanted else {
                self.end_phase();
                continue;
            };
            // Only what runs isolated confirms a chain that is known.
            match self.known.get(&chain).filter(|_| !isolated).cloned() {
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
            evaluation.submit(backend, &self.rows, self.decode.as_ref(), asker, reply);
        }
    }

    /// Takes in the outcome of one row. True when that was the last: time to [`advance`](Self::advance).
    pub fn receive(&mut self, row: usize, result: Result<Outcome, EngineError>) -> bool {
        let Some(evaluation) = &mut self.outstanding else {
            return false;
        };
        let judge = |outcomes: &[Outcome]| self.judge.judge(&self.rows, outcomes, Target::Gold);
        match evaluation.receive(row, result, judge) {
            Arrival::Waiting => return false,
            Arrival::Again => {}
            Arrival::Done(result) => {
                let (cost, runs) = evaluation.cost();
                self.cost.add(cost, runs);
                let chain = evaluation.chain().clone();
                self.outstanding = None;
                match result {
                    Ok(settled) => self.learn(chain, settled),
                    Err(error) => self.fail(error),
                }
            }
        }
        true
    }

    fn learn(&mut self, chain: Chain, settled: Settled) {
        let Settled { outcomes, judged } = settled;
        if let Phase::Confirm(candidates) = &mut self.phase {
            if judged.verdict.correct {
                candidates.clear();
                self.findings.best = Some(Evaluation::new(chain, judged.verdict));
            } else {
                self.findings.unconfirmed.push(chain);
            }
            return;
        }
        self.tell(chain.clone(), &outcomes, Some(judged.verdict));
        self.known.insert(chain, outcomes);
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
        let target = match &self.phase {
            Phase::WrongTarget(control) => control.target,
            _ => Target::Gold,
        };
        let verdict = match gold.filter(|_| target == Target::Gold) {
            Some(verdict) => verdict,
            None => match self.judge.judge(&self.rows, outcomes, target) {
                Ok(judged) => judged.verdict,
                Err(error) => return self.fail(error),
            },
        };
        let feedback = Feedback {
            correct: verdict.correct,
            margin: verdict.margin,
        };
        match &mut self.phase {
            Phase::Search(strategy) => {
                strategy.tell(&chain, feedback);
                let evaluation = Evaluation::new(chain, verdict);
                self.findings.evaluations.push(evaluation);
            }
            Phase::Random(control) | Phase::WrongTarget(control) => {
                control.strategy.tell(&chain, feedback);
                control.chains += 1;
                let found = control.found.as_ref();
                if verdict.correct && found.is_none_or(|found| chain.len() < found.len()) {
                    control.found = Some(chain);
                }
            }
            Phase::Confirm(_) | Phase::Over => {}
        }
    }

    fn end_phase(&mut self) {
        let seed = self.label.seed;
        self.phase = match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Search(strategy) => {
                self.findings.health = Some(strategy.health());
                Phase::Confirm(self.findings.right_chains())
            }
            Phase::Confirm(_) if self.with_controls => Phase::Random(Control::new(
                self.searches.random.build(seed ^ RANDOM_SEED),
                Target::Gold,
                self.label.gold.clone(),
            )),
            Phase::Random(control) => {
                self.findings.random = Some(control.outcome());
                self.wrong_search().map_or(Phase::Over, Phase::WrongTarget)
            }
            Phase::WrongTarget(control) => {
                self.findings.wrong_target = Some(control.outcome());
                Phase::Over
            }
            Phase::Confirm(_) | Phase::Over => Phase::Over,
        };
    }

    /// The search for a wrong answer, on samples the unmodified model gets wrong: a wrong answer
    /// that is not the model's own, so that it starts as far from it as the real search does.
    fn wrong_search(&self) -> Option<Control> {
        let baseline = self.findings.baseline(self.layers)?;
        if baseline.correct {
            return None;
        }
        let answers = self.judge.wrong_answers().into_iter().enumerate();
        let is_own = |answer: &str| self.judge.is_same(&baseline.answer, answer);
        let (at, text) = answers.into_iter().find(|(_, answer)| !is_own(answer))?;
        let strategy = self.searches.main.build(self.label.seed ^ WRONG_SEED);
        Some(Control::new(strategy, Target::Wrong(at), text))
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
            baseline: findings.baseline(self.layers).cloned(),
            pareto: pareto(&findings.evaluations, &findings.unconfirmed),
            best: findings.best,
            unconfirmed: findings.unconfirmed,
            evaluations: findings.evaluations,
            health: findings.health,
            controls: findings.random.map(|random| Controls {
                random,
                wrong_target: findings.wrong_target,
            }),
            cost: self.cost,
            error: findings.error,
            session,
            elapsed,
        }
    }
}

impl Findings {
    /// Right chains of the search, shortest first; of equal length in the order they were tried.
    fn right_chains(&self) -> VecDeque<Chain> {
        let mut right: Vec<&Evaluation> = self.evaluations.iter().filter(|e| e.correct).collect();
        right.sort_by_key(|e| e.chain.len());
        right.into_iter().map(|e| e.chain.clone()).collect()
    }

    /// What the unmodified model answered.
    fn baseline(&self, layers: usize) -> Option<&Evaluation> {
        let mut evaluations = self.evaluations.iter();
        evaluations.find(|evaluation| evaluation.chain.is_identity(layers))
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

/// Right chains that no right chain of at most their length beats on margin, shortest first.
fn pareto(evaluations: &[Evaluation], unconfirmed: &[Chain]) -> Vec<Evaluation> {
    let mut right: Vec<&Evaluation> = evaluations
        .iter()
        .filter(|e| e.correct && !unconfirmed.contains(&e.chain))
        .collect();
    let margin = |e: &Evaluation| e.margin.unwrap_or(f64::NEG_INFINITY);
    right.sort_by(|a, b| {
        let by_margin = margin(b).total_cmp(&margin(a));
        a.chain.len().cmp(&b.chain.len()).then(by_margin)
    });
    let mut front: Vec<Evaluation> = Vec::new();
    for evaluation in right {
        if front
            .last()
            .is_none_or(|last| margin(evaluation) > margin(last))
        {
            front.push(evaluation.clone());
        }
    }
    front
}
