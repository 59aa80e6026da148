//! [`Store`] over one SQLite file in WAL mode: many readers and one writer at a time, none waiting for the other kind.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use std::os::fd::OwnedFd;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql, params_from_iter};

use super::{Dialect, Mode, Row, Store, StoreError, Value};

/// Longest wait for another writer: 1 ms steps at first, then 5 ms.
const BUSY_WAIT: Duration = Duration::from_secs(3);

pub(super) struct SqliteStore {
    path: PathBuf,
    file: (u64, u64),
    connection: Connection,
}

impl SqliteStore {
    /// Opens the file; `create` makes it if it is not there.
    pub(super) fn open(path: &Path, create: bool) -> Result<SqliteStore, StoreError> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if create {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        } else if !path.exists() {
            return Err(StoreError::Missing {
                path: path.to_owned(),
            });
        }
        let mut connection =
            Connection::open_with_flags(path, flags).map_err(failed("cannot open the database"))?;
        connection
            .busy_handler(Some(wait_for_writer))
            .map_err(failed("cannot set up the database connection"))?;
        connection.set_prepared_statement_cache_capacity(128);
        // WAL is a property of the file; saying it again changes nothing. Readers need it to never meet a lock.
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;",
            )
            .map_err(failed("cannot set up the database connection"))?;
        let file = identity(path).ok_or_else(|| StoreError::Moved {
            path: path.to_owned(),
        })?;
        Ok(SqliteStore {
            path: path.to_owned(),
            file,
            connection,
        })
    }
}

impl Store for SqliteStore {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        let fail = failed("cannot read from the database");
        let mut statement = self.connection.prepare_cached(sql).map_err(&fail)?;
        let n_columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(params)).map_err(&fail)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(&fail)? {
            let values: Result<Row, _> =
                (0..n_columns).map(|i| row.get_ref(i).map(owned)).collect();
            found.push(values.map_err(&fail)?);
        }
        Ok(found)
    }

    fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, StoreError> {
        let fail = failed("cannot write to the database");
        let mut statement = self.connection.prepare_cached(sql).map_err(&fail)?;
        let touched = statement.execute(params_from_iter(params)).map_err(&fail)?;
        Ok(u64::try_from(touched).unwrap_or(u64::MAX))
    }

    fn script(&mut self, sql: &str) -> Result<(), StoreError> {
        self.connection
            .execute_batch(sql)
            .map_err(failed("cannot run a script on the database"))
    }

    fn begin(&mut self, mode: Mode) -> Result<(), StoreError> {
        let sql = match mode {
            Mode::Read => "BEGIN DEFERRED",
            Mode::Write => "BEGIN IMMEDIATE",
        };
        self.execute(sql, &[]).map(drop)
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.execute("COMMIT", &[]).map(drop)
    }

    fn rollback(&mut self) -> Result<(), StoreError> {
        if self.connection.is_autocommit() {
            return Ok(());
        }
        self.execute("ROLLBACK", &[]).map(drop)
    }

    fn durable(&mut self) -> Result<(), StoreError> {
        self.script("PRAGMA synchronous = FULL")
    }

    fn stamp(&mut self) -> Result<i64, StoreError> {
        let rows = self.query("PRAGMA data_version", &[])?;
        let stamp = rows
            .first()
            .and_then(|row| row.first())
            .and_then(Value::int);
        stamp.ok_or(StoreError::Corrupt {
            table: "(data_version)",
            what: "no answer".to_owned(),
        })
    }

    fn check(&mut self) -> Result<(), StoreError> {
        // An open descriptor keeps a deleted file readable: only its name tells that others see something else.
        if identity(&self.path) == Some(self.file) {
            Ok(())
        } else {
            Err(StoreError::Moved {
                path: self.path.clone(),
            })
        }
    }

    fn watch(&self) -> Option<OwnedFd> {
        self.notifier()
            .inspect_err(
                |error| tracing::debug!(%error, "the file system does not tell of changes"),
            )
            .ok()
    }
}

impl SqliteStore {
    /// Writers append to the log before they commit, and close it when they end. The file itself tells when it is
    /// replaced.
    fn notifier(&self) -> rustix::io::Result<OwnedFd> {
        let notifier = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        let gone = WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
        inotify::add_watch(
            &notifier,
            Path::new(&log),
            WatchFlags::MODIFY | WatchFlags::CLOSE_WRITE | gone,
        )?;
        inotify::add_watch(&notifier, &self.path, WatchFlags::ATTRIB | gone)?;
        Ok(notifier)
    }
}

/// Device and inode under the name.
fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path)
        .ok()
        .map(|meta| (meta.dev(), meta.ino()))
}

/// SQLite asks after each refused try; short sleeps keep the wait close to what the other writer needs.
fn wait_for_writer(tries: i32) -> bool {
    let step = if tries < 20 { 1 } else { 5 };
    std::thread::sleep(Duration::from_millis(step));
    u128::from(tries.unsigned_abs()) * 5 < BUSY_WAIT.as_millis()
}

fn owned(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(n) => Value::Int(n),
        ValueRef::Real(x) => Value::Odd(format!("the fraction {x}")),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Odd(format!(
                "text that is not UTF-8 ({:?})",
                String::from_utf8_lossy(bytes)
            )),
        },
        ValueRef::Blob(bytes) => Value::Odd(format!("a blob of {} bytes", bytes.len())),
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(n) => ValueRef::Integer(*n),
            Value::Text(text) | Value::Odd(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

fn failed(what: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |error| match &error {
        rusqlite::Error::SqliteFailure(code, text) => match code.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy,
            ErrorCode::ConstraintViolation => {
                StoreError::Constraint(text.clone().unwrap_or_else(|| code.to_string()))
            }
            _ if text
                .as_deref()
                .is_some_and(|text| text.starts_with("no such table")) =>
            {
                StoreError::NoSchema
            }
            _ => StoreError::Database {
                what,
                source: Box::new(error),
            },
        },
        rusqlite::Error::SqlInputError { msg, .. } if msg.starts_with("no such table") => {
            StoreError::NoSchema
        }
        _ => StoreError::Database {
            what,
            source: Box::new(error),
        },
    }
}
