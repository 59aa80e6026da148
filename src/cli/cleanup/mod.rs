//! `vifd cleanup`: takes away what vifd has put on this host, and nothing else.
//!
//! Works without an agent. First a survey says what bears our marks, then it is removed: rows in one transaction, then
//! what is on bridges that stay, the packet filter, namespaces. What cannot be removed is told at the end; the rest goes
//! all the same. Held by `tests/ovs_cli.rs`, and with packets by `tests/ovs_cleanup.rs`.

mod bridges;
mod namespaces;
mod survey;
mod tables;

use serde::Serialize;

use super::failure::{Failure, Kind};
use super::output::{Output, say};
use super::place::ConfigFiles;
use super::switch::{Apply, Switch, Target, block_on};
use crate::admin::{Lock, LockError};
use crate::config::Config;
use survey::{Survey, survey};

/// Removes what vifd has put on this host
#[derive(clap::Args, Clone, PartialEq, Eq, Debug)]
#[command(
    long_about = "Removes what vifd has put on this host: its flows (by their cookie), its ports and bridges (by \
        external_ids:vifd-owner), what it remembered in other_config of VIFs, no-flood of VIFs, its tables of the \
        packet filter (vifd), the connections tracked for filtered ports, bridge netfilter of their bridges, and \
        its network namespaces. VIFs stay \
        plugged, on the dead VLAN, as if they were new. Bridges that others made stay, and physical bridges go on \
        forwarding. Bridges of ours stay for as long as they hold ports of others.\n\nTraffic of VIFs stops. \
        Refuses to work while the agent runs.",
    after_long_help = "Examples:\n  vifd cleanup --dry-run    only says what would be removed\n  vifd cleanup"
)]
pub struct CleanupArgs {
    #[command(flatten)]
    files: ConfigFiles,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Work even if an agent seems to run; it will put back what is removed
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    output: Output,
}

/// What was found, and what became of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct Report {
    dry_run: bool,
    removed: Vec<Removal>,
    kept: Vec<String>,
    problems: Vec<String>,
}

/// One thing that bears our mark.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum Removal {
    /// A bridge that vifd made and that holds no port of others.
    Bridge { name: String },
    /// A port that vifd made.
    Port { name: String, bridge: String },
    /// What vifd wrote into the row of a VIF.
    Vif {
        name: String,
        bridge: String,
        tag: Option<i64>,
    },
    /// Flows with our cookie on a bridge that stays.
    Flows { bridge: String, flows: usize },
    /// That the switch floods nothing to a VIF.
    NoFlood { port: String, bridge: String },
    /// What is tracked for filtered ports: in the datapath of a bridge, or in the kernel.
    Connections { place: String, zones: Vec<u16> },
    /// That a bridge hands its packets to the IP hooks.
    Hooks { bridge: String },
    /// A table of the packet filter.
    Table { family: String, name: String },
    /// A network namespace.
    Namespace { name: String },
}

impl Removal {
    fn text(&self) -> String {
        match self {
            Removal::Bridge { name } => format!("bridge {name}"),
            Removal::Port { name, bridge } => format!("port {name} on {bridge}"),
            Removal::Vif {
                name,
                bridge,
                tag: Some(tag),
            } => {
                format!("local VLAN {tag} of VIF {name} on {bridge} (it stays, on the dead VLAN)")
            }
            Removal::Vif {
                name,
                bridge,
                tag: None,
            } => format!("what was remembered of VIF {name} on {bridge} (it stays)"),
            Removal::Flows { bridge, flows } => format!("{flows} flows on {bridge}"),
            Removal::NoFlood { port, bridge } => format!("no-flood of VIF {port} on {bridge}"),
            Removal::Connections { place, zones } => {
                let plural = if zones.len() == 1 { "" } else { "s" };
                format!(
                    "connections in {} conntrack zone{plural} of {place}",
                    zones.len()
                )
            }
            Removal::Hooks { bridge } => format!("bridge netfilter of {bridge}"),
            Removal::Table { family, name } => format!("table {family} {name}"),
            Removal::Namespace { name } => format!("network namespace {name}"),
        }
    }
}

/// See [`CleanupArgs`].
pub fn run(args: &CleanupArgs) -> Result<(), Failure> {
    let config = args.files.load()?.config;
    let _lock = lock(&config, args)?;
    let report = block_on(clean(&config, args.dry_run))?;
    if args.output.json {
        args.output.print(&report, |_| String::new())?;
    } else {
        tell(&report)?;
    }
    match report.problems.as_slice() {
        [] => Ok(()),
        problems => Err(Failure::text(Kind::Failed, problems.join("\nvifd: "))),
    }
}

fn lock(config: &Config, args: &CleanupArgs) -> Result<Option<Lock>, Failure> {
    match Lock::take(&config.lock_file()) {
        Ok(lock) => Ok(Some(lock)),
        Err(LockError::Held { .. }) if args.force || args.dry_run => Ok(None),
        Err(e @ LockError::Held { .. }) => {
            let hint = "or see what would go with --dry-run";
            Err(Failure::text(Kind::Busy, format!("{e}, {hint}")))
        }
        Err(e @ LockError::Io { .. }) => Err(Failure::failed(&e)),
    }
}

async fn clean(config: &Config, dry_run: bool) -> Result<Report, Failure> {
    let mut switch = Switch::connect(Target::of(config)).await?;
    let Survey {
        rows,
        mut kept,
        staying,
    } = survey(&switch.replica, config);
    let mut problems = Vec::new();
    let (mut on_bridges, unreachable) = bridges::find(config, &staying).await;
    problems.extend(unreachable);
    kept.extend(bridges::kept(&on_bridges));
    let (mut filter, unseen) = tables::find().await;
    problems.extend(unseen);
    let mut spaces = namespaces::find();
    if !dry_run {
        if let Err(failure) = survey::remove(&mut switch, &rows, Apply::Wait).await {
            problems.push(failure.text);
        }
        problems.extend(bridges::remove(config, &mut on_bridges).await);
        problems.extend(filter.remove().await);
        problems.extend(namespaces::remove(&mut spaces));
    }
    let on_bridges = bridges::removals(&on_bridges);
    let removed = [rows, on_bridges, filter.removals(), spaces].concat();
    Ok(Report {
        dry_run,
        removed,
        kept,
        problems,
    })
}

fn tell(report: &Report) -> Result<(), Failure> {
    let verb = if report.dry_run {
        "would remove"
    } else {
        "removed"
    };
    for removal in &report.removed {
        say(&format!("{verb} {}", removal.text()))?;
    }
    for kept in &report.kept {
        say(&format!("kept {kept}"))?;
    }
    if report.removed.is_empty() && report.problems.is_empty() {
        say("nothing on this host bears vifd's marks")?;
    }
    Ok(())
}
