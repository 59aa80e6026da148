//! Text to bytes and back, without any switch.

use std::io::{self, Read};

use ofproto::msg::{FlowMod, Message};
use ofproto::ports::TABLE_ALL;
use ofproto::text::{TextError, Verbosity, flow_line, parse_flow_line, print_message};
use serde_json::{Value, json};

use super::super::failure::{Failure, Kind};
use super::super::output::Output;

pub(super) fn encode(flows: &[String], output: Output) -> Result<(), Failure> {
    let input = if flows.is_empty() {
        lines(&standard_input()?)
    } else {
        flows.to_vec()
    };
    let mut encoded = Vec::new();
    for text in &input {
        // What a switch would refuse is refused here, where the column can be told.
        let mut flow = parse_flow_line(text).map_err(|error| pointed(text, &error))?;
        if flow.command == ofproto::msg::FlowModCommand::ADD && flow.table == TABLE_ALL {
            flow.table = 0;
        }
        let line = flow_line(&flow);
        let bytes = Message::FlowMod(flow)
            .to_bytes(0)
            .map_err(|e| Failure::text(Kind::Usage, format!("{text}: {e}")))?;
        encoded.push((line, hex(&bytes)));
    }
    let json: Vec<Value> = encoded
        .iter()
        .map(|(flow, hex)| json!({ "flow": flow, "hex": hex }))
        .collect();
    output.print(&json, |_| {
        encoded.iter().map(|(_, hex)| format!("{hex}\n")).collect()
    })
}

pub(super) fn decode(input: &[String], output: Output) -> Result<(), Failure> {
    let text = if input.is_empty() {
        standard_input()?
    } else {
        input.join(" ")
    };
    let bytes = unhex(&text)?;
    let mut rest = bytes.as_slice();
    let (mut shown, mut bad) = (Vec::new(), Vec::new());
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        let short = || {
            Failure::text(
                Kind::Usage,
                format!(
                    "byte {at}: the message is cut off after {} bytes",
                    rest.len()
                ),
            )
        };
        let length = rest
            .get(2..4)
            .map(|l| usize::from(u16::from_be_bytes([l[0], l[1]])))
            .ok_or_else(short)?;
        if length < 8 {
            return Err(Failure::text(
                Kind::Usage,
                format!("byte {at}: a message has at least 8 bytes, this one says {length}"),
            ));
        }
        let message = rest.get(..length).ok_or_else(short)?;
        if let Err(error) = Message::decode(message) {
            bad.push(format!("message at byte {at}: {error}"));
        }
        shown.push((at, print_message(message, Verbosity::NORMAL)));
        rest = &rest[length..];
    }
    let json: Vec<Value> = shown
        .iter()
        .map(|(at, text)| json!({ "offset": at, "text": text.trim_end() }))
        .collect();
    output.print(&json, |_| {
        shown.iter().map(|(_, text)| text.as_str()).collect()
    })?;
    if bad.is_empty() {
        Ok(())
    } else {
        Err(Failure::text(Kind::Failed, bad.join("\nvifd: ")))
    }
}

/// Reads a flow; the error points at the column.
pub(super) fn flow(text: &str) -> Result<FlowMod, Failure> {
    text.parse::<FlowMod>()
        .map_err(|error| pointed(text, &error))
}

fn pointed(text: &str, error: &TextError) -> Failure {
    let pointed = error.pointing_into(text);
    Failure::text(
        Kind::Usage,
        format!("cannot understand the flow\n{pointed}"),
    )
}

/// Lines that hold flows: without comments and the headings of dumps.
pub(super) fn lines(text: &str) -> Vec<String> {
    let is_flow =
        |line: &&str| !line.is_empty() && !line.starts_with('#') && !line.contains("_FLOW reply");
    text.lines()
        .map(str::trim)
        .filter(is_flow)
        .map(str::to_owned)
        .collect()
}

fn standard_input() -> Result<String, Failure> {
    let mut text = String::new();
    io::stdin()
        .read_to_string(&mut text)
        .map_err(|e| Failure::text(Kind::Usage, format!("cannot read standard input: {e}")))?;
    Ok(text)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Result<Vec<u8>, Failure> {
    let mut digits = Vec::new();
    let text = without_prefixes(text);
    for (column, c) in text.chars().enumerate().filter(|(_, c)| !c.is_whitespace()) {
        let digit = c.to_digit(16).and_then(|d| u8::try_from(d).ok());
        digits.push(digit.ok_or_else(|| {
            Failure::text(
                Kind::Usage,
                format!("column {}: {c:?} is no hexadecimal digit", column + 1),
            )
        })?);
    }
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Failure::text(
            Kind::Usage,
            "an odd number of hexadecimal digits: two make a byte",
        ));
    }
    Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// The text with blanks for the `0x` that a word may begin with.
fn without_prefixes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_inclusive(char::is_whitespace) {
        match word.strip_prefix("0x") {
            Some(digits) => out.extend(["  ", digits]),
            None => out.push_str(word),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits() {
        assert_eq!(unhex("01 0e\n00 FF").unwrap(), [1, 14, 0, 255]);
        assert_eq!(unhex("0x010e 0x00").unwrap(), [1, 14, 0]);
        assert!(unhex("01x1").unwrap_err().text.starts_with("column 3: 'x'"));
        assert!(unhex("123").unwrap_err().text.starts_with("an odd number"));
        assert_eq!(hex(&[1, 0xfe]), "01fe");
    }

    #[test]
    fn only_flows_are_flows() {
        let text = "NXST_FLOW reply (xid=0x4):\n cookie=0x0, table=1, actions=drop\n\n# comment\ntable=2,actions=drop\n";
        assert_eq!(
            lines(text),
            ["cookie=0x0, table=1, actions=drop", "table=2,actions=drop"]
        );
    }

    #[test]
    fn a_bad_flow_is_pointed_at() {
        let error = flow("tcp,nw_src=10.0.0.300,actions=drop").unwrap_err().text;
        assert_eq!(
            error,
            "cannot understand the flow\ntcp,nw_src=10.0.0.300,actions=drop\n           ^\ncolumn 12: 10.0.0.300 is not an IPv4 address"
        );
    }
}
