//! What stands: `list`, `save`, `features`.

use std::path::Path;

use nft::probe::{Choice, Finding};
use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::output::{Output, say};
use super::kernel::{explain, open, picture};
use super::pattern::Patterns;

pub(super) fn list(netns: Option<&str>, tables: &Patterns, output: Output) -> Result<(), Failure> {
    let ruleset = picture(&mut open(netns)?, tables)?.ruleset;
    if output.json {
        return say(&nft::text::list::ruleset_json(&ruleset).to_string());
    }
    if ruleset.tables.is_empty() {
        eprintln!("vifd: no table is called {tables}");
        return Ok(());
    }
    say(nft::text::list::ruleset(&ruleset).trim_end())
}

pub(super) fn save(netns: Option<&str>, tables: &Patterns, output: Output) -> Result<(), Failure> {
    let ruleset = picture(&mut open(netns)?, tables)?.ruleset;
    if output.json {
        return say(&nft::text::list::ruleset_json(&ruleset).to_string());
    }
    let text = ruleset.save_commented();
    say(&format!("# nf_tables: {tables}\n{}", text.trim_end()))
}

pub(super) fn features(netns: Option<&str>, output: Output) -> Result<(), Failure> {
    let features = open(netns)?.probe().map_err(|e| explain(&e.into()))?;
    // Bridge netfilter is no matter of nf_tables: the directory appears with its module.
    let bridge_netfilter = Path::new("/proc/sys/net/bridge").exists();
    let choice = Choice::of(&features, bridge_netfilter);
    let findings: Vec<Value> = features
        .iter()
        .map(|(feature, finding)| {
            let why = match finding {
                Finding::Absent(error) => Some(error.to_string()),
                Finding::Present | Finding::Unclear => None,
            };
            json!({
                "feature": format!("{feature:?}"),
                "meaning": feature.meaning(),
                "present": *finding == Finding::Present,
                "why": why,
            })
        })
        .collect();
    let all = json!({
        "features": findings,
        "variant": choice.variant.to_string(),
        "reasons": choice.reasons,
    });
    output.print(&all, |_| {
        let reasons: Vec<String> = choice.reasons.iter().map(|r| format!("  {r}\n")).collect();
        format!(
            "{}\nbridged ports are filtered by: {}\n{}",
            features.report(),
            choice.variant,
            reasons.concat()
        )
    })
}
