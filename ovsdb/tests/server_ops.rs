//! The `ovs-vsctl` operations, each compared with what `ovs-vsctl` itself says.

mod harness;

use harness::{Server, block_on, connect, drain};
use ovsdb::Uuid;
use ovsdb::net::{Client, Config, Events};
use ovsdb::op::{Transaction, columns};
use ovsdb::ops::{self, Batch, BridgeSpec, OpsError, PortSpec, TunnelSpec, column, lookup, show};
use ovsdb::replica::Replica;
use ovsdb::schema::DatabaseSchema;
use ovsdb::value::Datum;
use ovsdb::vswitch::{Ofport, Port, Table};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// A server with an initialised database and a client with its replica.
struct Lab {
    server: Server,
    client: Client,
    events: Events,
    replica: Replica,
}

impl Lab {
    async fn new() -> Self {
        let server = Server::vswitch();
        server.vsctl(&["init"]);
        let (client, events, replica) = connect(Config::vswitch(vec![server.remote()])).await;
        Self {
            server,
            client,
            events,
            replica,
        }
    }

    /// Plans, sends, checks and folds.
    async fn run(&mut self, plan: impl FnOnce(&mut Batch<'_>) -> Result<(), OpsError>) {
        let mut batch = Batch::new(&self.replica);
        plan(&mut batch).unwrap();
        let plan = batch.finish_with_next_cfg().unwrap();
        let results = self
            .client
            .transact(plan.transaction.clone(), LIMIT)
            .await
            .unwrap();
        plan.check(&results).unwrap();
        drain(&mut self.events, &mut self.replica);
    }

    fn uuid(&self, table: &str, name: &str) -> Uuid {
        lookup::by_name(&self.replica, table, name).unwrap().0
    }

    fn same_lines(&self, ours: &[ovsdb::Str], args: &[&str]) {
        let theirs = self.server.vsctl(args);
        assert_eq!(ours.join("\n").trim(), theirs.trim(), "{args:?}");
    }
}

fn bridge(name: &str) -> BridgeSpec {
    BridgeSpec {
        name: name.into(),
        datapath_type: "netdev".into(),
        columns: columns([("fail_mode", "secure")]),
    }
}

#[test]
fn bridges_and_ports_come_and_go() {
    block_on(LIMIT, async {
        let mut lab = Lab::new().await;
        lab.run(|b| {
            b.add_bridge(&bridge("br-int"))?;
            b.add_bridge(&bridge("br-tun"))?;
            b.add_port("br-int", &PortSpec::patch("patch-tun", "patch-int"))?;
            b.add_port("br-tun", &PortSpec::patch("patch-int", "patch-tun"))
        })
        .await;
        let options = [
            ("remote_ip", "10.0.0.2"),
            ("in_key", "flow"),
            ("out_key", "flow"),
        ];
        let tunnel = TunnelSpec {
            name: "vxlan-0a000002".into(),
            kind: "vxlan".into(),
            options: options.map(|(k, v)| (k.into(), v.into())).into(),
        };
        lab.run(|b| {
            b.add_port("br-tun", &PortSpec::tunnel(&tunnel))?;
            b.add_port("br-int", &PortSpec::internal("tap1").with_port("tag", 4095))?;
            b.add_port(
                "br-int",
                &PortSpec::new("tap2").with_interface(
                    "external_ids",
                    Datum::map([
                        ("iface-id", "port-2"),
                        ("attached-mac", "fa:16:3e:00:00:02"),
                    ]),
                ),
            )
        })
        .await;
        lab.same_lines(&lookup::bridges(&lab.replica), &["list-br"]);
        for br in ["br-int", "br-tun"] {
            lab.same_lines(
                &lookup::ports(&lab.replica, br).unwrap(),
                &["list-ports", br],
            );
            lab.same_lines(
                &lookup::interfaces(&lab.replica, br).unwrap(),
                &["list-ifaces", br],
            );
        }
        for name in ["tap1", "vxlan-0a000002"] {
            let ours = lookup::interface_to_bridge(&lab.replica, name).unwrap();
            lab.same_lines(&[ours], &["iface-to-br", name]);
            let ours = lookup::port_to_bridge(&lab.replica, name).unwrap();
            lab.same_lines(&[ours], &["port-to-br", name]);
        }
        let ours: Vec<String> = show::show(&lab.replica)
            .lines()
            .map(str::to_owned)
            .collect();
        let theirs: Vec<String> = lab
            .server
            .vsctl(&["show"])
            .lines()
            .map(str::to_owned)
            .collect();
        // ovs-vsctl prints rows in hash order.
        let sorted = |mut lines: Vec<String>| {
            lines.sort();
            lines
        };
        assert_eq!(sorted(ours), sorted(theirs));

        let vifs = lookup::vif_ports(&lab.replica, "br-int").unwrap();
        assert_eq!(vifs.len(), 1);
        assert_eq!(
            (&*vifs[0].iface_id, vifs[0].ofport),
            ("port-2", Ofport::Pending)
        );
        let found = lookup::by_external_id(&lab.replica, "Interface", "iface-id", "port-2");
        assert_eq!(found.len(), 1);

        lab.run(|b| b.reset_bridge(&bridge("br-tun"))).await;
        assert!(lookup::ports(&lab.replica, "br-tun").unwrap().is_empty());
        lab.run(|b| b.delete_port("tap1")).await;
        lab.same_lines(
            &lookup::ports(&lab.replica, "br-int").unwrap(),
            &["list-ports", "br-int"],
        );
        lab.run(|b| b.delete_bridge("br-int")).await;
        lab.same_lines(&lookup::bridges(&lab.replica), &["list-br"]);
        assert_eq!(
            lab.server
                .vsctl(&["--columns=name", "list", "Port"])
                .matches("name")
                .count(),
            1
        );
    });
}

#[test]
fn impossible_changes_are_refused_before_sending() {
    block_on(LIMIT, async {
        let mut lab = Lab::new().await;
        lab.run(|b| b.add_bridge(&bridge("br0"))).await;
        let mut batch = Batch::new(&lab.replica);
        assert_eq!(
            batch.add_bridge(&bridge("br0")),
            Err(OpsError::Exists("br0".into()))
        );
        assert_eq!(
            batch.add_port("nope", &PortSpec::new("p")),
            Err(OpsError::NoBridge("nope".into()))
        );
        batch.add_port("br0", &PortSpec::new("p")).unwrap();
        assert_eq!(
            batch.add_port("br0", &PortSpec::new("p")),
            Err(OpsError::Exists("p".into()))
        );
        assert_eq!(batch.delete_port("p"), Err(OpsError::NoPort("p".into())));
        assert_eq!(
            batch.delete_bridge("nope"),
            Err(OpsError::NoBridge("nope".into()))
        );
        assert!(
            Batch::new(&lab.replica)
                .finish_with_next_cfg()
                .unwrap()
                .is_empty()
        );
    });
}

#[test]
fn bridge_deleted_meanwhile_is_an_error() {
    block_on(LIMIT, async {
        let mut lab = Lab::new().await;
        lab.run(|b| b.add_bridge(&bridge("br0"))).await;
        let mut batch = Batch::new(&lab.replica);
        batch.add_port("br0", &PortSpec::new("p")).unwrap();
        let plan = batch.finish().unwrap();
        lab.server.vsctl(&["del-br", "br0"]);
        let results = lab
            .client
            .transact(plan.transaction.clone(), LIMIT)
            .await
            .unwrap();
        assert!(matches!(plan.check(&results), Err(OpsError::Vanished(_))));
    });
}

#[test]
fn columns_and_keys_are_written_minimally() {
    block_on(LIMIT, async {
        let mut lab = Lab::new().await;
        lab.run(|b| {
            b.add_bridge(&bridge("br0"))?;
            b.add_port("br0", &PortSpec::internal("p"))
        })
        .await;
        // A key somebody else writes survives ours.
        lab.server.vsctl(&[
            "set",
            "Port",
            "p",
            "other_config:theirs=1",
            "other_config:ours=old",
        ]);
        while lab
            .replica
            .row("Port", lab.uuid("Port", "p"))
            .unwrap()
            .key("other_config", "ours")
            != Some("old")
        {
            drain(&mut lab.events, &mut lab.replica);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let uuid = lab.uuid("Port", "p");
        let keys = [("ours", Some("new")), ("also", Some("x y")), ("none", None)];
        lab.run(|b| {
            b.set("Port", uuid, columns([("tag", 5)]))?;
            b.set_keys("Port", uuid, "other_config", &keys)
        })
        .await;
        let schema_json = lab.server_schema().await;
        let schema = schema_json.table("Port").unwrap();
        let row = lab.replica.row("Port", uuid).unwrap();
        for name in [
            "tag",
            "other_config",
            "name",
            "interfaces",
            "trunks",
            "vlan_mode",
        ] {
            let ours = row
                .get(name)
                .unwrap()
                .to_text(&schema.column(name).unwrap().kind);
            assert_eq!(
                ours,
                lab.server.vsctl(&["get", "Port", "p", name]).trim(),
                "{name}"
            );
        }
        assert_eq!(row.key("other_config", "theirs"), Some("1"));

        // What is already so costs nothing.
        let mut batch = Batch::new(&lab.replica);
        batch.set("Port", uuid, columns([("tag", 5)])).unwrap();
        batch.set_keys("Port", uuid, "other_config", &keys).unwrap();
        assert!(batch.finish_with_next_cfg().unwrap().is_empty());

        lab.run(|b| b.clear("Port", uuid, &["tag", "other_config"]))
            .await;
        assert_eq!(lab.server.vsctl(&["get", "Port", "p", "tag"]).trim(), "[]");
        assert_eq!(
            lab.server
                .vsctl(&["get", "Port", "p", "other_config"])
                .trim(),
            "{}"
        );
    });
}

impl Lab {
    async fn server_schema(&self) -> DatabaseSchema {
        let params = vec![ovsdb::json::Json::from("Open_vSwitch")];
        let json = self
            .client
            .request("get_schema", params, LIMIT)
            .await
            .unwrap();
        DatabaseSchema::parse(&json).unwrap()
    }
}

#[test]
fn list_prints_what_ovs_vsctl_prints() {
    block_on(LIMIT, async {
        let mut lab = Lab::new().await;
        lab.run(|b| {
            b.add_bridge(&bridge("br0"))?;
            let ids = Datum::map([("iface-id", "a b"), ("plain", "v1.2-x"), ("t", "true")]);
            b.add_port(
                "br0",
                &PortSpec::internal("p-1")
                    .with_interface("external_ids", ids)
                    .with_port("trunks", Datum::set([1i64, 2, 30])),
            )
        })
        .await;
        let schema = lab.server_schema().await;
        for (table, name) in [("Port", "p-1"), ("Interface", "p-1"), ("Bridge", "br0")] {
            let uuid = column::record(&lab.replica, table, name).unwrap();
            let row = lab.replica.row(table, uuid).unwrap();
            let ours = show::list(schema.table(table).unwrap(), [(uuid, &**row)]);
            let mut names: Vec<&str> = row.layout().columns().map(|c| &**c).collect();
            names.insert(0, "_uuid");
            let theirs = lab.server.vsctl(&[
                &format!("--columns={}", names.join(",")),
                "list",
                table,
                name,
            ]);
            assert_eq!(ours, theirs);
        }
    });
}

#[test]
fn targets_and_tables_may_be_abbreviated() {
    block_on(LIMIT, async {
        let lab = Lab::new().await;
        let schema = lab.server_schema().await;
        assert_eq!(
            column::table_name(&schema, "open").map(|s| &**s),
            Some("Open_vSwitch")
        );
        assert_eq!(
            column::table_name(&schema, "Port").map(|s| &**s),
            Some("Port")
        );
        assert_eq!(column::table_name(&schema, "nothing"), None);
        let port = schema.table("Port").unwrap();
        let target = column::Target::parse("other-config:tag", port).unwrap();
        assert_eq!(
            (&*target.column, target.key),
            ("other_config", Some("tag".into()))
        );
        assert!(column::Target::parse("tag:x", port).is_err());
        assert!(column::Target::parse("bond", port).is_err());
        assert!(column::record(&lab.replica, "Open_vSwitch", ".").is_some());
    });
}

#[test]
fn statistics_are_read_on_demand() {
    block_on(LIMIT, async {
        let mut lab = Lab::new().await;
        lab.run(|b| b.add_bridge(&bridge("br0"))).await;
        lab.server
            .vsctl(&["set", "Interface", "br0", "statistics:rx_bytes=12"]);
        let results = lab
            .client
            .transact(ops::select_statistics("br0"), LIMIT)
            .await
            .unwrap();
        let counters = ops::statistics(&results[0]).unwrap().unwrap();
        assert_eq!(counters.get("rx_bytes"), Some(&12));
        let results = lab
            .client
            .transact(ops::select_statistics("no"), LIMIT)
            .await
            .unwrap();
        assert_eq!(ops::statistics(&results[0]), Ok(None));
        assert!(!ovsdb::vswitch::Interface::COLUMNS.contains(&"statistics"));
    });
}

#[test]
fn next_cfg_rises_by_one_per_batch() {
    block_on(LIMIT, async {
        let mut lab = Lab::new().await;
        for expected in 1..4 {
            let mut batch = Batch::new(&lab.replica);
            batch.add_bridge(&bridge(&format!("br{expected}"))).unwrap();
            let plan = batch.finish_with_next_cfg().unwrap();
            let results = lab
                .client
                .transact(plan.transaction.clone(), LIMIT)
                .await
                .unwrap();
            assert_eq!(plan.check(&results), Ok(Some(expected)));
            drain(&mut lab.events, &mut lab.replica);
        }
        assert!(
            lab.client
                .transact(Transaction::new(), LIMIT)
                .await
                .unwrap()
                .is_empty()
        );
        assert_eq!(Port::NAME, "Port");
    });
}
