//! Wall time as text, in the two forms that Nacos uses.

/// Year, month, day, weekday (0 = Sunday), hour, minute, second, milliseconds of a Unix time in milliseconds.
fn civil(unix_ms: u64) -> (u64, usize, u64, usize, u64, u64, u64, u64) {
    let (days, in_day) = (unix_ms / 86_400_000, unix_ms % 86_400_000);
    // Days are counted from 0000-03-01, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let weekday = (days + 4) % 7;
    let (hour, minute) = (in_day / 3_600_000, in_day / 60_000 % 60);
    (year, month as usize, day, weekday as usize, hour, minute, in_day / 1_000 % 60, in_day % 1_000)
}

/// `2026-11-21T03:44:55.824+00:00`, as in the framework's error bodies.
pub(crate) fn iso(unix_ms: u64) -> String {
    let (year, month, day, _, hour, minute, second, ms) = civil(unix_ms);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}+00:00")
}

/// `20261121034455`, as in the names of files.
pub(crate) fn digits(unix_ms: u64) -> String {
    let (year, month, day, _, hour, minute, second, _) = civil(unix_ms);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
}

/// `Sat, 21 Nov 2026 03:44:53 GMT`, as in `Last-Modified` (RFC 9110 §5.6.7).
pub(crate) fn http(unix_ms: u64) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day, weekday, hour, minute, second, _) = civil(unix_ms);
    let (weekday, month) = (DAYS[weekday], MONTHS[month - 1]);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_nacos_writes_them() {
        for (unix_ms, iso_text, http_text) in [
            (0, "1970-01-01T00:00:00.000+00:00", "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_400_000, "2000-02-29T00:00:00.000+00:00", "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_795_232_693_996, "2026-11-21T03:44:53.996+00:00", "Sat, 21 Nov 2026 03:44:53 GMT"),
        ] {
            assert_eq!((iso(unix_ms).as_str(), http(unix_ms).as_str()), (iso_text, http_text));
        }
    }
}
