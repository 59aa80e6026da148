//! Agents that die and others that take over: what stands allows nothing that no version of the rules did since the last
//! time that everything stood.

use super::*;

/// What an agent that starts is told, in any order.
#[derive(Clone, Copy, Debug)]
enum Told {
    Switch,
    Flows,
    Links,
    Filter,
    Source,
}

const TOLD: [Told; 5] = [
    Told::Switch,
    Told::Flows,
    Told::Links,
    Told::Filter,
    Told::Source,
];

/// Everything that rules have looked for so far: more than any table does.
fn widen(all: &mut Shape, planner: &Planner) {
    let shape = planner.filter().numbers.shape();
    all.slots = all.slots.max(shape.slots);
    all.nets4.extend(shape.nets4);
    all.nets6.extend(shape.nets6);
}

struct Story {
    random: Random,
    world: World,
    /// What was asked for since everything stood.
    versions: Vec<Desired>,
    shape: Shape,
}

impl Story {
    fn check(&mut self, when: &str) {
        for n in 1..=3 {
            let tap = format!("tap{}", short(pid(n)));
            for _ in 0..40 {
                let direction = Direction::ALL[self.random.below(2) as usize];
                let flow = self.random.flow();
                let allowed = self.versions.iter().any(|desired| {
                    let port = desired.port(pid(n)).expect("it stays");
                    verdict::allows(desired, port, direction, &flow)
                });
                let got = kernel_allows(&self.world, &self.shape, &tap, direction, &flow);
                assert!(
                    allowed || !got,
                    "{when}: {tap} {direction:?} {flow:?} was never allowed"
                );
            }
        }
    }

    /// Some of what the planner hands out, or all of it.
    fn carry_out(&mut self, planner: &mut Planner, most: u64, when: &str) {
        for _ in 0..most {
            self.world.think(planner);
            if self.world.pending.is_empty() {
                return;
            }
            self.world.carry_out(planner, 0);
            widen(&mut self.shape, planner);
            self.check(when);
        }
    }

    fn change(&mut self, planner: &mut Planner) {
        match self.random.below(8) {
            0 => self.plugging(planner),
            _ => change(&mut self.random, &mut self.world, planner),
        }
        self.versions.push(planner.desired().clone());
    }

    /// A VIF goes or comes back.
    fn plugging(&mut self, planner: &mut Planner) {
        let n = 1 + u128::from(self.random.below(3));
        let name = format!("qvo{}", short(pid(n)));
        match self.world.ports.contains_key(&*name) {
            true => self.world.unplug(planner, &name),
            false => {
                let port = planner.desired().port(pid(n)).expect("it stays").clone();
                self.world.plug(planner, &name, port.id, port.mac);
            }
        }
    }

    /// The agent dies, the rules change, and another one starts.
    fn restart(&mut self, mut planner: Planner, when: &str) -> Planner {
        for _ in 0..self.random.below(4) {
            self.change(&mut planner);
        }
        let mut planner = self.world.new_agent();
        let mut left = TOLD.to_vec();
        while !left.is_empty() {
            let told = left.swap_remove(self.random.below(left.len() as u64) as usize);
            match told {
                Told::Switch => self.world.tell_switch(&mut planner),
                Told::Flows => self.world.connect_all(&mut planner),
                Told::Links => planner.fact(Fact::LinksComplete, self.world.now()),
                Told::Filter => self.world.tell_nft(&mut planner),
                Told::Source => self.world.tell_source(&mut planner),
            }
            let most = self.random.below(4);
            self.carry_out(&mut planner, most, &format!("{when}, told {told:?}"));
        }
        planner
    }
}

#[test]
fn an_agent_that_takes_over_allows_nothing_that_no_version_of_the_rules_did() {
    for seed in 20..60 {
        let mut world = World {
            firewall: Some(FirewallDriver::Nft),
            ..World::new()
        };
        let mut random = Random(seed);
        if random.below(2) == 0 {
            world.filter_batch = 1 + random.below(4) as usize;
        }
        let mut planner = world.start_agent();
        world.wish(&mut planner, Delta::Network(vxlan(1, 5001)));
        for n in 1..=3 {
            plug(&mut world, &mut planner, n, &[n, n % 2]);
        }
        world.quiesce(&mut planner);
        let mut story = Story {
            random,
            world,
            versions: vec![planner.desired().clone()],
            shape: planner.filter().numbers.shape(),
        };
        for round in 0..20 {
            for _ in 0..1 + story.random.below(3) {
                story.change(&mut planner);
            }
            widen(&mut story.shape, &planner);
            for life in 0..1 + story.random.below(3) {
                let when = format!("seed {seed}, round {round}, life {life}");
                let most = story.random.below(6);
                story.carry_out(&mut planner, most, &when);
                planner = story.restart(planner, &when);
            }
            story.carry_out(
                &mut planner,
                1000,
                &format!("seed {seed}, round {round}, all"),
            );
            story.world.quiesce(&mut planner);
            story.versions = vec![planner.desired().clone()];
        }
    }
}

#[test]
fn a_vif_without_a_device_keeps_no_rule_of_others_from_going() {
    let (mut world, mut planner) = start();
    world.wish(
        &mut planner,
        group(1, vec![rule(1, Direction::Ingress, tcp(80), Remote::Any)]),
    );
    for n in 1..=2 {
        plug(&mut world, &mut planner, n, &[1]);
    }
    world.quiesce(&mut planner);
    // While no agent runs a device vanishes, and the rule changes.
    let name = format!("qvo{}", short(pid(2)));
    let broken = world.ports.get_mut(&*name).expect("it is plugged");
    broken.ofport = OfportState::Failed;
    world.wish(
        &mut planner,
        group(1, vec![rule(2, Direction::Ingress, tcp(443), Remote::Any)]),
    );
    let mut planner = world.start_agent();
    while {
        world.think(&mut planner);
        !world.pending.is_empty()
    } {
        world.carry_out(&mut planner, 0);
    }
    let shape = planner.filter().numbers.shape();
    let tap = format!("tap{}", short(pid(1)));
    let arrives = |port| {
        let flow = Flow {
            src: IpAddr::from([10, 0, 0, 1]),
            dst: IpAddr::from([10, 0, 0, 2]),
            protocol: 6,
            ports: Some((40000, port)),
            icmp: None,
        };
        kernel_allows(&world, &shape, &tap, Direction::Ingress, &flow)
    };
    assert!(arrives(443) && !arrives(80));
}
