//! Rows of the table: medians with their spread at both sizes.

use std::time::Duration;

#[derive(Clone, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    pub fn add(&mut self, took: Duration) {
        self.0.push(took.as_secs_f64() * 1e3);
    }

    pub fn number(&mut self, number: f64) {
        self.0.push(number);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn sorted(&self) -> Vec<f64> {
        let mut list = self.0.clone();
        list.sort_by(f64::total_cmp);
        list
    }

    /// Median, least and greatest.
    pub fn spread(&self) -> Option<[f64; 3]> {
        let list = self.sorted();
        Some(
            [
                list.get((list.len().max(1) - 1) / 2)?,
                list.first()?,
                list.last()?,
            ]
            .map(|n| *n),
        )
    }

    fn text(&self) -> String {
        let Some([median, least, greatest]) = self.spread() else {
            return String::new();
        };
        let one = list_number;
        if self.0.len() == 1 {
            return one(median);
        }
        format!("{} ({} to {})", one(median), one(least), one(greatest))
    }
}

/// Two significant digits where it is small.
fn list_number(n: f64) -> String {
    match n {
        n if n >= 100.0 => format!("{n:.0}"),
        n if n >= 10.0 => format!("{n:.1}"),
        n if n >= 1.0 => format!("{n:.2}"),
        n => format!("{n:.3}"),
    }
}

/// One line: what, at the small size and at the large one.
pub struct Row {
    pub what: String,
    pub at: [Samples; 2],
    /// Whether the two are to be compared.
    pub compared: bool,
    /// Whether it is a time.
    pub is_time: bool,
}

impl Row {
    pub fn new(what: impl Into<String>) -> Row {
        Row {
            what: what.into(),
            at: Default::default(),
            compared: false,
            is_time: true,
        }
    }

    fn ratio(&self) -> String {
        match (self.at[0].spread(), self.at[1].spread()) {
            (Some([small, ..]), Some([large, ..])) if self.compared => {
                format!("{:.2}", large / small)
            }
            _ => String::new(),
        }
    }
}

/// As Markdown.
pub fn markdown(sizes: [u128; 2], rows: &[Row]) -> String {
    let mut text = format!(
        "| milliseconds | {} security-group rules | {} | ratio |\n|---|---|---|---|\n",
        sizes[0], sizes[1]
    );
    for row in rows {
        let [small, large] = row.at.each_ref().map(Samples::text);
        text += &format!("| {} | {small} | {large} | {} |\n", row.what, row.ratio());
    }
    text
}
