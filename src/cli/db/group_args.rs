//! The arguments of `vifd db group`, `rule` and `address-group`, with the help that goes with them.

use clap::{Args, Subcommand};

use crate::store::edit::{AddressGroupChange, GroupChange, NewAddressGroup, NewGroup, NewRule};

/// `vifd db group`
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum GroupCommand {
    /// Make a security group
    #[command(after_help = "\
A new group lets everything out and nothing in; rules let more in. Rules only allow: what no
rule of a port's groups allows is dropped, and their order means nothing. Replies to what was
allowed pass, unless the group is stateless.

New ports join the group default when nobody names another: everything out, and in from each
other.

Examples:
  vifd db group create web
  vifd db rule create --group web --ingress --protocol tcp --port 443
  vifd db port create --network blue --name vm1 --group web --group default
  vifd db group create fast --stateless --no-rules")]
    Create(GroupCreate),
    /// List security groups
    List,
    /// Show one security group with its rules
    Show {
        /// Name or id
        group: String,
    },
    /// Change a security group
    #[command(after_help = "\
Examples:
  vifd db group set web --name frontend
  vifd db group set web --stateless")]
    Set {
        /// Name or id
        group: String,
        /// What changes.
        #[command(flatten)]
        change: GroupSet,
    },
    /// Delete security groups with their rules; not while ports are in them or rules of others name them
    Delete {
        /// Names or ids
        #[arg(required = true)]
        groups: Vec<String>,
    },
}

/// `vifd db group create`
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct GroupCreate {
    /// Its name
    name: String,
    /// What it is for
    #[arg(long, default_value = "", value_name = "TEXT")]
    description: String,
    /// Judge each packet alone: replies need rules of their own
    #[arg(long)]
    stateless: bool,
    /// Make it without rules, instead of with two that let everything out
    #[arg(long)]
    no_rules: bool,
    /// Its id [default: random]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

impl From<GroupCreate> for NewGroup {
    fn from(args: GroupCreate) -> NewGroup {
        NewGroup {
            name: args.name,
            description: args.description,
            stateful: Some(!args.stateless),
            no_rules: args.no_rules,
            id: args.id,
        }
    }
}

/// `vifd db group set`
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct GroupSet {
    /// A new name
    #[arg(long)]
    name: Option<String>,
    /// A new description
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Let replies pass
    #[arg(long, conflicts_with = "stateless")]
    stateful: bool,
    /// Judge each packet alone: replies need rules of their own
    #[arg(long)]
    stateless: bool,
}

impl From<GroupSet> for GroupChange {
    fn from(args: GroupSet) -> GroupChange {
        GroupChange {
            name: args.name,
            description: args.description,
            stateful: (args.stateful || args.stateless).then_some(args.stateful),
        }
    }
}

/// `vifd db rule`
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum RuleCommand {
    /// Allow something
    #[command(after_help = "\
Without --protocol a rule is for any, without a remote for anybody. The ethertype is that of
the prefix, else IPv4: for both families make two rules.

Protocols: tcp, udp, sctp, dccp, udplite (with ports), icmp, icmpv6 (with type and code), ah,
egp, esp, gre, igmp, ipip, ospf, pgm, rsvp, vrrp, ipv6-encap, ipv6-frag, ipv6-nonxt, ipv6-opts,
ipv6-route, or a number.

Examples:
  vifd db rule create --group web --ingress --protocol tcp --port 443
  vifd db rule create --group web --ingress --protocol tcp --port 80:443 --remote-prefix 10.0.0.0/8
  vifd db rule create --group web --ingress --protocol tcp --port 22 --remote-address-group offices
  vifd db rule create --group db --ingress --protocol tcp --port 5432 --remote-group web
  vifd db rule create --group web --ingress --icmp-type 8 --icmp-code 0
  vifd db rule create --group web --ingress --protocol icmp --ethertype IPv6
  vifd db rule create --group web --egress --remote-prefix 2001:db8::/32")]
    Create(Box<RuleCreate>),
    /// List rules
    #[command(after_help = "\
Examples:
  vifd db rule list --group web
  vifd db rule list --port vm1              everything that applies to a port
  vifd db rule list --port vm1 --ingress
  vifd db rule list --remote-group web      who lets the ports of web in")]
    List(RuleList),
    /// Show one rule
    Show {
        /// Its id, or the beginning of it
        rule: String,
    },
    /// Delete rules
    Delete {
        /// Their ids, or the beginnings of them
        #[arg(required = true)]
        rules: Vec<String>,
    },
}

/// `vifd db rule create`
#[derive(Args, Clone, PartialEq, Eq, Debug)]
#[command(group(clap::ArgGroup::new("direction").required(true)))]
pub struct RuleCreate {
    /// Name or id of its group
    #[arg(long)]
    group: String,
    /// To the port: the remote end is the source
    #[arg(long, group = "direction")]
    ingress: bool,
    /// From the port: the remote end is the destination
    #[arg(long, group = "direction")]
    egress: bool,
    /// IPv4 or IPv6 [default: as the prefix or the protocol says, else IPv4]
    #[arg(long, value_name = "FAMILY")]
    ethertype: Option<String>,
    /// Name or number [default: any]
    #[arg(long, value_name = "PROTOCOL")]
    protocol: Option<String>,
    /// Destination port, or range of ports [default: all]
    #[arg(long, value_name = "PORT[:PORT]")]
    port: Option<String>,
    /// ICMP type, 0..255 [default: all]
    #[arg(
        long,
        value_name = "N",
        conflicts_with = "port",
        allow_negative_numbers = true
    )]
    icmp_type: Option<i64>,
    /// ICMP code, 0..255 [default: all]
    #[arg(
        long,
        value_name = "N",
        requires = "icmp_type",
        allow_negative_numbers = true
    )]
    icmp_code: Option<i64>,
    /// The remote end: an address or a prefix
    #[arg(long, value_name = "PREFIX", conflicts_with_all = ["remote_group", "remote_address_group"])]
    remote_prefix: Option<String>,
    /// The remote end: any port of this security group, on any network and host
    #[arg(long, value_name = "GROUP", conflicts_with = "remote_address_group")]
    remote_group: Option<String>,
    /// The remote end: any address of this address group
    #[arg(long, value_name = "GROUP")]
    remote_address_group: Option<String>,
    /// What it is for
    #[arg(long, default_value = "", value_name = "TEXT")]
    description: String,
    /// Its id [default: random]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

impl From<RuleCreate> for NewRule {
    fn from(args: RuleCreate) -> NewRule {
        NewRule {
            group: args.group,
            direction: if args.ingress { "ingress" } else { "egress" }.to_owned(),
            ethertype: args.ethertype,
            protocol: args.protocol,
            ports: args.port,
            icmp_type: args.icmp_type,
            icmp_code: args.icmp_code,
            remote_prefix: args.remote_prefix,
            remote_group: args.remote_group,
            remote_address_group: args.remote_address_group,
            description: args.description,
            id: args.id,
        }
    }
}

/// `vifd db rule list`
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct RuleList {
    /// Only those of this group
    #[arg(long)]
    pub group: Option<String>,
    /// Only those that apply to this port, by any of its groups
    #[arg(long)]
    pub port: Option<String>,
    /// Only those whose remote end is this security group
    #[arg(long, value_name = "GROUP")]
    pub remote_group: Option<String>,
    /// Only those whose remote end is this address group
    #[arg(long, value_name = "GROUP")]
    pub remote_address_group: Option<String>,
    /// Only those for packets to the port
    #[arg(long, conflicts_with = "egress")]
    pub ingress: bool,
    /// Only those for packets from the port
    #[arg(long)]
    pub egress: bool,
}

/// `vifd db address-group`
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum AddressGroupCommand {
    /// Make an address group
    #[command(after_help = "\
Rules refer to it with --remote-address-group; what it holds can change without touching them.

Examples:
  vifd db address-group create offices 198.51.100.0/24 203.0.113.7 2001:db8:1::/48
  vifd db rule create --group web --ingress --protocol tcp --port 22 --remote-address-group offices")]
    Create(AddressGroupCreate),
    /// List address groups
    List,
    /// Show one address group
    Show {
        /// Name or id
        group: String,
    },
    /// Change an address group
    #[command(after_help = "\
Examples:
  vifd db address-group set offices --add 192.0.2.0/25 --remove 203.0.113.7
  vifd db address-group set offices --name branches")]
    Set {
        /// Name or id
        group: String,
        /// What changes.
        #[command(flatten)]
        change: AddressGroupSet,
    },
    /// Delete address groups; not while rules name them
    Delete {
        /// Names or ids
        #[arg(required = true)]
        groups: Vec<String>,
    },
}

/// `vifd db address-group create`
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct AddressGroupCreate {
    /// Its name
    name: String,
    /// Addresses and prefixes, IPv4 and IPv6
    #[arg(value_name = "PREFIX")]
    addresses: Vec<String>,
    /// What it is for
    #[arg(long, default_value = "", value_name = "TEXT")]
    description: String,
    /// Its id [default: random]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

impl From<AddressGroupCreate> for NewAddressGroup {
    fn from(args: AddressGroupCreate) -> NewAddressGroup {
        NewAddressGroup {
            name: args.name,
            description: args.description,
            addresses: args.addresses,
            id: args.id,
        }
    }
}

/// `vifd db address-group set`
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct AddressGroupSet {
    /// A new name
    #[arg(long)]
    name: Option<String>,
    /// A new description
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Put an address or prefix in (may be repeated)
    #[arg(long, value_name = "PREFIX")]
    add: Vec<String>,
    /// Take an address or prefix out (may be repeated)
    #[arg(long, value_name = "PREFIX")]
    remove: Vec<String>,
}

impl From<AddressGroupSet> for AddressGroupChange {
    fn from(args: AddressGroupSet) -> AddressGroupChange {
        AddressGroupChange {
            name: args.name,
            description: args.description,
            remove: args.remove,
            add: args.add,
        }
    }
}
