//! A switch that exists only in memory, for the connection tests.
//!
//! The switch behaves like ovs-vswitchd where it matters here: strictly in order, silent on
//! success, whole failing message in errors, and it stops reading while too many replies wait.

use std::collections::{BTreeSet, VecDeque};

pub fn message(version: u8, kind: u8, xid: u32, body: &[u8]) -> Vec<u8> {
    let mut out = vec![version, kind];
    out.extend(u16::try_from(8 + body.len()).unwrap().to_be_bytes());
    out.extend(xid.to_be_bytes());
    out.extend(body);
    out
}

/// A message the simulated switch takes for a flow_mod; it refuses those with a `bad` number.
pub fn flow_mod(version: u8, number: u32) -> Vec<u8> {
    let mut body = vec![0; 64];
    body[..4].copy_from_slice(&number.to_be_bytes());
    message(version, 14, 0, &body)
}

pub struct Switch {
    pub version: u8,
    /// Numbers of flow_mods to refuse.
    pub bad: BTreeSet<u32>,
    /// Vendor subtypes to refuse.
    pub bad_vendor: BTreeSet<u32>,
    /// Refuse every commit, blaming the bundled flow_mod with this number.
    pub commit_blames: Option<u32>,
    /// Stop reading while this many replies wait.
    pub reply_limit: usize,
    pub replies: VecDeque<Vec<u8>>,
    /// Numbers of accepted flow_mods in order.
    pub accepted: Vec<u32>,
    pub barriers: usize,
    pub seen: Vec<(u8, u32)>,
    pub discards: usize,
    /// Parts of the next statistics reply.
    pub parts: usize,
    /// Most flow_mods ever between two barriers.
    pub longest_run: usize,
    run: usize,
    pub input: Vec<u8>,
    bundle: Vec<(u32, u32)>,
}

impl Switch {
    pub fn new(version: u8) -> Self {
        Self {
            version,
            bad: BTreeSet::new(),
            bad_vendor: BTreeSet::new(),
            commit_blames: None,
            reply_limit: 100,
            replies: VecDeque::from([message(6, 0, 77, &[])]),
            accepted: Vec::new(),
            barriers: 0,
            seen: Vec::new(),
            discards: 0,
            parts: 3,
            longest_run: 0,
            run: 0,
            input: Vec::new(),
            bundle: Vec::new(),
        }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.input.extend(bytes);
        self.work();
    }

    pub fn pull(&mut self) -> Option<Vec<u8>> {
        let reply = self.replies.pop_front();
        self.work();
        reply
    }

    fn work(&mut self) {
        while self.replies.len() < self.reply_limit && self.input.len() >= 8 {
            let length = usize::from(u16::from_be_bytes([self.input[2], self.input[3]]));
            if self.input.len() < length {
                return;
            }
            let rest = self.input.split_off(length);
            let whole = std::mem::replace(&mut self.input, rest);
            self.handle(&whole);
        }
    }

    fn reply(&mut self, kind: u8, xid: u32, body: &[u8]) {
        self.replies
            .push_back(message(self.version, kind, xid, body));
    }

    fn error(&mut self, ty: u16, code: u16, whole: &[u8]) {
        let xid = u32::from_be_bytes(whole[4..8].try_into().unwrap());
        let mut body = [ty.to_be_bytes(), code.to_be_bytes()].concat();
        body.extend(whole);
        self.reply(1, xid, &body);
    }

    fn handle(&mut self, whole: &[u8]) {
        let (version, kind) = (whole[0], whole[1]);
        assert_eq!(version, self.version);
        let word = |at: usize| {
            let field = whole.get(at..at + 4).map(|word| word.try_into().unwrap());
            field.map(u32::from_be_bytes)
        };
        let xid = word(4).unwrap();
        self.seen.push((kind, xid));
        let barrier = if self.version == 1 { 18 } else { 20 };
        match kind {
            0 | 3 => {}
            2 => self.reply(3, xid, &whole[8..]),
            4 if self.bad_vendor.contains(&word(12).unwrap()) => self.error(1, 4, whole),
            4 => {}
            5 => self.reply(6, xid, &[0; 24]),
            14 => {
                self.run += 1;
                self.longest_run = self.longest_run.max(self.run);
                let number = word(8).unwrap();
                if self.bad.contains(&number) {
                    self.error(3, 0, whole);
                } else {
                    self.accepted.push(number);
                }
            }
            16 if self.version == 1 => {
                for part in (0..self.parts).rev() {
                    let more = u8::from(part > 0);
                    self.reply(17, xid, &[0, 1, 0, more, 9, 9, 9, 9]);
                }
            }
            33 => {
                let control = whole[13];
                match control {
                    0 => self.bundle.clear(),
                    4 => match self.commit_blames {
                        Some(number) => {
                            let hit = self.bundle.iter().find(|(_, n)| *n == number);
                            let mut inner = message(5, 14, hit.unwrap().0, &[]);
                            inner.resize(64, 0);
                            self.error(5, 1, &inner);
                            self.error(17, 13, whole);
                            return;
                        }
                        None => {
                            let numbers = self.bundle.drain(..).map(|(_, number)| number);
                            self.accepted.extend(numbers);
                        }
                    },
                    6 => {
                        self.bundle.clear();
                        self.discards += 1;
                    }
                    other => panic!("bundle control {other}"),
                }
                let mut body = whole[8..].to_vec();
                body[5] += 1;
                self.reply(33, xid, &body);
            }
            34 => {
                assert_eq!(word(20), Some(xid), "inner and outer xid");
                let number = word(24).unwrap();
                if self.bad.contains(&number) {
                    self.error(5, 1, whole);
                } else {
                    self.bundle.push((xid, number));
                }
            }
            kind if kind == barrier => {
                self.run = 0;
                self.barriers += 1;
                self.reply(barrier + 1, xid, &[]);
            }
            // Everything else is silence.
            _ => {}
        }
    }
}
