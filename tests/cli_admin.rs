//! The running agent through the command: questions, who may ask them, one agent per host, signals, metrics. Needs root
//! (it asks as another user too), but no switch: without one the agent runs and says what it lacks.

mod cli_bed;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use cli_bed::{Bed, ended};
use rustix::process::Signal;

/// A bed with a database that holds one port of this host.
fn bed(more: &str) -> Bed {
    let bed = Bed::new(more);
    bed.good(&["db", "init"]);
    bed.good(&["db", "network", "create", "blue", "--type", "local"]);
    bed.good(&[
        "db",
        "port",
        "create",
        "--network",
        "blue",
        "--name",
        "web-1",
        "--host",
        "hv1",
    ]);
    bed
}

#[test]
fn without_an_agent() {
    let bed = Bed::new("");
    for args in [
        &["status"][..],
        &["port", "explain", "x"],
        &["dump", "cells"],
        &["audit"],
    ] {
        let ended = bed.vifd(args);
        assert_eq!(ended.code, 3, "{ended:?}");
        assert!(
            ended
                .err
                .starts_with("vifd: no agent is running (nobody listens on "),
            "{ended:?}"
        );
        assert!(ended.err.contains("start it with `vifd run`"), "{ended:?}");
    }
}

#[test]
fn the_agent_answers_and_says_what_it_lacks() {
    let bed = bed("");
    let mut agent = bed.agent();
    agent.logged("control plane up");
    let until = std::time::Instant::now() + cli_bed::LIMIT;
    let status = loop {
        let status = bed.json(&["status"]);
        if status["ports"]["BUILD"] == 1 {
            break status;
        }
        assert!(std::time::Instant::now() < until, "{status:#}");
    };
    assert_eq!(
        (&status["host"], &status["pid"]),
        (&"hv1".into(), &agent.pid().into())
    );
    let part = |name: &str| {
        let parts = status["parts"].as_array().unwrap();
        parts
            .iter()
            .find(|p| p["part"] == name)
            .unwrap_or_else(|| panic!("no {name}: {status:#}"))["up"]
            == true
    };
    assert!(
        part("source") && part("snapshot") && !part("ovsdb") && !part("flows br-int"),
        "{status:#}"
    );
    let text = bed.good(&["status"]);
    assert!(
        text.contains("ovsdb") && text.contains("DOWN") && text.contains("1 BUILD"),
        "{text}"
    );

    let text = bed.good(&["port", "explain", "web-1"]);
    assert!(
        text.contains("control plane") && text.contains("plug the VIF"),
        "{text}"
    );
    let port = bed.json(&["port", "explain", "web-1"]);
    let id = port["id"].as_str().unwrap();
    assert_eq!(bed.json(&["port", "explain", &id[..8]])["id"], id);
    assert_eq!(port["steps"][0]["state"], "done", "{port:#}");
    let unknown = bed.vifd(&["port", "explain", "web-2"]);
    assert!(
        unknown.code == 4 && unknown.err.contains("web-2"),
        "{unknown:?}"
    );

    let desired = bed.json(&["dump", "desired"]);
    assert_eq!(
        (&desired["complete"], &desired["ports"][0]["name"]),
        (&true.into(), &"web-1".into())
    );
    assert_eq!(bed.json(&["dump", "observed"])["switch_up"], false);
    let none = bed.json(&["dump", "cells", "--matching", "no such cell"]);
    assert_eq!(none["cells"], serde_json::json!([]));
    assert!(
        bed.good(&["audit"])
            .ends_with(" cells rendered, 0 differed\n")
    );
    let wrong = bed.vifd(&["dump", "desired", "--unsettled"]);
    assert!(
        wrong.code == 2 && wrong.err.contains("vifd dump cells"),
        "{wrong:?}"
    );
}

#[test]
fn who_waits_is_told_what_is_missing() {
    let bed = bed("");
    let begun = std::time::Instant::now();
    let nobody = bed.vifd(&["status", "--wait", "1"]);
    assert!(nobody.code == 3 && begun.elapsed().as_secs() >= 1);
    let mut agent = bed.agent();
    agent.logged("control plane up");
    let without_switch = bed.vifd(&["status", "--wait", "1"]);
    assert_eq!(without_switch.code, 1, "{without_switch:?}");
    assert!(
        without_switch.out.contains("DOWN")
            && without_switch.err.contains("has not settled within 1 s"),
        "{without_switch:?}"
    );
}

#[test]
fn the_configuration_may_come_from_the_environment() {
    let bed = bed("");
    let agent = bed.agent();
    let status = |args: &[&str]| {
        ended(
            Command::new(env!("CARGO_BIN_EXE_vifd"))
                .args(args)
                .env("VIFD_CONFIG", bed.config())
                .output()
                .unwrap(),
        )
    };
    let answer = status(&["status", "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!(answer["pid"], agent.pid());
    let ports = status(&["db", "port", "list"]);
    assert!(ports.out.contains("web-1"), "{ports:?}");
    // A socket that is named wins; no configuration is read for it.
    let other = bed.path("nobody.sock");
    let nobody = status(&["status", "--socket", other.to_str().unwrap()]);
    assert!(
        nobody.code == 3 && nobody.err.contains("nobody.sock"),
        "{nobody:?}"
    );
}

#[test]
fn a_second_agent_is_refused_and_told_who_is_first() {
    let bed = bed("");
    let agent = bed.agent();
    let second = bed.vifd(&["run"]);
    assert_eq!(second.code, 5, "{second:?}");
    let lock = bed.path("run/vifd.lock");
    let expected = format!(
        "{} is locked by process {}: another vifd works on this host",
        lock.display(),
        agent.pid()
    );
    assert!(second.err.contains(&expected), "{second:?}");
    assert_eq!(
        bed.json(&["status"])["pid"],
        agent.pid(),
        "the first goes on"
    );
    let cleanup = bed.vifd(&["cleanup"]);
    assert!(
        cleanup.code == 5 && cleanup.err.contains("--dry-run"),
        "{cleanup:?}"
    );
}

#[test]
fn it_ends_on_signals_and_leaves_no_socket() {
    let bed = bed("");
    for signal in [Signal::TERM, Signal::INT] {
        let mut agent = bed.agent();
        agent.signal(Signal::HUP);
        agent.logged("SIGHUP changes nothing");
        assert_eq!(bed.vifd(&["status"]).code, 0, "still there");
        agent.signal(signal);
        assert_eq!(agent.wait(), Some(0), "{}", agent.log());
        assert!(!bed.path("run/vifd.sock").exists());
        assert_eq!(bed.vifd(&["status"]).code, 3);
    }
    let mut agent = bed.agent();
    agent.signal(Signal::KILL);
    agent.wait();
    assert!(
        bed.path("run/vifd.sock").exists(),
        "killed: it stays behind"
    );
    assert_eq!(bed.vifd(&["status"]).code, 3);
    let agent = bed.agent();
    assert_eq!(
        bed.json(&["status"])["pid"],
        agent.pid(),
        "the next one takes over"
    );
}

#[test]
fn other_users_may_not_ask() {
    let bed = bed("");
    let _agent = bed.agent();
    // Where another user can reach it.
    let program = bed.path("vifd");
    // Written by another process: a copy that this one holds open while another test starts a program cannot be run.
    let copied = Command::new("cp")
        .args([env!("CARGO_BIN_EXE_vifd").as_ref(), program.as_os_str()])
        .status();
    assert!(copied.unwrap().success());
    let open = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(bed.dir.path(), 0o755);
    let socket = bed.path("run/vifd.sock");
    let ask = || {
        ended(
            Command::new(&program)
                .args(["status", "--socket"])
                .arg(&socket)
                .uid(65534)
                .gid(65534)
                .output()
                .unwrap(),
        )
    };
    let shut = ask();
    assert!(
        shut.code == 3 && shut.err.contains("may not be used by this user"),
        "{shut:?}"
    );
    open(&socket, 0o666);
    let refused = ask();
    assert!(
        refused.code == 1 && refused.err.contains("user 65534 may not ask"),
        "{refused:?}"
    );
}

#[test]
fn metrics_and_readiness_over_http() {
    let bed = bed("metrics_listen = 127.0.0.1:0");
    let mut agent = bed.agent();
    let line = agent.logged("metrics and health");
    let address = line.split("address=").nth(1).unwrap().trim().to_owned();
    let get = |path: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    let metrics = get("/metrics");
    assert!(
        metrics.contains("vifd_executor_up{executor=\"rows\"} 0"),
        "{metrics}"
    );
    assert!(metrics.contains("# HELP vifd_cells_rendered "), "{metrics}");
    // What is counted over all ports follows within a second or two.
    let until = std::time::Instant::now() + cli_bed::LIMIT;
    while !get("/metrics").contains("vifd_ports{status=\"BUILD\"} 1") {
        assert!(std::time::Instant::now() < until, "{}", get("/metrics"));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(get("/healthz").starts_with("HTTP/1.1 200"));
    let ready = get("/readyz");
    assert!(
        ready.starts_with("HTTP/1.1 503")
            && ready.contains("\"switch\":\"ovsdb-server is not connected\""),
        "{ready}"
    );
    let taken = Bed::new(&format!("metrics_listen = {address}"));
    taken.good(&["db", "init"]);
    let ended = taken.vifd(&["run"]);
    assert!(
        ended.code == 1
            && ended
                .err
                .contains("set [vifd] metrics_listen to a free address"),
        "{ended:?}"
    );
}
