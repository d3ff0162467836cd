//! `cola demo`: the bundled model on the bundled datasets.

use std::path::{Path, PathBuf};

use super::{
    CliError, Ending,
    args::{DemoArgs, TaskArgs},
    asking::AskingArgs,
    output,
    search::{SearchJob, resolve_searches},
    setup, tasks,
};
use crate::{
    analysis::{RunRecords, write_report},
    model::Model,
    run::{Journal, wall_seconds},
};

/// The bundled datasets: difficulty rises from left to right.
const TASKS: [&str; 7] = [
    "arith-1",
    "arith-2",
    "arith-3",
    "arith-4",
    "arith-5",
    "commonsense-1",
    "commonsense-2",
];

/// Simulations a sample, so that the whole demo takes about a minute on two cores.
const SIMULATIONS: usize = 100;

pub fn run(mut args: DemoArgs) -> Result<Ending, CliError> {
    args.strategy.simulations.get_or_insert(SIMULATIONS);
    let home = home()?;
    let directory = home.join("models/demo");
    let datasets = home.join("datasets/demo");
    let file = |task: &str| datasets.join(format!("{task}.yaml")).display().to_string();
    let tasks = tasks::load(&TaskArgs {
        task: TASKS.iter().map(|task| file(task)).collect(),
        limit: args.limit,
        ..TaskArgs::default()
    })?;
    let searches = resolve_searches(
        &args.strategy,
        Model::inspect(&directory)?.spec.layers.len(),
    )?;
    let model = setup::locate_model(&directory.to_string_lossy(), None)?;
    let loaded = setup::load(&model, &args.compute)?;
    let out = args
        .out
        .unwrap_or_else(|| PathBuf::from("results/demo-run"));
    let job = SearchJob {
        command: "cola demo",
        model: "models/demo".to_owned(),
        asking: AskingArgs::default(),
        strategy: args.strategy,
        tasks,
        searches,
        json: args.json,
    };
    let ending = job.run(&loaded, &out)?;
    if ending == Ending::Interrupted {
        return Ok(ending);
    }
    report(&out, args.json)?;
    Ok(ending)
}

/// Writes the report of the finished run and says where everything is.
fn report(out: &Path, json: bool) -> Result<(), CliError> {
    let records = Journal::read(out)?;
    let run = RunRecords::new("models/demo", wall_seconds(&records), records)?;
    write_report(&[run], &out.join("analysis"))?;
    if json {
        return Ok(());
    }
    let out = out.display();
    output::line(&format!(
        "\nThe best chain of every sample: {out}/samples.jsonl (or: cola export {out} --format csv --out chains.csv)\n\
         Depth usage, figures, controls:  {out}/analysis/report.html"
    ))
}

/// The directory that holds `models/demo` and `datasets/demo`: the current one, one above the
/// binary, or where it was built.
fn home() -> Result<PathBuf, CliError> {
    let exe = std::env::current_exe().ok();
    let above = exe.iter().flat_map(|exe| exe.ancestors().skip(1));
    std::iter::once(Path::new("."))
        .chain(above)
        .chain([Path::new(env!("CARGO_MANIFEST_DIR"))])
        .find(|home| home.join("models/demo/config.json").exists())
        .map(Path::to_owned)
        .ok_or_else(|| {
            CliError::Usage(
                "demo: models/demo is neither here nor beside the binary; run it in the cola repository".to_owned(),
            )
        })
}
