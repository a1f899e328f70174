//! Tokens: same length, same class of each character, one-way.
//!
//! Where a value has fewer than 2^64 alternatives of its form the token is a keyed permutation of them, so that no two
//! values meet in one; above, each character is drawn from an HMAC.

use mynah_message::json;

use super::{Pseudonyms, permute};
use crate::key::SubKey;
use crate::scan::pluses;

/// The alternatives for one character: `size` code points from `base` on; a size of 1 keeps the character.
#[derive(Clone, Copy)]
struct Class {
    base: u32,
    size: u32,
}

impl Class {
    const fn new(base: u8, size: u32) -> Class {
        Class { base: base as u32, size }
    }

    fn keep(code: u32) -> Class {
        Class { base: code, size: 1 }
    }
}

const DIGITS: Class = Class::new(b'0', 10);
const NON_ZERO: Class = Class::new(b'1', 9);

/// Letters of other scripts, each with a stretch of letters that take as many bytes in UTF-8.
const STRETCHES: &[(u32, u32)] = &[
    (0xe0, 23),       // à–ö
    (0xc0, 23),       // À–Ö
    (0x3b1, 17),      // α–ρ
    (0x391, 17),      // Α–Ρ
    (0x430, 32),      // а–я
    (0x410, 32),      // А–Я
    (0x5d0, 27),      // Hebrew
    (0x627, 20),      // Arabic
    (0xe01, 46),      // Thai
    (0x905, 53),      // Devanagari
    (0x3041, 86),     // Hiragana
    (0x30a1, 90),     // Katakana
    (0xac00, 11_172), // Hangul
    (0x4e00, 20_950), // Han
    (0x20000, 42_711),
];

/// Longer values are documents; they are masked in stretches of this many bytes, to bound memory.
const STRETCH: usize = 16 << 10;

/// The token of a value. Who reads a form has a space where others have a plus: that is one secret, and its tokens differ in no more.
pub(super) fn token(pseudonyms: &Pseudonyms, value: &[u8]) -> Vec<u8> {
    if memchr::memchr(b'+', value).is_none() || !is_spaced(value) {
        return drawn(pseudonyms, value);
    }
    let spaced: Vec<u8> = value.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    let mut out = drawn(pseudonyms, &spaced);
    // Both stay where they are.
    for (made, was) in out.iter_mut().zip(value) {
        if *was == b'+' {
            *made = b'+';
        }
    }
    out
}

/// Whether a plus in a value may be a form's space: in base64 it is the other way round.
pub(super) fn is_spaced(value: &[u8]) -> bool {
    let classes = [u8::is_ascii_digit, u8::is_ascii_uppercase, u8::is_ascii_lowercase];
    !(pluses::is_base64(value) && classes.iter().all(|is| value.iter().any(is)))
}

fn drawn(pseudonyms: &Pseudonyms, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while rest.len() > STRETCH {
        // Not within a character.
        let inside = |at: usize| rest.get(at).is_some_and(|b| b & 0xc0 == 0x80);
        let cut = (STRETCH - 4..=STRETCH).rev().find(|at| !inside(*at)).unwrap_or(STRETCH);
        let (head, tail) = rest.split_at(cut);
        out.extend(stretch(pseudonyms, head));
        rest = tail;
    }
    out.extend(stretch(pseudonyms, rest));
    out
}

fn stretch(pseudonyms: &Pseudonyms, value: &[u8]) -> Vec<u8> {
    if is_plain_number(value)
        && let Some(masked) = number(pseudonyms, value)
    {
        return masked;
    }
    let Ok(text) = std::str::from_utf8(value) else {
        let classes: Vec<Class> = value.iter().map(|b| byte_class(*b)).collect();
        let codes: Vec<u32> = value.iter().map(|b| u32::from(*b)).collect();
        return substitute(pseudonyms, value, &classes, &codes, false).iter().map(|c| *c as u8).collect();
    };
    let hex = is_hex(value);
    let codes: Vec<u32> = text.chars().map(u32::from).collect();
    let classes: Vec<Class> = text.chars().map(|c| char_class(c, hex)).collect();
    let masked = substitute(pseudonyms, value, &classes, &codes, hex);
    masked.iter().filter_map(|c| char::from_u32(*c)).collect::<String>().into_bytes()
}

/// Draws for each character another one of its class.
fn substitute(
    pseudonyms: &Pseudonyms,
    value: &[u8],
    classes: &[Class],
    codes: &[u32],
    special: bool,
) -> Vec<u32> {
    if let Some((n, rank)) = rank(classes, codes) {
        // Values of one form share a permutation; those of another form cannot meet them.
        let tweak: Vec<u8> =
            classes.iter().flat_map(|c| [c.base, c.size]).flat_map(u32::to_le_bytes).collect();
        let mut masked = rank;
        loop {
            masked = permute::permute(&pseudonyms.permutation, &tweak, n, masked);
            let out = unrank(classes, masked);
            // What is neither hex nor a number must not become one by chance: there it could meet another value.
            if special || !looks_special(&out) {
                return out;
            }
        }
    }
    let words = pseudonyms.token.stream(value);
    classes.iter().zip(words).map(|(class, word)| class.base + word % class.size).collect()
}

/// The number of alternatives, and which of them this is; `None` above 2^64, or where a character is outside its class.
fn rank(classes: &[Class], codes: &[u32]) -> Option<(u64, u64)> {
    let mut n: u64 = 1;
    let mut rank: u64 = 0;
    for (class, code) in classes.iter().zip(codes) {
        let index = code.checked_sub(class.base).filter(|i| *i < class.size)?;
        n = n.checked_mul(u64::from(class.size))?;
        rank = rank * u64::from(class.size) + u64::from(index);
    }
    // The permutation works on an even number of bits below 64.
    (n < 1 << 62).then_some((n, rank))
}

fn unrank(classes: &[Class], mut rank: u64) -> Vec<u32> {
    let mut out: Vec<u32> = classes
        .iter()
        .rev()
        .map(|class| {
            let index = rank % u64::from(class.size);
            rank /= u64::from(class.size);
            class.base + index as u32
        })
        .collect();
    out.reverse();
    out
}

fn char_class(c: char, hex: bool) -> Class {
    match c {
        '0'..='9' => DIGITS,
        'a'..='z' => Class::new(b'a', if hex { 6 } else { 26 }),
        'A'..='Z' => Class::new(b'A', if hex { 6 } else { 26 }),
        _ if c.is_ascii() || !c.is_alphanumeric() => Class::keep(u32::from(c)),
        _ => {
            let code = u32::from(c);
            let within = STRETCHES.iter().find(|(base, size)| (*base..base + size).contains(&code));
            let (base, size) = within.copied().unwrap_or(match c.len_utf8() {
                2 => STRETCHES[0],
                3 => (0x4e00, 20_950),
                _ => (0x20000, 42_711),
            });
            Class { base, size }
        }
    }
}

fn byte_class(b: u8) -> Class {
    if b.is_ascii() { char_class(char::from(b), false) } else { Class::new(0x80, 128) }
}

/// At least 16 hex digits in one case, with digits and letters, in groups or not.
fn is_hex(value: &[u8]) -> bool {
    let mut digits = 0;
    let mut lower = 0;
    let mut upper = 0;
    for b in value {
        match b {
            b'0'..=b'9' => digits += 1,
            b'a'..=b'f' => lower += 1,
            b'A'..=b'F' => upper += 1,
            b'-' | b':' | b'{' | b'}' => {}
            _ => return false,
        }
    }
    digits + lower + upper >= 16 && digits > 0 && (lower == 0) != (upper == 0)
}

fn looks_special(codes: &[u32]) -> bool {
    if codes.iter().any(|c| *c > 0x7f) {
        return false;
    }
    let text: Vec<u8> = codes.iter().map(|c| *c as u8).collect();
    is_hex(&text) || is_plain_number(&text)
}

/// A number as JSON writes it, without an exponent.
fn is_plain_number(value: &[u8]) -> bool {
    json::is_number(value) && !value.iter().any(|b| matches!(b, b'e' | b'E'))
}

/// Bounds that programs have for whole numbers; a masked number stays between the same two.
const BOUNDS: &[u64] = &[i32::MAX as u64, u32::MAX as u64, (1 << 53) - 1, i64::MAX as u64, u64::MAX];

/// The token of a number: as many digits, no leading zero where there was none, within the bounds of the same machine type.
/// `None` for a number of more digits than the permutation takes.
fn number(pseudonyms: &Pseudonyms, value: &[u8]) -> Option<Vec<u8>> {
    let sign = usize::from(value.starts_with(b"-"));
    let digits = &value[sign..];
    if digits.iter().all(u8::is_ascii_digit) && digits.len() > 1 {
        let x: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
        let power = 10_u64.checked_pow(digits.len() as u32 - 1)?;
        let low = BOUNDS.iter().filter(|b| **b < x).map(|b| b + 1).max().unwrap_or(0).max(power);
        let high = BOUNDS.iter().copied().find(|b| *b >= x)?.min(power.checked_mul(10)? - 1);
        let n = (high - low).checked_add(1).filter(|n| *n < 1 << 63)?;
        let masked = low + permute::permute(&pseudonyms.permutation, b"number", n, x - low);
        return Some([&value[..sign], masked.to_string().as_bytes()].concat());
    }
    let mut first = true;
    let classes: Vec<Class> = value
        .iter()
        .enumerate()
        .map(|(i, b)| {
            if !b.is_ascii_digit() {
                return Class::keep(u32::from(*b));
            }
            let leading = std::mem::take(&mut first);
            match (leading, b, value.get(i + 1)) {
                // The zero of 0.5 stays; a lone digit may become any other.
                (true, b'0', Some(_)) => Class::keep(u32::from(*b)),
                (true, _, Some(_)) => NON_ZERO,
                _ => DIGITS,
            }
        })
        .collect();
    let codes: Vec<u32> = value.iter().map(|b| u32::from(*b)).collect();
    Some(substitute(pseudonyms, value, &classes, &codes, true).iter().map(|c| *c as u8).collect())
}

/// The token of a date (`1985-07-21`, `19850721`, `21.7.1985`, `07/21/1985`): another day of the hundred years from 1920 on, written
/// alike, with what follows the day kept. A day up to the twelfth stays one, and a later one later, so that what can be read as day
/// and month and as month and day is a date in both. `None` when the value does not begin with such a day.
pub(super) fn date(key: &SubKey, value: &[u8]) -> Option<Vec<u8>> {
    const FIRST: i64 = -18_262; // 1920-01-01, in days since 1970-01-01
    const DAYS: u64 = 36_525;
    let Some(written) = Written::parse(value) else { return year(key, value) };
    let mut x = u64::try_from(written.days - FIRST).ok().filter(|x| *x < DAYS)?;
    let early = written.date.2 <= 12;
    loop {
        x = permute::permute(key, b"day", DAYS, x);
        let date = civil_from_days(FIRST + x as i64);
        if (date.2 <= 12) == early {
            return Some([written.write(date).as_slice(), &value[written.len..]].concat());
        }
    }
}

/// The token of a year by itself.
fn year(key: &SubKey, value: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.len() == 4)?;
    let x = text.parse::<u64>().ok()?.checked_sub(1920).filter(|x| *x < 100)?;
    Some((1920 + permute::permute(key, b"year", 100, x)).to_string().into_bytes())
}

/// Whether a value begins with a day that exists (`1985-07-21`, `19850721`, `21.7.1985`), with nothing but a time behind it.
pub(crate) fn is_date(value: &[u8]) -> bool {
    Written::parse(value).is_some()
}

/// What is written first: of year, month and day.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Year,
    Day,
    Month,
}

/// A day as it is written.
struct Written {
    /// Since 1970-01-01.
    days: i64,
    /// Year, month, day.
    date: (i64, i64, i64),
    order: Order,
    /// Between them; none in `19850721`.
    separator: Option<u8>,
    /// Whether months and days below ten have a zero in front.
    padded: bool,
    /// Bytes that it takes.
    len: usize,
}

impl Written {
    fn parse(value: &[u8]) -> Option<Written> {
        let number = |text: &[u8]| -> Option<i64> {
            let digits = Some(text).filter(|d| !d.is_empty() && d.iter().all(u8::is_ascii_digit))?;
            std::str::from_utf8(digits).ok()?.parse().ok()
        };
        let len = value.iter().position(|b| matches!(b, b'T' | b' ')).unwrap_or(value.len());
        let text = &value[..len];
        let separator = text.iter().copied().find(|b| matches!(b, b'-' | b'.' | b'/'));
        let (parts, order): ([&[u8]; 3], Order) = match separator {
            None if text.len() == 8 && len == value.len() => {
                ([&text[..4], &text[4..6], &text[6..]], Order::Year)
            }
            None => return None,
            Some(separator) => {
                let mut parts = text.split(|b| *b == separator);
                let [one, two, three] = [parts.next()?, parts.next()?, parts.next()?];
                if parts.next().is_some() || [one, two, three].iter().any(|part| part.len() > 4) {
                    return None;
                }
                if one.len() == 4 {
                    ([one, two, three], Order::Year)
                } else if separator == b'/' && number(one)? <= 12 {
                    ([three, one, two], Order::Month)
                } else {
                    ([three, two, one], Order::Day)
                }
            }
        };
        let [year, month, day] = parts;
        if year.len() != 4 || !(1..=2).contains(&month.len()) || !(1..=2).contains(&day.len()) {
            return None;
        }
        let date = (number(year)?, number(month)?, number(day)?);
        let days = days_from_civil(date.0, date.1, date.2);
        let padded = month.len() == 2 && day.len() == 2;
        // Only days that exist come back as they were.
        ((1..=12).contains(&date.1) && civil_from_days(days) == date).then_some(Written {
            days,
            date,
            order,
            separator,
            padded,
            len,
        })
    }

    /// Another day, written alike.
    fn write(&self, (year, month, day): (i64, i64, i64)) -> Vec<u8> {
        let two = |n: i64| if self.padded { format!("{n:02}") } else { n.to_string() };
        let (month, day) = (two(month), two(day));
        let separator = self.separator.map(|b| char::from(b).to_string()).unwrap_or_default();
        let parts = match self.order {
            Order::Year => [format!("{year:04}"), month, day],
            Order::Day => [day, month, format!("{year:04}")],
            Order::Month => [month, day, format!("{year:04}")],
        };
        parts.join(&separator).into_bytes()
    }
}

/// Days since 1970-01-01 of a Gregorian day (Hinnant, "chrono-compatible low-level date algorithms").
pub(crate) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The opposite of [`days_from_civil`].
pub(crate) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}
