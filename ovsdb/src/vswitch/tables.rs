//! The tables, one declaration each (ovs-vswitchd.conf.db(5)).

use super::Table;
use super::field::{Field, StrMap, UuidSet};
use crate::json::Str;
use crate::replica::Row;
use crate::uuid::Uuid;

macro_rules! table {
    ($(#[$doc:meta])* $name:ident = $table:literal {
        $($(#[$field_doc:meta])* $field:ident: $kind:ty = $column:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            /// Identifier of the row.
            pub uuid: Uuid,
            $($(#[$field_doc])* pub $field: $kind,)*
        }

        impl Table for $name {
            const NAME: &'static str = $table;
            const COLUMNS: &'static [&'static str] = &[$($column),*];

            fn from_row(uuid: Uuid, row: &Row) -> Self {
                Self { uuid, $($field: <$kind as Field>::read(row.get($column)),)* }
            }
        }
    };
}

table! {
    /// The root row.
    OpenVSwitch = "Open_vSwitch" {
        /// Bridges.
        bridges: UuidSet = "bridges",
        /// Number of the configuration wanted.
        next_cfg: i64 = "next_cfg",
        /// Number of the configuration ovs-vswitchd has applied.
        cur_cfg: i64 = "cur_cfg",
        /// Identifiers for other programs.
        external_ids: StrMap = "external_ids",
        /// Other configuration.
        other_config: StrMap = "other_config",
        /// Version of Open vSwitch.
        ovs_version: Option<Str> = "ovs_version",
        /// Datapath types offered.
        datapath_types: Vec<Str> = "datapath_types",
        /// Interface types offered.
        iface_types: Vec<Str> = "iface_types",
    }
}

table! {
    /// A bridge.
    Bridge = "Bridge" {
        /// Name, unique.
        name: Str = "name",
        /// Ports, including the local one.
        ports: UuidSet = "ports",
        /// OpenFlow controllers.
        controller: UuidSet = "controller",
        /// Datapath identifier in use: 16 hexadecimal digits.
        datapath_id: Option<Str> = "datapath_id",
        /// `system`, `netdev` or empty.
        datapath_type: Str = "datapath_type",
        /// `standalone`, `secure` or absent.
        fail_mode: Option<Str> = "fail_mode",
        /// OpenFlow versions offered.
        protocols: Vec<Str> = "protocols",
        /// Identifiers for other programs.
        external_ids: StrMap = "external_ids",
        /// Other configuration.
        other_config: StrMap = "other_config",
        /// True if multicast snooping is on.
        mcast_snooping_enable: bool = "mcast_snooping_enable",
    }
}

table! {
    /// A port: one interface, or a bond of several.
    Port = "Port" {
        /// Name, unique.
        name: Str = "name",
        /// Interfaces.
        interfaces: UuidSet = "interfaces",
        /// VLAN of an access port.
        tag: Option<i64> = "tag",
        /// VLANs of a trunk port.
        trunks: Vec<i64> = "trunks",
        /// `access`, `trunk`, `native-tagged`, `native-untagged` or `dot1q-tunnel`.
        vlan_mode: Option<Str> = "vlan_mode",
        /// QoS row.
        qos: Option<Uuid> = "qos",
        /// Identifiers for other programs.
        external_ids: StrMap = "external_ids",
        /// Other configuration.
        other_config: StrMap = "other_config",
    }
}

table! {
    /// An interface.
    Interface = "Interface" {
        /// Name, unique.
        name: Str = "name",
        /// Type; empty is an ordinary network device.
        kind: Str = "type",
        /// Options of the type.
        options: StrMap = "options",
        /// Identifiers for other programs, such as `iface-id` and `attached-mac`.
        external_ids: StrMap = "external_ids",
        /// Other configuration.
        other_config: StrMap = "other_config",
        /// OpenFlow port number; -1 after a failure. See [`Interface::ofport`].
        ofport_raw: Option<i64> = "ofport",
        /// OpenFlow port number asked for.
        ofport_request: Option<i64> = "ofport_request",
        /// Why the interface could not be made.
        error: Option<Str> = "error",
        /// MAC address in use.
        mac_in_use: Option<Str> = "mac_in_use",
        /// `up`, `down` or absent.
        admin_state: Option<Str> = "admin_state",
        /// `up`, `down` or absent.
        link_state: Option<Str> = "link_state",
        /// MTU in use, bytes.
        mtu: Option<i64> = "mtu",
        /// Interface index of the network device.
        ifindex: Option<i64> = "ifindex",
        /// Ingress policing rate, kbit/s; 0 is off.
        ingress_policing_rate: i64 = "ingress_policing_rate",
        /// Ingress policing burst, kbit.
        ingress_policing_burst: i64 = "ingress_policing_burst",
    }
}

table! {
    /// An OpenFlow controller of a bridge.
    Controller = "Controller" {
        /// Where to connect, or to listen: `tcp:127.0.0.1:6633`.
        target: Str = "target",
        /// `in-band` or `out-of-band`.
        connection_mode: Option<Str> = "connection_mode",
        /// Milliseconds of silence before an echo.
        inactivity_probe: Option<i64> = "inactivity_probe",
        /// True if the connection is up.
        is_connected: bool = "is_connected",
        /// Role of the controller.
        role: Option<Str> = "role",
    }
}
