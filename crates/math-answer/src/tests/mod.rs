//! Answers that are and are not the same, what happens to hostile input, and the recorded comparison with math-verify.

mod hostile;
mod laws;
mod readings;
mod recorded;
mod spellings;
