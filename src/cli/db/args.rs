//! The arguments of `vifd db`, with the help that goes with them.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::group_args::{AddressGroupCommand, GroupCommand, RuleCommand};
use crate::store::edit::{
    HostChange, NetworkChange, NewHost, NewNetwork, NewPort, NewSubnet, PortChange, SubnetChange,
};

/// Arguments of `vifd db`.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
#[command(after_help = EXAMPLES)]
pub struct DbArgs {
    /// The database, such as sqlite:////var/lib/vifd/vifd.db [default: connection of section database in the configuration]
    #[arg(long, value_name = "URL", global = true, env = "VIFD_DB")]
    pub db: Option<String>,
    /// Configuration file (may be repeated) [default: /etc/vifd/vifd.conf if it exists]
    #[arg(long, value_name = "FILE", global = true, env = "VIFD_CONFIG")]
    pub config: Vec<PathBuf>,
    /// Print JSON instead of tables
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: DbCommand,
}

const EXAMPLES: &str = "\
Objects are named by name, by id, or by the first four or more digits of the id.

Examples:
  export VIFD_DB=sqlite:////var/lib/vifd/vifd.db
  vifd db init
  vifd db network create blue --type vxlan
  vifd db subnet create --network blue 10.0.1.0/24
  vifd db port create --network blue --name vm1 --host hv1
  vifd db port list --host hv1
  vifd db group create web
  vifd db rule create --group web --ingress --protocol tcp --port 443
  vifd db port set vm1 --group web
  vifd db status";

/// Commands of `vifd db`.
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum DbCommand {
    /// Create the database, or bring an existing one up to date
    Init,
    /// Bring the schema of an existing database up to date
    Migrate,
    /// Show what the database holds and which agents live
    Status,
    /// Shorten the change log; agents that had not read what goes take a new snapshot
    Prune {
        /// How many of the newest entries stay
        #[arg(long, default_value_t = 10_000, value_name = "N")]
        keep: u32,
    },
    /// Make many changes in one transaction, from JSON lines
    #[command(after_help = APPLY_EXAMPLES)]
    Apply {
        /// One JSON object per line; - is stdin
        file: PathBuf,
    },
    /// Networks
    #[command(subcommand)]
    Network(NetworkCommand),
    /// Subnets
    #[command(subcommand)]
    Subnet(SubnetCommand),
    /// Ports
    #[command(subcommand)]
    Port(PortCommand),
    /// Hosts
    #[command(subcommand)]
    Host(HostCommand),
    /// Security groups: what may pass the ports that are in them
    #[command(subcommand)]
    Group(GroupCommand),
    /// Rules of security groups
    #[command(subcommand)]
    Rule(RuleCommand),
    /// Address groups: prefixes under a name that rules refer to
    #[command(subcommand)]
    AddressGroup(AddressGroupCommand),
}

const APPLY_EXAMPLES: &str = r#"All lines are carried out, or none. Empty lines and lines that begin with # are skipped. Later lines may name
what earlier ones made.

Examples:
  {"create": "network", "name": "blue", "type": "vxlan", "segmentation_id": 42}
  {"create": "subnet", "network": "blue", "cidr": "10.0.1.0/24", "gateway": "none"}
  {"create": "port", "network": "blue", "name": "vm1", "host": "hv1", "ips": ["10.0.1.9"], "mac": "fa:16:3e:00:00:09"}
  {"create": "host", "name": "hv1", "tunnel_ip": "192.0.2.1", "tunnel_types": ["vxlan"]}
  {"create": "group", "name": "web"}
  {"create": "rule", "group": "web", "direction": "ingress", "protocol": "tcp", "ports": "80:443"}
  {"create": "address_group", "name": "offices", "addresses": ["198.51.100.0/24"]}
  {"set": "port", "port": "vm1", "admin_up": false, "groups": ["web"]}
  {"delete": "port", "port": "vm1"}

Fields of a port: network, name, id, mac, ips, host, admin_up, port_security, device_owner, allowed_addresses, groups.
Fields of a rule: group, direction, ethertype, protocol, ports, icmp_type, icmp_code, remote_prefix, remote_group,
remote_address_group, description, id."#;

/// `vifd db network`
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum NetworkCommand {
    /// Make a network
    #[command(after_help = "\
Examples:
  vifd db network create blue --type vxlan
  vifd db network create red --type gre --segmentation-id 77 --mtu 1400
  vifd db network create office --type vlan --physical-network physnet1 --segmentation-id 100
  vifd db network create rack --type flat --physical-network physnet1
  vifd db network create here --type local")]
    Create(NetworkCreate),
    /// List networks
    List,
    /// Show one network
    Show {
        /// Name or id
        network: String,
    },
    /// Change a network
    Set {
        /// Name or id
        network: String,
        /// What changes.
        #[command(flatten)]
        change: NetworkSet,
    },
    /// Delete networks with their subnets; not while they have ports
    Delete {
        /// Names or ids
        #[arg(required = true)]
        networks: Vec<String>,
    },
}

/// `vifd db network create`
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct NetworkCreate {
    /// Its name
    name: String,
    /// local, flat, vlan, gre or vxlan
    #[arg(long = "type", value_name = "TYPE")]
    kind: String,
    /// The physical network that carries it (flat, vlan): a key of bridge_mappings
    #[arg(long, value_name = "NAME")]
    physical_network: Option<String>,
    /// VLAN id 1..4094, VXLAN id 1..16777215, GRE key 1..4294967295 [gre, vxlan: the lowest free one]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    segmentation_id: Option<i64>,
    /// Largest IP packet in bytes [default: 1500 less the headers of the tunnel]
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true)]
    mtu: Option<i64>,
    /// Make it administratively down
    #[arg(long)]
    admin_down: bool,
    /// Its id [default: random]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

impl From<NetworkCreate> for NewNetwork {
    fn from(args: NetworkCreate) -> NewNetwork {
        NewNetwork {
            name: args.name,
            kind: args.kind,
            physical_network: args.physical_network,
            segmentation_id: args.segmentation_id,
            mtu: args.mtu,
            admin_up: Some(!args.admin_down),
            id: args.id,
        }
    }
}

/// Up or down.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
struct Admin {
    /// Put it administratively up
    #[arg(long, conflicts_with = "admin_down")]
    admin_up: bool,
    /// Put it administratively down
    #[arg(long)]
    admin_down: bool,
}

impl Admin {
    fn wanted(&self) -> Option<bool> {
        if self.admin_up || self.admin_down {
            Some(self.admin_up)
        } else {
            None
        }
    }
}

/// `vifd db network set`
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct NetworkSet {
    /// A new name
    #[arg(long)]
    name: Option<String>,
    /// A new MTU
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true)]
    mtu: Option<i64>,
    #[command(flatten)]
    admin: Admin,
}

impl From<NetworkSet> for NetworkChange {
    fn from(args: NetworkSet) -> NetworkChange {
        NetworkChange {
            name: args.name,
            mtu: args.mtu,
            admin_up: args.admin.wanted(),
        }
    }
}

/// `vifd db subnet`
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum SubnetCommand {
    /// Make a subnet
    #[command(after_help = "\
Examples:
  vifd db subnet create --network blue 10.0.1.0/24
  vifd db subnet create --network blue 2001:db8:1::/64 --gateway none")]
    Create(SubnetCreate),
    /// List subnets
    List {
        /// Only those of this network
        #[arg(long)]
        network: Option<String>,
    },
    /// Show one subnet
    Show {
        /// Name or id
        subnet: String,
    },
    /// Change a subnet
    Set {
        /// Name or id
        subnet: String,
        /// What changes.
        #[command(flatten)]
        change: SubnetSet,
    },
    /// Delete subnets; not while ports have addresses of them
    Delete {
        /// Names or ids
        #[arg(required = true)]
        subnets: Vec<String>,
    },
}

/// `vifd db subnet create`
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct SubnetCreate {
    /// Its addresses, such as 10.0.1.0/24
    cidr: String,
    /// Name or id of its network
    #[arg(long)]
    network: String,
    /// The default gateway, or none [default: the first address]
    #[arg(long, value_name = "IP")]
    gateway: Option<String>,
    /// Its name
    #[arg(long, default_value = "")]
    name: String,
    /// Its id [default: random]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

impl From<SubnetCreate> for NewSubnet {
    fn from(args: SubnetCreate) -> NewSubnet {
        NewSubnet {
            network: args.network,
            cidr: args.cidr,
            gateway: args.gateway,
            name: args.name,
            id: args.id,
        }
    }
}

/// `vifd db subnet set`
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct SubnetSet {
    /// A new name
    #[arg(long)]
    name: Option<String>,
    /// Another gateway, or none
    #[arg(long, value_name = "IP")]
    gateway: Option<String>,
}

impl From<SubnetSet> for SubnetChange {
    fn from(args: SubnetSet) -> SubnetChange {
        SubnetChange {
            name: args.name,
            gateway: args.gateway,
        }
    }
}

/// `vifd db port`
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum PortCommand {
    /// Make one port, or many alike
    #[command(after_help = "\
Addresses are checked against the subnets of the network; without --ip a free one of each family is given. Without
--group a port joins the group default, unless its port security is off.

Examples:
  vifd db port create --network blue --name vm1 --host hv1
  vifd db port create --network blue --ip 10.0.1.9 --mac fa:16:3e:00:00:09
  vifd db port create --network blue --name vm --count 100 --host hv1
  vifd db port create --network blue --name web1 --group web --group ssh
  vifd db port create --network blue --allow 192.0.2.0/24 --allow 198.51.100.7,fa:16:3e:00:00:01")]
    Create(PortCreate),
    /// List ports
    List {
        /// Only those on this network
        #[arg(long)]
        network: Option<String>,
        /// Only those bound to this host
        #[arg(long)]
        host: Option<String>,
        /// Only those with this status: BUILD, ACTIVE, DOWN, ERROR
        #[arg(long)]
        status: Option<String>,
        /// Only those in this security group
        #[arg(long)]
        group: Option<String>,
    },
    /// Show one port
    Show {
        /// Name or id
        port: String,
    },
    /// Change a port
    #[command(after_help = "\
Examples:
  vifd db port set vm1 --host hv2
  vifd db port set vm1 --unbind
  vifd db port set vm1 --admin-down
  vifd db port set vm1 --ip 10.0.1.20 --ip 2001:db8:1::20
  vifd db port set vm1 --group web --group default
  vifd db port set vm1 --no-group")]
    Set {
        /// Name or id
        port: String,
        /// What changes.
        #[command(flatten)]
        change: PortSet,
    },
    /// Delete ports
    Delete {
        /// Names or ids
        #[arg(required = true)]
        ports: Vec<String>,
    },
}

/// `vifd db port create`
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct PortCreate {
    /// Name or id of its network
    #[arg(long)]
    network: String,
    /// Its name; with --count it is followed by -1, -2 …
    #[arg(long, default_value = "")]
    name: String,
    /// Its hardware address [default: random, fa:16:3e:…]
    #[arg(long)]
    mac: Option<String>,
    /// An address (may be repeated) [default: a free one of each family]
    #[arg(long)]
    ip: Vec<String>,
    /// Give it no address
    #[arg(long, conflicts_with = "ip")]
    no_ip: bool,
    /// The host it is bound to
    #[arg(long)]
    host: Option<String>,
    /// Make it administratively down
    #[arg(long)]
    admin_down: bool,
    /// Let it send from any address
    #[arg(long)]
    no_port_security: bool,
    /// Who uses it, such as compute:nova; owners that begin with network: are not held to their addresses
    #[arg(long, default_value = "", value_name = "OWNER")]
    device_owner: String,
    /// One more source it may use (may be repeated)
    #[arg(long, value_name = "PREFIX[,MAC]")]
    allow: Vec<String>,
    /// A security group it is in (may be repeated) [default: the group default]
    #[arg(long)]
    group: Vec<String>,
    /// Put it into no security group: where groups are enforced, nothing passes it
    #[arg(long, conflicts_with = "group")]
    no_group: bool,
    /// Its id [default: random]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
    /// Make so many, in one transaction
    #[arg(long, value_name = "N", conflicts_with_all = ["mac", "ip", "id"])]
    count: Option<u32>,
}

impl PortCreate {
    /// The ports that are asked for.
    pub fn ports(&self) -> Vec<NewPort> {
        let name = |n: u32| match (self.count, self.name.as_str()) {
            (None, name) => name.to_owned(),
            (Some(_), "") => String::new(),
            (Some(_), name) => format!("{name}-{n}"),
        };
        let ips = if self.ip.is_empty() && !self.no_ip {
            None
        } else {
            Some(self.ip.clone())
        };
        let groups = (self.no_group || !self.group.is_empty()).then(|| self.group.clone());
        (1..=self.count.unwrap_or(1))
            .map(|n| NewPort {
                network: self.network.clone(),
                name: name(n),
                mac: self.mac.clone(),
                ips: ips.clone(),
                host: self.host.clone(),
                admin_up: Some(!self.admin_down),
                port_security: Some(!self.no_port_security),
                device_owner: self.device_owner.clone(),
                allowed_addresses: self.allow.clone(),
                groups: groups.clone(),
                id: self.id.clone(),
            })
            .collect()
    }
}

/// `vifd db port set`
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct PortSet {
    /// A new name
    #[arg(long)]
    name: Option<String>,
    /// Another hardware address
    #[arg(long)]
    mac: Option<String>,
    /// These addresses instead of those it has (may be repeated)
    #[arg(long)]
    ip: Vec<String>,
    /// Take its addresses away
    #[arg(long, conflicts_with = "ip")]
    no_ip: bool,
    /// Bind it to another host; its status starts over
    #[arg(long)]
    host: Option<String>,
    /// Bind it to no host
    #[arg(long, conflicts_with = "host")]
    unbind: bool,
    #[command(flatten)]
    admin: Admin,
    /// Hold it to its addresses
    #[arg(long, conflicts_with = "no_port_security")]
    port_security: bool,
    /// Let it send from any address
    #[arg(long)]
    no_port_security: bool,
    /// Who uses it
    #[arg(long, value_name = "OWNER")]
    device_owner: Option<String>,
    /// These further sources instead of those it has (may be repeated)
    #[arg(long, value_name = "PREFIX[,MAC]")]
    allow: Vec<String>,
    /// Take its further sources away
    #[arg(long, conflicts_with = "allow")]
    no_allow: bool,
    /// These security groups instead of those it is in (may be repeated)
    #[arg(long)]
    group: Vec<String>,
    /// Take it out of all security groups: where groups are enforced, nothing passes it
    #[arg(long, conflicts_with = "group")]
    no_group: bool,
}

impl From<PortSet> for PortChange {
    fn from(args: PortSet) -> PortChange {
        let list = |list: Vec<String>, none: bool| {
            if list.is_empty() && !none {
                None
            } else {
                Some(list)
            }
        };
        PortChange {
            name: args.name,
            mac: args.mac,
            ips: list(args.ip, args.no_ip),
            host: if args.unbind {
                Some(String::new())
            } else {
                args.host
            },
            admin_up: args.admin.wanted(),
            port_security: (args.port_security || args.no_port_security)
                .then_some(args.port_security),
            device_owner: args.device_owner,
            allowed_addresses: list(args.allow, args.no_allow),
            groups: list(args.group, args.no_group),
        }
    }
}

/// `vifd db host`
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum HostCommand {
    /// Make a host that runs no agent yet; an agent makes its own
    #[command(after_help = "\
Examples:
  vifd db host create hv3 --tunnel-ip 192.0.2.3
  vifd db host create gateway --tunnel-ip 2001:db8::9 --tunnel-types vxlan")]
    Create(HostCreate),
    /// List hosts and their agents
    List,
    /// Show one host
    Show {
        /// Its name
        host: String,
    },
    /// Change where the tunnels of a host end; a running agent restores its own when it restarts
    Set {
        /// Its name
        host: String,
        /// What changes.
        #[command(flatten)]
        tunnels: Tunnels,
    },
    /// Delete hosts; not while their agents live or ports are bound to them
    Delete {
        /// Names
        #[arg(required = true)]
        hosts: Vec<String>,
    },
}

/// `vifd db host create`
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct HostCreate {
    /// Its name, as in [DEFAULT] host of its agent
    name: String,
    #[command(flatten)]
    tunnels: Tunnels,
}

/// Where tunnels end.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct Tunnels {
    /// Where its tunnels end: IPv4, IPv6 or none
    #[arg(long, value_name = "IP")]
    tunnel_ip: Option<String>,
    /// gre, vxlan or both [default: both]
    #[arg(long, value_name = "TYPES", value_delimiter = ',')]
    tunnel_types: Vec<String>,
}

impl From<HostCreate> for NewHost {
    fn from(args: HostCreate) -> NewHost {
        NewHost {
            name: args.name,
            tunnel_ip: args.tunnels.tunnel_ip.filter(|ip| ip != "none"),
            tunnel_types: args.tunnels.tunnel_types,
        }
    }
}

impl From<Tunnels> for HostChange {
    fn from(args: Tunnels) -> HostChange {
        HostChange {
            tunnel_ip: args.tunnel_ip,
            tunnel_types: args.tunnel_types,
        }
    }
}
