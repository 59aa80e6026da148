//! The command line: one tree, each command a module of its own.
//!
//! Owns: arguments, what is printed, exit codes. Must not know: how anything is done; it calls the parts. `--help` of
//! every command says what it does, with examples. Held by the tests at the foot, and by `tests/cli_*.rs` and
//! `tests/ovs_cli.rs`, which run the command itself.

#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "help texts name sections of the configuration file, such as [ovs]"
)]

pub mod ask;
pub mod bridge;
pub mod cleanup;
pub mod db;
pub mod failure;
pub mod nft;
pub mod openflow;
pub mod output;
pub mod ovs;
pub mod place;
pub mod run;
mod show;
pub mod switch;

use std::process::ExitCode;

use failure::{EXIT_CODES, Failure};

/// The whole command line.
#[derive(clap::Parser, Clone, PartialEq, Eq, Debug)]
#[command(
    name = "vifd",
    version,
    about = "Native dataplane agent for hypervisors: Open vSwitch over OVSDB and OpenFlow, devices over netlink",
    long_about = "Native dataplane agent for hypervisors.\n\n\
        `vifd run` wires the virtual interfaces of one host: it follows the control plane's database, programs Open \
        vSwitch over OVSDB and OpenFlow and the kernel over netlink, and writes back which ports are ACTIVE. It starts \
        no other program.",
    after_long_help = format!("\
A first network by hand:
  vifd db init
  vifd db network create blue --type vxlan --segmentation-id 100
  vifd db subnet create --network blue 10.0.0.0/24
  vifd db port create --network blue --name web-1 --host hv1
  vifd run &
  vifd status
  vifd port explain web-1

{EXIT_CODES}"),
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 110
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Clone, PartialEq, Eq, Debug)]
enum Command {
    Run(run::RunArgs),
    Status(ask::StatusArgs),
    /// Ports of this host
    #[command(subcommand)]
    Port(ask::PortCommand),
    Dump(ask::DumpArgs),
    Audit(ask::AuditArgs),
    /// The control plane's database by hand: networks, subnets, ports, hosts
    Db(db::DbArgs),
    Cleanup(cleanup::CleanupArgs),
    Ovs(ovs::OvsArgs),
    Openflow(openflow::OpenflowArgs),
    Nft(nft::NftArgs),
}

impl Cli {
    /// Does what was asked for.
    pub fn run(self) -> ExitCode {
        match self.dispatch() {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                eprintln!("vifd: {}", failure.text);
                failure.code()
            }
        }
    }

    fn dispatch(self) -> Result<(), Failure> {
        match self.command {
            Command::Run(args) => run::run(&args),
            Command::Status(args) => ask::status(&args),
            Command::Port(command) => ask::port(&command),
            Command::Dump(args) => ask::dump(&args),
            Command::Audit(args) => ask::audit(&args),
            Command::Db(args) => db::run(args).map(drop).map_err(Failure::from),
            Command::Cleanup(args) => cleanup::run(&args),
            Command::Ovs(args) => ovs::run(&args),
            Command::Openflow(args) => openflow::run(&args),
            Command::Nft(args) => nft::run(&args),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[test]
    fn the_tree_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does() {
        fn check(command: &clap::Command) {
            assert!(
                command
                    .get_about()
                    .is_some_and(|a| !a.to_string().is_empty()),
                "{}",
                command.get_name()
            );
            for argument in command
                .get_arguments()
                .filter(|a| !["help", "version"].contains(&a.get_id().as_str()))
            {
                assert!(
                    argument.get_help().is_some(),
                    "{} {}",
                    command.get_name(),
                    argument.get_id()
                );
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn a_socket_or_configurations() {
        Cli::try_parse_from(["vifd", "status", "--socket", "/s"]).unwrap();
        Cli::try_parse_from(["vifd", "status", "--socket", "/s", "--config", "/c"]).unwrap();
        Cli::try_parse_from(["vifd", "run", "--config", "/a", "--config", "/b"]).unwrap();
    }
}
