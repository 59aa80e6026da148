//! What people and programs see of the database: rows joined for reading, tolerant of malformed ones.
//!
//! These are wire shapes (`--json`); times are µs since the Unix epoch.

mod group;

pub use group::{
    AddressGroupView, GroupRef, GroupView, RuleFilter, RuleView, address_groups, groups, rules,
};

use rustc_hash::FxHashMap;
use serde::Serialize;

use super::{Row, Store, StoreError, Value};

/// A network.
#[derive(Clone, Debug, Serialize)]
pub struct NetworkView {
    /// UUID.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// `local`, `flat`, `vlan`, `gre` or `vxlan`, of its first segment.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// For flat and vlan.
    pub physical_network: Option<String>,
    /// VLAN id or tunnel key.
    pub segmentation_id: Option<i64>,
    /// Bytes.
    pub mtu: Option<i64>,
    /// Administratively up.
    pub admin_up: bool,
    /// Prefixes of its subnets.
    pub subnets: Vec<String>,
    /// How many ports it has.
    pub ports: i64,
    /// When it was made.
    pub created_at: Option<i64>,
}

/// A subnet.
#[derive(Clone, Debug, Serialize)]
pub struct SubnetView {
    /// UUID.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its network's UUID.
    pub network_id: String,
    /// Its network's name.
    pub network: String,
    /// Its addresses.
    pub cidr: String,
    /// The default gateway.
    pub gateway: Option<String>,
    /// When it was made.
    pub created_at: Option<i64>,
}

/// An address of a port.
#[derive(Clone, Debug, Serialize)]
pub struct FixedIpView {
    /// The address.
    pub ip: String,
    /// Its subnet's UUID.
    pub subnet_id: String,
}

/// A port.
#[derive(Clone, Debug, Serialize)]
pub struct PortView {
    /// UUID: what a VIF carries as `external_ids:iface-id`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its network's UUID.
    pub network_id: String,
    /// Its network's name.
    pub network: String,
    /// Its hardware address.
    pub mac: String,
    /// Its addresses.
    pub fixed_ips: Vec<FixedIpView>,
    /// `PREFIX` or `PREFIX,MAC`.
    pub allowed_addresses: Vec<String>,
    /// Administratively up.
    pub admin_up: bool,
    /// Held to its addresses.
    pub port_security: bool,
    /// The security groups it is in.
    pub groups: Vec<GroupRef>,
    /// What enforces security groups on its host, as far as an agent told: `noop` is nothing.
    pub firewall: Option<String>,
    /// Who uses it.
    pub device_owner: String,
    /// The host it is bound to.
    pub host: Option<String>,
    /// `BUILD`, `ACTIVE`, `DOWN` or `ERROR`.
    pub status: String,
    /// Why it is not active.
    pub binding_error: Option<String>,
    /// When it was made.
    pub created_at: Option<i64>,
    /// When it was bound to its host.
    pub bound_at: Option<i64>,
    /// When its VIF was first seen there.
    pub seen_at: Option<i64>,
    /// When the switch confirmed its wiring.
    pub wired_at: Option<i64>,
    /// When it became ACTIVE.
    pub active_at: Option<i64>,
}

/// Where tunnels end.
#[derive(Clone, Debug, Serialize)]
pub struct EndpointView {
    /// `gre` or `vxlan`.
    #[serde(rename = "type")]
    pub kind: String,
    /// IPv4 or IPv6.
    pub ip: String,
}

/// An agent as it last told.
#[derive(Clone, Debug, Serialize)]
pub struct AgentView {
    /// It told within three of its intervals, and did not say that it ends.
    pub alive: bool,
    /// One per process.
    pub instance: String,
    /// Of the program.
    pub version: String,
    /// What enforces security groups there; `noop` is nothing, empty was not told.
    pub firewall: String,
    /// When it started.
    pub started_at: Option<i64>,
    /// When it last told.
    pub heartbeat_at: Option<i64>,
    /// When it said that it ends.
    pub stopped_at: Option<i64>,
    /// VIFs on its integration bridge.
    pub vifs: i64,
    /// Ports it holds active.
    pub active: i64,
    /// Ports that wait for something.
    pub blocked: i64,
}

/// A host.
#[derive(Clone, Debug, Serialize)]
pub struct HostView {
    /// Its name.
    pub name: String,
    /// Where its tunnels end.
    pub endpoints: Vec<EndpointView>,
    /// Its agent, if one was ever there.
    pub agent: Option<AgentView>,
    /// How many ports are bound to it.
    pub ports: i64,
    /// When it was made.
    pub created_at: Option<i64>,
}

/// Which ports.
#[derive(Clone, Debug, Default)]
pub struct PortFilter {
    /// Only this one.
    pub id: Option<String>,
    /// Only on this network.
    pub network_id: Option<String>,
    /// Only bound to this host.
    pub host: Option<String>,
    /// Only with this status.
    pub status: Option<String>,
    /// Only those in this security group.
    pub group_id: Option<String>,
}

/// Numbers of things.
#[derive(Clone, Debug, Serialize)]
pub struct Counts {
    /// Networks.
    pub networks: i64,
    /// Subnets.
    pub subnets: i64,
    /// Ports.
    pub ports: i64,
    /// Security groups.
    pub groups: i64,
    /// Their rules.
    pub rules: i64,
    /// Ports by status.
    pub ports_by_status: std::collections::BTreeMap<String, i64>,
    /// Hosts.
    pub hosts: i64,
    /// Entries in the change log.
    pub changes: i64,
    /// The newest revision.
    pub revision: i64,
}

/// All networks by name, or the one with this id.
pub fn networks(store: &mut dyn Store, id: Option<&str>) -> Result<Vec<NetworkView>, StoreError> {
    let subnets = grouped(
        store,
        "SELECT network_id, cidr FROM subnets ORDER BY created_at, id",
    )?;
    let ports = grouped(
        store,
        "SELECT network_id, count(*) FROM ports GROUP BY network_id",
    )?;
    let segments = grouped(
        store,
        "SELECT network_id, network_type, physical_network, segmentation_id FROM segments ORDER BY created_at, id",
    )?;
    let filter = Filter::new().and("id = ?", id);
    let sql = format!(
        "SELECT id, name, mtu, admin_up, created_at FROM networks WHERE {} ORDER BY name, id",
        filter.sql
    );
    let rows = store.query(&sql, &filter.params)?;
    let view = |row: Row| {
        let id = text(&row, 0);
        let segment = segments.get(&id).and_then(|rows| rows.first());
        NetworkView {
            name: text(&row, 1),
            kind: segment.and_then(|row| optional(row, 1)),
            physical_network: segment.and_then(|row| optional(row, 2)),
            segmentation_id: segment.and_then(|row| int(row, 3)),
            mtu: int(&row, 2),
            admin_up: int(&row, 3) == Some(1),
            subnets: subnets
                .get(&id)
                .into_iter()
                .flatten()
                .map(|row| text(row, 1))
                .collect(),
            ports: ports
                .get(&id)
                .and_then(|rows| int(rows.first()?, 1))
                .unwrap_or(0),
            created_at: int(&row, 4),
            id,
        }
    };
    Ok(rows.into_iter().map(view).collect())
}

/// All subnets, or the one with this id, or those of a network.
pub fn subnets(
    store: &mut dyn Store,
    id: Option<&str>,
    network_id: Option<&str>,
) -> Result<Vec<SubnetView>, StoreError> {
    let filter = Filter::new()
        .and("s.id = ?", id)
        .and("s.network_id = ?", network_id);
    let sql = format!(
        "SELECT s.id, s.name, s.network_id, coalesce(n.name, ''), s.cidr, s.gateway, s.created_at FROM subnets s LEFT \
         JOIN networks n ON n.id = s.network_id WHERE {} ORDER BY n.name, s.created_at, s.id",
        filter.sql
    );
    let view = |row: Row| SubnetView {
        id: text(&row, 0),
        name: text(&row, 1),
        network_id: text(&row, 2),
        network: text(&row, 3),
        cidr: text(&row, 4),
        gateway: optional(&row, 5),
        created_at: int(&row, 6),
    };
    Ok(store
        .query(&sql, &filter.params)?
        .into_iter()
        .map(view)
        .collect())
}

/// The ports that the filter leaves, oldest first.
pub fn ports(store: &mut dyn Store, filter: &PortFilter) -> Result<Vec<PortView>, StoreError> {
    let filter = Filter::new()
        .and("p.id = ?", filter.id.as_deref())
        .and("p.network_id = ?", filter.network_id.as_deref())
        .and("p.host = ?", filter.host.as_deref())
        .and("p.status = ?", filter.status.as_deref())
        .and(
            "EXISTS (SELECT 1 FROM port_security_groups s WHERE s.port_id = p.id AND s.group_id = ?)",
            filter.group_id.as_deref(),
        );
    let mut joined = |columns: &str,
                      table: &str|
     -> Result<FxHashMap<String, Vec<Row>>, StoreError> {
        let sql = format!(
            "SELECT x.port_id, {columns} FROM ports p JOIN {table} x ON x.port_id = p.id WHERE {} ORDER BY 1, 2",
            filter.sql
        );
        Ok(by_first(store.query(&sql, &filter.params)?))
    };
    let ips = joined("x.ip, x.subnet_id", "fixed_ips")?;
    let pairs = joined("x.prefix, x.mac", "address_pairs")?;
    let groups = joined(
        "x.name, x.id",
        "(SELECT m.port_id, m.group_id AS id, coalesce(g.name, '') AS name FROM port_security_groups m LEFT JOIN \
         security_groups g ON g.id = m.group_id)",
    )?;
    let sql = format!(
        "SELECT p.id, p.name, p.network_id, coalesce(n.name, ''), p.mac, p.admin_up, p.port_security, p.device_owner, \
         p.host, p.status, p.binding_error, p.created_at, p.bound_at, p.seen_at, p.wired_at, p.active_at, a.firewall FROM \
         ports p LEFT JOIN networks n ON n.id = p.network_id LEFT JOIN agents a ON a.host = p.host WHERE {} ORDER BY p.created_at, n.name, length(p.name), p.name, \
         p.id",
        filter.sql
    );
    let view = |row: Row| {
        let id = text(&row, 0);
        let pair = |row: &Row| match text(row, 2).as_str() {
            "" => text(row, 1),
            mac => format!("{},{mac}", text(row, 1)),
        };
        PortView {
            name: text(&row, 1),
            network_id: text(&row, 2),
            network: text(&row, 3),
            mac: text(&row, 4),
            fixed_ips: ips
                .get(&id)
                .into_iter()
                .flatten()
                .map(|row| FixedIpView {
                    ip: text(row, 1),
                    subnet_id: text(row, 2),
                })
                .collect(),
            allowed_addresses: pairs.get(&id).into_iter().flatten().map(pair).collect(),
            admin_up: int(&row, 5) == Some(1),
            port_security: int(&row, 6) == Some(1),
            groups: groups
                .get(&id)
                .into_iter()
                .flatten()
                .map(|row| GroupRef {
                    name: text(row, 1),
                    id: text(row, 2),
                })
                .collect(),
            firewall: optional(&row, 16).filter(|name| !name.is_empty()),
            device_owner: text(&row, 7),
            host: optional(&row, 8).filter(|host| !host.is_empty()),
            status: text(&row, 9),
            binding_error: optional(&row, 10),
            created_at: int(&row, 11),
            bound_at: int(&row, 12),
            seen_at: int(&row, 13),
            wired_at: int(&row, 14),
            active_at: int(&row, 15),
            id,
        }
    };
    Ok(store
        .query(&sql, &filter.params)?
        .into_iter()
        .map(view)
        .collect())
}

/// All hosts, or the one of this name. `now`: to say whether their agents live.
pub fn hosts(
    store: &mut dyn Store,
    name: Option<&str>,
    now: u64,
) -> Result<Vec<HostView>, StoreError> {
    let endpoints = grouped(
        store,
        "SELECT host, tunnel_type, ip FROM tunnel_endpoints ORDER BY tunnel_type",
    )?;
    let ports = grouped(
        store,
        "SELECT host, count(*) FROM ports WHERE host IS NOT NULL GROUP BY host",
    )?;
    let filter = Filter::new().and("h.name = ?", name);
    let sql = format!(
        "SELECT h.name, h.created_at, a.instance, a.version, a.started_at, a.heartbeat_at, a.stopped_at, \
         a.heartbeat_every, a.vifs, a.active, a.blocked, a.firewall FROM hosts h LEFT JOIN agents a ON a.host = h.name WHERE {} \
         ORDER BY h.name",
        filter.sql
    );
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let view = |row: Row| {
        let name = text(&row, 0);
        let patience = int(&row, 7).unwrap_or(0).saturating_mul(3);
        let fresh = int(&row, 5).is_some_and(|at| now.saturating_sub(at) <= patience);
        HostView {
            endpoints: endpoints
                .get(&name)
                .into_iter()
                .flatten()
                .map(|row| EndpointView {
                    kind: text(row, 1),
                    ip: text(row, 2),
                })
                .collect(),
            agent: optional(&row, 2).map(|instance| AgentView {
                alive: fresh && int(&row, 6).is_none(),
                instance,
                version: text(&row, 3),
                firewall: text(&row, 11),
                started_at: int(&row, 4),
                heartbeat_at: int(&row, 5),
                stopped_at: int(&row, 6),
                vifs: int(&row, 8).unwrap_or(0),
                active: int(&row, 9).unwrap_or(0),
                blocked: int(&row, 10).unwrap_or(0),
            }),
            ports: ports
                .get(&name)
                .and_then(|rows| int(rows.first()?, 1))
                .unwrap_or(0),
            created_at: int(&row, 1),
            name,
        }
    };
    Ok(store
        .query(&sql, &filter.params)?
        .into_iter()
        .map(view)
        .collect())
}

/// How much there is.
pub fn counts(store: &mut dyn Store) -> Result<Counts, StoreError> {
    let mut number = |sql: &str| -> Result<i64, StoreError> {
        Ok(store
            .query(sql, &[])?
            .first()
            .and_then(|row| int(row, 0))
            .unwrap_or(0))
    };
    let (networks, subnets) = (
        number("SELECT count(*) FROM networks")?,
        number("SELECT count(*) FROM subnets")?,
    );
    let (ports, hosts) = (
        number("SELECT count(*) FROM ports")?,
        number("SELECT count(*) FROM hosts")?,
    );
    let (groups, rules) = (
        number("SELECT count(*) FROM security_groups")?,
        number("SELECT count(*) FROM security_group_rules")?,
    );
    let changes = number("SELECT count(*) FROM changes")?;
    let revision = number("SELECT max(revision) FROM changes")?;
    let rows = store.query("SELECT status, count(*) FROM ports GROUP BY status", &[])?;
    let ports_by_status = rows
        .iter()
        .map(|row| (text(row, 0), int(row, 1).unwrap_or(0)))
        .collect();
    Ok(Counts {
        networks,
        subnets,
        ports,
        groups,
        rules,
        ports_by_status,
        hosts,
        changes,
        revision,
    })
}

struct Filter {
    sql: String,
    params: Vec<Value>,
}

impl Filter {
    fn new() -> Filter {
        Filter {
            sql: "1 = 1".to_owned(),
            params: Vec::new(),
        }
    }

    fn and(mut self, condition: &str, value: Option<&str>) -> Filter {
        if let Some(value) = value {
            self.sql.push_str(" AND ");
            self.sql.push_str(condition);
            self.params.push(value.into());
        }
        self
    }
}

fn grouped(store: &mut dyn Store, sql: &str) -> Result<FxHashMap<String, Vec<Row>>, StoreError> {
    Ok(by_first(store.query(sql, &[])?))
}

fn by_first(rows: Vec<Row>) -> FxHashMap<String, Vec<Row>> {
    let mut groups: FxHashMap<String, Vec<Row>> = FxHashMap::default();
    for row in rows {
        groups.entry(text(&row, 0)).or_default().push(row);
    }
    groups
}

fn text(row: &Row, at: usize) -> String {
    optional(row, at).unwrap_or_default()
}

fn optional(row: &Row, at: usize) -> Option<String> {
    match row.get(at)? {
        Value::Null => None,
        Value::Text(text) => Some(text.clone()),
        other => Some(other.describe()),
    }
}

fn int(row: &Row, at: usize) -> Option<i64> {
    row.get(at)?.int()
}
