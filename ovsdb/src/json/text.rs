//! Strings that need not be UTF-8.
//!
//! ovsdb-server passes bytes that are not UTF-8 through, so a client must neither panic on them
//! nor change them. They are kept in ordinary Rust strings through a reversible substitution:
//! a byte 0x80 to 0xFF that is not part of valid UTF-8 becomes the private-use character
//! U+10FF00 plus the byte. The few genuine characters U+10FF80 to U+10FFFF are substituted
//! byte by byte as well, so the mapping is one to one in both directions.

const BASE: u32 = 0x10_FF00;

/// The text of `bytes`, with stray bytes substituted.
pub fn decode(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    match core::str::from_utf8(bytes) {
        Ok(text) if !has_substitute(bytes) => text.into(),
        _ => {
            let mut out = String::new();
            push(bytes, &mut out);
            out.into()
        }
    }
}

/// Appends `bytes` to `out`, with stray bytes substituted.
pub fn push(bytes: &[u8], out: &mut String) {
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid();
        if has_substitute(valid.as_bytes()) {
            for c in valid.chars() {
                if is_substitute(c) {
                    let mut buf = [0; 4];
                    stray(c.encode_utf8(&mut buf).as_bytes(), out);
                } else {
                    out.push(c);
                }
            }
        } else {
            out.push_str(valid);
        }
        stray(chunk.invalid(), out);
    }
}

/// Appends a surrogate that stands alone as the three bytes it would have if UTF-8 allowed it.
pub(crate) fn push_surrogate(code: u32, out: &mut String) {
    let byte = |bits: u32| u8::try_from(bits).unwrap_or(u8::MAX);
    let tail = |shift: u32| byte(0x80 | code >> shift & 0x3F);
    push(&[byte(0xE0 | code >> 12), tail(6), tail(0)], out);
}

/// The bytes `text` stands for: the inverse of [`decode`].
pub fn encode(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for c in text.chars() {
        match byte_of(c) {
            Some(byte) => out.push(byte),
            None => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out
}

/// The byte a substituted character stands for.
pub fn byte_of(c: char) -> Option<u8> {
    is_substitute(c).then(|| u8::try_from(u32::from(c) - BASE).unwrap_or(b'?'))
}

/// True if `text` contains a substituted byte.
pub fn has_stray_bytes(text: &str) -> bool {
    has_substitute(text.as_bytes())
}

fn stray(bytes: &[u8], out: &mut String) {
    out.extend(
        bytes
            .iter()
            .filter_map(|b| char::from_u32(BASE + u32::from(*b))),
    );
}

fn is_substitute(c: char) -> bool {
    (BASE + 0x80..=BASE + 0xFF).contains(&u32::from(c))
}

/// U+10FF80..=U+10FFFF are F4 8F BE 80 to F4 8F BF BF in UTF-8.
fn has_substitute(bytes: &[u8]) -> bool {
    // F4 is rare in practice, so the cheap test comes first.
    bytes.contains(&0xF4)
        && bytes
            .windows(3)
            .any(|w| matches!(w, [0xF4, 0x8F, 0xBE | 0xBF]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapping_is_one_to_one() {
        for bytes in [
            &b"plain"[..],
            b"\xff\xfe",
            b"a\xc3",
            "\u{10FFFF}x\u{10FF80}".as_bytes(),
            b"\xf4\x8f\xbe",
            "\u{10F000}".as_bytes(),
        ] {
            assert_eq!(encode(&decode(bytes)), bytes, "{bytes:x?}");
            let mut quoted = Vec::new();
            crate::json::write_string(&decode(bytes), &mut quoted);
            assert_eq!(quoted[1..quoted.len() - 1], *bytes);
        }
    }
}
