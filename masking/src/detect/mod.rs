//! Values that give themselves away by their form, each family of them a detector that a policy can switch off.
//!
//! | module | finds |
//! |---|---|
//! | [`signs`], [`rows`], [`words`], [`links`] | nothing: tell in one look which of the others can find anything |
//! | [`email`], [`jwt`], [`card`], [`iban`], [`phone`] | what the names say |
//! | [`national`] | numbers that states give to persons, the United States' SSN too |
//! | [`ip`], [`mac`] | addresses of machines |
//! | [`pem`], [`vendor`], [`random`] | private keys, keys of known vendors, what is too random to be a word |
//! | [`digits`], [`runs`] | where numbers and long words stand in a text |

pub(crate) mod card;
mod digits;
mod email;
pub(crate) mod iban;
pub(crate) mod ip;
mod jwt;
pub(crate) mod links;
pub(crate) mod mac;
pub(crate) mod national;
pub(crate) mod pem;
pub(crate) mod phone;
mod random;
mod rows;
mod runs;
pub(crate) mod signs;
pub(crate) mod vendor;
pub(crate) mod words;

use std::ops::Range;

pub(crate) use card::{is_card, luhn_sum};
pub(crate) use iban::is_iban;
pub(crate) use jwt::{decode_part, is_jwt, is_jwt_header};
pub(crate) use random::{is_moment, is_plain_uuid};

use crate::kind::Kind;
use signs::Look;

/// A set of detectors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Detectors(u16);

impl Default for Detectors {
    fn default() -> Self {
        Detectors::DEFAULT
    }
}

impl Detectors {
    /// What this one detector finds its values to be.
    pub(crate) fn kind(self) -> Kind {
        let name =
            Detectors::ALL.iter().find(|(detector, ..)| *detector == self).map_or("", |(_, name, _)| name);
        match name {
            "ssn" => Kind::NationalId,
            "uuid" => Kind::Id,
            name => Kind::from_name(name).unwrap_or(Kind::Random),
        }
    }

    pub(crate) const NONE: Detectors = Detectors(0);
    pub(crate) const EMAIL: Detectors = Detectors(1);
    pub(crate) const JWT: Detectors = Detectors(1 << 1);
    pub(crate) const CARD: Detectors = Detectors(1 << 2);
    pub(crate) const IBAN: Detectors = Detectors(1 << 3);
    pub(crate) const SSN: Detectors = Detectors(1 << 4);
    pub(crate) const NATIONAL: Detectors = Detectors(1 << 5);
    pub(crate) const PHONE: Detectors = Detectors(1 << 6);
    pub(crate) const IP: Detectors = Detectors(1 << 7);
    pub(crate) const MAC: Detectors = Detectors(1 << 8);
    pub(crate) const PRIVATE_KEY: Detectors = Detectors(1 << 9);
    pub(crate) const VENDOR_KEY: Detectors = Detectors(1 << 10);
    pub(crate) const RANDOM: Detectors = Detectors(1 << 11);
    pub(crate) const UUID: Detectors = Detectors(1 << 12);
    /// Of what [`Detectors::RANDOM`] finds only what is far longer than a resource's identifier.
    pub(crate) const LONG_RANDOM: Detectors = Detectors(1 << 13);

    /// All there are, with what each one looks for.
    pub(crate) const ALL: &'static [(Detectors, &'static str, &'static str)] = &[
        (
            Detectors::EMAIL,
            "email",
            "local part, @, domain with a top-level domain that is no file extension",
        ),
        (Detectors::JWT, "jwt", "base64url parts, the first one a JSON object with alg or enc"),
        (
            Detectors::CARD,
            "card",
            "13 to 19 digits, also grouped by single spaces or dashes, of a known issuer range, Luhn; no bar codes",
        ),
        (Detectors::IBAN, "iban", "a country of the registry, its length, mod 97; also grouped by spaces"),
        (Detectors::SSN, "ssn", "AAA-GG-SSSS, area not 000, 666 or 9xx, group not 00, serial not 0000"),
        (
            Detectors::NATIONAL,
            "national-id",
            "numbers given to persons by BE BR CH CN ES FI FR IN IT NO PL SE TR ZA, check digits and dates right",
        ),
        (Detectors::PHONE, "phone", "+, a country's calling code, 8 to 15 digits in all; also in groups"),
        (
            Detectors::IP,
            "ip",
            "IPv4 and IPv6 addresses; not of no host (loopback, multicast, …), not a version, not a URL's host",
        ),
        (Detectors::MAC, "mac", "six hex pairs with : or -, or three groups of four with dots"),
        (Detectors::PRIVATE_KEY, "private-key", "PEM from BEGIN … PRIVATE KEY to its END"),
        (
            Detectors::VENDOR_KEY,
            "vendor-key",
            "prefix and length of AWS, GitHub, Stripe, Slack, Google and others",
        ),
        (
            Detectors::RANDOM,
            "random",
            "one run of 20 to 512 characters of mixed classes with 100 bits (80 from 32 characters on); no hex, no path, no text or image in base64",
        ),
        (
            Detectors::UUID,
            "uuid",
            "8-4-4-4-12 hex digits; off unless a policy asks for it: most are resource ids",
        ),
    ];

    /// Those of the built-in policy.
    pub(crate) const DEFAULT: Detectors = Detectors((Detectors::UUID.0 - 1) & !Detectors::UUID.0);

    /// Without these.
    #[must_use]
    pub(crate) const fn without(self, other: Detectors) -> Detectors {
        Detectors(self.0 & !other.0)
    }

    /// With these too.
    #[must_use]
    pub(crate) const fn with(self, other: Detectors) -> Detectors {
        Detectors(self.0 | other.0)
    }

    /// Only these.
    #[must_use]
    pub(crate) const fn only(self, other: Detectors) -> Detectors {
        Detectors(self.0 & other.0)
    }

    /// As they apply to path segments, where resource ids stand that are as random as a secret; but not as long as the key of a
    /// link that is one.
    #[must_use]
    pub(crate) const fn in_path(self) -> Detectors {
        let less = self.without(Detectors::RANDOM).without(Detectors::UUID);
        if self.has(Detectors::RANDOM) { less.with(Detectors::LONG_RANDOM) } else { less }
    }

    /// Whether any of these is in it.
    pub(crate) const fn has(self, any: Detectors) -> bool {
        self.0 & any.0 != 0
    }

    /// Stands for the set, in fourteen bits.
    pub(crate) fn number(self) -> u16 {
        self.0
    }

    /// The detector of that name in policy files.
    pub(crate) fn from_name(name: &str) -> Option<Detectors> {
        Detectors::ALL.iter().find(|(_, n, _)| *n == name).map(|(d, _, _)| *d)
    }
}

/// A value found in a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    pub(crate) range: Range<usize>,
    pub(crate) kind: Kind,
}

/// What gives itself away in a text, in order, without overlaps: of two that overlap the more telling kind stays.
pub(crate) fn detect(text: &[u8], which: Detectors) -> Vec<Found> {
    detect_possible(text, Look::of(text).possible(which))
}

/// The same by those detectors that can find anything in it.
pub(crate) fn detect_possible(text: &[u8], possible: Detectors) -> Vec<Found> {
    let mut found = Vec::new();
    // These two are every third value of an interface.
    if random::is_moment(text) || !possible.has(Detectors::UUID) && random::is_uuid(text) {
        return found;
    }
    run(text, possible, &mut found);
    if found.len() > 1 {
        settle(&mut found);
    }
    found
}

/// Everything that these detectors find, in no particular order.
fn run(text: &[u8], which: Detectors, found: &mut Vec<Found>) {
    if which.has(Detectors::EMAIL) {
        email::emails(text, found);
    }
    if which.has(Detectors::JWT) {
        jwt::jwts(text, found);
    }
    if which.has(Detectors::PRIVATE_KEY) {
        pem::private_keys(text, found);
    }
    if which.has(digits::FAMILIES) {
        digits::numbers(text, which, found);
    }
    if which.has(runs::FAMILIES) {
        runs::words(text, which, found);
    }
    if which.has(Detectors::IP) {
        ip::in_text(text, found);
    }
    if which.has(Detectors::MAC) {
        mac::in_text(text, found);
    }
}

/// Of those that overlap the most telling stays, of one kind the longest; what stays is in order.
fn settle(found: &mut Vec<Found>) {
    found.sort_by_key(|f| f.range.start);
    if found.windows(2).all(|w| w[0].range.end <= w[1].range.start) {
        return;
    }
    let mut ranked: Vec<Found> = std::mem::take(found);
    ranked.sort_by_key(|f| (f.kind, std::cmp::Reverse(f.range.len()), f.range.start));
    let mut taken = std::collections::BTreeMap::<usize, usize>::new();
    for f in ranked {
        let before = taken.range(..=f.range.start).next_back().is_none_or(|(_, end)| *end <= f.range.start);
        let after = taken.range(f.range.start..).next().is_none_or(|(start, _)| *start >= f.range.end);
        if before && after {
            taken.insert(f.range.start, f.range.end);
            found.push(f);
        }
    }
    found.sort_by_key(|f| f.range.start);
}

/// What a value is as a whole, by its form. What is merely random has no form.
pub(crate) fn shape(value: &[u8]) -> Option<Kind> {
    const FORMS: Detectors = Detectors::DEFAULT.without(Detectors::RANDOM);
    // No form is shorter than an IPv6 address such as `2a::7`; a private key is longer than anything else but a web token.
    if value.len() < 5 {
        return None;
    }
    if is_jwt(value) {
        return Some(Kind::Jwt);
    }
    if value.len() > 320 && !pem::begins(value) {
        return None;
    }
    let found = detect(value, FORMS);
    found.first().filter(|f| f.range == (0..value.len())).map(|f| f.kind)
}

/// What a JSON number as written is, by its form: a card's or a person's number.
pub(crate) fn number_shape(raw: &[u8], which: Detectors) -> Option<Kind> {
    if !(11..=19).contains(&raw.len()) || !raw.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if which.has(Detectors::CARD) && is_card(raw) {
        return Some(Kind::Card);
    }
    (which.has(Detectors::NATIONAL) && national::is_bare(raw)).then_some(Kind::NationalId)
}

/// Whether a byte belongs to a word, so that what stands beside it is not whole.
fn in_word(b: Option<&u8>) -> bool {
    b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
}

/// The byte before a place.
fn before(text: &[u8], at: usize) -> Option<&u8> {
    at.checked_sub(1).and_then(|i| text.get(i))
}

#[cfg(test)]
mod tests;
