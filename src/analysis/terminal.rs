//! The summary on the terminal, in the shape of the paper's Table 1 with the controls beside it.

use super::{
    format::{percent, thousands},
    statistics::Proportion,
    summary::Summary,
    table::align,
    tables::tables,
};

/// The summary as plain text of about 100 columns, for any terminal or none.
pub fn render(summary: &Summary) -> String {
    let mut blocks = vec![headline(summary)];
    for table in tables(summary) {
        blocks.push(format!(
            "{}\n{}",
            table.title,
            align(&table.header, &table.rows)
        ));
    }
    blocks.push(cost(summary));
    blocks.push(notes(summary).join("\n") + "\n");
    blocks.join("\n")
}

/// `demo · 12 layers · 350 samples, 2 of them failed and counted as wrong`, and a line end.
pub fn headline(summary: &Summary) -> String {
    let failed = match summary.failed {
        0 => String::new(),
        n => format!(
            ", {} of them failed and counted as wrong",
            thousands(n as u64)
        ),
    };
    let skipped = match summary.skipped_rows {
        0 => String::new(),
        n => format!("; bad rows skipped: {}", thousands(n as u64)),
    };
    format!(
        "{} · {} layers · {} {}{failed}{skipped}\n",
        summary.model,
        summary.layers,
        thousands(summary.total.samples as u64),
        if summary.total.samples == 1 {
            "sample"
        } else {
            "samples"
        },
    )
}

/// What the run cost.
pub fn cost(summary: &Summary) -> String {
    let rate = summary
        .chains_per_second
        .map_or_else(String::new, |r| format!(" ({r:.1}/s)"));
    let asked = summary.steps_run + summary.steps_saved;
    let saved = percent(Proportion::new(
        summary.steps_saved as usize,
        asked as usize,
    ));
    let drafted = match summary.tokens_drafted {
        0 => String::new(),
        drafted => format!(
            "of the tokens {} as drafts: {:.2} passes a chain\n",
            thousands(drafted),
            summary.passes as f64 / summary.chains.max(1) as f64
        ),
    };
    format!(
        "{} chains in {:.1} s{rate}; {} layer steps run, {} saved ({saved} %); {} tokens decoded; {} failed\n{drafted}",
        thousands(summary.chains),
        summary.seconds,
        thousands(summary.steps_run),
        thousands(summary.steps_saved),
        thousands(summary.tokens_decoded),
        thousands(summary.failed as u64),
    )
}

/// How to read the numbers honestly, one line each.
pub fn notes(summary: &Summary) -> Vec<String> {
    let mut lines = vec![
        "Oracle numbers: the search saw the gold answers. They say what the layers can do, not \
         what a user would get."
            .to_owned(),
    ];
    let c = summary.total.controls;
    match (c.wrong_target().of, c.control_samples) {
        (_, 0) => lines.push(
            "No controls ran on wrong answers: how much of W→C is luck is not known.".to_owned(),
        ),
        (0, _) => lines.push("No wrong answer could be made up as a target.".to_owned()),
        (of, _) => lines.push(format!(
            "A random wrong answer was reached in {} % of {of} wrongly answered control samples, \
             the right one in {} %:\nthat much of the gain can be luck.",
            percent(c.wrong_target()),
            percent(c.search())
        )),
    }
    if c.control_samples > 0 {
        lines.push(format!(
            "Random chains at the same budget fixed {} % of them: what the search adds is the \
             difference.",
            percent(c.random())
        ));
    }
    if c.without_wrong_target > 0 {
        lines.push(format!(
            "Control samples without a wrong answer to look for, not in the wrong-target rate: {}.",
            c.without_wrong_target
        ));
    }
    if summary.total.degenerate_searches > 0 {
        lines.push(format!(
            "Degenerate searches: {} of {} samples were searched at depth 1 or along a single line \
             (`health`\nin the journal says which); theirs are results of a poorer search.",
            thousands(summary.total.degenerate_searches as u64),
            thousands(summary.total.samples as u64)
        ));
    }
    if summary.total.unconfirmed_chains > 0 {
        lines.push(format!(
            "Right verdicts that did not hold when run again alone, and do not count: {}.",
            thousands(summary.total.unconfirmed_chains as u64)
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{
        RunRecords,
        fixtures::{sample, small_run, synthetic_run},
    };

    #[test]
    fn the_small_run_reads_like_this() {
        insta::assert_snapshot!(render(&Summary::of(&small_run())), @r#"
        demo · 4 layers · 6 samples, 1 of them failed and counted as wrong

        Accuracy, % of all samples (95 % interval)
        dataset  samples      baseline     skip-only   repeat-only  full search (oracle)
        arith          5  40.0 (12-77)  40.0 (12-77)  60.0 (23-88)          60.0 (23-88)
        facts          1    0.0 (0-79)    0.0 (0-79)    0.0 (0-79)        100.0 (21-100)
        all            6  33.3 (10-70)  33.3 (10-70)  50.0 (19-81)          66.7 (30-90)

        What the search changed: C→C of the right, W→C of the wrong answers; depth of 4 layers
        dataset  C→C shorter %           W→C %  mean depth found  simulations
        arith      50.0 (9-91)     33.3 (6-79)          3.7 ±3.8         15.0
        facts                -  100.0 (21-100)               4.0            -
        all        50.0 (9-91)    50.0 (15-85)          3.8 ±2.0         15.0

        Controls, % of the same samples at the same budget
        dataset  wrong    search fixed  random chains    wrong target  right  search shorter  random shorter
        arith        2     50.0 (9-91)    50.0 (9-91)  100.0 (21-100)      1      0.0 (0-79)  100.0 (21-100)
        facts        1  100.0 (21-100)     0.0 (0-79)      0.0 (0-79)      0               -               -
        all          3    66.7 (21-94)    33.3 (6-79)     50.0 (9-91)      1      0.0 (0-79)  100.0 (21-100)

        30 chains in 10.0 s (3.0/s); 180 layer steps run, 60 saved (25.0 %); 12 tokens decoded; 1 failed
        of the tokens 6 as drafts: 1.20 passes a chain

        Oracle numbers: the search saw the gold answers. They say what the layers can do, not what a user would get.
        A random wrong answer was reached in 50.0 % of 2 wrongly answered control samples, the right one in 66.7 %:
        that much of the gain can be luck.
        Random chains at the same budget fixed 33.3 % of them: what the search adds is the difference.
        Control samples without a wrong answer to look for, not in the wrong-target rate: 1.
        Right verdicts that did not hold when run again alone, and do not count: 1.
        "#);
    }

    #[test]
    fn lines_fit_a_terminal() {
        let run = synthetic_run(&["arc_challenge", "commonsense-2", "arith-5"], 12, 300);
        let text = render(&Summary::of(&run));
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= 120, "{widest} columns:\n{text}");
    }

    #[test]
    fn a_run_that_only_failed_has_dashes_and_no_nan() {
        let records = vec![sample("t", 0).failed("broken").build()];
        let text = render(&Summary::of(
            &RunRecords::new("demo", 0.0, records).unwrap(),
        ));
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        assert!(text.contains("1 sample, 1 of them failed and counted as wrong"));
    }
}
