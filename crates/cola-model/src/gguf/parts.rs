//! The files that a split model consists of: `NAME-00001-of-00003.gguf` and so on, as
//! `llama-gguf-split` names them.

use std::path::{Path, PathBuf};

use super::{super::ModelError, Metadata};

/// All parts of the model that `path` is a part of, in order. `path` alone if its name is not that
/// of a part.
pub fn part_files(path: &Path) -> Vec<PathBuf> {
    let name = path.file_name().and_then(|name| name.to_str());
    match name.and_then(numbered) {
        None => vec![path.to_owned()],
        Some((stem, count)) => (1..=count)
            .map(|part| path.with_file_name(format!("{stem}-{part:05}-of-{count:05}.gguf")))
            .collect(),
    }
}

/// `NAME` and `N` of `NAME-0000i-of-0000N.gguf`, for an `i` from 1 to `N`.
fn numbered(name: &str) -> Option<(&str, u32)> {
    let rest = name.strip_suffix(".gguf")?;
    let (rest, count) = rest.rsplit_once("-of-")?;
    let (stem, part) = rest.rsplit_once('-')?;
    let five_digits = |text: &str| match text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit())
    {
        true => text.parse::<u32>().ok(),
        false => None,
    };
    let (part, count) = (five_digits(part)?, five_digits(count)?);
    (1..=count).contains(&part).then_some((stem, count))
}

/// Checks that these are all parts of one model, in order, each with its number of tensors.
pub fn check_parts(parts: &[(Metadata, usize)]) -> Result<(), ModelError> {
    for (index, (metadata, _)) in parts.iter().enumerate() {
        let config = metadata.config();
        let count = config.count_opt("split.count")?.unwrap_or(0).max(1);
        if count as usize != parts.len() {
            let reason = format!(
                "is {count}, but the name of the file says {}; the parts must be called \
                 NAME-00001-of-{count:05}.gguf and so on",
                parts.len()
            );
            return Err(config.refuse("split.count", reason));
        }
        let number = config.count_opt("split.no")?.unwrap_or(0);
        if number as usize != index {
            let reason = format!("is {number} in the part whose name is {}", index + 1);
            return Err(config.refuse("split.no", reason));
        }
    }
    let [(first, _), ..] = parts else {
        return Ok(());
    };
    let all: usize = parts.iter().map(|(_, tensors)| tensors).sum();
    match first.config().count_opt("split.tensors.count")? {
        Some(promised) if promised as usize != all => {
            let reason = format!("is {promised}, but the parts hold {all} tensors");
            Err(first.config().refuse("split.tensors.count", reason))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_part_names_all_parts() {
        let parts = ["d/m-00001-of-00002.gguf", "d/m-00002-of-00002.gguf"].map(PathBuf::from);
        for part in &parts {
            assert_eq!(part_files(part), parts);
        }
    }

    #[test]
    fn other_names_are_whole_models() {
        for name in [
            "m.gguf",
            "m-00003-of-00002.gguf",
            "m-00000-of-00002.gguf",
            "m-1-of-2.gguf",
            "m-000+1-of-00002.gguf",
            "m-00001-of-00002.bin",
        ] {
            assert_eq!(part_files(Path::new(name)), [Path::new(name)], "{name}");
        }
    }
}
