//! Masking of exchanges that can be read once only: live traffic.
//!
//! Each exchange is learnt from and then masked with all that is known so far. What is found out later (that a path held a
//! token, which a header then gives away) is made good before a file is sealed: a [`Sealer`] goes over what was written and
//! replaces by value what was not known when it was written; where something in such a value was known, what was written of it
//! until then is searched for as well. What comes out is what [`Learner`](crate::Learner) and
//! [`Masker`] would have made of the whole file, except that a value's kind is the one under which its
//! exchange first showed it, so that a pseudonym that was given out stays the value's pseudonym.

use std::sync::Arc;

use mynah_traffic::{Exchange, Flag, Masked, Provenance, Side};

use crate::audit::Auditor;
use crate::key::Key;
use crate::learned::{Known, Learning};
use crate::learner;
use crate::masker::{Masker, State, message_side, sworn};
use crate::policy::Policy;
use crate::policy::scope::Scopes;
use crate::remask::{self, Again, Remasked};
use crate::report::Report;
use crate::scan::{Scanner, Unreadable};
use crate::tally::Sort;

/// Learns from and masks exchanges as they come.
///
/// What was learnt is kept as long as the stream lives, so that a value has one pseudonym in all of its files: some 900 bytes
/// for each value hard enough to guess to be replaced everywhere (a session's identifier, a token, an address).
///
/// ```
/// use mynah_masking::{Key, Policy, Stream};
/// use mynah_message::Message;
/// use mynah_traffic::Exchange;
///
/// let get = |head: &str| Exchange {
///     request: Some(Message { head: format!("{head}\r\n\r\n").into(), ..Default::default() }),
///     ..Exchange::default()
/// };
/// let mut stream = Stream::new(Policy::built_in(), Key::random()?);
/// let mut mask = |head| stream.mask(get(head)).expect("no rule leaves it out");
/// let first = mask("GET /reset/k3J9xQ2mLp0Zq81aWT HTTP/1.1");
/// let second = mask("GET / HTTP/1.1\r\nCookie: sid=k3J9xQ2mLp0Zq81aWT");
/// let mut sealer = stream.sealer();
/// // That the first one's path held a session's identifier was not known until the second one came.
/// let first = sealer.remask(&first).expect("something changes");
/// assert!(sealer.remask(&second).is_none());
/// let mut auditor = sealer.auditor();
/// for exchange in [&first, &second] {
///     auditor.check(exchange.get());
/// }
/// assert!(auditor.finish().is_ok());
/// # Ok::<(), mynah_masking::Error>(())
/// ```
pub struct Stream {
    masker: Masker,
    learning: Learning,
    scopes: Scopes,
    policy: Arc<Policy>,
    file: File,
}

/// The file in hand.
struct File {
    /// How many values were known when its first exchange was masked.
    known: Option<usize>,
    /// What was counted before it.
    before: Report,
}

impl Stream {
    /// Begins with nothing known.
    #[expect(clippy::needless_pass_by_value, reason = "whoever gives it away has it wiped")]
    pub fn new(policy: Policy, key: Key) -> Stream {
        let known = Known::default();
        let masker = Masker::new(policy.clone(), &key, known.clone());
        let policy = Arc::new(policy);
        Stream {
            file: File { known: None, before: masker.report().clone() },
            masker,
            learning: Learning::beside(known),
            scopes: Scopes::of_stream(Arc::clone(&policy)),
            policy,
        }
    }

    /// Learns from the exchange (both messages), then masks it with everything known so far, as [`Masker::mask`] does.
    /// What a rule leaves out, `None`, teaches all the same.
    pub fn mask(&mut self, exchange: Exchange) -> Option<Masked<Exchange>> {
        learner::learn(&mut self.scopes, &mut self.learning, &exchange);
        // Handed over to the second pass, and back.
        std::mem::swap(&mut self.scopes.whole().1.plans, self.masker.plans());
        let before = self.masker.state().known.len();
        if self.learning.settle() {
            self.masker.knows_more(before, self.file.known);
        }
        self.file.known.get_or_insert_with(|| self.masker.state().known.len());
        let masked = self.masker.mask(exchange);
        std::mem::swap(&mut self.scopes.whole().1.plans, self.masker.plans());
        masked
    }

    /// What was done since the stream began.
    pub fn report(&self) -> &Report {
        self.masker.report()
    }

    /// For a recording's header: the key's name and the policy's hash.
    pub fn header(&self) -> ([u8; 8], [u8; 32]) {
        self.masker.header()
    }

    /// Ends a file: gives out what is known now, for the exchanges masked since the last call of this. The stream may go on
    /// at once, for the next file; what it learns then is not seen by this sealer. Costs a few allocations, however much
    /// is known.
    pub fn sealer(&mut self) -> Sealer {
        let state = self.masker.state();
        let all = state.known.now(0);
        let late = all.now(self.file.known.take().unwrap_or(usize::MAX)).with_forms();
        let report = self.masker.report().since(&self.file.before);
        self.file.before = self.masker.report().clone();
        Sealer {
            scopes: Scopes::new(Arc::clone(&self.policy)),
            state: State::new(all, state.pseudonyms.clone(), Arc::clone(&state.own), state.issued.clone()),
            late,
            report,
        }
    }
}

/// What is known at the end of a file, to make good what was not known when its exchanges were masked.
pub struct Sealer {
    scopes: Scopes,
    state: State,
    /// What was learnt after the file's first exchange.
    late: Known,
    report: Report,
}

impl Sealer {
    /// Whether anything was learnt after the file's first exchange was masked. Where not, [`Sealer::remask`] has nothing to do for
    /// any exchange, and need not be called.
    pub fn has_late(&self) -> bool {
        !self.late.is_empty()
    }

    /// Replaces in an exchange of this file what was learnt after it had been masked; `None` when nothing changes. What
    /// comes out has no more to replace, and pseudonyms stay as they are.
    pub fn remask(&mut self, written: &Masked<Exchange>) -> Option<Masked<Exchange>> {
        if self.late.is_empty() || written.provenance() != Provenance::Policy {
            return None;
        }
        let exchange = written.get();
        let scope = self.scopes.scope(exchange);
        let mut new: Option<Exchange> = None;
        for side in [Side::Request, Side::Response] {
            let message = match side {
                Side::Request => &exchange.request,
                Side::Response => &exchange.response,
            };
            let Some(message) = message else { continue };
            let old: Vec<_> = exchange.sensitive.iter().filter(|s| s.side == side).cloned().collect();
            let (policy, memo) = self.scopes.of(&scope, message_side(side));
            let mut again = Again { policy, state: &mut self.state, late: &self.late };
            let mut scanner = Scanner::new(policy, &mut again, memo);
            let Some(remasked) = remask::remask(&mut scanner, &self.late, message, side, &old) else {
                continue;
            };
            self.put(new.get_or_insert_with(|| exchange.clone()), side, remasked);
        }
        new.map(sworn)
    }

    fn put(&mut self, exchange: &mut Exchange, side: Side, remasked: Remasked) {
        let Remasked { message, spans, places, withheld, blotted } = remasked;
        let (slot, gone) = match side {
            Side::Request => (&mut exchange.request, Flag::NoRequest),
            Side::Response => (&mut exchange.response, Flag::NoResponse),
        };
        if blotted {
            self.report.quarantine(Unreadable::HIDES.0);
        }
        for reason in withheld {
            self.report.quarantine(reason);
            exchange.flags.set(Flag::BodyWithheld);
        }
        for place in places {
            self.report.count(self.scopes.policy(), Sort::of(&place), 1);
        }
        if message.is_none() {
            exchange.flags.set(gone);
        }
        exchange.sensitive.retain(|s| s.side != side);
        for (span, written) in spans {
            if let Some(written) = written {
                self.state.issued.note(&written);
            }
            exchange.sensitive.push(span);
        }
        exchange.sensitive.sort_by_key(|s| (s.side, !s.in_body, s.start));
        *slot = message;
    }

    /// Who checks the exchanges of this file.
    pub fn auditor(&self) -> Auditor {
        Auditor::new(self.state.known.clone(), self.state.issued.clone())
            .with_limits(self.scopes.policy().limits)
    }

    /// What was done in this file: when it was masked, and by [`Sealer::remask`].
    pub fn report(&self) -> &Report {
        &self.report
    }
}
