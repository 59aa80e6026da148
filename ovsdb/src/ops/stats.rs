//! Interface statistics, read on demand: monitoring them would wake the agent for every
//! interface every few seconds.

use crate::condition::Condition;
use crate::error::DecodeError;
use crate::op::{OpResult, Transaction};
use crate::value::{Atom, Datum};
use std::collections::BTreeMap;

/// Reads the statistics of the interface called `name`: a transaction of one select.
pub fn select_statistics(name: &str) -> Transaction {
    let mut txn = Transaction::new();
    txn.select("Interface", [Condition::eq("name", name)], ["statistics"]);
    txn
}

/// The counters in the result of [`select_statistics`]; `None` if there is no such interface.
pub fn statistics(result: &OpResult) -> Result<Option<BTreeMap<String, i64>>, DecodeError> {
    const WHAT: &str = "statistics";
    let rows = result.rows().ok_or(DecodeError::expected(WHAT, "rows"))?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let json = row
        .get(WHAT)
        .ok_or(DecodeError::expected(WHAT, "the column"))?;
    let Datum::Map(map) = Datum::decode_untyped(json)? else {
        return Err(DecodeError::expected(WHAT, "a map"));
    };
    let counter = |(k, v): &(Atom, Atom)| Some((k.as_str()?.to_owned(), v.as_integer()?));
    Ok(Some(map.iter().filter_map(counter).collect()))
}
