//! Writing to standard output, where a reader that left is an error to handle, not a panic.

use std::{io::Write, path::Path};

use serde::Serialize;

use super::CliError;

/// Prints text as it is.
pub fn print(text: &str) -> Result<(), CliError> {
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
    line(&to_json(value)?)
}

/// Writes a file whole, through a neighbour that is renamed.
pub fn file(path: &Path, text: &str) -> Result<(), CliError> {
    let io = |source| CliError::Io {
        path: path.to_owned(),
        source,
    };
    let directory = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut draft = tempfile::NamedTempFile::new_in(directory).map_err(io)?;
    draft.write_all(text.as_bytes()).map_err(io)?;
    draft.persist(path).map_err(|error| io(error.error))?;
    readable(path).map_err(io)
}

/// Temporary files are private; what a run leaves behind is like any other file.
#[cfg(unix)]
fn readable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// JSON, indented.
pub fn to_json(value: &impl Serialize) -> Result<String, CliError> {
    serde_json::to_string_pretty(value).map_err(|error| CliError::Output(error.into()))
}
