//! Calls of the arrow crates, which return an error for most of what is wrong with a batch and assert the rest.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use arrow_schema::ArrowError;

use super::Fault;

thread_local! {
    /// Whether this thread's panics are said by [`guarded`] instead of the panic hook.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// What `decode` returns, its error or panic on one line.
pub(super) fn guarded<T>(decode: impl FnOnce() -> Result<T, ArrowError>) -> Result<T, Fault> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                usual(panic);
            }
        }));
    });
    QUIET.set(true);
    // What `decode` changes is dropped with the file it failed on.
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    QUIET.set(false);
    let message = match decoded {
        Ok(Ok(decoded)) => return Ok(decoded),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "a batch is damaged".to_owned(),
    };
    let words: Vec<&str> = message.split_whitespace().collect();
    Err(Fault::Damaged(words.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_panics_are_one_line() {
        let said =
            |decode: fn() -> Result<(), ArrowError>| guarded(decode).unwrap_err().to_string();
        let error = said(|| Err(ArrowError::ParseError("one\n\ttwo".to_owned())));
        assert_eq!(error, "not Arrow that can be read: Parser error: one two");
        let panic = said(|| panic!("{}", "odd"));
        assert_eq!(panic, "not Arrow that can be read: a batch is damaged");
        assert!(!QUIET.get());
    }
}
