//! `cola verify`.

use serde_json::json;

use super::{CliError, Ending, args::VerifyArgs, output, setup};
use cola_engine::{CaseReport, verify};

/// Longest chain printed in full.
const SHOWN: usize = 72;

pub fn run(args: &VerifyArgs) -> Result<Ending, CliError> {
    if args.tolerance.is_nan() || args.tolerance < 0.0 {
        return Err(CliError::Usage(format!(
            "--tolerance {}: must be 0 or more",
            args.tolerance
        )));
    }
    let path = args.model.locate()?.path;
    let session = setup::start_session(&path, &args.model.compute)?;
    let cases = verify(session.engine(), &args.reference)?;
    let failed = cases
        .iter()
        .filter(|case| !case.passes(args.tolerance))
        .count();
    if args.json {
        let lines: Vec<_> = cases
            .iter()
            .map(|case| as_json(case, args.tolerance))
            .collect();
        output::json(&json!({ "cases": lines, "failed": failed, "tolerance": args.tolerance }))?;
    } else {
        for case in &cases {
            output::line(&as_line(case, args.tolerance))?;
        }
        output::line(&format!(
            "{} of {} cases within {:e}",
            cases.len() - failed,
            cases.len(),
            args.tolerance
        ))?;
    }
    Ok(match failed {
        0 => Ending::Done,
        _ => Ending::Failures,
    })
}

fn as_line(case: &CaseReport, tolerance: f64) -> String {
    let mut chain = case.chain.to_string();
    if chain.len() > SHOWN {
        chain.truncate(SHOWN);
        chain += &format!("... ({} layers)", case.chain.len());
    }
    let (agree, of) = case.argmax_agree;
    let greedy = case
        .greedy_agree
        .map_or_else(String::new, |(agree, of)| format!("  greedy {agree}/{of}"));
    let verdict = if case.passes(tolerance) {
        "ok"
    } else {
        "DIFFERS"
    };
    format!(
        "case {}: {chain}  max |difference| {:.2e}  argmax {agree}/{of}{greedy}  {verdict}",
        case.case, case.max_difference
    )
}

fn as_json(case: &CaseReport, tolerance: f64) -> serde_json::Value {
    json!({
        "case": case.case,
        "chain": case.chain,
        "max_difference": case.max_difference,
        "argmax_agree": case.argmax_agree,
        "greedy_agree": case.greedy_agree,
        "passes": case.passes(tolerance),
    })
}
