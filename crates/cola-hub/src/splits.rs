//! Finds the files of a dataset that belong to a subset and split, by their names.
//!
//! ```text
//! ARC-Easy/test-00000-of-00001.parquet   subset ARC-Easy, split test
//! data/train-00000-of-00002.parquet      no subset, split train, the first of two
//! test.parquet                           no subset, split test
//! main/test/0000.parquet                 subset main, split test: the layout of the hub's own conversions
//! test/data-00000-of-00001.arrow         no subset, split test: the layout of the datasets library on disk
//! my-test.jsonl.gz                       no subset, split test, if no file is named exactly so
//! ```

use std::collections::BTreeSet;

/// Extensions of files with rows, in order of preference. If a split has files in several formats, only
/// those of the first format are read; the others are taken for copies.
const EXTENSIONS: [&str; 7] = ["parquet", "arrow", "jsonl", "ndjson", "json", "csv", "tsv"];

/// Words that name a split, as the datasets library reads them.
const WORDS: [(&str, &[&str]); 3] = [
    ("train", &["train", "training"]),
    ("validation", &["validation", "valid", "dev", "val"]),
    ("test", &["test", "testing", "eval", "evaluation"]),
];

/// A file of a dataset.
struct Part<'a> {
    file: &'a str,
    /// Index of the file's format in [`EXTENSIONS`].
    format: usize,
    /// `None` if the dataset has a single subset.
    subset: Option<String>,
    split: &'a str,
    /// Number of files of the split, if the file's name says so.
    of: Option<usize>,
}

/// The files of a split, in order. The error lists the subsets and splits that there are.
///
/// Without `subset`, the split must be in one subset only.
pub(super) fn files_of_split<'a>(
    files: &'a [String],
    subset: Option<&str>,
    split: &str,
) -> Result<Vec<&'a str>, String> {
    let parts: Vec<Part> = files.iter().filter_map(|file| part(file)).collect();
    let in_subset = |part: &&Part| {
        subset.is_none_or(|subset| part.subset.as_deref().unwrap_or("default") == subset)
    };
    let among = |is: &dyn Fn(&Part) -> bool| -> Vec<&Part> {
        let parts = parts.iter().filter(|part| is(part));
        parts.filter(in_subset).collect()
    };
    let mut chosen = among(&|part| part.split == split);
    if chosen.is_empty() {
        chosen = among(&|part| split_in(part.split) == Some(split));
    }
    let format = chosen.iter().map(|part| part.format).min();
    chosen.retain(|part| Some(part.format) == format);
    let subsets: BTreeSet<_> = chosen.iter().map(|part| &part.subset).collect();
    // Files without a subset are those of the default one.
    if subsets.len() > 1 && subsets.contains(&None) {
        chosen.retain(|part| part.subset.is_none());
    } else if subsets.len() > 1 {
        return Err(format!("{}; name one with option `subset`", listed(&parts)));
    }
    let whole = |part: &&Part| part.of.is_none_or(|of| of == chosen.len());
    if chosen.is_empty() {
        return Err(listed(&parts));
    }
    if let Some(of) = chosen
        .iter()
        .find(|part| !whole(part))
        .and_then(|part| part.of)
    {
        return Err(format!(
            "only {} of the {of} files that the names of the files announce",
            chosen.len()
        ));
    }
    chosen.sort_by_key(|part| part.file);
    Ok(chosen.into_iter().map(|part| part.file).collect())
}

/// Lists the subsets and splits that there are.
fn listed(parts: &[Part]) -> String {
    const MOST: usize = 20;
    let named: BTreeSet<String> = parts
        .iter()
        .map(|part| name(part.subset.as_deref(), part.split))
        .collect();
    match named.len() {
        0 => "none".to_owned(),
        count => {
            let mut shown: Vec<String> = named.into_iter().take(MOST).collect();
            if count > MOST {
                shown.push(format!("{} more", count - MOST));
            }
            shown.join(", ")
        }
    }
}

/// The name of a split in messages: `subset/split`.
pub(super) fn name(subset: Option<&str>, split: &str) -> String {
    match subset {
        Some(subset) => format!("{subset}/{split}"),
        None => split.to_owned(),
    }
}

/// The split that a word in a file's name stands for.
pub(super) fn split_in(name: &str) -> Option<&'static str> {
    let says = |words: &[&str]| {
        let mut own = name.split(|c: char| !c.is_ascii_alphanumeric());
        own.any(|word| words.contains(&word.to_ascii_lowercase().as_str()))
    };
    let mut splits = WORDS.iter();
    splits
        .find(|(_, words)| says(words))
        .map(|(split, _)| *split)
}

/// A file's name without its extension, and the index of the extension in [`EXTENSIONS`].
fn named(file: &str) -> Option<(&str, usize)> {
    let packed = [".gz", ".zst"]
        .iter()
        .find_map(|end| file.strip_suffix(end));
    let (stem, extension) = packed.unwrap_or(file).rsplit_once('.')?;
    let format = EXTENSIONS.iter().position(|&known| known == extension)?;
    Some((stem, format))
}

fn part(file: &str) -> Option<Part<'_>> {
    let (stem, format) = named(file)?;
    let (directory, stem) = stem.rsplit_once('/').unwrap_or(("", stem));
    let number = |text: &str| text.parse::<usize>().ok().filter(|_| !text.is_empty());
    let (directory, split, of) = if number(stem).is_some() {
        let (directory, split) = directory.rsplit_once('/').unwrap_or(("", directory));
        (directory, split, None)
    } else if let Some((front, of)) = stem.split_once("-of-") {
        let (split, _) = front.rsplit_once('-')?;
        // Older files end in a checksum: train-00000-of-00001-0123456789abcdef.
        let of = number(of.split('-').next()?);
        match split == "data" && EXTENSIONS[format] == "arrow" {
            true => {
                let (directory, split) = directory.rsplit_once('/').unwrap_or(("", directory));
                (directory, split, of)
            }
            false => (directory, split, of),
        }
    } else {
        (directory, stem, None)
    };
    let directory = directory.strip_prefix("data/").unwrap_or(directory);
    let subset = match directory {
        "" | "data" | "default" => None,
        subset => Some(subset.to_owned()),
    };
    Some(Part {
        file,
        format,
        subset,
        split,
        of,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[&str], subset: Option<&str>, split: &str) -> Result<Vec<String>, String> {
        let files: Vec<String> = files.iter().map(|&file| file.to_owned()).collect();
        let found = files_of_split(&files, subset, split)?;
        Ok(found.into_iter().map(str::to_owned).collect())
    }

    #[test]
    fn every_layout_of_the_hub_is_read() {
        for (file, subset) in [
            ("ARC-Easy/test-00000-of-00001.parquet", Some("ARC-Easy")),
            (
                "data/ARC-Easy/test-00000-of-00001.parquet",
                Some("ARC-Easy"),
            ),
            ("data/test-00000-of-00001.parquet", None),
            ("data/test-00000-of-00001-0123456789abcdef.parquet", None),
            ("test.parquet", None),
            ("main/test/0000.parquet", Some("main")),
            ("default/test/0000.parquet", Some("default")),
            ("test/data-00000-of-00001.arrow", None),
            ("ARC-Easy/test/data-00000-of-00001.arrow", Some("ARC-Easy")),
            ("data/test-00000-of-00001.arrow", None),
            ("test.arrow", None),
        ] {
            let files = ["README.md", "x/train-00000-of-00001.parquet", file];
            assert_eq!(
                of(&files, subset, "test"),
                Ok(vec![file.to_owned()]),
                "{file}"
            );
            assert_eq!(
                of(&files, None, "test"),
                Ok(vec![file.to_owned()]),
                "{file}"
            );
        }
    }

    #[test]
    fn all_parts_of_a_split_are_taken_in_order_or_none() {
        let files = [
            "data/train-00001-of-00002.parquet",
            "data/train-00000-of-00002.parquet",
        ];
        assert_eq!(of(&files, None, "train").unwrap(), [files[1], files[0]]);
        assert!(of(&files[..1], None, "train").is_err());
    }

    #[test]
    fn what_there_is_is_listed() {
        let files = [
            "a/test/0000.parquet",
            "b/test/0000.parquet",
            "b/train/0000.parquet",
            "b.txt",
        ];
        let there = "a/test, b/test, b/train";
        assert_eq!(of(&files, Some("c"), "test"), Err(there.to_owned()));
        assert_eq!(of(&files, Some("a"), "train"), Err(there.to_owned()));
        assert_eq!(
            of(&files, None, "test"),
            Err(format!("{there}; name one with option `subset`"))
        );
        assert_eq!(of(&files, None, "train").unwrap(), ["b/train/0000.parquet"]);
        assert_eq!(of(&["b.txt"], None, "test"), Err("none".to_owned()));
    }

    #[test]
    fn a_directory_of_ones_own_is_read_by_its_files_names() {
        let files = [
            "README.md",
            "my_test.jsonl.gz",
            "dev.csv",
            "train/a.json",
            "train.parquet",
            "train.jsonl",
            "contest.jsonl",
        ];
        for (split, file) in [
            ("test", "my_test.jsonl.gz"),
            ("validation", "dev.csv"),
            ("dev", "dev.csv"),
            ("train", "train.parquet"),
            ("contest", "contest.jsonl"),
        ] {
            assert_eq!(
                of(&files, None, split),
                Ok(vec![file.to_owned()]),
                "{split}"
            );
        }
        assert!(of(&files, None, "other").is_err());
        assert_eq!(
            of(&["x_eval.tsv", "test.tsv"], None, "test").unwrap(),
            ["test.tsv"]
        );
    }
}
