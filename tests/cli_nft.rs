//! `vifd nft` on this kernel, with `nft` as an independent witness. Needs root; every test has a network namespace of its
//! own.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

struct Ended {
    code: i32,
    out: String,
    err: String,
}

/// Runs a program in the namespace of the calling thread.
fn run(program: &str, args: &[&str], input: &str) -> Ended {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("cannot start {program} ({e}): install nftables, iproute2"));
    // It may end without having read everything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn vifd(args: &[&str], input: &str) -> Ended {
    run(
        env!("CARGO_BIN_EXE_vifd"),
        &[&["nft"], args].concat(),
        input,
    )
}

/// The same, and it must succeed.
fn good(args: &[&str], input: &str) -> String {
    let ended = vifd(args, input);
    assert_eq!(ended.code, 0, "{args:?}: {}{}", ended.out, ended.err);
    ended.out
}

fn nft(script: &str) {
    let ended = run("nft", &["-f", "-"], script);
    assert_eq!(ended.code, 0, "{script}: {}", ended.err);
}

/// `nft -j list ruleset`, handles and all.
fn ruleset() -> Vec<Value> {
    let text = run("nft", &["-j", "list", "ruleset"], "").out;
    let value: Value = serde_json::from_str(&text).unwrap();
    value["nftables"].as_array().unwrap().clone()
}

/// What whoever wrote it decided: without handles and counts, and in an order of its own.
fn decided(of_table: impl Fn(&str) -> bool) -> Vec<String> {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                // The bytes of a quota are decided, those of a counter are not.
                if map.remove("packets").is_some() {
                    map.remove("bytes");
                }
                for key in ["handle", "used", "expires"] {
                    map.remove(key);
                }
                map.values_mut().for_each(strip);
            }
            Value::Array(list) => list.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut all: Vec<String> = ruleset()
        .into_iter()
        .filter(|item| {
            let body = item.as_object().unwrap().values().next().unwrap();
            let name = if item.get("table").is_some() {
                &body["name"]
            } else {
                &body["table"]
            };
            name.as_str().is_some_and(&of_table)
        })
        .map(|mut item| {
            strip(&mut item);
            item.to_string()
        })
        .collect();
    // Rules keep their order within a chain: they are numbered by it.
    let mut seen = std::collections::HashMap::new();
    for item in &mut all {
        let value: Value = serde_json::from_str(item).unwrap();
        if let Some(rule) = value.get("rule") {
            let chain = ["family", "table", "chain"].map(|key| rule[key].to_string());
            let place = seen.entry(chain).or_insert(0);
            *place += 1;
            *item = format!("{item} #{place}");
        }
    }
    all.sort();
    all
}

fn of_foreign() -> Vec<Value> {
    ruleset()
        .into_iter()
        .filter(|item| item.to_string().contains("\"foreign\""))
        .collect()
}

/// Runs the body in a fresh network namespace.
fn isolated(body: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(move || {
        // SAFETY: only the network namespace of this thread changes; no descriptor is affected.
        unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }
            .expect("these tests need root");
        let up = run("ip", &["link", "set", "lo", "up"], "");
        assert_eq!(up.code, 0, "{}", up.err);
        body();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

const FOREIGN: &str = "table inet foreign {
    set s { type ipv4_addr; elements = { 1.2.3.4 } }
    chain c { type filter hook input priority 5; counter; ip saddr @s drop; }
}
table ip nat { chain vifd { counter; }; }
";

/// One of everything that this kernel has, in all families that vifd may use.
const OURS: &str = "table inet vifd {
    comment \"security groups\"
    counter hits { comment \"of the group\"; }
    quota much { over 10 mbytes; }
    limit slow { rate 10/second burst 7 packets; }
    set group { type ipv4_addr; elements = { 10.0.0.1 comment \"one\", 10.0.0.2 } }
    set nets { type ipv6_addr; flags interval; elements = { 2001:db8::/32, fe80::1-fe80::9 } }
    set pairs { type ifname . ether_addr . ipv4_addr; elements = { \"tap0\" . 02:00:00:00:00:01 . 10.0.0.1 } }
    set timed { type ipv4_addr; flags timeout; timeout 1h; elements = { 10.0.0.7 timeout 30m } }
    set dyn { type ipv4_addr; flags dynamic,timeout; timeout 1m; size 65535; }
    map zones { typeof iifname : ct zone; elements = { \"tap0\" : 4097, \"tap1\" : 4098 } }
    map dispatch { type ifname : verdict; elements = { \"tap0\" : jump profile, \"tap1\" : goto profile } }
    map services { type inet_proto . inet_service : verdict; flags interval; elements = { tcp . 80-90 : accept, udp . 53 : drop } }
    map counters { type ipv4_addr : counter; elements = { 10.0.0.1 : \"hits\" } }
    chain raw { type filter hook prerouting priority raw; policy accept; ct zone set iifname map @zones; }
    chain forward {
        type filter hook forward priority filter - 5; policy drop;
        ct state vmap { established : accept, related : accept, invalid : drop }
        iifname vmap @dispatch
        counter name ip saddr map @counters
        add @dyn { ip saddr limit rate 3/second burst 5 packets } accept
        update @dyn { ip saddr counter limit rate 9/minute }
        reset tcp option sack-perm
    }
    chain profile {
        tcp dport { 22, 80, 100-200 } accept comment \"services\"
        ip saddr @group udp dport 53 counter packets 7 bytes 700 accept
        ip saddr . tcp dport { 10.0.0.1 . 22, 10.0.0.2 . 23 } accept
        meta l4proto . th dport vmap @services
        ip6 saddr @nets quota name \"much\" drop
        limit name \"slow\" log prefix \"late: \" group 5
        icmpv6 type { nd-neighbor-solicit, nd-router-advert } accept
        reject with icmpx type admin-prohibited
    }
    chain nat { type nat hook postrouting priority srcnat; policy accept; oifname \"eth*\" masquerade random; }
}
table bridge vifd-ports {
    set allowed { type ifname . ether_addr; elements = { \"tap0\" . 02:00:00:00:00:01 } }
    chain pre {
        type filter hook prerouting priority -10; policy accept;
        iifname . ether saddr @allowed meta mark set 0x7
        ether type arp arp saddr ip 10.0.0.1 arp operation request accept
        vlan id 7 drop
    }
}
table netdev vifd-in { chain i { type filter hook ingress device \"lo\" priority 0; policy accept; meta mark 9 drop; }; }
table ip vifd { chain c { ip ttl set 5; ip dscp set af11; tcp flags & (syn | ack) == syn; }; }
";

fn ours(table: &str) -> bool {
    table == "vifd" || table.starts_with("vifd-")
}

#[test]
fn what_was_saved_is_restored() {
    isolated(|| {
        nft(FOREIGN);
        nft(OURS);
        let (before, foreign) = (decided(ours), of_foreign());
        assert!(before.len() > 40, "{before:#?}");
        let text = good(&["save"], "");
        assert!(text.contains("# tcp dport { 22, 80, 100-200 } accept comment \"services\"\n"));

        // Nothing differs, and nothing is touched: generation and handles stay.
        let all = ruleset();
        assert_eq!(good(&["diff", "-"], &text), "");
        assert_eq!(good(&["restore"], &text), "nothing to change\n");
        assert_eq!(ruleset(), all);

        // From nothing.
        nft(
            "delete table inet vifd; delete table bridge vifd-ports; delete table netdev vifd-in; delete table ip vifd",
        );
        assert!(decided(ours).is_empty());
        let told = good(&["restore"], &text);
        assert!(
            told.starts_with("made ") && told.ends_with(" changes\n"),
            "{told}"
        );
        assert_eq!(decided(ours), before);
        assert_eq!(good(&["save"], ""), text, "save | restore is a fixed point");

        // Over something else.
        nft("flush table inet vifd; add table inet vifd-old; delete element inet vifd zones { \"tap1\" }
             add rule ip vifd c drop; add chain bridge vifd-ports more");
        assert_ne!(decided(ours), before);
        good(&["restore"], &text);
        assert_eq!(decided(ours), before);
        assert_eq!(good(&["save"], ""), text);
        assert_eq!(
            of_foreign(),
            foreign,
            "foreign tables are untouched, handles and all"
        );
    });
}

#[test]
fn a_part_that_is_refused_refuses_everything() {
    isolated(|| {
        nft(OURS);
        let text = good(&["save"], "");
        let before = ruleset();
        // An element of a set moves, and the last rule but three names a set that is not there.
        let changed = text.replace("{key=0x0a000002}\n", "{key=0x0a000003}\n");
        let broken = changed.replace("set=\"nets\"", "set=\"lost\"");
        let ended = vifd(&["restore"], &broken);
        assert_eq!(ended.code, 1, "{}", ended.out);
        assert!(ended.err.contains("nothing was changed"), "{}", ended.err);
        assert!(
            ended.err.contains("new-rule inet vifd profile"),
            "{}",
            ended.err
        );
        assert!(
            ended
                .err
                .contains("lookup: no such file or directory (ENOENT)"),
            "{}",
            ended.err
        );
        assert_eq!(ruleset(), before);
        assert_eq!(vifd(&["restore", "--check"], &broken).code, 1);

        assert_eq!(
            good(&["restore", "--check"], &changed),
            "would make 2 changes\n"
        );
        assert_eq!(ruleset(), before);
    });
}

#[test]
fn a_difference_is_told_and_costs_no_more_than_itself() {
    isolated(|| {
        nft(OURS);
        let text = good(&["save"], "");
        nft("add rule inet vifd profile udp dport 9 drop comment \"new\"
             delete element inet vifd group { 10.0.0.2 }
             add element inet vifd group { 10.0.0.3 }
             add table inet vifd-old");
        let ended = vifd(&["diff", "-"], &text);
        assert_eq!(ended.code, 1);
        assert_eq!(ended.err, "vifd: the kernel differs from standard input\n");
        assert_eq!(
            ended.out,
            "- table inet vifd-old\n\
             - element inet vifd group { 10.0.0.3 }\n\
             - rule inet vifd profile udp dport 9 drop comment \"new\"\n\
             + element inet vifd group { 10.0.0.2 }\n"
        );
        let json: Value = serde_json::from_str(&vifd(&["diff", "-", "--json"], &text).out).unwrap();
        assert_eq!(
            json["add"],
            serde_json::json!(["element inet vifd group { 10.0.0.2 }"])
        );
        assert_eq!(json["remove"].as_array().unwrap().len(), 3);

        // What is equal keeps its handle.
        let rules = |list: Vec<Value>| -> Vec<(String, u64)> {
            list.iter()
                .filter_map(|item| item.get("rule"))
                .map(|r| (r["expr"].to_string(), r["handle"].as_u64().unwrap()))
                .collect()
        };
        let before = rules(ruleset());
        assert_eq!(good(&["restore"], &text), "made 4 changes\n");
        let after = rules(ruleset());
        assert_eq!(after.len() + 1, before.len());
        assert!(after.iter().all(|rule| before.contains(rule)));

        // Two files, without the kernel.
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(path("a"), &text).unwrap();
        std::fs::write(path("b"), text.replace("policy=drop", "policy=accept")).unwrap();
        let ended = vifd(&["diff", &path("a"), &path("b")], "");
        assert_eq!(
            ended.out,
            "+ chain inet vifd forward { type filter hook forward priority filter - 5; policy drop; }\n"
        );
        assert_eq!(good(&["diff", &path("a"), &path("a")], ""), "");
    });
}

#[test]
fn mistakes_are_pointed_at() {
    isolated(|| {
        nft("table inet vifd { chain c { type filter hook input priority 0; }; }");
        nft(FOREIGN);
        let text = good(&["save"], "");
        let wrong = |args: &[&str], text: &str, expected: &str| {
            let before = ruleset();
            let ended = vifd(args, text);
            assert_eq!(ended.code, 2, "{}{}", ended.out, ended.err);
            assert!(
                ended.err.contains(expected),
                "{}\nlacks {expected}",
                ended.err
            );
            assert_eq!(ruleset(), before);
        };
        wrong(
            &["restore"],
            &text.replace("policy=accept", "policy=maybe"),
            "standard input: line 3, column 69: Policy: nothing has this name\n",
        );
        wrong(
            &["diff", "-"],
            &text.replace("end 2", "end 3"),
            "line 4, column 5: end: says 3 objects, there are 2",
        );
        wrong(&["restore"], "{\"nftables\": []}", "this looks like JSON");
        wrong(&["restore"], "", "was the text cut off?");
        wrong(
            &["restore", "/nonexistent/x"],
            "",
            "cannot read /nonexistent/x",
        );
        wrong(
            &["restore"],
            "end 0\n",
            "would remove inet vifd: nothing was changed",
        );
        let foreign = good(&["save", "--table", "ip/nat"], "");
        wrong(
            &["restore"],
            &foreign,
            "the table ip nat, which is not among vifd, vifd-*",
        );
        wrong(
            &["save", "--table", "ipv4/nat"],
            "",
            "there are inet, ip, ip6, bridge",
        );
        assert_eq!(
            good(&["restore", "--table", "ip/nat"], &foreign),
            "nothing to change\n"
        );

        assert_eq!(
            good(&["restore", "--allow-empty"], "end\n"),
            "made 1 change\n"
        );
        assert!(decided(ours).is_empty());
        assert_eq!(good(&["restore"], "end\n"), "nothing to change\n");
    });
}

#[test]
fn a_table_of_a_running_process_is_its_own() {
    use nft::batch::Batch;
    use nft::message::Family;
    use nft::table::{Table, TableFlags};
    isolated(|| {
        let mut owner = nft::net::Client::open().unwrap();
        let claim = || {
            let flags = TableFlags::OWNER.with(TableFlags::PERSIST);
            let table = Table {
                flags,
                ..Table::new("vifd")
            };
            let mut batch = Batch::new();
            batch.add_table(Family::INET, &table);
            batch
        };
        owner.commit(claim(), None).unwrap();
        let text = good(&["save"], "");
        let more = text.replace("end 1", "chain inet {table=\"vifd\" name=\"c\"}\nend");
        let ended = vifd(&["restore"], &more);
        assert_eq!(ended.code, 1, "{}", ended.err);
        assert!(
            ended.err.contains("EPERM") && ended.err.contains("stop it first"),
            "{}",
            ended.err
        );
        drop(owner);
        // It outlives its owner. The file says that it has one, so the command becomes it, for as long as it runs.
        assert_eq!(good(&["restore"], &more), "made 2 changes\n");
        nft::net::Client::open()
            .unwrap()
            .commit(claim(), None)
            .unwrap();
    });
}

#[test]
fn commits_of_others_in_between_are_survived() {
    isolated(|| {
        nft(OURS);
        nft("add table inet foreign; add set inet foreign s { type mark; }");
        let text = good(&["save"], "");
        let stop = AtomicBool::new(false);
        // The client must be opened in this namespace.
        let mut client = nft::net::Client::open().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut i = 0_u32;
                while !stop.load(Ordering::Relaxed) {
                    let mut batch = nft::batch::Batch::new();
                    let one = [nft::element::Element::key(i.to_ne_bytes())];
                    batch.add_elements(
                        nft::message::Family::INET,
                        &"foreign".into(),
                        &"s".into(),
                        &one,
                    );
                    client.commit(batch, None).unwrap();
                    i += 1;
                    std::thread::sleep(std::time::Duration::from_millis(40));
                }
            });
            let (mut made, mut moved) = (0, 0);
            while made < 5 && moved < 50 {
                nft("flush chain inet vifd profile");
                let ended = vifd(&["restore"], &text);
                match ended.code {
                    0 => made += 1,
                    1 => {
                        assert!(ended.err.contains("try again"), "{}", ended.err);
                        moved += 1;
                    }
                    _ => panic!("{}", ended.err),
                }
            }
            stop.store(true, Ordering::Relaxed);
            assert_eq!(made, 5, "{moved} times others were faster");
        });
        assert_eq!(good(&["restore"], &text), "nothing to change\n");
        assert_eq!(good(&["save"], ""), text);
    });
}

/// A network namespace with a name; it goes with this value.
struct Named(String);

impl Named {
    fn new() -> Named {
        let name = format!("vifdtest-{}", std::process::id());
        let added = run("ip", &["netns", "add", &name], "");
        assert_eq!(added.code, 0, "{}", added.err);
        Named(name)
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        run("ip", &["netns", "del", &self.0], "");
    }
}

#[test]
fn another_namespace_by_name_and_by_path() {
    let space = Named::new();
    isolated(move || {
        nft(OURS);
        let text = good(&["save"], "");
        assert_eq!(
            good(&["save", "--netns", &space.0], ""),
            "# nf_tables: vifd, vifd-*\nend 0\n"
        );
        good(&["restore", "--netns", &space.0], &text);
        let path = format!("/run/netns/{}", space.0);
        assert!(Path::new(&path).exists());
        assert_eq!(good(&["save", "--netns", &path], ""), text);
        let list = run(
            "ip",
            &["netns", "exec", &space.0, "nft", "list", "tables"],
            "",
        )
        .out;
        assert!(list.contains("table inet vifd\n"), "{list}");
        let ended = vifd(&["list", "--netns", "nowhere-at-all"], "");
        assert_eq!(ended.code, 4);
        assert!(ended.err.contains("`ip netns list` shows"), "{}", ended.err);
    });
}

#[test]
fn lists_and_features_are_for_people_and_programs() {
    isolated(|| {
        nft(
            "table inet vifd { chain c { type filter hook input priority 0; tcp dport 22 accept; }; }",
        );
        let theirs = run("nft", &["list", "ruleset"], "").out;
        assert_eq!(good(&["list"], ""), theirs);
        let json: Value = serde_json::from_str(&good(&["list", "--json"], "")).unwrap();
        let rest = |list: &[Value]| list[1..].to_vec();
        assert_eq!(rest(json["nftables"].as_array().unwrap()), rest(&ruleset()));

        let before = ruleset();
        let text = good(&["features"], "");
        assert!(text.contains("+ tables of the bridge family\n"), "{text}");
        assert!(text.contains("bridged ports are filtered by: "), "{text}");
        let json: Value = serde_json::from_str(&good(&["features", "--json"], "")).unwrap();
        let absent = json["features"].as_array().unwrap().iter();
        assert!(
            absent
                .filter(|f| f["present"] == false)
                .all(|f| f["why"].is_string())
        );
        assert!(!json["reasons"].as_array().unwrap().is_empty());
        assert_eq!(ruleset(), before);

        let help = run(env!("CARGO_BIN_EXE_vifd"), &["nft", "--help"], "").out;
        assert!(help.contains("vifd nft save > tables.txt"), "{help}");
    });
}
