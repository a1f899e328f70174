//! The second pass: pseudonyms in the place of values.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use mynah_message::{Encoding, Limits, hex};
use mynah_traffic::{Exchange, Flag, Masked, Provenance, Side};

use crate::audit::{self, Auditor, Runs};
use crate::hash::{Prints, Quick, Strong};
use crate::key::Key;
use crate::kind::Kind;
use crate::learned::{Known, Match};
use crate::memo::Memo;
use crate::message::{self, Outcome};
use crate::plan::Plans;
use crate::policy::Policy;
use crate::policy::rule::OwnRule;
use crate::policy::scope::{Scope, Scopes};
use crate::pseudonym::Pseudonyms;
use crate::report::Report;
use crate::scan::layer::splice;
use crate::scan::{Met, Patch, Scanner, Sink, Unreadable, Why};
use crate::tally::{Sort, Tally};
use crate::variant::Variant;

/// Replaces what the [`Learner`](crate::Learner) noted, and whatever a name or a form gives away.
pub struct Masker {
    scopes: Scopes,
    state: State,
    /// All counts but those of the spans.
    report: Report,
    tally: Tally,
    /// All of it, since somebody asked for it and nothing was counted.
    told: OnceLock<Report>,
    key_id: [u8; 8],
}

/// Values and their pseudonyms.
type Made = HashMap<Box<[u8]>, Vec<u8>, Quick>;

/// What the scanner talks to.
pub(crate) struct State {
    pub(crate) known: Known,
    pub(crate) pseudonyms: Pseudonyms,
    /// The user's rules: they say what becomes of values of their own kinds.
    pub(crate) own: Arc<Vec<OwnRule>>,
    cache: HashMap<Kind, Made, Quick>,
    /// The same of web tokens, with how much was known: when it is more, more of the claims may be.
    jwts: HashMap<Box<[u8]>, (usize, Vec<u8>), Quick>,
    pub(crate) issued: Issued,
}

/// Keyed fingerprints of everything that was written in the place of something. The key is a random one of this process's:
/// pseudonyms are no secret, only nobody must be able to choose one that collides. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Issued {
    key: Strong,
    prints: Arc<RwLock<Prints>>,
    /// Whether base64 or hex of a text was met, or a body that nobody can read: then there may be more.
    inlaid: Arc<AtomicBool>,
}

impl Issued {
    pub(crate) fn note(&self, written: &[u8]) {
        self.note_all(std::iter::once(written));
    }

    /// Notes several at once.
    fn note_all<'w>(&self, written: impl ExactSizeIterator<Item = &'w [u8]>) {
        if written.len() == 0 {
            return;
        }
        let mut prints = self.prints.write().unwrap_or_else(PoisonError::into_inner);
        for written in written {
            prints.insert(self.key.hash(0, written));
        }
    }

    /// Base64 or hex of a text was met, or what may hold some.
    pub(crate) fn note_inlaid(&self) {
        self.inlaid.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_inlaid(&self) -> bool {
        self.inlaid.load(Ordering::Relaxed)
    }

    pub(crate) fn has(&self, written: &[u8]) -> bool {
        let print = self.key.hash(0, written);
        self.prints.read().unwrap_or_else(PoisonError::into_inner).contains(print)
    }
}

/// Pseudonyms of a kind kept at hand; beyond this many the cache starts anew.
const CACHED: usize = 50_000;

impl Masker {
    pub(crate) fn new(policy: Policy, key: &Key, known: Known) -> Masker {
        let report = Report {
            learned: known.learnt() as u64,
            policy_hash: hex::text(&policy.hash()),
            key_id: hex::text(&key.id()),
            ..Report::default()
        };
        let state = State::new(known, Pseudonyms::new(key), Arc::clone(&policy.own), Issued::default());
        Masker {
            scopes: Scopes::new(Arc::new(policy)),
            state,
            report,
            tally: Tally::default(),
            told: OnceLock::new(),
            key_id: key.id(),
        }
    }

    /// Masks one exchange. What cannot be read is withheld in the smallest part and counted; the exchange then has
    /// [`Flag::BodyWithheld`]. A withheld body is empty, and the head keeps the length that
    /// it had; a head that cannot be read takes its whole message with it.
    ///
    /// `None` when a rule of the policy leaves the whole exchange out.
    pub fn mask(&mut self, mut exchange: Exchange) -> Option<Masked<Exchange>> {
        self.told.take();
        let scope = self.scopes.scope(&exchange);
        exchange.sensitive.clear();
        let cut = self.scopes.policy().withhold_cut(&mut exchange);
        let mut outcomes = [None, None];
        let mut rejected = None;
        for (side, outcome) in [Side::Request, Side::Response].into_iter().zip(&mut outcomes) {
            let slot = match side {
                Side::Request => &mut exchange.request,
                Side::Response => &mut exchange.response,
            };
            let Some(original) = slot.take() else { continue };
            let (policy, memo) = self.scopes.of(&scope, message_side(side));
            let mut scanner = Scanner::new(policy, &mut self.state, memo);
            *outcome = Some((side, message::mask(&mut scanner, &original, side)));
            rejected = rejected.or(scanner.rejected);
        }
        if let Some(number) = rejected {
            self.report.reject(self.scopes.policy().rule(number).map_or("", |rule| rule.label.as_str()));
            return None;
        }
        self.report.exchanges += 1;
        let keeps = self.scopes.policy().keeps_addresses();
        if let Some(client) = exchange.connection.client.as_mut().filter(|_| !keeps) {
            client.set_ip(self.state.pseudonyms.ip(&client.ip()));
        }
        for _ in 0..cut {
            self.report.quarantine("body-cut");
        }
        for (side, Outcome { message, places, withheld, blotted, unread, signed }) in
            outcomes.into_iter().flatten()
        {
            self.report.unread += u64::from(unread);
            if let Some(scheme) = signed {
                self.report.sign(scheme);
            }
            if blotted {
                self.report.quarantine(Unreadable::HIDES.0);
            }
            for reason in withheld {
                self.report.quarantine(reason);
                exchange.flags.set(Flag::BodyWithheld);
            }
            if message.is_none() {
                exchange.flags.set(match side {
                    Side::Request => Flag::NoRequest,
                    Side::Response => Flag::NoResponse,
                });
            }
            let head = message.as_ref().map_or(&[][..], |message| &message.head);
            self.state.issued.note_all(places.iter().map(|place| place.written(head)));
            exchange.sensitive.reserve(places.len());
            for place in &places {
                self.tally.count(Sort::of(place));
                exchange.sensitive.extend(place.span(side));
            }
            match side {
                Side::Request => exchange.request = message,
                Side::Response => exchange.response = message,
            }
        }
        Some(sworn(exchange))
    }

    /// What was done so far.
    pub fn report(&self) -> &Report {
        self.told.get_or_init(|| self.tally.added_to(self.report.clone(), self.scopes.policy()))
    }

    /// Who checks the exchanges that were masked so far.
    pub fn auditor(&self) -> Auditor {
        Auditor::new(self.state.known.clone(), self.state.issued.clone())
            .with_limits(self.scopes.policy().limits)
    }

    /// For a recording's header: the key's name and the policy's hash.
    pub fn header(&self) -> ([u8; 8], [u8; 32]) {
        (self.key_id, self.scopes.policy().hash())
    }

    /// Values were added to what is known, from number `fresh` on. What was masked since `since` values were known was masked without them;
    /// `None` where nothing was.
    pub(crate) fn knows_more(&mut self, fresh: usize, since: Option<usize>) {
        if let Some(since) = since {
            self.state.note_forms(self.scopes.policy(), fresh, since);
        }
        self.scopes.begin_epoch(self.state.known.len());
        self.told.take();
        self.report.learned = self.state.known.learnt() as u64;
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// What was found out about bodies when they were learnt from.
    pub(crate) fn plans(&mut self) -> &mut Plans {
        &mut self.scopes.whole().1.plans
    }

    pub(crate) fn scanner(&mut self) -> Scanner<'_> {
        let (policy, memo) = self.scopes.whole();
        Scanner::new(policy, &mut self.state, memo)
    }

    /// Everything that masking a message by itself takes.
    pub(crate) fn parts(&mut self, scope: &Scope, side: Side) -> Scanner<'_> {
        let (policy, memo) = self.scopes.of(scope, message_side(side));
        Scanner::new(policy, &mut self.state, memo)
    }

    pub(crate) fn scopes(&self) -> &Scopes {
        &self.scopes
    }
}

/// The one place where an exchange is called masked by policy.
#[expect(
    clippy::disallowed_methods,
    reason = "this is what masking is for: every part has just been through the scanner"
)]
pub(crate) fn sworn(exchange: Exchange) -> Masked<Exchange> {
    Masked::assume(exchange, Provenance::Policy)
}

/// The same in the words of messages.
pub(crate) fn message_side(side: Side) -> mynah_message::Side {
    match side {
        Side::Request => mynah_message::Side::Request,
        Side::Response => mynah_message::Side::Response,
    }
}

impl State {
    pub(crate) fn new(known: Known, pseudonyms: Pseudonyms, own: Arc<Vec<OwnRule>>, issued: Issued) -> State {
        State { known, pseudonyms, own, cache: HashMap::default(), jwts: HashMap::default(), issued }
    }

    fn kept(&self, kind: Kind, value: &[u8]) -> Option<Vec<u8>> {
        self.cache.get(&kind)?.get(value).cloned()
    }

    fn keep(&mut self, kind: Kind, value: &[u8], made: Vec<u8>) {
        let kept = self.cache.entry(kind).or_default();
        if kept.len() >= CACHED {
            kept.clear();
        }
        kept.insert(value.into(), made);
    }

    /// The pseudonym of a value, a web token's too.
    pub(crate) fn pseudonym(&mut self, policy: &Policy, kind: Kind, value: &[u8]) -> Option<Vec<u8>> {
        if kind == Kind::Jwt {
            let mut memo = Memo::default();
            let mut scanner = Scanner::new(policy, self, &mut memo);
            return scanner.whole(kind, value).pop().map(|p| p.bytes);
        }
        self.replace(kind, value)
    }
}

impl Sink for State {
    fn replace(&mut self, kind: Kind, value: &[u8]) -> Option<Vec<u8>> {
        if let Some(made) = self.kept(kind, value) {
            return Some(made);
        }
        let made = match kind {
            Kind::Custom(number) => match self.own.get(usize::from(number)) {
                Some(rule) => rule.make(&self.pseudonyms, value),
                None => self.pseudonyms.token(value, false),
            },
            kind => self.pseudonyms.make(kind, value),
        };
        self.keep(kind, value, made.clone());
        Some(made)
    }

    fn met_jwt(&mut self, value: &[u8]) -> Met {
        match self.jwts.get(value) {
            Some((known, made)) if *known == self.known.len() => Met::Replaced(made.clone()),
            _ => Met::New,
        }
    }

    fn replace_jwt(&mut self, value: &[u8], masked: Option<Vec<u8>>) -> Option<Vec<u8>> {
        // One that cannot be taken apart is a token like any other.
        let made = masked.unwrap_or_else(|| self.pseudonyms.token(value, true));
        if self.jwts.len() >= CACHED {
            self.jwts.clear();
        }
        self.jwts.insert(value.into(), (self.known.len(), made.clone()));
        Some(made)
    }

    fn sign(&mut self, token: &[u8], signature: &[u8]) -> Option<Vec<u8>> {
        Some(self.pseudonyms.jwt_signature(token, signature))
    }

    fn known(&self, value: &[u8]) -> Option<Kind> {
        self.known.kind(value)
    }

    fn matches(&self, text: &[u8]) -> Vec<Match> {
        self.known.matches(text)
    }

    fn may_cross_lines(&self) -> bool {
        self.known.with_alphabet(|alphabet| alphabet.has(b'\n') || alphabet.has(b'\r'))
    }

    fn hides(&self, masked: &[u8], limits: &Limits, runs: bool, written: bool) -> bool {
        let mut met = false;
        let runs = if runs { Runs::All(&mut met) } else { Runs::InEscapes(&mut met) };
        let hides = audit::shown(&self.known, masked, limits, runs, written) > 0;
        if met {
            self.issued.note_inlaid();
        }
        hides
    }

    fn shows_later(&self, text: &[u8], limits: &Limits, known: usize) -> bool {
        audit::shown(&self.known.now(known), text, limits, Runs::All(&mut false), true) > 0
    }

    fn note_inlaid(&self) {
        self.issued.note_inlaid();
    }

    fn blot(&self, value: &[u8]) -> Option<Vec<u8>> {
        Some(self.pseudonyms.token(value, false))
    }

    fn may_hide(&self, raw: &[u8], encoding: Encoding) -> bool {
        self.known.with_alphabet(|alphabet| match encoding {
            Encoding::JsonString => audit::json_tells(raw, alphabet),
            Encoding::HtmlAttr | Encoding::HtmlAttrUnquoted | Encoding::HtmlText => {
                audit::html_tells(raw, alphabet)
            }
            Encoding::Percent => audit::percent_tells(raw, alphabet),
            _ => true,
        })
    }

    fn sweep(&mut self, policy: &Policy, text: &[u8], matches: Vec<Match>, in_place: bool) -> Vec<Patch> {
        let mut patches: Vec<Patch> = Vec::new();
        if matches.is_empty() {
            return patches;
        }
        for seen in self.known.sightings(matches) {
            if patches.last().is_some_and(|p| p.range.end > seen.range.start) {
                continue;
            }
            // In another case it is not quite the same value: the pseudonym is of what stands there.
            let value = match seen.variant {
                Variant::Raw => text.get(seen.range.clone()).unwrap_or(&seen.value),
                _ => &seen.value,
            };
            let meant = seen.meant.as_deref().unwrap_or(value);
            let other = if in_place {
                let fits = |other: &Vec<u8>| other.len() == value.len();
                let token = |value| Some(self.pseudonyms.token(value, false)).filter(fits);
                token(meant).or_else(|| token(value))
            } else {
                self.pseudonym(policy, seen.kind, meant)
            };
            let Some(other) = other else { continue };
            let Some((range, mut bytes)) = seen.variant.rewrite(text, &seen.range, value, &other) else {
                // Damaged base64: what cannot be written anew must still not stay.
                if let Some(there) = text.get(seen.range.clone()) {
                    let bytes = self.pseudonyms.token(there, false);
                    patches.push(Patch { range: seen.range, bytes, kind: seen.kind, why: Why::Known });
                }
                continue;
            };
            // The first group may hold the end of another value, which has just been replaced.
            if patches.last().is_some_and(|p| p.range.end > range.start) {
                let bytes =
                    text.get(seen.range.clone()).map_or_else(Vec::new, |t| self.pseudonyms.token(t, false));
                patches.push(Patch { range: seen.range, bytes, kind: seen.kind, why: Why::Known });
                continue;
            }
            // What was rewritten reaches to the end of the base64, in which more may follow.
            if let Variant::Base64 { align, .. } = seen.variant {
                let done = (usize::from(align) + other.len()) * 8 / 6;
                let more = self.known.matches(&bytes).into_iter().filter(|m| m.range.start >= done).collect();
                let more = self.sweep(policy, &bytes, more, in_place);
                bytes = splice(&bytes, &more);
            }
            patches.push(Patch { range, bytes, kind: seen.kind, why: Why::Known });
        }
        patches
    }
}
