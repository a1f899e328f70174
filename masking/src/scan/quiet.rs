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
    /// value; `None` where it does not. Where names and detectors alone say what is sensitive, that is. Says whether there are only
    /// words in it: what has digits is probably another one in each head.
    pub(super) fn clean_field(
        &mut self,
        head: &[u8],
        line: &Range<usize>,
        name: &Range<usize>,
        value: &Range<usize>,
    ) -> Option<bool> {
        let (Some(before), Some(name), Some(value)) =
            (head.get(line.start..value.start), head.get(name.clone()), head.get(value.clone()))
        else {
            return None;
        };
        if !is_name(before) || has_pieces(name) {
            return None;
        }
        let rule = self.memo.name(&self.policy.names, name).rule;
        if signature::is_field(name) {
            return None;
        }
        let clean = match rule {
            // A value that goes over several lines is another one.
            Some(Rule::Keep) => memchr::memchr(b'\n', value).is_none(),
            Some(Rule::Without(without)) => self.is_quiet(value, self.policy.detectors.without(without)),
            None => self.is_quiet(value, self.policy.detectors),
            Some(_) => false,
        };
        // All of it at once, rather than up to the first.
        clean.then(|| !value.iter().fold(false, |any, b| any | b.is_ascii_digit()))
    }

    /// Whether there is nothing in a value but perhaps what was learnt: nothing that could be opened, and nothing for these detectors.
    pub(super) fn is_quiet(&self, value: &[u8], detectors: Detectors) -> bool {
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
    let ([b';', b' ', name @ .., b'='] | [b'?' | b'&', name @ .., b'=']) = gap else { return false };
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

#[cfg(test)]
mod tests {
    use mynah_message::Head;
    use proptest::prelude::*;

    use super::super::{Context, Patch};
    use super::*;
    use crate::learned::Learning;
    use crate::memo::Memo;
    use crate::policy::Policy;

    /// What is found in a value, and whether anything was met or opened on the way.
    fn found(value: &[u8], rule: Option<Rule>, between: bool) -> (Vec<Patch>, bool) {
        let policy = Policy::built_in();
        let (mut learning, mut memo) = (Learning::default(), Memo::default());
        let mut scanner = Scanner::new(&policy, &mut learning, &mut memo);
        let context = Context { searched: true, between, ..Context::new(rule) };
        let patches = scanner.value(value, context);
        let touched = scanner.met > 0 || scanner.within || scanner.over.is_some();
        (patches, touched)
    }

    fn is_quiet(value: &[u8], detectors: Detectors) -> bool {
        let policy = Policy::built_in();
        let (mut learning, mut memo) = (Learning::default(), Memo::default());
        Scanner::new(&policy, &mut learning, &mut memo).is_quiet(value, detectors)
    }

    fn is_quiet_gap(gap: &[u8]) -> bool {
        let policy = Policy::built_in();
        let (mut learning, mut memo) = (Learning::default(), Memo::default());
        Scanner::new(&policy, &mut learning, &mut memo).is_quiet_gap(gap)
    }

    /// Whether the only field of a head evidently holds nothing, and what is found in that head.
    fn field(line: &str, side: &str) -> (bool, u64) {
        let policy = Policy::built_in();
        let (mut learning, mut memo) = (Learning::default(), Memo::default());
        let mut scanner = Scanner::new(&policy, &mut learning, &mut memo);
        let raw = format!("{side}\r\n{line}\r\n\r\n");
        let head = Head::parse(raw.as_bytes()).unwrap();
        let (name, value) = head.field_spans().next().unwrap();
        let clean = scanner.clean_field(head.raw(), &(side.len()..value.end), &name, &value).is_some();
        head.field_values(0, &mut |leaf| {
            if !leaf.composite {
                let (rule, in_path) = scanner.head_rule(&leaf.place, &leaf.value, head.side());
                scanner.value(&leaf.value, Context { cards: !in_path, searched: true, ..Context::new(rule) });
            }
        });
        (clean, scanner.met)
    }

    const REQUEST: &str = "GET / HTTP/1.1";
    const RESPONSE: &str = "HTTP/1.1 200 OK";

    #[test]
    fn what_detectors_find_is_not_quiet() {
        for text in [
            "a@b.co",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijklmnop",
            "4222222222222",
            "30569309025904",
            "NO9386011117947",
            "MT84 MALT 0110 0001 2345 MTLC AST0 01S",
            "219-09-9999",
            "12345678Z",
            "x1234567l",
            "131052-308T",
            "RCCMNL83S18D969H",
            "+29051234",
            "8.8.8.99",
            "2001:db8::7",
            "3c:a4:d8:01:aa:bb",
            "ab-cd-ef-ab-cd-ef",
            "abcd.efab.cdef",
            "AKIAIOSFODNN7EXAMPLE",
            "wJa7rXUtnF3MIK7mDKNGbPxRf1CYz",
            "https://shop.example/reset/wJa7rXUtnF3MIK7mDKNGbPxRf1CYz",
            "https://shop.example/?token=abcdefgh",
            "https://ann:secret@shop.example/",
        ] {
            assert!(!is_quiet(text.as_bytes(), Policy::built_in().detectors), "{text}");
            assert!(
                !is_quiet_gap(text.as_bytes()) && !is_quiet_gap(format!(" {text};").as_bytes()),
                "{text}"
            );
        }
        for text in
            ["QW5uLmV4YW1wbGVAZXhhbXBsZS5vcmc=", "616e6e406d61696c2e696f", "Bearer abcdefgh12", "[1,\"a\"]"]
        {
            assert!(!is_quiet(text.as_bytes(), Detectors::NONE), "{text}");
        }
    }

    #[test]
    fn what_heads_are_full_of_is_quiet() {
        for line in [
            "Date: Sat, 21 Nov 2026 02:11:09 GMT",
            "ETag: W/\"c0ffeebadcafe123\"",
            "X-Request-Id: deadbeef-00c0ffee1234",
            "Content-Length: 5123",
            "Referer: https://shop.example/items/4711",
            "Vary: Accept-Encoding",
        ] {
            assert_eq!(field(line, RESPONSE), (true, 0), "{line}");
        }
    }

    #[test]
    fn what_names_give_away_is_not_clean() {
        for (line, side, met) in [
            ("Authorization: secret", REQUEST, true),
            ("Cookie: sid=abcdef", REQUEST, true),
            ("Cookie: abcdefgh", RESPONSE, true),
            ("Set-Cookie: theme=dark", REQUEST, true),
            ("Set-Cookie: sid=abcdef", RESPONSE, true),
            ("X-Api-Key: letters", REQUEST, true),
            ("X-Hub-Signature-256: sha256=0a1b2c3d4e5f6a7b8c9d0a1b2c3d4e5f", REQUEST, true),
            ("X-Real-IP: 81.2.69.160", REQUEST, true),
            ("X-Customer: ann@mail.example", REQUEST, true),
            ("Location: /reset/word?token=abcdef", RESPONSE, true),
            ("X-Password : abcdef", REQUEST, true),
            ("Signature: abc", REQUEST, false),
        ] {
            let (clean, found) = field(line, side);
            assert!(!clean && (found > 0) == met, "{line}: {clean} {found}");
        }
        // A field that is folded has another value than is written there.
        assert!(!field("Token-Type: ab\r\n cd", REQUEST).0 && field("Token-Type: abcd", REQUEST).0);
    }

    #[test]
    fn every_date_holds_nothing() {
        for n in 0..4000_u64 {
            let at = |of: u64, end: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(of as u32) % end;
            let date = format!(
                "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
                ["Mon", "Tue", "Abc"][at(1, 3) as usize],
                at(7, 100),
                ["Jan", "Dec", "Xyz"][at(13, 3) as usize],
                at(19, 10_000),
                at(27, 100),
                at(35, 100),
                at(43, 100),
            );
            assert!(is_moment(date.as_bytes()), "{date}");
            assert_eq!(found(date.as_bytes(), None, false), (Vec::new(), false), "{date}");
        }
        assert!(
            !is_moment(b"Sat, 21 Nov 2026 02:11:09 CET") && !is_moment(b"Sat, 21 Nov 2026 02:11:09 GMT ")
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        #[test]
        fn in_what_is_quiet_nothing_is_found(
            value in "[ -~]{0,40}|[a-zA-Z0-9]{0,60}|[0-9a-f-]{0,48}|W/\"[0-9a-f]{8,32}\"|[0-9 .:/-]{4,24}|https?://[a-z.]{3,20}(/[a-z0-9-]{0,20}){0,4}|[a-z]{1,8} [A-Za-z0-9+/=]{6,30}|[0-9]{6,20}|[\u{80}-\u{2ff}a-z0-9]{6,20}",
        ) {
            let all = Policy::built_in().detectors;
            for rule in [None, Some(Rule::Without(Detectors::RANDOM)), Some(Rule::Without(Detectors::IP))] {
                let which = Context::new(rule).detectors(all);
                if is_quiet(value.as_bytes(), which) {
                    prop_assert_eq!(found(value.as_bytes(), rule, false), (Vec::new(), false));
                }
            }
        }

        #[test]
        fn in_a_quiet_gap_nothing_is_found(
            gap in "(\r\n)?[ -~]{6,40}|\r\n[A-Za-z-]{1,30}: |[?&;] ?[a-z_-]{1,40}=|[A-Z]{3,8} /| HTTP/1\\.[01](\r\n[A-Za-z-]{1,20}: )?|(; [A-Z][a-zA-Z]{3,8}(=[a-z/0-9]{0,10})?){1,4}",
        ) {
            if is_quiet_gap(gap.as_bytes()) {
                prop_assert_eq!(found(gap.as_bytes(), None, true), (Vec::new(), false));
            }
        }
    }
}
