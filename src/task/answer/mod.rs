//! Reading an answer out of what a model wrote, and deciding whether it says the same as the gold answer.
//!
//! Everything here is total: any string in, bounded time and memory, no recursion. Unsure is "not equal".

mod boxed;
mod equal;
mod number;

pub use boxed::{first_boxed, last_boxed};
pub use equal::math_equal;
pub use number::{Number, parse_number};
