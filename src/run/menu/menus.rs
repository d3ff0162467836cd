//! The menus of a run while parts of them are not known.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{
    choose::{Rated, choose},
    file::{Found, MenuLine, NAME, hash},
    halves::{Half, halves, other},
};
use crate::run::{RunError, SampleRecord, StaleLine};
use cola_search::{chain::Chain, seed_for};

/// What the menus of finished records depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MenuPlan {
    /// Seed of the run.
    pub seed: u64,
    /// Chains of a menu, the unmodified model included.
    pub tries: usize,
}

/// What is known of the menus.
#[derive(Debug)]
pub struct Menus {
    plan: MenuPlan,
    unmodified: Chain,
    halves: Vec<Half>,
    /// Of each half, how many of its samples it is not known of which chains of its pool are right.
    unknown: Vec<usize>,
    /// Of each half, the menu that was chosen on it, once everything is known of its pool.
    chosen: Vec<Option<Vec<Chain>>>,
    samples: Vec<Sample>,
    /// Indices of the records, by task and id.
    places: BTreeMap<(String, String), usize>,
    /// Tasks with too few samples for menus, and how many they have.
    pub too_small: Vec<(String, usize)>,
}

/// What is known of one sample, by the index of its record.
#[derive(Debug, Default)]
struct Sample {
    /// `None` where it is in no half: it failed, or its task is too small.
    half: Option<usize>,
    /// Whether the unmodified model is right.
    unmodified_right: bool,
    /// Of each chain of its half's pool, whether it is right. None of them is if one failed: then the sample does not help to choose.
    right: Option<Box<[bool]>>,
    /// Whether it has its menu.
    tried: bool,
}

impl Menus {
    /// Nothing is known yet.
    pub fn new(plan: MenuPlan, records: &[SampleRecord]) -> Self {
        let (halves, too_small) = halves(records, plan.seed, plan.tries);
        let sample = |record: &SampleRecord| Sample {
            unmodified_right: record.baseline_correct(),
            ..Sample::default()
        };
        let mut samples: Vec<Sample> = records.iter().map(sample).collect();
        for (number, half) in halves.iter().enumerate() {
            for &at in &half.members {
                samples[at].half = Some(number);
            }
        }
        let named = records.iter().enumerate();
        Self {
            plan,
            places: named
                .map(|(at, record)| ((record.task.clone(), record.id.clone()), at))
                .collect(),
            unknown: halves.iter().map(|half| half.members.len()).collect(),
            unmodified: Chain::identity(records.first().map_or(0, |record| record.layers)),
            chosen: halves.iter().map(|_| None).collect(),
            halves,
            samples,
            too_small,
        }
    }

    /// Takes in a line of a run directory, and gives its record the menu if the line has it. Returns the index of the record.
    ///
    /// # Errors
    /// The line is of something else than this run.
    pub fn resume(
        &mut self,
        directory: &Path,
        line: &MenuLine,
        records: &mut [SampleRecord],
    ) -> Result<Option<usize>, RunError> {
        let name = (line.task.clone(), line.id.clone());
        let at = self.places.get(&name).copied();
        let differs = self.difference(line, at.map(|at| (at, &records[at])));
        if let Some((field, was, now)) = differs {
            return Err(StaleLine {
                path: PathBuf::from(directory).join(NAME),
                stage: "menu",
                option: "arms",
                sample: format!("{}/{}", line.task, line.id),
                field,
                was,
                now,
            }
            .into());
        }
        if let Some(at) = at {
            line.give(&mut records[at]);
            self.learn(at, &line.found);
        }
        Ok(at)
    }

    /// The first thing that a line depends on and that is another now: its name, what it was, what it is.
    fn difference(
        &self,
        line: &MenuLine,
        record: Option<(usize, &SampleRecord)>,
    ) -> Option<(&'static str, String, String)> {
        let none = || "none".to_owned();
        let nats = |bound: Option<f64>| bound.map_or_else(none, |bound| bound.to_string());
        let mut fields = Vec::new();
        if let Some((_, record)) = record {
            let seed = seed_for(line.seed, &line.task, &line.id);
            fields.push((
                "seed of the sample",
                seed.to_string(),
                record.seed.to_string(),
            ));
            let bound = nats(record.max_degradation);
            fields.push(("max_degradation", nats(line.max_degradation), bound));
        }
        let MenuPlan { seed, tries } = self.plan;
        fields.push(("seed", line.seed.to_string(), seed.to_string()));
        fields.push(("tries", line.tries.to_string(), tries.to_string()));
        let at = record.map(|(at, _)| at);
        let now = |chains: Option<&[Chain]>| chains.map_or_else(none, hash);
        fields.push(match &line.found {
            Found::Pool { pool, .. } => {
                ("pool", pool.clone(), now(at.and_then(|at| self.pool(at))))
            }
            Found::Menu { menu, .. } => {
                ("menu", menu.clone(), now(at.and_then(|at| self.menu(at))))
            }
        });
        fields.into_iter().find(|(_, was, now)| was != now)
    }

    /// The samples that menus are chosen on and tried on.
    pub fn samples(&self) -> impl Iterator<Item = usize> {
        let all = self.samples.iter().enumerate();
        all.filter(|(_, sample)| sample.half.is_some())
            .map(|(at, _)| at)
    }

    /// Whether it is known which chains of its pool are right on a sample.
    pub fn is_judged(&self, at: usize) -> bool {
        self.samples[at].right.is_some()
    }

    /// Whether a sample has its menu, or the reason why it has none.
    pub fn is_tried(&self, at: usize) -> bool {
        self.samples[at].tried
    }

    /// The pool that a sample helps to choose from.
    pub fn pool(&self, at: usize) -> Option<&[Chain]> {
        let half = self.samples[at].half?;
        Some(&self.halves[half].pool)
    }

    /// The menu of a sample, once it is chosen.
    pub fn menu(&self, at: usize) -> Option<&[Chain]> {
        let half = self.samples[at].half?;
        self.chosen[other(half)].as_deref()
    }

    /// Takes in what was found on a sample. The last one of a half decides the menu that is chosen on it.
    pub fn learn(&mut self, at: usize, found: &Found) {
        let sample = &mut self.samples[at];
        match found {
            Found::Menu { .. } => sample.tried = true,
            Found::Pool { right, .. } => {
                let Some(half) = sample.half else {
                    return;
                };
                let right: BTreeSet<&Chain> = right.iter().collect();
                let pool = self.halves[half].pool.iter();
                let was_known = sample.right.is_some();
                sample.right = Some(pool.map(|chain| right.contains(chain)).collect());
                self.unknown[half] -= usize::from(!was_known);
                self.chosen[half] = self.choose(half);
            }
        }
    }

    /// The menu chosen on a half, the unmodified model first; `None` while it is not known which chains are right on its samples.
    fn choose(&self, half: usize) -> Option<Vec<Chain>> {
        if self.unknown[half] > 0 {
            return None;
        }
        let Half { members, pool } = &self.halves[half];
        let samples = members.iter().map(|&at| &self.samples[at]);
        let judged: Vec<(&Sample, &[bool])> = samples
            .map(|sample| Some((sample, sample.right.as_deref()?)))
            .collect::<Option<_>>()?;
        let rated = |(nth, chain): (usize, &Chain)| {
            let right = judged.iter().enumerate();
            let right = right.filter(|(_, (_, right))| right[nth]);
            let wrong_before = right.clone().filter(|(_, (s, _))| !s.unmodified_right);
            Rated {
                chain: chain.clone(),
                right: right.clone().count(),
                fixed: wrong_before.map(|(number, _)| number).collect(),
            }
        };
        let others = choose(
            pool.iter().enumerate().map(rated).collect(),
            self.plan.tries.saturating_sub(1),
        );
        Some(
            [self.unmodified.clone()]
                .into_iter()
                .chain(others)
                .collect(),
        )
    }
}
