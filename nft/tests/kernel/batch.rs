//! Atomicity, error attribution, generations, dumps, events, ownership.

use std::time::Duration;

use nft::batch::{Batch, Place};
use nft::chain::{Chain, Policy, hook};
use nft::conn::Dump;
use nft::data::Register;
use nft::element::{Element, Elements};
use nft::event::Event;
use nft::expr::build::{accept, counter, lookup};
use nft::message::{Body, Family, Message, Op};
use nft::net::{AsyncClient, Client, Events, NetError};
use nft::object::{Object, ObjectData};
use nft::rule::{OwnedRule, Rule};
use nft::ruleset::TableState;
use nft::set::{DataType, Set};
use nft::snapshot::Scope;
use nft::table::{Table, TableFlags};
use nft::wire::Flags;

use crate::namespace::{isolated, nft, tool, try_tool};

const INET: Family = Family::INET;

fn base_table(client: &mut Client) {
    let mut batch = Batch::new();
    batch.add_table(INET, &Table::new("t"));
    batch.add_chain(INET, &Chain::base("t", "c", hook::INPUT, 0, Policy::ACCEPT));
    client.commit(batch, None).unwrap();
}

#[test]
fn failing_batch_applies_nothing_and_names_every_culprit() {
    isolated(|| {
        let mut client = Client::open().unwrap();
        base_table(&mut client);
        let before = tool("nft", &["-j", "list", "ruleset"], "");
        let mut batch = Batch::new();
        batch.add_rule(INET, &Rule::new("t", "c", vec![accept()]));
        batch.add_rule(
            INET,
            &Rule::new("t", "absent", vec![accept()]).commented("one"),
        );
        batch.add_set(INET, &Set::new("t", "fine", &[DataType::MARK]));
        let exprs = vec![counter(), lookup("missing", Register::R1)];
        batch.add_rule(INET, &Rule::new("t", "c", exprs));
        let error = client.commit(batch, None).unwrap_err();
        let NetError::Refused(errors) = error else {
            panic!("{error}")
        };
        let told: Vec<_> = errors
            .iter()
            .map(|e| (e.index, e.errno, e.to_string()))
            .collect();
        assert_eq!(told.len(), 2, "{told:#?}");
        assert_eq!((told[0].0, told[0].1), (Some(1), 2));
        assert!(
            told[0].2.contains("new-rule inet t absent \"one\""),
            "{}",
            told[0].2
        );
        assert!(told[0].2.contains("at chain"), "{}", told[0].2);
        assert_eq!((told[1].0, told[1].1), (Some(3), 2));
        assert!(
            told[1].2.contains("at expressions[1] lookup"),
            "{}",
            told[1].2
        );
        assert_eq!(tool("nft", &["-j", "list", "ruleset"], ""), before);
    });
}

#[test]
fn error_found_at_commit_refuses_the_batch() {
    isolated(|| {
        let mut client = Client::open().unwrap();
        base_table(&mut client);
        // An anonymous set that no rule uses is found only at the commit.
        let mut owned = OwnedRule::default();
        let (_, id) = owned.add_set(Set::new("t", "", &[DataType::MARK]), Vec::new());
        let mut set = owned.sets[0].set.clone();
        set.table = "t".into();
        set.id = Some(id);
        let mut batch = Batch::new();
        batch.add_rule(INET, &Rule::new("t", "c", vec![accept()]));
        batch.add_set(INET, &set);
        let error = client.commit(batch, None).unwrap_err();
        assert!(matches!(error, NetError::Refused(_)), "{error}");
        let picture = client.snapshot(Scope::Table(INET, "t".into())).unwrap();
        assert_eq!(
            picture
                .ruleset
                .table(INET, &"t".into())
                .unwrap()
                .rule_count(),
            0
        );
        // The connection is still usable: stray replies of the failed batch are ignored.
        let mut batch = Batch::new();
        batch.add_rule(INET, &Rule::new("t", "c", vec![accept()]));
        client.commit(batch, None).unwrap();
    });
}

#[test]
fn big_batch_needs_no_preparation() {
    isolated(|| {
        let mut client = Client::open().unwrap();
        base_table(&mut client);
        let mut batch = Batch::new();
        for i in 0..20_000_u32 {
            let rule = Rule::new("t", "c", vec![counter(), accept()]).commented(&i.to_string());
            batch.add_rule(INET, &rule);
        }
        assert!(batch.byte_len() > 2 << 20);
        client.commit(batch, None).unwrap();
        // Every operation fails: the errors fit into the receive buffer.
        let mut batch = Batch::new();
        for _ in 0..20_000 {
            batch.add_rule(INET, &Rule::new("t", "absent", vec![accept()]));
        }
        match client.commit(batch, None).unwrap_err() {
            NetError::Refused(errors) => assert_eq!(errors.len(), 20_000),
            other => panic!("{other}"),
        }
        let picture = client.snapshot(Scope::Table(INET, "t".into())).unwrap();
        let rules = &picture.ruleset.table(INET, &"t".into()).unwrap().chains[&b"c"[..]].rules;
        assert_eq!(rules.len(), 20_000);
        let order = rules.iter().enumerate();
        assert!(
            order
                .into_iter()
                .all(|(i, r)| r.rule.comment() == Some(i.to_string()))
        );
    });
}

#[test]
fn stale_generation_is_refused_and_retried() {
    isolated(|| {
        let mut client = Client::open().unwrap();
        base_table(&mut client);
        let generation = client.generation().unwrap();
        nft("add table inet foreign");
        let mut batch = Batch::new();
        batch.add_rule(INET, &Rule::new("t", "c", vec![accept()]));
        let error = client.commit(batch, Some(generation)).unwrap_err();
        assert!(matches!(error, NetError::Stale), "{error}");

        // A foreign commit between reading and writing, twice.
        let mut foreign = 0;
        let attempts = client
            .transact(&Scope::Table(INET, "t".into()), 5, |ruleset| {
                let rules = ruleset.table(INET, &"t".into()).unwrap().rule_count();
                if foreign < 2 {
                    foreign += 1;
                    nft("add rule inet t c counter");
                }
                let mut batch = Batch::new();
                let rule = Rule::new("t", "c", vec![accept()]);
                batch.add_rule(INET, &rule.commented(&format!("saw {rules}")));
                batch
            })
            .unwrap();
        assert_eq!(attempts, 3);
        let list = tool("nft", &["list", "chain", "inet", "t", "c"], "");
        assert!(list.contains("saw 2") && !list.contains("saw 0"), "{list}");
    });
}

#[test]
fn interrupted_dump_is_repeated() {
    isolated(|| {
        let mut client = Client::open().unwrap();
        base_table(&mut client);
        let mut batch = Batch::new();
        for _ in 0..5_000 {
            batch.add_rule(INET, &Rule::new("t", "c", vec![counter(), accept()]));
        }
        client.commit(batch, None).unwrap();
        // Read half of a dump by hand, commit, read on: the connection must start again.
        let mut channel = nft::net::Channel::open().unwrap();
        let mut connection = nft::conn::Connection::default();
        let dump = Dump::new(Op::GET_RULE, INET, Body::Empty);
        let now = Duration::ZERO;
        connection.submit(nft::conn::Request::Dump(Box::new(dump)), now);
        let mut sent = 0;
        let mut received = 0;
        let outcome = loop {
            while let Some(bytes) = connection.poll_transmit() {
                sent += 1;
                channel.send(&bytes, 0).unwrap();
            }
            if let Some((_, outcome)) = connection.poll_outcome() {
                break outcome;
            }
            connection.handle_input(channel.receive().unwrap(), now);
            received += 1;
            if received == 2 {
                nft("insert rule inet t c drop");
            }
        };
        let nft::conn::Outcome::Dumped(rules) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(sent, 2, "the dump was asked for twice");
        assert_eq!(rules.len(), 5_001);
    });
}

#[test]
fn echo_returns_handles() {
    isolated(|| {
        let mut client = Client::open().unwrap();
        base_table(&mut client);
        let rule = Rule::new("t", "c", vec![accept()]);
        let mut batch = Batch::new();
        let flags = Flags::CREATE.with(Flags::APPEND).with(Flags::ECHO);
        batch.op(Op::NEW_RULE, INET, flags, &rule);
        batch.op(Op::NEW_RULE, INET, flags, &rule);
        let echoed = client.commit(batch, None).unwrap();
        let handles: Vec<_> = echoed
            .iter()
            .map(|message| match &message.body {
                Body::Rule(rule) => rule.handle.unwrap(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(handles.len(), 2);
        // The handles serve for placing, replacing and deleting.
        let owned = |comment: &str| {
            OwnedRule::from(Rule::new("t", "c", vec![counter()]).commented(comment))
        };
        let mut batch = Batch::new();
        batch.add_owned_rule(INET, &owned("before second"), Place::Before(handles[1]));
        batch.add_owned_rule(INET, &owned("after second"), Place::After(handles[1]));
        batch.add_owned_rule(INET, &owned("first"), Place::First);
        batch.add_owned_rule(INET, &owned("replaced"), Place::Replace(handles[0]));
        batch.delete_rule(INET, &"t".into(), &"c".into(), handles[1]);
        client.commit(batch, None).unwrap();
        let picture = client.snapshot(Scope::Table(INET, "t".into())).unwrap();
        let table = picture.ruleset.table(INET, &"t".into()).unwrap();
        let comments: Vec<_> = table.chains[&b"c"[..]]
            .rules
            .iter()
            .map(|owned| owned.rule.comment().unwrap())
            .collect();
        assert_eq!(
            comments,
            ["first", "replaced", "before second", "after second"]
        );
    });
}

#[test]
fn events_tell_own_from_foreign_commits() {
    isolated(|| {
        let mut events = Events::open().unwrap();
        let mut client = Client::open().unwrap();
        base_table(&mut client);
        nft("add rule inet t c counter");
        let patience = Duration::from_secs(2);
        let mut seen = Vec::new();
        for _ in 0..2 {
            match events.wait(patience).unwrap() {
                Some(Event::Commit {
                    generation,
                    port,
                    changes,
                }) => {
                    let name = generation.process_name.unwrap_or_default().to_text();
                    seen.push((port == client.port(), changes.len(), name, generation.id));
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(seen[0].0 && seen[0].1 == 2, "{seen:?}");
        assert!(
            !seen[1].0 && seen[1].1 == 1 && seen[1].2 == "nft",
            "{seen:?}"
        );
        assert_eq!(seen[1].3, seen[0].3 + 1);
        assert_eq!(client.generation().unwrap(), seen[1].3);
        assert!(events.wait(Duration::from_millis(20)).unwrap().is_none());
    });
}

#[test]
fn lost_events_are_reported() {
    isolated(|| {
        let mut client = Client::open().unwrap();
        base_table(&mut client);
        let channel = nft::net::Channel::open().unwrap();
        channel.size_receive(4096);
        channel.join(nft::message::GROUP_NFTABLES).unwrap();
        let mut batch = Batch::new();
        for _ in 0..2_000 {
            batch.add_rule(INET, &Rule::new("t", "c", vec![accept()]));
        }
        client.commit(batch, None).unwrap();
        let mut channel = channel;
        let mut monitor = nft::event::Monitor::new();
        let mut overruns = 0;
        loop {
            match channel.try_receive() {
                Ok(Some(bytes)) => monitor.handle_input(bytes),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(error.raw_os_error(), Some(105), "{error}");
                    overruns += 1;
                    monitor.handle_overrun();
                }
            }
        }
        assert_eq!(overruns, 1);
        assert_eq!(monitor.poll(), Some(Event::Lost));
    });
}

#[test]
fn owned_persistent_table_survives_and_is_adopted() {
    isolated(|| {
        let claim = || {
            let mut batch = Batch::new();
            batch.add_table(INET, &Table::owned("mine"));
            batch
        };
        let mut client = Client::open().unwrap();
        client.commit(claim(), None).unwrap();
        let mut batch = Batch::new();
        batch.add_chain(
            INET,
            &Chain::base("mine", "c", hook::INPUT, 0, Policy::ACCEPT),
        );
        batch.add_rule(INET, &Rule::new("mine", "c", vec![accept()]));
        client.commit(batch, None).unwrap();

        nft("flush ruleset");
        assert!(
            tool("nft", &["list", "ruleset"], "").contains("accept"),
            "flush changed it"
        );
        let edit = try_tool("nft", &["add", "rule", "inet", "mine", "c", "drop"], "");
        assert!(edit.unwrap_err().contains("Operation not permitted"));
        let mut other = Client::open().unwrap();
        let error = other.commit(claim(), None).unwrap_err();
        assert!(
            matches!(&error, NetError::Refused(e) if e[0].errno == 1),
            "{error}"
        );

        // The owner's socket closes: the table stays, and the next owner takes it over.
        drop(client);
        assert!(tool("nft", &["list", "ruleset"], "").contains("accept"));
        let scope = Scope::Table(INET, "mine".into());
        let picture = other.snapshot(scope).unwrap();
        let there = picture.ruleset.table(INET, &"mine".into()).unwrap();
        assert_eq!(there.table.flags, TableFlags::PERSIST);
        let mut wanted = there.intended();
        wanted.table = Table::owned("mine");
        let changes = nft::diff::table(&wanted, Some(there));
        assert_eq!(changes.len(), 1, "{changes:?}");
        other.commit(changes.iter().collect(), None).unwrap();
        nft("flush ruleset");
        let picture = other.snapshot(Scope::Table(INET, "mine".into())).unwrap();
        let table = picture.ruleset.table(INET, &"mine".into()).unwrap();
        assert_eq!(table.rule_count(), 1);
        assert_eq!(table.table.intended(), Table::owned("mine"));
        assert_eq!(table.table.owner, Some(other.port()));
    });
}

#[test]
fn generation_moves_only_with_changes() {
    isolated(|| {
        let mut client = Client::open().unwrap();
        base_table(&mut client);
        let generation = client.generation().unwrap();
        assert_eq!(client.commit(Batch::new(), None).unwrap().len(), 0);
        assert_eq!(client.generation().unwrap(), generation);
        let mut batch = Batch::new();
        batch.add_set(INET, &Set::new("t", "s", &[DataType::IPV4_ADDR]));
        batch.add_elements(
            INET,
            &"t".into(),
            &"s".into(),
            &[Element::key([1, 2, 3, 4])],
        );
        client.commit(batch, Some(generation)).unwrap();
        assert_eq!(client.generation().unwrap(), generation + 1);
    });
}

#[test]
fn tokio_client_does_the_same() {
    isolated(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut events = Events::open().unwrap().into_async().unwrap();
            let mut client = AsyncClient::open().unwrap();
            let mut table = TableState::new(INET, Table::new("t"));
            table.add_chain(Chain::base("t", "c", hook::INPUT, 0, Policy::ACCEPT));
            for _ in 0..3_000 {
                table.add_rule(Rule::new("t", "c", vec![counter(), accept()]));
            }
            let mut batch = Batch::new();
            table.replace(&mut batch);
            client.commit(batch, None).await.unwrap();
            let scope = Scope::Table(INET, "t".into());
            let picture = client.snapshot(scope.clone()).await.unwrap();
            let read = picture.ruleset.table(INET, &"t".into()).unwrap();
            assert_eq!(read.intended(), table.intended());
            let mut first = true;
            let attempts = client
                .transact(&scope, 3, |_| {
                    if core::mem::take(&mut first) {
                        nft("add table inet foreign");
                    }
                    let mut batch = Batch::new();
                    batch.add_rule(INET, &Rule::new("t", "c", vec![accept()]));
                    batch
                })
                .await
                .unwrap();
            assert_eq!(attempts, 2);
            let mut batch = Batch::new();
            batch.add_rule(INET, &Rule::new("t", "absent", vec![accept()]));
            let refused = client.commit(batch, None).await.unwrap_err();
            assert!(matches!(refused, NetError::Refused(_)), "{refused}");
            for expected in ["own", "foreign", "own"] {
                let event = tokio::time::timeout(Duration::from_secs(2), events.next());
                let Event::Commit { port, .. } = event.await.unwrap().unwrap() else {
                    panic!("no commit")
                };
                assert_eq!(port == client.port(), expected == "own");
            }
        });
    });
}

#[test]
fn one_element_is_looked_up() {
    isolated(|| {
        let mut client = Client::open().unwrap();
        nft(
            "table inet t { set s { type ipv4_addr; counter; }; counter c { packets 5 bytes 9; }; }",
        );
        nft("add element inet t s { 10.0.0.1, 10.0.0.2 }");
        let mut look = |address: [u8; 4]| {
            let list = Elements::new("t", "s", vec![Element::key(address)]);
            let request = Message::request(Op::GET_SETELEM, INET, Flags::default(), list);
            client.get(request).unwrap()
        };
        assert_eq!(look([10, 0, 0, 2]).len(), 1);
        assert!(look([10, 0, 0, 3]).is_empty());
        // Reading a counter with reset: the second reading is zero.
        for expected in [5, 0] {
            let filter = Object {
                table: "t".into(),
                ..Object::default()
            };
            let dump = Dump::new(Op::GET_OBJ_RESET, INET, filter);
            let objects = client.dump(dump).unwrap();
            let Body::Object(object) = &objects[0].body else {
                panic!("{objects:?}")
            };
            let Some(ObjectData::Counter(counts)) = &object.data else {
                panic!("{object:?}")
            };
            assert_eq!(counts.packets, expected);
        }
    });
}
