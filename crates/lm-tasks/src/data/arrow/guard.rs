//! Calls the arrow crates, which return an error for most faults of a batch and panic for the
//! others.

use arrow_schema::ArrowError;
use cola_files::caught;

use super::Fault;

/// The result of `decode`; an error or a panic becomes a [`Fault`] of one line.
pub(super) fn guarded<T>(decode: impl FnOnce() -> Result<T, ArrowError>) -> Result<T, Fault> {
    // State that `decode` leaves half changed is dropped with the file.
    let message = match caught(decode) {
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
        assert_eq!(error, "cannot be read as Arrow: Parser error: one two");
        let panic = said(|| panic!("{}", "odd"));
        assert_eq!(panic, "cannot be read as Arrow: a batch is damaged");
    }
}
