//! The executor of devices against the kernel, in a network namespace of its own. `ip` is the other witness.

mod exec_bed;

use std::net::IpAddr;
use std::sync::Arc;

use exec_bed::{Mailbox, block_on};
use testbed::{Namespace, ip_batch};
use tokio::sync::mpsc;
use vifd::exec::rtnl;
use vifd::model::{Fact, LinkFact};
use vifd::ops::link::LinkState;
use vifd::ops::{Items, Outcome, Target};

fn start() -> Mailbox {
    let (sender, events) = mpsc::channel(16);
    let batches = rtnl::spawn(sender);
    Mailbox::new(Target::Links, events, batches)
}

fn inside(test: impl FnOnce(Arc<Namespace>) + Send) {
    let namespace = Namespace::new(false).expect("root can make namespaces");
    let inner = namespace.clone();
    namespace
        .run(move || {
            test(inner);
            Ok(())
        })
        .unwrap();
}

fn link(name: &str, mtu: u32, up: bool) -> Fact {
    Fact::Link(LinkFact {
        name: name.into(),
        mtu,
        up,
        netfilter: false,
    })
}

fn want(name: &str, mtu: u32) -> (Arc<str>, LinkState) {
    (
        name.into(),
        LinkState {
            mtu: Some(mtu),
            up: true,
            netfilter: false,
        },
    )
}

async fn complete(mailbox: &mut Mailbox) {
    mailbox
        .fact("the first listing", |fact| {
            (*fact == Fact::LinksComplete).then_some(())
        })
        .await;
}

fn is(wanted: Fact) -> impl FnMut(&Fact) -> Option<()> {
    move |fact| (*fact == wanted).then_some(())
}

#[test]
fn lists_then_follows() {
    inside(|namespace| {
        let ip = |script: &str| ip_batch(&namespace, script).unwrap();
        ip("link add tap1 mtu 1400 type veth peer name far1\naddress add 192.0.2.1/24 dev tap1\n");
        block_on(async {
            let mut mailbox = start();
            complete(&mut mailbox).await;
            let address: IpAddr = "192.0.2.1".parse().unwrap();
            let facts: Vec<Fact> = mailbox.facts().cloned().collect();
            assert!(facts.contains(&link("tap1", 1400, false)), "{facts:?}");
            assert!(facts.contains(&Fact::Address(address)), "{facts:?}");
            assert_eq!(facts.last(), Some(&Fact::LinksComplete));

            ip("link set tap1 up\n");
            mailbox.fact("up", is(link("tap1", 1400, true))).await;
            ip("address delete 192.0.2.1/24 dev tap1\n");
            mailbox
                .fact("address gone", is(Fact::AddressGone(address)))
                .await;
            ip("link set tap1 down\nlink set tap1 name tap2\n");
            mailbox
                .fact("the new name", is(link("tap2", 1400, false)))
                .await;
            assert!(
                mailbox
                    .facts()
                    .any(|fact| *fact == Fact::LinkGone("tap1".into()))
            );
            ip("link delete tap2\n");
            mailbox
                .fact("gone", is(Fact::LinkGone("tap2".into())))
                .await;
        });
    });
}

#[test]
fn changes_what_differs_and_says_what_the_kernel_refuses() {
    inside(|namespace| {
        ip_batch(
            &namespace,
            "link add va type veth peer name vb\nlink add vc mtu 1450 up type veth peer name vd\n",
        )
        .unwrap();
        block_on(async {
            let mut mailbox = start();
            complete(&mut mailbox).await;
            let items = vec![
                want("va", 1450),
                want("nobody", 1450),
                want("vc", 1450),
                want("vb", 1_000_000),
            ];
            let before = mailbox.seen.len();
            let outcome = mailbox.carry_out(Items::Links(items)).await;
            let Outcome::Done {
                refused,
                next_cfg: None,
            } = outcome
            else {
                panic!("{outcome:?}")
            };
            let refused: Vec<(usize, &str)> =
                refused.iter().map(|(at, why)| (*at, &**why)).collect();
            let [(1, nobody), (3, too_large)] = refused[..] else {
                panic!("{refused:?}")
            };
            assert!(nobody.contains("no device nobody"), "{nobody}");
            assert!(
                too_large.contains("mtu greater than device maximum"),
                "{too_large}"
            );
            // Told before the answer.
            let facts: Vec<Fact> = mailbox.facts().cloned().collect();
            assert!(facts.contains(&link("va", 1450, true)), "{facts:?}");
            assert!(mailbox.seen.len() > before);

            // What stands is not written again: nothing is told.
            let before = mailbox.seen.len();
            let outcome = mailbox
                .carry_out(Items::Links(vec![want("va", 1450), want("vc", 1450)]))
                .await;
            assert_eq!(
                outcome,
                Outcome::Done {
                    refused: vec![],
                    next_cfg: None
                }
            );
            assert_eq!(
                mailbox.seen.len(),
                before + 1,
                "only the answer: {:?}",
                &mailbox.seen[before..]
            );
        });
    });
}

#[test]
fn more_requests_than_fit_the_window() {
    inside(|namespace| {
        let script: String = (0..100)
            .map(|i| format!("link add v{i} type veth peer name w{i}\n"))
            .collect();
        ip_batch(&namespace, &script).unwrap();
        block_on(async {
            let mut mailbox = start();
            complete(&mut mailbox).await;
            let items: Vec<_> = (0..100)
                .flat_map(|i| [want(&format!("v{i}"), 1430), want(&format!("w{i}"), 1430)])
                .collect();
            let outcome = mailbox.carry_out(Items::Links(items.clone())).await;
            assert_eq!(
                outcome,
                Outcome::Done {
                    refused: vec![],
                    next_cfg: None
                }
            );
            for (name, _) in items {
                assert!(
                    mailbox.facts().any(|f| *f == link(&name, 1430, true)),
                    "{name}"
                );
            }
        });
    });
}

/// Messages that the kernel could not deliver to netlink sockets of this namespace.
fn dropped() -> u64 {
    let table = std::fs::read_to_string("/proc/thread-self/net/netlink").unwrap();
    let column = table
        .lines()
        .next()
        .unwrap()
        .split_whitespace()
        .position(|name| name == "Drops")
        .unwrap();
    table
        .lines()
        .skip(1)
        .map(|line| {
            line.split_whitespace()
                .nth(column)
                .unwrap()
                .parse::<u64>()
                .unwrap()
        })
        .sum()
}

/// Changes of each device: enough messages for any buffer.
const ROUNDS: u32 = 400;

#[test]
fn lost_messages_are_made_good_by_a_listing() {
    inside(|namespace| {
        block_on(async {
            // Room for one event: the executor cannot tell, so it cannot listen, and the kernel drops.
            let (sender, events) = mpsc::channel(1);
            let batches = rtnl::spawn(sender);
            let mut mailbox = Mailbox::new(Target::Links, events, batches);
            complete(&mut mailbox).await;
            let mut script: String = (0..40)
                .map(|i| format!("link add v{i} type veth peer name w{i}\n"))
                .collect();
            for round in 0..ROUNDS {
                for i in 0..40 {
                    script += &format!("link set v{i} mtu {}\n", 1300 + round);
                }
            }
            script += "link delete v7\nlink set v8 up\n";
            ip_batch(&namespace, &script).unwrap();
            assert!(dropped() > 0, "too few messages to overrun the socket");
            let last = 1300 + ROUNDS - 1;
            mailbox
                .fact("the last message", is(link("v8", last, true)))
                .await;
            let mut devices = std::collections::BTreeMap::new();
            for fact in mailbox.facts() {
                match fact {
                    Fact::Link(link) => drop(devices.insert(link.name.to_string(), link.mtu)),
                    Fact::LinkGone(name) => drop(devices.remove(&**name)),
                    _ => {}
                }
            }
            assert!(!devices.contains_key("v7") && !devices.contains_key("w7"));
            for i in (0..40).filter(|i| *i != 7) {
                assert_eq!(devices.get(&format!("v{i}")), Some(&last), "v{i}");
            }
        });
    });
}

#[test]
fn ends_when_nobody_asks_or_listens_any_more() {
    inside(|_| {
        block_on(async {
            let mut mailbox = start();
            complete(&mut mailbox).await;
            drop(mailbox.batches);
            while mailbox.events.recv().await.is_some() {}

            let Mailbox {
                events, batches, ..
            } = start();
            drop(events);
            tokio::time::timeout(exec_bed::LIMIT, batches.closed())
                .await
                .expect("the executor ends");
        });
    });
}
