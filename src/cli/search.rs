//! `cola search`.

use std::{path::Path, sync::Arc};

use super::{
    CliError, Ending,
    args::{SearchArgs, StrategyArgs},
    asking::{AskingArgs, tell_warnings},
    results,
    setup::{self, Loaded},
    tasks,
};
use crate::prepare::PromptLayout;
use crate::{
    analysis::RunRecords,
    run::{
        ControlPlan, Driver, Manifest, Progress, RunOutcome, RunPlan, Searches, note, wall_seconds,
    },
};
use cola_search::SearchConfig;
use lm_tasks::LoadedTask;

pub fn run(args: SearchArgs) -> Result<Ending, CliError> {
    // Everything that can be refused cheaply is, before the weights are read.
    let tasks = tasks::load(&args.tasks)?;
    tasks::check_verdicts(&tasks)?;
    let model = args.model.locate()?;
    let spec = cola_model::Model::inspect(&model.path)?.spec;
    tasks::check_room(&tasks, spec.max_positions)?;
    let searches = resolve_searches(&args.strategy, spec.layers.len())?;
    let loaded = setup::load(&model, &args.model.compute)?;
    let job = SearchJob {
        command: "cola search",
        model: model.name,
        asking: args.tasks.asking,
        strategy: args.strategy,
        tasks,
        searches,
        json: args.json,
    };
    job.run(&loaded, &args.out)
}

/// A search over tasks, ready to run.
pub struct SearchJob {
    pub command: &'static str,
    pub model: String,
    pub asking: AskingArgs,
    pub strategy: StrategyArgs,
    pub tasks: Vec<LoadedTask>,
    pub searches: Searches,
    pub json: bool,
}

impl SearchJob {
    /// Runs it in `out` and prints the summary.
    pub fn run(self, loaded: &Loaded, out: &Path) -> Result<Ending, CliError> {
        let outcome = self.drive(loaded, out)?;
        let failed = outcome.records.iter().any(|record| record.error.is_some());
        if outcome.interrupted {
            note(format_args!(
                "{}: the same command continues this run",
                self.command
            ));
        }
        if outcome.records.is_empty() {
            return Ok(Ending::Interrupted);
        }
        let seconds = wall_seconds(&outcome.records);
        let run = RunRecords::new(&self.model, seconds, outcome.records)?;
        results::summarise(&run, tasks::skipped(&self.tasks), out, self.json)?;
        Ok(match (outcome.interrupted, failed) {
            (true, _) => Ending::Interrupted,
            (false, true) => Ending::Failures,
            (false, false) => Ending::Done,
        })
    }

    fn drive(&self, loaded: &Loaded, out: &Path) -> Result<RunOutcome, CliError> {
        let controls = self.strategy.controls;
        let asking = loaded.asking(&self.asking, (controls > 0).then_some(self.strategy.seed))?;
        let plan = RunPlan {
            manifest: self.manifest(loaded, &asking)?,
            samples: tasks::samples(&self.tasks),
            asking,
            searches: self.searches.clone(),
            in_flight: loaded.in_flight(),
        };
        let driver = Driver::new(&loaded.engine, &plan, out)?;
        let mut progress = Progress::new(self.command, false);
        let outcome = driver.run(&setup::interrupt_flag(), &mut progress)?;
        tell_warnings(self.command, &plan.asking);
        tracing::info!(totals = ?loaded.engine.totals(), "engine");
        Ok(outcome)
    }

    fn manifest(&self, loaded: &Loaded, asking: &PromptLayout) -> Result<Manifest, CliError> {
        let model = loaded.engine.model();
        Ok(Manifest {
            format: crate::run::FORMAT,
            model: self.model.clone(),
            model_hash: model.hash().to_owned(),
            tokenizer_hash: loaded.tokenizer.hash().to_owned(),
            stop_tokens: asking.stop_tokens.to_vec(),
            layers: model.depth(),
            dtype: setup::dtype_name(model.compute().kind).to_owned(),
            repeat: loaded.engine.repeat(),
            chat: self.asking.chat,
            fewshot_as_multiturn: self.asking.examples_as_turns(),
            system: self.asking.system.clone(),
            no_bos: self.asking.no_bos,
            letters: self.asking.letters,
            rotations: self.asking.rotations,
            seed: self.strategy.seed,
            search: serde_json::to_value(&*self.searches.main)
                .map_err(|e| CliError::Output(e.into()))?,
            controls: ControlPlan {
                samples: self.strategy.controls,
            },
            tasks: self.tasks.iter().map(setup::task_manifest).collect(),
        })
    }
}

/// Settles the search and its random control for a model of `layers` layers.
pub fn resolve_searches(args: &StrategyArgs, layers: usize) -> Result<Searches, CliError> {
    let config = SearchConfig {
        strategy: args.strategy.clone(),
        preset: args.preset.clone(),
        simulations: args.simulations,
        damping: args.damping,
        score: args.score.map(Into::into),
    };
    let main = config.resolve(layers)?;
    let random = SearchConfig {
        strategy: "random".to_owned(),
        ..config
    }
    .resolve(layers)?;
    Ok(Searches {
        main: Arc::new(main),
        random: Arc::new(random),
    })
}
