//! The search alone: one sample's 200 simulations with made-up verdicts, no model. Elements are
//! simulations.

mod support;

use std::hint::black_box;

use cola::{
    chain::Chain,
    search::{Ask, Feedback, ResolvedSearch, SearchConfig},
};
use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};

/// What the made-up model needs to be right.
#[derive(Clone, Copy)]
enum Rule {
    /// Nothing helps: every simulation explores.
    NeverRight,
    /// A layer in the middle is harmful: most simulations shrink what was found.
    OneHarmfulLayer,
}

impl Rule {
    fn judge(self, chain: &Chain, layers: usize) -> Feedback {
        let harmful = layers as u16 / 2;
        let correct = match self {
            Rule::NeverRight => false,
            Rule::OneHarmfulLayer => !chain.layers().contains(&harmful) && chain.len() > layers / 3,
        };
        // Any margin will do that differs between chains and agrees with the verdict.
        let spread = chain.layers().iter().fold(0u32, |hash, &layer| {
            hash.wrapping_mul(31).wrapping_add(u32::from(layer))
        });
        let size = 0.1 + f64::from(spread % 1000) / 250.0;
        Feedback::new(correct, Some(if correct { size } else { -size }))
    }
}

/// Searches one sample to the end; returns the chains it asked for.
fn search(resolved: &ResolvedSearch, rule: Rule, layers: usize, seed: u64) -> usize {
    let mut strategy = resolved.build(seed);
    let mut chains = 0;
    while let Ask::Evaluate(chain) = strategy.ask() {
        strategy.tell(&chain, rule.judge(&chain, layers));
        chains += 1;
    }
    chains
}

fn simulations(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("search");
    group.sampling_mode(SamplingMode::Flat);
    for (name, rule) in [
        ("never-right", Rule::NeverRight),
        ("one-harmful-layer", Rule::OneHarmfulLayer),
    ] {
        for layers in [12, 32] {
            let config = SearchConfig {
                simulations: Some(200),
                ..SearchConfig::default()
            };
            let resolved = config.resolve(layers).expect("a valid configuration");
            group.throughput(Throughput::Elements(200));
            group.bench_function(BenchmarkId::new(name, format!("L={layers}")), |bencher| {
                let mut seed = 0;
                bencher.iter(|| {
                    seed += 1;
                    search(black_box(&resolved), rule, layers, seed)
                });
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = support::quick();
    targets = simulations
}
criterion_main!(benches);
