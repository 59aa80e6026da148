//! What the kernel has told so far, and what of it is news.
//!
//! Owns: devices by index and the addresses on them. Turns messages and whole listings into facts; the same fact is
//! never told twice. Knows no socket. Held by the tests at the foot.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::wire::{Device, News};
use crate::model::{Fact, LinkFact};

/// See the module.
#[derive(Clone, Default, Debug)]
pub(super) struct Table {
    devices: BTreeMap<u32, Device>,
    index: FxHashMap<Arc<str>, u32>,
    addresses: FxHashMap<IpAddr, Vec<u32>>,
}

impl Table {
    /// The device of that name.
    pub fn device(&self, name: &str) -> Option<&Device> {
        self.devices.get(self.index.get(name)?)
    }

    /// Takes one message in.
    pub fn apply(&mut self, news: News, facts: &mut Vec<Fact>) {
        match news {
            News::Device(device) => self.set_device(device, facts),
            News::DeviceGone(index) => self.remove_device(index, facts),
            News::Address(index, ip) => {
                let on = self.addresses.entry(ip).or_default();
                if !on.contains(&index) {
                    on.push(index);
                    if on.len() == 1 {
                        facts.push(Fact::Address(ip));
                    }
                }
            }
            News::AddressGone(index, ip) => self.remove_address(index, ip, facts),
        }
    }

    /// Takes a complete listing in: what is not in it is gone.
    pub fn replace(&mut self, listing: Vec<News>, facts: &mut Vec<Fact>) {
        let mut devices: Vec<u32> = Vec::new();
        let mut addresses: Vec<(IpAddr, u32)> = Vec::new();
        for news in &listing {
            match news {
                News::Device(device) => devices.push(device.index),
                News::Address(index, ip) => addresses.push((*ip, *index)),
                News::DeviceGone(_) | News::AddressGone(..) => {}
            }
        }
        devices.sort_unstable();
        addresses.sort_unstable();
        let gone: Vec<u32> = self
            .devices
            .keys()
            .filter(|i| devices.binary_search(i).is_err())
            .copied()
            .collect();
        for index in gone {
            self.remove_device(index, facts);
        }
        let mut gone: Vec<(IpAddr, u32)> = self
            .addresses
            .iter()
            .flat_map(|(ip, on)| on.iter().map(move |index| (*ip, *index)))
            .filter(|entry| addresses.binary_search(entry).is_err())
            .collect();
        gone.sort_unstable();
        for news in listing {
            self.apply(news, facts);
        }
        // Last: an address that only moved to another device was never gone.
        for (ip, index) in gone {
            self.remove_address(index, ip, facts);
        }
    }

    fn set_device(&mut self, device: Device, facts: &mut Vec<Fact>) {
        let Device {
            index,
            name,
            mtu,
            up,
            netfilter,
        } = device.clone();
        match self.devices.insert(index, device.clone()) {
            Some(old) if old == device => return,
            Some(old) if old.name != name => self.release(&old, facts),
            _ => {}
        }
        self.index.insert(name.clone(), index);
        facts.push(Fact::Link(LinkFact {
            name,
            mtu,
            up,
            netfilter,
        }));
    }

    fn remove_device(&mut self, index: u32, facts: &mut Vec<Fact>) {
        if let Some(device) = self.devices.remove(&index) {
            self.release(&device, facts);
        }
        let mut on: Vec<IpAddr> = self
            .addresses
            .iter()
            .filter(|(_, on)| on.contains(&index))
            .map(|(ip, _)| *ip)
            .collect();
        on.sort_unstable();
        for ip in on {
            self.remove_address(index, ip, facts);
        }
    }

    /// The device no longer has this name; another one may have it already.
    fn release(&mut self, device: &Device, facts: &mut Vec<Fact>) {
        if self.index.get(&device.name) == Some(&device.index) {
            self.index.remove(&device.name);
            facts.push(Fact::LinkGone(device.name.clone()));
        }
    }

    fn remove_address(&mut self, index: u32, ip: IpAddr, facts: &mut Vec<Fact>) {
        let Some(on) = self.addresses.get_mut(&ip) else {
            return;
        };
        on.retain(|i| *i != index);
        if on.is_empty() {
            self.addresses.remove(&ip);
            facts.push(Fact::AddressGone(ip));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(index: u32, name: &str, mtu: u32, up: bool) -> News {
        News::Device(Device {
            index,
            name: name.into(),
            mtu,
            up,
            netfilter: false,
        })
    }

    fn link(name: &str, mtu: u32, up: bool) -> Fact {
        Fact::Link(LinkFact {
            name: name.into(),
            mtu,
            up,
            netfilter: false,
        })
    }

    fn told(table: &mut Table, news: News) -> Vec<Fact> {
        let mut facts = Vec::new();
        table.apply(news, &mut facts);
        facts
    }

    #[test]
    fn only_what_moved_is_told() {
        let mut table = Table::default();
        assert_eq!(
            told(&mut table, device(3, "tap1", 1500, false)),
            [link("tap1", 1500, false)]
        );
        assert_eq!(told(&mut table, device(3, "tap1", 1500, false)), []);
        assert_eq!(
            told(&mut table, device(3, "tap1", 1450, false)),
            [link("tap1", 1450, false)]
        );
        assert_eq!(
            told(&mut table, News::DeviceGone(3)),
            [Fact::LinkGone("tap1".into())]
        );
        assert_eq!(told(&mut table, News::DeviceGone(3)), []);
    }

    #[test]
    fn a_name_goes_from_one_device_to_another() {
        let mut table = Table::default();
        told(&mut table, device(3, "a", 1500, true));
        assert_eq!(
            told(&mut table, device(3, "b", 1500, true)),
            [Fact::LinkGone("a".into()), link("b", 1500, true)]
        );
        told(&mut table, device(4, "a", 1400, true));
        assert_eq!(table.device("a").map(|d| d.index), Some(4));
        // The new holder's message came first: the old one's end is not the name's.
        told(&mut table, device(5, "b", 1300, true));
        assert_eq!(told(&mut table, News::DeviceGone(3)), []);
        assert_eq!(table.device("b").map(|d| d.mtu), Some(1300));
    }

    #[test]
    fn an_address_stays_while_one_device_has_it() {
        let ip: IpAddr = "192.0.2.1".parse().unwrap();
        let mut table = Table::default();
        assert_eq!(told(&mut table, News::Address(1, ip)), [Fact::Address(ip)]);
        assert_eq!(told(&mut table, News::Address(1, ip)), []);
        assert_eq!(told(&mut table, News::Address(2, ip)), []);
        assert_eq!(told(&mut table, News::AddressGone(1, ip)), []);
        told(&mut table, device(2, "eth0", 1500, true));
        assert_eq!(
            told(&mut table, News::DeviceGone(2)),
            [Fact::LinkGone("eth0".into()), Fact::AddressGone(ip)]
        );
    }

    #[test]
    fn a_listing_tells_the_difference() {
        let (ip, other): (IpAddr, IpAddr) =
            ("192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
        let mut table = Table::default();
        let mut facts = Vec::new();
        let first = vec![
            device(1, "lo", 65536, true),
            device(2, "tap", 1500, true),
            News::Address(1, ip),
        ];
        table.replace(first.clone(), &mut facts);
        assert_eq!(
            facts,
            [
                link("lo", 65536, true),
                link("tap", 1500, true),
                Fact::Address(ip)
            ]
        );
        facts.clear();
        table.replace(first, &mut facts);
        assert_eq!(facts, []);
        let second = vec![
            device(1, "lo", 65536, false),
            News::Address(3, ip),
            News::Address(3, other),
        ];
        table.replace(second, &mut facts);
        assert_eq!(
            facts,
            [
                Fact::LinkGone("tap".into()),
                link("lo", 65536, false),
                Fact::Address(other)
            ]
        );
    }
}
