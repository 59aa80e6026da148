//! The command: arguments in, exit code out. Everything else is in the library.

use std::process::ExitCode;

use clap::Parser;
use vifd::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
