//! What the kernel keeps beside numbers, so that a later life of the agent knows what they stand for.

use std::sync::Arc;

use sha1::{Digest, Sha1};

use crate::model::{GroupId, PortId, RemoteId};

/// The first eleven characters of a port's id, as names of its devices end.
pub fn short(id: PortId) -> String {
    id.to_string().chars().take(11).collect()
}

/// How the kernel remembers which groups a profile stands for.
pub fn fingerprint(groups: &[GroupId]) -> Arc<str> {
    let mut hash = Sha1::new();
    for group in groups {
        hash.update(group.0.as_bytes());
    }
    let hex: String = hash
        .finalize()
        .iter()
        .take(10)
        .map(|b| format!("{b:02x}"))
        .collect();
    format!("{hex}, {} groups", groups.len()).into()
}

/// How the kernel remembers which set a number stands for.
pub fn remote_note(id: RemoteId) -> Arc<str> {
    match id {
        RemoteId::Group(id) => format!("group {id}").into(),
        RemoteId::Addresses(id) => format!("addresses {id}").into(),
    }
}
