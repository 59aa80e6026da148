//! JSON texts, as parameters of an echo.

use crate::generate::{Random, cases};
use crate::harness::Server;
use ovsdb::json::{Json, SplitLimits, Splitter, parse, write, write_pretty_real};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "0.0",
    "1",
    "-1",
    "10",
    "01",
    "-",
    "-01",
    "1.",
    ".5",
    "0.5",
    "1.5e3",
    "1e",
    "1e+",
    "1E5",
    "1e-5",
    "15e-1",
    "150e-1",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "12345678901234567890",
    "1e18",
    "1e19",
    "922337203685477580.7e1",
    "1e308",
    "1e309",
    "-1e400",
    "1e-400",
    "1e2147483639",
    "1e-2147483639",
    "1e2147483647",
    "1e2147483648",
    "0e99999999",
    "0e2147483640",
    "1e-2147483648",
    "100000000000000000000",
    "0.00000000000000000000000001",
    "1.0000000000",
    "3.141592653589793238",
    "1e0001",
    "-0.0e5",
    "1.5E-3",
    "2e-324",
    "1-2",
    "1.2.3",
    "1ee5",
    "+1",
];

const STRINGS: &[&str] = &[
    r#""""#,
    r#""a""#,
    r#""\"""#,
    r#""\\""#,
    r#""\/""#,
    r#""\b\f\n\r\t""#,
    r#""\u0041""#,
    r#""\u0000""#,
    r#""\uD834\uDD1E""#,
    r#""\ud834""#,
    r#""\udd1e""#,
    r#""\ud834\u0041""#,
    r#""\ud834x""#,
    r#""\ud834\ud834""#,
    r#""\u12""#,
    r#""\u12g4""#,
    r#""\x""#,
    "\"\u{1}\"",
    "\"\u{7f}\"",
    "\"\u{1d11e}é\"",
    "\"}{][\"",
    r#""\u001f""#,
    "\"a\nb\"",
    "\"\t\"",
    r#""\uFFFF""#,
    r#""\udbff\udfff""#,
    r#""\U0041""#,
    "\"\u{10ffff}\u{10ff80}\"",
    r#""\u00e9""#,
];

const WORDS: &[&str] = &[
    "null",
    "true",
    "false",
    "nul",
    "True",
    "NULL",
    "truefalse",
    "x",
    "nan",
];

fn json_text(random: &mut Random, depth: usize, out: &mut String) {
    match random.below(if depth > 3 { 6 } else { 9 }) {
        0 | 1 => out.push_str(random.pick(NUMBERS)),
        2 | 3 => out.push_str(random.pick(STRINGS)),
        4 => out.push_str(random.pick(&WORDS[..3])),
        5 => out.push_str(random.pick(WORDS)),
        6 | 7 => {
            out.push('[');
            for i in 0..random.below(4) {
                if i > 0 {
                    out.push(',');
                }
                json_text(random, depth + 1, out);
                out.push_str(random.pick(&["", "", " ", "\n", "\r\t"]));
            }
            out.push(']');
        }
        _ => {
            out.push('{');
            for i in 0..random.below(4) {
                if i > 0 {
                    out.push_str(random.pick(&[",", ", "]));
                }
                out.push_str(random.pick(&["\"a\"", "\"b\"", "\"\"", "\"a\\u0062\"", "\"ab\""]));
                out.push_str(random.pick(&[":", " : ", ":\n"]));
                json_text(random, depth + 1, out);
            }
            out.push('}');
        }
    }
}

/// A text, and now and then a byte of it lost, doubled or changed.
fn broken_text(random: &mut Random) -> Vec<u8> {
    let mut text = String::new();
    json_text(random, 0, &mut text);
    let mut bytes = text.into_bytes();
    if random.one_in(3) && !bytes.is_empty() {
        let at = random.below(bytes.len());
        match random.below(3) {
            0 => drop(bytes.remove(at)),
            1 => bytes.insert(at, bytes[at]),
            _ => bytes[at] = random.pick(b"\"\\{}[],:0-eE.u \x0c\xff\xc3\xed\xa0z/"),
        }
    }
    bytes
}

/// What the server makes of a text as the parameter of an echo; `None` if it hangs up.
fn server_reads(server: &Server, message: &[u8]) -> Option<Json> {
    let mut socket = UnixStream::connect(server.socket()).unwrap();
    // The server may be gone before the last byte.
    let _ = socket.write_all(message);
    let _ = socket.shutdown(std::net::Shutdown::Write);
    let mut reply = Vec::new();
    let _ = socket.read_to_end(&mut reply);
    let mut splitter = Splitter::new(SplitLimits::default());
    splitter.push(&reply);
    let reply = parse(splitter.next_message().unwrap()?).unwrap();
    Some(reply.member("result").unwrap().clone())
}

/// What this crate makes of it: `None` if it is no message, `Some(None)` if it is several.
fn we_read(message: &[u8]) -> Option<Option<Json>> {
    let mut splitter = Splitter::new(SplitLimits::default());
    splitter.push(message);
    let first = parse(splitter.next_message().ok()??);
    if !matches!(splitter.next_message(), Ok(None)) || splitter.buffered() > 0 {
        return Some(None);
    }
    first.ok().map(|json| json.member("params").cloned())
}

/// Reals below 2.3e-308 can be the result of a division, and the server writes them, but does
/// not read them. This crate reads what servers write.
fn has_subnormal(json: &Json) -> bool {
    match json {
        Json::Real(real) => real.is_subnormal(),
        Json::Array(elements) => elements.iter().any(has_subnormal),
        Json::Object(object) => object.iter().any(|(_, value)| has_subnormal(value)),
        _ => false,
    }
}

#[test]
fn json_is_read_alike() {
    let server = Server::with_schema_text(r#"{"name":"d","tables":{}}"#);
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..cases(2000) {
        let text = broken_text(&mut random);
        let message = [
            b"{\"id\":1,\"method\":\"echo\",\"params\":[".as_slice(),
            &text,
            b"]}",
        ]
        .concat();
        let show = || String::from_utf8_lossy(&text).into_owned();
        let Some(ours) = we_read(&message) else {
            assert_eq!(
                server_reads(&server, &message),
                None,
                "refused here: {}",
                show()
            );
            refused += 1;
            continue;
        };
        // Text that closes the message early is another test's matter.
        let Some(ours) = ours else { continue };
        if has_subnormal(&ours) {
            continue;
        }
        let theirs = server_reads(&server, &message);
        let theirs = theirs.unwrap_or_else(|| panic!("only the server refuses {}", show()));
        // The server writes 15 digits.
        let mut ours_again = Vec::new();
        write_pretty_real(&ours, Some(15), &mut ours_again);
        let mut theirs_again = Vec::new();
        write(&theirs, &mut theirs_again);
        let (a, b) = (parse(&ours_again).unwrap(), parse(&theirs_again).unwrap());
        assert_eq!(a, b, "{}", show());
        taken += 1;
    }
    assert!(
        taken > 300 && refused > 300,
        "{taken} taken, {refused} refused"
    );
}
