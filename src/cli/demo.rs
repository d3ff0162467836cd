//! `cola demo`: the bundled model on the bundled datasets, or a real LLM on real questions.

use std::path::{Path, PathBuf};

use super::{
    CliError, Ending,
    args::{DemoArgs, TaskArgs},
    examples, output,
    prompts::PromptArgs,
    search::{SearchJob, resolve_searches},
    setup, tasks,
};
use crate::analysis::{RunRecords, write_report};
use cola_model::Model;

/// What is searched.
struct Demonstration {
    /// Below the directory of the project.
    model: &'static str,
    /// Task and rows; without rows the task's own.
    tasks: &'static [(&'static str, Option<&'static str>)],
    /// Samples of each task.
    limit: Option<usize>,
    /// Simulations a sample.
    simulations: usize,
    /// Where the run goes if nothing else is said.
    out: &'static str,
}

/// The bundled model; difficulty rises from the first dataset to the last. Some 20 seconds on two cores.
const BUNDLED: Demonstration = Demonstration {
    model: "models/demo",
    tasks: &[
        ("datasets/demo/arith-1.yaml", None),
        ("datasets/demo/arith-2.yaml", None),
        ("datasets/demo/arith-3.yaml", None),
        ("datasets/demo/arith-4.yaml", None),
        ("datasets/demo/arith-5.yaml", None),
        ("datasets/demo/commonsense-1.yaml", None),
        ("datasets/demo/commonsense-2.yaml", None),
    ],
    limit: None,
    simulations: 100,
    out: "results/demo-run",
};

/// What `datasets/real.py` fetches, as much of it as takes under three minutes on two cores without AVX-512.
const REAL: Demonstration = Demonstration {
    model: "models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    tasks: &[
        ("arc_easy", Some("datasets/real/arc_easy.jsonl")),
        ("sciq", Some("datasets/real/sciq.arrow")),
        (
            "basic_arithmetic_generate",
            Some("datasets/real/basic_arithmetic.arrow"),
        ),
    ],
    limit: Some(10),
    simulations: 20,
    out: "results/demo-real",
};

pub fn run(mut args: DemoArgs) -> Result<Ending, CliError> {
    let shown = if args.real { REAL } else { BUNDLED };
    args.strategy.simulations.get_or_insert(shown.simulations);
    let home = home()?;
    let rows = shown.tasks.iter().filter_map(|(_, rows)| *rows);
    let needed = rows.chain([shown.model]).map(|file| home.join(file));
    if let Some(missing) = needed.into_iter().find(|file| !file.exists()) {
        return Err(CliError::Usage(format!(
            "demo --real: {} does not exist; run `python3 datasets/real.py` to fetch it",
            missing.display()
        )));
    }
    let task = |name: &str| match name.ends_with(".yaml") {
        true => home.join(name).display().to_string(),
        false => name.to_owned(),
    };
    let tasks = tasks::load(&TaskArgs {
        task: shown.tasks.iter().map(|(name, _)| task(name)).collect(),
        data: (shown.tasks.iter())
            .filter_map(|(_, rows)| Some(home.join((*rows)?)))
            .collect(),
        limit: args.limit.or(shown.limit),
        other_rotations: args.strategy.certify,
        ..TaskArgs::default()
    })?;
    let model = setup::locate_model(&home.join(shown.model).to_string_lossy(), None)?;
    let searches = resolve_searches(
        &args.strategy,
        Model::inspect(&model.path)?.spec.layers.len(),
    )?;
    let loaded = setup::load(&model, &args.compute)?;
    let out = args.out.unwrap_or_else(|| PathBuf::from(shown.out));
    let samples = tasks.samples.clone();
    let job = SearchJob {
        command: if args.real {
            "cola demo --real"
        } else {
            "cola demo"
        },
        model: shown.model.to_owned(),
        prompts: PromptArgs::default(),
        strategy: args.strategy,
        tasks,
        searches,
        json: args.json,
        progress: args.progress.into(),
    };
    let ending = job.run(&loaded, &out)?;
    if ending == Ending::Interrupted {
        return Ok(ending);
    }
    let run = RunRecords::read(shown.model, &out)?;
    let worked = examples::worked(&samples, run.records());
    write_report(&[run], &out.join("analysis"))?;
    if !args.json {
        output::print(&worked)?;
        say_where(&out)?;
    }
    Ok(ending)
}

/// Says where everything of the finished run is.
fn say_where(out: &Path) -> Result<(), CliError> {
    let out = out.display();
    output::line(&format!(
        "\nThe best chain of every sample: {out}/samples.jsonl (or: cola export {out} --format csv --out chains.csv)\n\
         Depth usage, figures, controls:  {out}/analysis/report.html"
    ))
}

/// The directory that holds `models/demo` and `datasets/demo`: the current one, or one above the binary.
fn home() -> Result<PathBuf, CliError> {
    let exe = std::env::current_exe().ok();
    let above = exe.iter().flat_map(|exe| exe.ancestors().skip(1));
    std::iter::once(Path::new("."))
        .chain(above)
        .find(|home| home.join("models/demo/config.json").exists())
        .map(Path::to_owned)
        .ok_or_else(|| {
            CliError::Usage(
                "demo: models/demo is neither in the current directory nor in one above the binary; run the command \
                 in the cola repository".to_owned(),
            )
        })
}
