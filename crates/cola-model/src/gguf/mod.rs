//! GGUF, the file format of llama.cpp: one file, or several parts of one, with a model's metadata
//! and tensors.
//!
//! ```text
//! "GGUF" | version | counts | metadata: key, type, value ... | tensors: name, dimensions, type, offset ... | data
//! ```
//!
//! The crate `anamnesis` reads the tables and undoes the block quantisation: it bounds every count
//! and length before it allocates, refuses tensors that overlap or end past the file, and its
//! kernels take the bytes of one tensor and give f32, bit for bit what llama.cpp's own Python
//! package gives. A file is mapped by this program, never by the crate, so that its pages can be
//! given back while it is read.

mod header;
mod metadata;
mod parts;

pub use header::{Described, parse};
pub use metadata::Metadata;
pub use parts::{check_parts, part_files};
