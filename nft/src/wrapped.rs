//! Chains under a prefix of one's own, with top rules and removal of exact rules.
//!
//! The semantics that iptables-based agents rely on, over nf_tables objects in a table of one's own:
//! *wrapped* chains carry the agent's name as a prefix and cannot clash with another's, *top* rules
//! stay before all others of their chain, removing a chain removes the jumps to it, of equal rules
//! the last one stays. Owns the bookkeeping; [`Chains::render`] yields the wanted table, which
//! [`crate::diff`] brings about. Knows no sockets. Held by the tests below and `tests/kernel`.
//!
//! Unlike their model, chains are removed with exactly the jumps to them: a jump to `o10` is no jump to `o1`. Foreign tables
//! are not read, so that nothing in them can be lost; counters of rules that stay go on.
//!
//! ```
//! use nft::chain::{Chain, Policy, hook};
//! use nft::data::Verdict;
//! use nft::expr::build::verdict;
//! use nft::message::Family;
//! use nft::rule::Rule;
//! use nft::table::Table;
//! use nft::wrapped::{ChainRef, Chains, Rank};
//!
//! let mut chains = Chains::new(Family::INET, Table::new("vifd"), "agent");
//! let (forward, port) = (ChainRef::wrapped("FORWARD"), ChainRef::wrapped("i1"));
//! let base = Chain::base("", "", hook::FORWARD, 0, Policy::ACCEPT);
//! chains.add_base_chain(forward.clone(), base).unwrap();
//! chains.add_chain(port.clone()).unwrap();
//! let jump = vec![verdict(Verdict::jump(chains.name_of(&port)))];
//! chains.add_rule(&forward, Rank::Top, Rule::new("", "", jump)).unwrap();
//! assert_eq!(chains.render().rule_count(), 1);
//! chains.remove_chain(&port).unwrap();
//! assert_eq!(chains.render().rule_count(), 0);
//! ```

use core::fmt;
use std::collections::{BTreeMap, HashSet};

use crate::chain::Chain;
use crate::data::Data;
use crate::expr::Expr;
use crate::message::Family;
use crate::name::Name;
use crate::rule::{OwnedRule, Rule};
use crate::ruleset::TableState;
use crate::table::Table;

/// A chain as callers name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChainRef {
    /// A chain that gets the prefix.
    Wrapped(Name),
    /// A chain under exactly this name.
    Plain(Name),
}

impl ChainRef {
    /// A wrapped chain.
    pub fn wrapped(name: impl Into<Name>) -> Self {
        Self::Wrapped(name.into())
    }

    /// A chain without prefix.
    pub fn plain(name: impl Into<Name>) -> Self {
        Self::Plain(name.into())
    }
}

/// What was asked for does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrapError {
    /// No such chain.
    NoChain(ChainRef),
    /// No such rule in the chain.
    NoRule(ChainRef),
    /// Another chain has this name in the kernel: a plain one that begins with the prefix.
    Clash(ChainRef),
}

impl fmt::Display for WrapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoChain(chain) => write!(f, "no chain {chain:?}"),
            Self::NoRule(chain) => write!(f, "no such rule in chain {chain:?}"),
            Self::Clash(chain) => write!(f, "another chain is called as {chain:?} would be"),
        }
    }
}

impl core::error::Error for WrapError {}

/// Whether a rule goes before the ordinary ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rank {
    /// Before all ordinary rules.
    Top,
    /// In the order of adding.
    #[default]
    Ordinary,
}

#[derive(Clone, Debug, Default)]
struct Book {
    chain: Chain,
    rules: Vec<(Rank, OwnedRule)>,
}

/// The chains and rules of one table.
#[derive(Clone, Debug)]
pub struct Chains {
    family: Family,
    table: Table,
    prefix: String,
    books: BTreeMap<ChainRef, Book>,
}

impl Chains {
    /// No chains yet. Wrapped chains will be called `prefix-name`.
    pub fn new(family: Family, table: Table, prefix: &str) -> Self {
        Self {
            family,
            table,
            prefix: String::from(prefix),
            books: BTreeMap::new(),
        }
    }

    /// The name of a chain in the kernel.
    pub fn name_of(&self, chain: &ChainRef) -> Name {
        match chain {
            ChainRef::Wrapped(name) => Name::from(format!("{}-{name}", self.prefix)),
            ChainRef::Plain(name) => name.clone(),
        }
    }

    /// Adds a regular chain; nothing happens if it exists.
    pub fn add_chain(&mut self, chain: ChainRef) -> Result<(), WrapError> {
        self.entry(chain).map(drop)
    }

    /// Adds a base chain, or changes it and keeps its rules. The chain's table and name are set
    /// here.
    pub fn add_base_chain(&mut self, name: ChainRef, chain: Chain) -> Result<(), WrapError> {
        self.entry(name)?.chain = chain;
        Ok(())
    }

    fn entry(&mut self, chain: ChainRef) -> Result<&mut Book, WrapError> {
        let name = self.name_of(&chain);
        let unwrapped = name
            .as_bytes()
            .strip_prefix(self.prefix.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"-"));
        let other = match &chain {
            ChainRef::Wrapped(_) => Some(ChainRef::Plain(name.clone())),
            ChainRef::Plain(_) => unwrapped.map(|rest| ChainRef::Wrapped(Name::new(rest))),
        };
        match other {
            Some(other) if self.books.contains_key(&other) => Err(WrapError::Clash(chain)),
            _ => Ok(self.books.entry(chain).or_default()),
        }
    }

    /// Removes a chain with its rules and all rules that jump to it.
    pub fn remove_chain(&mut self, chain: &ChainRef) -> Result<(), WrapError> {
        self.books
            .remove(chain)
            .ok_or_else(|| WrapError::NoChain(chain.clone()))?;
        let name = self.name_of(chain);
        for book in self.books.values_mut() {
            book.rules.retain(|(_, owned)| !jumps_to(owned, &name));
        }
        Ok(())
    }

    /// Removes the rules of a chain.
    pub fn empty_chain(&mut self, chain: &ChainRef) -> Result<(), WrapError> {
        self.book(chain)?.rules.clear();
        Ok(())
    }

    fn book(&mut self, chain: &ChainRef) -> Result<&mut Book, WrapError> {
        self.books
            .get_mut(chain)
            .ok_or_else(|| WrapError::NoChain(chain.clone()))
    }

    /// Adds a rule. Its table and chain are set here.
    pub fn add_rule(
        &mut self,
        chain: &ChainRef,
        rank: Rank,
        rule: impl Into<OwnedRule>,
    ) -> Result<(), WrapError> {
        let rule = self.placed(chain, rule.into());
        self.book(chain)?.rules.push((rank, rule));
        Ok(())
    }

    /// Removes a rule that equals `rule` in rank and content. One such rule goes, the earliest.
    pub fn remove_rule(
        &mut self,
        chain: &ChainRef,
        rank: Rank,
        rule: impl Into<OwnedRule>,
    ) -> Result<(), WrapError> {
        let wanted = (rank, self.placed(chain, rule.into()));
        let book = self.book(chain)?;
        let at = book.rules.iter().position(|rule| *rule == wanted);
        let at = at.ok_or_else(|| WrapError::NoRule(chain.clone()))?;
        book.rules.remove(at);
        Ok(())
    }

    fn placed(&self, chain: &ChainRef, owned: OwnedRule) -> OwnedRule {
        let rule = Rule {
            table: self.table.name.clone(),
            chain: Some(self.name_of(chain)),
            ..owned.rule
        };
        OwnedRule {
            rule,
            sets: owned.sets,
        }
        .intended()
    }

    /// The table that should be: top rules first, of equal rules the last.
    pub fn render(&self) -> TableState {
        let mut state = TableState::new(self.family, self.table.clone());
        for (name, book) in &self.books {
            let rules = rules_in_order(&book.rules);
            let chain = Chain {
                table: self.table.name.clone(),
                name: Some(self.name_of(name)),
                ..book.chain.clone()
            };
            state.add_chain(chain).rules = rules;
        }
        state
    }
}

fn rules_in_order(rules: &[(Rank, OwnedRule)]) -> Vec<OwnedRule> {
    let of = |rank| {
        rules
            .iter()
            .filter(move |rule| rule.0 == rank)
            .map(|rule| &rule.1)
    };
    let mut seen = HashSet::new();
    let mut kept: Vec<OwnedRule> = of(Rank::Top)
        .chain(of(Rank::Ordinary))
        .rev()
        .filter(|rule| seen.insert(*rule))
        .cloned()
        .collect();
    kept.reverse();
    kept
}

fn jumps_to(owned: &OwnedRule, chain: &Name) -> bool {
    let names = |data: &Data| {
        data.verdict()
            .is_some_and(|v| v.chain.as_ref() == Some(chain))
    };
    let direct = owned.rule.expressions.iter().any(|expr| match expr {
        Expr::Immediate(e) => names(&e.data),
        _ => false,
    });
    let by_map = owned.sets.iter().flat_map(|set| &set.elements);
    direct || by_map.filter_map(|e| e.data.as_ref()).any(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::{Policy, hook};
    use crate::data::Verdict;
    use crate::expr::build::{accept, counter, drop, verdict};

    fn rule(exprs: Vec<Expr>) -> Rule {
        Rule {
            expressions: exprs,
            ..Rule::default()
        }
    }

    fn chains() -> (Chains, ChainRef) {
        let mut chains = Chains::new(Family::INET, Table::new("t"), "agent");
        let forward = ChainRef::wrapped("FORWARD");
        let base = Chain::base("", "", hook::FORWARD, 0, Policy::ACCEPT);
        chains.add_base_chain(forward.clone(), base).unwrap();
        (chains, forward)
    }

    fn order(chains: &Chains, name: &str) -> Vec<Vec<Expr>> {
        let state = chains.render();
        let rules = &state.chains[name.as_bytes()].rules;
        rules
            .iter()
            .map(|owned| owned.rule.expressions.clone())
            .collect()
    }

    #[test]
    fn top_rules_come_first_and_duplicates_keep_the_last() {
        let (mut chains, forward) = chains();
        chains
            .add_rule(&forward, Rank::Ordinary, rule(vec![accept()]))
            .unwrap();
        chains
            .add_rule(&forward, Rank::Ordinary, rule(vec![counter()]))
            .unwrap();
        chains
            .add_rule(&forward, Rank::Ordinary, rule(vec![accept()]))
            .unwrap();
        chains
            .add_rule(&forward, Rank::Top, rule(vec![drop()]))
            .unwrap();
        let expected = [vec![drop()], vec![counter()], vec![accept()]];
        assert_eq!(order(&chains, "agent-FORWARD"), expected);
    }

    #[test]
    fn removing_a_chain_takes_exactly_the_jumps_to_it() {
        let (mut chains, forward) = chains();
        for name in ["o1", "o10"] {
            let chain = ChainRef::wrapped(name);
            chains.add_chain(chain.clone()).unwrap();
            let jump = verdict(Verdict::jump(chains.name_of(&chain)));
            chains
                .add_rule(&forward, Rank::Ordinary, rule(vec![jump]))
                .unwrap();
        }
        chains.remove_chain(&ChainRef::wrapped("o1")).unwrap();
        let expected = [vec![verdict(Verdict::jump("agent-o10"))]];
        assert_eq!(order(&chains, "agent-FORWARD"), expected);
        let again = chains.remove_chain(&ChainRef::wrapped("o1"));
        assert_eq!(again, Err(WrapError::NoChain(ChainRef::wrapped("o1"))));
    }

    #[test]
    fn only_an_exact_rule_is_removed() {
        let (mut chains, forward) = chains();
        chains
            .add_rule(&forward, Rank::Top, rule(vec![accept()]))
            .unwrap();
        let absent = Err(WrapError::NoRule(forward.clone()));
        assert_eq!(
            chains.remove_rule(&forward, Rank::Ordinary, rule(vec![accept()])),
            absent
        );
        assert_eq!(
            chains.remove_rule(&forward, Rank::Top, rule(vec![drop()])),
            absent
        );
        chains
            .remove_rule(&forward, Rank::Top, rule(vec![accept()]))
            .unwrap();
        assert!(order(&chains, "agent-FORWARD").is_empty());
    }

    #[test]
    fn wrapped_and_plain_chains_of_one_name_differ() {
        let (mut chains, _) = chains();
        chains.add_chain(ChainRef::wrapped("local")).unwrap();
        chains.add_chain(ChainRef::plain("local")).unwrap();
        let names: Vec<_> = chains.render().chains.keys().map(Name::to_text).collect();
        assert_eq!(names, ["agent-FORWARD", "agent-local", "local"]);
        // In the kernel they may not be one.
        let plain = ChainRef::plain("agent-local");
        assert_eq!(
            chains.add_chain(plain.clone()),
            Err(WrapError::Clash(plain))
        );
        chains.add_chain(ChainRef::plain("agent-other")).unwrap();
        let wrapped = ChainRef::wrapped("other");
        assert_eq!(
            chains.add_chain(wrapped.clone()),
            Err(WrapError::Clash(wrapped))
        );
    }
}
