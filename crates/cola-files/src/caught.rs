//! Panics of libraries, as errors.

use std::{
    any::Any,
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Once,
};

thread_local! {
    /// Number of calls of [`caught`] that this thread is in. The panic hook is silent for them.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// What `work` returns, or the message of its panic, on one line. The panic prints nothing.
///
/// For work of a library on data that a user gave: what it leaves half changed must be dropped, or be made anew for each call.
///
/// # Errors
/// `work` panicked.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if DEPTH.get() == 0 {
                usual(panic);
            }
        }));
    });
    DEPTH.set(DEPTH.get() + 1);
    let done = catch_unwind(AssertUnwindSafe(work));
    DEPTH.set(DEPTH.get() - 1);
    done.map_err(|panic| message(&*panic))
}

fn message(panic: &(dyn Any + Send)) -> String {
    /// A message may quote the whole input.
    const LONGEST: usize = 200;
    let text = match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(text), _) => text,
        (None, Some(text)) => *text,
        (None, None) => "",
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_its_message_on_one_line() {
        assert_eq!(caught(|| 1), Ok(1));
        let panic = caught(|| panic!("one\n\t{}", "two"));
        assert_eq!(panic, Err::<(), _>("one two".to_owned()));
        let inner = caught(|| caught(|| panic!("inner")).is_err());
        assert_eq!(inner, Ok(true));
        assert_eq!(DEPTH.get(), 0);
    }
}
