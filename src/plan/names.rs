//! Names of the ports that vifd creates: at most 15 bytes, the same as Neutron's agent gives where that is possible,
//! so that either agent takes over what the other left.

use std::net::IpAddr;
use std::sync::Arc;

use sha1::{Digest, Sha1};

use crate::model::TunnelType;

/// Longest name of a network device (`IFNAMSIZ` without its NUL).
const MAX: usize = 15;

/// `prefix` + bridge; a longer name becomes prefix, leading characters and the first 6 hex digits of SHA-1(bridge).
pub fn patch(prefix: &str, bridge: &str) -> Arc<str> {
    if prefix.len() + bridge.len() <= MAX {
        return format!("{prefix}{bridge}").into();
    }
    let digest = Sha1::digest(bridge.as_bytes());
    let hash: String = digest.iter().take(3).map(|b| format!("{b:02x}")).collect();
    let keep = MAX.saturating_sub(prefix.len() + hash.len());
    let head: String = bridge.chars().take(keep).filter(char::is_ascii).collect();
    format!("{prefix}{head}{hash}").into()
}

/// `vxlan-0a000002` for an IPv4 peer. An IPv6 peer gets a hash of its address in base 32.
pub fn tunnel(kind: TunnelType, peer: IpAddr) -> Arc<str> {
    let name = kind.name();
    match peer {
        IpAddr::V4(ip) => format!("{name}-{:08x}", u32::from(ip)).into(),
        IpAddr::V6(ip) => {
            let digest = Sha1::digest(ip.to_string().as_bytes());
            let keep = MAX - name.len() - 1;
            format!(
                "{name}-{}",
                base32(&digest).chars().take(keep).collect::<String>()
            )
            .into()
        }
    }
}

/// RFC 4648 base 32 without padding, in lower case.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: [char; 32] = [
        'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r',
        's', 't', 'u', 'v', 'w', 'x', 'y', 'z', '2', '3', '4', '5', '6', '7',
    ];
    let mut text = String::new();
    let (mut bits, mut n) = (0u32, 0u32);
    for byte in bytes {
        bits = (bits << 8) | u32::from(*byte);
        n += 8;
        while n >= 5 {
            n -= 5;
            text.push(ALPHABET[((bits >> n) & 31) as usize]);
        }
    }
    if n > 0 {
        text.push(ALPHABET[((bits << (5 - n)) & 31) as usize]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_a_device() {
        assert_eq!(&*patch("int-", "br-ex"), "int-br-ex");
        assert_eq!(&*patch("int-", "br-physical"), "int-br-physical");
        let long = patch("int-", "br-physical-network-1");
        assert_eq!(long.len(), 15);
        assert!(long.starts_with("int-br-ph"));
        assert_eq!(
            &*tunnel(TunnelType::Vxlan, "10.0.0.2".parse().unwrap()),
            "vxlan-0a000002"
        );
        assert_eq!(
            &*tunnel(TunnelType::Gre, "10.0.0.2".parse().unwrap()),
            "gre-0a000002"
        );
        let six = tunnel(TunnelType::Vxlan, "2001:db8::1".parse().unwrap());
        assert_eq!(six.len(), 15);
        assert_ne!(
            six,
            tunnel(TunnelType::Vxlan, "2001:db8::2".parse().unwrap())
        );
    }

    #[test]
    fn base32_of_the_rfc() {
        assert_eq!(base32(b"foobar"), "mzxw6ytboi");
    }
}
