//! Address groups: prefixes under a name that rules refer to.

use ipnet::IpNet;
use serde::Deserialize;
use uuid::Uuid;

use super::group::{described, some};
use super::rule::checked_prefix;
use super::{EditError, Editor, Kind, checked_name, conflict, invalid};

/// An address group to be made.
#[derive(Clone, Default, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAddressGroup {
    /// What people call it.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Addresses and prefixes, of both families.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Random if absent.
    #[serde(default)]
    pub id: Option<String>,
}

/// What changes of an address group.
#[derive(Clone, Default, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressGroupChange {
    /// A new name.
    #[serde(default)]
    pub name: Option<String>,
    /// A new description.
    #[serde(default)]
    pub description: Option<String>,
    /// Taken out.
    #[serde(default)]
    pub remove: Vec<String>,
    /// Put in, after those were taken out.
    #[serde(default)]
    pub add: Vec<String>,
}

impl Editor<'_> {
    /// Makes an address group; its id.
    pub fn create_address_group(&mut self, new: &NewAddressGroup) -> Result<String, EditError> {
        named(&new.name)?;
        described(&new.description)?;
        let id = self.fresh_id(Kind::AddressGroup, new.id.as_deref())?;
        self.address_group_name_is_free(&new.name, &id)?;
        self.store.execute(
            "INSERT INTO address_groups (id, name, description, created_at) VALUES (?, ?, ?, ?)",
            &[
                (&id).into(),
                (&new.name).into(),
                (&new.description).into(),
                self.now.into(),
            ],
        )?;
        self.forget();
        self.add_addresses(&id, &new.addresses)?;
        Ok(id)
    }

    /// Changes an address group.
    pub fn set_address_group(
        &mut self,
        id: &str,
        change: &AddressGroupChange,
    ) -> Result<(), EditError> {
        if let Some(name) = &change.name {
            named(name)?;
            self.address_group_name_is_free(name, id)?;
            self.set(Kind::AddressGroup, id, "name", name.into())?;
            self.forget();
        }
        if let Some(text) = &change.description {
            described(text)?;
            self.set(Kind::AddressGroup, id, "description", text.into())?;
        }
        for text in &change.remove {
            let prefix = checked_prefix(text)?;
            // Somebody may have written the one address without its length.
            let removed = self.store.execute(
                "DELETE FROM address_group_entries WHERE address_group_id = ? AND (prefix = ? OR prefix = ?)",
                &[id.into(), prefix.to_string().into(), text.into()],
            )?;
            if removed == 0 {
                let present = self.texts(
                    "SELECT prefix FROM address_group_entries WHERE address_group_id = ? ORDER BY prefix LIMIT 9",
                    &[id.into()],
                )?;
                return conflict(format!(
                    "{prefix} is not in the address group; it has {}",
                    if present.is_empty() {
                        "no addresses".to_owned()
                    } else {
                        some(&present)
                    }
                ));
            }
        }
        self.add_addresses(id, &change.add)
    }

    /// Removes an address group; not while rules name it.
    pub fn delete_address_group(&mut self, id: &str) -> Result<(), EditError> {
        let namers = self.texts(
            "SELECT DISTINCT g.name FROM security_group_rules r JOIN security_groups g ON g.id = r.group_id WHERE \
             r.remote_address_group_id = ? ORDER BY 1 LIMIT 9",
            &[id.into()],
        )?;
        if !namers.is_empty() {
            return conflict(format!(
                "rules of security groups name the address group: {}. Delete those rules first (`vifd db rule list \
                 --remote-address-group {id}` shows them)",
                some(&namers)
            ));
        }
        self.store
            .execute("DELETE FROM address_groups WHERE id = ?", &[id.into()])?;
        self.forget();
        Ok(())
    }

    fn add_addresses(&mut self, group: &str, texts: &[String]) -> Result<(), EditError> {
        if texts.is_empty() {
            return Ok(());
        }
        let present = self.texts(
            "SELECT prefix FROM address_group_entries WHERE address_group_id = ?",
            &[group.into()],
        )?;
        let mut present: Vec<IpNet> = present
            .iter()
            .filter_map(|text| checked_prefix(text).ok())
            .collect();
        for text in texts {
            let prefix = checked_prefix(text)?;
            for other in &present {
                if *other == prefix {
                    return conflict(format!("{prefix} is in the address group already"));
                }
                if other.contains(&prefix) || prefix.contains(other) {
                    return conflict(format!(
                        "{prefix} overlaps {other} of the same address group: the wider one is enough"
                    ));
                }
            }
            self.store.execute(
                "INSERT INTO address_group_entries (id, address_group_id, prefix) VALUES (?, ?, ?)",
                &[
                    Uuid::new_v4().into(),
                    group.into(),
                    prefix.to_string().into(),
                ],
            )?;
            present.push(prefix);
        }
        Ok(())
    }

    fn address_group_name_is_free(&mut self, name: &str, id: &str) -> Result<(), EditError> {
        let users = self.texts(
            "SELECT id FROM address_groups WHERE name = ? AND id <> ?",
            &[name.into(), id.into()],
        )?;
        match users.first() {
            Some(user) => conflict(format!(
                "there is an address group {name:?} already ({user}): choose another name"
            )),
            None => Ok(()),
        }
    }
}

fn named(name: &str) -> Result<(), EditError> {
    checked_name("address group", name)?;
    if name.trim().is_empty() {
        return invalid("an address group needs a name".to_owned());
    }
    Ok(())
}
