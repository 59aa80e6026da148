//! Generated input to this crate and to a real ovsdb-server: what one takes the other takes,
//! and both understand the same by it. JSON texts, schemas, and values in rows, conditions and
//! mutations. The generators know the grammar and break it now and then.
//! `DIFFERENTIAL_CASES=N` makes each test longer or shorter.

mod generate;
#[path = "../harness/mod.rs"]
mod harness;
mod json;
mod schema;
mod text;
mod value;

use harness::Server;
use ovsdb::net::{Client, Config};
use std::time::Duration;

/// No test may hang; an idle machine needs a few seconds for each.
const LIMIT: Duration = Duration::from_secs(300);

async fn plain_client(server: &Server) -> Client {
    let (client, mut events) = Client::spawn(Config::new(vec![server.remote()], "d")).unwrap();
    harness::snapshot(&mut events, &mut ovsdb::replica::Replica::new(vec![])).await;
    client
}
