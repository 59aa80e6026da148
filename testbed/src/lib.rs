//! Isolated hypervisors on one machine, for vifd's tests, benches and demo.
//!
//! A [`Hypervisor`] is a network namespace with its own `ovsdb-server` and `ovs-vswitchd` ([`Switch`]), its own
//! directory for databases, sockets and logs, and two uplinks into an [`Underlay`]. A [`Vm`] is a namespace
//! behind a veth pair plugged into `br-int` as a hypervisor driver would do it. [`Agent`] is one `vifd run`,
//! [`Database`] the `vifd db` commands, and [`probe`] counts lost packets.
//!
//! What it owns: processes, namespaces and files of this run, and their removal. Namespaces have no names and every
//! process dies with this one (parent death signal), so the kernel removes everything even after SIGKILL;
//! only the scratch directory can stay, and the next run removes it ([`Scratch::new`]).
//! What it must not know: how vifd works inside. It sees its command line, its database commands and the switch.
//! Held by `tests/self_test.rs` of this crate, which programs the flows by hand and passes real packets.
//!
//! Needs root, Open vSwitch, iproute2. The datapath is the userspace one unless `TESTBED_DATAPATH=system`.

mod agent;
mod cases;
mod database;
mod dump;
mod hypervisor;
mod interrupt;
mod link;
mod namespace;
pub mod probe;
mod process;
mod raw;
mod scratch;
mod site;
mod switch;
mod tcp;
mod underlay;
mod vm;
mod wait;
mod wires;

pub use agent::{Agent, AgentSettings};
pub use cases::cases;
pub use database::{Database, PortRow};
pub use dump::{FlowDump, LocalVlans};
pub use hypervisor::{Hypervisor, PHYSICAL_NETWORK, PlugSpec};
pub use interrupt::{interrupted, on_interrupt};
pub use link::ip_batch;
pub use namespace::Namespace;
pub use process::{Daemon, output, run};
pub use raw::RawSocket;
pub use scratch::Scratch;
pub use site::{BRIDGES, Host, PATIENCE, Site, new_specs};
pub use switch::{Datapath, Switch};
pub use tcp::n_sent_again;
pub use underlay::Underlay;
pub use vm::Vm;
pub use wait::wait_until;
pub use wires::{Arrival, Join, Wires};
