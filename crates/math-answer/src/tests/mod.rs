//! Tests with equal and different answers, with hostile input, and with recorded verdicts of math-verify.

mod hostile;
mod laws;
mod readings;
mod recorded;
mod spellings;
