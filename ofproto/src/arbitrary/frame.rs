//! Frames for messages that carry packets.

use ::arbitrary::{Result, Unstructured};

pub(super) fn payload(u: &mut Unstructured<'_>) -> Result<Box<[u8]>> {
    let mut bytes = vec![0; usize::from(u.int_in_range(0..=90u8)?)];
    u.fill_buffer(&mut bytes)?;
    Ok(bytes.into())
}

/// A frame whose headers say what follows them, most of the time.
pub(super) fn frame(u: &mut Unstructured<'_>) -> Result<Box<[u8]>> {
    if u.ratio(1, 4)? {
        return payload(u);
    }
    let mut frame = u.bytes(12)?.to_vec();
    if u.ratio(1, 3)? {
        frame.extend([0x81, 0x00]);
        frame.extend(u.arbitrary::<[u8; 2]>()?);
    }
    let eth_type = *u.choose(&[0x0800u16, 0x86dd, 0x0806, 0x8847])?;
    frame.extend(eth_type.to_be_bytes());
    let rest = payload(u)?;
    let proto = *u.choose(&[1u8, 6, 17, 58, 132, 2])?;
    let length = u16::try_from(rest.len()).unwrap_or(0);
    match eth_type {
        0x0800 => {
            let total = (length + 20).to_be_bytes();
            let fragment = *u.choose(&[[0u8, 0], [0x20, 0], [0x20, 9], [0x40, 0]])?;
            let ttl = u.arbitrary()?;
            frame.extend([0x45, u.arbitrary()?, total[0], total[1], 0, 0]);
            frame.extend([fragment[0], fragment[1], ttl, proto, 0, 0]);
            frame.extend(u.arbitrary::<[u8; 8]>()?);
        }
        0x86dd => {
            let size = length.to_be_bytes();
            let label = u.arbitrary::<[u8; 3]>()?;
            frame.extend([
                0x60 | label[0] & 0xf,
                label[1],
                label[2],
                1,
                size[0],
                size[1],
            ]);
            frame.extend([proto, u.arbitrary()?]);
            frame.extend(u.arbitrary::<[u8; 32]>()?);
        }
        0x0806 => frame.extend([0, 1, 8, 0, 6, 4, 0, 2]),
        _ => {}
    }
    frame.extend(rest.iter());
    Ok(frame.into())
}
