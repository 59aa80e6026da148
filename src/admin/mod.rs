//! The admin socket: how `vifd status` and its like ask the running agent.
//!
//! Owns: the unix socket, who may use it, its limits, the lock that keeps a second agent out, and the JSON shapes. Must
//! not know: the stores. A question goes to the agent's loop as an [`AdminRequest`], which answers with a snapshot.
//! One JSON object per line each way. Held by the tests at the foot of each file and by `tests/cli_admin.rs`.

pub mod client;
pub mod lock;
pub mod server;
pub mod shape;

use tokio::sync::oneshot;

pub use lock::{Lock, LockError};
pub use server::{AdminSocket, BindError};
pub use shape::{AdminReply, Command};

/// A question on its way to the agent's loop.
#[derive(Debug)]
pub struct AdminRequest {
    /// What is asked.
    pub command: Command,
    /// Where the answer goes. Whoever asked may have gone.
    pub reply: oneshot::Sender<AdminReply>,
}
