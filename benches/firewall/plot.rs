//! The plot: bars on a logarithmic scale from 10 µs to 10 s at the large size, least and greatest sample as a line across
//! the end of each bar.

use std::fmt::Write as _;

use crate::table::Row;

const LEFT: f64 = 370.0;
const WIDTH: f64 = 420.0;
/// Powers of ten, in milliseconds.
const POWERS: std::ops::RangeInclusive<i32> = -2..=4;
const NAMES: [&str; 7] = ["10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s"];

fn place(ms: f64) -> f64 {
    let (first, last) = (f64::from(*POWERS.start()), f64::from(*POWERS.end()));
    LEFT + WIDTH * ((ms.log10() - first) / (last - first)).clamp(0.0, 1.0)
}

fn colour(what: &str) -> &'static str {
    match what {
        _ if what.starts_with("vifd") => "#2b6cb0",
        _ if what.starts_with("floor") => "#a0aec0",
        _ => "#c05621",
    }
}

pub fn svg(size: u128, rows: &[Row]) -> String {
    let mut body = String::new();
    let mut y = 54.0;
    for row in rows.iter().filter(|row| row.is_time) {
        let Some([median, least, greatest]) = row.at[1].spread() else {
            continue;
        };
        let [end, least, greatest] = [median, least, greatest].map(place);
        let middle = y + 7.0;
        let text = if median < 1.0 {
            format!("{:.0} µs", median * 1e3)
        } else {
            format!("{median:.1} ms")
        };
        let _ = writeln!(
            body,
            "<text x='10' y='{base}'>{}</text>\
             <rect x='{LEFT}' y='{y}' width='{:.1}' height='14' fill='{}'/>\
             <line x1='{least:.1}' y1='{middle}' x2='{greatest:.1}' y2='{middle}' stroke='black'/>\
             <text x='{:.1}' y='{base}'>{text}</text>",
            row.what,
            end - LEFT,
            colour(&row.what),
            greatest.max(end) + 6.0,
            base = y + 11.5,
        );
        y += 19.0;
    }
    let mut grid = String::new();
    for (power, name) in POWERS.zip(NAMES) {
        let x = place(10f64.powi(power));
        let _ = writeln!(
            grid,
            "<line x1='{x:.1}' y1='44' x2='{x:.1}' y2='{y}' stroke='#ddd'/>\
             <text x='{x:.1}' y='40' text-anchor='middle'>{name}</text>"
        );
    }
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='900' height='{}' font-family='sans-serif' \
         font-size='12'>\n<rect width='100%' height='100%' fill='white'/>\n\
         <text x='10' y='18'>time until the kernel holds it, at {size} security-group rules: less is better</text>\n\
         {grid}{body}</svg>\n",
        y + 10.0
    )
}
