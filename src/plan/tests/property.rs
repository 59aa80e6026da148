//! Incremental equals full, whatever happens in between.

use proptest::prelude::*;

use super::world::*;
use crate::model::*;
use crate::ops::flow::{FlowBody, FlowKey};
use crate::plan::Planner;

#[derive(Clone, Debug)]
pub(super) enum Step {
    Network {
        n: u128,
        kind: u8,
        key: u8,
        up: bool,
    },
    NetworkGone {
        n: u128,
    },
    Port {
        n: u128,
        net: u128,
        up: bool,
        security: bool,
    },
    PortGone {
        n: u128,
    },
    Endpoint {
        n: u8,
    },
    EndpointGone {
        n: u8,
    },
    Plug {
        tap: u8,
        n: u128,
    },
    Unplug {
        tap: u8,
    },
    Think,
    CarryOut {
        at: usize,
    },
    Fail {
        at: usize,
        how: u8,
    },
    RestartVswitchd {
        renumber: bool,
    },
    BounceOvsdb {
        applied: bool,
    },
    RestartAgent,
    Retag {
        tap: u8,
        tag: u16,
    },
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4u128, 0..6u8, 0..3u8, prop::bool::weighted(0.9))
            .prop_map(|(n, kind, key, up)| Step::Network { n, kind, key, up }),
        1 => (0..4u128).prop_map(|n| Step::NetworkGone { n }),
        6 => (0..8u128, 0..4u128, prop::bool::weighted(0.8), any::<bool>())
            .prop_map(|(n, net, up, security)| Step::Port { n, net, up, security }),
        2 => (0..8u128).prop_map(|n| Step::PortGone { n }),
        2 => (1..5u8).prop_map(|n| Step::Endpoint { n }),
        1 => (1..5u8).prop_map(|n| Step::EndpointGone { n }),
        6 => (0..8u8, 0..8u128).prop_map(|(tap, n)| Step::Plug { tap, n }),
        2 => (0..8u8).prop_map(|tap| Step::Unplug { tap }),
        8 => Just(Step::Think),
        12 => (0..8usize).prop_map(|at| Step::CarryOut { at }),
        3 => (0..8usize, any::<u8>()).prop_map(|(at, how)| Step::Fail { at, how }),
        1 => any::<bool>().prop_map(|renumber| Step::RestartVswitchd { renumber }),
        1 => any::<bool>().prop_map(|applied| Step::BounceOvsdb { applied }),
        1 => Just(Step::RestartAgent),
        1 => (0..8u8, 0..4096u16).prop_map(|(tap, tag)| Step::Retag { tap, tag }),
    ]
}

fn network_of(n: u128, kind: u8, key: u8, up: bool) -> Network {
    let physical_network = || "physnet1".into();
    let key = u32::from(key) + 10;
    let network_type = match kind {
        0 => NetworkType::Local,
        1 => NetworkType::Flat {
            physical_network: physical_network(),
        },
        2 => NetworkType::Vlan {
            physical_network: physical_network(),
            vid: key as u16,
        },
        3 => NetworkType::Tunnel {
            kind: TunnelType::Gre,
            key,
        },
        4 => NetworkType::Tunnel {
            kind: TunnelType::Vxlan,
            key,
        },
        _ => NetworkType::Vlan {
            physical_network: "nowhere".into(),
            vid: 5,
        },
    };
    let mut network = network(n, network_type);
    network.admin_up = up;
    network
}

pub(super) fn play(world: &mut World, planner: &mut Planner, step: Step) {
    match step {
        Step::Network { n, kind, key, up } => {
            world.wish(planner, Delta::Network(network_of(n, kind, key, up)))
        }
        Step::NetworkGone { n } => world.wish(planner, Delta::NetworkGone(net_id(n))),
        Step::Port {
            n,
            net,
            up,
            security,
        } => {
            let mut port = port(n, net);
            port.admin_up = up;
            port.port_security = security;
            world.wish(planner, Delta::Port(port));
        }
        Step::PortGone { n } => world.wish(planner, Delta::PortGone(port_id(n))),
        Step::Endpoint { n } => world.wish(planner, Delta::Endpoint(endpoint(n))),
        Step::EndpointGone { n } => world.wish(planner, Delta::EndpointGone(endpoint(n))),
        Step::Plug { tap, n } => {
            let name = format!("tap{tap}");
            world.unplug(planner, &name);
            world.plug(planner, &name, port_id(n), mac(n));
        }
        Step::Unplug { tap } => world.unplug(planner, &format!("tap{tap}")),
        Step::Think => world.think(planner),
        Step::CarryOut { at } => {
            if !world.pending.is_empty() {
                let at = at % world.pending.len();
                world.carry_out(planner, at);
            }
        }
        Step::Fail { at, how } => {
            if !world.pending.is_empty() {
                let at = at % world.pending.len();
                world.fail(planner, at, how);
            }
        }
        Step::RestartVswitchd { renumber } => world.restart_vswitchd(planner, renumber),
        Step::BounceOvsdb { applied } => world.bounce_ovsdb(planner, applied),
        Step::RestartAgent => *planner = world.start_agent(),
        Step::Retag { tap, tag } => {
            world.retag(planner, &format!("tap{tap}"), tag);
        }
    }
}

/// What has to hold once everything has come to rest.
pub(super) fn check(world: &mut World, planner: &mut Planner) -> Result<(), TestCaseError> {
    world.quiesce(planner);
    let conflicted = planner.has_conflicts();
    prop_assert_eq!(planner.audit(), vec![], "an audit renders the same");
    prop_assert_eq!(planner.lint(), vec![], "the cells fit together");
    for bridge in planner.config().bridges() {
        let wanted: rustc_hash::FxHashMap<_, _> = planner
            .wanted_flows(&bridge)
            .map(|(key, _, body)| (key.clone(), body.clone()))
            .collect();
        let stands = &world.flows[&bridge];
        let differ = |(key, body): &(&FlowKey, &FlowBody)| {
            stands.get(key) != wanted.get(key) || wanted.get(key) != Some(body)
        };
        let different: Vec<_> = stands.iter().chain(&wanted).filter(differ).collect();
        prop_assert!(
            different.is_empty(),
            "the flows of {bridge} are not the planner's: {different:?}"
        );
    }
    let mut tags = std::collections::BTreeMap::new();
    for port in world.ports.values().filter(|p| &*p.bridge == "br-int") {
        let Some(tag) = port.tag.filter(|tag| *tag != LocalVlan::DEAD) else {
            continue;
        };
        let network = port
            .iface_id
            .and_then(|id| planner.desired().port(id))
            .map(|p| p.network);
        prop_assert!(
            network.is_some(),
            "{} is tagged {tag} and nobody wants it",
            port.name
        );
        let owner = tags.entry(tag).or_insert(network);
        prop_assert_eq!(&*owner, &network, "VLAN {} stands for two networks", tag);
    }
    // Who holds a contested key depends on who came first; apart from that a restart finds nothing to do.
    if !conflicted {
        prop_assert_eq!(
            world.restart_writes(),
            vec![],
            "an agent that starts now writes nothing"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: testbed::cases(256), max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn incremental_equals_full(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        let mut planner = world.start_agent();
        for step in steps {
            play(&mut world, &mut planner, step);
        }
        check(&mut world, &mut planner)?;
    }
}
