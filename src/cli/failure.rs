//! How a command ends when it does not succeed.

use std::error::Error;
use std::fmt::Write;
use std::process::ExitCode;

/// A failure: what the caller's script sees, and what a person reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The class.
    pub kind: Kind,
    /// In words, with every cause.
    pub text: String,
}

/// Classes of failures, each with an exit code of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// 1: it was tried and did not work.
    Failed,
    /// 2: the command line or the configuration is wrong; nothing was tried.
    Usage,
    /// 3: no agent is running, or it cannot be reached.
    NoAgent,
    /// 4: what was asked for does not exist.
    NotFound,
    /// 5: another vifd works on this host.
    Busy,
}

/// Shown below every `--help`.
pub const EXIT_CODES: &str = "\
Exit codes: 0 success · 1 failed · 2 wrong command line or configuration · 3 no agent is running ·
4 no such object · 5 another vifd works on this host";

impl Failure {
    /// A failure with its chain of causes.
    pub fn new(kind: Kind, error: &dyn Error) -> Failure {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            // Writing into a String cannot fail.
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        Failure { kind, text }
    }

    /// A failure in words.
    pub fn text(kind: Kind, text: impl Into<String>) -> Failure {
        Failure {
            kind,
            text: text.into(),
        }
    }

    /// Something was tried and did not work.
    pub fn failed(error: &dyn Error) -> Failure {
        Failure::new(Kind::Failed, error)
    }

    /// Its exit code.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self.kind {
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::NoAgent => 3,
            Kind::NotFound => 4,
            Kind::Busy => 5,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn causes_are_told_in_order() {
        let error = Outer(std::io::Error::other("inner"));
        assert_eq!(Failure::failed(&error).text, "outer: inner");
    }
}
