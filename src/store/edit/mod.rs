//! What people change: one function per thing and verb, each checked before anything is written.
//!
//! An [`Editor`] lives inside one write transaction, so nothing changes between a check and the write after it.
//! Errors say what is wrong and what would be right; they are read by people.

mod address_group;
mod batch;
mod group;
mod host;
mod network;
mod port;
mod rule;
mod subnet;

#[cfg(test)]
mod tests;

pub use address_group::{AddressGroupChange, NewAddressGroup};
pub use batch::{Done, apply};
pub use group::{GroupChange, NewGroup};
pub use host::{HostChange, NewHost};
pub use network::{NetworkChange, NewNetwork};
pub use port::{NewPort, PortChange};
pub use rule::NewRule;
pub use subnet::{NewSubnet, SubnetChange};

use rustc_hash::FxHashMap;
use uuid::Uuid;

use super::rule::Meaning;
use super::{Mode, Store, StoreError, Value, transaction};
use crate::model::{Mac, TunnelType};

/// Longest name of anything, in characters.
const LONGEST_NAME: usize = 255;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing is called so.
    #[error("there is no {kind} {name:?}{hint}")]
    NotFound {
        /// `network`, `port` …
        kind: &'static str,
        /// As given.
        name: String,
        /// What there is, or how to find out.
        hint: String,
    },
    /// Several things are called so.
    #[error("{name:?} names several {kind}s, give the id: {}", ids.join(", "))]
    Ambiguous {
        /// `network`, `port` …
        kind: &'static str,
        /// As given.
        name: String,
        /// Of those.
        ids: Vec<String>,
    },
    /// A value that can not be.
    #[error("{0}")]
    Invalid(String),
    /// Something else stands in the way.
    #[error("{0}")]
    Conflict(String),
    /// A line of a batch.
    #[error("line {line}: {why}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong there.
        why: Box<EditError>,
    },
}

fn invalid<T>(text: String) -> Result<T, EditError> {
    Err(EditError::Invalid(text))
}

fn conflict<T>(text: String) -> Result<T, EditError> {
    Err(EditError::Conflict(text))
}

/// Kinds of things that have an id and perhaps a name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// Table `networks`.
    Network,
    /// Table `subnets`.
    Subnet,
    /// Table `ports`.
    Port,
    /// Table `security_groups`.
    Group,
    /// Table `security_group_rules`: without names.
    Rule,
    /// Table `address_groups`.
    AddressGroup,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Network => "network",
            Kind::Subnet => "subnet",
            Kind::Port => "port",
            Kind::Group => "security group",
            Kind::Rule => "rule",
            Kind::AddressGroup => "address group",
        }
    }

    fn table(self) -> &'static str {
        match self {
            Kind::Network => "networks",
            Kind::Subnet => "subnets",
            Kind::Port => "ports",
            Kind::Group => "security_groups",
            Kind::Rule => "security_group_rules",
            Kind::AddressGroup => "address_groups",
        }
    }
}

/// Changes things inside one transaction.
pub struct Editor<'a> {
    store: &'a mut dyn Store,
    now: u64,
    warnings: Vec<String>,
    resolved: FxHashMap<(Kind, String), String>,
    pools: FxHashMap<String, port::Pool>,
    known_hosts: FxHashMap<String, bool>,
    rules_of: FxHashMap<String, Vec<(String, Meaning)>>,
    default_group: Option<Option<String>>,
}

/// Runs `body` with an editor in one transaction: all of it, or nothing. Returns its warnings too.
pub fn edit<T>(
    store: &mut dyn Store,
    body: impl FnOnce(&mut Editor<'_>) -> Result<T, EditError>,
) -> Result<(T, Vec<String>), EditError> {
    store.durable()?;
    transaction(store, Mode::Write, |store| {
        let mut editor = Editor {
            store,
            now: super::clock::now(),
            warnings: Vec::new(),
            resolved: FxHashMap::default(),
            pools: FxHashMap::default(),
            known_hosts: FxHashMap::default(),
            rules_of: FxHashMap::default(),
            default_group: None,
        };
        let value = body(&mut editor)?;
        Ok((value, editor.warnings))
    })
}

impl Editor<'_> {
    /// The id of what somebody calls `name`: its id, its name, or the beginning of its id.
    pub fn resolve(&mut self, kind: Kind, name: &str) -> Result<String, EditError> {
        if let Some(id) = self.resolved.get(&(kind, name.to_owned())) {
            return Ok(id.clone());
        }
        let id = resolve(self.store, kind, name)?;
        self.resolved.insert((kind, name.to_owned()), id.clone());
        Ok(id)
    }

    /// What was looked up may not be true any more.
    fn forget(&mut self) {
        self.resolved.clear();
        self.pools.clear();
        self.known_hosts.clear();
        self.rules_of.clear();
        self.default_group = None;
    }

    fn exists(&mut self, sql: &str, params: &[Value]) -> Result<bool, EditError> {
        Ok(!self.store.query(sql, params)?.is_empty())
    }

    fn texts(&mut self, sql: &str, params: &[Value]) -> Result<Vec<String>, EditError> {
        let rows = self.store.query(sql, params)?;
        let text = |value: Value| value.text().map_or_else(|| value.describe(), str::to_owned);
        Ok(rows
            .into_iter()
            .filter_map(|row| row.into_iter().next())
            .map(text)
            .collect())
    }

    fn count(&mut self, sql: &str, params: &[Value]) -> Result<i64, EditError> {
        let rows = self.store.query(sql, params)?;
        Ok(rows
            .first()
            .and_then(|row| row.first())
            .and_then(Value::int)
            .unwrap_or(0))
    }

    /// The id asked for if it is free, else a new one.
    fn fresh_id(&mut self, kind: Kind, wanted: Option<&str>) -> Result<String, EditError> {
        let Some(text) = wanted else {
            return Ok(Uuid::new_v4().to_string());
        };
        let Ok(id) = Uuid::parse_str(text) else {
            return invalid(format!(
                "{text:?} is not a UUID, such as {}",
                Uuid::new_v4()
            ));
        };
        let id = id.to_string();
        if self.exists(
            &format!("SELECT 1 FROM {} WHERE id = ?", kind.table()),
            &[(&id).into()],
        )? {
            return conflict(format!("there is a {} with id {id} already", kind.word()));
        }
        Ok(id)
    }

    fn set(&mut self, kind: Kind, id: &str, column: &str, value: Value) -> Result<(), EditError> {
        let sql = format!("UPDATE {} SET {column} = ? WHERE id = ?", kind.table());
        self.store.execute(&sql, &[value, id.into()])?;
        Ok(())
    }
}

/// See [`Editor::resolve`].
pub fn resolve(store: &mut dyn Store, kind: Kind, name: &str) -> Result<String, EditError> {
    let table = kind.table();
    let mut ids = |sql: String, param: Value| -> Result<Vec<String>, EditError> {
        let rows = store.query(&sql, &[param])?;
        Ok(rows
            .iter()
            .filter_map(|row| row.first()?.text().map(str::to_owned))
            .collect())
    };
    let mut found = ids(
        format!("SELECT id FROM {table} WHERE id = ?"),
        name.to_lowercase().into(),
    )?;
    let named = kind != Kind::Rule;
    if found.is_empty() && named && !name.is_empty() {
        found = ids(
            format!("SELECT id FROM {table} WHERE name = ? LIMIT 10"),
            name.into(),
        )?;
    }
    // The beginning of an id; anything else would be a pattern.
    let prefix = name.len() >= 4 && name.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if found.is_empty() && prefix {
        let pattern = format!("{}%", name.to_lowercase());
        found = ids(
            format!("SELECT id FROM {table} WHERE id LIKE ? LIMIT 10"),
            pattern.into(),
        )?;
    }
    match found.as_slice() {
        [id] => Ok(id.clone()),
        [] if !named => Err(EditError::NotFound {
            kind: kind.word(),
            name: name.to_owned(),
            hint: "; `vifd db rule list` shows the ids of all".to_owned(),
        }),
        [] => {
            let names = ids(
                format!(
                    "SELECT name FROM {table} WHERE name <> '' AND 1 = ? ORDER BY name LIMIT 9"
                ),
                1_i64.into(),
            )?;
            let hint = listed(&names, "");
            Err(EditError::NotFound {
                kind: kind.word(),
                name: name.to_owned(),
                hint,
            })
        }
        _ => Err(EditError::Ambiguous {
            kind: kind.word(),
            name: name.to_owned(),
            ids: found,
        }),
    }
}

/// `; there is a, b` for at most eight names, or the other text if there are none.
fn listed(names: &[String], none: &str) -> String {
    match names {
        [] => none.to_owned(),
        [first @ .., _] if names.len() > 8 => format!("; there is {} …", first.join(", ")),
        all => format!("; there is {}", all.join(", ")),
    }
}

fn checked_name(kind: &str, name: &str) -> Result<(), EditError> {
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return invalid(format!(
            "the name of a {kind} has at most {LONGEST_NAME} characters and no control characters"
        ));
    }
    Ok(())
}

fn checked_mac(text: &str) -> Result<Mac, EditError> {
    let Ok(mac) = text.parse::<Mac>() else {
        return invalid(format!(
            "{text:?} is not a MAC address of the form fa:16:3e:12:34:56"
        ));
    };
    if mac.is_multicast() || mac.0 == [0; 6] {
        return invalid(format!(
            "{mac} is not the address of one station: the first byte must be even, and not all zero"
        ));
    }
    Ok(mac)
}

fn checked_tunnel_type(text: &str) -> Result<TunnelType, EditError> {
    match text.parse() {
        Ok(kind) => Ok(kind),
        Err(()) => invalid(format!("{text:?} is not a tunnel type: gre and vxlan are")),
    }
}
