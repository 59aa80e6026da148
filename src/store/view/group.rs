//! Security groups, their rules, and address groups as people see them.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Serialize, Serializer};

use super::{Filter, grouped, int, optional, text};
use crate::store::rule::{Meaning, RuleColumns, protocol_name};
use crate::store::rule_text;
use crate::store::{Row, Store, StoreError, Value};

/// A group by id and name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct GroupRef {
    /// UUID.
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// A security group.
#[derive(Clone, Debug, Serialize)]
pub struct GroupView {
    /// UUID.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Replies pass without rules of their own.
    pub stateful: bool,
    /// New ports join it.
    pub is_default: bool,
    /// How many ports are in it.
    pub ports: i64,
    /// What it allows.
    pub rules: Vec<RuleView>,
    /// When it was made.
    pub created_at: Option<i64>,
}

/// A rule.
#[derive(Clone, Debug, Serialize)]
pub struct RuleView {
    /// UUID.
    pub id: String,
    /// Its group's UUID.
    pub group_id: String,
    /// Its group's name.
    pub group: String,
    /// `ingress` or `egress`.
    pub direction: String,
    /// `IPv4` or `IPv6`.
    pub ethertype: String,
    /// A name or a number; any if absent.
    pub protocol: Option<String>,
    /// The lowest port, or the ICMP type.
    #[serde(serialize_with = "value")]
    pub port_min: Value,
    /// The highest port, or the ICMP code.
    #[serde(serialize_with = "value")]
    pub port_max: Value,
    /// The other end.
    pub remote_prefix: Option<String>,
    /// The other end: UUID of a security group.
    pub remote_group_id: Option<String>,
    /// Its name.
    pub remote_group: Option<String>,
    /// The other end: UUID of an address group.
    pub remote_address_group_id: Option<String>,
    /// Its name.
    pub remote_address_group: Option<String>,
    /// What it is for.
    pub description: String,
    /// When it was made.
    pub created_at: Option<i64>,
    /// Why it allows nothing: a column that is not understood.
    pub problem: Option<String>,
    /// What it allows.
    #[serde(skip)]
    pub meaning: Option<Meaning>,
}

/// An address group.
#[derive(Clone, Debug, Serialize)]
pub struct AddressGroupView {
    /// UUID.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its addresses and prefixes.
    pub addresses: Vec<String>,
    /// Names of security groups with rules that name it.
    pub used_by: Vec<String>,
    /// When it was made.
    pub created_at: Option<i64>,
}

/// Which rules.
#[derive(Clone, Debug, Default)]
pub struct RuleFilter {
    /// Only this one.
    pub id: Option<String>,
    /// Only those of this group.
    pub group_id: Option<String>,
    /// Only those of the groups that this port is in.
    pub port_id: Option<String>,
    /// Only those whose other end is this security group.
    pub remote_group_id: Option<String>,
    /// Only those whose other end is this address group.
    pub remote_address_group_id: Option<String>,
    /// Only this direction: `ingress` or `egress`.
    pub direction: Option<String>,
}

impl RuleView {
    /// Ports, or ICMP type and code, as people write them; any if there are none.
    pub fn ports(&self) -> Option<String> {
        match (self.meaning.map(|meaning| meaning.service), &self.port_min) {
            (Some(service), _) => rule_text::ports(service),
            (None, min) if !min.is_null() || !self.port_max.is_null() => {
                Some(format!("{}:{}", min.describe(), self.port_max.describe()))
            }
            _ => None,
        }
    }

    /// The other end as people write it; any if there is none.
    pub fn remote(&self) -> Option<String> {
        let named = |kind: &str, name: &Option<String>, id: &String| match name {
            Some(name) => format!("{kind} {name}"),
            None => format!("{kind} {id}"),
        };
        self.remote_prefix.clone().or_else(|| {
            let group = self.remote_group_id.as_ref();
            let addresses = self.remote_address_group_id.as_ref();
            group
                .map(|id| named("group", &self.remote_group, id))
                .or(addresses.map(|id| named("addresses", &self.remote_address_group, id)))
        })
    }

    /// All of it in a line.
    pub fn text(&self) -> String {
        rule_text::Parts {
            direction: &self.direction,
            ethertype: &self.ethertype,
            protocol: self.protocol.as_deref(),
            ports: self.ports().as_deref(),
            remote: self.remote().as_deref(),
        }
        .line()
    }
}

/// All security groups by name, or the one with this id.
pub fn groups(store: &mut dyn Store, id: Option<&str>) -> Result<Vec<GroupView>, StoreError> {
    let ports = grouped(
        store,
        "SELECT group_id, count(*) FROM port_security_groups GROUP BY group_id",
    )?;
    let filter = RuleFilter {
        group_id: id.map(str::to_owned),
        ..RuleFilter::default()
    };
    let mut rules: rustc_hash::FxHashMap<String, Vec<RuleView>> = rustc_hash::FxHashMap::default();
    for rule in self::rules(store, &filter)? {
        rules.entry(rule.group_id.clone()).or_default().push(rule);
    }
    let filter = Filter::new().and("id = ?", id);
    let sql = format!(
        "SELECT id, name, description, stateful, is_default, created_at FROM security_groups WHERE {} ORDER BY name, id",
        filter.sql
    );
    let view = |row: Row| {
        let id = text(&row, 0);
        GroupView {
            name: text(&row, 1),
            description: text(&row, 2),
            stateful: int(&row, 3) != Some(0),
            is_default: int(&row, 4) == Some(1),
            ports: ports
                .get(&id)
                .and_then(|rows| int(rows.first()?, 1))
                .unwrap_or(0),
            rules: rules.remove(&id).unwrap_or_default(),
            created_at: int(&row, 5),
            id,
        }
    };
    Ok(store
        .query(&sql, &filter.params)?
        .into_iter()
        .map(view)
        .collect())
}

/// The rules that the filter leaves, by group, direction and family.
pub fn rules(store: &mut dyn Store, filter: &RuleFilter) -> Result<Vec<RuleView>, StoreError> {
    let filter = Filter::new()
        .and("r.id = ?", filter.id.as_deref())
        .and("r.group_id = ?", filter.group_id.as_deref())
        .and(
            "r.group_id IN (SELECT group_id FROM port_security_groups WHERE port_id = ?)",
            filter.port_id.as_deref(),
        )
        .and("r.remote_group_id = ?", filter.remote_group_id.as_deref())
        .and(
            "r.remote_address_group_id = ?",
            filter.remote_address_group_id.as_deref(),
        )
        .and("r.direction = ?", filter.direction.as_deref());
    let sql = format!(
        "SELECT r.id, r.group_id, coalesce(g.name, ''), r.direction, r.ethertype, r.protocol, r.port_min, r.port_max, \
         r.remote_prefix, r.remote_group_id, o.name, r.remote_address_group_id, a.name, r.description, r.created_at \
         FROM security_group_rules r LEFT JOIN security_groups g ON g.id = r.group_id \
         LEFT JOIN security_groups o ON o.id = r.remote_group_id \
         LEFT JOIN address_groups a ON a.id = r.remote_address_group_id WHERE {} \
         ORDER BY 3, r.group_id, r.direction, r.ethertype, r.protocol, r.port_min, r.remote_prefix, r.created_at, r.id",
        filter.sql
    );
    Ok(store
        .query(&sql, &filter.params)?
        .iter()
        .map(rule)
        .collect())
}

fn rule(row: &Row) -> RuleView {
    let value = |at: usize| row.get(at).unwrap_or(&Value::Null);
    let missing = |id: usize, name: usize, what: &str| {
        let gone = !value(id).is_null() && value(name).is_null();
        gone.then(|| format!("{} is the id of no {what}", value(id).describe()))
    };
    let meaning = RuleColumns {
        direction: value(3),
        ethertype: value(4),
        protocol: value(5),
        port_min: value(6),
        port_max: value(7),
        remote_prefix: value(8),
        remote_group_id: value(9),
        remote_address_group_id: value(11),
    }
    .meaning();
    let problem = meaning.clone().err();
    let meaning = meaning.ok();
    RuleView {
        id: text(row, 0),
        group_id: text(row, 1),
        group: text(row, 2),
        direction: text(row, 3),
        ethertype: text(row, 4),
        protocol: match meaning {
            Some(Meaning {
                family, service, ..
            }) => service
                .protocol(family)
                .map(|number| protocol_name(number, family)),
            None => optional(row, 5),
        },
        port_min: value(6).clone(),
        port_max: value(7).clone(),
        remote_prefix: optional(row, 8),
        remote_group_id: optional(row, 9),
        remote_group: optional(row, 10),
        remote_address_group_id: optional(row, 11),
        remote_address_group: optional(row, 12),
        description: text(row, 13),
        created_at: int(row, 14),
        problem: problem
            .or_else(|| missing(9, 10, "security group"))
            .or_else(|| missing(11, 12, "address group")),
        meaning,
    }
}

/// All address groups by name, or the one with this id.
pub fn address_groups(
    store: &mut dyn Store,
    id: Option<&str>,
) -> Result<Vec<AddressGroupView>, StoreError> {
    let entries = grouped(
        store,
        "SELECT address_group_id, prefix FROM address_group_entries ORDER BY prefix",
    )?;
    let users = grouped(
        store,
        "SELECT DISTINCT r.remote_address_group_id, g.name FROM security_group_rules r JOIN security_groups g ON g.id = \
         r.group_id WHERE r.remote_address_group_id IS NOT NULL ORDER BY g.name",
    )?;
    let filter = Filter::new().and("id = ?", id);
    let sql = format!(
        "SELECT id, name, description, created_at FROM address_groups WHERE {} ORDER BY name, id",
        filter.sql
    );
    let seconds = |rows: Option<&Vec<Row>>| -> Vec<String> {
        rows.into_iter().flatten().map(|row| text(row, 1)).collect()
    };
    let view = |row: Row| {
        let id = text(&row, 0);
        AddressGroupView {
            name: text(&row, 1),
            description: text(&row, 2),
            addresses: in_order(seconds(entries.get(&id))),
            used_by: seconds(users.get(&id)),
            created_at: int(&row, 3),
            id,
        }
    };
    Ok(store
        .query(&sql, &filter.params)?
        .into_iter()
        .map(view)
        .collect())
}

/// By address; what is none comes first.
fn in_order(mut prefixes: Vec<String>) -> Vec<String> {
    prefixes.sort_by_cached_key(|text| {
        let net = text.parse::<IpNet>().ok();
        net.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
    });
    prefixes
}

/// As it is: a number, a text, or nothing.
fn value<S: Serializer>(value: &Value, to: S) -> Result<S::Ok, S::Error> {
    match value {
        Value::Null => to.serialize_none(),
        Value::Int(n) => to.serialize_i64(*n),
        Value::Text(text) | Value::Odd(text) => to.serialize_str(text),
    }
}
