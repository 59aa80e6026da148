//! Locks (RFC 7047 §4.1.8 to §4.1.10): asked for again at each connect, reported when they come
//! and go. Held by `tests/session_changes.rs` and `tests/server_net.rs`.

use super::handshake::Purpose;
use super::{Event, Session};
use crate::json::{Json, Str};
use core::time::Duration;

impl Session {
    /// Acquires a lock and re-acquires it after every reconnect (RFC 7047 §4.1.8).
    /// [`Event::Lock`] tells when it is held.
    pub fn lock(&mut self, lock: impl Into<Str>, now: Duration) {
        self.acquire("lock", lock.into(), now);
    }

    /// Acquires a lock by taking it from its owner.
    pub fn steal(&mut self, lock: impl Into<Str>, now: Duration) {
        self.acquire("steal", lock.into(), now);
    }

    fn acquire(&mut self, method: &str, lock: Str, now: Duration) {
        let steal = method == "steal";
        match self.locks.get(&lock) {
            Some(true) => return,
            Some(false) if !steal => return,
            // Whoever waits for a lock must leave the queue before it may steal.
            Some(false) => {
                let params = [Json::String(lock.clone())];
                self.ask("unlock", &params, Purpose::Ignored, now);
            }
            None => {}
        }
        self.locks.insert(lock.clone(), false);
        if self.conn.is_some() {
            self.ask_lock(method, lock, now);
        } else if steal {
            self.steals.insert(lock);
        }
    }

    pub(super) fn ask_lock(&mut self, method: &str, lock: Str, now: Duration) {
        let params = [Json::String(lock.clone())];
        self.ask(method, &params, Purpose::Lock(lock), now);
    }

    /// Releases a lock.
    pub fn unlock(&mut self, lock: &str, now: Duration) {
        self.steals.remove(lock);
        if let Some((lock, held)) = self.locks.remove_entry(lock) {
            self.ask(
                "unlock",
                &[Json::String(lock.clone())],
                Purpose::Ignored,
                now,
            );
            if held {
                self.events.push_back(Event::Lock(lock, false));
            }
        }
    }

    pub(super) fn lock_changed(&mut self, lock: &Str, held: bool) {
        if let Some(state) = self.locks.get_mut(lock)
            && *state != held
        {
            *state = held;
            self.events.push_back(Event::Lock(lock.clone(), held));
        }
    }
}
