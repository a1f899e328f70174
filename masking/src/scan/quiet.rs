//! What evidently holds nothing: most values in heads, and what stands between them. To say so takes less time than to look at a
//! value, or to find it among those that were looked at before. In doubt these say no.

use std::ops::Range;

use mynah_message::view::{HeadPlace, HeadValue};
use mynah_message::{Head, Side};

use super::opened::Opened;
use super::value::{DATA, SHORTEST};
use super::{Scanner, inlaid, said, signature};
use crate::detect::signs::Look;
use crate::detect::{self, Detectors, links, words};
use crate::memo::{Says, may_be_escaped};
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
        let info = self.memo.name(&self.policy.names, name);
        if !info.says(Says::IS_USUAL_FIELD) || !is_around(before, name) {
            return None;
        }
        let clean = match info.rule {
            // A value that goes over several lines is another one.
            Some(Rule::Keep) => memchr::memchr(b'\n', value).is_none(),
            Some(Rule::Without(without)) => self.is_quiet(value, self.policy.detectors.without(without)),
            None => self.is_quiet(value, self.policy.detectors),
            Some(_) => false,
        };
        clean.then(|| !words::has_digit(value))
    }

    /// Whether it shows in the start line of a request that there is nothing in it but perhaps what was learnt, nor, where that is
    /// searched for, anything that the search would not see. Where names and detectors alone say what is sensitive, that is.
    pub(super) fn is_clean_target(&mut self, head: &Head<'_>, line: &Range<usize>) -> bool {
        let raw = head.raw();
        let Some(text) = raw.get(line.clone()) else { return false };
        if head.side() != Side::Request || !self.sink.learns() && may_be_escaped(text) {
            return false;
        }
        let (mut clean, mut at) = (true, line.start);
        head.target_values(&mut |value: HeadValue<'_>| {
            clean = clean && self.is_clean_piece(raw, at..value.span.start, &value);
            at = at.max(value.span.end);
        });
        clean && self.is_clean_gap(raw, at..line.end)
    }

    /// Whether there is nothing in a piece of a target, nor in what lies before it.
    fn is_clean_piece(&mut self, raw: &[u8], gap: Range<usize>, value: &HeadValue<'_>) -> bool {
        // What was decoded is asked about once more while learning, and may be a web token.
        let is_written = || raw.get(value.span.clone()) == Some(&*value.value);
        let is_as_it_is = if self.sink.learns() { !value.value.starts_with(b"ey") } else { is_written() };
        let pluses =
            || raw.get(value.span.clone()).is_none_or(|raw| self.pluses_hold_nothing(raw, value.encoding));
        if value.composite || !is_as_it_is || !pluses() || !self.is_clean_gap(raw, gap) {
            return false;
        }
        let all = self.policy.detectors;
        let detectors = match &value.place {
            HeadPlace::PathSegment(_) => all.in_path(),
            HeadPlace::Query(name) => match self.memo.name(&self.policy.names, name.as_bytes()).rule {
                None => all,
                Some(Rule::Without(without)) => all.without(without),
                Some(_) => return false,
            },
            _ => return false,
        };
        self.is_quiet(&value.value, detectors)
    }

    fn is_clean_gap(&self, raw: &[u8], gap: Range<usize>) -> bool {
        // One that ends before it begins is none.
        raw.get(gap).is_none_or(|gap| gap.len() < SHORTEST || self.is_quiet_gap(gap))
    }

    /// Whether there is nothing in a value but perhaps what was learnt: nothing that could be opened, and nothing for these detectors.
    pub(super) fn is_quiet(&self, value: &[u8], detectors: Detectors) -> bool {
        if value.len() < SHORTEST || is_moment(value) || words::holds_nothing(value) {
            return true;
        }
        if !value.starts_with(DATA) && links::is_plain_code(value) {
            return matches!(Opened::of(value, &self.policy.limits), Ok(None));
        }
        let look = Look::of(value);
        let signs = look.signs();
        let opens = signs.has_brace()
            || signs.has_angle()
            || signs.has_line_break()
            || signs.has_percent()
            || signs.has_ampersand()
            || signs.has_backslash()
            || signs.may_hold_url()
            || signs.may_hold_names() && said::may_be(value, signs);
        // JSON, credentials behind a scheme, and what says itself that it is in base64.
        let begins = matches!(value.trim_ascii_start().first(), Some(b'[' | b'B' | b'b') | None)
            || value.starts_with(DATA);
        !opens
            && !begins
            && look.possible(detectors) == Detectors::NONE
            && (!signs.may_be_enclosed() || matches!(Opened::of(value, &self.policy.limits), Ok(None)))
            && (!look.may_hold_inlaid() || !inlaid::may_hold(value))
    }

    /// Whether what lies between two values of a head is what always lies there.
    pub(super) fn is_quiet_gap(&self, gap: &[u8]) -> bool {
        is_name(gap)
            || is_bare_name(gap)
            || matches!(gap, b" HTTP/1.1" | b" HTTP/1.0" | b"POST /" | b"PATCH /" | b"DELETE /")
            || self.is_quiet(gap, self.policy.detectors)
    }
}

/// Whether a field of that name, which is of letters and dashes, has one value, of which its place says no more.
pub(crate) fn is_usual_field(name: &[u8]) -> bool {
    !name.is_empty()
        && name.iter().all(|b| b.is_ascii_alphabetic() || *b == b'-')
        && !has_pieces(name)
        && !signature::is_field(name)
        && !inlaid::may_hold(name)
}

/// Whether all that stands before a field's value are a line break, its name, a colon and a space.
fn is_around(before: &[u8], name: &[u8]) -> bool {
    before.len() == name.len() + 4 && before.starts_with(b"\r\n") && before.ends_with(b": ")
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
        && (name.len() < inlaid::SHORTEST || !inlaid::may_hold(name))
}

/// The same of the name of a cookie or of a query's value, of small letters.
fn is_bare_name(gap: &[u8]) -> bool {
    let ([b';', b' ', name @ .., b'='] | [b'?' | b'&', name @ .., b'=']) = gap else { return false };
    name.len() < 64 && name.iter().all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'-'))
}

/// A date as heads have it: `Sun, 06 Nov 1994 08:49:37 GMT`, [RFC 9110 §5.6.7](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7);
/// or as everybody else has it.
fn is_moment(value: &[u8]) -> bool {
    const FORM: &[u8; 29] = b"Aaa, 00 Aaa 0000 00:00:00 AAA";
    let (Some(first), Some(last), 29) = (value.first_chunk::<16>(), value.last_chunk::<16>(), value.len())
    else {
        return detect::is_moment(value);
    };
    // These two overlap.
    let (Some(form), Some(rest)) = (FORM.first_chunk::<16>(), FORM.last_chunk::<16>()) else { return false };
    words::form_of(first) == *form && words::form_of(last) == *rest && value.ends_with(b" GMT")
        || detect::is_moment(value)
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
    fn the_targets_of_most_requests_are_clean() {
        let policy = Policy::built_in();
        for (line, clean) in [
            ("GET /api/v2/items/4711/reviews?limit=20", true),
            ("POST /orders", true),
            ("GET /items?q=garden+chair&page=2", true),
            ("GET /reset?token=abcdef", false),
            ("GET /users/ann@mail.example", false),
            ("GET /reset/wJa7rXUtnF3MIK7mDKNGbPxRf1CYz", false),
        ] {
            let (mut learning, mut memo) = (Learning::default(), Memo::default());
            let mut scanner = Scanner::new(&policy, &mut learning, &mut memo);
            let raw = format!("{line} HTTP/1.1\r\n\r\n");
            let head = Head::parse(raw.as_bytes()).unwrap();
            assert_eq!(scanner.is_clean_target(&head, &(0..head.start_line().end)), clean, "{line}");
        }
    }

    /// A date by its form, byte by byte.
    fn is_date(value: &[u8]) -> bool {
        const FORM: &[u8; 29] = b"Aaa, 00 Aaa 0000 00:00:00 GMT";
        value.len() == FORM.len()
            && value.iter().zip(FORM).all(|(b, form)| match form {
                b'A' => b.is_ascii_uppercase(),
                b'a' => b.is_ascii_lowercase(),
                b'0' => b.is_ascii_digit(),
                same => b == same,
            })
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
        fn dates_are_known_by_their_form(at in 0_usize..29, other: u8) {
            let mut date = *b"Sat, 21 Nov 2026 02:11:09 GMT";
            date[at] = other;
            prop_assert_eq!(is_moment(&date), is_date(&date) || detect::is_moment(&date));
            prop_assert!(is_moment(b"Sat, 21 Nov 2026 02:11:09 GMT") && !is_moment(&date[1..]));
        }

        #[test]
        fn in_a_clean_target_nothing_is_found(
            target in "(/[a-z0-9._-]{0,20}){1,4}(\\?[a-z_]{1,9}=[a-z0-9%+.-]{0,24}(&(id|token|q|page|email)=[A-Za-z0-9%+@.-]{0,24}){0,2})?|/[!-~]{0,40}|[!-~]{1,30}|/[0-9]{1,16}(/[0-9a-f-]{8,36})?",
            method in "GET|POST|DELETE|CONNECT|[A-Z]{3,9}",
        ) {
            let policy = Policy::built_in();
            let (mut learning, mut memo) = (Learning::default(), Memo::default());
            let mut scanner = Scanner::new(&policy, &mut learning, &mut memo);
            let raw = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            let Ok(head) = Head::parse(raw.as_bytes()) else { return Ok(()) };
            let line = 0..head.start_line().end;
            if scanner.is_clean_target(&head, &line) {
                let mut at = 0;
                let look = |scanner: &mut Scanner<'_>, gap: Range<usize>| {
                    let context = Context { searched: true, between: true, ..Context::new(None) };
                    scanner.free(head.raw().get(gap).unwrap_or_default(), context).len()
                };
                let mut found = 0;
                head.target_values(&mut |value| {
                    found += look(&mut scanner, at..value.span.start);
                    at = at.max(value.span.end);
                    let (rule, in_path) = scanner.head_rule(&value.place, &value.value, head.side());
                    let context = Context { cards: !in_path, searched: true, ..Context::new(rule) };
                    found += scanner.value(&value.value, context).len();
                });
                found += look(&mut scanner, at..line.end);
                prop_assert_eq!((found, scanner.met, scanner.within, scanner.over), (0, 0, false, None));
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
