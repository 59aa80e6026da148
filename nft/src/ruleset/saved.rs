//! The text form of whole tables: one object per line, so that files can be compared and cut by
//! ordinary tools. `#` starts a comment line. The last line counts the objects: a file that was
//! cut off does not restore.

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

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.error)
    }
}

impl core::error::Error for RestoreError {}

impl Ruleset {
    /// The tables as text. Handles and counter values are left out.
    pub fn save(&self) -> String {
        let mut out = String::new();
        let mut count = 0_usize;
        for table in self.tables.values() {
            save_table(&table.intended(), &mut out, &mut count);
        }
        out.push_str(&format!("end {count}\n"));
        out
    }

    /// The tables of a text.
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
                let told = cursor.number("count").map_err(at)?;
                if told != count {
                    let value = u32::try_from(told).unwrap_or(u32::MAX);
                    return Err(at(cursor.error("count", Fault::Invalid { value })));
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
            what: "end line",
            offset: 0,
            fault: Fault::Missing,
        };
        Err(RestoreError { line: last, error })
    }

    fn restore_line(&mut self, cursor: &mut Cursor<'_>) -> Result<(), DecodeError> {
        let start = *cursor;
        let kind = cursor.token();
        let family = Family::restore(cursor)?;
        let absent = |what| start.error(what, Fault::Missing);
        let owner = |ruleset: &'_ mut Self, table: &Name| {
            ruleset
                .tables
                .contains_key(&(family, table.clone()))
                .then_some(())
                .ok_or(absent("table"))
        };
        macro_rules! owner {
            ($table:expr) => {{
                owner(self, $table)?;
                let key = (family, $table.clone());
                self.tables.entry(key).or_default()
            }};
        }
        match kind {
            "table" => self.insert(TableState::new(family, Table::restore(cursor)?)),
            "chain" => {
                let chain = Chain::restore(cursor)?;
                owner!(&chain.table).add_chain(chain);
            }
            "set" => {
                let set = Set::restore(cursor)?;
                owner!(&set.table).add_set(set);
            }
            "object" => {
                let object = Object::restore(cursor)?;
                owner!(&object.table).add_object(object);
            }
            "flowtable" => {
                let flowtable = Flowtable::restore(cursor)?;
                owner!(&flowtable.table).add_flowtable(flowtable);
            }
            "element" => {
                let table = Name::restore(cursor)?;
                let set = Name::restore(cursor)?;
                let element = Element::restore(cursor)?;
                let state = owner!(&table).sets.get_mut(&set).ok_or(absent("set"))?;
                state.elements.push(element);
            }
            "rule" => {
                let owned = OwnedRule::restore(cursor)?;
                if !owner!(&owned.rule.table).add_rule(owned) {
                    return Err(absent("chain"));
                }
            }
            _ => return Err(start.error("kind of object", Fault::Invalid { value: 0 })),
        }
        Ok(())
    }
}

fn save_table(table: &TableState, out: &mut String, count: &mut usize) {
    let family = crate::saved::to_text(&table.family);
    let mut line = |kind: &str, value: &dyn Fn(&mut String)| {
        out.push_str(kind);
        out.push(' ');
        out.push_str(&family);
        out.push(' ');
        value(out);
        out.push('\n');
        *count = count.saturating_add(1);
    };
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
        line("rule", &|out| owned.save(out));
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
