//! Ports: descriptions, changes, counters.

use std::fmt::{self, Write};

use crate::msg::{PhyPort, PortMod, PortReason, PortStats, PortStatus};

use super::super::address::write_mac;
use super::super::field::write_port;
use super::{Verbosity, write_bit_names};

/// `enum ofp_port_config` (OF1.0 §5.2.1).
const CONFIG: [(u32, &str); 7] = [
    (1 << 0, "PORT_DOWN"),
    (1 << 1, "NO_STP"),
    (1 << 2, "NO_RECV"),
    (1 << 3, "NO_RECV_STP"),
    (1 << 4, "NO_FLOOD"),
    (1 << 5, "NO_FWD"),
    (1 << 6, "NO_PACKET_IN"),
];

/// `enum ofp_port_state`; bits 8 and 9 are the spanning tree state.
const STATE: [(u32, &str); 1] = [(1 << 0, "LINK_DOWN")];
const STP_SHIFT: u32 = 8;

/// `enum ofp_port_features`.
const FEATURES: [(u32, &str); 12] = [
    (1 << 0, "10MB-HD"),
    (1 << 1, "10MB-FD"),
    (1 << 2, "100MB-HD"),
    (1 << 3, "100MB-FD"),
    (1 << 4, "1GB-HD"),
    (1 << 5, "1GB-FD"),
    (1 << 6, "10GB-FD"),
    (1 << 7, "COPPER"),
    (1 << 8, "FIBER"),
    (1 << 9, "AUTO_NEG"),
    (1 << 10, "AUTO_PAUSE"),
    (1 << 11, "AUTO_PAUSE_ASYM"),
];

fn write_features(out: &mut String, features: u32) -> fmt::Result {
    write_bit_names(out, features & 0xfff, &FEATURES, ' ')?;
    out.write_char('\n')
}

/// The highest speed among `features`, in Mbit/s.
fn speed(features: u32) -> u32 {
    let speeds = [(1 << 6, 10_000), (3 << 4, 1000), (3 << 2, 100), (3, 10)];
    let known = speeds.iter().find(|(bits, _)| features & bits != 0);
    known.map_or(0, |(_, speed)| *speed)
}

fn write_config(out: &mut String, config: u32) -> fmt::Result {
    write_bit_names(out, config & 0x7f, &CONFIG, ' ')?;
    out.write_char('\n')
}

fn write_state(out: &mut String, state: u32) -> fmt::Result {
    let stp = ["", "STP_LEARN", "STP_FORWARD", "STP_BLOCK"];
    let rest = state & 1;
    match state >> STP_SHIFT & 3 {
        0 => write_bit_names(out, rest, &STATE, ' ')?,
        index => {
            let index = usize::try_from(index).unwrap_or(0);
            out.push_str(stp.get(index).unwrap_or(&""));
            if rest != 0 {
                write_bit_names(out, rest, &STATE, ' ')?;
            }
        }
    }
    out.write_char('\n')
}

fn write_phy_port(out: &mut String, port: &PhyPort) -> fmt::Result {
    out.push(' ');
    write_port(out, port.port_no)?;
    let name = port.name.0.iter().take(15).copied();
    let name = name.take_while(|byte| byte.is_ascii_graphic() || *byte == b' ');
    write!(out, "({}): addr:", name.map(char::from).collect::<String>())?;
    write_mac(out, port.hw_addr)?;
    out.push_str("\n     config:     ");
    write_config(out, port.config)?;
    out.push_str("     state:      ");
    write_state(out, port.state)?;
    for (name, features) in [
        ("current:    ", port.curr),
        ("advertised: ", port.advertised),
        ("supported:  ", port.supported),
        ("peer:       ", port.peer),
    ] {
        if features & 0xfff != 0 {
            write!(out, "     {name}")?;
            write_features(out, features)?;
        }
    }
    let (now, most) = (speed(port.curr), speed(port.supported));
    writeln!(out, "     speed: {now} Mbps now, {most} Mbps max")
}

/// Ports in the order of their numbers.
pub(super) fn write_phy_ports(out: &mut String, ports: &[PhyPort]) -> fmt::Result {
    let mut sorted: Vec<&PhyPort> = ports.iter().collect();
    sorted.sort_by_key(|port| port.port_no);
    sorted
        .into_iter()
        .try_for_each(|port| write_phy_port(out, port))
}

pub(super) fn write_status(out: &mut String, status: &PortStatus) -> fmt::Result {
    out.push_str(match status.reason {
        PortReason::ADD => " ADD:",
        PortReason::DELETE => " DEL:",
        PortReason::MODIFY => " MOD:",
        _ => "",
    });
    write_phy_port(out, &status.port)
}

pub(super) fn write_mod(out: &mut String, port: &PortMod) -> fmt::Result {
    out.push_str(" port: ");
    write_port(out, port.port_no)?;
    out.push_str(": addr:");
    write_mac(out, port.hw_addr)?;
    out.push_str("\n     config: ");
    write_config(out, port.config & port.mask)?;
    out.push_str("     mask:   ");
    write_config(out, port.mask)?;
    out.push_str("     advertise: ");
    match port.advertise & 0xfff {
        0 => out.write_str("UNCHANGED\n"),
        features => write_features(out, features),
    }
}

pub(super) fn write_port_stats(
    out: &mut String,
    ports: &[PortStats],
    verbosity: Verbosity,
) -> fmt::Result {
    writeln!(out, " {} ports", ports.len())?;
    if verbosity < Verbosity::BRIEF {
        return Ok(());
    }
    for port in ports {
        out.push_str(if port.port.0 < 10 {
            "  port  "
        } else {
            "  port "
        });
        write_port(out, port.port)?;
        out.push_str(": rx ");
        write_counters(
            out,
            &[
                ("pkts", port.rx_packets),
                ("bytes", port.rx_bytes),
                ("drop", port.rx_dropped),
                ("errs", port.rx_errors),
                ("frame", port.rx_frame_err),
                ("over", port.rx_over_err),
                ("crc", port.rx_crc_err),
            ],
        )?;
        out.push_str("           tx ");
        write_counters(
            out,
            &[
                ("pkts", port.tx_packets),
                ("bytes", port.tx_bytes),
                ("drop", port.tx_dropped),
                ("errs", port.tx_errors),
                ("coll", port.collisions),
            ],
        )?;
    }
    Ok(())
}

/// `name=count, name=count` and a newline; a count of all ones is not known.
pub(super) fn write_counters(out: &mut String, counters: &[(&str, u64)]) -> fmt::Result {
    for (index, (name, count)) in counters.iter().enumerate() {
        out.push_str(if index > 0 { ", " } else { "" });
        match *count {
            u64::MAX => write!(out, "{name}=?")?,
            count => write!(out, "{name}={count}")?,
        }
    }
    out.write_char('\n')
}
