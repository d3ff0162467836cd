//! What grading answers as mathematics takes, and its verdicts on the pairs of a file.
//!
//! ```text
//! cargo bench --bench grade                   the pairs recorded for the tests
//! cargo bench --bench grade -- PAIRS.jsonl    lines of {"gold", "answer"}; verdicts go to PAIRS.jsonl.verdicts
//! ```

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use math_answer::math_verdict;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Pair {
    gold: String,
    answer: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    // cargo's own flags are no files.
    let mut files = env::args().skip(1).filter(|word| !word.starts_with('-'));
    let named = files.next().map(PathBuf::from);
    let recorded =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/math-answer/tests/math_pairs.jsonl");
    let path = named.as_ref().unwrap_or(&recorded);
    let mut verdicts = String::new();
    let mut milliseconds = Vec::new();
    for line in fs::read_to_string(path)?.lines() {
        let pair: Pair = serde_json::from_str(line)?;
        let start = Instant::now();
        let verdict = math_verdict(&pair.answer, &pair.gold);
        let took = start.elapsed().as_secs_f64() * 1e3;
        let line = json!({ "equal": verdict.is_equal(), "why": verdict.to_string(), "milliseconds": took });
        verdicts += &format!("{line}\n");
        milliseconds.push(took);
    }
    if let Some(path) = &named {
        fs::write(format!("{}.verdicts", path.display()), verdicts)?;
    }
    milliseconds.sort_by(f64::total_cmp);
    let at = |share: f64| milliseconds[((milliseconds.len() - 1) as f64 * share) as usize];
    println!(
        "{} pairs: median {:.4} ms, 99 % within {:.3} ms, greatest {:.3} ms",
        milliseconds.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
    Ok(())
}
