//! Cells of the packet filter → items. Pure.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use nft::name::Bytes;
use smallvec::{SmallVec, smallvec};

use super::layout::{self, NETWORK_SIDE, STATELESS};
use super::numbers::{Profile, Source, as_source, fingerprint, remote_note, short};
use super::tables;
use crate::model::{Desired, Family, Mac, Port, PortId, Remote, RemoteId, Rule};
use crate::ops::link::LinkState;
use crate::ops::nft::{Entry, NftBody, NftKey, SetId, Variant};
use crate::plan::cell::{Facet, Key, Need};
use crate::plan::render::{Item, Rendered, View};

fn element(set: SetId, key: Bytes, data: Option<[u8; 4]>) -> Item {
    let entry = Entry {
        data,
        comment: None,
    };
    Item::Nft(NftKey::Element(set, key), NftBody::Element(entry))
}

fn noted(set: SetId, key: Bytes, comment: Arc<str>) -> Item {
    let entry = Entry {
        data: None,
        comment: Some(comment),
    };
    Item::Nft(NftKey::Element(set, key), NftBody::Element(entry))
}

/// The tables.
pub fn base(view: &View<'_>) -> Rendered {
    let Some(variant) = view.filter.variant else {
        return view.filter.lacking();
    };
    let tables = tables::tables(variant, &view.filter.numbers.shape());
    let items = tables
        .into_iter()
        .map(|table| Item::Nft(NftKey::Table(table.family), NftBody::Table(Arc::new(table))));
    Rendered::ready(items.collect())
}

/// The devices of a hybrid port: the VM's, the bridge, and the bridge's end of the pair that leads to the switch.
pub fn devices(id: PortId) -> [String; 3] {
    let short = short(id);
    [
        format!("tap{short}"),
        format!("qbr{short}"),
        format!("qvb{short}"),
    ]
}

/// Every MAC address and prefix that a port may send from. A port without addresses may use any with its own MAC.
pub fn senders(port: &Port) -> Vec<(Mac, IpNet)> {
    let mut list: Vec<(Mac, IpNet)> = port
        .fixed_ips
        .iter()
        .map(|fixed| (port.mac, IpNet::from(fixed.ip)))
        .collect();
    if port.fixed_ips.is_empty() {
        list.extend([any(Family::V4), any(Family::V6)].map(|net| (port.mac, net)));
    }
    let pairs = port.allowed_pairs.iter();
    list.extend(pairs.map(|pair| (pair.mac.unwrap_or(port.mac), pair.prefix.trunc())));
    list.extend(
        macs(port)
            .into_iter()
            .map(|mac| (mac, IpNet::from(IpAddr::V6(mac.link_local())))),
    );
    list.sort_unstable();
    list.dedup();
    list
}

fn any(family: Family) -> IpNet {
    match family {
        Family::V4 => IpNet::V4(ipnet::Ipv4Net::default()),
        Family::V6 => IpNet::V6(ipnet::Ipv6Net::default()),
    }
}

fn macs(port: &Port) -> Vec<Mac> {
    let mut macs = vec![port.mac];
    macs.extend(port.allowed_pairs.iter().filter_map(|pair| pair.mac));
    macs.sort_unstable();
    macs.dedup();
    macs
}

/// `true` if connections of the port are not tracked: it has groups, and all of them are stateless.
pub fn is_stateless(port: &Port, desired: &Desired) -> bool {
    !port.groups.is_empty()
        && port
            .groups
            .iter()
            .all(|id| desired.group(*id).is_some_and(|group| !group.stateful))
}

/// Why a VIF cannot be filtered here, if it cannot.
pub fn unfilterable(vif: &str, id: PortId) -> Option<Need> {
    let wanted = format!("qvo{}", short(id));
    (vif != wanted).then(|| {
        let [tap, bridge, _] = devices(id);
        Need::Unfilterable(
            format!(
                "{vif} is plugged straight into the integration bridge, where nf_tables sees no packet: plug it hybrid ({tap} on bridge {bridge}, {wanted} on the integration bridge) or set [securitygroup] firewall_driver = openvswitch"
            )
            .into(),
        )
    })
}

/// A port's devices and senders.
pub fn port(view: &View<'_>, id: PortId) -> Rendered {
    if view.filter.leaving.holds(id) {
        return Rendered::held(Need::Leaves);
    }
    let Some(port) = view.desired.port(id) else {
        return Rendered::absent();
    };
    if !port.is_filtered() {
        return Rendered::absent();
    }
    let vif = view.attachments.get(&id).map(|attachment| &attachment.vif);
    if let Some(need) = vif.and_then(|vif| unfilterable(vif, id)) {
        return Rendered::blocked(need);
    }
    if view.filter.variant.is_none() {
        return view.filter.lacking();
    }
    let numbers = &view.filter.numbers;
    let (Some(zone), Some(number)) = (numbers.zone(id), numbers.profile_number(id)) else {
        return Rendered::blocked(Need::Unfilterable(
            "more than 65535 filtered ports or 8191 different sets of security groups on this host"
                .into(),
        ));
    };
    let state = if is_stateless(port, view.desired) {
        STATELESS
    } else {
        [0; 4]
    };
    let network = [0, 0, state[2] | NETWORK_SIDE[2], 0];
    let [tap, bridge, pair] = devices(id);
    let mut items = vec![
        element(
            SetId::Vif,
            layout::device(&tap),
            Some(layout::mark(zone, number, state)),
        ),
        element(
            SetId::Vif,
            layout::device(&pair),
            Some(layout::mark(zone, number, network)),
        ),
        element(SetId::Bridges, layout::device(&bridge), None),
    ];
    if view.filter.variant.is_some_and(|v| !v.has_zones()) {
        items.push(element(SetId::Owners, layout::owner(zone), None));
    }
    for mac in macs(port) {
        items.push(element(SetId::Rarp, layout::sender(zone, mac), None));
        items.push(element(SetId::Macs, layout::sender(zone, mac), None));
    }
    for (mac, net) in senders(port) {
        let is_one = net.prefix_len() == net.max_prefix_len();
        let (set, arp) = match (Family::of_net(net), is_one) {
            (Family::V4, true) => (SetId::Source4, Some(SetId::Arp)),
            (Family::V4, false) => (SetId::Pair4, Some(SetId::ArpPair)),
            (Family::V6, true) => (SetId::Source6, None),
            (Family::V6, false) => (SetId::Pair6, None),
        };
        let key = if is_one {
            layout::sender_at(zone, mac, net.addr())
        } else {
            layout::sender_in(zone, mac, net)
        };
        items.extend(arp.map(|arp| element(arp, layout::speaker(zone, mac, net), None)));
        items.push(element(set, key, None));
    }
    Rendered::ready(items)
}

/// The port's bridge hands its packets to the hooks of the inet table.
pub fn link(view: &View<'_>, id: PortId) -> Rendered {
    if view.filter.leaving.holds(id) {
        return Rendered::held(Need::Leaves);
    }
    let is_filtered = view.desired.port(id).is_some_and(Port::is_filtered);
    let wanted = view.filter.numbers.zone(id).is_some()
        && view.filter.variant == Some(Variant::BridgeInet)
        && is_filtered
        && view.attachments.contains_key(&id);
    if !wanted {
        return Rendered::absent();
    }
    let [_, bridge, _] = devices(id).map(Arc::from);
    if view.observed.link(&bridge).is_none() {
        return Rendered::blocked(Need::Device(bridge));
    }
    let state = LinkState {
        mtu: None,
        up: true,
        netfilter: true,
    };
    Rendered::ready(vec![Item::Link(bridge, state)])
}

/// What has to stand before a filtered port gets its tag.
pub fn path(view: &View<'_>, id: PortId) -> Vec<(Key, Facet)> {
    let mut cells = vec![(Key::Host, Facet::FilterBase)];
    cells.extend(
        view.filter
            .numbers
            .profile_number(id)
            .map(|n| (Key::Profile(n), Facet::FilterRules)),
    );
    cells.push((Key::Port(id), Facet::Filter));
    cells.push((Key::Port(id), Facet::FilterLink));
    cells
}

/// A profile's rules.
pub fn profile(view: &View<'_>, number: u16) -> Rendered {
    let Some(profile) = view.filter.numbers.profile(number) else {
        return Rendered::absent();
    };
    let mut items = vec![noted(
        SetId::Profiles,
        layout::profile_word(number).into(),
        fingerprint(&profile.groups),
    )];
    for (index, id) in profile.slots() {
        let Some(remote) = view.filter.numbers.remote(id) else {
            continue;
        };
        items.push(element(
            SetId::Slots,
            layout::slot(number, index),
            Some(layout::source_word(number, remote)),
        ));
    }
    for (source, given) in profile.nets() {
        let context = Some(layout::source_word(number, given));
        items.push(match source {
            Source::Net(net) => {
                let set = match Family::of_net(net) {
                    Family::V4 => SetId::Nets4,
                    Family::V6 => SetId::Nets6,
                };
                element(set, layout::net(number, net), context)
            }
            Source::Mac(mac) => element(SetId::NetMacs, layout::net_mac(number, mac), context),
        });
    }
    let groups = profile
        .groups
        .iter()
        .filter_map(|id| view.desired.group(*id));
    let mut passes: Vec<[u8; 12]> = Vec::new();
    for rule in groups.flat_map(|group| &group.rules) {
        let tag = layout::tag(rule.direction, rule.family);
        let selectors = layout::selectors(rule.service, rule.family);
        for source in sources_of(view, profile, rule) {
            let pass = |selector: &_| layout::pass(number, source, tag, *selector);
            passes.extend(selectors.iter().map(pass));
        }
    }
    passes.sort_unstable();
    passes.dedup();
    let pass = |key: [u8; 12]| element(SetId::Pass, key.into(), None);
    items.extend(passes.into_iter().map(pass));
    if profile.overflow {
        let why = "more than 4095 remote groups or 32768 remote prefixes in the rules of one port: what does not fit is not allowed";
        return Rendered::degraded(items, Need::Unfilterable(why.into()));
    }
    Rendered::ready(items)
}

/// The numbers of the sources that a rule allows.
fn sources_of(view: &View<'_>, profile: &Profile, rule: &Rule) -> SmallVec<[u16; 4]> {
    match rule.remote {
        Remote::Any => smallvec![0],
        Remote::Prefix(net) if net.prefix_len() == 0 => smallvec![0],
        Remote::Prefix(net) => profile.net(Source::Net(net)).into_iter().collect(),
        Remote::Set(id) => {
            let addresses = view
                .desired
                .remote(id)
                .into_iter()
                .flat_map(|set| set.nets());
            let mut list: SmallVec<[u16; 4]> = addresses
                .filter(|address| Family::of_net(address.prefix) == rule.family)
                .filter_map(|address| profile.net(as_source(&address)?))
                .collect();
            list.extend(
                profile
                    .slot(id)
                    .and_then(|_| view.filter.numbers.remote(id)),
            );
            list
        }
    }
}

/// That a remote set is in use.
pub fn remote(view: &View<'_>, id: RemoteId) -> Rendered {
    match view.filter.numbers.remote(id) {
        None => Rendered::absent(),
        Some(number) => Rendered::ready(vec![noted(
            SetId::Remotes,
            layout::source_word(0, number).into(),
            remote_note(id),
        )]),
    }
}

/// One address of a remote set.
pub fn member(view: &View<'_>, id: RemoteId, net: IpNet) -> Rendered {
    let Some(number) = view.filter.numbers.remote(id) else {
        return Rendered::absent();
    };
    let is_there = view
        .desired
        .remote(id)
        .is_some_and(|set| set.has_prefix(net));
    if !is_there || net.prefix_len() < net.max_prefix_len() {
        return Rendered::absent();
    }
    let set = match Family::of_net(net) {
        Family::V4 => SetId::Members4,
        Family::V6 => SetId::Members6,
    };
    Rendered::ready(vec![element(set, layout::member(number, net.addr()), None)])
}
