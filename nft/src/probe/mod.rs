//! What this kernel can do, found out by trial.
//!
//! Owns the list of [`Feature`]s, a batch for each that uses it in a scratch table, and the choice
//! of the [`Variant`] of bridge filtering. Trial batches have no end message, so the kernel checks
//! them and applies nothing: no event, no new generation. An absent module shows as an error on
//! the expression that needs it. Knows no sockets. Held by `tests/kernel` (`probe`).
//!
//! ```
//! use nft::probe::{Choice, Feature, Features, Finding, Variant};
//!
//! // As found by `net::Client::probe`; here, by hand.
//! let mut features = Features::default();
//! features.record(Feature::Bridge, Finding::Present);
//! let choice = Choice::of(&features, false);
//! assert_eq!(choice.variant, Variant::Stateless);
//! assert!(choice.reasons[0].contains("the kernel lacks connection state in bridge tables"));
//! ```

mod trial;
mod variant;

pub use variant::{Choice, Variant};

use std::collections::BTreeMap;

use crate::batch::OpError;
use crate::conn::{Outcome, Request};
use crate::message::Family;

/// Something a kernel may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is explained by `Feature::meaning`")]
pub enum Feature {
    Inet,
    Bridge,
    Netdev,
    Egress,
    Conntrack,
    BridgeConntrack,
    ConntrackZones,
    BridgeConntrackZones,
    ConntrackLabels,
    ConntrackCount,
    BridgeMeta,
    ConcatIntervals,
    SetTimeouts,
    SetExpressions,
    DynamicSets,
    NamedObjects,
    Flowtables,
    Nat,
    Masquerade,
    Redirect,
    Notrack,
    BridgeNotrack,
    Reject,
    BridgeReject,
    Log,
    Queue,
    Fib,
    Socket,
    Tproxy,
    Synproxy,
    TableOwner,
    TablePersist,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 32] = [
        Self::Inet,
        Self::Bridge,
        Self::Netdev,
        Self::Egress,
        Self::Conntrack,
        Self::BridgeConntrack,
        Self::ConntrackZones,
        Self::BridgeConntrackZones,
        Self::ConntrackLabels,
        Self::ConntrackCount,
        Self::BridgeMeta,
        Self::ConcatIntervals,
        Self::SetTimeouts,
        Self::SetExpressions,
        Self::DynamicSets,
        Self::NamedObjects,
        Self::Flowtables,
        Self::Nat,
        Self::Masquerade,
        Self::Redirect,
        Self::Notrack,
        Self::BridgeNotrack,
        Self::Reject,
        Self::BridgeReject,
        Self::Log,
        Self::Queue,
        Self::Fib,
        Self::Socket,
        Self::Tproxy,
        Self::Synproxy,
        Self::TableOwner,
        Self::TablePersist,
    ];

    /// What it is, in words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Inet => "tables of the inet family",
            Self::Bridge => "tables of the bridge family",
            Self::Netdev => "tables of the netdev family (ingress)",
            Self::Egress => "egress hook of the netdev family",
            Self::Conntrack => "connection state in inet tables",
            Self::BridgeConntrack => "connection state in bridge tables",
            Self::ConntrackZones => "setting connection zones",
            Self::BridgeConntrackZones => "setting connection zones in bridge tables",
            Self::ConntrackLabels => "connection labels",
            Self::ConntrackCount => "counting connections",
            Self::BridgeMeta => "name of the bridge of a port",
            Self::ConcatIntervals => "intervals in concatenations",
            Self::SetTimeouts => "elements that time out",
            Self::SetExpressions => "elements that count",
            Self::DynamicSets => "elements added by rules",
            Self::NamedObjects => "named counters",
            Self::Flowtables => "flowtables",
            Self::Nat => "address translation",
            Self::Masquerade => "masquerading",
            Self::Redirect => "redirection",
            Self::Notrack => "packets exempt from tracking",
            Self::BridgeNotrack => "packets exempt from tracking in bridge tables",
            Self::Reject => "refusal with an answer",
            Self::BridgeReject => "refusal with an answer in bridge tables",
            Self::Log => "logging",
            Self::Queue => "user space queues",
            Self::Fib => "routing queries",
            Self::Socket => "data of local sockets",
            Self::Tproxy => "transparent proxying",
            Self::Synproxy => "SYN proxying",
            Self::TableOwner => "tables that only one socket may change",
            Self::TablePersist => "owned tables that outlive their socket",
        }
    }
}

/// The answer to one trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The kernel has it.
    Present,
    /// The kernel refused.
    Absent(Box<OpError>),
    /// No usable answer.
    Unclear,
}

/// What the kernel can do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    findings: BTreeMap<Feature, Finding>,
}

impl Features {
    /// Whether the kernel has a feature. Unknown is no.
    pub fn has(&self, feature: Feature) -> bool {
        self.findings.get(&feature) == Some(&Finding::Present)
    }

    /// All findings.
    pub fn iter(&self) -> impl Iterator<Item = (Feature, &Finding)> {
        self.findings
            .iter()
            .map(|(feature, finding)| (*feature, finding))
    }

    /// Records a finding, for tests and for what is found by other means.
    pub fn record(&mut self, feature: Feature, finding: Finding) {
        self.findings.insert(feature, finding);
    }

    /// One line per feature: `+` or `-`, what it is, why not.
    pub fn report(&self) -> String {
        let mut out = String::new();
        for (feature, finding) in self.iter() {
            let line = match finding {
                Finding::Present => format!("+ {}\n", feature.meaning()),
                Finding::Absent(error) => format!("- {}: {error}\n", feature.meaning()),
                Finding::Unclear => format!("? {}\n", feature.meaning()),
            };
            out.push_str(&line);
        }
        out
    }
}

/// Asks for one feature after the other.
#[derive(Debug)]
pub struct Probe {
    next: usize,
    features: Features,
}

impl Default for Probe {
    fn default() -> Self {
        Self::new()
    }
}

impl Probe {
    /// A probe of all features.
    pub fn new() -> Self {
        Self {
            next: 0,
            features: Features::default(),
        }
    }

    /// The next request, `None` when all is known.
    pub fn request(&mut self) -> Option<Request> {
        loop {
            let feature = *Feature::ALL.get(self.next)?;
            match trial::batch(feature, self.family()).encode_trial() {
                Ok(encoded) => return Some(Request::Commit(encoded)),
                Err(_) => {
                    self.features.record(feature, Finding::Unclear);
                    self.next = self.next.saturating_add(1);
                }
            }
        }
    }

    /// A family that exists, for features that belong to none: the families come first.
    fn family(&self) -> Family {
        if self.features.has(Feature::Inet) {
            Family::INET
        } else if self.features.has(Feature::Bridge) {
            Family::BRIDGE
        } else {
            Family::IPV4
        }
    }

    /// Takes the outcome of the last request.
    pub fn handle(&mut self, outcome: Outcome) {
        let Some(&feature) = Feature::ALL.get(self.next) else {
            return;
        };
        self.next = self.next.saturating_add(1);
        let finding = match outcome {
            Outcome::Committed { .. } => Finding::Present,
            Outcome::Refused(errors) => match errors.into_iter().next() {
                Some(error) => Finding::Absent(Box::new(error)),
                None => Finding::Unclear,
            },
            _ => Finding::Unclear,
        };
        self.features.record(feature, finding);
    }

    /// The findings so far.
    pub fn finish(self) -> Features {
        self.features
    }
}
