//! One hypervisor: namespace, switch, uplinks, and VMs plugged into it.

use std::borrow::Borrow;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::link::{disable_tx_checksum, ip_batch};
use crate::namespace::Namespace;
use crate::scratch::Scratch;
use crate::switch::{Datapath, Switch};
use crate::underlay::Underlay;
use crate::vm::Vm;

/// The physical network that `br-ex` carries.
pub const PHYSICAL_NETWORK: &str = "physnet1";

/// What to plug: one port of one VM.
#[derive(Clone, Debug)]
pub struct PlugSpec {
    /// The control plane's id of the port: `external_ids:iface-id`.
    pub port_id: String,
    /// Its hardware address.
    pub mac: String,
    /// Address with prefix length for the VM's link; `None` leaves it without.
    pub address: Option<(Ipv4Addr, u8)>,
    /// MTU of the VM's link.
    pub mtu: u16,
}

/// A hypervisor.
///
/// Its bridges at the start: `br-under` (not the agent's: carries the tunnel address on its local port, uplink
/// `eth0`) and `br-ex` (physical network [`PHYSICAL_NETWORK`], uplink `eth1`). With the userspace datapath, a
/// tunnel's local address has to sit on the local port of a bridge, or encapsulated packets leave nowhere.
#[derive(Debug)]
pub struct Hypervisor {
    name: String,
    namespace: Arc<Namespace>,
    tunnel_ip: Ipv4Addr,
    tunnel_ip6: Option<Ipv6Addr>,
    /// Its Open vSwitch.
    pub switch: Switch,
}

impl Hypervisor {
    /// Starts one. `index` makes its tunnel address: 192.0.2.`index`.
    pub fn start(scratch: &Scratch, underlay: &Underlay, name: &str, index: u8) -> Result<Self> {
        let datapath = Datapath::from_environment()?;
        let namespace = Namespace::new(false)?;
        underlay.connect(&namespace, name)?;
        namespace.run(|| {
            disable_tx_checksum("eth0")?;
            disable_tx_checksum("eth1")
        })?;
        let switch = Switch::start(&namespace, &scratch.dir(name)?, datapath)?;
        let hypervisor = Hypervisor {
            name: name.to_owned(),
            namespace,
            tunnel_ip: Ipv4Addr::new(192, 0, 2, index),
            tunnel_ip6: None,
            switch,
        };
        let kind = format!("datapath_type={}", datapath.name());
        hypervisor.switch.vsctl(&[
            "--", "add-br", "br-under", "--", "set", "Bridge", "br-under", &kind, "--", "add-port",
            "br-under", "eth0", "--", "add-br", "br-ex", "--", "set", "Bridge", "br-ex", &kind,
            "--", "add-port", "br-ex", "eth1",
        ])?;
        ip_batch(
            &hypervisor.namespace,
            "link set eth0 up\nlink set eth1 up\n",
        )?;
        hypervisor.restore_addresses()?;
        Ok(hypervisor)
    }

    /// Puts the tunnel address back on `br-under`: a new `ovs-vswitchd` makes new local ports in the userspace datapath,
    /// and a real host's network service would do this.
    pub fn restore_addresses(&self) -> Result<()> {
        ip_batch(
            &self.namespace,
            &format!(
                "link set br-under mtu 1600 up\naddr replace {}/24 dev br-under\n\
                 link set br-ex up\n",
                self.tunnel_ip
            ),
        )?;
        let Some(address) = self.tunnel_ip6 else {
            return Ok(());
        };
        self.namespace.run(|| {
            let path = "/proc/sys/net/ipv6/conf/br-under/disable_ipv6";
            std::fs::write(path, "0").with_context(|| format!("write {path}"))
        })?;
        ip_batch(
            &self.namespace,
            &format!("addr replace {address}/64 dev br-under nodad\n"),
        )
    }

    /// Gives it an IPv6 tunnel address as well, 2001:db8::`index`, and says which.
    pub fn add_ipv6_tunnel_address(&mut self) -> Result<Ipv6Addr> {
        let index = u16::from(self.tunnel_ip.octets()[3]);
        let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, index);
        self.tunnel_ip6 = Some(address);
        self.restore_addresses()?;
        Ok(address)
    }

    /// SIGKILL to `ovs-vswitchd`, a new one, and its addresses back.
    pub fn restart_vswitchd(&mut self) -> Result<()> {
        self.switch.kill_vswitchd()?;
        self.switch.start_vswitchd()?;
        self.restore_addresses()
    }

    /// Its host name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its tunnel endpoint.
    pub fn tunnel_ip(&self) -> Ipv4Addr {
        self.tunnel_ip
    }

    /// Its network namespace.
    pub fn namespace(&self) -> &Arc<Namespace> {
        &self.namespace
    }

    /// Creates `br-int` in fail mode secure, as an installation without an agent has it.
    pub fn add_integration_bridge(&self) -> Result<()> {
        let kind = format!("datapath_type={}", self.switch.datapath().name());
        self.switch
            .vsctl(&[
                "--may-exist",
                "add-br",
                "br-int",
                "--",
                "set",
                "Bridge",
                "br-int",
                &kind,
                "fail_mode=secure",
            ])
            .map(drop)
    }

    /// Makes the VMs with their taps, but does not plug them.
    pub fn make_vms(&self, specs: &[PlugSpec]) -> Result<Vec<Vm>> {
        let vms = specs.iter().map(Vm::new).collect::<Result<Vec<_>>>()?;
        let mut lines = String::new();
        for vm in &vms {
            let spec = vm.spec();
            lines += &format!(
                "link add {tap} mtu {mtu} type veth peer name eth0 address {mac} mtu {mtu} netns {ns}\n\
                 link set {tap} up\n",
                tap = vm.tap(),
                mtu = spec.mtu,
                mac = spec.mac,
                ns = vm.namespace().path()
            );
        }
        ip_batch(&self.namespace, &lines)?;
        for vm in &vms {
            vm.configure()?;
        }
        Ok(vms)
    }

    /// Plugs VMs into `br-int`, all in one OVSDB transaction, each on the dead VLAN. Waits until the switch did it.
    pub fn plug<V: Borrow<Vm>>(&self, vms: &[V]) -> Result<()> {
        self.plug_with(vms, &[])
    }

    /// The same without waiting for the switch.
    pub fn plug_no_wait<V: Borrow<Vm>>(&self, vms: &[V]) -> Result<()> {
        self.plug_with(vms, &["--no-wait"])
    }

    fn plug_with<V: Borrow<Vm>>(&self, vms: &[V], options: &[&str]) -> Result<()> {
        let taps: Vec<(String, &PlugSpec)> = vms
            .iter()
            .map(|vm| (vm.borrow().tap().to_owned(), vm.borrow().spec()))
            .collect();
        self.plug_interfaces(&taps, options)
    }

    /// Plugs interfaces that stand for ports.
    pub(crate) fn plug_interfaces(
        &self,
        interfaces: &[(String, &PlugSpec)],
        options: &[&str],
    ) -> Result<()> {
        let mut args: Vec<String> = options.iter().map(|&o| o.to_owned()).collect();
        for (name, spec) in interfaces {
            args.extend(
                ["--", "--may-exist", "add-port", "br-int", name, "tag=4095"].map(str::to_owned),
            );
            args.extend(["--", "set", "Interface", name].map(str::to_owned));
            args.push(format!("external_ids:iface-id={}", spec.port_id));
            args.push(format!("external_ids:attached-mac=\"{}\"", spec.mac));
            args.push("external_ids:iface-status=active".to_owned());
        }
        self.switch
            .vsctl(&args)
            .with_context(|| format!("plug {} ports", interfaces.len()))
            .map(drop)
    }

    /// What a person would look at first when packets do not pass.
    pub fn diagnosis(&self) -> String {
        let mut text = format!("==== {}\n", self.name);
        let mut add = |what: Result<String>| text += &what.unwrap_or_else(|e| format!("{e:#}\n"));
        add(self.switch.vsctl(&["--no-wait", "show"]));
        add(self.switch.appctl(&["dpctl/show", "-s"]));
        add(self.switch.appctl(&["dpctl/dump-flows", "-m"]));
        add(crate::process::run(
            Some(&self.namespace),
            &["ip", "-s", "addr"],
            &[],
            "",
        ));
        add(Ok(self.switch.logs()));
        text
    }

    /// Takes VMs out of `br-int`, in one transaction. Their links stay.
    pub fn unplug<V: Borrow<Vm>>(&self, vms: &[V]) -> Result<()> {
        let mut args: Vec<&str> = Vec::new();
        for vm in vms {
            let vm = vm.borrow();
            args.extend(["--", "--if-exists", "del-port", "br-int", vm.tap()]);
        }
        self.switch.vsctl(&args).map(drop)
    }
}
