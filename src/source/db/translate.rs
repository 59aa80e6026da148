//! Rows into model values. A row may have been written by hand: what is wrong with it goes into the entity's
//! `unusable`, in words that say which column and what would be right, and only that entity is concerned.

use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;
use uuid::Uuid;

use super::groups::membership;
use super::read::Record;
use crate::model::{
    AddressPair, Endpoint, FixedIp, GroupId, HostName, Mac, Network, NetworkId, Port, PortId,
    PortStatus, Segment, SegmentId, Subnet, SubnetId, TunnelType,
};
use crate::store::carrier::{MTU, network_type};
use crate::store::{Row, Value};

/// The default for a network whose MTU is unreadable.
const MTU_FALLBACK: u16 = 1500;

/// A UUID in the one spelling that is written back: lower case with hyphens.
pub(super) fn id(value: Option<&Value>) -> Result<Uuid, String> {
    let value = value.unwrap_or(&Value::Null);
    let text = value
        .text()
        .ok_or_else(|| format!("id is {}, not a UUID", value.describe()))?;
    match Uuid::parse_str(text) {
        Ok(id) if id.to_string() == text => Ok(id),
        Ok(id) => Err(format!("id {} must be written as {id}", value.describe())),
        Err(_) => Err(format!("id {} is not a UUID", value.describe())),
    }
}

/// Reads columns one by one and keeps the first thing that is wrong.
struct Columns<'a> {
    row: &'a Row,
    wrong: Option<String>,
}

impl<'a> Columns<'a> {
    fn new(row: &'a Row) -> Self {
        Columns { row, wrong: None }
    }

    fn value(&self, at: usize) -> &'a Value {
        self.row.get(at).unwrap_or(&Value::Null)
    }

    fn complain(&mut self, what: String) {
        self.wrong.get_or_insert(what);
    }

    fn text(&mut self, at: usize, name: &str) -> Arc<str> {
        match self.value(at) {
            Value::Text(text) => Arc::from(text.as_str()),
            other => {
                self.complain(format!("{name} is {}, not text", other.describe()));
                Arc::from("")
            }
        }
    }

    fn optional_text(&mut self, at: usize, name: &str) -> Option<Arc<str>> {
        if self.value(at).is_null() {
            None
        } else {
            Some(self.text(at, name))
        }
    }

    /// `fallback` is what the entity gets when the column is neither 0 nor 1.
    fn truth(&mut self, at: usize, name: &str, fallback: bool) -> bool {
        match self.value(at) {
            Value::Int(0) => false,
            Value::Int(1) => true,
            other => {
                self.complain(format!("{name} is {}, not 0 or 1", other.describe()));
                fallback
            }
        }
    }

    fn parsed<T: FromStr>(&mut self, at: usize, name: &str, wanted: &str) -> Option<T> {
        let value = self.value(at);
        match value.text().map(T::from_str) {
            Some(Ok(parsed)) => Some(parsed),
            _ => {
                self.complain(format!("{name} is {}, not {wanted}", value.describe()));
                None
            }
        }
    }

    /// Like `parsed`, for values that have only one right spelling: other rows are compared with it as text.
    fn canonical<T: FromStr + Display>(
        &mut self,
        at: usize,
        name: &str,
        wanted: &str,
    ) -> Option<T> {
        let parsed = self.parsed::<T>(at, name, wanted)?;
        let right = parsed.to_string();
        if self.value(at).text() != Some(right.as_str()) {
            self.complain(format!(
                "{name} {} must be written as {right}",
                self.value(at).describe()
            ));
        }
        Some(parsed)
    }
}

/// A network, or why its row cannot be told at all.
pub(super) fn network(record: &Record) -> Result<Network, String> {
    let id = NetworkId(id(record.row.first())?);
    let mut columns = Columns::new(&record.row);
    let name = columns.text(1, "name");
    let admin_up = columns.truth(2, "admin_up", false);
    let mtu = match columns.value(3) {
        Value::Int(mtu) if MTU.contains(mtu) => u16::try_from(*mtu).unwrap_or(MTU_FALLBACK),
        other => {
            let what = format!(
                "mtu is {}, not a number in {}..={}",
                other.describe(),
                MTU.start(),
                MTU.end()
            );
            columns.complain(what);
            MTU_FALLBACK
        }
    };
    let mut segments = Vec::new();
    let mut bad_segment = None;
    for row in &record.children {
        match segment(row) {
            Ok(segment) => segments.push(segment),
            Err(what) => {
                tracing::warn!(network = %id, reason = %what, "segment left out");
                bad_segment.get_or_insert(what);
            }
        }
    }
    let rival = record
        .rival
        .as_ref()
        .map(|rival| {
            format!(
                "its segment is already used by the older network {rival}: delete one of the two (`vifd db network delete`)"
            )
        });
    let none = || match bad_segment {
        Some(what) => what,
        None => "it has no segment".to_owned(),
    };
    let unusable = columns
        .wrong
        .or(rival)
        .or_else(|| segments.is_empty().then(none));
    if let Some(reason) = &unusable {
        tracing::warn!(network = %id, %reason, "network is unusable");
    }
    Ok(Network {
        id,
        name,
        admin_up,
        mtu,
        segments,
        unusable: unusable.map(Arc::from),
    })
}

fn segment(row: &Row) -> Result<Segment, String> {
    let segment_id = id(row.get(1)).map_err(|what| format!("segment {what}"))?;
    let mut columns = Columns::new(row);
    let kind = columns.text(2, "network_type");
    let physical_network = columns
        .optional_text(3, "physical_network")
        .filter(|name| !name.is_empty());
    let number = columns.value(4);
    if let Some(what) = columns.wrong {
        return Err(format!("segment {segment_id}: {what}"));
    }
    let network_type = network_type(&kind, physical_network.as_ref(), number)
        .map_err(|what| format!("segment {segment_id}: {what}"))?;
    Ok(Segment {
        id: SegmentId(segment_id),
        network_type,
    })
}

/// A subnet, or why its row is unusable.
pub(super) fn subnet(record: &Record) -> Result<Subnet, String> {
    let id = SubnetId(id(record.row.first())?);
    let mut columns = Columns::new(&record.row);
    let network = self::id(record.row.get(1)).map_err(|what| format!("network {what}"))?;
    let cidr: Option<IpNet> = columns.parsed(2, "cidr", "a prefix such as 192.0.2.0/24");
    let gateway: Option<IpAddr> = match columns.value(3) {
        Value::Null => None,
        _ => columns.parsed(3, "gateway", "an IP address"),
    };
    match (columns.wrong, cidr) {
        (None, Some(cidr)) => Ok(Subnet {
            id,
            network: NetworkId(network),
            cidr: cidr.trunc(),
            gateway,
        }),
        (wrong, _) => Err(wrong.unwrap_or_default()),
    }
}

/// A port, or why its row cannot be told at all.
pub(super) fn port(record: &Record, host: &HostName) -> Result<Port, String> {
    let id = PortId(id(record.row.first())?);
    let mut columns = Columns::new(&record.row);
    let network = match self::id(record.row.get(1)) {
        Ok(network) => {
            if columns.value(9).is_null() {
                columns.complain(format!("network {network} does not exist"));
            }
            network
        }
        Err(what) => {
            columns.complain(format!("network {what}"));
            Uuid::nil()
        }
    };
    let name = columns.text(2, "name");
    let mac = columns.canonical::<Mac>(3, "mac", "a MAC address of the form aa:bb:cc:dd:ee:ff");
    if let Some(mac) = mac.filter(|mac| mac.is_multicast() || mac.0 == [0; 6]) {
        columns.complain(format!("mac {mac} is not the address of one station"));
    }
    let admin_up = columns.truth(4, "admin_up", false);
    let device_owner = columns.text(5, "device_owner");
    let port_security = columns.truth(6, "port_security", true);
    let status = match columns.value(7).text().and_then(PortStatus::from_name) {
        Some(status) => status,
        None => {
            columns.complain(format!(
                "status is {}, not BUILD, ACTIVE, DOWN or ERROR",
                columns.value(7).describe()
            ));
            PortStatus::Build
        }
    };
    // Ours to write: an unreadable one is simply overwritten by the next report.
    let binding_error = columns.value(8).text().map(Arc::from);
    let fixed_ips = record
        .children
        .iter()
        .filter_map(|row| fixed_ip(row, &mut columns))
        .collect();
    let allowed_pairs = record
        .pairs
        .iter()
        .filter_map(|row| address_pair(row, &mut columns))
        .collect();
    let mut groups: Vec<GroupId> = Vec::new();
    for row in &record.groups {
        match membership(row) {
            Ok(group) => groups.push(group),
            Err(what) => columns.complain(what),
        }
    }
    groups.sort_unstable();
    groups.dedup();
    if let Some(rival) = &record.rival {
        let mac = columns.value(3).describe();
        columns.complain(format!(
            "mac {mac} is already used by the older port {rival} of the same network: give this one another (`vifd db port \
             set {id} --mac …`), or delete one of them"
        ));
    }
    Ok(Port {
        id,
        network: NetworkId(network),
        name,
        mac: mac.unwrap_or(Mac([0; 6])),
        admin_up,
        host: host.clone(),
        device_owner,
        fixed_ips,
        allowed_pairs,
        port_security,
        groups,
        status,
        binding_error,
        unusable: columns.wrong.map(Arc::from),
    })
}

fn fixed_ip(row: &Row, port: &mut Columns<'_>) -> Option<FixedIp> {
    let mut columns = Columns::new(row);
    let ip = columns.canonical::<IpAddr>(1, "fixed ip", "an IP address");
    let subnet = match id(row.get(2)) {
        Ok(subnet) => Some(SubnetId(subnet)),
        Err(what) => {
            columns.complain(format!("fixed ip: subnet {what}"));
            None
        }
    };
    if let Some(what) = columns.wrong {
        port.complain(what);
    }
    Some(FixedIp { ip: ip?, subnet })
}

fn address_pair(row: &Row, port: &mut Columns<'_>) -> Option<AddressPair> {
    let mut columns = Columns::new(row);
    let prefix = match columns
        .value(1)
        .text()
        .map(|text| (text.parse::<IpNet>(), text.parse::<IpAddr>()))
    {
        Some((Ok(prefix), _)) => Some(prefix.trunc()),
        Some((_, Ok(ip))) => Some(IpNet::from(ip)),
        _ => {
            columns.complain(format!(
                "allowed prefix is {}, not a prefix or address",
                columns.value(1).describe()
            ));
            None
        }
    };
    let mac = match columns.value(2) {
        Value::Text(text) if text.is_empty() => None,
        _ => columns.parsed::<Mac>(
            2,
            "allowed mac",
            "a MAC address of the form aa:bb:cc:dd:ee:ff",
        ),
    };
    match columns.wrong {
        // A pair that is only half understood would allow more than was asked for.
        Some(what) => {
            port.complain(what);
            None
        }
        None => Some(AddressPair {
            prefix: prefix?,
            mac,
        }),
    }
}

/// A tunnel endpoint, or why its row is unusable.
pub(super) fn endpoint(row: &Row) -> Result<Endpoint, String> {
    let mut columns = Columns::new(row);
    let host = columns.text(0, "host");
    let kind = columns.text(1, "tunnel_type");
    let ip: Option<IpAddr> = columns.parsed(2, "ip", "an IP address");
    let kind = match TunnelType::from_str(&kind) {
        Ok(kind) => Some(kind),
        Err(()) => {
            columns.complain(format!(
                "tunnel type {kind:?} is unknown: gre and vxlan are"
            ));
            None
        }
    };
    match (columns.wrong, kind, ip) {
        (None, Some(kind), Some(ip)) => Ok(Endpoint {
            host: HostName(host),
            kind,
            ip,
        }),
        (wrong, ..) => Err(wrong.unwrap_or_default()),
    }
}
