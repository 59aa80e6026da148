//! What stands in the switch (flows, tags) and in nf_tables, without what may differ between equal states: numbers that are handed out,
//! counters, order. Rules of nf_tables are constant and left to the agent's own audit.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use super::{Bed, Driver};

/// Sorted lines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Picture(Vec<String>);

impl Picture {
    pub fn of(bed: &Bed) -> Result<Picture> {
        let host = &bed.site.hosts[0];
        let mut lines = Vec::new();
        for (bridge, dump) in testbed::BRIDGES.iter().zip(host.flows()?) {
            let flows = dump.lines().iter();
            let flows = flows.map(|line| format!("{bridge} {}", unordered(line)));
            lines.extend(joined(flows.collect()));
        }
        lines.extend(host.ports()?);
        if bed.driver == Driver::Nft {
            let list = ["nft", "list", "ruleset"];
            let text = testbed::run(Some(host.hypervisor.namespace()), &list, &[], "")?;
            lines.extend(elements(&text)?);
        }
        lines.sort_unstable();
        Ok(Picture(lines))
    }

    /// What only one of two has.
    pub fn difference(&self, other: &Picture) -> String {
        let mut text = String::new();
        for (sign, from, to) in [('-', self, other), ('+', other, self)] {
            let count = |list: &[String], line: &String| list.iter().filter(|l| *l == line).count();
            for line in &from.0 {
                if count(&from.0, line) != count(&to.0, line) {
                    text += &format!("{sign} {line}\n");
                }
            }
        }
        text
    }
}

/// A flow that sends to several ports does so in the order of their numbers, which are handed out.
fn unordered(line: &str) -> String {
    let mut parts: Vec<&str> = line.split("load:<").collect();
    let last = parts.len() - 1;
    if last < 2 || !line.ends_with("resubmit(,81)") {
        return line.to_owned();
    }
    let (head, ports) = parts.split_at_mut(1);
    let mut ports: Vec<&str> = ports
        .iter()
        .map(|part| part.trim_end_matches(','))
        .collect();
    ports.sort_unstable();
    format!("{}load:<{}", head[0], ports.join(",load:<"))
}

/// A packet for several ports goes from flow to flow, by register 8: each flow holds the ports of a block of numbers, and
/// numbers are handed out. So the chain of a segment becomes one line with all its ports. Segments whose names are
/// equal share the line; a flow that leads to a block that is not there stays as it is.
fn joined(lines: Vec<String>) -> Vec<String> {
    const AT: &str = ",reg8=0x";
    const NEXT: [&str; 2] = ["load:0x", "->NXM_NX_REG8[],resubmit(,94)"];
    let block = |line: &str| -> Option<(String, String, String)> {
        let (segment, rest) = line.split_once(AT)?;
        let (number, actions) = rest.split_once(" actions=")?;
        Some((segment.to_owned(), number.to_owned(), actions.to_owned()))
    };
    let numbers: BTreeSet<String> = lines.iter().filter_map(|l| Some(block(l)?.1)).collect();
    // What a flow does before it goes on to a block that is there.
    let goes_on = |actions: &str| -> Option<String> {
        let (before, number) = actions.strip_suffix(NEXT[1])?.rsplit_once(NEXT[0])?;
        numbers.contains(number).then(|| before.to_owned())
    };
    let mut joined = Vec::new();
    let mut chains: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in &lines {
        if let Some((segment, _, actions)) = block(line) {
            let actions = goes_on(&actions).unwrap_or(actions);
            let ports = actions
                .split("load:<")
                .map(|part| part.trim_end_matches(','));
            let ports = ports.filter(|part| !part.is_empty()).map(str::to_owned);
            chains.entry(segment).or_default().extend(ports);
        } else {
            joined
                .push(goes_on(line).map_or_else(|| line.clone(), |start| start + "to all blocks"));
        }
    }
    for (segment, mut ports) in chains {
        ports.sort_unstable();
        joined.push(format!("{segment} ports={}", ports.join(" ")));
    }
    joined
}

/// The elements of vifd's sets, with names for numbers.
fn elements(text: &str) -> Result<Vec<String>> {
    let sets = sets(text);
    let set = |name: &str| sets.get(name).map_or(&[][..], Vec::as_slice);
    let mut ports: BTreeMap<u32, String> = BTreeMap::new();
    for line in set("vif") {
        let (device, mark) = line.split_once(" : ").context("an element of vif")?;
        ports.insert(
            number(mark)? & 0xffff,
            device.trim_matches('"')[3..].to_owned(),
        );
    }
    let comments = |name: &str, key: fn(u32) -> u32| -> Result<BTreeMap<u32, String>> {
        set(name)
            .iter()
            .map(|line| {
                Ok((
                    key(number(line)?),
                    line.split('"').nth(1).unwrap_or("").to_owned(),
                ))
            })
            .collect()
    };
    let profiles = comments("profiles", profile)?;
    let remotes = comments("remotes", source)?;
    let named = |names: &BTreeMap<u32, String>, n: u32| {
        names.get(&n).cloned().unwrap_or_else(|| format!("?{n}"))
    };
    let mut lines = Vec::new();
    for (name, elements) in &sets {
        for element in elements {
            let mut words: Vec<String> = element.split([' ', '"']).map(str::to_owned).collect();
            words.retain(|word| ![".", ":", ""].contains(&word.as_str()));
            let at = |n: usize| number(words.get(n).map_or("", String::as_str));
            let rest = |n: usize| words.get(n..).unwrap_or_default().join(" ");
            let line = match name.as_str() {
                "vif" => format!(
                    "{} {} {:x}",
                    words[0],
                    named(&profiles, profile(at(1)?)),
                    flags(at(1)?)
                ),
                "pass" => {
                    let any = if source(at(0)?) == 0 { "any" } else { "some" };
                    format!(
                        "{} {:x} {any} {}",
                        named(&profiles, profile(at(0)?)),
                        flags(at(0)?),
                        rest(1)
                    )
                }
                "slots" => format!(
                    "{} {}",
                    named(&profiles, profile(at(0)?)),
                    named(&remotes, source(at(2)?))
                ),
                "members4" | "members6" => {
                    format!("{} {}", named(&remotes, source(at(0)?)), rest(1))
                }
                "nets4" | "nets6" => format!(
                    "{} {} {}",
                    named(&profiles, profile(at(0)?)),
                    words[1],
                    words[2]
                ),
                "netmacs" => format!("{} {}", named(&profiles, profile(at(0)?)), words[1]),
                "profiles" => named(&profiles, profile(at(0)?)),
                "remotes" => named(&remotes, source(at(0)?)),
                "bridges" => element.clone(),
                "owners" => format!(
                    "{} {}",
                    named(&ports, at(0)? & 0xffff),
                    named(&ports, at(1)? & 0xffff)
                ),
                _ => format!("{} {}", named(&ports, at(0)? & 0xffff), rest(1)),
            };
            lines.push(format!("{name}: {line}"));
        }
    }
    Ok(lines)
}

/// Set or map → its elements as they are printed.
fn sets(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut sets = BTreeMap::new();
    let mut name = None;
    for line in text.lines().map(str::trim) {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["set" | "map", set, "{"] => name = Some(set.to_owned()),
            ["chain", ..] => name = None,
            _ => {}
        }
        let Some(set) = &name else {
            continue;
        };
        let list: &mut Vec<String> = sets.entry(set.clone()).or_default();
        let line = line
            .trim_start_matches("elements = {")
            .trim_end_matches('}');
        // Comments may hold commas.
        for part in line.split(", 0x").enumerate().map(|(n, part)| {
            if n == 0 {
                part.to_owned()
            } else {
                format!("0x{part}")
            }
        }) {
            for part in if part.contains("comment") {
                vec![part.as_str()]
            } else {
                part.split(',').collect()
            } {
                let part = part.trim().trim_end_matches(',');
                if part.starts_with("0x") || part.starts_with('"') {
                    list.push(part.to_owned());
                }
            }
        }
    }
    sets
}

fn number(text: &str) -> Result<u32> {
    let word = text.split(' ').next().unwrap_or("");
    u32::from_str_radix(word.trim_start_matches("0x"), 16)
        .with_context(|| format!("no number: {text:?}"))
}

/// A mark holds a zone or a source, flags, and a profile.
fn profile(mark: u32) -> u32 {
    mark >> 24 | (mark >> 16 & 0x1f) << 8
}

fn source(mark: u32) -> u32 {
    (mark & 0xff) << 8 | mark >> 8 & 0xff
}

fn flags(mark: u32) -> u32 {
    mark >> 16 & 0xe0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_ports_are_joined_and_a_chain_that_is_cut_shows() {
        let start =
            "b table=94 priority=2,reg6=0x1 actions=NORMAL,load:0x1->NXM_NX_REG8[],resubmit(,94)";
        let port = |name: &str| format!("load:<{name}>->NXM_NX_REG5[],resubmit(,81)");
        let block = |number: u8, actions: &[String]| {
            let actions = actions.join(",");
            format!("b table=94 priority=3,reg6=0x1,reg8=0x{number} actions={actions}")
        };
        let next = "load:0x2->NXM_NX_REG8[],resubmit(,94)".to_owned();
        let one = joined(vec![start.to_owned(), block(1, &[port("a"), port("b")])]);
        let two = [
            start.to_owned(),
            block(1, &[port("b"), next]),
            block(2, &[port("a")]),
        ];
        assert_eq!(joined(two.to_vec()), one);
        assert_ne!(joined(two[..2].to_vec()), one);
        let lost = start.replace("0x1->", "0x7->");
        assert_ne!(joined(vec![lost, two[1].clone(), two[2].clone()]), one);
    }
}
