//! `vifd openflow`: flows and messages by hand, in the syntax of `ovs-ofctl`.
//!
//! No program is started. Held by `tests/ovs_cli.rs`, which compares with `ovs-ofctl` itself.

mod codec;
mod flows;

use super::failure::Failure;
use super::output::Output;
use super::place::ConfigFiles;

/// Reads, writes, dumps and compares flows
#[derive(clap::Args, Clone, PartialEq, Eq, Debug)]
#[command(
    long_about = "Reads, writes, dumps and compares flows in the syntax of ovs-ofctl, over OpenFlow 1.0 with Nicira's \
        extensions and without any program of Open vSwitch. A bridge is named by its name (its management socket is in \
        [ovs] ovs_rundir), or as unix:PATH or tcp:ADDRESS:PORT.",
    after_long_help = "\
Examples:
  vifd openflow encode 'table=60,priority=100,in_port=5,ct_state=+trk,actions=resubmit(,94)'
  vifd openflow encode 'table=1,actions=drop' | vifd openflow decode
  vifd openflow dump-flows br-int --table 60
  vifd openflow dump-flows br-int --cookie 0x7669666400000000/0xffffffff00000000
  vifd openflow dump-flows br-int --no-stats > before
  vifd openflow diff-flows before br-int"
)]
pub struct OpenflowArgs {
    #[command(flatten)]
    files: ConfigFiles,
    #[command(subcommand)]
    command: OpenflowCommand,
}

#[derive(clap::Subcommand, Clone, PartialEq, Eq, Debug)]
enum OpenflowCommand {
    /// Prints messages, given as hexadecimal digits, as text
    Decode {
        /// Messages, one behind the other; white space is allowed; standard input if none is given
        hex: Vec<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Prints flows, given as text, as messages in hexadecimal digits
    Encode {
        /// Flows; one per line of standard input if none is given
        flows: Vec<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Prints the flows of a bridge
    DumpFlows(flows::DumpFlows),
    /// Compares two sets of flows, each a bridge or a file of flows
    DiffFlows(flows::DiffFlows),
}

/// See [`OpenflowArgs`].
pub fn run(args: &OpenflowArgs) -> Result<(), Failure> {
    match &args.command {
        OpenflowCommand::Decode { hex, output } => codec::decode(hex, *output),
        OpenflowCommand::Encode { flows, output } => codec::encode(flows, *output),
        OpenflowCommand::DumpFlows(command) => {
            flows::dump(&args.files.load_or_defaults()?.config, command)
        }
        OpenflowCommand::DiffFlows(command) => {
            flows::diff(&args.files.load_or_defaults()?.config, command)
        }
    }
}
