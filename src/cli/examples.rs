//! Worked examples at the end of a demonstration: what was asked, what the model answered, and what a chain answers.

use std::{ops::Deref, sync::Arc};

use crate::run::{Evaluation, SampleRecord};
use lm_tasks::Sample;

/// How many are shown.
const EXAMPLES: usize = 3;

/// Longest prompt or answer shown, in characters; of a longer prompt the end, where the question is.
const LONGEST: usize = 400;

/// The first samples of a run, in its order, whose wrong answer a chain turned right, each of another task as far as
/// there are such; then those that a shorter chain answers right too. Nothing else decides which are shown.
pub fn worked(samples: &[Arc<Sample>], records: &[impl Deref<Target = SampleRecord>]) -> String {
    let chosen = choose(records.iter().map(|record| &**record).collect());
    if chosen.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "\nWorked examples: the first of each task that a chain turned right, else the first that a shorter one answers too.\n",
    );
    for record in chosen {
        let same =
            |sample: &&Arc<Sample>| sample.task.name == record.task && sample.id == record.id;
        if let Some(sample) = samples.iter().find(same) {
            text += &example(sample, record);
        }
    }
    text
}

fn choose(mut ordered: Vec<&SampleRecord>) -> Vec<&SampleRecord> {
    ordered.sort_by_key(|record| (record.index, record.task.clone()));
    let fixed = |record: &&SampleRecord| record.best.is_some() && !record.baseline_correct();
    let shorter = |record: &&SampleRecord| record.baseline_correct() && record.shorter();
    let fixed = ordered.iter().copied().filter(fixed);
    let shorter = ordered.iter().copied().filter(shorter);
    let candidates: Vec<&SampleRecord> = fixed.chain(shorter).collect();
    let mut chosen: Vec<&SampleRecord> = Vec::new();
    // One a task first, then whichever come next.
    for of_new_task in [true, false] {
        for &candidate in &candidates {
            let known = chosen.iter().any(|one| one.task == candidate.task);
            let twice = chosen.iter().any(|&one| std::ptr::eq(one, candidate));
            if chosen.len() < EXAMPLES && !twice && !(of_new_task && known) {
                chosen.push(candidate);
            }
        }
    }
    chosen
}

fn example(sample: &Sample, record: &SampleRecord) -> String {
    let line = |name: &str, evaluation: &Option<Evaluation>| match evaluation {
        None => String::new(),
        Some(evaluation) => format!(
            "  {name:<11} {} ({} of {} layers): {}, {}\n",
            evaluation.chain,
            evaluation.chain.len(),
            record.layers,
            answer(&evaluation.answer),
            if evaluation.correct { "right" } else { "wrong" },
        ),
    };
    format!(
        "\n{} {}\n  prompt      {}\n  right       {}\n{}{}",
        record.task,
        record.id,
        indented(&end_of(sample.own.context.trim())),
        answer(&record.gold),
        line("unmodified", &record.baseline),
        line("found", &record.best),
    )
}

/// The last characters of a text.
fn end_of(text: &str) -> String {
    match text.chars().count().checked_sub(LONGEST) {
        None | Some(0) => text.to_owned(),
        Some(cut) => format!("... {}", text.chars().skip(cut).collect::<String>()),
    }
}

/// A prompt under its label; what would change the terminal is escaped.
fn indented(text: &str) -> String {
    let lines = text.lines().map(|line| line.escape_debug().to_string());
    lines
        .collect::<Vec<_>>()
        .join("\n              ")
        .replace("\\'", "'")
        .replace("\\\"", "\"")
}

/// An answer on one line, in quotes.
fn answer(text: &str) -> String {
    let short: String = text.trim().chars().take(LONGEST).collect();
    format!("{short:?}").replace("\\'", "'")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::sample;

    fn names(records: &[SampleRecord]) -> Vec<String> {
        let chosen = choose(records.iter().collect());
        let name = |record: &&SampleRecord| format!("{} {}", record.task, record.id);
        chosen.iter().map(name).collect()
    }

    #[test]
    fn the_first_that_was_fixed_of_each_task_comes_first() {
        let records = [
            sample("b", 0).baseline(true).best("0-1").build(),
            sample("a", 0).build(),
            sample("a", 1).best("0-1").build(),
            sample("a", 2).best("0").build(),
            sample("b", 3).best("0,0").build(),
        ];
        let expected = ["a 1", "b 3", "a 2"];
        assert_eq!(names(&records), expected);
        let mut reversed = records.to_vec();
        reversed.reverse();
        assert_eq!(names(&reversed), expected);
    }
}
