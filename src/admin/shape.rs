//! What goes over the admin socket: requests in, snapshots out, as JSON.
//!
//! These are the only serialisable forms of the agent's state; `agent` makes them from the stores. Texts in them are
//! for people; programs may rely on the names of the fields.

use serde::{Deserialize, Serialize};

/// A question.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "cmd", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// How the agent is. Answer: [`Status`].
    Status,
    /// Which steps a port has behind it, and which it waits for. Answer: [`PortExplain`].
    PortExplain {
        /// A port's id, the beginning of one, its name, or its device's name.
        id: String,
    },
    /// What the control plane wants. Answer: [`DumpDesired`].
    DumpDesired,
    /// What is there. Answer: [`DumpObserved`].
    DumpObserved,
    /// What the planner makes of both. Answer: [`DumpCells`].
    DumpCells {
        /// Only cells whose name contains this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        matching: Option<String>,
        /// Only cells that are not as they should be.
        #[serde(default)]
        unsettled: bool,
    },
    /// Renders everything anew and corrects what differs. Answer: [`Audit`].
    Audit,
}

/// An answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdminReply {
    /// To [`Command::Status`].
    Status(Box<Status>),
    /// To [`Command::PortExplain`].
    PortExplain(PortExplain),
    /// To [`Command::DumpDesired`].
    Desired(DumpDesired),
    /// To [`Command::DumpObserved`].
    Observed(DumpObserved),
    /// To [`Command::DumpCells`].
    Cells(DumpCells),
    /// To [`Command::Audit`].
    Audit(Audit),
    /// The question cannot be answered.
    Error(Refusal),
}

/// Why a question was not answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Refusal {
    /// `true` if what was asked for does not exist.
    pub not_found: bool,
    /// In words for a person.
    pub message: String,
}

impl AdminReply {
    /// What was asked for does not exist.
    pub fn not_found(message: impl Into<String>) -> AdminReply {
        AdminReply::Error(Refusal {
            not_found: true,
            message: message.into(),
        })
    }

    /// The question cannot be answered.
    pub fn refused(message: impl Into<String>) -> AdminReply {
        AdminReply::Error(Refusal {
            not_found: false,
            message: message.into(),
        })
    }
}

/// How the agent is.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Status {
    /// Its version.
    pub version: String,
    /// The host it answers for.
    pub host: String,
    /// Its process.
    pub pid: u32,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Every part it depends on.
    pub parts: Vec<PartStatus>,
    /// VIFs on the integration bridge.
    pub vifs: u64,
    /// Ports bound to this host, by status.
    pub ports: std::collections::BTreeMap<String, u64>,
    /// Local VLANs in use.
    pub local_vlans: u64,
    /// Cells.
    pub cells: CellCounts,
    /// What the planner has done since the start, by name.
    pub counters: std::collections::BTreeMap<String, u64>,
}

impl Status {
    /// Everything is connected, and nothing is on its way or refused. Cells may wait for others to act.
    pub fn is_settled(&self) -> bool {
        self.parts.iter().all(|part| part.up) && self.cells.pending == 0 && self.cells.failed == 0
    }
}

/// One part.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PartStatus {
    /// `source`, `ovsdb`, `flows br-int`, `links`, `reports`.
    pub part: String,
    /// Whether it is there.
    pub up: bool,
    /// Why not, or anything worth knowing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// How many cells are in which state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CellCounts {
    /// As they should be.
    pub settled: u64,
    /// On their way, or still to be looked at.
    pub pending: u64,
    /// Waiting for something.
    pub blocked: u64,
    /// Refused, to be tried again.
    pub failed: u64,
}

/// Where a step or cell stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    Done,
    /// Waits for something, or is on its way.
    Waiting,
    /// Refused; it is tried again.
    Failed,
}

impl State {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            State::Done => "done",
            State::Waiting => "waiting",
            State::Failed => "failed",
        }
    }
}

/// The life of one port.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PortExplain {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its network: name and id.
    pub network: String,
    /// Its device on this host, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The status that the control plane is told.
    pub status: String,
    /// Steps in the order in which they happen.
    pub steps: Vec<Step>,
    /// The whole in one sentence: what it waits for and what to do.
    pub verdict: String,
}

/// One step of a port.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// What has to happen.
    pub step: String,
    /// Where it stands.
    pub state: State,
    /// Values, or the reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Since when, in µs since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
}

/// What the control plane wants.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DumpDesired {
    /// Whether the first snapshot was complete.
    pub complete: bool,
    /// Networks.
    pub networks: Vec<DesiredNetwork>,
    /// Subnets.
    pub subnets: Vec<DesiredSubnet>,
    /// Ports bound to this host.
    pub ports: Vec<DesiredPort>,
    /// Tunnel endpoints of all hosts.
    pub endpoints: Vec<DesiredEndpoint>,
    /// Security groups that ports of this host are in.
    #[serde(default)]
    pub groups: Vec<DesiredGroup>,
    /// Addresses of the groups that rules of those name; empty where nothing enforces groups.
    #[serde(default)]
    pub sets: Vec<DesiredSet>,
}

/// A security group.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DesiredGroup {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Replies pass without rules of their own.
    pub stateful: bool,
    /// What it allows.
    pub rules: Vec<DesiredRule>,
    /// Rules that were left out, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// A rule of a security group.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DesiredRule {
    /// Its id.
    pub id: String,
    /// `ingress IPv4 tcp 80:443 from 10.0.0.0/8`
    pub allows: String,
}

/// The addresses of a security group or address group.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DesiredSet {
    /// `group` or `addresses`.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// How many ports or entries contribute.
    pub members: u64,
    /// `PREFIX`, or `PREFIX MAC` of a port.
    pub addresses: Vec<String>,
}

/// A network.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DesiredNetwork {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Administratively up.
    pub admin_up: bool,
    /// In bytes.
    pub mtu: u16,
    /// What carries it.
    pub segments: Vec<DesiredSegment>,
    /// Why it cannot be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unusable: Option<String>,
}

/// A segment of a network.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DesiredSegment {
    /// Its id.
    pub id: String,
    /// `local`, `flat`, `vlan`, `gre` or `vxlan`.
    pub network_type: String,
    /// For flat and vlan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub physical_network: Option<String>,
    /// VLAN id or tunnel key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segmentation_id: Option<u32>,
    /// The VLAN that stands for it on this host, while in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_vlan: Option<u16>,
}

/// A subnet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DesiredSubnet {
    /// Its id.
    pub id: String,
    /// Its network's id.
    pub network: String,
    /// Its addresses.
    pub cidr: String,
    /// The default gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
}

/// A port.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DesiredPort {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its network's id.
    pub network: String,
    /// Its hardware address.
    pub mac: String,
    /// Its addresses.
    pub ips: Vec<String>,
    /// Further sources it may use: `PREFIX` or `PREFIX MAC`.
    pub allowed_pairs: Vec<String>,
    /// Administratively up.
    pub admin_up: bool,
    /// Held to its addresses.
    pub port_security: bool,
    /// Ids of its security groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Who uses it.
    pub device_owner: String,
    /// What the control plane shows for it.
    pub status: String,
    /// Why it cannot be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unusable: Option<String>,
}

/// A tunnel endpoint.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DesiredEndpoint {
    /// Whose.
    pub host: String,
    /// `gre` or `vxlan`.
    pub kind: String,
    /// Where.
    pub ip: String,
}

/// What is there.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DumpObserved {
    /// The switch's database is connected.
    pub switch_up: bool,
    /// Its replica was complete once.
    pub switch_complete: bool,
    /// `Open_vSwitch.cur_cfg`.
    pub cur_cfg: i64,
    /// Bridges.
    pub bridges: Vec<ObservedBridge>,
    /// Ports.
    pub ports: Vec<ObservedPort>,
    /// Devices.
    pub links: Vec<ObservedLink>,
    /// Addresses of this host.
    pub addresses: Vec<String>,
}

/// A bridge.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ObservedBridge {
    /// Its name.
    pub name: String,
    /// `system` or `netdev`.
    pub datapath_type: String,
    /// `fail_mode`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_mode: Option<String>,
    /// `external_ids:vifd-owner`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// A port of a bridge.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ObservedPort {
    /// Its name.
    pub name: String,
    /// Its bridge.
    pub bridge: String,
    /// Its tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<u16>,
    /// Its interface's type; empty for a device of the system.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Its OpenFlow number; absent while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ofport: Option<u16>,
    /// What `ovs-vswitchd` says is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The port it claims to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iface_id: Option<String>,
    /// With that hardware address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached_mac: Option<String>,
    /// `external_ids:vifd-owner`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// A device.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ObservedLink {
    /// Its name.
    pub name: String,
    /// In bytes.
    pub mtu: u32,
    /// `IFF_UP`.
    pub up: bool,
}

/// What the planner makes of both.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DumpCells {
    /// The cells asked for, by name.
    pub cells: Vec<DumpCell>,
}

/// One cell.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DumpCell {
    /// Whose.
    pub cell: String,
    /// Which side.
    pub facet: String,
    /// Where it stands.
    pub state: State,
    /// What it asks for, as text.
    pub items: Vec<String>,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_on: Option<String>,
    /// Times that something of it was refused.
    #[serde(default)]
    pub attempts: u32,
    /// The last refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// What an audit found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Audit {
    /// Cells rendered.
    pub cells: u64,
    /// Cells that were not what they should have been.
    pub differences: u64,
    /// The first of them.
    #[serde(default)]
    pub different: Vec<String>,
    /// What does not fit together although each cell is what it should be.
    #[serde(default)]
    pub findings: Vec<String>,
}
