//! Transports: connect, then one reading and one writing half.

use super::Remote;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

pub(super) type Reader = Box<dyn AsyncRead + Send + Unpin>;
pub(super) type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// Connects to a server.
pub(super) async fn connect(
    remote: &Remote,
    tls: Option<&Arc<rustls::ClientConfig>>,
) -> io::Result<(Reader, Writer)> {
    match remote {
        Remote::Unix(path) => {
            let (reader, writer) = UnixStream::connect(path).await?.into_split();
            Ok((Box::new(reader), Box::new(writer)))
        }
        Remote::Tcp(ip, port) => {
            let (reader, writer) = tcp(SocketAddr::new(*ip, *port)).await?.into_split();
            Ok((Box::new(reader), Box::new(writer)))
        }
        Remote::Tls(ip, port) => {
            let config = tls.ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "ssl: remote without TLS settings",
                )
            })?;
            let stream = tcp(SocketAddr::new(*ip, *port)).await?;
            let name = rustls::pki_types::ServerName::IpAddress((*ip).into());
            let stream = TlsConnector::from(config.clone())
                .connect(name, stream)
                .await?;
            let (reader, writer) = tokio::io::split(stream);
            Ok((Box::new(reader), Box::new(writer)))
        }
    }
}

async fn tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
