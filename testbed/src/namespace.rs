//! Network namespaces without names: they live as long as a descriptor or a process in them.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use rustix::thread::{LinkNameSpaceType, UnshareFlags};

/// A network namespace.
#[derive(Debug)]
pub struct Namespace {
    fd: OwnedFd,
}

impl Namespace {
    /// A new one, with `lo` up and IPv6 off unless asked for (its chatter disturbs exact counts).
    pub fn new(ipv6: bool) -> Result<Arc<Self>> {
        let fd = std::thread::spawn(move || -> Result<OwnedFd> {
            // SAFETY: only this short-lived thread moves; no descriptor table is shared or split.
            unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }
                .context("make a network namespace (needs root)")?;
            if !ipv6 {
                for scope in ["all", "default"] {
                    let path = format!("/proc/sys/net/ipv6/conf/{scope}/disable_ipv6");
                    if std::path::Path::new(&path).exists() {
                        std::fs::write(&path, "1").with_context(|| format!("write {path}"))?;
                    }
                }
            }
            Ok(File::open("/proc/thread-self/ns/net")?.into())
        })
        .join()
        .map_err(|_| anyhow!("namespace thread panicked"))??;
        let namespace = Arc::new(Namespace { fd });
        crate::link::ip_batch(&namespace, "link set lo up\n")?;
        Ok(namespace)
    }

    /// A path that names it, for `ip … netns PATH` and `nsenter --net=PATH`, while this process lives.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.fd.as_raw_fd())
    }

    /// Moves the calling thread into it, for good. For threads made for the purpose.
    pub fn enter(&self) -> Result<()> {
        rustix::thread::move_into_link_name_space(self.fd.as_fd(), Some(LinkNameSpaceType::Network))
            .context("enter a network namespace")
    }

    /// Runs a function inside, on a thread of its own.
    pub fn run<T: Send>(&self, function: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    self.enter()?;
                    function()
                })
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
