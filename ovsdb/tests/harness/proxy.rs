//! A proxy before a server whose connection is cut when the test says so: not by the clock.

use super::Server;
use ovsdb::net::Remote;
use std::io::ErrorKind;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

/// One listening socket; passes bytes on until told to cut.
pub struct Proxy {
    remote: Remote,
    orders: mpsc::Sender<oneshot::Sender<()>>,
    /// The listening socket lives in it.
    _dir: tempfile::TempDir,
}

impl Proxy {
    /// Starts it on the current runtime.
    pub fn start(server: &Server) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("proxy.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let (orders, receiver) = mpsc::channel(1);
        tokio::spawn(serve(listener, server.socket(), receiver));
        Self {
            remote: Remote::Unix(path),
            orders,
            _dir: dir,
        }
    }

    pub fn remote(&self) -> Remote {
        self.remote.clone()
    }

    /// Cuts the connection there is, or else the next one; returns when it is cut. Half of
    /// what the server has just sent still arrives, so that a message may end anywhere.
    pub async fn cut(&self) {
        let (made, done) = oneshot::channel();
        self.orders.send(made).await.unwrap();
        done.await.unwrap();
    }
}

async fn serve(
    listener: UnixListener,
    server: std::path::PathBuf,
    mut orders: mpsc::Receiver<oneshot::Sender<()>>,
) {
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut server = UnixStream::connect(&server).await.unwrap();
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut server) => {}
            order = orders.recv() => {
                let Some(order) = order else { return };
                let mut rest = vec![0; 4096];
                match server.try_read(&mut rest) {
                    Ok(n) => drop(client.write(&rest[..n / 2]).await),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
                }
                drop((client, server));
                order.send(()).unwrap();
            }
        }
    }
}
