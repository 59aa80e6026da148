//! A sorted set of atoms behind a shared pointer.

use super::Atom;
use std::sync::Arc;

/// Distinct atoms in ascending order. Cloning costs one reference count; the empty set
/// allocates nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Set(Option<Arc<[Atom]>>);

impl Set {
    /// The empty set.
    pub const EMPTY: Self = Self(None);

    /// The elements in ascending order.
    pub fn as_slice(&self) -> &[Atom] {
        self.0.as_deref().unwrap_or_default()
    }

    /// The elements in ascending order.
    pub fn iter(&self) -> core::slice::Iter<'_, Atom> {
        self.as_slice().iter()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// True if there is no element.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// True if `atom` is an element.
    pub fn contains(&self, atom: &Atom) -> bool {
        self.as_slice().binary_search(atom).is_ok()
    }

    /// Wraps elements that are ascending and distinct.
    pub(super) fn from_sorted(atoms: Vec<Atom>) -> Self {
        debug_assert!(atoms.is_sorted_by(|a, b| a < b));
        Self((!atoms.is_empty()).then(|| atoms.into()))
    }
}

impl FromIterator<Atom> for Set {
    fn from_iter<I: IntoIterator<Item = Atom>>(atoms: I) -> Self {
        let mut atoms: Vec<Atom> = atoms.into_iter().collect();
        atoms.sort();
        atoms.dedup();
        Self::from_sorted(atoms)
    }
}
