//! Reads the answer out of a worked solution, and decides exactly whether two math answers are the same.
//!
//! Made for grading the output of a language model against the gold answer of a benchmark such as GSM8K,
//! MATH or AIME. Any two strings may be passed in. Time, memory and recursion depth are bounded, and the
//! work is counted, not timed, so a pair has the same verdict on every machine.
//!
//! # Words
//!
//! | word | meaning |
//! | --- | --- |
//! | text | the whole output of a model, or a worked solution |
//! | answer | the part of a text that is compared: number, expression, set, interval, vector or words |
//! | gold | the answer that the benchmark gives |
//! | box | `\\boxed{...}`, which marks an answer in LaTeX |
//! | unsure | the verdict if the comparison gave up; it counts as not equal ([`Unsure`]) |
//!
//! # From text to verdict
//!
//! ```text
//! text ── boxed, extract ──▶ answer ── token, token_number ──▶ parse*, units ──▶ syntax::Node
//!                                                                                    │
//! MathVerdict ◀── compare (lists, quantity, relation, real_set, evaluate) ◀── algebra (poly, power):
//!                                                                   exact values, by normal, functions
//! ```
//!
//! # Example
//!
//! ```
//! use math_answer::{extract_answer, math_equal, math_verdict, MathVerdict};
//!
//! let text = r"Half of 3/4 is \boxed{\frac{3}{8}}. Let me check.";
//! assert_eq!(extract_answer(text), Some(r"\frac{3}{8}"));
//!
//! assert!(math_equal(r"\frac{3}{8}", "0.375"));
//! assert!(math_equal("18 red apples", "18"));
//! assert!(!math_equal("0.33", r"\frac13"));
//! assert!(matches!(math_verdict("2^{2^{2^{99}}}", "7"), MathVerdict::Unsure(_)));
//! ```

mod algebra;
mod boxed;
mod clock;
mod compare;
mod equal;
mod evaluate;
mod extract;
mod functions;
mod limits;
mod lists;
mod normal;
mod number;
mod parse;
mod parse_bracket;
mod parse_call;
mod parse_factor;
mod parse_fraction;
mod parse_symbol;
mod plain;
mod poly;
mod power;
mod quantity;
mod real_set;
mod relation;
mod signs;
mod syntax;
mod token;
mod token_number;
mod unit;
mod units;
mod words;

#[cfg(test)]
mod tests;

pub use boxed::{first_boxed, last_boxed};
pub use equal::{MathVerdict, math_equal, math_verdict};
pub use extract::{after_answer_is, after_hashes, extract_answer, last_number};
pub use limits::Unsure;
pub use number::{Number, parse_number};
