//! Real TCP streams: one that a change forbids stops, its neighbour goes on without a lost segment.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use testbed::Namespace;

use super::drill::{A, B, C, Drill, OF_A, OF_B, OF_C, let_in, ports, small};
use crate::bed::Driver;
use crate::packet::TCP;
use crate::world::{Remote, World};

/// How long a stream is looked at.
const LOOK: Duration = Duration::from_millis(700);
/// What is on its way when a change is there.
const SETTLES: Duration = Duration::from_millis(200);
/// Between two messages.
const PACE: Duration = Duration::from_millis(3);

/// A stream of messages that the other end sends back.
struct Stream {
    ends: [TcpStream; 2],
    count: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Stream {
    fn open(from: &Namespace, to: &Namespace, at: SocketAddr) -> Result<Stream> {
        let listener = to.run(|| Ok(TcpListener::bind(at)?))?;
        let connect = || Ok(TcpStream::connect_timeout(&at, Duration::from_secs(10))?);
        let client = from
            .run(connect)
            .with_context(|| format!("connect to {at}"))?;
        let (server, _) = listener.accept()?;
        for end in [&client, &server] {
            end.set_nodelay(true)?;
            end.set_read_timeout(Some(Duration::from_millis(50)))?;
        }
        let stream = Stream {
            ends: [client.try_clone()?, server.try_clone()?],
            count: Arc::default(),
            stop: Arc::default(),
        };
        let (count, stop) = (stream.count.clone(), stream.stop.clone());
        let mut client = client;
        std::thread::spawn(move || {
            for number in 0u64.. {
                std::thread::sleep(PACE);
                let sent = client.write_all(&number.to_be_bytes());
                if sent.is_err() || !receive(&mut client, &stop) {
                    return;
                }
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        let (stop, mut server) = (stream.stop.clone(), server);
        std::thread::spawn(move || {
            while receive(&mut server, &stop) {
                if server.write_all(&[1; 8]).is_err() {
                    return;
                }
            }
        });
        Ok(stream)
    }

    /// How many messages came back while it was looked at.
    fn look(&self) -> u64 {
        let before = self.count.load(Ordering::SeqCst);
        std::thread::sleep(LOOK);
        self.count.load(Ordering::SeqCst) - before
    }

    /// Segments that either end has sent again.
    fn n_sent_again(&self) -> Result<u32> {
        self.ends.iter().map(testbed::n_sent_again).sum()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// A whole message; `false` if there is none any more.
fn receive(stream: &mut TcpStream, stop: &AtomicBool) -> bool {
    let mut message = [0; 8];
    let mut have = 0;
    while have < message.len() {
        match stream.read(&mut message[have..]) {
            Ok(0) => return false,
            Ok(n) => have += n,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if stop.load(Ordering::SeqCst) {
                    return false;
                }
            }
            Err(_) => return false,
        }
    }
    true
}

/// A reason for a stream from A to port 22 of B to stop.
type Reason = (&'static str, fn(&mut World));

const REASONS: &[Reason] = &[
    ("the rule is removed", |world| {
        world.groups[OF_B]
            .rules
            .retain(|rule| rule.service != ports(TCP, 22, 22));
    }),
    ("the member leaves the remote group", |world| {
        world.ports[A].groups.retain(|group| *group != OF_A);
    }),
    ("the group is taken off the port", |world| {
        world.ports[B].groups.retain(|group| *group != OF_B);
    }),
    ("the address group is narrowed", |world| {
        world.address_groups[0] = vec!["10.0.0.32/28".parse().expect("a prefix")];
    }),
    ("the prefix is narrowed", |world| {
        for rule in &mut world.groups[OF_B].rules {
            if let Remote::Prefix(prefix) = &mut rule.remote {
                *prefix = "10.0.0.32/28".parse().expect("a prefix");
            }
        }
    }),
];

/// B lets A in at port 22 by what the reason takes away alone, and at port 80 by a group that stays.
fn world(reason: &str) -> World {
    let mut world = small();
    let_in(&mut world, OF_C, ports(TCP, 80, 80), Remote::Any);
    world.ports[B].groups.push(OF_C);
    world.address_groups[0] = vec!["10.0.0.0/16".parse().expect("a prefix")];
    let ssh = ports(TCP, 22, 22);
    let remote = match reason {
        "the member leaves the remote group" => Remote::Group(OF_A),
        "the address group is narrowed" => Remote::Addresses(0),
        _ => Remote::Prefix("10.0.0.0/16".parse().expect("a prefix")),
    };
    let_in(&mut world, OF_B, ssh, remote);
    // The rule for IPv6 has no IPv4 prefix.
    world.groups[OF_B].rules.retain(|rule| {
        !matches!(rule.remote, Remote::Prefix(_)) || rule.family == crate::world::Family::V4
    });
    world
}

/// A and B and C with network stacks, and the addresses of B and C.
fn stacks(drill: &Drill) -> Result<[Arc<Namespace>; 3]> {
    let stack = |n: usize| {
        let ip = drill.bed.world.ports[n].ips[0];
        drill
            .bed
            .wires
            .give_stack(n, &format!("{ip}/16"), "10.0.0.0/16")
    };
    Ok([stack(A)?, stack(B)?, stack(C)?])
}

pub fn what_a_change_forbids_stops_and_its_neighbour_goes_on(driver: Driver) -> Result<()> {
    let mut drill = Drill::start(driver, &world(REASONS[0].0))?;
    let [a, b, _c] = stacks(&drill)?;
    let at = |port| SocketAddr::new(drill.bed.world.ports[B].ips[0], port);
    let (ssh, web) = (at(22), at(80));
    for (reason, change) in REASONS {
        drill.bed.change(&world(reason))?;
        let forbidden = Stream::open(&a, &b, ssh).context(*reason)?;
        let neighbour = Stream::open(&a, &b, web).context(*reason)?;
        ensure!(
            forbidden.look() > 20 && neighbour.look() > 20,
            "{reason}: no stream"
        );
        drill.change(change)?;
        std::thread::sleep(SETTLES);
        let n = forbidden.look();
        ensure!(n == 0, "{reason}: {n} messages after it");
        let n = neighbour.look();
        let again = neighbour.n_sent_again()?;
        ensure!(
            n > 20 && again == 0,
            "{reason}: {n} messages of the neighbour, {again} segments again"
        );
    }
    Ok(())
}

pub fn a_port_that_is_deleted_takes_its_streams_and_no_others(driver: Driver) -> Result<()> {
    let mut world = world("");
    let_in(&mut world, OF_A, ports(TCP, 443, 443), Remote::Any);
    world.ports[C].groups.push(OF_A);
    let mut drill = Drill::start(driver, &world)?;
    let [a, b, c] = stacks(&drill)?;
    let at = |n: usize, port| SocketAddr::new(drill.bed.world.ports[n].ips[0], port);
    let (gone, web) = (at(C, 443), at(B, 80));
    let gone = Stream::open(&a, &c, gone)?;
    let neighbour = Stream::open(&a, &b, web)?;
    ensure!(gone.look() > 20 && neighbour.look() > 20, "no stream");
    drill.bed.delete(C)?;
    std::thread::sleep(SETTLES);
    let (n, others, again) = (gone.look(), neighbour.look(), neighbour.n_sent_again()?);
    ensure!(n == 0, "{n} messages after the port was deleted");
    ensure!(
        others > 20 && again == 0,
        "{others} messages of the neighbour, {again} segments again"
    );
    Ok(())
}
