//! Whole tables: written, read back, saved, restored and changed by differences.

use nft::batch::Batch;
use nft::chain::{Chain, Counts, Policy, hook};
use nft::data::{Register, Verdict};
use nft::diff;
use nft::element::{Element, interval};
use nft::expr::build::*;
use nft::expr::{Limit, MetaKey, ObjRef, PayloadBase, Quota};
use nft::message::Family;
use nft::net::Client;
use nft::object::{Object, ObjectData, ObjectType};
use nft::rule::{OwnedRule, Rule};
use nft::ruleset::{Ruleset, TableState};
use nft::set::{DataType, Set, SetFlags};
use nft::snapshot::Scope;
use nft::table::Table;
use nft::userdata::UserData;
use nft::wrapped::{ChainRef, Chains, Rank};

use crate::namespace::{isolated, nft, tool};

const INET: Family = Family::INET;

/// A table with one of everything this kernel has.
fn sample() -> TableState {
    let mut t = TableState::new(INET, Table::new("t"));
    t.table.userdata = Some(UserData::comment("a table"));
    t.add_object(Object::new(
        "t",
        "hits",
        ObjectData::Counter(Counts::default()),
    ));
    let quota = Quota {
        bytes: 1 << 20,
        ..Quota::default()
    };
    t.add_object(Object::new("t", "hits", ObjectData::Quota(quota)));
    let limit = Limit {
        rate: 10,
        unit: 1,
        burst: 5,
        ..Limit::default()
    };
    t.add_object(Object::new("t", "slow", ObjectData::Limit(limit)));
    t.add_chain(Chain::base(
        "t",
        "forward",
        hook::FORWARD,
        -10,
        Policy::DROP,
    ));
    t.add_chain(Chain::base("t", "nat", hook::POSTROUTING, 100, Policy::ACCEPT).of_kind("nat"));
    t.add_chain(Chain::regular("t", "profile"));

    let addresses = t.add_set(Set::new("t", "group", &[DataType::IPV4_ADDR]));
    addresses.elements = (0..50_u8).map(|i| Element::key([10, 0, 0, i])).collect();
    addresses.elements[3].userdata = Some(UserData::comment("three"));
    let ranges = Set::new("t", "ranges", &[DataType::IPV4_ADDR]);
    let ranges = t.add_set(ranges.with_flags(SetFlags::INTERVAL));
    ranges.elements = interval(&[10, 0, 0, 0], &[10, 0, 255, 255]);
    ranges
        .elements
        .extend(interval(&[192, 0, 2, 0], &[255, 255, 255, 255]));
    let fields = [DataType::IPV4_ADDR, DataType::INET_SERVICE];
    let services = Set::new("t", "services", &fields).with_intervals(&fields);
    let services = t.add_set(services.into_verdict_map());
    let key = [10, 0, 0, 0, 0, 80, 0, 0];
    let end = [10, 0, 0, 255, 0, 90, 0, 0];
    services.elements = vec![Element::pair(key, Verdict::ACCEPT).until(end)];
    let dispatch = t.add_set(Set::new("t", "dispatch", &[DataType::IFNAME]).into_verdict_map());
    dispatch.elements = vec![
        Element::pair(ifname("tap0"), Verdict::jump("profile")),
        Element::pair(ifname("tap1"), Verdict::goto("profile")),
    ];
    let zones = t.add_set(Set::new("t", "zones", &[DataType::IFNAME]).into_map(DataType::MARK));
    zones.elements = vec![Element::pair(ifname("tap0"), 4097_u32.to_ne_bytes())];
    let timed = Set::new("t", "timed", &[DataType::IPV4_ADDR]);
    let timed = t.add_set(timed.with_flags(SetFlags::TIMEOUT));
    timed.set.timeout = Some(3_600_000);
    timed.elements = vec![Element {
        timeout: Some(60_000),
        ..Element::key([1, 1, 1, 1])
    }];
    let counted = t.add_set(Set::new("t", "counted", &[DataType::IPV4_ADDR]));
    counted.set.expr = Some(counter());
    counted.elements = vec![Element {
        expr: Some(Box::new(counter())),
        ..Element::key([1, 1, 1, 1])
    }];

    let hits = ObjRef {
        kind: Some(ObjectType::COUNTER),
        name: Some("hits".into()),
        ..ObjRef::default()
    };
    let mut rules: Vec<OwnedRule> = Vec::new();
    let dispatch = vec![
        meta(MetaKey::IIFNAME, Register::R1),
        vmap("dispatch", Register::R1),
    ];
    rules.push(
        Rule::new("t", "forward", dispatch)
            .commented("dispatch")
            .into(),
    );
    rules.push(Rule::new("t", "forward", vec![hits.into(), drop()]).into());
    let mut owned = OwnedRule::from(Rule::new(
        "t",
        "profile",
        [
            &l4proto(6)[..],
            &[payload(PayloadBase::TRANSPORT, 2, 2, Register::R1)],
        ]
        .concat(),
    ));
    let ports = [22_u16, 80].map(|port| Element::key(port.to_be_bytes()));
    let (set, id) = owned.add_set(Set::new("t", "", &[DataType::INET_SERVICE]), ports.to_vec());
    owned.rule.expressions.push(
        nft::expr::Lookup {
            set,
            set_id: Some(id),
            sreg: Register::R1,
            ..Default::default()
        }
        .into(),
    );
    owned.rule.expressions.push(accept());
    rules.push(owned);
    let group = vec![
        payload(PayloadBase::NETWORK, 12, 4, Register::R1),
        lookup("group", Register::R1),
    ];
    rules.push(
        Rule::new(
            "t",
            "profile",
            [&nfproto(2)[..], &group, &[accept()]].concat(),
        )
        .into(),
    );
    for rule in rules {
        assert!(t.add_rule(rule));
    }
    t
}

fn read(client: &mut Client) -> TableState {
    let picture = client.snapshot(Scope::Table(INET, "t".into())).unwrap();
    picture.ruleset.table(INET, &"t".into()).unwrap().clone()
}

fn write(client: &mut Client, table: &TableState) {
    let mut batch = Batch::new();
    table.replace(&mut batch);
    client.commit(batch, None).unwrap();
}

fn listing() -> serde_json::Value {
    let text = tool("nft", &["-j", "list", "ruleset"], "");
    serde_json::from_str(&text).unwrap()
}

fn listed(kind: &str) -> usize {
    listing()["nftables"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|v| v.get(kind).is_some())
        .count()
}

#[test]
fn written_table_reads_back_as_intended() {
    isolated(|| {
        let mut client = Client::open().unwrap();
        write(&mut client, &sample());
        assert_eq!(read(&mut client).intended(), sample().intended());
        // Replacing it with itself changes nothing.
        write(&mut client, &sample());
        assert_eq!(read(&mut client).intended(), sample().intended());
        // An independent witness counts the same objects and knows the members.
        assert_eq!(listed("rule"), 4);
        assert_eq!(listed("chain"), 3);
        assert_eq!(listed("set") + listed("map"), 7);
        let members = tool(
            "nft",
            &["get", "element", "inet", "t", "group", "{ 10.0.0.49 }"],
            "",
        );
        assert!(members.contains("10.0.0.49"));
        let list = tool("nft", &["list", "table", "inet", "t"], "");
        for part in [
            "10.0.0.3 comment \"three\"",
            "192.0.2.0-255.255.255.255",
            "10.0.0.0/24 . 80-90 : accept",
            "\"tap0\" : jump profile",
            "tcp dport { 22, 80 } accept",
            "ip saddr @group accept",
            "counter name \"hits\" drop",
        ] {
            assert!(list.contains(part), "{part} not in\n{list}");
        }
    });
}

#[test]
fn saved_text_restores_the_same_table() {
    isolated(|| {
        let mut client = Client::open().unwrap();
        write(&mut client, &sample());
        let before = client
            .snapshot(Scope::Family(Family::UNSPEC))
            .unwrap()
            .ruleset;
        let text = before.save();
        let restored = Ruleset::restore(&text).unwrap();
        nft("flush ruleset");
        let mut batch = Batch::new();
        restored
            .tables
            .values()
            .for_each(|table| table.replace(&mut batch));
        client.commit(batch, None).unwrap();
        assert_eq!(read(&mut client).intended(), sample().intended());
        let again = client
            .snapshot(Scope::Family(Family::UNSPEC))
            .unwrap()
            .ruleset
            .save();
        assert_eq!(again, text);
        // A text that was cut off anywhere does not restore.
        for (at, _) in text.match_indices('\n').take(20) {
            assert!(Ruleset::restore(&text[..at]).is_err());
        }
    });
}

/// Steps of edits, each applied by difference and read back.
#[test]
fn differences_converge_and_leave_the_rest_alone() {
    isolated(|| {
        let mut client = Client::open().unwrap();
        nft("add table inet foreign\nadd chain inet foreign c");
        write(&mut client, &sample());
        let mut wanted = sample();
        let mut step = |wanted: &TableState, expected: usize| {
            let there = read(&mut client);
            let changes = diff::table(wanted, Some(&there));
            assert_eq!(changes.len(), expected, "{}", show(&changes));
            client.commit(changes.iter().collect(), None).unwrap();
            let read = read(&mut client);
            assert_eq!(read.intended(), wanted.intended());
            assert!(diff::table(wanted, Some(&read)).is_empty());
            (there, read)
        };
        step(&wanted, 0);

        // One member more, one less: two changes whatever the size.
        let group = wanted.sets.get_mut(&b"group"[..]).unwrap();
        group.elements.remove(0);
        group.elements.push(Element::key([10, 9, 9, 9]));
        step(&wanted, 2);

        // A rule in the middle: the others keep their handles.
        let profile = wanted.chains.get_mut(&b"profile"[..]).unwrap();
        profile
            .rules
            .insert(1, Rule::new("t", "profile", vec![counter()]).into());
        let (before, after) = step(&wanted, 1);
        let handles = |t: &TableState| -> Vec<_> {
            t.chains[&b"profile"[..]]
                .rules
                .iter()
                .map(|r| r.rule.handle)
                .collect()
        };
        assert_eq!(handles(&before)[0], handles(&after)[0]);
        assert_eq!(handles(&before)[1], handles(&after)[2]);

        // A verdict of a map changes.
        let map = wanted.sets.get_mut(&b"dispatch"[..]).unwrap();
        map.elements[1] = Element::pair(ifname("tap1"), Verdict::DROP);
        step(&wanted, 2);

        // A policy changes in place; a priority needs a new chain with its rules.
        let chain = wanted.chains.get_mut(&b"forward"[..]).unwrap();
        chain.chain.policy = Some(Policy::ACCEPT);
        step(&wanted, 1);
        let chain = wanted.chains.get_mut(&b"forward"[..]).unwrap();
        chain.chain.hook.as_mut().unwrap().priority = 7;
        step(&wanted, 5);

        // A set of another kind: the rule that uses it is made again.
        let set = Set::new("t", "group", &[DataType::IPV4_ADDR]).with_flags(SetFlags::INTERVAL);
        let group = wanted.sets.get_mut(&b"group"[..]).unwrap();
        group.set = set;
        group.elements = interval(&[10, 0, 0, 0], &[10, 0, 0, 255]);
        step(&wanted, 6);

        // An object with another limit.
        let limit = Limit {
            rate: 99,
            unit: 1,
            burst: 5,
            ..Limit::default()
        };
        wanted.add_object(Object::new("t", "slow", ObjectData::Limit(limit)));
        step(&wanted, 2);

        // A chain that maps jump to goes together with the jumps.
        wanted.chains.remove(&b"profile"[..]);
        wanted
            .sets
            .get_mut(&b"dispatch"[..])
            .unwrap()
            .elements
            .remove(0);
        step(&wanted, 3);

        let all = client
            .snapshot(Scope::Family(Family::UNSPEC))
            .unwrap()
            .ruleset;
        let mut desired = Ruleset::default();
        desired.insert(wanted.clone());
        let owned = |_: Family, name: &nft::name::Name| *name == *"t";
        assert!(diff::ruleset(&desired, &all, owned).is_empty());
        let changes = diff::ruleset(&Ruleset::default(), &all, owned);
        assert_eq!(changes.len(), 1, "{}", show(&changes));
        client.commit(changes.iter().collect(), None).unwrap();
        assert!(tool("nft", &["list", "tables"], "").contains("foreign"));
        assert!(!tool("nft", &["list", "tables"], "").contains("inet t\n"));
    });
}

fn show(changes: &[diff::Change]) -> String {
    changes.iter().map(|change| format!("{change}\n")).collect()
}

#[test]
fn counters_of_untouched_rules_keep_counting() {
    isolated(|| {
        let mut client = Client::open().unwrap();
        let mut table = TableState::new(INET, Table::new("t"));
        table.add_chain(Chain::base("t", "out", hook::OUTPUT, 0, Policy::ACCEPT));
        table.add_rule(Rule::new("t", "out", vec![counter()]));
        write(&mut client, &table);
        let count = |client: &mut Client| match &read(client).chains[&b"out"[..]].rules[0]
            .rule
            .expressions[0]
        {
            nft::expr::Expr::Counter(counts) => counts.packets,
            other => panic!("{other:?}"),
        };
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(b"x", "127.0.0.1:9").unwrap();
        let before = count(&mut client);
        assert!(before >= 1);
        table.add_rule(Rule::new("t", "out", vec![accept()]));
        let changes = diff::table(&table, Some(&read(&mut client)));
        client.commit(changes.iter().collect(), None).unwrap();
        assert!(count(&mut client) >= before);
        assert_eq!(read(&mut client).rule_count(), 2);
    });
}

/// A listing without what is free: wrapped lines, the order of blocks, counts, blanks.
fn blocks(listing: &str) -> Vec<Vec<String>> {
    let mut all: Vec<Vec<String>> = Vec::new();
    let mut block: Vec<String> = Vec::new();
    for line in listing
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        match block.last_mut() {
            Some(last) if last.ends_with(',') => *last = format!("{last} {line}"),
            _ => block.push(line.to_owned()),
        }
        if line == "}" || line.starts_with("table ") || line.starts_with("comment \"a table") {
            all.push(core::mem::take(&mut block));
        }
    }
    all.sort();
    all
}

/// Objects of every type, as `nft` makes them.
const OBJECTS: &str = "table ip x {
 ct helper h {
  type \"ftp\" protocol tcp
  l3proto ip
 }
 ct timeout t {
  protocol tcp
  l3proto ip
  policy = { established: 100, close: 4 }
 }
 ct expectation e {
  protocol tcp
  dport 9876
  timeout 2m
  size 12
  l3proto ip
 }
 synproxy s {
  mss 1460
  wscale 7
  timestamp sack-perm
 }
 counter c { comment \"x\"; }
 quota q { over 10 mbytes; }
 limit l { rate over 10/second burst 9 packets; }
 limit m { rate 10 mbytes/second burst 1 mbytes; }
 chain p {
  type filter hook prerouting priority filter
  tcp dport 21 ct helper set \"h\"
  ct timeout set \"t\"
  ct expectation set \"e\"
  limit name \"l\"
 }
}";

#[test]
fn listing_is_that_of_nft() {
    isolated(|| {
        let mut client = Client::open().unwrap();
        let mut table = sample();
        // Expiry moves between two listings.
        table.sets.remove(&b"timed"[..]);
        write(&mut client, &table);
        nft(OBJECTS);
        let picture = client.snapshot(Scope::Family(Family::UNSPEC)).unwrap();
        let ours = nft::text::list::ruleset(&picture.ruleset);
        let theirs = tool("nft", &["list", "ruleset"], "");
        assert_eq!(blocks(&ours), blocks(&theirs), "{ours}\n{theirs}");

        let ours = nft::text::list::ruleset_json(&picture.ruleset).to_string();
        let ours: serde_json::Value = serde_json::from_str(&ours).unwrap();
        let sorted = |mut value: serde_json::Value| {
            let list = value["nftables"].as_array_mut().unwrap();
            list.retain(|item| item.get("metainfo").is_none());
            list.sort_by_key(|item| item.to_string());
            value
        };
        let (ours, theirs) = (sorted(ours), sorted(listing()));
        let pairs = ours["nftables"].as_array().unwrap().iter();
        let pairs = pairs.zip(theirs["nftables"].as_array().unwrap());
        let differ: Vec<_> = pairs.filter(|(ours, theirs)| ours != theirs).collect();
        assert!(differ.is_empty(), "{differ:#?}");

        // Written back, they are the same to nft.
        let before = tool("nft", &["list", "table", "ip", "x"], "");
        let mut batch = Batch::new();
        for table in picture.ruleset.tables.values() {
            table.replace(&mut batch);
        }
        client.commit(batch, None).unwrap();
        let after = tool("nft", &["list", "table", "ip", "x"], "");
        assert_eq!(blocks(&after), blocks(&before));
    });
}

#[test]
fn snapshot_under_churn_is_consistent() {
    isolated(|| {
        let mut client = Client::open().unwrap();
        let mut writer = Client::open().unwrap();
        let mut table = TableState::new(INET, Table::new("t"));
        table.add_chain(Chain::regular("t", "c"));
        for name in ["a", "b"] {
            table.add_set(Set::new("t", name, &[DataType::MARK]));
        }
        write(&mut client, &table);
        // Each commit adds one element to both sets and one rule: all counts are always equal.
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut i = 0_u32;
            while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
                i += 1;
                let mut batch = Batch::new();
                for name in ["a", "b"] {
                    let element = [Element::key(i.to_ne_bytes())];
                    batch.add_elements(INET, &"t".into(), &name.into(), &element);
                }
                batch.add_rule(INET, &Rule::new("t", "c", vec![accept()]));
                writer.commit(batch, None).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(3));
            }
            i
        });
        let mut seen = 0;
        let mut moving = 0;
        let first = client.generation().unwrap();
        while client.generation().unwrap() < first + 5 {
            std::thread::yield_now();
        }
        while seen < 20 {
            match client.snapshot(Scope::Table(INET, "t".into())) {
                Ok(picture) => {
                    let t = picture.ruleset.table(INET, &"t".into()).unwrap();
                    let counts: Vec<_> = t.sets.values().map(|s| s.elements.len()).collect();
                    assert_eq!(counts, [t.rule_count(); 2]);
                    seen += 1;
                }
                Err(error) => {
                    assert!(error.to_string().contains("reading the ruleset"), "{error}");
                    moving += 1;
                    assert!(moving < 200, "never quiet");
                }
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(thread.join().unwrap() > 0);
    });
}

#[test]
fn wrapped_chains_converge_and_spare_foreign_ones() {
    isolated(|| {
        let mut client = Client::open().unwrap();
        nft(
            "table inet t { chain foreign { counter; }; }\ntable inet other { chain agent-x { }; }",
        );
        let mut chains = Chains::new(INET, Table::new("mine"), "agent");
        let forward = ChainRef::wrapped("FORWARD");
        let port = ChainRef::wrapped("i1234");
        let base = Chain::base("", "", hook::FORWARD, 0, Policy::ACCEPT);
        chains.add_base_chain(forward.clone(), base).unwrap();
        chains.add_chain(port.clone()).unwrap();
        let body = |expressions| Rule {
            expressions,
            ..Rule::default()
        };
        let jump = |chains: &Chains| body(vec![verdict(Verdict::jump(chains.name_of(&port)))]);
        chains
            .add_rule(&port, Rank::Ordinary, body(vec![accept()]))
            .unwrap();
        chains
            .add_rule(&forward, Rank::Ordinary, body(vec![counter()]))
            .unwrap();
        chains.add_rule(&forward, Rank::Top, jump(&chains)).unwrap();
        let mut converge = |chains: &Chains| {
            let picture = client.snapshot(Scope::Table(INET, "mine".into())).unwrap();
            let there = picture.ruleset.table(INET, &"mine".into());
            let changes = diff::table(&chains.render(), there);
            client
                .commit(changes.iter().collect(), Some(picture.generation))
                .unwrap();
            changes.len()
        };
        assert!(converge(&chains) > 0);
        assert_eq!(converge(&chains), 0);
        let list = tool(
            "nft",
            &["list", "chain", "inet", "mine", "agent-FORWARD"],
            "",
        );
        assert!(
            list.find("jump agent-i1234").unwrap() < list.find("counter").unwrap(),
            "{list}"
        );
        // The jump, the chain's rules and the chain go together.
        chains.remove_chain(&port).unwrap();
        assert_eq!(converge(&chains), 3);
        let list = tool("nft", &["list", "ruleset"], "");
        assert!(
            !list.contains("i1234") && list.contains("chain foreign"),
            "{list}"
        );
        assert!(list.contains("chain agent-x"), "{list}");
    });
}
