//! Writing to standard output, where a reader that left is an error to handle, not a panic.

use std::{io::Write, path::Path};

use serde::Serialize;

use super::CliError;
use crate::{
    export::Output,
    run::RunError,
    terminal::{printable, printable_json},
};

/// Prints text, of which a terminal obeys nothing but line breaks and tabs.
pub fn print(text: &str) -> Result<(), CliError> {
    exact(&printable(text))
}

/// Prints text as it is, for another program.
pub fn exact(text: &str) -> Result<(), CliError> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

/// Prints a line.
pub fn line(text: &str) -> Result<(), CliError> {
    print(&format!("{text}\n"))
}

/// Prints one JSON object.
pub fn json(value: &impl Serialize) -> Result<(), CliError> {
    exact(&format!("{}\n", printable_json(&to_json(value)?)))
}

/// Writes a file whole or not at all; a device or pipe is written as it is.
pub fn file(path: &Path, text: &str) -> Result<(), CliError> {
    let mut output = Output::create(path)?;
    let written = output.write_all(text.as_bytes());
    written.map_err(|source| output.error(source))?;
    Ok(output.finish()?)
}

/// Makes the directory a command writes to.
pub fn directory(path: &Path) -> Result<(), CliError> {
    if path.is_file() {
        return Err(RunError::NotADirectory(path.to_owned()).into());
    }
    std::fs::create_dir_all(path).map_err(|source| CliError::Io {
        path: path.to_owned(),
        source,
    })
}

/// JSON, indented.
pub fn to_json(value: &impl Serialize) -> Result<String, CliError> {
    serde_json::to_string_pretty(value).map_err(|error| CliError::Output(error.into()))
}
