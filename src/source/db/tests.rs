//! What every source owes the agent, on the database: see `model::desired` for the contract.

mod contract;
mod contract_groups;
mod groups;
mod malformed;
mod malformed_groups;
mod thread;

use std::path::Path;

use super::follow::Follower;
use crate::model::{Delta, Desired, HostName, PortId};
use crate::store::{DatabaseUrl, Store, Value, create, migrate, open};

/// A database in a directory of its own.
struct Lab {
    dir: tempfile::TempDir,
    store: Box<dyn Store>,
}

impl Lab {
    fn new() -> Lab {
        let dir = tempfile::tempdir().unwrap();
        let mut store = create(&DatabaseUrl::Sqlite(dir.path().join("vifd.db"))).unwrap();
        migrate::migrate(&mut *store).unwrap();
        Lab { dir, store }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn url(&self) -> DatabaseUrl {
        DatabaseUrl::Sqlite(self.path("vifd.db"))
    }

    fn sql(&mut self, sql: &str, params: &[Value]) -> u64 {
        self.store
            .execute(sql, params)
            .unwrap_or_else(|error| panic!("{sql}: {}", error.chain()))
    }

    /// Statements as somebody with the `sqlite3` shell writes them: foreign keys are off there.
    fn by_hand(&mut self, sql: &str) {
        self.store
            .script(&format!(
                "PRAGMA foreign_keys = OFF; {sql}; PRAGMA foreign_keys = ON;"
            ))
            .unwrap();
    }

    fn network(&mut self, n: u32) {
        self.sql(
            "INSERT INTO networks (id, name) VALUES (?, ?)",
            &[id("a", n).into(), format!("n{n}").into()],
        );
        self.sql(
            "INSERT INTO segments (id, network_id, network_type, segmentation_id) VALUES (?, ?, 'vxlan', ?)",
            &[id("b", n).into(), id("a", n).into(), (n + 1).into()],
        );
    }

    fn subnet(&mut self, n: u32) {
        self.sql(
            "INSERT INTO subnets (id, network_id, cidr) VALUES (?, ?, ?)",
            &[
                id("c", n).into(),
                id("a", n).into(),
                format!("10.0.{n}.0/24").into(),
            ],
        );
    }

    fn group(&mut self, n: u32) {
        self.sql(
            "INSERT INTO security_groups (id, name) VALUES (?, ?)",
            &[id("e", n).into(), format!("g{n}").into()],
        );
    }

    /// An ingress rule of a group for all IPv4 packets from a set: `("remote_group_id", …)` and the like.
    fn rule(&mut self, n: u32, group: u32, column: &str, value: &str) {
        self.sql(
            &format!(
                "INSERT INTO security_group_rules (id, group_id, direction, ethertype, {column}) VALUES (?, ?, 'ingress', \
                 'IPv4', ?)"
            ),
            &[id("f", n).into(), id("e", group).into(), value.into()],
        );
    }

    fn join(&mut self, port: u32, group: u32) {
        self.sql(
            "INSERT INTO port_security_groups (port_id, group_id) VALUES (?, ?)",
            &[id("d", port).into(), id("e", group).into()],
        );
    }

    fn address(&mut self, port: u32, ip: &str) {
        self.sql(
            "INSERT INTO fixed_ips (port_id, subnet_id, ip) VALUES (?, ?, ?)",
            &[id("d", port).into(), id("c", 0).into(), ip.into()],
        );
    }

    fn port(&mut self, n: u32, network: u32, host: Option<&str>) {
        self.sql(
            "INSERT INTO ports (id, network_id, mac, host) VALUES (?, ?, ?, ?)",
            &[
                id("d", n).into(),
                id("a", network).into(),
                mac(n).into(),
                host.into(),
            ],
        );
    }
}

/// A UUID that begins with a letter for its kind and ends with a number.
fn id(kind: &str, n: u32) -> String {
    format!("{}-0000-4000-8000-{n:012}", kind.repeat(8))
}

fn port_id(n: u32) -> PortId {
    id("d", n).parse().unwrap()
}

fn mac(n: u32) -> String {
    let [_, _, hi, lo] = n.to_be_bytes();
    format!("fa:16:3e:00:{hi:02x}:{lo:02x}")
}

fn host(name: &str) -> HostName {
    HostName::from(name)
}

/// Everything in the store, in an order of its own, for comparison.
fn picture(desired: &Desired) -> Vec<String> {
    let mut lines: Vec<String> = desired
        .networks()
        .map(|x| format!("{x:?}"))
        .chain(desired.subnets().map(|x| format!("{x:?}")))
        .chain(desired.ports().map(|x| format!("{x:?}")))
        .chain(desired.endpoints().map(|x| format!("{x:?}")))
        .chain(desired.groups().map(|x| format!("{x:?}")))
        .chain(desired.remotes().map(|(id, set)| {
            let mut members: Vec<_> = set.members().collect();
            members.sort();
            let addresses: Vec<_> = set.addresses().collect();
            format!("{id:?} {members:?} {addresses:?}")
        }))
        .collect();
    lines.sort();
    lines
}

/// All that is new, taken in.
fn catch_up(follower: &mut Follower, store: &mut dyn Store, desired: &mut Desired) -> Vec<Delta> {
    let mut all = Vec::new();
    loop {
        let step = follower.step(store).unwrap();
        for delta in &step.deltas {
            desired.apply(delta.clone());
        }
        all.extend(step.deltas);
        if !step.more {
            return all;
        }
    }
}

/// What a follower that starts now is told.
fn from_scratch(path: &Path, name: &str) -> Desired {
    let mut store = open(&DatabaseUrl::Sqlite(path.to_owned())).unwrap();
    let mut follower = Follower::new(host(name), None);
    let mut desired = Desired::default();
    follower.recognise(&mut *store).unwrap();
    catch_up(&mut follower, &mut *store, &mut desired);
    assert!(desired.is_complete());
    desired
}
