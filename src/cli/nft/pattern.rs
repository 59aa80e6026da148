//! Which tables a command may look at and touch.

use std::fmt;
use std::str::FromStr;

use nft::message::Family;
use nft::name::Name;

/// What vifd calls its tables.
const OURS: [&str; 2] = ["vifd", "vifd-*"];

const FAMILIES: [Family; 6] = [
    Family::INET,
    Family::IPV4,
    Family::IPV6,
    Family::BRIDGE,
    Family::NETDEV,
    Family::ARP,
];

/// `NAME` or `FAMILY/NAME`; a `*` stands for any text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Pattern {
    family: Option<Family>,
    name: String,
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Pattern, String> {
        let (family, name) = match text.split_once('/') {
            None => (None, text),
            Some((family, name)) => {
                let found = FAMILIES.into_iter().find(|f| f.name() == Some(family));
                let all = FAMILIES.iter().filter_map(|f| f.name());
                let all: Vec<&str> = all.collect();
                let found = found
                    .ok_or_else(|| format!("no family {family:?}; there are {}", all.join(", ")))?;
                (Some(found), name)
            }
        };
        if name.is_empty() {
            return Err("the name of the table is missing; give NAME or FAMILY/NAME".to_owned());
        }
        Ok(Pattern {
            family,
            name: name.to_owned(),
        })
    }
}

impl Pattern {
    fn matches(&self, family: Family, name: &Name) -> bool {
        self.family.is_none_or(|f| f == family) && glob(self.name.as_bytes(), name.as_bytes())
    }
}

/// Whether the text is what the pattern says.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skip| glob(rest, &text[skip..])),
        Some((c, rest)) => text
            .split_first()
            .is_some_and(|(t, text)| t == c && glob(rest, text)),
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.family.and_then(Family::name) {
            Some(family) => write!(f, "{family}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// All of a command's patterns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Patterns(Vec<Pattern>);

impl Patterns {
    /// Those given; without any, vifd's own.
    pub fn of(given: &[Pattern]) -> Patterns {
        if !given.is_empty() {
            return Patterns(given.to_vec());
        }
        let ours = OURS.map(|name| Pattern {
            family: None,
            name: name.to_owned(),
        });
        Patterns(ours.to_vec())
    }

    /// Whether a command may touch that table.
    pub fn allow(&self, family: Family, name: &Name) -> bool {
        self.0.iter().any(|pattern| pattern.matches(family, name))
    }
}

impl fmt::Display for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&all.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(patterns: &[&str], family: Family, name: &str) -> bool {
        let patterns: Vec<Pattern> = patterns.iter().map(|p| p.parse().unwrap()).collect();
        Patterns::of(&patterns).allow(family, &name.into())
    }

    #[test]
    fn own_tables_unless_others_are_named() {
        assert!(allows(&[], Family::INET, "vifd"));
        assert!(allows(&[], Family::BRIDGE, "vifd-ports"));
        assert!(!allows(&[], Family::INET, "vifdx"));
        assert!(!allows(&["filter"], Family::INET, "vifd"));
        assert!(allows(&["inet/fil*"], Family::INET, "filter"));
        assert!(!allows(&["inet/fil*"], Family::IPV4, "filter"));
        assert!(allows(&["*a*b"], Family::IPV4, "xaayb"));
        assert!(!allows(&["*a*b"], Family::IPV4, "xaaybc"));
    }

    #[test]
    fn what_is_wrong_with_a_pattern() {
        let error = "ipv4/x".parse::<Pattern>().unwrap_err();
        assert!(
            error.contains("there are inet, ip, ip6, bridge, netdev, arp"),
            "{error}"
        );
        assert!("inet/".parse::<Pattern>().is_err());
    }
}
