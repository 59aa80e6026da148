//! Whole flows: flow modifications and dumped flows.
//!
//! Owns: the flow properties around match and actions. Held by the vectors and
//! `tests/differential.rs`.

use std::fmt::{self, Write};
use std::str::FromStr;

use crate::error::OfpError;
use crate::matching::{FieldId, Match, Prereq};
use crate::msg::{FlowMod, FlowModCommand, FlowModForm, FlowStats, FlowStatsRequest, flow_flags};
use crate::ports::{COOKIE_KEEP, NO_BUFFER, Port, TABLE_ALL};

use super::action_parse::parse_actions;
use super::action_print::write_actions;
use super::error::TextError;
use super::field::{parse_port, write_port};
use super::match_parse::MatchBuilder;
use super::match_print::{DEFAULT_PRIORITY, write_match, write_match_and_space, write_whole_match};
use super::scan::Span;

impl fmt::Display for FlowMod {
    /// What `ovs-ofctl` prints behind the message name: `ADD table:1 tcp,tp_dst=80 actions=drop`.
    /// For text that can be read again see [`flow_line`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_flow_mod(f, self, None)
    }
}

/// With `raw`, that stands for the match, and the priority follows by itself.
pub(crate) fn write_flow_mod(
    out: &mut dyn Write,
    flow: &FlowMod,
    raw: Option<&str>,
) -> fmt::Result {
    match flow.command {
        FlowModCommand::ADD => out.write_str("ADD")?,
        FlowModCommand::MODIFY => out.write_str("MOD")?,
        FlowModCommand::MODIFY_STRICT => out.write_str("MOD_STRICT")?,
        FlowModCommand::DELETE => out.write_str("DEL")?,
        FlowModCommand::DELETE_STRICT => out.write_str("DEL_STRICT")?,
        FlowModCommand(other) => write!(out, "cmd:{other}")?,
    }
    if flow.table != 0 {
        write!(out, " table:{}", flow.table)?;
    }
    out.write_char(' ')?;
    match raw {
        Some(raw) => {
            out.write_str(raw)?;
            out.write_str(if raw.is_empty() { "" } else { " " })?;
        }
        None => write_match_and_space(out, &flow.match_, flow.priority)?,
    }
    if flow.cookie != 0 && flow.cookie != COOKIE_KEEP {
        write!(out, "cookie:{:#x} ", flow.cookie)?;
    }
    if flow.cookie_mask != 0 {
        write!(
            out,
            "cookie:{:#x}/{:#x} ",
            flow.cookie_value, flow.cookie_mask
        )?;
    }
    if flow.idle_timeout != 0 {
        write!(out, "idle:{} ", flow.idle_timeout)?;
    }
    if flow.hard_timeout != 0 {
        write!(out, "hard:{} ", flow.hard_timeout)?;
    }
    if raw.is_some() && flow.priority != DEFAULT_PRIORITY {
        write!(out, "pri:{} ", flow.priority)?;
    }
    if flow.buffer_id != NO_BUFFER {
        write!(out, "buf:{:#x} ", flow.buffer_id)?;
    }
    if flow.out_port != Port::NONE {
        out.write_str("out_port:")?;
        write_port(&mut &mut *out, flow.out_port)?;
        out.write_char(' ')?;
    }
    write_flags(out, flow.flags)?;
    out.write_str("actions=")?;
    write_actions(out, &flow.actions)
}

fn write_flags(out: &mut dyn Write, flags: u16) -> fmt::Result {
    if flags & flow_flags::SEND_FLOW_REM != 0 {
        out.write_str("send_flow_rem ")?;
    }
    if flags & flow_flags::CHECK_OVERLAP != 0 {
        out.write_str("check_overlap ")?;
    }
    Ok(())
}

/// The flow in the syntax that [`FlowMod::from_str`] and `ovs-ofctl` read, with the command first
/// unless it is an add: `table=1,priority=100,tcp,tp_dst=80,actions=drop`.
///
/// The buffer id has no place in it, nor has the length limit of an output to a field. A `set_field`
/// of no bit is written as Open vSwitch prints it, `ANY`, which `ovs-ofctl` does not read.
#[must_use]
pub fn flow_line(flow: &FlowMod) -> String {
    let mut line = String::new();
    // Writing to a string cannot fail.
    let written = write_flow_line(&mut line, flow);
    debug_assert!(written.is_ok());
    line
}

fn write_flow_line(out: &mut String, flow: &FlowMod) -> fmt::Result {
    let strict = [FlowModCommand::MODIFY_STRICT, FlowModCommand::DELETE_STRICT];
    let deletes = [FlowModCommand::DELETE, FlowModCommand::DELETE_STRICT].contains(&flow.command);
    out.write_str(match flow.command {
        FlowModCommand::MODIFY => "modify ",
        FlowModCommand::MODIFY_STRICT => "modify_strict ",
        FlowModCommand::DELETE => "delete ",
        FlowModCommand::DELETE_STRICT => "delete_strict ",
        _ => "",
    })?;
    if flow.table != TABLE_ALL {
        write!(out, "table={},", flow.table)?;
    }
    if !deletes && flow.cookie != 0 && flow.cookie != COOKIE_KEEP {
        write!(out, "cookie={:#x},", flow.cookie)?;
    }
    if flow.cookie_mask != 0 {
        write!(
            out,
            "cookie={:#x}/{:#x},",
            flow.cookie_value, flow.cookie_mask
        )?;
    }
    if !deletes {
        if flow.idle_timeout != 0 {
            write!(out, "idle_timeout={},", flow.idle_timeout)?;
        }
        if flow.hard_timeout != 0 {
            write!(out, "hard_timeout={},", flow.hard_timeout)?;
        }
        for (flag, name) in FLAGS {
            if flow.flags & flag != 0 {
                write!(out, "{name},")?;
            }
        }
    }
    if flow.out_port != Port::NONE && deletes {
        out.write_str("out_port=")?;
        write_port(out, flow.out_port)?;
        out.write_char(',')?;
    }
    let ordered = !deletes || strict.contains(&flow.command);
    let priority = if ordered {
        flow.priority
    } else {
        DEFAULT_PRIORITY
    };
    let before = out.len();
    if flow.match_.exact(FieldId::PACKET_TYPE) == Some(0) {
        // Ethernet and nothing else: no other field says so.
        out.push_str("eth,");
    }
    write_whole_match(out, &flow.match_, priority)?;
    if deletes {
        let end = out.trim_end_matches(',').len();
        out.truncate(end);
        return Ok(());
    }
    if out.len() > before && !out.ends_with(',') {
        out.write_char(',')?;
    }
    out.write_str("actions=")?;
    write_actions(out, &flow.actions)
}

const FLAGS: [(u16, &str); 2] = [
    (flow_flags::SEND_FLOW_REM, "send_flow_rem"),
    (flow_flags::CHECK_OVERLAP, "check_overlap"),
];

impl fmt::Display for FlowStats {
    /// As in a flow dump, without the leading space: `cookie=0x0, duration=1.5s, table=0, ...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_flow_stats(f, self)
    }
}

pub(crate) fn write_flow_stats(out: &mut dyn Write, flow: &FlowStats) -> fmt::Result {
    write!(out, "cookie={:#x}, duration=", flow.cookie)?;
    write_duration(out, flow.duration)?;
    write!(out, ", table={}, ", flow.table)?;
    for (name, count) in [("n_packets", flow.packets), ("n_bytes", flow.bytes)] {
        match count {
            u64::MAX => write!(out, "{name}=?, ")?,
            count => write!(out, "{name}={count}, ")?,
        }
    }
    if flow.idle_timeout != 0 {
        write!(out, "idle_timeout={}, ", flow.idle_timeout)?;
    }
    if flow.hard_timeout != 0 {
        write!(out, "hard_timeout={}, ", flow.hard_timeout)?;
    }
    if let Some(age) = flow.idle_age {
        write!(out, "idle_age={age}, ")?;
    }
    if let Some(age) = flow
        .hard_age
        .filter(|age| u32::from(*age) != flow.duration.0)
    {
        write!(out, "hard_age={age}, ")?;
    }
    write_match_and_space(out, &flow.match_, flow.priority)?;
    out.write_str("actions=")?;
    write_actions(out, &flow.actions)
}

/// Seconds, with three decimals if that is exact, else as many as needed.
pub(crate) fn write_duration(out: &mut dyn Write, (seconds, nanos): (u32, u32)) -> fmt::Result {
    write!(out, "{seconds}")?;
    if nanos > 0 && nanos % 1_000_000 == 0 {
        write!(out, ".{:03}", nanos / 1_000_000)?;
    } else if nanos > 0 {
        let digits = format!("{nanos:09}");
        write!(out, ".{}", digits.trim_end_matches('0'))?;
    }
    out.write_char('s')
}

pub(crate) fn write_flow_request(out: &mut dyn Write, request: &FlowStatsRequest) -> fmt::Result {
    if request.table != TABLE_ALL {
        write!(out, " table={}", request.table)?;
    }
    if request.out_port != Port::NONE {
        out.write_str(" out_port=")?;
        write_port(&mut &mut *out, request.out_port)?;
    }
    out.write_char(' ')?;
    write_match(out, &request.match_, DEFAULT_PRIORITY)
}

impl FromStr for FlowMod {
    type Err = TextError;

    /// Reads a line of `ovs-ofctl` syntax: optionally a command (`add`, `modify`, `modify_strict`,
    /// `delete`, `delete_strict`), flow properties and match fields in any order, and
    /// `actions=` behind them. Lines of a flow dump are read too, their counters ignored.
    ///
    /// Whether the actions make sense with the match is not looked at: [`parse_flow_mod`] does.
    ///
    /// Without `table=` the table is [`TABLE_ALL`], as in `ovs-ofctl`: a switch puts an added flow
    /// in table 0, and a modify or delete concerns every table. The form is the Nicira one.
    fn from_str(text: &str) -> Result<Self, TextError> {
        let (command, flow) = split_command(Span::new(text));
        parse_flow(flow, command)
    }
}

/// The command that a line begins with, or `add`, and the flow behind it.
fn split_command(line: Span<'_>) -> (FlowModCommand, Span<'_>) {
    let line = line.trim();
    let end = line.text().find([',', ' ', '\t']);
    let (word, rest) = line.split_at(end.unwrap_or(line.text().len()));
    let command = match word.text() {
        "add" => FlowModCommand::ADD,
        "modify" => FlowModCommand::MODIFY,
        "modify_strict" => FlowModCommand::MODIFY_STRICT,
        "delete" => FlowModCommand::DELETE,
        "delete_strict" => FlowModCommand::DELETE_STRICT,
        _ => return (FlowModCommand::ADD, line),
    };
    (command, rest)
}

/// Reads a flow for `command`, which `text` does not name, and refuses actions that Open vSwitch
/// would refuse with this match, as `ovs-ofctl` does (see [`FlowMod::check`]).
///
/// # Errors
/// What is wrong, and at which column.
pub fn parse_flow_mod(text: &str, command: FlowModCommand) -> Result<FlowMod, TextError> {
    parse_checked(Span::new(text), command)
}

/// Reads a line as [`FlowMod`]'s `FromStr` does, with an optional command in front, and refuses
/// what [`parse_flow_mod`] refuses.
///
/// ```
/// use ofproto::text::parse_flow_line;
///
/// let error = parse_flow_line("add table=1,tp_dst=80,actions=drop").unwrap_err();
/// assert_eq!(error.offset(), 12);
/// ```
///
/// # Errors
/// What is wrong, and at which column.
pub fn parse_flow_line(text: &str) -> Result<FlowMod, TextError> {
    let (command, flow) = split_command(Span::new(text));
    parse_checked(flow, command)
}

fn parse_checked(line: Span<'_>, command: FlowModCommand) -> Result<FlowMod, TextError> {
    let flow = parse_flow(line, command)?;
    let (head, actions) = split_actions(line);
    if let Some(field) = flow.match_.missing_prereq() {
        return Err(missing_prereq(head, field));
    }
    if let Some(actions) = actions {
        if let Err(code) = flow.actions.check(&flow.match_) {
            return Err(misfit(actions, &flow.match_, code));
        }
        check_set_fields(actions, &flow.match_)?;
    }
    Ok(flow)
}

/// `set_field` is held to what its field needs, also where it becomes an action that is not.
fn check_set_fields(actions: Span<'_>, matching: &Match) -> Result<(), TextError> {
    const TAGGED: u128 = 0x1000;
    let mut rest = actions;
    loop {
        let before = actions.text().len() - rest.text().len();
        let Some((key, value)) = rest.next_pair() else {
            return Ok(());
        };
        let name = value.split_once("->").map(|(_, name)| name.trim());
        let Some(name) = name.filter(|_| key.is_ignore_case("set_field")) else {
            continue;
        };
        let Some(field) = FieldId::from_name(name.text()) else {
            continue;
        };
        let earlier = parse_actions(actions.split_at(before).0).unwrap_or_default();
        let packet = earlier.packet_after(matching);
        let tagged = packet.value_or_zero(FieldId::VLAN_TCI) & TAGGED != 0;
        if !packet.prereqs_met(field) || field == FieldId::VLAN_VID && !tagged {
            return Err(name.error(format!(
                "{} can be set only where {} is matched ({})",
                name.text(),
                match field {
                    FieldId::VLAN_VID => "a VLAN",
                    other => prereq_words(other),
                },
                OfpError::OFPBAC_MATCH_INCONSISTENT
            )));
        }
    }
}

/// Points at the field that cannot be matched without others. Open vSwitch leaves it out with a
/// note in its log; a flow that matches more than was written is worse than none.
fn missing_prereq(head: Span<'_>, field: FieldId) -> TextError {
    let pairs: Vec<_> = std::iter::successors(Some((head, None)), |(rest, _)| {
        let mut rest = *rest;
        let pair = rest.next_pair()?;
        Some((rest, Some(pair)))
    })
    .filter_map(|(_, pair)| pair)
    .collect();
    // The culprit is the one without which the field is not matched.
    let culprit = (0..pairs.len()).find(|left_out| {
        let mut matching = MatchBuilder::default();
        for (_, (key, value)) in pairs.iter().enumerate().filter(|(i, _)| i != left_out) {
            let _ = matching.take(*key, *value);
        }
        matching.finish().get(field).is_none()
    });
    let (key, _) = culprit
        .and_then(|index| pairs.get(index).copied())
        .unwrap_or((head, head));
    key.error(format!(
        "{} can be matched only with {} (OFPBMC_BAD_PREREQ)",
        key.text(),
        prereq_words(field)
    ))
}

/// What must be matched too.
fn prereq_words(field: FieldId) -> &'static str {
    match field.info().prereq {
        Prereq::None | Prereq::Ethernet => "eth",
        Prereq::VlanVid => "a VLAN",
        Prereq::Mpls => "mpls or mplsm",
        Prereq::Ipv4 => "ip",
        Prereq::Ipv6 => "ipv6",
        Prereq::IpAny => "ip or ipv6",
        Prereq::Arp => "arp or rarp",
        Prereq::Tcp => "tcp, udp, sctp or icmp of either family",
        Prereq::Udp => "udp or udp6",
        Prereq::Sctp => "sctp or sctp6",
        Prereq::Icmpv4 => "icmp",
        Prereq::Icmpv6 => "icmp6",
        Prereq::Nd => "icmp6,icmp_type=135 or 136",
        Prereq::NdSolicit => "icmp6,icmp_type=135",
        Prereq::NdAdvert => "icmp6,icmp_type=136",
        Prereq::Nsh => "dl_type=0x894f",
        Prereq::Ct => "ct_state=+trk and the family of the addresses",
    }
}

/// Points at the first action after which the list is refused.
fn misfit(actions: Span<'_>, matching: &Match, code: OfpError) -> TextError {
    let mut rest = actions;
    while let Some((key, _)) = rest.next_pair() {
        let so_far = actions.text().len() - rest.text().len();
        let (so_far, _) = actions.split_at(so_far);
        if parse_actions(so_far).is_ok_and(|list| list.check(matching).is_err()) {
            let word = key.text();
            return key.error(format!("{word} does not fit the match ({code})"));
        }
    }
    actions.error(format!("actions do not fit the match ({code})"))
}

fn parse_flow(line: Span<'_>, command: FlowModCommand) -> Result<FlowMod, TextError> {
    let modifies = [FlowModCommand::MODIFY, FlowModCommand::MODIFY_STRICT].contains(&command);
    let adds = command == FlowModCommand::ADD || modifies;
    let mut flow = FlowMod {
        form: FlowModForm::Nx,
        command,
        table: TABLE_ALL,
        cookie: if modifies { COOKIE_KEEP } else { 0 },
        ..FlowMod::default()
    };
    let (mut head, actions) = split_actions(line);
    let mut matching = MatchBuilder::default();
    while let Some((key, value)) = head.next_pair() {
        if !parse_property(&mut flow, key, value)? && !matching.take(key, value)? {
            return Err(key.error(format!("{:?} is not a match field", key.text())));
        }
    }
    if modifies && flow.cookie_mask == 0 && flow.cookie == COOKIE_KEEP {
        // A modify that matches nothing adds the flow, with this cookie.
        flow.cookie = 0;
    }
    flow.match_ = matching.finish();
    match actions {
        Some(actions) if adds => {
            flow.actions = parse_actions(actions)?;
        }
        None if adds => {
            let (_, end) = line.split_at(line.text().len());
            return Err(end.error("actions= is missing"));
        }
        Some(actions) => return Err(actions.error("a delete has no actions")),
        None => {}
    }
    Ok(flow)
}

/// What stands before `actions=` (or `action=`) and after it.
fn split_actions(line: Span<'_>) -> (Span<'_>, Option<Span<'_>>) {
    let Some(at) = line.text().find("action") else {
        return (line, None);
    };
    let (head, tail) = line.split_at(at);
    match tail.split_once("=") {
        Some((_, actions)) => (head, Some(actions)),
        None => (line, None),
    }
}

/// Whether `key` was a property of the flow, now set.
fn parse_property(flow: &mut FlowMod, key: Span<'_>, value: Span<'_>) -> Result<bool, TextError> {
    let deletes = [FlowModCommand::DELETE, FlowModCommand::DELETE_STRICT].contains(&flow.command);
    match key.text() {
        "table" => flow.table = value.u8("a table")?,
        "priority" if flow.command != FlowModCommand::DELETE => {
            flow.priority = value.u16("a priority")?;
        }
        "idle_timeout" if !deletes => flow.idle_timeout = value.u16("a timeout")?,
        "hard_timeout" if !deletes => flow.hard_timeout = value.u16("a timeout")?,
        "send_flow_rem" if !deletes => flow.flags |= flow_flags::SEND_FLOW_REM,
        "check_overlap" if !deletes => flow.flags |= flow_flags::CHECK_OVERLAP,
        "reset_counts" | "no_packet_counts" | "no_byte_counts" | "importance" if !deletes => {
            return Err(key.error(format!("OpenFlow 1.0 has no {}", key.text())));
        }
        "out_port" if deletes => flow.out_port = parse_port(value)?,
        "cookie" => parse_cookie(flow, value)?,
        "duration"
        | "n_packets"
        | "n_bytes"
        | "idle_age"
        | "hard_age"
        | "no_readonly_table"
        | "allow_hidden_fields" => {}
        "priority" | "idle_timeout" | "hard_timeout" | "send_flow_rem" | "check_overlap"
        | "out_port" => {
            return Err(key.error(format!("{} has no meaning here", key.text())));
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// `VALUE` sets the cookie, `VALUE/MASK` restricts the operation to flows that have it.
fn parse_cookie(flow: &mut FlowMod, value: Span<'_>) -> Result<(), TextError> {
    let deletes = [FlowModCommand::DELETE, FlowModCommand::DELETE_STRICT].contains(&flow.command);
    match value.split_once("/") {
        Some((_, mask)) if flow.command == FlowModCommand::ADD => {
            Err(mask.error("an added flow cannot be restricted to a cookie"))
        }
        Some((cookie, mask)) => {
            flow.cookie_value = cookie.u64("a cookie")?;
            flow.cookie_mask = mask.u64("a cookie mask")?;
            flow.cookie_value &= flow.cookie_mask;
            Ok(())
        }
        None if deletes => {
            Err(value.error("a delete cannot set the cookie; to restrict it write COOKIE/-1"))
        }
        None => {
            flow.cookie = value.u64("a cookie")?;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_back() {
        let lines = [
            "table=60,priority=100,ct_state=+trk,in_port=5,\
             actions=ct(commit,zone=NXM_NX_REG6[0..15]),resubmit(,94)",
            "actions=drop",
            "cookie=0x5,idle_timeout=10,send_flow_rem,tcp6,ipv6_src=fe80::/10,tp_dst=0x50/0xfff0,\
             actions=output:1,CONTROLLER:65535",
            "delete table=3,cookie=0x10/0xff,out_port=LOCAL,arp,arp_spa=10.0.0.0/8",
            "delete_strict priority=7,udp,tp_src=53",
            "delete ",
            "modify_strict table=0,in_port=LOCAL,actions=NORMAL",
            "ip,actions=ct(commit,nat,exec(nat(src=10.0.0.1-10.0.0.9)))",
            "actions=set_field:ANY->nsh_c2",
        ];
        for line in lines {
            let flow: FlowMod = line.parse().unwrap_or_else(|error: TextError| {
                panic!("{}", error.pointing_into(line));
            });
            assert_eq!(flow_line(&flow).trim(), line.trim());
        }
    }

    /// As Open vSwitch prints it: a state by all 32 bits of the field, most of them without a name; a packet type with
    /// its name.
    #[test]
    fn what_is_learned_is_read_as_it_is_written() {
        for (spec, written) in [
            ("ct_state=inv", ",ct_state=-new-est-rel-rpl+inv-trk"),
            (
                "packet_type=(2,0x800)",
                ",packet_type=packet_type=(2,0x800))",
            ),
            ("packet_type=(0,0)", ",packet_type=eth)"),
        ] {
            let text = format!("ip,actions=learn(table=1,{spec})");
            let flow: FlowMod = text.parse().unwrap();
            let line = flow_line(&flow);
            assert!(line.contains(written), "{line}");
            assert_eq!(line.parse(), Ok(flow));
        }
    }

    /// Ports of several protocols, none of which is the flow's, are one thing all the same.
    #[test]
    fn a_port_has_one_name() {
        for (text, written) in [
            (
                "udp_dst=0x8000/0xc31,sctp_dst=0xffff/0x8000",
                "tp_dst=0x8000/0x8000",
            ),
            ("udp_dst=65535", "tp_dst=65535"),
            ("udp_dst=3", "icmp_code=3"),
        ] {
            let flow: FlowMod = format!("icmp6,{text},actions=drop").parse().unwrap();
            let line = flow_line(&flow);
            assert_eq!(line, format!("icmp6,{written},actions=drop"));
            assert_eq!(line.parse(), Ok(flow));
        }
    }

    /// A mask that leaves out the first bytes does not shorten the option.
    #[test]
    fn options_keep_their_length() {
        for option in [
            "0x12345681/0xff",
            "0x1234/0",
            "0x81/0xff",
            "0x81/0x7f",
            "",
            "0",
        ] {
            let text = format!("tun_metadata26={option},actions=drop");
            let flow: FlowMod = text.parse().unwrap();
            assert_eq!(flow_line(&flow).parse(), Ok(flow), "{option}");
        }
    }

    #[test]
    fn errors_point_at_the_column() {
        let column = |text: &str| text.parse::<FlowMod>().unwrap_err().offset() + 1;
        assert_eq!(column("tcp,nw_src=10.0.0.300,actions=drop"), 12);
        assert_eq!(column("tcp,bogus=1,actions=drop"), 5);
        assert_eq!(column("tcp,actions=output:1,bogus"), 22);
        assert_eq!(column("tcp,actions=ct(commit,bogus)"), 23);
        assert_eq!(column("priority=70000,actions=drop"), 10);
        assert_eq!(column("tcp"), 4);
        assert_eq!(column("delete priority=3"), 8);
    }

    #[test]
    fn dumped_lines_are_read() {
        let line = " cookie=0x7, duration=1.5s, table=3, n_packets=0, n_bytes=0, idle_age=1, \
                    priority=5,udp,tp_dst=53 actions=output:2";
        let flow: FlowMod = line.parse().unwrap();
        assert_eq!(
            flow_line(&flow),
            "table=3,cookie=0x7,priority=5,udp,tp_dst=53,actions=output:2"
        );
    }
}
