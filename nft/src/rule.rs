//! Rules (`enum nft_rule_attributes`).

use crate::attr::attributes;
use crate::element::Element;
use crate::expr::Expr;
use crate::name::Name;
use crate::set::Set;
use crate::userdata::{COMMENT, UserData};

attributes! {
    /// Protocol of a rule with iptables extensions (`enum nft_rule_compat_attributes`).
    pub struct Compat "compat" {
        /// Protocol number.
        1 => protocol: u32,
        /// Flags.
        2 => flags: u32 = zero,
    }
}

attributes! {
    /// A rule as it is on the wire. Anonymous sets it refers to are separate messages; [`OwnedRule`]
    /// keeps both together.
    pub struct Rule "rule" pad(8) {
        /// Table.
        1 => table: Name,
        /// Chain; absent when the chain is named by id, or to flush a table.
        2 => chain: Option<Name>,
        /// Handle; from the kernel, or to replace or delete.
        3 => handle: Option<u64>,
        /// Handle of the rule next to which this one goes; from the kernel the previous rule.
        6 => position: Option<u64>,
        /// Id for references within a batch.
        9 => id: Option<u32>,
        /// Id of the rule next to which this one goes.
        10 => position_id: Option<u32>,
        /// Id of the chain in the same batch.
        11 => chain_id: Option<u32>,
        /// What the rule does.
        4 => expressions: Vec<Expr> = zero,
        /// Present in rules with iptables extensions.
        5 => compat: Option<Compat>,
        /// Free data of user space, for example a comment.
        7 => userdata: Option<UserData>,
    }
}

impl Rule {
    /// A rule of a chain.
    pub fn new(table: impl Into<Name>, chain: impl Into<Name>, expressions: Vec<Expr>) -> Self {
        Self {
            table: table.into(),
            chain: Some(chain.into()),
            expressions,
            ..Self::default()
        }
    }

    /// The same with a comment.
    #[must_use]
    pub fn commented(mut self, comment: &str) -> Self {
        self.userdata = Some(UserData::comment(comment));
        self
    }

    /// The comment, if any.
    pub fn comment(&self) -> Option<String> {
        self.userdata.as_ref()?.text(COMMENT)
    }

    /// The part that user space decides: no handle, no position, no counter values.
    #[must_use]
    pub fn intended(&self) -> Self {
        Self {
            handle: None,
            position: None,
            id: None,
            position_id: None,
            chain_id: None,
            expressions: self.expressions.iter().map(Expr::intended).collect(),
            ..self.clone()
        }
    }
}

/// An anonymous set with its elements. Its name is `__set%d` or `__map%d` and its id is its
/// position in [`OwnedRule::sets`] plus one; [`crate::batch::Batch`] replaces both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AnonymousSet {
    /// The set.
    pub set: Set,
    /// Its elements.
    pub elements: Vec<Element>,
}

/// A rule with the anonymous sets that live in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct OwnedRule {
    /// The rule; lookups name its sets by id.
    pub rule: Rule,
    /// Anonymous sets, in the order of their first use.
    pub sets: Vec<AnonymousSet>,
}

impl From<Rule> for OwnedRule {
    fn from(rule: Rule) -> Self {
        Self {
            rule,
            sets: Vec::new(),
        }
    }
}

impl OwnedRule {
    /// Adds an anonymous set and returns the name and id that a lookup needs.
    pub fn add_set(&mut self, mut set: Set, elements: Vec<Element>) -> (Name, u32) {
        let id = u32::try_from(self.sets.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        let pattern = if set.data_type.is_some() {
            "__map%d"
        } else {
            "__set%d"
        };
        set.name = pattern.into();
        set.id = Some(id);
        set.flags = set.flags.with(crate::set::SetFlags::ANONYMOUS);
        set.flags = set.flags.with(crate::set::SetFlags::CONSTANT);
        self.sets.push(AnonymousSet { set, elements });
        (pattern.into(), id)
    }

    /// The part that user space decides. Elements are sorted: their order means nothing.
    #[must_use]
    pub fn intended(&self) -> Self {
        let sets = self
            .sets
            .iter()
            .map(|owned| {
                let mut elements: Vec<_> = owned.elements.iter().map(Element::intended).collect();
                elements.sort_by(|a, b| {
                    let key = |e: &Element| {
                        let key = e.key.as_ref().and_then(|d| d.value().cloned());
                        let end = e.key_end.as_ref().and_then(|d| d.value().cloned());
                        (
                            e.flags.contains(crate::element::ElementFlags::CATCHALL),
                            key,
                            e.flags,
                            end,
                        )
                    };
                    key(a).cmp(&key(b))
                });
                AnonymousSet {
                    set: Set {
                        id: owned.set.id,
                        ..owned.set.intended()
                    },
                    elements,
                }
            })
            .collect();
        Self {
            rule: self.rule.intended(),
            sets,
        }
    }
}
