//! Database URLs in the form that oslo.db configuration uses.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::StoreError;

/// Where the database is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DatabaseUrl {
    /// A file on this machine. WAL mode needs shared memory, so no network file system.
    Sqlite(PathBuf),
}

impl FromStr for DatabaseUrl {
    type Err = StoreError;

    /// `sqlite:////absolute/path`, `sqlite:///relative/path`, or a plain path.
    fn from_str(url: &str) -> Result<Self, StoreError> {
        let bad = |why| {
            Err(StoreError::Url {
                url: url.to_owned(),
                why,
            })
        };
        let path = match url.split_once("://") {
            Some(("sqlite", rest)) => match rest.strip_prefix('/') {
                Some(path) => path,
                None => {
                    return bad(
                        "write sqlite:////absolute/path (four slashes) or sqlite:///relative/path (three)",
                    );
                }
            },
            Some(_) => return bad("only sqlite:////path is supported"),
            None => url,
        };
        if path.is_empty() || path == ":memory:" {
            return bad("a path to a file is needed: agents and tools share it");
        }
        if path.contains('?') {
            return bad("options after ? are not supported");
        }
        Ok(DatabaseUrl::Sqlite(PathBuf::from(path)))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseUrl::Sqlite(path) => write!(f, "sqlite:///{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let path = |url: &str| match url.parse::<DatabaseUrl>() {
            Ok(DatabaseUrl::Sqlite(path)) => path.display().to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(
            path("sqlite:////var/lib/vifd/vifd.db"),
            "/var/lib/vifd/vifd.db"
        );
        assert_eq!(path("sqlite:///vifd.db"), "vifd.db");
        assert_eq!(path("/tmp/x.db"), "/tmp/x.db");
        for bad in [
            "sqlite://x",
            "sqlite:///",
            "",
            "mysql://u@h/x",
            ":memory:",
            "sqlite:////x?mode=ro",
        ] {
            assert!(path(bad).starts_with("database URL"), "{bad}");
        }
        let url: DatabaseUrl = "sqlite:////a/b".parse().unwrap();
        assert_eq!(url.to_string().parse::<DatabaseUrl>().unwrap(), url);
    }
}
