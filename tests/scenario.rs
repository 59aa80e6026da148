//! Golden scenarios of the planner: stories in `tests/scenario/*.txt`, told to a planner on a simulated host.
//!
//! The first line says what enforces security groups: `> start`, `> start openvswitch`, `> start nft`. A line that begins
//! with `> ` is told; the lines below it are what the planner then asks its executors for, batch by
//! batch, until nothing is left to do. `VIFD_UPDATE=1 cargo test --test scenario` writes the files anew; the change is
//! then read like any other.

#[allow(
    dead_code,
    unused_imports,
    reason = "the planner's own tests use the rest of it"
)]
#[path = "../src/plan/tests/world.rs"]
mod world;

#[path = "scenario/firewall.rs"]
mod firewall;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use vifd::model::*;
use vifd::ops::{Batch, Items, Target};
use vifd::plan::{Planner, flows, text};
// `world` names them from the root of its crate.
use vifd::{model, ops, plan};
use world::{World, endpoint, mac, network, port};

#[test]
fn every_story_goes_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenario");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the stories are in tests/scenario")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|e| e == "txt"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no story in {}", folder.display());
    let mut different = Vec::new();
    for file in &files {
        let written = std::fs::read_to_string(file).expect("a readable story");
        let told = tell(&written);
        println!("{}: {} lines", file.display(), told.lines().count());
        if told == written {
            continue;
        }
        if std::env::var_os("VIFD_UPDATE").is_some() {
            std::fs::write(file, &told).expect("a writable story");
        } else {
            different.push(format!(
                "{}:\n{}",
                file.display(),
                first_difference(&written, &told)
            ));
        }
    }
    assert!(
        different.is_empty(),
        "VIFD_UPDATE=1 writes them anew:\n{}",
        different.join("\n")
    );
}

fn first_difference(written: &str, told: &str) -> String {
    let (mut a, mut b) = (written.lines(), told.lines());
    for line in 1.. {
        match (a.next(), b.next()) {
            (Some(x), Some(y)) if x == y => {}
            (x, y) => {
                let show = |l: Option<&str>| l.unwrap_or("(end)").to_owned();
                return format!(
                    "  line {line}\n  written: {}\n  now:     {}",
                    show(x),
                    show(y)
                );
            }
        }
    }
    String::new()
}

/// Tells the story and returns it with the answers as they are now.
fn tell(story: &str) -> String {
    let mut commands = story.lines().filter_map(|line| line.strip_prefix("> "));
    let mut world = World {
        firewall: firewall::driver(commands.next().expect("a story begins")),
        ..World::new()
    };
    let mut planner = world.start_agent();
    let mut told = String::new();
    let mut numbers = firewall::Numbers::default();
    let mut begun = false;
    for line in story.lines() {
        if line.starts_with('#') {
            writeln!(told, "{line}").expect("a String takes text");
        }
        let Some(command) = line.strip_prefix("> ") else {
            continue;
        };
        writeln!(told, "> {command}").expect("a String takes text");
        if command == "tables" {
            told += &firewall::tables(&planner);
            continue;
        }
        if std::mem::replace(&mut begun, true) {
            obey(&mut world, &mut planner, command);
            told += &numbers.tell(&planner);
        }
        told += &settle(&mut world, &mut planner);
    }
    assert_eq!(planner.audit(), vec![], "an audit finds nothing");
    assert_eq!(planner.lint(), vec![], "the cells fit together");
    told
}

fn number<T: std::str::FromStr>(word: &str) -> T {
    word.parse()
        .unwrap_or_else(|_| panic!("{word} is no number"))
}

fn obey(world: &mut World, planner: &mut Planner, command: &str) {
    let words: Vec<&str> = command.split_whitespace().collect();
    match words.as_slice() {
        ["network", n, kind @ ..] => {
            let network_type = match kind {
                ["local"] => NetworkType::Local,
                ["flat", physnet] => NetworkType::Flat {
                    physical_network: (*physnet).into(),
                },
                ["vlan", physnet, vid] => NetworkType::Vlan {
                    physical_network: (*physnet).into(),
                    vid: number(vid),
                },
                [kind, key] => NetworkType::Tunnel {
                    kind: kind.parse().expect("gre or vxlan"),
                    key: number(key),
                },
                other => panic!("no network type: {other:?}"),
            };
            world.wish(planner, Delta::Network(network(number(n), network_type)));
        }
        ["network-gone", n] => world.wish(planner, Delta::NetworkGone(world::net_id(number(n)))),
        ["port", n, "on", net, flags @ ..] => {
            let n = number(n);
            let mut port = port(n, number(net));
            port.id = firewall::port_id(world, n);
            port.admin_up = !flags.contains(&"down");
            port.port_security = !flags.contains(&"open");
            firewall::join(&mut port, n, flags);
            world.wish(planner, Delta::Port(port));
        }
        ["port-gone", n] => {
            let id = firewall::port_id(world, number(n));
            world.wish(planner, Delta::PortGone(id));
        }
        ["group", n, words @ ..] => {
            let group = firewall::group(number(n), words);
            world.wish(planner, Delta::Group(group));
        }
        ["member", n, "of", set, prefixes @ ..] => {
            let member = firewall::member(number(n), number(set), prefixes);
            world.wish(planner, Delta::Member(member));
        }
        ["endpoint", n] => world.wish(planner, Delta::Endpoint(endpoint(number(n)))),
        ["endpoint-gone", n] => world.wish(planner, Delta::EndpointGone(endpoint(number(n)))),
        ["plug", name, n] => {
            let n = number(n);
            let id = firewall::port_id(world, n);
            world.plug(planner, &firewall::vif(name, id), id, mac(n));
        }
        ["unplug", "hybrid", n] => {
            let id = firewall::port_id(world, number(n));
            world.unplug(planner, &firewall::vif("hybrid", id));
        }
        ["unplug", name] => world.unplug(planner, name),
        ["vswitchd-restarts"] => world.restart_vswitchd(planner, false),
        ["vswitchd-renumbers"] => world.restart_vswitchd(planner, true),
        ["ovsdb-restarts"] => world.bounce_ovsdb(planner, false),
        ["agent-restarts"] => *planner = world.start_agent(),
        other => panic!("no such command: {other:?}"),
    }
}

/// Carries everything out, in order, and writes down what that was.
fn settle(world: &mut World, planner: &mut Planner) -> String {
    let mut lines = String::new();
    loop {
        world.think(planner);
        if world.pending.is_empty() {
            match planner.next_deadline() {
                Some(at) if at > world.time => world.time = at,
                _ => return lines,
            }
            continue;
        }
        show(&mut lines, &world.pending[0]);
        world.carry_out(planner, 0);
    }
}

fn show(lines: &mut String, batch: &Batch) {
    let mut items: Vec<String> = match &batch.items {
        Items::Flows(items) => items
            .iter()
            .map(|item| match &item.body {
                Some(body) => format!("add {}", plain(&flows::text(&item.key, body))),
                None if let Some(port) = item.key.is_no_flood() => {
                    format!("delete port {port}: no-flood")
                }
                None => format!(
                    "delete table={},priority={},{}",
                    item.key.table, item.key.priority, item.key.matching
                ),
            })
            .collect(),
        Items::Rows(items) => items
            .iter()
            .map(|(key, row)| match row {
                Some(row) => format!("write {}", text::row(key, row)),
                None => format!("delete {key:?}"),
            })
            .collect(),
        Items::Links(items) => items
            .iter()
            .map(|(name, state)| format!("set {}", text::link(name, state)))
            .collect(),
        Items::Nft(batch) => batch
            .items
            .iter()
            .map(|(key, body)| match body {
                Some(_) => format!("write {}", text::nft(key, body.as_ref())),
                None => format!("delete {}", text::nft(key, None)),
            })
            .collect(),
        Items::Conntrack(items) => vec![format!("{items:?}")],
        Items::Reports(items) => items
            .iter()
            .map(|r| {
                let reason = r
                    .reason
                    .as_ref()
                    .map(|r| format!(": {r}"))
                    .unwrap_or_default();
                format!("{} {}{reason}", r.port, r.status.name())
            })
            .collect(),
    };
    // The order inside a batch is the executor's; adds come before deletes all the same.
    items.sort_by_key(|line| (line.starts_with("delete"), line.clone()));
    let target = match &batch.target {
        Target::Flows(bridge) => format!("flows of {bridge}"),
        Target::Rows => "rows".to_owned(),
        Target::Links => "devices".to_owned(),
        Target::Nft => "packet filter".to_owned(),
        Target::Conntrack => "connections".to_owned(),
        Target::Reports => "reports".to_owned(),
    };
    writeln!(lines, "  {target}").expect("a String takes text");
    for item in items {
        writeln!(lines, "    {item}").expect("a String takes text");
    }
}

/// The flow's cookie is a hash of its cell's name and says nothing to a reader.
fn plain(flow: &str) -> String {
    let mut parts: Vec<&str> = flow.splitn(3, ',').collect();
    parts.retain(|part| !part.starts_with("cookie="));
    parts.join(",")
}
