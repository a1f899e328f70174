//! The second pass: pseudonyms in the place of values.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use mynah_traffic::{Exchange, Masked, Provenance, Side};

use crate::audit::Auditor;
use crate::key::{Key, SubKey};
use crate::kind::Kind;
use crate::learned::Learned;
use crate::message::{self, Outcome};
use crate::policy::Policy;
use crate::pseudonym::Pseudonyms;
use crate::report::Report;
use crate::scan::{Patch, Scanner, Sink};
use crate::variant::Variant;

/// Replaces what the [`Learner`](crate::Learner) noted, and whatever a name or a form gives away.
pub struct Masker {
    policy: Policy,
    state: State,
    report: Report,
    key_id: [u8; 8],
}

/// What the scanner talks to.
pub(crate) struct State {
    learned: Arc<Learned>,
    pseudonyms: Pseudonyms,
    cache: HashMap<(Kind, Box<[u8]>), Vec<u8>>,
    issued: Issued,
}

/// Keyed fingerprints of everything that was written in the place of something.
#[derive(Clone)]
pub(crate) struct Issued {
    key: SubKey,
    prints: HashSet<u64>,
}

impl Issued {
    fn print(&self, written: &[u8]) -> u64 {
        let digest = self.key.digest(&[written]);
        let mut word = [0; 8];
        word.copy_from_slice(&digest[..8]);
        u64::from_le_bytes(word)
    }

    pub(crate) fn note(&mut self, written: &[u8]) {
        let print = self.print(written);
        self.prints.insert(print);
    }

    pub(crate) fn has(&self, written: &[u8]) -> bool {
        self.prints.contains(&self.print(written))
    }
}

/// Pseudonyms kept at hand; beyond this many the cache starts anew.
const CACHED: usize = 100_000;

impl Masker {
    pub(crate) fn new(policy: Policy, key: &Key, learned: Learned) -> Masker {
        let report = Report {
            learned: learned.len() as u64,
            policy_hash: hex(&policy.hash()),
            key_id: hex(&key.id()),
            ..Report::default()
        };
        let state = State {
            learned: Arc::new(learned),
            pseudonyms: Pseudonyms::new(key),
            cache: HashMap::new(),
            issued: Issued { key: key.sub("issued"), prints: HashSet::new() },
        };
        Masker { policy, state, report, key_id: key.id() }
    }

    /// Masks one exchange. What cannot be read is withheld in the smallest part and counted; the exchange then has
    /// [`Flag::BodyWithheld`](mynah_traffic::Flag::BodyWithheld). A withheld body is empty, and the head keeps the length that
    /// it had; a head that cannot be read takes its whole message with it.
    pub fn mask(&mut self, mut exchange: Exchange) -> Masked<Exchange> {
        self.report.exchanges += 1;
        exchange.sensitive.clear();
        for side in [Side::Request, Side::Response] {
            let slot = match side {
                Side::Request => &mut exchange.request,
                Side::Response => &mut exchange.response,
            };
            let Some(original) = slot.take() else { continue };
            let mut scanner = Scanner { policy: &self.policy, sink: &mut self.state };
            let Outcome { message, places, withheld } = message::mask(&mut scanner, &original, side);
            *slot = message;
            for reason in withheld {
                self.report.quarantine(reason);
                exchange.flags.set(mynah_traffic::Flag::BodyWithheld);
            }
            if slot.is_none() {
                exchange.flags.set(match side {
                    Side::Request => mynah_traffic::Flag::NoRequest,
                    Side::Response => mynah_traffic::Flag::NoResponse,
                });
            }
            for place in places {
                self.state.issued.note(&place.written);
                self.report.count(place.kind.name(), place.holder);
                exchange.sensitive.extend(place.span(side));
            }
        }
        sworn(exchange)
    }

    /// What was done so far.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Who checks the exchanges that were masked so far.
    pub fn auditor(&self) -> Auditor {
        Auditor::new(&self.state.learned, self.state.issued.clone())
    }

    /// For a recording's header: the key's name and the policy's hash.
    pub fn header(&self) -> ([u8; 8], [u8; 32]) {
        (self.key_id, self.policy.hash())
    }

    pub(crate) fn scanner(&mut self) -> Scanner<'_> {
        Scanner { policy: &self.policy, sink: &mut self.state }
    }
}

/// The one place where an exchange is called masked by policy.
#[expect(
    clippy::disallowed_methods,
    reason = "this is what masking is for: every part has just been through the scanner"
)]
fn sworn(exchange: Exchange) -> Masked<Exchange> {
    Masked::assume(exchange, Provenance::Policy)
}

impl State {
    /// The pseudonym of a value, a web token's too.
    fn pseudonym(&mut self, policy: &Policy, kind: Kind, value: &[u8]) -> Option<Vec<u8>> {
        if kind == Kind::Jwt {
            let mut scanner = Scanner { policy, sink: self };
            return scanner.whole(kind, value).pop().map(|p| p.bytes);
        }
        self.replace(kind, value)
    }
}

impl Sink for State {
    fn replace(&mut self, kind: Kind, value: &[u8]) -> Option<Vec<u8>> {
        let key = (kind, Box::<[u8]>::from(value));
        if let Some(made) = self.cache.get(&key) {
            return Some(made.clone());
        }
        let made = self.pseudonyms.make(kind, value);
        if self.cache.len() >= CACHED {
            self.cache.clear();
        }
        self.cache.insert(key, made.clone());
        Some(made)
    }

    fn replace_jwt(&mut self, value: &[u8], masked: Option<Vec<u8>>) -> Option<Vec<u8>> {
        // One that cannot be taken apart is a token like any other.
        Some(masked.unwrap_or_else(|| self.pseudonyms.token(value, true)))
    }

    fn sign(&mut self, token: &[u8], signature: &[u8]) -> Option<Vec<u8>> {
        Some(self.pseudonyms.jwt_signature(token, signature))
    }

    fn known(&self, value: &[u8]) -> Option<Kind> {
        self.learned.kind(value)
    }

    fn sweep(&mut self, policy: &Policy, text: &[u8], in_place: bool) -> Vec<Patch> {
        let learned = Arc::clone(&self.learned);
        let mut patches: Vec<Patch> = Vec::new();
        for seen in learned.search(text) {
            if patches.last().is_some_and(|p| p.range.end > seen.range.start) {
                continue;
            }
            // In another case it is not quite the same value: the pseudonym is of what stands there.
            let value = match seen.variant {
                Variant::Raw => text.get(seen.range.clone()).unwrap_or(seen.value),
                _ => seen.value,
            };
            let other = if in_place {
                Some(self.pseudonyms.token(value, false)).filter(|o| o.len() == value.len())
            } else {
                self.pseudonym(policy, seen.kind, value)
            };
            let Some(other) = other else { continue };
            if let Some((range, bytes)) = seen.variant.rewrite(text, &seen.range, value, &other) {
                let free = patches.last().is_none_or(|p| p.range.end <= range.start);
                if free {
                    patches.push(Patch { range, bytes, kind: seen.kind });
                }
            }
        }
        patches
    }
}

fn hex(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&crate::variant::hex(bytes, false)).into_owned()
}
