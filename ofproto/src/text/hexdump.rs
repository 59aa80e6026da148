//! Bytes in rows of sixteen, with or without characters beside them.

use std::fmt;

/// Writes `bytes` as Open vSwitch does: offset, two groups of eight, optionally the characters.
/// Each row ends with a newline.
pub(crate) fn write_hex_dump(
    out: &mut impl fmt::Write,
    bytes: &[u8],
    characters: bool,
) -> fmt::Result {
    for (row, line) in bytes.chunks(16).enumerate() {
        write!(out, "{:08x}  ", row * 16)?;
        for place in 0..16 {
            // Every byte is followed by something, but for a blank at the end of a row.
            let separator = match place {
                7 => "-",
                _ if !characters && place + 1 == line.len() => "",
                _ => " ",
            };
            match line.get(place) {
                Some(byte) => write!(out, "{byte:02x}{separator}")?,
                None if characters => out.write_str("   ")?,
                None => break,
            }
        }
        if characters {
            out.write_char('|')?;
            for place in 0..16 {
                let shown = match line.get(place) {
                    Some(byte) if byte.is_ascii_graphic() || *byte == b' ' => char::from(*byte),
                    Some(_) => '.',
                    None => ' ',
                };
                out.write_char(shown)?;
            }
            out.write_char('|')?;
        }
        out.write_char('\n')?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows() {
        let dump = |bytes: &[u8], characters| {
            let mut out = String::new();
            write_hex_dump(&mut out, bytes, characters).unwrap();
            out
        };
        assert_eq!(
            dump(&[0x25, 0x53, 0x54, 0x1a, 0x9d], true),
            "00000000  25 53 54 1a 9d                                  |%ST..           |\n"
        );
        assert_eq!(
            dump(&[0, 0xbb, 0, 8, 0xee, 0xff, 0, 0x11], true),
            "00000000  00 bb 00 08 ee ff 00 11-                        |........        |\n"
        );
        assert_eq!(
            dump(&[2, 0, 0x26, 0xe8, 0, 0, 0, 0, 0, 0, 0, 0], false),
            "00000000  02 00 26 e8 00 00 00 00-00 00 00 00\n"
        );
        assert_eq!(dump(&[0; 16], true).len(), 8 + 1 + 48 + 1 + 18 + 1);
    }
}
