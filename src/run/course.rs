//! One sample's way from its first evaluation to its record.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use super::gather::{Gathering, cost_of};
use super::{ControlOutcome, Controls, Evaluation, SampleCost, SampleRecord};
use crate::prepare::{Answer, PreparedSample, Target};
use cola_engine::{EngineError, Outcome, Row};
use cola_search::chain::Chain;
use cola_search::{Ask, Feedback, Health, ResolvedSearch, Strategy};

/// The searches a sample goes through.
#[derive(Debug, Clone)]
pub struct Searches {
    /// The search itself; the wrong-answer control runs it too.
    pub main: Arc<ResolvedSearch>,
    /// Random chains at the same budget.
    pub random: Arc<ResolvedSearch>,
}

/// What a course needs next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Run this chain on every row, then call [`Course::receive`] for each. `alone`: uncached, in batches of its own.
    Evaluate {
        /// The chain.
        chain: Chain,
        /// See above.
        isolated: bool,
    },
    /// Nothing: take the record.
    Record,
}

/// A sample in flight. One evaluation is outstanding at a time, of all its rows.
pub struct Course {
    probe: PreparedSample,
    rows: Vec<Arc<Row>>,
    /// The outcomes of what is outstanding.
    gathering: Gathering,
    layers: usize,
    seed: u64,
    searches: Searches,
    with_controls: bool,
    phase: Phase,
    outstanding: Option<Chain>,
    /// Whether what is outstanding runs alone.
    isolated: bool,
    /// A near-tie to be asked again, alone.
    near_tie: Option<Chain>,
    /// What every chain answered so far: the controls ask many of the same chains.
    answers: HashMap<Chain, Vec<Answer>>,
    /// Right chains yet to be run again, shortest first.
    candidates: VecDeque<Chain>,
    evaluations: Vec<Evaluation>,
    best: Option<Evaluation>,
    unconfirmed: Vec<Chain>,
    health: Option<Health>,
    random: Option<ControlOutcome>,
    wrong_target: Option<ControlOutcome>,
    cost: SampleCost,
    error: Option<String>,
    started: Instant,
}

enum Phase {
    Search(Box<dyn Strategy>),
    Confirm,
    Random(Control),
    WrongTarget(Control),
    Over,
}

/// A control search.
struct Control {
    strategy: Box<dyn Strategy>,
    target: Target,
    chains: usize,
    found: Option<Chain>,
}

/// Seeds of the controls differ from the search's, so that they are other draws.
const RANDOM_SEED: u64 = 0x7261_6e64;
const WRONG_SEED: u64 = 0x7772_6f6e;

impl Course {
    /// Begins a sample whose rows are registered.
    pub fn new(
        probe: PreparedSample,
        rows: Vec<Arc<Row>>,
        layers: usize,
        seed: u64,
        searches: Searches,
        with_controls: bool,
    ) -> Self {
        Self {
            phase: Phase::Search(searches.main.build(seed)),
            probe,
            rows,
            gathering: Gathering::default(),
            layers,
            seed,
            searches,
            with_controls,
            outstanding: None,
            isolated: false,
            near_tie: None,
            answers: HashMap::new(),
            candidates: VecDeque::new(),
            evaluations: Vec::new(),
            best: None,
            unconfirmed: Vec::new(),
            health: None,
            random: None,
            wrong_target: None,
            cost: SampleCost::default(),
            error: None,
            started: Instant::now(),
        }
    }

    /// The sample.
    pub fn probe(&self) -> &PreparedSample {
        &self.probe
    }

    /// Its rows in the engine.
    pub fn rows(&self) -> &[Arc<Row>] {
        &self.rows
    }

    /// What to do next.
    pub fn advance(&mut self) -> Next {
        let next = self.next();
        self.isolated = matches!(next, Next::Evaluate { isolated: true, .. });
        self.gathering = Gathering::of(self.rows.len());
        next
    }

    fn next(&mut self) -> Next {
        if let Some(chain) = self.near_tie.take() {
            self.outstanding = Some(chain.clone());
            return Next::Evaluate {
                chain,
                isolated: true,
            };
        }
        loop {
            let wanted = match &mut self.phase {
                Phase::Over => return Next::Record,
                Phase::Confirm => {
                    if let Some(chain) = self.next_candidate() {
                        self.outstanding = Some(chain.clone());
                        return Next::Evaluate {
                            chain,
                            isolated: true,
                        };
                    }
                    None
                }
                Phase::Search(strategy) => wanted(strategy.as_mut()),
                Phase::Random(control) | Phase::WrongTarget(control) => {
                    wanted(control.strategy.as_mut())
                }
            };
            match wanted {
                None => self.end_phase(),
                Some(chain) => match self.answers.get(&chain).cloned() {
                    Some(answers) => self.tell(&chain, &answers),
                    None => {
                        self.outstanding = Some(chain.clone());
                        return Next::Evaluate {
                            chain,
                            isolated: false,
                        };
                    }
                },
            }
        }
    }

    /// Takes in the outcome of one row of the evaluation [`advance`](Self::advance) asked for. True
    /// when that was the last: time to [`advance`](Self::advance).
    pub fn receive(&mut self, row: usize, result: Result<Outcome, EngineError>) -> bool {
        let Some(gathered) = self.gathering.take(row, result) else {
            return false;
        };
        match gathered {
            Ok(outcomes) => self.learn(&outcomes),
            Err(error) => {
                let sample = self.probe.sample();
                tracing::warn!(task = %sample.task.name, id = %sample.id, %error, "sample failed");
                self.fail(error);
            }
        }
        true
    }

    fn learn(&mut self, outcomes: &[Outcome]) {
        let Some(chain) = self.outstanding.take() else {
            return;
        };
        let cost = cost_of(outcomes);
        self.cost.evaluations += 1;
        self.cost.steps_run += cost.steps_run;
        self.cost.steps_saved += cost.steps_saved;
        self.cost.tokens_decoded += cost.tokens_decoded;
        self.cost.decode_steps += cost.decode_steps;
        self.cost.tokens_drafted += cost.tokens_drafted;
        self.cost.passes += cost.passes;
        match self.probe.answers(&self.rows, outcomes) {
            Err(error) => self.fail(error.to_string()),
            Ok(answers) if !self.isolated && self.probe.is_near_tie(outcomes, &answers) => {
                self.near_tie = Some(chain);
            }
            Ok(answers) => match self.phase {
                Phase::Confirm => self.confirm(chain, &answers),
                _ => {
                    self.tell(&chain, &answers);
                    self.answers.insert(chain, answers);
                }
            },
        }
    }

    /// Gives the sample up; its record says why.
    pub fn fail(&mut self, error: String) {
        self.error = Some(error);
        self.phase = Phase::Over;
    }

    fn evaluation(&self, chain: &Chain, answers: &[Answer], target: &Target) -> Evaluation {
        let verdict = self.probe.verdict(answers, target);
        Evaluation {
            chain: chain.clone(),
            correct: verdict.correct,
            margin: verdict.margin,
            answer: verdict.answer,
        }
    }

    fn tell(&mut self, chain: &Chain, answers: &[Answer]) {
        let target = match &self.phase {
            Phase::WrongTarget(control) => control.target.clone(),
            _ => Target::Gold,
        };
        let evaluation = self.evaluation(chain, answers, &target);
        let feedback = Feedback {
            correct: evaluation.correct,
            margin: evaluation.margin,
        };
        match &mut self.phase {
            Phase::Search(strategy) => {
                strategy.tell(chain, feedback);
                self.evaluations.push(evaluation);
            }
            Phase::Random(control) | Phase::WrongTarget(control) => {
                control.strategy.tell(chain, feedback);
                control.chains += 1;
                let shorter = control
                    .found
                    .as_ref()
                    .is_none_or(|found| chain.len() < found.len());
                if evaluation.correct && shorter {
                    control.found = Some(chain.clone());
                }
            }
            Phase::Confirm | Phase::Over => {}
        }
    }

    fn confirm(&mut self, chain: Chain, answers: &[Answer]) {
        let evaluation = self.evaluation(&chain, answers, &Target::Gold);
        match evaluation.correct {
            true => self.best = Some(evaluation),
            false => self.unconfirmed.push(chain),
        }
    }

    fn next_candidate(&mut self) -> Option<Chain> {
        match self.best {
            Some(_) => None,
            None => self.candidates.pop_front(),
        }
    }

    fn end_phase(&mut self) {
        let phase = std::mem::replace(&mut self.phase, Phase::Over);
        self.phase = match phase {
            Phase::Search(strategy) => {
                self.health = Some(strategy.health());
                self.candidates = self.right_chains();
                Phase::Confirm
            }
            Phase::Confirm if self.with_controls => Phase::Random(Control {
                strategy: self.searches.random.build(self.seed ^ RANDOM_SEED),
                target: Target::Gold,
                chains: 0,
                found: None,
            }),
            Phase::Random(control) => {
                self.random = Some(self.outcome(&control));
                self.wrong_search().map_or(Phase::Over, Phase::WrongTarget)
            }
            Phase::WrongTarget(control) => {
                self.wrong_target = Some(self.outcome(&control));
                Phase::Over
            }
            Phase::Confirm | Phase::Over => Phase::Over,
        };
    }

    /// Right chains of the search, shortest first; of equal length in the order they were tried.
    fn right_chains(&self) -> VecDeque<Chain> {
        let mut right: Vec<&Evaluation> = self.evaluations.iter().filter(|e| e.correct).collect();
        right.sort_by_key(|e| e.chain.len());
        right.into_iter().map(|e| e.chain.clone()).collect()
    }

    /// The search for a wrong answer, on samples the unmodified model gets wrong: a wrong answer
    /// that is not the model's own, so that it starts as far from it as the real search does.
    fn wrong_search(&self) -> Option<Control> {
        let baseline = self.baseline()?;
        if baseline.correct {
            return None;
        }
        let targets = (0..self.probe.wrong_targets()).map(Target::Wrong);
        let target = targets
            .into_iter()
            .find(|target| !self.probe.answers_target(&baseline.answer, target))?;
        Some(Control {
            strategy: self.searches.main.build(self.seed ^ WRONG_SEED),
            target,
            chains: 0,
            found: None,
        })
    }

    fn outcome(&self, control: &Control) -> ControlOutcome {
        ControlOutcome {
            target: self.probe.target_text(&control.target).to_owned(),
            chains: control.chains,
            found: control.found.clone(),
        }
    }

    fn baseline(&self) -> Option<&Evaluation> {
        self.evaluations
            .iter()
            .find(|e| e.chain.is_identity(self.layers))
    }

    /// The finished record.
    pub fn into_record(mut self, model_hash: &str, session: u32, elapsed: f64) -> SampleRecord {
        self.cost.seconds = self.started.elapsed().as_secs_f64();
        let sample = self.probe.sample();
        let controls = self.random.take().map(|random| Controls {
            random,
            wrong_target: self.wrong_target.take(),
        });
        SampleRecord {
            task: sample.task.name.clone(),
            id: sample.id.clone(),
            index: sample.index,
            layers: self.layers,
            model_hash: model_hash.to_owned(),
            prompt_hash: prompt_hash(&self.rows),
            gold: sample.gold_text().to_owned(),
            seed: self.seed,
            baseline: self.baseline().cloned(),
            pareto: pareto(&self.evaluations, &self.unconfirmed),
            best: self.best,
            unconfirmed: self.unconfirmed,
            evaluations: self.evaluations,
            health: self.health,
            controls,
            cost: self.cost,
            error: self.error,
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
