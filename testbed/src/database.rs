//! The control plane's database, through `vifd db`.

use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::{output, run};

/// A SQLite database that `vifd db` commands work on.
#[derive(Clone, Debug)]
pub struct Database {
    program: PathBuf,
    url: String,
}

/// A row of `vifd db port list`, as far as tests look at it.
#[derive(Clone, Debug)]
pub struct PortRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its hardware address.
    pub mac: String,
    /// Its host, if bound.
    pub host: Option<String>,
    /// BUILD, ACTIVE, DOWN or ERROR.
    pub status: String,
    /// Why it could not be bound.
    pub binding_error: Option<String>,
    /// When the agent saw the VIF, in microseconds since 1970.
    pub seen_at: Option<i64>,
    /// When the switch had everything.
    pub wired_at: Option<i64>,
    /// When ACTIVE was written.
    pub active_at: Option<i64>,
}

impl PortRow {
    fn from_json(row: &Value) -> Result<Self> {
        let text = |key: &str| row[key].as_str().map(str::to_owned);
        let required = |key: &str| text(key).with_context(|| format!("no {key:?} in port {row}"));
        Ok(PortRow {
            id: required("id")?,
            name: text("name").unwrap_or_default(),
            mac: required("mac")?,
            host: text("host"),
            status: required("status")?,
            binding_error: text("binding_error"),
            seen_at: row["seen_at"].as_i64(),
            wired_at: row["wired_at"].as_i64(),
            active_at: row["active_at"].as_i64(),
        })
    }
}

impl Database {
    /// Creates a database file with the current schema.
    pub fn create(program: &Path, file: &Path) -> Result<Self> {
        let database = Database {
            program: program.to_owned(),
            url: format!("sqlite:///{}", file.display()),
        };
        database.command(&["init"])?;
        Ok(database)
    }

    /// Its address, as `[database] connection` wants it.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn argv(&self, args: &[&str]) -> Vec<String> {
        let mut argv = vec![self.program.to_string_lossy().into_owned(), "db".to_owned()];
        argv.extend(["--db".to_owned(), self.url.clone()]);
        argv.extend(args.iter().map(|&a| a.to_owned()));
        argv
    }

    /// `vifd db --db URL ARGS`; its standard output.
    pub fn command(&self, args: &[&str]) -> Result<String> {
        run(None, &self.argv(args), &[], "")
    }

    /// `vifd db apply` with lines of JSON: many changes in one transaction.
    pub fn apply(&self, lines: &str) -> Result<()> {
        run(None, &self.argv(&["apply", "-"]), &[], lines).map(drop)
    }

    /// The same, whatever its status.
    pub fn try_command(&self, args: &[&str]) -> Result<Output> {
        output(None, &self.argv(args), &[], "")
    }

    /// `vifd db --db URL --json ARGS`, parsed.
    pub fn json(&self, args: &[&str]) -> Result<Value> {
        let mut with_json = vec!["--json"];
        with_json.extend(args);
        let text = self.command(&with_json)?;
        serde_json::from_str(&text).with_context(|| format!("vifd db {args:?} printed {text:?}"))
    }

    /// Creates a network; `kind` holds the options after the name, e.g. `["--type", "vxlan"]`.
    pub fn create_network(&self, name: &str, kind: &[&str]) -> Result<Value> {
        let mut args = vec!["network", "create", name];
        args.extend(kind);
        self.json(&args)
    }

    /// Creates a port; `options` are those of `vifd db port create`.
    pub fn create_port(&self, network: &str, options: &[&str]) -> Result<PortRow> {
        let mut args = vec!["port", "create", "--network", network];
        args.extend(options);
        PortRow::from_json(&self.json(&args)?)
    }

    /// One port.
    pub fn port(&self, id: &str) -> Result<PortRow> {
        PortRow::from_json(&self.json(&["port", "show", id])?)
    }

    /// All ports.
    pub fn ports(&self) -> Result<Vec<PortRow>> {
        let rows = self.json(&["port", "list"])?;
        rows.as_array()
            .with_context(|| format!("`port list` printed {rows}"))?
            .iter()
            .map(PortRow::from_json)
            .collect()
    }
}
