//! Comparison of the elements of one set, as a set.

use std::collections::HashMap;

use crate::element::Element;

/// Elements to delete and elements to add, in that order of application. An element whose data
/// differs is in both. `redo` names elements that must be made again although they are equal.
pub fn elements(
    desired: &[Element],
    observed: &[Element],
    redo: impl Fn(&Element) -> bool,
) -> (Vec<Element>, Vec<Element>) {
    let wanted: HashMap<_, _> = desired.iter().map(|e| (e.identity(), e)).collect();
    let mut kept = HashMap::with_capacity(wanted.len());
    let mut gone = Vec::new();
    for there in observed {
        match wanted.get(&there.identity()) {
            Some(wanted) if !redo(there) && wanted.intended() == there.intended() => {
                kept.insert(there.identity(), ());
            }
            _ => gone.push(there.to_delete()),
        }
    }
    let new = desired
        .iter()
        .filter(|e| !kept.contains_key(&e.identity()))
        .cloned()
        .collect();
    (gone, new)
}
