//! The tunnel mesh: one port per peer and encapsulation.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::{Item, Need, Rendered, View};
use crate::model::{Endpoint, TunnelType};
use crate::ops::row::{PortRow, Row, RowKey};
use crate::plan::flows::{Flow, act};
use crate::plan::{names, tables};

/// VXLAN's own UDP port (RFC 7348 §8).
const VXLAN_PORT: u16 = 4789;

/// `true` if this endpoint is a peer that this host talks to.
pub(super) fn is_peer(view: &View<'_>, endpoint: &Endpoint) -> bool {
    let config = view.config;
    let Some(local) = config.local_ip else {
        return false;
    };
    endpoint.host != config.host
        && endpoint.ip != local
        && endpoint.ip.is_ipv4() == local.is_ipv4()
        && config.tunnel_types.contains(&endpoint.kind)
        && view.desired.has_endpoint(endpoint)
}

/// The port's row. The local address may not be there yet; the switch waits for it by itself.
pub fn port(view: &View<'_>, endpoint: &Endpoint) -> Rendered {
    let config = view.config;
    let Some(local) = config.local_ip.filter(|_| is_peer(view, endpoint)) else {
        return Rendered::absent();
    };
    if let Err(need) = view.own_bridge(&config.tunnel_bridge) {
        return Rendered::blocked(need);
    }
    let mut options = BTreeMap::<Arc<str>, Arc<str>>::new();
    let mut option = |key: &str, value: &str| options.insert(key.into(), value.into());
    option("remote_ip", &endpoint.ip.to_string());
    option("local_ip", &local.to_string());
    option("in_key", "flow");
    option("out_key", "flow");
    option("egress_pkt_mark", "0");
    option(
        "df_default",
        if config.dont_fragment {
            "true"
        } else {
            "false"
        },
    );
    if config.tunnel_csum {
        option("csum", "true");
    }
    if endpoint.kind == TunnelType::Vxlan && config.vxlan_udp_port != VXLAN_PORT {
        option("dst_port", &config.vxlan_udp_port.to_string());
    }
    let kind = match (endpoint.kind, endpoint.ip) {
        (TunnelType::Gre, IpAddr::V6(_)) => {
            option("packet_type", "legacy_l2");
            "ip6gre"
        }
        (kind, _) => kind.name(),
    };
    let row = PortRow {
        bridge: config.tunnel_bridge.clone(),
        kind: Arc::from(kind),
        options,
    };
    let item = Item::Row(
        RowKey::Port(names::tunnel(endpoint.kind, endpoint.ip)),
        Row::Port(row),
    );
    if view.observed.links_complete() && !view.observed.has_address(local) {
        return Rendered::degraded(vec![item], Need::LocalIp(local));
    }
    Rendered::ready(vec![item])
}

/// Its packets go to the table of the encapsulation.
pub fn inbound(view: &View<'_>, endpoint: &Endpoint) -> Rendered {
    if !is_peer(view, endpoint) {
        return Rendered::absent();
    }
    let bridge = &view.config.tunnel_bridge;
    match view.ofport(bridge, &names::tunnel(endpoint.kind, endpoint.ip)) {
        Err(need) => Rendered::blocked(need),
        Ok(port) => {
            let flow = Flow::new(tables::tun::CLASSIFIER, 1)
                .in_port(port)
                .actions([act::resubmit(tables::tun::of(endpoint.kind))]);
            Rendered::ready(vec![Item::flow(bridge, flow)])
        }
    }
}
