//! Many ports plugged at once on one hypervisor: vifd against a raw client that does the same work and nothing else.
//!
//! Same work: the raw client writes the rows that vifd wrote (tag and persistence keys, all ports in one transaction) and
//! the flows that vifd wrote (one flow_mod each, one barrier per bridge), known beforehand. That the switch holds
//! the same afterwards is checked. Both start when the ports are plugged, one `ovs-vsctl` transaction, and end
//! when `ovs-vswitchd` has applied the rows and answered the barriers. The floor is the plugging alone.
//!
//! `cargo bench --bench plug` (root). `VIFD_BENCH_PORTS` and `VIFD_BENCH_ROUNDS` change 500 and 5.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use ofproto::msg::{FlowModCommand, Message};
use ofproto::text::parse_flow_mod;
use serde_json::{Value, json};
use testbed::{BRIDGES, Host, PATIENCE, PlugSpec, Site, Vm};

/// The most that vifd may take, as a multiple of the raw client's time.
const LIMIT: f64 = 2.0;

fn main() -> Result<()> {
    // `cargo bench -- --list` and `cargo test --benches` ask for nothing to be run.
    if std::env::args().any(|arg| arg == "--list" || arg == "--test") {
        return Ok(());
    }
    let setting = |name: &str, default: usize| -> Result<usize> {
        std::env::var(name).map_or(Ok(default), |text| text.parse().context(name.to_owned()))
    };
    let n_ports = setting("VIFD_BENCH_PORTS", 500)?;
    let n_rounds = setting("VIFD_BENCH_ROUNDS", 5)?;
    let mut site = Site::with_hosts(Path::new(env!("CARGO_BIN_EXE_vifd")), 1)?;
    site.database
        .create_network("blue", &["--type", "vxlan", "--segmentation-id", "5001"])?;
    site.database
        .json(&["subnet", "create", "--network", "blue", "10.1.0.0/16"])?;
    let peer = [
        "host",
        "create",
        "peer",
        "--tunnel-ip",
        "192.0.2.99",
        "--tunnel-types",
        "vxlan",
    ];
    site.database.json(&peer)?;
    let specs = site.create_ports(0, "blue", 1, n_ports)?;
    let vms = site.hosts[0].hypervisor.make_vms(&specs)?;
    site.hosts[0].wait_settled()?;
    let base = State::read(&site.hosts[0])?;
    println!(
        "bench: {n_ports} ports at once, datapath {}, {n_rounds} rounds, alternating",
        site.hosts[0].hypervisor.switch.datapath().name()
    );

    let (mut vifd, mut raw, mut floor) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=n_rounds {
        let took = round_of_vifd(&mut site, &specs, &vms)?;
        let wanted = State::read(&site.hosts[0])?;
        let work = wanted.since(&base);
        unplug(&mut site, &specs, &vms)?;
        testbed::wait_until("nothing is left of the ports", PATIENCE, || {
            let left = State::read(&site.hosts[0])?;
            Ok((left == base).then_some(()))
        })
        .with_context(|| {
            State::read(&site.hosts[0]).map_or_else(|e| e.to_string(), |s| base.difference(&s))
        })?;

        site.hosts[0].agent.kill()?;
        let (took_floor, took_raw) = round_of_raw(&site.hosts[0], &vms, &work)?;
        let reached = State::read(&site.hosts[0])?;
        ensure!(
            reached == wanted,
            "the raw client did other work:\n{}",
            wanted.difference(&reached)
        );
        site.hosts[0].start_agent()?;
        site.hosts[0].wait_settled()?;
        unplug(&mut site, &specs, &vms)?;
        println!(
            "bench: round {round}: vifd {:.3} s, raw client {:.3} s, of which plugging {:.3} s; {} rows, {} flows",
            took.as_secs_f64(),
            took_raw.as_secs_f64(),
            took_floor.as_secs_f64(),
            work.rows.len(),
            work.flows.iter().map(Vec::len).sum::<usize>(),
        );
        vifd.push(took);
        raw.push(took_raw);
        floor.push(took_floor);
    }
    let [vifd, raw, floor] = [vifd, raw, floor].map(Spread::of);
    println!("bench: vifd       {vifd}\nbench: raw client {raw}\nbench: floor      {floor}");
    let ratio = vifd.median / raw.median;
    println!("bench: vifd / raw client = {ratio:.2}, at most {LIMIT}");
    ensure!(ratio <= LIMIT, "too slow: {ratio:.2} times the raw client");
    Ok(())
}

/// Plugs, and returns how long it took until the last port was wired, by the timeline in the database.
fn round_of_vifd(site: &mut Site, specs: &[PlugSpec], vms: &[Vm]) -> Result<Duration> {
    let start = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    site.hosts[0].hypervisor.plug(vms)?;
    let rows = site.wait_status(specs, "ACTIVE")?;
    site.hosts[0].wait_settled()?;
    let last = rows
        .iter()
        .map(|row| row.wired_at)
        .max()
        .flatten()
        .context("no port was wired")?;
    let last = Duration::from_micros(u64::try_from(last)?);
    last.checked_sub(start)
        .context("wired before it was plugged: the timeline is that of an earlier round")
}

fn unplug(site: &mut Site, specs: &[PlugSpec], vms: &[Vm]) -> Result<()> {
    site.hosts[0].hypervisor.unplug(vms)?;
    site.wait_status(specs, "DOWN")?;
    site.hosts[0].wait_settled()
}

/// Plugs and does the known work; how long plugging took, and all of it.
fn round_of_raw(host: &Host, vms: &[Vm], work: &Work) -> Result<(Duration, Duration)> {
    let dir = host.hypervisor.switch.dir();
    let mut database = Database::connect(&dir.join("db.sock"))?;
    let mut bridges = BRIDGES
        .iter()
        .map(|bridge| Bridge::connect(&dir.join(format!("{bridge}.mgmt"))))
        .collect::<Result<Vec<_>>>()?;
    let start = Instant::now();
    host.hypervisor.plug(vms)?;
    let plugged = start.elapsed();
    let numbers = database.ofports()?;
    for (bridge, flows) in bridges.iter_mut().zip(&work.flows) {
        bridge.send(flows, &numbers)?;
    }
    let next_cfg = database.write_rows(&work.rows)?;
    for bridge in &mut bridges {
        bridge.wait_barrier()?;
    }
    database.wait_applied(next_cfg)?;
    Ok((plugged, start.elapsed()))
}

/// Rows of ports and flows of bridges, with names for OpenFlow numbers.
#[derive(PartialEq)]
struct State {
    rows: Vec<(String, Value)>,
    flows: Vec<Vec<String>>,
}

/// What has to be written to get from one state to another.
struct Work {
    rows: Vec<(String, Value)>,
    flows: Vec<Vec<String>>,
}

impl State {
    fn read(host: &Host) -> Result<Self> {
        let switch = &host.hypervisor.switch;
        let text = switch.vsctl(&[
            "--format=json",
            "--columns=name,tag,other_config",
            "list",
            "Port",
        ])?;
        let table: Value = serde_json::from_str(&text)?;
        let mut rows: Vec<(String, Value)> = table["data"]
            .as_array()
            .context("no rows")?
            .iter()
            .map(|row| {
                let name = row[0].as_str().unwrap_or_default().to_owned();
                (name, json!({"tag": row[1], "other_config": row[2]}))
            })
            .collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        let mut flows = Vec::new();
        for bridge in BRIDGES {
            let management = switch.management(bridge);
            let text = switch.ofctl(&["--names", "--no-stats", "dump-flows", &management])?;
            let mut lines: Vec<String> = text
                .lines()
                .filter(|line| line.contains("actions="))
                .map(|line| line.trim().replace(", ", ",").replace(' ', ","))
                .collect();
            lines.sort_unstable();
            flows.push(lines);
        }
        Ok(State { rows, flows })
    }

    fn since(&self, base: &State) -> Work {
        Work {
            rows: self
                .rows
                .iter()
                .filter(|row| !base.rows.contains(row))
                .cloned()
                .collect(),
            flows: self
                .flows
                .iter()
                .zip(&base.flows)
                .map(|(now, before)| {
                    now.iter()
                        .filter(|line| before.binary_search(line).is_err())
                        .cloned()
                        .collect()
                })
                .collect(),
        }
    }

    fn difference(&self, other: &State) -> String {
        let mut lines = Vec::new();
        for (sign, a, b) in [('-', self, other), ('+', other, self)] {
            let work = a.since(b);
            let n_flows: usize = work.flows.iter().map(Vec::len).sum();
            lines.push(format!("{sign} {} rows, {n_flows} flows", work.rows.len()));
            lines.extend(
                work.rows
                    .iter()
                    .take(3)
                    .map(|row| format!("{sign} {row:?}")),
            );
            lines.extend(
                work.flows
                    .iter()
                    .flat_map(|f| f.iter().take(3))
                    .map(|f| format!("{sign} {f}")),
            );
        }
        lines.join("\n")
    }
}

/// A connection to ovsdb-server that asks and waits.
struct Database {
    stream: UnixStream,
    unread: Vec<u8>,
}

impl Database {
    fn connect(path: &Path) -> Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Database {
            stream,
            unread: Vec::new(),
        })
    }

    fn transact(&mut self, mut operations: Vec<Value>) -> Result<Vec<Value>> {
        operations.insert(0, json!("Open_vSwitch"));
        let request = json!({"id": 1, "method": "transact", "params": operations});
        self.stream.write_all(request.to_string().as_bytes())?;
        loop {
            let mut values =
                serde_json::Deserializer::from_slice(&self.unread).into_iter::<Value>();
            if let Some(Ok(reply)) = values.next() {
                let used = values.byte_offset();
                self.unread.drain(..used);
                if reply["method"] == "echo" {
                    continue;
                }
                ensure!(reply["error"].is_null(), "transact: {reply}");
                let results = reply["result"].as_array().cloned().unwrap_or_default();
                if let Some(error) = results.iter().find(|r| !r["error"].is_null()) {
                    bail!("transact: {error}");
                }
                return Ok(results);
            }
            let mut buffer = vec![0; 1 << 20];
            let n = self.stream.read(&mut buffer)?;
            ensure!(n > 0, "ovsdb-server closed the connection");
            self.unread.extend_from_slice(&buffer[..n]);
        }
    }

    fn ofports(&mut self) -> Result<std::collections::HashMap<String, i64>> {
        let select = json!({"op": "select", "table": "Interface", "where": [], "columns": ["name", "ofport"]});
        let results = self.transact(vec![select])?;
        let rows = results[0]["rows"].as_array().context("no rows")?;
        Ok(rows
            .iter()
            .filter_map(|row| Some((row["name"].as_str()?.to_owned(), row["ofport"].as_i64()?)))
            .collect())
    }

    /// All rows in one transaction; the configuration number that has them.
    fn write_rows(&mut self, rows: &[(String, Value)]) -> Result<i64> {
        let mut operations: Vec<Value> = rows
            .iter()
            .map(|(name, row)| {
                json!({"op": "update", "table": "Port", "where": [["name", "==", name]], "row": row})
            })
            .collect();
        operations.push(json!({"op": "mutate", "table": "Open_vSwitch", "where": [],
            "mutations": [["next_cfg", "+=", 1]]}));
        operations.push(
            json!({"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["next_cfg"]}),
        );
        let results = self.transact(operations)?;
        results
            .last()
            .and_then(|r| r["rows"][0]["next_cfg"].as_i64())
            .context("no next_cfg")
    }

    fn wait_applied(&mut self, next_cfg: i64) -> Result<()> {
        let wait = json!({"op": "wait", "table": "Open_vSwitch", "where": [], "columns": ["cur_cfg"],
            "until": "==", "rows": [{"cur_cfg": next_cfg}], "timeout": 60_000});
        self.transact(vec![wait]).map(drop)
    }
}

/// A connection to a bridge: hello, table ids, then flows and one barrier.
struct Bridge {
    stream: UnixStream,
    unread: Vec<u8>,
}

impl Bridge {
    fn connect(path: &Path) -> Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut bridge = Bridge {
            stream,
            unread: Vec::new(),
        };
        // A hello without elements offers version 1.0 alone.
        bridge.stream.write_all(&[1, 0, 0, 8, 0, 0, 0, 0])?;
        let bytes = Message::FlowModTableId(true)
            .to_bytes(1)
            .context("encode")?;
        bridge.stream.write_all(&bytes)?;
        let bytes = Message::BarrierRequest.to_bytes(2).context("encode")?;
        bridge.stream.write_all(&bytes)?;
        bridge.wait_barrier()?;
        Ok(bridge)
    }

    /// Reads dumped flows, encodes and sends them, then a barrier.
    fn send(
        &mut self,
        flows: &[String],
        numbers: &std::collections::HashMap<String, i64>,
    ) -> Result<()> {
        let mut bytes = Vec::new();
        for (xid, line) in (10..).zip(flows) {
            let line = with_numbers(line, numbers);
            let flow = parse_flow_mod(&line, FlowModCommand::ADD)
                .map_err(|error| anyhow::anyhow!("{line}: {error}"))?;
            bytes.extend(Message::FlowMod(flow).to_bytes(xid).context("encode")?);
        }
        bytes.extend(Message::BarrierRequest.to_bytes(2).context("encode")?);
        // Flow mods are not answered, so writing all of them before reading cannot block for good.
        self.stream.write_all(&bytes)?;
        Ok(())
    }

    fn wait_barrier(&mut self) -> Result<()> {
        loop {
            while self.unread.len() >= 8 {
                let length = usize::from(u16::from_be_bytes([self.unread[2], self.unread[3]]));
                if self.unread.len() < length {
                    break;
                }
                let message: Vec<u8> = self.unread.drain(..length).collect();
                let (header, message) = Message::decode(&message).context("decode")?;
                match message {
                    Message::BarrierReply => return Ok(()),
                    Message::EchoRequest(_) | Message::Hello(_) => {}
                    Message::Error(error) => bail!("flow_mod {}: {error:?}", header.xid),
                    _ => {}
                }
            }
            let mut buffer = [0; 65536];
            let n = self.stream.read(&mut buffer)?;
            ensure!(n > 0, "ovs-vswitchd closed the connection");
            self.unread.extend_from_slice(&buffer[..n]);
        }
    }
}

/// Puts OpenFlow numbers for port names.
fn with_numbers(line: &str, numbers: &std::collections::HashMap<String, i64>) -> String {
    let is_name = |c: char| c.is_alphanumeric() || c == '-' || c == '_' || c == '.';
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = ["in_port=", "output:"]
        .iter()
        .filter_map(|k| Some(rest.find(k)? + k.len()))
        .min()
    {
        let (before, after) = rest.split_at(at);
        out += before;
        let quoted = after.strip_prefix('"');
        let text = quoted.unwrap_or(after);
        let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
        match numbers.get(&text[..end]) {
            Some(number) => {
                out += &number.to_string();
                rest = if quoted.is_some() {
                    text[end..].strip_prefix('"').unwrap_or(&text[end..])
                } else {
                    &text[end..]
                };
            }
            None => {
                out += &after[..after.len() - text.len() + end];
                rest = &text[end..];
            }
        }
    }
    out + rest
}

struct Spread {
    median: f64,
    low: f64,
    high: f64,
}

impl Spread {
    fn of(times: Vec<Duration>) -> Self {
        let mut times: Vec<f64> = times.into_iter().map(|t| t.as_secs_f64()).collect();
        times.sort_by(f64::total_cmp);
        Spread {
            median: times[times.len() / 2],
            low: times[0],
            high: times[times.len() - 1],
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "median {:.3} s ({:.3} to {:.3})",
            self.median, self.low, self.high
        )
    }
}
