//! URLs within text: their queries, fragments, matrix parameters and user information. And `password=…` in any text: in a line of
//! a log, in a comment.

use std::borrow::Cow;

use mynah_message::{Encoding, percent};

use super::hints::is_of_name;
use super::layer::Layer;
use super::{Context, Patch, Scanner, merge, shift, table};
use crate::entropy;
use crate::kind::Kind;
use crate::names::Rule;

/// Where what begins there ends in a text with other things in it, as it is no longer than that: before what has the URL in brackets,
/// and before what ends a sentence, as in [GFM](https://github.github.com/gfm/#extended-autolink-path-validation).
fn linked(text: &[u8]) -> &[u8] {
    let mut open: Vec<u8> = Vec::new();
    let mut end = text.len();
    for (at, b) in text.iter().enumerate() {
        match b {
            b'(' | b'[' | b'{' => open.push(*b),
            b')' | b']' | b'}' => {
                let pair =
                    matches!((open.pop(), b), (Some(b'('), b')') | (Some(b'['), b']') | (Some(b'{'), b'}'));
                if !pair {
                    end = at;
                    break;
                }
            }
            _ => {}
        }
    }
    let inner = text.get(..end).unwrap_or_default();
    let punctuation = inner.iter().rev().take_while(|b| b".,;:!?'\"".contains(b)).count();
    inner.get(..end - punctuation).unwrap_or_default()
}

/// Whether a text is one URL, or a piece of one, and nothing else: all of it belongs to that.
fn is_url(text: &[u8]) -> bool {
    let begins = [&b"http://"[..], b"https://", b"/", b"?", b"#"].iter().any(|begin| text.starts_with(begin));
    begins && !text.iter().any(|b| ends_url(*b))
}

/// Where values end that were assigned: all that begin before such an end, end there.
#[derive(Default)]
struct Reach {
    end: usize,
    matrix: bool,
    /// The last digit before it.
    digit: Option<usize>,
}

impl Reach {
    /// Goes on to the end of the value that begins there. Says whether that is part of one before.
    fn go(&mut self, text: &[u8], start: usize, matrix: bool) -> bool {
        if start < self.end && matrix == self.matrix {
            return true;
        }
        let ends =
            |b: u8| ends_url(b) || b"&;,()[]{}".contains(&b) || matrix && matches!(b, b'/' | b'?' | b'#');
        let rest = text.get(start..).unwrap_or_default();
        let len = rest.iter().position(|b| ends(*b)).unwrap_or(rest.len());
        let mut value = rest.get(..len).unwrap_or_default();
        // A sentence ends behind it.
        if rest.get(len).is_none_or(|b| *b <= b' ') {
            value = value.strip_suffix(b".").or_else(|| value.strip_suffix(b":")).unwrap_or(value);
        }
        let digit = value.iter().rposition(u8::is_ascii_digit).map(|at| start + at);
        *self = Reach { end: start + value.len(), matrix, digit };
        false
    }
}

/// Whether a semicolon behind that divides pairs, as in `Server=db;User Id=sa;Password=…`, and no parameters of a path: in what one of these
/// holds, slashes are signs like others.
fn is_listed(before: &[u8]) -> bool {
    const AROUND: usize = 256;
    let word = before.get(before.len().saturating_sub(AROUND)..).unwrap_or(before);
    let word = word.rsplit(|b| ends_url(*b)).next().unwrap_or_default();
    let in_path = memchr::memchr2(b'/', b'?', word).is_some();
    word.starts_with(b"jdbc:") || !in_path && memchr::memchr(b'=', word).is_some()
}

/// What ends a URL in a text.
fn ends_url(b: u8) -> bool {
    b <= b' ' || matches!(b, b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\' | 0x7f)
}

impl Scanner<'_> {
    /// The patches of every URL in the text; and of a text that is itself a list of pairs.
    pub(super) fn urls(&mut self, text: &[u8], context: Context) -> Vec<Patch> {
        let mut patches = Vec::new();
        if is_pairs(text) {
            return self.pairs(text, b'&', context);
        }
        let mut done = 0;
        // Both take longer than to see that there is no pair.
        let mut form: Option<(bool, Option<u8>)> = None;
        for at in memchr::memchr3_iter(b'?', b'#', b';', text) {
            if at < done {
                continue;
            }
            let rest = &text[at + 1..];
            let matrix = text[at] == b';';
            let listed = matrix && is_listed(&text[..at]);
            let ends = |b: u8| match b {
                b'?' | b'#' => !listed,
                b'&' | b';' => matrix,
                b'/' => matrix && !listed,
                _ => ends_url(b),
            };
            let len = rest.iter().position(|b| ends(*b)).unwrap_or(rest.len());
            done = at + 1 + len;
            let mut pairs = rest.get(..len).unwrap_or_default();
            if memchr::memchr(b'=', pairs).is_some() {
                let (alone, separator) = *form.get_or_insert_with(|| (is_url(text), table::separator(text)));
                if let Some(end) = separator.and_then(|separator| memchr::memchr(separator, pairs)) {
                    pairs = pairs.get(..end).unwrap_or_default();
                    done = at + 1 + end;
                }
                if !alone {
                    pairs = linked(pairs);
                }
                merge(&mut patches, shift(self.pairs(pairs, b'&', context), at + 1));
            }
        }
        if memchr::memchr(b'@', text).is_none() {
            return patches;
        }
        for at in memchr::memmem::find_iter(text, b"://") {
            merge(&mut patches, shift(self.user_information(&text[at + 3..], context), at + 3));
        }
        patches
    }

    /// The patches of `name=value` in the middle of a text, where the name is a secret's and the value no word, as it would be in code.
    pub(super) fn assignments(&mut self, text: &[u8], context: Context) -> Vec<Patch> {
        let mut patches = Vec::new();
        let mut reach = Reach::default();
        for equals in memchr::memchr_iter(b'=', text) {
            let rest = &text[equals + 1..];
            let is_name = |b: &u8| is_of_name(*b) || !b.is_ascii();
            if !rest.first().is_some_and(u8::is_ascii_alphanumeric)
                || !equals.checked_sub(1).is_some_and(|before| is_name(&text[before]))
            {
                continue;
            }
            let name = text[..equals].iter().rev().take(64).take_while(|b| is_name(b)).count();
            let Some(Rule::Mask(kind)) =
                self.memo.name(&self.policy.names, &text[equals - name..equals]).rule
            else {
                continue;
            };
            let told = kind.is_machine_made() || matches!(kind, Kind::Password | Kind::Otp);
            if !told {
                continue;
            }
            // A matrix parameter's value ends with its segment.
            let before = text[..equals - name].strip_suffix(b";");
            let matrix = before.is_some_and(|before| !is_listed(before));
            let within = reach.go(text, equals + 1, matrix);
            let value = text.get(equals + 1..reach.end).unwrap_or_default();
            let tells = reach.digit.is_some_and(|at| at > equals) || entropy::is_random(value, 20.0);
            // One that is part of another one is looked at again.
            if tells && (!within || self.may_open(context, value.len())) {
                let found = self.named(kind, value, context);
                merge(&mut patches, shift(found, equals + 1));
            }
        }
        patches
    }

    /// `name=value&name=value`.
    fn pairs(&mut self, text: &[u8], separator: u8, context: Context) -> Vec<Patch> {
        let mut patches = Vec::new();
        let mut at = 0;
        // Most are written without.
        let encoded = memchr::memchr2(b'%', b'+', text).is_some();
        let decode = |text| if encoded { percent::decode(text, true) } else { Cow::Borrowed(text) };
        while at <= text.len() {
            let rest = text.get(at..).unwrap_or_default();
            let item = rest.get(..pair(rest, separator)).unwrap_or_default();
            let start = at;
            at += item.len() + 1;
            // In HTML that was not decoded the separator is &amp;.
            let skip = if item.starts_with(b"amp;") { 4 } else { 0 };
            let Some(equals) = memchr::memchr(b'=', &item[skip..]).map(|e| e + skip) else { continue };
            let name = decode(&item[skip..equals]);
            let raw = &item[equals + 1..];
            let rule = self.memo.name(&self.policy.names, &name).rule;
            if raw.is_empty() || rule.is_none() {
                continue;
            }
            let value = decode(raw);
            let found = self.written(raw, &value, Encoding::FormPercent, context.inner(rule));
            merge(&mut patches, shift(found, start + equals + 1));
        }
        patches
    }

    /// `user:password` before the `@` of an authority.
    fn user_information(&mut self, text: &[u8], context: Context) -> Vec<Patch> {
        let len =
            text.iter().take(256).take_while(|b| !ends_url(**b) && !matches!(b, b'/' | b'?' | b'#')).count();
        let Some(at) = memchr::memrchr(b'@', &text[..len]) else { return Vec::new() };
        let mut patches = Vec::new();
        let mut start = 0;
        for (kind, piece) in
            [Kind::User, Kind::Password].into_iter().zip(text[..at].splitn(2, |b| *b == b':'))
        {
            let value = percent::decode(piece, false);
            let found = self.value(&value, context.inner(Some(Rule::Mask(kind))));
            merge(&mut patches, shift(Layer::new(piece, &value, Encoding::Percent).lift(found), start));
            start += piece.len() + 1;
        }
        patches
    }
}

/// Length of the first one of a list of pairs. Programs that write such lists encode a semicolon; people have one behind the last pair, and
/// between two.
fn pair(text: &[u8], separator: u8) -> usize {
    let ends = |at: &usize| {
        if text.get(*at) == Some(&separator) {
            return true;
        }
        let rest = text.get(at + 1..).unwrap_or_default();
        let is_name = |b: &&u8| is_of_name(**b) || **b == b' ';
        let name = rest.iter().take(64).take_while(is_name).count();
        rest.is_empty() || name > 0 && rest.get(name) == Some(&b'=')
    };
    memchr::memchr2_iter(separator, b';', text).find(ends).unwrap_or(text.len())
}

/// Whether a text is what a form would send.
fn is_pairs(text: &[u8]) -> bool {
    let name = text.iter().take(128).take_while(|b| is_of_name(**b) || b"[]%".contains(b)).count();
    name > 0 && text.get(name) == Some(&b'=') && !text.iter().any(|b| ends_url(*b) || *b == b'?')
}
