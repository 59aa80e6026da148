//! Rows of security groups, their rules and the members of the sets that rules name. Nothing is judged here.

use rustc_hash::FxHashMap;

use super::super::read::{Query, Scope, rows};
use crate::store::{Row, Store, StoreError, Value};

/// A security group's row with its rules.
#[derive(Clone, Debug)]
pub(in super::super) struct GroupRecord {
    /// id, name, stateful.
    pub row: Row,
    /// group_id, id, direction, ethertype, protocol, port_min, port_max, remote_prefix, remote_group_id,
    /// remote_address_group_id, and whether those two exist (their ids, or NULL).
    pub rules: Vec<Row>,
}

/// What a port contributes to a group.
#[derive(Clone, Debug)]
pub(in super::super) struct MemberRecord {
    /// The group's id.
    pub group: String,
    /// The port's id.
    pub port: String,
    /// The port's address.
    pub mac: Value,
    /// Its fixed addresses.
    pub ips: Vec<Value>,
    /// Prefix and mac of its address pairs.
    pub pairs: Vec<(Value, Value)>,
}

/// The column that ids are looked for in.
#[derive(Clone, Copy)]
pub(super) enum By {
    /// All members of these groups.
    Set,
    /// What these members are in.
    Member,
}

/// These groups, as far as there are any.
pub(super) fn groups(
    store: &mut dyn Store,
    ids: &[String],
) -> Result<Vec<GroupRecord>, StoreError> {
    const GROUPS: Query = Query {
        sql: "SELECT id, name, stateful FROM security_groups WHERE @scope@",
        id: "id",
    };
    const RULES: Query = Query {
        sql: "SELECT r.group_id, r.id, r.direction, r.ethertype, r.protocol, r.port_min, r.port_max, r.remote_prefix, \
              r.remote_group_id, r.remote_address_group_id, g.id, a.id FROM security_group_rules r \
              LEFT JOIN security_groups g ON g.id = r.remote_group_id \
              LEFT JOIN address_groups a ON a.id = r.remote_address_group_id WHERE @scope@ ORDER BY r.id",
        id: "r.group_id",
    };
    let mut rules: FxHashMap<String, Vec<Row>> = FxHashMap::default();
    for row in rows(store, &RULES, &Scope::Ids(ids), None)? {
        if let Some(group) = row.first().and_then(Value::text) {
            rules.entry(group.to_owned()).or_default().push(row);
        }
    }
    let groups = rows(store, &GROUPS, &Scope::Ids(ids), None)?.into_iter();
    Ok(groups
        .map(|row| {
            let id = row.first().and_then(Value::text);
            let rules = id.and_then(|id| rules.remove(id)).unwrap_or_default();
            GroupRecord { row, rules }
        })
        .collect())
}

/// The ids of groups with a rule that names one of these security groups or address groups.
pub(super) fn namers(
    store: &mut dyn Store,
    groups: &[String],
    address_groups: &[String],
) -> Result<Vec<Value>, StoreError> {
    const BY_GROUP: Query = Query {
        sql: "SELECT DISTINCT group_id FROM security_group_rules WHERE @scope@",
        id: "remote_group_id",
    };
    const BY_ADDRESSES: Query = Query {
        id: "remote_address_group_id",
        ..BY_GROUP
    };
    let mut found = rows(store, &BY_GROUP, &Scope::Ids(groups), None)?;
    found.extend(rows(
        store,
        &BY_ADDRESSES,
        &Scope::Ids(address_groups),
        None,
    )?);
    Ok(found.into_iter().flatten().collect())
}

/// Ports in groups, with what they contribute.
pub(super) fn members(
    store: &mut dyn Store,
    by: By,
    ids: &[String],
) -> Result<Vec<MemberRecord>, StoreError> {
    let id = match by {
        By::Set => "g.group_id",
        By::Member => "g.port_id",
    };
    let query = |sql| Query { sql, id };
    let scope = Scope::Ids(ids);
    let ports = query(
        "SELECT g.group_id, g.port_id, p.mac FROM port_security_groups g JOIN ports p ON p.id = g.port_id WHERE @scope@ \
         ORDER BY 1, 2",
    );
    let ips = query(
        "SELECT g.group_id, g.port_id, f.ip FROM port_security_groups g JOIN fixed_ips f ON f.port_id = g.port_id \
         WHERE @scope@",
    );
    let pairs = query(
        "SELECT g.group_id, g.port_id, a.prefix, a.mac FROM port_security_groups g JOIN address_pairs a ON a.port_id = \
         g.port_id WHERE @scope@",
    );
    let mut list: Vec<MemberRecord> = Vec::new();
    let mut at: FxHashMap<(String, String), usize> = FxHashMap::default();
    for row in rows(store, &ports, &scope, None)? {
        let [Value::Text(group), Value::Text(port), mac] = row.as_slice() else {
            continue;
        };
        at.insert((group.clone(), port.clone()), list.len());
        list.push(MemberRecord {
            group: group.clone(),
            port: port.clone(),
            mac: mac.clone(),
            ips: Vec::new(),
            pairs: Vec::new(),
        });
    }
    let mut attach = |rows: Vec<Row>, put: &dyn Fn(&mut MemberRecord, Vec<Value>)| {
        for row in rows {
            let mut values = row.into_iter();
            let (Some(Value::Text(group)), Some(Value::Text(port))) =
                (values.next(), values.next())
            else {
                continue;
            };
            let found = at.get(&(group, port)).and_then(|at| list.get_mut(*at));
            if let Some(record) = found {
                put(record, values.collect());
            }
        }
    };
    attach(rows(store, &ips, &scope, None)?, &|record, values| {
        record.ips.extend(values);
    });
    attach(rows(store, &pairs, &scope, None)?, &|record, values| {
        if let Ok([prefix, mac]) = <[Value; 2]>::try_from(values) {
            record.pairs.push((prefix, mac));
        }
    });
    Ok(list)
}

/// Entries of address groups: address_group_id, id, prefix.
pub(super) fn entries(
    store: &mut dyn Store,
    by: By,
    ids: &[String],
) -> Result<Vec<Row>, StoreError> {
    let entries = Query {
        sql: "SELECT address_group_id, id, prefix FROM address_group_entries WHERE @scope@ ORDER BY 1, 2",
        id: match by {
            By::Set => "address_group_id",
            By::Member => "id",
        },
    };
    rows(store, &entries, &Scope::Ids(ids), None)
}
