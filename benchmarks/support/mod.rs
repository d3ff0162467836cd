//! What the benches share.

// Every bench takes the part it needs.
#![allow(dead_code)]

use std::{path::Path, sync::Arc, time::Duration};

use cola::model::{Compute, Model};
use criterion::Criterion;

/// The program's: allocation is a good part of small tensors' time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Few samples and short measurements: all benches together take about two minutes.
pub fn quick() -> Criterion {
    Criterion::default()
        .sample_size(15)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .without_plots()
}

/// The bundled model, in f32 on the CPU.
pub fn demo_model() -> Arc<Model> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/demo");
    Arc::new(Model::load(&directory, Compute::cpu()).expect("the bundled model"))
}
