//! vifd's commands for people: `cargo xtask demo`, `test`, `soak`, `uml`, `cleanup`.
//!
//! Owns: what is installed, built and run, in which order and with which budget. Must not know how vifd works: it uses
//! cargo, the testbed and vifd's own command line.

mod cargo;
mod demo;
mod fuzz;
mod packages;
mod stages;
mod test;
mod uml;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
cargo xtask COMMAND

  demo               two hypervisors in namespaces, under a minute after the build: plug, ping, kill, restart, count (needs root)
  test [--stage S]…  everything that is checked, in stages with a time budget each (needs root)
  soak [--stage S]…  the same at full length: all kill points, long fuzzing, long outages
  uml [-- COMMAND]   the tests against a real switch inside user-mode Linux (kernel datapath), or a command there
  cleanup            remove what a killed run left in the temporary directory
  stages             list the stages and their budgets

Missing programs are installed by apt-get; what and why is printed.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match dispatch(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(words: &[&str]) -> Result<bool> {
    match words {
        ["demo"] => demo::demo().map(|()| true),
        ["test", rest @ ..] => test::test(test::Length::Short, &stage_names(rest)?),
        ["soak", rest @ ..] => test::test(test::Length::Full, &stage_names(rest)?),
        ["uml"] => uml::switch_tests(),
        ["uml", "--", command @ ..] if !command.is_empty() => uml::run_inside(command),
        ["cleanup"] => testbed::Scratch::new().map(|_| true),
        ["stages"] => {
            stages::list();
            Ok(true)
        }
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(true)
        }
        [] => bail!("no command\n\n{USAGE}"),
        other => bail!("unknown arguments {other:?}\n\n{USAGE}"),
    }
}

fn stage_names(words: &[&str]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "--stage" => match words.next() {
                Some(name) => names.push((*name).to_owned()),
                None => bail!("--stage wants a name; `cargo xtask stages` lists them"),
            },
            other => bail!("unknown argument {other:?}; allowed: --stage NAME"),
        }
    }
    Ok(names)
}

/// Fails unless this is root: namespaces, switches and raw sockets need it.
fn require_root() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("this needs root (namespaces, private switches): run it with sudo");
    }
    Ok(())
}
