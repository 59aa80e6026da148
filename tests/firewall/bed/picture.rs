//! What stands in the switch and in nf_tables, without what may differ between equal states: numbers that are handed out,
//! counters, order. Rules of nf_tables are constant and left to the agent's own audit.

use std::collections::BTreeMap;

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
            lines.extend(
                dump.lines()
                    .iter()
                    .map(|line| format!("{bridge} {}", unordered(line))),
            );
        }
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
