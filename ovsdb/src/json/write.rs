//! JSON output: compact, members sorted by name.

use super::{Json, format_real, text};

/// Appends `json` to `out`. Reals get as many digits as it takes to read the same value back.
pub fn write(json: &Json, out: &mut Vec<u8>) {
    write_pretty_real(json, None, out);
}

/// Appends `json` to `out`, with reals limited to `digits` significant digits.
pub fn write_pretty_real(json: &Json, digits: Option<u8>, out: &mut Vec<u8>) {
    match json {
        Json::Null => out.extend_from_slice(b"null"),
        Json::Bool(true) => out.extend_from_slice(b"true"),
        Json::Bool(false) => out.extend_from_slice(b"false"),
        Json::Integer(i) => out.extend_from_slice(i.to_string().as_bytes()),
        Json::Real(r) => out.extend_from_slice(format_real(*r, digits).as_bytes()),
        Json::String(s) => write_string(s, out),
        Json::Array(elements) => {
            out.push(b'[');
            for (i, element) in elements.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_pretty_real(element, digits, out);
            }
            out.push(b']');
        }
        Json::Object(object) => {
            out.push(b'{');
            for (i, (name, value)) in object.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_string(name, out);
                out.push(b':');
                write_pretty_real(value, digits, out);
            }
            out.push(b'}');
        }
    }
}

/// Appends a quoted string; substituted bytes (see [`mod@text`]) go out as they came in.
pub fn write_string(s: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let strays = text::has_stray_bytes(s);
    for c in s.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            c if u32::from(c) < 0x20 => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
            }
            c if strays && text::byte_of(c).is_some() => out.extend(text::byte_of(c)),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}
