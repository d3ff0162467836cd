//! Why a model or a dataset could not be fetched, and what the user can do about it.

use std::{error::Error, path::PathBuf};

use hf_hub::HFError;
use thiserror::Error;

use super::HubModel;

/// A model or a dataset could not be fetched.
#[derive(Debug, Error)]
#[error("{repository}: {failure}")]
pub struct FetchError {
    repository: String,
    failure: HubFailure,
}

impl FetchError {
    pub(super) fn of(repository: &HubModel, failure: HubFailure) -> Self {
        Self {
            repository: repository.to_string(),
            failure,
        }
    }
}

/// The reason why a fetch failed.
#[derive(Debug, Error)]
pub enum HubFailure {
    /// The hub cannot be reached, and the file is not in the cache.
    #[error(
        "no such directory, and {file} is not in the cache and the hub at {endpoint} cannot be reached ({reason}); \
         check the network or HF_ENDPOINT, or give a local directory (HF_HUB_OFFLINE=1 uses only the cache)"
    )]
    Unreachable {
        /// The file that is missing.
        file: String,
        /// The address of the hub.
        endpoint: String,
        /// The system's message.
        reason: String,
    },
    /// Only the cache may be used, and it lacks the file.
    #[error(
        "no such directory, and {file} is not in the cache at {}; HF_HUB_OFFLINE is set, so nothing is fetched: \
         unset it, or give a local directory", cache.display()
    )]
    NotCached {
        /// The file that is missing.
        file: String,
        /// The cache.
        cache: PathBuf,
    },
    /// The hub does not know the repository, or hides it from this user.
    #[error(
        "no such directory, and the hub at {endpoint} has no {kind} {repository} that you may see; check the name, or \
         set HF_TOKEN if it is private"
    )]
    NoRepository {
        /// `model` or `dataset`.
        kind: &'static str,
        /// `org/name`.
        repository: String,
        /// The address of the hub.
        endpoint: String,
    },
    /// The repository has no such branch, tag or commit.
    #[error("the hub at {endpoint} has {repository}, but no branch, tag or commit {revision}")]
    NoRevision {
        /// `org/name`.
        repository: String,
        /// The revision that does not exist.
        revision: String,
        /// The address of the hub.
        endpoint: String,
    },
    /// The hub refused access, with status 401 or 403.
    #[error(
        "{file}: the hub refuses access ({reason}); if it is gated, accept its licence on {page}, then set \
         HF_TOKEN to a token that may read it"
    )]
    Refused {
        /// The requested file.
        file: String,
        /// The status and the hub's message.
        reason: String,
        /// The repository's page.
        page: String,
    },
    /// The repository lacks a file that every model needs.
    #[error("{file}: the repository has no such file; only models in Hugging Face layout are read")]
    NoFile {
        /// The file.
        file: String,
    },
    /// The repository holds no weights in safetensors.
    #[error(
        "no model.safetensors and no model.safetensors.index.json in the repository; only safetensors weights are \
         read{others}"
    )]
    NoWeights {
        /// Weights in another format, if there are any, as the end of a sentence.
        others: String,
    },
    /// The dataset has no readable files of this split.
    #[error("no data files for {wanted}; found: {found}")]
    NoSplit {
        /// The requested subset and split.
        wanted: String,
        /// The subsets and splits that the dataset has.
        found: String,
    },
    /// A directory written by `datasets.save_to_disk` that is damaged, or contains something that is not
    /// supported.
    #[error("{}: {message}", file.display())]
    Saved {
        /// The file with the error.
        file: PathBuf,
        /// The error in the file.
        message: String,
    },
    /// The index of the weights is invalid, or names a file that must not be fetched.
    #[error("{0}; only safetensors files of the repository itself are fetched")]
    Index(String),
    /// The connection ended in the middle of a file.
    #[error(
        "{file}: the connection broke during the download ({reason}); the incomplete file is not used; run the same \
         command again"
    )]
    Broken {
        /// The file.
        file: String,
        /// The system's message.
        reason: String,
    },
    /// The downloaded file has another checksum than the hub announced.
    #[error(
        "{file}: the downloaded file does not have the checksum that the hub announced ({expected}); it was removed \
         from the cache; run the same command again"
    )]
    Corrupt {
        /// The file.
        file: String,
        /// The checksum it should have.
        expected: String,
    },
    /// The cache cannot be read or written.
    #[error("{file}: the cache at {} cannot be used: {source}; HF_HOME sets another place", cache.display())]
    Cache {
        /// The file that should be in the cache.
        file: String,
        /// The cache.
        cache: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// Another process fetches the same file.
    #[error(
        "{file}: another process is fetching this file; run the same command again when that process has ended"
    )]
    Busy {
        /// The file.
        file: String,
    },
    /// The hub failed in some other way.
    #[error("{file}: the hub at {endpoint} failed ({reason}); try again later")]
    Failed {
        /// The requested file.
        file: String,
        /// The address of the hub.
        endpoint: String,
        /// The message of the error.
        reason: String,
    },
}

/// Whether the hub gave no answer at all, so that the cache may be used instead.
pub(super) fn is_unreachable(error: &HFError) -> bool {
    match error {
        HFError::Request { source, .. } => !is_broken(source),
        HFError::Http { context } => context.status.is_server_error(),
        HFError::RateLimited { .. } => true,
        _ => false,
    }
}

/// Whether the failure came after the answer had begun.
pub(super) fn is_broken(error: &reqwest::Error) -> bool {
    error.is_body() || error.is_decode()
}

/// The message of an error, without the address: a signed address may be as secret as a password.
pub(super) fn reason(error: &HFError) -> String {
    let text = match error {
        HFError::AuthRequired { context }
        | HFError::Forbidden { context }
        | HFError::Http { context }
        | HFError::RateLimited { context, .. } => match &context.server_message {
            Some(message) => format!("{}: {message}", context.status),
            None => context.status.to_string(),
        },
        HFError::Request { source, .. } => innermost(source),
        HFError::Xet { source, .. } => innermost(source.as_ref()),
        HFError::MalformedResponse { what, .. } => what.clone(),
        other => other.to_string(),
    };
    // The text may come from anywhere, so control characters, which a terminal would obey, are removed.
    let printable = text.chars().filter(|c| !c.is_control());
    printable.take(300).collect()
}

fn innermost(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
