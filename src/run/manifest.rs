//! The manifest: everything the records of a run depend on.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ControlPlan, RunError, SamplingPlan};
use crate::disk;
use crate::problem::Problem;
use cola_model::Repeat;

const NAME: &str = "manifest.json";
const DRAFT: &str = ".manifest.json.new";

/// What a run depends on. Where it runs (device, workers, budgets) is left out: no verdict depends
/// on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the run directory's layout.
    pub format: u32,
    /// The model, as it was named.
    pub model: String,
    /// Hash of its configuration and weights.
    pub model_hash: String,
    /// Hash of its tokenizer files.
    pub tokenizer_hash: String,
    /// Tokens that end a generation.
    pub stop_tokens: Vec<u32>,
    /// Number of its layers.
    pub layers: usize,
    /// Dtype it computes in.
    pub dtype: String,
    /// What a layer sees when a chain visits it again.
    pub repeat: Repeat,
    /// Whether prompts go through the chat template.
    pub chat: bool,
    /// Whether solved examples are turns of that chat.
    #[serde(default)]
    pub fewshot_as_multiturn: bool,
    /// The chat's system message.
    #[serde(default)]
    pub system: Option<String>,
    /// Whether the special tokens are left out that the tokenizer would put around a prompt.
    #[serde(default)]
    pub no_bos: bool,
    /// Whether options are listed by letter, and the letter generated.
    #[serde(default)]
    pub letters: bool,
    /// Whether options are asked in every rotation of their order.
    #[serde(default)]
    pub rotations: bool,
    /// Seed of the run.
    pub seed: u64,
    /// The search and all its parameters.
    pub search: Value,
    /// Most nats a token by which a chain may read the prompt worse than the unmodified model and still count; `None` for no
    /// bound.
    #[serde(default)]
    pub max_degradation: Option<f64>,
    /// The control searches.
    pub controls: ControlPlan,
    /// Answers drawn from the unmodified model; absent where none are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<SamplingPlan>,
    /// The tasks, in order.
    pub tasks: Vec<TaskManifest>,
}

/// What a run depends on, of one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskManifest {
    /// Name of the task.
    pub name: String,
    /// Number of samples.
    pub samples: usize,
    /// Bad rows that were passed over; absent where there were none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped_rows: usize,
    /// Hash of all its samples: ids, and [fingerprints](Problem::fingerprint).
    pub samples_hash: String,
}

impl TaskManifest {
    /// Of each task of some problems, in the order in which they come.
    pub fn of<P: Problem>(problems: &[P]) -> Vec<Self> {
        let mut tasks: Vec<(Self, blake3::Hasher)> = Vec::new();
        for problem in problems {
            let known = tasks
                .iter_mut()
                .find(|(task, _)| task.name == problem.task());
            let (task, hasher) = match known {
                Some(known) => known,
                None => {
                    let task = Self {
                        name: problem.task().to_owned(),
                        samples: 0,
                        skipped_rows: 0,
                        samples_hash: String::new(),
                    };
                    tasks.push((task, blake3::Hasher::new()));
                    // Just pushed.
                    let last = tasks.len() - 1;
                    &mut tasks[last]
                }
            };
            task.samples += 1;
            for text in [problem.id(), &problem.fingerprint()] {
                hasher.update(&(text.len() as u64).to_le_bytes());
                hasher.update(text.as_bytes());
            }
        }
        let hashed = tasks.into_iter().map(|(task, hasher)| Self {
            samples_hash: hasher.finalize().to_hex()[..32].to_owned(),
            ..task
        });
        hashed.collect()
    }
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The current layout. 3: records hold degradations, and what each control found. 2: what the samples are is hashed over a serialisation that no library's output changes.
pub const FORMAT: u32 = 3;

impl Manifest {
    /// Begins a run in `directory`, or checks that it is a run of the same thing.
    pub fn establish(&self, directory: &Path) -> Result<(), RunError> {
        let path = directory.join(NAME);
        if path.exists() {
            return self.compare(directory);
        }
        if directory.is_file() {
            return Err(RunError::NotADirectory(directory.to_owned()));
        }
        disk::create_dir_all(directory).map_err(RunError::io(directory))?;
        for entry in std::fs::read_dir(directory).map_err(RunError::io(directory))? {
            // A process killed between writing the draft and renaming it leaves the draft.
            if entry.map_err(RunError::io(directory))?.file_name() != DRAFT {
                return Err(RunError::NotEmpty(directory.to_owned()));
            }
        }
        let mut text = serde_json::to_string_pretty(self).map_err(|error| RunError::Malformed {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        text.push('\n');
        // Written beside it and renamed: a manifest is there whole or not at all.
        let draft = directory.join(DRAFT);
        disk::replace(&path, &draft, text.as_bytes()).map_err(RunError::io(&path))
    }

    /// Hash of everything the records depend on: 32 hex digits. The name of the model does not count, its weights do.
    pub fn hash(&self) -> String {
        let unnamed = Self {
            model: String::new(),
            ..self.clone()
        };
        // Nothing in a manifest has keys that JSON does not take.
        let text = serde_json::to_vec(&unnamed).unwrap_or_default();
        blake3::hash(&text).to_hex()[..32].to_owned()
    }

    /// Reads the manifest of a run.
    pub fn read(directory: &Path) -> Result<Self, RunError> {
        let path = directory.join(NAME);
        if !path.exists() {
            return Err(RunError::NotARun(directory.to_owned()));
        }
        let text = cola_files::read_text(&path, cola_files::DESCRIPTION);
        let text = text.map_err(RunError::io(&path))?;
        /// What every format has.
        #[derive(Deserialize)]
        struct OfAnyFormat {
            format: u32,
        }
        let malformed = |error: serde_json::Error| RunError::Malformed {
            path: path.clone(),
            reason: format!(
                "not the manifest of a run: {error}; restore the file from a copy, or use another directory"
            ),
        };
        let OfAnyFormat { format } = serde_json::from_str(&text).map_err(malformed)?;
        if format > FORMAT {
            return Err(RunError::Format { path, was: format });
        }
        serde_json::from_str(&text).map_err(malformed)
    }

    fn compare(&self, directory: &Path) -> Result<(), RunError> {
        let path = directory.join(NAME);
        let as_value = |manifest: &Self| {
            serde_json::to_value(manifest).map_err(|error| RunError::Malformed {
                path: path.clone(),
                reason: error.to_string(),
            })
        };
        let (was, mut now) = (Self::read(directory)?, self.clone());
        if was.format != now.format {
            return Err(RunError::Format {
                path,
                was: was.format,
            });
        }
        if was.model_hash == now.model_hash {
            // The same model by another path: a run may continue from elsewhere.
            now.model.clone_from(&was.model);
        }
        let (was, now) = (as_value(&was)?, as_value(&now)?);
        match first_difference("", &was, &now) {
            None => Ok(()),
            Some((field, was, now)) => Err(RunError::Changed {
                path,
                field,
                was,
                now,
            }),
        }
    }
}

/// The first value that differs: (dotted name, was, is).
fn first_difference(name: &str, was: &Value, now: &Value) -> Option<(String, String, String)> {
    let below = |key: &str| match name {
        "" => key.to_owned(),
        name => format!("{name}.{key}"),
    };
    match (was, now) {
        (Value::Object(a), Value::Object(b)) => {
            // In the order of the manifest: a preset is named before the parameters it sets.
            let added = b.keys().filter(|key| !a.contains_key(*key));
            let mut keys = a.keys().chain(added);
            keys.find_map(|key| {
                let missing = &Value::Null;
                let (a, b) = (a.get(key).unwrap_or(missing), b.get(key).unwrap_or(missing));
                first_difference(&below(key), a, b)
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            pairs.into_iter().find_map(|(at, (a, b))| {
                // A task goes by its name.
                let name = a["name"].as_str().filter(|_| a["name"] == b["name"]);
                let name = name.map_or_else(|| at.to_string(), str::to_owned);
                first_difference(&below(&name), a, b)
            })
        }
        (a, b) if a == b => None,
        (a, b) => Some((name.to_owned(), a.to_string(), b.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            format: FORMAT,
            model: "models/demo".into(),
            model_hash: "00".into(),
            tokenizer_hash: "11".into(),
            stop_tokens: vec![1],
            layers: 12,
            dtype: "f32".into(),
            repeat: Repeat::Clean,
            chat: false,
            fewshot_as_multiturn: false,
            system: None,
            no_bos: false,
            letters: false,
            rotations: false,
            seed: 0,
            search: serde_json::json!({"params": {"simulations": 100}}),
            max_degradation: None,
            controls: ControlPlan { samples: 10.into() },
            sampling: None,
            tasks: Vec::new(),
        }
    }

    #[test]
    fn a_changed_value_is_refused_by_its_name() {
        let directory = tempfile::tempdir().unwrap();
        manifest().establish(directory.path()).unwrap();
        manifest().establish(directory.path()).unwrap();
        let mut changed = manifest();
        changed.search["params"]["simulations"] = 50.into();
        let error = changed.establish(directory.path()).unwrap_err().to_string();
        assert!(
            error.contains("`search.params.simulations` was 100"),
            "{error}"
        );
        assert!(error.contains("is 50 now"), "{error}");
    }

    #[test]
    fn the_same_model_by_another_path_continues_the_run() {
        let directory = tempfile::tempdir().unwrap();
        manifest().establish(directory.path()).unwrap();
        let mut moved = manifest();
        moved.model = "../models/demo".into();
        moved.establish(directory.path()).unwrap();
        moved.model_hash = "22".into();
        let error = moved.establish(directory.path()).unwrap_err().to_string();
        assert!(error.contains("`model` was"), "{error}");
    }

    #[test]
    fn a_run_of_another_version_is_refused_for_that_reason() {
        let directory = tempfile::tempdir().unwrap();
        let mut older = manifest();
        older.format = 1;
        older.establish(directory.path()).unwrap();
        let error = manifest().establish(directory.path()).unwrap_err();
        assert!(matches!(error, RunError::Format { was: 1, .. }));
        assert!(error.to_string().contains("has format 1"), "{error}");
    }

    #[test]
    fn a_directory_of_other_things_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("thesis.tex"), "x").unwrap();
        let error = manifest().establish(directory.path()).unwrap_err();
        assert!(matches!(error, RunError::NotEmpty(_)));
    }
}
