//! The first pass: what is sensitive anywhere.

use std::sync::Arc;

use mynah_message::Message;
use mynah_traffic::{Exchange, Flag, Side};

use crate::kind::Kind;
use crate::learned::{Learning, Match};
use crate::masker::message_side;
use crate::message;
use crate::policy::Policy;
use crate::policy::scope::Scopes;
use crate::policy::shared::Sharing;
use crate::pseudonym;
use crate::scan::{Met, Patch, Scanner, Sink};
use crate::{Key, Masker};

/// Reads every exchange once and notes the values that must go everywhere.
pub struct Learner {
    scopes: Scopes,
    key: Key,
    learning: Learning,
    /// Who shares what, where that is asked for.
    sharing: Option<Sharing>,
}

impl Learner {
    /// Begins with nothing known.
    pub fn new(policy: Policy, key: Key) -> Self {
        let sharing = policy.k.map(Sharing::new);
        Learner { scopes: Scopes::new(Arc::new(policy)), key, learning: Learning::default(), sharing }
    }

    /// Notes what is sensitive in the exchange. What cannot be read teaches nothing: it will be withheld.
    pub fn learn(&mut self, exchange: &Exchange) {
        if let Some(sharing) = &mut self.sharing {
            sharing.count(self.scopes.policy(), exchange);
        }
        learn(&mut self.scopes, &mut self.learning, exchange);
    }

    /// Ends the pass. From here on kinds are fixed, so that the order of exchanges has no say in what becomes of a value.
    pub fn finish(mut self) -> Masker {
        let mut policy = self.scopes.policy().clone();
        policy.rare = self.sharing.map(|sharing| Arc::new(sharing.finish(&mut self.learning)));
        let mut masker = Masker::new(policy, &self.key, self.learning.finish());
        *masker.plans() = std::mem::take(&mut self.scopes.whole().1.plans);
        masker
    }
}

/// Notes what is sensitive in both messages.
pub(crate) fn learn(scopes: &mut Scopes, learning: &mut Learning, exchange: &Exchange) {
    let mut whole;
    let mut exchange = exchange;
    if exchange.flags.has(Flag::BodyCut) {
        whole = exchange.clone();
        scopes.policy().withhold_cut(&mut whole);
        exchange = &whole;
    }
    let scope = scopes.scope(exchange);
    let mut message = |message: &Message, side: Side| {
        let (policy, memo) = scopes.of(&scope, message_side(side));
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
        // Those of a link are its host and its path.
        if kind.is_machine_made() && !value.starts_with(b"http") && pseudonym::is_composite(value) {
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
