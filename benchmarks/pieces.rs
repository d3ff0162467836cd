//! The engine's bookkeeping by itself: a scheduler decision, the state table under contention, and
//! the mask of a token tree. Needs `--features internals`.

mod support;

use std::hint::black_box;

use cola::engine::{
    Row,
    internals::{SchedulerTrial, TableTrial},
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Elements are jobs: taken in a batch, and put back.
fn scheduler(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scheduler");
    for jobs in [16, 128, 1024] {
        let mut trial = SchedulerTrial::new(jobs);
        // A whole sweep over the layers and the head: two passes of every job, about.
        let sweep = |trial: &mut SchedulerTrial| (0..29).map(|_| trial.step()).sum::<usize>();
        let taken = sweep(&mut trial);
        group.throughput(Throughput::Elements(taken as u64));
        group.bench_function(BenchmarkId::new("sweep", jobs), |bencher| {
            bencher.iter(|| sweep(black_box(&mut trial)));
        });
    }
    group.finish();
}

/// Elements are operations, all threads together.
fn table(criterion: &mut Criterion) {
    const OPERATIONS: u32 = 2000;
    let mut group = criterion.benchmark_group("table");
    for threads in [1, 2, 4] {
        group.throughput(Throughput::Elements(u64::from(threads * OPERATIONS)));
        let trial = TableTrial::new(4096);
        let together = |run: &(dyn Fn(u32) + Sync)| {
            std::thread::scope(|scope| {
                for thread in 0..threads {
                    scope.spawn(move || run(thread));
                }
            });
        };
        group.bench_function(BenchmarkId::new("hit", threads), |bencher| {
            bencher.iter(|| together(&|_| assert_eq!(trial.hits(OPERATIONS), OPERATIONS)));
        });
        group.bench_function(BenchmarkId::new("miss", threads), |bencher| {
            bencher.iter(|| together(&|_| assert_eq!(trial.misses(OPERATIONS), 0)));
        });
        group.bench_function(BenchmarkId::new("evict", threads), |bencher| {
            let mut first = 0;
            bencher.iter(|| {
                // New numbers in every iteration, wrapping long after they were evicted.
                first = (first + 4 * OPERATIONS) % (1 << 30);
                together(&|thread| trial.evictions(first + thread * OPERATIONS, OPERATIONS));
            });
        });
    }
    group.finish();
}

/// A prompt with four options, from tokens to tree and mask. Elements are nodes.
fn mask(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tree mask");
    for tokens in [32u32, 128, 512] {
        let prompt: Vec<u32> = (0..tokens).collect();
        group.throughput(Throughput::Elements(u64::from(tokens + 16)));
        group.bench_function(BenchmarkId::from_parameter(tokens), |bencher| {
            bencher.iter(|| {
                let mut builder = Row::builder(black_box(&prompt));
                for option in 0..4u32 {
                    builder.read_continuation(&[1, 2 + option, 3, 4]);
                }
                builder.build()
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = support::quick();
    targets = scheduler, table, mask
}
criterion_main!(benches);
