//! Durations, rates and sizes as people write them: `30s`, `1.5ms`, `2m`, `16MiB`.

use crate::{Error, Nanos};

const TIME_UNITS: &[(&str, f64)] = &[
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("min", 60e9),
    ("h", 3600e9),
    ("d", 86400e9),
];

/// Splits `12.5ms` into `12.5` and `ms`.
pub fn split_number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let number: f64 = text.get(..end)?.parse().ok()?;
    Some((number, text.get(end..)?.trim()))
}

/// Reads a duration with its unit: `ns`, `us`, `ms`, `s`, `m`, `h`, `d`; `0` needs none. Several may follow each other: `1m30s`.
///
/// # Errors
/// [`Error::Syntax`] when it is not one.
pub fn parse_duration(text: &str) -> Result<Nanos, Error> {
    let wrong =
        || Error::syntax("duration", text, "expected a number with a unit, such as 500ms, 30s, 5m or 1h");
    let mut rest = text.trim();
    if rest == "0" {
        return Ok(Nanos(0));
    }
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let (number, tail) = split_number(rest).ok_or_else(wrong)?;
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, next) = tail.split_at(unit_end);
        let (_, factor) = TIME_UNITS.iter().find(|(name, _)| *name == unit.trim()).ok_or_else(wrong)?;
        total += number * factor;
        rest = next;
    }
    if total > u64::MAX as f64 { Err(wrong()) } else { Ok(Nanos(total.round() as u64)) }
}

/// Writes a duration with at most three significant figures after the leading ones: `1.25s`, `850ms`, `5m`, `1m 30s`.
pub fn format_duration(span: Nanos) -> String {
    let ns = span.0;
    let decimals = |value: f64, unit: &str| {
        let text = if value >= 100.0 {
            format!("{value:.0}")
        } else if value >= 10.0 {
            format!("{value:.1}")
        } else {
            format!("{value:.2}")
        };
        let text = if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        };
        format!("{text}{unit}")
    };
    match ns {
        0 => "0".to_owned(),
        1..1_000 => format!("{ns}ns"),
        1_000..1_000_000 => decimals(ns as f64 / 1e3, "us"),
        1_000_000..1_000_000_000 => decimals(ns as f64 / 1e6, "ms"),
        1_000_000_000..60_000_000_000 => decimals(ns as f64 / 1e9, "s"),
        _ => {
            let seconds = (ns + 500_000_000) / 1_000_000_000;
            let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
            let parts = [(hours, "h"), (minutes, "m"), (seconds, "s")];
            let shown: Vec<String> =
                parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
            shown.join("")
        }
    }
}

const SIZE_UNITS: &[(&str, f64)] = &[
    ("", 1.0),
    ("B", 1.0),
    ("kB", 1e3),
    ("KB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
];

/// Reads a size in bytes: `4096`, `1kB`, `16MiB`, `1GB`.
///
/// # Errors
/// [`Error::Syntax`] when it is not one.
pub fn parse_size(text: &str) -> Result<u64, Error> {
    let wrong = || Error::syntax("size", text, "expected a size such as 4096, 16MiB or 1GB");
    let (number, unit) = split_number(text.trim()).ok_or_else(wrong)?;
    let (_, factor) = SIZE_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    Ok((number * factor) as u64)
}

/// Writes a count of bytes: `812 B`, `1.4 KiB`, `3.0 MiB`.
pub fn format_bytes(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", units[unit]) }
}

/// Writes a moment as RFC 3339 in UTC, to the millisecond: `2026-11-20T09:15:00.125Z`.
pub fn format_time(time: Nanos) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(time.0)).map(|time| format!("{time:.3}")).unwrap_or_default()
}

/// Reads a moment in RFC 3339 (as HAR's `startedDateTime`); `None` when it is none or lies before 1970.
pub fn parse_time(text: &str) -> Option<Nanos> {
    let time: jiff::Timestamp = text.trim().parse().ok()?;
    u64::try_from(time.as_nanosecond()).ok().map(Nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_written() {
        for (text, ns) in [
            ("0", 0),
            ("30s", 30_000_000_000),
            ("1.5ms", 1_500_000),
            ("1m30s", 90_000_000_000),
            ("2h", 7_200_000_000_000),
            ("7 us", 7_000),
        ] {
            assert_eq!(parse_duration(text).unwrap(), Nanos(ns), "{text}");
        }
        for text in ["", "5", "s", "5 parsecs", "-1s", "1..2s", "1e9s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_written_as_they_are_read() {
        for text in ["0", "850ms", "1.25s", "5m", "1m30s", "2h", "12us", "1h1s"] {
            assert_eq!(format_duration(parse_duration(text).unwrap()), text);
        }
    }

    #[test]
    fn moments() {
        let time = parse_time("2026-11-20T10:15:00.125+01:00").unwrap();
        assert_eq!(format_time(time), "2026-11-20T09:15:00.125Z");
        assert_eq!(parse_time("1900-01-01T00:00:00Z"), None);
        assert_eq!(parse_time("yesterday"), None);
    }

    #[test]
    fn bytes() {
        for (text, bytes) in [("4096", 4096), ("16MiB", 16 << 20), ("1.5GB", 1_500_000_000), ("1 kB", 1000)] {
            assert_eq!(parse_size(text).unwrap(), bytes, "{text}");
        }
        for text in ["", "many", "5 bananas", "-1"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
        assert_eq!(format_bytes(812), "812 B");
        assert_eq!(format_bytes(1_500_000), "1.4 MiB");
    }
}
