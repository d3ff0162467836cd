//! `cola search`.

use std::{path::Path, sync::Arc};

use super::{
    CliError, Ending,
    args::{Arm, SearchArgs, StrategyArgs},
    generation::tell_unapplied,
    prompts::{PromptArgs, tell_warnings},
    results,
    setup::{self, Loaded},
    tasks::{self, Tasks},
};
use crate::prepare::PromptLayout;
use crate::{
    analysis::RunRecords,
    run::{
        ControlSamples, Manifest, MenuPlan, Progress, ProgressStyle, RunOutcome, SampleRecord,
        SamplingPlan, Searches,
    },
    terminal::note,
};
use cola_search::SearchConfig;

pub fn run(mut args: SearchArgs) -> Result<Ending, CliError> {
    args.tasks.other_rotations = args.strategy.certify;
    // Everything that can be refused cheaply is, before the weights are read.
    let tasks = tasks::load(&args.tasks)?;
    tasks::check_verdicts(&tasks)?;
    let model = args.model.locate()?;
    let spec = cola_model::Model::inspect(&model.path)?.spec;
    tasks::check_room(&tasks, spec.max_positions)?;
    let searches = resolve_searches(&args.strategy, spec.layers.len())?;
    if tasks.generate() {
        tell_unapplied("cola search", &model.path)?;
    }
    let loaded = setup::load(&model, &args.model.compute)?;
    let job = SearchJob {
        command: "cola search",
        model: model.name,
        prompts: args.tasks.prompts,
        strategy: args.strategy,
        tasks,
        searches,
        json: args.json,
        progress: args.progress.into(),
    };
    job.run(&loaded, &args.out)
}

/// A search over tasks, ready to run.
pub struct SearchJob {
    pub command: &'static str,
    pub model: String,
    pub prompts: PromptArgs,
    pub strategy: StrategyArgs,
    pub tasks: Tasks,
    pub searches: Searches,
    pub json: bool,
    pub progress: ProgressStyle,
}

impl SearchJob {
    /// Runs it in `out` and prints the summary.
    pub fn run(self, loaded: &Loaded, out: &Path) -> Result<Ending, CliError> {
        let outcome = self.drive(loaded, out)?;
        if outcome.interrupted {
            note(format_args!(
                "{}: the same command continues this run",
                self.command
            ));
        }
        if outcome.recorded == 0 {
            return Ok(Ending::Interrupted);
        }
        // The questions make room for the records.
        let skipped_rows = self.tasks.skipped_rows();
        drop(self.tasks);
        let run = RunRecords::read(&self.model, out)?;
        let arms = !self.strategy.arms.is_empty();
        results::summarise(&run, skipped_rows, arms, out, self.json)?;
        let uncertified = |record: &SampleRecord| {
            self.strategy.certify && record.label().is_some() && record.certificate.is_none()
        };
        let failed = run.records().iter().any(|record| {
            record.error.is_some() || record.menu_error.is_some() || uncertified(record)
        });
        Ok(match (outcome.interrupted, failed) {
            (true, _) => Ending::Interrupted,
            (false, true) => Ending::Failures,
            (false, false) => Ending::Done,
        })
    }

    fn drive(&self, loaded: &Loaded, out: &Path) -> Result<RunOutcome, CliError> {
        let controls = self.strategy.controls;
        let mut layout = loaded.layout(&self.prompts, Some(self.strategy.seed))?;
        if controls == ControlSamples::NONE {
            // Options are there anyway, for their ranks; texts would cost steps.
            layout.wrong_texts = 0;
        }
        let layout = Arc::new(layout);
        let problems = self.tasks.problems(&layout);
        let searches = self.searches.clone();
        let mut plan = loaded
            .session
            .plan(problems, searches, self.strategy.seed)
            .with_controls(controls);
        self.complete(&mut plan.manifest, loaded, &layout);
        let mut progress = Progress::new(self.command, self.progress);
        let interrupt = setup::interrupt_flag();
        let mut outcome = loaded
            .session
            .search(&plan, out, &interrupt, &mut progress)?;
        tell_warnings(self.command, &layout);
        // The search has warned of the prompts, and looked for wrong answers.
        let layout = PromptLayout {
            wrong_targets: None,
            warnings: Arc::default(),
            ..(*layout).clone()
        };
        let problems = self.tasks.problems(&Arc::new(layout));
        if self.strategy.arms.contains(&Arm::Menu) && !outcome.interrupted {
            let menu = MenuPlan {
                seed: self.strategy.seed,
                tries: self.searches.tries,
            };
            let progress = Progress::new(&format!("{}, menu", self.command), self.progress);
            let session = &loaded.session;
            outcome.interrupted = session.menus(&problems, menu, out, &interrupt, &progress)?;
        }
        if self.strategy.certify && !outcome.interrupted {
            let mut progress =
                Progress::new(&format!("{}, certificates", self.command), self.progress);
            let session = &loaded.session;
            outcome.interrupted = session.certify(&problems, out, &interrupt, &mut progress)?;
        }
        tracing::info!(totals = ?loaded.session.engine().totals(), "engine");
        Ok(outcome)
    }

    /// Adds what the session does not know: names, and how prompts are made.
    fn complete(&self, manifest: &mut Manifest, loaded: &Loaded, layout: &PromptLayout) {
        manifest.model.clone_from(&self.model);
        loaded
            .tokenizer
            .hash()
            .clone_into(&mut manifest.tokenizer_hash);
        manifest.stop_tokens = layout.stop_tokens.to_vec();
        manifest.chat = self.prompts.chat;
        manifest.fewshot_as_multiturn = self.prompts.examples_as_turns();
        manifest.system.clone_from(&self.prompts.system);
        manifest.no_bos = self.prompts.no_bos;
        manifest.letters = self.prompts.letters;
        manifest.rotations = self.prompts.rotations;
        for (task, skipped) in &self.tasks.skipped {
            let tasks = manifest.tasks.iter_mut();
            for known in tasks.filter(|known| known.name == *task) {
                known.skipped_rows = *skipped;
            }
        }
    }
}

/// Settles the search and its random control for a model of `layers` layers.
pub fn resolve_searches(args: &StrategyArgs, layers: usize) -> Result<Searches, CliError> {
    let config = SearchConfig {
        strategy: args.strategy.clone(),
        preset: args.preset.clone(),
        simulations: args.simulations,
        budget_steps: args.budget_steps,
        damping: args.damping,
        score: args.score.map(Into::into),
        max_degradation: args.max_degradation.unwrap_or_default(),
    };
    let mut searches = Searches::resolve(&config, layers)?;
    if args.arms.contains(&Arm::Random) && args.controls != ControlSamples::ALL {
        let most = args.controls.most();
        return Err(CliError::Usage(format!(
            "--arms random: random chains are a control, and --controls {most} runs it on at most {most} samples of a task; \
             give --controls all"
        )));
    }
    let drawn = |arm| matches!(arm, &Arm::Sampling | &Arm::LayersAndSampling);
    if args.arms.iter().any(drawn) {
        searches.sampling = Some(SamplingPlan::usual(searches.tries));
    }
    Ok(searches)
}
