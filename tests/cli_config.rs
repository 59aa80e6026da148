//! The configuration through the command: what is wrong is told with file, line, value and what is allowed, all at
//! once, and nothing is started.

mod cli_bed;

use std::process::Command;

use cli_bed::{Bed, Ended, ended};

fn vifd(args: &[&str]) -> Ended {
    ended(
        Command::new(env!("CARGO_BIN_EXE_vifd"))
            .args(args)
            .output()
            .unwrap(),
    )
}

#[test]
fn a_file_that_cannot_be_read() {
    let bed = Bed::new("");
    let directory = bed.dir.path().to_str().unwrap();
    let missing = bed.path("missing.conf");
    for path in [missing.to_str().unwrap(), directory] {
        let ended = vifd(&["run", "--config", path]);
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(
            ended.err.starts_with(&format!(
                "vifd: cannot read the configuration file {path}: "
            )),
            "{ended:?}"
        );
        assert!(ended.err.contains("--config FILE"), "{ended:?}");
    }
    let bytes = bed.path("bytes.conf");
    std::fs::write(&bytes, b"[DEFAULT]\nhost = \xff\n").unwrap();
    let ended = vifd(&["run", "--config", bytes.to_str().unwrap()]);
    assert!(ended.code == 2 && ended.err.contains("UTF-8"), "{ended:?}");
}

#[test]
fn every_bad_value_is_told_at_once() {
    let bed = Bed::new(
        "[ovs]\nlocal_ip = 10.0.0.256\nbridge_mappings = physnet1:br-ex,physnet1:br-b\n[agent]\ntunnel_types = vxlan,stt\nvxlan_udp_port = 70000",
    );
    let ended = bed.vifd(&["run"]);
    assert_eq!(ended.code, 2, "{ended:?}");
    let config = bed.config().display();
    for expected in [
        "vifd: 4 problems in the configuration:".to_owned(),
        format!(
            "  {config}:13: [ovs] local_ip = 10.0.0.256: not an IP address: give an IPv4 or IPv6 address"
        ),
        format!(
            "  {config}:14: [ovs] bridge_mappings = physnet1:br-ex,physnet1:br-b: Key physnet1 in mapping: 'physnet1:br-b' not unique"
        ),
        format!(
            "  {config}:16: [agent] tunnel_types = vxlan,stt: unknown tunnel type \"stt\": allowed are gre and vxlan"
        ),
        format!(
            "  {config}:17: [agent] vxlan_udp_port = 70000: not a whole number from 1 to 65535"
        ),
    ] {
        assert!(
            ended.err.lines().any(|line| line.starts_with(&expected)),
            "{expected}\nis not in\n{}",
            ended.err
        );
    }
    assert!(!bed.path("run").exists(), "nothing was started");
}

#[test]
fn a_check_starts_nothing() {
    let bed = Bed::new("[ovs]\nlocal_ipp = 192.0.2.1");
    let ended = bed.vifd(&["run", "--check"]);
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (0, "the configuration is right (1 warnings)\n"),
        "{ended:?}"
    );
    assert!(
        ended
            .err
            .contains("unknown option [ovs] local_ipp (did you mean local_ip?), ignored"),
        "{ended:?}"
    );
    assert!(!bed.path("run").exists());
}

#[test]
fn every_command_has_help_with_its_options() {
    let commands = [
        "run",
        "status",
        "port",
        "port explain",
        "dump",
        "audit",
        "db",
        "cleanup",
        "ovs",
        "openflow",
    ];
    for command in commands {
        let args: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let ended = vifd(&args);
        assert!(
            ended.code == 0 && ended.out.contains("Usage: vifd"),
            "{command}: {ended:?}"
        );
    }
    let ended = vifd(&["--help"]);
    assert!(
        ended.out.contains("Exit codes:") && ended.out.contains("vifd db init"),
        "{ended:?}"
    );
    let ended = vifd(&["statsu"]);
    assert!(ended.code == 2 && ended.err.contains("status"), "{ended:?}");
}
