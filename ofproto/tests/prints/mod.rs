//! What `ovs-ofctl` prints for many messages at once.

use std::process::Command;

use super::run::run;

/// An echo request that no test sends otherwise, between the messages of a stream.
const SEPARATOR: [u8; 8] = [1, 2, 0, 8, 0xde, 0xad, 0xbe, 0xef];

/// The print of every message at the verbosity that `more` options `-m` give, which is 2 + `more`.
pub fn ofp_parse(messages: &[Vec<u8>], more: usize) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("stream");
    let print = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        let mut command = Command::new("ovs-ofctl");
        command.args(vec!["-m"; more]).arg("ofp-parse").arg(&file);
        run(&mut command)
    };
    let separator = print(&SEPARATOR);
    let mut stream = Vec::new();
    for message in messages {
        assert_ne!(message[..], SEPARATOR, "the separator is not a message");
        stream.extend_from_slice(message);
        stream.extend_from_slice(&SEPARATOR);
    }
    let printed = print(&stream);
    let mut prints: Vec<String> = printed.split(&separator).map(str::to_owned).collect();
    assert_eq!(
        prints.pop().as_deref(),
        Some(""),
        "behind the last separator"
    );
    assert_eq!(prints.len(), messages.len(), "prints");
    prints
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A stream of noise to generate from (splitmix64).
pub struct Noise(pub u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend(self.next().to_be_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}

/// The seed that `VIFD_SEED` names, or always the same one.
pub fn seed() -> u64 {
    std::env::var("VIFD_SEED").map_or(20_261_120, |seed| {
        seed.parse().expect("VIFD_SEED: a number")
    })
}

/// Fails with the first few of `differences`.
pub fn report(what: &str, differences: &[String], total: usize) {
    println!(
        "{what}: {total} compared, {} differ (seed {})",
        differences.len(),
        seed()
    );
    let shown: Vec<&str> = differences.iter().take(10).map(String::as_str).collect();
    assert!(
        differences.is_empty(),
        "{what}: {} differences\n{}",
        differences.len(),
        shown.join("\n")
    );
}
