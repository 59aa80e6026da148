//! Differences between column values, as update2 and update3 carry them (ovsdb-server(7)
//! "Monitor Cond Update Notification").

use super::{Atom, Datum, Map, Set};
use crate::schema::ColumnType;

/// The difference that turns `old` into `new`; for columns of at most one element it is the
/// new value, for sets the symmetric difference, for maps the added and changed pairs with
/// their new values and the removed pairs with their old values.
pub fn diff(old: &Datum, new: &Datum, column: &ColumnType) -> Datum {
    if column.max <= 1 {
        return new.clone();
    }
    match (old, new) {
        (Datum::Map(old), Datum::Map(new)) => Datum::Map(map_difference(old, new)),
        _ => symmetric_difference(old.atoms(), new.atoms()).into(),
    }
}

/// Applies a difference made by [`diff`] to `value`.
pub fn apply_diff(value: &Datum, diff: &Datum, column: &ColumnType) -> Datum {
    if column.max <= 1 {
        return diff.clone();
    }
    match (value, diff) {
        (Datum::Map(value), Datum::Map(diff)) => Datum::Map(map_apply(value, diff)),
        _ => symmetric_difference(value.atoms(), diff.atoms()).into(),
    }
}

fn symmetric_difference(a: &[Atom], b: &[Atom]) -> Set {
    let mut out = Vec::new();
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    loop {
        match (a.peek(), b.peek()) {
            (Some(x), Some(y)) if x == y => {
                a.next();
                b.next();
            }
            (Some(x), Some(y)) if x < y => out.extend(a.next().cloned()),
            (_, Some(_)) => out.extend(b.next().cloned()),
            (Some(_), None) => out.extend(a.next().cloned()),
            (None, None) => return Set::from_sorted(out),
        }
    }
}

fn map_difference(old: &Map, new: &Map) -> Map {
    let mut out: Vec<(Atom, Atom)> = new
        .iter()
        .filter(|(k, v)| old.get(k) != Some(v))
        .cloned()
        .collect();
    out.extend(old.iter().filter(|(k, _)| new.get(k).is_none()).cloned());
    out.sort();
    Map::from_sorted(out)
}

fn map_apply(value: &Map, diff: &Map) -> Map {
    let mut out = Vec::new();
    let (mut a, mut b) = (value.iter().peekable(), diff.iter().peekable());
    loop {
        match (a.peek(), b.peek()) {
            (Some(x), Some(y)) if x.0 == y.0 => {
                if x.1 != y.1 {
                    out.push((*y).clone());
                }
                a.next();
                b.next();
            }
            (Some(x), Some(y)) if x.0 < y.0 => out.extend(a.next().cloned()),
            (_, Some(_)) => out.extend(b.next().cloned()),
            (Some(_), None) => out.extend(a.next().cloned()),
            (None, None) => return Map::from_sorted(out),
        }
    }
}
