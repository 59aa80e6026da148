//! Ports that the switch floods nothing to, as far as this connection knows: what it has read, what it has brought
//! about, and what the switch tells of others. The switch does not tell a connection what that changed itself.
//!
//! A device that is replaced under its name and number floods again, and so does a port that an operator changes. What
//! is told while a batch is under way may be from before or after it, so it counts when the batch is finished: at worst
//! a port is changed once more than needed.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;

/// See the module.
#[derive(Default, Debug)]
pub(super) struct Ports {
    unflooded: FxHashSet<u16>,
    /// The last that the switch told: whether it floods nothing to a port.
    told: BTreeMap<u16, bool>,
}

impl Ports {
    /// These were read, and no others.
    pub fn read(&mut self, unflooded: impl Iterator<Item = u16>) {
        self.unflooded = unflooded.collect();
    }

    /// A batch brought this about.
    pub fn done(&mut self, port: u16, is_unflooded: bool) {
        match is_unflooded {
            true => self.unflooded.insert(port),
            false => self.unflooded.remove(&port),
        };
    }

    /// The switch tells.
    pub fn told(&mut self, port: u16, is_unflooded: bool) {
        self.told.insert(port, is_unflooded);
    }

    /// What is not as it was known, once. Not to be asked for while a batch is under way.
    pub fn news(&mut self) -> Vec<(u16, bool)> {
        let mut news = Vec::new();
        for (port, is_unflooded) in std::mem::take(&mut self.told) {
            if self.unflooded.contains(&port) != is_unflooded {
                self.done(port, is_unflooded);
                news.push((port, is_unflooded));
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_is_told_and_a_batch_counts_before_it() {
        let mut ports = Ports::default();
        ports.read([3, 4].into_iter());
        for (port, is_unflooded) in [(3, true), (5, false), (6, false)] {
            ports.told(port, is_unflooded);
        }
        assert_eq!(ports.news(), [], "as it was known");
        ports.told(4, false);
        ports.told(6, true);
        assert_eq!(ports.news(), [(4, false), (6, true)]);
        assert_eq!(ports.news(), []);
        // The device was replaced before or after the modification.
        ports.told(5, false);
        ports.done(5, true);
        assert_eq!(ports.news(), [(5, false)]);
        ports.done(5, true);
        ports.told(5, true);
        ports.done(3, false);
        assert_eq!(ports.news(), []);
    }
}
