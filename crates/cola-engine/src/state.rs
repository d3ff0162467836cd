//! States, and the meter of the bytes they hold.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use cola_model::{Applied, Frozen, KeyValue};

/// The residual stream of a row after a prefix of a chain. It does not depend on the job that
/// computed it.
#[derive(Debug)]
pub struct State {
    /// Residual stream of all nodes, `[T, D]`.
    pub residual: Frozen,
    /// Keys and values of the prefix's last layer application, for rows that decode.
    pub key_value: Option<KeyValue>,
    bytes: usize,
    meter: Arc<Meter>,
}

/// Bytes of all living states, cached or carried by jobs.
#[derive(Debug, Default)]
pub struct Meter {
    now: AtomicUsize,
    peak: AtomicUsize,
}

impl State {
    /// Creates a state whose bytes `meter` counts until the state is dropped.
    pub fn new(applied: Applied, meter: &Arc<Meter>) -> Self {
        let bytes = applied.residual.bytes() + applied.key_value.as_ref().map_or(0, Frozen::bytes);
        meter.add(bytes);
        Self {
            residual: applied.residual,
            key_value: applied.key_value,
            bytes,
            meter: Arc::clone(meter),
        }
    }

    /// Number of nodes that the state covers: the first nodes of its row's tree.
    pub fn nodes(&self) -> usize {
        self.residual.size()[0] as usize
    }

    /// Bytes of its tensors.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.meter.now.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Meter {
    fn add(&self, bytes: usize) {
        let now = self.now.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak.fetch_max(now, Ordering::Relaxed);
    }

    /// Bytes of the states alive now.
    #[cfg(test)]
    pub fn now(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    /// Most bytes of states alive at once so far.
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }
}
