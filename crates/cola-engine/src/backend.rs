//! The interface between the code that needs chains evaluated and the engine that evaluates them.

use std::sync::Arc;

use crossbeam_channel::Sender;

use super::{Completion, Engine, EngineError, Request, Row};

/// Evaluates chains on rows. [`Engine`] implements this with a model; tests of the search use
/// implementations without one.
pub trait Backend: Sync {
    /// Registers all of these rows, or none of them if one cannot be registered.
    ///
    /// # Errors
    /// Returns why a row cannot be run.
    fn register_all(&self, rows: Vec<Row>) -> Result<Vec<Arc<Row>>, EngineError>;

    /// Unregisters a row.
    fn release(&self, row: &Row);

    /// Queues an evaluation. Its completion is sent to `reply`, whether the evaluation succeeds or
    /// fails.
    fn submit(&self, request: Request, reply: &Sender<Completion>);

    /// Offers a continuation of a row as a draft, as if a chain had just generated it: a run that is continued is then as fast
    /// as one that was not interrupted. Drafts never change what is generated.
    fn learn_draft(&self, _row: &Row, _continuation: &[u32]) {}
}

impl Backend for Engine {
    fn register_all(&self, rows: Vec<Row>) -> Result<Vec<Arc<Row>>, EngineError> {
        Engine::register_all(self, rows)
    }

    fn release(&self, row: &Row) {
        Engine::release(self, row);
    }

    fn submit(&self, request: Request, reply: &Sender<Completion>) {
        Engine::submit(self, request, reply);
    }

    fn learn_draft(&self, row: &Row, continuation: &[u32]) {
        Engine::learn_draft(self, row, continuation);
    }
}
