//! `cola`: parses the command line, runs the command, maps errors to exit codes.

use std::process::ExitCode;

use clap::Parser;
use cola::cli::{Cli, run};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("COLA_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .without_time()
        .init();
    match run(Cli::parse()) {
        Ok(ending) => ExitCode::from(ending.status()),
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cola: {error}");
            ExitCode::from(2)
        }
    }
}
