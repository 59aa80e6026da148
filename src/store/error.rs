//! What can go wrong between us and the database.

use std::path::PathBuf;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names no database that this build knows.
    #[error("database URL {url:?}: {why}")]
    Url {
        /// As given.
        url: String,
        /// What is wrong, and what would be right.
        why: &'static str,
    },
    /// There is no such file.
    #[error("no database at {}: create it with `vifd db init`", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// Another file is there now, or none.
    #[error("the database at {} was moved, deleted or replaced", path.display())]
    Moved {
        /// Where it was.
        path: PathBuf,
    },
    /// It has no schema of ours.
    #[error("the database has no vifd schema: run `vifd db init`")]
    NoSchema,
    /// Its schema is older than this program.
    #[error(
        "the database has schema version {found}, this program needs {wanted}: run `vifd db migrate`"
    )]
    OldSchema {
        /// In the database.
        found: i64,
        /// In the program.
        wanted: i64,
    },
    /// Its schema is newer than this program.
    #[error(
        "the database has schema version {found}, this program knows only {known}: use a newer vifd"
    )]
    NewSchema {
        /// In the database.
        found: i64,
        /// In the program.
        known: i64,
    },
    /// A migration that was applied is not the one of this program.
    #[error(
        "migration {version} in the database differs from this program's ({found} instead of {wanted}): the database \
         was made by another build"
    )]
    Checksum {
        /// Which.
        version: i64,
        /// In the database.
        found: String,
        /// In the program.
        wanted: String,
    },
    /// Somebody else kept it locked for too long.
    #[error("the database was locked by another writer for too long")]
    Busy,
    /// A UNIQUE or foreign-key constraint was violated.
    #[error("the database refused the row: {0}")]
    Constraint(String),
    /// A row of our own bookkeeping is unreadable.
    #[error("table {table}: {what}")]
    Corrupt {
        /// Which table.
        table: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// Anything else that the database said.
    #[error("{what}")]
    Database {
        /// What was being done.
        what: &'static str,
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    /// The message with those of its sources, in one line.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    }
}
