//! Datasets of the hub: fetches the Parquet files of one split into the cache, as for models.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use hf_hub::{HFError, RepoTypeDataset};

use super::{
    Fetch, FetchError, FetchWatcher, Hub, HubFailure, HubModel, is_commit, is_unreachable, reason,
    saved,
    splits::{files_of_split, name},
};

/// The branch with the hub's own conversion to Parquet of datasets in other formats.
const CONVERTED: &str = "refs/convert/parquet";

/// A split that is in the cache.
#[derive(Debug)]
pub struct FetchedDataset {
    /// The Parquet files of the split, in order.
    pub files: Vec<PathBuf>,
    /// The commit of the files.
    pub commit: String,
}

/// Fetches the files of a split that are not in the cache yet.
///
/// # Errors
///
/// No connection, no such repository, revision, subset or split, no access, or an incomplete file.
pub fn fetch_dataset(
    dataset: &HubModel,
    subset: Option<&str>,
    split: &str,
    watcher: &Arc<dyn FetchWatcher>,
) -> Result<FetchedDataset, FetchError> {
    let main = split_at(dataset, subset, split, watcher);
    let fetched = match main {
        // The main branch has scripts, JSON or CSV: the hub's own conversion has the rows as Parquet. Where
        // the hub is not asked, the cache may have the conversion alone.
        Err(
            HubFailure::NoSplit { .. }
            | HubFailure::NotCached { .. }
            | HubFailure::Unreachable { .. },
        ) if dataset.revision() == "main" => {
            let converted = HubModel::parse(&format!("{}@{CONVERTED}", dataset.repository()));
            let fetched = converted.map(|it| split_at(&it, subset, split, watcher));
            fetched.and_then(Result::ok).map_or(main, Ok)
        }
        main => main,
    };
    fetched.map_err(|failure| FetchError::of(dataset, failure))
}

/// The files of a split in a local directory. The directory has the layout of a dataset of the hub, was
/// written by `datasets.save_to_disk`, or has files named by their splits, in any supported format.
pub fn dataset_files(
    directory: &Path,
    subset: Option<&str>,
    split: &str,
) -> Result<Vec<PathBuf>, HubFailure> {
    if let Some(files) = saved::files_of_split(directory, subset, split)? {
        return Ok(files);
    }
    let files = chosen(directory, subset, split, |_| true)?;
    // Subsets that were saved side by side are found by the names of their directories; the files of each
    // are listed in its `state.json`.
    let home = files.first().and_then(|file| file.parent());
    match home.filter(|home| saved::is_dataset(home)) {
        Some(home) => saved::files_in(home),
        None => Ok(files),
    }
}

fn split_at(
    dataset: &HubModel,
    subset: Option<&str>,
    split: &str,
    watcher: &Arc<dyn FetchWatcher>,
) -> Result<FetchedDataset, HubFailure> {
    let (organisation, name) = (dataset.organisation(), dataset.name());
    Fetch::new(
        dataset,
        |client| client.dataset(organisation, name),
        watcher,
    )?
    .split(subset, split)
}

impl Fetch<'_, RepoTypeDataset> {
    fn split(mut self, subset: Option<&str>, split: &str) -> Result<FetchedDataset, HubFailure> {
        let revision = self.model.revision();
        if matches!(self.hub, Hub::Online) {
            match self.repository.info().revision(revision).send() {
                Ok(info) => {
                    // The commit becomes part of a path, so it is checked.
                    let commit = info.sha.filter(|sha| is_commit(sha)).ok_or_else(|| {
                        self.failure(split, &HFError::malformed_response("it names no commit"))
                    })?;
                    let siblings = info.siblings.unwrap_or_default().into_iter();
                    let names: Vec<String> = siblings.map(|sibling| sibling.rfilename).collect();
                    return self.come(commit, &names, subset, split);
                }
                Err(error)
                    if is_unreachable(&error) || matches!(error, HFError::Request { .. }) =>
                {
                    self.hub = Hub::Unreachable(reason(&error));
                }
                Err(error) => return Err(self.failure(split, &error)),
            }
        }
        self.cached(subset, split)
    }

    /// Fetches the files of a split at a commit, unless they are in the cache. `names`: all files of the
    /// commit.
    fn come(
        &mut self,
        commit: String,
        names: &[String],
        subset: Option<&str>,
        split: &str,
    ) -> Result<FetchedDataset, HubFailure> {
        let names: Vec<String> = names
            .iter()
            .filter(|name| is_parquet(name))
            .cloned()
            .collect();
        let names = files_of_split(&names, subset, split).map_err(no_split(subset, split))?;
        let mut files = Vec::new();
        for file in names {
            let path = self.file(&commit, file)?;
            files.push(path.ok_or_else(|| HubFailure::NoFile {
                file: file.to_owned(),
            })?);
        }
        self.remember(&self.home().join("snapshots").join(&commit), &commit);
        Ok(FetchedDataset { files, commit })
    }

    /// The split from the cache, if the hub is not used or does not answer.
    fn cached(&self, subset: Option<&str>, split: &str) -> Result<FetchedDataset, HubFailure> {
        let revision = self.model.revision();
        let known = self.home().join("refs").join(revision);
        let known = cola_files::read_text(&known, cola_files::DESCRIPTION);
        let commit = match self.model.is_pinned() {
            true => revision.to_owned(),
            false => known.unwrap_or_default().trim().to_owned(),
        };
        let snapshot = self.home().join("snapshots").join(&commit);
        let found = match is_commit(&commit) && snapshot.is_dir() {
            true => chosen(&snapshot, subset, split, is_parquet).ok(),
            false => None,
        };
        let file = name(subset, split);
        match (&self.hub, found) {
            (Hub::Unreachable(reason), Some(files)) => {
                self.watcher.note(&format!(
                    "{}: the hub at {} cannot be reached ({reason}); using commit {commit} from the cache",
                    self.model, self.endpoint
                ));
                Ok(FetchedDataset { files, commit })
            }
            (_, Some(files)) => Ok(FetchedDataset { files, commit }),
            (Hub::Unreachable(reason), None) => Err(HubFailure::Unreachable {
                file,
                endpoint: self.endpoint.clone(),
                reason: reason.clone(),
            }),
            (_, None) => Err(HubFailure::NotCached {
                file,
                cache: self.cache.clone(),
            }),
        }
    }

    /// The repository's directory in the cache.
    fn home(&self) -> PathBuf {
        let repository = self.model.repository().replace('/', "--");
        self.cache.join(format!("datasets--{repository}"))
    }
}

/// Whether a file of the hub is to be fetched.
fn is_parquet(name: &str) -> bool {
    name.ends_with(".parquet")
}

/// The files of a split below a directory, among those for which `wanted` is true of the name.
fn chosen(
    directory: &Path,
    subset: Option<&str>,
    split: &str,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<PathBuf>, HubFailure> {
    let unreadable = |source| HubFailure::Cache {
        file: name(subset, split),
        cache: directory.to_owned(),
        source,
    };
    let mut names = Vec::new();
    let mut left = vec![(directory.to_owned(), String::new())];
    while let Some((path, above)) = left.pop() {
        for entry in std::fs::read_dir(&path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let Ok(own) = entry.file_name().into_string() else {
                continue;
            };
            // A snapshot consists of links to files; a link to a directory is not followed.
            match entry.file_type().map_err(unreadable)?.is_dir() {
                true => left.push((entry.path(), format!("{above}{own}/"))),
                false if wanted(&own) => names.push(format!("{above}{own}")),
                false => {}
            }
        }
    }
    let files = files_of_split(&names, subset, split).map_err(no_split(subset, split))?;
    Ok(files.into_iter().map(|file| directory.join(file)).collect())
}

fn no_split(subset: Option<&str>, split: &str) -> impl FnOnce(String) -> HubFailure {
    let wanted = name(subset, split);
    move |found| HubFailure::NoSplit { wanted, found }
}
