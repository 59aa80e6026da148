//! `vifd ovs`: the switch's database by hand, the way people know it from `ovs-vsctl`.
//!
//! No program is started: it speaks OVSDB. Held by `tests/ovs_cli.rs`, which compares with `ovs-vsctl` itself.

mod edit;
mod read;
mod record;

use std::time::Duration;

use super::failure::Failure;
use super::output::Output;
use super::place::ConfigFiles;
use super::switch::{Apply, Target, block_on};

/// Looks at and changes the switch's database
#[derive(clap::Args, Clone, PartialEq, Eq, Debug)]
#[command(
    long_about = "Looks at and changes the switch's database, the way people know it from ovs-vsctl, over OVSDB and \
        without any program of Open vSwitch. Tables and columns may be abbreviated as long as they are unique.",
    after_long_help = "\
Examples:
  vifd ovs show
  vifd ovs list Interface tap0
  vifd ovs get Interface tap0 ofport external_ids:iface-id
  vifd ovs set Port tap0 tag=5 other_config:net_uuid=none
  vifd ovs add-br br-test --datapath-type netdev --fail-mode secure
  vifd ovs add-port br-test p0 tag=7 --type internal --interface external_ids:iface-id=web-1
  vifd ovs wait Interface p0 link_state=up --timeout 30"
)]
pub struct OvsArgs {
    /// Where ovsdb-server listens: unix:/PATH, tcp:IP:PORT or ssl:IP:PORT [default: [ovs] ovsdb_connection]
    #[arg(long, value_name = "REMOTE", global = true)]
    db: Option<String>,
    #[command(flatten)]
    files: ConfigFiles,
    /// Seconds that each step may take [default: [ovs] ovsdb_timeout]
    #[arg(long, short = 't', value_name = "SECONDS", global = true, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,
    /// Do not wait until ovs-vswitchd has applied a change
    #[arg(long, global = true)]
    no_wait: bool,
    #[command(subcommand)]
    command: OvsCommand,
}

#[derive(clap::Subcommand, Clone, PartialEq, Eq, Debug)]
enum OvsCommand {
    /// Prints bridges, ports and interfaces as a tree
    Show {
        #[command(flatten)]
        output: Output,
    },
    /// Prints the rows of a table
    List {
        /// Table, such as Bridge, Port, Interface
        table: String,
        /// Rows by name or UUID; all if none is given
        records: Vec<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Prints columns of a row
    Get {
        /// Table
        table: String,
        /// Row by name, UUID, or . for the only one
        record: String,
        /// COLUMN or COLUMN:KEY
        #[arg(required = true)]
        columns: Vec<String>,
        /// Print nothing for a key that is not there
        #[arg(long)]
        if_exists: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Sets columns of a row
    Set {
        /// Table
        table: String,
        /// Row by name, UUID, or . for the only one
        record: String,
        /// COLUMN=VALUE or COLUMN:KEY=VALUE
        #[arg(required = true)]
        values: Vec<String>,
    },
    /// Makes columns of a row empty
    Clear {
        /// Table
        table: String,
        /// Row by name, UUID, or . for the only one
        record: String,
        /// COLUMN
        #[arg(required = true)]
        columns: Vec<String>,
    },
    /// Prints the names of the bridges
    ListBr {
        #[command(flatten)]
        output: Output,
    },
    /// Prints the names of a bridge's ports
    ListPorts {
        /// Bridge
        bridge: String,
        #[command(flatten)]
        output: Output,
    },
    /// Prints the name of the bridge that an interface is on
    IfaceToBr {
        /// Interface
        interface: String,
        #[command(flatten)]
        output: Output,
    },
    /// Makes a bridge
    AddBr(edit::AddBr),
    /// Deletes a bridge with its ports
    DelBr {
        /// Bridge
        bridge: String,
        /// It is no error if there is none
        #[arg(long)]
        if_exists: bool,
    },
    /// Adds a port to a bridge
    AddPort(edit::AddPort),
    /// Deletes a port
    DelPort {
        /// PORT, or the BRIDGE that it must be on and the PORT
        #[arg(required = true, num_args = 1..=2, value_name = "[BRIDGE] PORT")]
        names: Vec<String>,
        /// It is no error if there is none
        #[arg(long)]
        if_exists: bool,
    },
    /// Waits until columns of a row have values
    Wait {
        /// Table
        table: String,
        /// Row by name or UUID; it need not exist yet
        record: String,
        /// COLUMN=VALUE or COLUMN:KEY=VALUE; none waits until the row exists
        values: Vec<String>,
    },
}

/// See [`OvsArgs`].
pub fn run(args: &OvsArgs) -> Result<(), Failure> {
    let config = args.files.load_or_defaults()?.config;
    let mut target = Target::of(&config);
    if let Some(db) = &args.db {
        target = target.with_remotes(db)?;
    }
    if let Some(timeout) = args.timeout {
        target.patience = Duration::from_secs(timeout);
    }
    let apply = if args.no_wait { Apply::No } else { Apply::Wait };
    block_on(async {
        match &args.command {
            OvsCommand::Show { output } => read::show(target, *output).await,
            OvsCommand::List {
                table,
                records,
                output,
            } => read::list(target, table, records, *output).await,
            OvsCommand::Get {
                table,
                record,
                columns,
                if_exists,
                output,
            } => read::get(target, (table, record), columns, *if_exists, *output).await,
            OvsCommand::ListBr { output } => read::bridges(target, *output).await,
            OvsCommand::ListPorts { bridge, output } => read::ports(target, bridge, *output).await,
            OvsCommand::IfaceToBr { interface, output } => {
                read::bridge_of(target, interface, *output).await
            }
            OvsCommand::Wait {
                table,
                record,
                values,
            } => read::wait(target, (table, record), values).await,
            OvsCommand::Set {
                table,
                record,
                values,
            } => edit::set(target, apply, (table, record), values).await,
            OvsCommand::Clear {
                table,
                record,
                columns,
            } => edit::clear(target, apply, (table, record), columns).await,
            OvsCommand::AddBr(bridge) => edit::add_bridge(target, apply, bridge).await,
            OvsCommand::DelBr { bridge, if_exists } => {
                edit::delete_bridge(target, apply, bridge, *if_exists).await
            }
            OvsCommand::AddPort(port) => edit::add_port(target, apply, port).await,
            OvsCommand::DelPort { names, if_exists } => {
                edit::delete_port(target, apply, names, *if_exists).await
            }
        }
    })
}
