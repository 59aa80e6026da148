//! One step from what is there to what is wanted.

use core::fmt;

use crate::batch::{Batch, Place};
use crate::chain::Chain;
use crate::element::Element;
use crate::flowtable::Flowtable;
use crate::message::Family;
use crate::name::Name;
use crate::object::Object;
use crate::rule::OwnedRule;
use crate::saved::to_text;
use crate::set::Set;
use crate::table::Table;

/// One step. Its text is one line of a diff.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "short lists, made once and applied once"
)]
pub enum Change {
    /// Create a table or change its flags.
    AddTable(Family, Table),
    /// Delete a table.
    DeleteTable(Family, Name),
    /// Create a chain or change its policy.
    AddChain(Family, Chain),
    /// Delete a chain of a table.
    DeleteChain(Family, Name, Name),
    /// Delete all rules of a chain of a table.
    FlushChain(Family, Name, Name),
    /// Create a set.
    AddSet(Family, Set),
    /// Delete a set of a table.
    DeleteSet(Family, Name, Name),
    /// Delete all elements of a set of a table.
    FlushSet(Family, Name, Name),
    /// Add elements to a set of a table.
    AddElements(Family, Name, Name, Vec<Element>),
    /// Delete elements of a set of a table.
    DeleteElements(Family, Name, Name, Vec<Element>),
    /// Create an object.
    AddObject(Family, Object),
    /// Delete an object.
    DeleteObject(Family, Object),
    /// Create a flowtable.
    AddFlowtable(Family, Flowtable),
    /// Delete a flowtable of a table.
    DeleteFlowtable(Family, Name, Name),
    /// Add a rule.
    AddRule(Family, OwnedRule, Place),
    /// Delete a rule, which carries its handle.
    DeleteRule(Family, OwnedRule),
}

impl Change {
    /// Whether it only takes away rules or elements.
    pub const fn is_removal(&self) -> bool {
        matches!(
            self,
            Self::DeleteRule(..)
                | Self::FlushChain(..)
                | Self::FlushSet(..)
                | Self::DeleteElements(..)
        )
    }

    /// Appends the operations.
    pub fn apply(&self, batch: &mut Batch) {
        match self {
            Self::AddTable(family, table) => batch.add_table(*family, table),
            Self::DeleteTable(family, name) => batch.delete_table(*family, name),
            Self::AddChain(family, chain) => batch.add_chain(*family, chain),
            Self::DeleteChain(family, table, name) => batch.delete_chain(*family, table, name),
            Self::FlushChain(family, table, name) => batch.flush_chain(*family, table, name),
            Self::AddSet(family, set) => batch.add_set(*family, set),
            Self::DeleteSet(family, table, name) => batch.delete_set(*family, table, name),
            Self::FlushSet(family, table, name) => batch.flush_set(*family, table, name),
            Self::AddElements(family, table, set, list) => {
                batch.add_elements(*family, table, set, list)
            }
            Self::DeleteElements(family, table, set, list) => {
                batch.delete_elements(*family, table, set, list)
            }
            Self::AddObject(family, object) => batch.add_object(*family, object),
            Self::DeleteObject(family, object) => batch.delete_object(*family, object),
            Self::AddFlowtable(family, flowtable) => batch.add_flowtable(*family, flowtable),
            Self::DeleteFlowtable(family, table, name) => {
                batch.delete_flowtable(*family, table, name)
            }
            Self::AddRule(family, owned, place) => batch.add_owned_rule(*family, owned, *place),
            Self::DeleteRule(family, owned) => {
                let chain = owned.rule.chain.clone().unwrap_or_default();
                let handle = owned.rule.handle.unwrap_or(0);
                batch.delete_rule(*family, &owned.rule.table, &chain, handle)
            }
        };
    }
}

/// One batch of all changes.
impl<'a> FromIterator<&'a Change> for Batch {
    fn from_iter<T: IntoIterator<Item = &'a Change>>(changes: T) -> Self {
        let mut batch = Self::new();
        changes
            .into_iter()
            .for_each(|change| change.apply(&mut batch));
        batch
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |family: &Family| to_text(family);
        let list = |f: &mut fmt::Formatter<'_>, head: &str, list: &[Element]| {
            for (i, element) in list.iter().enumerate() {
                let line = if i == 0 { "" } else { "\n" };
                write!(f, "{line}{head} {}", to_text(element))?;
            }
            Ok(())
        };
        match self {
            Self::AddTable(family, table) => {
                write!(f, "+ table {} {}", text(family), to_text(table))
            }
            Self::DeleteTable(family, name) => write!(f, "- table {} {name}", text(family)),
            Self::AddChain(family, chain) => {
                write!(f, "+ chain {} {}", text(family), to_text(chain))
            }
            Self::DeleteChain(family, table, name) => {
                write!(f, "- chain {} {table} {name}", text(family))
            }
            Self::FlushChain(family, table, name) => {
                write!(f, "- rules {} {table} {name}", text(family))
            }
            Self::AddSet(family, set) => write!(f, "+ set {} {}", text(family), to_text(set)),
            Self::DeleteSet(family, table, name) => {
                write!(f, "- set {} {table} {name}", text(family))
            }
            Self::FlushSet(family, table, name) => {
                write!(f, "- elements {} {table} {name}", text(family))
            }
            Self::AddElements(family, table, set, elements) => list(
                f,
                &format!("+ element {} {table} {set}", text(family)),
                elements,
            ),
            Self::DeleteElements(family, table, set, elements) => list(
                f,
                &format!("- element {} {table} {set}", text(family)),
                elements,
            ),
            Self::AddObject(family, object) => {
                write!(f, "+ object {} {}", text(family), to_text(object))
            }
            Self::DeleteObject(family, object) => {
                write!(f, "- object {} {}", text(family), to_text(object))
            }
            Self::AddFlowtable(family, flowtable) => {
                write!(f, "+ flowtable {} {}", text(family), to_text(flowtable))
            }
            Self::DeleteFlowtable(family, table, name) => {
                write!(f, "- flowtable {} {table} {name}", text(family))
            }
            Self::AddRule(family, owned, _) => {
                write!(f, "+ rule {} {}", text(family), to_text(&owned.intended()))
            }
            Self::DeleteRule(family, owned) => {
                write!(f, "- rule {} {}", text(family), to_text(&owned.intended()))
            }
        }
    }
}
