//! One decoded value: under a name that says what it is, or free.

use mynah_message::{Encoding, percent};

use super::layer::Layer;
use super::{Context, DEPTH, Patch, Scanner, merge, shift};
use crate::detect::signs::Signs;
use crate::detect::{self, Detectors};
use crate::kind::Kind;
use crate::names::{self, Rule};

impl Scanner<'_> {
    /// The patches of a value, in order.
    pub(crate) fn value(&mut self, value: &[u8], context: Context) -> Vec<Patch> {
        if value.is_empty() {
            return Vec::new();
        }
        if !context.searched
            && let Some(kind) = self.sink.known(value)
        {
            return self.whole(kind, value);
        }
        match context.rule {
            Some(Rule::Keep) => Vec::new(),
            Some(Rule::Mask(kind)) => self.named(kind, value, context),
            Some(Rule::Credentials) => self.credentials(value, context, false),
            Some(Rule::Challenge) => self.credentials(value, context, true),
            Some(Rule::Without(_)) | None => self.free(value, context),
        }
    }

    /// The whole value is one sensitive value.
    pub(crate) fn whole(&mut self, kind: Kind, value: &[u8]) -> Vec<Patch> {
        self.met += 1;
        let replaced = match kind {
            Kind::Jwt => self.jwt(value),
            _ => self.sink.replace(kind, value),
        };
        replaced.map(|bytes| Patch { range: 0..value.len(), bytes, kind }).into_iter().collect()
    }

    /// A value whose name says that it is sensitive.
    pub(super) fn named(&mut self, kind: Kind, value: &[u8], context: Context) -> Vec<Patch> {
        // Space and quotes around a value are not part of it: quoted or not, it is the same.
        let trimmed = value.trim_ascii();
        let inner = match trimmed {
            [b'"', inner @ .., b'"'] if !inner.is_empty() => inner,
            _ => trimmed,
        };
        if inner.len() < value.len() {
            let lead = value.len() - value.trim_ascii_start().len();
            let start = lead + usize::from(inner.len() < trimmed.len());
            if inner.is_empty() {
                return Vec::new();
            }
            return shift(self.value(inner, Context { rule: Some(Rule::Mask(kind)), ..context }), start);
        }
        if kind.is_machine_made() && names::is_no_secret(value) {
            return Vec::new();
        }
        // A message's code goes by the name of an interface's address.
        let kind = if kind == Kind::Mac && !detect::mac::is_mac(value) { Kind::Signature } else { kind };
        if context.depth < DEPTH
            && let Some(patches) = self.named_nested(kind, value, context)
        {
            return patches;
        }
        if kind == Kind::Ip {
            return self.addresses(value);
        }
        // What was noted under that kind already has no other form.
        let shape = if self.sink.noted(kind, value) { None } else { detect::shape(value) };
        self.whole(shape.unwrap_or(kind), value)
    }

    /// Under the name of addresses there may stand a list of them, with ports, words and the servers' own: each is one value.
    fn addresses(&mut self, value: &[u8]) -> Vec<Patch> {
        let found = detect::ip::addresses(value);
        if found.is_empty() && !detect::ip::holds_any(value) {
            // An address as one number, or hashed; but not `unknown`.
            return if value.iter().any(u8::is_ascii_digit) {
                self.whole(Kind::Ip, value)
            } else {
                Vec::new()
            };
        }
        let mut patches = Vec::new();
        for range in found {
            let text = &value[range.clone()];
            patches.extend(shift(self.whole(Kind::Ip, text), range.start));
        }
        patches
    }

    /// Under the name of a secret there may stand something that holds the secret.
    fn named_nested(&mut self, kind: Kind, value: &[u8], context: Context) -> Option<Vec<Patch>> {
        let rule = Some(Rule::Mask(kind));
        if matches!(value.first(), Some(b'{' | b'['))
            && let Some(patches) = self.json(value, context.inner(rule))
        {
            return Some(patches);
        }
        if let Some(space) = memchr::memchr(b' ', value)
            && matches!(value[..space].to_ascii_lowercase().as_slice(), b"bearer" | b"basic" | b"token")
        {
            return Some(self.credentials(value, context.inner(None), false));
        }
        if kind == Kind::Cookie && (value.starts_with(b"/") || value.starts_with(b"http")) {
            return Some(self.free(value, context.inner(None)));
        }
        if is_percent_encoded(value) {
            let decoded = percent::decode(value, false);
            if std::str::from_utf8(&decoded).is_ok() {
                let patches = self.value(&decoded, context.inner(rule));
                return Some(Layer::new(value, &decoded, Encoding::Percent).lift(patches));
            }
        }
        None
    }

    /// A value of which nothing is known: what is nested in it, what was learnt, what gives itself away.
    pub(crate) fn free(&mut self, value: &[u8], context: Context) -> Vec<Patch> {
        // Nothing shorter is learnt, and no address is.
        if value.len() < 6 {
            return Vec::new();
        }
        let signs = Signs::of(value);
        let mut patches = Vec::new();
        if context.depth < DEPTH {
            if matches!(value.trim_ascii_start().first(), Some(b'{' | b'['))
                && let Some(found) = self.json(value, context.inner(None))
            {
                patches = found;
            }
            if signs.may_hold_url() {
                merge(&mut patches, self.urls(value, context));
            }
        }
        if !context.searched {
            let matches = self.sink.matches(value);
            merge(&mut patches, self.sink.sweep(self.policy, value, matches, false));
        }
        let possible = signs.possible(value.len(), context.detectors());
        if possible != Detectors::NONE {
            for found in detect::detect_possible(value, possible) {
                let range = found.range;
                let text = &value[range.clone()];
                merge(&mut patches, shift(self.whole(found.kind, text), range.start));
            }
        }
        if context.depth < DEPTH && signs.has_percent() && has_percent(value) {
            let decoded = percent::decode(value, false);
            let found = self.free(&decoded, context.inner(None));
            merge(&mut patches, Layer::new(value, &decoded, Encoding::Percent).lift(found));
        }
        patches
    }
}

/// Whether there is a percent sign with two hex digits.
fn has_percent(value: &[u8]) -> bool {
    memchr::memchr_iter(b'%', value)
        .any(|at| value.get(at + 1..at + 3).is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit)))
}

/// Whether all there is behind percent signs are bytes that somebody would encode: `a%62c` is a password with a percent sign in it.
fn is_percent_encoded(value: &[u8]) -> bool {
    let needless = |at: usize| {
        let digits = value.get(at + 1..at + 3).and_then(|d| std::str::from_utf8(d).ok());
        digits.and_then(|d| u8::from_str_radix(d, 16).ok()).is_some_and(|b| b.is_ascii_alphanumeric())
    };
    has_percent(value) && !memchr::memchr_iter(b'%', value).any(needless)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_digits_are_not_percent_encoded() {
        assert!(is_percent_encoded(b"a%40b%2Bc") && is_percent_encoded(b"100% a%20b"));
        assert!(
            !is_percent_encoded(b"Quojor%628kVj")
                && !is_percent_encoded(b"100%")
                && !is_percent_encoded(b"a%4")
        );
    }
}
