//! A short connection to the switch's database: what `vifd ovs` and `vifd cleanup` work on.
//!
//! It reads everything that is monitored once, changes what is to be changed in one transaction, and waits for
//! `ovs-vswitchd` like `ovs-vsctl` does. Held by `tests/ovs_cli.rs`.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ovsdb::monitor::TableMonitor;
use ovsdb::net::{Client, Config as NetConfig, Events, Remote, TlsConfig};
use ovsdb::ops::{Batch, OpsError, lookup};
use ovsdb::replica::{IndexSpec, Replica};
use ovsdb::schema::DatabaseSchema;
use ovsdb::session::Event;
use ovsdb::vswitch;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::failure::{Failure, Kind};
use crate::config::{Config, OvsdbAddress};

/// Where the database is and how long things may take.
#[derive(Clone, Debug)]
pub struct Target {
    remotes: Vec<Remote>,
    tls: Option<TlsConfig>,
    /// How long each step may take.
    pub patience: Duration,
}

impl Target {
    /// As configured.
    pub fn of(config: &Config) -> Target {
        let remote = match &config.ovs.ovsdb_connection {
            OvsdbAddress::Unix(path) => Remote::Unix(path.clone()),
            OvsdbAddress::Tcp(address) => Remote::Tcp(address.ip(), address.port()),
            OvsdbAddress::Ssl(address) => Remote::Tls(address.ip(), address.port()),
        };
        let tls = config.ovs.tls.as_ref().map(|tls| TlsConfig {
            ca_cert: tls.ca.clone(),
            certificate: tls.cert.clone(),
            private_key: tls.key.clone(),
            check_name: false,
        });
        Target {
            remotes: vec![remote],
            tls,
            patience: config.ovs.ovsdb_timeout,
        }
    }

    /// The same with other servers: `unix:PATH`, `tcp:IP:PORT`, several behind commas.
    pub fn with_remotes(mut self, text: &str) -> Result<Target, Failure> {
        self.remotes = Remote::parse_list(text).map_err(|e| {
            Failure::text(
                Kind::Usage,
                format!("--db {text}: {e}; give unix:/PATH, tcp:IP:PORT or ssl:IP:PORT"),
            )
        })?;
        Ok(self)
    }

    fn failed(&self, why: &str) -> Failure {
        let remotes: Vec<String> = self.remotes.iter().map(ToString::to_string).collect();
        Failure::text(
            Kind::Failed,
            format!(
                "cannot work with ovsdb-server at {}: {why}: is Open vSwitch running, and is [ovs] ovsdb_connection (or --db) right?",
                remotes.join(",")
            ),
        )
    }

    /// The client tries for as long as it lives; a command says at once that nobody listens.
    async fn probe(&self) -> Result<(), Failure> {
        let mut why = String::new();
        for remote in &self.remotes {
            let attempt = async {
                match remote {
                    Remote::Unix(path) => UnixStream::connect(path).await.map(drop),
                    Remote::Tcp(ip, port) | Remote::Tls(ip, port) => {
                        TcpStream::connect((*ip, *port)).await.map(drop)
                    }
                }
            };
            match timeout(self.patience, attempt).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => why = error.to_string(),
                Err(_) => why = format!("no connection within {} s", self.patience.as_secs()),
            }
        }
        Err(self.failed(&why))
    }
}

/// The connection, with everything that was monitored.
#[derive(Debug)]
pub struct Switch {
    client: Client,
    events: Events,
    /// What stands.
    pub replica: Replica,
    /// What may stand.
    pub schema: Arc<DatabaseSchema>,
    target: Target,
}

/// Whether a change waits until `ovs-vswitchd` has applied it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Apply {
    /// It does.
    Wait,
    /// The database is enough.
    No,
}

/// Runs one command's asynchronous part.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(&e))?;
    runtime.block_on(work)
}

impl Switch {
    /// Connects and reads bridges, ports, interfaces and controllers.
    pub async fn connect(target: Target) -> Result<Switch, Failure> {
        Switch::monitoring(target, vswitch::monitors(), vswitch::indexes()).await
    }

    /// Connects and reads also every column of one table, whose name may be abbreviated. Returns its full name.
    pub async fn with_table(target: Target, table: &str) -> Result<(Switch, String), Failure> {
        let schema = Switch::monitoring(target.clone(), Vec::new(), Vec::new())
            .await?
            .schema;
        let Some(full) = ovsdb::ops::column::table_name(&schema, table) else {
            let tables: Vec<&str> = schema.tables.keys().map(|t| &**t).collect();
            return Err(Failure::text(
                Kind::NotFound,
                format!("no table {table}: there are {}", tables.join(", ")),
            ));
        };
        let full = full.to_string();
        let mut monitors = vswitch::monitors();
        monitors.retain(|m| *m.table != *full);
        let columns = schema
            .table(&full)
            .into_iter()
            .flat_map(|t| t.columns.keys().cloned());
        monitors.push(TableMonitor::new(full.as_str(), columns));
        // Some rows are called by the name of the row that refers to them.
        if let Some((from, column)) = ovsdb::ops::column::referrer(&full)
            && let Some(monitor) = monitors.iter_mut().find(|m| *m.table == *from)
            && let Some(columns) = &mut monitor.columns
            && !columns.iter().any(|c| **c == *column)
        {
            columns.push(column.into());
        }
        let mut indexes = vswitch::indexes();
        let named = schema
            .table(&full)
            .is_some_and(|t| t.column("name").is_some());
        let by_name = IndexSpec::column(full.as_str(), "name");
        if named && !indexes.contains(&by_name) {
            indexes.push(by_name);
        }
        Ok((Switch::monitoring(target, monitors, indexes).await?, full))
    }

    async fn monitoring(
        target: Target,
        monitors: Vec<TableMonitor>,
        indexes: Vec<IndexSpec>,
    ) -> Result<Switch, Failure> {
        target.probe().await?;
        let wants_rows = !monitors.is_empty();
        let mut config = NetConfig::vswitch(target.remotes.clone());
        config.session.monitors = monitors;
        config.session.indexes.clone_from(&indexes);
        config.tls = target.tls.clone();
        config.connect_timeout = target.patience;
        let (client, mut events) = Client::spawn(config).map_err(|e| Failure::failed(&e))?;
        let mut replica = Replica::new(indexes);
        let mut schema = None;
        let listing = async {
            loop {
                match events.next().await {
                    Some(Event::Connected(found)) if wants_rows => schema = Some(found),
                    Some(Event::Connected(found)) => return Ok(found),
                    Some(Event::Update(changes)) => replica.follow(&changes),
                    Some(Event::InitialSnapshotComplete) => {
                        if let Some(schema) = schema.take() {
                            return Ok(schema);
                        }
                    }
                    Some(Event::Disconnected(reason)) => return Err(reason.to_string()),
                    Some(_) => {}
                    None => return Err("the connection ended".to_owned()),
                }
            }
        };
        let found = timeout(target.patience, listing).await;
        let found = found
            .unwrap_or_else(|_| Err(format!("no answer within {} s", target.patience.as_secs())));
        let schema = found.map_err(|why| target.failed(&why))?;
        Ok(Switch {
            client,
            events,
            replica,
            schema,
            target,
        })
    }

    /// Plans changes against what stands and carries them out in one transaction. `false` if there was nothing to do.
    pub async fn change(
        &mut self,
        apply: Apply,
        plan: impl FnOnce(&mut Batch<'_>) -> Result<(), OpsError>,
    ) -> Result<bool, Failure> {
        let mut batch = Batch::new(&self.replica);
        plan(&mut batch).map_err(|e| Failure::new(refusal(&e), &e))?;
        let plan = match apply {
            Apply::Wait => batch.finish_with_next_cfg(),
            Apply::No => batch.finish(),
        };
        let plan = plan.map_err(|e| Failure::failed(&e))?;
        if plan.is_empty() {
            return Ok(false);
        }
        let results = self
            .client
            .transact(plan.transaction.clone(), self.target.patience)
            .await
            .map_err(|e| {
                Failure::text(
                    Kind::Failed,
                    format!("ovsdb-server refused the change: {e}"),
                )
            })?;
        let next_cfg = plan.check(&results).map_err(|e| Failure::failed(&e))?;
        if let Some(next_cfg) = next_cfg {
            self.applied(next_cfg).await?;
        }
        Ok(true)
    }

    async fn applied(&mut self, next_cfg: i64) -> Result<(), Failure> {
        let patience = self.target.patience;
        let reached = |replica: &Replica| {
            lookup::root(replica)
                .and_then(|(_, root)| root.integer("cur_cfg"))
                .is_some_and(|cfg| cfg >= next_cfg)
        };
        if self.wait_until(patience, reached).await? {
            return Ok(());
        }
        let s = patience.as_secs();
        Err(Failure::text(
            Kind::Failed,
            format!(
                "the database holds the change, but ovs-vswitchd has not applied it within {s} s: is ovs-vswitchd running? (--no-wait does not wait)"
            ),
        ))
    }

    /// Follows the database until the condition holds; `false` if the time ran out first.
    pub async fn wait_until(
        &mut self,
        limit: Duration,
        holds: impl Fn(&Replica) -> bool,
    ) -> Result<bool, Failure> {
        let (events, replica) = (&mut self.events, &mut self.replica);
        let follow = async {
            while !holds(replica) {
                match events.next().await {
                    Some(Event::Update(changes)) => replica.follow(&changes),
                    Some(Event::Disconnected(reason)) => {
                        return Err(Failure::text(
                            Kind::Failed,
                            format!("the connection to ovsdb-server was lost: {reason}"),
                        ));
                    }
                    Some(_) => {}
                    None => {
                        return Err(Failure::text(
                            Kind::Failed,
                            "the connection to ovsdb-server ended",
                        ));
                    }
                }
            }
            Ok(true)
        };
        timeout(limit, follow).await.unwrap_or(Ok(false))
    }
}

fn refusal(error: &OpsError) -> Kind {
    match error {
        OpsError::NoBridge(_) | OpsError::NoPort(_) | OpsError::NoRow(..) => Kind::NotFound,
        OpsError::Exists(_) | OpsError::NoRoot | OpsError::Vanished(_) => Kind::Failed,
    }
}
