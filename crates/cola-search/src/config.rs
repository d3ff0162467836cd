//! From what was asked for by name to a search that can be built for every sample.

use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use super::{
    Preset, SearchParams, Strategy, StrategyFactory,
    exhaustive::{self, Exhaustive, Listing},
    mcts::Mcts,
    random::RandomChains,
};
use crate::chain::Alpha;

/// A search as the command line names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchConfig {
    /// `mcts`, `random` or `exhaustive`.
    pub strategy: String,
    /// `default`, `cola-paper`, `polar-release`, `dr-llm` or `re-polar`.
    pub preset: String,
    /// Simulations a sample instead of the preset's.
    pub simulations: Option<usize>,
    /// Alpha of damped repeats, tried beside the plain ones; `None` for none.
    pub damping: Option<Alpha>,
    /// What a chain's reward follows instead of the preset's own.
    pub score: Option<Score>,
}

/// What a chain's reward follows, beside its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Score {
    /// Right or wrong.
    Verdict,
    /// Of a wrong chain also how near it came: its margin.
    Margin,
}

impl Default for SearchConfig {
    fn default() -> Self {
        Self {
            strategy: "mcts".to_owned(),
            preset: "default".to_owned(),
            simulations: None,
            damping: None,
            score: None,
        }
    }
}

/// Why a search cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SearchError {
    /// No such strategy.
    #[error("unknown strategy {name:?}; known: {known}")]
    UnknownStrategy {
        /// What was asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// No such preset.
    #[error("unknown preset {name:?}; known: {known}")]
    UnknownPreset {
        /// What was asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A search of nothing.
    #[error("option `simulations` 0: the unmodified model alone takes one")]
    NoSimulations,
    /// Damped repeats in a search that reproduces a published one.
    #[error(
        "option `damping` {alpha}: option `preset` {preset} reproduces a published search, which damps nothing; \
         option `preset` default does"
    )]
    DampedPreset {
        /// What was asked for.
        alpha: Alpha,
        /// The published search.
        preset: String,
    },
    /// Margins in a search that reproduces a published one.
    #[error(
        "option `score` margin: option `preset` {preset} reproduces a published search, which is told right or \
         wrong alone; option `preset` default goes by margins"
    )]
    MarginPreset {
        /// The published search.
        preset: String,
    },
    /// Damping that damps nothing.
    #[error(
        "option `damping` 1: these are the plain repeats, which are tried anyway; give less than 1"
    )]
    PlainDamping,
    /// A model of nothing.
    #[error("the model has no layers to search over")]
    NoLayers,
    /// `exhaustive` on a space it cannot finish.
    #[error(
        "option `strategy` exhaustive: {chains} chains are one edit or less from the identity, more than \
         option `simulations` {simulations}; raise it, or use mcts or random"
    )]
    SpaceTooLarge {
        /// Chains of at most one edit.
        chains: usize,
        /// The budget.
        simulations: usize,
    },
}

/// How chains are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StrategyKind {
    /// Monte Carlo graph search.
    Mcts,
    /// Random chains.
    Random,
    /// Every chain of a small space.
    Exhaustive,
}

impl StrategyKind {
    /// Every strategy, with its name on the command line.
    pub const ALL: [(&'static str, StrategyKind); 3] = [
        ("mcts", StrategyKind::Mcts),
        ("random", StrategyKind::Random),
        ("exhaustive", StrategyKind::Exhaustive),
    ];
}

/// A search with every number settled for one model. Serialised, it says all that decides which
/// chains are asked for, but the seed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResolvedSearch {
    /// How chains are chosen.
    pub strategy: StrategyKind,
    /// Where the parameters come from.
    pub preset: Preset,
    /// The parameters.
    pub params: SearchParams,
    /// What an exhaustive search covers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub covers: Option<String>,
    #[serde(skip)]
    listing: Option<Listing>,
}

impl SearchConfig {
    /// Settles every number for a model of `layers` layers.
    ///
    /// # Errors
    /// An unknown name, no layers, no simulations, damping or margins in a published search, or an
    /// exhaustive search of too large a space.
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
            // The published rewards are verdicts as they are.
            Some(Score::Verdict) => params.verdict_only = params.shaped_reward,
            _ => {}
        }
        params.root_edits.damping = self.damping;
        params.deep_edits.damping = self.damping;
        params.simulations = self.simulations.unwrap_or(params.simulations);
        if params.simulations == 0 {
            return Err(SearchError::NoSimulations);
        }
        let listing = match strategy {
            StrategyKind::Exhaustive => Some(exhaustive::list(&params)?),
            StrategyKind::Mcts | StrategyKind::Random => None,
        };
        Ok(ResolvedSearch {
            strategy,
            preset,
            params,
            covers: listing.as_ref().map(|listing| listing.what.clone()),
            listing,
        })
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
    /// The search of one sample; its seed comes from [`seed_for`](super::seed_for).
    pub fn build(&self, seed: u64) -> Box<dyn Strategy> {
        let params = self.params.clone();
        match (&self.listing, self.strategy) {
            (Some(listing), _) => Box::new(Exhaustive::new(listing)),
            (None, StrategyKind::Random) => Box::new(RandomChains::new(params, seed)),
            (None, _) => Box::new(Mcts::new(params, seed)),
        }
    }
}

impl StrategyFactory for ResolvedSearch {
    fn build(&self, seed: u64) -> Box<dyn Strategy> {
        self.build(seed)
    }

    fn describe(&self) -> Value {
        // Numbers, texts and lists of them: nothing that JSON has no form for.
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
            "unknown strategy \"mtcs\"; known: mcts, random, exhaustive"
        );
        assert_eq!(
            error("mcts", "polar", None),
            "unknown preset \"polar\"; known: default, cola-paper, polar-release, dr-llm, re-polar"
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
