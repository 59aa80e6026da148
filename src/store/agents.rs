//! What a host's agent writes back: that it lives, where its tunnels end, and how its ports are.

use uuid::Uuid;

use super::{Mode, Store, StoreError, Value, transaction};
use crate::model::{Endpoint, FirewallDriver, PortId, PortStatus};
use crate::ops::report::{Heartbeat, PortReport};

/// A heartbeat older than this many intervals belongs to a dead agent.
const MISSED: u64 = 3;

/// Longest binding error that the column takes, in characters.
const LONGEST_REASON: usize = 1024;

/// Who an agent is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Agent {
    /// The host it is for.
    pub host: String,
    /// Random, one per process.
    pub instance: Uuid,
    /// One per boot of the machine: `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
    /// Of the program.
    pub version: String,
    /// When the process started, in µs since the Unix epoch.
    pub started_at: u64,
    /// How often it will tell that it lives, in µs.
    pub heartbeat_every: u64,
    /// What enforces security groups on its host.
    pub firewall: FirewallDriver,
    /// Where its tunnels end; `host` in them is this host.
    pub endpoints: Vec<Endpoint>,
}

/// The answer to a registration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Registered {
    /// The host is this agent's.
    Yes,
    /// It is not, for this reason.
    Refused(String),
}

/// Takes the host: its row, its agent row and its tunnel endpoints.
///
/// An agent of the same boot is one of the same machine, where a lock file keeps out a second one: what stands in the
/// row is a process that is gone, and it is replaced at once. Of another boot it may be another machine with the same
/// name; it is replaced only once it has stopped or has been silent for three of its intervals. `superseded`: this
/// process had the host and lost it, so it never takes it back from a living one.
pub fn register(
    store: &mut dyn Store,
    agent: &Agent,
    superseded: bool,
    now: u64,
) -> Result<Registered, StoreError> {
    transaction(store, Mode::Write, |store| {
        if let Some(reason) = rival(store, agent, superseded, now)? {
            return Ok(Registered::Refused(reason));
        }
        if let Some(reason) = taken_endpoint(store, agent)? {
            return Ok(Registered::Refused(reason));
        }
        let host = || Value::from(agent.host.as_str());
        if store
            .query("SELECT 1 FROM hosts WHERE name = ?", &[host()])?
            .is_empty()
        {
            store.execute("INSERT INTO hosts (name) VALUES (?)", &[host()])?;
        }
        let who: [Value; 8] = [
            agent.instance.into(),
            agent.boot_id.as_str().into(),
            agent.version.as_str().into(),
            agent.started_at.into(),
            now.into(),
            agent.heartbeat_every.into(),
            agent.firewall.name().into(),
            host(),
        ];
        let updated = store.execute(
            "UPDATE agents SET instance = ?, boot_id = ?, version = ?, started_at = ?, heartbeat_at = ?, \
             heartbeat_every = ?, firewall = ?, stopped_at = NULL WHERE host = ?",
            &who,
        )?;
        if updated == 0 {
            store.execute(
                "INSERT INTO agents (instance, boot_id, version, started_at, heartbeat_at, heartbeat_every, firewall, \
                 host) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                &who,
            )?;
        }
        set_endpoints(store, &agent.host, &agent.endpoints)?;
        Ok(Registered::Yes)
    })
}

/// Another agent that lives and has this host, in words.
fn rival(
    store: &mut dyn Store,
    agent: &Agent,
    superseded: bool,
    now: u64,
) -> Result<Option<String>, StoreError> {
    let rows = store.query(
        "SELECT instance, boot_id, heartbeat_at, heartbeat_every, stopped_at FROM agents WHERE host = ?",
        &[agent.host.as_str().into()],
    )?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let [instance, boot_id, heartbeat_at, heartbeat_every, stopped_at] = row.as_slice() else {
        return Ok(None);
    };
    let number = |value: &Value| value.int().and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    let same_boot = boot_id.text() == Some(agent.boot_id.as_str());
    let itself = instance.text() == Some(agent.instance.to_string().as_str());
    let silent = now.saturating_sub(number(heartbeat_at));
    let patience = number(heartbeat_every).saturating_mul(MISSED);
    if itself || !stopped_at.is_null() || silent > patience || (same_boot && !superseded) {
        return Ok(None);
    }
    Ok(Some(format!(
        "host {} is served by another agent{} that told {:.1} s ago that it lives; give this one another name \
         ([DEFAULT] host), or stop the other and wait {:.0} s",
        agent.host,
        if same_boot {
            " on this machine"
        } else {
            " on another machine"
        },
        silent as f64 / 1e6,
        patience as f64 / 1e6,
    )))
}

/// An endpoint of the agent that belongs to another host, in words.
fn taken_endpoint(store: &mut dyn Store, agent: &Agent) -> Result<Option<String>, StoreError> {
    for endpoint in &agent.endpoints {
        let rows = store.query(
            "SELECT host FROM tunnel_endpoints WHERE tunnel_type = ? AND ip = ? AND host <> ?",
            &[
                endpoint.kind.name().into(),
                endpoint.ip.to_string().into(),
                agent.host.as_str().into(),
            ],
        )?;
        if let Some(host) = rows.first().and_then(|row| row.first()) {
            return Ok(Some(format!(
                "the {} tunnel address {} of host {} belongs to host {} already; set another [ovs] local_ip, or \
                 remove the other with `vifd db host delete`",
                endpoint.kind.name(),
                endpoint.ip,
                agent.host,
                host.describe()
            )));
        }
    }
    Ok(None)
}

/// Makes these the endpoints of the host; rows that are right already are not touched.
pub(super) fn set_endpoints(
    store: &mut dyn Store,
    host: &str,
    wanted: &[Endpoint],
) -> Result<(), StoreError> {
    let present = store.query(
        "SELECT tunnel_type, ip FROM tunnel_endpoints WHERE host = ?",
        &[host.into()],
    )?;
    for row in &present {
        let [kind, ip] = row.as_slice() else { continue };
        let keep = wanted.iter().any(|e| {
            kind.text() == Some(e.kind.name()) && ip.text() == Some(e.ip.to_string().as_str())
        });
        if !keep {
            store.execute(
                "DELETE FROM tunnel_endpoints WHERE host = ? AND tunnel_type = ?",
                &[host.into(), kind.clone()],
            )?;
        }
    }
    for endpoint in wanted {
        let row: [Value; 2] = [endpoint.kind.name().into(), endpoint.ip.to_string().into()];
        if !present.iter().any(|found| found.as_slice() == row) {
            let [kind, ip] = row;
            store.execute(
                "INSERT INTO tunnel_endpoints (host, tunnel_type, ip) VALUES (?, ?, ?)",
                &[host.into(), kind, ip],
            )?;
        }
    }
    Ok(())
}

/// Tells that the agent lives. `false`: another one has the host now.
pub fn heartbeat(
    store: &mut dyn Store,
    host: &str,
    instance: Uuid,
    counters: &Heartbeat,
    now: u64,
) -> Result<bool, StoreError> {
    let touched = store.execute(
        "UPDATE agents SET heartbeat_at = ?, vifs = ?, active = ?, blocked = ? WHERE host = ? AND instance = ?",
        &[
            now.into(),
            counters.vifs.into(),
            counters.active.into(),
            counters.blocked.into(),
            host.into(),
            instance.into(),
        ],
    )?;
    Ok(touched > 0)
}

/// Tells that the agent ends, so that another may take the host at once.
pub fn stopped(
    store: &mut dyn Store,
    host: &str,
    instance: Uuid,
    now: u64,
) -> Result<(), StoreError> {
    store
        .execute(
            "UPDATE agents SET stopped_at = ? WHERE host = ? AND instance = ?",
            &[now.into(), host.into(), instance.into()],
        )
        .map(drop)
}

/// What became of each report, in their order.
pub type Results = Vec<(PortId, Result<(), String>)>;

/// Writes the status of ports, all in one transaction. `None`: another agent has the host now, nothing was written.
/// A port that is bound elsewhere is left alone.
pub fn report(
    store: &mut dyn Store,
    host: &str,
    instance: Uuid,
    reports: &[PortReport],
    now: u64,
) -> Result<Option<Results>, StoreError> {
    transaction(store, Mode::Write, |store| {
        let rows = store.query("SELECT instance FROM agents WHERE host = ?", &[host.into()])?;
        if rows
            .first()
            .and_then(|row| row.first())
            .and_then(Value::text)
            != Some(&instance.to_string())
        {
            return Ok(None);
        }
        let mut results = Vec::new();
        for report in reports {
            results.push((report.port, write_report(store, host, report, now)?));
        }
        Ok(Some(results))
    })
}

fn write_report(
    store: &mut dyn Store,
    host: &str,
    report: &PortReport,
    now: u64,
) -> Result<Result<(), String>, StoreError> {
    let active = report.status == PortStatus::Active;
    let reason = match (active, &report.reason) {
        (false, Some(reason)) => Some(reason.chars().take(LONGEST_REASON).collect::<String>()),
        _ => None,
    };
    // active_at is the time of the last change to ACTIVE: saying it again does not move it.
    let touched = store.execute(
        "UPDATE ports SET active_at = CASE WHEN ? = 1 AND (status <> 'ACTIVE' OR active_at IS NULL) THEN ? ELSE \
         active_at END, status = ?, binding_error = ?, seen_at = coalesce(?, seen_at), wired_at = coalesce(?, wired_at) \
         WHERE id = ? AND host = ?",
        &[
            active.into(),
            now.into(),
            report.status.name().into(),
            reason.into(),
            report.seen_at.into(),
            report.wired_at.into(),
            report.port.0.into(),
            host.into(),
        ],
    )?;
    if touched > 0 {
        return Ok(Ok(()));
    }
    Ok(Err(match place(store, report.port)? {
        Place::Unknown => "no such port in the database".to_owned(),
        Place::Unbound => "the port is bound to no host".to_owned(),
        Place::Bound(other) => format!("the port is bound to host {other}"),
    }))
}

/// Where a port is bound.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// There is no such port.
    Unknown,
    /// To no host.
    Unbound,
    /// To this host.
    Bound(String),
}

/// Where a port is bound, for people who wonder why nothing happens here.
pub fn place(store: &mut dyn Store, port: PortId) -> Result<Place, StoreError> {
    let rows = store.query("SELECT host FROM ports WHERE id = ?", &[port.0.into()])?;
    Ok(match rows.first().and_then(|row| row.first()) {
        None => Place::Unknown,
        Some(Value::Null) => Place::Unbound,
        Some(Value::Text(host)) if host.is_empty() => Place::Unbound,
        Some(Value::Text(host)) => Place::Bound(host.clone()),
        Some(other) => Place::Bound(other.describe()),
    })
}
