//! Measures how many workers, with how many threads each, are fastest.

use std::{
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

use tch::Tensor;

use cola_model::{Ancestors, Batch, Keep, Model, ModelError, Segment, StepOptions, Visibility};

/// No round begins that would, as far as is known, end later than this.
const LIMIT: Duration = Duration::from_millis(700);
/// Each (workers, threads) candidate is timed at most [`ROUNDS`] times, each time for
/// [`TRIAL_TIME`] or one batch a worker, whichever is longer.
const TRIAL_TIME: Duration = Duration::from_millis(15);
const ROUNDS: usize = 3;
/// Rows of the trial batch, and tokens in each: the largest with which one thread runs the layer in
/// [`BATCH_TIME`].
const BATCHES: [(usize, usize); 4] = [(1, 1), (4, 2), (4, 8), (4, 32)];
const BATCH_TIME: Duration = Duration::from_millis(60);
/// A candidate with fewer workers must be faster by this factor: the threads of one worker wait for
/// each other in every operation that is not a matrix product.
const MARGIN: f64 = 1.15;

/// The number of workers, and of threads in each, that runs the first layer of this model fastest
/// on `cores` cores of the CPU. The candidates are one worker per core with one thread, half as
/// many workers with two threads, and so on. Takes less than a second, unless a single token takes
/// the layer a large part of that: a candidate there is no time for is not chosen.
pub fn workers_and_threads(model: &Model, cores: usize) -> Result<(usize, usize), ModelError> {
    let start = Instant::now();
    let candidates: Vec<(usize, usize)> = (0..)
        .map(|power| 1 << power)
        .take_while(|&threads| threads <= cores)
        .map(|threads| (cores / threads, threads))
        .collect();
    if candidates.len() < 2 || model.depth() == 0 {
        return Ok((cores.max(1), 1));
    }
    let trial = Trial::new(model)?;
    let rates = measure(candidates.len(), start + LIMIT, |candidate| {
        let (workers, threads) = candidates[candidate];
        trial.rate(workers, threads)
    })?;
    let medians: Vec<f64> = rates.into_iter().map(median).collect();
    let best = candidates[fastest(&medians)];
    let seconds = start.elapsed().as_secs_f64();
    tracing::debug!(?candidates, ?medians, ?best, seconds, "workers and threads");
    Ok(best)
}

/// What `rate` gives for each candidate, [`ROUNDS`] times in turn or as often as there is time for
/// until `end`: the slowest measurement so far is taken for the time of the next.
fn measure(
    candidates: usize,
    end: Instant,
    mut rate: impl FnMut(usize) -> Result<f64, ModelError>,
) -> Result<Vec<Vec<f64>>, ModelError> {
    let mut rates = vec![Vec::new(); candidates];
    let mut slowest = Duration::ZERO;
    for candidate in (0..ROUNDS).flat_map(|_| 0..candidates) {
        let start = Instant::now();
        if start + slowest > end {
            break;
        }
        rates[candidate].push(rate(candidate)?);
        slowest = slowest.max(start.elapsed());
    }
    Ok(rates)
}

/// 0 of nothing.
fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or(0.0)
}

/// The first candidate, or the fastest of those that are faster by [`MARGIN`].
fn fastest(rates: &[f64]) -> usize {
    let (mut best, mut needed) = (0, rates[0] * MARGIN);
    for (candidate, &rate) in rates.iter().enumerate().skip(1) {
        if rate > needed {
            (best, needed) = (candidate, rate);
        }
    }
    best
}

/// The batch that the candidates run, of equal rows.
struct Trial<'a> {
    model: &'a Model,
    rows: usize,
    tokens: usize,
}

impl<'a> Trial<'a> {
    /// The largest batch of [`BATCHES`] that one thread runs in [`BATCH_TIME`], or the smallest. A
    /// batch is not tried if the next smaller one took more than half as long.
    fn new(model: &'a Model) -> Result<Self, ModelError> {
        let of = |(rows, tokens)| Self {
            model,
            rows,
            tokens,
        };
        let mut chosen = of(BATCHES[0]);
        for (nth, batch) in BATCHES.into_iter().enumerate() {
            let trial = of(batch);
            let took = thread::scope(|scope| {
                let one = scope.spawn(|| trial.run(1, usual_time));
                joined(one)
            })?;
            if took <= BATCH_TIME || nth == 0 {
                chosen = trial;
            }
            if took > BATCH_TIME / 2 {
                break;
            }
        }
        Ok(chosen)
    }

    /// Batches per second that `workers` workers run together.
    fn rate(&self, workers: usize, threads: usize) -> Result<f64, ModelError> {
        let rates = thread::scope(|scope| {
            let worker = || self.run(threads, steady_rate);
            let workers: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
            let rates = workers.into_iter().map(joined);
            rates.collect::<Result<Vec<f64>, _>>()
        })?;
        Ok(rates.iter().sum())
    }

    /// Gives `measure` what runs the batch once. Uses `threads` threads of libtorch in the thread
    /// of the caller, for good.
    fn run<T>(
        &self,
        threads: usize,
        measure: impl FnOnce(Run<'_>) -> Result<T, ModelError>,
    ) -> Result<T, ModelError> {
        tch::set_num_threads(threads as i32);
        let _guard = tch::no_grad_guard();
        let &Self {
            model,
            rows,
            tokens,
        } = self;
        let positions: Vec<i64> = (0..tokens as i64).collect();
        let causal = Ancestors::causal(tokens);
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
                tree: &causal,
            },
        };
        let segments: Vec<Segment<'_>> = (0..rows).map(|_| segment()).collect();
        let options = vec![
            StepOptions {
                keep: Keep::Residual,
                alpha: 1.0
            };
            rows
        ];
        let layer = model.layer(0);
        measure(&|| {
            let batch = Batch::pack(&segments, layer.window())?;
            layer.forward(&batch, &options).map(drop)
        })
    }
}

/// Runs a batch once.
type Run<'a> = &'a dyn Fn() -> Result<(), ModelError>;

fn timed(run: Run<'_>) -> Result<Duration, ModelError> {
    let start = Instant::now();
    run()?;
    Ok(start.elapsed())
}

/// Time of a batch: of the second, unless the first was slow already, because kernels for new shapes
/// are generated once.
fn usual_time(run: Run<'_>) -> Result<Duration, ModelError> {
    match timed(run)? {
        first if first > BATCH_TIME => Ok(first),
        _ => timed(run),
    }
}

/// Batches per second, after one that is not counted.
fn steady_rate(run: Run<'_>) -> Result<f64, ModelError> {
    run()?;
    let (start, mut batches) = (Instant::now(), 0u32);
    while batches == 0 || start.elapsed() < TRIAL_TIME {
        run()?;
        batches += 1;
    }
    Ok(f64::from(batches) / start.elapsed().as_secs_f64())
}

/// What a thread returns; its panic is an error.
fn joined<T>(thread: ScopedJoinHandle<'_, Result<T, ModelError>>) -> Result<T, ModelError> {
    let failed = || tch::TchError::Torch("a trial step panicked".into());
    thread.join().unwrap_or_else(|_| Err(failed().into()))
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

    #[test]
    fn fewer_workers_must_be_clearly_faster() {
        assert_eq!(fastest(&[100.0, 114.0, 110.0]), 0);
        assert_eq!(fastest(&[100.0, 116.0, 114.0]), 1);
        assert_eq!(fastest(&[100.0, 116.0, 117.0]), 2);
        assert_eq!(fastest(&[100.0, 0.0]), 0, "no time for the second");
        assert_eq!(fastest(&[0.0, 0.0]), 0, "nor for the first");
    }

    #[test]
    fn candidates_take_turns_until_the_time_is_over() {
        let far = Instant::now() + Duration::from_secs(3600);
        let mut order = Vec::new();
        let rates = measure(2, far, |candidate| {
            order.push(candidate);
            Ok(order.len() as f64)
        });
        assert_eq!(order, [0, 1, 0, 1, 0, 1]);
        assert_eq!(rates.unwrap(), [[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]);
        assert_eq!(median(vec![5.0, 1.0, 3.0]), 3.0);
        let past = Instant::now() - Duration::from_nanos(1);
        let rates = measure(2, past, |_| unreachable!("there is no time"));
        assert_eq!(rates.unwrap(), vec![Vec::<f64>::new(); 2]);
    }
}
