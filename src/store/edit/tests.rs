//! What the command line cannot reach; the rest is in the tests of `cli::db`.

use super::*;
use crate::store::changelog::{self, Audience, News};
use crate::store::{DatabaseUrl, create, migrate};

fn lab() -> (tempfile::TempDir, Box<dyn Store>) {
    let dir = tempfile::tempdir().unwrap();
    let mut store = create(&DatabaseUrl::Sqlite(dir.path().join("x.db"))).unwrap();
    migrate::migrate(&mut *store).unwrap();
    (dir, store)
}

fn network(name: &str, kind: &str) -> NewNetwork {
    NewNetwork {
        name: name.to_owned(),
        kind: kind.to_owned(),
        ..NewNetwork::default()
    }
}

#[test]
fn tunnel_keys_fill_gaps() {
    let (_dir, mut store) = lab();
    let keys = |store: &mut dyn Store| -> Vec<i64> {
        let rows = store.query(
            "SELECT segmentation_id FROM segments ORDER BY created_at, segmentation_id",
            &[],
        );
        rows.unwrap()
            .iter()
            .filter_map(|row| row[0].int())
            .collect()
    };
    let third = NewNetwork {
        segmentation_id: Some(3),
        ..network("c", "vxlan")
    };
    for new in [
        third,
        network("a", "vxlan"),
        network("b", "vxlan"),
        network("d", "vxlan"),
        network("e", "gre"),
    ] {
        edit(&mut *store, |editor| editor.create_network(&new)).unwrap();
    }
    let mut found = keys(&mut *store);
    found.sort_unstable();
    assert_eq!(found, [1, 1, 2, 3, 4]);
}

#[test]
fn addresses_of_a_full_subnet() {
    let (_dir, mut store) = lab();
    let port = NewPort {
        network: "n".to_owned(),
        ..NewPort::default()
    };
    edit(&mut *store, |editor| {
        editor.create_network(&network("n", "local"))?;
        editor.create_subnet(&NewSubnet {
            network: "n".to_owned(),
            cidr: "10.0.0.0/29".to_owned(),
            ..NewSubnet::default()
        })
    })
    .unwrap();
    let (ids, _) = edit(&mut *store, |editor| {
        (0..5).map(|_| editor.create_port(&port)).collect()
    })
    .unwrap();
    let ids: Vec<String> = ids;
    let error = edit(&mut *store, |editor| editor.create_port(&port)).unwrap_err();
    assert!(
        matches!(&error, EditError::Conflict(text) if text.contains("no address is free")),
        "{error}"
    );
    // An address that comes free in the same transaction is given again.
    edit(&mut *store, |editor| {
        editor.delete_port(&ids[2])?;
        editor.create_port(&port)
    })
    .unwrap();
    let rows = store
        .query("SELECT ip FROM fixed_ips ORDER BY ip", &[])
        .unwrap();
    let ips: Vec<&str> = rows.iter().filter_map(|row| row[0].text()).collect();
    assert_eq!(
        ips,
        ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]
    );
}

#[test]
fn a_new_binding_starts_over() {
    let (_dir, mut store) = lab();
    let new = NewPort {
        network: "n".to_owned(),
        host: Some("hv1".to_owned()),
        ..NewPort::default()
    };
    let (id, warnings) = edit(&mut *store, |editor| {
        editor.create_network(&network("n", "local"))?;
        editor.create_port(&new)
    })
    .unwrap();
    assert!(
        warnings[0].contains("host \"hv1\" is not known"),
        "{warnings:?}"
    );
    let sql = "UPDATE ports SET status = 'ERROR', binding_error = 'x', seen_at = 1, wired_at = 2, active_at = 3";
    store.execute(sql, &[]).unwrap();
    let change = |host: &str| PortChange {
        host: Some(host.to_owned()),
        ..PortChange::default()
    };
    let mut row = |host: &str| {
        edit(&mut *store, |editor| editor.set_port(&id, &change(host))).unwrap();
        let sql = "SELECT status, binding_error, seen_at, wired_at, active_at FROM ports";
        store.query(sql, &[]).unwrap().remove(0)
    };
    assert_eq!(
        row("hv1")[0],
        "ERROR".into(),
        "the same host changes nothing"
    );
    assert_eq!(
        row("hv2"),
        [
            "BUILD".into(),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null
        ]
    );
    assert_eq!(row("")[0], "DOWN".into());
}

#[test]
fn a_refused_edit_leaves_no_trace_in_the_change_log() {
    let (_dir, mut store) = lab();
    let start = changelog::end(&mut *store).unwrap();
    edit(&mut *store, |editor| {
        editor.create_network(&network("n", "local"))?;
        editor.create_network(&network("m", "moon"))
    })
    .unwrap_err();
    let news = changelog::news(&mut *store, &start, Audience::Everybody, 10).unwrap();
    assert!(matches!(news, News::Entries { entries, .. } if entries.is_empty()));
}
