//! What the kernel remembered of an earlier life of the agent: numbers that its elements stand for.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use rustc_hash::{FxHashMap, FxHashSet};

use super::super::layout;
use super::profile::Source;
use crate::model::Mac;
use crate::ops::nft::SetId;

/// See the module.
#[derive(Clone, Default, Debug)]
pub(super) struct Hints {
    pub zones: FxHashMap<Arc<str>, u16>,
    pub profiles: FxHashMap<Arc<str>, u16>,
    pub remotes: FxHashMap<Arc<str>, u16>,
    pub slots: BTreeMap<u16, BTreeMap<u16, u16>>,
    pub nets: BTreeMap<u16, BTreeMap<Source, u16>>,
    pub taken_zones: FxHashSet<u16>,
    pub taken_profiles: FxHashSet<u16>,
    pub taken_remotes: FxHashSet<u16>,
}

impl Hints {
    /// Takes one element in.
    pub fn take(
        &mut self,
        set: SetId,
        key: &[u8],
        data: Option<[u8; 4]>,
        comment: Option<&Arc<str>>,
    ) {
        let word = |at: usize| -> Option<[u8; 4]> { key.get(at * 4..at * 4 + 4)?.try_into().ok() };
        match set {
            SetId::Vif => {
                let Some(mark) = data else { return };
                let name: Vec<u8> = key.iter().copied().take_while(|b| *b != 0).collect();
                let zone = layout::zone_of(mark);
                self.taken_zones.insert(zone);
                // What names the profile may have gone already: the device still goes by its rules.
                self.taken_profiles.insert(layout::profile_of(mark));
                if let Some(short) = String::from_utf8(name)
                    .ok()
                    .as_deref()
                    .and_then(|n| n.strip_prefix("tap"))
                {
                    self.zones.insert(short.into(), zone);
                }
            }
            SetId::Profiles => {
                let (Some(word), Some(comment)) = (word(0), comment) else {
                    return;
                };
                self.profiles
                    .insert(comment.clone(), layout::profile_of(word));
                self.taken_profiles.insert(layout::profile_of(word));
            }
            SetId::Remotes => {
                let (Some(word), Some(comment)) = (word(0), comment) else {
                    return;
                };
                self.remotes
                    .insert(comment.clone(), layout::source_of(word));
                self.taken_remotes.insert(layout::source_of(word));
            }
            SetId::Slots => {
                let (Some(profile), Some(index), Some(remote)) = (word(0), word(1), data) else {
                    return;
                };
                let Ok(index) = u16::try_from(u32::from_ne_bytes(index)) else {
                    return;
                };
                self.taken_remotes.insert(layout::source_of(remote));
                let slots = self.slots.entry(layout::profile_of(profile)).or_default();
                slots.insert(index, layout::source_of(remote));
            }
            SetId::Nets4 | SetId::Nets6 => {
                let (Some(profile), Some(length), Some(context)) = (word(0), word(1), data) else {
                    return;
                };
                let address = key.get(8..).unwrap_or(&[]);
                let ip = <[u8; 4]>::try_from(address)
                    .map(IpAddr::from)
                    .or_else(|_| <[u8; 16]>::try_from(address).map(IpAddr::from));
                let length = u8::try_from(u32::from_ne_bytes(length)).unwrap_or(u8::MAX);
                if let Some(net) = ip.ok().and_then(|ip| IpNet::new(ip, length).ok()) {
                    let nets = self.nets.entry(layout::profile_of(profile)).or_default();
                    nets.insert(Source::Net(net), layout::source_of(context));
                }
            }
            SetId::NetMacs => {
                let (Some(profile), Some(context)) = (word(0), data) else {
                    return;
                };
                if let Some(mac) = key.get(4..10).and_then(|b| <[u8; 6]>::try_from(b).ok()) {
                    let nets = self.nets.entry(layout::profile_of(profile)).or_default();
                    nets.insert(Source::Mac(Mac(mac)), layout::source_of(context));
                }
            }
            _ => {}
        }
    }
}
