//! Resolves the options of a search, given by name, to a search that can be built for every sample.

use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use super::{
    Preset, SearchParams, Strategy, StrategyFactory, StrategyKind, baselines,
    budget::Budgeted,
    exhaustive::{self, Exhaustive, Listing},
    mcts::Mcts,
};
use crate::chain::Alpha;

/// Options of a search, as on the command line.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchConfig {
    /// A name of [`StrategyKind::ALL`].
    pub strategy: String,
    /// `default`, `cola-paper`, `polar-release`, `dr-llm` or `re-polar`.
    pub preset: String,
    /// Simulations per sample; `None` for the number of the preset or, with `budget_steps`, for any number.
    pub simulations: Option<usize>,
    /// Most layer steps per sample, where every prefix that several chains share runs once; `None` for no
    /// bound.
    pub budget_steps: Option<usize>,
    /// Alpha of damped repeats, which are tried in addition to plain ones; `None` for none.
    pub damping: Option<Alpha>,
    /// The basis of a chain's reward; `None` for the rule of the preset.
    pub score: Option<Score>,
    /// Bound on the degradation of right chains.
    pub max_degradation: MaxDegradation,
}

/// Default bound on degradation, in nats a token, of searches that do not reproduce a published one. On SmolLM2-135M and ARC-Easy
/// (`results/selectivity`), chains within it keep the model's own answer in seven of ten cases or more, and give the right answer
/// two to three times as often as any given other one; beyond 1 nat 1.0 to 1.3 times. At no bound is it shown that they prefer the
/// right answer to a wrong one of the same rank.
pub const MAX_DEGRADATION: f64 = 0.5;

/// Bound on the *degradation* of a chain that may count as right. Degradation is the mean loss on the
/// prompt's own tokens minus that of the unmodified model, in nats a token.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum MaxDegradation {
    /// [`MAX_DEGRADATION`] with the preset `default`. No bound with the other presets: the published
    /// searches that they reproduce have none.
    #[default]
    Preset,
    /// No bound.
    Unbounded,
    /// This bound.
    Nats(f64),
}

/// The basis of a chain's reward, besides its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Score {
    /// Whether the chain is right.
    Verdict,
    /// Whether the chain is right, and for a wrong chain its margin: how close it is to being right.
    Margin,
}

impl Default for SearchConfig {
    fn default() -> Self {
        Self {
            strategy: "mcts".to_owned(),
            preset: "default".to_owned(),
            simulations: None,
            budget_steps: None,
            damping: None,
            score: None,
            max_degradation: MaxDegradation::Preset,
        }
    }
}

/// Why a search cannot be made.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SearchError {
    /// No such strategy.
    #[error("option `strategy` {name:?} is unknown; known: {known}")]
    UnknownStrategy {
        /// The name that was given.
        name: String,
        /// The known names.
        known: String,
    },
    /// No such preset.
    #[error("option `preset` {name:?} is unknown; known: {known}")]
    UnknownPreset {
        /// The name that was given.
        name: String,
        /// The known names.
        known: String,
    },
    /// A search of 0 simulations.
    #[error("option `simulations` 0: give at least 1, which is the run of the unmodified model")]
    NoSimulations,
    /// A budget of layer steps that the unmodified model alone exceeds.
    #[error(
        "option `budget-steps` {steps}: give at least {layers}, the steps of the unmodified model"
    )]
    BudgetSteps {
        /// The budget that was given.
        steps: usize,
        /// Layers of the model.
        layers: usize,
    },
    /// Damped repeats with a preset that reproduces a published search, none of which has them.
    #[error(
        "option `damping` {alpha}: option `preset` {preset} reproduces a published search, which has no damping; use \
         option `preset` default"
    )]
    DampedPreset {
        /// The alpha that was given.
        alpha: Alpha,
        /// The published search.
        preset: String,
    },
    /// Margins with a preset that reproduces a published search, none of which uses them.
    #[error(
        "option `score` margin: option `preset` {preset} reproduces a published search, which knows only right and \
         wrong; use option `preset` default"
    )]
    MarginPreset {
        /// The published search.
        preset: String,
    },
    /// Damping by an alpha of 1, which has no effect.
    #[error(
        "option `damping` 1: such repeats are the plain ones, which every search tries; give less than 1"
    )]
    PlainDamping,
    /// A bound on degradation that is negative or not finite.
    #[error("option `max-degradation` {0}: give nats a token, 0 or more, or none")]
    MaxDegradation(f64),
    /// A model without layers.
    #[error("the model has no layers to search over")]
    NoLayers,
    /// An exhaustive search with fewer simulations than there are chains.
    #[error(
        "option `strategy` exhaustive: {chains} chains are at most one change away from the unmodified model, more \
         than option `simulations` {simulations}; give more simulations, or use mcts or random"
    )]
    SpaceTooLarge {
        /// Number of chains of at most one edit.
        chains: usize,
        /// The budget of simulations.
        simulations: usize,
    },
    /// An exhaustive search of chains that take more layer steps than the budget has.
    #[error(
        "option `strategy` exhaustive: the chains at most one change away from the unmodified model take {steps} layer \
         steps, more than option `budget-steps` {budget}; give more steps, or use mcts or random"
    )]
    SpaceTooDeep {
        /// Layer steps of the chains of at most one edit.
        steps: usize,
        /// The budget of layer steps.
        budget: usize,
    },
}

/// A search with all parameters resolved for one model. Serialized, it contains everything, except the
/// seed, that decides which chains are evaluated.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResolvedSearch {
    /// How chains are chosen.
    pub strategy: StrategyKind,
    /// The preset that the parameters come from.
    pub preset: Preset,
    /// The parameters.
    pub params: SearchParams,
    /// Description of the chains that an exhaustive search evaluates; `None` for other strategies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub covers: Option<String>,
    /// Largest degradation, in nats a token, with which a chain may count as right; `None` for no bound.
    /// Not serialized, because a run records it separately.
    #[serde(skip)]
    pub max_degradation: Option<f64>,
    #[serde(skip)]
    listing: Option<Listing>,
}

impl SearchConfig {
    /// Resolves all parameters for a model of `layers` layers.
    ///
    /// # Errors
    /// An unknown name, no layers, no simulations, damping or margins with a published search, an invalid
    /// bound on degradation, or an exhaustive search of too large a space.
    pub fn resolve(&self, layers: usize) -> Result<ResolvedSearch, SearchError> {
        let strategy = lookup(&StrategyKind::ALL, &self.strategy)
            .map_err(|(name, known)| SearchError::UnknownStrategy { name, known })?;
        let preset = lookup(&Preset::ALL, &self.preset)
            .map_err(|(name, known)| SearchError::UnknownPreset { name, known })?;
        if layers == 0 {
            return Err(SearchError::NoLayers);
        }
        self.check_damping(preset)?;
        let mut params = SearchParams::preset(preset, layers);
        match self.score {
            Some(Score::Margin) if !params.shaped_reward => {
                let preset = self.preset.clone();
                return Err(SearchError::MarginPreset { preset });
            }
            // The published rewards depend on the verdict alone in any case.
            Some(Score::Verdict) => params.verdict_only = params.shaped_reward,
            _ => {}
        }
        params.root_edits.damping = self.damping;
        params.deep_edits.damping = self.damping;
        self.set_budget(&mut params)?;
        params.max_degradation = self.bound(preset)?;
        let listing = match strategy {
            StrategyKind::Exhaustive => Some(exhaustive::list(&params)?),
            _ => None,
        };
        Ok(ResolvedSearch {
            strategy,
            preset,
            covers: listing.as_ref().map(|listing| listing.what.clone()),
            max_degradation: params.max_degradation,
            params,
            listing,
        })
    }

    /// Sets the bounds on simulations and layer steps.
    ///
    /// Without `simulations`, `budget_steps` also bounds the simulations. That never withholds a chain: every
    /// chain is a prefix of itself, so different chains are at most as many as the steps they take. It ends
    /// a search that only comes back to known chains, which take no steps.
    fn set_budget(&self, params: &mut SearchParams) -> Result<(), SearchError> {
        let layers = params.layers;
        if let Some(steps) = self.budget_steps.filter(|&steps| steps < layers) {
            return Err(SearchError::BudgetSteps { steps, layers });
        }
        params.budget_steps = self.budget_steps;
        params.simulations = self
            .simulations
            .or(self.budget_steps)
            .unwrap_or(params.simulations);
        match params.simulations {
            0 => Err(SearchError::NoSimulations),
            _ => Ok(()),
        }
    }

    fn bound(&self, preset: Preset) -> Result<Option<f64>, SearchError> {
        match self.max_degradation {
            MaxDegradation::Preset => Ok((preset == Preset::Default).then_some(MAX_DEGRADATION)),
            MaxDegradation::Unbounded => Ok(None),
            MaxDegradation::Nats(nats) if nats >= 0.0 && nats.is_finite() => Ok(Some(nats)),
            MaxDegradation::Nats(nats) => Err(SearchError::MaxDegradation(nats)),
        }
    }

    fn check_damping(&self, preset: Preset) -> Result<(), SearchError> {
        match self.damping {
            Some(Alpha::PLAIN) => Err(SearchError::PlainDamping),
            Some(alpha) if preset != Preset::Default => Err(SearchError::DampedPreset {
                alpha,
                preset: self.preset.clone(),
            }),
            _ => Ok(()),
        }
    }
}

impl ResolvedSearch {
    /// Builds the search of one sample; its seed comes from [`seed_for`](super::seed_for).
    pub fn build(&self, seed: u64) -> Box<dyn Strategy> {
        let params = self.params.clone();
        let strategy = match &self.listing {
            Some(listing) => Box::new(Exhaustive::new(listing)),
            None => baselines::build(self.strategy, params.clone(), seed)
                .unwrap_or_else(|| Box::new(Mcts::new(params, seed))),
        };
        match self.params.budget_steps {
            Some(budget) => Box::new(Budgeted::new(strategy, budget)),
            None => strategy,
        }
    }
}

impl StrategyFactory for ResolvedSearch {
    fn build(&self, seed: u64) -> Box<dyn Strategy> {
        self.build(seed)
    }

    fn describe(&self) -> Value {
        // Serializing cannot fail: there are only numbers, strings and lists of them.
        serde_json::to_value(self).unwrap_or_default()
    }
}

fn lookup<T: Copy>(all: &[(&'static str, T)], name: &str) -> Result<T, (String, String)> {
    match all.iter().find(|(known, _)| *known == name) {
        Some(&(_, found)) => Ok(found),
        None => {
            let known: Vec<&str> = all.iter().map(|(known, _)| *known).collect();
            Err((name.to_owned(), known.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(strategy: &str, preset: &str, simulations: Option<usize>) -> SearchConfig {
        SearchConfig {
            strategy: strategy.to_owned(),
            preset: preset.to_owned(),
            simulations,
            ..SearchConfig::default()
        }
    }

    fn damped(strategy: &str, preset: &str, thousandths: u16) -> SearchConfig {
        SearchConfig {
            damping: Alpha::from_thousandths(thousandths),
            ..config(strategy, preset, None)
        }
    }

    #[test]
    fn unknown_names_are_refused_with_the_known_ones() {
        let error = |strategy, preset, simulations| {
            let resolved = config(strategy, preset, simulations).resolve(8);
            resolved.unwrap_err().to_string()
        };
        assert_eq!(
            error("mtcs", "default", None),
            "option `strategy` \"mtcs\" is unknown; known: mcts, random, exhaustive, greedy, beam, best-first, anneal, \
             single-edits, double-edits, rys, early-exit, last-n, shortgpt"
        );
        assert_eq!(
            error("mcts", "polar", None),
            "option `preset` \"polar\" is unknown; known: default, cola-paper, polar-release, dr-llm, re-polar"
        );
        assert!(error("mcts", "default", Some(0)).contains("option `simulations` 0"));
        assert!(
            error("exhaustive", "default", Some(50)).contains("more than option `simulations` 50")
        );
    }

    #[test]
    fn only_searches_that_reproduce_nothing_are_damped() {
        for (preset, _) in &Preset::ALL[1..] {
            for strategy in ["mcts", "random"] {
                let error = damped(strategy, preset, 500).resolve(8).unwrap_err();
                let expected = format!("option `damping` 0.5: option `preset` {preset} reproduces");
                assert!(error.to_string().starts_with(&expected), "{error}");
            }
        }
        for strategy in ["mcts", "random"] {
            let search = damped(strategy, "default", 500).resolve(8).unwrap();
            for space in [search.params.root_edits, search.params.deep_edits] {
                assert_eq!(space.damping, Alpha::from_thousandths(500));
            }
        }
        let error = damped("mcts", "default", 1000).resolve(8).unwrap_err();
        assert_eq!(error, SearchError::PlainDamping);
    }

    #[test]
    fn a_published_search_is_told_verdicts_and_default_what_is_asked() {
        let resolve = |preset: &str, score| {
            let config = SearchConfig {
                score,
                ..config("mcts", preset, None)
            };
            config.resolve(8).map(|search| search.params)
        };
        let plain = resolve("default", None).unwrap();
        assert_eq!(resolve("default", Some(Score::Margin)).unwrap(), plain);
        let bare = resolve("default", Some(Score::Verdict)).unwrap();
        assert!(!plain.verdict_only && bare.verdict_only);
        for (preset, _) in &Preset::ALL[1..] {
            let told = resolve(preset, Some(Score::Verdict)).unwrap();
            assert_eq!(told, resolve(preset, None).unwrap());
            let error = resolve(preset, Some(Score::Margin)).unwrap_err();
            let expected = format!("option `score` margin: option `preset` {preset} reproduces");
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
    }

    #[test]
    fn the_command_line_overrides_a_presets_simulations() {
        let simulations = |preset, given| {
            config("mcts", preset, given)
                .resolve(28)
                .unwrap()
                .params
                .simulations
        };
        assert_eq!(simulations("cola-paper", None), 200);
        assert_eq!(simulations("polar-release", None), 100);
        assert_eq!(simulations("dr-llm", None), 50);
        assert_eq!(simulations("dr-llm", Some(7)), 7);
    }

    #[test]
    fn published_searches_have_no_bound_unless_one_is_given() {
        let bound = |preset: &str, max_degradation| {
            let config = SearchConfig {
                max_degradation,
                ..config("mcts", preset, None)
            };
            config.resolve(12).map(|resolved| resolved.max_degradation)
        };
        assert_eq!(
            bound("default", MaxDegradation::Preset),
            Ok(Some(MAX_DEGRADATION))
        );
        assert_eq!(bound("default", MaxDegradation::Unbounded), Ok(None));
        assert_eq!(bound("default", MaxDegradation::Nats(0.0)), Ok(Some(0.0)));
        for (preset, _) in &Preset::ALL[1..] {
            assert_eq!(bound(preset, MaxDegradation::Preset), Ok(None));
            assert_eq!(bound(preset, MaxDegradation::Nats(0.2)), Ok(Some(0.2)));
        }
        for nats in [-0.1, f64::NAN, f64::INFINITY] {
            let error = bound("default", MaxDegradation::Nats(nats)).unwrap_err();
            assert!(
                error.to_string().contains("option `max-degradation`"),
                "{error}"
            );
        }
    }

    #[test]
    fn an_exhaustive_search_says_what_it_covers() {
        let covers = |layers, simulations| {
            let config = config("exhaustive", "default", Some(simulations));
            config.resolve(layers).unwrap().covers.unwrap()
        };
        assert_eq!(covers(3, 39), "all chains of at most 3 layers");
        assert_eq!(covers(8, 400), "all chains of at most 1 edits");
        let damped = SearchConfig {
            simulations: Some(20),
            ..damped("exhaustive", "default", 500)
        };
        assert_eq!(
            damped.resolve(2).unwrap().covers.unwrap(),
            "all chains of at most 2 layers, each at every place plain or damped by 0.5"
        );
    }
}
