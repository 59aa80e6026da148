//! vifd's tables in the packet filter.

use nft::batch::Batch;
use nft::message::{Body, Family, Message, Op};
use nft::name::Name;
use nft::net::Client;
use nft::table::Table;

use super::Removal;
/// vifd's own, and the one that closes ports while that is not whole.
const NAMES: [&str; 2] = ["vifd", "vifd_closed"];

/// The tables that are there. A kernel without nf_tables has none.
pub(super) fn find() -> Vec<(Family, String)> {
    let Ok(mut client) = Client::open() else {
        return Vec::new();
    };
    let dump = nft::conn::Dump::new(Op::GET_TABLE, Family::UNSPEC, Table::default());
    let tables = client.dump(dump).unwrap_or_default();
    tables.into_iter().filter_map(ours).collect()
}

fn ours(message: Message) -> Option<(Family, String)> {
    let family = message.gen_msg.family;
    let Body::Table(table) = message.body else {
        return None;
    };
    let name = NAMES.into_iter().find(|name| table.name == *name)?;
    [Family::BRIDGE, Family::INET]
        .contains(&family)
        .then(|| (family, name.to_owned()))
}

/// What a reader sees of them.
pub(super) fn removals(tables: &[(Family, String)]) -> impl Iterator<Item = Removal> + '_ {
    tables.iter().map(|(family, name)| Removal::Table {
        family: match *family {
            Family::BRIDGE => "bridge".to_owned(),
            _ => "inet".to_owned(),
        },
        name: name.clone(),
    })
}

/// Removes them, all at once; says what went wrong.
pub(super) fn remove(tables: &[(Family, String)]) -> Option<String> {
    if tables.is_empty() {
        return None;
    }
    let mut batch = Batch::new();
    for (family, name) in tables {
        batch.delete_table(*family, &Name::from(name.as_str()));
    }
    let result = Client::open()
        .map_err(Into::into)
        .and_then(|mut client| client.commit(batch, None));
    result
        .err()
        .map(|error| format!("tables of the packet filter: {error}"))
}
