//! The asking side of the admin socket: one question, one answer, blocking.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::shape::{AdminReply, Command};

/// How long an answer may take. The agent itself gives up earlier and says so.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens.
    #[error("no agent is running (nobody listens on {}): start it with `vifd run`, or name its socket with --socket or its configuration with --config", path.display())]
    NotRunning {
        /// The socket.
        path: PathBuf,
    },
    /// It may not be used.
    #[error("the admin socket {} may not be used by this user: ask as root, or as the user that the agent runs as", path.display())]
    Denied {
        /// The socket.
        path: PathBuf,
    },
    /// Anything else.
    #[error("cannot talk to the agent on {}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What came back.
        source: io::Error,
    },
    /// The answer is none.
    #[error("the agent's answer cannot be understood: is it of the same version as this command?")]
    Answer(#[source] serde_json::Error),
}

/// Asks.
pub fn ask(socket: &Path, command: &Command) -> Result<AdminReply, AskError> {
    let path = || socket.to_owned();
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            AskError::NotRunning { path: path() }
        }
        io::ErrorKind::PermissionDenied => AskError::Denied { path: path() },
        _ => AskError::Io {
            path: path(),
            source,
        },
    };
    let mut stream = UnixStream::connect(socket).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
    let mut line = serde_json::to_vec(command).map_err(AskError::Answer)?;
    line.push(b'\n');
    match stream.write_all(&line) {
        // It may have refused before it was asked; the reason can still be read.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {}
        written => written.map_err(failed)?,
    }
    let mut answer = String::new();
    BufReader::new(stream)
        .read_line(&mut answer)
        .map_err(failed)?;
    serde_json::from_str(&answer).map_err(AskError::Answer)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn nobody_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vifd.sock");
        for stale in [false, true] {
            if stale {
                drop(UnixListener::bind(&path).unwrap());
            }
            let error = ask(&path, &Command::Status).unwrap_err();
            assert!(matches!(error, AskError::NotRunning { .. }), "{error}");
            assert!(
                error.to_string().contains("start it with `vifd run`"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_question_and_its_answer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vifd.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(stream.try_clone().unwrap())
                .read_line(&mut line)
                .unwrap();
            stream
                .write_all(b"{\"error\":{\"not_found\":true,\"message\":\"no such port\"}}\n")
                .unwrap();
            line
        });
        let reply = ask(&path, &Command::PortExplain { id: "abc".into() }).unwrap();
        assert_eq!(reply, AdminReply::not_found("no such port"));
        assert_eq!(
            server.join().unwrap(),
            "{\"cmd\":\"port-explain\",\"id\":\"abc\"}\n"
        );
    }

    #[test]
    fn an_answer_of_another_version() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vifd.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"hello\n").unwrap();
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line).unwrap();
        });
        let error = ask(&path, &Command::DumpDesired).unwrap_err();
        assert!(matches!(error, AskError::Answer(_)), "{error}");
        server.join().unwrap();
    }
}
