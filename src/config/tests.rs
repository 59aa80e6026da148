use super::*;
use crate::model::FirewallDriver;

fn load(text: &str) -> Result<Loaded, ConfigError> {
    Config::parse(&[(Path::new("vifd.conf"), text)], "hv9")
}

fn problems(text: &str) -> Vec<String> {
    load(text)
        .unwrap_err()
        .0
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn defaults() {
    let Loaded { config, warnings } = load("").unwrap();
    assert_eq!(warnings, vec![]);
    assert_eq!(config.host, HostName::from("hv9"));
    assert_eq!(&*config.ovs.integration_bridge, "br-int");
    assert_eq!(&*config.ovs.tunnel_bridge, "br-tun");
    assert_eq!(
        config.ovs.ovsdb_connection,
        OvsdbAddress::Unix("/run/openvswitch/db.sock".into())
    );
    assert_eq!(config.ovs.local_ip, None);
    assert_eq!(config.agent.tunnel_types, vec![]);
    assert_eq!(config.agent.vxlan_udp_port, 4789);
    assert_eq!(config.agent.report_interval, Duration::from_secs(5));
    assert!(config.agent.dont_fragment && !config.agent.tunnel_csum);
    assert_eq!(
        &*config.database.connection,
        "sqlite:////var/lib/vifd/vifd.db"
    );
    assert_eq!(config.database.poll_interval, Duration::from_millis(25));
    assert_eq!(config.admin_socket(), Path::new("/run/vifd/vifd.sock"));
    assert_eq!(config.lock_file(), Path::new("/run/vifd/vifd.lock"));
    assert_eq!(config.metrics_listen.unwrap().to_string(), "127.0.0.1:9477");
    assert!(config.own_tables);
}

#[test]
fn a_neutron_file_is_read_without_a_word() {
    let Loaded { config, warnings } = load(
        "[DEFAULT]\ndebug = true\ntransport_url = rabbit://u:p$w@h/\n[OVS]\nlocal_ip = 192.0.2.1\n\
         bridge_mappings = physnet1:br-ex\nof_listen_port = 6633\n[AGENT]\ntunnel_types = vxlan,gre\nl2_population = True\n\
         [securitygroup]\nfirewall_driver = openvswitch\n[oslo_messaging_rabbit]\nx = y\n",
    )
    .unwrap();
    assert_eq!(warnings, vec![]);
    assert_eq!(
        config.agent.tunnel_types,
        vec![TunnelType::Vxlan, TunnelType::Gre]
    );
    assert_eq!(&*config.ovs.bridge_mappings[0].bridge, "br-ex");
}

#[test]
fn firewall_drivers_have_neutrons_names() {
    let driver =
        |text: &str| load(&format!("[securitygroup]\n{text}\n")).map(|l| l.config.firewall);
    assert_eq!(load("").unwrap().config.firewall, FirewallDriver::Noop);
    for (name, expected) in [
        ("noop", FirewallDriver::Noop),
        (
            "neutron.agent.firewall.NoopFirewallDriver",
            FirewallDriver::Noop,
        ),
        ("openvswitch", FirewallDriver::OpenFlow),
        ("nft", FirewallDriver::Nft),
        ("iptables_hybrid", FirewallDriver::Nft),
        (
            "neutron.agent.linux.iptables_firewall.OVSHybridIptablesFirewallDriver",
            FirewallDriver::Nft,
        ),
    ] {
        assert_eq!(
            driver(&format!("firewall_driver = {name}")).unwrap(),
            expected,
            "{name}"
        );
    }
    let off = "firewall_driver = openvswitch\nenable_security_group = false";
    assert_eq!(driver(off).unwrap(), FirewallDriver::Noop);
    assert!(
        problems("[securitygroup]\nfirewall_driver = ebtables\n")[0]
            .contains("not a firewall driver")
    );
}

#[test]
fn later_files_win() {
    let files = [
        (
            Path::new("a"),
            "[DEFAULT]\nhost = one\n[ovs]\nlocal_ip = ::1\n",
        ),
        (Path::new("b"), "[DEFAULT]\nhost = two\n"),
    ];
    let config = Config::parse(&files, "x").unwrap().config;
    assert_eq!(config.host, HostName::from("two"));
    assert!(config.ovs.local_ip.is_some());
}

#[test]
fn everything_wrong_is_told_at_once_with_its_line() {
    let told = problems(
        "[ovs]\nlocal_ip = 300.1.1.1\nbridge_mappings = a\ndatapath_type = dpdk\nintegration_bridge = br-x\n\
         tunnel_bridge = br-x\n[agent]\ntunnel_types = stt\nvxlan_udp_port = 0\ntunnel_csum = perhaps\n\
         [vifd]\nrun_dir = run\n",
    );
    let expected = [
        "vifd.conf:2: [ovs] local_ip = 300.1.1.1: not an IP address",
        "vifd.conf:3: [ovs] bridge_mappings = a: Invalid mapping: 'a'",
        "vifd.conf:4: [ovs] datapath_type = dpdk: unknown datapath type: allowed are system",
        "vifd.conf:6: [ovs] tunnel_bridge = br-x: it must differ",
        "vifd.conf:8: [agent] tunnel_types = stt: unknown tunnel type \"stt\": allowed are gre and vxlan",
        "vifd.conf:9: [agent] vxlan_udp_port = 0: not a whole number from 1 to 65535",
        "vifd.conf:10: [agent] tunnel_csum = perhaps: not a truth value",
        "vifd.conf:12: [vifd] run_dir = run: not an absolute path",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}\n{expected}");
    }
}

#[test]
fn tunnels_need_an_address() {
    let told = problems("[agent]\ntunnel_types = vxlan\n");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0]
            .starts_with("vifd.conf:2: [agent] tunnel_types = vxlan: tunnels need [ovs] local_ip"),
        "{told:?}"
    );
    let told = problems("[agent]\ntunnel_types = vxlan\n[ovs]\nlocal_ip = ::\n");
    assert_eq!(told.len(), 1, "the address is told once: {told:?}");
    assert!(told[0].contains("unspecified"), "{told:?}");
}

#[test]
fn bridges_must_not_be_shared() {
    assert!(
        problems("[ovs]\nbridge_mappings = p:br-int\n")[0].contains("needs a bridge of its own")
    );
    assert!(
        problems("[ovs]\ntunnel_bridge = br-int\n")[0]
            .contains("it must differ from integration_bridge")
    );
    assert!(
        problems("[ovs]\nint_peer_patch_port = patch-int\n")[0]
            .contains("(the default): it must differ")
    );
}

#[test]
fn ssl_needs_its_files() {
    let ssl = "[ovs]\novsdb_connection = ssl:192.0.2.1:6640\n";
    assert!(problems(ssl)[0].contains("needs ssl_key_file"));
    let config = load(&format!(
        "{ssl}ssl_key_file = /k\nssl_cert_file = /c\nssl_ca_cert_file = /a\n"
    ))
    .unwrap()
    .config;
    assert_eq!(config.ovs.tls.unwrap().ca, Path::new("/a"));
}

#[test]
fn unknown_names_are_warnings() {
    let warnings = load("[ovs]\nlocal_ipp = 1\n[DEFAULT]\nlocal_ip = 192.0.2.1\n[vfid]\nx = 1\n")
        .unwrap()
        .warnings;
    let told: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "vifd.conf:4: unknown option [DEFAULT] local_ip (it belongs in [ovs]), ignored",
            "vifd.conf:2: unknown option [ovs] local_ipp (did you mean local_ip?), ignored",
            "vifd.conf:5: unknown section [vfid] (did you mean vifd?), ignored",
        ]
    );
}

#[test]
fn references() {
    let text = "[DEFAULT]\nstate_path = /srv\n[vifd]\nstate_dir = $state_path/vifd\nrun_dir = ${state_dir}/run\n\
                [database]\nconnection = sqlite:///${vifd.state_dir}/a$$b\\$.db\n";
    let config = load(text).unwrap().config;
    assert_eq!(config.run_dir, Path::new("/srv/vifd/run"));
    assert_eq!(&*config.database.connection, "sqlite:////srv/vifd/a$b$.db");
    assert_eq!(
        load("[vifd]\nrun_dir = $state_dir/r\n")
            .unwrap()
            .config
            .run_dir,
        Path::new("/var/lib/vifd/r")
    );
    assert!(problems("[vifd]\nrun_dir = $nowhere/x\n")[0].contains("$nowhere, which has no value"));
    assert!(problems("[vifd]\nrun_dir = $state_dir\nstate_dir = $run_dir\n")[0].contains("circle"));
}

#[test]
fn an_unreadable_file_says_which_and_what_to_do() {
    let error = Config::load(&["/nonexistent/vifd.conf"])
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("cannot read the configuration file /nonexistent/vifd.conf: "),
        "{error}"
    );
    assert!(error.contains("--config FILE"), "{error}");
    let error = Config::load(&["/"]).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot read the configuration file /: "),
        "{error}"
    );
}

#[test]
fn a_host_without_a_name_is_told() {
    let error = Config::parse(&[], "").unwrap_err().to_string();
    assert!(error.contains("[DEFAULT] host is not set"), "{error}");
}
