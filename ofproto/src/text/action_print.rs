//! Actions as `ovs-ofctl` prints them.
//!
//! Owns: the simple actions; those with arguments of their own are in `ct.rs`, `learn.rs`,
//! `hash.rs`, `controller.rs`, `sample.rs` and `encap.rs`. Held by the vectors and
//! `tests/differential.rs`.

use std::fmt::{self, Write};

use crate::action::{Action, ActionList, SetField, UnknownAction};
use crate::ports::Port;

use super::address;
use super::field::{write_hex, write_hex_number, write_port, write_subfield, write_value};
use super::{controller, ct, encap, hash, learn, sample};

impl fmt::Display for ActionList {
    /// Actions separated by commas, `drop` for an empty list.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_actions(f, self)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_action(f, self)
    }
}

pub(crate) fn write_actions(out: &mut dyn Write, actions: &[Action]) -> fmt::Result {
    if actions.is_empty() {
        return out.write_str("drop");
    }
    for (index, action) in actions.iter().enumerate() {
        if index > 0 {
            out.write_char(',')?;
        }
        write_action(out, action)?;
    }
    Ok(())
}

pub(crate) fn write_action(mut out: &mut dyn Write, action: &Action) -> fmt::Result {
    let out = &mut out;
    match action {
        Action::Output { port, max_len } => {
            if port.0 < Port::MAX {
                out.write_str("output:")?;
            }
            write_port(out, *port)?;
            if *port == Port::CONTROLLER {
                write!(out, ":{max_len}")?;
            }
            Ok(())
        }
        Action::SetVlanVid(vid) => write!(out, "mod_vlan_vid:{vid}"),
        Action::SetVlanPcp(pcp) => write!(out, "mod_vlan_pcp:{pcp}"),
        Action::StripVlan => out.write_str("strip_vlan"),
        Action::SetDlSrc(mac) => {
            out.write_str("mod_dl_src:")?;
            address::write_mac(out, *mac)
        }
        Action::SetDlDst(mac) => {
            out.write_str("mod_dl_dst:")?;
            address::write_mac(out, *mac)
        }
        Action::SetNwSrc(address) => write!(out, "mod_nw_src:{address}"),
        Action::SetNwDst(address) => write!(out, "mod_nw_dst:{address}"),
        Action::SetNwTos(tos) => write!(out, "mod_nw_tos:{tos}"),
        Action::SetTpSrc(port) => write!(out, "mod_tp_src:{port}"),
        Action::SetTpDst(port) => write!(out, "mod_tp_dst:{port}"),
        Action::Enqueue { port, queue } => {
            out.write_str("enqueue:")?;
            write_port(out, *port)?;
            write!(out, ":{queue}")
        }
        Action::Resubmit(port) => write_resubmit(out, *port, 255, false),
        Action::ResubmitTable {
            port,
            table,
            with_ct,
        } => write_resubmit(out, *port, *table, *with_ct),
        Action::SetTunnel(id) => {
            out.write_str("set_tunnel:")?;
            write_hex_number(out, (*id).into())
        }
        Action::SetTunnel64(id) => {
            out.write_str("set_tunnel64:")?;
            write_hex_number(out, (*id).into())
        }
        Action::SetQueue(queue) => write!(out, "set_queue:{queue}"),
        Action::PopQueue => out.write_str("pop_queue"),
        Action::Move { src, dst } => {
            out.write_str("move:")?;
            write_subfield(out, src)?;
            out.write_str("->")?;
            write_subfield(out, dst)
        }
        Action::Load { dst, value } => {
            out.write_str("load:")?;
            write_hex_number(out, (*value).into())?;
            out.write_str("->")?;
            write_subfield(out, dst)
        }
        Action::SetField(set) => write_set_field(out, set),
        Action::Note(bytes) => {
            out.write_str("note:")?;
            write_dotted_hex(out, bytes)
        }
        Action::Multipath(multipath) => hash::write_multipath(out, multipath),
        Action::Bundle(bundle) => hash::write_bundle(out, bundle),
        Action::OutputReg { src, .. } => {
            out.write_str("output:")?;
            write_subfield(out, src)
        }
        Action::Learn(learn) => learn::write_learn(out, learn),
        Action::Exit => out.write_str("exit"),
        Action::DecTtl => out.write_str("dec_ttl"),
        Action::DecTtlCntIds(ids) => {
            out.write_str("dec_ttl(")?;
            for (index, id) in ids.iter().enumerate() {
                write!(out, "{}{id}", if index > 0 { "," } else { "" })?;
            }
            out.write_char(')')
        }
        Action::FinTimeout { idle, hard } => {
            out.write_str("fin_timeout(")?;
            if *idle != 0 {
                write!(out, "idle_timeout={idle}")?;
            }
            if *hard != 0 {
                let comma = if *idle != 0 { "," } else { "" };
                write!(out, "{comma}hard_timeout={hard}")?;
            }
            out.write_char(')')
        }
        Action::Controller(controller) => controller::write_controller(out, controller),
        Action::WriteMetadata { value, mask } => {
            out.write_str("write_metadata:")?;
            write_hex_number(out, (*value).into())?;
            if *mask != u64::MAX {
                out.write_char('/')?;
                write_hex_number(out, (*mask).into())?;
            }
            Ok(())
        }
        Action::PushMpls(ethertype) => write!(out, "push_mpls:{ethertype:#06x}"),
        Action::PopMpls(ethertype) => write!(out, "pop_mpls:{ethertype:#06x}"),
        Action::SetMplsTtl(ttl) => write!(out, "set_mpls_ttl({ttl})"),
        Action::DecMplsTtl => out.write_str("dec_mpls_ttl"),
        Action::SetMplsLabel(label) => write!(out, "set_mpls_label({label})"),
        Action::SetMplsTc(tc) => write!(out, "set_mpls_tc({tc})"),
        Action::StackPush(part) => {
            out.write_str("push:")?;
            write_subfield(out, part)
        }
        Action::StackPop(part) => {
            out.write_str("pop:")?;
            write_subfield(out, part)
        }
        Action::Sample(sample) => sample::write_sample(out, sample),
        Action::Conjunction {
            clause,
            n_clauses,
            id,
        } => {
            write!(
                out,
                "conjunction({id},{}/{n_clauses})",
                u16::from(*clause) + 1
            )
        }
        Action::Ct(ct) => ct::write_ct(out, ct),
        Action::Nat(nat) => ct::write_nat(out, nat),
        Action::OutputTrunc { port, max_len } => {
            out.write_str("output(port=")?;
            write_port(out, *port)?;
            write!(out, ",max_len={max_len})")
        }
        Action::Group(group) => write!(out, "group:{group}"),
        Action::Clone(actions) => {
            out.write_str("clone(")?;
            write_actions(out, actions)?;
            out.write_char(')')
        }
        Action::CtClear => out.write_str("ct_clear"),
        Action::CheckPktLarger { len, dst } => {
            write!(out, "check_pkt_larger({len})->")?;
            write_subfield(out, dst)
        }
        Action::DeleteField { field, .. } => write!(out, "delete_field:{}", field.name()),
        Action::Encap(encap) => encap::write_encap(out, encap),
        Action::Decap(packet_type) => encap::write_decap(out, *packet_type),
        Action::DecNshTtl => out.write_str("dec_nsh_ttl"),
        Action::DebugSlow => out.write_str("debug_slow"),
        Action::DebugRecirc => out.write_str("debug_recirc"),
        Action::Unknown(unknown) => write_unknown(out, unknown),
    }
}

fn write_resubmit(out: &mut impl Write, port: Port, table: u8, with_ct: bool) -> fmt::Result {
    if port != Port::IN_PORT && table == 255 && !with_ct {
        out.write_str("resubmit:")?;
        return write_port(out, port);
    }
    out.write_str("resubmit(")?;
    if port != Port::IN_PORT {
        write_port(out, port)?;
    }
    out.write_char(',')?;
    if table != 255 {
        write!(out, "{table}")?;
    }
    out.write_str(if with_ct { ",ct)" } else { ")" })
}

fn write_set_field(out: &mut impl Write, set: &SetField) -> fmt::Result {
    out.write_str("set_field:")?;
    if set.field.tun_metadata_index().is_some() {
        write_hex(out, &set.value)?;
        if let Some(mask) = &set.mask {
            out.write_char('/')?;
            write_hex(out, mask)?;
        }
    } else {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |n: u128, b| n << 8 | u128::from(*b));
        let full = set.field.info().full_mask();
        let mask = set.mask.as_deref().map_or(full, number);
        write_value(out, set.field, number(&set.value), mask)?;
    }
    write!(out, "->{}", set.field.name())
}

/// Two digits per byte, with dots between.
pub(crate) fn write_dotted_hex(out: &mut impl Write, bytes: &[u8]) -> fmt::Result {
    for (index, byte) in bytes.iter().enumerate() {
        write!(out, "{}{byte:02x}", if index > 0 { "." } else { "" })?;
    }
    Ok(())
}

/// `unknown(TYPE,BYTES)`: not a form of Open vSwitch, which refuses what it does not know.
fn write_unknown(out: &mut impl Write, unknown: &UnknownAction) -> fmt::Result {
    write!(out, "unknown({},", unknown.action_type)?;
    write_dotted_hex(out, &unknown.body)?;
    out.write_char(')')
}
