mod groups;

use clap::{CommandFactory, Parser};

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: DbArgs,
}

struct Lab {
    _dir: tempfile::TempDir,
    url: String,
}

impl Lab {
    fn new() -> Lab {
        let dir = tempfile::tempdir().unwrap();
        let lab = Lab {
            url: format!("sqlite:///{}", dir.path().join("x.db").display()),
            _dir: dir,
        };
        lab.vifd("init");
        lab
    }

    /// The words are separated by spaces.
    fn try_vifd(&self, words: &str) -> Result<String, String> {
        let words = ["db", "--db", &self.url]
            .into_iter()
            .chain(words.split_whitespace());
        let args = Line::try_parse_from(words)
            .map_err(|error| error.to_string())?
            .args;
        let mut out = Vec::new();
        answer(args, &mut out).map_err(|error| Failure::from(error).text)?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn vifd(&self, words: &str) -> String {
        self.try_vifd(words)
            .unwrap_or_else(|error| panic!("{words}: {error}"))
    }

    fn json(&self, words: &str) -> serde_json::Value {
        serde_json::from_str(&self.vifd(&format!("--json {words}"))).unwrap()
    }

    #[track_caller]
    fn refuses(&self, words: &str, wanted: &str) {
        let error = self.try_vifd(words).expect_err(words);
        assert!(
            error.contains(wanted),
            "{words}: {error:?} instead of {wanted:?}"
        );
    }
}

#[test]
fn the_tree_is_sound_and_says_what_everything_does() {
    fn check(command: &clap::Command, path: &str) {
        for argument in command.get_arguments() {
            assert!(
                argument.get_help().is_some(),
                "{path} {}",
                argument.get_id()
            );
        }
        for command in command.get_subcommands() {
            assert!(
                command.get_about().is_some(),
                "{path} {}",
                command.get_name()
            );
            check(command, &format!("{path} {}", command.get_name()));
        }
    }
    Line::command().debug_assert();
    check(&Line::command(), "vifd db");
}

#[test]
fn the_tour() {
    let lab = Lab::new();
    assert!(lab.vifd("init").contains("nothing to do"));
    assert!(lab.vifd("migrate").contains("nothing to do"));
    let network = lab.json("network create blue --type vxlan --segmentation-id 42");
    assert_eq!(
        (&network["segmentation_id"], &network["mtu"]),
        (&42.into(), &1450.into())
    );
    lab.vifd("subnet create --network blue 10.0.1.0/24");
    lab.vifd("subnet create --network blue 2001:db8:1::/64 --gateway none --name six");
    lab.vifd("host create hv1 --tunnel-ip 192.0.2.1 --tunnel-types vxlan");
    let port = lab.json("port create --network blue --name vm1 --host hv1");
    assert_eq!(port["status"], "BUILD");
    assert!(port["mac"].as_str().unwrap().starts_with("fa:16:3e:"));
    let ips: Vec<&str> = port["fixed_ips"]
        .as_array()
        .unwrap()
        .iter()
        .map(|ip| ip["ip"].as_str().unwrap())
        .collect();
    assert_eq!(ips, ["10.0.1.2", "2001:db8:1::1"]);
    let id = port["id"].as_str().unwrap();
    for name in [id, id.split_at(8).0, "vm1"] {
        assert_eq!(lab.json(&format!("port show {name}"))["id"], id, "{name}");
    }
    let moved = lab.json("port set vm1 --host hv2 --admin-down --no-port-security --name vm2");
    assert_eq!(
        (&moved["host"], &moved["admin_up"], &moved["name"]),
        (&"hv2".into(), &false.into(), &"vm2".into())
    );
    assert_eq!(
        lab.json("port set vm2 --unbind")["host"],
        serde_json::Value::Null
    );
    assert_eq!(lab.json("port list --host hv1"), serde_json::json!([]));
    assert_eq!(lab.vifd("port list --status active"), "no ports\n");
    assert_eq!(lab.json("status")["counts"]["ports_by_status"]["DOWN"], 1);
    let table = lab.vifd("network list");
    assert!(
        table.contains(
            "blue  vxlan  -         42       1450  up     10.0.1.0/24 2001:db8:1::/64  1"
        ),
        "{table}"
    );
    assert!(lab.vifd("host show hv1").contains("vxlan 192.0.2.1"));
    assert!(
        lab.vifd("status")
            .contains("1 networks, 2 subnets, 1 ports (1 DOWN)")
    );
    lab.vifd("port delete vm2");
    lab.vifd("subnet delete six");
    lab.vifd("network delete blue");
    lab.vifd("host delete hv1");
    assert_eq!(lab.vifd("subnet list"), "no subnets\n");
}

#[test]
fn many_ports_at_once() {
    let lab = Lab::new();
    lab.vifd("network create blue --type local");
    lab.vifd("subnet create --network blue 10.0.0.0/16");
    let start = std::time::Instant::now();
    let ports = lab.json("port create --network blue --name vm --count 1000 --host hv1");
    println!("1000 ports in {:?}", start.elapsed());
    let ports = ports.as_array().unwrap();
    assert_eq!(
        (ports.len(), &ports[999]["name"]),
        (1000, &"vm-1000".into())
    );
    assert_eq!(ports[999]["fixed_ips"][0]["ip"], "10.0.3.233");
}

#[test]
fn errors_say_what_would_be_right() {
    let lab = Lab::new();
    lab.vifd("network create blue --type vxlan");
    lab.vifd("network create office --type vlan --physical-network p --segmentation-id 100");
    lab.vifd("network create rack --type flat --physical-network p");
    lab.vifd("subnet create --network blue 10.0.1.0/24");
    let id = lab.json("port create --network blue --name vm --mac fa:16:3e:00:00:01 --ip 10.0.1.9")
        ["id"]
        .clone();
    let id = id.as_str().unwrap();
    lab.vifd("host create hv1 --tunnel-ip 192.0.2.1");
    for (words, wanted) in [
        (
            "network create x --type geneve",
            "local, flat, vlan, gre and vxlan are",
        ),
        (
            "network create x --type vlan --physical-network p",
            "a VLAN id in 1..=4094",
        ),
        (
            "network create x --type vlan --physical-network p --segmentation-id 4095",
            "not a VLAN id in 1..=4094",
        ),
        (
            "network create x --type vlan --segmentation-id 5",
            "needs a physical network",
        ),
        (
            "network create x --type vlan --physical-network p --segmentation-id 100",
            "is used by network \"office\"",
        ),
        (
            "network create x --type flat --physical-network p",
            "can carry only one",
        ),
        (
            "network create x --type vxlan --segmentation-id 16777216",
            "1..=16777215",
        ),
        (
            "network create x --type gre --segmentation-id -1",
            "1..=4294967295",
        ),
        (
            "network create x --type local --segmentation-id 3",
            "has no segmentation id",
        ),
        ("network create x --type local --mtu 20", "68..=65535"),
        ("network create x --type local --id 7", "is not a UUID"),
        (
            "network show green",
            "there is no network \"green\"; there is blue, office, rack",
        ),
        ("network delete blue", "has 1 ports"),
        ("subnet create --network blue 10.0.1.0", "is not a prefix"),
        (
            "subnet create --network blue 10.0.2.1/24",
            "10.0.2.0/24 is meant",
        ),
        (
            "subnet create --network blue 10.0.0.0/16",
            "overlaps the subnet 10.0.1.0/24",
        ),
        (
            "subnet create --network blue 10.0.2.0/24 --gateway 10.0.3.1",
            "not in 10.0.2.1..=10.0.2.254",
        ),
        (
            "subnet create --network blue 10.0.2.0/24 --gateway 10.0.2.255",
            "not in 10.0.2.1..=10.0.2.254",
        ),
        (
            "port create --network blue --mac fa:16:3e:00:00:01",
            "is the address of port",
        ),
        (
            "port create --network blue --mac FA:16:3E:00:00:01",
            "is the address of port",
        ),
        (
            "port create --network blue --mac 01:00:5e:00:00:01",
            "the first byte must be even",
        ),
        (
            "port create --network blue --mac fa16",
            "of the form fa:16:3e:12:34:56",
        ),
        (
            "port create --network blue --ip 10.0.9.9",
            "is in no subnet of network",
        ),
        (
            "port create --network blue --ip 10.0.1.255",
            "not in 10.0.1.1..=10.0.1.254",
        ),
        (
            "port create --network blue --ip 10.0.1.9",
            "is an address of port",
        ),
        (
            "port create --network blue --ip 10.0.1.10 --ip 10.0.1.10",
            "given twice",
        ),
        (
            "port create --network rack --ip 10.0.1.10",
            "has no subnets",
        ),
        (
            "port create --network blue --allow x",
            "is not PREFIX or PREFIX,MAC",
        ),
        (
            "port create --network blue --count 2 --mac fa:16:3e:00:00:09",
            "cannot be used with",
        ),
        (
            "port set nothing --admin-up",
            "there is no port \"nothing\"; there is vm",
        ),
        ("port set vm --admin-up --admin-down", "cannot be used with"),
        ("host create hv1", "there is a host \"hv1\" already"),
        (
            "host create hv2 --tunnel-ip 192.0.2.1",
            "of host hv1 already",
        ),
        (
            "host create hv2 --tunnel-ip 192.0.2.300",
            "is not an IP address",
        ),
        (
            "host create hv2 --tunnel-ip 192.0.2.2 --tunnel-types stt",
            "gre and vxlan are",
        ),
        ("host show hv9", "there is no host \"hv9\"; there is hv1"),
        (
            "apply /nowhere/file",
            "cannot read /nowhere/file: No such file",
        ),
    ] {
        lab.refuses(words, wanted);
    }
    lab.refuses(
        &format!(
            "network create x --type local --id {}",
            lab.json("network show blue")["id"].as_str().unwrap()
        ),
        "there is a network with id",
    );
    // Nothing of a refused command stays.
    assert_eq!(lab.json("status")["counts"]["networks"], 3);
    assert_eq!(lab.json("port list")[0]["id"], id);
    assert_eq!(lab.json("host list").as_array().unwrap().len(), 1);
    lab.vifd("port set vm --host hv1");
    lab.refuses("host delete hv1", "1 ports are bound to host hv1");
    let names = ["network create twin --type local"; 2];
    names.iter().for_each(|words| drop(lab.vifd(words)));
    lab.refuses("network show twin", "names several networks, give the id");
}

#[test]
fn a_batch_is_all_or_nothing() {
    let lab = Lab::new();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("batch");
    let apply = |text: &str| {
        std::fs::write(&file, text).unwrap();
        lab.try_vifd(&format!("--json apply {}", file.display()))
    };
    let good = r#"
        # a comment
        {"create": "network", "name": "blue", "type": "gre"}
        {"create": "subnet", "network": "blue", "cidr": "10.0.0.0/24"}
        {"create": "host", "name": "hv1", "tunnel_ip": "192.0.2.1"}
        {"create": "port", "network": "blue", "name": "p1", "host": "hv1"}
        {"set": "port", "port": "p1", "admin_up": false}
        {"create": "port", "network": "blue", "name": "p2"}
        {"delete": "port", "port": "p2"}"#;
    let done: serde_json::Value = serde_json::from_str(&apply(good).unwrap()).unwrap();
    assert_eq!(done.as_array().unwrap().len(), 7);
    assert_eq!(
        (&done[2]["op"], &done[2]["kind"], &done[2]["id"]),
        (&"create".into(), &"host".into(), &"hv1".into())
    );
    assert_eq!(lab.json("port show p1")["admin_up"], false);
    let before = lab.json("port list");
    for (last, wanted) in [
        (
            "{\"create\": \"port\", \"network\": \"red\"}",
            "line 2: there is no network \"red\"",
        ),
        (
            "{\"create\": \"port\", \"net\": \"blue\"}",
            "line 2: unknown field `net`",
        ),
        ("{\"create\": \"moon\"}", "line 2: unknown variant `moon`"),
        (
            "{\"delete\": \"port\"}",
            "line 2: to delete a port, say which",
        ),
        (
            "{\"set\": \"port\", \"delete\": \"port\"}",
            "line 2: a line has exactly one of",
        ),
        ("[]", "line 2: invalid type"),
    ] {
        let error = apply(&format!(
            "{{\"delete\": \"port\", \"port\": \"p1\"}}\n{last}"
        ))
        .unwrap_err();
        assert!(error.contains(wanted), "{last}: {error:?}");
    }
    assert_eq!(lab.json("port list"), before);
}

#[test]
fn without_a_database_it_says_how_to_make_one() {
    let lab = Lab::new();
    let lab = Lab {
        url: lab.url.replace("x.db", "y.db"),
        _dir: lab._dir,
    };
    lab.refuses("status", "create it with `vifd db init`");
    lab.refuses("network list", "create it with `vifd db init`");
    let lab = Lab {
        url: "postgresql://db/vifd".to_owned(),
        _dir: lab._dir,
    };
    lab.refuses("status", "only sqlite:////path is supported");
}

#[test]
fn the_database_can_come_from_the_configuration() {
    let lab = Lab::new();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("vifd.conf");
    std::fs::write(
        &file,
        format!(
            "[DEFAULT]\nhost = hv1\n[database]\nconnection = {}\n",
            lab.url
        ),
    )
    .unwrap();
    lab.vifd("network create blue --type local");
    let args = Line::try_parse_from(["db", "--config", file.to_str().unwrap(), "network", "list"])
        .unwrap()
        .args;
    let mut out = Vec::new();
    // VIFD_DB of whoever runs the tests would come first.
    answer(DbArgs { db: None, ..args }, &mut out).unwrap();
    assert!(String::from_utf8(out).unwrap().contains("blue"));
}
