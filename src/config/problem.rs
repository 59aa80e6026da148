//! What can be wrong with a configuration, in words that say where and what to do.

use std::fmt;
use std::path::Path;

use super::ini::Place;

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The file, and the line if there is one.
    pub place: Option<Place>,
    /// What is wrong, and what is allowed.
    pub text: String,
}

impl Problem {
    pub(super) fn syntax(place: Place, line: &str, why: &str) -> Problem {
        Problem {
            place: Some(place),
            text: format!("cannot understand {line:?}: {why}"),
        }
    }

    pub(super) fn unreadable(file: &Path, why: &std::io::Error) -> Problem {
        let hint = match why.kind() {
            std::io::ErrorKind::NotFound => "create it, or name another file with --config FILE",
            std::io::ErrorKind::PermissionDenied => {
                "run as a user who may read it, or correct its permissions"
            }
            _ => "name a readable text file with --config FILE",
        };
        Problem {
            place: None,
            text: format!(
                "cannot read the configuration file {}: {why}: {hint}",
                file.display()
            ),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.text),
            None => write!(f, "{}", self.text),
        }
    }
}

/// Everything that is wrong, at once. Never empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError(pub Vec<Problem>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => write!(f, "{one}"),
            many => {
                write!(f, "{} problems in the configuration:", many.len())?;
                many.iter()
                    .try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

impl std::error::Error for ConfigError {}
