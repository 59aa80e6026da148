//! Commands that change something: one transaction each, nothing on the wire for what is so already.

use std::collections::BTreeMap;

use ovsdb::Str;
use ovsdb::condition::Condition;
use ovsdb::mutation::Mutation;
use ovsdb::op::{Columns, Operation};
use ovsdb::ops::{BridgeSpec, PortSpec, lookup};
use ovsdb::schema::TableSchema;
use ovsdb::value::{Atom, Datum};

use super::super::failure::{Failure, Kind};
use super::super::switch::{Apply, Switch, Target};
use super::record::{self, Wanted};

/// Makes a bridge
#[derive(clap::Args, Clone, PartialEq, Eq, Debug)]
pub(super) struct AddBr {
    /// Bridge
    bridge: String,
    /// It is no error if there is one of that name
    #[arg(long)]
    may_exist: bool,
    /// system (kernel) or netdev (userspace)
    #[arg(long, value_name = "TYPE", default_value = "")]
    datapath_type: String,
    /// standalone or secure
    #[arg(long, value_name = "MODE", value_parser = ["standalone", "secure"])]
    fail_mode: Option<String>,
}

/// Adds a port to a bridge
#[derive(clap::Args, Clone, PartialEq, Eq, Debug)]
pub(super) struct AddPort {
    /// Bridge
    bridge: String,
    /// Port; its interface has the same name
    port: String,
    /// Columns of the port: COLUMN=VALUE or COLUMN:KEY=VALUE, such as tag=5
    values: Vec<String>,
    /// It is no error if the bridge has a port of that name
    #[arg(long)]
    may_exist: bool,
    /// Type of the interface, such as internal, patch, vxlan; a network device of that name if not given
    #[arg(long = "type", value_name = "TYPE", default_value = "")]
    kind: String,
    /// Columns of the interface: COLUMN=VALUE or COLUMN:KEY=VALUE, such as options:peer=p1
    #[arg(long, value_name = "COLUMN=VALUE")]
    interface: Vec<String>,
}

pub(super) async fn add_bridge(target: Target, apply: Apply, args: &AddBr) -> Result<(), Failure> {
    let mut switch = Switch::connect(target).await?;
    if args.may_exist && lookup::bridge(&switch.replica, &args.bridge).is_some() {
        return Ok(());
    }
    let fail_mode = args
        .fail_mode
        .as_ref()
        .map(|mode| ("fail_mode".into(), Datum::from(mode.as_str())));
    let spec = BridgeSpec {
        name: args.bridge.as_str().into(),
        datapath_type: args.datapath_type.as_str().into(),
        columns: fail_mode.into_iter().collect(),
    };
    switch
        .change(apply, |batch| batch.add_bridge(&spec))
        .await?;
    usable(&switch, &args.bridge, apply)
}

pub(super) async fn delete_bridge(
    target: Target,
    apply: Apply,
    bridge: &str,
    if_exists: bool,
) -> Result<(), Failure> {
    let mut switch = Switch::connect(target).await?;
    if if_exists && lookup::bridge(&switch.replica, bridge).is_none() {
        return Ok(());
    }
    switch
        .change(apply, |batch| batch.delete_bridge(bridge))
        .await
        .map(drop)
}

pub(super) async fn add_port(target: Target, apply: Apply, args: &AddPort) -> Result<(), Failure> {
    let mut switch = Switch::connect(target).await?;
    if let Some(bridge) = lookup::port_to_bridge(&switch.replica, &args.port) {
        if args.may_exist && *bridge == *args.bridge {
            return Ok(());
        }
        let why = format!("there is a port {} on bridge {bridge} already", args.port);
        return Err(Failure::text(Kind::Failed, why));
    }
    let port = columns(
        "Port",
        &*record::table_schema(&switch, "Port")?,
        &args.values,
    )?;
    let interface = columns(
        "Interface",
        &*record::table_schema(&switch, "Interface")?,
        &args.interface,
    )?;
    let spec = PortSpec {
        name: args.port.as_str().into(),
        kind: args.kind.as_str().into(),
        port,
        interface,
    };
    switch
        .change(apply, |batch| batch.add_port(&args.bridge, &spec))
        .await?;
    usable(&switch, &args.port, apply)
}

/// `ovs-vswitchd` accepts every row; whether it could do what the row says stands in the interface.
fn usable(switch: &Switch, interface: &str, apply: Apply) -> Result<(), Failure> {
    let error = lookup::interface(&switch.replica, interface)
        .and_then(|(_, row)| row.get("error")?.as_str().map(str::to_owned));
    match error {
        Some(why) if apply == Apply::Wait => Err(Failure::text(
            Kind::Failed,
            format!("{interface} was added, but ovs-vswitchd cannot use it: {why}"),
        )),
        _ => Ok(()),
    }
}

pub(super) async fn delete_port(
    target: Target,
    apply: Apply,
    names: &[String],
    if_exists: bool,
) -> Result<(), Failure> {
    let (bridge, port) = match names {
        [bridge, port] => (Some(bridge.as_str()), port.as_str()),
        [port] => (None, port.as_str()),
        _ => return Err(Failure::text(Kind::Usage, "give PORT, or BRIDGE and PORT")),
    };
    let mut switch = Switch::connect(target).await?;
    match (lookup::port_to_bridge(&switch.replica, port), bridge) {
        (None, _) if if_exists => return Ok(()),
        (Some(found), Some(bridge)) if *found != *bridge => {
            return Err(Failure::text(
                Kind::Failed,
                format!("port {port} is on bridge {found}, not on {bridge}"),
            ));
        }
        _ => {}
    }
    switch
        .change(apply, |batch| batch.delete_port(port))
        .await
        .map(drop)
}

pub(super) async fn set(
    target: Target,
    apply: Apply,
    (table, name): (&str, &str),
    values: &[String],
) -> Result<(), Failure> {
    let (mut switch, table) = Switch::with_table(target, table).await?;
    let schema = record::table_schema(&switch, &table)?;
    let (uuid, row) = record::row(&switch.replica, &table, name)?;
    let (mut whole, mut keys) = (Columns::new(), Vec::new());
    for text in values {
        let wanted = record::assignment(text, &table, &schema)?;
        record::writable(wanted.column(), &table, &schema)?;
        if wanted.holds(row) {
            continue;
        }
        match wanted {
            Wanted::Column(column, value) => {
                whole.insert(column.into(), value);
            }
            Wanted::Key(column, key, value) => {
                let column = Str::from(column);
                keys.push(Mutation::delete(column.clone(), Datum::set([key.clone()])));
                keys.push(Mutation::insert(column, Datum::map([(key, value)])));
            }
        }
    }
    let change = |batch: &mut ovsdb::ops::Batch<'_>| {
        batch.set(&table, uuid, whole)?;
        if !keys.is_empty() {
            let (table, conditions) = (Str::from(table.as_str()), vec![Condition::uuid(uuid)]);
            batch.push(Operation::Mutate {
                table,
                conditions,
                mutations: keys,
            });
        }
        Ok(())
    };
    switch.change(apply, change).await.map(drop)
}

pub(super) async fn clear(
    target: Target,
    apply: Apply,
    (table, name): (&str, &str),
    columns: &[String],
) -> Result<(), Failure> {
    let (mut switch, table) = Switch::with_table(target, table).await?;
    let schema = record::table_schema(&switch, &table)?;
    let (uuid, _) = record::row(&switch.replica, &table, name)?;
    let mut full = Vec::new();
    for text in columns {
        let column = record::writable(text, &table, &schema)?.column;
        if record::column_schema(&schema, &column)?.kind.min > 0 {
            let why =
                format!("column {column} of table {table} is not allowed to be empty: set it");
            return Err(Failure::text(Kind::Usage, why));
        }
        full.push(column);
    }
    let full: Vec<&str> = full.iter().map(|c| &**c).collect();
    switch
        .change(apply, |batch| batch.clear(&table, uuid, &full))
        .await
        .map(drop)
}

/// Columns of a new row. Keys of one map column are gathered.
fn columns(table: &str, schema: &TableSchema, values: &[String]) -> Result<Columns, Failure> {
    let mut columns = Columns::new();
    let mut maps: BTreeMap<String, Vec<(Atom, Atom)>> = BTreeMap::new();
    for text in values {
        match record::assignment(text, table, schema)? {
            Wanted::Column(column, value) => drop(columns.insert(column.into(), value)),
            Wanted::Key(column, key, value) => maps.entry(column).or_default().push((key, value)),
        }
    }
    columns.extend(
        maps.into_iter()
            .map(|(column, pairs)| (Str::from(column), Datum::map(pairs))),
    );
    Ok(columns)
}
