//! A bound on the layer steps of a search.

use super::{Ask, Feedback, Health, Prefixes, Strategy};
use crate::chain::Chain;

/// A strategy that ends before its chains take more than a number of layer steps, every shared prefix
/// run once.
///
/// The first chain beyond the budget is withheld from the caller and ends the search. The inner strategy
/// never gets its verdict, so that its [`Health`] does not count the chain.
pub(super) struct Budgeted {
    inner: Box<dyn Strategy>,
    /// Most steps of the chains handed out.
    budget: usize,
    /// Prefixes of the chains handed out.
    prefixes: Prefixes,
    outstanding: Vec<Chain>,
    spent: bool,
}

impl Budgeted {
    pub(super) fn new(inner: Box<dyn Strategy>, budget: usize) -> Self {
        Self {
            inner,
            budget,
            prefixes: Prefixes::default(),
            outstanding: Vec::new(),
            spent: false,
        }
    }
}

impl Strategy for Budgeted {
    fn learn_influence(&mut self, influence: &[f64]) {
        self.inner.learn_influence(influence);
    }

    fn ask(&mut self) -> Ask {
        if !self.spent {
            match self.inner.ask() {
                Ask::Evaluate(chain) => {
                    let steps = self.prefixes.steps() + self.prefixes.new_steps(&chain);
                    if steps <= self.budget {
                        self.prefixes.insert(&chain);
                        self.outstanding.push(chain.clone());
                        return Ask::Evaluate(chain);
                    }
                    self.spent = true;
                }
                other => return other,
            }
        }
        match self.outstanding.is_empty() {
            true => Ask::Done,
            false => Ask::Wait,
        }
    }

    fn tell(&mut self, chain: &Chain, feedback: Feedback) {
        let outstanding = self.outstanding.iter().position(|open| open == chain);
        if let Some(at) = outstanding {
            self.outstanding.remove(at);
            self.inner.tell(chain, feedback);
        }
    }

    fn health(&self) -> Health {
        self.inner.health()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Preset, ResolvedSearch, SearchConfig, SearchError, SearchParams};

    fn resolve(
        strategy: &str,
        simulations: Option<usize>,
        budget_steps: Option<usize>,
    ) -> Result<ResolvedSearch, SearchError> {
        let config = SearchConfig {
            strategy: strategy.to_owned(),
            simulations,
            budget_steps,
            ..SearchConfig::default()
        };
        config.resolve(12)
    }

    /// Runs a search in which no chain is right, and returns its chains.
    fn run(search: &ResolvedSearch) -> (Vec<Chain>, Health) {
        let (mut built, mut asked) = (search.build(3), Vec::new());
        while let Ask::Evaluate(chain) = built.ask() {
            built.tell(&chain, Feedback::new(false, None));
            asked.push(chain);
        }
        let health = built.health();
        (asked, health)
    }

    #[test]
    fn a_budget_below_the_unmodified_model_is_refused() {
        for steps in [0, 11] {
            let error = resolve("mcts", None, Some(steps)).unwrap_err();
            let expected = format!(
                "option `budget-steps` {steps}: give at least 12, the steps of the unmodified model"
            );
            assert_eq!(error.to_string(), expected);
        }
        let (asked, health) = run(&resolve("mcts", None, Some(12)).unwrap());
        assert!(
            asked
                .iter()
                .all(|chain| asked[0].layers().starts_with(chain.layers()))
        );
        assert_eq!(
            health.distinct_chains,
            asked.len(),
            "the withheld chain does not count"
        );
    }

    #[test]
    fn other_ways_get_as_many_tries_as_the_budget_pays_for_runs_of_the_model() {
        for (simulations, steps, tries) in [
            (Some(50), None, 50),
            (None, Some(240), 20),
            (Some(50), Some(240), 20),
            (Some(10), Some(240), 10),
            (None, Some(13), 1),
        ] {
            let search = resolve("mcts", simulations, steps).unwrap();
            assert_eq!(search.params.tries(), tries, "{simulations:?} {steps:?}");
        }
    }

    #[test]
    fn without_simulations_the_steps_alone_bound_a_search() {
        let preset = SearchParams::preset(Preset::Default, 12).simulations;
        let (asked, health) = run(&resolve("random", None, Some(4000)).unwrap());
        assert!(asked.len() > preset, "{}", asked.len());
        assert_eq!(health.simulations, asked.len());
        let (asked, _) = run(&resolve("random", Some(50), Some(4000)).unwrap());
        assert_eq!(asked.len(), 50, "both bound");
        let (asked, _) = run(&resolve("random", Some(50), Some(100)).unwrap());
        assert!(asked.len() < 50, "both bound");
    }

    #[test]
    fn a_budget_ends_the_same_search_earlier() {
        for strategy in ["mcts", "random"] {
            let (all, _) = run(&resolve(strategy, Some(150), None).unwrap());
            let mut prefixes = Prefixes::default();
            let total: usize = all.iter().map(|chain| prefixes.insert(chain)).sum();
            let budget = total / 2;
            let (some, health) = run(&resolve(strategy, Some(150), Some(budget)).unwrap());
            assert_eq!(some, all[..some.len()]);
            assert_eq!(health.distinct_chains, some.len());
            let mut prefixes = Prefixes::default();
            let steps: usize = some.iter().map(|chain| prefixes.insert(chain)).sum();
            let next = prefixes.new_steps(&all[some.len()]);
            assert!(steps <= budget && steps + next > budget, "{steps} + {next}");
        }
    }

    #[test]
    fn the_steps_do_not_pass_for_simulations_where_the_search_plans_ahead() {
        let covers = |simulations, budget| {
            let search = resolve("mcts", simulations, budget).unwrap();
            search.params.covers_pairs()
        };
        // All pairs of single skips are 66 chains of 12 layers, and take at most a quarter of 264 simulations.
        assert!(covers(Some(264), None) && !covers(Some(263), None));
        assert!(!covers(None, Some(1000)), "about 170 chains");
        assert!(covers(None, Some(1600)), "about 270 chains");
    }

    #[test]
    fn the_end_waits_for_outstanding_chains_and_ignores_the_withheld_one() {
        let search = resolve("random", None, Some(40)).unwrap();
        let (mut built, mut all) = (search.build(1), RandomOrder::new(&search));
        let identity = all.next();
        assert_eq!(built.ask(), Ask::Evaluate(identity.clone()));
        built.tell(&identity, Feedback::new(false, None));
        let mut open = Vec::new();
        while let Ask::Evaluate(chain) = built.ask() {
            assert_eq!(chain, all.next());
            open.push(chain);
        }
        let withheld = all.next();
        built.tell(&withheld, Feedback::new(true, None));
        for chain in open {
            assert_eq!(built.ask(), Ask::Wait);
            built.tell(&chain, Feedback::new(false, None));
        }
        assert_eq!(built.ask(), Ask::Done);
    }

    /// The chains of the search without its budget of steps.
    struct RandomOrder(Box<dyn Strategy>);

    impl RandomOrder {
        fn new(search: &ResolvedSearch) -> Self {
            let mut search = search.clone();
            search.params.budget_steps = None;
            Self(search.build(1))
        }

        fn next(&mut self) -> Chain {
            let Ask::Evaluate(chain) = self.0.ask() else {
                panic!("ended");
            };
            self.0.tell(&chain, Feedback::new(false, None));
            chain
        }
    }

    #[test]
    fn a_manifest_names_the_budget_only_if_there_is_one() {
        let serialized = |budget| {
            let search = resolve("mcts", Some(50), budget).unwrap();
            serde_json::to_string(&search).unwrap()
        };
        assert!(!serialized(None).contains("budget"));
        assert!(serialized(Some(500)).contains("\"budget_steps\":500"));
    }

    #[test]
    fn an_exhaustive_search_lists_what_the_steps_allow() {
        let error = resolve("exhaustive", None, Some(500)).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("option `strategy` exhaustive: "), "{text}");
        assert!(
            text.contains("more than option `budget-steps` 500"),
            "{text}"
        );
        let search = resolve("exhaustive", None, Some(20_000)).unwrap();
        assert_eq!(
            search.covers.as_deref(),
            Some("all chains of at most 1 edits")
        );
        let (asked, health) = run(&search);
        assert!(health.exhausted, "{} chains", asked.len());
    }
}
