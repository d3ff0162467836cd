//! Finds a task by a built-in name, or by the path of a task file.

use std::path::Path;

use super::built_in::{self, built_in_names};
use super::error::TaskError;
use super::parse;
use super::spec::TaskSpec;
use super::yaml::{Keys, Source};

/// The task of a built-in name or of a YAML file.
///
/// # Errors
/// Returns an error that lists the known names for an unknown name, and one that names file and key
/// for a task file that asks for something that is not supported.
pub fn resolve(name_or_path: &str) -> Result<TaskSpec, TaskError> {
    let path = Path::new(name_or_path);
    let looks_like_path = path.extension().is_some() || name_or_path.contains(['/', '\\']);
    let source = match built_in::find(name_or_path) {
        Some((name, text)) if !looks_like_path => Source::BuiltIn(name, text),
        _ if looks_like_path || path.is_file() => Source::File(path.to_owned()),
        _ => {
            return Err(TaskError::UnknownTask {
                name: name_or_path.to_owned(),
                known: built_in_names().collect::<Vec<_>>().join(", "),
            });
        }
    };
    parse::task(Keys::read(&source)?, source.directory())
}
