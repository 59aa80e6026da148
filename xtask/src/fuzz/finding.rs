//! What a fuzzer that failed found: read from its output, told in a few lines.

use std::path::{Path, PathBuf};

/// Lines told of one finding at most, and characters of each: an assertion prints whole values.
const LINES: usize = 40;
const WIDTH: usize = 1000;

/// What the output of a libFuzzer program says about its failure.
#[derive(PartialEq, Eq, Debug, Default)]
pub struct Finding {
    /// The panic's message and what libFuzzer calls it; the end of the output where it has neither.
    pub reason: Vec<String>,
    /// The file libFuzzer wrote the input to.
    pub file: Option<PathBuf>,
    /// The input as libFuzzer printed it, in base64; it does so for short ones only.
    base64: Option<String>,
}

impl Finding {
    /// Reads the whole output.
    pub fn parse(output: &str) -> Self {
        let mut found = Self::default();
        let mut in_panic = false;
        for line in output.lines() {
            if let Some((_, what)) = line.split_once("ERROR: libFuzzer: ") {
                in_panic = false;
                found.reason.push(format!("libFuzzer: {what}"));
            } else if let Some((_, file)) = line.split_once("Test unit written to ") {
                found.file = Some(PathBuf::from(file));
            } else if let Some(base64) = line.strip_prefix("Base64: ") {
                found.base64 = Some(base64.to_owned());
            } else if line.starts_with("thread '") && line.contains("panicked at ") {
                in_panic = true;
                found.reason.push(line.to_owned());
            } else if line.starts_with("note: run with `RUST_BACKTRACE")
                || line.starts_with("stack backtrace:")
            {
                in_panic = false;
            } else if in_panic && !line.trim().is_empty() {
                found.reason.push(line.to_owned());
            }
        }
        if found.reason.is_empty() {
            let lines: Vec<&str> = output.lines().filter(|line| !is_progress(line)).collect();
            let end = lines.get(lines.len().saturating_sub(LINES)..);
            found.reason = end
                .unwrap_or_default()
                .iter()
                .map(|l| (*l).into())
                .collect();
        }
        found.reason.truncate(LINES);
        for line in &mut found.reason {
            if let Some((end, _)) = line.char_indices().nth(WIDTH) {
                line.truncate(end);
                line.push('…');
            }
        }
        found
    }

    /// The input in base64: as printed, or else what `read` finds in the file.
    pub fn input(&self, read: impl Fn(&Path) -> Option<Vec<u8>>) -> Option<String> {
        self.base64
            .clone()
            .or_else(|| read(self.file.as_deref()?).map(|bytes| base64(&bytes)))
    }
}

/// Whether libFuzzer prints this as it goes: what it added or reduced, how fast it is, what it would put in a dictionary.
fn is_progress(line: &str) -> bool {
    let event = line
        .strip_prefix('#')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    event
        || line.starts_with("INFO: ")
        || line.starts_with("###### ")
        || line.starts_with('"') && line.contains(" # Uses: ")
}

/// A command that runs a target once more with an input: in any clone, without the flags fuzzing wants.
pub fn command(target: &str, input: &str) -> String {
    format!(
        "base64 -d >fuzz/found <<<'{input}' && \
         cargo run --manifest-path fuzz/Cargo.toml --bin {target} -- fuzz/found"
    )
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = (0..3).fold(0_usize, |group, at| {
            group << 8 | usize::from(chunk.get(at).copied().unwrap_or_default())
        });
        for at in 0..4 {
            text.push(match at <= chunk.len() {
                true => char::from(ALPHABET[group >> (18 - 6 * at) & 63]),
                false => '=',
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const PANIC: &str = "\
INFO: Running with entropic power schedule (0xFF, 100).
#1290\tREDUCE cov: 29 ft: 30 corp: 4/10b lim: 4 exec/s: 0 rss: 27Mb L: 3/3 MS: 2 ChangeByte-EraseBytes-

thread '<unnamed>' (4711) panicked at fuzz_targets/ovsdb_datum.rs:90:5:
assertion `left == right` failed
  left: 1
 right: 2
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
==4711== ERROR: libFuzzer: deadly signal
NOTE: libFuzzer has rudimentary signal handlers.
SUMMARY: libFuzzer: deadly signal
MS: 1 ChangeBit-; base unit: adc83b19e793491b1c6ea0fd8b46cd9f32e592fc
0xa,0x1,
\\012\\001
artifact_prefix='found/'; Test unit written to found/crash-3c1b
Base64: CgE=
";

    #[test]
    fn a_panic_is_told_with_its_message_and_input() {
        let found = Finding::parse(PANIC);
        assert_eq!(
            found.reason,
            [
                "thread '<unnamed>' (4711) panicked at fuzz_targets/ovsdb_datum.rs:90:5:",
                "assertion `left == right` failed",
                "  left: 1",
                " right: 2",
                "libFuzzer: deadly signal",
            ]
        );
        assert_eq!(found.file.as_deref(), Some(Path::new("found/crash-3c1b")));
        let input = found.input(|_| unreachable!("it was printed"));
        assert_eq!(input.as_deref(), Some("CgE="));
    }

    #[test]
    fn a_long_input_is_read_from_its_file() {
        let output = "\
ALARM: working on the last Unit for 11 seconds
       and the timeout value is 10 (use -timeout=N to change)
artifact_prefix='found/'; Test unit written to found/timeout-77
==12== ERROR: libFuzzer: timeout after 11 seconds
SUMMARY: libFuzzer: timeout
";
        let found = Finding::parse(output);
        assert_eq!(found.reason, ["libFuzzer: timeout after 11 seconds"]);
        let read = |path: &Path| {
            assert_eq!(path, Path::new("found/timeout-77"));
            Some(b"foob".to_vec())
        };
        assert_eq!(found.input(read).as_deref(), Some("Zm9vYg=="));
        assert_eq!(found.input(|_| None), None);
    }

    #[test]
    fn without_a_reason_the_end_of_the_output_is_told_without_progress() {
        let output = "\
#33\tNEW    cov: 29 ft: 30 corp: 4/10b
###### Recommended dictionary. ######
\"\\001\\000\" # Uses: 23
###### End of recommended dictionary. ######
signal: 11 (SIGSEGV) (core dumped)
";
        let found = Finding::parse(output);
        assert_eq!(found.reason, ["signal: 11 (SIGSEGV) (core dumped)"]);
        assert_eq!(found.input(|_| None), None);
    }

    #[test]
    fn long_values_are_cut() {
        let value = "ä".repeat(5000);
        let output = format!(
            "thread 'a' (1) panicked at b:1:1:\n{value}\n{}",
            "x\n".repeat(99)
        );
        let found = Finding::parse(&output);
        assert_eq!(found.reason.len(), LINES);
        assert_eq!(found.reason[1].chars().count(), WIDTH + 1);
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xff, 0xfe, 0xfd, 0]), "//79AA==");
    }
}
