//! Changes as a person reads them: one line each, a sign, the kind of object, where, and what `nft list` would show.
//!
//! Held by the tests at the foot and by `tests/cli_nft.rs` of the program.

use super::elements;
use super::list;
use super::object;
use crate::diff::Change;
use crate::element::{Element, ElementFlags};
use crate::message::Family;
use crate::name::Name;
use crate::ruleset::{Ruleset, SetState};
use crate::saved::to_text;
use crate::set::{Set, SetFlags};

/// The lines of one change from `observed` to `desired`, which say what the elements of a set mean. A change of many
/// elements has a line for each.
pub fn lines(change: &Change, desired: &Ruleset, observed: &Ruleset) -> Vec<String> {
    let place = |family: &Family, table: &Name, name: &Name| {
        format!("{} {table} {name}", list::family_name(*family))
    };
    let table = |family: &Family, name: &Name| format!("{} {name}", list::family_name(*family));
    let line = match change {
        Change::AddTable(family, t) => {
            let flags: Vec<_> = t.flags.names().collect();
            let flags = match flags.as_slice() {
                [] => String::new(),
                names => format!(" {{ flags {}; }}", names.join(",")),
            };
            format!("+ table {}{flags}", table(family, &t.name))
        }
        Change::DeleteTable(family, name) => format!("- table {}", table(family, name)),
        Change::AddChain(family, chain) => {
            let name = chain.name.clone().unwrap_or_default();
            let head = one_line(&list::chain_head(*family, chain));
            format!("+ chain {}{head}", place(family, &chain.table, &name))
        }
        Change::DeleteChain(family, table, name) => {
            format!("- chain {}", place(family, table, name))
        }
        Change::FlushChain(family, table, name) => {
            format!("- all rules of {}", place(family, table, name))
        }
        Change::AddSet(family, set) => {
            let word = if set.flags.contains(SetFlags::MAP) {
                "map"
            } else {
                "set"
            };
            let state = SetState {
                set: set.clone(),
                elements: Vec::new(),
            };
            let body = one_line(inside(&list::set(&state)));
            format!("+ {word} {}{body}", place(family, &set.table, &set.name))
        }
        Change::DeleteSet(family, table, name) => format!("- set {}", place(family, table, name)),
        Change::FlushSet(family, table, name) => {
            format!("- all elements of {}", place(family, table, name))
        }
        Change::AddElements(family, table, name, list) => {
            let at = format!("+ element {}", place(family, table, name));
            let set = set_of(desired, *family, table, name);
            return element_lines(&at, set, list);
        }
        Change::DeleteElements(family, table, name, list) => {
            let at = format!("- element {}", place(family, table, name));
            let set = set_of(observed, *family, table, name);
            return element_lines(&at, set, list);
        }
        Change::AddObject(family, new) => {
            let body = one_line(inside(&object::block(new)));
            format!("+ {}{body}", named_object(*family, new))
        }
        Change::DeleteObject(family, object) => format!("- {}", named_object(*family, object)),
        Change::AddFlowtable(family, flowtable) => {
            let name = flowtable.name.clone().unwrap_or_default();
            let body = one_line(inside(&list::flowtable(flowtable)));
            format!(
                "+ flowtable {}{body}",
                place(family, &flowtable.table, &name)
            )
        }
        Change::DeleteFlowtable(family, table, name) => {
            format!("- flowtable {}", place(family, table, name))
        }
        Change::AddRule(family, owned, _) | Change::DeleteRule(family, owned) => {
            let sign = if change.is_removal() { '-' } else { '+' };
            let chain = owned.rule.chain.clone().unwrap_or_default();
            let at = place(family, &owned.rule.table, &chain);
            format!(
                "{sign} rule {at} {}",
                list::rule(*family, &owned.intended())
            )
        }
    };
    vec![line]
}

fn named_object(family: Family, object: &crate::object::Object) -> String {
    let kind = object.object_type().and_then(|kind| kind.name());
    let name = object.name.clone().unwrap_or_default();
    let (kind, family) = (kind.unwrap_or("object"), list::family_name(family));
    format!("{kind} {family} {} {name}", object.table)
}

fn set_of<'a>(ruleset: &'a Ruleset, family: Family, table: &Name, name: &Name) -> Option<&'a Set> {
    Some(&ruleset.table(family, table)?.sets.get(name)?.set)
}

fn element_lines(at: &str, set: Option<&Set>, list: &[Element]) -> Vec<String> {
    let shown = match set {
        Some(set) if can_be_paired(set, list) => {
            let shown = elements::show(set, &elements::kinds_of(set), list);
            shown.into_iter().map(|s| s.text).collect()
        }
        _ => list.iter().map(to_text).collect::<Vec<_>>(),
    };
    shown
        .into_iter()
        .map(|element| format!("{at} {{ {element} }}"))
        .collect()
}

/// The ends of intervals are elements of their own: one alone is shown as it is.
fn can_be_paired(set: &Set, list: &[Element]) -> bool {
    if !set.flags.contains(SetFlags::INTERVAL) || set.flags.contains(SetFlags::CONCAT) {
        return true;
    }
    let mut ends: Vec<_> = list
        .iter()
        .map(|e| {
            let key = e.key.as_ref().and_then(|key| key.value().cloned());
            let is_end = e.flags.contains(ElementFlags::INTERVAL_END);
            (key, !is_end)
        })
        .collect();
    ends.sort();
    let starts: Vec<bool> = ends.iter().map(|(_, is_start)| *is_start).collect();
    starts.len().is_multiple_of(2)
        && starts.iter().step_by(2).all(|s| *s)
        && starts.iter().skip(1).step_by(2).all(|s| !s)
}

/// What stands between the first and the last brace.
fn inside(block: &str) -> &str {
    let after = block.split_once('{').map_or(block, |(_, after)| after);
    after.rsplit_once('}').map_or(after, |(before, _)| before)
}

/// Lines of a block in braces, with a leading blank; nothing for none.
fn one_line(block: &str) -> String {
    let lines: Vec<String> = block
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| format!("{};", line.trim_end_matches(';')))
        .collect();
    match lines.as_slice() {
        [] => String::new(),
        lines => format!(" {{ {} }}", lines.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::{Chain, Policy, hook};
    use crate::diff;
    use crate::element::interval;
    use crate::expr::build::{accept, dport, l4proto};
    use crate::object::{Object, ObjectData};
    use crate::rule::Rule;
    use crate::ruleset::TableState;
    use crate::set::DataType;
    use crate::table::Table;

    fn shown(desired: &Ruleset, observed: &Ruleset) -> Vec<String> {
        let changes = diff::ruleset(desired, observed, |_, _| true);
        changes
            .iter()
            .flat_map(|change| lines(change, desired, observed))
            .collect()
    }

    #[test]
    fn a_new_table_and_its_end() {
        let mut table = TableState::new(Family::INET, Table::new("t"));
        table.add_chain(Chain::base("t", "c", hook::INPUT, 0, Policy::DROP));
        let counter = ObjectData::Counter(crate::chain::Counts::default());
        table.add_object(Object::new("t", "hits", counter));
        let set = Set::new("t", "s", &[DataType::IPV4_ADDR]).with_flags(SetFlags::INTERVAL);
        table.add_set(set).elements = interval(&[10, 0, 0, 0], &[10, 0, 0, 255]);
        let ssh = [&l4proto(6)[..], &dport(22, 22), &[accept()]].concat();
        table.add_rule(Rule::new("t", "c", ssh));
        let (mut some, none) = (Ruleset::default(), Ruleset::default());
        some.insert(table);
        assert_eq!(
            shown(&some, &none),
            [
                "+ table inet t",
                "+ counter inet t hits { packets 0 bytes 0; }",
                "+ chain inet t c { type filter hook input priority filter; policy drop; }",
                "+ set inet t s { type ipv4_addr; flags interval; }",
                "+ element inet t s { 10.0.0.0/24 }",
                "+ rule inet t c tcp dport 22 accept",
            ]
        );
        assert_eq!(shown(&none, &some), ["- table inet t"]);
        assert!(shown(&some, &some).is_empty());
    }

    #[test]
    fn half_an_interval_is_shown_as_it_is() {
        let set = Set::new("t", "s", &[DataType::IPV4_ADDR]).with_flags(SetFlags::INTERVAL);
        let list = [Element::end([10, 0, 1, 0])];
        assert_eq!(
            element_lines("+", Some(&set), &list),
            ["+ { {key=0x0a000100 flags=end} }"]
        );
    }
}
