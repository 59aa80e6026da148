//! Every type with a form of its own on the wire is documented with a picture of its bytes and the
//! name it has in the specification or in Open vSwitch.

use std::path::{Path, PathBuf};

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(sources(&path)),
            false => found.push(path),
        }
    }
    found
}

/// The documentation above the declaration of the public type `name`.
fn documentation(text: &str, name: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let declares = |line: &&str| {
        let mut words = line.split_whitespace();
        words.next() == Some("pub")
            && matches!(words.next(), Some("struct" | "enum"))
            && words
                .next()
                .is_some_and(|word| word.split(|c: char| !c.is_alphanumeric()).next() == Some(name))
    };
    let at = lines.iter().position(declares)?;
    let above = lines[..at].iter().rev();
    let documentation = above
        .take_while(|line| !line.is_empty() && !line.starts_with('}'))
        .filter_map(|line| line.strip_prefix("///"));
    Some(documentation.collect::<Vec<_>>().join("\n"))
}

/// Types that are written and read as a whole: `impl Codec for …`, and those of actions.
fn wire_types(text: &str) -> impl Iterator<Item = &str> {
    let codecs = text.lines().filter_map(|line| {
        let name = line.strip_prefix("impl Codec for ")?;
        Some(name.trim_end_matches(" {"))
    });
    let actions = text.lines().filter_map(|line| {
        let name = line.strip_prefix("    ")?.split_once("(Box<")?.1;
        name.strip_suffix(">),")
            .filter(|name| name.chars().all(char::is_alphanumeric))
    });
    codecs.chain(actions)
}

#[test]
fn every_wire_type_has_a_picture_and_a_source() {
    /// Kept as they came, or without a form of their own.
    const PLAIN: [&str; 2] = ["ActionList", "UnknownAction"];
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let texts: Vec<String> = ["msg", "action", "matching", "of14"]
        .iter()
        .flat_map(|dir| sources(&src.join(dir)))
        .chain([src.join("header.rs")])
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let mut names: Vec<&str> = texts.iter().flat_map(|text| wire_types(text)).collect();
    names.extend(["Message", "StatsRequest", "Action", "FlowMod", "FlowStats"]);
    names.extend(["FlowStatsRequest", "PacketOut", "Header"]);
    names.retain(|name| !PLAIN.contains(name));
    names.sort_unstable();
    names.dedup();
    let mut missing = Vec::new();
    for name in &names {
        let found = texts.iter().find_map(|text| documentation(text, name));
        let documentation = found.unwrap_or_else(|| panic!("no type {name}"));
        // A section, a structure, or the name of a message.
        let marks = [
            "§", "`ofp", "`nx_", "`OFP", "`NX", "NXST ", "NXM/OXM", "`enum ",
        ];
        if !documentation.contains("```text") {
            missing.push(format!("{name}: no picture"));
        }
        if !marks.iter().any(|mark| documentation.contains(mark)) {
            missing.push(format!("{name}: no source"));
        }
    }
    println!("{} types", names.len());
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(names.len() > 45);
}
