//! The rules that hold for one message: those of its side, host and path.

use std::collections::HashMap;
use std::sync::Arc;

use mynah_message::Side;
use mynah_traffic::Exchange;

use super::Policy;
use super::rule::OwnRule;
use crate::memo::Memo;

/// So many different sets of rules are kept ready; with more, all begin anew.
const MOST: usize = 32;

/// A policy, and what of it holds where. Each set of rules has a memory of its own: what one finds nothing in may say much
/// to another.
pub(crate) struct Scopes {
    policy: Arc<Policy>,
    memo: Memo,
    is_conditional: bool,
    narrowed: HashMap<Vec<u8>, (Policy, Memo)>,
}

/// What rules can ask of an exchange.
#[derive(Default)]
pub(crate) struct Scope {
    host: String,
    path: String,
}

impl Scopes {
    pub(crate) fn new(policy: Arc<Policy>) -> Scopes {
        let is_conditional = policy.own.iter().any(OwnRule::is_conditional);
        Scopes { policy, memo: Memo::default(), is_conditional, narrowed: HashMap::new() }
    }

    /// For what is masked as soon as it has been learnt from.
    pub(crate) fn of_stream(policy: Arc<Policy>) -> Scopes {
        Scopes { memo: Memo::of_stream(), ..Scopes::new(policy) }
    }

    /// The policy with all of its rules.
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The policy with all of its rules, and what is remembered of it.
    pub(crate) fn whole(&mut self) -> (&Policy, &mut Memo) {
        (&self.policy, &mut self.memo)
    }

    /// What is to be known of an exchange.
    pub(crate) fn scope(&self, exchange: &Exchange) -> Scope {
        if !self.is_conditional {
            return Scope::default();
        }
        let head = exchange.request_head();
        let target = head.as_ref().and_then(mynah_message::Head::target).unwrap_or_default();
        // An absolute form names the host before the path.
        let target = match target.split_once("://") {
            Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
            None => target,
        };
        let path = target.split(['?', '#']).next().unwrap_or_default();
        Scope { host: exchange.host(), path: path.to_owned() }
    }

    /// The policy for a message of such an exchange, and what is remembered of it.
    pub(crate) fn of(&mut self, scope: &Scope, side: Side) -> (&Policy, &mut Memo) {
        if !self.is_conditional {
            return self.whole();
        }
        let holds = |rule: &OwnRule| rule.holds(side, &scope.host, &scope.path);
        let set: Vec<u8> =
            (0_u8..).zip(self.policy.own.iter()).filter(|(_, rule)| holds(rule)).map(|(n, _)| n).collect();
        if self.narrowed.len() >= MOST && !self.narrowed.contains_key(&set) {
            self.narrowed.clear();
        }
        let base = &self.policy;
        let (policy, memo) = self.narrowed.entry(set).or_insert_with(|| {
            (Policy::clone(base).indexed(|rule| rule.holds(side, &scope.host, &scope.path)), Memo::default())
        });
        (policy, memo)
    }

    /// More is known from now on: so many values.
    pub(crate) fn begin_epoch(&mut self, known: usize) {
        self.memo.begin_epoch(known);
        self.narrowed.values_mut().for_each(|(_, memo)| memo.begin_epoch(known));
    }
}
