//! The agent's side of the admin socket.
//!
//! Every connection has a task of its own; the only way into the agent is the bounded queue of requests. Limits: the
//! size of a request, the number of connections, how long a silent client, a busy agent and a slow reader are borne.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::AdminRequest;
use super::lock::Lock;
use super::shape::{AdminReply, Command};

/// Longest request, in bytes.
const MAX_REQUEST: usize = 64 * 1024;
/// Most connections at a time.
const MAX_CONNECTIONS: usize = 16;
/// How long a client may be silent.
const IDLE: Duration = Duration::from_secs(30);
/// How long the agent may take for an answer.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a client may take to read an answer.
const WRITE: Duration = Duration::from_secs(30);

/// The socket cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} the admin socket {}: check [vifd] run_dir", path.display())]
pub struct BindError {
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// The bound socket; its file goes when it is dropped.
#[derive(Debug)]
pub struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl AdminSocket {
    /// Binds the socket. A socket that an earlier agent left behind is removed: the lock proves that it is dead.
    pub fn bind(path: &Path, _lock: &Lock) -> Result<AdminSocket, BindError> {
        let failed = |what| {
            move |source| BindError {
                what,
                path: path.to_owned(),
                source,
            }
        };
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove the old")(e));
            }
            _ => {}
        }
        let listener = UnixListener::bind(path).map_err(failed("bind"))?;
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(path, mode).map_err(failed("restrict"))?;
        Ok(AdminSocket {
            listener,
            path: path.to_owned(),
        })
    }

    /// Serves until dropped.
    pub async fn serve(self, requests: mpsc::Sender<AdminRequest>) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the admin socket cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            match places.clone().try_acquire_owned() {
                Ok(place) => {
                    let requests = requests.clone();
                    tokio::spawn(async move {
                        let _place = place;
                        if let Err(error) = converse(stream, &requests).await {
                            tracing::debug!(%error, "an admin connection ended");
                        }
                    });
                }
                Err(_) => {
                    let reply = AdminReply::refused(format!(
                        "{MAX_CONNECTIONS} admin connections are open, which is the most: close one"
                    ));
                    tokio::spawn(async move { send(&mut stream.into_split().1, &reply).await });
                }
            }
        }
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // If it cannot be removed the next agent does so.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether that user may ask.
fn may_ask(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}

async fn converse(stream: UnixStream, requests: &mpsc::Sender<AdminRequest>) -> io::Result<()> {
    let uid = stream.peer_cred()?.uid();
    let (reader, mut writer) = stream.into_split();
    if !may_ask(uid) {
        tracing::warn!(uid, "refused an admin connection");
        return send(
            &mut writer,
            &AdminReply::refused(format!(
                "user {uid} may not ask: only root and the agent's own user may"
            )),
        )
        .await;
    }
    let mut reader = BufReader::new(reader);
    loop {
        let line = match timeout(IDLE, next_line(&mut reader)).await {
            Err(_) => {
                return send(
                    &mut writer,
                    &AdminReply::refused("no request for 30 seconds: closed"),
                )
                .await;
            }
            Ok(line) => line?,
        };
        let reply = match line {
            Line::End => return Ok(()),
            Line::TooLong => {
                return send(
                    &mut writer,
                    &AdminReply::refused(format!("a request has at most {MAX_REQUEST} bytes")),
                )
                .await;
            }
            Line::Text(text) => match serde_json::from_slice::<Command>(&text) {
                Err(error) => AdminReply::refused(format!("not a request: {error}")),
                Ok(command) => ask(requests, command).await,
            },
        };
        send(&mut writer, &reply).await?;
    }
}

enum Line {
    Text(Vec<u8>),
    TooLong,
    End,
}

async fn next_line(reader: &mut BufReader<OwnedReadHalf>) -> io::Result<Line> {
    let mut text = Vec::new();
    reader
        .take(MAX_REQUEST as u64 + 1)
        .read_until(b'\n', &mut text)
        .await?;
    Ok(match text.last() {
        None => Line::End,
        Some(b'\n') => Line::Text(text),
        Some(_) if text.len() > MAX_REQUEST => Line::TooLong,
        // The last line may lack its end.
        Some(_) => Line::Text(text),
    })
}

async fn ask(requests: &mpsc::Sender<AdminRequest>, command: Command) -> AdminReply {
    let (reply, answer) = oneshot::channel();
    let asked = async {
        requests.send(AdminRequest { command, reply }).await.ok()?;
        answer.await.ok()
    };
    match timeout(ANSWER, asked).await {
        Ok(Some(reply)) => reply,
        Ok(None) => AdminReply::refused("the agent is stopping"),
        Err(_) => {
            AdminReply::refused("the agent was too busy to answer within 10 seconds: try again")
        }
    }
}

async fn send(writer: &mut OwnedWriteHalf, reply: &AdminReply) -> io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    timeout(WRITE, writer.write_all(&line))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

#[cfg(test)]
mod tests {
    use super::super::shape::Status;
    use super::*;

    struct Fixture {
        dir: tempfile::TempDir,
        server: tokio::task::JoinHandle<()>,
        requests: mpsc::Receiver<AdminRequest>,
        _lock: Lock,
    }

    impl Fixture {
        fn start() -> Fixture {
            let dir = tempfile::tempdir().unwrap();
            let lock = Lock::take(&dir.path().join("lock")).unwrap();
            let socket = AdminSocket::bind(&dir.path().join("sock"), &lock).unwrap();
            let (sender, requests) = mpsc::channel(1);
            Fixture {
                dir,
                server: tokio::spawn(socket.serve(sender)),
                requests,
                _lock: lock,
            }
        }

        async fn connect(&self) -> BufReader<UnixStream> {
            BufReader::new(
                UnixStream::connect(self.dir.path().join("sock"))
                    .await
                    .unwrap(),
            )
        }
    }

    async fn line(stream: &mut BufReader<UnixStream>) -> String {
        let mut text = String::new();
        timeout(Duration::from_secs(5), stream.read_line(&mut text))
            .await
            .unwrap()
            .unwrap();
        text
    }

    #[tokio::test]
    async fn answers_one_line_per_line() {
        let mut fixture = Fixture::start();
        let mut stream = fixture.connect().await;
        stream
            .write_all(b"{\"cmd\":\"status\"}\nnonsense\n{\"cmd\":\"fly\"}\n")
            .await
            .unwrap();
        let request = fixture.requests.recv().await.unwrap();
        assert_eq!(request.command, Command::Status);
        let status = Status {
            host: "hv1".into(),
            ..Status::default()
        };
        request
            .reply
            .send(AdminReply::Status(Box::new(status.clone())))
            .unwrap();
        let reply: AdminReply = serde_json::from_str(&line(&mut stream).await).unwrap();
        assert_eq!(reply, AdminReply::Status(Box::new(status)));
        assert!(
            line(&mut stream)
                .await
                .starts_with("{\"error\":{\"not_found\":false,\"message\":\"not a request")
        );
        assert!(line(&mut stream).await.contains("unknown variant `fly`"));
    }

    #[tokio::test]
    async fn an_endless_request_is_refused() {
        let fixture = Fixture::start();
        let mut stream = fixture.connect().await;
        stream
            .write_all(&vec![b'x'; MAX_REQUEST + 1])
            .await
            .unwrap();
        assert!(line(&mut stream).await.contains("at most 65536 bytes"));
        assert_eq!(line(&mut stream).await, "", "closed");
    }

    #[tokio::test]
    async fn one_connection_too_many_is_told() {
        let fixture = Fixture::start();
        let mut open = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            let mut stream = fixture.connect().await;
            stream.write_all(b"x\n").await.unwrap();
            line(&mut stream).await;
            open.push(stream);
        }
        let mut late = fixture.connect().await;
        assert!(line(&mut late).await.contains("16 admin connections"));
        open.pop();
        let mut again = fixture.connect().await;
        again.write_all(b"x\n").await.unwrap();
        let mut answer = line(&mut again).await;
        while answer.contains("16 admin connections") {
            again = fixture.connect().await;
            again.write_all(b"x\n").await.unwrap();
            answer = line(&mut again).await;
        }
        assert!(answer.contains("not a request"), "{answer}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_agent_is_told_as_busy() {
        let fixture = Fixture::start();
        let mut stream = fixture.connect().await;
        stream.write_all(b"{\"cmd\":\"status\"}\n").await.unwrap();
        let mut text = String::new();
        stream.read_line(&mut text).await.unwrap();
        assert!(text.contains("too busy"), "{text}");
    }

    #[tokio::test]
    async fn the_file_is_private_and_goes_with_the_server() {
        let fixture = Fixture::start();
        let path = fixture.dir.path().join("sock");
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fixture.server.abort();
        fixture.server.await.unwrap_err();
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let lock = Lock::take(&dir.path().join("lock")).unwrap();
        AdminSocket::bind(&path, &lock).unwrap();
        let error = AdminSocket::bind(&dir.path().join("none/sock"), &lock).unwrap_err();
        assert!(
            error.to_string().contains("cannot bind the admin socket"),
            "{error}"
        );
    }

    #[test]
    fn only_root_and_the_own_user_may_ask() {
        let own = rustix::process::geteuid().as_raw();
        assert!(may_ask(0) && may_ask(own) && !may_ask(own + 4711));
    }
}
