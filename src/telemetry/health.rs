//! Readiness: which part of the agent is missing, and why.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

/// A part that readiness depends on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Part {
    /// The control plane has given a complete snapshot.
    Source,
    /// The switch's database is connected and its replica complete.
    Switch,
    /// Every bridge's flow connection is up.
    Flows,
    /// The host's devices are known.
    Links,
    /// Reports reach the control plane.
    Reports,
}

impl Part {
    /// The name in JSON and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Part::Source => "source",
            Part::Switch => "switch",
            Part::Flows => "flows",
            Part::Links => "links",
            Part::Reports => "reports",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is missing, by part. At the start: the source, the switch and its flows.
#[derive(Debug)]
pub struct Health {
    missing: watch::Sender<BTreeMap<Part, Arc<str>>>,
}

impl Default for Health {
    fn default() -> Self {
        let why: Arc<str> = Arc::from("not connected yet");
        let parts = [Part::Source, Part::Switch, Part::Flows];
        Health {
            missing: watch::Sender::new(
                parts.into_iter().map(|part| (part, why.clone())).collect(),
            ),
        }
    }
}

impl Health {
    /// The part is there.
    pub fn ready(&self, part: Part) {
        self.missing
            .send_if_modified(|missing| missing.remove(&part).is_some());
    }

    /// The part is missing, for that reason.
    pub fn missing(&self, part: Part, why: &str) {
        self.missing.send_if_modified(|missing| {
            let changed = missing.get(&part).is_none_or(|old| **old != *why);
            if changed {
                missing.insert(part, Arc::from(why));
            }
            changed
        });
    }

    /// Everything that is missing now.
    pub fn all_missing(&self) -> BTreeMap<Part, Arc<str>> {
        self.missing.borrow().clone()
    }

    /// `true` if nothing is missing.
    pub fn is_ready(&self) -> bool {
        self.missing.borrow().is_empty()
    }

    /// Tells of every change.
    pub fn watch(&self) -> watch::Receiver<BTreeMap<Part, Arc<str>>> {
        self.missing.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_nothing_is_missing() {
        let health = Health::default();
        let mut seen = health.watch();
        seen.mark_unchanged();
        assert!(!health.is_ready());
        for part in [Part::Source, Part::Switch, Part::Flows] {
            health.ready(part);
        }
        assert!(health.is_ready() && seen.has_changed().unwrap());
        seen.mark_unchanged();
        health.ready(Part::Source);
        assert!(!seen.has_changed().unwrap(), "no change, no news");
        health.missing(Part::Switch, "connection refused");
        health.missing(Part::Switch, "connection refused");
        assert_eq!(
            health.all_missing(),
            BTreeMap::from([(Part::Switch, Arc::from("connection refused"))])
        );
    }
}
