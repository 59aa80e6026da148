//! Many changes at once: JSON, one object per line, all or nothing.
//!
//! `{"create": "port", "network": "net1", "host": "hv1"}`, `{"set": "port", "port": "p1", "admin_up": false}`,
//! `{"delete": "network", "network": "net1"}`. Later lines may name what earlier ones made.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use super::{EditError, Editor, Kind, invalid};

/// One change that was made.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Done {
    /// `create`, `set` or `delete`.
    pub op: &'static str,
    /// `network`, `subnet`, `port`, `host`, `group`, `rule` or `address_group`.
    pub kind: Thing,
    /// Its id; the name of a host.
    pub id: String,
}

/// What a line is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Thing {
    /// A network.
    Network,
    /// A subnet.
    Subnet,
    /// A port.
    Port,
    /// A host.
    Host,
    /// A security group.
    Group,
    /// A rule of a security group.
    Rule,
    /// An address group.
    AddressGroup,
}

impl Thing {
    fn word(self) -> &'static str {
        match self {
            Thing::Network => "network",
            Thing::Subnet => "subnet",
            Thing::Port => "port",
            Thing::Host => "host",
            Thing::Group => "group",
            Thing::Rule => "rule",
            Thing::AddressGroup => "address_group",
        }
    }
}

/// Carries out every line; the error names the first that could not be.
pub fn apply(editor: &mut Editor<'_>, text: &str) -> Result<Vec<Done>, EditError> {
    let mut done = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        done.push(apply_line(editor, line).map_err(|error| match error {
            EditError::Store(error) => EditError::Store(error),
            why => EditError::Line {
                line: n + 1,
                why: Box::new(why),
            },
        })?);
    }
    Ok(done)
}

fn apply_line(editor: &mut Editor<'_>, line: &str) -> Result<Done, EditError> {
    let mut object: Map<String, Json> = parsed(serde_json::from_str(line))?;
    let mut verbs = ["create", "set", "delete"]
        .into_iter()
        .filter(|verb| object.contains_key(*verb));
    let (Some(op), None) = (verbs.next(), verbs.next()) else {
        return invalid("a line has exactly one of \"create\", \"set\" and \"delete\"".to_owned());
    };
    let kind: Thing = parsed(serde_json::from_value(
        object.remove(op).unwrap_or_default(),
    ))?;
    let id = match op {
        "create" => create(editor, kind, object)?,
        _ => {
            let Some(Json::String(name)) = object.remove(kind.word()) else {
                return invalid(format!(
                    "to {op} a {0}, say which: \"{0}\": \"NAME-OR-ID\"",
                    kind.word()
                ));
            };
            let id = match kind {
                Thing::Network => editor.resolve(Kind::Network, &name)?,
                Thing::Subnet => editor.resolve(Kind::Subnet, &name)?,
                Thing::Port => editor.resolve(Kind::Port, &name)?,
                Thing::Host => name,
                Thing::Group => editor.resolve(Kind::Group, &name)?,
                Thing::Rule => editor.resolve(Kind::Rule, &name)?,
                Thing::AddressGroup => editor.resolve(Kind::AddressGroup, &name)?,
            };
            if op == "set" {
                set(editor, kind, &id, object)?
            } else {
                delete(editor, kind, &id, &object)?
            }
            id
        }
    };
    Ok(Done { op, kind, id })
}

fn create(
    editor: &mut Editor<'_>,
    kind: Thing,
    object: Map<String, Json>,
) -> Result<String, EditError> {
    match kind {
        Thing::Network => editor.create_network(&fields(object)?),
        Thing::Subnet => editor.create_subnet(&fields(object)?),
        Thing::Port => editor.create_port(&fields(object)?),
        Thing::Host => {
            let new: super::NewHost = fields(object)?;
            editor.create_host(&new)?;
            Ok(new.name)
        }
        Thing::Group => editor.create_group(&fields(object)?),
        Thing::Rule => editor.create_rule(&fields(object)?),
        Thing::AddressGroup => editor.create_address_group(&fields(object)?),
    }
}

fn set(
    editor: &mut Editor<'_>,
    kind: Thing,
    id: &str,
    object: Map<String, Json>,
) -> Result<(), EditError> {
    match kind {
        Thing::Network => editor.set_network(id, &fields(object)?),
        Thing::Subnet => editor.set_subnet(id, &fields(object)?),
        Thing::Port => editor.set_port(id, &fields(object)?),
        Thing::Host => editor.set_host(id, &fields(object)?),
        Thing::Group => editor.set_group(id, &fields(object)?),
        Thing::Rule => invalid(
            "a rule is not changed: delete it and create another in the same batch".to_owned(),
        ),
        Thing::AddressGroup => editor.set_address_group(id, &fields(object)?),
    }
}

fn delete(
    editor: &mut Editor<'_>,
    kind: Thing,
    id: &str,
    rest: &Map<String, Json>,
) -> Result<(), EditError> {
    if let Some(field) = rest.keys().next() {
        return invalid(format!("unknown field {field:?} in a delete"));
    }
    match kind {
        Thing::Network => editor.delete_network(id),
        Thing::Subnet => editor.delete_subnet(id),
        Thing::Port => editor.delete_port(id),
        Thing::Host => editor.delete_host(id),
        Thing::Group => editor.delete_group(id),
        Thing::Rule => editor.delete_rule(id),
        Thing::AddressGroup => editor.delete_address_group(id),
    }
}

fn fields<T: DeserializeOwned>(object: Map<String, Json>) -> Result<T, EditError> {
    parsed(serde_json::from_value(Json::Object(object)))
}

fn parsed<T>(result: Result<T, serde_json::Error>) -> Result<T, EditError> {
    result.map_err(|error| EditError::Invalid(error.to_string()))
}
