//! Text that cannot be understood, and where.

use std::borrow::Cow;
use std::fmt;

/// What is wrong with a text, and at which column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError {
    at: usize,
    what: Cow<'static, str>,
}

impl TextError {
    pub(crate) fn new(at: usize, what: impl Into<Cow<'static, str>>) -> Self {
        Self {
            at,
            what: what.into(),
        }
    }

    /// Byte offset of the offending part from the start of the text.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.at
    }

    /// What is wrong there.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// The text with a marker under the offending column, over several lines:
    ///
    /// ```text
    /// tcp,nw_src=10.0.0.300,actions=drop
    ///            ^
    /// column 12: 10.0.0.300 is not an IPv4 address
    /// ```
    #[must_use]
    pub fn pointing_into(&self, text: &str) -> String {
        let before = text.get(..self.at).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let rest = text.get(line_start..).unwrap_or("");
        let line = rest.lines().next().unwrap_or("");
        let width = before.get(line_start..).unwrap_or("").chars().count();
        format!(
            "{line}\n{:width$}^\ncolumn {}: {}",
            "",
            width + 1,
            self.what
        )
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.at + 1, self.what)
    }
}

impl std::error::Error for TextError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_stands_under_the_column() {
        let text = "tcp,nw_src=10.0.0.300,actions=drop";
        let error = TextError::new(11, "bad address");
        let lines = error.pointing_into(text);
        let mut lines = lines.lines();
        assert_eq!(lines.next(), Some(text));
        assert_eq!(lines.next(), Some("           ^"));
        assert_eq!(lines.next(), Some("column 12: bad address"));
        assert_eq!(error.to_string(), "column 12: bad address");
        // Offsets beyond the text (its end) are fine.
        assert!(
            TextError::new(500, "x")
                .pointing_into("ab\ncd")
                .starts_with("cd\n")
        );
    }
}
