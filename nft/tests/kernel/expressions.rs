//! Every expression of the table is compiled by `nft` and written by this crate; bytecode, dumped
//! objects and listings must agree. What the kernel lacks is told, and has to be refused to `nft` as well.

mod table;

use std::collections::BTreeMap;

use nft::batch::{Batch, Place};
use nft::expr::{CtKey, Expr};
use nft::message::Family;
use nft::net::{Client, NetError};
use nft::rule::OwnedRule;
use nft::snapshot::Scope;
use nft::text::bytecode;

use crate::namespace::{isolated, tool, try_tool};
use table::{Case, Witness, cases, prelude};

/// What a kernel may lack: a family, or an expression (with its key), and why. Anything else that is refused is a
/// failure.
const MAY_LACK: &[(&str, &str)] = &[
    ("family inet", "no CONFIG_NF_TABLES_INET"),
    ("family ip", "no CONFIG_NF_TABLES_IPV4"),
    ("family ip6", "no CONFIG_NF_TABLES_IPV6"),
    ("family arp", "no CONFIG_NF_TABLES_ARP"),
    ("family netdev", "no CONFIG_NF_TABLES_NETDEV"),
    ("bridge ct", "no CONFIG_NF_CONNTRACK_BRIDGE"),
    (
        "bridge ct zone",
        "no CONFIG_NF_CONNTRACK_ZONES, or no CONFIG_NF_CONNTRACK_BRIDGE",
    ),
    ("bridge meta", "no CONFIG_NFT_BRIDGE_META"),
    ("bridge reject", "no CONFIG_NFT_BRIDGE_REJECT"),
    ("queue", "no CONFIG_NFT_QUEUE"),
    ("flow_offload", "no CONFIG_NFT_FLOW_OFFLOAD"),
    ("tunnel", "no CONFIG_NFT_TUNNEL"),
    ("xfrm", "no CONFIG_NFT_XFRM"),
    ("osf", "no CONFIG_NFT_OSF"),
    (
        "socket",
        "no CONFIG_SOCK_CGROUP_DATA, or no such control group",
    ),
    ("inner", "Linux before 6.2"),
    ("bitwise of two registers", "Linux before 6.13"),
];

fn family_name(case: &Case) -> &'static str {
    case.family.name().unwrap()
}

/// The bytecode lines of nft's debug output for one added rule.
fn tool_bytecode(output: &str) -> Vec<String> {
    output
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with('['))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

fn rules_of(client: &mut Client, family: Family, chain: &str) -> Vec<OwnedRule> {
    let picture = client.snapshot(Scope::Table(family, "t".into())).unwrap();
    let table = picture.ruleset.table(family, &"t".into()).unwrap();
    table.chains[chain.as_bytes()].rules.clone()
}

/// How a case went.
enum Verdict {
    Equal,
    /// The kernel refuses it, to everybody. What it is.
    Lacking(String),
    Different(String),
}

fn check(client: &mut Client, case: &Case) -> Verdict {
    tool("nft", &["-f", "-"], "flush ruleset");
    if let Err(error) = try_tool("nft", &["-f", "-"], &prelude(case)) {
        let family = format!("family {}", family_name(case));
        return match error.contains("Operation not supported") {
            true => Verdict::Lacking(family),
            false => Verdict::Different(error),
        };
    }
    let owned = (case.build)();
    let compiled = match case.witness {
        Witness::Compiles(text) | Witness::CompilesUnlisted(text) => {
            let add = format!("add rule {} t theirs {text}", family_name(case));
            Some(try_tool("nft", &["--debug=netlink", "-f", "-"], &add))
        }
        Witness::Prints(_) | Witness::Silent(..) => None,
    };
    let mut batch = Batch::new();
    batch.add_owned_rule(case.family, &owned, Place::Last);
    let written = client.commit(batch, None);
    match (compiled, written) {
        (Some(Err(theirs)), Err(NetError::Refused(ours))) => {
            // Refused to both: by the kernel, and for the same reason.
            let errno = format!(
                "{}",
                std::io::Error::from_raw_os_error(i32::from(ours[0].errno))
            );
            let errno = errno.split(" (os").next().unwrap();
            match theirs.contains("Could not process rule") && theirs.contains(errno) {
                true => Verdict::Lacking(lacking(case, &owned, &ours[0].attribute)),
                false => Verdict::Different(format!("nft: {theirs}\nours: {}", ours[0])),
            }
        }
        (None, Err(NetError::Refused(ours))) => {
            Verdict::Lacking(lacking(case, &owned, &ours[0].attribute))
        }
        (Some(Err(theirs)), Ok(_)) => Verdict::Different(format!("only nft is refused: {theirs}")),
        (_, Err(error)) => Verdict::Different(format!("commit: {error}")),
        (Some(Ok(output)), Ok(_)) => verdict(compare_compiled(client, case, &owned, &output)),
        (None, Ok(_)) => verdict(compare_printed(client, case, &owned)),
    }
}

fn verdict(result: Result<(), String>) -> Verdict {
    match result {
        Ok(()) => Verdict::Equal,
        Err(difference) => Verdict::Different(difference),
    }
}

/// The expression that the kernel's answer points at.
fn lacking(case: &Case, owned: &OwnedRule, attribute: &str) -> String {
    let index = attribute
        .strip_prefix("expressions[")
        .and_then(|rest| rest.split(']').next()?.parse::<usize>().ok());
    let Some(expr) = index.and_then(|i| owned.rule.expressions.get(i)) else {
        return format!("{attribute} of {}", case.witness.name());
    };
    let name = expr.name();
    match expr {
        Expr::Ct(e) if case.family == Family::BRIDGE && e.key == CtKey::ZONE => {
            "bridge ct zone".to_owned()
        }
        Expr::Bitwise(e) if e.sreg2.is_some() => "bitwise of two registers".to_owned(),
        _ if case.family == Family::BRIDGE
            && ["ct", "meta", "reject"].iter().any(|n| name == *n) =>
        {
            format!("bridge {name}")
        }
        _ => name.to_text(),
    }
}

/// What was written, as read back.
fn read_back(client: &mut Client, case: &Case, intended: &OwnedRule) -> Result<OwnedRule, String> {
    let written = rules_of(client, case.family, "ours");
    let [written] = written.as_slice() else {
        return Err("no rule was written".into());
    };
    if written.intended() != *intended {
        return Err(format!(
            "read back\n  wrote {intended:#?}\n  read  {:#?}",
            written.intended()
        ));
    }
    Ok(written.clone())
}

/// Without a text: `nft` prints the instructions.
fn compare_printed(client: &mut Client, case: &Case, owned: &OwnedRule) -> Result<(), String> {
    let read = read_back(client, case, &owned.intended())?;
    if let Witness::Silent(..) = case.witness {
        return Ok(());
    }
    let arguments = [
        "--debug=netlink",
        "list",
        "chain",
        family_name(case),
        "t",
        "ours",
    ];
    let theirs = tool_bytecode(&try_tool("nft", &arguments, "")?);
    let ours = tool_bytecode(&bytecode::lines(&read.rule.expressions).join("\n"));
    if theirs != ours {
        return Err(format!("bytecode\n  nft  {theirs:#?}\n  ours {ours:#?}"));
    }
    Ok(())
}

/// With a text: everything.
fn compare_compiled(
    client: &mut Client,
    case: &Case,
    owned: &OwnedRule,
    output: &str,
) -> Result<(), String> {
    let ours = tool_bytecode(&bytecode::lines(&owned.rule.expressions).join("\n"));
    let theirs = tool_bytecode(output);
    if ours != theirs {
        return Err(format!("bytecode\n  nft  {theirs:#?}\n  ours {ours:#?}"));
    }

    let intended = owned.intended();
    let read = read_back(client, case, &intended)?;
    let compiled = rules_of(client, case.family, "theirs");
    let [compiled] = compiled.as_slice() else {
        return Err("nft wrote no rule".into());
    };
    let mut compiled = compiled.intended();
    compiled.rule.chain = Some("ours".into());
    compiled.rule.userdata = intended.rule.userdata.clone();
    for (theirs, ours) in compiled.sets.iter_mut().zip(&intended.sets) {
        // nft stores more hints than needed in user data; only it reads them.
        theirs.set.userdata = ours.set.userdata.clone();
        theirs.set.key_type = ours.set.key_type;
    }
    if compiled != intended {
        return Err(format!(
            "compiled by nft\n  nft  {compiled:#?}\n  ours {intended:#?}"
        ));
    }

    let list = |chain: &str| {
        let arguments = ["-s", "list", "chain", family_name(case), "t", chain];
        tool("nft", &arguments, "").replace(chain, "chain")
    };
    let (theirs, ours) = (list("theirs"), list("ours"));
    if theirs != ours {
        return Err(format!("nft list\n  theirs {theirs}\n  ours   {ours}"));
    }
    if let Witness::CompilesUnlisted(_) = case.witness {
        return Ok(());
    }
    let chain = ["list", "chain", family_name(case), "t", "ours"];
    let line = try_tool("nft", &chain, "")?;
    let line = line
        .lines()
        .map(str::trim)
        .rfind(|line| !matches!(*line, "}" | ""))
        .unwrap();
    let text = nft::text::list::rule(case.family, &read);
    if text != line {
        return Err(format!("text\n  nft  {line}\n  ours {text}"));
    }
    let json = nft::text::list::rule_json(case.family, &read).to_string();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let theirs = try_tool("nft", &[&["-j"], &chain[..]].concat(), "")?;
    let theirs: serde_json::Value = serde_json::from_str(&theirs).unwrap();
    let list = theirs["nftables"].as_array().unwrap();
    let theirs = list.iter().find_map(|item| item.get("rule")).unwrap();
    if json != theirs["expr"] {
        return Err(format!("JSON\n  nft  {}\n  ours {json}", theirs["expr"]));
    }
    Ok(())
}

#[test]
fn every_fragment_encodes_as_nft_compiles_it() {
    isolated(|| {
        let mut client = Client::open().unwrap();
        let (mut equal, mut failures) = (0, Vec::new());
        let mut absent: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        let mut seen = std::collections::BTreeSet::new();
        for case in cases() {
            let name = case.witness.name();
            let family = format!("family {}", family_name(&case));
            if let Some(names) = absent.get_mut(&family) {
                names.push(name);
                continue;
            }
            match check(&mut client, &case) {
                Verdict::Equal => {
                    equal += 1;
                    let expressions = (case.build)().rule.expressions;
                    seen.extend(expressions.iter().map(|e| e.name().to_text()));
                }
                Verdict::Lacking(what) => absent.entry(what).or_default().push(name),
                Verdict::Different(how) => {
                    failures.push(format!("{} {name}: {how}", family_name(&case)));
                }
            }
        }
        println!("{equal} cases are equal; nft says nothing of:");
        for case in cases() {
            if let Witness::Silent(name, why) = case.witness {
                println!("  {name}: {why}");
            }
        }
        println!("this kernel lacks:");
        for (what, names) in &absent {
            match MAY_LACK.iter().find(|(known, _)| known == what) {
                Some((_, why)) => println!("  {what}: {why} ({} cases)", names.len()),
                None => failures.push(format!("{what} is refused: {names:?}")),
            }
        }
        assert!(
            failures.is_empty(),
            "{}\n{} failures",
            failures.join("\n"),
            failures.len()
        );
        // Only what is lacking may be untested.
        if absent.contains_key("family inet") {
            assert!(equal >= 20, "{equal}");
            return;
        }
        let untested: Vec<_> = Expr::NAMES
            .iter()
            .filter(|name| !seen.contains(**name) && !absent.contains_key(**name))
            .filter(|name| !["match", "target"].contains(*name))
            .collect();
        assert!(untested.is_empty(), "no case for {untested:?}");
    });
}
