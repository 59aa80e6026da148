//! Programs of Open vSwitch, run to their end.

use std::process::{Command, Stdio};

/// Runs a program to its end and returns what it printed; anything but success fails the test.
/// What is not UTF-8 becomes replacement characters.
pub fn run(command: &mut Command) -> String {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = command.output();
    let output = output.unwrap_or_else(|error| {
        panic!(
            "{:?}: {error}: install openvswitch-switch",
            command.get_program()
        )
    });
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{stderr}",
        output.status
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
