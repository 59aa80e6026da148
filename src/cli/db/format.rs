//! Single values as people read them.

/// A time in µs since the Unix epoch as UTC, to the millisecond.
pub(super) fn time(micros: i64) -> String {
    let (seconds, rest) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!(
        "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{:03}Z",
        rest / 1000
    )
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar: years are counted from 1 March, so that the leap day is
/// the last of its year, in eras of 400 years with 146,097 days.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// A span in µs.
pub(super) fn span(micros: i64) -> String {
    match micros {
        i64::MIN..10_000 => format!("{micros} µs"),
        10_000..10_000_000 => format!("{} ms", micros / 1000),
        10_000_000..600_000_000 => format!("{} s", micros / 1_000_000),
        600_000_000..36_000_000_000 => format!("{} min", micros / 60_000_000),
        _ => format!("{} h", micros / 3_600_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(time(0), "1970-01-01 00:00:00.000Z");
        assert_eq!(time(951_827_696_789_000), "2000-02-29 12:34:56.789Z");
        assert_eq!(time(1_795_185_300_000_000), "2026-11-20 14:35:00.000Z");
        assert_eq!(time(-1), "1969-12-31 23:59:59.999Z");
    }

    #[test]
    fn spans() {
        let shown: Vec<_> = [-5, 900, 20_500, 61_000_000, 700_000_000]
            .into_iter()
            .map(span)
            .collect();
        assert_eq!(shown, ["-5 µs", "900 µs", "20 ms", "61 s", "11 min"]);
    }
}
