//! Reading an answer out of what a model wrote, and deciding whether it says the same as the gold answer.
//!
//! ```text
//! text ── boxed, extract ──> answer ── token, token_number ──> parse*, units ──> syntax::Node
//! Node ── normal, functions ──> algebra (poly, power): exact values ── compare (lists, quantity, relation,
//!      real_set, evaluate) ──> MathVerdict
//! ```
//!
//! Everything here is total: any string in, bounded time, memory and depth ([`limits`]). Unsure is "not equal".

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
mod poly;
mod power;
mod quantity;
mod real_set;
mod relation;
mod signs;
mod syntax;
mod token;
mod token_number;
mod units;
mod words;

#[cfg(test)]
mod tests;

pub use boxed::{first_boxed, last_boxed};
pub use equal::{MathVerdict, math_equal, math_verdict};
pub use extract::{after_answer_is, after_hashes, extract_answer, last_number};
pub use limits::Unsure;
pub use number::{Number, parse_number};
