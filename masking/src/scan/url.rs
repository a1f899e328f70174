//! URLs within text: their queries, fragments, matrix parameters and user information. And `password=…` in any text: in a line of
//! a log, in a comment.

use std::borrow::Cow;

use mynah_message::{Encoding, percent};

use super::hints::{ascii_tail, is_in_name};
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

/// What a pair of a name and a value stands in.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Among {
    #[default]
    Text,
    /// `/a;sid=…/b`: the parameters of a path's segment, RFC 3986 §3.3.
    Path,
    /// `Server=db;User Id=sa;Password=…`, `host=db user=sa password=…`: how programs are told what to connect with. A value goes on to the
    /// next semicolon or space.
    List,
}

/// Bytes that are looked at for what a pair stands in.
const AROUND: usize = 256;

impl Among {
    /// Of a pair whose name begins at `name`, and whose value at `value`.
    fn of(text: &[u8], name: usize, value: usize) -> Among {
        let before = text.get(..name).unwrap_or_default();
        let close = before.strip_suffix(b" ").unwrap_or(before);
        let list = close.strip_suffix(b";");
        let apart = list.is_some() || close.len() < before.len();
        let word = list.unwrap_or(close);
        let word = word.get(word.len().saturating_sub(AROUND)..).unwrap_or(word);
        let word = word.rsplit(|b| ends_url(*b)).next().unwrap_or_default();
        let first = memchr::memchr(b'=', word).and_then(|equals| word.get(..equals));
        let is_pair =
            |first: &[u8]| first.starts_with(b"jdbc:") || memchr::memchr2(b'/', b'?', first).is_none();
        if apart && first.is_some_and(is_pair) {
            return Among::List;
        }
        if list.is_some() && close.len() == before.len() {
            return Among::Path;
        }
        // The first of a list has another one behind it.
        let rest = text.get(value..).unwrap_or_default();
        let end = rest.iter().take(AROUND).position(|b| ends_url(*b) || *b == b';');
        let goes_on = match end.and_then(|end| rest.get(end..)) {
            Some([b';', b' ', more @ ..] | [b';', more @ ..]) => begins_pair(more, true),
            Some([b' ', more @ ..]) => begins_pair(more, false),
            _ => false,
        };
        if goes_on { Among::List } else { Among::Text }
    }
}

/// Whether a name stands there, perhaps one of several words, and an equals sign behind it.
fn begins_pair(text: &[u8], words: bool) -> bool {
    let is_name = |b: &&u8| is_in_name(**b) || words && **b == b' ';
    let name = text.iter().take(64).take_while(is_name).count();
    name > 0 && text.get(name) == Some(&b'=')
}

/// Where values end that were assigned: all that begin before such an end, end there.
#[derive(Default)]
struct Reach {
    end: usize,
    among: Among,
    /// The last digit before it.
    digit: Option<usize>,
}

impl Reach {
    /// Goes on to the end of the value that begins there. Says whether that is part of one before.
    fn go(&mut self, text: &[u8], start: usize, among: Among) -> bool {
        if start < self.end && among == self.among {
            return true;
        }
        let rest = text.get(start..).unwrap_or_default();
        let ends = |(at, b): (usize, &u8)| match (b, among) {
            // Another pair, or what is called, or looked up.
            (b'&' | b',', Among::List) => {
                let behind = rest.get(at + 1..).unwrap_or_default();
                behind.starts_with(b"amp;") || begins_pair(behind, false)
            }
            (b')' | b']' | b'}' | b'/' | b'?' | b'#', Among::List) => false,
            (b'/' | b'?' | b'#', Among::Path) => true,
            (b, _) => ends_url(*b) || b"&;,()[]{}".contains(b),
        };
        let len = rest.iter().enumerate().position(ends).unwrap_or(rest.len());
        let mut value = rest.get(..len).unwrap_or_default();
        // A sentence ends behind it, and what has the list in brackets.
        if rest.get(len).is_none_or(|b| ends_url(*b)) {
            let closes = |b: &u8| among == Among::List && matches!(b, b')' | b']' | b'}' | b',');
            while let Some((_, before)) = value.split_last().filter(|(last, _)| closes(last)) {
                value = before;
            }
        }
        if rest.get(len).is_none_or(|b| *b <= b' ') {
            value = value.strip_suffix(b".").or_else(|| value.strip_suffix(b":")).unwrap_or(value);
        }
        let digit = value.iter().rposition(u8::is_ascii_digit).map(|at| start + at);
        *self = Reach { end: start + value.len(), among, digit };
        false
    }
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
            // What stands in a list of other pairs is seen to where it is assigned.
            if matrix && self.is_listed_secret(text, at + 1) {
                continue;
            }
            let len = rest
                .iter()
                .position(|b| {
                    ends_url(*b) || matches!(b, b'?' | b'#') || matrix && matches!(b, b'/' | b'&' | b';')
                })
                .unwrap_or(rest.len());
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
            if !rest.first().is_some_and(u8::is_ascii_alphanumeric)
                || !equals.checked_sub(1).is_some_and(|before| is_in_name(text[before]))
            {
                continue;
            }
            let name = text[..equals].iter().rev().take(64).take_while(|b| is_in_name(**b)).count();
            let whole = &text[equals - name..equals];
            let kind = self.assigned_kind(whole).or_else(|| self.assigned_kind(ascii_tail(whole)?));
            let Some(kind) = kind else { continue };
            let within = reach.go(text, equals + 1, Among::of(text, equals - name, equals + 1));
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

    /// Of which kind the value of that name is, where it is a secret's.
    fn assigned_kind(&mut self, name: &[u8]) -> Option<Kind> {
        match self.memo.name(&self.policy.names, name).rule? {
            Rule::Mask(kind) if kind.is_machine_made() || matches!(kind, Kind::Password | Kind::Otp) => {
                Some(kind)
            }
            _ => None,
        }
    }

    /// Whether the name of a secret begins there, in a list of pairs.
    fn is_listed_secret(&mut self, text: &[u8], start: usize) -> bool {
        let rest = text.get(start..).unwrap_or_default();
        let len = rest.iter().take(64).take_while(|b| is_in_name(**b)).count();
        rest.get(len) == Some(&b'=')
            && rest.get(..len).is_some_and(|name| self.assigned_kind(name).is_some())
            && Among::of(text, start, start + len + 1) == Among::List
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
        rest.is_empty() || begins_pair(rest, true)
    };
    memchr::memchr2_iter(separator, b';', text).find(ends).unwrap_or(text.len())
}

/// Whether a text is what a form would send.
fn is_pairs(text: &[u8]) -> bool {
    let name =
        text.iter().take(128).take_while(|b| b.is_ascii_alphanumeric() || b"_-.[]%".contains(b)).count();
    name > 0 && text.get(name) == Some(&b'=') && !text.iter().any(|b| ends_url(*b) || *b == b'?')
}
