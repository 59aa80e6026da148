//! The final table: how long each port took, from the timeline in the database.

use testbed::PortRow;

/// Prints a line per port and a summary per host. `flows` is the number of flows on each host.
pub fn print(rows: &[PortRow], hosts: &[String], flows: &[usize]) {
    println!(
        "{:<8} {:<10} {:>15} {:>17} {:>14}",
        "port", "id", "seen -> wired", "wired -> ACTIVE", "seen -> ACTIVE"
    );
    for row in rows {
        let id: String = row.id.chars().take(8).collect();
        println!(
            "{:<8} {:<10} {:>15} {:>17} {:>14}",
            row.name,
            id,
            milliseconds(between(row.seen_at, row.wired_at)),
            milliseconds(between(row.wired_at, row.active_at)),
            milliseconds(between(row.seen_at, row.active_at)),
        );
    }
    println!();
    println!(
        "{:<6} {:>5} {:>10} {:>10} {:>10} {:>10} {:>9} {:>6} {:>9}",
        "host",
        "ports",
        "wired p50",
        "wired p99",
        "ACTIVE p50",
        "ACTIVE p99",
        "ports/s",
        "flows",
        "flows/s"
    );
    for (host, n_flows) in hosts.iter().zip(flows) {
        let of_host: Vec<&PortRow> = rows
            .iter()
            .filter(|row| row.host.as_deref() == Some(host))
            .collect();
        let wired = sorted(of_host.iter().map(|row| between(row.seen_at, row.wired_at)));
        let active = sorted(
            of_host
                .iter()
                .map(|row| between(row.seen_at, row.active_at)),
        );
        let first = of_host.iter().filter_map(|row| row.seen_at).min();
        let last_wired = of_host.iter().filter_map(|row| row.wired_at).max();
        let span = between(first, last_wired).map(|us| us as f64 / 1e6);
        println!(
            "{host:<6} {:>5} {:>10} {:>10} {:>10} {:>10} {:>9} {n_flows:>6} {:>9}",
            of_host.len(),
            milliseconds(quantile(&wired, 50)),
            milliseconds(quantile(&wired, 99)),
            milliseconds(quantile(&active, 50)),
            milliseconds(quantile(&active, 99)),
            rate(of_host.len(), span),
            rate(*n_flows, span),
        );
    }
    println!("ports/s and flows/s: from the first port seen to the last one wired");
}

fn between(from: Option<i64>, to: Option<i64>) -> Option<i64> {
    Some(to? - from?)
}

fn milliseconds(us: Option<i64>) -> String {
    us.map_or_else(|| "-".to_owned(), |us| format!("{:.1} ms", us as f64 / 1e3))
}

fn rate(n: usize, seconds: Option<f64>) -> String {
    match seconds {
        Some(seconds) if seconds > 0.0 => format!("{:.0}", n as f64 / seconds),
        _ => "-".to_owned(),
    }
}

fn sorted(values: impl Iterator<Item = Option<i64>>) -> Vec<i64> {
    let mut values: Vec<i64> = values.flatten().collect();
    values.sort_unstable();
    values
}

/// The nearest-rank quantile of sorted values.
fn quantile(sorted: &[i64], percent: usize) -> Option<i64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_rank() {
        let values: Vec<i64> = (1..=20).collect();
        assert_eq!(quantile(&values, 50), Some(10));
        assert_eq!(quantile(&values, 99), Some(20));
        assert_eq!(quantile(&[7], 50), Some(7));
        assert_eq!(quantile(&[], 99), None);
    }
}
