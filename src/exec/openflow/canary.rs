//! One flow of ours that is known to stand, looked at again and again.
//!
//! Some changes of a bridge's row empty its tables without a word on any OpenFlow connection: another `fail_mode`, the
//! first controller or the last one gone (`ofproto/connmgr.c`). A switch finds flows by their whole cookie in an
//! index, so looking for one costs the same however many there are.

use std::time::Duration;

use crate::ops::FlowItem;
use crate::ops::flow::{FlowBody, FlowKey};

/// Between two looks.
pub(super) const INTERVAL: Duration = Duration::from_millis(500);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Canary {
    flow: Option<(FlowKey, u64)>,
}

impl Canary {
    /// These stand.
    pub fn from_dump(flows: &[(FlowKey, FlowBody)]) -> Canary {
        let mut canary = Canary::default();
        for (key, body) in flows {
            canary.stands(key, body.cookie);
        }
        canary
    }

    /// Its cookie.
    pub fn cookie(&self) -> Option<u64> {
        self.flow.as_ref().map(|(_, cookie)| *cookie)
    }

    /// A batch was carried out, but for the items refused.
    pub fn carried_out(&mut self, items: &[FlowItem], is_refused: impl Fn(usize) -> bool) {
        for (at, item) in items.iter().enumerate() {
            let is_ours = self.flow.as_ref().is_some_and(|(key, _)| *key == item.key);
            if is_ours && (item.body.is_none() || is_refused(at)) {
                self.flow = None;
            }
        }
        for (at, item) in items.iter().enumerate() {
            if let Some(body) = item.body.as_ref().filter(|_| !is_refused(at)) {
                self.stands(&item.key, body.cookie);
            }
        }
    }

    /// The first flow of the first table is the one that stays longest.
    fn stands(&mut self, key: &FlowKey, cookie: u64) {
        let rank = |key: &FlowKey| (key.table, key.priority);
        let is_better = |(old, _): &(FlowKey, u64)| rank(key) < rank(old) || key == old;
        if self.flow.as_ref().is_none_or(is_better) {
            self.flow = Some((key.clone(), cookie));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ofproto::action::ActionList;
    use ofproto::matching::Match;

    fn key(table: u8, priority: u16) -> FlowKey {
        FlowKey {
            table,
            priority,
            matching: Match::new(),
        }
    }

    fn item(table: u8, priority: u16, cookie: Option<u64>) -> FlowItem {
        let body = cookie.map(|cookie| FlowBody {
            cookie,
            actions: ActionList::new(),
        });
        FlowItem {
            key: key(table, priority),
            body,
            learned: None,
        }
    }

    #[test]
    fn it_is_always_one_that_stands() {
        let mut canary = Canary::default();
        assert_eq!(canary.cookie(), None);
        canary.carried_out(
            &[
                item(2, 1, Some(21)),
                item(0, 5, Some(5)),
                item(0, 0, Some(9)),
            ],
            |at| at == 2,
        );
        assert_eq!(canary.cookie(), Some(5), "the refused one does not count");
        canary.carried_out(&[item(1, 1, Some(11)), item(0, 5, Some(6))], |_| false);
        assert_eq!(canary.cookie(), Some(6), "replaced");
        canary.carried_out(&[item(0, 5, None)], |_| false);
        assert_eq!(
            canary.cookie(),
            None,
            "what stands beside it is not known any more"
        );
        canary.carried_out(&[item(3, 1, Some(31))], |_| false);
        assert_eq!(canary.cookie(), Some(31));
        canary.carried_out(&[item(3, 1, None), item(4, 1, Some(41))], |_| false);
        assert_eq!(canary.cookie(), Some(41));
    }
}
