//! The files of a fit.

use std::fmt::Write;

use super::{Fit, Scores};
use crate::analysis::{AnalysisError, Cell, Mean, draw_square};

/// Names and texts.
pub struct FitFiles(pub Vec<(&'static str, String)>);

impl FitFiles {
    /// `fit.json` is everything; `front.csv` has a line for every chain that was run on the held-out samples, `blocks.csv` one for every
    /// block that was skipped or run twice, and `blocks.svg` shows these.
    ///
    /// # Errors
    /// A file cannot be made.
    pub fn of(fit: &Fit) -> Result<Self, AnalysisError> {
        let json = serde_json::to_string_pretty(fit).map_err(|error| AnalysisError::Figure {
            name: "fit.json".to_owned(),
            reason: error.to_string(),
        })?;
        let mut files = vec![
            ("fit.json", json + "\n"),
            ("front.csv", front(fit)),
            ("blocks.csv", blocks(fit)),
        ];
        files.extend(square(fit)?.map(|svg| ("blocks.svg", svg)));
        Ok(Self(files))
    }
}

fn front(fit: &Fit) -> String {
    let mut text = "depth,kind,chain,samples,accuracy,accuracy_low,accuracy_high,margin,margin_low,margin_high,degradation,\
                    accuracy_gain,accuracy_gain_low,accuracy_gain_high,margin_gain,margin_gain_low,margin_gain_high,\
                    fitted_ahead,fitted_ahead_low,fitted_ahead_high\n"
        .to_owned();
    let mut line = |depth: usize, kind: &str, chain: &str, scores: &Scores, ahead: Option<Mean>| {
        let mut fields = vec![
            depth.to_string(),
            kind.to_owned(),
            format!("\"{chain}\""),
            scores.samples.to_string(),
        ];
        fields.extend(three(scores.accuracy));
        fields.extend(three(scores.margin));
        fields.push(
            scores
                .degradation
                .map_or_else(String::new, |m| m.value.to_string()),
        );
        fields.extend(three(scores.accuracy_gain));
        fields.extend(three(scores.margin_gain));
        fields.extend(three(ahead));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", fields.join(","));
    };
    let unmodified = cola_search::chain::Chain::identity(fit.layers).to_string();
    line(fit.layers, "unmodified", &unmodified, &fit.unmodified, None);
    for fitted in &fit.front {
        let chain = fitted.chain.to_string();
        line(fitted.depth, "fitted", &chain, &fitted.held_out, None);
        for baseline in &fitted.baselines {
            let chain = baseline.chain.to_string();
            let (name, ahead) = (baseline.origin.name(), baseline.fitted_ahead);
            line(fitted.depth, name, &chain, &baseline.held_out, ahead);
        }
    }
    text
}

/// A mean and its interval, as three fields.
fn three(mean: Option<Mean>) -> [String; 3] {
    let text = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let interval = mean.and_then(|mean| mean.interval);
    [
        text(mean.map(|mean| mean.value)),
        text(interval.map(|interval| interval.low)),
        text(interval.map(|interval| interval.high)),
    ]
}

fn blocks(fit: &Fit) -> String {
    let mut text = "first,last,what,samples,gain\n".to_owned();
    for block in &fit.blocks {
        let what = if block.twice { "twice" } else { "skipped" };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{},{},{what},{},{}",
            block.first, block.last, block.samples, block.gain
        );
    }
    text
}

/// Blocks that run twice above the diagonal, blocks that are skipped below it, as RYS draws them: a block from layer i to before
/// layer j has the place (j, i) where it runs twice, and (i, j) where it is skipped.
fn square(fit: &Fit) -> Result<Option<String>, AnalysisError> {
    let cells: Vec<Cell> = (fit.blocks.iter())
        .map(|block| Cell {
            at: match block.twice {
                true => (block.last + 1, block.first),
                false => (block.first, block.last + 1),
            },
            value: block.gain,
        })
        .collect();
    draw_square(
        "Gain of running a block twice (upper right) or skipping it (lower left)",
        (
            "end of the block (or, lower left, its begin)",
            "begin (end)",
        ),
        fit.layers + 1,
        &cells,
    )
}
