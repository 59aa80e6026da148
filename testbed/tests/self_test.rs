//! The testbed proves itself: two hypervisors, flows programmed by hand (no agent), real packets.
//!
//! If this fails, no other test that uses the testbed says anything about vifd.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::Result;
use testbed::{FlowDump, Hypervisor, LocalVlans, PlugSpec, Scratch, Underlay, Vm, probe};

/// One network on one host: local VLAN there, and what carries it.
#[derive(Clone, Copy)]
struct Net {
    name: &'static str,
    segment: u32,
    subnet: u8,
}

const NETS: [Net; 3] = [
    Net {
        name: "vxlan",
        segment: 5001,
        subnet: 1,
    },
    Net {
        name: "gre",
        segment: 5002,
        subnet: 2,
    },
    Net {
        name: "vlan",
        segment: 101,
        subnet: 3,
    },
];

fn program(hv: &Hypervisor, peer: Ipv4Addr, first_vlan: u16) -> Result<()> {
    hv.add_integration_bridge()?;
    let kind = format!("datapath_type={}", hv.switch.datapath().name());
    let mut args: Vec<String> = ["--", "add-br", "br-tun", "--", "set", "Bridge", "br-tun"]
        .map(str::to_owned)
        .to_vec();
    args.extend([kind, "fail_mode=secure".to_owned()]);
    for (bridge, port, end) in [
        ("br-int", "patch-tun", "patch-int"),
        ("br-tun", "patch-int", "patch-tun"),
        ("br-int", "int-br-ex", "phy-br-ex"),
        ("br-ex", "phy-br-ex", "int-br-ex"),
    ] {
        args.extend(
            [
                "--",
                "add-port",
                bridge,
                port,
                "--",
                "set",
                "Interface",
                port,
            ]
            .map(str::to_owned),
        );
        args.extend(["type=patch".to_owned(), format!("options:peer={end}")]);
    }
    for kind in ["vxlan", "gre"] {
        let port = format!("{kind}-peer");
        args.extend(
            [
                "--",
                "add-port",
                "br-tun",
                &port,
                "--",
                "set",
                "Interface",
                &port,
            ]
            .map(str::to_owned),
        );
        args.push(format!("type={kind}"));
        args.push(format!("options:remote_ip={peer}"));
        args.push(format!("options:local_ip={}", hv.tunnel_ip()));
        args.extend([
            "options:in_key=flow".to_owned(),
            "options:out_key=flow".to_owned(),
        ]);
    }
    hv.switch.vsctl(&args)?;
    let vlan = |n: u16| first_vlan + n;
    hv.switch.add_flows(
        "br-int",
        &format!(
            "table=0,priority=65535,dl_vlan=4095,actions=drop\n\
             table=0,priority=3,in_port=int-br-ex,dl_vlan=101,actions=mod_vlan_vid:{},resubmit(,58)\n\
             table=0,priority=2,in_port=int-br-ex,actions=drop\n\
             table=0,priority=0,actions=resubmit(,58)\n\
             table=58,priority=0,actions=resubmit(,60)\n\
             table=60,priority=1,actions=NORMAL\n",
            vlan(2)
        ),
    )?;
    hv.switch
        .vsctl(&["set", "Bridge", "br-ex", "fail_mode=secure"])?;
    hv.switch.add_flows(
        "br-ex",
        &format!(
            "priority=4,in_port=phy-br-ex,dl_vlan={},actions=mod_vlan_vid:101,NORMAL\n\
             priority=2,in_port=phy-br-ex,actions=drop\n\
             priority=0,actions=NORMAL\n",
            vlan(2)
        ),
    )?;
    hv.switch.add_flows(
        "br-tun",
        &format!(
            "table=0,priority=1,in_port=patch-int,actions=resubmit(,2)\n\
             table=0,priority=1,in_port=gre-peer,actions=resubmit(,3)\n\
             table=0,priority=1,in_port=vxlan-peer,actions=resubmit(,4)\n\
             table=0,priority=0,actions=drop\n\
             table=2,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00,actions=resubmit(,20)\n\
             table=2,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,actions=resubmit(,22)\n\
             table=3,priority=1,tun_id=5002,actions=mod_vlan_vid:{gre},resubmit(,10)\n\
             table=4,priority=1,tun_id=5001,actions=mod_vlan_vid:{vxlan},resubmit(,10)\n\
             table=3,priority=0,actions=drop\n\
             table=4,priority=0,actions=drop\n\
             table=10,priority=1,actions=learn(table=20,priority=1,hard_timeout=300,cookie=0x7669666400000001,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0->NXM_OF_VLAN_TCI[],load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],output:NXM_OF_IN_PORT[]),output:patch-int\n\
             table=20,priority=0,actions=resubmit(,22)\n\
             table=22,priority=1,dl_vlan={gre},actions=strip_vlan,set_tunnel:5002,output:gre-peer\n\
             table=22,priority=1,dl_vlan={vxlan},actions=strip_vlan,set_tunnel:5001,output:vxlan-peer\n\
             table=22,priority=0,actions=drop\n",
            vxlan = vlan(0),
            gre = vlan(1),
        ),
    )
}

/// Two VMs per network: addresses 10.SUBNET.0.HOST{1,2}.
fn vms(hv: &Hypervisor, host: u8, first_vlan: u16) -> Result<Vec<Vm>> {
    let mut specs = Vec::new();
    for net in NETS {
        for n in 1..=2u8 {
            specs.push(PlugSpec {
                port_id: format!("{host}{n}{:06x}-0000-4000-8000-000000000000", net.segment),
                mac: format!("fa:16:3e:{:02x}:{host:02x}:{n:02x}", net.subnet),
                // All on one link, as far as the VMs can tell: only the switch keeps networks apart.
                address: Some((address(net, host, n), 8)),
                mtu: 1450,
            });
        }
    }
    let vms = hv.make_vms(&specs)?;
    hv.plug(&vms)?;
    for (n, vm) in (0u16..).zip(&vms) {
        let tag = first_vlan + n / 2;
        hv.switch.vsctl(&[
            "set".to_owned(),
            "Port".to_owned(),
            vm.tap().to_owned(),
            format!("tag={tag}"),
            format!("other_config:tag={tag}"),
            format!(
                "other_config:network_type={}",
                NETS[usize::from(n) / 2].name
            ),
            format!(
                "other_config:segmentation_id={}",
                NETS[usize::from(n) / 2].segment
            ),
        ])?;
    }
    Ok(vms)
}

fn address(net: Net, host: u8, n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, net.subnet, 0, host * 10 + n)
}

#[test]
fn packets_pass_where_they_should_and_only_there() -> Result<()> {
    let scratch = Scratch::new()?;
    let underlay = Underlay::new()?;
    let mut h1 = Hypervisor::start(&scratch, &underlay, "h1", 1)?;
    let h2 = Hypervisor::start(&scratch, &underlay, "h2", 2)?;
    program(&h1, h2.tunnel_ip(), 1)?;
    program(&h2, h1.tunnel_ip(), 11)?;
    let vms1 = vms(&h1, 1, 1)?;
    let vms2 = vms(&h2, 2, 11)?;

    let limit = Duration::from_secs(10);
    for (i, net) in NETS.into_iter().enumerate() {
        let from = vms1[2 * i].namespace();
        let name = net.name;
        assert!(
            probe::ping(from, address(net, 1, 2), limit)?,
            "{name}: same host\n{}",
            h1.diagnosis()
        );
        assert!(
            probe::ping(from, address(net, 2, 1), limit)?,
            "{name}: other host\n{}",
            h1.diagnosis()
        );
        assert!(
            probe::ping(from, address(net, 2, 2), limit)?,
            "{name}: other host, second"
        );
    }
    for net in &NETS[1..] {
        for host in [1, 2] {
            assert!(
                !probe::ping(
                    vms1[0].namespace(),
                    address(*net, host, 1),
                    Duration::from_millis(500)
                )?,
                "vxlan reaches {}",
                net.name
            );
        }
    }

    // Exact counts: nothing lost on a quiet line; what a cut takes is seen, in both probes.
    let target = address(NETS[0], 2, 1);
    let pace = Duration::from_millis(10);
    let ping = probe::start_ping(vms1[0].namespace(), target, pace)?;
    let udp = probe::start_udp(vms1[0].namespace(), vms2[0].namespace(), target, pace)?;
    std::thread::sleep(Duration::from_millis(700));
    let (ping, udp) = (ping.stop()?, udp.stop()?);
    assert!(ping.sent >= 50 && ping.lost() == 0, "ping: {ping}");
    assert!(udp.sent >= 50 && udp.lost() == 0, "udp: {udp}");

    let ping = probe::start_ping(vms1[0].namespace(), target, pace)?;
    let udp = probe::start_udp(vms1[0].namespace(), vms2[0].namespace(), target, pace)?;
    std::thread::sleep(Duration::from_millis(100));
    h1.switch
        .vsctl(&["set", "Port", vms1[0].tap(), "tag=4095"])?;
    std::thread::sleep(Duration::from_millis(200));
    h1.switch.vsctl(&["set", "Port", vms1[0].tap(), "tag=1"])?;
    std::thread::sleep(Duration::from_millis(200));
    let (ping, udp) = (ping.stop()?, udp.stop()?);
    assert!(
        ping.lost() >= 10 && ping.received >= 10,
        "ping through a cut: {ping}"
    );
    assert!(
        udp.lost() >= 10 && udp.received >= 10,
        "udp through a cut: {udp}"
    );

    // Two allocations of local VLANs compare equal once they are named.
    let dump =
        |hv: &Hypervisor| FlowDump::read(&hv.switch, "br-tun", &LocalVlans::read(&hv.switch)?);
    let (one, two) = (dump(&h1)?, dump(&h2)?);
    assert_eq!(one.difference(&two), "");
    assert_eq!(one.len(), 15, "{one}");
    let plain = |hv: &Hypervisor| FlowDump::read(&hv.switch, "br-tun", &LocalVlans::none());
    assert_ne!(plain(&h1)?, plain(&h2)?);

    // A killed switch forgets its flows; the harness brings it back with addresses.
    h1.restart_vswitchd()?;
    assert!(dump(&h1)?.is_empty());
    program_again(&h1, h2.tunnel_ip())?;
    assert!(
        probe::ping(vms1[0].namespace(), target, limit)?,
        "after a restart of ovs-vswitchd"
    );
    Ok(())
}

fn program_again(hv: &Hypervisor, peer: Ipv4Addr) -> Result<()> {
    hv.switch.vsctl(&["del-br", "br-tun"])?;
    for port in ["patch-tun", "int-br-ex"] {
        hv.switch.vsctl(&["del-port", "br-int", port])?;
    }
    hv.switch.vsctl(&["del-port", "br-ex", "phy-br-ex"])?;
    program(hv, peer, 1)
}
