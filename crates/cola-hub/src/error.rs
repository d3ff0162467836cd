//! Why a model or a dataset of the hub could not be had, and what to do about it.

use std::{error::Error, path::PathBuf};

use hf_hub::HFError;
use thiserror::Error;

use super::HubModel;

/// A model or a dataset could not be had.
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

/// What went wrong.
#[derive(Debug, Error)]
pub enum HubFailure {
    /// No connection, and not in the cache.
    #[error(
        "no such directory, and {file} is not in the cache and the hub at {endpoint} cannot be reached ({reason}); \
         check the network or HF_ENDPOINT, or give a local directory (HF_HUB_OFFLINE=1 uses only the cache)"
    )]
    Unreachable {
        /// The file that is missing.
        file: String,
        /// Where it was looked for.
        endpoint: String,
        /// What the system said.
        reason: String,
    },
    /// Only the cache may be used, and it lacks the file.
    #[error(
        "no such directory, and {file} is not in the cache at {}; HF_HUB_OFFLINE is set: unset it to fetch it, \
         or give a local directory", cache.display()
    )]
    NotCached {
        /// The file that is missing.
        file: String,
        /// The cache.
        cache: PathBuf,
    },
    /// The hub does not know the repository, or does not tell this user.
    #[error(
        "no such directory, and the hub at {endpoint} has no {kind} {repository} that you may see; check the name, or \
         set HF_TOKEN if it is private"
    )]
    NoRepository {
        /// `model` or `dataset`.
        kind: &'static str,
        /// `org/name`.
        repository: String,
        /// Where it was looked for.
        endpoint: String,
    },
    /// The repository has no such branch, tag or commit.
    #[error("the hub at {endpoint} has {repository}, but no branch, tag or commit {revision}")]
    NoRevision {
        /// `org/name`.
        repository: String,
        /// What it has not.
        revision: String,
        /// Where it was looked for.
        endpoint: String,
    },
    /// 401 or 403.
    #[error(
        "{file}: the hub refuses access ({reason}); if it is gated, accept its licence on {page}, then set \
         HF_TOKEN to a token that may read it"
    )]
    Refused {
        /// What was asked for.
        file: String,
        /// The status and what the hub said.
        reason: String,
        /// The repository's page.
        page: String,
    },
    /// The repository lacks a file that no model is without.
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
        /// The weights it does hold, if any, as the end of a sentence.
        others: String,
    },
    /// The dataset holds no files of this split that can be read.
    #[error("no data files of {wanted}; there are {found}")]
    NoSplit {
        /// The subset and the split that were asked for.
        wanted: String,
        /// Those it has.
        found: String,
    },
    /// A directory of `datasets.save_to_disk` that is damaged, or holds what is not read.
    #[error("{}: {message}", file.display())]
    Saved {
        /// The file of it that says so.
        file: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The index of the weights is not one, or names what must not be fetched.
    #[error("{0}; only safetensors files of the repository itself are fetched")]
    Index(String),
    /// The connection ended in mid-file.
    #[error(
        "{file}: the connection broke while it was fetched ({reason}); the part that came is not used: run the same \
         command again"
    )]
    Broken {
        /// The file.
        file: String,
        /// What the system said.
        reason: String,
    },
    /// What came has another checksum than the hub announced.
    #[error(
        "{file}: what came is not what the hub announced (checksum {expected}); it was removed from the cache: run the \
         same command again"
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
        /// The file that was to be in it.
        file: String,
        /// The cache.
        cache: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process fetches the same file.
    #[error(
        "{file}: another process is fetching it; run the same command again when that has ended"
    )]
    Busy {
        /// The file.
        file: String,
    },
    /// The hub failed in some other way.
    #[error("{file}: the hub at {endpoint} failed ({reason}); try again later")]
    Failed {
        /// What was asked for.
        file: String,
        /// Who was asked.
        endpoint: String,
        /// What happened.
        reason: String,
    },
}

/// Whether the hub gave no answer at all: what is in the cache may do instead.
pub(super) fn is_unreachable(error: &HFError) -> bool {
    match error {
        HFError::Request { source, .. } => !is_broken(source),
        HFError::Http { context } => context.status.is_server_error(),
        HFError::RateLimited { .. } => true,
        _ => false,
    }
}

/// Whether an answer had begun.
pub(super) fn is_broken(error: &reqwest::Error) -> bool {
    error.is_body() || error.is_decode()
}

/// What happened, without the address: a signed one may be as good as a password.
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
    // It may come from anywhere: nothing in it may steer a terminal.
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
