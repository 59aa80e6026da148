//! The change log: what a follower reads instead of everything.
//!
//! Triggers write it inside the transaction that changes something, so a change and its entry are seen together.
//! Revisions grow in the order of commits (SQLite has one writer at a time; a database with several must serialise
//! its writers, or a follower could step over a revision that is committed late).

use super::{Mode, Store, StoreError, Value, migrate, transaction};

/// How far a follower has read. The mark tells a log that grew from one that was replaced (an older copy put back).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// Everything up to this revision was read.
    pub revision: i64,
    /// What the log says at that revision.
    mark: String,
}

/// One entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// `network`, `subnet`, `port`, `endpoint` …
    pub kind: String,
    /// The id, or whatever stands in its place.
    pub entity: Value,
    /// `insert`, `update`, `delete` or `status`. A hint: rows are read again in any case.
    pub op: String,
}

/// The answer to "what is new?"
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum News {
    /// These entries, oldest first. `more`: ask again.
    Entries {
        /// Where to go on.
        cursor: Cursor,
        /// What is for this host.
        entries: Vec<Entry>,
        /// There are more.
        more: bool,
    },
    /// The log does not reach back so far, or is another one: read everything.
    Gone {
        /// Why, for a log line.
        why: &'static str,
    },
}

/// Whose entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Audience<'a> {
    /// Those for one host and those for all.
    Host(&'a str),
    /// Every entry.
    Everybody,
}

/// Where the log ends now. Call it in the transaction that reads everything.
pub fn end(store: &mut dyn Store) -> Result<Cursor, StoreError> {
    let newest = store.query("SELECT max(revision) FROM changes", &[])?;
    let revision = match newest.first().and_then(|row| row.first()) {
        Some(Value::Int(revision)) => *revision,
        _ => pruned_to(store)?,
    };
    let mark = mark(store, revision)?.unwrap_or_default();
    Ok(Cursor { revision, mark })
}

/// What is new after the cursor. Call it in the transaction that reads the rows it names.
pub fn news(
    store: &mut dyn Store,
    after: &Cursor,
    audience: Audience<'_>,
    limit: u32,
) -> Result<News, StoreError> {
    let pruned = pruned_to(store)?;
    if after.revision < pruned {
        return Ok(News::Gone {
            why: "the change log was pruned beyond what this host had read",
        });
    }
    match mark(store, after.revision)? {
        Some(mark) if mark == after.mark => {}
        None if after.mark.is_empty() || after.revision == pruned => {}
        _ => {
            return Ok(News::Gone {
                why: "the change log is not the one this host had read",
            });
        }
    }
    let mut params = vec![Value::from(after.revision)];
    let filter = match audience {
        Audience::Everybody => "",
        Audience::Host(host) => {
            params.extend([host.into(), host.into()]);
            "AND (host IS NULL OR host = ? OR old_host = ?) "
        }
    };
    params.push(limit.into());
    let sql = format!(
        "SELECT revision, kind, entity_id, op FROM changes WHERE revision > ? {filter}ORDER BY revision LIMIT ?"
    );
    let rows = store.query(&sql, &params)?;
    let more = u32::try_from(rows.len()).is_ok_and(|n| n == limit);
    let mut last = after.revision;
    let mut entries = Vec::new();
    for row in rows {
        let Ok([Value::Int(revision), kind, entity, op]) = <[Value; 4]>::try_from(row) else {
            continue;
        };
        last = revision;
        let text = |value: Value| value.text().unwrap_or_default().to_owned();
        entries.push(Entry {
            kind: text(kind),
            entity,
            op: text(op),
        });
    }
    let cursor = if more {
        Cursor {
            revision: last,
            mark: mark(store, last)?.unwrap_or_default(),
        }
    } else {
        end(store)?
    };
    Ok(News::Entries {
        cursor,
        entries,
        more,
    })
}

/// Removes all but the newest `keep` entries (at least one stays). Followers that had not read them take a new
/// snapshot. Returns how many went.
pub fn prune(store: &mut dyn Store, keep: u32) -> Result<u64, StoreError> {
    transaction(store, Mode::Write, |store| {
        let up_to = end(store)?.revision.saturating_sub(i64::from(keep.max(1)));
        if up_to <= pruned_to(store)? {
            return Ok(0);
        }
        let removed = store.execute("DELETE FROM changes WHERE revision <= ?", &[up_to.into()])?;
        store.execute(
            "UPDATE meta SET value = ? WHERE name = 'pruned_to'",
            &[up_to.to_string().into()],
        )?;
        Ok(removed)
    })
}

fn pruned_to(store: &mut dyn Store) -> Result<i64, StoreError> {
    let text = migrate::meta(store, "pruned_to")?;
    text.parse().map_err(|_| StoreError::Corrupt {
        table: "meta",
        what: format!("pruned_to is {text:?}, not a number"),
    })
}

fn mark(store: &mut dyn Store, revision: i64) -> Result<Option<String>, StoreError> {
    let rows = store.query(
        "SELECT kind, entity_id, at FROM changes WHERE revision = ?",
        &[revision.into()],
    )?;
    Ok(rows.first().map(|row| {
        row.iter()
            .map(Value::describe)
            .collect::<Vec<_>>()
            .join(" ")
    }))
}
