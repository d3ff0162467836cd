//! `cola export`.

use super::{CliError, Ending, args::ExportArgs, output, results};
use crate::{
    export::{Format, Output, export},
    run::Manifest,
};

pub fn run(args: &ExportArgs) -> Result<Ending, CliError> {
    let format: Format = args.format.parse()?;
    Manifest::read(&args.run)?;
    let file = Output::create(&args.out)?;
    let rows = export(&results::finished(&args.run)?, format, file)?;
    output::line(&format!("{rows} samples, {}", args.out.display()))?;
    Ok(Ending::Done)
}
