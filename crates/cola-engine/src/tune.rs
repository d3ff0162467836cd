//! Measures how many workers, with how many threads each, are fastest.

use std::time::{Duration, Instant};

use tch::Tensor;

use cola_model::{Batch, Keep, Model, ModelError, Segment, StepOptions, Visibility};

/// Rows of the trial batch, and tokens in each.
const TRIAL: (usize, usize) = (4, 32);
/// Each (workers, threads) candidate is timed [`ROUNDS`] times, each time for [`TRIAL_TIME`] or one
/// batch a worker, whichever is longer.
const TRIAL_TIME: Duration = Duration::from_millis(15);
const ROUNDS: usize = 3;
/// A candidate with fewer workers must be faster by this factor: the threads of one worker wait for
/// each other in every operation that is not a matrix product.
const MARGIN: f64 = 1.15;

/// The number of workers, and of threads in each, that runs the first layer of this model fastest
/// on `cores` cores of the CPU. The candidates are one worker per core with one thread, half as
/// many workers with two threads, and so on.
pub fn workers_and_threads(model: &Model, cores: usize) -> Result<(usize, usize), ModelError> {
    let candidates: Vec<(usize, usize)> = (0..)
        .map(|power| 1 << power)
        .take_while(|&threads| threads <= cores)
        .map(|threads| (cores / threads, threads))
        .collect();
    if candidates.len() < 2 || model.depth() == 0 {
        return Ok((cores.max(1), 1));
    }
    let mut rates = vec![Vec::new(); candidates.len()];
    for _ in 0..ROUNDS {
        for (rates, &(workers, threads)) in rates.iter_mut().zip(&candidates) {
            rates.push(rate(model, workers, threads)?);
        }
    }
    let median = |rates: &mut Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        rates[ROUNDS / 2]
    };
    let medians: Vec<f64> = rates.iter_mut().map(median).collect();
    let (mut best, mut needed) = (candidates[0], medians[0] * MARGIN);
    for (&candidate, &rate) in candidates.iter().zip(&medians).skip(1) {
        if rate > needed {
            (best, needed) = (candidate, rate);
        }
    }
    tracing::debug!(?candidates, ?medians, ?best, "workers and threads");
    Ok(best)
}

/// Batches per second that `workers` workers run together.
fn rate(model: &Model, workers: usize, threads: usize) -> Result<f64, ModelError> {
    let rates = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers)
            .map(|_| scope.spawn(|| worker_rate(model, threads)))
            .collect();
        let rates = workers.into_iter().map(|worker| {
            let failed = || tch::TchError::Torch("a trial step panicked".into());
            worker.join().unwrap_or_else(|_| Err(failed().into()))
        });
        rates.collect::<Result<Vec<f64>, _>>()
    })?;
    Ok(rates.iter().sum())
}

fn worker_rate(model: &Model, threads: usize) -> Result<f64, ModelError> {
    tch::set_num_threads(threads as i32);
    let _guard = tch::no_grad_guard();
    let (rows, tokens) = TRIAL;
    let positions: Vec<i64> = (0..tokens as i64).collect();
    let causal: Vec<bool> = (0..tokens * tokens)
        .map(|at| at % tokens <= at / tokens)
        .collect();
    let vocabulary = model.spec().vocabulary as usize;
    let ids: Vec<u32> = (0..tokens)
        .map(|at| (at * 97 % vocabulary) as u32)
        .collect();
    let residual: Tensor = model.embed(&ids, &positions)?;
    let segment = || Segment {
        residual: &residual,
        positions: &positions,
        context: Vec::new(),
        visible: Visibility::Tree {
            context: &[],
            seen: &causal,
        },
    };
    let segments: Vec<Segment<'_>> = (0..rows).map(|_| segment()).collect();
    let options = StepOptions {
        keep: Keep::Residual,
        alpha: 1.0,
    };
    let layer = model.layer(0);
    let run = || -> Result<(), ModelError> {
        let batch = Batch::pack(&segments, layer.window())?;
        layer.forward(&batch, &vec![options; rows]).map(drop)
    };
    // Warm-up: kernels for new shapes are generated once.
    run()?;
    let (start, mut batches) = (Instant::now(), 0u32);
    while batches == 0 || start.elapsed() < TRIAL_TIME {
        run()?;
        batches += 1;
    }
    Ok(f64::from(batches) / start.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::model;

    #[test]
    fn what_is_chosen_uses_the_cores_there_are() {
        let model = model();
        assert_eq!(workers_and_threads(&model, 1).unwrap(), (1, 1));
        let (workers, threads) = workers_and_threads(&model, 4).unwrap();
        assert_eq!(workers * threads, 4);
    }
}
