//! The text form of whole tables: one object per line, so that files can be compared and cut by
//! ordinary tools. `#` starts a comment line. The last line, `end`, counts the objects: a file that
//! was cut off does not restore.

use core::fmt;

use super::{Ruleset, TableState};
use crate::chain::Chain;
use crate::element::Element;
use crate::error::{DecodeError, Fault};
use crate::flowtable::Flowtable;
use crate::message::Family;
use crate::name::Name;
use crate::object::Object;
use crate::rule::{AnonymousSet, OwnedRule, Rule};
use crate::saved::{Cursor, Saved};
use crate::set::Set;
use crate::table::Table;

/// Why a text does not restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoreError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong; the offset counts from the start of the line.
    pub error: DecodeError,
}

/// What a line may hold.
const KINDS: [&str; 7] = [
    "table",
    "chain",
    "set",
    "object",
    "flowtable",
    "element",
    "rule",
];

/// Characters shown before and after the one at fault.
const AROUND: usize = 50;

impl RestoreError {
    /// Column in characters, from 1, in the text that did not restore.
    pub fn column(&self, text: &str) -> usize {
        let (before, _) = self.split(text);
        before.chars().count().saturating_add(1)
    }

    /// What is wrong, with the part of the line concerned and a marker below it:
    ///
    /// ```text
    /// line 2, column 39: Policy: nothing has this name
    ///     chain inet {table="t" name="c" policy=perhaps}
    ///                                           ^
    /// ```
    pub fn pointing_into(&self, text: &str) -> String {
        let (before, after) = self.split(text);
        let skipped = before.chars().count().saturating_sub(AROUND);
        let mut left: String = before.chars().skip(skipped).collect();
        if skipped > 0 {
            left.insert(0, '…');
        }
        let mut right: String = after.chars().take(AROUND).collect();
        if after.chars().nth(AROUND).is_some() {
            right.push('…');
        }
        let width = left.chars().count();
        format!(
            "{}\n    {left}{right}\n    {:width$}^",
            self.heading(text),
            ""
        )
    }

    fn heading(&self, text: &str) -> String {
        let (line, column) = (self.line, self.column(text));
        let DecodeError { what, fault, .. } = self.error;
        format!("line {line}, column {column}: {what}: {fault}")
    }

    /// The line in two, where the fault is.
    fn split<'a>(&self, text: &'a str) -> (&'a str, &'a str) {
        let index = self.line.saturating_sub(1);
        let line = text.lines().nth(index).unwrap_or("");
        let at = usize::try_from(self.error.offset).unwrap_or(usize::MAX);
        line.split_at_checked(at).unwrap_or((line, ""))
    }
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.error)
    }
}

impl core::error::Error for RestoreError {}

impl Ruleset {
    /// The tables as text. Handles and counter values are left out.
    pub fn save(&self) -> String {
        self.save_with(|_, _| String::new())
    }

    /// The same with a comment above each rule: what `nft list` would show.
    pub fn save_commented(&self) -> String {
        self.save_with(|family, owned| format!("# {}\n", crate::text::list::rule(family, owned)))
    }

    fn save_with(&self, above: impl Fn(Family, &OwnedRule) -> String) -> String {
        let mut out = String::new();
        let mut count = 0_usize;
        for table in self.tables.values() {
            save_table(&table.intended(), &mut out, &mut count, &above);
        }
        out.push_str(&format!("end {count}\n"));
        out
    }

    /// The tables of a text. The last line is `end` and the number of objects, or `end` alone.
    pub fn restore(text: &str) -> Result<Self, RestoreError> {
        let mut ruleset = Self::default();
        let mut count = 0_u64;
        let mut ended = false;
        let mut last = 0;
        for (i, line) in text.lines().enumerate() {
            last = i.saturating_add(1);
            let at = |error| RestoreError { line: last, error };
            let mut cursor = Cursor::new(line);
            if cursor.at_end() || line.trim_start().starts_with('#') {
                continue;
            }
            if ended {
                let fault = Fault::Trailing { had: 1 };
                return Err(at(cursor.error("line after the end", fault)));
            }
            if cursor.word("end") {
                let place = cursor.here();
                if !cursor.at_end() {
                    let told = cursor.number("end").map_err(at)?;
                    if told != count {
                        let fault = Fault::Count { told, had: count };
                        return Err(at(place.error("end", fault)));
                    }
                }
                ended = true;
            } else {
                ruleset.restore_line(&mut cursor).map_err(at)?;
                count = count.saturating_add(1);
            }
            cursor.finish("line").map_err(at)?;
        }
        if ended {
            return Ok(ruleset);
        }
        let error = DecodeError {
            what: "the last line, `end` (was the text cut off?)",
            offset: 0,
            fault: Fault::Missing,
        };
        Err(RestoreError { line: last, error })
    }

    fn restore_line(&mut self, cursor: &mut Cursor<'_>) -> Result<(), DecodeError> {
        let start = cursor.here();
        let kind = cursor.token();
        if !KINDS.contains(&kind) {
            return Err(start.error("kind of object", Fault::Unknown));
        }
        let family = Family::restore(cursor)?;
        let body = cursor.here();
        let undeclared = |what| body.error(what, Fault::Undeclared);
        let twice = |there: bool, what| match there {
            true => Err(body.error(what, Fault::Twice)),
            false => Ok(()),
        };
        match kind {
            "table" => {
                let table = Table::restore(cursor)?;
                let key = (family, table.name.clone());
                twice(self.tables.contains_key(&key), "table")?;
                self.insert(TableState::new(family, table));
            }
            "chain" => {
                let chain = Chain::restore(cursor)?;
                let owner = self
                    .owner(family, &chain.table)
                    .ok_or(undeclared("table"))?;
                let name = chain.name.clone().unwrap_or_default();
                twice(owner.chains.contains_key(&name), "chain")?;
                owner.add_chain(chain);
            }
            "set" => {
                let set = Set::restore(cursor)?;
                let owner = self.owner(family, &set.table).ok_or(undeclared("table"))?;
                twice(owner.sets.contains_key(&set.name), "set")?;
                owner.add_set(set);
            }
            "object" => {
                let object = Object::restore(cursor)?;
                let owner = self
                    .owner(family, &object.table)
                    .ok_or(undeclared("table"))?;
                let before = owner.objects.len();
                owner.add_object(object);
                twice(owner.objects.len() == before, "object")?;
            }
            "flowtable" => {
                let flowtable = Flowtable::restore(cursor)?;
                let owner = self
                    .owner(family, &flowtable.table)
                    .ok_or(undeclared("table"))?;
                let before = owner.flowtables.len();
                owner.add_flowtable(flowtable);
                twice(owner.flowtables.len() == before, "flowtable")?;
            }
            "element" => {
                let table = Name::restore(cursor)?;
                let set = Name::restore(cursor)?;
                let element = Element::restore(cursor)?;
                let sets = &mut self.owner(family, &table).ok_or(undeclared("table"))?.sets;
                let state = sets.get_mut(&set).ok_or(undeclared("set"))?;
                state.elements.push(element);
            }
            _ => {
                let owned = OwnedRule::restore(cursor)?;
                if !self
                    .owner(family, &owned.rule.table)
                    .ok_or(undeclared("table"))?
                    .add_rule(owned)
                {
                    return Err(undeclared("chain"));
                }
            }
        }
        Ok(())
    }
}

fn save_table(
    table: &TableState,
    out: &mut String,
    count: &mut usize,
    above: &impl Fn(Family, &OwnedRule) -> String,
) {
    let family = crate::saved::to_text(&table.family);
    let mut line_below = |comment: &str, kind: &str, value: &dyn Fn(&mut String)| {
        out.push_str(comment);
        out.push_str(kind);
        out.push(' ');
        out.push_str(&family);
        out.push(' ');
        value(out);
        out.push('\n');
        *count = count.saturating_add(1);
    };
    let mut line = |kind: &str, value: &dyn Fn(&mut String)| line_below("", kind, value);
    line("table", &|out| table.table.save(out));
    for object in table.objects.values() {
        line("object", &|out| object.save(out));
    }
    for flowtable in table.flowtables.values() {
        line("flowtable", &|out| flowtable.save(out));
    }
    for state in table.chains.values() {
        line("chain", &|out| state.chain.save(out));
    }
    for state in table.sets.values() {
        line("set", &|out| state.set.save(out));
    }
    for (name, state) in &table.sets {
        for element in &state.elements {
            line("element", &|out| {
                table.table.name.save(out);
                out.push(' ');
                name.save(out);
                out.push(' ');
                element.save(out);
            });
        }
    }
    for owned in table.chains.values().flat_map(|state| &state.rules) {
        let comment = above(table.family, owned);
        line_below(&comment, "rule", &|out| owned.save(out));
    }
}

impl Saved for OwnedRule {
    fn save(&self, out: &mut String) {
        self.rule.save(out);
        if !self.sets.is_empty() {
            out.push_str(" sets=");
            self.sets.save(out);
        }
    }

    fn restore(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        let rule = Rule::restore(cursor)?;
        let sets = if cursor.key("sets") {
            Vec::restore(cursor)?
        } else {
            Vec::new()
        };
        Ok(Self { rule, sets })
    }
}

impl Saved for AnonymousSet {
    fn save(&self, out: &mut String) {
        self.set.save(out);
        self.elements.save(out);
    }

    fn restore(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            set: Set::restore(cursor)?,
            elements: Vec::restore(cursor)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "table inet {name=\"t\"}\n";

    fn complaint(line: &str) -> String {
        let text = format!("{TABLE}{line}\nend\n");
        let error = Ruleset::restore(&text).unwrap_err();
        let shown = error.pointing_into(&text);
        let mut lines = shown.lines();
        let what = lines.next().unwrap().to_owned();
        let (excerpt, marker) = (lines.next().unwrap(), lines.next().unwrap());
        let at = marker.chars().count() - 1;
        let found: String = excerpt.chars().skip(at).take(7).collect();
        format!("{what} | {found}")
    }

    #[test]
    fn a_fault_is_pointed_at() {
        let cases = [
            (
                "chair inet {table=\"t\"}",
                "line 2, column 1: kind of object: nothing has this name | chair i",
            ),
            (
                "chain inet {table=\"u\" name=\"c\"}",
                "line 2, column 12: table: not declared above | {table=",
            ),
            (
                "chain inet {table=\"t\" name=\"c\" policy=maybe}",
                "line 2, column 39: Policy: nothing has this name | maybe}",
            ),
            (
                "chain inet {table=\"t\" naame=\"c\"}",
                "line 2, column 23: chain: nothing has this name | naame=\"",
            ),
            (
                "chain inet {table=\"t\" handle=99999999999999999999}",
                "line 2, column 30: number: number out of range | 9999999",
            ),
            (
                "chain inet {name=\"é\" table=\"t}",
                "line 2, column 31: name: the line ends here | ",
            ),
            (
                "chain inet {name=\"c\"}",
                "line 2, column 13: chain.table: is missing | name=\"c",
            ),
            (
                "rule inet {table=\"t\" chain=\"c\" expressions=[]}",
                "line 2, column 11: chain: not declared above | {table=",
            ),
            (
                "rule inet {table=\"t\" expressions=[imediate{}]}",
                "line 2, column 35: expression: nothing has this name | imediat",
            ),
            (
                "table inet {name=\"t\"}",
                "line 2, column 12: table: declared above already | {name=\"",
            ),
            (
                "end 7",
                "line 2, column 5: end: says 7 objects, there are 1: was something lost? \
                 After editing write `end` alone | 7",
            ),
        ];
        for (line, expected) in cases {
            assert_eq!(complaint(line), expected);
        }
        let cut = Ruleset::restore(TABLE).unwrap_err();
        assert!(cut.pointing_into(TABLE).contains("was the text cut off?"));
    }

    #[test]
    fn long_lines_are_shown_around_the_fault() {
        let text = format!(
            "{TABLE}table inet {{name=\"{}\" fags=1}}\nend\n",
            "x".repeat(200)
        );
        let shown = Ruleset::restore(&text).unwrap_err().pointing_into(&text);
        assert!(
            shown.contains("…xxx") && shown.contains("fags=1}"),
            "{shown}"
        );
        assert!(shown.lines().all(|line| line.chars().count() < 120));
    }
}
