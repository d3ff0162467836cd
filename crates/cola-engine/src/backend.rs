//! The line between who wants chains evaluated and what evaluates them.

use std::sync::Arc;

use crossbeam_channel::Sender;

use super::{Completion, Engine, EngineError, Request, Row};

/// What evaluates chains on rows: the engine, or in tests of a search something without a model.
pub trait Backend: Sync {
    /// Takes in all of these rows, or none.
    ///
    /// # Errors
    /// Why a row cannot be run.
    fn register_all(&self, rows: Vec<Row>) -> Result<Vec<Arc<Row>>, EngineError>;

    /// Forgets a row.
    fn release(&self, row: &Row);

    /// Queues an evaluation; its completion goes to `reply`, whatever comes of it.
    fn submit(&self, request: Request, reply: &Sender<Completion>);
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
}
