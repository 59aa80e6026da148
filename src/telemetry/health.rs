//! Readiness: which part of the agent is missing.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

/// What readiness depends on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ready {
    /// The control plane has given a complete snapshot.
    pub source: bool,
    /// The switch's database is connected.
    pub switch: bool,
    /// The bridges whose flows are ours, and whether their flow connection is up.
    pub bridges: Vec<(Arc<str>, bool)>,
}

impl Ready {
    /// What is missing, by part.
    pub fn missing(&self) -> BTreeMap<String, &'static str> {
        let mut missing = BTreeMap::new();
        if !self.source {
            missing.insert(
                "source".to_owned(),
                "no complete snapshot of the control plane yet",
            );
        }
        if !self.switch {
            missing.insert("switch".to_owned(), "ovsdb-server is not connected");
        }
        for (bridge, _) in self.bridges.iter().filter(|(_, up)| !up) {
            missing.insert(
                format!("flows {bridge}"),
                "the bridge's flow connection is down",
            );
        }
        missing
    }
}

/// The agent sets it, others look at it. At the start everything is missing.
#[derive(Debug)]
pub struct Health {
    ready: watch::Sender<Ready>,
}

impl Default for Health {
    fn default() -> Self {
        Health {
            ready: watch::Sender::new(Ready::default()),
        }
    }
}

impl Health {
    /// How it is now. The same again is no news to watchers.
    pub fn set(&self, now: Ready) {
        self.ready
            .send_if_modified(|ready| std::mem::replace(ready, now) != *ready);
    }

    /// How it was when last told.
    pub fn now(&self) -> Ready {
        self.ready.borrow().clone()
    }

    /// Tells of every change.
    pub fn watch(&self) -> watch::Receiver<Ready> {
        self.ready.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_nothing_is_missing() {
        let health = Health::default();
        let mut seen = health.watch();
        assert_eq!(
            health.now().missing().keys().collect::<Vec<_>>(),
            ["source", "switch"]
        );
        let ready = Ready {
            source: true,
            switch: true,
            bridges: vec![(Arc::from("br-int"), true)],
        };
        health.set(ready.clone());
        assert!(seen.has_changed().unwrap() && health.now().missing().is_empty());
        seen.mark_unchanged();
        health.set(ready.clone());
        assert!(!seen.has_changed().unwrap(), "the same again");
        health.set(Ready {
            bridges: vec![(Arc::from("br-int"), true), (Arc::from("br-tun"), false)],
            ..ready
        });
        assert_eq!(
            health.now().missing().keys().collect::<Vec<_>>(),
            ["flows br-tun"]
        );
    }
}
