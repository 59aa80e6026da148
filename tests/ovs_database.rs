//! The control plane's database goes away and comes back: the dataplane does not notice, the agent catches up.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use testbed::{PATIENCE, PlugSpec, Site, Vm, probe};

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_vifd"))
}

fn wired() -> Result<(Site, Vec<PlugSpec>, Vec<Vm>)> {
    let mut site = Site::with_hosts(program(), 1)?;
    site.database
        .create_network("blue", &["--type", "vxlan", "--segmentation-id", "5001"])?;
    site.database
        .json(&["subnet", "create", "--network", "blue", "10.1.0.0/16"])?;
    let specs = site.create_ports(0, "blue", 1, 3)?;
    let vms = site.plug_and_wait(0, &specs)?;
    site.hosts[0].wait_settled()?;
    Ok((site, specs, vms))
}

#[test]
fn an_agent_without_its_database_changes_nothing() -> Result<()> {
    let (mut site, specs, vms) = wired()?;
    let (flows, ports) = (site.hosts[0].flows()?, site.hosts[0].ports()?);
    let target = specs[1].address.expect("has one").0;
    let pace = Duration::from_millis(10);
    let ping = probe::start_ping(vms[0].namespace(), target, pace)?;
    let udp = probe::start_udp(vms[0].namespace(), vms[1].namespace(), target, pace)?;

    // The database is gone, the agent dies and starts without it.
    let file = site.scratch().path().join("vifd.db");
    let aside = site.scratch().dir("aside")?;
    site.hosts[0].agent.kill()?;
    let mut moved = Vec::new();
    for name in ["vifd.db", "vifd.db-wal", "vifd.db-shm"] {
        let from = file.with_file_name(name);
        if from.exists() {
            std::fs::rename(&from, aside.join(name))?;
            moved.push(name);
        }
    }
    assert!(moved.contains(&"vifd.db"));
    site.hosts[0].agent.run()?;
    std::thread::sleep(Duration::from_secs(2));
    site.hosts[0].agent.check_running()?;
    site.hosts[0].check_same(&flows, &ports, "two seconds without a database")?;
    let log = site.hosts[0].agent.log();
    assert!(
        log.contains("vifd.db"),
        "the log names the database that is missing:\n{log}"
    );

    // It is back, with one port more and one less.
    for name in moved {
        std::fs::rename(aside.join(name), file.with_file_name(name))?;
    }
    site.database
        .command(&["port", "set", &specs[2].port_id, "--admin-down"])?;
    let more = site.create_ports(0, "blue", 1, 1)?;
    let new = site.plug_and_wait(0, &more)?;
    site.wait_status(&specs[2..], "DOWN")?;
    site.wait_status(&specs[..2], "ACTIVE")?;
    assert!(probe::ping(new[0].namespace(), target, PATIENCE)?);
    for (name, report) in [("ping", ping.stop()?), ("udp", udp.stop()?)] {
        assert!(report.sent > 100 && report.lost() == 0, "{name}: {report}");
    }
    Ok(())
}

#[test]
fn a_locked_database_is_caught_up_with() -> Result<()> {
    let (mut site, specs, vms) = wired()?;
    let connection = rusqlite::Connection::open(site.scratch().path().join("vifd.db"))?;
    connection.busy_timeout(Duration::from_secs(10))?;
    // A writer that keeps everyone else from writing, longer than any statement waits.
    connection.execute_batch("BEGIN IMMEDIATE")?;
    connection.execute(
        "UPDATE ports SET admin_up = 0 WHERE id = ?1",
        [&specs[0].port_id],
    )?;
    site.hosts[0].hypervisor.unplug(&vms[1..2])?;
    std::thread::sleep(Duration::from_secs(7));
    site.hosts[0].agent.check_running()?;
    let target = specs[2].address.expect("has one").0;
    assert!(
        probe::ping(vms[0].namespace(), target, PATIENCE)?,
        "nothing uncommitted takes effect"
    );
    connection.execute_batch("COMMIT")?;
    site.wait_status(&specs[..2], "DOWN")?;
    site.wait_status(&specs[2..], "ACTIVE")?;
    site.hosts[0].wait_settled()
}

/// Times that any of its threads fell asleep, so was woken before.
fn wakes(pid: u32) -> Result<u64> {
    let mut sum = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = std::fs::read_to_string(task?.path().join("status"))?;
        let line = status
            .lines()
            .find_map(|l| l.strip_prefix("voluntary_ctxt_switches:"));
        sum += line
            .context("the kernel counts switches")?
            .trim()
            .parse::<u64>()?;
    }
    Ok(sum)
}

#[test]
fn an_agent_with_nothing_to_do_sleeps() -> Result<()> {
    let (mut site, specs, _vms) = wired()?;
    let pid = site.hosts[0].agent.daemon()?.pid();
    std::thread::sleep(Duration::from_secs(3));
    let before = wakes(pid)?;
    let n_seconds = 5;
    std::thread::sleep(Duration::from_secs(n_seconds));
    let per_second = (wakes(pid)? - before) / n_seconds;
    assert!(per_second <= 10, "{per_second} wakes a second");
    // And it is there at once when something changes.
    site.database
        .command(&["port", "set", &specs[0].port_id, "--admin-down"])?;
    site.wait_status(&specs[..1], "DOWN").map(drop)
}

#[test]
fn heartbeats_tell_who_lives() -> Result<()> {
    let mut site = Site::new(program())?;
    site.add_host(|settings| settings.with("agent", "report_interval = 1"))?
        .start_agent()?;
    let beat = |site: &Site| -> Result<i64> {
        let connection = rusqlite::Connection::open(site.scratch().path().join("vifd.db"))?;
        connection.busy_timeout(Duration::from_secs(10))?;
        Ok(connection.query_row(
            "SELECT heartbeat_at FROM agents WHERE host = 'hv1'",
            [],
            |row| row.get(0),
        )?)
    };
    site.hosts[0].wait_settled()?;
    let first = beat(&site)?;
    testbed::wait_until("the next heartbeat", PATIENCE, || {
        Ok((beat(&site)? > first).then_some(()))
    })?;
    site.hosts[0].agent.kill()?;
    let last = beat(&site)?;
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(beat(&site)?, last, "a killed agent beats on");
    Ok(())
}
