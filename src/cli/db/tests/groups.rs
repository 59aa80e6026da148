//! Security groups by hand.

use super::*;

/// A network with a subnet, the groups web and db, the address group offices.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.vifd("network create blue --type vxlan");
    lab.vifd("subnet create --network blue 10.0.1.0/24");
    lab.vifd("group create web");
    lab.vifd("group create db --no-rules");
    lab.vifd("address-group create offices 198.51.100.0/24 2001:db8:1::/48");
    lab
}

/// `direction ethertype protocol min max remote` of each rule.
fn rules(lab: &Lab, which: &str) -> Vec<String> {
    let rules = lab.json(&format!("rule list {which}"));
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::Null => "-".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let line = |rule: &serde_json::Value| {
        let remote = ["remote_prefix", "remote_group", "remote_address_group"]
            .into_iter()
            .find(|key| !rule[key].is_null())
            .map_or("-".to_owned(), |key| text(&rule[key]));
        let columns = ["direction", "ethertype", "protocol", "port_min", "port_max"];
        let columns: Vec<String> = columns.iter().map(|key| text(&rule[key])).collect();
        format!("{} {remote}", columns.join(" "))
    };
    rules.as_array().unwrap().iter().map(line).collect()
}

#[test]
fn rules_are_stored_in_one_spelling() {
    let lab = lab();
    let first = lab.json(
        "rule create --group db --ingress --protocol TCP --port 80:443 --remote-prefix 10.0.0.0/8",
    );
    assert_eq!(
        (&first["protocol"], &first["port_min"], &first["port_max"]),
        (&"tcp".into(), &80.into(), &443.into())
    );
    for words in [
        "--ingress --protocol 6 --port 22 --remote-address-group offices",
        "--ingress --protocol udp --port 53 --remote-group web",
        "--ingress --icmp-type 0",
        "--ingress --protocol icmp --icmp-type 8 --icmp-code 0",
        "--ingress --protocol icmp --ethertype IPv6",
        "--egress --protocol ipv6-icmp --icmp-type 128",
        "--egress --remote-prefix 2001:db8::7",
        "--egress --protocol any --ethertype ipv6",
        "--egress --protocol 0",
        "--egress --protocol 47 --remote-prefix 192.0.2.7",
        "--egress --protocol 200 --remote-prefix 0.0.0.0/0",
        "--egress --protocol 58 --remote-prefix 192.0.2.7",
    ] {
        lab.vifd(&format!("rule create --group db {words}"));
    }
    assert_eq!(
        rules(&lab, "--group db"),
        [
            "egress IPv4 - - - -",
            "egress IPv4 200 - - 0.0.0.0/0",
            "egress IPv4 58 - - 192.0.2.7/32",
            "egress IPv4 gre - - 192.0.2.7/32",
            "egress IPv6 - - - -",
            "egress IPv6 - - - 2001:db8::7/128",
            "egress IPv6 icmpv6 128 - -",
            "ingress IPv4 icmp 0 - -",
            "ingress IPv4 icmp 8 0 -",
            "ingress IPv4 tcp 22 22 offices",
            "ingress IPv4 tcp 80 443 10.0.0.0/8",
            "ingress IPv4 udp 53 53 web",
            "ingress IPv6 icmpv6 - - -",
        ]
    );
    let shown = lab.vifd("group show db");
    for wanted in ["type 8 code 0", "80:443", "group web", "addresses offices"] {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
    let id = first["id"].as_str().unwrap();
    assert!(lab.vifd(&format!("rule show {}", &id[..8])).contains(id));
    lab.vifd(&format!("rule delete {id}"));
    assert_eq!(rules(&lab, "--group db").len(), 12);
    assert_eq!(rules(&lab, "--remote-group web").len(), 1);
    assert_eq!(rules(&lab, "--group db --ingress").len(), 5);
}

#[test]
fn the_default_group_and_groups_of_ports() {
    let lab = lab();
    let names = |words: &str| -> Vec<String> {
        let port = lab.json(words);
        let groups = port["groups"].as_array().unwrap();
        let name = |group: &serde_json::Value| group["name"].as_str().unwrap().to_owned();
        groups.iter().map(name).collect()
    };
    assert_eq!(
        rules(&lab, "--group default"),
        [
            "egress IPv4 - - - -",
            "egress IPv6 - - - -",
            "ingress IPv4 - - - default",
            "ingress IPv6 - - - default"
        ]
    );
    let create = "port create --network blue --name";
    assert_eq!(names(&format!("{create} vm1")), ["default"]);
    assert_eq!(
        names(&format!("{create} vm2 --group web --group db --group web")),
        ["db", "web"]
    );
    assert_eq!(names(&format!("{create} vm3 --no-group")), [""; 0]);
    assert_eq!(names(&format!("{create} vm4 --no-port-security")), [""; 0]);
    assert_eq!(
        names(&format!("{create} vm5 --device-owner network:dhcp")),
        [""; 0]
    );
    assert_eq!(names("port set vm1 --group web"), ["web"]);
    assert_eq!(names("port set vm1 --admin-down"), ["web"]);
    assert_eq!(names("port set vm2 --no-group"), [""; 0]);
    assert_eq!(
        names("port set vm2 --group default --group db"),
        ["db", "default"]
    );
    assert_eq!(
        rules(&lab, "--port vm1"),
        ["egress IPv4 - - - -", "egress IPv6 - - - -"]
    );
    assert_eq!(rules(&lab, "--port vm2").len(), 4);
    assert_eq!(rules(&lab, "--port vm3").len(), 0);
    assert!(
        lab.vifd("port show vm2")
            .contains("groups         db, default\n")
    );
    let listed = lab.json("port list --group db");
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(lab.json("group show web")["ports"], 1);
    lab.refuses(
        "port set vm1 --group wbe",
        "there is no security group \"wbe\"; there is db, default, web",
    );
    lab.refuses("port set vm1 --group web --no-group", "cannot be used with");
    lab.vifd("port delete vm1 vm2");
    lab.vifd("group delete web db");
}

#[test]
fn groups_change_and_go() {
    let lab = lab();
    lab.vifd("group set web --name frontend --description shop --stateless");
    let web = lab.json("group show frontend");
    assert_eq!(
        (&web["stateful"], &web["description"], &web["is_default"]),
        (&false.into(), &"shop".into(), &false.into())
    );
    lab.vifd("group set frontend --stateful");
    lab.vifd("rule create --group frontend --ingress --remote-group frontend");
    lab.vifd("rule create --group db --ingress --remote-group frontend");
    lab.vifd("port create --network blue --name vm1 --group db");
    lab.refuses(
        "group delete frontend",
        "name group \"frontend\": db. Delete those rules first",
    );
    lab.refuses(
        "group delete db",
        "ports are in group \"db\": vm1. Take them out first (`vifd db port set vm1",
    );
    lab.refuses(
        "group delete default",
        "is the default group, which new ports join",
    );
    lab.vifd("port set vm1 --no-group");
    // Names each other: the one that is named goes last, and one that names itself is no obstacle.
    lab.vifd("group delete db frontend");
    assert_eq!(lab.json("group list").as_array().unwrap().len(), 1);
    assert_eq!(rules(&lab, "").len(), 4);
}

#[test]
fn address_groups_change_and_go() {
    let lab = lab();
    let addresses = |words: &str| lab.json(words)["addresses"].clone();
    assert_eq!(
        addresses("address-group set offices --add 192.0.2.7 --remove 198.51.100.0/24"),
        serde_json::json!(["192.0.2.7/32", "2001:db8:1::/48"])
    );
    assert_eq!(
        addresses("address-group set offices --name branches --remove 192.0.2.7"),
        serde_json::json!(["2001:db8:1::/48"])
    );
    lab.vifd("rule create --group web --ingress --ethertype IPv6 --remote-address-group branches");
    assert!(lab.vifd("address-group list").contains("web"));
    for (words, wanted) in [
        (
            "address-group set branches --remove 10.0.0.1",
            "is not in the address group; it has 2001:db8:1::/48",
        ),
        (
            "address-group set branches --add 2001:db8:1:2::/64",
            "overlaps 2001:db8:1::/48 of the same",
        ),
        (
            "address-group set branches --add 2001:db8::/32",
            "overlaps 2001:db8:1::/48 of the same",
        ),
        (
            "address-group set branches --add 2001:db8:1::/48",
            "is in the address group already",
        ),
        (
            "address-group create x 10.0.0.0/8 10.1.0.0/16",
            "overlaps 10.0.0.0/8",
        ),
        (
            "address-group create x 10.0.0.1/8",
            "give 10.0.0.0/8 for all of it, or 10.0.0.1 for the one",
        ),
        (
            "address-group create x nowhere",
            "is not an address or a prefix such as",
        ),
        (
            "address-group create branches",
            "there is an address group \"branches\" already",
        ),
        (
            "address-group delete branches",
            "name the address group: web. Delete those rules first",
        ),
        (
            "address-group show offices",
            "there is no address group \"offices\"; there is branches",
        ),
    ] {
        lab.refuses(words, wanted);
    }
    assert_eq!(lab.json("address-group list").as_array().unwrap().len(), 1);
    lab.vifd("group delete web");
    lab.vifd("address-group delete branches");
}

#[test]
fn errors_of_rules_say_what_would_be_right() {
    let lab = lab();
    let twin = lab.json("rule create --group web --ingress --protocol tcp --port 80");
    let create = "rule create --group web --ingress";
    for (words, wanted) in [
        ("--port 80", "of which protocol? Ports need one: tcp, udp"),
        ("--protocol any --port 80", "of which protocol?"),
        (
            "--protocol gre --port 80",
            "protocol gre has no ports: tcp, udp, sctp, dccp and udplite have",
        ),
        (
            "--protocol icmp --port 80",
            "has no ports but types and codes (--icmp-type)",
        ),
        ("--protocol tcp --port 443:80", "80:443 is meant?"),
        ("--protocol tcp --port 0", "port 0 is not in 1..=65535"),
        (
            "--protocol tcp --port 65536",
            "port 65536 is not in 1..=65535",
        ),
        (
            "--protocol tcp --port http",
            "is not a port or a range of ports such as 80 or 8000:8100",
        ),
        ("--protocol tcp --port 80:", "is not a port or a range"),
        (
            "--protocol tpc",
            "protocol is \"tpc\", not any, a number in 0..=255, or one of icmp, igmp,",
        ),
        (
            "--protocol 256",
            "protocol is \"256\", not a number in 0..=255",
        ),
        (
            "--protocol icmpv6 --ethertype IPv4",
            "protocol icmpv6 is for IPv6 rules",
        ),
        (
            "--protocol ipv6-opts --remote-prefix 10.0.0.0/8",
            "is for IPv6 rules, but ethertype is IPv4",
        ),
        ("--ethertype IPv5", "ethertype \"IPv5\" is not IPv4 or IPv6"),
        (
            "--ethertype IPv6 --remote-prefix 10.0.0.0/8",
            "the remote prefix 10.0.0.0/8 is of IPv4, but the ethertype is IPv6",
        ),
        (
            "--remote-prefix 10.0.0.1/8",
            "give 10.0.0.0/8 for all of it, or 10.0.0.1 for the one",
        ),
        (
            "--remote-prefix here",
            "is not an address or a prefix such as",
        ),
        (
            "--remote-group wbe",
            "there is no security group \"wbe\"; there is db, default, web",
        ),
        (
            "--remote-address-group home",
            "there is no address group \"home\"; there is offices",
        ),
        (
            "--remote-group db --remote-prefix 10.0.0.0/8",
            "cannot be used with",
        ),
        ("--icmp-type 256", "the ICMP type 256 is not in 0..=255"),
        (
            "--icmp-type 8 --icmp-code -1",
            "the ICMP code -1 is not in 0..=255",
        ),
        ("--icmp-code 0", "--icmp-type"),
        (
            "--icmp-type 8 --protocol tcp",
            "needs protocol icmp or icmpv6, not tcp",
        ),
        ("--icmp-type 8 --port 80", "cannot be used with"),
        ("--egress", "cannot be used with"),
        ("--id 7", "is not a UUID"),
    ] {
        lab.refuses(&format!("{create} {words}"), wanted);
    }
    lab.refuses(
        "rule create --group web --protocol tcp",
        "<--ingress|--egress>",
    );
    let wanted = format!(
        "rule {} of group \"web\" (ingress IPv4 tcp 80 from anywhere) allows exactly this already",
        twin["id"].as_str().unwrap()
    );
    lab.refuses(
        &format!("{create} --protocol 6 --port 80:80 --remote-prefix 0.0.0.0/0"),
        &wanted,
    );
    lab.refuses(
        "rule show ffffffff",
        "there is no rule \"ffffffff\"; `vifd db rule list` shows",
    );
    lab.refuses(
        "group create web",
        "there is a security group \"web\" already",
    );
    lab.refuses(
        "group set db --name web",
        "there is a security group \"web\" already",
    );
    assert_eq!(
        rules(&lab, "--group web").len(),
        3,
        "nothing of a refused command stays"
    );
}

/// What the `sqlite3` shell may have left is shown with its fault, and two groups of one name are told apart by id.
#[test]
fn rows_by_hand() {
    let lab = lab();
    let rule = lab.json("rule create --group web --ingress --protocol tcp --port 80");
    let id = rule["id"].as_str().unwrap();
    let mut store = open(&lab.url.parse().unwrap()).unwrap();
    store
        .script(&format!(
            "UPDATE security_group_rules SET port_max = 'x' WHERE id = '{id}';
             INSERT INTO security_groups (id, name) VALUES ('11111111-0000-4000-8000-000000000000', 'web');"
        ))
        .unwrap();
    let shown = lab.vifd(&format!("rule show {id}"));
    assert!(
        shown.contains("it allows nothing: port_max is \"x\", not a port in 1..=65535"),
        "{shown}"
    );
    assert!(lab.vifd("rule list").contains("80:\"x\""));
    lab.refuses(
        "group show web",
        "names several security groups, give the id: ",
    );
    lab.vifd("group delete 1111");
    lab.vifd("group show web");
}

#[test]
fn a_batch_makes_groups_too() {
    let lab = lab();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("batch");
    let apply = |text: &str| {
        std::fs::write(&file, text).unwrap();
        lab.try_vifd(&format!("apply {}", file.display()))
    };
    apply(
        r#"{"create": "group", "name": "app", "no_rules": true}
           {"create": "address_group", "name": "lan", "addresses": ["10.0.0.0/8"]}
           {"create": "rule", "group": "app", "direction": "ingress", "protocol": "tcp", "ports": "80:443", "remote_address_group": "lan"}
           {"create": "rule", "group": "app", "direction": "egress", "remote_group": "app", "ethertype": "IPv6"}
           {"create": "port", "network": "blue", "name": "vm", "groups": ["app"]}
           {"set": "address_group", "address_group": "lan", "add": ["192.0.2.0/24"]}
           {"set": "group", "group": "app", "description": "x"}
           {"set": "port", "port": "vm", "groups": []}
           {"delete": "group", "group": "web"}"#,
    )
    .unwrap();
    assert_eq!(
        rules(&lab, "--group app"),
        ["egress IPv6 - - - app", "ingress IPv4 tcp 80 443 lan"]
    );
    for (line, wanted) in [
        (
            r#"{"set": "rule", "rule": "abcd"}"#,
            "line 1: there is no rule",
        ),
        (
            r#"{"create": "rule", "group": "app", "direction": "in"}"#,
            "line 1: direction is \"in\", not ingress or egress",
        ),
        (
            r#"{"create": "rule", "group": "app", "direction": "ingress", "remote_group": "app", "remote_prefix": "10.0.0.0/8"}"#,
            "a rule has at most one of them",
        ),
        (
            r#"{"create": "rule", "group": "app", "direction": "ingress", "icmp_code": 3}"#,
            "an ICMP code needs a type",
        ),
    ] {
        let error = apply(line).unwrap_err();
        assert!(error.contains(wanted), "{line}: {error:?}");
    }
}

/// Whoever runs an older database is told what new groups mean for its ports.
#[test]
fn an_older_database() {
    let dir = tempfile::tempdir().unwrap();
    let lab = Lab {
        url: format!("sqlite:///{}", dir.path().join("old.db").display()),
        _dir: dir,
    };
    let url = lab.url.parse().unwrap();
    migrate::migrate_to(&mut *create(&url).unwrap(), 1).unwrap();
    lab.refuses("port list", "this program needs 2: run `vifd db migrate`");
    let said = lab.vifd("migrate");
    assert!(
        said.contains(
            "migrated from schema version 1 to 2\nnew ports join the security group default;"
        ),
        "{said}"
    );
    assert!(lab.vifd("migrate").contains("nothing to do"));
    assert_eq!(rules(&lab, "--group default").len(), 4);
}
