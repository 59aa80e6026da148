//! Which database this host follows, kept in a file over restarts of the agent.

use std::io::ErrorKind;
use std::path::Path;

use uuid::Uuid;

/// The id in the file; `None` if there is no file.
pub(super) fn read(path: &Path) -> Result<Option<Uuid>, String> {
    match std::fs::read_to_string(path) {
        Ok(text) => match Uuid::parse_str(text.trim()) {
            Ok(id) => Ok(Some(id)),
            Err(_) => Err(format!(
                "{} holds no database id: remove it",
                path.display()
            )),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

/// Writes the id unless it stands there already; the file is whole at any time.
pub(super) fn write(path: &Path, id: Uuid) -> Result<(), String> {
    if read(path) == Ok(Some(id)) {
        return Ok(());
    }
    let fail = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(fail)?;
    }
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, format!("{id}\n")).map_err(fail)?;
    std::fs::rename(&fresh, path).map_err(fail)
}
