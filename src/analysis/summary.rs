//! The numbers of a run: what `--json` prints and the terminal table shows.
//!
//! Counts, not percentages, and every sample is in the denominator: one that failed counts as
//! wrong before and after the search.

use serde::{Deserialize, Serialize};

use super::{
    RunRecords,
    answers::{Source, Within},
    arms::{ArmCurve, RANDOM, SEARCH, arms},
    bounds::AtBound,
    certificates::CertificateCounts,
    controls::{ControlCounts, layers_saved_beyond_random},
    digest::Digest,
    equal_score::excess_at_equal_score,
    headline::{ExcessCounts, SelectivityCounts},
    outcome::{failed, found, started_right},
    selectivity::Selectivity,
    statistics::Mean,
};
use cola_search::Health;

/// A run in numbers. The keys up to `datasets` are the contract of `--json`; those after it may
/// grow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Name of the model.
    pub model: String,
    /// Wall-clock seconds of the run.
    pub seconds: f64,
    /// Evaluations asked of the engine, controls and re-checks included.
    pub chains: u64,
    /// `chains / seconds`; `None` where no time passed.
    pub chains_per_second: Option<f64>,
    /// Layer steps run.
    pub steps_run: u64,
    /// Layer steps the state table made unnecessary.
    pub steps_saved: u64,
    /// Tokens generated.
    pub tokens_decoded: u64,
    /// Samples that failed.
    pub failed: usize,
    /// One entry a task, by name.
    pub datasets: Vec<DatasetSummary>,
    /// All datasets as one, its `task` being `all`.
    pub total: DatasetSummary,
    /// Number of layers of the model.
    pub layers: usize,
    /// Layer steps of single decoded tokens.
    pub decode_steps: u64,
    /// Generated tokens that were read off the pass over the prompt, as drafts; the others were
    /// decoded outside the draft tree.
    #[serde(default)]
    pub tokens_drafted: u64,
    /// Passes through a chain.
    #[serde(default)]
    pub passes: u64,
    /// Bad rows of the data that were passed over: no samples, and not known from records.
    #[serde(default)]
    pub skipped_rows: usize,
    /// Whether tables compare the search with random chains alone. With other arms they always compare.
    #[serde(skip)]
    pub compares_arms: bool,
}

/// One dataset in numbers. "Found" and "fixed" are oracle numbers: the search saw the gold answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetSummary {
    /// Name of the task.
    pub task: String,
    /// Samples, failed ones included.
    pub samples: usize,
    /// Samples the unmodified model answers right.
    pub baseline_correct: usize,
    /// Samples with a right chain that the re-check confirmed.
    pub found_correct: usize,
    /// Samples answered right by the unmodified model or a chain that only skips layers.
    pub skip_only_correct: usize,
    /// Samples answered right by the unmodified model or a chain that only repeats layers.
    pub repeat_only_correct: usize,
    /// Of the baseline-correct: samples whose best chain is shorter than the model.
    pub correct_with_shorter: usize,
    /// Of the baseline-wrong: samples with a confirmed right chain.
    pub fixed: usize,
    /// Mean length of the best chains (layer applications).
    pub mean_depth_found: Option<f64>,
    /// Mean simulations a searched sample.
    pub mean_simulations: Option<f64>,
    /// What luck finds.
    pub controls: ControlCounts,
    /// Samples that failed.
    pub failed: usize,
    /// Mean length of the best chains with its interval.
    pub depth_found: Option<Mean>,
    /// Right verdicts the re-check did not confirm (chains, not samples).
    pub unconfirmed_chains: usize,
    /// Samples whose search was not a tree search after all (see [`cola_search::Health`]).
    pub degenerate_searches: usize,
    /// Most nats a token by which a chain may read the prompt worse than the unmodified model; `None` for no bound.
    #[serde(default)]
    pub max_degradation: Option<f64>,
    /// Of the baseline-wrong with a matched wrong answer: by how much more often the search reached the right one.
    #[serde(default)]
    pub excess: ExcessCounts,
    /// The same of random chains.
    #[serde(default)]
    pub random_excess: ExcessCounts,
    /// The odds of the right answer against a wrong one of its rank, over random chains within the bound: unbiased, since they
    /// are told nothing.
    #[serde(default)]
    pub selectivity: SelectivityCounts,
    /// The same over the chains of the search, which is told which answer is right.
    #[serde(default)]
    pub search_selectivity: SelectivityCounts,
    /// Of the baseline-right with controls: layers by which the search's chains are shorter than random ones.
    #[serde(default)]
    pub layers_saved_beyond_random: Option<Mean>,
    /// Depth at several bounds on degradation.
    #[serde(default)]
    pub bounds: Vec<AtBound>,
    /// Mean number of edits between the unmodified model and the chains of a search.
    #[serde(default)]
    pub mean_edits: Option<f64>,
    /// Mean share of the unmodified model's legal edits that a search tried.
    #[serde(default)]
    pub mean_root_coverage: Option<f64>,
    /// Other ways to spend as many tries, if the run has any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arms: Vec<ArmCurve>,
    /// What certificates say of the best chains; `None` without certificates.
    #[serde(default)]
    pub certificates: Option<CertificateCounts>,
}

impl Summary {
    /// Counts a run.
    pub fn of(run: &RunRecords) -> Self {
        let total = |cost: fn(&Digest) -> u64| run.records().iter().map(cost).sum::<u64>();
        let chains = total(|r| r.cost.evaluations);
        let seconds = run.seconds();
        Self {
            model: run.model().to_owned(),
            seconds,
            chains,
            chains_per_second: (seconds > 0.0).then(|| chains as f64 / seconds),
            steps_run: total(|r| r.cost.steps_run),
            steps_saved: total(|r| r.cost.steps_saved),
            tokens_decoded: total(|r| r.cost.tokens_decoded),
            failed: run.records().iter().filter(|r| failed(r)).count(),
            datasets: run
                .datasets()
                .map(|(task, records)| DatasetSummary::of(task, records))
                .collect(),
            total: DatasetSummary::of("all", run.records()),
            layers: run.layers(),
            decode_steps: total(|r| r.cost.decode_steps),
            tokens_drafted: total(|r| r.cost.tokens_drafted),
            passes: total(|r| r.cost.passes),
            skipped_rows: 0,
            compares_arms: false,
        }
    }

    /// The arms to show, over all samples.
    pub fn shown_arms(&self) -> &[ArmCurve] {
        let is_other = |curve: &ArmCurve| ![SEARCH, RANDOM].contains(&&*curve.arm);
        match self.compares_arms || self.total.arms.iter().any(is_other) {
            true => &self.total.arms,
            false => &[],
        }
    }
}

impl DatasetSummary {
    /// Counts the samples of one dataset.
    pub fn of(task: &str, records: &[Digest]) -> Self {
        let count =
            |holds: &dyn Fn(&Digest) -> bool| records.iter().filter(|record| holds(record)).count();
        let depths: Vec<f64> = records
            .iter()
            .filter_map(|record| Some(found(record)?.chain.len() as f64))
            .collect();
        let health_mean = |number: fn(&Health) -> f64| {
            let numbers = records.iter().filter_map(|r| r.health.as_ref()).map(number);
            Mean::of(&numbers.collect::<Vec<f64>>()).map(|mean| mean.value)
        };
        let depth_found = Mean::of(&depths);
        let controls = ControlCounts::of(records);
        let selectivity =
            |source| SelectivityCounts::of(Selectivity::of(records, source, Within::Bound));
        Self {
            task: task.to_owned(),
            samples: records.len(),
            baseline_correct: count(&|r| started_right(r)),
            found_correct: count(&|r| found(r).is_some()),
            skip_only_correct: count(&right_by_skips),
            repeat_only_correct: count(&right_by_repeats),
            correct_with_shorter: count(&|r| started_right(r) && found(r).is_some() && r.shorter()),
            fixed: count(&|r| !started_right(r) && found(r).is_some()),
            mean_depth_found: depth_found.map(|mean| mean.value),
            mean_simulations: health_mean(|health| health.simulations as f64),
            mean_edits: health_mean(|health| health.mean_depth),
            mean_root_coverage: health_mean(|health| health.root_coverage),
            max_degradation: records.first().and_then(|record| record.max_degradation),
            excess: ExcessCounts::of(
                controls.matched,
                excess_at_equal_score(records, Source::Search),
            ),
            random_excess: ExcessCounts::of(
                controls.random_matched,
                excess_at_equal_score(records, Source::Random),
            ),
            selectivity: selectivity(Source::Random),
            search_selectivity: selectivity(Source::Search),
            layers_saved_beyond_random: layers_saved_beyond_random(records),
            bounds: AtBound::curve(records),
            arms: arms(records),
            certificates: CertificateCounts::of(records),
            controls,
            failed: count(&|r| failed(r)),
            depth_found,
            unconfirmed_chains: records.iter().map(|r| r.unconfirmed.len()).sum(),
            degenerate_searches: count(&degenerate),
        }
    }
}

fn degenerate(record: &Digest) -> bool {
    let health = record.health.as_ref();
    health.is_some_and(|health| health.degenerate.is_some())
}

/// Right without repeating or moving a layer. Where nothing was confirmed, only the unmodified
/// model's own verdict counts.
fn right_by_skips(record: &Digest) -> bool {
    started_right(record) || found(record).is_some() && record.facts.skips_right
}

/// Right without skipping or moving a layer; see [`right_by_skips`].
fn right_by_repeats(record: &Digest) -> bool {
    started_right(record) || found(record).is_some() && record.facts.repeats_right
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::{sample, small_run};

    #[test]
    fn counts_equal_those_made_by_hand() {
        let summary = Summary::of(&small_run());
        let arith = &summary.datasets[0];
        assert_eq!(
            (arith.task.as_str(), arith.samples, arith.failed),
            ("arith", 5, 1)
        );
        assert_eq!((arith.baseline_correct, arith.found_correct), (2, 3));
        assert_eq!((arith.skip_only_correct, arith.repeat_only_correct), (2, 3));
        assert_eq!((arith.correct_with_shorter, arith.fixed), (1, 1));
        assert_eq!(arith.mean_depth_found, Some(11.0 / 3.0));
        assert_eq!(arith.mean_simulations, Some(15.0));
        assert_eq!(arith.unconfirmed_chains, 1);
        let facts = &summary.datasets[1];
        assert_eq!(
            (facts.baseline_correct, facts.found_correct, facts.fixed),
            (0, 1, 1)
        );
        assert_eq!((facts.skip_only_correct, facts.repeat_only_correct), (0, 0));
        assert_eq!(facts.mean_simulations, None);
        let total = &summary.total;
        assert_eq!((total.samples, total.found_correct, total.fixed), (6, 4, 2));
    }

    #[test]
    fn costs_of_all_samples_are_added_failed_ones_too() {
        let summary = Summary::of(&small_run());
        assert_eq!((summary.chains, summary.chains_per_second), (30, Some(3.0)));
        assert_eq!((summary.steps_run, summary.steps_saved), (180, 60));
        assert_eq!((summary.tokens_decoded, summary.decode_steps), (12, 48));
        assert_eq!((summary.tokens_drafted, summary.passes), (6, 36));
        assert_eq!((summary.failed, summary.layers), (1, 4));
    }

    #[test]
    fn json_has_the_contracts_keys_in_order() {
        let json = serde_json::to_value(Summary::of(&small_run())).unwrap();
        let keys = |value: &serde_json::Value| -> Vec<String> {
            value.as_object().unwrap().keys().cloned().collect()
        };
        let contract = [
            "model",
            "seconds",
            "chains",
            "chains_per_second",
            "steps_run",
            "steps_saved",
            "tokens_decoded",
            "failed",
            "datasets",
        ];
        assert_eq!(keys(&json)[..contract.len()], contract);
        let dataset = &json["datasets"][0];
        let contract = [
            "task",
            "samples",
            "baseline_correct",
            "found_correct",
            "skip_only_correct",
            "repeat_only_correct",
            "correct_with_shorter",
            "fixed",
            "mean_depth_found",
            "mean_simulations",
            "controls",
        ];
        assert_eq!(keys(dataset)[..contract.len()], contract);
        let contract = [
            "control_samples",
            "search_fixed",
            "random_fixed",
            "wrong_target_hit",
        ];
        assert_eq!(keys(&dataset["controls"])[..contract.len()], contract);
        let contract = ["wrong_samples", "fixed", "wrong_target_hit", "low", "high"];
        for dataset in [dataset, &json["total"]] {
            assert_eq!(keys(&dataset["excess"])[..contract.len()], contract);
            let contract = ["value", "low", "high", "chains"];
            assert_eq!(keys(&dataset["selectivity"])[..contract.len()], contract);
            assert!(dataset["max_degradation"].is_null());
        }
        let excess = &dataset["excess"];
        let counts = [
            &excess["wrong_samples"],
            &excess["fixed"],
            &excess["wrong_target_hit"],
        ];
        assert_eq!(counts, [1, 1, 1]);
    }

    #[test]
    fn what_luck_reaches_has_its_keys_without_controls_too() {
        let run = RunRecords::new("m", 1.0, vec![sample("t", 0).build()]).unwrap();
        let json = serde_json::to_value(Summary::of(&run)).unwrap();
        let total = &json["total"];
        assert_eq!(total["excess"]["wrong_samples"], 0);
        assert!(total["excess"]["low"].is_null() && total["selectivity"]["value"].is_null());
        assert_eq!(total["selectivity"]["chains"], 0);
    }

    #[test]
    fn means_of_nothing_are_null() {
        let records = vec![sample("t", 0).failed("broken").build()];
        let run = RunRecords::new("demo", 0.0, records).unwrap();
        let json = serde_json::to_value(Summary::of(&run)).unwrap();
        assert!(json["chains_per_second"].is_null());
        assert!(json["datasets"][0]["mean_depth_found"].is_null());
        assert!(json["datasets"][0]["mean_simulations"].is_null());
        assert_eq!(json["datasets"][0]["samples"], 1);
    }

    #[test]
    fn degenerate_searches_are_counted() {
        let degenerate = sample("t", 0).simulations(9).with(|record| {
            let health = record.health.as_mut().unwrap();
            health.degenerate = Some("depth 1".to_owned());
        });
        let records = vec![degenerate.build(), sample("t", 1).simulations(9).build()];
        let run = RunRecords::new("demo", 1.0, records).unwrap();
        let summary = Summary::of(&run);
        assert_eq!(summary.total.degenerate_searches, 1);
        let text = crate::analysis::render(&summary);
        assert!(
            text.contains("Degenerate searches: 1 of 2 samples"),
            "{text}"
        );
    }

    #[test]
    fn a_right_answer_no_re_check_confirmed_is_not_found() {
        let records = [sample("t", 0).tried("0-2", true).build().into()];
        let summary = DatasetSummary::of("t", &records);
        assert_eq!((summary.found_correct, summary.skip_only_correct), (0, 0));
    }
}
