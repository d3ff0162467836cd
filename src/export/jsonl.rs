//! One JSON object a line; what a sample does not have is `null`.

use std::io::{self, Write};

use super::{Exporter, Row};

/// The `jsonl` format.
pub struct Jsonl;

impl Exporter for Jsonl {
    fn write(&self, rows: &mut dyn Iterator<Item = Row>, out: &mut dyn Write) -> io::Result<()> {
        for row in rows {
            serde_json::to_writer(&mut *out, &row)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}
