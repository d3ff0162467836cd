//! Test support: records built by hand, and synthetic runs of any size.

use super::RunRecords;
use crate::run::{
    Certificate, ControlOutcome, Controls, Evaluation, RandomOutcome, RotationCount, SampleCost,
    SampleRecord, Transfer, UndoneEdit,
};
use cola_search::Health;
use cola_search::chain::Chain;

/// Builds one record of a model of four layers that answered wrong and found nothing.
pub struct Sample(SampleRecord);

/// Sample `index` of `task`.
pub fn sample(task: &str, index: usize) -> Sample {
    Sample(SampleRecord {
        task: task.to_owned(),
        id: index.to_string(),
        index,
        layers: 4,
        model_hash: "m".to_owned(),
        prompt_hash: "p".to_owned(),
        gold: "42".to_owned(),
        seed: 1,
        max_degradation: None,
        prompt_loss: Some(3.0),
        candidates: vec![],
        baseline: Some(evaluation("0-3", false)),
        best: None,
        unconfirmed: vec![],
        pareto: vec![],
        evaluations: vec![],
        health: None,
        controls: None,
        sampling: Vec::new(),
        menu: Vec::new(),
        menu_error: None,
        certificate: None,
        cost: SampleCost {
            steps_run: 30,
            steps_grown: 0,
            steps_saved: 10,
            tokens_decoded: 2,
            tokens_drafted: 1,
            passes: 6,
            decode_steps: 8,
            head_positions: 5,
            loss_positions: 3,
            evaluations: 5,
            seconds: 0.5,
        },
        error: None,
        session: 0,
        elapsed: 0.0,
    })
}

fn evaluation(chain: &str, correct: bool) -> Evaluation {
    Evaluation {
        chain: chain.parse().unwrap(),
        correct,
        margin: Some(if correct { 1.5 } else { -0.5 }),
        answer: if correct { "42" } else { "17" }.to_owned(),
        degradation: Some(0.0),
    }
}

/// A certificate without rotations and edits. `transfer`: samples, right of the chain, right of the unmodified model.
pub fn certificate((samples, right, unmodified_right): (usize, usize, usize)) -> Certificate {
    Certificate {
        confirmed: true,
        degradation: Some(0.0),
        rotations: None,
        edits: vec![],
        needed: 0,
        transfer: Transfer {
            samples,
            right,
            unmodified_right,
        },
    }
}

impl Sample {
    /// Sets the number of layers; the unmodified model answers right or wrong.
    pub fn layers(mut self, layers: usize, right: bool) -> Self {
        self.0.layers = layers;
        self.0.baseline = Some(evaluation(&Chain::identity(layers).to_string(), right));
        self
    }

    /// The unmodified model's verdict.
    pub fn baseline(self, right: bool) -> Self {
        let layers = self.0.layers;
        self.layers(layers, right)
    }

    /// A chain the search evaluated.
    pub fn tried(mut self, chain: &str, correct: bool) -> Self {
        self.0.evaluations.push(evaluation(chain, correct));
        self
    }

    /// The confirmed best chain; counted as evaluated too.
    pub fn best(mut self, chain: &str) -> Self {
        self.0.best = Some(evaluation(chain, true));
        self.tried(chain, true)
    }

    /// A chain the re-check did not confirm.
    pub fn refuted(mut self, chain: &str) -> Self {
        self.0.unconfirmed.push(chain.parse().unwrap());
        self
    }

    /// Controls: what random chains found, and (where one was possible) the wrong target's chain.
    pub fn controls(mut self, random: Option<&str>, wrong: Option<Option<&str>>) -> Self {
        let outcome = |target: &str, found: Option<&str>| ControlOutcome {
            target: target.to_owned(),
            chains: 5,
            found: found.map(|chain| chain.parse().unwrap()),
        };
        self.0.controls = Some(Controls {
            random: RandomOutcome {
                target: "42".to_owned(),
                chains: 5,
                found: random.map(|chain| chain.parse().unwrap()),
                // What random chains reach, they reach of every answer.
                found_matched: random
                    .filter(|_| wrong.is_some())
                    .map(|chain| chain.parse().unwrap()),
                ..RandomOutcome::default()
            },
            matched_target: wrong.map(|found| outcome("13", found)),
            wrong_target: wrong.map(|found| outcome("13", found)),
        });
        self
    }

    /// Simulations of the search.
    pub fn simulations(mut self, simulations: usize) -> Self {
        self.0.health = Some(Health {
            simulations,
            distinct_chains: simulations,
            re_asked: 0,
            max_depth: 2,
            mean_depth: 1.5,
            root_coverage: 0.5,
            tree_policy_share: 1.0,
            exhausted: false,
            degenerate: None,
        });
        self
    }

    /// A [certificate] of the best chain.
    pub fn certified(mut self, transfer: (usize, usize, usize)) -> Self {
        self.0.certificate = Some(certificate(transfer));
        self
    }

    /// The sample failed.
    pub fn failed(mut self, error: &str) -> Self {
        self.0.error = Some(error.to_owned());
        self
    }

    /// Changes anything else.
    pub fn with(mut self, change: impl FnOnce(&mut SampleRecord)) -> Self {
        change(&mut self.0);
        self
    }

    /// The record.
    pub fn build(self) -> SampleRecord {
        self.0
    }
}

/// A run of six samples whose every count is known by hand: see the tests of `summary`.
pub fn small_run() -> RunRecords {
    let records = vec![
        // right; shorter by skipping
        sample("arith", 0)
            .baseline(true)
            .tried("0-2", true)
            .best("0,3")
            .simulations(10),
        // right; nothing shorter; control on a right sample finds a shorter chain
        sample("arith", 1)
            .baseline(true)
            .best("0-3")
            .controls(Some("0-2"), Some(None)),
        // wrong; fixed by a repeat; one refuted skip; controls: random fixes, wrong target hit
        sample("arith", 2)
            .tried("0-1", true)
            .refuted("0-1")
            .best("0-3,3")
            .simulations(20)
            .controls(Some("0-2"), Some(Some("1-3"))),
        // wrong; not found; controls: nothing, and no wrong answer to look for
        sample("arith", 3).tried("0-2", false).controls(None, None),
        // failed after its baseline was right: counts as wrong
        sample("arith", 4)
            .baseline(true)
            .best("0-2")
            .failed("out of memory"),
        // another dataset: fixed by a reorder of the same length
        sample("facts", 0)
            .best("0,2,1,3")
            .controls(None, Some(None)),
    ];
    RunRecords::new("demo", 10.0, records.into_iter().map(Sample::build)).unwrap()
}

/// A run with certificates: five labels, of which one has none, and a sample without a label.
pub fn certified_run() -> RunRecords {
    let edit = || UndoneEdit {
        undone: "skip 3".to_owned(),
        chain: Chain::identity(4),
        correct: true,
        degradation: Some(0.0),
    };
    let with = |sample: Sample, change: &dyn Fn(&mut Certificate)| {
        sample.with(|record| change(record.certificate.as_mut().unwrap()))
    };
    let records = vec![
        // certified: right in all rotations; one of two edits needed
        with(
            sample("arith", 0).best("0-2").certified((16, 6, 10)),
            &|c| {
                c.rotations = Some(RotationCount { right: 4, of: 4 });
                (c.edits, c.needed) = (vec![edit(), edit()], 1);
            },
        ),
        // wrong in a rotation; its edit is needed
        with(
            sample("arith", 1).best("0-2").certified((16, 6, 10)),
            &|c| {
                c.rotations = Some(RotationCount { right: 3, of: 4 });
                (c.edits, c.needed) = (vec![edit()], 1);
            },
        ),
        // answers too few other samples
        sample("arith", 2).best("0,3").certified((16, 5, 10)),
        // certified: the unmodified model
        sample("arith", 3).best("0-3").certified((16, 10, 10)),
        sample("facts", 0).best("1-3"),
        sample("facts", 1).tried("0-2", false),
    ];
    RunRecords::new("demo", 10.0, records.into_iter().map(Sample::build)).unwrap()
}

/// A run of `samples` pseudo-random records for each of `tasks`, to draw and to count.
pub fn synthetic_run(tasks: &[&str], layers: usize, samples: usize) -> RunRecords {
    let records = synthetic_records(tasks, layers, samples);
    RunRecords::new("synthetic model", 83.4, records).unwrap()
}

/// The records of a synthetic run.
pub fn synthetic_records(tasks: &[&str], layers: usize, samples: usize) -> Vec<SampleRecord> {
    let mut dice = Dice(7);
    let mut records = Vec::new();
    for (difficulty, task) in tasks.iter().enumerate() {
        for index in 0..samples {
            records.push(synthetic_sample(task, index, layers, difficulty, &mut dice));
        }
    }
    records
}

fn synthetic_sample(
    task: &str,
    index: usize,
    layers: usize,
    difficulty: usize,
    dice: &mut Dice,
) -> SampleRecord {
    let right = dice.below(10) >= (difficulty + 2).min(9);
    let mut builder = sample(task, index).layers(layers, right).simulations(40);
    let mut shortest: Option<String> = right.then(|| Chain::identity(layers).to_string());
    for _ in 0..40 {
        let chain = synthetic_chain(layers, dice);
        let correct = dice.below(12) == 0 && dice.below(10) >= difficulty / 2;
        let text = chain.to_string();
        builder = builder.tried(&text, correct);
        let length = |text: &String| text.parse::<Chain>().unwrap().len();
        if correct && shortest.as_ref().is_none_or(|s| chain.len() < length(s)) {
            shortest = Some(text);
        }
    }
    if let Some(best) = shortest {
        builder = builder.best(&best);
    }
    if index.is_multiple_of(3) {
        let half = Chain::identity(layers / 2).to_string();
        let mut maybe = |of| (dice.below(of) == 0).then_some(half.as_str());
        builder = builder.controls(maybe(3), Some(maybe(4)));
    }
    match index % 29 {
        28 => builder.failed("non-finite state").build(),
        _ => builder.build(),
    }
}

/// The identity with a few skips and repeats, mostly in the middle of the stack.
fn synthetic_chain(layers: usize, dice: &mut Dice) -> Chain {
    let mut chain: Vec<u16> = (0..layers as u16).collect();
    for _ in 0..1 + dice.below(1 + layers / 5) {
        let at = (dice.below(chain.len()) + dice.below(chain.len())).div_ceil(2);
        let at = at.clamp(1, chain.len() - 1);
        match dice.below(3) {
            0 => chain.insert(at, chain[at]),
            _ if chain.len() > 2 => drop(chain.remove(at)),
            _ => {}
        }
    }
    Chain::new(chain)
}

/// A small linear congruential generator (Knuth's MMIX constants): the same run on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % n as u64) as usize
    }
}
