//! A connection and a simulated switch on a link that exists only in memory.

use std::collections::VecDeque;
use std::time::Duration;

use ofproto::conn::{Connection, Event};

use crate::switch::Switch;

/// Both ends and the time; the link carries at most `capacity` bytes towards the switch.
pub struct Pair {
    pub conn: Connection,
    pub switch: Switch,
    pub now: Duration,
    pub capacity: usize,
    pub events: Vec<Event>,
    to_switch: VecDeque<u8>,
    random: u64,
}

impl Pair {
    pub fn new(conn: Connection, switch: Switch) -> Self {
        Self {
            conn,
            switch,
            now: Duration::ZERO,
            capacity: 65_536,
            events: Vec::new(),
            to_switch: VecDeque::new(),
            random: 0x9e37_79b9_7f4a_7c15,
        }
    }

    pub fn random(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % below.max(1) as u64) as usize
    }

    /// One exchange in both directions, split at random; `false` when nothing moved.
    pub fn step(&mut self) -> bool {
        let mut moved = false;
        if self.to_switch.len() < self.capacity {
            let mut out = Vec::new();
            let room = self.capacity - self.to_switch.len();
            moved |= self.conn.transmit(self.now, room, &mut out) > 0;
            self.to_switch.extend(out);
        }
        if self.switch_reads() && !self.to_switch.is_empty() {
            let most = self.random(self.to_switch.len()) + 1;
            let piece: Vec<u8> = self.to_switch.drain(..most).collect();
            self.switch.push(&piece);
            moved = true;
        }
        if let Some(reply) = self.switch.pull() {
            let cut = self.random(reply.len());
            self.conn.receive(self.now, &reply[..cut]);
            self.conn.receive(self.now, &reply[cut..]);
            moved = true;
        }
        while let Some(event) = self.conn.poll_event() {
            self.events.push(event);
        }
        moved
    }

    pub fn run(&mut self) {
        while self.step() {}
    }

    fn switch_reads(&self) -> bool {
        self.switch.replies.len() < self.switch.reply_limit && self.switch.input.len() < 65_536
    }

    /// Lets time pass in steps of 100 ms.
    pub fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += Duration::from_millis(100);
            self.conn.tick(self.now);
            self.run();
        }
    }

    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }
}
