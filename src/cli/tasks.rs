//! From flags to samples: tasks, and where their rows are.

use std::{
    collections::BTreeSet,
    fmt::Display,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{CliError, args::TaskArgs, error::in_flags, fetching};
use crate::prepare::{PromptLayout, SampleProblem};
use crate::terminal::note;
use cola_hub::{HubModel, dataset_files};
use cola_synth::Kind;
use lm_tasks::{LoadOptions, Output, Question, Sample, TaskError, TaskSpec, load_samples, resolve};

/// Bad rows that are told one by one.
const TOLD: usize = 5;

/// The samples of some tasks.
pub struct Tasks {
    /// Task by task, in the order of the tasks.
    pub samples: Vec<Arc<Sample>>,
    /// Bad rows that were passed over, by task.
    pub skipped: Vec<(String, usize)>,
}

impl Tasks {
    /// The first sample of each task.
    fn firsts(&self) -> Vec<&Sample> {
        let mut seen = BTreeSet::new();
        let samples = self.samples.iter().map(|sample| &**sample);
        samples
            .filter(|sample| seen.insert(&sample.task.name))
            .collect()
    }

    /// Bad rows that were passed over.
    pub fn skipped_rows(&self) -> usize {
        self.skipped.iter().map(|(_, rows)| rows).sum()
    }

    /// Whether any text is generated.
    pub fn generate(&self) -> bool {
        let mut questions = self.samples.iter().map(|sample| &sample.own.question);
        questions.any(|question| matches!(question, Question::Generate { .. }))
    }

    /// As problems to search chains for.
    pub fn problems(&self, layout: &Arc<PromptLayout>) -> Vec<SampleProblem> {
        let problem = |sample: &Arc<Sample>| SampleProblem {
            sample: Arc::clone(sample),
            layout: Arc::clone(layout),
        };
        self.samples.iter().map(problem).collect()
    }
}

/// Resolves the tasks and loads their samples.
pub fn load(args: &TaskArgs) -> Result<Tasks, CliError> {
    if !args.data.is_empty() && args.data.len() != args.task.len() {
        return Err(CliError::Usage(format!(
            "--data: {} for {}; give one file for each task, in the same order, or none",
            counted(args.data.len(), "file"),
            counted(args.task.len(), "task")
        )));
    }
    if args.dataset.is_some() && args.task.len() > 1 {
        return Err(CliError::Usage(format!(
            "--dataset: works with one task only, not with {}",
            args.task.len()
        )));
    }
    let mut tasks = Tasks {
        samples: Vec::new(),
        skipped: Vec::new(),
    };
    for (at, spec) in specs(args)?.into_iter().enumerate() {
        let spec = Arc::new(spec);
        if tasks.skipped.iter().any(|(name, _)| *name == spec.name) {
            return Err(CliError::Usage(format!(
                "--task: {} is named twice",
                spec.name
            )));
        }
        let mut options = LoadOptions {
            data: args.data.get(at).cloned().into_iter().collect(),
            fewshot_data: args.fewshot_data.clone().into_iter().collect(),
            limit: args.limit,
            conditions: args.conditions.clone(),
            skip_bad_rows: args.skip_bad_rows,
            manner: args.prompts.manner(args.other_rotations),
        };
        if let Some(dataset) = &args.dataset {
            from_dataset(dataset, args, &spec, &mut options)?;
        }
        let task = load_samples(&spec, &options).map_err(or_make_some)?;
        tell_skipped(&spec, &task.skipped);
        tasks.skipped.push((spec.name.clone(), task.skipped.len()));
        tasks.samples.extend(task.samples.into_iter().map(Arc::new));
    }
    Ok(tasks)
}

/// The tasks as the flags change them. `--max-gen-toks` is for those that generate, and one of them must.
fn specs(args: &TaskArgs) -> Result<Vec<TaskSpec>, CliError> {
    let mut specs = Vec::new();
    for name in &args.task {
        let mut spec = args.prompts.of_task(resolve(name)?)?;
        spec.num_fewshot = args.num_fewshot.unwrap_or(spec.num_fewshot);
        specs.push(spec);
    }
    let Some(most) = args.max_gen_toks else {
        return Ok(specs);
    };
    let generates = |spec: &TaskSpec| matches!(spec.output, Output::Generate { .. });
    let none_generates = !specs.iter().any(generates);
    let limited = specs.into_iter().map(|spec| {
        if generates(&spec) || none_generates {
            spec.generating(most)
        } else {
            Ok(spec)
        }
    });
    Ok(limited.collect::<Result<_, _>>()?)
}

/// Refuses tasks that leave no room for a prompt: what they may generate fills the model's context.
pub fn check_room(tasks: &Tasks, max_positions: i64) -> Result<(), CliError> {
    for sample in tasks.firsts() {
        let Output::Generate { max_tokens, .. } = sample.task.output else {
            continue;
        };
        if usize::try_from(max_positions).is_ok_and(|room| max_tokens >= room) {
            let name = &sample.task.name;
            return Err(CliError::Usage(format!(
                "--task {name}: the task may generate {max_tokens} tokens, but the model's context holds only \
                 {max_positions}, so there is no room for a prompt; give a smaller number with --max-gen-toks"
            )));
        }
    }
    Ok(())
}

/// Refuses tasks whose texts are neither right nor wrong: there is nothing to search for.
pub fn check_verdicts(tasks: &Tasks) -> Result<(), CliError> {
    let rolling = |sample: &&Sample| matches!(sample.own.question, Question::Rolling { .. });
    match tasks.firsts().into_iter().find(rolling) {
        None => Ok(()),
        Some(sample) => Err(CliError::Usage(format!(
            "--task {}: a loglikelihood_rolling task scores texts that are neither right nor wrong, so there is \
             nothing to search for; use cola eval --chain to score them",
            sample.task.name
        ))),
    }
}

/// Rows of a task of ours can be made.
fn or_make_some(error: TaskError) -> TaskError {
    match error {
        TaskError::NoData { task, message, .. } if let Ok(kind) = task.parse::<Kind>() => {
            let other = Some(format!("make some with cola synth --kind {kind}"));
            TaskError::NoData {
                task,
                message,
                other,
            }
        }
        error => error,
    }
}

/// Sets the files of the split, and those of the examples where the task has none of its own.
fn from_dataset(
    dataset: &str,
    args: &TaskArgs,
    spec: &TaskSpec,
    options: &mut LoadOptions,
) -> Result<(), CliError> {
    let subset = args.subset.as_deref().or(spec.source.name.as_deref());
    let evaluated = args.split.as_deref().or(spec.source.evaluated());
    options.data = split_files(dataset, subset, evaluated.unwrap_or("test"))?;
    if spec.draws_examples() && options.fewshot_data.is_empty() {
        let split = spec.source.examples().unwrap_or("train");
        options.fewshot_data = split_files(dataset, subset, split)?;
    }
    Ok(())
}

/// The files of a split: of a local directory, or else of a dataset of the hub.
fn split_files(dataset: &str, subset: Option<&str>, split: &str) -> Result<Vec<PathBuf>, CliError> {
    let path = Path::new(dataset);
    let refuse = |reason: &dyn Display| CliError::Usage(format!("--dataset {dataset}: {reason}"));
    if path.is_dir() {
        return dataset_files(path, subset, split).map_err(|failure| refuse(&failure));
    }
    if path.exists() {
        return Err(refuse(&"this is a file; give it with --data"));
    }
    let name = HubModel::parse(dataset).ok_or_else(|| {
        refuse(
            &"there is no such directory, and this is not the name of a dataset on the Hugging Face hub (org/name or \
              org/name@revision)",
        )
    })?;
    Ok(fetching::fetch_split(&name, subset, split)?.files)
}

fn tell_skipped(spec: &TaskSpec, skipped: &[String]) {
    for reason in skipped.iter().take(TOLD) {
        note(format_args!("cola: skipped {}", in_flags(reason)));
    }
    if skipped.len() > TOLD {
        let (name, count) = (&spec.name, skipped.len());
        note(format_args!(
            "cola: {name}: {count} bad rows skipped in all"
        ));
    }
}

/// A number of things, in words.
pub fn counted(count: usize, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    }
}
