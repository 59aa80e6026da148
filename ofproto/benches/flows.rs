//! The flows that all benchmarks use: what an agent installs for a port, 72 to 128 bytes each.

use ofproto::action::{Action, ActionList, Ct, CtZone, Subfield, ct_flags};
use ofproto::matching::{FieldId, Match};
use ofproto::msg::{FlowMod, FlowModForm, FlowStats, Message, StatsReply};
use ofproto::ports::Port;

/// Three fields and an output, four fields and two actions, or five fields and conntrack.
pub fn flow(number: u32) -> FlowMod {
    let base = Match::new().with(FieldId::REG6, number);
    let address = 0x0a00_0000 | number & 0xff_ffff;
    let (matching, actions) = match number % 3 {
        0 => (
            base.with(FieldId::ETH_TYPE, 0x0800u16)
                .with(FieldId::IP_DST, address),
            vec![Action::output(Port(2))],
        ),
        1 => (
            base.with(FieldId::IN_PORT, 5u16)
                .with(FieldId::ETH_SRC, [0xfa, 0x16, 0x3e, 1, 2, 3])
                .with(FieldId::VLAN_TCI, 0x1064u16),
            vec![Action::StripVlan, Action::resubmit_table(94)],
        ),
        _ => (
            base.with(FieldId::ETH_TYPE, 0x0800u16)
                .with(FieldId::NW_PROTO, 6u8)
                .with_masked(FieldId::CT_STATE, 0x21u32, 0x21)
                .with(FieldId::TCP_DST, 443u16),
            vec![
                Action::Ct(Box::new(Ct {
                    flags: ct_flags::COMMIT,
                    zone: CtZone::Field(Subfield::new(FieldId::REG6, 0, 16)),
                    ..Ct::default()
                })),
                Action::resubmit_table(72),
            ],
        ),
    };
    let actions: ActionList = actions.into_iter().collect();
    FlowMod {
        cookie: 0x7669_6664_0000_0000 | u64::from(number),
        ..FlowMod::add(60, 100, matching, actions)
    }
}

pub fn flows(count: u32) -> Vec<FlowMod> {
    (0..count).map(flow).collect()
}

/// The messages of all flows, back to back.
pub fn encode_all(flows: &[FlowMod], out: &mut Vec<u8>) {
    out.clear();
    let mut batch = ofproto::conn::Batch::new();
    batch.extend(flows);
    assert!(batch.unsent().is_empty());
    out.extend_from_slice(batch.as_bytes());
}

/// A flow dump in parts of up to 64 KiB, as a switch sends it.
pub fn dump(flows: &[FlowMod]) -> Vec<Vec<u8>> {
    let parts: Vec<&[FlowMod]> = flows.chunks(400).collect();
    let last = parts.len() - 1;
    let encode = |(index, part): (usize, &&[FlowMod])| {
        let stats = part.iter().map(|flow| FlowStats {
            table: flow.table,
            duration: (12, 345_000_000),
            priority: flow.priority,
            idle_timeout: 0,
            hard_timeout: 0,
            idle_age: Some(3),
            hard_age: Some(12),
            cookie: flow.cookie,
            packets: 17,
            bytes: 1700,
            match_: flow.match_.clone(),
            actions: flow.actions.clone(),
        });
        let body = StatsReply::Flow(FlowModForm::Nx, stats.collect());
        let flags = u16::from(index < last);
        Message::StatsReply { flags, body }
            .to_bytes(7)
            .expect("a part fits")
    };
    parts.iter().enumerate().map(encode).collect()
}

/// The messages in a buffer of whole messages.
pub fn split(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]));
        let (message, rest) = bytes.split_at(length);
        bytes = rest;
        Some(message)
    })
}
