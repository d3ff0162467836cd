//! The summary on the terminal, in the shape of the paper's Table 1 with the controls beside it.

use super::{
    arms::{MENU, SAMPLING, SEARCH},
    format::{excess_interval, percent, thousands, whole_points},
    statistics::Proportion,
    summary::{DatasetSummary, Summary},
    table::align,
    tables::tables,
};
use crate::run::{MAX_TRANSFER_LOSS, TRANSFER_SAMPLES};

/// The summary as plain text of about 100 columns, for any terminal or none.
pub fn render(summary: &Summary) -> String {
    let mut blocks = vec![headline(summary) + &luck(&summary.total) + "\n"];
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
    if c.control_samples > 0 {
        lines.push(format!(
            "A wrong answer drawn at random was reached in {} % of {} wrongly answered samples.",
            percent(c.wrong_target()),
            c.wrong_target().of,
        ));
        lines.push(
            "matched: the same search for a wrong answer that the unmodified model finds about as likely as the right one.\n\
             selectivity: odds of the right answer against a wrong one of the same rank in the unmodified model's order,\n\
             over random chains, which are told nothing; 1 is luck."
                .to_owned(),
        );
    }
    lines.extend(compare_arms(summary));
    if c.without_wrong_target > 0 {
        lines.push(format!(
            "Control samples without a wrong answer to look for, not in the wrong-target rate: {}.",
            c.without_wrong_target
        ));
    }
    if let Some((edits, coverage)) = summary
        .total
        .mean_edits
        .zip(summary.total.mean_root_coverage)
    {
        lines.push(format!(
            "Searches: chains {edits:.1} edits from the unmodified model on average; {} % of its single edits tried.",
            significant(100.0 * coverage)
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
    if let Some(counts) = summary.total.certificates {
        lines.push(format!(
            "certified: right in every rotation of the options, where they can be rotated, and right on at most {MAX_TRANSFER_LOSS} of\n\
             {TRANSFER_SAMPLES} other samples of the dataset fewer than the unmodified model (transfer)."
        ));
        if counts.without > 0 {
            lines.push(format!(
                "Best chains without a certificate, counted as not certified: {}.",
                thousands(counts.without as u64)
            ));
        }
    }
    lines
}

/// `= 0.012`, or `< 0.001`.
fn p_value(p: f64) -> String {
    match p < 0.0005 {
        true => "< 0.001".to_owned(),
        false => format!("= {p:.3}"),
    }
}

/// A number with two significant digits, without an exponent.
fn significant(number: f64) -> String {
    let decimals = match number.abs() {
        n if n < 1e-12 => 0,
        n => (1 - n.log10().floor() as i32).clamp(0, 8) as usize,
    };
    format!("{number:.decimals$}")
}

/// Which other ways to spend as many tries the search is ahead of, one line each, and what they are.
fn compare_arms(summary: &Summary) -> Vec<String> {
    let arms = summary.shown_arms();
    let (mut ahead, mut behind, mut open) = (Vec::new(), Vec::new(), Vec::new());
    for curve in arms.iter().filter(|curve| curve.arm != SEARCH) {
        let last = curve.points.last().and_then(|last| last.search_ahead);
        let group = match last.and_then(|mean| mean.interval) {
            Some(interval) if interval.low > 0.0 => &mut ahead,
            Some(interval) if interval.high < 0.0 => &mut behind,
            _ => &mut open,
        };
        group.push(curve.arm.as_str());
    }
    let line = |before: &str, names: &[&str]| {
        (!names.is_empty()).then(|| format!("{before} {}.", list_arms(names)))
    };
    let mut lines: Vec<String> = [
        line("In as many tries the search is ahead of", &ahead),
        line("In as many tries the search is behind", &behind),
        line("In as many tries no difference is shown from", &open),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !arms.is_empty() {
        lines.push(
            "steps: layer steps over the prompt in all tries; what each try generates comes on top."
                .to_owned(),
        );
    }
    if arms.iter().any(|curve| curve.arm == MENU) {
        lines.push(
            "menu: the unmodified model and a fixed list of chains that was chosen on the other half of the samples."
                .to_owned(),
        );
    }
    if arms.iter().any(|curve| curve.arm.starts_with(SAMPLING)) {
        lines.push(
            "sampling: answers drawn from the unmodified model at a temperature; layers+sampling: half of the tries each."
                .to_owned(),
        );
    }
    lines
}

/// `random, menu, sampling (0.3, 0.7)`: names of arms, those that differ in the temperature together.
fn list_arms(names: &[&str]) -> String {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for name in names {
        let (kind, temperature) = match name.split_once(' ') {
            Some((kind, temperature)) => (kind, Some(temperature)),
            None => (*name, None),
        };
        let place = groups.iter().position(|(known, _)| *known == kind);
        let place = place.unwrap_or_else(|| {
            groups.push((kind, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.extend(temperature);
    }
    let text = |(kind, temperatures): &(&str, Vec<&str>)| match temperatures.is_empty() {
        true => (*kind).to_owned(),
        false => format!("{kind} ({})", temperatures.join(", ")),
    };
    groups.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// What the search shows beyond luck, in two lines at most.
pub fn luck(d: &DatasetSummary) -> String {
    let Some(excess) = d.excess.excess() else {
        return match d.controls.control_samples {
            0 => "No controls ran on wrong answers: how much of W→C is luck is not known.",
            _ => "No wrong answer has a match to look for: how much of W→C is luck is not known.",
        }
        .to_owned();
    };
    let matched = d.controls.matched;
    let equal = d.excess.at_equal_score;
    let decides = equal
        .and_then(|mean| mean.interval)
        .unwrap_or(excess.interval);
    let found = if decides.low > 0.0 {
        "the search reaches right answers more often than luck does."
    } else if decides.high < 0.0 {
        "the search reaches wrong answers MORE often than right ones."
    } else if excess.interval.low > 0.0 {
        "the order explains it; nothing beyond luck is shown."
    } else {
        "nothing beyond luck is shown."
    };
    let equal = equal.map_or_else(String::new, |mean| {
        format!(
            ";\n{} where both answers stood equally high in the model's own order",
            whole_points(mean)
        )
    });
    format!(
        "Of {} wrong answers the search fixed {} %; looking for a matched wrong answer, it reached that in {} %.\n\
         Excess {} points, p {} (McNemar, exact){equal}: {found}",
        matched.of,
        percent(matched.first()),
        percent(matched.second()),
        excess_interval(Some(excess)),
        p_value(excess.p_value),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{
        RunRecords,
        fixtures::{certificate, certified_run, sample, small_run, synthetic_records},
    };

    #[test]
    fn the_small_run_reads_like_this() {
        insta::assert_snapshot!(render(&Summary::of(&small_run())), @r#"
        demo · 4 layers · 6 samples, 1 of them failed and counted as wrong
        Of 2 wrong answers the search fixed 100.0 %; looking for a matched wrong answer, it reached that in 50.0 %.
        Excess +50 (-56 to 100) points, p = 1.000 (McNemar, exact): nothing beyond luck is shown.

        Beyond luck, % of the wrongly answered samples, chains of any degradation
        dataset  wrong           fixed         matched             excess  at equal score  random's excess  selectivity
        arith        2     50.0 (9-91)  100.0 (21-100)     +0 (-92 to 92)               -   +0 (-92 to 92)            -
        facts        1  100.0 (21-100)      0.0 (0-79)  +100 (-73 to 100)               -   +0 (-92 to 92)            -
        all          3    66.7 (21-94)     50.0 (9-91)   +50 (-56 to 100)               -   +0 (-69 to 69)            -

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
        dataset  wrong  random fixes  random wrong reached  right  search shorter  random shorter  layers beyond random
        arith        2   50.0 (9-91)        100.0 (21-100)      1      0.0 (0-79)  100.0 (21-100)                  -1.0
        facts        1    0.0 (0-79)            0.0 (0-79)      0               -               -                     -
        all          3   33.3 (6-79)           50.0 (9-91)      1      0.0 (0-79)  100.0 (21-100)                  -1.0

        Depth against degradation: mean shortest right chain of 4 layers (% of samples with one)
        dataset    up to 0.1    up to 0.2    up to 0.5      up to 1     no bound
        arith     3.7 (60.0)   3.7 (60.0)   3.7 (60.0)   3.7 (60.0)   3.7 (60.0)
        facts    4.0 (100.0)  4.0 (100.0)  4.0 (100.0)  4.0 (100.0)  4.0 (100.0)
        all       3.8 (66.7)   3.8 (66.7)   3.8 (66.7)   3.8 (66.7)   3.8 (66.7)

        30 chains in 10.0 s (3.0/s); 180 layer steps run, 60 saved (25.0 %); 12 tokens decoded; 1 failed
        of the tokens 6 as drafts: 1.20 passes a chain

        Oracle numbers: the search saw the gold answers. They say what the layers can do, not what a user would get.
        A wrong answer drawn at random was reached in 50.0 % of 2 wrongly answered samples.
        matched: the same search for a wrong answer that the unmodified model finds about as likely as the right one.
        selectivity: odds of the right answer against a wrong one of the same rank in the unmodified model's order,
        over random chains, which are told nothing; 1 is luck.
        Control samples without a wrong answer to look for, not in the wrong-target rate: 1.
        Searches: chains 1.5 edits from the unmodified model on average; 50 % of its single edits tried.
        Right verdicts that did not hold when run again alone, and do not count: 1.
        "#);
    }

    #[test]
    fn certificates_have_a_table_where_there_are_some() {
        let text = render(&Summary::of(&certified_run()));
        let table = text
            .split("\n\n")
            .find(|part| part.starts_with("Certificates"));
        insta::assert_snapshot!(table.unwrap(), @r"
        Certificates, % of the best chains (labels)
        dataset  labels    rotations      transfer  all edits needed     certified  mean depth  if certified
        arith         4  50.0 (9-91)  75.0 (30-95)       50.0 (9-91)  50.0 (15-85)    3.0 ±1.3      3.5 ±6.4
        facts         -            -             -                 -             -           -             -
        all           5  50.0 (9-91)  60.0 (23-88)       50.0 (9-91)  40.0 (12-77)    3.0 ±0.9      3.5 ±6.4
        ");
        let notes: Vec<&str> = text.lines().rev().take(3).collect();
        insta::assert_snapshot!(notes.into_iter().rev().collect::<Vec<_>>().join("\n"), @r"
        certified: right in every rotation of the options, where they can be rotated, and right on at most 4 of
        16 other samples of the dataset fewer than the unmodified model (transfer).
        Best chains without a certificate, counted as not certified: 1.
        ");
        assert!(!render(&Summary::of(&small_run())).contains("ertif"));
    }

    #[test]
    fn lines_fit_a_terminal() {
        let mut records =
            synthetic_records(&["arc_challenge", "commonsense-2", "arith-5"], 12, 300);
        for record in &mut records {
            record.certificate = Some(certificate((16, 8, 9)));
        }
        let run = RunRecords::new("synthetic", 1.0, records).unwrap();
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
