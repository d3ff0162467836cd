//! `cola analyze`.

use super::{CliError, Ending, args::AnalyzeArgs, output, results};
use crate::{analysis::write_report, run::Manifest};

pub fn run(args: &AnalyzeArgs) -> Result<Ending, CliError> {
    let out = match (&args.out, args.runs.as_slice()) {
        (Some(out), _) => out.clone(),
        (None, [run]) => run.join("analysis"),
        (None, _) => {
            return Err(CliError::Usage(
                "analyze: there are several runs; give the directory to write to with --out DIR"
                    .to_owned(),
            ));
        }
    };
    let mut runs = Vec::new();
    for directory in &args.runs {
        let model = Manifest::read(directory)?.model;
        runs.push(results::finished(model, directory)?);
    }
    let files = write_report(&runs, &out)?;
    for file in files {
        output::line(&file.display().to_string())?;
    }
    Ok(Ending::Done)
}
