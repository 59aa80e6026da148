//! Sockets that misbehave: mutual back-pressure, busy callers, callers that do not listen,
//! peers that close at any byte.

mod harness;

use harness::{Server, block_on, connect};
use ovsdb::condition::Condition;
use ovsdb::json::{Json, parse};
use ovsdb::mutation::{Mutation, Mutator};
use ovsdb::net::{Client, Config, Error, Remote};
use ovsdb::op::{Transaction, columns};
use ovsdb::session::{Event, Reason};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// The server answers nothing more once its replies pile up, and stops reading. A client that
/// finished writing before it reads would wait for the server for ever: here both directions
/// carry far more than the socket buffers hold.
#[test]
fn mutual_back_pressure_does_not_hang() {
    let server = Server::vswitch();
    server.vsctl(&["init"]);
    block_on(LIMIT, async {
        let (client, _events, _replica) = connect(Config::vswitch(vec![server.remote()])).await;
        let big = Json::from("q".repeat(100_000).as_str());
        let mut flying = tokio::task::JoinSet::new();
        for _ in 0..400 {
            let (client, big) = (client.clone(), big.clone());
            flying.spawn(async move { client.request("echo", vec![big], LIMIT).await });
        }
        let mut bytes = 0;
        while let Some(result) = flying.join_next().await {
            let reply = result.unwrap().unwrap();
            bytes += reply.as_array().unwrap()[0].as_str().unwrap().len();
        }
        assert_eq!(bytes, 400 * 100_000);
    });
}

/// The hang is real: a client that writes everything before it reads does not get through.
#[test]
fn writing_before_reading_does_hang() {
    let server = Server::vswitch();
    let mut socket = UnixStream::connect(server.socket()).unwrap();
    socket
        .set_write_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    let echo = format!(
        r#"{{"id":1,"method":"echo","params":["{}"]}}"#,
        "q".repeat(100_000)
    );
    let result = (0..400).try_for_each(|_| socket.write_all(echo.as_bytes()));
    assert!(result.is_err(), "the server took 40 MB without being read");
}

/// Requests beyond the output limit wait or fail; they do not pile up.
#[test]
fn output_is_bounded_against_a_peer_that_does_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sock");
    let listener = UnixListener::bind(&path).unwrap();
    block_on(LIMIT, async {
        let mut config = Config::new(vec![Remote::Unix(path)], "x");
        config.session.limits.output = 1 << 20;
        config.session.limits.probe = None;
        let (client, _events) = Client::spawn(config).unwrap();
        let (socket, _) = listener.accept().unwrap();
        while client.counters().connections == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let big = Json::from("q".repeat(100_000).as_str());
        let mut flying = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let (client, big) = (client.clone(), big.clone());
            let timeout = Duration::from_secs(2);
            flying.spawn(async move { client.request("echo", vec![big], timeout).await });
        }
        let (mut refused, mut expired) = (0, 0);
        while let Some(result) = flying.join_next().await {
            match result.unwrap() {
                Err(Error::Refused(_)) => refused += 1,
                Err(Error::Expired) => expired += 1,
                other => panic!("{other:?}"),
            }
        }
        // One megabyte waits in the connection, one more is being written, and the socket
        // took a few hundred kilobytes.
        assert!(expired < 40, "{expired} were accepted");
        assert_eq!(refused + expired, 100);
        drop(socket);
    });
}

/// The caller's thread is busy for longer than the probe interval, until the peer has seen that
/// probes go out and that its own are answered: the connection lives.
#[test]
fn busy_caller_does_not_starve_probes() {
    const PROBE: Duration = Duration::from_secs(1);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sock");
    let listener = UnixListener::bind(&path).unwrap();
    // A server that answers nothing but probes, and counts the answers to its own.
    let (enough, seen) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let peer = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let timeout = Some(Duration::from_millis(20));
        socket.set_read_timeout(timeout).unwrap();
        let mut buffer = Vec::new();
        let (mut probes, mut answers) = (0, 0);
        let _ = socket.write_all(br#"{"id":"mine","method":"echo","params":[]}"#);
        while ended.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            let mut chunk = [0; 65536];
            if let Ok(n) = socket.read(&mut chunk) {
                buffer.extend_from_slice(&chunk[..n]);
            }
            while let Ok((json, used)) = ovsdb::json::parse_prefix(&buffer) {
                buffer.drain(..used);
                let reply: &[u8] = if json.member("id") == Some(&Json::from("mine")) {
                    answers += 1;
                    // Its silence between these makes the client probe.
                    if answers % 10 == 0 {
                        std::thread::sleep(PROBE + PROBE / 10);
                    }
                    br#"{"id":"mine","method":"echo","params":[]}"#
                } else if json.member("method") == Some(&Json::from("echo")) {
                    probes += 1;
                    br#"{"id":"echo","result":[],"error":null}"#
                } else {
                    continue;
                };
                let _ = socket.write_all(reply);
            }
            if probes >= 2 && answers >= 20 {
                let _ = enough.send(());
            }
        }
    });
    block_on(LIMIT, async {
        let mut config = Config::new(vec![Remote::Unix(path)], "x");
        config.session.limits.probe = Some(PROBE);
        let (client, mut events) = Client::spawn(config).unwrap();
        // The one thread of this runtime does nothing else until then.
        seen.recv_timeout(LIMIT).unwrap();
        assert!(events.try_next().is_none(), "the connection was given up");
        assert_eq!(client.counters().connections, 1);
        end.send(()).unwrap();
    });
    peer.join().unwrap();
}

/// A peer that has always more to say: requests go out all the same, are answered, and expire.
#[test]
fn a_peer_that_never_stops_talking() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sock");
    let listener = UnixListener::bind(&path).unwrap();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let peer = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        let chatter = r#"{"id":null,"method":"chatter","params":["........................"]}"#;
        let chatter = chatter.repeat(4000).into_bytes();
        let (mut said, mut heard) = (chatter.len(), Vec::new());
        let mut turn = chatter.clone();
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            if said == turn.len() {
                turn.clone_from(&chatter);
                said = 0;
                // Answers the questions called "answer".
                while let Ok((json, used)) = ovsdb::json::parse_prefix(&heard) {
                    heard.drain(..used);
                    if json.member("method") == Some(&Json::from("answer")) {
                        let id = json.member("id").unwrap();
                        turn.extend(format!(r#"{{"id":{id},"result":[],"error":null}}"#).bytes());
                    }
                }
            }
            said += socket.write(&turn[said..]).unwrap_or(0);
            let mut chunk = [0; 65536];
            if let Ok(n) = socket.read(&mut chunk) {
                heard.extend_from_slice(&chunk[..n]);
            }
        }
    });
    block_on(LIMIT, async {
        let mut config = Config::new(vec![Remote::Unix(path)], "x");
        config.session.handshake_timeout = LIMIT;
        let (client, mut events) = Client::spawn(config).unwrap();
        while !matches!(events.next().await, Some(Event::Notification(..))) {}
        for _ in 0..10 {
            client.request("answer", vec![], LIMIT).await.unwrap();
        }
        let silence = client.request("silence", vec![], Duration::from_millis(100));
        assert_eq!(silence.await, Err(Error::Expired));
        stop.send(()).unwrap();
    });
    peer.join().unwrap();
}

/// The server's own view of a caller that takes no events: the connection goes on, and what
/// waits is bounded by the number of rows, not of changes.
#[test]
fn events_nobody_takes_are_merged() {
    let server = Server::vswitch();
    server.vsctl(&["init", "--", "add-br", "br0"]);
    block_on(LIMIT, async {
        let (client, mut events, mut replica) =
            connect(Config::vswitch(vec![server.remote()])).await;
        for i in 0..500 {
            let mut txn = Transaction::new();
            txn.mutate(
                "Open_vSwitch",
                [],
                [Mutation::new("next_cfg", Mutator::Add, 1)],
            );
            let ids = ovsdb::value::Datum::map([("i", i.to_string())]);
            let this = [Condition::eq("name", "br0")];
            txn.update("Bridge", this, columns([("external_ids", ids)]));
            client.transact(txn, LIMIT).await.unwrap();
        }
        assert_eq!(client.counters().updates, 501);
        let Some(Event::Update(changes)) = events.try_next() else {
            panic!("no update")
        };
        assert_eq!(changes.len(), 2, "one change per row");
        replica.follow(&changes);
        assert!(events.try_next().is_none());
        let (_, bridge) = replica.rows("Bridge").next().unwrap();
        assert_eq!(bridge.key("external_ids", "i"), Some("499"));
    });
}

/// A reply cut off at every byte: the client reports it, connects again and goes on.
#[test]
fn peer_that_closes_at_any_byte() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sock");
    let listener = UnixListener::bind(&path).unwrap();
    let schema = r#"{"name":"x","tables":{"t":{"columns":{"c":{"type":"integer"}}}}}"#;
    let replies = format!(
        "{}{}{}",
        r#"{"id":0,"result":{},"error":null}"#,
        r#"{"id":1,"error":"unknown database"}"#,
        format_args!(r#"{{"id":2,"result":{schema},"error":null}}"#),
    );
    let length = replies.len();
    let peer = std::thread::spawn(move || {
        for end in 0..=replies.len() {
            let (mut socket, _) = listener.accept().unwrap();
            let _ = socket.write_all(&replies.as_bytes()[..end]);
            // The bytes must arrive before the close does.
            let _ = socket.shutdown(std::net::Shutdown::Write);
            let mut rest = Vec::new();
            let _ = socket.read_to_end(&mut rest);
        }
        listener
    });
    block_on(LIMIT, async {
        let mut config = Config::new(vec![Remote::Unix(path)], "x");
        config.backoff_min = Duration::from_millis(1);
        config.backoff_max = Duration::from_millis(1);
        let (client, mut events) = Client::spawn(config).unwrap();
        let (mut connected, mut lost) = (0, 0);
        while lost == 0 || client.counters().connections <= u64::try_from(length).unwrap() {
            match events.next().await.unwrap() {
                Event::Connected(schema) => {
                    connected += 1;
                    assert_eq!(&*schema.name, "x");
                }
                Event::Disconnected(reason) => {
                    lost += 1;
                    assert!(matches!(reason, Reason::Transport(_)), "{reason}");
                }
                _ => {}
            }
        }
        assert!(connected <= 1, "{connected} schemas from truncated replies");
    });
    drop(peer.join().unwrap());
}

/// Not an OVSDB server at all.
#[test]
fn peer_that_speaks_something_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sock");
    let listener = UnixListener::bind(&path).unwrap();
    let texts: [&[u8]; 4] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"[1,2]",
        b"{\"jsonrpc\":\"2.0\"}",
        &[0xff; 64],
    ];
    let peer = std::thread::spawn(move || {
        for text in texts {
            let (mut socket, _) = listener.accept().unwrap();
            let _ = socket.write_all(text);
            let mut rest = Vec::new();
            let _ = socket.read_to_end(&mut rest);
        }
    });
    block_on(LIMIT, async {
        let mut config = Config::new(vec![Remote::Unix(path)], "x");
        config.backoff_min = Duration::from_millis(1);
        config.backoff_max = Duration::from_millis(1);
        let (_client, mut events) = Client::spawn(config).unwrap();
        let mut reasons = 0;
        while reasons == 0 || !peer.is_finished() {
            let next = tokio::time::timeout(Duration::from_millis(5), events.next());
            if let Ok(Some(Event::Disconnected(reason))) = next.await
                && !peer.is_finished()
            {
                assert!(matches!(reason, Reason::Protocol(_)), "{reason}");
                reasons += 1;
            }
        }
    });
    peer.join().unwrap();
    assert!(parse(b"[1,2]").is_ok());
}
