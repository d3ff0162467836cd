//! Fetches models and datasets of the Hugging Face hub into the cache of Python's `huggingface_hub`.
//!
//! ```text
//! $HF_HOME/hub/models--org--name/
//!   refs/main                     the commit a branch or tag was last seen at
//!   snapshots/<commit>/<file>     links to blobs: the directory everything else reads
//!   blobs/<checksum>              complete files only; a file being downloaded ends in .incomplete
//!   .no_exist/<commit>/<file>     files the hub is known not to have
//! ```
//!
//! # Words
//!
//! | word | meaning |
//! | --- | --- |
//! | repository | a model or dataset, `org/name` ([`HubModel`]) |
//! | revision | a branch, a tag or a commit of a repository |
//! | snapshot | the directory of the cache that holds one commit |
//! | split | the rows of a dataset for one purpose: train, validation, test |
//!
//! The commit of a branch or tag is requested each time, if the hub can be reached (one request). A commit
//! never changes, so a revision that is a commit needs no such request, and files of a commit that are in
//! the cache are never requested again. `HF_HOME`, `HF_HUB_CACHE`, `HF_ENDPOINT`, `HF_TOKEN` and the token
//! file mean what they mean to Python. `hf-hub` makes the requests, and `reqwest` below it drops the token
//! when a redirect leads to another host, port or scheme.
//!
//! # Example
//!
//! ```
//! use cola_hub::HubModel;
//!
//! let (model, file) = HubModel::parse_with_file("org/name@v1:Q4_K_M.gguf").unwrap();
//! assert_eq!((model.repository(), model.revision()), ("org/name".to_owned(), "v1"));
//! assert_eq!(file.as_deref(), Some("Q4_K_M.gguf"));
//! assert!(HubModel::parse("../a/path").is_none());
//! ```

mod checksum;
mod dataset;
mod error;
mod name;
mod place;
mod saved;
mod splits;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hf_hub::{
    HFClient, HFClientBuilder, HFClientSync, HFError, HFRepositorySync, HFResult, RepoType,
    RepoTypeModel,
    progress::{DownloadEvent, Progress, ProgressEvent, ProgressHandler},
};

pub use dataset::{FetchedDataset, dataset_files, fetch_dataset};
pub use error::{FetchError, HubFailure};
use error::{is_broken, is_unreachable, reason};
pub use name::HubModel;
use name::is_commit;

const CONFIG: &str = "config.json";
const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Optional files of a model. Besides these, only the configuration and the weights are fetched.
const OPTIONAL: [&str; 6] = [
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
];

const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// Time after which a connection attempt, or a transfer without progress, is given up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Most repetitions of a request when the hub cannot be reached or is overloaded.
const RETRIES: usize = 2;

/// Receives the progress of a fetch, on any thread.
pub trait FetchWatcher: Send + Sync {
    /// `bytes` of the `total` bytes of a file have been received.
    fn received(&self, file: &str, bytes: u64, total: u64);
    /// A message for the user.
    fn note(&self, text: &str);
}

/// A model that is in the cache.
#[derive(Debug)]
pub struct Fetched {
    /// The snapshot, a directory in Hugging Face layout, or the requested GGUF file in it.
    pub path: PathBuf,
    /// The commit of the snapshot.
    pub commit: String,
}

/// The files that make up a model.
pub enum Wanted<'a> {
    /// Configuration, tokenizer and safetensors weights, in one file or in the shards of an index.
    Directory {
        /// Returns the shards that the index in a directory names, or what is wrong with the index.
        shards: &'a dyn Fn(&Path) -> Result<Vec<String>, String>,
    },
    /// The given files. The first is the one the model is opened by: a GGUF file, followed by its other
    /// parts.
    Files(&'a [String]),
}

/// Fetches all files of a model that are not in the cache yet.
///
/// # Errors
///
/// No connection, no such repository, revision or file, no access, or an incomplete file.
pub fn fetch(
    model: &HubModel,
    wanted: &Wanted<'_>,
    watcher: &Arc<dyn FetchWatcher>,
) -> Result<Fetched, FetchError> {
    let run = || {
        let repository = |client: &HFClientSync| client.model(model.organisation(), model.name());
        let fetch = Fetch::new(model, repository, watcher)?;
        match wanted {
            Wanted::Directory { shards } => fetch.directory(*shards),
            Wanted::Files(files) => fetch.files(files),
        }
    };
    run().map_err(|failure| FetchError::of(model, failure))
}

/// Whether the hub can be used.
enum Hub {
    Online,
    /// The user allows only the cache.
    Disabled,
    /// A request failed, for this reason.
    Unreachable(String),
}

/// A repository of the hub, and the connection to it.
struct Fetch<'a, T: RepoType> {
    model: &'a HubModel,
    repository: HFRepositorySync<T>,
    endpoint: String,
    cache: PathBuf,
    hub: Hub,
    watcher: &'a Arc<dyn FetchWatcher>,
}

impl<'a, T: RepoType> Fetch<'a, T> {
    fn new(
        model: &'a HubModel,
        repository: impl FnOnce(&HFClientSync) -> HFRepositorySync<T>,
        watcher: &'a Arc<dyn FetchWatcher>,
    ) -> Result<Self, HubFailure> {
        let endpoint = set("HF_ENDPOINT").unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        let failed = |error| HubFailure::Failed {
            file: CONFIG.to_owned(),
            endpoint: endpoint.clone(),
            reason: reason(&error),
        };
        let client = client(&endpoint).map_err(failed)?;
        let cache = client.cache_dir().to_owned();
        let client = HFClientSync::from_inner(client).map_err(failed)?;
        Ok(Self {
            repository: repository(&client),
            endpoint,
            cache,
            hub: match is_offline() {
                true => Hub::Disabled,
                false => Hub::Online,
            },
            model,
            watcher,
        })
    }

    /// A file of a commit, from the cache or else from the hub; `None` if there is no such file.
    fn file(&mut self, commit: &str, file: &str) -> Result<Option<PathBuf>, HubFailure> {
        match self.request(commit, file, true) {
            Ok(path) => return Ok(Some(path)),
            Err(HFError::EntryNotFound { .. }) => return Ok(None),
            Err(_) if !matches!(self.hub, Hub::Online) => return Ok(None),
            Err(HFError::LocalEntryNotFound { .. }) => {}
            Err(error) => return Err(self.failure(file, &error)),
        }
        match self.request(commit, file, false) {
            Ok(path) => self.checked(path, file).map(Some),
            Err(HFError::EntryNotFound { .. }) => Ok(None),
            // A revision that is a commit needs no earlier request, so this may be the first one to fail:
            // use the cache alone. For a branch the hub answered a moment ago, so the failure is temporary:
            // an error, not a missing file.
            Err(error) if is_unreachable(&error) && self.model.is_pinned() => {
                self.hub = Hub::Unreachable(reason(&error));
                Ok(None)
            }
            Err(error) => Err(self.failure(file, &error)),
        }
    }

    fn request(&self, revision: &str, file: &str, cached: bool) -> HFResult<PathBuf> {
        self.repository
            .download_file()
            .filename(file)
            .revision(revision)
            .local_files_only(cached)
            .progress(Progress::new(Relay(Arc::clone(self.watcher))))
            .send()
    }

    /// Checks a file that was just downloaded against the checksum that the hub announced; removes the file
    /// if they differ.
    fn checked(&self, path: PathBuf, file: &str) -> Result<PathBuf, HubFailure> {
        let Some(expected) = checksum::announced(&path) else {
            return Ok(path);
        };
        let unusable = |source| HubFailure::Cache {
            file: file.to_owned(),
            cache: self.cache.clone(),
            source,
        };
        if checksum::agrees(&path, &expected).map_err(unusable)? {
            return Ok(path);
        }
        let blob = path.canonicalize().map_err(unusable)?;
        std::fs::remove_file(blob).map_err(unusable)?;
        std::fs::remove_file(path).map_err(unusable)?;
        Err(HubFailure::Corrupt {
            file: file.to_owned(),
            expected,
        })
    }

    /// Records in the cache which commit the revision is, now that all files of the commit are there.
    fn remember(&self, directory: &Path, commit: &str) {
        if self.model.is_pinned() {
            return;
        }
        let Some(home) = directory.ancestors().nth(2) else {
            return;
        };
        let path = home.join("refs").join(self.model.revision());
        if cola_files::read_text(&path, cola_files::DESCRIPTION)
            .is_ok_and(|known| known.trim() == commit)
        {
            return;
        }
        let write = || {
            let parent = path.parent().unwrap_or(home);
            std::fs::create_dir_all(parent)?;
            std::fs::write(&path, commit)
        };
        // A cache that this user cannot write can still be used; only the use of the revision without
        // network fails.
        if let Err(error) = write() {
            tracing::debug!(%error, path = %path.display(), "not remembered");
        }
    }

    fn failure(&self, file: &str, error: &HFError) -> HubFailure {
        let file = file.to_owned();
        let endpoint = self.endpoint.clone();
        let repository = self.model.repository();
        let (kind, prefix) = (T::default().singular(), T::default().url_prefix());
        match error {
            _ if code(error) == Some("RepoNotFound") => HubFailure::NoRepository {
                kind,
                repository,
                endpoint,
            },
            HFError::RevisionNotFound { .. }
                if code(error) == Some("RevisionNotFound")
                    || self.repository.exists().send().is_ok_and(|exists| exists) =>
            {
                HubFailure::NoRevision {
                    revision: self.model.revision().to_owned(),
                    repository,
                    endpoint,
                }
            }
            HFError::RevisionNotFound { .. } | HFError::RepoNotFound { .. } => {
                HubFailure::NoRepository {
                    kind,
                    repository,
                    endpoint,
                }
            }
            HFError::AuthRequired { .. } | HFError::Forbidden { .. } => HubFailure::Refused {
                file,
                reason: reason(error),
                page: format!("{endpoint}/{prefix}{repository}"),
            },
            HFError::Request { source, .. } if !is_broken(source) => HubFailure::Unreachable {
                file,
                endpoint,
                reason: reason(error),
            },
            HFError::Request { .. } | HFError::Xet { .. } => HubFailure::Broken {
                file,
                reason: reason(error),
            },
            HFError::Io(source) => HubFailure::Cache {
                file,
                cache: self.cache.clone(),
                source: std::io::Error::new(source.kind(), source.to_string()),
            },
            HFError::CacheLockTimeout { .. } => HubFailure::Busy { file },
            _ => HubFailure::Failed {
                file,
                endpoint,
                reason: reason(error),
            },
        }
    }
}

impl Fetch<'_, RepoTypeModel> {
    fn directory(
        mut self,
        shards: impl Fn(&Path) -> Result<Vec<String>, String>,
    ) -> Result<Fetched, HubFailure> {
        let commit = self.commit(CONFIG)?;
        let config = self.needed(&commit, CONFIG)?;
        let directory = config.parent().unwrap_or(&config).to_owned();
        for file in OPTIONAL {
            self.file(&commit, file)?;
        }
        self.weights(&commit, &directory, shards)?;
        self.settle(&directory, &commit);
        let path = directory;
        Ok(Fetched { path, commit })
    }

    /// Fetches files that contain configuration and tokenizer too.
    fn files(mut self, files: &[String]) -> Result<Fetched, HubFailure> {
        let Some((file, others)) = files.split_first() else {
            return Err(self.absent(SINGLE));
        };
        let commit = self.commit(file)?;
        let path = self.needed(&commit, file)?;
        for other in others {
            self.needed(&commit, other)?;
        }
        let depth = Path::new(file).components().count();
        let directory = path.ancestors().nth(depth).unwrap_or(&path).to_owned();
        self.settle(&directory, &commit);
        Ok(Fetched { path, commit })
    }

    /// Records in the cache that all files are there or, if the hub could not be reached, notifies the
    /// user.
    fn settle(&self, directory: &Path, commit: &str) {
        match &self.hub {
            Hub::Online => self.remember(directory, commit),
            Hub::Disabled => {}
            Hub::Unreachable(reason) => self.watcher.note(&format!(
                "{}: the hub at {} cannot be reached ({reason}); using commit {commit} from the cache",
                self.model, self.endpoint
            )),
        }
    }

    /// The commit of the revision: from the hub or, if the hub cannot be used, from the cache entry of
    /// `file`.
    fn commit(&mut self, file: &str) -> Result<String, HubFailure> {
        let revision = self.model.revision();
        if self.model.is_pinned() {
            return Ok(revision.to_owned());
        }
        if matches!(self.hub, Hub::Online) {
            match self.repository.info().revision(revision).send() {
                Ok(info) => {
                    // The commit becomes part of a path, so it is checked.
                    return info.sha.filter(|sha| is_commit(sha)).ok_or_else(|| {
                        let answer = HFError::malformed_response("it names no commit");
                        self.failure(CONFIG, &answer)
                    });
                }
                // An answer that is not the hub's may come from a proxy or firewall of the network.
                Err(error)
                    if is_unreachable(&error) || matches!(error, HFError::Request { .. }) =>
                {
                    self.hub = Hub::Unreachable(reason(&error));
                }
                Err(error) => return Err(self.failure(CONFIG, &error)),
            }
        }
        let cached = self.request(revision, file, true);
        let cached = cached.map_err(|_| self.absent(file))?;
        let snapshot = cached.ancestors().nth(Path::new(file).components().count());
        let commit = snapshot.and_then(Path::file_name);
        let commit = commit.and_then(|name| name.to_str());
        commit.map(str::to_owned).ok_or_else(|| self.absent(file))
    }

    /// Fetches the weights: one file, or the shards of an index.
    fn weights(
        &mut self,
        commit: &str,
        directory: &Path,
        shards: impl Fn(&Path) -> Result<Vec<String>, String>,
    ) -> Result<(), HubFailure> {
        if self.file(commit, SINGLE)?.is_some() {
            return Ok(());
        }
        if self.file(commit, INDEX)?.is_none() {
            return Err(self.absent(SINGLE));
        }
        // All names are checked before the first is requested.
        let shards = shards(directory).map_err(HubFailure::Index)?;
        if let Some(other) = shards.iter().find(|file| !file.ends_with(".safetensors")) {
            return Err(HubFailure::Index(format!(
                "{}: `weight_map`: {other:?} is not a safetensors file",
                directory.join(INDEX).display()
            )));
        }
        for shard in &shards {
            self.needed(commit, shard)?;
        }
        Ok(())
    }

    fn needed(&mut self, commit: &str, file: &str) -> Result<PathBuf, HubFailure> {
        match self.file(commit, file)? {
            Some(path) => Ok(path),
            None => Err(self.absent(file)),
        }
    }

    /// Why a file that is needed is neither in the cache nor on the hub.
    fn absent(&self, file: &str) -> HubFailure {
        let file = file.to_owned();
        match &self.hub {
            Hub::Disabled => HubFailure::NotCached {
                file,
                cache: self.cache.clone(),
            },
            Hub::Unreachable(reason) => HubFailure::Unreachable {
                file,
                endpoint: self.endpoint.clone(),
                reason: reason.clone(),
            },
            // If the file is not found, the commit or the repository may not exist either.
            Hub::Online => match self
                .repository
                .info()
                .revision(self.model.revision())
                .send()
            {
                Err(error) => self.failure(&file, &error),
                Ok(info) if file == SINGLE => {
                    let files = info.siblings.unwrap_or_default();
                    let names = files.into_iter().map(|sibling| sibling.rfilename);
                    HubFailure::NoWeights {
                        others: other_weights(names),
                    }
                }
                Ok(_) => HubFailure::NoFile { file },
            },
        }
    }
}

/// The hub's own code for an error.
fn code(error: &HFError) -> Option<&str> {
    match error {
        HFError::AuthRequired { context } | HFError::Forbidden { context } => {
            context.error_code.as_deref()
        }
        HFError::RevisionNotFound { context, .. } | HFError::RepoNotFound { context, .. } => {
            context.as_ref()?.error_code.as_deref()
        }
        _ => None,
    }
}

/// Names a file with weights in another format, to tell the user what the repository contains.
fn other_weights(files: impl Iterator<Item = String>) -> String {
    let formats = [
        ".bin",
        ".pt",
        ".pth",
        ".gguf",
        ".h5",
        ".msgpack",
        ".onnx",
        ".safetensors",
    ];
    let mut others = files.filter(|file| formats.iter().any(|format| file.ends_with(format)));
    match others.next() {
        Some(file) => format!(", and it has {file:?}"),
        None => String::new(),
    }
}

fn client(endpoint: &str) -> HFResult<HFClient> {
    let http = reqwest::Client::builder()
        .user_agent(concat!("cola/", env!("CARGO_PKG_VERSION"), "; hf-hub"))
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .build()?;
    let mut builder = HFClientBuilder::new()
        .client(http)
        .endpoint(endpoint)
        .cache_dir(place::cache(&set))
        .retry_max_attempts(RETRIES);
    if let Some(token) = place::stored_token(&set) {
        builder = builder.token(token);
    }
    builder.build()
}

/// The value of an environment variable, unless it is empty.
fn set(variable: &str) -> Option<String> {
    std::env::var(variable)
        .ok()
        .filter(|value| !value.is_empty())
}

/// Whether the environment allows only the cache, by the rules of Python's `huggingface_hub`.
fn is_offline() -> bool {
    let value = set("HF_HUB_OFFLINE").or_else(|| set("TRANSFORMERS_OFFLINE"));
    value.is_some_and(|value| {
        let yes = ["1", "on", "yes", "true"];
        yes.iter().any(|yes| value.eq_ignore_ascii_case(yes))
    })
}

/// Passes the progress that `hf-hub` reports on to the watcher.
struct Relay(Arc<dyn FetchWatcher>);

impl ProgressHandler for Relay {
    fn on_progress(&self, event: &ProgressEvent) {
        if let ProgressEvent::Download(DownloadEvent::Progress { files }) = event {
            for file in files {
                self.0
                    .received(&file.filename, file.bytes_completed, file.total_bytes);
            }
        }
    }
}
