//! Which sections and options vifd knows, and which of Neutron's it leaves alone because files are often shared.
//! Everything else is a warning, with the nearest known name.

use super::ini::Ini;
use super::problem::Problem;

/// An option that vifd reads.
pub(super) struct Known {
    pub section: &'static str,
    pub name: &'static str,
    /// Used when no file gives a value.
    pub default: &'static str,
}

const fn known(section: &'static str, name: &'static str, default: &'static str) -> Known {
    Known {
        section,
        name,
        default,
    }
}

/// Every option that vifd reads. An empty default means "not set".
pub(super) const OPTIONS: &[Known] = &[
    known("DEFAULT", "host", ""),
    known("DEFAULT", "log_level", "info"),
    known("DEFAULT", "log_format", "text"),
    known("ovs", "integration_bridge", "br-int"),
    known("ovs", "tunnel_bridge", "br-tun"),
    known("ovs", "int_peer_patch_port", "patch-tun"),
    known("ovs", "tun_peer_patch_port", "patch-int"),
    known("ovs", "bridge_mappings", ""),
    known("ovs", "datapath_type", "system"),
    known("ovs", "local_ip", ""),
    known("ovs", "ovsdb_connection", "unix:/run/openvswitch/db.sock"),
    known("ovs", "ovs_rundir", "/run/openvswitch"),
    known("ovs", "ovsdb_timeout", "10"),
    known("ovs", "of_request_timeout", "30"),
    known("ovs", "ssl_key_file", ""),
    known("ovs", "ssl_cert_file", ""),
    known("ovs", "ssl_ca_cert_file", ""),
    known("agent", "tunnel_types", ""),
    known("agent", "vxlan_udp_port", "4789"),
    known("agent", "dont_fragment", "true"),
    known("agent", "tunnel_csum", "false"),
    known("agent", "report_interval", "5"),
    known("securitygroup", "enable_security_group", "true"),
    known("securitygroup", "firewall_driver", "noop"),
    known("database", "connection", "sqlite:////var/lib/vifd/vifd.db"),
    known("database", "poll_interval_ms", "25"),
    known("vifd", "state_dir", "/var/lib/vifd"),
    known("vifd", "run_dir", "/run/vifd"),
    known("vifd", "metrics_listen", "127.0.0.1:9477"),
    known("vifd", "own_tables", "true"),
];

/// Sections of Neutron and its libraries that vifd does not read.
const FOREIGN_SECTIONS: &[&str] = &[
    "vxlan",
    "linux_bridge",
    "network_log",
    "dhcp",
    "metadata",
    "local_ip",
    "dns_forwarder",
    "ml2",
    "ml2_type_flat",
    "ml2_type_vlan",
    "ml2_type_gre",
    "ml2_type_vxlan",
    "ml2_type_geneve",
    "keystone_authtoken",
    "nova",
    "placement",
    "quotas",
    "cache",
    "cors",
    "healthcheck",
    "privsep",
    "profiler",
    "ovn",
    "ironic",
    "qos",
    "ovs_driver",
    "sriov_driver",
    "sriov_nic",
    "pxb",
    "service_providers",
];

/// Options of Neutron, in sections that vifd reads, that it has no use for.
const FOREIGN_OPTIONS: &[(&str, &[&str])] = &[
    (
        "DEFAULT",
        &[
            "agent_down_time",
            "allow_overlapping_ips",
            "api_extensions_path",
            "api_workers",
            "auth_strategy",
            "backlog",
            "base_mac",
            "bind_host",
            "bind_port",
            "control_exchange",
            "core_plugin",
            "debug",
            "default_log_levels",
            "dhcp_agent_notification",
            "dhcp_agents_per_network",
            "dhcp_driver",
            "dhcp_lease_duration",
            "dns_domain",
            "dvr_base_mac",
            "enable_isolated_metadata",
            "executor_thread_pool_size",
            "external_dns_driver",
            "global_physnet_mtu",
            "instance_format",
            "instance_uuid_format",
            "interface_driver",
            "ipam_driver",
            "l3_ha",
            "log_config_append",
            "log_date_format",
            "log_dir",
            "log_file",
            "log_options",
            "log_rotate_interval",
            "log_rotation_type",
            "logging_context_format_string",
            "logging_debug_format_suffix",
            "logging_default_format_string",
            "logging_exception_prefix",
            "logging_user_identity_format",
            "max_allowed_address_pair",
            "max_logfile_count",
            "max_logfile_size_mb",
            "metadata_proxy_shared_secret",
            "network_link_prefix",
            "notify_nova_on_port_data_changes",
            "notify_nova_on_port_status_changes",
            "nova_metadata_host",
            "periodic_fuzzy_delay",
            "periodic_interval",
            "publish_errors",
            "rate_limit_burst",
            "rate_limit_except_level",
            "rate_limit_interval",
            "resource_provider_default_hypervisor",
            "rootwrap_config",
            "router_distributed",
            "rpc_conn_pool_size",
            "rpc_response_max_timeout",
            "rpc_response_timeout",
            "rpc_state_report_workers",
            "rpc_workers",
            "run_external_periodic_tasks",
            "service_plugins",
            "setproctitle",
            "state_path",
            "syslog_log_facility",
            "transport_url",
            "use_journal",
            "use_json",
            "use_ssl",
            "use_stderr",
            "use_syslog",
            "verbose",
            "vlan_transparent",
            "watch_log_file",
            "rpc_backend",
            "rabbit_host",
            "rabbit_userid",
            "rabbit_password",
            "lock_path",
        ],
    ),
    (
        "ovs",
        &[
            "bridge_mac_table_size",
            "disable_packet_marking",
            "enable_tunneling",
            "explicitly_egress_direct",
            "igmp_flood",
            "igmp_flood_reports",
            "igmp_flood_unregistered",
            "igmp_snooping_enable",
            "network_vlan_ranges",
            "of_connect_timeout",
            "of_inactivity_probe",
            "of_interface",
            "of_listen_address",
            "of_listen_port",
            "openflow_processed_per_port",
            "ovsdb_debug",
            "ovsdb_interface",
            "qos_meter_bandwidth",
            "resource_provider_bandwidths",
            "resource_provider_default_hypervisor",
            "resource_provider_hypervisors",
            "resource_provider_inventory_defaults",
            "resource_provider_packet_processing_inventory_defaults",
            "resource_provider_packet_processing_with_direction",
            "resource_provider_packet_processing_without_direction",
            "tenant_network_type",
            "trunk_enabled",
            "tunnel_id_ranges",
            "tunnel_type",
            "use_veth_interconnection",
            "veth_mtu",
            "vhostuser_socket_dir",
        ],
    ),
    (
        "agent",
        &[
            "agent_type",
            "arp_responder",
            "baremetal_smartnic",
            "dscp",
            "dscp_inherit",
            "drop_flows_on_start",
            "enable_distributed_routing",
            "enable_suspect_ports",
            "explicitly_egress_direct",
            "extensions",
            "l2_population",
            "log_agent_heartbeats",
            "minimize_polling",
            "ovsdb_monitor_respawn_interval",
            "polling_interval",
            "prevent_arp_spoofing",
            "quitting_rpc_timeout",
            "root_helper",
            "root_helper_daemon",
            "rpc_resources_processing_step",
            "rpc",
            "availability_zone",
            "kill_scripts_path",
            "use_helper_for_ns_read",
            "veth_mtu",
            "bridge_mac_table_size",
        ],
    ),
    ("securitygroup", &["enable_ipset", "permitted_ethertypes"]),
    (
        "database",
        &[
            "asynchronous_connection",
            "backend",
            "connection_debug",
            "connection_parameters",
            "connection_recycle_time",
            "connection_trace",
            "db_inc_retry_interval",
            "db_max_retries",
            "db_max_retry_interval",
            "db_retry_interval",
            "engine",
            "idle_timeout",
            "max_overflow",
            "max_pool_size",
            "max_retries",
            "min_pool_size",
            "mysql_enable_ndb",
            "mysql_sql_mode",
            "mysql_wsrep_sync_wait",
            "pool_timeout",
            "reconnect_interval",
            "retry_interval",
            "slave_connection",
            "sql_connection",
            "sqlite_db",
            "sqlite_synchronous",
            "synchronous",
            "use_db_reconnect",
        ],
    ),
];

/// The default of an option of [`OPTIONS`].
pub(super) fn default_of(section: &str, name: &str) -> Option<&'static str> {
    OPTIONS
        .iter()
        .find(|o| o.section.eq_ignore_ascii_case(section) && o.name == name)
        .map(|o| o.default)
}

/// What nobody reads.
pub(super) fn unknown(ini: &Ini) -> Vec<Problem> {
    let mut found = Vec::new();
    for (section, place) in ini.sections() {
        let ours = OPTIONS.iter().filter(|o| o.section == section);
        if ours.clone().next().is_none() {
            if !FOREIGN_SECTIONS.contains(&section) && !section.starts_with("oslo_") {
                let near = nearest(section, OPTIONS.iter().map(|o| o.section));
                found.push(Problem {
                    place: Some(place.clone()),
                    text: format!("unknown section [{section}]{near}, ignored"),
                });
            }
            continue;
        }
        let foreign = FOREIGN_OPTIONS
            .iter()
            .find(|(s, _)| *s == section)
            .map_or(&[][..], |(_, names)| names);
        for (name, value) in ini.options(section) {
            if ours.clone().any(|o| o.name == name) || foreign.contains(&name) {
                continue;
            }
            let near = nearest(name, ours.clone().map(|o| o.name));
            let elsewhere = match OPTIONS.iter().find(|o| o.name == name) {
                Some(o) => format!(" (it belongs in [{}])", o.section),
                None => near,
            };
            found.push(Problem {
                place: Some(value.place.clone()),
                text: format!("unknown option [{section}] {name}{elsewhere}, ignored"),
            });
        }
    }
    found
}

fn nearest<'a>(name: &str, among: impl Iterator<Item = &'a str>) -> String {
    let best = among.map(|other| (distance(name, other), other)).min();
    match best {
        Some((d, other)) if d <= 1 + name.len() / 4 => format!(" (did you mean {other}?)"),
        _ => String::new(),
    }
}

/// Levenshtein's distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let next = if x == y {
                diagonal
            } else {
                1 + diagonal.min(row[j]).min(row[j + 1])
            };
            diagonal = std::mem::replace(&mut row[j + 1], next);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("local_ip", "locla_ip"), 2);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn no_option_is_both_ours_and_foreign() {
        for option in OPTIONS {
            let foreign = FOREIGN_OPTIONS
                .iter()
                .any(|(s, n)| *s == option.section && n.contains(&option.name));
            assert!(!foreign, "[{}] {}", option.section, option.name);
        }
    }
}
