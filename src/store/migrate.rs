//! The schema: numbered migrations, each applied once, in order, with a checksum that shows a database made by
//! another build.

use super::{Dialect, Mode, Store, StoreError, Value, default_group, transaction};
use uuid::Uuid;

/// One step of the schema. Never edited once released: a later step changes what an earlier one made.
struct Migration {
    version: i64,
    name: &'static str,
    /// Portable statements; `@serial@` and `@now@` are replaced per kind of database.
    tables: &'static str,
    /// Statements for SQLite only.
    sqlite: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "tables, change log",
        tables: include_str!("migrations/0001_tables.sql"),
        sqlite: include_str!("migrations/0001_triggers_sqlite.sql"),
    },
    Migration {
        version: 2,
        name: "security groups",
        tables: include_str!("migrations/0002_tables.sql"),
        sqlite: include_str!("migrations/0002_triggers_sqlite.sql"),
    },
];

/// The version that this program works with.
pub fn wanted() -> i64 {
    MIGRATIONS.last().map_or(0, |m| m.version)
}

impl Migration {
    fn sql(&self, dialect: Dialect) -> String {
        let (serial, now, own) = match dialect {
            // AUTOINCREMENT: a revision is never given twice, not even after the newest rows were removed. julianday
            // counts from noon 24 November 4714 BC; 2440587.5 is the Unix epoch. The resolution is 1 ms.
            Dialect::Sqlite => (
                "INTEGER PRIMARY KEY AUTOINCREMENT",
                "CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000",
                self.sqlite,
            ),
        };
        let tables = self
            .tables
            .replace("@serial@", serial)
            .replace("@now@", now);
        format!("{tables}\n{own}")
    }

    fn checksum(&self, dialect: Dialect) -> String {
        // FNV-1a over the text: it finds differences, it does not keep out attackers, who could write the row too.
        let hash = self
            .sql(dialect)
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        format!("{hash:016x}")
    }
}

/// What a migration run did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Migrated {
    /// Version before; 0 for an empty database.
    pub from: i64,
    /// Version now.
    pub to: i64,
    /// The database's id.
    pub database: Uuid,
}

/// Brings the schema up to [`wanted`], in one transaction. Harmless when it is.
pub fn migrate(store: &mut dyn Store) -> Result<Migrated, StoreError> {
    migrate_to(store, wanted())
}

/// Brings the schema up to an earlier version than [`wanted`] too: tests make old databases with it.
pub(crate) fn migrate_to(store: &mut dyn Store, version: i64) -> Result<Migrated, StoreError> {
    transaction(store, Mode::Write, |store| {
        store.execute(
            "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL PRIMARY KEY, name VARCHAR(255) NOT \
             NULL, checksum VARCHAR(64) NOT NULL, applied_at BIGINT NOT NULL)",
            &[],
        )?;
        let from = verify(store)?;
        let steps = MIGRATIONS
            .iter()
            .filter(|m| m.version > from && m.version <= version);
        for migration in steps {
            store.script(&migration.sql(store.dialect()))?;
            let checksum = migration.checksum(store.dialect());
            store.execute(
                "INSERT INTO schema_version (version, name, checksum, applied_at) VALUES (?, ?, ?, ?)",
                &[migration.version.into(), migration.name.into(), checksum.into(), super::clock::now().into()],
            )?;
        }
        if from == 0 {
            let id = Uuid::new_v4();
            let insert = "INSERT INTO meta (name, value) VALUES (?, ?)";
            store.execute(insert, &["database_id".into(), id.into()])?;
            store.execute(insert, &["pruned_to".into(), "0".into()])?;
        }
        if (from..version).contains(&1) {
            default_group::make(store)?;
        }
        Ok(Migrated {
            from,
            to: version.max(from),
            database: database_id(store)?,
        })
    })
}

/// An error unless the schema is exactly this program's.
pub fn require(store: &mut dyn Store) -> Result<(), StoreError> {
    let found = verify(store)?;
    match found {
        0 => Err(StoreError::NoSchema),
        found if found < wanted() => Err(StoreError::OldSchema {
            found,
            wanted: wanted(),
        }),
        _ => Ok(()),
    }
}

/// The version applied, 0 if none; an error if something else than our migrations was.
pub fn verify(store: &mut dyn Store) -> Result<i64, StoreError> {
    let rows = store.query(
        "SELECT version, checksum FROM schema_version ORDER BY version",
        &[],
    )?;
    let mut version = 0;
    for row in &rows {
        let [Value::Int(found), Value::Text(checksum)] = row.as_slice() else {
            return Err(StoreError::Corrupt {
                table: "schema_version",
                what: format!("unreadable row {row:?}"),
            });
        };
        version = *found;
        let Some(migration) = MIGRATIONS.iter().find(|m| m.version == version) else {
            return Err(StoreError::NewSchema {
                found: version,
                known: wanted(),
            });
        };
        let wanted = migration.checksum(store.dialect());
        if *checksum != wanted {
            return Err(StoreError::Checksum {
                version,
                found: checksum.clone(),
                wanted,
            });
        }
    }
    Ok(version)
}

/// The random id that the database got when it was made: two files with the same name are told apart by it.
pub fn database_id(store: &mut dyn Store) -> Result<Uuid, StoreError> {
    let text = meta(store, "database_id")?;
    Uuid::parse_str(&text).map_err(|_| StoreError::Corrupt {
        table: "meta",
        what: format!("database_id is {text:?}, not a UUID"),
    })
}

/// One value of the table `meta`.
pub(super) fn meta(store: &mut dyn Store, name: &'static str) -> Result<String, StoreError> {
    let rows = store.query("SELECT value FROM meta WHERE name = ?", &[name.into()])?;
    match rows.first().and_then(|row| row.first()) {
        Some(Value::Text(text)) => Ok(text.clone()),
        other => Err(StoreError::Corrupt {
            table: "meta",
            what: format!(
                "{name} is {}",
                other.map_or("missing".to_owned(), Value::describe)
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DatabaseUrl, create, open};
    use super::*;

    #[test]
    fn once_and_again() {
        let dir = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(dir.path().join("x.db"));
        assert!(matches!(open(&url), Err(StoreError::Missing { .. })));
        let mut store = create(&url).unwrap();
        assert!(matches!(require(&mut *store), Err(StoreError::NoSchema)));
        let first = migrate(&mut *store).unwrap();
        assert_eq!((first.from, first.to), (0, wanted()));
        let second = migrate(&mut *store).unwrap();
        assert_eq!(
            (second.from, second.to, second.database),
            (wanted(), wanted(), first.database)
        );
        require(&mut *open(&url).unwrap()).unwrap();
    }

    /// A migration that was released is never edited: databases out there were made with it.
    #[test]
    fn released_migrations_stay_as_they_are() {
        let sums: Vec<_> = MIGRATIONS
            .iter()
            .map(|m| (m.version, m.checksum(Dialect::Sqlite)))
            .collect();
        let wanted = [(1, "fa238fc5d75f30e6"), (2, "7840fb7ed91c95bb")];
        assert_eq!(sums, wanted.map(|(version, sum)| (version, sum.to_owned())));
    }

    /// PostgreSQL and MySQL know these words too.
    #[test]
    fn columns_are_portable() {
        for migration in MIGRATIONS {
            let columns = migration
                .tables
                .lines()
                .filter(|line| line.starts_with("    "));
            for column in columns
                .map(str::trim)
                .filter(|line| !line.starts_with("PRIMARY KEY ("))
            {
                let kind = column.split_whitespace().nth(1).unwrap_or_default();
                let known = ["INTEGER", "SMALLINT", "BIGINT", "@serial@"]
                    .contains(&kind.trim_end_matches(','))
                    || kind.starts_with("VARCHAR(");
                assert!(known, "{column}");
            }
        }
    }

    #[test]
    fn another_builds_database_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = create(&DatabaseUrl::Sqlite(dir.path().join("x.db"))).unwrap();
        migrate(&mut *store).unwrap();
        store
            .execute(
                "UPDATE schema_version SET checksum = 'x' WHERE version = 1",
                &[],
            )
            .unwrap();
        assert!(matches!(
            require(&mut *store),
            Err(StoreError::Checksum { version: 1, .. })
        ));
        store
            .execute(
                "UPDATE schema_version SET version = 99 WHERE version = 2",
                &[],
            )
            .unwrap();
        let restored = MIGRATIONS[0].checksum(Dialect::Sqlite);
        store
            .execute(
                "UPDATE schema_version SET checksum = ? WHERE version = 1",
                &[restored.into()],
            )
            .unwrap();
        assert!(matches!(
            migrate(&mut *store),
            Err(StoreError::NewSchema { found: 99, .. })
        ));
        store.execute("DELETE FROM schema_version", &[]).unwrap();
        assert!(matches!(require(&mut *store), Err(StoreError::NoSchema)));
    }

    /// A database of the first version keeps what it holds, gets a default group that none of its ports is in, and its
    /// rows are followed by the new triggers.
    #[test]
    fn an_old_database_is_brought_up_to_date() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = create(&DatabaseUrl::Sqlite(dir.path().join("x.db"))).unwrap();
        let old = migrate_to(&mut *store, 1).unwrap();
        assert_eq!((old.from, old.to), (0, 1));
        assert!(matches!(
            require(&mut *store),
            Err(StoreError::OldSchema { found: 1, .. })
        ));
        store
            .script(
                "INSERT INTO networks (id) VALUES ('n');
                 INSERT INTO ports (id, network_id, mac) VALUES ('p', 'n', 'fa:16:3e:00:00:01');
                 INSERT INTO security_groups (id, name) VALUES ('g', 'default');
                 INSERT INTO security_group_rules (id, group_id, direction, ethertype, remote_group_id)
                    VALUES ('r', 'g', 'ingress', 'IPv4', 'g');
                 INSERT INTO port_security_groups VALUES ('p', 'g');",
            )
            .unwrap();
        let new = migrate(&mut *store).unwrap();
        assert_eq!(
            (new.from, new.to, new.database),
            (1, wanted(), old.database)
        );
        let mut rows = |sql: &str| store.query(sql, &[]).unwrap();
        assert_eq!(
            rows("SELECT name, is_default, stateful FROM security_groups ORDER BY is_default"),
            [
                vec!["default".into(), 0_i64.into(), 1_i64.into()],
                vec!["default-2".into(), 1_i64.into(), 1_i64.into()]
            ]
        );
        assert_eq!(
            rows(
                "SELECT direction, ethertype, remote_group_id = group_id FROM security_group_rules WHERE id <> 'r' ORDER BY 1, 2"
            ),
            [
                vec!["egress".into(), "IPv4".into(), Value::Null],
                vec!["egress".into(), "IPv6".into(), Value::Null],
                vec!["ingress".into(), "IPv4".into(), 1_i64.into()],
                vec!["ingress".into(), "IPv6".into(), 1_i64.into()]
            ]
        );
        assert_eq!(
            rows("SELECT port_id, group_id FROM port_security_groups"),
            [["p".into(), "g".into()]]
        );
        assert_eq!(
            rows(
                "SELECT remote_address_group_id, created_at, description FROM security_group_rules WHERE id = 'r'"
            ),
            [[Value::Null, Value::Null, "".into()]]
        );
        store
            .execute("UPDATE ports SET mac = 'fa:16:3e:00:00:02'", &[])
            .unwrap();
        let newest = "SELECT kind, entity_id, host FROM changes ORDER BY revision DESC LIMIT 2";
        let mut logged = store.query(newest, &[]).unwrap();
        logged.sort_by_key(|row| format!("{row:?}"));
        assert!(
            logged.contains(&vec!["member".into(), "g/p".into(), Value::Null]),
            "{logged:?}"
        );
    }
}
