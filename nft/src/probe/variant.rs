//! Which of the designs for filtering bridged ports this kernel can carry.

use core::fmt;

use super::{Feature, Features};

/// A design for filtering bridged ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// One bridge table with connection state.
    BridgeConntrack,
    /// A bridge table for addresses and an inet table for state, joined by bridge netfilter.
    BridgeNetfilter,
    /// Bridge tables without connection state.
    Stateless,
    /// No filtering of bridged ports is possible.
    None,
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BridgeConntrack => "bridge table with connection state",
            Self::BridgeNetfilter => "bridge and inet tables with bridge netfilter",
            Self::Stateless => "bridge table without connection state",
            Self::None => "none",
        })
    }
}

/// A variant and why it and no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The variant.
    pub variant: Variant,
    /// What spoke for and against, one sentence each.
    pub reasons: Vec<String>,
}

impl Choice {
    /// Chooses. `bridge_netfilter` says whether the kernel can send bridged packets through the
    /// inet hooks (`/proc/sys/net/bridge` exists): that is no matter of nf_tables.
    pub fn of(features: &Features, bridge_netfilter: bool) -> Self {
        let mut reasons = Vec::new();
        let mut all = |variant: Variant, needed: &[Feature]| {
            let missing: Vec<_> = needed
                .iter()
                .filter(|feature| !features.has(**feature))
                .map(|feature| feature.meaning())
                .collect();
            if missing.is_empty() {
                reasons.push(format!("{variant}: the kernel has what it needs"));
                return true;
            }
            reasons.push(format!(
                "{variant}: the kernel lacks {}",
                missing.join(", ")
            ));
            false
        };
        let has_zones = features.has(Feature::BridgeConntrackZones);
        let mut first = vec![Feature::Bridge, Feature::BridgeConntrack];
        if !has_zones {
            // Something has to tell whose a connection is.
            first.push(Feature::ConntrackLabels);
        }
        let second = [
            Feature::Bridge,
            Feature::Inet,
            Feature::Conntrack,
            Feature::ConntrackZones,
        ];
        let variant = if all(Variant::BridgeConntrack, &first) {
            Variant::BridgeConntrack
        } else if all(Variant::BridgeNetfilter, &second) && bridge_netfilter {
            Variant::BridgeNetfilter
        } else if all(Variant::Stateless, &[Feature::Bridge]) {
            Variant::Stateless
        } else {
            Variant::None
        };
        if variant == Variant::BridgeConntrack && !has_zones {
            reasons.push(String::from(
                "connections of all networks share one zone: labels tell whose they are",
            ));
        }
        if variant == Variant::Stateless && !bridge_netfilter {
            reasons.push(String::from("bridge netfilter is not available"));
        }
        Self { variant, reasons }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Finding;
    use super::*;

    fn with(list: &[Feature]) -> Features {
        let mut features = Features::default();
        list.iter()
            .for_each(|feature| features.record(*feature, Finding::Present));
        features
    }

    #[test]
    fn best_possible_variant_is_chosen_and_explained() {
        use Feature::*;
        let all = with(&Feature::ALL);
        assert_eq!(Choice::of(&all, true).variant, Variant::BridgeConntrack);
        assert_eq!(Choice::of(&all, true).reasons.len(), 1);

        let no_bridge_ct = with(&[Bridge, Inet, Conntrack, ConntrackZones]);
        let choice = Choice::of(&no_bridge_ct, true);
        assert_eq!(choice.variant, Variant::BridgeNetfilter);
        assert!(choice.reasons[0].contains("lacks connection state in bridge tables"));
        assert_eq!(Choice::of(&no_bridge_ct, false).variant, Variant::Stateless);

        let no_zones = with(&[Bridge, BridgeConntrack, ConntrackLabels]);
        let choice = Choice::of(&no_zones, false);
        assert_eq!(choice.variant, Variant::BridgeConntrack);
        assert!(choice.reasons[1].contains("share one zone"));
        let no_labels = with(&[Bridge, BridgeConntrack]);
        let choice = Choice::of(&no_labels, false);
        assert_eq!(choice.variant, Variant::Stateless);
        assert!(choice.reasons[0].contains("lacks connection labels"));
        assert_eq!(
            Choice::of(&Features::default(), true).variant,
            Variant::None
        );
    }
}
