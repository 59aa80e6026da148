//! Ethernet and IP addresses with masks, as people write them.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::error::TextError;
use super::scan::Span;

/// `aa:bb:cc:dd:ee:ff`; one or two digits per byte are read.
pub(crate) fn parse_mac(span: Span<'_>) -> Result<[u8; 6], TextError> {
    let bad = || span.error(format!("{} is not an Ethernet address", span.text()));
    let mut mac = [0; 6];
    let mut parts = span.text().split(':');
    for byte in &mut mac {
        let digits = parts.next().ok_or_else(bad)?;
        let valid = (1..=2).contains(&digits.len()) && !digits.starts_with('+');
        *byte = u8::from_str_radix(digits, 16)
            .ok()
            .filter(|_| valid)
            .ok_or_else(bad)?;
    }
    if parts.next().is_some() {
        Err(bad())
    } else {
        Ok(mac)
    }
}

pub(crate) fn parse_ipv4(span: Span<'_>) -> Result<u32, TextError> {
    match span.text().parse::<Ipv4Addr>() {
        Ok(address) => Ok(address.to_bits()),
        Err(_) => Err(span.error(format!("{} is not an IPv4 address", span.text()))),
    }
}

pub(crate) fn parse_ipv6(span: Span<'_>) -> Result<u128, TextError> {
    match span.text().parse::<Ipv6Addr>() {
        Ok(address) => Ok(address.to_bits()),
        Err(_) => Err(span.error(format!("{} is not an IPv6 address", span.text()))),
    }
}

/// `ADDRESS`, `ADDRESS/PREFIX` or `ADDRESS/MASK`, for addresses of `bits` bits.
pub(crate) fn parse_masked(
    span: Span<'_>,
    bits: u32,
    address: impl Fn(Span<'_>) -> Result<u128, TextError>,
) -> Result<(u128, u128), TextError> {
    let full = u128::MAX >> (128 - bits);
    let Some((value, mask)) = span.split_once("/") else {
        return Ok((address(span)?, full));
    };
    let value = address(value)?;
    if mask.text().is_empty() || !mask.text().bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok((value, address(mask)?));
    }
    match mask.text().parse::<u32>() {
        Ok(0) => Ok((value, 0)),
        Ok(prefix) if prefix <= bits => Ok((value, (full << (bits - prefix)) & full)),
        _ => Err(mask.error(format!("prefix length {} is not 0 to {bits}", mask.text()))),
    }
}

pub(crate) fn write_mac(out: &mut impl fmt::Write, mac: [u8; 6]) -> fmt::Result {
    let [a, b, c, d, e, f] = mac;
    write!(out, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

pub(crate) fn write_ipv4(out: &mut impl fmt::Write, address: u32) -> fmt::Result {
    write!(out, "{}", Ipv4Addr::from_bits(address))
}

pub(crate) fn write_ipv4_masked(out: &mut impl fmt::Write, value: u32, mask: u32) -> fmt::Result {
    write_ipv4(out, value)?;
    if mask == u32::MAX {
        return Ok(());
    }
    if mask.leading_ones() + mask.trailing_zeros() == 32 {
        write!(out, "/{}", mask.leading_ones())
    } else {
        out.write_char('/')?;
        write_ipv4(out, mask)
    }
}

/// The form of `inet_ntop`: like the usual one, but ::/96 addresses above 0xffff end in IPv4 form.
pub(crate) fn write_ipv6(out: &mut impl fmt::Write, address: u128) -> fmt::Result {
    let low = u32::try_from(address);
    match low {
        Ok(low) if low > 0xffff => write!(out, "::{}", Ipv4Addr::from_bits(low)),
        _ => write!(out, "{}", Ipv6Addr::from_bits(address)),
    }
}

pub(crate) fn write_ipv6_masked(out: &mut impl fmt::Write, value: u128, mask: u128) -> fmt::Result {
    write_ipv6(out, value)?;
    if mask == u128::MAX {
        return Ok(());
    }
    if mask.leading_ones() + mask.trailing_zeros() == 128 {
        write!(out, "/{}", mask.leading_ones())
    } else {
        out.write_char('/')?;
        write_ipv6(out, mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(text: &str) -> Option<String> {
        let address = |span: Span<'_>| parse_ipv4(span).map(u128::from);
        let (value, mask) = parse_masked(Span::new(text), 32, address).ok()?;
        let mut out = String::new();
        write_ipv4_masked(&mut out, value as u32, mask as u32).unwrap();
        Some(out)
    }

    fn v6(text: &str) -> Option<String> {
        let (value, mask) = parse_masked(Span::new(text), 128, parse_ipv6).ok()?;
        let mut out = String::new();
        write_ipv6_masked(&mut out, value, mask).unwrap();
        Some(out)
    }

    #[test]
    fn ipv4() {
        assert_eq!(v4("1.2.3.4").as_deref(), Some("1.2.3.4"));
        assert_eq!(v4("1.2.3.4/24").as_deref(), Some("1.2.3.4/24"));
        assert_eq!(v4("1.2.3.4/255.255.0.0").as_deref(), Some("1.2.3.4/16"));
        assert_eq!(
            v4("1.2.3.4/255.0.255.0").as_deref(),
            Some("1.2.3.4/255.0.255.0")
        );
        assert_eq!(v4("1.2.3.4/0").as_deref(), Some("1.2.3.4/0"));
        for bad in [
            "1.2.3",
            "1.2.3.4/33",
            "1.2.3.4/",
            "1.2.3.4/-1",
            "",
            "1.2.3.256",
        ] {
            assert_eq!(v4(bad), None, "{bad}");
        }
    }

    #[test]
    fn ipv6() {
        assert_eq!(v6("fe80::1/10").as_deref(), Some("fe80::1/10"));
        assert_eq!(v6("::1.2.3.4").as_deref(), Some("::1.2.3.4"));
        assert_eq!(v6("::1").as_deref(), Some("::1"));
        assert_eq!(v6("::ffff:1.2.3.4").as_deref(), Some("::ffff:1.2.3.4"));
        assert_eq!(v6("::/0").as_deref(), Some("::/0"));
        assert_eq!(v6("1::/ff::").as_deref(), Some("1::/ff::"));
        assert_eq!(v6("1::/129"), None);
    }

    #[test]
    fn mac() {
        let mut out = String::new();
        write_mac(&mut out, parse_mac(Span::new("0:A:e4:25:6B:b0")).unwrap()).unwrap();
        assert_eq!(out, "00:0a:e4:25:6b:b0");
        for bad in [
            "",
            "1:2:3:4:5",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:100",
            "1:2:3:4:5:+6",
        ] {
            assert!(parse_mac(Span::new(bad)).is_err(), "{bad}");
        }
    }
}
