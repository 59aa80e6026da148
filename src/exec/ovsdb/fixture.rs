//! A replica without a server, for the unit tests: rows as ovsdb-server writes them in its updates.

use ovsdb::json::parse;
use ovsdb::monitor::{Format, decode_updates};
use ovsdb::replica::{Replica, RowChange};
use ovsdb::schema::DatabaseSchema;

use super::read;

const SCHEMA: &str = r#"{"name": "Open_vSwitch", "version": "8.3.1", "tables": {
  "Open_vSwitch": {"isRoot": true, "maxRows": 1, "columns": {
    "bridges": {"type": {"key": {"type": "uuid", "refTable": "Bridge"}, "min": 0, "max": "unlimited"}},
    "cur_cfg": {"type": "integer"}, "next_cfg": {"type": "integer"}}},
  "Bridge": {"columns": {
    "name": {"type": "string"}, "datapath_type": {"type": "string"},
    "ports": {"type": {"key": {"type": "uuid", "refTable": "Port"}, "min": 0, "max": "unlimited"}},
    "fail_mode": {"type": {"key": "string", "min": 0, "max": 1}},
    "external_ids": {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}}}},
  "Port": {"columns": {
    "name": {"type": "string"},
    "interfaces": {"type": {"key": {"type": "uuid", "refTable": "Interface"}, "min": 1, "max": "unlimited"}},
    "tag": {"type": {"key": "integer", "min": 0, "max": 1}},
    "trunks": {"type": {"key": "integer", "min": 0, "max": 4096}},
    "vlan_mode": {"type": {"key": "string", "min": 0, "max": 1}},
    "other_config": {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}},
    "external_ids": {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}}}},
  "Interface": {"columns": {
    "name": {"type": "string"}, "type": {"type": "string"},
    "options": {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}},
    "ofport": {"type": {"key": "integer", "min": 0, "max": 1}},
    "error": {"type": {"key": "string", "min": 0, "max": 1}},
    "external_ids": {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}}}}}}"#;

/// One bridge of ours with its own port, a patch port of ours and a VIF.
pub(super) const ROWS: &str = r#"{
  "Open_vSwitch": {"00000000-0000-4000-8000-000000000000": {"initial": {"cur_cfg": 7, "next_cfg": 8}}},
  "Bridge": {"00000000-0000-4000-8000-000000000001": {"initial": {"name": "br-int", "fail_mode": "secure",
    "ports": ["set", [["uuid", "00000000-0000-4000-8000-000000000011"], ["uuid", "00000000-0000-4000-8000-000000000012"],
                      ["uuid", "00000000-0000-4000-8000-000000000013"]]],
    "external_ids": ["map", [["vifd-owner", "hv1"]]]}}},
  "Port": {
    "00000000-0000-4000-8000-000000000011": {"initial": {"name": "br-int", "interfaces": ["uuid", "00000000-0000-4000-8000-000000000021"]}},
    "00000000-0000-4000-8000-000000000012": {"initial": {"name": "patch-tun", "interfaces": ["uuid", "00000000-0000-4000-8000-000000000022"],
      "external_ids": ["map", [["vifd-owner", "hv1"]]]}},
    "00000000-0000-4000-8000-000000000013": {"initial": {"name": "tap1", "interfaces": ["uuid", "00000000-0000-4000-8000-000000000023"],
      "tag": 4095, "trunks": ["set", [1, 2]], "other_config": ["map", [["tag", "9"], ["segmentation_id", "1"], ["mine", "1"]]]}}},
  "Interface": {
    "00000000-0000-4000-8000-000000000021": {"initial": {"name": "br-int", "type": "internal", "ofport": 65534}},
    "00000000-0000-4000-8000-000000000022": {"initial": {"name": "patch-tun", "type": "patch", "ofport": 1,
      "options": ["map", [["peer", "x"], ["more", "1"]]]}},
    "00000000-0000-4000-8000-000000000023": {"initial": {"name": "tap1", "ofport": -1, "error": "could not open",
      "external_ids": ["map", [["iface-id", "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"], ["attached-mac", "no address"]]]}}}}"#;

/// A server's side: folds updates and says what changed.
pub(super) struct Source {
    replica: Replica,
}

impl Source {
    pub fn new() -> Source {
        let schema = DatabaseSchema::parse(&parse(SCHEMA.as_bytes()).unwrap()).unwrap();
        let mut replica = Replica::new(read::indexes());
        replica.configure(&schema, &read::monitors(), &mut Vec::new());
        Source { replica }
    }

    pub fn update(&mut self, updates: &str) -> Vec<RowChange> {
        let updates = decode_updates(parse(updates.as_bytes()).unwrap(), Format::Update2).unwrap();
        let mut changes = Vec::new();
        self.replica.apply(updates, &mut changes).unwrap();
        changes
    }
}
