//! Filtered dump and delete, with `conntrack` as witness.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nft::conntrack::{Entry, Filter, PartialTuple, Tuple};
use nft::message::Family;
use nft::net::{ConntrackClient, DeleteFilters};

use crate::namespace::{isolated, tool};

fn v4(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
}

fn entry(src: IpAddr, dst: IpAddr, port: u16, zone: u16, mark: u32) -> Entry {
    Entry {
        original: Some(Tuple::new(src, dst, 17, port, 53)),
        reply: Some(Tuple::new(dst, src, 17, 53, port)),
        timeout: Some(600),
        zone: (zone != 0).then_some(zone),
        mark: Some(mark),
        ..Entry::default()
    }
}

/// 60 IPv4 entries over 3 zones and 4 marks, and 4 of IPv6.
fn fill(client: &mut ConntrackClient) {
    for i in 0..60_u16 {
        let last = u8::try_from(i).unwrap();
        let new = entry(
            v4(last),
            v4(200 + last % 5),
            1000 + i,
            i % 3,
            u32::from(i % 4),
        );
        client.create(Family::IPV4, new).unwrap();
    }
    for i in 0..4_u16 {
        let address = |n: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n));
        client
            .create(Family::IPV6, entry(address(i), address(99), i, 0, 0))
            .unwrap();
    }
    assert_eq!(witness(), 64);
}

fn witness() -> usize {
    let list = |family| tool("conntrack", &["-L", "-f", family], "").lines().count();
    list("ipv4") + list("ipv6")
}

fn filters() -> Vec<(Filter, usize)> {
    let v4_only = Filter {
        family: Family::IPV4,
        ..Filter::default()
    };
    let tuple = |partial| Filter {
        original: partial,
        ..v4_only.clone()
    };
    vec![
        (
            Filter {
                zone: Some(1),
                ..Filter::default()
            },
            20,
        ),
        (
            Filter {
                mark: Some((2, 3)),
                ..v4_only.clone()
            },
            15,
        ),
        (
            Filter {
                mark: Some((1, 1)),
                zone: Some(2),
                ..v4_only.clone()
            },
            10,
        ),
        (
            tuple(PartialTuple {
                dst: Some(v4(203)),
                ..Default::default()
            }),
            12,
        ),
        (
            tuple(PartialTuple {
                src: Some(v4(7)),
                ..Default::default()
            }),
            1,
        ),
        (
            tuple(PartialTuple {
                protocol: Some(17),
                src_port: Some(1005),
                ..Default::default()
            }),
            1,
        ),
        (
            Filter {
                zone: Some(0),
                original: PartialTuple {
                    dst: Some(v4(200)),
                    ..Default::default()
                },
                ..v4_only.clone()
            },
            4,
        ),
        (v4_only, 60),
    ]
}

#[test]
fn kernel_and_own_filters_delete_the_same() {
    isolated(|| {
        let found = ConntrackClient::open(DeleteFilters::default())
            .unwrap()
            .probe()
            .unwrap();
        let all = DeleteFilters {
            zone: true,
            mark: true,
            tuple: true,
        };
        assert_eq!(found, all, "this kernel filters everything");
        for kernel in [found, DeleteFilters::default()] {
            let mut client = ConntrackClient::open(kernel).unwrap();
            for (filter, expected) in filters() {
                fill(&mut client);
                let matching = client.dump(&filter).unwrap();
                assert_eq!(matching.len(), expected, "{filter:?}");
                let count = client.delete(&filter).unwrap();
                assert!(
                    count.is_none_or(|count| count == expected),
                    "{filter:?} {count:?}"
                );
                assert_eq!(witness(), 64 - expected, "{filter:?}");
                assert!(client.dump(&filter).unwrap().is_empty());
                client.delete(&Filter::default()).unwrap();
                assert_eq!(witness(), 0);
            }
        }
    });
}

#[test]
fn exactly_the_condemned_entries_are_cut() {
    isolated(|| {
        let mut client = ConntrackClient::open(DeleteFilters::default()).unwrap();
        fill(&mut client);
        // The entries of zone 1 whose source port is odd.
        let filter = Filter {
            zone: Some(1),
            ..Filter::default()
        };
        let odd = |entry: &Entry| {
            let proto = entry.original.as_ref().and_then(|t| t.proto.as_ref());
            proto
                .and_then(|p| p.src_port)
                .is_some_and(|port| port % 2 == 1)
        };
        assert_eq!(client.delete_where(&filter, odd).unwrap(), 10);
        assert_eq!(witness(), 54);
        assert_eq!(client.dump(&filter).unwrap().len(), 10);
        let (family, one) = client.dump(&filter).unwrap().remove(0);
        assert!(client.delete_one(family, &one).unwrap());
        assert!(!client.delete_one(family, &one).unwrap());
    });
}

#[test]
fn real_connection_is_reported_in_full() {
    isolated(|| {
        tool(
            "nft",
            &["-f", "-"],
            "table ip t { chain c { type filter hook output priority 0; ct state new ct mark set 9 accept; }; }",
        );
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let _stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut client = ConntrackClient::open(DeleteFilters::default()).unwrap();
        let partial = PartialTuple {
            protocol: Some(6),
            dst_port: Some(port),
            ..Default::default()
        };
        let filter = Filter {
            family: Family::IPV4,
            original: partial,
            ..Filter::default()
        };
        let entries = client.dump(&filter).unwrap();
        let [(_, entry)] = entries.as_slice() else {
            panic!("{entries:?}")
        };
        assert_eq!(entry.mark, Some(9));
        assert_eq!(
            entry.original.as_ref().unwrap().src(),
            Some(Ipv4Addr::LOCALHOST.into())
        );
        let tcp = entry.protoinfo.as_ref().unwrap().tcp.as_ref().unwrap();
        assert_eq!(tcp.state, Some(3), "established");
        assert!(
            entry
                .status
                .unwrap()
                .contains(nft::conntrack::Status::ASSURED)
        );
    });
}
