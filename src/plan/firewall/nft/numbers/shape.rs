//! How many profiles and ports need which rules: lengths of prefixes, and numbers of remote sets.

use std::collections::BTreeMap;

use super::super::layout::SLOTS;
use super::super::tables::Shape;
use super::Numbers;
use super::profile::Source;
use crate::model::{Family, Port, PortId};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Use {
    Net4,
    Net6,
    Pair4,
    Pair6,
}

/// One more of a kind, or one fewer.
fn count<K: Ord + Copy>(counts: &mut BTreeMap<K, usize>, key: K, more: bool) {
    let count = counts.entry(key).or_default();
    *count = if more {
        *count + 1
    } else {
        count.saturating_sub(1)
    };
    if *count == 0 {
        counts.remove(&key);
    }
}

impl Numbers {
    /// What the rules of the tables depend on.
    pub fn shape(&self) -> Shape {
        let lengths = |wanted: Use| {
            self.lengths
                .keys()
                .filter(|(use_, _)| *use_ == wanted)
                .map(|(_, length)| *length)
                .collect()
        };
        Shape {
            // In powers of two: one more set seldom changes a rule.
            slots: self
                .widths
                .keys()
                .last()
                .copied()
                .unwrap_or(0)
                .next_power_of_two()
                .clamp(4, SLOTS),
            nets4: lengths(Use::Net4),
            nets6: lengths(Use::Net6),
            pairs4: lengths(Use::Pair4),
            pairs6: lengths(Use::Pair6),
        }
    }

    pub(super) fn count(&mut self, source: &Source, more: bool) {
        let Source::Net(net) = source else {
            return;
        };
        let use_ = match Family::of_net(*net) {
            Family::V4 => Use::Net4,
            Family::V6 => Use::Net6,
        };
        self.count_length((use_, net.prefix_len()), more);
    }

    fn count_length(&mut self, key: (Use, u8), more: bool) {
        count(&mut self.lengths, key, more);
    }

    pub(super) fn count_width(&mut self, width: u16, more: bool) {
        if width == 0 {
            return;
        }
        count(&mut self.widths, width, more);
    }

    pub(super) fn count_pairs(&mut self, id: PortId, port: Option<&Port>) {
        let new: Vec<(Use, u8)> = port
            .map(|port| {
                let lengths =
                    super::super::render::senders(port)
                        .into_iter()
                        .filter_map(|(_, net)| {
                            let use_ = match Family::of_net(net) {
                                Family::V4 => Use::Pair4,
                                Family::V6 => Use::Pair6,
                            };
                            (net.prefix_len() < net.max_prefix_len())
                                .then_some((use_, net.prefix_len()))
                        });
                lengths.collect()
            })
            .unwrap_or_default();
        for key in &new {
            self.count_length(*key, true);
        }
        let old = if new.is_empty() {
            self.pairs.remove(&id)
        } else {
            self.pairs.insert(id, new)
        };
        for key in old.unwrap_or_default() {
            self.count_length(key, false);
        }
    }
}
