//! The executor of rows against a real ovsdb-server and ovs-vswitchd. `ovs-vsctl` is the other witness.

mod exec_bed;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use exec_bed::{LIMIT, Mailbox, block_on};
use testbed::{Datapath, Namespace, Scratch, Switch};
use tokio::sync::mpsc;
use uuid::Uuid;
use vifd::exec::ovsdb::{Settings, spawn};
use vifd::model::observed::{OfportState, VlanHint};
use vifd::model::{Fact, HostName, Ofport, PortFact};
use vifd::ops::row::{BridgeRow, PortRow, Row, RowKey, VifId, VifRow};
use vifd::ops::{ExecEvent, Items, Outcome, Target};
use vifd::telemetry::SwitchTraffic;

const NETWORK: &str = "11111111-2222-4333-8444-555555555555";
const PORT: &str = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";

struct Bed {
    switch: Switch,
    _scratch: Scratch,
}

impl Bed {
    fn new() -> Bed {
        let scratch = Scratch::new().unwrap();
        let namespace = Namespace::new(false).unwrap();
        let switch = Switch::start(&namespace, scratch.path(), Datapath::Netdev).unwrap();
        Bed {
            switch,
            _scratch: scratch,
        }
    }

    fn vsctl(&self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.switch.vsctl(&words).unwrap().trim().to_owned()
    }

    fn settings(&self, host: &str, bridge: &str) -> Settings {
        Settings {
            connection: self.switch.ovsdb_address(),
            tls: None,
            timeout: Duration::from_secs(10),
            integration_bridge: bridge.into(),
            host: HostName(host.into()),
        }
    }

    fn executor(&self) -> (Mailbox, SwitchTraffic) {
        let (sender, events) = mpsc::channel(16);
        let traffic = SwitchTraffic::default();
        let batches = spawn(self.settings("hv1", "br-int"), sender, traffic.clone());
        (Mailbox::new(Target::Rows, events, batches), traffic)
    }
}

async fn complete(mailbox: &mut Mailbox) -> (i64, i64) {
    mailbox
        .fact("a complete replica", |fact| match fact {
            Fact::SwitchComplete { cur_cfg, next_cfg } => Some((*cur_cfg, *next_cfg)),
            _ => None,
        })
        .await
}

async fn lost(mailbox: &mut Mailbox) -> Arc<str> {
    mailbox
        .fact("the loss", |fact| match fact {
            Fact::SwitchLost { reason } => Some(reason.clone()),
            _ => None,
        })
        .await
}

/// The last that was told of a port.
fn last_port(mailbox: &Mailbox, name: &str) -> Option<PortFact> {
    let mut last = None;
    for fact in mailbox.facts() {
        match fact {
            Fact::Port(port) if &*port.name == name => last = Some(port.clone()),
            Fact::PortGone(gone) if &**gone == name => last = None,
            _ => {}
        }
    }
    last
}

async fn port(mailbox: &mut Mailbox, name: &str, wanted: impl Fn(&PortFact) -> bool) -> PortFact {
    if let Some(port) = last_port(mailbox, name).filter(|port| wanted(port)) {
        return port;
    }
    mailbox
        .fact(name, |fact| match fact {
            Fact::Port(port) if &*port.name == name && wanted(port) => Some(port.clone()),
            _ => None,
        })
        .await
}

fn is_assigned(port: &PortFact) -> bool {
    matches!(port.ofport, OfportState::Assigned(_))
}

fn bridge(name: &str) -> (RowKey, Option<Row>) {
    let row = BridgeRow {
        datapath_type: Some("netdev".into()),
        fail_mode: Some("secure".into()),
        create: true,
    };
    (RowKey::Bridge(name.into()), Some(Row::Bridge(row)))
}

fn patch(name: &str, bridge: &str, peer: &str) -> (RowKey, Option<Row>) {
    let options = BTreeMap::from([("peer".into(), peer.into())]);
    let row = PortRow {
        bridge: bridge.into(),
        kind: "patch".into(),
        options,
    };
    (RowKey::Port(name.into()), Some(Row::Port(row)))
}

fn hint(tag: u16) -> VlanHint {
    VlanHint {
        network: NETWORK.parse().unwrap(),
        network_type: "vxlan".into(),
        physical_network: None,
        segmentation_id: Some(77),
        tag,
    }
}

/// A tag for the VIF of that name, as it was last told of.
fn vif(mailbox: &Mailbox, name: &str, tag: u16, hint: Option<VlanHint>) -> (RowKey, Option<Row>) {
    let vif = VifId {
        row: last_port(mailbox, name).map_or_else(Uuid::nil, |port| port.row),
        iface_id: PORT.parse().unwrap(),
        ofport: None,
    };
    let row = VifRow { vif, tag, hint };
    (RowKey::Vif(name.into()), Some(Row::Vif(row)))
}

fn rows<const N: usize>(items: [(RowKey, Option<Row>); N]) -> Items {
    Items::Rows(items.into())
}

/// The batch was carried out and nothing of it refused; its `next_cfg`.
#[track_caller]
fn done(outcome: Outcome) -> Option<i64> {
    match outcome {
        Outcome::Done { refused, next_cfg } if refused.is_empty() => next_cfg,
        other => panic!("{other:?}"),
    }
}

async fn applied(mailbox: &mut Mailbox, next_cfg: i64) {
    let is = |fact: &Fact| matches!(fact, Fact::Applied(cfg) if *cfg >= next_cfg);
    if !mailbox.facts().any(is) {
        mailbox
            .fact("next_cfg applied", |fact| is(fact).then_some(()))
            .await;
    }
}

#[test]
fn bridges_ports_and_tags() {
    let bed = Bed::new();
    block_on(async {
        let (mut mailbox, traffic) = bed.executor();
        complete(&mut mailbox).await;

        // Two bridges and the pair between them, all in one transaction.
        let base = || {
            rows([
                bridge("br-int"),
                bridge("br-tun"),
                patch("pi", "br-int", "pt"),
                patch("pt", "br-tun", "pi"),
            ])
        };
        let next_cfg = done(mailbox.carry_out(base()).await).expect("something was written");
        // Told before the answer, before ovs-vswitchd has looked.
        for name in ["br-int", "br-tun"] {
            let told = mailbox.facts().any(|fact| matches!(fact, Fact::Bridge(b) if &*b.name == name
                && &*b.datapath_type == "netdev" && b.fail_mode.as_deref() == Some("secure") && b.owner.as_deref() == Some("hv1")));
            assert!(told, "{name}");
            let local = last_port(&mailbox, name).expect("the bridge's own port");
            assert_eq!(local.owner, None, "nothing of its own to remove");
        }
        let told = last_port(&mailbox, "pi").unwrap();
        assert_eq!(
            (&*told.bridge, &*told.kind, told.owner.as_deref()),
            ("br-int", "patch", Some("hv1"))
        );
        assert_eq!(told.options.get("peer").map(|p| &**p), Some("pt"));
        applied(&mut mailbox, next_cfg).await;
        port(&mut mailbox, "pi", is_assigned).await;
        assert_eq!(
            bed.vsctl("get Bridge br-tun fail_mode datapath_type external_ids:vifd-owner"),
            "secure\nnetdev\nhv1"
        );
        assert_eq!(bed.vsctl("list-ports br-tun"), "pt");

        // Asking for what stands writes nothing.
        let transactions = traffic.ovsdb_transactions.get();
        assert_eq!(done(mailbox.carry_out(base()).await), None);
        assert_eq!(traffic.ovsdb_transactions.get(), transactions);

        // Somebody plugs a VIF.
        let plug = format!(
            "add-port br-int tap1 tag=4095 vlan_mode=access other_config:mine=1 -- set Interface tap1 type=internal \
             external_ids:iface-id={PORT} external_ids:attached-mac=fa:16:3e:00:00:01"
        );
        bed.vsctl(&plug);
        let told = port(&mut mailbox, "tap1", is_assigned).await;
        assert_eq!((told.tag, told.trunk), (Some(4095), true));
        assert_eq!(told.iface_id, Some(PORT.parse().unwrap()));
        assert_eq!(
            told.attached_mac,
            Some("fa:16:3e:00:00:01".parse().unwrap())
        );
        assert_eq!((told.hint, told.owner), (None, None));

        // It gets its tag; what is not ours in other_config stays.
        let next_cfg = done(
            mailbox
                .carry_out(rows([vif(&mailbox, "tap1", 5, Some(hint(5)))]))
                .await,
        )
        .unwrap();
        let told = last_port(&mailbox, "tap1").unwrap();
        assert_eq!(
            (told.tag, told.trunk, told.hint),
            (Some(5), false, Some(hint(5)))
        );
        applied(&mut mailbox, next_cfg).await;
        assert_eq!(
            bed.vsctl(
                "get Port tap1 tag vlan_mode other_config:mine other_config:physical_network"
            ),
            "5\n[]\n\"1\"\nNone"
        );
        let local = VlanHint {
            network_type: "local".into(),
            segmentation_id: None,
            ..hint(6)
        };
        done(
            mailbox
                .carry_out(rows([vif(&mailbox, "tap1", 6, Some(local.clone()))]))
                .await,
        )
        .unwrap();
        assert_eq!(
            last_port(&mailbox, "tap1").unwrap().hint,
            Some(local.clone())
        );
        done(
            mailbox
                .carry_out(rows([vif(&mailbox, "tap1", 4095, None)]))
                .await,
        )
        .unwrap();
        let told = last_port(&mailbox, "tap1").unwrap();
        assert_eq!(
            (told.tag, told.hint),
            (Some(4095), Some(local)),
            "no hint asked for: the old one stays"
        );

        // A VIF that is gone is refused, the others go on.
        let outcome = mailbox
            .carry_out(rows([
                vif(&mailbox, "tap9", 5, None),
                vif(&mailbox, "tap1", 7, None),
            ]))
            .await;
        let Outcome::Done {
            refused,
            next_cfg: Some(_),
        } = outcome
        else {
            panic!("{outcome:?}")
        };
        assert_eq!(refused.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0]);
        assert!(refused[0].1.contains("no port tap9"), "{refused:?}");
        bed.vsctl("del-port tap1");
        mailbox
            .fact("tap1 gone", |fact| {
                (*fact == Fact::PortGone("tap1".into())).then_some(())
            })
            .await;

        // A port that moved is moved back and gets its options; a key of somebody else stays.
        bed.vsctl("del-port pt -- add-port br-int pt -- set Interface pt type=patch options:peer=x options:more=1 -- set Port pt external_ids:vifd-owner=hv1");
        port(&mut mailbox, "pt", |port| &*port.bridge == "br-int").await;
        done(mailbox.carry_out(base()).await).unwrap();
        let told = last_port(&mailbox, "pt").unwrap();
        assert_eq!(
            (&*told.bridge, told.options.get("peer").map(|p| &**p)),
            ("br-tun", Some("pi"))
        );
        assert_eq!(told.options.get("more").map(|v| &**v), Some("1"));

        // Only what bears the mark is removed.
        bed.vsctl("add-port br-tun foreign -- set Interface foreign type=internal -- add-port br-tun theirs -- set Interface theirs type=internal -- set Port theirs external_ids:vifd-owner=hv2");
        port(&mut mailbox, "theirs", |_| true).await;
        port(&mut mailbox, "foreign", |_| true).await;
        let names = ["pt", "foreign", "theirs", "nobody"];
        let outcome = mailbox
            .carry_out(rows(names.map(|name| (RowKey::Port(name.into()), None))))
            .await;
        let Outcome::Done { refused, .. } = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(
            refused.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
            [1, 2],
            "{refused:?}"
        );
        assert_eq!(bed.vsctl("list-ports br-tun"), "foreign\ntheirs");
        assert_eq!(last_port(&mailbox, "pt"), None);
    });
}

#[test]
fn a_row_at_fault_is_named() {
    let bed = Bed::new();
    block_on(async {
        let (mut mailbox, _) = bed.executor();
        complete(&mut mailbox).await;
        done(mailbox.carry_out(rows([bridge("br-int")])).await).unwrap();
        bed.vsctl(&format!(
            "add-port br-int tap1 -- set Interface tap1 type=internal external_ids:iface-id={PORT}"
        ));
        port(&mut mailbox, "tap1", |_| true).await;

        // At an operation: the schema does not allow the value.
        let bad = BridgeRow {
            datapath_type: None,
            fail_mode: Some("perhaps".into()),
            create: false,
        };
        let bad = (RowKey::Bridge("br-int".into()), Some(Row::Bridge(bad)));
        let outcome = mailbox
            .carry_out(rows([vif(&mailbox, "tap1", 9, None), bad]))
            .await;
        let Outcome::Rejected {
            at: Some(1),
            reason,
        } = outcome
        else {
            panic!("{outcome:?}")
        };
        assert!(reason.contains("allowed values"), "{reason}");
        assert_eq!(
            bed.vsctl("get Port tap1 tag"),
            "[]",
            "nothing of a rejected batch stands"
        );

        // At the commit: the name is that of an interface in a bond.
        bed.vsctl("add-bond br-int bond0 m1 m2 -- set Interface m1 type=internal -- set Interface m2 type=internal");
        port(&mut mailbox, "bond0", |_| true).await;
        let outcome = mailbox
            .carry_out(rows([
                vif(&mailbox, "tap1", 9, None),
                patch("m1", "br-int", "x"),
            ]))
            .await;
        let Outcome::Rejected { at: None, reason } = outcome else {
            panic!("{outcome:?}")
        };
        assert!(reason.contains("constraint violation"), "{reason}");

        // Before anything is sent: a bridge that nobody makes.
        let outcome = mailbox
            .carry_out(rows([
                patch("p", "br-ex", "x"),
                vif(&mailbox, "tap1", 9, None),
            ]))
            .await;
        let Outcome::Done {
            refused,
            next_cfg: Some(_),
        } = outcome
        else {
            panic!("{outcome:?}")
        };
        assert!(
            refused[0].0 == 0 && refused[0].1.contains("no bridge br-ex"),
            "{refused:?}"
        );
    });
}

/// Everything that was told, folded: what the agent believes.
fn belief(mailbox: &Mailbox) -> (Vec<String>, BTreeMap<String, Option<u16>>) {
    let (mut bridges, mut ports) = (BTreeMap::new(), BTreeMap::new());
    for fact in mailbox.facts() {
        match fact {
            Fact::SwitchBegin => {
                bridges.clear();
                ports.clear();
            }
            Fact::Bridge(bridge) => drop(bridges.insert(bridge.name.to_string(), ())),
            Fact::BridgeGone(name) => drop(bridges.remove(&**name)),
            Fact::Port(port) => drop(ports.insert(port.name.to_string(), port.tag)),
            Fact::PortGone(name) => drop(ports.remove(&**name)),
            _ => {}
        }
    }
    (bridges.into_keys().collect(), ports)
}

#[test]
fn restarts_of_both_daemons_while_batches_run() {
    let mut bed = Bed::new();
    block_on(async {
        let (mut mailbox, _) = bed.executor();
        complete(&mut mailbox).await;
        let next_cfg = done(mailbox.carry_out(rows([bridge("br-int")])).await).unwrap();
        applied(&mut mailbox, next_cfg).await;
        let plug: String = (0..8)
            .map(|i| {
                format!(
                    " -- add-port br-int tap{i} -- set Interface tap{i} type=internal external_ids:iface-id={PORT}"
                )
            })
            .collect();
        bed.vsctl(plug.trim_start_matches(" -- "));
        port(&mut mailbox, "tap7", is_assigned).await;

        for round in 0..3u16 {
            // ovs-vswitchd: rows are still written, `cur_cfg` follows when it is back.
            bed.switch.kill_vswitchd().unwrap();
            let tag = 100 + round;
            let items = (0..8)
                .map(|i| vif(&mailbox, &format!("tap{i}"), tag, None))
                .collect();
            let next_cfg = done(mailbox.carry_out(Items::Rows(items)).await).unwrap();
            bed.switch.spawn_vswitchd().unwrap();
            applied(&mut mailbox, next_cfg).await;

            // ovsdb-server: a batch under way is lost or done, and the listing afterwards says what stands.
            let tag = 200 + round;
            let items: Vec<_> = (0..8)
                .map(|i| vif(&mailbox, &format!("tap{i}"), tag, None))
                .collect();
            let before = mailbox.seen.len();
            let id = mailbox.submit(Items::Rows(items.clone())).await;
            tokio::task::yield_now().await;
            bed.switch.kill_database().unwrap();
            let outcome = mailbox.outcome(id).await;
            assert!(
                matches!(outcome, Outcome::Lost { .. } | Outcome::Done { .. }),
                "{outcome:?}"
            );
            if !mailbox.seen[before..].iter().any(
                |e| matches!(e, ExecEvent::Facts(f) if matches!(f[..], [Fact::SwitchLost { .. }])),
            ) {
                lost(&mut mailbox).await;
            }
            let refused = mailbox.carry_out(Items::Rows(items.clone())).await;
            assert!(matches!(refused, Outcome::Lost { .. }), "{refused:?}");
            bed.vsctl_is_away();
            bed.switch.start_database().unwrap();
            complete(&mut mailbox).await;
            let (bridges, ports) = belief(&mailbox);
            assert_eq!(bridges, ["br-int"]);
            for i in 0..8 {
                let name = format!("tap{i}");
                let stands = bed.vsctl(&format!("get Port {name} tag"));
                assert_eq!(ports[&name].map(|t| t.to_string()), Some(stands), "{name}");
            }
            done(mailbox.carry_out(Items::Rows(items)).await);
            assert_eq!(belief(&mailbox).1["tap3"], Some(tag));
        }
    });
}

impl Bed {
    fn vsctl_is_away(&self) {
        assert!(self.switch.vsctl(&["--timeout=1", "list-br"]).is_err());
    }
}

#[test]
fn one_agent_at_a_time() {
    let bed = Bed::new();
    block_on(async {
        let (mut first, _) = bed.executor();
        complete(&mut first).await;

        let (mut second, _) = bed.executor();
        let reason = lost(&mut second).await;
        assert!(reason.contains("another vifd holds br-int"), "{reason}");
        assert!(
            !second.facts().any(|fact| matches!(fact, Fact::SwitchBegin)),
            "nothing is told before"
        );
        let outcome = second.carry_out(rows([bridge("br-int")])).await;
        assert!(matches!(outcome, Outcome::Lost { .. }), "{outcome:?}");
        assert_eq!(bed.vsctl("list-br"), "");

        // One for another bridge is not in the way.
        let (sender, events) = mpsc::channel(16);
        let batches = spawn(
            bed.settings("hv2", "br-other"),
            sender,
            SwitchTraffic::default(),
        );
        complete(&mut Mailbox::new(Target::Rows, events, batches)).await;

        // The first goes, as an agent that is killed: its connection ends.
        done(first.carry_out(rows([bridge("br-int")])).await).unwrap();
        drop(first);
        complete(&mut second).await;
        assert_eq!(belief(&second).0, ["br-int"]);
        assert_eq!(done(second.carry_out(rows([bridge("br-int")])).await), None);
    });
}

#[test]
fn a_server_that_comes_later_and_a_bad_address() {
    let mut bed = Bed::new();
    bed.switch.kill_database().unwrap();
    block_on(async {
        let (mut mailbox, _) = bed.executor();
        let reason = lost(&mut mailbox).await;
        assert!(
            reason.contains("no connection to ovsdb-server at unix:"),
            "{reason}"
        );
        bed.switch.start_database().unwrap();
        complete(&mut mailbox).await;

        let (sender, events) = mpsc::channel(16);
        let settings = Settings {
            connection: "punix:/x".into(),
            ..bed.settings("hv1", "br-int")
        };
        let batches = spawn(settings, sender, SwitchTraffic::default());
        let mut mailbox = Mailbox::new(Target::Rows, events, batches);
        let reason = lost(&mut mailbox).await;
        assert!(reason.contains("unix:, tcp: or ssl:"), "{reason}");
    });
}

/// A VIF is plugged anew under its name, changes hands or changes its number while its tag is under way. What the replica
/// shows already is refused without asking; what it does not show yet the server refuses.
#[test]
fn a_tag_reaches_the_vif_that_was_meant_or_none() {
    let bed = Bed::new();
    let other = "aaaaaaaa-bbbb-4ccc-8ddd-ffffffffffff";
    block_on(async {
        let (mut mailbox, _) = bed.executor();
        complete(&mut mailbox).await;
        let next_cfg = done(mailbox.carry_out(rows([bridge("br-int")])).await).unwrap();
        applied(&mut mailbox, next_cfg).await;
        let plug = |id: &str| {
            format!(
                "add-port br-int tap1 -- set Interface tap1 type=internal external_ids:iface-id={id}"
            )
        };
        bed.vsctl(&plug(PORT));
        let first = port(&mut mailbox, "tap1", is_assigned).await;
        let OfportState::Assigned(number) = first.ofport else {
            panic!("{first:?}")
        };
        let meant = |ofport| {
            let vif = VifId {
                row: first.row,
                iface_id: PORT.parse().unwrap(),
                ofport,
            };
            let row = VifRow {
                vif,
                tag: 5,
                hint: Some(hint(5)),
            };
            rows([(RowKey::Vif("tap1".into()), Some(Row::Vif(row)))])
        };
        done(mailbox.carry_out(meant(Some(number))).await).unwrap();
        assert_eq!(bed.vsctl("get Port tap1 tag"), "5");

        // Another number, as the replica shows.
        let elsewhere = Ofport::new(i64::from(number.number()) + 1);
        let outcome = mailbox.carry_out(meant(elsewhere)).await;
        assert!(is_refused(&outcome, "another number"), "{outcome:?}");

        // The row changes hands. The executor has not run since when it is asked, so that at least once the server
        // decides.
        bed.vsctl("clear Port tap1 tag");
        port(&mut mailbox, "tap1", |told| told.tag.is_none()).await;
        let mut decided = 0;
        for _ in 0..20 {
            bed.vsctl(&format!("set Interface tap1 external_ids:iface-id={other}"));
            let outcome = mailbox.carry_out(meant(None)).await;
            if let Outcome::Rejected {
                at: Some(0),
                reason,
            } = &outcome
            {
                assert!(reason.contains("timed out"), "{reason}");
                decided += 1;
            } else {
                assert!(is_refused(&outcome, "another VIF's"), "{outcome:?}");
            }
            assert_eq!(bed.vsctl("get Port tap1 tag"), "[]");
            bed.vsctl(&format!("set Interface tap1 external_ids:iface-id={PORT}"));
            port(&mut mailbox, "tap1", |told| {
                told.iface_id == Some(PORT.parse().unwrap())
            })
            .await;
        }
        assert!(decided > 0, "the replica was always quicker");

        // Plugged anew, by the same id.
        bed.vsctl(&format!("del-port tap1 -- {}", plug(PORT)));
        let outcome = mailbox.carry_out(meant(None)).await;
        let is_gone = |outcome: &Outcome| {
            matches!(outcome, Outcome::Rejected { at: Some(0), .. })
                || is_refused(outcome, "not the one that was meant")
        };
        assert!(is_gone(&outcome), "{outcome:?}");
        assert_eq!(bed.vsctl("get Port tap1 tag"), "[]");
        let second = port(&mut mailbox, "tap1", |told| told.row != first.row).await;
        assert_eq!(second.iface_id, first.iface_id);
        let outcome = mailbox.carry_out(meant(None)).await;
        assert!(
            is_refused(&outcome, "not the one that was meant"),
            "{outcome:?}"
        );
        assert_eq!(bed.vsctl("get Port tap1 tag"), "[]");
    });
}

fn is_refused(outcome: &Outcome, why: &str) -> bool {
    matches!(outcome, Outcome::Done { refused, .. } if refused.iter().any(|(_, reason)| reason.contains(why)))
}

#[test]
fn one_port_more_costs_its_own_facts() {
    let bed = Bed::new();
    block_on(async {
        let (mut mailbox, _) = bed.executor();
        complete(&mut mailbox).await;
        let next_cfg = done(mailbox.carry_out(rows([bridge("br-int")])).await).unwrap();
        applied(&mut mailbox, next_cfg).await;
        let plug: String = (0..100)
            .map(|i| {
                format!(
                    " -- add-port br-int tap{i} -- set Interface tap{i} type=internal external_ids:iface-id={PORT}"
                )
            })
            .collect();
        bed.vsctl(plug.trim_start_matches(" -- "));
        for i in 0..100 {
            port(&mut mailbox, &format!("tap{i}"), is_assigned).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        while mailbox.events.try_recv().is_ok() {}
        let before = mailbox.seen.len();
        let next_cfg = done(
            mailbox
                .carry_out(rows([vif(&mailbox, "tap50", 3, Some(hint(3)))]))
                .await,
        )
        .unwrap();
        applied(&mut mailbox, next_cfg).await;
        let names: Vec<&str> = mailbox.seen[before..]
            .iter()
            .flat_map(|event| match event {
                ExecEvent::Facts(facts) => &facts[..],
                _ => &[],
            })
            .filter_map(|fact| match fact {
                Fact::Port(port) => Some(&*port.name),
                Fact::Applied(_) => None,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(names, ["tap50"]);
    });
}

#[test]
fn ends_when_nobody_asks_or_listens_any_more() {
    let bed = Bed::new();
    block_on(async {
        let (mut mailbox, _) = bed.executor();
        complete(&mut mailbox).await;
        drop(mailbox.batches);
        while mailbox.events.recv().await.is_some() {}

        let (
            Mailbox {
                events, batches, ..
            },
            _,
        ) = bed.executor();
        drop(events);
        tokio::time::timeout(LIMIT, batches.closed())
            .await
            .expect("the executor ends");
    });
}
