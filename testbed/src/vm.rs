//! A VM: a namespace behind a veth pair.

use std::sync::Arc;

use anyhow::Result;

use crate::hypervisor::PlugSpec;
use crate::link::{disable_tx_checksum, ip_batch};
use crate::namespace::Namespace;

/// A namespace whose `eth0` is the far end of a tap on the hypervisor. Dropping it removes both.
#[derive(Debug)]
pub struct Vm {
    spec: PlugSpec,
    tap: String,
    namespace: Arc<Namespace>,
}

impl Vm {
    pub(crate) fn new(spec: &PlugSpec) -> Result<Self> {
        let head: String = spec.port_id.chars().take(11).collect();
        Ok(Vm {
            spec: spec.clone(),
            tap: format!("tap{head}"),
            namespace: Namespace::new(false)?,
        })
    }

    pub(crate) fn configure(&self) -> Result<()> {
        self.namespace.run(|| disable_tx_checksum("eth0"))?;
        let mut lines = "link set eth0 up\n".to_owned();
        if let Some((ip, prefix)) = self.spec.address {
            lines += &format!("addr add {ip}/{prefix} dev eth0\n");
        }
        ip_batch(&self.namespace, &lines)
    }

    /// What it was made from.
    pub fn spec(&self) -> &PlugSpec {
        &self.spec
    }

    /// Name of the hypervisor's end: `tap` and the first 11 characters of the port id.
    pub fn tap(&self) -> &str {
        &self.tap
    }

    /// Its namespace.
    pub fn namespace(&self) -> &Arc<Namespace> {
        &self.namespace
    }
}
