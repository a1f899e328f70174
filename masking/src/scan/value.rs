//! One decoded value: under a name that says what it is, or free.

use mynah_message::{Encoding, percent};

use super::layer::Layer;
use super::{Context, Patch, Scanner, Why, merge, shift};
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
            let why = match context.why() {
                // Known or not, it would have been found.
                Why::Known if detect::shape(value) == Some(kind) => Why::Detector,
                why => why,
            };
            return self.replaced(kind, value, why);
        }
        match context.rule {
            Some(Rule::Own(number)) => self.own(number, value, context),
            Some(Rule::Id) => self.id(value, context),
            Some(_) if self.policy.index.whole_match(value).is_some() => self.free(value, context),
            Some(Rule::Keep) => Vec::new(),
            Some(Rule::Mask(kind)) => self.named(kind, value, context),
            Some(Rule::Credentials) => self.credentials(value, context, false),
            Some(Rule::Challenge) => self.credentials(value, context, true),
            Some(Rule::Without(_)) | None => self.free(value, context),
        }
    }

    /// The whole value is one sensitive value.
    pub(crate) fn whole(&mut self, kind: Kind, value: &[u8]) -> Vec<Patch> {
        self.whole_because(kind, value, Why::Name)
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
        if context.depth < self.policy.depth
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
        if has_percent(value) {
            let decoded = percent::decode(value, false);
            if std::str::from_utf8(&decoded).is_ok() {
                let patches = self.value(&decoded, context.inner(rule));
                return Some(Layer::new(value, &decoded, Encoding::Percent).lift(patches));
            }
        }
        None
    }

    /// A value of which nothing is known: what is nested in it, what was learnt, what gives itself away.
    pub(super) fn free_value(&mut self, value: &[u8], context: Context) -> Vec<Patch> {
        // Nothing shorter is learnt, and no address is.
        if value.len() < 6 {
            return Vec::new();
        }
        let signs = Signs::of(value);
        let mut patches = Vec::new();
        if context.depth < self.policy.depth {
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
        let possible = signs.possible(value.len(), context.detectors(self.policy.detectors));
        if possible != Detectors::NONE {
            for found in detect::detect_possible(value, possible) {
                let range = found.range;
                let text = &value[range.clone()];
                // Known or not, it would have been found.
                if let Some(known) = patches.iter_mut().find(|p| p.range == range && p.why == Why::Known) {
                    known.why = Why::Detector;
                    continue;
                }
                merge(&mut patches, shift(self.whole_because(found.kind, text, Why::Detector), range.start));
            }
        }
        if context.depth < self.policy.depth && signs.has_percent() && has_percent(value) {
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
