//! From a byte offset in a message to the name of the attribute there.
//!
//! The kernel's extended acknowledgement gives only the offset of the attribute at fault.

use crate::wire::Reader;

/// One named attribute: number, name, what its payload consists of.
pub type NamedField = (u16, &'static str, fn() -> Schema);

/// What a payload consists of.
#[derive(Clone, Copy, Debug)]
pub enum Schema {
    /// Nothing inside has a name.
    Leaf,
    /// Attributes with names.
    Record(&'static [NamedField]),
    /// A list of items of one kind.
    List(fn() -> Schema),
    /// An expression: its name decides what its data consists of.
    Expression(fn(&str) -> Schema),
}

/// The path of the attribute that starts at or contains `offset`, for example
/// `expressions[2] lookup.set`. Empty when the offset is outside every attribute.
pub fn path_at(payload: Reader<'_>, schema: Schema, offset: u32) -> String {
    let mut path = String::new();
    walk(payload, schema, offset, &mut path, 0);
    path
}

fn walk(mut r: Reader<'_>, schema: Schema, offset: u32, path: &mut String, depth: u8) {
    if depth > crate::wire::MAX_DEPTH {
        return;
    }
    let whole = r;
    let mut index = 0_usize;
    loop {
        let start = r.offset();
        let Ok(Some(a)) = r.attribute() else { return };
        if offset >= r.offset() {
            index = index.saturating_add(1);
            continue;
        }
        if offset < start {
            return;
        }
        let below = match schema {
            Schema::Leaf => return,
            Schema::Record(fields) => match fields.iter().find(|f| f.0 == a.kind) {
                Some((_, name, below)) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                    below()
                }
                None => {
                    path.push_str(&format!("#{}", a.kind));
                    Schema::Leaf
                }
            },
            Schema::List(below) => {
                path.push_str(&format!("[{index}]"));
                below()
            }
            Schema::Expression(data_of) => {
                let name = expression_name(whole);
                path.push(' ');
                path.push_str(&name);
                if a.kind == 2 {
                    data_of(&name)
                } else {
                    Schema::Leaf
                }
            }
        };
        if offset == start && matches!(below, Schema::Expression(_)) {
            path.push(' ');
            path.push_str(&expression_name(a.value));
        }
        if offset > start {
            walk(a.value, below, offset, path, depth.saturating_add(1));
        }
        return;
    }
}

fn expression_name(mut r: Reader<'_>) -> String {
    while let Ok(Some(mut a)) = r.attribute() {
        if a.kind == 1 {
            let bytes = a.value.rest();
            let text = bytes.strip_suffix(&[0]).unwrap_or(bytes);
            return String::from_utf8_lossy(text).into_owned();
        }
    }
    String::from("?")
}
