//! What evidently holds nothing: most values in heads, and what stands between them. To say so takes less time than to look at a
//! value, or to find it among those that were looked at before. In doubt these say no.

use std::ops::Range;

use super::opened::Opened;
use super::value::{DATA, SHORTEST};
use super::{Scanner, signature};
use crate::detect::signs::Look;
use crate::detect::{self, Detectors, words};
use crate::names::Rule;

impl Scanner<'_> {
    /// Whether it shows in a field line that there is nothing in it but perhaps what was learnt: by its name, or by the form of its
    /// value. Where names and detectors alone say what is sensitive, that is.
    pub(super) fn is_clean_field(
        &mut self,
        head: &[u8],
        line: &Range<usize>,
        name: &Range<usize>,
        value: &Range<usize>,
    ) -> bool {
        let (Some(before), Some(name), Some(value)) =
            (head.get(line.start..value.start), head.get(name.clone()), head.get(value.clone()))
        else {
            return false;
        };
        if !is_name(before) || has_pieces(name) {
            return false;
        }
        let rule = self.memo.name(&self.policy.names, name).rule;
        if signature::is_field(name) {
            return false;
        }
        match rule {
            // A value that goes over several lines is another one.
            Some(Rule::Keep) => memchr::memchr(b'\n', value).is_none(),
            Some(Rule::Without(without)) => self.is_quiet(value, self.policy.detectors.without(without)),
            None => self.is_quiet(value, self.policy.detectors),
            Some(_) => false,
        }
    }

    /// Whether there is nothing in a value but perhaps what was learnt: nothing that could be opened, and nothing for these detectors.
    fn is_quiet(&self, value: &[u8], detectors: Detectors) -> bool {
        if value.len() < SHORTEST || is_moment(value) || words::holds_nothing(value) {
            return true;
        }
        let look = Look::of(value);
        let signs = look.signs();
        let opens = signs.has_brace()
            || signs.has_angle()
            || signs.has_line_break()
            || signs.has_percent()
            || signs.has_ampersand()
            || signs.has_backslash()
            || signs.may_hold_url();
        // JSON, credentials behind a scheme, and what says itself that it is in base64.
        let begins = matches!(value.trim_ascii_start().first(), Some(b'[' | b'B' | b'b') | None)
            || value.starts_with(DATA);
        !opens
            && !begins
            && look.possible(detectors) == Detectors::NONE
            && (!signs.may_be_enclosed() || matches!(Opened::of(value, &self.policy.limits), Ok(None)))
    }

    /// Whether what lies between two values of a head is what always lies there.
    pub(super) fn is_quiet_gap(&self, gap: &[u8]) -> bool {
        is_name(gap)
            || is_bare_name(gap)
            || matches!(gap, b" HTTP/1.1" | b" HTTP/1.0")
            || self.is_quiet(gap, self.policy.detectors)
    }
}

/// Fields whose values are taken apart, or whose place says more than their name.
fn has_pieces(name: &[u8]) -> bool {
    let those: &[&[u8]] = match name.len() {
        6 => &[b"cookie"],
        8 => &[b"location"],
        10 => &[b"set-cookie"],
        16 => &[b"content-location"],
        _ => return false,
    };
    those.iter().any(|that| name.eq_ignore_ascii_case(that))
}

/// Whether what lies between two values of a head is the name of a field, of letters and dashes, which can give itself away only by
/// being known.
fn is_name(gap: &[u8]) -> bool {
    let Some(name) = gap.strip_prefix(b"\r\n").and_then(|line| line.strip_suffix(b": ")) else {
        return false;
    };
    name.iter().all(|b| b.is_ascii_alphabetic() || *b == b'-')
}

/// The same of the name of a cookie or of a query's value, of small letters.
fn is_bare_name(gap: &[u8]) -> bool {
    let name = match gap {
        [b';', b' ', name @ .., b'='] | [b'?' | b'&', name @ .., b'='] => name,
        _ => return false,
    };
    name.len() < 64 && name.iter().all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'-'))
}

/// A date as heads have it: `Sun, 06 Nov 1994 08:49:37 GMT`, [RFC 9110 §5.6.7](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7);
/// or as everybody else has it.
fn is_moment(value: &[u8]) -> bool {
    const FORM: &[u8; 29] = b"Aaa, 00 Aaa 0000 00:00:00 GMT";
    let Ok(date) = <&[u8; 29]>::try_from(value) else { return detect::is_moment(value) };
    date.iter().zip(FORM).all(|(b, form)| match form {
        b'A' => b.is_ascii_uppercase(),
        b'a' => b.is_ascii_lowercase(),
        b'0' => b.is_ascii_digit(),
        same => b == same,
    }) || detect::is_moment(value)
}
