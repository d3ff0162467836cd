//! What a user sees while a model or a dataset is fetched: a bar on a terminal, plain lines otherwise.

use std::{
    io::IsTerminal,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use super::CliError;
use crate::terminal::note;
use cola_hub::{
    FetchWatcher, Fetched, FetchedDataset, HubModel, Wanted, fetch as fetch_model, fetch_dataset,
};
use cola_model::{part_files, shard_files};

/// How often a plain line is printed of one file.
const INTERVAL: Duration = Duration::from_secs(10);

/// Fetches a model of the hub, or a GGUF file of it, and shows how that goes.
pub fn fetch(model: &HubModel, file: Option<&str>) -> Result<Fetched, CliError> {
    let shards = |directory: &Path| {
        shard_files(directory)
            .map(Vec::from_iter)
            .map_err(|error| error.to_string())
    };
    let parts: Vec<String> = file
        .map(|file| part_files(Path::new(file)))
        .unwrap_or_default()
        .iter()
        // Made of `file`, which is a text.
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let wanted = match parts.as_slice() {
        [] => Wanted::Directory { shards: &shards },
        parts => Wanted::Files(parts),
    };
    shown(model, |watcher| fetch_model(model, &wanted, watcher)).map_err(|source| CliError::Fetch {
        flag: "--model",
        source,
    })
}

/// Fetches a split of a dataset of the hub, and shows how that goes.
pub fn fetch_split(
    dataset: &HubModel,
    subset: Option<&str>,
    split: &str,
) -> Result<FetchedDataset, CliError> {
    shown(dataset, |watcher| {
        fetch_dataset(dataset, subset, split, watcher)
    })
    .map_err(|source| CliError::Fetch {
        flag: "--dataset",
        source,
    })
}

fn shown<T>(repository: &HubModel, fetch: impl FnOnce(&Arc<dyn FetchWatcher>) -> T) -> T {
    let shown = Arc::new(Shown {
        repository: repository.to_string(),
        current: Mutex::new(None),
    });
    let watcher: Arc<dyn FetchWatcher> = shown.clone();
    let fetched = fetch(&watcher);
    shown.clear();
    fetched
}

struct Shown {
    repository: String,
    current: Mutex<Option<Current>>,
}

/// The file that is coming.
struct Current {
    file: String,
    bar: Option<ProgressBar>,
    last_line: Instant,
}

impl Shown {
    fn clear(&self) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Current { bar: Some(bar), .. }) = current.take() {
            bar.finish_and_clear();
        }
    }

    fn begin(&self, file: &str, total: u64) -> Current {
        let line = format!("cola: fetching {}: {file}", self.repository);
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = "{prefix} {wide_bar} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::new(total).with_style(style);
            bar.with_prefix(line.clone())
        });
        if bar.is_none() {
            note(format_args!("{line} ({})", HumanBytes(total)));
        }
        Current {
            file: file.to_owned(),
            bar,
            last_line: Instant::now(),
        }
    }
}

impl FetchWatcher for Shown {
    fn received(&self, file: &str, bytes: u64, total: u64) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_none_or(|current| current.file != file) {
            if let Some(Current { bar: Some(bar), .. }) = current.take() {
                bar.finish_and_clear();
            }
            *current = Some(self.begin(file, total));
        }
        let Some(current) = current.as_mut() else {
            return;
        };
        if let Some(bar) = &current.bar {
            bar.set_position(bytes);
        } else if current.last_line.elapsed() >= INTERVAL {
            current.last_line = Instant::now();
            let (bytes, total) = (HumanBytes(bytes), HumanBytes(total));
            note(format_args!("cola: {file}: {bytes} of {total}"));
        }
    }

    fn note(&self, text: &str) {
        self.clear();
        note(format_args!("cola: {text}"));
    }
}
