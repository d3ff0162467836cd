//! Directories written by `datasets.save_to_disk`: one dataset, or one for each split.
//!
//! ```text
//! DIR/dataset_dict.json                    {"splits": ["train", "test"]}
//! DIR/test/dataset_info.json               the dataset's features; its subset as `config_name`
//! DIR/test/state.json                      the dataset's row files, in order, and `_split`
//! DIR/test/data-00000-of-00001.arrow
//! ```
//!
//! `dataset_dict.json` may be missing if only some splits were copied.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    HubFailure,
    splits::{name, split_in},
};

const DICT: &str = "dataset_dict.json";
const INFO: &str = "dataset_info.json";
const STATE: &str = "state.json";

#[derive(Deserialize)]
struct Dict {
    splits: Vec<String>,
}

#[derive(Deserialize)]
struct Info {
    config_name: Option<String>,
}

#[derive(Deserialize)]
struct State {
    #[serde(rename = "_data_files")]
    data_files: Vec<DataFile>,
    #[serde(rename = "_indices_data_files")]
    indices: Option<Vec<serde_json::Value>>,
    #[serde(rename = "_split")]
    split: Option<String>,
}

#[derive(Deserialize)]
struct DataFile {
    filename: String,
}

/// Whether a directory is a single saved dataset.
pub(super) fn is_dataset(directory: &Path) -> bool {
    [STATE, INFO]
        .iter()
        .all(|name| directory.join(name).is_file())
}

/// The files of a split, in order; `None` if the directory is not a saved one.
///
/// A saved directory contains one subset. So `subset` is either the name of a directory inside, or has to
/// agree with the subset that the dataset itself names.
pub(super) fn files_of_split(
    directory: &Path,
    subset: Option<&str>,
    split: &str,
) -> Result<Option<Vec<PathBuf>>, HubFailure> {
    let inside = subset.filter(|name| is_plain(name));
    let inside = inside.map(|name| directory.join(name));
    let directories = inside.iter().map(PathBuf::as_path).chain([directory]);
    for directory in directories {
        let Some(home) = home_of_split(directory, subset, split)? else {
            continue;
        };
        if Some(directory) != inside.as_deref() {
            check_subset(&home, subset)?;
        }
        return files_in(&home).map(Some);
    }
    Ok(None)
}

/// The directory of a split; `None` if `directory` is not a saved one.
fn home_of_split(
    directory: &Path,
    subset: Option<&str>,
    split: &str,
) -> Result<Option<PathBuf>, HubFailure> {
    let missing = |found: &[String]| HubFailure::NoSplit {
        wanted: name(subset, split),
        found: match found {
            [] => "none".to_owned(),
            found => found.join(", "),
        },
    };
    if is_dataset(directory) {
        let state: State = read(&directory.join(STATE))?;
        return match state.split {
            Some(own) if chosen(std::slice::from_ref(&own), split).is_none() => {
                Err(missing(&[own]))
            }
            _ => Ok(Some(directory.to_owned())),
        };
    }
    let splits = match splits_of(directory)? {
        Some(splits) => splits,
        None => return Ok(None),
    };
    let own = chosen(&splits, split).ok_or_else(|| missing(&splits))?;
    let home = directory.join(own);
    match is_dataset(&home) {
        true => Ok(Some(home)),
        false => Err(broken(
            &home,
            format!("not the directory of a saved split, which holds {STATE} and {INFO}"),
        )),
    }
}

/// The splits in a directory with a dataset for each split; `None` for any other directory.
fn splits_of(directory: &Path) -> Result<Option<Vec<String>>, HubFailure> {
    let file = directory.join(DICT);
    if file.is_file() {
        let Dict { splits } = read(&file)?;
        return match splits.iter().find(|split| !is_plain(split)) {
            Some(split) => Err(broken(
                &file,
                format!("splits: `{split}` is not a plain name"),
            )),
            None => Ok(Some(splits)),
        };
    }
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Ok(None);
    };
    let names = entries.flatten().filter(|entry| is_dataset(&entry.path()));
    let mut names: Vec<String> = names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok((!names.is_empty()).then_some(names))
}

/// The entry of `splits` for `split`: with the same name, or with another word for it, such as `dev` for
/// `validation`.
fn chosen<'a>(splits: &'a [String], split: &str) -> Option<&'a String> {
    let mut other = splits.iter().filter(|own| split_in(own) == Some(split));
    let same = splits.iter().find(|own| *own == split);
    same.or_else(|| other.next())
}

/// Refuses a dataset that names another subset as its own.
fn check_subset(home: &Path, subset: Option<&str>) -> Result<(), HubFailure> {
    let file = home.join(INFO);
    let (Some(subset), true) = (subset, file.is_file()) else {
        return Ok(());
    };
    let info: Info = read(&file)?;
    match info.config_name {
        Some(own) if own != subset && own != "default" => Err(broken(
            &file,
            format!(
                "config_name: this is the subset {own}, not {subset}; use option `subset` {own} to read it"
            ),
        )),
        _ => Ok(()),
    }
}

/// The files of one saved dataset, in order.
pub(super) fn files_in(home: &Path) -> Result<Vec<PathBuf>, HubFailure> {
    let file = home.join(STATE);
    let state: State = read(&file)?;
    if state.indices.is_some_and(|indices| !indices.is_empty()) {
        return Err(broken(
            &file,
            "_indices_data_files: a file of indices that chooses rows is not supported; call flatten_indices() and \
             save the dataset again",
        ));
    }
    if state.data_files.is_empty() {
        return Err(broken(&file, "_data_files: none"));
    }
    let path = |DataFile { filename }| {
        let path = home.join(&filename);
        let wrong = match (is_plain(&filename), filename.ends_with(".arrow")) {
            (false, _) => "is not a plain file name",
            (true, false) => "is not an .arrow file",
            (true, true) if !path.is_file() => "does not exist",
            (true, true) => return Ok(path),
        };
        Err(broken(&file, format!("_data_files: `{filename}` {wrong}")))
    };
    state.data_files.into_iter().map(path).collect()
}

/// Whether a name is that of a file in the same directory, with no other path components.
fn is_plain(name: &str) -> bool {
    let mut components = Path::new(name).components();
    let plain = matches!(components.next(), Some(Component::Normal(own)) if own == name);
    plain && components.next().is_none() && !name.contains(['/', '\\'])
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, HubFailure> {
    let text = cola_files::read(path, cola_files::DESCRIPTION)
        .map_err(|error| broken(path, format!("cannot be read: {error}")))?;
    serde_json::from_slice(&text).map_err(|error| {
        broken(
            path,
            format!("not what datasets.save_to_disk writes: {error}"),
        )
    })
}

fn broken(file: &Path, message: impl Into<String>) -> HubFailure {
    HubFailure::Saved {
        file: file.to_owned(),
        message: message.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn write(home: &TempDir, file: &str, text: &str) {
        let path = home.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes a saved dataset of two files, `b.arrow` before `a.arrow`.
    fn save(home: &TempDir, at: &str, state: &str, config: &str) {
        write(
            home,
            &format!("{at}{INFO}"),
            &format!("{{\"config_name\": {config}}}"),
        );
        write(home, &format!("{at}{STATE}"), &format!("{{{state}}}"));
        write(home, &format!("{at}a.arrow"), "");
        write(home, &format!("{at}b.arrow"), "");
    }

    const FILES: &str = r#""_data_files": [{"filename": "b.arrow"}, {"filename": "a.arrow"}]"#;

    fn of(home: &TempDir, subset: Option<&str>, split: &str) -> Result<Vec<String>, String> {
        let within = |path: PathBuf| {
            path.strip_prefix(home.path())
                .unwrap()
                .display()
                .to_string()
        };
        match files_of_split(home.path(), subset, split) {
            Ok(files) => Ok(files
                .expect("a saved directory")
                .into_iter()
                .map(within)
                .collect()),
            Err(failure) => Err(failure
                .to_string()
                .replace(home.path().to_str().unwrap(), "DIR")),
        }
    }

    #[test]
    fn files_come_in_the_order_of_the_state() {
        let home = tempfile::tempdir().unwrap();
        save(&home, "", FILES, "null");
        for split in ["test", "anything"] {
            assert_eq!(of(&home, None, split).unwrap(), ["b.arrow", "a.arrow"]);
        }
        save(
            &home,
            "",
            &format!(r#"{FILES}, "_split": "validation", "_indices_data_files": []"#),
            "null",
        );
        assert!(of(&home, None, "validation").is_ok());
        assert_eq!(
            of(&home, None, "test").unwrap_err(),
            "no data files for test; found: validation"
        );
        save(
            &home,
            "",
            &format!(r#"{FILES}, "_split": "train[:10%]""#),
            "null",
        );
        assert!(of(&home, None, "train").is_ok());
    }

    #[test]
    fn a_directory_of_splits_has_those_it_lists_or_those_in_it() {
        let home = tempfile::tempdir().unwrap();
        save(&home, "train/", FILES, "null");
        save(&home, "dev/", FILES, "null");
        save(&home, "other/", FILES, "null");
        assert_eq!(
            of(&home, None, "dev").unwrap(),
            ["dev/b.arrow", "dev/a.arrow"]
        );
        assert_eq!(
            of(&home, None, "validation").unwrap(),
            ["dev/b.arrow", "dev/a.arrow"]
        );
        let all = "no data files for test; found: dev, other, train";
        assert_eq!(of(&home, None, "test").unwrap_err(), all);
        write(&home, DICT, r#"{"splits": ["train", "dev", "gone"]}"#);
        let listed = "no data files for other; found: train, dev, gone";
        assert_eq!(of(&home, None, "other").unwrap_err(), listed);
        assert!(
            of(&home, None, "gone")
                .unwrap_err()
                .starts_with("DIR/gone: not the directory of a saved split")
        );
        write(&home, DICT, r#"{"splits": ["../train"]}"#);
        let error = of(&home, None, "train").unwrap_err();
        assert_eq!(
            error,
            "DIR/dataset_dict.json: splits: `../train` is not a plain name"
        );
    }

    #[test]
    fn a_subset_is_a_directory_inside_or_the_one_the_dataset_names() {
        let home = tempfile::tempdir().unwrap();
        save(&home, "test/", FILES, "\"hard\"");
        assert_eq!(
            of(&home, Some("hard"), "test").unwrap(),
            ["test/b.arrow", "test/a.arrow"]
        );
        let other = of(&home, Some("easy"), "test").unwrap_err();
        assert_eq!(
            other,
            "DIR/test/dataset_info.json: config_name: this is the subset hard, not easy; use option `subset` hard to read it"
        );
        save(&home, "easy/test/", FILES, "\"whatever\"");
        assert_eq!(
            of(&home, Some("easy"), "test").unwrap(),
            ["easy/test/b.arrow", "easy/test/a.arrow"]
        );
        for config in ["\"default\"", "null"] {
            save(&home, "test/", FILES, config);
            assert!(of(&home, Some("other"), "test").is_ok());
        }
    }

    #[test]
    fn a_state_that_means_other_files_is_refused_by_its_field() {
        let home = tempfile::tempdir().unwrap();
        let file = |name: &str| format!(r#""_data_files": [{{"filename": "{name}"}}]"#);
        for (state, error) in [
            (
                file("../a.arrow"),
                "_data_files: `../a.arrow` is not a plain file name",
            ),
            (
                file("/a.arrow"),
                "_data_files: `/a.arrow` is not a plain file name",
            ),
            (
                file("x/a.arrow"),
                "_data_files: `x/a.arrow` is not a plain file name",
            ),
            (
                file("x\\\\a.arrow"),
                "_data_files: `x\\a.arrow` is not a plain file name",
            ),
            (file(""), "_data_files: `` is not a plain file name"),
            (file(".."), "_data_files: `..` is not a plain file name"),
            (
                file("state.json"),
                "_data_files: `state.json` is not an .arrow file",
            ),
            (file("c.arrow"), "_data_files: `c.arrow` does not exist"),
            ("\"_data_files\": []".to_owned(), "_data_files: none"),
            (
                format!(r#"{FILES}, "_indices_data_files": [{{"filename": "indices.arrow"}}]"#),
                "_indices_data_files: a file of indices that chooses rows is not supported; call flatten_indices() and save the dataset again",
            ),
            (
                String::new(),
                "not what datasets.save_to_disk writes: missing field `_data_files` at line 1 column 2",
            ),
            (
                "\"".to_owned(),
                "not what datasets.save_to_disk writes: EOF",
            ),
        ] {
            save(&home, "", &state, "null");
            let found = of(&home, None, "test").unwrap_err();
            assert!(
                found.starts_with(&format!("DIR/state.json: {error}")),
                "{found}"
            );
        }
    }

    #[test]
    fn other_directories_are_none() {
        let home = tempfile::tempdir().unwrap();
        write(&home, "state.json", "{}");
        write(&home, "test.jsonl", "");
        assert!(
            files_of_split(home.path(), Some("x"), "test")
                .unwrap()
                .is_none()
        );
    }
}
