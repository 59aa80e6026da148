//! The text form of values: what `ovs-vsctl` prints, and reads (ovs-vsctl(8) "Database
//! Values").
//!
//! Held by the `parse-atom-strings` and `parse-data-strings` vectors and `tests/server_ops.rs`.

pub(crate) use super::read_text::word_from_text;
pub use super::read_text::{TextError, atom_from_text};

use super::{Atom, Datum};
use crate::json::{format_real, write_string};
use crate::schema::ColumnType;
use crate::uuid::Uuid;

impl Atom {
    /// Appends the text form; strings are quoted only if they would be misread without.
    pub fn push_text(&self, out: &mut String) {
        match self {
            Self::Integer(i) => out.push_str(&i.to_string()),
            Self::Real(r) => out.push_str(&format_real(r.value(), Some(15))),
            Self::Boolean(b) => out.push_str(if *b { "true" } else { "false" }),
            Self::String(s) if !needs_quotes(s) => out.push_str(s),
            Self::String(s) => {
                let mut quoted = Vec::new();
                write_string(s, &mut quoted);
                out.push_str(&crate::json::text::decode(&quoted));
            }
            Self::Uuid(u) => out.push_str(&u.to_string()),
            Self::NamedUuid(n) => {
                out.push('@');
                out.push_str(n);
            }
        }
    }
}

/// True if a string must be quoted to be read back as the same string.
fn needs_quotes(s: &str) -> bool {
    let mut bytes = s.bytes();
    let first = bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    let rest = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    !first || !rest || Uuid::parse(s).is_some() || s == "true" || s == "false"
}

impl Datum {
    /// The text form of a value of the given type: `[a, b]`, `{k=v}`, or one bare element if
    /// the type allows no more.
    pub fn to_text(&self, kind: &ColumnType) -> String {
        let mut out = String::new();
        let many = kind.max > 1 || self.is_empty();
        if many {
            out.push(if kind.is_map() { '{' } else { '[' });
        }
        match self {
            Self::Map(map) => {
                for (i, (k, v)) in map.iter().enumerate() {
                    if i > 0 {
                        out.push_str(", ");
                    }
                    k.push_text(&mut out);
                    out.push('=');
                    v.push_text(&mut out);
                }
            }
            _ => {
                for (i, atom) in self.atoms().iter().enumerate() {
                    if i > 0 {
                        out.push_str(", ");
                    }
                    atom.push_text(&mut out);
                }
            }
        }
        if many {
            out.push(if kind.is_map() { '}' } else { ']' });
        }
        out
    }
}
