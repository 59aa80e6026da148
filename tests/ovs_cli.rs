//! `vifd ovs`, `vifd openflow` and `vifd cleanup` on a real switch, with `ovs-vsctl` and `ovs-ofctl` as witnesses.

mod cli_bed;

use anyhow::Result;
use cli_bed::{Bed, Ended};
use testbed::{Datapath, Namespace, Scratch, Switch};

struct Lab {
    bed: Bed,
    switch: Switch,
    _scratch: Scratch,
}

impl Lab {
    fn new() -> Result<Lab> {
        let scratch = Scratch::new()?;
        let namespace = Namespace::new(false)?;
        let switch = Switch::start(
            &namespace,
            &scratch.dir("switch")?,
            Datapath::from_environment()?,
        )?;
        let datapath = switch.datapath().name();
        let bed = Bed::new(&format!(
            "[ovs]\novsdb_connection = {}\novs_rundir = {}\ndatapath_type = {datapath}\nbridge_mappings = physnet1:br-ex\n\
             local_ip = 127.0.0.1\n[agent]\ntunnel_types = vxlan",
            switch.ovsdb_address(),
            switch.dir().display(),
        ));
        Ok(Lab {
            bed,
            switch,
            _scratch: scratch,
        })
    }

    fn good(&self, args: &[&str]) -> String {
        self.bed.good(args)
    }

    fn bad(&self, args: &[&str], code: i32, words: &str) -> Ended {
        let ended = self.bed.vifd(args);
        assert!(
            ended.code == code && ended.err.contains(words),
            "{args:?}: wanted {code} {words:?}: {ended:?}"
        );
        ended
    }

    /// Both say the same.
    fn same(&self, ours: &[&str], theirs: &[&str]) -> Result<()> {
        assert_eq!(self.good(ours), self.switch.vsctl(theirs)?, "{ours:?}");
        Ok(())
    }

    fn add_bridge(&self, name: &str) {
        self.good(&[
            "ovs",
            "add-br",
            name,
            "--datapath-type",
            self.switch.datapath().name(),
            "--fail-mode",
            "secure",
        ]);
    }
}

#[test]
fn the_switch_database_by_hand() -> Result<()> {
    let lab = Lab::new()?;
    lab.add_bridge("br0");
    lab.bad(&["ovs", "add-br", "br0"], 1, "br0 exists already");
    lab.good(&["ovs", "add-br", "br0", "--may-exist"]);
    lab.good(&[
        "ovs",
        "add-port",
        "br0",
        "p0",
        "tag=5",
        "other_config:a=1",
        "--type",
        "internal",
        "--interface",
        "external_ids:iface-id=web-1",
        "--interface",
        "external_ids:attached-mac=fa:16:3e:00:00:01",
    ]);
    lab.bad(
        &["ovs", "add-port", "br0", "p0"],
        1,
        "there is a port p0 on bridge br0 already",
    );
    lab.bad(&["ovs", "add-port", "br9", "p1"], 4, "no bridge named br9");
    lab.bad(
        &["ovs", "add-port", "br0", "nodev"],
        1,
        "ovs-vswitchd cannot use it: could not open network device nodev",
    );

    lab.same(&["ovs", "list-br"], &["list-br"])?;
    lab.same(&["ovs", "list-ports", "br0"], &["list-ports", "br0"])?;
    lab.same(&["ovs", "iface-to-br", "p0"], &["iface-to-br", "p0"])?;
    lab.same(&["ovs", "list", "Port", "p0"], &["list", "Port", "p0"])?;
    lab.same(&["ovs", "list", "br"], &["list", "Bridge"])?;
    // Rows without a name are called by the row that refers to them, or by part of their UUID.
    lab.switch
        .vsctl(&["set-controller", "br0", "tcp:127.0.0.1:1"])?;
    lab.switch.vsctl(&["set-manager", "punix:none.manager"])?;
    lab.same(
        &["ovs", "get", "Controller", "br0", "target"],
        &["get", "Controller", "br0", "target"],
    )?;
    lab.same(
        &["ovs", "list", "Manager", "punix:none.manager"],
        &["list", "Manager", "punix:none.manager"],
    )?;
    let uuid = lab.switch.vsctl(&["get", "Port", "p0", "_uuid"])?;
    assert_eq!(
        lab.good(&["ovs", "get", "Port", &uuid[..8], "name"]),
        "p0\n"
    );
    let columns = [
        "tag",
        "other_config",
        "other_config:a",
        "name",
        "vlan_mode",
        "_uuid",
    ];
    lab.same(
        &[&["ovs", "get", "Port", "p0"], &columns[..]].concat(),
        &[&["get", "Port", "p0"], &columns[..]].concat(),
    )?;
    let mut tree: Vec<String> = lab
        .good(&["ovs", "show"])
        .lines()
        .map(str::to_owned)
        .collect();
    let mut theirs: Vec<String> = lab
        .switch
        .vsctl(&["show"])?
        .lines()
        .map(str::to_owned)
        .collect();
    // ovs-vsctl prints rows in hash order.
    tree.sort();
    theirs.sort();
    assert_eq!(tree, theirs);

    lab.good(&[
        "ovs",
        "set",
        "port",
        "p0",
        "tag=7",
        "other_config:a=2",
        "other_config:b=\"x y\"",
    ]);
    assert_eq!(
        lab.switch
            .vsctl(&["get", "Port", "p0", "tag", "other_config"])?,
        "7\n{a=\"2\", b=\"x y\"}\n"
    );
    lab.good(&["ovs", "clear", "port", "p0", "tag", "other_config"]);
    assert_eq!(
        lab.switch
            .vsctl(&["get", "Port", "p0", "tag", "other_config"])?,
        "[]\n{}\n"
    );

    let json = lab.bed.json(&[
        "ovs",
        "get",
        "int",
        "p0",
        "external_ids",
        "external_ids:iface-id",
        "mac",
    ]);
    assert_eq!(json["external_ids"]["iface-id"], "web-1");
    assert_eq!(
        (&json["external_ids:iface-id"], &json["mac"]),
        (&"web-1".into(), &serde_json::Value::Null)
    );
    let tree = lab.bed.json(&["ovs", "show"]);
    assert_eq!(tree["managers"][0]["target"], "punix:none.manager");
    assert_eq!(
        tree["bridges"][0]["controllers"][0]["target"],
        "tcp:127.0.0.1:1"
    );
    assert_eq!(
        tree["bridges"][0]["ports"][2]["interfaces"][0]["external_ids"]["iface-id"], "web-1",
        "{tree:#}"
    );

    // What ovs-vsctl refuses is refused in its words.
    for value in [
        "tag=5000",
        "tag=x",
        "tag=1,2",
        "vlan_mode=bad",
        "fake=maybe",
        "name=z",
    ] {
        let wanted = lab.switch.vsctl(&["set", "Port", "p0", value]).unwrap_err();
        let wanted = format!("{wanted:#}");
        let (_, words) = wanted.split_once("ovs-vsctl: ").unwrap();
        let ours = lab.bed.vifd(&["ovs", "set", "Port", "p0", value]);
        assert!(
            ours.code == 2 && ours.err.contains(words.trim()),
            "{ours:?}\n{wanted}"
        );
    }
    lab.bad(
        &["ovs", "clear", "Interface", "p0", "type"],
        2,
        "column type of table Interface is not allowed to be empty",
    );
    lab.bad(
        &["ovs", "get", "int", "p0", "o"],
        2,
        "several columns begin with \"o\": ofport, ofport_request, options, other_config",
    );
    lab.bad(
        &["ovs", "set", "port", "p0", "tag:x=5"],
        2,
        "tag is no map and has no keys",
    );
    lab.bad(
        &["ovs", "get", "port", "p0", "colour"],
        2,
        "no column begins with \"colour\": there are bond_active_slave",
    );
    lab.bad(
        &["ovs", "get", "port", "p0", "other_config:none"],
        4,
        "no key \"none\" in Port record \"p0\" column other_config",
    );
    lab.good(&[
        "ovs",
        "get",
        "port",
        "p0",
        "other_config:none",
        "--if-exists",
    ]);
    lab.bad(
        &["ovs", "get", "port", "p9", "tag"],
        4,
        "no row \"p9\" in table Port",
    );
    lab.bad(&["ovs", "list", "Ports"], 4, "no table Ports");

    lab.good(&[
        "ovs",
        "wait",
        "int",
        "p0",
        "type=internal",
        "external_ids:iface-id=web-1",
    ]);
    lab.bad(
        &[
            "ovs",
            "wait",
            "int",
            "p0",
            "type=patch",
            "name=p0",
            "--timeout",
            "1",
        ],
        1,
        "Interface p0: waited 1 s for type=patch",
    );
    lab.bad(
        &["ovs", "del-port", "br1", "p0"],
        1,
        "port p0 is on bridge br0, not on br1",
    );
    lab.good(&["ovs", "del-port", "br0", "p0"]);
    lab.bad(&["ovs", "del-port", "p0"], 4, "no port named p0");
    lab.good(&["ovs", "del-port", "p0", "--if-exists"]);
    lab.good(&["ovs", "del-br", "br0"]);
    lab.same(&["ovs", "list-br"], &["list-br"])
}

#[test]
fn a_change_that_nobody_applies_is_told() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.add_bridge("br0");
    lab.switch.kill_vswitchd()?;
    lab.bad(
        &[
            "ovs",
            "set",
            "bridge",
            "br0",
            "other_config:a=1",
            "--timeout",
            "1",
        ],
        1,
        "ovs-vswitchd has not applied it within 1 s",
    );
    lab.good(&[
        "ovs",
        "set",
        "bridge",
        "br0",
        "other_config:a=2",
        "--no-wait",
    ]);
    lab.switch.kill_database()?;
    lab.bad(&["ovs", "list-br"], 1, "is Open vSwitch running");
    Ok(())
}

const FLOWS: &str = "\
table=0,priority=100,in_port=1,actions=resubmit(,60)
table=60,priority=100,ip,reg5=0x7,in_port=5,actions=move:NXM_NX_REG6[0..15]->NXM_NX_REG7[0..15],resubmit(,94)
table=1,priority=7,tcp,nw_src=10.0.0.0/8,tp_dst=80,actions=drop
cookie=0x7669666400000123,table=20,priority=1,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,actions=NORMAL
";

#[test]
fn flows_by_hand() -> Result<()> {
    let lab = Lab::new()?;
    lab.add_bridge("br0");
    lab.switch.add_flows("br0", FLOWS)?;
    let file = lab.bed.path("flows");
    std::fs::write(&file, FLOWS)?;
    let file = file.to_str().unwrap();
    lab.good(&["openflow", "diff-flows", file, "br0"]);
    let dump = lab.good(&["openflow", "dump-flows", "br0", "--no-stats"]);
    assert_eq!(dump.lines().count(), 4, "{dump}");
    // A dump can be loaded and is the same again.
    lab.switch
        .ofctl(&["del-flows", &lab.switch.management("br0")])?;
    lab.switch.add_flows("br0", &dump)?;
    assert_eq!(
        lab.good(&["openflow", "dump-flows", "br0", "--no-stats"]),
        dump
    );
    let full = lab.good(&["openflow", "dump-flows", "br0"]);
    assert!(full.lines().all(|l| l.contains("n_packets=0")), "{full}");
    let one = lab.good(&["openflow", "dump-flows", "br0", "tcp", "--no-stats"]);
    assert_eq!(
        one,
        "table=1,priority=7,tcp,nw_src=10.0.0.0/8,tp_dst=80,actions=drop\n"
    );
    let ours = lab.bed.json(&[
        "openflow",
        "dump-flows",
        "br0",
        "--cookie",
        "0x7669666400000000/0xffffffff00000000",
    ]);
    assert_eq!(
        (ours.as_array().unwrap().len(), &ours[0]["table"]),
        (1, &20.into())
    );
    assert_eq!(
        lab.bed
            .json(&["openflow", "dump-flows", "br0", "--table", "60"])[0]["priority"],
        100
    );

    lab.switch.add_flows(
        "br0",
        "table=3,actions=drop\ntable=1,priority=7,tcp,nw_src=10.0.0.0/8,tp_dst=80,actions=NORMAL\n",
    )?;
    let differ = lab.bad(&["openflow", "diff-flows", file, "br0"], 1, "differ");
    assert_eq!(
        differ.out,
        "-table=1,priority=7,tcp,nw_src=10.0.0.0/8,tp_dst=80,actions=drop\n\
         +table=1,priority=7,tcp,nw_src=10.0.0.0/8,tp_dst=80,actions=NORMAL\n\
         +table=3,actions=drop\n"
    );
    lab.bad(&["openflow", "dump-flows", "br9"], 1, "br9.mgmt");
    Ok(())
}

#[test]
fn messages_by_hand() -> Result<()> {
    let lab = Lab::new()?;
    for flow in FLOWS.lines() {
        let hex = lab.good(&["openflow", "encode", flow]);
        // ovs-ofctl reads the same flow from the bytes.
        let theirs = testbed::run(None, &["ovs-ofctl", "ofp-print", hex.trim()], &[], "")?;
        let ours = lab.good(&["openflow", "decode", hex.trim()]);
        assert_eq!(ours.trim_end(), theirs.trim_end(), "{flow}");
    }
    let bad = lab.bad(
        &["openflow", "encode", "tcp,nw_src=10.0.0.300,actions=drop"],
        2,
        "column 12",
    );
    assert!(bad.err.contains("\n           ^\n"), "{bad:?}");
    lab.bad(
        &["openflow", "decode", "0100000800000001 01"],
        2,
        "byte 8: the message is cut off after 1 bytes",
    );
    lab.bad(&["openflow", "decode", "zz"], 2, "column 1");
    let barriers = lab.good(&[
        "openflow",
        "decode",
        "0112000800000007",
        "01 13 00 08 00 00 00 07",
    ]);
    assert_eq!(
        barriers,
        "OFPT_BARRIER_REQUEST (xid=0x7):\nOFPT_BARRIER_REPLY (xid=0x7):\n"
    );
    let wrong = lab.bad(
        &["openflow", "decode", "0112000900000007aa"],
        1,
        "message at byte 0",
    );
    assert!(
        wrong.out.contains("***decode error: OFPBRC_BAD_LEN***"),
        "{wrong:?}"
    );
    Ok(())
}

#[test]
fn cleanup_takes_what_is_ours_and_nothing_else() -> Result<()> {
    let lab = Lab::new()?;
    let datapath = format!("datapath_type={}", lab.switch.datapath().name());
    lab.switch
        .vsctl(&["add-br", "br-ex", "--", "set", "bridge", "br-ex", &datapath])?;
    lab.switch.vsctl(&[
        "add-br", "br-other", "--", "set", "bridge", "br-other", &datapath,
    ])?;
    lab.switch.add_flows(
        "br-other",
        "table=0,priority=9,cookie=0x5,tcp,actions=drop\n",
    )?;
    lab.good(&["db", "init"]);
    lab.good(&[
        "db",
        "network",
        "create",
        "wire",
        "--type",
        "flat",
        "--physical-network",
        "physnet1",
    ]);
    lab.good(&[
        "db",
        "network",
        "create",
        "blue",
        "--type",
        "vxlan",
        "--segmentation-id",
        "77",
    ]);
    let port = lab.bed.json(&[
        "db",
        "port",
        "create",
        "--network",
        "blue",
        "--name",
        "web-1",
        "--host",
        "hv1",
    ]);
    let (id, mac) = (port["id"].as_str().unwrap(), port["mac"].as_str().unwrap());
    let before = lab.good(&["ovs", "list-br"]);
    let mut agent = lab.bed.agent();
    lab.good(&["ovs", "wait", "bridge", "br-int", "fail_mode=secure"]);
    lab.good(&[
        "ovs",
        "add-port",
        "br-int",
        "tap0",
        "tag=4095",
        "--type",
        "internal",
        "--interface",
        &format!("external_ids:iface-id={id}"),
        "--interface",
        &format!("external_ids:attached-mac=\"{mac}\""),
    ]);
    lab.good(&[
        "ovs",
        "wait",
        "port",
        "tap0",
        "other_config:network_type=vxlan",
        "tag=1",
        "-t",
        "30",
    ]);
    assert_eq!(lab.bed.json(&["audit"])["differences"], 0);
    let cells = lab.bed.json(&["dump", "cells", "--matching", "host"]);
    let cells = cells["cells"].as_array().unwrap();
    assert!(
        cells
            .iter()
            .any(|c| c["facet"] == "int-base" && !c["items"].as_array().unwrap().is_empty()),
        "{cells:#?}"
    );
    agent.signal(rustix::process::Signal::TERM);
    assert_eq!(agent.wait(), Some(0));

    let tree = lab.good(&["ovs", "show"]);
    let dry = lab.bed.json(&["cleanup", "--dry-run"]);
    assert_eq!(
        lab.good(&["ovs", "show"]),
        tree,
        "a dry run changes nothing"
    );
    let done = lab.bed.json(&["cleanup"]);
    assert_eq!(
        dry["removed"], done["removed"],
        "the dry run told the truth"
    );
    let told: Vec<String> = done["removed"]
        .as_array()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    for words in [
        "\"br-tun\"",
        "int-br-ex",
        "phy-br-ex",
        "patch-tun",
        "tap0",
        "flows",
    ] {
        assert!(
            told.iter().any(|t| t.contains(words)),
            "{words} in {told:#?}"
        );
    }
    // The VIF is another's: it stays, and so does the bridge that it is on.
    assert_eq!(
        lab.switch
            .vsctl(&["get", "Port", "tap0", "tag", "other_config"])?,
        "4095\n{}\n"
    );
    assert!(
        done["kept"].to_string().contains("br-int: vifd made it"),
        "{done:#}"
    );
    assert_eq!(lab.good(&["ovs", "list-ports", "br-int"]), "tap0\n");
    assert_eq!(lab.good(&["openflow", "dump-flows", "br-int"]), "");
    // The physical bridge goes on forwarding.
    assert_eq!(
        lab.switch.vsctl(&["get", "Bridge", "br-ex", "fail_mode"])?,
        "[]\n"
    );
    assert_eq!(
        lab.good(&["openflow", "dump-flows", "br-ex", "--no-stats"]),
        "table=0,priority=0,actions=NORMAL\n"
    );
    assert!(
        lab.good(&["openflow", "dump-flows", "br-other", "--no-stats"])
            .contains("cookie=0x5")
    );

    lab.good(&["ovs", "del-port", "tap0"]);
    let again = lab.good(&["cleanup"]);
    assert_eq!(again, "removed bridge br-int\n");
    assert_eq!(
        lab.good(&["cleanup"]),
        "nothing on this host bears vifd's marks\n"
    );
    assert_eq!(lab.good(&["ovs", "list-br"]), before);
    Ok(())
}
