//! The searches that every sample of a run goes through.

use std::sync::Arc;

use super::SamplingPlan;
use cola_search::{SearchConfig, SearchError, StrategyFactory};

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
