//! The lossless text form of every value: what `save` writes and `restore` reads.
//!
//! One grammar for all types: records `{name=value name=value}`, lists `[a b]`, byte strings
//! `0x0a000001`, names `"text"`, numbers decimal, registries by their name or number, attributes
//! without a name `#37=0x00`. Owns the grammar and the cursor. Knows no object; the record and
//! registry macros generate the rest. Held by `tests/codec/roundtrip.rs` and the fuzz target `nft_saved`.
//!
//! ```
//! use nft::expr::Expr;
//! use nft::saved::{from_text, to_text};
//!
//! let text = "cmp{sreg=1 op=eq data=0x0a000001}";
//! let expr: Expr = from_text(text).unwrap();
//! assert_eq!(to_text(&expr), text);
//! let error = from_text::<Expr>("cmp{sreg=1 op=equals}").unwrap_err();
//! assert_eq!(error.to_string(), "CmpOp at offset 14: nothing has this name");
//! ```

mod cursor;

pub use cursor::Cursor;

use crate::attr::{Field, Unknown, UnknownAttribute};
use crate::error::{DecodeError, Fault};

/// A value with a lossless text form.
pub trait Saved: Sized {
    /// Appends the text.
    fn save(&self, out: &mut String);

    /// Reads the text at the cursor.
    fn restore(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError>;
}

/// The text of one value.
pub fn to_text(value: &impl Saved) -> String {
    let mut out = String::new();
    value.save(&mut out);
    out
}

/// The value of a text; anything after it but white space is an error.
pub fn from_text<T: Saved>(text: &str) -> Result<T, DecodeError> {
    let mut cursor = Cursor::new(text);
    let value = T::restore(&mut cursor)?;
    cursor.finish("text")?;
    Ok(value)
}

/// Appends bytes as `0x` and hexadecimal digits.
pub(crate) fn save_hex(bytes: &[u8], out: &mut String) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    out.push_str("0x");
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            out.push(DIGITS.get(usize::from(nibble)).copied().unwrap_or('0'));
        }
    }
}

/// Appends ` name=value`, or nothing for an absent field.
pub(crate) fn save_field<F: Field>(out: &mut String, name: &str, field: &F) {
    if let Some(inner) = field.inner() {
        if !out.ends_with('{') {
            out.push(' ');
        }
        out.push_str(name);
        out.push('=');
        inner.save(out);
    }
}

/// Appends attributes without a name.
pub(crate) fn save_unknown(unknown: &Unknown, out: &mut String) {
    for a in &unknown.0 {
        if !out.ends_with('{') {
            out.push(' ');
        }
        out.push('#');
        out.push_str(&a.kind.to_string());
        if a.nested {
            out.push('n');
        }
        out.push('=');
        save_hex(&a.payload, out);
    }
}

/// Reads one attribute without a name, in a record called `what`.
pub(crate) fn restore_unknown(
    cursor: &mut Cursor<'_>,
    what: &'static str,
) -> Result<UnknownAttribute, DecodeError> {
    if cursor.at_end() {
        return Err(cursor.error(what, Fault::Ended));
    }
    if !cursor.peek('#') {
        return Err(cursor.error(what, Fault::Unknown));
    }
    cursor.expect('#', what)?;
    let at = *cursor;
    let kind: u16 = restore_number(cursor, "attribute number")?;
    if kind > 0x3fff {
        return Err(at.error("attribute number", Fault::OutOfRange));
    }
    let nested = cursor.eat('n');
    cursor.expect('=', "attribute value")?;
    let payload = cursor.hex("attribute value")?;
    Ok(UnknownAttribute {
        kind,
        nested,
        payload,
    })
}

/// Reads a number; errors call it `what`.
pub(crate) fn restore_number<T: TryFrom<u64>>(
    cursor: &mut Cursor<'_>,
    what: &'static str,
) -> Result<T, DecodeError> {
    let at = cursor.here();
    let number = cursor.number(what)?;
    T::try_from(number).map_err(|_| at.error(what, Fault::OutOfRange))
}

/// Reads the number of something that is none of the known names.
pub(crate) fn restore_named<T: TryFrom<u64>>(
    cursor: &mut Cursor<'_>,
    what: &'static str,
) -> Result<T, DecodeError> {
    restore_number(cursor, what).map_err(|error| match error.fault {
        Fault::NotANumber => DecodeError {
            fault: Fault::Unknown,
            ..error
        },
        _ => error,
    })
}

macro_rules! unsigned {
    ($($ty:ident),*) => {$(
        impl Saved for $ty {
            fn save(&self, out: &mut String) {
                out.push_str(&self.to_string());
            }
            fn restore(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
                restore_number(cursor, "number")
            }
        }
    )*};
}
unsigned!(u8, u16, u32, u64);

impl Saved for i32 {
    fn save(&self, out: &mut String) {
        out.push_str(&self.to_string());
    }
    fn restore(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        let at = cursor.here();
        let negative = cursor.eat('-');
        let number = cursor.number("number")?;
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        let number = if negative {
            number.wrapping_neg()
        } else {
            number
        };
        Self::try_from(number).map_err(|_| at.error("number", Fault::OutOfRange))
    }
}

impl<T: Saved> Saved for Vec<T> {
    fn save(&self, out: &mut String) {
        out.push('[');
        for (i, item) in self.iter().enumerate() {
            if i > 0 {
                out.push(' ');
            }
            item.save(out);
        }
        out.push(']');
    }
    fn restore(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        cursor.open('[', "list")?;
        let mut items = Self::new();
        while !cursor.leave(']') {
            items.push(T::restore(cursor)?);
        }
        Ok(items)
    }
}

impl<T: Saved> Saved for Box<T> {
    fn save(&self, out: &mut String) {
        self.as_ref().save(out);
    }
    fn restore(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        T::restore(cursor).map(Self::new)
    }
}
