//! Comparison of the rules of one chain, as a sequence: rules that stay keep their handles and
//! counters.

use std::collections::HashMap;

use super::Change;
use crate::batch::Place;
use crate::message::Family;
use crate::rule::OwnedRule;
use crate::ruleset::without_handles;

/// Deletions and insertions that turn `observed` into `desired`. `redo` names rules that must be
/// made again although they are equal.
pub fn rules(
    family: Family,
    desired: &[OwnedRule],
    observed: &[OwnedRule],
    redo: impl Fn(&OwnedRule) -> bool,
) -> Vec<Change> {
    let wanted: Vec<OwnedRule> = desired.iter().map(OwnedRule::intended).collect();
    let there: Vec<OwnedRule> = observed.iter().map(OwnedRule::intended).collect();
    let pairs = common(&wanted, &there, &redo);
    let mut changes = Vec::new();
    let mut kept = pairs.iter().map(|pair| pair.1).peekable();
    for (i, rule) in observed.iter().enumerate() {
        if kept.next_if_eq(&i).is_none() {
            changes.push(Change::DeleteRule(family, rule.clone()));
        }
    }
    let mut kept = pairs.iter().peekable();
    for (i, rule) in desired.iter().enumerate() {
        if kept.next_if(|pair| pair.0 == i).is_some() {
            continue;
        }
        let next = kept
            .peek()
            .and_then(|pair| observed.get(pair.1)?.rule.handle);
        let place = next.map_or(Place::Last, Place::Before);
        changes.push(Change::AddRule(family, without_handles(rule), place));
    }
    changes
}

/// Pairs of positions of equal rules, increasing in both: equal ends, then a longest increasing
/// run of the middle, in O(n log n).
fn common(
    wanted: &[OwnedRule],
    there: &[OwnedRule],
    redo: &impl Fn(&OwnedRule) -> bool,
) -> Vec<(usize, usize)> {
    let same = |pair: &(&OwnedRule, &OwnedRule)| pair.0 == pair.1 && !redo(pair.1);
    let front = wanted.iter().zip(there).take_while(same).count();
    let rest = |list: &[OwnedRule]| list.len().saturating_sub(front);
    let limit = rest(wanted).min(rest(there));
    let back = wanted
        .iter()
        .rev()
        .zip(there.iter().rev())
        .take(limit)
        .take_while(same)
        .count();
    let mut pairs: Vec<_> = (0..front).map(|i| (i, i)).collect();

    let middle = |list: &[OwnedRule]| front..list.len().saturating_sub(back);
    let mut positions: HashMap<&OwnedRule, Vec<usize>> = HashMap::new();
    for j in middle(there).rev() {
        if let Some(rule) = there.get(j)
            && !redo(rule)
        {
            positions.entry(rule).or_default().push(j);
        }
    }
    // Equal rules are matched first to first: each position is used once.
    let candidates: Vec<(usize, usize)> = middle(wanted)
        .filter_map(|i| Some((i, positions.get_mut(wanted.get(i)?)?.pop()?)))
        .collect();
    pairs.extend(increasing(&candidates));

    let shift = |list: &[OwnedRule], k: usize| list.len().saturating_sub(back).saturating_add(k);
    pairs.extend((0..back).map(|k| (shift(wanted, k), shift(there, k))));
    pairs
}

/// The longest subsequence whose second parts increase (patience sorting).
fn increasing(candidates: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut tails: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(candidates.len());
    let value = |index: usize| candidates.get(index).map(|pair| pair.1);
    for (i, pair) in candidates.iter().enumerate() {
        let at = tails.partition_point(|&tail| value(tail) < Some(pair.1));
        before.push(at.checked_sub(1).and_then(|at| tails.get(at).copied()));
        match tails.get_mut(at) {
            Some(tail) => *tail = i,
            None => tails.push(i),
        }
    }
    let mut run = Vec::new();
    let mut next = tails.last().copied();
    while let Some(index) = next {
        run.extend(candidates.get(index).copied());
        next = before.get(index).copied().flatten();
    }
    run.reverse();
    run
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Rule;

    fn rule(comment: &str, handle: u64) -> OwnedRule {
        let handle = Some(handle);
        OwnedRule::from(Rule {
            handle,
            ..Rule::new("t", "c", Vec::new()).commented(comment)
        })
    }

    /// Applies changes to a list as the kernel would.
    fn apply(observed: &[OwnedRule], changes: &[Change]) -> Vec<String> {
        let mut list = observed.to_vec();
        for change in changes {
            match change {
                Change::DeleteRule(_, gone) => {
                    list.retain(|r| r.rule.handle != gone.rule.handle);
                }
                Change::AddRule(_, new, Place::Last) => list.push(new.clone()),
                Change::AddRule(_, new, Place::Before(handle)) => {
                    let at = list
                        .iter()
                        .position(|r| r.rule.handle == Some(*handle))
                        .unwrap();
                    list.insert(at, new.clone());
                }
                other => panic!("{other:?}"),
            }
        }
        list.iter().map(|r| r.rule.comment().unwrap()).collect()
    }

    #[test]
    fn every_small_pair_of_lists_converges() {
        let words = [
            "", "a", "ab", "ba", "aab", "abc", "cab", "bca", "abcd", "dcba", "abab", "acbd",
        ];
        for from in words {
            for to in words {
                let make = |word: &str| -> Vec<OwnedRule> {
                    word.chars()
                        .zip(1..)
                        .map(|(c, i)| rule(&c.to_string(), i))
                        .collect()
                };
                let (observed, desired) = (make(from), make(to));
                let changes = rules(Family::INET, &desired, &observed, |_| false);
                assert_eq!(apply(&observed, &changes).concat(), to, "{from} to {to}");
            }
        }
    }

    #[test]
    fn one_new_rule_is_one_change() {
        let observed: Vec<_> = (0..1_000).map(|i| rule(&i.to_string(), i + 1)).collect();
        let mut desired = observed.clone();
        desired.insert(500, rule("new", 0));
        desired.remove(10);
        let changes = rules(Family::INET, &desired, &observed, |_| false);
        assert_eq!(changes.len(), 2);
        assert!(matches!(
            &changes[1],
            Change::AddRule(_, _, Place::Before(501))
        ));
    }
}
