//! Waiting for a condition, with a deadline and words for when it does not come.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Calls `ready` every 20 ms until it returns a value; fails after `limit`, saying what was awaited.
pub fn wait_until<T>(
    what: &str,
    limit: Duration,
    mut ready: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = ready()? {
            return Ok(value);
        }
        if Instant::now() >= deadline {
            bail!("{what}: not within {limit:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
