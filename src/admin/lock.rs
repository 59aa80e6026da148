//! One agent per run directory: a lock on a file, held for as long as the process lives.
//!
//! The kernel drops the lock with the process, however it ends. The file itself stays; it holds the process id of
//! whoever locked it last, for the message to others.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// The lock. Dropping it lets others in.
#[derive(Debug)]
pub struct Lock {
    /// Closing the file gives the lock back.
    _file: File,
    path: PathBuf,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody has it.
    #[error("{} is locked by {}: another vifd works on this host; stop it first, or give this one its own [vifd] run_dir and bridges", path.display(), holder(*pid))]
    Held {
        /// The file.
        path: PathBuf,
        /// Who, if the file tells.
        pid: Option<u32>,
    },
    /// The file cannot be used.
    #[error("cannot {what} {}: check [vifd] run_dir and who may write there", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What came back.
        source: io::Error,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "another process".to_owned(),
        |pid| format!("process {pid}"),
    )
}

impl Lock {
    /// Takes the lock, making the directory if there is none. Never waits.
    pub fn take(path: &Path) -> Result<Lock, LockError> {
        let failed = |what, path: &Path| {
            let path = path.to_owned();
            move |source| LockError::Io { what, path, source }
        };
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(failed("create the directory", dir))?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed("open", path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut text = String::new();
                // Without a readable number the message does without it.
                let _ = (&mut file).take(32).read_to_string(&mut text);
                return Err(LockError::Held {
                    path: path.to_owned(),
                    pid: text.trim().parse().ok(),
                });
            }
            Err(errno) => return Err(failed("lock", path)(errno.into())),
        }
        let write = |mut file: &File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        write(&file).map_err(failed("write", path))?;
        Ok(Lock {
            _file: file,
            path: path.to_owned(),
        })
    }

    /// The file that is locked.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_the_first_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/run/vifd.lock");
        let first = Lock::take(&path).unwrap();
        let error = Lock::take(&path).unwrap_err();
        assert!(
            matches!(error, LockError::Held { pid: Some(pid), .. } if pid == std::process::id()),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .contains(&format!("locked by process {}", std::process::id())),
            "{error}"
        );
        drop(first);
        Lock::take(&path).unwrap();
    }

    #[test]
    fn an_older_longer_number_does_not_shine_through() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vifd.lock");
        std::fs::write(&path, "99999999999999\n").unwrap();
        let _lock = Lock::take(&path).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            format!("{}\n", std::process::id())
        );
    }

    #[test]
    fn a_directory_that_is_none_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = Lock::take(&file.join("run/vifd.lock"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("cannot create the directory") && error.contains("run_dir"),
            "{error}"
        );
    }
}
