//! The executor of tracked connections against the kernel, in a network namespace of its own.

mod exec_bed;

use std::net::IpAddr;

use exec_bed::{Mailbox, block_on};
use nft::conntrack::{Entry, Filter, Status, Tuple};
use nft::message::Family;
use nft::name::Bytes;
use nft::net::{ConntrackClient, DeleteFilters};
use testbed::Namespace;
use tokio::sync::mpsc;
use vifd::exec::conntrack;
use vifd::ops::conntrack::{Connection, CtItems, Scope};
use vifd::ops::{ExecEvent, Items, Outcome, Target};
use vifd::telemetry::PacketFilter;

fn entry(zone: u16, src: &str, dst: &str, port: u16) -> Entry {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    Entry {
        original: Some(Tuple::new(ip(src), ip(dst), 17, 40000, port)),
        reply: Some(Tuple::new(ip(dst), ip(src), 17, port, 40000)),
        zone: (zone != 0).then_some(zone),
        status: Some(Status::CONFIRMED.with(Status::SEEN_REPLY)),
        timeout: Some(600),
        ..Entry::default()
    }
}

fn family(src: &str) -> Family {
    match src.parse::<IpAddr>().unwrap() {
        IpAddr::V4(_) => Family::IPV4,
        IpAddr::V6(_) => Family::IPV6,
    }
}

const SETS_LABELS: &str = "table inet labels {
    chain input { type filter hook input priority 0; ct label set 1; }
}";

const KNOWN: [(u16, &str, &str, u16); 6] = [
    (7, "10.0.0.1", "10.0.0.2", 53),
    (7, "10.0.0.1", "10.0.0.2", 54),
    (8, "10.0.0.1", "10.0.0.2", 53),
    (8, "2001:db8::1", "2001:db8::2", 53),
    (0, "10.0.0.1", "10.0.0.2", 53),
    (0, "10.0.9.1", "10.0.9.2", 53),
];

fn ports(list: &[Connection]) -> Vec<(u16, Option<u16>)> {
    let port = |c: &Connection| {
        let proto = c.entry.original.as_ref()?.proto.as_ref()?;
        proto.dst_port
    };
    let mut ports: Vec<_> = list.iter().map(|c| (c.zone(), port(c))).collect();
    ports.sort_unstable();
    ports
}

async fn list(mailbox: &mut Mailbox, scopes: Vec<Scope>) -> Vec<Connection> {
    let id = mailbox
        .submit(Items::Conntrack(CtItems::List(scopes)))
        .await;
    let found = mailbox
        .until("connections", |event| match event {
            ExecEvent::Connections(found) => Some(found.clone()),
            _ => None,
        })
        .await;
    let outcome = mailbox.outcome(id).await;
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
    found
}

#[test]
fn exactly_what_is_named_is_listed_and_cut() {
    let namespace = Namespace::new(true).expect("root can make namespaces");
    let test = || {
        let mut client = ConntrackClient::open(DeleteFilters::default()).unwrap();
        // Connections have room for labels where some rule sets them.
        testbed::run(Some(&namespace), &["nft", "-f", "-"], &[], SETS_LABELS).unwrap();
        for (zone, src, dst, port) in KNOWN {
            client
                .create(family(src), entry(zone, src, dst, port))
                .unwrap();
        }
        let mut labelled = entry(0, "10.0.9.1", "10.0.9.2", 54);
        let words: [u32; 4] = [3, 4, 0, 0];
        let bytes: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
        labelled.labels = Some(Bytes::from(bytes));
        client.create(Family::IPV4, labelled).unwrap();
        block_on(async {
            let (sender, events) = mpsc::channel(16);
            let metrics = PacketFilter::default();
            let batches = conntrack::spawn(sender, metrics.clone());
            let mut mailbox = Mailbox::new(Target::Conntrack, events, batches);
            let found = list(&mut mailbox, vec![Scope::Zone(7)]).await;
            assert_eq!(ports(&found), [(7, Some(53)), (7, Some(54))]);
            let many: Vec<Scope> = (8..30).map(Scope::Zone).collect();
            let found = list(&mut mailbox, many).await;
            assert_eq!(ports(&found), [(8, Some(53)), (8, Some(53))]);
            for (number, count) in [(3, 1), (4, 1), (5, 0)] {
                let found = list(&mut mailbox, vec![Scope::Owner(number)]).await;
                assert_eq!(found.len(), count, "labelled {number}: {found:?}");
                assert!(found.iter().all(|c| c.owners() == [3, 4]));
            }
            for (net, count) in [
                ("10.0.9.1/32", 2),
                ("10.0.9.2/32", 2),
                ("10.0.9.3/32", 0),
                ("10.0.9.0/24", 2),
            ] {
                let found = list(&mut mailbox, vec![Scope::Address(net.parse().unwrap())]).await;
                assert_eq!(found.len(), count, "{net}: {found:?}");
            }
            let some =
                ["10.0.9.1/32", "10.0.9.0/30"].map(|net| Scope::Address(net.parse().unwrap()));
            let both = [&some[..], &[Scope::Zone(7)]].concat();
            assert_eq!(list(&mut mailbox, both).await.len(), 4);

            let mut cut = list(&mut mailbox, vec![Scope::Zone(8)]).await;
            cut.retain(|c| c.family == Family::IPV6);
            cut.extend(
                list(&mut mailbox, vec![Scope::Zone(7)])
                    .await
                    .into_iter()
                    .take(1),
            );
            assert_eq!(cut.len(), 2);
            for _ in 0..2 {
                // The second time they are gone already, which is no error.
                let items = Items::Conntrack(CtItems::Cut(cut.clone()));
                let outcome = mailbox.carry_out(items).await;
                assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
            }
            assert_eq!(metrics.connections_cut.get(), 2);
        });
        let left = client.dump(&Filter::default()).unwrap();
        assert_eq!(left.len(), KNOWN.len() - 1);
        Ok(())
    };
    namespace.run(test).unwrap();
}
