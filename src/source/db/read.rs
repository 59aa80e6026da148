//! Rows as they are, grouped by what they describe. Nothing is judged here.

use rustc_hash::FxHashMap;

use crate::store::{Row, Store, StoreError, Value, marks, padded};

/// Rows per statement.
const CHUNK: usize = 64;

/// A row that belongs to an id, with the rows that hang on it.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// The columns of the entity itself.
    pub row: Row,
    /// Segments of a network; addresses of a port.
    pub children: Vec<Row>,
    /// Address pairs of a port.
    pub pairs: Vec<Row>,
    /// Security groups of a port.
    pub groups: Vec<Row>,
    /// The id of an older row that claims the same thing (a carrier, an address).
    pub rival: Option<String>,
}

/// Which rows.
pub(super) enum Scope<'a> {
    /// All (of the host, for ports).
    All,
    /// Those with these ids.
    Ids(&'a [String]),
}

/// What is read of each entity, as SQL. `@scope@` becomes a condition on the column `id`, `@host@` one on the host.
pub(super) struct Query {
    pub sql: &'static str,
    pub id: &'static str,
}

/// Columns: id, name, admin_up, mtu. Children: network_id, id, network_type, physical_network, segmentation_id.
pub(super) fn networks(
    store: &mut dyn Store,
    scope: &Scope<'_>,
) -> Result<Vec<Record>, StoreError> {
    const NETWORKS: Query = Query {
        sql: "SELECT id, name, admin_up, mtu FROM networks WHERE @scope@",
        id: "id",
    };
    const SEGMENTS: Query = Query {
        sql: "SELECT network_id, id, network_type, physical_network, segmentation_id FROM segments WHERE @scope@ \
              ORDER BY created_at, id",
        id: "network_id",
    };
    // An older segment of another network with the same carrier; see the index segments_carrier.
    const RIVALS: Query = Query {
        sql: "SELECT a.network_id, b.network_id FROM segments a JOIN segments b ON a.network_type = b.network_type AND \
              coalesce(a.physical_network, '') = coalesce(b.physical_network, '') AND \
              coalesce(a.segmentation_id, 0) = coalesce(b.segmentation_id, 0) \
              WHERE a.network_type <> 'local' AND b.network_type <> 'local' AND a.network_id <> b.network_id AND \
              (b.created_at < a.created_at OR (b.created_at = a.created_at AND b.id < a.id)) AND @scope@",
        id: "a.network_id",
    };
    let mut records = heads(rows(store, &NETWORKS, scope, None)?);
    attach(
        &mut records,
        rows(store, &SEGMENTS, scope, None)?,
        |record, row| record.children.push(row),
    );
    attach(&mut records, rows(store, &RIVALS, scope, None)?, set_rival);
    Ok(records.list)
}

/// Columns: id, network_id, cidr, gateway.
pub(super) fn subnets(store: &mut dyn Store, scope: &Scope<'_>) -> Result<Vec<Record>, StoreError> {
    const SUBNETS: Query = Query {
        sql: "SELECT id, network_id, cidr, gateway FROM subnets WHERE @scope@",
        id: "id",
    };
    Ok(heads(rows(store, &SUBNETS, scope, None)?).list)
}

/// Columns: id, network_id, name, mac, admin_up, device_owner, port_security, status, binding_error, and the
/// network's id if it exists. Children: port_id, ip, subnet_id. Pairs: port_id, prefix, mac. Groups: port_id, group_id.
pub(super) fn ports(
    store: &mut dyn Store,
    host: &str,
    scope: &Scope<'_>,
) -> Result<Vec<Record>, StoreError> {
    const PORTS: Query = Query {
        sql: "SELECT p.id, p.network_id, p.name, p.mac, p.admin_up, p.device_owner, p.port_security, p.status, \
              p.binding_error, n.id FROM ports p LEFT JOIN networks n ON n.id = p.network_id \
              WHERE @host@ AND @scope@",
        id: "p.id",
    };
    const FIXED_IPS: Query = Query {
        sql: "SELECT f.port_id, f.ip, f.subnet_id FROM ports p JOIN fixed_ips f ON f.port_id = p.id \
              WHERE @host@ AND @scope@ ORDER BY f.subnet_id, f.ip",
        id: "p.id",
    };
    const PAIRS: Query = Query {
        sql: "SELECT a.port_id, a.prefix, a.mac FROM ports p JOIN address_pairs a ON a.port_id = p.id \
              WHERE @host@ AND @scope@ ORDER BY a.prefix, a.mac",
        id: "p.id",
    };
    const GROUPS: Query = Query {
        sql: "SELECT g.port_id, g.group_id FROM ports p JOIN port_security_groups g ON g.port_id = p.id \
              WHERE @host@ AND @scope@ ORDER BY g.group_id",
        id: "p.id",
    };
    // An older port of the same network with the same address; see the index ports_network_mac.
    const RIVALS: Query = Query {
        sql: "SELECT p.id, q.id FROM ports p JOIN ports q ON q.network_id = p.network_id AND q.mac = p.mac \
              WHERE @host@ AND (q.created_at < p.created_at OR (q.created_at = p.created_at AND q.id < p.id)) \
              AND @scope@",
        id: "p.id",
    };
    let host = Some(host);
    let mut records = heads(rows(store, &PORTS, scope, host)?);
    attach(
        &mut records,
        rows(store, &FIXED_IPS, scope, host)?,
        |record, row| record.children.push(row),
    );
    attach(
        &mut records,
        rows(store, &PAIRS, scope, host)?,
        |record, row| record.pairs.push(row),
    );
    attach(
        &mut records,
        rows(store, &GROUPS, scope, host)?,
        |record, row| record.groups.push(row),
    );
    attach(&mut records, rows(store, &RIVALS, scope, host)?, set_rival);
    Ok(records.list)
}

/// The ids of this host's ports on these networks.
pub(super) fn ports_on(
    store: &mut dyn Store,
    host: &str,
    networks: &[String],
) -> Result<Vec<Value>, StoreError> {
    const PORTS: Query = Query {
        sql: "SELECT id FROM ports WHERE host = ? AND @scope@",
        id: "network_id",
    };
    let rows = rows(store, &PORTS, &Scope::Ids(networks), Some(host))?;
    Ok(rows
        .into_iter()
        .filter_map(|row| row.into_iter().next())
        .collect())
}

/// Columns: host, tunnel_type, ip.
pub(super) fn endpoints(store: &mut dyn Store, scope: &Scope<'_>) -> Result<Vec<Row>, StoreError> {
    const ENDPOINTS: Query = Query {
        sql: "SELECT host, tunnel_type, ip FROM tunnel_endpoints WHERE @scope@",
        id: "host",
    };
    rows(store, &ENDPOINTS, scope, None)
}

pub(super) fn rows(
    store: &mut dyn Store,
    query: &Query,
    scope: &Scope<'_>,
    host: Option<&str>,
) -> Result<Vec<Row>, StoreError> {
    let mut params: Vec<Value> = host.into_iter().map(Value::from).collect();
    match scope {
        Scope::All => {
            let sql = query
                .sql
                .replace("@scope@", "1 = 1")
                .replace("@host@", "p.host = ?");
            store.query(&sql, &params)
        }
        Scope::Ids(ids) => {
            // The ids are few and unique, the ports of a host many: an expression keeps the planner from the index on
            // the host.
            let sql = query.sql.replace("@host@", "coalesce(p.host, '') = ?");
            let n_fixed = params.len();
            let mut found = Vec::new();
            for chunk in ids.chunks(CHUNK) {
                let condition = format!("{} IN ({})", query.id, marks(chunk.len()));
                params.truncate(n_fixed);
                params.extend(padded(chunk));
                found.extend(store.query(&sql.replace("@scope@", &condition), &params)?);
            }
            Ok(found)
        }
    }
}

struct Records {
    list: Vec<Record>,
    at: FxHashMap<String, usize>,
}

fn heads(rows: Vec<Row>) -> Records {
    let mut records = Records {
        list: Vec::new(),
        at: FxHashMap::default(),
    };
    for row in rows {
        if let Some(id) = row.first().and_then(Value::text) {
            records.at.insert(id.to_owned(), records.list.len());
        }
        records.list.push(Record {
            row,
            children: Vec::new(),
            pairs: Vec::new(),
            groups: Vec::new(),
            rival: None,
        });
    }
    records
}

fn attach(records: &mut Records, rows: Vec<Row>, put: impl Fn(&mut Record, Row)) {
    for row in rows {
        let at = row
            .first()
            .and_then(Value::text)
            .and_then(|id| records.at.get(id));
        if let Some(record) = at.and_then(|at| records.list.get_mut(*at)) {
            put(record, row);
        }
    }
}

fn set_rival(record: &mut Record, row: Row) {
    let rival = row
        .get(1)
        .map(|id| id.text().map_or_else(|| id.describe(), str::to_owned));
    // The smallest, so that the same rows always give the same answer.
    if record.rival.is_none() || rival < record.rival {
        record.rival = rival;
    }
}
