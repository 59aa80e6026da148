//! Named network namespaces that vifd has made: mounts below `/run/netns`.

use std::path::Path;

use rustix::mount::{UnmountFlags, unmount};

use super::Removal;

const DIRECTORY: &str = "/run/netns";
const PREFIX: &str = "vifd-";

/// Those of our name.
pub(super) fn find() -> Vec<Removal> {
    in_directory(Path::new(DIRECTORY))
}

fn in_directory(directory: &Path) -> Vec<Removal> {
    // Without the directory there are no named namespaces.
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|e| e.file_name().into_string().ok())
        .filter(|n| n.starts_with(PREFIX))
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| Removal::Namespace { name })
        .collect()
}

/// Removes them; those that could not be removed leave the list. A namespace lives on while a process is in it.
pub(super) fn remove(found: &mut Vec<Removal>) -> Vec<String> {
    let mut problems = Vec::new();
    found.retain(|removal| {
        let Removal::Namespace { name } = removal else {
            return false;
        };
        let path = Path::new(DIRECTORY).join(name);
        // A file that is no mount any more is left over from a crash.
        let _ = unmount(&path, UnmountFlags::DETACH);
        match std::fs::remove_file(&path) {
            Ok(()) => true,
            Err(error) => {
                problems.push(format!(
                    "cannot remove the network namespace {name}: {error}"
                ));
                false
            }
        }
    });
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_ours() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["vifd-b", "qrouter-1", "vifd-a", "myvifd-c"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let names: Vec<String> = in_directory(dir.path()).iter().map(Removal::text).collect();
        assert_eq!(
            names,
            ["network namespace vifd-a", "network namespace vifd-b"]
        );
        assert_eq!(in_directory(&dir.path().join("none")), []);
    }
}
