//! How numbers are written, in the table and in the page alike.

/// Milliseconds with as many decimals as tell something: `0.412`, `7.31`, `84.2`, `1250`.
pub(crate) fn ms(value: f64) -> String {
    match value {
        v if v >= 1000.0 => format!("{v:.0}"),
        v if v >= 100.0 => format!("{v:.1}"),
        v if v >= 10.0 => format!("{v:.2}"),
        v => format!("{v:.3}"),
    }
}

/// A rate by second: `0.25`, `33.3`, `12400`.
pub(crate) fn rate(value: f64) -> String {
    match value {
        v if v >= 1000.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

/// A share (0–1) in percent. Neither 0 nor 100 is written for what only comes near it.
pub(crate) fn percent(share: f64) -> String {
    let value = share * 100.0;
    if share > 0.0 && value < 0.01 {
        "<0.01%".to_owned()
    } else if share < 1.0 && value > 99.99 {
        ">99.99%".to_owned()
    } else if value == 0.0 || (share - 1.0).abs() < f64::EPSILON {
        format!("{value:.0}%")
    } else {
        format!("{value:.2}%")
    }
}

/// A count with its thousands set apart: `1 234 567`.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            // A narrow no-break space: the figure never falls apart at a line's end.
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// `1 session`, `2 sessions`.
pub(crate) fn plural(value: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(value), if value == 1 { "" } else { "s" })
}

/// A share of a whole that may be zero.
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// A name from traffic, for people: what would move the cursor, end the line or turn the reading direction is shown as `�`, and of
/// more than `most` characters the middle is left out.
pub(crate) fn shown(text: &str, most: usize) -> String {
    let unruly = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let plain = |c: char| if unruly(c) { '\u{fffd}' } else { c };
    let length = text.chars().count();
    if length <= most {
        return text.chars().map(plain).collect();
    }
    let tail = most / 4;
    let head = most.saturating_sub(tail + 1);
    let begin = text.chars().take(head);
    begin.chain(['…']).chain(text.chars().skip(length - tail)).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_rounded_away() {
        assert_eq!(
            [ms(0.4121), ms(7.3109), ms(84.216), ms(123.44), ms(1250.4)],
            ["0.412", "7.311", "84.22", "123.4", "1250"]
        );
        assert_eq!(
            [percent(0.0), percent(0.000_01), percent(0.995), percent(0.999_999), percent(1.0)],
            ["0%", "<0.01%", "99.50%", ">99.99%", "100%"]
        );
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(shown("GET /\u{1b}[2J\u{202e}x\n", 40), "GET /\u{fffd}[2J\u{fffd}x\u{fffd}");
        assert_eq!(shown("0123456789abcdef", 9), "012345…ef");
        assert_eq!([plural(1, "user"), plural(0, "user")], ["1 user", "0 users"]);
    }
}
