//! Names and their values in the midst of a text: `password: …`, `password = …`, `"password": "…"`, `Authorization: Bearer …` in logs, in
//! mail, in the text of a page. `password=…` is seen to in [`super::url`].

use std::borrow::Cow;
use std::ops::Range;

use mynah_message::Encoding;

use super::layer::Layer;
use super::{Context, Patch, Scanner, merge, shift};
use crate::detect::{self, words};
use crate::entropy;
use crate::kind::Kind;
use crate::learned::{Match, Seen};
use crate::names::{Rule, is_algorithm};

/// Spaces on either side of what stands between a name and its value, at most: logs write them below each other.
const SPACES: usize = 16;
/// Bytes of a longest name, and of a longest value in quotes.
const NAME: usize = 64;
const QUOTED: usize = 4096;

/// A value, and its name, where there may be one.
struct Site {
    name: Range<usize>,
    /// The same with the word before it: `API key`.
    longer: Option<Range<usize>>,
    value: Range<usize>,
    /// Which quotes the value stands in, if any.
    quote: Option<u8>,
}

/// Whether somebody may say in a text what the value of a name is. In doubt this says yes.
pub(super) fn may_be(text: &[u8]) -> bool {
    sites(text).next().is_some()
}

/// All places in a text that look like a name and its value, where the value may be a secret by its form.
fn sites(text: &[u8]) -> impl Iterator<Item = Site> {
    memchr::memchr2_iter(b':', b'=', text).filter_map(|at| site(text, at))
}

#[inline]
fn site(text: &[u8], at: usize) -> Option<Site> {
    let first = text.get(at + 1)?;
    // Most colons stand in links and times.
    if !matches!(first, b' ' | b'\t' | b'"' | b'\'' | b'>') {
        return None;
    }
    site_of(text, at)
}

fn site_of(text: &[u8], at: usize) -> Option<Site> {
    let colon = text.get(at) == Some(&b':');
    let arrow = usize::from(!colon && text.get(at + 1) == Some(&b'>'));
    let behind = text.get(at + 1 + arrow..)?;
    let spaces = behind.iter().take(SPACES + 1).take_while(|b| is_space(**b)).count();
    let start = at + 1 + arrow + spaces;
    let rest = text.get(start..)?;
    let quote = rest.first().copied().filter(|b| matches!(b, b'"' | b'\''));
    let value = match quote {
        Some(quote) => start + 1..start + 1 + quoted(rest.get(1..)?, quote)?,
        None if spaces == 0 || spaces > SPACES => return None,
        None => without_marks(text, start..start + bare(rest)),
    };
    if value.is_empty() || quote.is_none() && !is_telling(text.get(value.clone())?) {
        return None;
    }
    let mut before = text.get(..at)?;
    // `:=` assigns as well.
    before = before.strip_suffix(b":").filter(|_| !colon).unwrap_or(before);
    let spaces = before.iter().rev().take(SPACES).take_while(|b| is_space(**b)).count();
    before = before.get(..before.len() - spaces)?;
    let unquoted = before.strip_suffix(b"\"").or(before.strip_suffix(b"'")).unwrap_or(before);
    let name = word_before(unquoted)?;
    let apart = unquoted.get(..name.start)?.strip_suffix(b" ");
    let longer = apart.and_then(word_before).map(|word| word.start..name.end);
    Some(Site { name, longer, value, quote })
}

/// The name at the end of a text, if there is one.
fn word_before(text: &[u8]) -> Option<Range<usize>> {
    let is_name = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let len = text.iter().rev().take(NAME).take_while(is_name).count();
    let name = text.len() - len..text.len();
    text.get(name.clone())?.iter().any(u8::is_ascii_alphabetic).then_some(name)
}

/// Length of what stands before the quote that closes; `None` when there is none in the line.
fn quoted(text: &[u8], quote: u8) -> Option<usize> {
    let text = text.get(..QUOTED).unwrap_or(text);
    let mut at = 0;
    loop {
        at += memchr::memchr3(quote, b'\\', b'\n', text.get(at..)?)?;
        match text.get(at)? {
            b'\\' => at += 2,
            b'\n' => return None,
            _ => return Some(at),
        }
    }
}

/// Length of a value without quotes: as of one behind an equals sign; nothing where it goes on as code does. A sentence ends behind it.
fn bare(text: &[u8]) -> usize {
    let ends = |b: &u8| {
        *b <= b' '
            || matches!(b, b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\' | 0x7f | b'&' | b';' | b',')
            || b"()[]{}".contains(b)
    };
    let len = text.iter().position(ends).unwrap_or(text.len());
    if text.get(len).is_some_and(|b| matches!(b, b'(' | b'[' | b'{')) {
        return 0;
    }
    len - usize::from(text.get(..len).is_some_and(|value| value.ends_with(b".")))
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t')
}

/// Whether a value without quotes may be a secret by its form, or is a scheme that has one behind it.
fn is_telling(value: &[u8]) -> bool {
    value.iter().any(u8::is_ascii_digit) || turns(value) >= 2 || is_scheme(value)
}

fn is_scheme(word: &[u8]) -> bool {
    [&b"bearer"[..], b"basic", b"token"].iter().any(|scheme| word.eq_ignore_ascii_case(scheme))
}

/// How often a capital letter stands behind a small one.
fn turns(value: &[u8]) -> usize {
    value
        .windows(2)
        .filter(|w| matches!(w, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()))
        .count()
}

/// Whether a value in the midst of a text is what its name says, and no word about it.
fn tells(kind: Kind, weak: bool, value: &[u8], quoted: bool) -> bool {
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    let letters = value.iter().any(u8::is_ascii_alphabetic);
    let link = value.starts_with(b"/") || memchr::memmem::find(value, b"://").is_some();
    if !quoted && refers(value) {
        return false;
    }
    // `${PASSWORD_1}`, `{{token2}}`.
    let stands_for = [&b"${"[..], b"$(", b"{{", b"#{", b"<%"].iter().any(|begin| value.starts_with(begin));
    if link
        || stands_for
        || value.iter().any(u8::is_ascii_whitespace)
        || detect::is_moment(value)
        || is_algorithm(value)
    {
        return false;
    }
    match kind {
        Kind::Cvc => digits == value.len() && matches!(digits, 3 | 4),
        Kind::Otp => digits >= 4 && value.len() <= 32,
        Kind::Password if !weak => {
            let jumbled = || turns(value) >= 2 && entropy::is_random(value, 20.0);
            let long = value.len() >= 6;
            if digits > 0 {
                long && (letters || digits >= 6)
            } else {
                long && (jumbled() || quoted && is_odd(value))
            }
        }
        _ => {
            let random = |bits| entropy::is_random(value, bits);
            value.len() >= 8 && if digits > 0 { random(20.0) } else { turns(value) >= 3 && random(40.0) }
        }
    }
}

/// Whether a known value goes over an end of this one, or is all of it but for signs around it: that is the value then.
fn is_instead(known: &Seen<'_>, text: &[u8], value: &Range<usize>) -> bool {
    let is_sign = |range: Range<usize>| {
        text.get(range).is_some_and(|around| !around.iter().any(u8::is_ascii_alphanumeric))
    };
    let is_all = |range: &Range<usize>| {
        range != value && is_sign(value.start..range.start) && is_sign(range.end..value.end)
    };
    known.goes_beyond(value) || known.meeting(value).any(is_all)
}

/// Marks that people put around what they name: quotes of many languages, and Markdown's.
const MARKS: [&str; 19] = [
    "\u{201c}", "\u{201d}", "\u{201e}", "\u{201f}", "\u{2018}", "\u{2019}", "\u{201a}", "\u{ab}", "\u{bb}",
    "\u{2039}", "\u{203a}", "\u{300c}", "\u{300d}", "\u{200b}", "\u{2026}", "**", "__", "*", "_",
];

/// The value without such marks around it.
fn without_marks(text: &[u8], value: Range<usize>) -> Range<usize> {
    let Range { mut start, mut end } = value;
    let rest = |start: usize, end: usize| text.get(start..end).unwrap_or_default();
    // Markdown's are such only where they stand on both sides.
    let is_pair = |mark: &str| mark.is_ascii();
    while let Some(mark) = MARKS.iter().find(|mark| {
        rest(start, end).starts_with(mark.as_bytes())
            && (!is_pair(mark) || rest(start + mark.len(), end).ends_with(mark.as_bytes()))
    }) {
        start += mark.len();
        end -= if is_pair(mark) { mark.len() } else { 0 };
    }
    while let Some(mark) =
        MARKS.iter().find(|mark| !is_pair(mark) && rest(start, end).ends_with(mark.as_bytes()))
    {
        end -= mark.len();
    }
    start..end
}

/// Whether there is a sign among the letters that is in no word or name, and the value is none that stands for another.
fn is_odd(value: &[u8]) -> bool {
    let sign =
        |b: &u8| b.is_ascii_punctuation() && !matches!(b, b'-' | b'_' | b'.' | b',' | b'\'' | b':' | b'/');
    let stands_for = value.first().is_some_and(|b| b"[<{*$%(&#".contains(b));
    let letters = value.iter().filter(|b| b.is_ascii_alphabetic()).count();
    !stands_for && letters >= 4 && value.get(..value.len() - 1).is_some_and(|value| value.iter().any(sign))
}

/// `process.env.PASSWORD1`, `$DB_PASSWORD1`: where a value is.
fn refers(value: &[u8]) -> bool {
    let is_name = |part: &[u8]| {
        part.first().is_some_and(u8::is_ascii_alphabetic)
            && part.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
    };
    let parts = || value.split(|b| *b == b'.');
    let is_constant = |name: &[u8]| {
        name.contains(&b'_')
            && name.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_')
    };
    parts().count() > 2 && parts().all(is_name) || value.strip_prefix(b"$").is_some_and(is_constant)
}

/// Whether a value may be a name or a path of names in code.
fn is_code(value: &[u8]) -> bool {
    value.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | b'.'))
}

impl Scanner<'_> {
    /// The patches of values whose names say in the midst of a text that they are secrets.
    pub(super) fn said(&mut self, text: &[u8], known: &[Match], context: Context) -> Vec<Patch> {
        let mut patches = Vec::new();
        let known = Seen::of(known);
        for site in sites(text) {
            if is_instead(&known, text, &site.value) {
                continue;
            }
            let Some(rule) = self.rule_of(text, &site) else { continue };
            let Some(raw) = text.get(site.value.clone()) else { continue };
            // Among code a word is the name of a value.
            if site.quote.is_none() && context.between && self.code && is_code(raw) {
                continue;
            }
            let (rule, weak) = rule;
            let found = match rule {
                Rule::Credentials => {
                    let rest = match site.quote {
                        Some(_) => raw,
                        None => text.get(site.value.start..).unwrap_or_default(),
                    };
                    self.said_credentials(rest, context)
                }
                Rule::Mask(kind) => {
                    let escaped = site.quote.is_some() && memchr::memchr(b'\\', raw).is_some();
                    let value =
                        if escaped { Encoding::JsonString.decode(raw) } else { Some(Cow::Borrowed(raw)) };
                    match value {
                        Some(value) if tells(kind, weak, &value, site.quote.is_some()) => {
                            let context = Context { searched: context.searched && !escaped, ..context };
                            Layer::new(raw, &value, Encoding::JsonString)
                                .lift(self.named(kind, &value, context))
                        }
                        _ => continue,
                    }
                }
                _ => continue,
            };
            merge(&mut patches, shift(found, site.value.start));
        }
        patches
    }

    /// What the name says, and whether it is one that says other things as well.
    fn rule_of(&mut self, text: &[u8], site: &Site) -> Option<(Rule, bool)> {
        let names = &self.policy.names;
        let memo = &mut *self.memo;
        let mut of = |name: &Range<usize>| {
            let name = text.get(name.clone())?;
            let rule = memo.name(names, name).rule?;
            let told = match rule {
                Rule::Credentials => true,
                Rule::Mask(kind) => {
                    kind.is_machine_made() || matches!(kind, Kind::Password | Kind::Otp | Kind::Cvc)
                }
                _ => false,
            };
            let weak = [&b"pass"[..], b"pw"].iter().any(|weak| name.eq_ignore_ascii_case(weak));
            told.then_some((rule, weak))
        };
        of(&site.name).or_else(|| of(site.longer.as_ref()?))
    }

    /// `Bearer …`, and what stands behind it up to the next space; or a token by itself.
    fn said_credentials(&mut self, text: &[u8], context: Context) -> Vec<Patch> {
        let scheme = text.get(..7.min(text.len())).and_then(|first| memchr::memchr(b' ', first));
        let Some(space) = scheme.filter(|at| text.get(..*at).is_some_and(is_scheme)) else {
            let Some(value) = text.get(..bare(text)).filter(|value| tells(Kind::Token, false, value, false))
            else {
                return Vec::new();
            };
            return self.named(Kind::Token, value, context);
        };
        let start = space + 1;
        let token = text.get(start..).unwrap_or_default();
        let len = token.iter().take_while(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(b)).count();
        let Some(token) = token.get(..len) else { return Vec::new() };
        let tells =
            len >= 6 && (words::has_digit(token) || turns(token) >= 2 && entropy::is_random(token, 20.0));
        match text.get(..start + len) {
            Some(value) if tells => self.credentials(value, context.inner(None), false),
            _ => Vec::new(),
        }
    }
}
