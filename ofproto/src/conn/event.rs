//! What a connection reports to its user.
//!
//! Owns: the closed set of events, failures and reasons for closing. Held by `tests/conn.rs`.

use std::fmt;

use crate::error::{EncodeError, ErrorCode, OfpError};
use crate::header::Version;

use super::Frame;

/// The caller's own number for a submission; it comes back in every event about it.
///
/// The connection never interprets tags and does not require them to be unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(pub u64);

/// Everything a connection tells its user, in the order it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Hello, set-up messages and their barrier are through; `features` is the FEATURES_REPLY.
    /// Submissions made earlier are sent from now on.
    Ready {
        /// The whole FEATURES_REPLY message.
        features: Frame,
    },
    /// Every operation of the batch was executed or refused: the barrier behind the last one was
    /// answered. Operations not named in `errors` were accepted.
    BatchDone {
        /// Tag of the submission.
        tag: Tag,
        /// Index of the operation in the batch and why it failed, in ascending order of index.
        errors: Vec<(usize, OpError)>,
    },
    /// The bundle is over: committed as a whole, or nothing of it took effect.
    BundleDone {
        /// Tag of the submission.
        tag: Tag,
        /// Whether the commit was confirmed.
        committed: bool,
        /// Operations that were refused while adding or committing, in ascending order of index.
        errors: Vec<(usize, OpError)>,
        /// The refusal of the open or commit message itself, if that is what failed.
        control: Option<OfError>,
    },
    /// A reply, or one part of a multi-part reply.
    Reply {
        /// Tag of the submission.
        tag: Tag,
        /// The whole message.
        frame: Frame,
        /// Whether more parts follow. After `false` nothing more is reported for this submission.
        more: bool,
    },
    /// A submission will never be answered. What it did to the switch is unknown unless the
    /// failure is [`Failure::Refused`].
    Failed {
        /// Tag of the submission.
        tag: Tag,
        /// Why.
        failure: Failure,
        /// For batches: operations from the start that are known to have been executed (a barrier
        /// behind them was answered). 0 for everything else.
        acknowledged: usize,
        /// For batches and bundles: refusals seen so far.
        errors: Vec<(usize, OpError)>,
    },
    /// A flow monitor update (statistics reply of NXST_FLOW_MONITOR that answers no request).
    MonitorUpdate {
        /// The whole message.
        frame: Frame,
    },
    /// The switch stopped sending monitor updates (NXT_FLOW_MONITOR_PAUSED): what the monitor
    /// told so far is out of date until [`Event::MonitorResumed`].
    MonitorPaused,
    /// Updates are complete again; those sent just before brought the changed flows.
    MonitorResumed,
    /// A message that answers nothing: packet-in, port status, flow removed, a stray error.
    Unsolicited {
        /// The whole message.
        frame: Frame,
    },
    /// The connection is over. Always the last event; every open submission has got its
    /// [`Event::Failed`] before.
    Closed {
        /// Why.
        reason: CloseReason,
    },
}

/// Why one operation of a batch did not take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpError {
    /// The switch answered with an error.
    Refused(OfError),
    /// The message could not be encoded and was never sent.
    Unencodable(EncodeError),
    /// The encoded message is larger than fits (65 535 bytes, 65 519 in a bundle) and was never sent.
    TooLong(usize),
}

impl fmt::Display for OpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => write!(f, "refused by the switch: {error}"),
            Self::Unencodable(error) => write!(f, "not encodable: {error}"),
            Self::TooLong(length) => write!(f, "message of {length} bytes is too long"),
        }
    }
}

impl std::error::Error for OpError {}

/// Why a submission got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The switch answered the request with an error.
    Refused(OfError),
    /// No answer within the deadline; the connection closes after this.
    Timeout,
    /// A later barrier was answered, so the switch processed the request without answering it.
    Unanswered,
    /// The connection closed first; its reason follows in [`Event::Closed`].
    Closed,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => write!(f, "refused by the switch: {error}"),
            Self::Timeout => f.write_str("no answer within the deadline"),
            Self::Unanswered => f.write_str("processed without an answer"),
            Self::Closed => f.write_str("connection closed before the answer"),
        }
    }
}

impl std::error::Error for Failure {}

/// The identity of an ERROR message: its numbers, and its name if the registry has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OfError {
    /// The numbers on the wire.
    pub code: ErrorCode,
    /// The name they have in the version of the connection.
    pub name: Option<OfpError>,
}

impl OfError {
    /// The error with these numbers in `version`.
    pub fn new(version: Version, code: ErrorCode) -> Self {
        let name = OfpError::from_code(version, code);
        Self { code, name }
    }

    /// A standard error of `version`.
    pub fn standard(version: Version, error_type: u16, code: u16) -> Self {
        let code = ErrorCode {
            vendor: 0,
            error_type,
            code,
        };
        Self::new(version, code)
    }

    /// Reads the numbers of an ERROR message (OF1.0 §5.4.4, `nicira-ext.h` for the vendor form,
    /// OF1.2 §A.4.4 for the experimenter form); `None` if it is cut short.
    pub fn of(frame: &Frame) -> Option<Self> {
        const VENDOR_FORM: u16 = 0xb0c2;
        const EXPERIMENTER: u16 = 0xffff;
        let (error_type, code) = (frame.u16_at(8)?, frame.u16_at(10)?);
        let code = match error_type {
            VENDOR_FORM => ErrorCode {
                vendor: frame.u32_at(12)?,
                error_type: frame.u16_at(16)?,
                code: frame.u16_at(18)?,
            },
            EXPERIMENTER => ErrorCode {
                vendor: frame.u32_at(12)?,
                error_type: 0,
                code,
            },
            _ => ErrorCode {
                vendor: 0,
                error_type,
                code,
            },
        };
        Some(Self::new(Version(frame.version()), code))
    }
}

impl fmt::Display for OfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.name {
            return f.write_str(name.name());
        }
        write!(
            f,
            "error type {} code {}",
            self.code.error_type, self.code.code
        )?;
        if self.code.vendor != 0 {
            write!(f, " (vendor {:#010x})", self.code.vendor)?;
        }
        Ok(())
    }
}

impl std::error::Error for OfError {}

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The user asked for it.
    Requested,
    /// End of stream: bridge deleted, daemon restarted, or the switch hung up.
    PeerClosed,
    /// Reading or writing failed; the operating system's error number, 0 if it gave none.
    Io(i32),
    /// The two sides share no version. `offered` is the highest version of the switch.
    Version {
        /// Highest version byte in the peer's hello.
        offered: u8,
    },
    /// The switch refused the hello or a set-up message: not one that speaks the Nicira extensions.
    ForeignSwitch(OfError),
    /// No answer within the deadline.
    Timeout,
    /// Nothing at all was received although a probe was sent.
    Silent,
    /// The bytes do not follow the protocol.
    Protocol(&'static str),
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requested => f.write_str("closed on request"),
            Self::PeerClosed => f.write_str("closed by the switch"),
            Self::Io(number) => write!(f, "input/output error {number}"),
            Self::Version { offered } => {
                write!(f, "no common OpenFlow version, the switch offers {offered}")
            }
            Self::ForeignSwitch(error) => write!(f, "set-up refused by the switch: {error}"),
            Self::Timeout => f.write_str("no answer within the deadline"),
            Self::Silent => f.write_str("the switch does not answer probes"),
            Self::Protocol(what) => write!(f, "protocol violation: {what}"),
        }
    }
}

impl std::error::Error for CloseReason {}
