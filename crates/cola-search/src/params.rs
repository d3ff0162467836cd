//! The parameters of a search, and the presets.

use serde::{Deserialize, Serialize};

use crate::chain::{EditSpace, LengthBounds};

/// A named set of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// This project's own search.
    Default,
    /// CoLa as published (arXiv 2507.07996).
    ColaPaper,
    /// The code released with PoLar (arXiv 2606.06574).
    PolarRelease,
    /// Dr.LLM's search.
    DrLlm,
    /// The re-implementation of PoLar with edit sets as nodes.
    RePolar,
}

impl Preset {
    /// Every preset, with its name on the command line.
    pub const ALL: [(&'static str, Preset); 5] = [
        ("default", Preset::Default),
        ("cola-paper", Preset::ColaPaper),
        ("polar-release", Preset::PolarRelease),
        ("dr-llm", Preset::DrLlm),
        ("re-polar", Preset::RePolar),
    ];
}

/// When a node gets children, and how selection scores them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Growth {
    /// PUCT: the best edit not proposed yet competes with the children by its prior, while there
    /// are fewer children than the widening limit.
    Prior,
    /// A random edit is added while there are fewer children than the widening limit; children are scored
    /// by UCB.
    Widening,
    /// All children are added when a node is first expanded; they are scored by UCB, unvisited ones last.
    AllAtOnce,
}

/// The visit count that is the `V` of the UCB rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VisitTotal {
    /// All simulations so far (the root's visits).
    Root,
    /// The parent's visits.
    Parent,
}

/// All parameters of a search, resolved for a model. Recorded in the run's manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchParams {
    /// Layers `L` of the model.
    pub layers: usize,
    /// Simulations per sample, including the evaluation of the identity.
    pub simulations: usize,
    /// Most layer steps per sample, every shared prefix run once (`--budget-steps`); `None` for no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_steps: Option<usize>,
    /// Legal edits of the identity.
    pub root_edits: EditSpace,
    /// Legal edits of every other chain.
    pub deep_edits: EditSpace,
    /// How nodes get children and how selection scores them.
    pub growth: Growth,
    /// Exploration constant `c`.
    pub exploration: f64,
    /// `lambda` of the UCB rule, for a chain as long as the model.
    pub length_penalty: f64,
    /// `V` of the UCB rule.
    pub visit_total: VisitTotal,
    /// Added to `V` inside the logarithm.
    pub visit_offset: f64,
    /// Probability of a random child instead of the best.
    pub random_child: f64,
    /// Factor of the widening limit `ceil(factor * visits^exponent)`.
    pub widening_factor: f64,
    /// Exponent of the widening limit.
    pub widening_exponent: f64,
    /// Whether a chain that was found from two nodes is a child of both, or of the first only.
    pub shared_nodes: bool,
    /// Whether the reward is larger for a shorter right chain, and for a wrong chain with a margin closer
    /// to zero; otherwise it is 1 for right and 0 for wrong.
    pub shaped_reward: bool,
    /// Whether the shaped reward ignores margins, so that all wrong chains have the same reward
    /// (`--score verdict`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub verdict_only: bool,
    /// Whether to stop at the first right chain or, if the unmodified model is right, at the first right
    /// chain that is shorter.
    pub stop_early: bool,
    /// Share of the simulations that shrink the shortest right chain, until it is proven.
    pub shrink_share: f64,
    /// Share of the simulations that delete layers from evaluated chains, chosen by a model of which chains are
    /// right, once the shortest right chain is proven.
    pub nearby_share: f64,
    /// Share of the simulations that evaluate a fresh chain, a few random edits from the identity, while no right chain is
    /// known.
    #[serde(default)]
    pub fresh_share: f64,
    /// Share of the simulations that edit one of the nearest misses, while no right chain is known. The tree gets the rest.
    #[serde(default)]
    pub repair_share: f64,
    /// Bound on the degradation of right chains, nats a token; `None` for none. Not serialized, because a run records it
    /// separately.
    #[serde(skip)]
    pub max_degradation: Option<f64>,
    /// Most edits in a chain of the `random` strategy, and in a fresh one.
    pub random_edits: usize,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl SearchParams {
    /// The parameters of a preset for a model of `layers` layers.
    ///
    /// Deviations of the presets from the publications:
    /// - `cola-paper`: `c` and the lengths are not published; sqrt 2 and `[L/2, 1.25 L]` are used. When a
    ///   node gets another child is not published either. With all children at once, hundreds of root
    ///   edits would use up 200 simulations at depth 1, so nodes widen as in `re-polar`.
    /// - `polar-release`: none. The lengths of models that are not in its table are `[2/3 L, 7/6 L]`. By
    ///   its own rule it visits few of the root's edits: see [`Health`](super::Health).
    /// - `dr-llm`: its loop gives no node a second child and walks one line of 30 to 50 edits; here nodes
    ///   widen as in `re-polar`. Edits that change nothing are left out.
    /// - `re-polar`: the number of simulations, `p` and the lengths are not published; those of
    ///   `cola-paper` are used. Two edit sets that give the same chain are one node.
    ///
    /// In all presets a chain is evaluated only once, and the evaluation of the identity is the first
    /// simulation.
    pub fn preset(preset: Preset, layers: usize) -> Self {
        match preset {
            Preset::Default => Self::own(layers),
            Preset::ColaPaper => Self::published(layers),
            Preset::PolarRelease => Self::polar_release(layers),
            Preset::DrLlm => Self::dr_llm(layers),
            Preset::RePolar => {
                let mut params = Self::published(layers);
                params.root_edits.untouched_only = true;
                params.deep_edits.untouched_only = true;
                params.exploration = 1.414;
                params
            }
        }
    }

    /// The parameters of `default`. Blocks have up to half of the model's layers, and up to 8 in small
    /// models, since a stretch that needs a second pass is rarely a single layer. Chains have at most
    /// `L + max(16, L/2)` layers: half the model may run again, or all of a model of 8 layers two more
    /// times. No right chain is too short: the search looks for the shortest one, and the controls of a
    /// run, not a bound, show how often a short chain is right by luck.
    fn own(layers: usize) -> Self {
        let block = (layers / 2).max(8);
        let edits = EditSpace {
            skip_block: block,
            repeat_block: block,
            extra_repeats: 4,
            swap_block: (layers / 4).max(4),
            max_uses: None,
            damping: None,
            untouched_only: false,
            lengths: LengthBounds {
                min: 1,
                max: layers + block.max(16),
            },
        };
        Self {
            root_edits: edits,
            deep_edits: edits,
            growth: Growth::Prior,
            exploration: 0.5,
            length_penalty: 0.0,
            random_child: 0.0,
            widening_factor: 3.0,
            widening_exponent: 0.7,
            shaped_reward: true,
            shrink_share: 1.0,
            nearby_share: 1.0,
            fresh_share: 0.2,
            repair_share: 0.2,
            ..Self::published(layers)
        }
    }

    /// The parameters of the CoLa paper. The other presets are variations of them.
    fn published(layers: usize) -> Self {
        let edits = EditSpace {
            skip_block: 4,
            repeat_block: 4,
            extra_repeats: 4,
            swap_block: 0,
            max_uses: None,
            damping: None,
            untouched_only: false,
            lengths: LengthBounds {
                min: layers.div_ceil(2),
                max: layers * 5 / 4,
            },
        };
        Self {
            layers,
            simulations: 200,
            budget_steps: None,
            root_edits: edits,
            deep_edits: edits,
            growth: Growth::Widening,
            exploration: std::f64::consts::SQRT_2,
            length_penalty: 5.0,
            visit_total: VisitTotal::Root,
            visit_offset: 0.0,
            random_child: 0.1,
            widening_factor: 2.0,
            widening_exponent: 0.5,
            shared_nodes: true,
            shaped_reward: false,
            verdict_only: false,
            stop_early: false,
            shrink_share: 0.0,
            nearby_share: 0.0,
            fresh_share: 0.0,
            repair_share: 0.0,
            max_degradation: None,
            random_edits: 4,
        }
    }

    fn polar_release(layers: usize) -> Self {
        let (min, max) = match layers {
            24 => (16, 28),
            28 => (16, 32),
            36 => (24, 44),
            48 => (36, 54),
            _ => (layers * 2 / 3, (layers * 7).div_ceil(6)),
        };
        let root = EditSpace {
            extra_repeats: 1,
            max_uses: Some(2),
            lengths: LengthBounds { min, max },
            ..Self::published(layers).root_edits
        };
        Self {
            simulations: 100,
            root_edits: root,
            deep_edits: EditSpace {
                skip_block: 1,
                repeat_block: 1,
                ..root
            },
            growth: Growth::AllAtOnce,
            visit_offset: 1.0,
            shared_nodes: false,
            ..Self::published(layers)
        }
    }

    fn dr_llm(layers: usize) -> Self {
        let edits = EditSpace {
            skip_block: 2,
            repeat_block: 1,
            extra_repeats: 1,
            lengths: LengthBounds {
                min: 1,
                max: layers * 2,
            },
            ..Self::published(layers).root_edits
        };
        Self {
            simulations: 50,
            root_edits: edits,
            deep_edits: edits,
            exploration: 1.8,
            length_penalty: 3.0,
            visit_total: VisitTotal::Parent,
            stop_early: true,
            ..Self::published(layers)
        }
    }

    /// Whether the model is so small that all pairs of single skips take at most a quarter of the budget.
    pub(super) fn covers_pairs(&self) -> bool {
        2 * self.layers * (self.layers - 1) <= self.expected_chains()
    }

    /// Number of tries that other ways to answer a sample get: the simulations, or fewer where the layer steps pay for
    /// fewer runs of the whole model.
    pub fn tries(&self) -> usize {
        let runs = |steps: usize| steps / self.layers.max(1);
        let runs = self.budget_steps.map_or(usize::MAX, runs);
        self.simulations.min(runs).max(1)
    }

    /// Number of chains that the budget allows. A chain is expected to take new steps for half of the
    /// model's layers, and to share the others with earlier chains.
    fn expected_chains(&self) -> usize {
        let chains = |steps: usize| 2 * steps / self.layers.max(1);
        self.simulations
            .min(self.budget_steps.map_or(usize::MAX, chains))
    }

    /// The edit space of a chain `depth` edges from the root.
    pub(super) fn edits_at(&self, depth: u32) -> &EditSpace {
        match depth {
            0 => &self.root_edits,
            _ => &self.deep_edits,
        }
    }
}
