//! Random rules, compiled by `nft`: read by this crate, they are listed as `nft` lists them, as text and as JSON, and
//! written back they are the same to `nft`. `NFT_SEED` and `NFT_ROUNDS` choose others.

mod grammar;

use std::ops::Range;

use nft::batch::Batch;
use nft::message::Family;
use nft::net::Client;
use nft::ruleset::Ruleset;
use nft::snapshot::Scope;
use serde_json::Value;

use crate::namespace::{isolated, tool, try_tool};
use grammar::{Dice, rule, set};

const FAMILIES: [&str; 4] = ["inet", "ip", "ip6", "bridge"];
/// Rules of each family.
const RULES: u64 = 150;

/// The lines of rules by table, as `nft list` has them.
fn rule_lines(listing: &str) -> Vec<String> {
    let mut table = String::new();
    let mut lines = Vec::new();
    for line in listing.lines() {
        if line.starts_with("table ") {
            table = line.to_owned();
        } else if line.starts_with("\t\t") && !line.starts_with("\t\ttype ") {
            lines.push(format!("{table} {}", line.trim()));
        }
    }
    // The order of tables is free.
    lines.sort_by_key(|line| line.split(" {").next().unwrap().to_owned());
    lines
}

fn rules_of(json: &Value) -> Vec<&Value> {
    let list = json["nftables"].as_array().unwrap();
    let mut rules: Vec<_> = list.iter().filter_map(|item| item.get("rule")).collect();
    rules.sort_by_key(|rule| rule["family"].to_string());
    rules
}

fn read(client: &mut Client) -> Ruleset {
    client
        .snapshot(Scope::Family(Family::UNSPEC))
        .unwrap()
        .ruleset
}

/// Loads random rules; those that `nft` itself refuses are few.
fn load(dice: &mut Dice) -> usize {
    let mut refused = Vec::new();
    let mut count = 0;
    for family in FAMILIES {
        let hook = "{ type filter hook forward priority 0; }";
        tool(
            "nft",
            &["-f", "-"],
            &format!(
                "add table {family} t; add chain {family} t other; add chain {family} t c {hook}"
            ),
        );
        let all: Vec<String> = (0..RULES)
            .map(|_| format!("add rule {family} t c {}\n", rule(dice, family)))
            .collect();
        for chunk in all.chunks(25) {
            if try_tool("nft", &["-f", "-"], &chunk.concat()).is_ok() {
                count += chunk.len();
                continue;
            }
            for one in chunk {
                match try_tool("nft", &["-f", "-"], one) {
                    Ok(_) => count += 1,
                    Err(error) => refused.push(format!("{one}{error}")),
                }
            }
        }
    }
    let all = RULES * FAMILIES.len() as u64;
    assert!(
        (refused.len() as u64) < all / 20,
        "the grammar is wrong: {} of {all} refused\n{}",
        refused.len(),
        refused.join("\n")
    );
    count
}

/// A round takes seconds: more of them where there is time.
fn seeds() -> Range<u64> {
    let soak = std::env::var_os("VIFD_SOAK").is_some();
    let number =
        |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let seed = number("NFT_SEED", 7);
    seed..seed + number("NFT_ROUNDS", if soak { 100 } else { 3 })
}

#[test]
fn random_rules_are_listed_and_written_back() {
    for seed in seeds() {
        isolated(move || round(seed));
    }
}

#[test]
fn random_sets_are_listed_and_written_back() {
    for seed in seeds() {
        isolated(move || round_of_sets(seed));
    }
}

/// Lines are wrapped and indented, and the elements of a concatenation ordered, as one likes.
fn words(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let parts = text
        .split("elements = { ")
        .map(|part| match part.split_once(" }") {
            Some((list, rest)) => {
                let mut list: Vec<_> = list.split(", ").collect();
                list.sort_unstable();
                format!("{} }}{rest}", list.join(", "))
            }
            None => part.to_owned(),
        });
    parts.collect::<Vec<_>>().join("elements = { ")
}

fn round_of_sets(seed: u64) {
    let dice = &mut Dice::new(seed);
    // Both list them in this order.
    let sets: String = (0..100).map(|i| set(dice, &format!("s{i:03}"))).collect();
    let script = format!("table inet t {{ counter hits {{ }}\nchain other {{ }}\n{sets}\n}}");
    tool("nft", &["-f", "-"], &script);
    let mut client = Client::open().unwrap();
    let ruleset = read(&mut client);
    let theirs = tool("nft", &["list", "ruleset"], "");
    let ours = nft::text::list::ruleset(&ruleset);
    let blocks = |text: &str| -> Vec<String> { text.split("\n\n").map(words).collect() };
    for (theirs, ours) in blocks(&theirs).iter().zip(blocks(&ours)) {
        assert_eq!(*theirs, ours, "seed {seed}");
    }
    let json = |text: &str| -> Vec<Value> {
        let value: Value = serde_json::from_str(text).unwrap();
        let list = value["nftables"].as_array().unwrap().iter();
        let sets = list.filter(|item| item.get("set").or(item.get("map")).is_some());
        let in_order = |mut item: Value| {
            let set = item.as_object_mut().unwrap().values_mut().next().unwrap();
            if let Some(elements) = set["elem"].as_array_mut() {
                elements.sort_by_key(Value::to_string);
            }
            item
        };
        sets.cloned().map(in_order).collect()
    };
    let theirs_json = json(&tool("nft", &["-j", "list", "ruleset"], ""));
    let ours_json = json(&nft::text::list::ruleset_json(&ruleset).to_string());
    assert_eq!(theirs_json.len(), 100);
    for (theirs, ours) in theirs_json.iter().zip(&ours_json) {
        assert_eq!(theirs, ours, "seed {seed}");
    }

    let restored = Ruleset::restore(&ruleset.save()).unwrap();
    let mut batch = Batch::new();
    restored
        .tables
        .values()
        .for_each(|table| table.replace(&mut batch));
    client.commit(batch, None).unwrap();
    assert_eq!(
        words(&tool("nft", &["list", "ruleset"], "")),
        words(&theirs),
        "seed {seed}"
    );
}

fn round(seed: u64) {
    let count = load(&mut Dice::new(seed));
    let mut client = Client::open().unwrap();
    let ruleset = read(&mut client);

    let theirs = tool("nft", &["list", "ruleset"], "");
    let ours = nft::text::list::ruleset(&ruleset);
    let (theirs_lines, ours_lines) = (rule_lines(&theirs), rule_lines(&ours));
    assert_eq!(theirs_lines.len(), count);
    assert_eq!(ours_lines.len(), count);
    let mut different: Vec<String> = theirs_lines
        .iter()
        .zip(&ours_lines)
        .filter(|(theirs, ours)| theirs != ours)
        .map(|(theirs, ours)| format!("nft  {theirs}\nours {ours}"))
        .collect();

    let theirs_json: Value =
        serde_json::from_str(&tool("nft", &["-j", "list", "ruleset"], "")).unwrap();
    let ours_json = nft::text::list::ruleset_json(&ruleset).to_string();
    let ours_json: Value = serde_json::from_str(&ours_json).unwrap();
    for ((theirs, ours), line) in rules_of(&theirs_json)
        .iter()
        .zip(rules_of(&ours_json))
        .zip(&theirs_lines)
    {
        if *theirs != ours {
            different.push(format!(
                "{line}\nnft  {}\nours {}",
                theirs["expr"], ours["expr"]
            ));
        }
    }
    assert!(
        different.is_empty(),
        "seed {seed}: {} of {count} differ\n{}",
        different.len(),
        different.join("\n")
    );

    // As text and back, and into an empty kernel.
    let restored = Ruleset::restore(&ruleset.save()).unwrap();
    tool("nft", &["flush", "ruleset"], "");
    let mut batch = Batch::new();
    restored
        .tables
        .values()
        .for_each(|table| table.replace(&mut batch));
    client.commit(batch, None).unwrap();
    let again = tool("nft", &["list", "ruleset"], "");
    assert_eq!(rule_lines(&again), theirs_lines, "seed {seed}");
    assert_eq!(read(&mut client).save(), ruleset.save(), "seed {seed}");
}
