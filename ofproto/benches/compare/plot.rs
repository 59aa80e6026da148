//! The plot: bars on a logarithmic scale from ten thousand to a thousand million flows per second,
//! the least and greatest samples as a line across the end of each bar.

use std::fmt::Write as _;

use super::Row;
use super::rate::Rate;
use super::table::number;

const LEFT: f64 = 230.0;
const WIDTH: f64 = 560.0;
const POWERS: std::ops::RangeInclusive<i32> = 4..=9;

fn place(rate: f64) -> f64 {
    let (first, last) = (f64::from(*POWERS.start()), f64::from(*POWERS.end()));
    LEFT + WIDTH * ((rate.log10() - first) / (last - first)).clamp(0.0, 1.0)
}

fn bars(row: &Row) -> impl Iterator<Item = (&'static str, Rate, &'static str)> {
    let colour = |name| {
        if name == "os-ken" {
            "#c05621"
        } else {
            "#2f855a"
        }
    };
    let ours = std::iter::once(("this crate", row.ours, "#2b6cb0"));
    let floor = row.floor.map(|rate| ("copying the bytes", rate, "#a0aec0"));
    let other = row.other.map(|(name, rate)| (name, rate, colour(name)));
    ours.chain(floor).chain(other)
}

pub fn svg(rows: &[Row]) -> String {
    let mut body = String::new();
    let mut y = 44.0;
    for row in rows {
        let _ = writeln!(body, "<text x='10' y='{}'>{}</text>", y + 12.0, row.what);
        for (name, rate, colour) in bars(row) {
            let (end, least, greatest) =
                (place(rate.median), place(rate.least), place(rate.greatest));
            let _ = writeln!(
                body,
                "<rect x='{LEFT}' y='{y}' width='{:.1}' height='14' fill='{colour}'/>\
                 <line x1='{least:.1}' y1='{middle}' x2='{greatest:.1}' y2='{middle}' stroke='black'/>\
                 <text x='{:.1}' y='{}'>{} {name}</text>",
                end - LEFT,
                greatest.max(end) + 6.0,
                y + 11.5,
                number(rate.median),
                middle = y + 7.0,
            );
            y += 17.0;
        }
        y += 10.0;
    }
    let mut grid = String::new();
    for power in POWERS {
        let x = place(10f64.powi(power));
        let name = ["10 k", "100 k", "1 M", "10 M", "100 M", "1000 M"];
        let name = usize::try_from(power - POWERS.start())
            .ok()
            .and_then(|at| name.get(at));
        let _ = writeln!(
            grid,
            "<line x1='{x:.1}' y1='34' x2='{x:.1}' y2='{y}' stroke='#ddd'/>\
             <text x='{x:.1}' y='28' text-anchor='middle'>{}</text>",
            name.unwrap_or(&"")
        );
    }
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='960' height='{}' font-family='sans-serif' \
         font-size='12'>\n<rect width='100%' height='100%' fill='white'/>\n\
         <text x='10' y='28'>flows per second, one core</text>\n{grid}{body}</svg>\n",
        y + 10.0
    )
}
