//! `vifd nft`: the agent's tables in nf_tables by hand, where people know `iptables-save` and `iptables-restore`.
//!
//! No program is started: it speaks netlink. Everything is read between two equal generations of the ruleset and
//! written in one batch, which the kernel refuses if anybody changed anything meanwhile. Held by `tests/cli_nft.rs`,
//! which compares with `nft` itself.

mod kernel;
mod pattern;
mod restore;
mod show;

use super::failure::Failure;
use super::output::Output;
use pattern::{Pattern, Patterns};

/// Saves, restores and compares vifd's tables in nf_tables
#[derive(clap::Args, Clone, PartialEq, Eq, Debug)]
#[command(
    long_about = "Saves, restores and compares vifd's tables in nf_tables, over netlink and without any program.\n\n\
        Only tables that --table names are looked at or touched; without it those called vifd or vifd-*. All others, of \
        people, of iptables, of other agents, stay as they are.",
    after_long_help = "\
Examples:
  vifd nft list                         what stands, as nft shows it
  vifd nft save > tables.txt            everything needed to bring it back
  vifd nft diff tables.txt              what restoring it would change; exit code 1 if anything
  vifd nft restore tables.txt           all of it or, if the kernel refuses one part, nothing
  vifd nft restore --check tables.txt   only ask the kernel whether it would take it
  vifd nft save --netns blue | vifd nft restore --netns red
  vifd nft save --table inet/filter --table 'bridge/*'
  vifd nft features                     what this kernel can do

The saved text has one object per line; lines with # are comments. The last line, end, counts
the objects, so that a file that was cut off does not restore; after editing write end alone."
)]
pub struct NftArgs {
    /// Work in this network namespace: a name as `ip netns` knows it, or a path [default: the one vifd is started in]
    #[arg(long, value_name = "NAME", global = true)]
    netns: Option<String>,
    /// Tables to work on: NAME, FAMILY/NAME, a * stands for any text; may be given several times [default: vifd, vifd-*]
    #[arg(long = "table", value_name = "TABLE", global = true)]
    tables: Vec<Pattern>,
    #[command(subcommand)]
    command: NftCommand,
}

#[derive(clap::Subcommand, Clone, PartialEq, Eq, Debug)]
enum NftCommand {
    /// Prints the tables as nft shows them
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Prints the tables so that `restore` can bring them back
    #[command(
        long_about = "Prints the tables so that `restore` can bring them back: everything that was decided by whoever \
            wrote them. Handles and counts are left out. With --json it prints what `nft -j list` would, for programs; \
            `restore` does not read that."
    )]
    Save {
        #[command(flatten)]
        output: Output,
    },
    Restore(restore::RestoreArgs),
    Diff(restore::DiffArgs),
    /// Prints what this kernel can do and which way of filtering bridged ports follows
    #[command(
        long_about = "Prints what this kernel can do, found out by batches that are never committed, and which way of \
            filtering bridged ports follows from it, with the reasons."
    )]
    Features {
        #[command(flatten)]
        output: Output,
    },
}

pub(super) fn run(args: &NftArgs) -> Result<(), Failure> {
    let tables = Patterns::of(&args.tables);
    let netns = args.netns.as_deref();
    match &args.command {
        NftCommand::List { output } => show::list(netns, &tables, *output),
        NftCommand::Save { output } => show::save(netns, &tables, *output),
        NftCommand::Restore(args) => restore::restore(netns, &tables, args),
        NftCommand::Diff(args) => restore::diff(netns, &tables, args),
        NftCommand::Features { output } => show::features(netns, *output),
    }
}
