//! One layer of the bundled model at five packed batch shapes, beside one plain product of the same
//! FLOPs and weights in the same process: how far a layer is from its matrix products. Elements are
//! floating-point operations of the layer's linear parts, so Gelem/s reads as GFLOP/s.

mod support;

use std::hint::black_box;

use cola::model::{Ancestors, Batch, Keep, Segment, StepOptions, Visibility};
use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use tch::{Device, Kind, Tensor};

/// Tokens of a packed batch, and of each of its rows.
const SHAPES: [(i64, i64); 5] = [(1, 1), (8, 8), (64, 32), (256, 32), (1024, 32)];

fn layer(criterion: &mut Criterion) {
    // A worker's setting: one libtorch thread. Layers run without gradients.
    tch::set_num_threads(1);
    let _guard = tch::no_grad_guard();
    let model = support::demo_model();
    let hidden = model.spec().hidden;
    let flops = model.spec().layers[0].flops_per_token(hidden);
    let random = |shape: [i64; 2]| Tensor::randn(shape, (Kind::Float, Device::Cpu));
    // As many weights as the layer has: two operations each a token.
    let product = random([flops / (2 * hidden), hidden]);

    let mut group = criterion.benchmark_group("layer");
    group.sampling_mode(SamplingMode::Flat);
    for (tokens, row_tokens) in SHAPES {
        group.throughput(Throughput::Elements((flops * tokens) as u64));
        let positions: Vec<i64> = (0..row_tokens).collect();
        let causal = Ancestors::causal(row_tokens as usize);
        let rows: Vec<Tensor> = (0..tokens / row_tokens)
            .map(|_| random([row_tokens, hidden]))
            .collect();
        let segments: Vec<Segment<'_>> = rows
            .iter()
            .map(|residual| Segment {
                residual,
                positions: &positions,
                context: Vec::new(),
                visible: Visibility::Tree {
                    context: &[],
                    tree: &causal,
                },
            })
            .collect();
        let asks = StepOptions {
            keep: Keep::Residual,
            alpha: 1.0,
        };
        let asks = vec![asks; segments.len()];
        // Packing and taking apart are part of a step, so they are timed too.
        group.bench_function(BenchmarkId::new("layer", tokens), |bencher| {
            bencher.iter(|| {
                let batch = Batch::pack(black_box(&segments), None).expect("rows of one shape");
                model.layer(0).forward(&batch, &asks).expect("a layer")
            });
        });
        let packed = random([tokens, hidden]);
        group.bench_function(BenchmarkId::new("product", tokens), |bencher| {
            bencher.iter(|| black_box(&packed).linear(&product, None::<&Tensor>));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = support::quick();
    targets = layer
}
criterion_main!(benches);
