//! Whose addresses a port may use.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Result;

use super::drill::{
    A, B, C, Drill, OF_A, OF_B, OF_C, OUT, ROUTER, address, let_in, ports, small, tcp, udp,
};
use crate::bed::Driver;
use crate::packet::{ACK, Body, Ip, Packet, Payload, SYN, UDP};
use crate::reference::Zones;
use crate::wire::TCP_DATA;
use crate::world::{Family, Mac, Pair, Remote, Service};

/// Its MAC is nobody's.
const STRANGER: Mac = Mac([0xfa, 0x16, 0x3e, 0xdd, 0, 1]);

pub fn equal_addresses_on_two_networks_are_kept_apart(driver: Driver) -> Result<()> {
    let mut world = small();
    let_in(&mut world, OF_B, ports(UDP, 53, 53), Remote::Any);
    // The second network: the same addresses, MACs and groups.
    let n = world.ports.len();
    let mut others = world.ports.clone();
    others.iter_mut().for_each(|port| port.network = 1);
    world.ports.extend(others);
    world.networks = 2;
    let mut drill = Drill::start(driver, &world)?;
    let (a2, b2) = (A + n, B + n);
    let zones = driver.profile().zones;
    let has_own = zones != Zones::Host;
    for family in Family::BOTH {
        let ask = drill.between(A, B, family, udp(5000, 53));
        let answer = drill.between(B, A, family, udp(53, 5000));
        drill.passes(A, B, &ask)?;
        // A connection of the one is none of the other.
        drill.drops(b2, &answer)?;
        drill.passes(B, A, &answer)?;
        drill.passes(a2, b2, &ask)?;
        // In a table of the whole host the connection is A's and B's: a2 does not know it.
        drill.expect_if(has_own, b2, a2, &answer)?;
    }
    // What ends on the one goes on on the other.
    drill.change(|world| {
        let rules = world.groups[OF_B].rules.clone();
        world.groups.push(crate::world::Group {
            stateful: true,
            rules,
        });
        world.ports[B].groups.retain(|group| *group != OF_B);
    })?;
    for family in Family::BOTH {
        let ask = drill.between(A, B, family, udp(5000, 53));
        let answer = drill.between(B, A, family, udp(53, 5000));
        drill.drops(A, &ask)?;
        // Where ports know connections each for itself, A knows its own still, for A's rules allow it.
        drill.expect_if(zones != Zones::Network, B, A, &answer)?;
        drill.passes(a2, b2, &ask)?;
        drill.expect_if(has_own, b2, a2, &answer)?;
    }
    Ok(())
}

pub fn a_connection_on_another_network_opens_nothing(driver: Driver) -> Result<()> {
    let mut world = small();
    // The second network: the same addresses and MACs, and B's twin may everything where B may nothing.
    let n = world.ports.len();
    let mut others = world.ports.clone();
    others.iter_mut().for_each(|port| port.network = 1);
    world.ports.extend(others);
    world.networks = 2;
    let (a2, b2) = (A + n, B + n);
    world.ports[b2].groups = vec![OUT, OF_C];
    world.ports[B].groups = vec![OF_B];
    let_in(&mut world, OF_C, Service::Any, Remote::Any);
    let drill = Drill::start(driver, &world)?;
    for family in Family::BOTH {
        let ask = drill.between(A, B, family, udp(5000, 53));
        let answer = drill.between(B, A, family, udp(53, 5000));
        drill.passes(a2, b2, &ask)?;
        drill.passes(b2, a2, &answer)?;
        drill.passes(a2, b2, &ask)?;
        drill.drops(A, &ask)?;
        drill.drops(B, &answer)?;
        drill.drops(A, &ask)?;
        drill.passes(b2, a2, &answer)?;
    }
    Ok(())
}

pub fn arp_and_neighbours_are_held_to_own_addresses(driver: Driver) -> Result<()> {
    let drill = Drill::start(driver, &small())?;
    let mac = |n: usize| drill.bed.world.ports[n].mac;
    let v4 = |n: usize| match drill.bed.world.ports[n].ip(Family::V4) {
        Some(IpAddr::V4(ip)) => ip,
        _ => Ipv4Addr::UNSPECIFIED,
    };
    let arp = |from: Mac, sha: Mac, spa: Ipv4Addr| Packet {
        from,
        to: mac(B),
        vlan: None,
        body: Body::Arp {
            op: 2,
            sha,
            spa,
            tpa: v4(B),
        },
    };
    drill.passes(A, B, &arp(mac(A), mac(A), v4(A)))?;
    drill.drops(A, &arp(mac(A), mac(A), v4(C)))?;
    drill.drops(A, &arp(mac(C), mac(C), v4(A)))?;
    drill.drops(A, &arp(mac(A), mac(C), v4(A)))?;
    drill.passes(ROUTER, B, &arp(mac(ROUTER), mac(ROUTER), v4(C)))?;

    let v6 = |n: usize| match drill.bed.world.ports[n].ip(Family::V6) {
        Some(IpAddr::V6(ip)) => ip,
        _ => Ipv6Addr::UNSPECIFIED,
    };
    let neighbour = |src: Ipv6Addr, kind, target| {
        let payload = Payload::Neighbour { kind, target };
        Packet::ip(mac(A), mac(B), Ip::new(src.into(), v6(B).into(), payload))
    };
    drill.passes(A, B, &neighbour(v6(A), 136, v6(A)))?;
    drill.passes(A, B, &neighbour(v6(A), 136, mac(A).link_local()))?;
    drill.passes(A, B, &neighbour(v6(A), 135, v6(B)))?;
    drill.drops(A, &neighbour(v6(A), 136, v6(C)))?;
    drill.drops(A, &neighbour(v6(C), 136, v6(A)))?;
    drill.drops(A, &neighbour(v6(C), 135, v6(B)))?;
    // Nobody may look for duplicates of an address on one host alone.
    drill.drops(A, &neighbour(Ipv6Addr::UNSPECIFIED, 135, v6(A)))
}

pub fn pairs_of_prefixes_and_of_everything(driver: Driver) -> Result<()> {
    let mut world = small();
    let_in(&mut world, OF_B, Service::Any, Remote::Any);
    // B lets in members of A's group, among them pairs.
    let vip = Mac([0xfa, 0x16, 0x3f, 0, 1, 9]);
    world.ports[A].pairs = ["10.9.0.64/28", "2001:db8:a::/64"]
        .map(|text| Pair {
            prefix: text.parse().expect("a prefix"),
            mac: None,
        })
        .to_vec();
    world.ports[A].pairs.push(Pair {
        prefix: "10.9.9.9/32".parse().expect("a prefix"),
        mac: Some(vip),
    });
    let mut drill = Drill::start(driver, &world)?;
    let from = |drill: &Drill, mac: Mac, src: &str| {
        let family = Family::of(address(src));
        let dst = drill.bed.world.ports[B].ip(family).expect("both families");
        Packet::ip(
            mac,
            drill.bed.world.ports[B].mac,
            Ip::new(address(src), dst, udp(1, 1)),
        )
    };
    let mac = world.ports[A].mac;
    for (mac, src, wanted) in [
        (mac, "10.9.0.64", true),
        (mac, "10.9.0.79", true),
        (mac, "10.9.0.63", false),
        (mac, "10.9.0.80", false),
        (mac, "2001:db8:a::", true),
        (mac, "2001:db8:a:0:ffff:ffff:ffff:ffff", true),
        (mac, "2001:db8:a:1::", false),
        (vip, "10.9.9.9", true),
        (mac, "10.9.9.9", false),
        (vip, "10.0.0.18", false),
        (vip, "10.9.0.64", false),
        (STRANGER, "10.0.0.18", false),
    ] {
        drill.expect_if(wanted, A, B, &from(&drill, mac, src))?;
    }
    drill.change(|world| {
        world.ports[A].pairs = vec![Pair {
            prefix: "0.0.0.0/0".parse().expect("a prefix"),
            mac: None,
        }];
        world.groups[OF_B].rules.clear();
        let_in(world, OF_B, Service::Any, Remote::Group(OF_A));
    })?;
    drill.passes(A, B, &from(&drill, mac, "198.51.100.1"))?;
    drill.drops(A, &from(&drill, STRANGER, "198.51.100.1"))?;
    drill.drops(A, &from(&drill, mac, "2001:db8:a::1"))?;
    // The member that may send from everything lets nobody else in.
    drill.drops(C, &drill.between(C, B, Family::V4, udp(1, 1)))?;
    let mut stranger = from(&drill, STRANGER, "198.51.100.1");
    drill.drops(ROUTER, &stranger)?;
    stranger.from = drill.bed.world.ports[ROUTER].mac;
    drill.drops(ROUTER, &stranger)
}

pub fn a_port_asks_for_an_address_before_it_has_one(driver: Driver) -> Result<()> {
    let mut world = small();
    world.ports[A].ips.clear();
    world.groups[0].rules.clear();
    let mut drill = Drill::start(driver, &world)?;
    let (mac, router) = (world.ports[A].mac, world.ports[ROUTER].mac);
    let discover = Ip::new(
        Ipv4Addr::UNSPECIFIED.into(),
        Ipv4Addr::BROADCAST.into(),
        udp(68, 67),
    );
    // Only those that nothing holds hear it.
    drill.expect(
        A,
        &Packet::ip(mac, Mac::BROADCAST, discover.clone()),
        &[0, 1],
    )?;
    drill.drops(A, &Packet::ip(STRANGER, Mac::BROADCAST, discover.clone()))?;
    let offer = Ip::new(address("10.0.0.16"), address("10.0.0.18"), udp(67, 68));
    drill.passes(ROUTER, A, &Packet::ip(router, mac, offer))?;
    let own = IpAddr::V6(mac.link_local());
    let solicit = Ip::new(
        own,
        world.ports[ROUTER].mac.link_local().into(),
        udp(546, 547),
    );
    drill.passes(A, ROUTER, &Packet::ip(mac, router, solicit))?;
    let advertise = Ip::new(router.link_local().into(), own, udp(547, 546));
    drill.passes(ROUTER, A, &Packet::ip(router, mac, advertise))?;
    // Without a rule it may do nothing else.
    let other = Ip::new(own, router.link_local().into(), udp(1000, 53));
    drill.drops(A, &Packet::ip(mac, router, other))?;
    // Nor does it have to lack one of the other family.
    for family in Family::BOTH {
        drill.change(|world| {
            world.ports[A].ips = vec![small().ports[A].ip(family).expect("both families")]
        })?;
        drill.expect(
            A,
            &Packet::ip(mac, Mac::BROADCAST, discover.clone()),
            &[0, 1],
        )?;
        let own = Ip::new(own, router.link_local().into(), udp(546, 547));
        drill.passes(A, ROUTER, &Packet::ip(mac, router, own))?;
    }
    Ok(())
}

pub fn no_port_is_a_dhcp_server_or_a_router(driver: Driver) -> Result<()> {
    let mut world = small();
    let_in(&mut world, OF_B, Service::Any, Remote::Any);
    let drill = Drill::start(driver, &world)?;
    drill.drops(A, &drill.between(A, B, Family::V4, udp(67, 68)))?;
    drill.drops(A, &drill.between(A, B, Family::V6, udp(547, 546)))?;
    let advert = |from: usize| {
        let (from, to) = (&drill.bed.world.ports[from], &drill.bed.world.ports[B]);
        let payload = Payload::Neighbour {
            kind: 134,
            target: Ipv6Addr::UNSPECIFIED,
        };
        Packet::ip(
            from.mac,
            to.mac,
            Ip::new(
                from.mac.link_local().into(),
                to.mac.link_local().into(),
                payload,
            ),
        )
    };
    drill.drops(A, &advert(A))?;
    drill.passes(ROUTER, B, &advert(ROUTER))?;
    drill.passes(
        ROUTER,
        B,
        &drill.between(ROUTER, B, Family::V4, udp(67, 68)),
    )?;
    drill.passes(
        ROUTER,
        B,
        &drill.between(ROUTER, B, Family::V6, udp(547, 546)),
    )
}

pub fn link_local_addresses(driver: Driver) -> Result<()> {
    let mut world = small();
    let_in(&mut world, OF_B, ports(6, 22, 22), Remote::Any);
    let drill = Drill::start(driver, &world)?;
    let mac = |n: usize| drill.bed.world.ports[n].mac;
    let packet = |from: usize, src: Mac, to: usize, payload| {
        Packet::ip(
            mac(from),
            mac(to),
            Ip::new(
                src.link_local().into(),
                mac(to).link_local().into(),
                payload,
            ),
        )
    };
    drill.passes(A, B, &packet(A, mac(A), B, tcp(1000, 22, SYN, 1, 0)))?;
    let answer = tcp(22, 1000, SYN | ACK, 9, 2 + TCP_DATA);
    drill.passes(B, A, &packet(B, mac(B), A, answer))?;
    drill.drops(A, &packet(A, mac(A), B, tcp(1000, 23, SYN, 1, 0)))?;
    drill.drops(A, &packet(A, mac(C), B, tcp(1001, 22, SYN, 1, 0)))
}

pub fn tagged_frames_do_not_leave(driver: Driver) -> Result<()> {
    let mut world = small();
    let_in(&mut world, OF_B, Service::Any, Remote::Any);
    let drill = Drill::start(driver, &world)?;
    for vlan in [1, 2, 100, 4094] {
        let mut packet = drill.between(A, B, Family::V4, udp(1, 1));
        packet.vlan = Some(vlan);
        drill.drops(A, &packet)?;
    }
    drill.passes(A, B, &drill.between(A, B, Family::V4, udp(1, 1)))
}
