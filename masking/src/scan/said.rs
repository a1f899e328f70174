//! Names and their values in the midst of a text: `password: …`, `password = …`, `"password": "…"`, `Authorization: Bearer …` in logs, in
//! mail, in the text of a page; in tables, command lines, calls and statements. `password=…` is seen to in [`super::url`].

use std::borrow::Cow;
use std::ops::Range;

use mynah_message::{BodyKind, Encoding, Part, View};

use sites::{Form, Site, bare, is_scheme, turns};

use super::layer::{Layer, first_twice, lift_twice, once};
use super::part::{Planned, planned};
use super::settle::settle;
use super::{Context, Patch, Scanner, merge, shift};
use crate::detect::signs::Signs;
use crate::detect::{self, words};
use crate::entropy;
use crate::kind::Kind;
use crate::learned::{Match, Seen};
use crate::names::{self, Rule, is_algorithm};

mod labels;
mod sites;

/// Whether somebody may say in a text with these signs what the value of a name is. In doubt this says yes.
#[inline]
pub(super) fn may_be(text: &[u8], signs: Signs) -> bool {
    sites::visit(text, signs, &mut |_| true)
}

/// Whether a value in the midst of a text is what its name says, and no word about it.
fn tells(kind: Kind, weak: bool, value: &[u8], quoted: bool) -> bool {
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    let letters = value.iter().any(u8::is_ascii_alphabetic) || is_worded(value);
    let link = value.starts_with(b"/") || memchr::memmem::find(value, b"://").is_some();
    if !quoted && refers(value) {
        return false;
    }
    // `${PASSWORD_1}`, `{{token2}}`, `%PASSWORD1%`.
    let stands_for = [&b"${"[..], b"$(", b"{{", b"#{", b"<%"].iter().any(|begin| value.starts_with(begin))
        || value.starts_with(b"%") && value.ends_with(b"%");
    if link
        || stands_for
        || value.iter().any(u8::is_ascii_whitespace)
        || detect::is_moment(value)
        || is_algorithm(value)
        || is_type(value)
    {
        return false;
    }
    // People have days as passwords, programs do not.
    let described =
        || names::is_day(value) || names::is_version(value) || is_package(value) || is_decimal(value);
    if (kind != Kind::Password || weak) && described() {
        return false;
    }
    // `session: OAuth2Session`, `$password = ConvertTo-SecureString`: a name in code has a word in it, and hardly a digit.
    let named = || !quoted && entropy::has_word(value, 6);
    match kind {
        Kind::Cvc => digits == value.len() && matches!(digits, 3 | 4),
        Kind::Otp => digits >= 4 && value.len() <= 32,
        Kind::Password if !weak => {
            let jumbled = || turns(value) >= 2 && entropy::is_random(value, 20.0);
            let long = value.len() >= 6;
            if digits > 0 {
                long && (letters || digits >= 6)
            } else {
                long && (jumbled() && !named() || quoted && is_odd(value))
            }
        }
        _ => {
            let random = |bits| entropy::is_random(value, bits);
            value.len() >= 8
                && if digits > 0 { random(20.0) } else { turns(value) >= 3 && random(40.0) }
                && !(digits <= 1 && named())
        }
    }
}

/// Whether there are letters in a text that are not Latin, or with accents, and no other signs beyond ASCII. What is written without
/// spaces, as Chinese is, may be a sentence.
fn is_worded(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let mut others = text.chars().filter(|c| !c.is_ascii()).peekable();
    let spaced = |c: char| c.is_alphabetic() && (c < '\u{600}' || ('\u{1e00}'..'\u{2000}').contains(&c));
    others.peek().is_some() && others.all(spaced)
}

/// `passport-jwt@4.0.1`: what somebody depends on.
fn is_package(value: &[u8]) -> bool {
    let at = memchr::memrchr(b'@', value).and_then(|at| value.split_at_checked(at));
    at.is_some_and(|(_, version)| version.get(1..).is_some_and(names::is_version))
}

/// `varchar(255)`, `VARCHAR2`, `utf8mb4`: how a column is declared.
fn is_type(value: &[u8]) -> bool {
    const TYPES: [&[u8]; 12] = [
        b"char",
        b"nchar",
        b"varchar",
        b"nvarchar",
        b"string",
        b"text",
        b"binary",
        b"varbinary",
        b"int",
        b"uint",
        b"float",
        b"utf8mb",
    ];
    let digits = value.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let word = value.get(..value.len() - digits).unwrap_or_default();
    if TYPES.iter().any(|name| word.eq_ignore_ascii_case(name)) {
        return true;
    }
    let inner = value.strip_suffix(b")").or_else(|| value.strip_suffix(b"]"));
    let Some((word, sizes)) =
        inner.and_then(|inner| inner.split_at_checked(inner.iter().position(|b| matches!(b, b'(' | b'['))?))
    else {
        return false;
    };
    let sizes = sizes.get(1..).unwrap_or_default();
    word.len() >= 3
        && word.iter().all(u8::is_ascii_alphabetic)
        && sizes.iter().all(|b| b.is_ascii_digit() || *b == b',')
}

/// `9.4294`: a time that something took.
fn is_decimal(value: &[u8]) -> bool {
    let is_digit = |b: &u8| b.is_ascii_digit();
    let parts = memchr::memchr(b'.', value).and_then(|at| value.split_at_checked(at));
    parts.is_some_and(|(whole, rest)| {
        !whole.is_empty() && whole.iter().all(is_digit) && rest.len() > 1 && rest.iter().skip(1).all(is_digit)
    })
}

/// `2024 edition`: a year, and what is of it.
fn is_year(value: &[u8], behind: &[u8]) -> bool {
    const OF: [&[u8]; 6] = [b"edition", b"version", b"release", b"model", b"update", b"report"];
    let is_year = value.len() == 4
        && (value.starts_with(b"19") || value.starts_with(b"20"))
        && value.iter().all(u8::is_ascii_digit);
    let word = behind.strip_prefix(b" ").unwrap_or_default();
    is_year && OF.iter().any(|of| word.get(..of.len()).is_some_and(|word| word.eq_ignore_ascii_case(of)))
}

/// Whether a value close behind its name is one of two that a colon divides, or of a host.
fn is_pair(kind: Kind, value: &[u8]) -> bool {
    kind != Kind::Password && memchr::memchr2(b':', b'@', value).is_some()
}

/// Whether a known value goes over an end of this one, or is all of it but for signs around it: that is the value then.
pub(super) fn is_instead(known: &Seen<'_>, text: &[u8], value: &Range<usize>) -> bool {
    let is_sign = |range: Range<usize>| {
        text.get(range).is_some_and(|around| !around.iter().any(u8::is_ascii_alphanumeric))
    };
    let is_all = |range: &Range<usize>| {
        range != value && is_sign(value.start..range.start) && is_sign(range.end..value.end)
    };
    known.goes_beyond(value) || known.meeting(value).any(is_all)
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

/// `password:password2`: another one of that name.
fn is_numbered(name: &[u8], value: &[u8]) -> bool {
    let digits = value
        .get(..name.len())
        .filter(|v| v.eq_ignore_ascii_case(name))
        .and_then(|_| value.get(name.len()..));
    digits.is_some_and(|digits| digits.len() <= 2 && digits.iter().all(u8::is_ascii_digit))
}

/// `e1.password2`: a path of names in code.
fn is_path(value: &[u8]) -> bool {
    let starts = |part: &[u8]| part.first().is_some_and(u8::is_ascii_alphabetic);
    memchr::memchr(b'.', value).is_some() && is_code(value) && value.split(|b| *b == b'.').all(starts)
}

/// Whether a value may be a name or a path of names in code.
fn is_code(value: &[u8]) -> bool {
    value.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | b'.'))
}

impl Scanner<'_> {
    /// The patches of values whose names say in the midst of a text that they are secrets.
    pub(super) fn said(
        &mut self,
        text: &[u8],
        signs: Signs,
        known: &[Match],
        context: Context,
    ) -> Vec<Patch> {
        let mut patches = Vec::new();
        let known = Seen::of(known);
        sites::visit(text, signs, &mut |site| {
            merge(&mut patches, self.said_at(text, &site, &known, context));
            false
        });
        patches
    }

    /// What is to be done in a part; with what stands behind labels, where it is a page's or XML, which may be in other elements.
    pub(super) fn labelled(
        &mut self,
        view: &View<'_>,
        part: Part,
        known: &[Match],
        mut plan: Vec<Planned>,
    ) -> Vec<Planned> {
        if part != Part::Body || !matches!(view.kind(), BodyKind::Html | BodyKind::Xml) {
            return plan;
        }
        let (body, known) = (view.body(), Seen::of(known));
        let mut patches = Vec::new();
        labels::visit(body, &mut |site| {
            merge(&mut patches, self.said_at(body, &site, &known, Context::new(None)));
        });
        if patches.is_empty() {
            return plan;
        }
        plan.extend(planned(patches, "text"));
        settle(plan)
    }

    /// The patches of one of them, but where what is known says more.
    fn said_at(&mut self, text: &[u8], site: &Site, known: &Seen<'_>, context: Context) -> Vec<Patch> {
        if is_instead(known, text, &site.value) {
            return Vec::new();
        }
        let found = self.told(text, site, &site.value, context).or_else(|| {
            // The first quote that is written twice may end it after all.
            let len = first_twice(text.get(site.value.clone())?, site.quote(text)?).filter(|len| *len > 0)?;
            self.told(text, site, &(site.value.start..site.value.start + len), context)
        });
        found.map_or_else(Vec::new, |found| shift(found, site.value.start))
    }

    /// The same of that value, and in terms of it; `None` where its name does not tell what it is.
    fn told(
        &mut self,
        text: &[u8],
        site: &Site,
        value: &Range<usize>,
        context: Context,
    ) -> Option<Vec<Patch>> {
        let (rule, weak) = self.rule_of(text, site)?;
        let raw = text.get(value.clone())?;
        // Among code a word is the name of a value.
        if !site.quoted && context.between && self.code && is_code(raw) {
            return None;
        }
        match rule {
            Rule::Credentials => {
                let rest = if site.quoted { raw } else { text.get(value.start..)? };
                Some(self.said_credentials(rest, context))
            }
            Rule::Mask(kind) => {
                let encoding =
                    if site.form == Form::Marked { Encoding::HtmlText } else { Encoding::JsonString };
                let sign = if site.form == Form::Marked { b'&' } else { b'\\' };
                let escaped =
                    (site.quoted || site.form == Form::Marked) && memchr::memchr(sign, raw).is_some();
                let behind = text.get(value.end..)?;
                let twice = site.quote(text).filter(|quote| !escaped && first_twice(raw, *quote).is_some());
                let value = match twice {
                    Some(quote) => Cow::Owned(once(raw, quote)),
                    None if escaped => encoding.decode(raw)?,
                    None => Cow::Borrowed(raw),
                };
                if !tells(kind, weak, &value, site.quoted)
                    || kind == Kind::Otp && is_year(&value, behind)
                    || site.form == Form::Close
                        && (is_pair(kind, &value)
                            || is_path(&value)
                            || is_numbered(text.get(site.name.clone())?, &value))
                {
                    return None;
                }
                let context =
                    Context { searched: context.searched && !escaped && twice.is_none(), ..context };
                let found = self.named(kind, &value, context);
                Some(match twice {
                    Some(quote) => lift_twice(raw, &value, quote, &found),
                    None => Layer::new(raw, &value, encoding).lift(found),
                })
            }
            _ => None,
        }
    }

    /// What the name says, and whether it is one that says other things as well.
    fn rule_of(&mut self, text: &[u8], site: &Site) -> Option<(Rule, bool)> {
        if site.form == Form::Login {
            return Some((Rule::Mask(Kind::Password), false));
        }
        let names = &self.policy.names;
        let memo = &mut *self.memo;
        let mut of = |name: &Range<usize>| {
            // A program of that name has versions.
            let name = text.get(name.clone()).filter(|name| !name.eq_ignore_ascii_case(b"1password"))?;
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
