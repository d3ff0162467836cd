//! A made-up world for tests: problems and a backend without a model.
//!
//! What a chain is worth on a problem is a function of both, drawn by hash. Some outcomes are near-ties: unless they run
//! isolated, they say nothing, and a run that took them at their word would record other verdicts.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

use crossbeam_channel::{Receiver, Sender, unbounded};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::problem::{Judge, Judged, Prepared, Problem, Rotations, Scores, Target, Verdict};
use cola_engine::{
    Backend, Completion, Cost, DecodePlan, EngineError, Outcome, Request, Row, RowId,
};
use cola_search::{chain::Chain, seed_for};

/// Layers of the model there would be.
pub const LAYERS: usize = 6;

/// A bound on degradation that many chains are near.
pub const BOUND: f64 = 0.5;

/// What a batch can change a log-probability by, nats.
const NEAR_TIE: f64 = 0.01;

/// An outcome that cost so many steps.
pub fn outcome(steps: u64) -> Outcome {
    Outcome {
        readings: Vec::new(),
        prompt_loss: None,
        influence: None,
        generated: None,
        lead: f64::INFINITY,
        cost: Cost {
            steps_run: steps,
            ..Cost::default()
        },
    }
}

/// A problem of two rows. Its rows' token says which it is.
#[derive(Debug, Clone)]
pub struct FakeProblem {
    pub number: u32,
    id: String,
    /// Whether it cannot be asked.
    pub unaskable: bool,
    /// Whether its answers are generated, so that they can be drawn.
    pub generated: bool,
}

impl FakeProblem {
    pub fn some(count: u32) -> Vec<Self> {
        let problem = |number| FakeProblem {
            number,
            id: format!("p{number}"),
            unaskable: false,
            generated: false,
        };
        (0..count).map(problem).collect()
    }

    /// What the problem's judge is to find of a chain.
    pub fn truth(&self, chain: &Chain) -> Verdict {
        verdict([0, 1].map(|row| worth(self.number, row, chain)))
    }

    /// Whether the answer drawn by a seed is right.
    pub fn drawn(&self, seed: u64) -> bool {
        verdict([0, 1].map(|row| drawn_worth(self.number, row, seed))).correct
    }

    /// The degradation of a chain, as isolated runs measure it.
    pub fn degradation(&self, chain: &Chain) -> f64 {
        let loss = |chain: &Chain| {
            let rows = [0, 1].map(|row| prompt_loss(self.number, row, chain));
            f64::midpoint(rows[0], rows[1])
        };
        loss(chain) - loss(&Chain::identity(LAYERS))
    }
}

/// What a chain is worth on a row: never near 0.
fn worth(problem: u32, row: u32, chain: &Chain) -> f64 {
    let drawn = seed_for(u64::from(problem), &row.to_string(), &chain.to_string());
    let size = 0.1 + (drawn % 1000) as f64 / 250.0;
    if drawn.is_multiple_of(3) { -size } else { size }
}

/// What an answer drawn by a seed is worth on a row.
fn drawn_worth(problem: u32, row: u32, seed: u64) -> f64 {
    worth(
        problem ^ (seed as u32 & 0xff_ffff),
        row,
        &Chain::identity(LAYERS),
    )
}

/// Loss on the prompt of a row. Every third chain has a degradation of [`BOUND`] and less, or more, than a batch can hide.
fn prompt_loss(problem: u32, row: u32, chain: &Chain) -> f64 {
    if chain.is_identity(LAYERS) {
        return 2.0;
    }
    let drawn = seed_for(u64::from(problem), "loss", &chain.to_string());
    let hidden = f64::from((drawn >> 8) as u8) / 256.0 - 0.5;
    let degradation = match drawn % 3 {
        0 => BOUND + hidden * NEAR_TIE,
        _ => (drawn % 100) as f64 / 50.0,
    };
    // The rows differ, and their mean does not.
    2.0 + degradation + if row == 0 { 0.2 } else { -0.2 }
}

/// Right where both rows say so.
fn verdict(worth: [f64; 2]) -> Verdict {
    let margin = worth[0].min(worth[1]);
    Verdict {
        correct: margin > 0.0,
        margin: Some(margin),
        answer: if margin > 0.0 { "gold" } else { "w0" }.to_owned(),
        values: vec![f64::from(margin > 0.0)],
    }
}

impl Problem for FakeProblem {
    type Judge = FakeJudge;

    fn task(&self) -> &str {
        "fake"
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn index(&self) -> usize {
        self.number as usize
    }

    fn gold(&self) -> String {
        "gold".to_owned()
    }

    fn fingerprint(&self) -> String {
        self.id.clone()
    }

    fn prepare(&self) -> Result<Prepared<FakeJudge>, String> {
        if self.unaskable {
            return Err("cannot be asked".to_owned());
        }
        let row = |at| {
            let mut builder = Row::builder(&[self.number, at]);
            builder.read_prompt_loss();
            builder.build()
        };
        Ok(Prepared {
            rows: vec![row(0), row(1)],
            decode: self.generated.then(|| DecodePlan {
                max_tokens: 1,
                stop_tokens: [].into(),
                finished: None,
                sampling: None,
            }),
            judge: FakeJudge,
        })
    }

    /// Of every third problem two others, of the next the verdict covers two in all, and the last has none.
    fn rotations(&self) -> Rotations<Self> {
        let other = |turn: u32| FakeProblem {
            number: self.number + 1000 * turn,
            ..self.clone()
        };
        match self.number % 3 {
            0 => Rotations::Others(vec![other(1), other(2)]),
            1 => Rotations::Covered(2),
            _ => Rotations::None,
        }
    }
}

/// Reads what a chain is worth off the outcomes.
#[derive(Debug)]
pub struct FakeJudge;

impl Judge for FakeJudge {
    fn judge(
        &self,
        _: &[Arc<Row>],
        outcomes: &[Outcome],
        target: Target,
    ) -> Result<Judged, String> {
        let worth = [outcomes[0].lead, outcomes[1].lead];
        if worth.iter().any(|worth| worth.is_nan()) {
            let verdict = Verdict {
                correct: false,
                margin: None,
                answer: String::new(),
                values: vec![0.0],
            };
            return Ok(Judged {
                verdict,
                near_tie: false,
            });
        }
        let gold = verdict(worth);
        Ok(Judged {
            near_tie: worth.contains(&0.0),
            verdict: match target {
                Target::Gold => gold,
                // The wrong answers share what is not right.
                Target::Wrong(n) => Verdict {
                    // w0 near the right answer, then w1 and w2.
                    correct: gold.margin.is_some_and(|m| {
                        m < 0.0 && n == usize::from(m < -1.0) + usize::from(m < -2.0)
                    }),
                    ..gold
                },
            },
        })
    }

    fn wrong_answers(&self) -> Vec<String> {
        vec!["w0".to_owned(), "w1".to_owned(), "w2".to_owned()]
    }

    /// The right answer is as likely as w2.
    fn scores(&self, _: &[Arc<Row>], _: &[Outcome]) -> Option<Scores> {
        Some(Scores {
            gold: -2.0,
            wrong: vec![-1.0, -5.0, -2.5],
        })
    }

    fn near_tie_nats(&self) -> f64 {
        NEAR_TIE
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Evaluations of this problem fail.
    pub broken: Option<u32>,
    /// Every so manieth chain of a problem, by its hash, fails.
    pub failing: Option<u64>,
    /// The device is lost after so many evaluations.
    pub lost_after: Option<usize>,
    /// Every so manieth chain of a problem, by its hash, has a state that is not finite.
    pub not_finite: Option<u64>,
    /// This is set after so many.
    pub interrupt: Option<(usize, Arc<AtomicBool>)>,
}

/// Answers what is submitted, on a thread of its own, in an order that is drawn by `seed`.
pub struct FakeBackend {
    requests: Option<Sender<(Request, Sender<Completion>)>>,
    thread: Option<JoinHandle<()>>,
    registered: Mutex<BTreeSet<RowId>>,
    pub submitted: Arc<AtomicUsize>,
}

impl FakeBackend {
    pub fn new(seed: u64, faults: Faults) -> Self {
        let (requests, incoming) = unbounded();
        let submitted = Arc::new(AtomicUsize::new(0));
        let thread = std::thread::spawn(move || answer(seed, &faults, &incoming));
        Self {
            requests: Some(requests),
            thread: Some(thread),
            registered: Mutex::default(),
            submitted,
        }
    }

    /// Rows that were never released.
    pub fn left(&self) -> usize {
        self.registered.lock().unwrap().len()
    }
}

fn answer(seed: u64, faults: &Faults, incoming: &Receiver<(Request, Sender<Completion>)>) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut pool = Vec::new();
    let mut answered = 0;
    while let Ok(first) = incoming.recv() {
        pool.push(first);
        while !pool.is_empty() {
            pool.extend(incoming.try_iter());
            let (request, reply) = pool.swap_remove(random.random_range(0..pool.len()));
            let result = outcome_of(&request, answered, faults);
            answered += 1;
            if let Some((after, flag)) = &faults.interrupt
                && answered >= *after
            {
                flag.store(true, Ordering::Relaxed);
            }
            let tag = request.tag;
            let _ = reply.send(Completion { tag, result });
        }
    }
}

/// What comes of a request that is answered after so many others.
pub fn outcome_of(
    request: &Request,
    answered: usize,
    faults: &Faults,
) -> Result<Outcome, EngineError> {
    let &[problem, row] = request.row.tokens() else {
        panic!("not a fake row");
    };
    if faults.lost_after.is_some_and(|after| answered >= after) {
        return Err(EngineError::Device("gone".to_owned()));
    }
    if faults.broken == Some(problem) {
        return Err(EngineError::Panic("broken".to_owned()));
    }
    let drawn = seed_for(u64::from(problem), "failing", &request.chain.to_string());
    if faults
        .failing
        .is_some_and(|one_in| drawn.is_multiple_of(one_in))
    {
        return Err(EngineError::Panic("failing".to_owned()));
    }
    let sampling = request.decode.as_ref().and_then(|decode| decode.sampling);
    let worth = match sampling {
        Some(sampling) => drawn_worth(problem, row, sampling.seed),
        None => worth(problem, row, &request.chain),
    };
    // A quarter of what does not run isolated is a near-tie.
    let tie = !request.isolated && (worth * 1000.0) as i64 % 4 == 0;
    let loss = prompt_loss(problem, row, &request.chain);
    let drawn = seed_for(u64::from(problem), "finite", &request.chain.to_string());
    if faults
        .not_finite
        .is_some_and(|one_in| drawn.is_multiple_of(one_in))
    {
        return Ok(Outcome {
            lead: f64::NAN,
            prompt_loss: Some(f64::INFINITY),
            ..outcome(request.chain.len() as u64)
        });
    }
    // What a batch adds is the same for both rows, and another in another order of the work.
    let noise = match request.isolated {
        true => 0.0,
        false => NEAR_TIE * ((answered * 7919 % 64) as f64 / 64.0 - 0.5) / 2.0,
    };
    Ok(Outcome {
        lead: if tie { 0.0 } else { worth },
        prompt_loss: Some(loss + noise),
        ..outcome(request.chain.len() as u64)
    })
}

impl Backend for FakeBackend {
    fn register_all(&self, rows: Vec<Row>) -> Result<Vec<Arc<Row>>, EngineError> {
        let mut registered = self.registered.lock().unwrap();
        registered.extend(rows.iter().map(Row::id));
        Ok(rows.into_iter().map(Arc::new).collect())
    }

    fn release(&self, row: &Row) {
        assert!(self.registered.lock().unwrap().remove(&row.id()));
    }

    fn submit(&self, request: Request, reply: &Sender<Completion>) {
        self.submitted.fetch_add(1, Ordering::Relaxed);
        assert!(self.registered.lock().unwrap().contains(&request.row.id()));
        if let Some(requests) = &self.requests {
            requests.send((request, reply.clone())).unwrap();
        }
    }
}

impl Drop for FakeBackend {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // It panicked only if a test has failed already.
            let _ = thread.join();
        }
    }
}
