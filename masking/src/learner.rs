//! The first pass: what is sensitive anywhere.

use mynah_message::Message;
use mynah_traffic::{Exchange, Flag, Side};

use crate::kind::Kind;
use crate::learned::{Learning, Match};
use crate::memo::Memo;
use crate::message;
use crate::policy::Policy;
use crate::pseudonym;
use crate::scan::{Met, Patch, Scanner, Sink};
use crate::{Key, Masker};

/// Reads every exchange once and notes the values that must go everywhere.
pub struct Learner {
    policy: Policy,
    key: Key,
    learning: Learning,
    memo: Memo,
}

impl Learner {
    /// Begins with nothing known.
    pub fn new(policy: Policy, key: Key) -> Self {
        Learner { policy, key, learning: Learning::default(), memo: Memo::default() }
    }

    /// Notes what is sensitive in the exchange. What cannot be read teaches nothing: it will be withheld.
    pub fn learn(&mut self, exchange: &Exchange) {
        learn(&self.policy, &mut self.learning, &mut self.memo, exchange);
    }

    /// Ends the pass. From here on kinds are fixed, so that the order of exchanges has no say in what becomes of a value.
    pub fn finish(self) -> Masker {
        let mut masker = Masker::new(self.policy, &self.key, self.learning.finish());
        *masker.plans() = self.memo.plans;
        masker
    }
}

/// Notes what is sensitive in both messages.
pub(crate) fn learn(policy: &Policy, learning: &mut Learning, memo: &mut Memo, exchange: &Exchange) {
    let mut whole;
    let mut exchange = exchange;
    if exchange.flags.has(Flag::BodyCut) {
        whole = exchange.clone();
        policy.withhold_cut(&mut whole);
        exchange = &whole;
    }
    let mut message = |message: &Message, side: Side| {
        message::learn(&mut Scanner::new(policy, learning, memo), message, side);
    };
    if let Some(request) = &exchange.request {
        message(request, Side::Request);
    }
    if let Some(response) = &exchange.response {
        message(response, Side::Response);
    }
}

impl Sink for Learning {
    fn learns(&self) -> bool {
        true
    }

    fn replace(&mut self, kind: Kind, value: &[u8]) -> Option<Vec<u8>> {
        if self.has(kind, value) && !kind.is_machine_made() {
            return None;
        }
        self.note(kind, value);
        if kind.is_machine_made() && pseudonym::is_composite(value) {
            for segment in pseudonym::segments(value).filter(|s| pseudonym::is_long_segment(s)) {
                self.note(kind, segment);
            }
        }
        None
    }

    fn replace_jwt(&mut self, value: &[u8], _masked: Option<Vec<u8>>) -> Option<Vec<u8>> {
        self.note(Kind::Jwt, value);
        None
    }

    fn sign(&mut self, _token: &[u8], signature: &[u8]) -> Option<Vec<u8>> {
        // Goes on with the token as it is: while learning nothing is made of it.
        Some(signature.to_vec())
    }

    fn known(&self, value: &[u8]) -> Option<Kind> {
        // Of a web token nothing new can be learnt, and to know it by its form costs more.
        (value.starts_with(b"ey") && self.is(Kind::Jwt, value)).then_some(Kind::Jwt)
    }

    fn noted(&self, kind: Kind, value: &[u8]) -> bool {
        kind == Kind::Email && self.is(kind, value)
    }

    fn met_jwt(&mut self, value: &[u8]) -> Met {
        // It is noted last, when its claims have been.
        if self.has(Kind::Jwt, value) { Met::Noted } else { Met::New }
    }

    fn may_cross_lines(&self) -> bool {
        // Nothing is searched for.
        false
    }

    fn matches(&self, _text: &[u8]) -> Vec<Match> {
        Vec::new()
    }

    fn sweep(&mut self, _policy: &Policy, _text: &[u8], _matches: Vec<Match>, _in_place: bool) -> Vec<Patch> {
        Vec::new()
    }
}
