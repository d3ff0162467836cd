//! `cola export`.

use std::path::Path;

use super::{CliError, Ending, args::ExportArgs, output, restack, results};
use crate::{
    export::{Format, Output, export, write_evaluations},
    run::{Journal, Manifest, SampleRecord, TRANSFER_SAMPLES, Thresholds},
    terminal::note,
};

pub fn run(args: &ExportArgs) -> Result<Ending, CliError> {
    if let (Some(model), Some(chain)) = (&args.model, &args.chain) {
        return restack::run(args, model, chain);
    }
    let Some(run) = &args.run else {
        return Err(CliError::Usage(
            "give a run directory, or --model and --chain".to_owned(),
        ));
    };
    if args.format == "parquet" {
        return evaluations(args, run);
    }
    let format: Format = args.format.parse()?;
    Manifest::read(run)?;
    let records = Journal::read_without_evaluations(run)?;
    if records.is_empty() {
        return Err(results::none_finished(run));
    }
    let certified = args.certified.then(|| thresholds(args));
    if certified.is_some() && records.iter().all(|record| record.certificate.is_none()) {
        return Err(CliError::Usage(format!(
            "{}: this run has no certificates; run the same search command with --certify",
            run.display()
        )));
    }
    let file = Output::create(&args.out)?;
    let rows = export(&records, format, certified, file)?;
    if let Some(thresholds) = certified {
        tell_certified(&records, &thresholds);
    }
    output::line(&format!("{rows} samples, {}", args.out.display()))?;
    Ok(Ending::Done)
}

/// Writes every evaluation.
fn evaluations(args: &ExportArgs, run: &Path) -> Result<Ending, CliError> {
    if args.certified {
        return Err(CliError::Usage(
            "--certified: parquet has every evaluation, not only best chains".to_owned(),
        ));
    }
    Manifest::read(run)?;
    let mut records = Journal::records(run)?.peekable();
    if records.peek().is_none() {
        return Err(results::none_finished(run));
    }
    let rows = write_evaluations(records, Output::create(&args.out)?)?;
    output::line(&format!("{rows} evaluations, {}", args.out.display()))?;
    Ok(Ending::Done)
}

fn thresholds(args: &ExportArgs) -> Thresholds {
    let usual = Thresholds::default();
    Thresholds {
        min_rotations: args.min_rotations.unwrap_or(usual.min_rotations),
        max_transfer_loss: args.max_transfer_loss.unwrap_or(usual.max_transfer_loss),
        max_degradation: args.max_degradation,
    }
}

/// Says how many labels each threshold leaves, by itself.
fn tell_certified(records: &[SampleRecord], thresholds: &Thresholds) {
    let labels: Vec<&SampleRecord> = records.iter().filter(|r| r.label().is_some()).collect();
    let certificates = labels
        .iter()
        .filter_map(|record| record.certificate.as_ref());
    let rotated: Vec<bool> = certificates
        .clone()
        .filter_map(|certificate| thresholds.rotations(certificate))
        .collect();
    let transferred = certificates.clone().filter(|c| thresholds.transfer(c));
    let fluent = labels
        .iter()
        .filter(|record| thresholds.degradation(record));
    let certified = labels.iter().filter(|r| thresholds.hold(r) == Some(true));
    let bound = match thresholds.max_degradation {
        Some(nats) => format!("{nats} nats a token"),
        None => "the bound of the run".to_owned(),
    };
    for line in [
        format!("best chains: {}", labels.len()),
        format!("with a certificate: {}", certificates.clone().count()),
        format!(
            "right in {} % of the rotations or more: {} of {} that have rotations",
            100.0 * thresholds.min_rotations,
            rotated.iter().filter(|&&holds| holds).count(),
            rotated.len()
        ),
        format!(
            "right on at most {} of {TRANSFER_SAMPLES} other samples fewer than the unmodified model: {}",
            thresholds.max_transfer_loss,
            transferred.count()
        ),
        format!("degradation within {bound}: {}", fluent.count()),
        format!("certified, by all of these: {}", certified.count()),
    ] {
        note(format_args!("cola export: {line}"));
    }
}
