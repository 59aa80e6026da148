//! What a command prints: tables for people, JSON for programs.

use std::io::{self, Write};

use serde::Serialize;

use super::failure::Failure;

/// `--json`
#[derive(clap::Args, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Output {
    /// Print JSON instead of text for people
    #[arg(long)]
    pub json: bool,
}

impl Output {
    /// Prints a value: as JSON if asked for, else as the text that the function makes of it.
    pub fn print<T: Serialize>(
        self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        if self.json {
            let json = serde_json::to_string_pretty(value).map_err(|e| Failure::failed(&e))?;
            say(&json)
        } else {
            say(text(value).trim_end_matches('\n'))
        }
    }
}

/// Writes lines to standard output. A reader that has gone (`| head`) is no error.
pub fn say(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::failed(&error)),
        _ => Ok(()),
    }
}

/// Columns of text, as wide as their widest cell; the last one is not filled up.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub fn new<const N: usize>(headings: [&str; N]) -> Table {
        Table {
            rows: vec![headings.iter().map(ToString::to_string).collect()],
        }
    }

    /// Adds a row. A line break in a cell becomes a space, an empty cell a dash.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        let clean = |cell: String| match cell.is_empty() {
            true => "-".to_owned(),
            false => cell.replace(['\n', '\r', '\t'], " "),
        };
        self.rows.push(cells.into_iter().map(clean).collect());
    }

    /// Leaves a column out.
    pub fn drop_column(&mut self, heading: &str) {
        let at = self
            .rows
            .first()
            .and_then(|row| row.iter().position(|h| h == heading));
        if let Some(at) = at {
            for row in &mut self.rows {
                row.remove(at);
            }
        }
    }

    /// `true` if it has only headings.
    pub fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    /// The text, with a line break after each row.
    pub fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |c| {
            self.rows
                .iter()
                .filter_map(|r| r.get(c))
                .map(|t: &String| t.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width + 2 - cell.chars().count()));
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(["PART", "STATE", "DETAIL"]);
        assert!(table.is_empty());
        table.row(["flows br-int".into(), "up".into(), String::new()]);
        table.row(["é".into(), "down".into(), "no\nroute".into()]);
        assert_eq!(
            table.text(),
            "PART          STATE  DETAIL\nflows br-int  up     -\né             down   no route\n"
        );
    }
}
