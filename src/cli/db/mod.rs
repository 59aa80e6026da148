//! `vifd db`: the control plane by hand.
//!
//! Arguments in, one transaction, a table for people or JSON for programs out. All rules live in
//! [`store::edit`](crate::store::edit). Held by `tests.rs` beside this file and by the tests of `store::edit`.

mod args;
mod format;
mod group;
mod group_args;
mod group_table;
mod table;

#[cfg(test)]
mod tests;

pub use args::{DbArgs, DbCommand};

use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use self::args::{HostCommand, NetworkCommand, PortCommand, SubnetCommand};
use self::table::Show;
use crate::cli::failure::{Failure, Kind as FailureKind};
use crate::config::{Config, ConfigError};
use crate::store::edit::{self, EditError, Editor, HostChange, Kind};
use crate::store::view::{self, PortFilter};
use crate::store::{
    DatabaseUrl, Mode, Store, StoreError, changelog, clock, create, migrate, open, transaction,
};

/// Used when no file is named and it exists.
const CONFIG_FILE: &str = "/etc/vifd/vifd.conf";
/// Used when nothing says otherwise; the default of `[database] connection`.
const DATABASE: &str = "sqlite:////var/lib/vifd/vifd.db";

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database.
    #[error(transparent)]
    Store(StoreError),
    /// What was asked for.
    #[error(transparent)]
    Edit(EditError),
    /// A file.
    #[error("cannot read {what}")]
    Input {
        /// Its name.
        what: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The terminal or pipe.
    #[error("cannot write the answer")]
    Output(#[source] std::io::Error),
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Error {
        Error::Store(error)
    }
}

impl From<EditError> for Error {
    fn from(error: EditError) -> Error {
        match error {
            EditError::Store(error) => Error::Store(error),
            other => Error::Edit(other),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let kind = match &error {
            Error::Config(_) | Error::Store(StoreError::Url { .. }) => FailureKind::Usage,
            Error::Edit(EditError::NotFound { .. }) => FailureKind::NotFound,
            _ => FailureKind::Failed,
        };
        Failure::new(kind, &error)
    }
}

/// Carries the command out. Warnings go to stderr, the answer to stdout.
pub fn run(args: DbArgs) -> Result<ExitCode, Error> {
    match answer(args, &mut std::io::stdout().lock()) {
        // Whoever reads the answer has seen enough (`| head`).
        Err(Error::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Err(error),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

fn answer(args: DbArgs, to: &mut dyn Write) -> Result<(), Error> {
    let url: DatabaseUrl = database(&args)?.parse().map_err(Error::Store)?;
    execute(
        &url,
        args.command,
        &mut Out {
            json: args.json,
            to,
        },
    )
}

fn database(args: &DbArgs) -> Result<String, Error> {
    if let Some(url) = &args.db {
        return Ok(url.clone());
    }
    if args.config.is_empty() && !Path::new(CONFIG_FILE).exists() {
        return Ok(DATABASE.to_owned());
    }
    let default = [Path::new(CONFIG_FILE).to_owned()];
    let files = if args.config.is_empty() {
        &default[..]
    } else {
        &args.config[..]
    };
    let loaded = Config::load(files)?;
    for warning in &loaded.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(loaded.config.database.connection.to_string())
}

struct Out<'a> {
    json: bool,
    to: &'a mut dyn Write,
}

impl Out<'_> {
    fn line(&mut self, text: impl std::fmt::Display) -> Result<(), Error> {
        writeln!(self.to, "{text}").map_err(Error::Output)
    }

    fn json(&mut self, value: &impl Serialize) -> Result<(), Error> {
        let text =
            serde_json::to_string_pretty(value).map_err(|error| Error::Output(error.into()))?;
        self.line(text)
    }

    fn list<T: Show + Serialize>(&mut self, rows: &[T]) -> Result<(), Error> {
        if self.json {
            self.json(&rows)
        } else {
            self.line(table::list(rows))
        }
    }

    fn one<T: Show + Serialize>(&mut self, rows: &[T]) -> Result<(), Error> {
        match rows {
            [row] if self.json => self.json(row),
            [row] => self.line(table::card(row)),
            rows => self.list(rows),
        }
    }

    /// What happened to these things, which may not be there any more.
    fn done(&mut self, verb: &str, kind: &str, names: &[String]) -> Result<(), Error> {
        if self.json {
            return self.json(&serde_json::json!({ verb: names }));
        }
        names
            .iter()
            .try_for_each(|name| self.line(format!("{verb} {kind} {name}")))
    }
}

fn execute(url: &DatabaseUrl, command: DbCommand, out: &mut Out<'_>) -> Result<(), Error> {
    match command {
        DbCommand::Init => init(url, out),
        DbCommand::Migrate => {
            let mut store = open(url)?;
            migrated(&mut *store, url, out)
        }
        DbCommand::Status => status(&mut *ready(url)?, url, out),
        DbCommand::Prune { keep } => {
            let removed = changelog::prune(&mut *ready(url)?, keep)?;
            match out.json {
                true => out.json(&serde_json::json!({ "removed": removed })),
                false => out.line(format!("removed {removed} entries of the change log")),
            }
        }
        DbCommand::Apply { file } => {
            let text = input(&file)?;
            let mut store = ready(url)?;
            let done = change(&mut *store, |editor| edit::apply(editor, &text))?;
            match out.json {
                true => out.json(&done),
                false => out.line(format!("{} changes made, in one transaction", done.len())),
            }
        }
        DbCommand::Network(command) => network(&mut *ready(url)?, command, out),
        DbCommand::Subnet(command) => subnet(&mut *ready(url)?, command, out),
        DbCommand::Port(command) => port(&mut *ready(url)?, command, out),
        DbCommand::Host(command) => host(&mut *ready(url)?, command, out),
        DbCommand::Group(command) => group::group(&mut *ready(url)?, command, out),
        DbCommand::Rule(command) => group::rule(&mut *ready(url)?, command, out),
        DbCommand::AddressGroup(command) => group::address_group(&mut *ready(url)?, command, out),
    }
}

fn ready(url: &DatabaseUrl) -> Result<Box<dyn Store>, Error> {
    let mut store = open(url)?;
    migrate::require(&mut *store)?;
    Ok(store)
}

/// One transaction; its warnings are shown.
fn change<T>(
    store: &mut dyn Store,
    body: impl FnOnce(&mut Editor<'_>) -> Result<T, EditError>,
) -> Result<T, Error> {
    let (value, warnings) = edit::edit(store, body)?;
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
    Ok(value)
}

fn input(file: &Path) -> Result<String, Error> {
    let what = || file.display().to_string();
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|source| Error::Input {
                what: "stdin".to_owned(),
                source,
            })?;
        return Ok(text);
    }
    std::fs::read_to_string(file).map_err(|source| Error::Input {
        what: what(),
        source,
    })
}

fn init(url: &DatabaseUrl, out: &mut Out<'_>) -> Result<(), Error> {
    let DatabaseUrl::Sqlite(path) = url;
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|source| Error::Input {
            what: parent.display().to_string(),
            source,
        })?;
    }
    migrated(&mut *create(url)?, url, out)
}

fn migrated(store: &mut dyn Store, url: &DatabaseUrl, out: &mut Out<'_>) -> Result<(), Error> {
    let done = migrate::migrate(store)?;
    if out.json {
        return out.json(&serde_json::json!({
            "database": url.to_string(), "id": done.database, "from": done.from, "to": done.to,
        }));
    }
    match done.from {
        0 => out.line(format!("{url}: created, schema version {}", done.to)),
        from if from == done.to => out.line(format!(
            "{url}: schema version {from} already, nothing to do"
        )),
        from => {
            out.line(format!(
                "{url}: migrated from schema version {from} to {}",
                done.to
            ))?;
            if from < 2 {
                out.line(
                    "new ports join the security group default; ports that exist stay in no group: give them some with \
                     `vifd db port set PORT --group …` before a firewall driver enforces groups",
                )?;
            }
            Ok(())
        }
    }
}

fn status(store: &mut dyn Store, url: &DatabaseUrl, out: &mut Out<'_>) -> Result<(), Error> {
    let (id, version, counts, hosts) = transaction(store, Mode::Read, |store| {
        let id = migrate::database_id(store)?;
        let version = migrate::verify(store)?;
        let counts = view::counts(store)?;
        Ok::<_, StoreError>((id, version, counts, view::hosts(store, None, clock::now())?))
    })?;
    if out.json {
        return out.json(&serde_json::json!({
            "database": url.to_string(), "id": id, "schema_version": version, "counts": counts, "hosts": hosts,
        }));
    }
    let by_status: Vec<String> = counts
        .ports_by_status
        .iter()
        .map(|(status, n)| format!("{n} {status}"))
        .collect();
    let by_status = if by_status.is_empty() {
        String::new()
    } else {
        format!(" ({})", by_status.join(", "))
    };
    out.line(format!("database  {url}"))?;
    out.line(format!("id        {id}, schema version {version}"))?;
    out.line(format!(
        "holds     {} networks, {} subnets, {} ports{by_status}, {} security groups, {} rules",
        counts.networks, counts.subnets, counts.ports, counts.groups, counts.rules
    ))?;
    out.line(format!(
        "log       revision {}, {} entries kept\n",
        counts.revision, counts.changes
    ))?;
    out.line(table::list(&hosts))
}

fn network(store: &mut dyn Store, command: NetworkCommand, out: &mut Out<'_>) -> Result<(), Error> {
    match command {
        NetworkCommand::Create(new) => {
            let id = change(store, |editor| editor.create_network(&new.into()))?;
            out.one(&view::networks(store, Some(&id))?)
        }
        NetworkCommand::List => out.list(&view::networks(store, None)?),
        NetworkCommand::Show { network } => {
            let id = edit::resolve(store, Kind::Network, &network)?;
            out.one(&view::networks(store, Some(&id))?)
        }
        NetworkCommand::Set {
            network,
            change: wanted,
        } => {
            let id = edit::resolve(store, Kind::Network, &network)?;
            change(store, |editor| editor.set_network(&id, &wanted.into()))?;
            out.one(&view::networks(store, Some(&id))?)
        }
        NetworkCommand::Delete { networks } => {
            change(store, |editor| {
                networks.iter().try_for_each(|name| {
                    let id = editor.resolve(Kind::Network, name)?;
                    editor.delete_network(&id)
                })
            })?;
            out.done("deleted", "network", &networks)
        }
    }
}

fn subnet(store: &mut dyn Store, command: SubnetCommand, out: &mut Out<'_>) -> Result<(), Error> {
    match command {
        SubnetCommand::Create(new) => {
            let id = change(store, |editor| editor.create_subnet(&new.into()))?;
            out.one(&view::subnets(store, Some(&id), None)?)
        }
        SubnetCommand::List { network } => {
            let network = network
                .map(|name| edit::resolve(store, Kind::Network, &name))
                .transpose()?;
            out.list(&view::subnets(store, None, network.as_deref())?)
        }
        SubnetCommand::Show { subnet } => {
            let id = edit::resolve(store, Kind::Subnet, &subnet)?;
            out.one(&view::subnets(store, Some(&id), None)?)
        }
        SubnetCommand::Set {
            subnet,
            change: wanted,
        } => {
            let id = edit::resolve(store, Kind::Subnet, &subnet)?;
            change(store, |editor| editor.set_subnet(&id, &wanted.into()))?;
            out.one(&view::subnets(store, Some(&id), None)?)
        }
        SubnetCommand::Delete { subnets } => {
            change(store, |editor| {
                subnets.iter().try_for_each(|name| {
                    let id = editor.resolve(Kind::Subnet, name)?;
                    editor.delete_subnet(&id)
                })
            })?;
            out.done("deleted", "subnet", &subnets)
        }
    }
}

fn port(store: &mut dyn Store, command: PortCommand, out: &mut Out<'_>) -> Result<(), Error> {
    let one = |id: &str| PortFilter {
        id: Some(id.to_owned()),
        ..PortFilter::default()
    };
    match command {
        PortCommand::Create(new) => {
            let ports = new.ports();
            let ids: Vec<String> = change(store, |editor| {
                ports.iter().map(|new| editor.create_port(new)).collect()
            })?;
            let mut rows = Vec::new();
            for id in &ids {
                rows.extend(view::ports(store, &one(id))?);
            }
            out.one(&rows)
        }
        PortCommand::List {
            network,
            host,
            status,
            group,
        } => {
            let group_id = group
                .map(|name| edit::resolve(store, Kind::Group, &name))
                .transpose()?;
            let network_id = network
                .map(|name| edit::resolve(store, Kind::Network, &name))
                .transpose()?;
            let status = status.map(|status| status.to_uppercase());
            out.list(&view::ports(
                store,
                &PortFilter {
                    id: None,
                    network_id,
                    host,
                    status,
                    group_id,
                },
            )?)
        }
        PortCommand::Show { port } => {
            let id = edit::resolve(store, Kind::Port, &port)?;
            out.one(&view::ports(store, &one(&id))?)
        }
        PortCommand::Set {
            port,
            change: wanted,
        } => {
            let id = edit::resolve(store, Kind::Port, &port)?;
            change(store, |editor| editor.set_port(&id, &wanted.into()))?;
            out.one(&view::ports(store, &one(&id))?)
        }
        PortCommand::Delete { ports } => {
            change(store, |editor| {
                ports.iter().try_for_each(|name| {
                    let id = editor.resolve(Kind::Port, name)?;
                    editor.delete_port(&id)
                })
            })?;
            out.done("deleted", "port", &ports)
        }
    }
}

fn host(store: &mut dyn Store, command: HostCommand, out: &mut Out<'_>) -> Result<(), Error> {
    let now = clock::now();
    match command {
        HostCommand::Create(new) => {
            let new: edit::NewHost = new.into();
            change(store, |editor| editor.create_host(&new))?;
            out.one(&view::hosts(store, Some(&new.name), now)?)
        }
        HostCommand::List => out.list(&view::hosts(store, None, now)?),
        HostCommand::Show { host } => match view::hosts(store, Some(&host), now)?.as_slice() {
            // An empty change finds the words for a host that is not there.
            [] => change(store, |editor| {
                editor.set_host(&host, &HostChange::default())
            }),
            rows => out.one(rows),
        },
        HostCommand::Set { host, tunnels } => {
            change(store, |editor| editor.set_host(&host, &tunnels.into()))?;
            out.one(&view::hosts(store, Some(&host), now)?)
        }
        HostCommand::Delete { hosts } => {
            change(store, |editor| {
                hosts.iter().try_for_each(|name| editor.delete_host(name))
            })?;
            out.done("deleted", "host", &hosts)
        }
    }
}
