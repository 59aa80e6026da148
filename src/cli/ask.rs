//! `vifd status`, `vifd port explain`, `vifd dump`, `vifd audit`: questions to the running agent.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::failure::{Failure, Kind};
use super::output::Output;
use super::place::AgentPlace;
use super::show;
use crate::admin::client::{AskError, ask};
use crate::admin::shape::{AdminReply, Command};

/// Shows how the running agent is
#[derive(clap::Args, Clone, PartialEq, Eq, Debug)]
#[command(
    long_about = "Shows how the running agent is: what it is connected to, how many ports have which status, and \
        whether anything waits or was refused.",
    after_long_help = "Examples:\n  vifd status\n  vifd status --json | jq .parts\n  \
        vifd run & vifd status --wait 30 > /dev/null     go on once the agent has wired what it can"
)]
pub struct StatusArgs {
    /// Wait, at most so long, until the agent runs, is connected to everything, and has nothing left to do
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
    #[command(flatten)]
    place: AgentPlace,
    #[command(flatten)]
    output: Output,
}

/// Ports of this host
#[derive(clap::Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum PortCommand {
    /// Explains which step a port is waiting for, and why
    #[command(
        long_about = "Explains the life of a port on this host step by step: which steps are done, which one it waits \
            for, why, and what to do about it.",
        after_long_help = "Examples:\n  vifd port explain 7b0d4a4e-…      by id or the beginning of one\n  \
            vifd port explain web-1          by name\n  vifd port explain tap7b0d4a4e-99 by device"
    )]
    Explain {
        /// The port's id, the beginning of one, its name, or its device's name
        id: String,
        #[command(flatten)]
        place: AgentPlace,
        #[command(flatten)]
        output: Output,
    },
}

/// Shows what the running agent holds
#[derive(clap::Args, Clone, PartialEq, Eq, Debug)]
#[command(
    long_about = "Shows what the running agent holds: what the control plane wants, what is there, or what the planner \
        makes of both (cells: one facet of one entity, with the rows and flows that it asks for).",
    after_long_help = "Examples:\n  vifd dump desired\n  vifd dump observed --json\n  vifd dump cells --unsettled\n  \
        vifd dump cells --matching 'segment'"
)]
pub struct DumpArgs {
    /// What to show
    #[arg(value_enum)]
    what: What,
    /// Cells only: those whose name contains this text
    #[arg(long, value_name = "TEXT")]
    matching: Option<String>,
    /// Cells only: those that are not as they should be
    #[arg(long)]
    unsettled: bool,
    #[command(flatten)]
    place: AgentPlace,
    #[command(flatten)]
    output: Output,
}

/// What `vifd dump` can show.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// What the control plane wants
    Desired,
    /// What is there
    Observed,
    /// What the planner makes of both
    Cells,
}

/// Lets the running agent check everything anew
#[derive(clap::Args, Clone, PartialEq, Eq, Debug)]
#[command(
    long_about = "Lets the running agent render everything anew and compare it with what it holds, then look whether \
    everything fits together: no flow leads nowhere, no packet meets two flows of equal priority. It renders anew by \
    itself every ten minutes; a difference is a defect of vifd, which is corrected and logged."
)]
pub struct AuditArgs {
    #[command(flatten)]
    place: AgentPlace,
    #[command(flatten)]
    output: Output,
}

/// Between two questions of somebody who waits.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// See [`StatusArgs`].
pub fn status(args: &StatusArgs) -> Result<(), Failure> {
    let deadline = Instant::now() + Duration::from_secs(args.wait.unwrap_or(0));
    loop {
        let answer = put(&args.place, &Command::Status, |reply| match reply {
            AdminReply::Status(status) => Some(status),
            _ => None,
        });
        let late = Instant::now() >= deadline;
        match answer {
            // Not there yet.
            Err(failure) if failure.kind == Kind::NoAgent && !late => {}
            Err(failure) => return Err(failure),
            Ok(status) if args.wait.is_none() || status.is_settled() => {
                return args.output.print(&status, |status| show::status(status));
            }
            Ok(status) if late => {
                args.output.print(&status, |status| show::status(status))?;
                return Err(Failure::text(
                    Kind::Failed,
                    format!(
                        "the agent has not settled within {} s: see what is DOWN, pending or failed above",
                        args.wait.unwrap_or(0)
                    ),
                ));
            }
            Ok(_) => {}
        }
        std::thread::sleep(ASK_AGAIN);
    }
}

/// See [`PortCommand`].
pub fn port(command: &PortCommand) -> Result<(), Failure> {
    let PortCommand::Explain { id, place, output } = command;
    let answer = put(
        place,
        &Command::PortExplain { id: id.clone() },
        |reply| match reply {
            AdminReply::PortExplain(port) => Some(port),
            _ => None,
        },
    )?;
    output.print(&answer, show::port)
}

/// See [`DumpArgs`].
pub fn dump(args: &DumpArgs) -> Result<(), Failure> {
    match args.what {
        What::Desired => answer_dump(
            args,
            &Command::DumpDesired,
            show::desired,
            |reply| match reply {
                AdminReply::Desired(dump) => Some(dump),
                _ => None,
            },
        ),
        What::Observed => {
            answer_dump(
                args,
                &Command::DumpObserved,
                show::observed,
                |reply| match reply {
                    AdminReply::Observed(dump) => Some(dump),
                    _ => None,
                },
            )
        }
        What::Cells => {
            let command = Command::DumpCells {
                matching: args.matching.clone(),
                unsettled: args.unsettled,
            };
            answer_dump(args, &command, show::cells, |reply| match reply {
                AdminReply::Cells(dump) => Some(dump),
                _ => None,
            })
        }
    }
}

/// See [`AuditArgs`].
pub fn audit(args: &AuditArgs) -> Result<(), Failure> {
    let answer = put(&args.place, &Command::Audit, |reply| match reply {
        AdminReply::Audit(audit) => Some(audit),
        _ => None,
    })?;
    args.output.print(&answer, |audit| {
        let mut text = format!(
            "{} cells rendered, {} differed",
            audit.cells, audit.differences
        );
        for cell in &audit.different {
            text.push_str("\ndiffered: ");
            text.push_str(cell);
        }
        for finding in &audit.findings {
            text.push_str("\ndoes not fit: ");
            text.push_str(finding);
        }
        text
    })
}

fn answer_dump<T: Serialize>(
    args: &DumpArgs,
    command: &Command,
    text: impl FnOnce(&T) -> String,
    pick: impl FnOnce(AdminReply) -> Option<T>,
) -> Result<(), Failure> {
    if args.what != What::Cells && (args.matching.is_some() || args.unsettled) {
        return Err(Failure::text(
            Kind::Usage,
            "--matching and --unsettled go with `vifd dump cells`",
        ));
    }
    args.output.print(&put(&args.place, command, pick)?, text)
}

/// Puts a question and picks the answer that belongs to it.
fn put<T>(
    place: &AgentPlace,
    command: &Command,
    pick: impl FnOnce(AdminReply) -> Option<T>,
) -> Result<T, Failure> {
    let reply = ask(&place.socket()?, command).map_err(|e| match &e {
        AskError::NotRunning { .. } | AskError::Denied { .. } => Failure::new(Kind::NoAgent, &e),
        AskError::Io { .. } | AskError::Answer(_) => Failure::failed(&e),
    })?;
    match reply {
        AdminReply::Error(refusal) => {
            let kind = if refusal.not_found {
                Kind::NotFound
            } else {
                Kind::Failed
            };
            Err(Failure::text(kind, refusal.message))
        }
        other => pick(other).ok_or_else(|| {
            Failure::text(
                Kind::Failed,
                "the agent answered another question: is it of the same version as this command?",
            )
        }),
    }
}
