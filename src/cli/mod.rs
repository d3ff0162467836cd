//! The command line: what was typed, one thin file a subcommand.

mod analyze;
mod args;
mod demo;
mod error;
mod eval;
mod examples;
mod export;
mod fetching;
mod fit;
mod generate;
mod generation;
mod inspect;
mod output;
mod pairs;
mod prompts;
mod restack;
mod results;
mod search;
mod setup;
mod show_prompts;
mod status;
mod synth;
mod tasks;
mod verify;

pub use args::{Cli, Command};
pub use error::CliError;

/// How a command that could run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Everything was done.
    Done,
    /// Finished, but some samples failed, or a verification did not pass.
    Failures,
    /// Interrupted; the same command continues.
    Interrupted,
}

impl Ending {
    /// The process's exit status.
    pub fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failures => 1,
            Self::Interrupted => 130,
        }
    }
}

/// Runs a parsed command line.
pub fn run(cli: Cli) -> Result<Ending, CliError> {
    match cli.command {
        Command::Demo(args) => demo::run(args),
        Command::Search(args) => search::run(args),
        Command::Eval(args) => eval::run(args),
        Command::Fit(args) => fit::run(args),
        Command::Generate(args) => generate::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Analyze(args) => analyze::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Synth(args) => synth::run(&args),
    }
}
