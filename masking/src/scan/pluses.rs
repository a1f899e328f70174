//! Queries and forms in which a `+` stands for itself. A form writes it for a space, but many put base64 there as it is, and so a
//! value has two meanings of which one was meant.

use std::borrow::Cow;

use mynah_message::{Encoding, percent};

use super::layer::Layer;
use super::opened::Opened;
use super::value::{DATA, MARK, SHORTEST};
use super::{Context, Patch, Scanner, Why, inlaid, merge};
use crate::detect::{self, Detectors, words};
use crate::kind::Kind;
use crate::names::Rule;
use crate::pseudonym::is_one_with_spaces;

/// What a value of a query or form means where each `+` is one; `None` where there is none, or the value is too short for anybody to
/// look into, or to know it.
fn with_pluses(raw: &[u8], encoding: Encoding) -> Option<Cow<'_, [u8]>> {
    let may_be = encoding == Encoding::FormPercent && raw.len() >= SHORTEST;
    (may_be && memchr::memchr(b'+', raw).is_some()).then(|| percent::decode(raw, false))
}

/// Whether a value may be base64 from end to end, or is a `data:` URI.
pub(crate) fn is_base64(value: &[u8]) -> bool {
    let bare = value.strip_suffix(b"==").or_else(|| value.strip_suffix(b"=")).unwrap_or(value);
    value.starts_with(DATA)
        || bare.len() >= inlaid::SHORTEST
            && bare.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
}

impl Scanner<'_> {
    /// The patches of a value, in terms of the bytes in which it is written.
    pub(super) fn written(
        &mut self,
        raw: &[u8],
        value: &[u8],
        encoding: Encoding,
        context: Context,
    ) -> Vec<Patch> {
        let Some(plain) = with_pluses(raw, encoding) else {
            let patches = self.value(value, context);
            return Layer::new(raw, value, encoding).lift(patches);
        };
        let unsearched = Context { searched: false, ..context };
        let means_plain = self.means_pluses(&plain, value, context);
        let named = !matches!(context.rule, Some(Rule::Without(_)) | None);
        if means_plain && named && !self.sink.learns() {
            let patches = self.value(&plain, unsearched);
            return Layer::with_pluses(raw, &plain).lift(patches);
        }
        // Whoever reads it as a form may hand it on so, and both are learnt.
        let met = self.met;
        let form = self.value(value, context);
        if !means_plain && self.met > met {
            self.note_pluses(&plain, value, context);
        }
        let form = Layer::new(raw, value, encoding).lift(form);
        let found =
            if means_plain { self.value(&plain, unsearched) } else { self.within_pluses(&plain, unsearched) };
        together(form, Layer::with_pluses(raw, &plain).lift(found))
    }

    /// A secret that a form may mean with a space is learnt with its pluses, too. One that has a form with the space, as a private key
    /// has, is none with the plus.
    fn note_pluses(&mut self, plain: &[u8], spaced: &[u8], context: Context) {
        let has_form =
            |text: &[u8]| !detect::detect(text, Detectors::DEFAULT.without(Detectors::RANDOM)).is_empty();
        if let Some(Rule::Mask(kind)) = context.rule
            && (kind.is_machine_made() || matches!(kind, Kind::Password | Kind::Otp))
            && self.sink.learns()
            && is_one_with_spaces(plain)
            && !has_form(plain)
            && !has_form(spaced)
        {
            self.sink.replace(kind, plain);
        }
    }

    /// Whether there is nothing but what was learnt in a value of which its name says nothing that shows only where each `+` is one.
    pub(super) fn pluses_hold_nothing(&self, raw: &[u8], encoding: Encoding) -> bool {
        with_pluses(raw, encoding).is_none_or(|plain| {
            let is_closed = || matches!(Opened::of(&plain, &self.policy.limits), Ok(None));
            !plain.starts_with(DATA) && !inlaid::may_hold(&plain) && (!is_base64(&plain) || is_closed())
        })
    }

    /// Whether all of a value is what it is where each `+` is one, and not what a form means: it was learnt so, it can be opened, or a
    /// secret is there that machines make, in which nobody would put a space.
    fn means_pluses(&mut self, plain: &[u8], form: &[u8], context: Context) -> bool {
        if self.sink.known(plain).is_some() {
            return true;
        }
        if !is_base64(plain) || words::behind_scheme(form).is_some() || self.sink.known(form).is_some() {
            return false;
        }
        let is_token = matches!(context.rule, Some(Rule::Mask(kind)) if kind.is_machine_made())
            && [u8::is_ascii_digit, u8::is_ascii_uppercase, u8::is_ascii_lowercase]
                .iter()
                .all(|is| plain.iter().any(is));
        let opens = || {
            let start = memchr::memmem::find(plain, MARK).filter(|_| plain.starts_with(DATA));
            let inner = plain.get(start.map_or(0, |at| at + MARK.len())..).unwrap_or_default();
            !matches!(Opened::of(inner, &self.policy.limits), Ok(None))
        };
        is_token || opens()
    }

    /// The patches of what was learnt, and of base64 in the midst of others, in what a value means where each `+` is one.
    fn within_pluses(&mut self, plain: &[u8], context: Context) -> Vec<Patch> {
        self.is_unsearched(context);
        let matches = self.sink.matches(plain);
        let learnt = self.sink.sweep(self.policy, plain, matches, false);
        let mut patches = Vec::new();
        let scanned = matches!(context.rule, None | Some(Rule::Without(_)));
        if scanned && inlaid::may_hold(plain) {
            patches = self.inlaid(plain, context, &[], &learnt);
        }
        merge(&mut patches, learnt);
        patches
    }
}

/// The patches of both meanings of a value: what was opened with its `+` goes first where it holds all of what was found without, but
/// for what was learnt.
fn together(form: Vec<Patch>, mut plain: Vec<Patch>) -> Vec<Patch> {
    let meets = |a: &Patch, b: &Patch| a.range.start < b.range.end && b.range.start < a.range.end;
    let holds = |a: &Patch, b: &Patch| a.range.start <= b.range.start && b.range.end <= a.range.end;
    plain.retain(|p| form.iter().all(|f| !meets(p, f) || holds(p, f) && f.why != Why::Known));
    merge(&mut plain, form);
    plain
}
