//! Datasets of the hub: the Parquet files of one split, fetched into the cache as models are.

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

/// The branch to which the hub itself converts datasets that are kept in other formats.
const CONVERTED: &str = "refs/convert/parquet";

/// A split that is in the cache.
#[derive(Debug)]
pub struct FetchedDataset {
    /// Its Parquet files, in order.
    pub files: Vec<PathBuf>,
    /// The commit they are of.
    pub commit: String,
}

/// Brings the files of a split into the cache that are not there yet.
///
/// # Errors
///
/// No connection, no such repository, revision, subset or split, no access, or a file that did not
/// come whole.
pub fn fetch_dataset(
    dataset: &HubModel,
    subset: Option<&str>,
    split: &str,
    watcher: &Arc<dyn FetchWatcher>,
) -> Result<FetchedDataset, FetchError> {
    let main = split_at(dataset, subset, split, watcher);
    let fetched = match main {
        // Scripts, JSON or CSV on the main branch: the hub's own conversion has them as Parquet.
        Err(HubFailure::NoSplit { .. }) if dataset.revision() == "main" => {
            let converted = HubModel::parse(&format!("{}@{CONVERTED}", dataset.repository()));
            let fetched = converted.map(|it| split_at(&it, subset, split, watcher));
            fetched.and_then(Result::ok).map_or(main, Ok)
        }
        main => main,
    };
    fetched.map_err(|failure| FetchError::of(dataset, failure))
}

/// The files of a split in a directory: one that is laid out as a dataset of the hub, that `datasets.save_to_disk` wrote,
/// or that holds files named by their splits, in any format of rows.
///
/// # Errors
///
/// A directory that cannot be read, no such subset or split, a damaged `state.json`.
pub fn dataset_files(
    directory: &Path,
    subset: Option<&str>,
    split: &str,
) -> Result<Vec<PathBuf>, HubFailure> {
    if let Some(files) = saved::files_of_split(directory, subset, split)? {
        return Ok(files);
    }
    let files = chosen(directory, subset, split, |_| true)?;
    // Subsets that were saved beside each other are found by their names; what is in them, their state says.
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
                    // It becomes part of a path.
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

    /// Fetches the files that are not in the cache.
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

    /// What the cache has, when the hub is not asked or does not answer.
    fn cached(&self, subset: Option<&str>, split: &str) -> Result<FetchedDataset, HubFailure> {
        let revision = self.model.revision();
        let known = std::fs::read_to_string(self.home().join("refs").join(revision));
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

/// Whether a file of the hub is one to fetch.
fn is_parquet(name: &str) -> bool {
    name.ends_with(".parquet")
}

/// The files of a split below a directory, among those whose names are `wanted`.
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
            // Links are what a snapshot is made of; a link to a directory is not followed.
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
