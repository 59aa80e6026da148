//! Every expression of the table is compiled by `nft` and written by this crate; bytecode, dumped
//! objects and listings must agree.

#[rustfmt::skip]
mod table;

use nft::batch::{Batch, Place};
use nft::message::Family;
use nft::net::Client;
use nft::rule::OwnedRule;
use nft::snapshot::Scope;
use nft::text::bytecode;

use crate::namespace::{isolated, tool, try_tool};
use table::{Case, cases, prelude};

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

fn check(case: &Case) -> Result<(), String> {
    let mut client = Client::open().unwrap();
    tool("nft", &["-f", "-"], "flush ruleset");
    tool("nft", &["-f", "-"], &prelude(case));
    let add = format!("add rule {} t theirs {}", family_name(case), case.text);
    let output = try_tool("nft", &["--debug=netlink", "-f", "-"], &add)?;
    let owned = (case.build)();

    let ours = tool_bytecode(&bytecode::lines(&owned.rule.expressions).join("\n"));
    let theirs = tool_bytecode(&output);
    if ours != theirs {
        return Err(format!("bytecode\n  nft  {theirs:#?}\n  ours {ours:#?}"));
    }

    let mut batch = Batch::new();
    batch.add_owned_rule(case.family, &owned, Place::Last);
    client
        .commit(batch, None)
        .map_err(|error| format!("commit: {error}"))?;

    let intended = owned.intended();
    let written = rules_of(&mut client, case.family, "ours");
    let [written] = written.as_slice() else {
        return Err("no rule was written".into());
    };
    if written.intended() != intended {
        return Err(format!(
            "read back\n  wrote {intended:#?}\n  read  {:#?}",
            written.intended()
        ));
    }
    let compiled = rules_of(&mut client, case.family, "theirs");
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
    let mut client = Client::open().unwrap();
    let read = rules_of(&mut client, case.family, "ours");
    let text = nft::text::list::rule(case.family, &read[0]);
    let line = tool(
        "nft",
        &["list", "chain", family_name(case), "t", "ours"],
        "",
    );
    let line = line
        .lines()
        .map(str::trim)
        .rfind(|line| !matches!(*line, "}" | ""))
        .unwrap();
    if text != line {
        return Err(format!("text\n  nft  {line}\n  ours {text}"));
    }
    let json = nft::text::list::rule_json(case.family, &read[0]).to_string();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let theirs = tool(
        "nft",
        &["-j", "list", "chain", family_name(case), "t", "ours"],
        "",
    );
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
        let mut failures = Vec::new();
        for case in cases() {
            if let Err(failure) = check(&case) {
                failures.push(format!("{} {}: {failure}", family_name(&case), case.text));
            }
        }
        assert!(
            failures.is_empty(),
            "{}\n{} failures",
            failures.join("\n"),
            failures.len()
        );
    });
}
