//! `multipath(...)`, `bundle(...)` and `bundle_load(...)`: positional arguments.

use std::fmt::{self, Write};

use crate::action::{Bundle, BundleAlgorithm, HashFields, Multipath, MultipathAlgorithm};

use super::error::TextError;
use super::field::{parse_port, parse_subfield, write_port, write_subfield};
use super::scan::Span;

const FIELDS: [(HashFields, &str); 7] = [
    (HashFields::ETH_SRC, "eth_src"),
    (HashFields::SYMMETRIC_L4, "symmetric_l4"),
    (HashFields::SYMMETRIC_L3L4, "symmetric_l3l4"),
    (HashFields::SYMMETRIC_L3L4_UDP, "symmetric_l3l4+udp"),
    (HashFields::NW_SRC, "nw_src"),
    (HashFields::NW_DST, "nw_dst"),
    (HashFields::SYMMETRIC_L3, "symmetric_l3"),
];

const MULTIPATH: [(MultipathAlgorithm, &str); 4] = [
    (MultipathAlgorithm::MODULO_N, "modulo_n"),
    (MultipathAlgorithm::HASH_THRESHOLD, "hash_threshold"),
    (MultipathAlgorithm::HRW, "hrw"),
    (MultipathAlgorithm::ITER_HASH, "iter_hash"),
];

const BUNDLE: [(BundleAlgorithm, &str); 2] = [
    (BundleAlgorithm::ACTIVE_BACKUP, "active_backup"),
    (BundleAlgorithm::HRW, "hrw"),
];

fn name_of<T: PartialEq>(table: &[(T, &'static str)], value: &T) -> &'static str {
    let known = table.iter().find(|(known, _)| known == value);
    known.map_or("<unknown>", |(_, name)| name)
}

fn by_name<T: Copy>(table: &[(T, &str)], span: Span<'_>, what: &str) -> Result<T, TextError> {
    let known = table.iter().find(|(_, name)| span.is_ignore_case(name));
    known
        .map(|(value, _)| *value)
        .ok_or_else(|| span.error(format!("{:?} is not {what}", span.text())))
}

pub(crate) fn write_multipath(out: &mut impl Write, multipath: &Multipath) -> fmt::Result {
    write!(
        out,
        "multipath({},{},{},{},{},",
        name_of(&FIELDS, &multipath.fields),
        multipath.basis,
        name_of(&MULTIPATH, &multipath.algorithm),
        u32::from(multipath.max_link) + 1,
        multipath.arg
    )?;
    write_subfield(out, &multipath.dst)?;
    out.write_char(')')
}

pub(crate) fn write_bundle(out: &mut impl Write, bundle: &Bundle) -> fmt::Result {
    write!(
        out,
        "{}({},{},{},ofport,",
        if bundle.dst.is_some() {
            "bundle_load"
        } else {
            "bundle"
        },
        name_of(&FIELDS, &bundle.fields),
        bundle.basis,
        name_of(&BUNDLE, &bundle.algorithm),
    )?;
    if let Some(dst) = &bundle.dst {
        write_subfield(out, dst)?;
        out.write_char(',')?;
    }
    out.write_str("members:")?;
    for (index, port) in bundle.members.iter().enumerate() {
        if index > 0 {
            out.write_char(',')?;
        }
        write_port(out, *port)?;
    }
    out.write_char(')')
}

const BETWEEN: &[char] = &[',', ' '];

pub(crate) fn parse_multipath(arguments: Span<'_>) -> Result<Multipath, TextError> {
    let mut words = arguments.words(BETWEEN);
    let mut word = || {
        words
            .next()
            .ok_or_else(|| missing(arguments, "multipath", 6))
    };
    let fields = by_name(&FIELDS, word()?, "a set of hash fields")?;
    let basis = word()?.u16("a hash basis")?;
    let algorithm = by_name(&MULTIPATH, word()?, "a multipath algorithm")?;
    let links = word()?;
    let n_links = links.number("a number of links", 65_536)?;
    let max_link = n_links
        .checked_sub(1)
        .and_then(|last| u16::try_from(last).ok());
    let max_link = max_link.ok_or_else(|| links.error("the number of links is 1 to 65536"))?;
    let arg = word()?.u32("an argument")?;
    let place = word()?;
    let dst = parse_subfield(place)?;
    if dst.n_bits < 16 && n_links > 1 << dst.n_bits {
        return Err(place.error(format!(
            "{} bits hold fewer than {n_links} links",
            dst.n_bits
        )));
    }
    Ok(Multipath {
        fields,
        basis,
        algorithm,
        max_link,
        arg,
        dst,
    })
}

pub(crate) fn parse_bundle(arguments: Span<'_>, load: bool) -> Result<Bundle, TextError> {
    // Square brackets are separators among the members, but part of a destination.
    let (head, members) = split_members(arguments);
    let mut head_words = head.words(BETWEEN);
    let mut word = || {
        head_words
            .next()
            .ok_or_else(|| missing(arguments, "bundle", 5))
    };
    let fields = by_name(&FIELDS, word()?, "a set of hash fields")?;
    let basis = word()?.u16("a hash basis")?;
    let algorithm = by_name(&BUNDLE, word()?, "a bundle algorithm")?;
    let kind = word()?;
    if !kind.is_ignore_case("ofport") {
        return Err(kind.error(format!("{:?} is not ofport", kind.text())));
    }
    let dst = if load {
        Some(parse_subfield(word()?)?)
    } else {
        None
    };
    if let Some(extra) = head_words.next() {
        return Err(extra.error(format!("expected members:, found {:?}", extra.text())));
    }
    let Some(members) = members else {
        return Err(arguments.error("expected members:PORT,... at the end"));
    };
    let ports = members.words(&[',', ' ', '[', ']']).map(parse_port);
    let members = ports.collect::<Result<_, _>>()?;
    Ok(Bundle {
        algorithm,
        fields,
        basis,
        members,
        dst,
    })
}

/// What stands before and after `members:` (or its older name).
fn split_members(arguments: Span<'_>) -> (Span<'_>, Option<Span<'_>>) {
    let lower = arguments.text().to_ascii_lowercase();
    for name in ["members", "slaves"] {
        if let Some(at) = lower.find(name) {
            let (head, tail) = arguments.split_at(at);
            let tail = tail.split_at(name.len()).1.trim();
            if let Some(members) = tail.strip_prefix(":") {
                return (head, Some(members));
            }
        }
    }
    (arguments, None)
}

fn missing(arguments: Span<'_>, action: &str, n: u8) -> TextError {
    arguments.error(format!("{action} needs {n} arguments or more"))
}
