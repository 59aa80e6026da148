//! A sorted map of atoms behind a shared pointer.

use super::Atom;
use std::sync::Arc;

/// Pairs with distinct keys in ascending order of the keys. Cloning costs one reference count;
/// the empty map allocates nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Map(Option<Arc<[(Atom, Atom)]>>);

impl Map {
    /// The empty map.
    pub const EMPTY: Self = Self(None);

    /// The pairs in ascending order of the keys.
    pub fn as_slice(&self) -> &[(Atom, Atom)] {
        self.0.as_deref().unwrap_or_default()
    }

    /// The pairs in ascending order of the keys.
    pub fn iter(&self) -> core::slice::Iter<'_, (Atom, Atom)> {
        self.as_slice().iter()
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// True if there is no pair.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The value at `key`.
    pub fn get(&self, key: &Atom) -> Option<&Atom> {
        let at = self.as_slice().binary_search_by(|(k, _)| k.cmp(key)).ok()?;
        self.as_slice().get(at).map(|(_, v)| v)
    }

    /// The string at the string key `key`; how most maps of the Open_vSwitch schema are read.
    pub fn str(&self, key: &str) -> Option<&str> {
        let at = self.as_slice().binary_search_by(|(k, _)| match k {
            Atom::String(k) => (**k).cmp(key),
            other => other.cmp(&Atom::String("".into())),
        });
        self.as_slice().get(at.ok()?)?.1.as_str()
    }

    /// Wraps pairs whose keys are ascending and distinct.
    pub(super) fn from_sorted(pairs: Vec<(Atom, Atom)>) -> Self {
        debug_assert!(pairs.is_sorted_by(|a, b| a.0 < b.0));
        Self((!pairs.is_empty()).then(|| pairs.into()))
    }
}

impl FromIterator<(Atom, Atom)> for Map {
    fn from_iter<I: IntoIterator<Item = (Atom, Atom)>>(pairs: I) -> Self {
        let mut pairs: Vec<(Atom, Atom)> = pairs.into_iter().collect();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                core::mem::swap(later, earlier);
            }
            same
        });
        Self::from_sorted(pairs)
    }
}
