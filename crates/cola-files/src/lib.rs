//! Reads files that users name, or that such files include. They may come from anywhere.
//!
//! A pipe has no end and waits for its writer, `/dev/zero` has no end either, and a sparse file is larger than any memory.
//! So every file is a regular one, and what is read of it at once has a bound: a whole file ([`read`]), or a line
//! ([`LinesOf`]). Libraries that run on what was read may panic; [`caught`] makes an error of that.
//!
//! # Example
//!
//! ```
//! let directory = tempfile::tempdir()?;
//! let path = directory.path().join("config.json");
//! std::fs::write(&path, "{}")?;
//! assert_eq!(cola_files::read_text(&path, cola_files::DESCRIPTION)?, "{}");
//!
//! let error = cola_files::read_text(directory.path(), cola_files::DESCRIPTION).unwrap_err();
//! assert_eq!(error.to_string(), "this is a directory, not a regular file");
//! # Ok::<(), std::io::Error>(())
//! ```

mod caught;
mod lines;
mod whole;

pub use caught::caught;
pub use lines::{Line, LinesOf, take_line};
pub use whole::{check, open, read, read_text};

/// Most bytes of a file that describes something: `config.json`, the index of weights, a manifest. The indices of the largest
/// models have 13 MB.
pub const DESCRIPTION: u64 = 32 << 20;

/// Most bytes of a `tokenizer.json`. The largest in use have 35 MB.
pub const TOKENIZER: u64 = 128 << 20;

/// Most bytes of a text that a person wrote: a task file, a template.
pub const WRITTEN: u64 = 1 << 20;

/// Most bytes of one row, and of one line.
pub const ROW: u64 = 16 << 20;
