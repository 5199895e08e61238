//! Wall time as text.

/// `2026-11-21T03:44:55.824Z` (RFC 3339) of a Unix time in milliseconds.
#[must_use]
pub fn rfc3339(unix_ms: u64) -> String {
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
    let (hour, minute) = (in_day / 3_600_000, in_day / 60_000 % 60);
    let (second, ms) = (in_day / 1_000 % 60, in_day % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// How long ago, for people: `now`, `3 s ago`, `5 min ago`, `2 h ago`, `4 days ago`. A moment to come is `now`: clocks
/// of two nodes differ a little.
#[must_use]
pub fn ago(then_ms: u64, now_ms: u64) -> String {
    let seconds = now_ms.saturating_sub(then_ms) / 1_000;
    match seconds {
        0 => "now".to_owned(),
        1..120 => format!("{seconds} s ago"),
        120..7_200 => format!("{} min ago", seconds / 60),
        7_200..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// `12:00:01 UTC (3 s ago)`, with the date when it was not within the last day.
pub(crate) fn moment(then_ms: u64, now_ms: u64) -> String {
    let text = rfc3339(then_ms);
    let shown =
        if now_ms.saturating_sub(then_ms) < 86_400_000 { &text[11..19] } else { &text[..19] };
    format!("{} UTC ({})", shown.replace('T', " "), ago(then_ms, now_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_people_write_them() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(1_795_232_695_824), "2026-11-21T03:44:55.824Z");
        assert_eq!(moment(1_795_232_695_824, 1_795_232_698_900), "03:44:55 UTC (3 s ago)");
        assert_eq!(
            moment(951_782_400_000, 951_982_400_000),
            "2000-02-29 00:00:00 UTC (2 days ago)"
        );
        assert_eq!(ago(5_000, 4_000), "now");
        assert_eq!(ago(0, 600_000), "10 min ago");
    }
}
