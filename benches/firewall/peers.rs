//! Other tools with the same policy: one rule per security-group rule, one ipset or set per remote group.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::model::{Remote, Rule};
use crate::workload::{MEMBERS, REMOTES, RULES, address, ports, rule};

/// A tool that loads rules.
pub struct Peer {
    pub name: &'static str,
    restore: (&'static str, &'static [&'static str]),
    change: (&'static str, &'static [&'static str], &'static str),
    save: (&'static str, &'static [&'static str]),
    /// What a line of the listing ends in that is one rule.
    rule: &'static str,
}

const CHANGE: &[&str] = &["-I", "i1", "-p", "tcp", "--dport", "7", "-j", "RETURN"];

pub const PEERS: [Peer; 3] = [
    Peer {
        name: "iptables-legacy",
        restore: ("iptables-legacy-restore", &[]),
        change: ("iptables-legacy", CHANGE, ""),
        save: ("iptables-legacy-save", &["-t", "filter"]),
        rule: "-j RETURN",
    },
    Peer {
        name: "iptables-nft",
        restore: ("iptables-nft-restore", &[]),
        change: ("iptables-nft", CHANGE, ""),
        save: ("iptables-nft-save", &["-t", "filter"]),
        rule: "-j RETURN",
    },
    Peer {
        name: "nft -f",
        restore: ("nft", &["-f", "-"]),
        change: (
            "nft",
            &["-f", "-"],
            "insert rule ip peer i1 tcp dport 7 return\n",
        ),
        save: ("nft", &["-n", "list", "table", "ip", "peer"]),
        rule: "return",
    },
];

impl Peer {
    /// What it reads.
    pub fn text(&self, vms: u128) -> String {
        match self.name {
            "nft -f" => nft(vms),
            _ => iptables(vms),
        }
    }

    pub fn load(&self, text: &str) {
        tool(self.restore.0, self.restore.1, text);
    }

    pub fn insert(&self) {
        tool(self.change.0, self.change.1, self.change.2);
    }

    /// Rules that it says stand, without that of [`Peer::insert`].
    pub fn count(&self) -> usize {
        let listed = tool(self.save.0, self.save.1, "");
        let is_rule = |line: &&str| line.trim_end().ends_with(self.rule);
        listed.lines().filter(is_rule).count()
    }
}

pub fn tool(name: &str, arguments: &[&str], stdin: &str) -> String {
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("cannot start {name} ({e}): install nftables, iptables, ipset"));
    let mut pipe = child.stdin.take().expect("piped");
    let input = stdin.to_owned();
    let writer = std::thread::spawn(move || pipe.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("tool ends");
    writer.join().expect("writer").expect("tool reads");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?}: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The ports of a rule, as they are written.
fn range(rule: &Rule, between: char) -> String {
    let (min, max) = ports(rule);
    if min == max {
        format!("{min}")
    } else {
        format!("{min}{between}{max}")
    }
}

fn iptables(vms: u128) -> String {
    let mut text = String::from("*filter\n");
    for vm in 0..vms {
        text += &format!(":i{vm} - [0:0]\n");
    }
    for vm in 0..vms {
        text += &format!("-A FORWARD -o tap{vm} -j i{vm}\n");
        for n in 0..RULES {
            let rule = rule(vm, n);
            let source = match rule.remote {
                Remote::Any => String::new(),
                Remote::Prefix(net) => format!("-s {net} "),
                Remote::Set(_) => format!("-m set --match-set g{} src ", (n / 20) % REMOTES),
            };
            let ports = range(&rule, ':');
            text += &format!("-A i{vm} {source}-p tcp -m tcp --dport {ports} -j RETURN\n");
        }
        text += &format!("-A i{vm} -j DROP\n");
    }
    text + "COMMIT\n"
}

fn nft(vms: u128) -> String {
    let mut text = String::from("table ip peer {\n");
    for set in 0..REMOTES {
        let list: Vec<String> = (0..MEMBERS)
            .map(|n| address(set * MEMBERS + n).to_string())
            .collect();
        text += &format!(
            "set g{set} {{ type ipv4_addr; elements = {{ {} }} }}\n",
            list.join(",")
        );
    }
    for vm in 0..vms {
        text += &format!("chain i{vm} {{\n");
        for n in 0..RULES {
            let rule = rule(vm, n);
            let source = match rule.remote {
                Remote::Any => String::new(),
                Remote::Prefix(net) => format!("ip saddr {net} "),
                Remote::Set(_) => format!("ip saddr @g{} ", (n / 20) % REMOTES),
            };
            let ports = range(&rule, '-');
            text += &format!("{source}tcp dport {ports} return\n");
        }
        text += "drop\n}\n";
    }
    text += "chain forward { type filter hook forward priority 0\n";
    for vm in 0..vms {
        text += &format!("oifname tap{vm} jump i{vm}\n");
    }
    text + "}\n}\n"
}

/// The remote groups as ipsets.
pub fn ipsets() -> String {
    let mut text = String::new();
    for set in 0..REMOTES {
        text += &format!("create g{set} hash:ip\n");
        for n in 0..MEMBERS {
            text += &format!("add g{set} {}\n", address(set * MEMBERS + n));
        }
    }
    text
}
