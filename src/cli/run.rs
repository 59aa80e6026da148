//! `vifd run`: the agent in the foreground.

use std::future::Future;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::failure::{Failure, Kind};
use super::output::say;
use super::place::ConfigFiles;
use crate::admin::{AdminSocket, Lock, LockError};
use crate::config::{Config, Loaded, LogFormat};
use crate::telemetry::{Metrics, http, log};

/// Questions that wait for the agent's loop.
const REQUESTS: usize = 16;

/// Runs the agent in the foreground
#[derive(clap::Args, Clone, PartialEq, Eq, Debug)]
#[command(
    long_about = "Runs the agent in the foreground: it wires the ports that the control plane binds to this host.\n\n\
        SIGTERM and SIGINT stop it; what is wired stays wired, and the next start takes it over without a gap. \
        SIGHUP changes nothing. One agent runs per host: a lock in the run_dir keeps a second one out. Logs go to \
        standard error.",
    after_long_help = "\
Examples:
  vifd run                                      with /etc/vifd/vifd.conf
  vifd run --config neutron.conf --config vifd.conf
  vifd run --check --config vifd.conf           only says whether the configuration is right

A configuration for VXLAN between hosts:
  [DEFAULT]
  host = hv1
  [ovs]
  local_ip = 192.0.2.1
  bridge_mappings = physnet1:br-ex
  [agent]
  tunnel_types = vxlan,gre
  [database]
  connection = sqlite:////var/lib/vifd/vifd.db"
)]
pub struct RunArgs {
    #[command(flatten)]
    files: ConfigFiles,
    /// Check the configuration, say what is wrong with it, and end
    #[arg(long)]
    check: bool,
}

/// See [`RunArgs`].
pub fn run(args: &RunArgs) -> Result<(), Failure> {
    let Loaded { config, warnings } = args.files.load()?;
    if args.check {
        for warning in &warnings {
            eprintln!("vifd: warning: {warning}");
        }
        return say(&format!(
            "the configuration is right ({} warnings)",
            warnings.len()
        ));
    }
    let format = match config.log.format {
        LogFormat::Text => log::Format::Text,
        LogFormat::Json => log::Format::Json,
    };
    log::start(&config.log.level, format).map_err(|e| Failure::failed(&e))?;
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    let lock = Lock::take(&config.lock_file()).map_err(|e| match &e {
        LockError::Held { .. } => Failure::new(Kind::Busy, &e),
        LockError::Io { .. } => Failure::failed(&e),
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(&e))?;
    runtime.block_on(serve(Arc::new(config), &lock))
}

async fn serve(config: Arc<Config>, lock: &Lock) -> Result<(), Failure> {
    let stop = stop_signal().map_err(|e| Failure::failed(&e))?;
    let metrics = Arc::new(Metrics::new());
    let socket =
        AdminSocket::bind(&config.admin_socket(), lock).map_err(|e| Failure::failed(&e))?;
    if let Some(address) = config.metrics_listen {
        let listener = http::listen(address)
            .await
            .map_err(|e| Failure::failed(&e))?;
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "metrics and health");
        }
        let metrics = metrics.clone();
        tokio::spawn(async move {
            if let Err(error) = http::serve(listener, metrics).await {
                tracing::error!(%error, "the metrics server ended");
            }
        });
    }
    let (requests, admin) = mpsc::channel(REQUESTS);
    let socket = tokio::spawn(socket.serve(requests));
    let ended = crate::agent::run(config, metrics, admin, stop).await;
    socket.abort();
    // Its file goes with the task.
    let _ = socket.await;
    ended.map_err(|e| Failure::failed(&e))
}

/// Ready when the process is asked to stop. The handlers are in place when this returns.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        loop {
            tokio::select! {
                () = came(&mut terminate) => return tracing::info!(signal = "SIGTERM", "asked to stop"),
                () = came(&mut interrupt) => return tracing::info!(signal = "SIGINT", "asked to stop"),
                () = came(&mut hangup) => tracing::info!("SIGHUP changes nothing: restart to read the configuration again"),
            }
        }
    })
}

async fn came(signal: &mut Signal) {
    if signal.recv().await.is_none() {
        // The runtime is going down, and with it everything that could be stopped.
        std::future::pending::<()>().await;
    }
}
