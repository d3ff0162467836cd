//! `cola`: parses the command line, runs the command, maps errors to exit codes.

use std::{io::IsTerminal, process::ExitCode};

use clap::Parser;
use cola::{
    cli::{Cli, run},
    terminal::note,
};
use tracing_subscriber::EnvFilter;

/// Also the allocator of libtorch, whose small, short-lived tensors the system's is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc 2 and 3, which its bindings leave out.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Makes libtorch prefer its own attention kernels to cuDNN's, which prepare every new shape anew:
/// batches here hardly ever have the shape of an earlier one.
const CUDNN_LAST: &str = "TORCH_CUDNN_SDPA_DEPRIORITIZED";

fn main() -> ExitCode {
    // Memory that was used is used again: giving it back to the system meanwhile, and having it
    // cleared anew, took a tenth of the time.
    // SAFETY: sets a number, before any thread is started.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
    if std::env::var_os(CUDNN_LAST).is_none() {
        // SAFETY: no other thread runs yet.
        unsafe { std::env::set_var(CUDNN_LAST, "1") };
    }
    // What goes wrong on the hub is said once, by `cola` itself.
    let usual = || EnvFilter::new("warn,hf_hub=off");
    let filter = EnvFilter::try_from_env("COLA_LOG").unwrap_or_else(|_| usual());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .log_internal_errors(false)
        .without_time()
        .init();
    match run(Cli::parse()) {
        Ok(ending) => ExitCode::from(ending.status()),
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            note(format_args!("cola: {}", error.on_one_line()));
            ExitCode::from(2)
        }
    }
}
