//! A network namespace for the length of a test, and the tools used as independent witnesses.

use std::io::Write;
use std::process::{Command, Stdio};

/// Runs `body` on a thread of its own in a fresh network namespace with the loopback up.
pub fn isolated<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(move || {
        // SAFETY: only the network namespace of this thread changes; no descriptor is affected.
        unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }
            .expect("tests of the kernel need root (CAP_SYS_ADMIN)");
        tool("ip", &["link", "set", "lo", "up"], "");
        body()
    });
    match thread.join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Output of a tool that must succeed.
pub fn tool(name: &str, arguments: &[&str], stdin: &str) -> String {
    match try_tool(name, arguments, stdin) {
        Ok(stdout) => stdout,
        Err(stderr) => panic!("{name} {arguments:?}: {stderr}\n{stdin}"),
    }
}

/// Standard output of a tool, or its standard error if it fails.
pub fn try_tool(name: &str, arguments: &[&str], stdin: &str) -> Result<String, String> {
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("cannot start {name} ({error}): install nftables, iproute2, conntrack")
        });
    child
        .stdin
        .take()
        .unwrap()
        .write_all(stdin.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    }
}

/// Runs an nft script.
pub fn nft(script: &str) -> String {
    tool("nft", &["-f", "-"], script)
}
