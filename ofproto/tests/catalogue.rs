//! Nothing is missing: every message, match field and action that Open vSwitch has on OpenFlow 1.0
//! goes from value to bytes and back, and is printed as `ovs-ofctl` prints it.
//!
//! The names below are those of Open vSwitch's own tables (`ofp-msgs.h`, `meta-flow.h`,
//! `ofp-actions.c`), so that a message that is forgotten in the crate is missed here.

mod prints;
mod run;

use std::collections::BTreeSet;
use std::process::Command;

use arbitrary::Unstructured;
use ofproto::EncodeError;
use ofproto::action::{Action, ActionList};
use ofproto::arbitrary::message_of;
use ofproto::codec::Codec;
use ofproto::matching::{FieldId, Format, MaskRule, Match, Prereq};
use ofproto::msg::registry::{ENTRIES, Kind};
use ofproto::msg::{FlowMod, FlowModCommand, Message, StatsReply, StatsRequest};
use ofproto::text::{Verbosity, flow_line, parse_flow_mod, print_message};
use prints::{Noise, hex, ofp_parse, report, seed};
use run::run;

/// Every entry of the message table that is valid on OpenFlow 1.0.
const MESSAGES: &str = "
    OFPT_HELLO OFPT_ERROR OFPT_ECHO_REQUEST OFPT_ECHO_REPLY OFPT_FEATURES_REQUEST
    OFPT_FEATURES_REPLY OFPT_GET_CONFIG_REQUEST OFPT_GET_CONFIG_REPLY OFPT_SET_CONFIG
    OFPT_PACKET_IN NXT_PACKET_IN NXT_PACKET_IN2 OFPT_FLOW_REMOVED NXT_FLOW_REMOVED
    OFPT_PORT_STATUS OFPT_PACKET_OUT OFPT_FLOW_MOD NXT_FLOW_MOD NXT_GROUP_MOD OFPT_PORT_MOD
    OFPT_BARRIER_REQUEST OFPT_BARRIER_REPLY OFPT_QUEUE_GET_CONFIG_REQUEST
    OFPT_QUEUE_GET_CONFIG_REPLY NXT_ROLE_REQUEST NXT_ROLE_REPLY NXT_SET_ASYNC_CONFIG
    NXT_SET_ASYNC_CONFIG2 NXT_REQUESTFORWARD NXT_FLOW_MONITOR_CANCEL NXT_FLOW_MONITOR_PAUSED
    NXT_FLOW_MONITOR_RESUMED NXT_SET_FLOW_FORMAT NXT_FLOW_MOD_TABLE_ID NXT_SET_PACKET_IN_FORMAT
    NXT_FLOW_AGE NXT_SET_CONTROLLER_ID NXT_TLV_TABLE_MOD NXT_TLV_TABLE_REQUEST
    NXT_TLV_TABLE_REPLY NXT_RESUME NXT_CT_FLUSH_ZONE NXT_CT_FLUSH
";

/// Every statistic of that table; each has a request and a reply.
const STATS: &str = "
    OFPST_DESC OFPST_FLOW OFPST_AGGREGATE OFPST_TABLE OFPST_PORT OFPST_QUEUE OFPST_PORT_DESC
    NXST_FLOW NXST_AGGREGATE NXST_FLOW_MONITOR NXST_IPFIX_BRIDGE NXST_IPFIX_FLOW NXST_GROUP
    NXST_GROUP_DESC NXST_GROUP_FEATURES
";

/// Messages generated per entry.
const PER_KIND: usize = 40;

#[test]
fn every_message_of_the_table_is_known() {
    let mut wanted: Vec<String> = MESSAGES.split_whitespace().map(str::to_owned).collect();
    for name in STATS.split_whitespace() {
        wanted.extend([format!("{name} request"), format!("{name} reply")]);
    }
    let mut known: Vec<String> = ENTRIES.iter().map(|entry| entry.name.to_owned()).collect();
    wanted.sort();
    known.sort();
    assert_eq!(known, wanted);
}

/// Whether the message was kept without being understood.
fn is_unknown(message: &Message) -> bool {
    matches!(
        message,
        Message::Unknown(_)
            | Message::StatsRequest {
                body: StatsRequest::Unknown(_),
                ..
            }
            | Message::StatsReply {
                body: StatsReply::Unknown(_),
                ..
            }
    )
}

#[test]
fn every_kind_of_message_goes_there_and_back_and_prints_alike() {
    let mut noise = Noise(seed() ^ 0xca7a);
    let mut messages = Vec::new();
    for entry in ENTRIES {
        for _ in 0..PER_KIND {
            let bytes = noise.bytes(3000);
            let value = message_of(entry.kind, &mut Unstructured::new(&bytes)).unwrap();
            let xid = u32::try_from(messages.len()).unwrap();
            let message = value.to_bytes(xid).unwrap();
            assert_eq!(Kind::of(&message), Some(entry.kind), "{}", entry.name);
            let (header, back) = Message::decode(&message)
                .unwrap_or_else(|error| panic!("{}: {error}: {value:?}", entry.name));
            assert!(!is_unknown(&back), "{}", entry.name);
            assert_eq!((header.xid, &back), (xid, &value), "{}", entry.name);
            assert_eq!(back.to_bytes(xid).unwrap(), message, "{}", entry.name);
            messages.push(message);
        }
    }
    // From what is printed by itself to everything there is.
    for more in 0..=3 {
        let theirs = ofp_parse(&messages, more);
        let verbosity = Verbosity(u8::try_from(2 + more).unwrap());
        let mut differences = Vec::new();
        for (message, their) in messages.iter().zip(&theirs) {
            let ours = print_message(message, verbosity);
            if ours != *their {
                let bytes = hex(message);
                differences.push(format!("ours   {ours}theirs {their}bytes  {bytes}"));
            }
        }
        let what = format!("{} kinds, verbosity {}", ENTRIES.len(), verbosity.0);
        report(&what, &differences, messages.len());
    }
}

/// What else is matched where a field is.
fn prerequisites(field: FieldId) -> Vec<(FieldId, u128)> {
    use FieldId as F;
    let ip = |proto: u128| vec![(F::ETH_TYPE, 0x0800), (F::NW_PROTO, proto)];
    let icmp6 = |kind: u128| {
        vec![
            (F::ETH_TYPE, 0x86dd),
            (F::NW_PROTO, 58),
            (F::ICMPV6_TYPE, kind),
            (F::ICMPV6_CODE, 0),
        ]
    };
    match field.info().prereq {
        Prereq::None | Prereq::Ethernet => Vec::new(),
        Prereq::VlanVid => vec![(F::VLAN_VID, 0x1009)],
        Prereq::Mpls => vec![(F::ETH_TYPE, 0x8847)],
        Prereq::Ipv4 | Prereq::IpAny => vec![(F::ETH_TYPE, 0x0800)],
        Prereq::Ipv6 => vec![(F::ETH_TYPE, 0x86dd)],
        Prereq::Arp => vec![(F::ETH_TYPE, 0x0806)],
        Prereq::Tcp => ip(6),
        Prereq::Udp => ip(17),
        Prereq::Sctp => ip(132),
        Prereq::Icmpv4 => ip(1),
        Prereq::Icmpv6 => vec![(F::ETH_TYPE, 0x86dd), (F::NW_PROTO, 58)],
        Prereq::Nd | Prereq::NdSolicit => icmp6(135),
        Prereq::NdAdvert => icmp6(136),
        Prereq::Nsh => vec![(F::ETH_TYPE, 0x894f)],
        Prereq::Ct => {
            let v6 = [F::CT_IPV6_SRC, F::CT_IPV6_DST].contains(&field);
            let family = if v6 { 0x86dd } else { 0x0800 };
            vec![(F::CT_STATE, 0x20), (F::ETH_TYPE, family)]
        }
    }
}

/// A value that every rule of the field allows, with many bits set.
fn value_of(field: FieldId) -> u128 {
    use FieldId as F;
    let full = u128::MAX >> 128u16.saturating_sub(field.info().bits).min(127);
    match field {
        F::IN_PORT | F::IN_PORT_OXM | F::ACTSET_OUTPUT => 5,
        F::PACKET_TYPE => 0,
        F::ETH_TYPE => 0x88cc,
        F::NW_PROTO | F::CT_NW_PROTO => 17,
        F::NW_TOS => 0xb8,
        F::ARP_OP => 2,
        F::IP_FRAG => 1,
        F::CT_STATE => 0x21,
        F::VLAN_TCI => 0xf123,
        F::VLAN_VID => 0x1123,
        F::ICMPV6_TYPE => 128,
        F::NSH_MDTYPE => 1,
        F::NSH_TTL => 63,
        _ => 0x1234_5678_9abc_def0_1234_5678_9abc_def1 & full,
    }
}

/// Fields that ovs-ofctl 3.1 does not know: registers 16 to 31 under all their names came with 3.7.
fn is_newer(name: &str) -> bool {
    let number = |prefix: &str| -> Option<u8> { name.strip_prefix(prefix)?.parse().ok() };
    number("reg").is_some_and(|n| n > 15)
        || number("xreg").is_some_and(|n| n > 7)
        || number("xxreg").is_some_and(|n| n > 3)
}

#[test]
fn every_match_field_goes_there_and_back_and_prints_alike() {
    let mut flows = Vec::new();
    let mut covered = 0;
    for field in FieldId::all() {
        let info = field.info();
        // Without a tunnel option table the switch's programs show these as zeros.
        let tunnel_option = field.tun_metadata_index().is_some();
        if field == FieldId::COOKIE || info.headers.is_empty() || tunnel_option {
            continue;
        }
        let value = value_of(field);
        let mut masks = vec![u128::MAX];
        if info.mask == MaskRule::Bitwise {
            // ovs-ofctl takes an IPv6 mask that begins with a decimal digit for a prefix length.
            let high = if info.format == Format::Ipv6 {
                0xf << 124
            } else {
                0
            };
            masks.push(value | high | 1);
        }
        covered += 1;
        for mask in masks {
            let mut m = Match::new();
            for (other, value) in prerequisites(field) {
                m.set(other, value, u128::MAX).unwrap();
            }
            m.set(field, value & mask, mask)
                .unwrap_or_else(|error| panic!("{}: {error}", field.name()));
            assert_eq!(m.missing_prereq(), None, "{}", field.name());
            let flow = FlowMod::add(3, 100, m, ActionList::new());
            flows.push((is_newer(field.name()), flow));
        }
    }
    assert!(covered > 100, "{covered} fields");
    let mut old = Vec::new();
    for (newer, flow) in &flows {
        let bytes = Message::FlowMod(flow.clone()).to_bytes(0).unwrap();
        let back = Message::decode(&bytes).unwrap().1;
        assert_eq!(back, Message::FlowMod(flow.clone()));
        let line = flow_line(flow);
        let read: FlowMod = line.parse().unwrap_or_else(|e| panic!("{line}: {e}"));
        assert_eq!(&read, flow, "{line}");
        if !newer {
            old.push(flow.clone());
        }
    }
    compare_flows(&format!("{covered} match fields"), &old);
}

/// Compares prints of bytes, and readings of lines, with those of `ovs-ofctl`.
fn compare_flows(what: &str, flows: &[FlowMod]) {
    let bytes: Vec<Vec<u8>> = flows
        .iter()
        .map(|flow| Message::FlowMod(flow.clone()).to_bytes(0).unwrap())
        .collect();
    for more in [0, 1] {
        let mut differences = Vec::new();
        for (message, their) in bytes.iter().zip(ofp_parse(&bytes, more)) {
            let verbosity = Verbosity(u8::try_from(2 + more).unwrap());
            let ours = print_message(message, verbosity);
            if ours != their {
                differences.push(format!("ours   {ours}theirs {their}"));
            }
        }
        report(&format!("{what}, ofp-parse"), &differences, bytes.len());
    }
    let lines: Vec<String> = flows.iter().map(flow_line).collect();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("flows.txt");
    std::fs::write(&file, lines.join("\n") + "\n").unwrap();
    let theirs = run(Command::new("ovs-ofctl")
        .args(["-F", "nxm+table_id", "parse-flows"])
        .arg(&file));
    let theirs: Vec<&str> = theirs
        .lines()
        .filter_map(|line| line.strip_prefix("NXT_FLOW_MOD (xid="))
        .filter_map(|line| line.split_once("): ").map(|(_, flow)| flow))
        .collect();
    assert_eq!(theirs.len(), lines.len(), "{what}");
    let mut differences = Vec::new();
    for ((flow, line), their) in flows.iter().zip(&lines).zip(theirs) {
        let ours = flow.to_string();
        if ours != their {
            differences.push(format!("line   {line}\nours   {ours}\ntheirs {their}"));
        }
    }
    report(&format!("{what}, parse-flows"), &differences, lines.len());
}

/// Flows whose actions are all there are on OpenFlow 1.0, in several of their forms.
const FLOWS: &str = "
    actions=output:1,LOCAL,CONTROLLER:128,NORMAL,FLOOD,ALL,IN_PORT,TABLE
    actions=mod_vlan_vid:9,mod_vlan_pcp:3,strip_vlan
    actions=mod_dl_src:0a:00:00:00:00:01,mod_dl_dst:0a:00:00:00:00:02
    tcp,actions=mod_nw_src:10.0.0.1,mod_nw_dst:10.0.0.2,mod_nw_tos:184,mod_tp_src:1,mod_tp_dst:2
    actions=enqueue:1:7,enqueue:LOCAL:8
    actions=resubmit:3,resubmit(,94),resubmit(5,6)
    tcp,ct_state=+trk+est,actions=resubmit(,7,ct)
    actions=set_tunnel:0x64,set_tunnel64:0x123456789abc,set_queue:5,pop_queue
    actions=move:NXM_NX_REG0[0..15]->NXM_NX_REG1[16..31],move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]
    actions=load:0x5->NXM_NX_REG0[],load:0x3->NXM_NX_XXREG1[64..67],load:0x1->OXM_OF_METADATA[7]
    dl_type=0x894f,actions=set_field:0x123->nsh_spi,set_field:0x4/0xf->nsh_c1
    actions=note:01.02.03.04.05.06,note:ff.00.00.00.00.00.01.02.03.04.05.06.07.08
    actions=multipath(eth_src,50,modulo_n,1,0,NXM_NX_REG0[])
    actions=multipath(symmetric_l3l4+udp,1,iter_hash,9,3,NXM_NX_REG1[4..7])
    actions=bundle(nw_src,0,hrw,ofport,members:1,2,3),bundle(eth_src,0,active_backup,ofport,members:4)
    actions=bundle_load(symmetric_l4,60,hrw,ofport,NXM_NX_REG0[0..15],members:2,3)
    actions=output:NXM_NX_REG0[0..15],output:NXOXM_ET_ERSPAN_IDX[0..15]
    actions=learn(table=1,idle_timeout=10,priority=5,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])
    actions=learn(table=2,hard_timeout=9,send_flow_rem,delete_learned,cookie=0x9,limit=3,result_dst=NXM_NX_REG0[5],load:0x7->NXM_NX_REG1[])
    ip,actions=dec_ttl,dec_ttl(1,2,3),exit
    tcp,actions=fin_timeout(idle_timeout=3,hard_timeout=4)
    actions=controller(reason=invalid_ttl,max_len=7,id=5),controller(userdata=01.02.03,pause)
    actions=write_metadata:0x5/0xff
    actions=push_mpls:0x8847,set_mpls_label(7),set_mpls_tc(2),set_mpls_ttl(9),dec_mpls_ttl,pop_mpls:0x0800
    actions=push:NXM_NX_REG0[],pop:NXM_NX_REG1[]
    actions=sample(probability=1,collector_set_id=2,obs_domain_id=3,obs_point_id=4)
    actions=sample(probability=1,collector_set_id=2,obs_domain_id=3,obs_point_id=4,sampling_port=5)
    actions=sample(probability=1,collector_set_id=2,obs_domain_id=3,obs_point_id=4,sampling_port=5,egress)
    actions=conjunction(7,1/2),conjunction(8,2/3),note:01.02.03.04.05.06
    tcp,actions=ct(commit,force,zone=NXM_NX_REG6[0..15],table=9,alg=ftp,nat(src=10.0.0.1-10.0.0.9:1-2,random),exec(load:0x1->NXM_NX_CT_MARK[]))
    ipv6,actions=ct(commit,nat(dst=fe80::1-fe80::9,persistent,hash)),ct(nat),ct_clear
    actions=output(port=3,max_len=100),group:9
    actions=clone(mod_dl_src:0a:00:00:00:00:01,clone(output:1),output:2),output:3
    actions=check_pkt_larger(1500)->NXM_NX_REG0[3]
    actions=delete_field:tun_metadata5
";

/// Which action this is. A new one does not compile until it has a place here and in [`FLOWS`].
fn word(action: &Action) -> &'static str {
    match action {
        Action::Output { .. } => "output",
        Action::SetVlanVid(_) => "set_vlan_vid",
        Action::SetVlanPcp(_) => "set_vlan_pcp",
        Action::StripVlan => "strip_vlan",
        Action::SetDlSrc(_) => "set_dl_src",
        Action::SetDlDst(_) => "set_dl_dst",
        Action::SetNwSrc(_) => "set_nw_src",
        Action::SetNwDst(_) => "set_nw_dst",
        Action::SetNwTos(_) => "set_nw_tos",
        Action::SetTpSrc(_) => "set_tp_src",
        Action::SetTpDst(_) => "set_tp_dst",
        Action::Enqueue { .. } => "enqueue",
        Action::Resubmit(_) => "resubmit",
        Action::ResubmitTable { with_ct: false, .. } => "resubmit_table",
        Action::ResubmitTable { with_ct: true, .. } => "resubmit_table_ct",
        Action::SetTunnel(_) => "set_tunnel",
        Action::SetTunnel64(_) => "set_tunnel64",
        Action::SetQueue(_) => "set_queue",
        Action::PopQueue => "pop_queue",
        Action::Move { .. } => "move",
        Action::Load { .. } => "load",
        Action::SetField(_) => "load2",
        Action::Note(_) => "note",
        Action::Multipath(_) => "multipath",
        Action::Bundle(bundle) if bundle.dst.is_none() => "bundle",
        Action::Bundle(_) => "bundle_load",
        Action::OutputReg { .. } => "output_reg",
        Action::Learn(learn) if learn.result.is_none() => "learn",
        Action::Learn(_) => "learn2",
        Action::Exit => "exit",
        Action::DecTtl => "dec_ttl",
        Action::DecTtlCntIds(_) => "dec_ttl_cnt_ids",
        Action::FinTimeout { .. } => "fin_timeout",
        Action::Controller(controller) if controller.pause => "controller2",
        Action::Controller(_) => "controller",
        Action::WriteMetadata { .. } => "write_metadata",
        Action::PushMpls(_) => "push_mpls",
        Action::PopMpls(_) => "pop_mpls",
        Action::SetMplsTtl(_) => "set_mpls_ttl",
        Action::DecMplsTtl => "dec_mpls_ttl",
        Action::SetMplsLabel(_) => "set_mpls_label",
        Action::SetMplsTc(_) => "set_mpls_tc",
        Action::StackPush(_) => "push",
        Action::StackPop(_) => "pop",
        Action::Sample(_) => "sample",
        Action::Conjunction { .. } => "conjunction",
        Action::Ct(_) => "ct",
        Action::Nat(_) => "nat",
        Action::OutputTrunc { .. } => "output_trunc",
        Action::Group(_) => "group",
        Action::Clone(_) => "clone",
        Action::CtClear => "ct_clear",
        Action::CheckPktLarger { .. } => "check_pkt_larger",
        Action::DeleteField { .. } => "delete_field",
        Action::Encap(_) => "encap",
        Action::Decap(_) => "decap",
        Action::DecNshTtl => "dec_nsh_ttl",
        Action::DebugSlow => "debug_slow",
        Action::DebugRecirc => "debug_recirc",
        Action::Unknown(_) => "unknown",
    }
}

/// What [`word`] can say of actions that a switch takes on OpenFlow 1.0.
const ACTIONS: &str = "
    output set_vlan_vid set_vlan_pcp strip_vlan set_dl_src set_dl_dst set_nw_src set_nw_dst
    set_nw_tos set_tp_src set_tp_dst enqueue resubmit resubmit_table resubmit_table_ct set_tunnel
    set_tunnel64 set_queue pop_queue move load load2 note multipath bundle bundle_load output_reg
    learn learn2 exit dec_ttl dec_ttl_cnt_ids fin_timeout controller controller2 write_metadata
    push_mpls pop_mpls set_mpls_ttl dec_mpls_ttl set_mpls_label set_mpls_tc push pop sample
    conjunction ct nat output_trunc group clone ct_clear check_pkt_larger delete_field
";

fn words(list: &ActionList, seen: &mut BTreeSet<&'static str>) {
    for action in list {
        seen.insert(word(action));
        match action {
            Action::Ct(ct) => words(&ct.actions, seen),
            Action::Clone(list) => words(list, seen),
            _ => {}
        }
    }
}

#[test]
fn every_action_goes_there_and_back_and_prints_alike() {
    let mut flows = Vec::new();
    let mut seen = BTreeSet::new();
    for line in FLOWS.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let flow = parse_flow_mod(line, FlowModCommand::ADD)
            .unwrap_or_else(|error| panic!("{line}: {error}"));
        let flow = FlowMod { table: 0, ..flow };
        words(&flow.actions, &mut seen);
        let bytes = flow.actions.to_bytes().unwrap();
        assert_eq!(ActionList::from_bytes(&bytes), Ok(flow.actions.clone()));
        flows.push(flow);
    }
    // Written as the longer form, so it has no line of its own.
    let short = ActionList::from([Action::Resubmit(ofproto::ports::Port(5))]);
    assert_eq!(
        ActionList::from_bytes(&short.to_bytes().unwrap()),
        Ok(short.clone())
    );
    words(&short, &mut seen);
    let wanted: BTreeSet<&str> = ACTIONS.split_whitespace().collect();
    assert_eq!(seen, wanted);
    compare_flows(&format!("{} actions", seen.len()), &flows);
}

/// From OpenFlow 1.3 on; here they are read and printed, and a switch refuses them.
#[test]
fn later_actions_are_read_and_printed_but_not_written() {
    for (bytes, text) in [
        ("ffff0010 00002320 002e 0000 0001894f", "encap(nsh)"),
        ("ffff0010 00002320 002f 0000 00010000", ""),
        ("ffff0010 00002320 0030 000000000000", "dec_nsh_ttl"),
    ] {
        let bytes: Vec<u8> = bytes
            .split_whitespace()
            .flat_map(|part| {
                let pairs = (0..part.len()).step_by(2);
                pairs.map(move |at| u8::from_str_radix(&part[at..at + 2], 16).unwrap())
            })
            .collect();
        let list = ActionList::from_bytes(&bytes).unwrap();
        if !text.is_empty() {
            assert_eq!(list.to_string(), text);
        }
        let written = list.to_bytes();
        assert!(
            matches!(written, Err(EncodeError::Unsupported { .. })),
            "{list}: {written:?}"
        );
        assert!(list.refuse_unknown().is_err(), "{list}");
    }
}
