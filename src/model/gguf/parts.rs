//! The files that a split model consists of: `NAME-00001-of-00003.gguf` and so on, as `llama-gguf-split` names them.

use std::path::{Path, PathBuf};

/// All parts of the model that `path` is a part of, in order: `path` alone, unless its name says otherwise.
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
