//! `cola synth`.

use super::{CliError, Ending, args::SynthArgs, output};
use cola_synth as synth;

pub fn run(args: &SynthArgs) -> Result<Ending, CliError> {
    let items = synth::generate(
        args.kind.parse()?,
        args.level,
        args.count,
        args.seed,
        args.split.parse()?,
    )?;
    let mut text = String::new();
    for item in &items {
        text += &serde_json::to_string(item).map_err(|error| CliError::Output(error.into()))?;
        text.push('\n');
    }
    match &args.out {
        Some(path) => output::file(path, &text)?,
        None => output::exact(&text)?,
    }
    Ok(Ending::Done)
}
