//! The group that a port joins when nobody names one: everything out, and in from its own members, so that the ports of
//! a site reach each other and nobody else reaches them until somebody says so.

use uuid::Uuid;

use super::{Store, StoreError, Value, clock};

/// What it is called, unless something is called so already.
const NAME: &str = "default";

/// Makes the group with its rules. Ports that exist are not put into it: who runs them has not asked for it.
pub(super) fn make(store: &mut dyn Store) -> Result<(), StoreError> {
    let (id, now) = (Uuid::new_v4(), clock::now());
    let name = free_name(store)?;
    store.execute(
        "INSERT INTO security_groups (id, name, stateful, created_at, description, is_default) VALUES (?, ?, 1, ?, ?, 1)",
        &[
            id.into(),
            name.into(),
            now.into(),
            "New ports join it: everything out, and in from its members".into(),
        ],
    )?;
    for (direction, remote) in [("egress", None), ("ingress", Some(id))] {
        for ethertype in ["IPv4", "IPv6"] {
            store.execute(
                "INSERT INTO security_group_rules (id, group_id, direction, ethertype, remote_group_id, created_at) \
                 VALUES (?, ?, ?, ?, ?, ?)",
                &[
                    Uuid::new_v4().into(),
                    id.into(),
                    direction.into(),
                    ethertype.into(),
                    remote.into(),
                    now.into(),
                ],
            )?;
        }
    }
    Ok(())
}

/// Its id; `None` if somebody removed it. Of several, the oldest.
pub(super) fn id(store: &mut dyn Store) -> Result<Option<String>, StoreError> {
    let rows = store.query(
        "SELECT id FROM security_groups WHERE is_default = 1 ORDER BY created_at, id LIMIT 1",
        &[],
    )?;
    Ok(rows
        .first()
        .and_then(|row| row.first())
        .and_then(Value::text)
        .map(str::to_owned))
}

fn free_name(store: &mut dyn Store) -> Result<String, StoreError> {
    let mut name = NAME.to_owned();
    for n in 2.. {
        let taken = "SELECT 1 FROM security_groups WHERE name = ?";
        if store.query(taken, &[(&name).into()])?.is_empty() {
            break;
        }
        name = format!("{NAME}-{n}");
    }
    Ok(name)
}
