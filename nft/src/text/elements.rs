//! Elements of sets and maps, with intervals put together again.

use super::json::Json;
use super::statement::verdict;
use super::value::{Kind, Shown, number, quoted};
use crate::data::Data;
use crate::element::{Element, ElementFlags};
use crate::name::Bytes;
use crate::set::{DataType, Set, SetFlags};
use crate::userdata::{SET_DATA_BYTEORDER, SET_KEY_BYTEORDER};

/// The elements in ascending order. `kinds` is what the fields of the key mean.
pub(super) fn show(set: &Set, kinds: &[Kind], elements: &[Element]) -> Vec<Shown> {
    let bytes = |data: &Option<Data>| data.as_ref().and_then(|d| d.value().cloned());
    let host = matches!(
        kinds,
        [Kind::HostNumber | Kind::Mark | Kind::Bits(_) | Kind::HostNames(_)]
    );
    let order = |key: &Bytes| {
        let number = if host {
            number(key.as_slice(), true)
        } else {
            0
        };
        (number, key.clone())
    };
    let mut sorted: Vec<(Bytes, &Element)> = elements
        .iter()
        .filter_map(|e| Some((bytes(&e.key)?, e)))
        .collect();
    sorted.sort_by_cached_key(|(key, element)| {
        // At one key, the end of the interval before comes first.
        (order(key), element.flags != ElementFlags::INTERVAL_END)
    });
    let data_kind = set.data_type.map_or(Kind::Number, Kind::of);
    let data_kind = in_order(data_kind, set, SET_DATA_BYTEORDER);
    let plain = set.flags.contains(SetFlags::INTERVAL) && !set.flags.contains(SetFlags::CONCAT);
    let widths = widths(set);
    let mut shown = Vec::new();
    let mut rest = sorted.iter().peekable();
    while let Some((key, element)) = rest.next() {
        if element.flags.contains(ElementFlags::INTERVAL_END) {
            continue;
        }
        let last = if plain {
            Some(
                rest.peek()
                    .map_or_else(|| top(key), |(next, _)| before(next)),
            )
        } else {
            bytes(&element.key_end)
        };
        shown.push(decorate(
            key_of(kinds, &widths, key, last.as_ref()),
            element,
            data_kind,
        ));
    }
    let all = elements
        .iter()
        .filter(|e| e.flags.contains(ElementFlags::CATCHALL));
    shown.extend(all.map(|e| decorate(Shown::word("*"), e, data_kind)));
    shown
}

/// The meaning of the key's fields by the set's type.
pub(super) fn kinds_of(set: &Set) -> Vec<Kind> {
    let key_type = set.key_type.unwrap_or(DataType::INTEGER);
    let kinds: Vec<_> = key_type.fields().map(Kind::of).collect();
    match kinds.as_slice() {
        [one] => vec![in_order(*one, set, SET_KEY_BYTEORDER)],
        _ => kinds,
    }
}

/// A number without a type of its own has the byte order that the set's user data says.
fn in_order(kind: Kind, set: &Set, item: u8) -> Kind {
    let order = set.userdata.as_ref().and_then(|data| data.number(item));
    match (kind, order) {
        (Kind::Number, Some(1)) => Kind::HostNumber,
        (kind, _) => kind,
    }
}

fn top(key: &Bytes) -> Bytes {
    Bytes::from(vec![0xff; key.len()])
}

fn before(key: &Bytes) -> Bytes {
    let mut bytes = key.as_slice().to_vec();
    for byte in bytes.iter_mut().rev() {
        *byte = byte.wrapping_sub(1);
        if *byte != 0xff {
            break;
        }
    }
    Bytes::from(bytes)
}

fn key_of(kinds: &[Kind], widths: &[usize], first: &Bytes, last: Option<&Bytes>) -> Shown {
    let fields = |key: &Bytes| -> Vec<Vec<u8>> {
        let mut rest = key.as_slice();
        (0..kinds.len())
            .map(|i| {
                let len = match widths.get(i) {
                    Some(width) if kinds.len() > 1 => (*width).min(rest.len()),
                    _ => rest.len(),
                };
                let (head, tail) = rest.split_at_checked(len).unwrap_or((rest, &[]));
                let padding = len.next_multiple_of(4).saturating_sub(len).min(tail.len());
                rest = tail.get(padding..).unwrap_or_default();
                head.to_vec()
            })
            .collect()
    };
    let firsts = fields(first);
    let lasts = last.map(fields);
    let shown: Vec<_> = kinds
        .iter()
        .enumerate()
        .map(|(i, kind)| {
            let from = firsts.get(i).cloned().unwrap_or_default();
            match lasts.as_ref().and_then(|lasts| lasts.get(i)) {
                Some(to) => range(*kind, &from, to),
                None => kind.show(&from),
            }
        })
        .collect();
    match shown.as_slice() {
        [one] => one.clone(),
        many => {
            let text: Vec<_> = many.iter().map(|s| s.text.as_str()).collect();
            let json = many.iter().map(|s| s.json.clone()).collect::<Vec<_>>();
            Shown::new(text.join(" . "), Json::one("concat", json))
        }
    }
}

/// Bytes of each field of a concatenation: as described for intervals, else by their types. A type without a length of
/// its own takes what the others leave.
fn widths(set: &Set) -> Vec<usize> {
    let described = set.desc.as_ref().and_then(|desc| desc.concat.as_ref());
    if let Some(fields) = described {
        let length = |length: u32| usize::try_from(length).unwrap_or(0);
        return fields.iter().map(|field| length(field.length)).collect();
    }
    let types: Vec<_> = set.key_type.unwrap_or(DataType::INTEGER).fields().collect();
    let length = |data: &DataType| data.length().and_then(|len| usize::try_from(len).ok());
    let known: usize = types
        .iter()
        .filter_map(length)
        .map(|len| len.next_multiple_of(4))
        .sum();
    let all = set
        .key_len
        .and_then(|len| usize::try_from(len).ok())
        .unwrap_or(0);
    let left = all.saturating_sub(known);
    types
        .iter()
        .map(|data| length(data).unwrap_or(left))
        .collect()
}

/// An inclusive range, as a prefix where it is one and the type has prefixes.
pub(super) fn range(kind: Kind, first: &[u8], last: &[u8]) -> Shown {
    if first == last {
        return kind.show(first);
    }
    if super::field::is_address(kind)
        && let Some(len) = prefix_length(first, last)
    {
        let address = kind.show(first);
        let json = Json::object([("addr", address.json), ("len", len.into())]);
        return Shown::new(format!("{}/{len}", address.text), Json::one("prefix", json));
    }
    let (first, last) = (kind.show(first), kind.show(last));
    let json = Json::one("range", vec![first.json, last.json]);
    Shown::new(format!("{}-{}", first.text, last.text), json)
}

fn prefix_length(first: &[u8], last: &[u8]) -> Option<u32> {
    let mut len = 0_u32;
    let mut open = false;
    for (a, b) in first.iter().zip(last) {
        for bit in (0..8).rev() {
            let (a, b) = (a >> bit & 1, b >> bit & 1);
            match (open, a, b) {
                (false, a, b) if a == b => len = len.saturating_add(1),
                (_, 0, 1) => open = true,
                _ => return None,
            }
        }
    }
    Some(len)
}

fn decorate(key: Shown, element: &Element, data_kind: Kind) -> Shown {
    let mut text = key.text.clone();
    let mut json = key.json;
    let mut members = Json::one("val", json.clone());
    let mut wrapped = false;
    for expr in element
        .expr
        .as_deref()
        .into_iter()
        .chain(element.exprs.iter().flatten())
    {
        let state = super::action::state(expr);
        text.push_str(&format!(" {}", state.text));
        if let Json::Object(one) = state.json {
            for (key, value) in one {
                members = members.with(&key, value);
            }
        }
        wrapped = true;
    }
    if let Some(timeout) = element.timeout {
        text.push_str(&format!(" timeout {}", duration(timeout)));
        members = members.with("timeout", timeout / 1000);
        wrapped = true;
    }
    if let Some(expires) = element.expiration {
        text.push_str(&format!(" expires {}", duration(expires)));
        members = members.with("expires", expires / 1000);
        wrapped = true;
    }
    if let Some(comment) = element
        .userdata
        .as_ref()
        .and_then(|u| u.text(crate::userdata::COMMENT))
    {
        text.push_str(&format!(" comment {}", quoted(&comment)));
        members = members.with("comment", comment);
        wrapped = true;
    }
    if wrapped {
        json = Json::one("elem", members);
    }
    let data = match (&element.data, &element.object) {
        (Some(Data::Verdict(v)), _) => verdict(v),
        (Some(Data::Value(bytes)), _) => data_kind.show(bytes.as_slice()),
        (None, Some(object)) => {
            let name = object.to_text();
            Shown::new(format!("\"{name}\""), name.into())
        }
        (None, None) => return Shown::new(text, json),
    };
    Shown::new(
        format!("{text} : {}", data.text),
        vec![json, data.json].into(),
    )
}

/// Milliseconds as days, hours, minutes, seconds.
pub(super) fn duration(milliseconds: u64) -> String {
    let mut out = String::new();
    let mut left = milliseconds;
    for (unit, name) in [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
        (1, "ms"),
    ] {
        if left >= unit {
            out.push_str(&format!("{}{name}", left / unit));
            left %= unit;
        }
    }
    if out.is_empty() {
        String::from("0s")
    } else {
        out
    }
}
