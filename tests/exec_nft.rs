//! The executor of the packet filter against the kernel, in a network namespace of its own. `nft` is the other witness.

mod exec_bed;
#[path = "exec_nft/json.rs"]
mod json;

use std::process::Command;
use std::sync::Arc;

use exec_bed::{Mailbox, block_on};
use testbed::Namespace;
use tokio::sync::mpsc;
use vifd::exec::nft::{self, Settings};
use vifd::ops::nft::{Entry, NftBatch, NftBody, NftKey, SetId, Variant};
use vifd::ops::{ExecEvent, Items, Outcome, Target};
use vifd::plan::firewall::nft::tables::{Shape, tables};
use vifd::telemetry::PacketFilter;

fn start(settings: Settings) -> (Mailbox, PacketFilter) {
    let (sender, events) = mpsc::channel(64);
    let metrics = PacketFilter::default();
    let batches = nft::spawn(settings, sender, metrics.clone());
    (Mailbox::new(Target::Nft, events, batches), metrics)
}

fn inside(test: impl FnOnce() + Send) {
    let namespace = Namespace::new(false).expect("root can make namespaces");
    namespace
        .run(move || {
            test();
            Ok(())
        })
        .unwrap();
}

/// Runs `nft`; the namespace is the calling thread's.
fn nft(line: &str) -> Result<String, String> {
    let out = Command::new("nft").args(line.split(' ')).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match out.status.success() {
        true => Ok(text(&out.stdout)),
        false => Err(text(&out.stderr)),
    }
}

/// The family of the table with the sets of rules.
fn family(variant: Variant) -> &'static str {
    match variant {
        Variant::Bridge { .. } => "bridge",
        Variant::BridgeInet => "inet",
    }
}

/// Whether tables can be owned and outlive their owner: since Linux 6.9.
fn can_own() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut parts = release
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next(), parts.next()) >= (Some(6), Some(9))
}

type Found = Vec<(NftKey, NftBody)>;

async fn up(mailbox: &mut Mailbox) -> (Variant, Found) {
    mailbox
        .until("what stands", |event| match event {
            ExecEvent::NftUp { variant, found, .. } => Some((*variant, found.clone())),
            _ => None,
        })
        .await
}

fn all(variant: Variant, shape: &Shape) -> Vec<(NftKey, Option<NftBody>)> {
    let tables = tables(variant, shape).into_iter();
    tables
        .map(|table| {
            (
                NftKey::Table(table.family),
                Some(NftBody::Table(Arc::new(table))),
            )
        })
        .collect()
}

fn element(set: SetId, key: &[u8], data: Option<[u8; 4]>) -> (NftKey, Option<NftBody>) {
    let entry = Entry {
        data,
        comment: None,
    };
    (
        NftKey::Element(set, key.into()),
        Some(NftBody::Element(entry)),
    )
}

fn device(name: &str, data: [u8; 4]) -> (NftKey, Option<NftBody>) {
    let key = ::nft::expr::build::ifname(name);
    element(SetId::Vif, &key, Some(data))
}

async fn write(mailbox: &mut Mailbox, items: Vec<(NftKey, Option<NftBody>)>) {
    let readings = mailbox.seen.iter().filter_map(|event| match event {
        ExecEvent::NftUp { reading, .. } => Some(*reading),
        _ => None,
    });
    let batch = NftBatch {
        items,
        complete: true,
        reading: readings.max().unwrap(),
    };
    let outcome = mailbox.carry_out(Items::Nft(batch)).await;
    assert!(
        matches!(&outcome, Outcome::Done { refused, .. } if refused.is_empty()),
        "{outcome:?}"
    );
}

fn sorted(mut found: Found) -> Vec<String> {
    found.sort_by_key(|(key, _)| format!("{key:?}"));
    found.iter().map(|item| format!("{item:?}")).collect()
}

/// Everything with some elements, as it is wanted.
fn example(variant: Variant) -> Vec<(NftKey, Option<NftBody>)> {
    let shape = Shape {
        slots: 4,
        nets4: [8, 24].into(),
        nets6: [64].into(),
        pairs4: [0, 16].into(),
        pairs6: [0].into(),
    };
    let mut items = all(variant, &shape);
    items.push(device("tap1", [1, 0, 0, 1]));
    items.push(element(
        SetId::Pass,
        &[0, 0, 0, 1, 6, 0, 0, 0, 0, 22, 16, 0],
        None,
    ));
    let note = Entry {
        data: None,
        comment: Some("for people".into()),
    };
    let key = NftKey::Element(SetId::Profiles, [0, 0, 0, 1].into());
    items.push((key, Some(NftBody::Element(note))));
    items
}

fn stands(items: &[(NftKey, Option<NftBody>)]) -> Vec<String> {
    let intended = |body: &NftBody| match body {
        NftBody::Table(table) => NftBody::Table(Arc::new(table.intended())),
        other => other.clone(),
    };
    let list = items
        .iter()
        .filter_map(|(k, b)| Some((k.clone(), intended(b.as_ref()?))));
    sorted(list.collect())
}

#[test]
fn what_is_written_is_what_stands_and_a_restart_finds_it() {
    inside(|| {
        block_on(async {
            let (mut mailbox, _) = start(Settings::default());
            let (variant, found) = up(&mut mailbox).await;
            assert!(found.is_empty());
            let wanted = example(variant);
            write(&mut mailbox, wanted.clone()).await;
            let text = nft("-n list ruleset").unwrap();
            for line in [
                "table bridge vifd",
                "chain l2_prerouting",
                "hook prerouting priority -450",
                "for people",
                "\"tap1\"",
            ] {
                assert!(text.contains(line), "{line} is not in\n{text}");
            }
            // A value is replaced, an element is deleted, a rule is added.
            write(&mut mailbox, vec![device("tap1", [2, 0, 0, 1])]).await;
            drop(mailbox);

            let (mut next, _) = start(Settings::default());
            let (_, found) = up(&mut next).await;
            let mut now = wanted.clone();
            now.retain(|(key, _)| !matches!(key, NftKey::Element(SetId::Vif, _)));
            now.push(device("tap1", [2, 0, 0, 1]));
            assert_eq!(sorted(found), stands(&now));
            let gone = (now.last().unwrap().0.clone(), None);
            write(&mut next, vec![gone]).await;
            let larger = Shape {
                slots: 8,
                ..Shape::default()
            };
            write(&mut next, all(variant, &larger)).await;
            drop(next);

            let (mut last, _) = start(Settings::default());
            let (_, found) = up(&mut last).await;
            now.pop();
            now.retain(|(key, _)| matches!(key, NftKey::Element(..)));
            now.extend(all(variant, &larger));
            assert_eq!(sorted(found), stands(&now));
        });
    });
}

#[test]
fn tables_of_ones_own_are_nobody_elses_to_change() {
    inside(|| {
        block_on(async {
            let (mut mailbox, metrics) = start(Settings::default());
            let (variant, _) = up(&mut mailbox).await;
            write(&mut mailbox, example(variant)).await;
            let before = nft("-n list ruleset").unwrap();
            assert_eq!(before.contains("flags owner"), can_own(), "{before}");
            if !can_own() {
                // They are watched instead, as below.
                return;
            }
            let upper = family(variant);
            for attempt in [
                "flush ruleset",
                "delete table bridge vifd",
                "flush chain bridge vifd l2_prerouting",
                &format!("flush set {upper} vifd pass"),
                "add rule bridge vifd l2_forward accept",
                "delete element bridge vifd vif { tap1 }",
            ] {
                // `flush ruleset` passes over them, the others are refused.
                let _ = nft(attempt);
                assert_eq!(nft("-n list ruleset").unwrap(), before, "{attempt}");
            }
            write(&mut mailbox, vec![device("tap2", [3, 0, 0, 1])]).await;
            assert_eq!(metrics.foreign_changes.get(), 0);
        });
    });
}

#[test]
fn where_they_cannot_be_owned_a_foreign_change_closes_first_and_is_mended() {
    inside(|| {
        block_on(async {
            let settings = Settings {
                own: false,
                ..Settings::default()
            };
            let (mut mailbox, metrics) = start(settings);
            let (variant, _) = up(&mut mailbox).await;
            let wanted = example(variant);
            write(&mut mailbox, wanted.clone()).await;
            for (n, attempt) in [
                "flush ruleset",
                "delete table bridge vifd",
                "flush chain bridge vifd l2_prerouting",
                &format!("flush set {} vifd pass", family(variant)),
                "add rule bridge vifd l2_forward accept",
            ]
            .into_iter()
            .enumerate()
            {
                nft(attempt).unwrap();
                let (_, found) = up(&mut mailbox).await;
                assert_ne!(sorted(found.clone()), stands(&wanted), "{attempt}");
                let closed = nft("list table bridge vifd_closed").unwrap();
                assert!(closed.contains("\"tap1\""), "{closed}");
                let missing = wanted.iter().filter(|(key, body)| {
                    let there = found.iter().find(|(k, _)| k == key).map(|(_, b)| b);
                    let intended = |body: &NftBody| match body {
                        NftBody::Table(table) => NftBody::Table(Arc::new(table.intended())),
                        other => other.clone(),
                    };
                    there != body.as_ref().map(intended).as_ref()
                });
                write(&mut mailbox, missing.cloned().collect()).await;
                assert!(
                    nft("list table bridge vifd_closed").is_err(),
                    "{attempt}: open again"
                );
                assert_eq!(metrics.foreign_changes.get(), n as u64 + 1, "{attempt}");
            }
            // Tables of others are none of its business.
            nft("add table bridge other").unwrap();
            write(&mut mailbox, vec![device("tap2", [3, 0, 0, 1])]).await;
            nft("delete table bridge other").unwrap();
            write(&mut mailbox, vec![device("tap3", [4, 0, 0, 1])]).await;
            assert_eq!(metrics.foreign_changes.get(), 5);
            drop(mailbox);
            let (mut next, _) = start(settings);
            let (_, found) = up(&mut next).await;
            let mut now = wanted;
            now.extend([device("tap2", [3, 0, 0, 1]), device("tap3", [4, 0, 0, 1])]);
            assert_eq!(sorted(found), stands(&now));
        });
    });
}
