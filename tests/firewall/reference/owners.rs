//! Which port is at either end of a connection, where all ports of a host share one table.

use std::collections::BTreeMap;

use super::Zone;
use super::connections::Key;

/// See the module.
#[derive(Default)]
pub struct Owners {
    /// By connection and end, 0 where its first packet came from. Several where a packet reached several at once: which of
    /// them was first cannot be told.
    ports: BTreeMap<(Key, u8), Vec<Zone>>,
}

impl Owners {
    /// Ports let a packet pass at that end: those that now know the connection, all of them if it was nobody's before.
    pub fn take(&mut self, connection: Key, end: u8, ports: Vec<Zone>) -> Vec<Zone> {
        if ports.is_empty() {
            return ports;
        }
        let owners = self.ports.entry((connection, end)).or_insert(ports.clone());
        ports
            .into_iter()
            .filter(|port| owners.contains(port))
            .collect()
    }

    /// Whether one of these is perhaps the owner of an end of that connection, in either direction, and perhaps not.
    pub fn is_contested(&self, connection: Key, ports: &[Zone]) -> bool {
        [connection, connection.reversed()]
            .into_iter()
            .flat_map(|key| [(key, 0), (key, 1)])
            .filter_map(|end| self.ports.get(&end))
            .any(|owners| owners.len() > 1 && owners.iter().any(|port| ports.contains(port)))
    }
}

#[cfg(test)]
mod tests {
    use crate::packet::{Ip, Packet, Payload};
    use crate::reference::tests::{PROFILE, all_out, world};
    use crate::reference::{Profile, Reference, Zones};
    use crate::world::{Mac, World};

    fn udp(from: Mac, to: Mac, src: &str, dst: &str, ports: (u16, u16)) -> Packet {
        let (src, dst) = (src.parse().unwrap(), dst.parse().unwrap());
        let payload = Payload::Udp {
            src: ports.0,
            dst: ports.1,
        };
        Packet::ip(from, to, Ip::new(src, dst, payload))
    }

    fn between(w: &World, from: usize, to: usize, ports: (u16, u16)) -> Packet {
        let (from, to) = (&w.ports[from], &w.ports[to]);
        let (src, dst) = (from.ips[0].to_string(), to.ips[0].to_string());
        udp(from.mac, to.mac, &src, &dst, ports)
    }

    fn host(w: &World) -> Reference {
        let profile = Profile {
            zones: Zones::Host,
            ..PROFILE
        };
        Reference::new(w.clone(), profile)
    }

    /// A and B, who may everything, and the same two on another network.
    fn twins() -> World {
        let mut w = world(vec![]);
        w.groups[1].rules = all_out();
        let mut both = w.groups[1].clone();
        both.rules
            .extend(all_out().into_iter().map(|rule| crate::world::Rule {
                direction: crate::world::Direction::Ingress,
                ..rule
            }));
        w.groups.push(both);
        let mut others = w.ports.clone();
        for port in &mut others {
            port.network = 1;
        }
        others[1].groups = vec![w.groups.len() - 1];
        w.ports.extend(others);
        w.networks = 2;
        w
    }

    #[test]
    fn what_others_opened_is_judged_by_rules() {
        let w = twins();
        let mut reference = host(&w);
        let n = w.ports.len() / 2;
        let (ask, answer) = (between(&w, 0, 1, (1, 2)), between(&w, 1, 0, (2, 1)));
        assert!(reference.judge(n, &ask).receivers().eq([n + 1]));
        assert!(reference.judge(n + 1, &answer).receivers().eq([n]));
        assert_eq!(reference.state(1, &answer), "of others' connections");
        assert_eq!(reference.judge(0, &ask).receivers().count(), 0);
        // It is A's question all the same, but on the first network the end is not A's.
        assert_eq!(reference.judge(1, &answer).receivers().count(), 0);
        assert!(reference.judge(n + 1, &answer).receivers().eq([n]));
    }

    #[test]
    fn of_several_receivers_nobody_knows_which_was_first() {
        let mut w = twins();
        w.ports[3].network = 0;
        let mut reference = host(&w);
        let mut ask = between(&w, 0, 1, (1, 2));
        assert_eq!(reference.unsettled(0, &ask), None);
        w.ports[1].groups = w.ports[3].groups.clone();
        reference.world = w.clone();
        ask.to = Mac::BROADCAST;
        assert!(reference.judge(0, &ask).receivers().eq([1, 3]));
        let answer = between(&w, 1, 0, (2, 1));
        assert!(reference.unsettled(1, &answer).is_some());
    }
}
