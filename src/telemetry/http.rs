//! Metrics and health over HTTP, for scrapers and supervisors. Read only.
//!
//! `/metrics` in the OpenMetrics text format · `/healthz` 200 while the loop turns · `/readyz` 200 when nothing is
//! missing, else 503, with the reasons as JSON.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;

use super::limit::Limited;
use super::metrics::Metrics;

/// Most connections at a time.
const MAX_CONNECTIONS: usize = 32;
/// How long one may last.
const LIFETIME: Duration = Duration::from_secs(60);

/// The HTTP server cannot listen.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {address} for metrics: set [vifd] metrics_listen to a free address, or to nothing to switch it off"
)]
pub struct ListenError {
    address: SocketAddr,
    source: io::Error,
}

/// Binds the address. With port 0 the system chooses one; ask the listener.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| ListenError { address, source })
}

/// Serves until dropped.
pub async fn serve(listener: TcpListener, metrics: Arc<Metrics>) -> io::Result<()> {
    let routes = Router::new()
        .route("/", get(async || "vifd: /metrics /healthz /readyz\n"))
        .route("/metrics", get(metrics_text))
        .route(
            "/healthz",
            get(async || Json(serde_json::json!({ "alive": true }))),
        )
        .route("/readyz", get(ready))
        .with_state(metrics);
    axum::serve(Limited::new(listener, MAX_CONNECTIONS, LIFETIME), routes).await
}

async fn metrics_text(State(metrics): State<Arc<Metrics>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics.text()).into_response()
}

async fn ready(State(metrics): State<Arc<Metrics>>) -> Response {
    let ready = metrics.health.now();
    let missing = ready.missing();
    let status = if missing.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(serde_json::json!({ "ready": missing.is_empty(), "missing": missing })),
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::super::health::Ready;
    use super::*;

    async fn ask(address: SocketAddr, path: &str) -> (u16, String) {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (
            head.split(' ').nth(1).unwrap().parse().unwrap(),
            body.to_owned(),
        )
    }

    #[tokio::test]
    async fn answers_scrapers_and_supervisors() {
        let metrics = Arc::new(Metrics::new());
        let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(serve(listener, metrics.clone()));
        assert_eq!(
            ask(address, "/healthz").await,
            (200, "{\"alive\":true}".to_owned())
        );
        let (status, body) = ask(address, "/readyz").await;
        assert_eq!(status, 503);
        assert!(
            body.contains("\"switch\":\"ovsdb-server is not connected\"")
                && body.contains("\"ready\":false"),
            "{body}"
        );
        metrics.health.set(Ready {
            source: true,
            switch: true,
            bridges: Vec::new(),
        });
        assert_eq!(
            ask(address, "/readyz").await,
            (200, "{\"missing\":{},\"ready\":true}".to_owned())
        );
        let (status, body) = ask(address, "/metrics").await;
        assert!(
            status == 200 && body.contains("vifd_cells_rendered_total 0"),
            "{status} {body}"
        );
        assert_eq!(ask(address, "/nothing").await.0, 404);
        let error = super::listen(address).await.unwrap_err().to_string();
        assert!(error.contains("metrics_listen"), "{error}");
        server.abort();
    }
}
