//! `cola export --model`: a chain as a checkpoint, or in the notation of another tool.

use std::path::Path;

use tch::Kind;

use super::{CliError, Ending, args::ExportArgs, output, setup::locate_model};
use crate::export::{mergekit, rys};
use cola_model::{Model, restack};
use cola_search::chain::Chain;

const FORMATS: &str = "hf, mergekit, rys";

/// Writes what `--model` and `--chain` name.
pub fn run(args: &ExportArgs, model: &str, chain: &str) -> Result<Ending, CliError> {
    let unknown = || {
        CliError::Usage(format!(
            "option `format` {:?} is unknown for a chain; known: {FORMATS}",
            args.format
        ))
    };
    if !FORMATS.split(", ").any(|known| known == args.format) {
        return Err(unknown());
    }
    let located = locate_model(model, None)?;
    let inspected = Model::inspect(&located.path)?;
    let chain = Chain::parse(chain, inspected.spec.layers.len())?;
    if chain.is_damped() && args.format != "hf" {
        return Err(CliError::Usage(format!(
            "--chain {chain}: {} has no damped layers",
            args.format
        )));
    }
    match args.format.as_str() {
        "hf" => {
            if !located.path.is_dir() {
                return Err(CliError::Usage(format!(
                    "--model {model}: a GGUF file has no configuration to copy; give a directory in Hugging Face layout"
                )));
            }
            empty_directory(&args.out)?;
            let made = restack(&located.path, &chain, &args.out)?;
            let files = if made.files == 1 { "file" } else { "files" };
            output::line(&format!(
                "{} layers, {:.2} GB in {} {files}, {}",
                made.layers,
                made.bytes as f64 / 1e9,
                made.files,
                args.out.display()
            ))?;
        }
        "mergekit" => {
            let dtype = match inspected.stored {
                Some(Kind::BFloat16) => "bfloat16",
                Some(Kind::Half) => "float16",
                _ => "float32",
            };
            output::file(&args.out, &mergekit(model, &chain, dtype))?;
        }
        "rys" => output::file(&args.out, &rys(&chain))?,
        _ => return Err(unknown()),
    }
    Ok(Ending::Done)
}

/// Makes a directory; one that is there must hold nothing.
fn empty_directory(path: &Path) -> Result<(), CliError> {
    output::directory(path)?;
    let mut entries = std::fs::read_dir(path).map_err(|source| CliError::Io {
        path: path.to_owned(),
        source,
    })?;
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(CliError::Usage(format!(
            "--out {}: the directory is not empty; name one that is, or that is not there",
            path.display()
        ))),
    }
}
