//! The executor of flows against a real ovs-vswitchd. `ovs-ofctl` is the other witness.

mod exec_bed;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use exec_bed::{LIMIT, Mailbox, block_on};
use testbed::{Datapath, Namespace, Scratch, Switch};
use tokio::sync::mpsc;
use vifd::exec::openflow::{Settings, spawn};
use vifd::model::{Mac, Ofport};
use vifd::ops::flow::{FlowBody, FlowKey, cookie};
use vifd::ops::{ExecEvent, FlowItem, Items, Outcome, Target};
use vifd::plan::flows::{Flow, act, learned_through};
use vifd::plan::tables::{int, tun};
use vifd::telemetry::SwitchTraffic;

struct Bed {
    switch: Switch,
    namespace: Arc<Namespace>,
    _scratch: Scratch,
}

impl Bed {
    fn new() -> Bed {
        let scratch = Scratch::new().unwrap();
        let namespace = Namespace::new(false).unwrap();
        let switch = Switch::start(&namespace, scratch.path(), Datapath::Netdev).unwrap();
        Bed {
            switch,
            namespace,
            _scratch: scratch,
        }
    }

    fn add_bridge(&self) {
        let words = "add-br br0 -- set Bridge br0 datapath_type=netdev fail_mode=secure";
        self.switch
            .vsctl(&words.split(' ').collect::<Vec<_>>())
            .unwrap();
    }

    fn executor(&self) -> (Mailbox, SwitchTraffic) {
        let (sender, events) = mpsc::channel(16);
        let traffic = SwitchTraffic::default();
        let settings = Settings {
            run_dir: self.switch.dir().to_owned(),
            bridge: "br0".into(),
            timeout: Duration::from_secs(10),
        };
        let batches = spawn(settings, sender, traffic.clone());
        (
            Mailbox::new(Target::Flows("br0".into()), events, batches),
            traffic,
        )
    }

    /// How many flows `ovs-ofctl` sees in all.
    fn n_flows(&self) -> usize {
        let text = self
            .switch
            .ofctl(&["dump-flows", &self.switch.management("br0")])
            .unwrap();
        text.lines().filter(|line| line.contains("cookie=")).count()
    }
}

async fn up(mailbox: &mut Mailbox) -> Vec<(FlowKey, FlowBody)> {
    mailbox
        .until("the flow connection", |event| match event {
            ExecEvent::FlowsUp { bridge, flows } if &**bridge == "br0" => Some(flows.clone()),
            _ => None,
        })
        .await
}

async fn down(mailbox: &mut Mailbox) -> Arc<str> {
    mailbox
        .until("the end of the flow connection", |event| match event {
            ExecEvent::FlowsDown { reason, .. } => Some(reason.clone()),
            _ => None,
        })
        .await
}

fn port(number: i64) -> Ofport {
    Ofport::new(number).unwrap()
}

/// Every kind of flow that the planner renders, one bridge's worth of each.
fn every_kind() -> Vec<Flow> {
    let mac = Mac([0xfa, 0x16, 0x3e, 1, 2, 3]);
    let from = |table, priority| Flow::new(table, priority).in_port(port(7));
    vec![
        // Integration bridge.
        Flow::new(int::LOCAL_SWITCHING, 0).drop(),
        Flow::new(int::ARP_SPOOF, 0).drop(),
        Flow::new(int::MAC_SPOOF, 0).drop(),
        Flow::new(int::TRANSIENT, 1).actions([act::normal()]),
        from(int::LOCAL_SWITCHING, 1).actions([act::resubmit(int::TRANSIENT)]),
        from(int::LOCAL_SWITCHING, 3)
            .vlan(100)
            .actions([act::set_vlan(5), act::resubmit(int::TRANSIENT)]),
        from(int::LOCAL_SWITCHING, 3)
            .untagged()
            .actions([act::set_vlan(4094), act::resubmit(int::TRANSIENT)]),
        from(int::LOCAL_SWITCHING, 9).actions([act::resubmit(int::TRANSIENT)]),
        from(int::LOCAL_SWITCHING, 10)
            .arp()
            .actions([act::resubmit(int::ARP_SPOOF)]),
        from(int::LOCAL_SWITCHING, 10)
            .neighbour_advert()
            .actions([act::resubmit(int::ARP_SPOOF)]),
        from(int::ARP_SPOOF, 2)
            .arp()
            .arp_sender("10.0.0.5/32".parse().unwrap())
            .actions([act::resubmit(int::MAC_SPOOF)]),
        from(int::ARP_SPOOF, 2)
            .arp()
            .arp_sender("10.1.0.0/17".parse().unwrap())
            .actions([act::resubmit(int::MAC_SPOOF)]),
        from(int::ARP_SPOOF, 2)
            .neighbour_advert()
            .nd_target("fe80::f816:3eff:fe01:203/128".parse().unwrap())
            .actions([act::resubmit(int::MAC_SPOOF)]),
        from(int::ARP_SPOOF, 2)
            .neighbour_advert()
            .nd_target("2001:db8:0:8000::/49".parse().unwrap())
            .actions([act::resubmit(int::MAC_SPOOF)]),
        from(int::MAC_SPOOF, 2)
            .source(mac)
            .actions([act::resubmit(int::TRANSIENT)]),
        Flow::new(int::LOCAL_SWITCHING, 1)
            .in_port(Ofport::LOCAL)
            .actions([act::resubmit(int::TRANSIENT)]),
        // Tunnel bridge.
        Flow::new(tun::FROM_INT, 0)
            .unicast()
            .actions([act::resubmit(tun::UNICAST)]),
        Flow::new(tun::FROM_INT, 0)
            .multicast()
            .actions([act::resubmit(tun::FLOOD)]),
        Flow::new(tun::GRE, 1)
            .tunnel_key(u32::MAX)
            .actions([act::set_vlan(1), act::resubmit(tun::LEARN)]),
        Flow::new(tun::VXLAN, 1)
            .tunnel_key(1)
            .actions([act::set_vlan(2), act::resubmit(tun::LEARN)]),
        Flow::new(tun::LEARN, 1).actions([act::learn_sender(), act::output(port(1))]),
        Flow::new(tun::UNICAST, 0).actions([act::resubmit(tun::FLOOD)]),
        Flow::new(tun::FLOOD, 0).drop(),
        Flow::new(tun::FLOOD, 1)
            .vlan(9)
            .actions([act::strip_vlan(), act::set_tunnel(0)]),
        Flow::new(tun::FLOOD, 1).vlan(10).actions([
            act::strip_vlan(),
            act::set_tunnel(77),
            act::output(port(1)),
            act::output(port(0xfeff)),
        ]),
        // Physical bridge.
        from(0, 2).drop(),
        from(0, 4)
            .vlan(11)
            .actions([act::set_vlan(200), act::normal()]),
        from(0, 4)
            .vlan(12)
            .actions([act::strip_vlan(), act::normal()]),
    ]
}

fn add(flow: Flow) -> FlowItem {
    let body = FlowBody {
        cookie: cookie::OWNER | 0xabcd,
        actions: flow.actions,
    };
    FlowItem {
        key: flow.key,
        body: Some(body),
        learned: None,
        zone: None,
    }
}

fn remove(key: FlowKey) -> FlowItem {
    FlowItem {
        learned: learned_through(&key),
        zone: None,
        key,
        body: None,
    }
}

#[track_caller]
fn done(outcome: Outcome) {
    assert_eq!(
        outcome,
        Outcome::Done {
            refused: vec![],
            next_cfg: None
        }
    );
}

/// Compares as the planner's ledger does, key by key.
#[track_caller]
fn assert_same(found: Vec<(FlowKey, FlowBody)>, wanted: &[FlowItem]) {
    let found: std::collections::HashMap<FlowKey, FlowBody> = found.into_iter().collect();
    for item in wanted {
        assert_eq!(found.get(&item.key), item.body.as_ref(), "{:?}", item.key);
    }
    assert_eq!(found.len(), wanted.len());
}

#[test]
fn every_kind_of_flow_reads_back_as_it_was_written() {
    let bed = Bed::new();
    bed.add_bridge();
    block_on(async {
        let (mut mailbox, traffic) = bed.executor();
        assert_eq!(up(&mut mailbox).await, []);
        let wanted: Vec<FlowItem> = every_kind().into_iter().map(add).collect();
        done(mailbox.carry_out(Items::Flows(wanted.clone())).await);
        assert_eq!(traffic.openflow_barriers.get(), 1);
        assert_eq!(traffic.flows_sent.get(), wanted.len() as u64);
        assert_eq!(bed.n_flows(), wanted.len());

        let (mut again, _) = bed.executor();
        assert_same(up(&mut again).await, &wanted);

        // A flow in the place of another, and one gone.
        let mut wanted = wanted;
        let gone = wanted.pop().unwrap();
        let other = Flow {
            key: wanted[3].key.clone(),
            actions: Flow::new(0, 0).actions([act::output(port(3))]).actions,
        };
        wanted[3] = add(other);
        done(
            mailbox
                .carry_out(Items::Flows(vec![remove(gone.key), wanted[3].clone()]))
                .await,
        );
        assert_eq!(traffic.openflow_barriers.get(), 2);
        let (mut again, _) = bed.executor();
        assert_same(up(&mut again).await, &wanted);
    });
}

#[test]
fn foreign_and_learned_flows_are_left_out_and_learned_ones_go_with_theirs() {
    let bed = Bed::new();
    bed.add_bridge();
    let learned = cookie::LEARNED;
    let flows = format!(
        "cookie=0x1,table=0,priority=5,in_port=1,actions=drop\n\
         cookie={learned:#x},table=20,priority=1,vlan_tci=0x0009/0x0fff,dl_dst=02:00:00:00:00:01,actions=output:1\n\
         cookie={learned:#x},table=20,priority=1,vlan_tci=0x000a/0x0fff,dl_dst=02:00:00:00:00:01,actions=output:1\n\
         cookie=0x2,table=20,priority=1,vlan_tci=0x0009/0x0fff,dl_dst=02:00:00:00:00:02,actions=output:1\n"
    );
    bed.switch.add_flows("br0", &flows).unwrap();
    block_on(async {
        let (mut mailbox, _) = bed.executor();
        assert_eq!(up(&mut mailbox).await, []);
        let flood = Flow::new(tun::FLOOD, 1)
            .vlan(9)
            .actions([act::strip_vlan()]);
        done(
            mailbox
                .carry_out(Items::Flows(vec![add(flood.clone())]))
                .await,
        );
        assert_eq!(bed.n_flows(), 5);
        done(
            mailbox
                .carry_out(Items::Flows(vec![remove(flood.key)]))
                .await,
        );
        let left = bed
            .switch
            .ofctl(&[
                "dump-flows",
                "--no-stats",
                &bed.switch.management("br0"),
                "table=20",
            ])
            .unwrap();
        assert!(
            !left.contains("vlan_tci=0x0009/0x0fff,dl_dst=02:00:00:00:00:01"),
            "{left}"
        );
        assert_eq!(bed.n_flows(), 3, "{left}");

        // A flow of somebody else in the place of one of ours is not ours to delete.
        let foreign = Flow::new(0, 5).in_port(port(1));
        done(
            mailbox
                .carry_out(Items::Flows(vec![remove(foreign.key)]))
                .await,
        );
        assert_eq!(bed.n_flows(), 3);
    });
}

#[test]
fn a_refused_flow_is_named_and_the_others_stand() {
    let bed = Bed::new();
    bed.add_bridge();
    block_on(async {
        let (mut mailbox, _) = bed.executor();
        up(&mut mailbox).await;
        let good = |n| Flow::new(0, n).drop();
        // Reserved numbers are no outputs, and an ARP field needs ARP.
        let bad_output = Flow::new(0, 2).actions([ofproto::action::Action::output(
            ofproto::ports::Port(0xff10),
        )]);
        let bad_match = Flow::new(0, 4).arp_sender("10.0.0.1/32".parse().unwrap());
        let items = vec![
            add(good(1)),
            add(bad_output),
            add(good(3)),
            add(bad_match),
            remove(good(9).key),
            add(good(5)),
        ];
        let outcome = mailbox.carry_out(Items::Flows(items)).await;
        let Outcome::Done { refused, .. } = outcome else {
            panic!("{outcome:?}")
        };
        let found: Vec<(usize, &str)> = refused.iter().map(|(at, why)| (*at, &**why)).collect();
        let [(1, output), (3, prerequisite)] = found[..] else {
            panic!("{found:?}")
        };
        assert!(output.contains("OFPBAC_BAD_OUT_PORT"), "{output}");
        assert!(prerequisite.contains("OFPBMC_BAD_PREREQ"), "{prerequisite}");
        assert_eq!(bed.n_flows(), 3);
    });
}

#[test]
fn a_bridge_that_comes_goes_and_comes_back() {
    let bed = Bed::new();
    block_on(async {
        let (mut mailbox, _) = bed.executor();
        let outcome = mailbox
            .carry_out(Items::Flows(vec![add(Flow::new(0, 1).drop())]))
            .await;
        assert!(matches!(outcome, Outcome::Lost { .. }), "{outcome:?}");
        bed.add_bridge();
        assert_eq!(up(&mut mailbox).await, []);
        done(
            mailbox
                .carry_out(Items::Flows(vec![add(Flow::new(0, 1).drop())]))
                .await,
        );
        bed.switch.vsctl(&["del-br", "br0"]).unwrap();
        down(&mut mailbox).await;
        bed.add_bridge();
        assert_eq!(up(&mut mailbox).await, [], "a new bridge has no flows");
    });
}

#[test]
fn flows_that_go_by_another_hand_are_missed() {
    let bed = Bed::new();
    bed.add_bridge();
    let ofctl = |command: &str, flow: &str| {
        let bridge = bed.switch.management("br0");
        bed.switch.ofctl(&[command, &bridge, flow]).unwrap();
    };
    block_on(async {
        let (mut mailbox, _) = bed.executor();
        up(&mut mailbox).await;
        let wanted: Vec<FlowItem> = every_kind().into_iter().map(add).collect();
        done(mailbox.carry_out(Items::Flows(wanted.clone())).await);

        // What is not ours, or only learned, may come and go; so may ours by our own hand.
        let learned = cookie::LEARNED;
        ofctl("add-flow", "cookie=0x7,table=0,priority=77,actions=drop");
        ofctl("del-flows", "cookie=0x7/-1");
        ofctl(
            "add-flow",
            &format!("cookie={learned:#x},table=20,priority=1,hard_timeout=1,actions=drop"),
        );
        let own = vec![remove(wanted[1].key.clone()), wanted[2].clone()];
        done(mailbox.carry_out(Items::Flows(own)).await);
        done(
            mailbox
                .carry_out(Items::Flows(vec![wanted[1].clone()]))
                .await,
        );
        tokio::time::sleep(Duration::from_millis(2500)).await;
        assert!(mailbox.events.try_recv().is_err());
        assert_eq!(bed.n_flows(), wanted.len(), "the learned one is forgotten");

        // An operator's hand.
        ofctl("del-flows", "table=25");
        let reason = down(&mut mailbox).await;
        assert!(reason.contains("another hand"), "{reason}");
        let left: Vec<FlowItem> = wanted
            .iter()
            .filter(|item| item.key.table != 25)
            .cloned()
            .collect();
        assert_same(up(&mut mailbox).await, &left);
        done(mailbox.carry_out(Items::Flows(wanted.clone())).await);

        // The switch's own: it empties a bridge whose fail mode changes.
        for mode in ["standalone", "secure"] {
            bed.switch.vsctl(&["set-fail-mode", "br0", mode]).unwrap();
            down(&mut mailbox).await;
            assert_eq!(up(&mut mailbox).await, []);
            done(mailbox.carry_out(Items::Flows(wanted.clone())).await);
        }
    });
}

#[test]
fn restarts_of_the_switch_while_batches_run() {
    let mut bed = Bed::new();
    bed.add_bridge();
    block_on(async {
        let (mut mailbox, traffic) = bed.executor();
        up(&mut mailbox).await;
        // Larger than any batch of the planner, and still one barrier.
        let items: Vec<FlowItem> = (0..5000)
            .map(|n| add(Flow::new(3, n + 1).vlan(n % 4000).actions([act::normal()])))
            .collect();
        let mut outcomes = BTreeMap::new();
        for round in 0..4u64 {
            let barriers = traffic.openflow_barriers.get();
            let id = mailbox.submit(Items::Flows(items.clone())).await;
            tokio::time::sleep(Duration::from_millis(3 * round)).await;
            bed.switch.kill_vswitchd().unwrap();
            let outcome = mailbox.outcome(id).await;
            let kind = match outcome {
                Outcome::Done { refused, .. } if refused.is_empty() => "done",
                Outcome::Lost { .. } => "lost",
                other => panic!("{other:?}"),
            };
            *outcomes.entry(kind).or_insert(0) += 1;
            assert_eq!(traffic.openflow_barriers.get(), barriers + 1);
            down(&mut mailbox).await;
            let outcome = mailbox.carry_out(Items::Flows(items[..1].to_vec())).await;
            assert!(matches!(outcome, Outcome::Lost { .. }), "{outcome:?}");
            bed.switch.spawn_vswitchd().unwrap();
            assert_eq!(
                up(&mut mailbox).await,
                [],
                "a switch that restarted has no flows"
            );
        }
        assert!(outcomes.contains_key("lost"), "{outcomes:?}");
        done(mailbox.carry_out(Items::Flows(items.clone())).await);
        let (mut again, _) = bed.executor();
        assert_same(up(&mut again).await, &items);
    });
}

#[test]
fn a_switch_that_hangs_is_dropped_after_the_deadline() {
    let scratch = Scratch::new().unwrap();
    block_on(async {
        // Takes connections and never answers.
        let listener = tokio::net::UnixListener::bind(scratch.path().join("br0.mgmt")).unwrap();
        let (sender, mut events) = mpsc::channel(16);
        let settings = Settings {
            run_dir: scratch.path().to_owned(),
            bridge: "br0".into(),
            timeout: Duration::from_millis(300),
        };
        let _batches = spawn(settings, sender, SwitchTraffic::default());
        let (first, _) = listener.accept().await.unwrap();
        let second = tokio::time::timeout(Duration::from_secs(10), listener.accept()).await;
        assert!(second.is_ok(), "it comes again after the deadline");
        drop(first);
        assert!(
            events.try_recv().is_err(),
            "nothing to tell of a connection that never stood"
        );
    });
}

#[test]
fn ends_when_nobody_asks_or_listens_any_more() {
    let bed = Bed::new();
    bed.add_bridge();
    block_on(async {
        let (mut mailbox, _) = bed.executor();
        up(&mut mailbox).await;
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

/// What the executor tells next of ports that are flooded to.
async fn floods(mailbox: &mut Mailbox) -> Vec<(u16, bool)> {
    mailbox
        .until("news of floods", |event| match event {
            ExecEvent::Floods { ports, .. } => Some(ports.clone()),
            _ => None,
        })
        .await
}

#[test]
fn what_others_change_of_floods_is_told_and_what_a_batch_does_is_not() {
    let bed = Bed::new();
    bed.add_bridge();
    let ip = |lines: &str| testbed::ip_batch(&bed.namespace, lines).unwrap();
    ip("link add tap0 type veth peer name peer0\nlink set tap0 up\n");
    for words in [
        "add-port br0 tap0 -- set Interface tap0 ofport_request=5",
        "add-port br0 op0 -- set Interface op0 type=internal ofport_request=6",
    ] {
        bed.switch
            .vsctl(&words.split(' ').collect::<Vec<_>>())
            .unwrap();
    }
    let management = bed.switch.management("br0");
    let by_hand = |port: &str, how: &str| {
        bed.switch
            .ofctl(&["mod-port", &management, port, how])
            .unwrap();
    };
    by_hand("op0", "no-flood");
    let frags = |mode: &str| {
        bed.switch.ofctl(&["set-frags", &management, mode]).unwrap();
    };
    frags("nx-match");
    let item = |is_unflooded: bool| FlowItem {
        key: FlowKey::no_flood(5),
        body: is_unflooded.then(FlowBody::no_flood),
        learned: None,
        zone: None,
    };
    block_on(async {
        let (mut mailbox, _) = bed.executor();
        let found = up(&mut mailbox).await;
        assert_eq!(found, [(FlowKey::no_flood(6), FlowBody::no_flood())]);
        let shown = bed.switch.ofctl(&["get-frags", &management]).unwrap();
        assert_eq!(shown.trim(), "nx-match", "how fragments are treated stays");

        done(mailbox.carry_out(Items::Flows(vec![item(true)])).await);
        by_hand("op0", "flood");
        assert_eq!(floods(&mut mailbox).await, [(6, false)]);
        by_hand("op0", "no-flood");
        assert_eq!(floods(&mut mailbox).await, [(6, true)]);
        by_hand("tap0", "flood");
        assert_eq!(floods(&mut mailbox).await, [(5, false)]);
        done(mailbox.carry_out(Items::Flows(vec![item(true)])).await);
        done(mailbox.carry_out(Items::Flows(vec![item(false)])).await);
        // A device of another kind takes the place of this one.
        done(mailbox.carry_out(Items::Flows(vec![item(true)])).await);
        ip("link del tap0\n");
        let words = ["set", "Interface", "tap0", "type=internal"];
        bed.switch.vsctl(&words).unwrap();
        assert_eq!(floods(&mut mailbox).await, [(5, false)]);
        done(mailbox.carry_out(Items::Flows(vec![item(true)])).await);
        ip("link set tap0 down\nlink set tap0 up\n");
        by_hand("op0", "flood");
        assert_eq!(
            floods(&mut mailbox).await,
            [(6, false)],
            "nothing else in between"
        );
        let shown = bed.switch.ofctl(&["show", &management]).unwrap();
        assert!(shown.contains("NO_FLOOD"), "{shown}");
    });
}
