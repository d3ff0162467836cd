//! Work that several threads share.

use std::{
    panic::resume_unwind,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// The results of `make` for `0..count`, in order, or the error with the lowest index. `threads`
/// threads take the next index each, and run libtorch's operations on one thread; with fewer than
/// two the caller runs them all, as it is.
pub fn in_threads<T: Send, E: Send>(
    threads: usize,
    count: usize,
    make: impl Fn(usize) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    if threads < 2 || count < 2 {
        return (0..count).map(make).collect();
    }
    keeping_number(|| run_in_threads(threads.min(count), count, make))
}

/// Runs work that sets the number of libtorch's threads in other threads. libtorch takes the number
/// that was set last for every thread that sets none, so it is set again here, to what the caller
/// has.
pub fn keeping_number<T>(work: impl FnOnce() -> T) -> T {
    let number = tch::get_num_threads();
    let done = work();
    tch::set_num_threads(number);
    done
}

fn run_in_threads<T: Send, E: Send>(
    threads: usize,
    count: usize,
    make: impl Fn(usize) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    // Indices are taken in order, so all below that of an error have been taken before it, and
    // those are finished: which error has the lowest index does not depend on the threads.
    let next = AtomicUsize::new(0);
    let work = || {
        tch::set_num_threads(1);
        let _guard = tch::no_grad_guard();
        let mut made = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return made;
            }
            let result = make(index);
            if result.is_err() {
                next.fetch_max(count, Ordering::Relaxed);
            }
            made.push((index, result));
        }
    };
    let mut all: Vec<(usize, Result<T, E>)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined = workers.into_iter().map(|worker| worker.join());
        joined
            .flat_map(|made| made.unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    all.sort_unstable_by_key(|&(index, _)| index);
    all.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_the_first_error_counts() {
        for threads in [1, 2, 5, 100] {
            let doubled = in_threads(threads, 60, |index| Ok::<_, ()>(2 * index));
            assert_eq!(doubled, Ok((0..60).map(|index| 2 * index).collect()));
            for _ in 0..50 {
                let odd = |index| match index {
                    17 | 23 | 24 => Err(index),
                    _ => Ok(index),
                };
                assert_eq!(in_threads(threads, 60, odd), Err(17));
            }
            assert_eq!(in_threads(threads, 0, Err::<(), _>), Ok(vec![]));
        }
    }

    #[test]
    fn libtorch_has_one_thread_in_each_and_the_caller_keeps_its_own() {
        tch::set_num_threads(3);
        let numbers = in_threads(2, 4, |_| Ok::<_, ()>(tch::get_num_threads()));
        assert_eq!(numbers, Ok(vec![1; 4]));
        assert_eq!(tch::get_num_threads(), 3);
    }

    #[test]
    fn a_panic_reaches_the_caller() {
        let panics = std::panic::catch_unwind(|| {
            in_threads(2, 4, |index| match index {
                3 => panic!("third"),
                _ => Ok::<_, ()>(index),
            })
        });
        assert_eq!(panics.unwrap_err().downcast_ref(), Some(&"third"));
    }
}
