//! From an error of the kernel to the operation and attribute that caused it.

use core::fmt;

use super::Encoded;
use crate::attr::path_at;
use crate::message::{Body, Message, NfGen, operation};
use crate::wire::{Ack, Frames};

/// One failed operation of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OpError {
    /// Index in the batch; `None` when the whole batch was refused.
    pub index: Option<usize>,
    /// The positive errno.
    pub errno: u16,
    /// What the operation was, for example `new-rule inet vifd forward`.
    pub operation: String,
    /// Path of the attribute at fault, for example `expressions[2] lookup.set`; may be empty.
    pub attribute: String,
    /// The kernel's words, if it had any.
    pub message: Option<String>,
}

impl OpError {
    /// Explains an acknowledgement of a batch.
    pub fn explain(encoded: &Encoded, ack: &Ack) -> Self {
        let index = encoded.index_of(ack.seq);
        let bytes = index.and_then(|index| encoded.op_bytes(index));
        let (operation, attribute) = match bytes {
            Some(bytes) => (describe(bytes), attribute_at(bytes, ack)),
            None => (String::from("batch"), String::new()),
        };
        Self {
            index,
            errno: ack.errno,
            operation,
            attribute,
            message: ack.message.clone(),
        }
    }
}

impl fmt::Display for OpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.operation)?;
        if let Some(index) = self.index {
            write!(f, " (operation {index})")?;
        }
        if !self.attribute.is_empty() {
            write!(f, " at {}", self.attribute)?;
        }
        write!(f, ": {}", errno_name(self.errno))?;
        if let Some(message) = &self.message {
            write!(f, ": {message}")?;
        }
        Ok(())
    }
}

impl core::error::Error for OpError {}

fn attribute_at(bytes: &[u8], ack: &Ack) -> String {
    let Some(Ok(frame)) = Frames::new(bytes).next() else {
        return String::new();
    };
    let Some(op) = operation(frame.header.kind) else {
        return String::new();
    };
    let mut payload = frame.payload;
    if NfGen::decode(&mut payload).is_err() {
        return String::new();
    }
    let mut path = match ack.offset.or(ack.missing_nest) {
        Some(offset) => path_at(payload, Body::schema(op), offset),
        None => String::new(),
    };
    if let Some(kind) = ack.missing {
        path.push_str(&format!(" (attribute {kind} is missing)"));
    }
    path
}

/// One operation in a few words: what, family, table, name.
pub fn describe(bytes: &[u8]) -> String {
    let Some(Ok(frame)) = Frames::new(bytes).next() else {
        return String::from("?");
    };
    let Ok(message) = Message::decode(&frame) else {
        return String::from("?");
    };
    let op = message.op.name().unwrap_or("?");
    let family = message.gen_msg.family.name().unwrap_or("?");
    let name = |name: &Option<crate::name::Name>| name.clone().unwrap_or_default();
    match &message.body {
        Body::Table(t) => format!("{op} {family} {}", t.name),
        Body::Chain(c) => format!("{op} {family} {} {}", c.table, name(&c.name)),
        Body::Rule(r) => {
            let comment = r.comment().map(|c| format!(" \"{c}\"")).unwrap_or_default();
            format!("{op} {family} {} {}{comment}", r.table, name(&r.chain))
        }
        Body::Set(s) => format!("{op} {family} {} {}", s.table, s.name),
        Body::Elements(e) => format!("{op} {family} {} {}", e.table, e.set),
        Body::Object(o) => format!("{op} {family} {} {}", o.table, name(&o.name)),
        Body::Flowtable(t) => format!("{op} {family} {} {}", t.table, name(&t.name)),
        _ => format!("{op} {family}"),
    }
}

/// The symbolic name of the errors nf_tables gives (`asm-generic/errno.h`), or the number.
pub fn errno_name(errno: u16) -> String {
    let name = match errno {
        1 => "operation not permitted (EPERM)",
        2 => "no such file or directory (ENOENT)",
        4 => "interrupted (EINTR)",
        7 => "argument list too long (E2BIG)",
        11 => "try again (EAGAIN)",
        12 => "out of memory (ENOMEM)",
        16 => "busy (EBUSY)",
        17 => "exists (EEXIST)",
        22 => "invalid argument (EINVAL)",
        23 => "too many open tables (ENFILE)",
        24 => "too many (EMFILE)",
        31 => "too many links (EMLINK)",
        34 => "out of range (ERANGE)",
        40 => "loop (ELOOP)",
        71 => "protocol error (EPROTO)",
        75 => "overflow (EOVERFLOW)",
        85 => "generation changed (ERESTART)",
        95 => "not supported (EOPNOTSUPP)",
        105 => "no buffer space (ENOBUFS)",
        other => return format!("errno {other}"),
    };
    String::from(name)
}
