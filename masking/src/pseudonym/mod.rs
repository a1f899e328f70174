//! One pseudonym for each value: keyed functions of the value and its format, and of nothing else. The same value gets
//! the same pseudonym in a cookie, a script and a JSON body because none of those has a say here.

mod card;
mod email;
mod fpe;
mod iban;
mod ip;
mod keys;
mod mac;
mod name;
mod national;
mod permute;
mod phone;
mod token;

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub(crate) use token::{civil_from_days, days_from_civil, is_date};

use crate::key::{Key, SubKey};
use crate::kind::Kind;
use crate::names::is_no_secret;

/// The functions, each with its own sub-key.
#[derive(Clone)]
pub(crate) struct Pseudonyms {
    token: SubKey,
    permutation: SubKey,
    email: SubKey,
    card: SubKey,
    signature: SubKey,
    date: SubKey,
    fpe: SubKey,
    national: SubKey,
    phone: SubKey,
    ip: SubKey,
    mac: SubKey,
    name: SubKey,
}

impl Pseudonyms {
    pub(crate) fn new(key: &Key) -> Pseudonyms {
        Pseudonyms {
            token: key.sub("token"),
            permutation: key.sub("permutation"),
            email: key.sub("email"),
            card: key.sub("card"),
            signature: key.sub("signature"),
            date: key.sub("date"),
            fpe: key.sub("fpe"),
            national: key.sub("national id"),
            phone: key.sub("phone"),
            ip: key.sub("ip"),
            mac: key.sub("mac"),
            name: key.sub("name"),
        }
    }

    /// The pseudonym of a value of that kind. A value that is not of its kind's form is treated as a token. Web tokens
    /// are taken apart by the scanner; what comes here as one is none.
    pub(crate) fn make(&self, kind: Kind, value: &[u8]) -> Vec<u8> {
        let formatted = match kind {
            Kind::Card => card::card(&self.card, value),
            Kind::Email => email::email(&self.email, value),
            Kind::Iban => iban::iban(self, value),
            Kind::Birthdate => token::date(&self.date, value),
            Kind::PrivateKey => keys::private_key(self, value),
            Kind::VendorKey => keys::vendor(self, value),
            Kind::NationalId => national::national(&self.national, value),
            Kind::Phone => phone::phone(&self.phone, value),
            Kind::Ip => ip::ip(&self.ip, value),
            Kind::Mac => mac::mac(&self.mac, value),
            Kind::Name => name::name(self, value),
            _ => None,
        };
        let machine_made = kind.is_machine_made();
        let mut made = formatted.unwrap_or_else(|| self.token(value, machine_made));
        // Words that stand for no secret stay as they are, so none may become one of them.
        while machine_made && is_no_secret(&made) && !is_no_secret(value) {
            made = self.token(&made, machine_made);
        }
        made
    }

    /// Same length, same class of each character. With `composite`, the long segments of a token made of several
    /// (`id.signature`) are each their own value, so that a segment that occurs alone is still the same.
    pub(crate) fn token(&self, value: &[u8], composite: bool) -> Vec<u8> {
        if !composite || !is_composite(value) {
            return token::token(self, value);
        }
        let mut out = Vec::with_capacity(value.len());
        for (i, segment) in segments(value).enumerate() {
            if i > 0 {
                out.push(value[out.len()]);
            }
            out.extend(token::token(self, segment));
        }
        out
    }

    /// Another value of the same form, such that no two become one.
    pub(crate) fn fpe(&self, value: &[u8]) -> Vec<u8> {
        fpe::fpe(self, value)
    }

    /// The pseudonym of an address, wherever it was seen: prefix-preserving, one-to-one; private addresses stay private, and what is no
    /// host's address stays as it is.
    pub(crate) fn ip(&self, address: &IpAddr) -> IpAddr {
        ip::address(&self.ip, *address)
    }

    /// A signature of the same form for a web token whose claims have changed, or that nobody may replay.
    pub(crate) fn jwt_signature(&self, token: &[u8], signature: &[u8]) -> Vec<u8> {
        let bytes: Vec<u8> =
            self.signature.stream(token).flat_map(u32::to_le_bytes).take(signature.len() * 3 / 4).collect();
        let encoded = URL_SAFE_NO_PAD.encode(bytes).into_bytes();
        if encoded.len() == signature.len() { encoded } else { self.token(signature, false) }
    }
}

fn is_separator(b: u8) -> bool {
    matches!(b, b'.' | b':' | b'|' | b'~' | b'!')
}

/// Whether a value with a plus in it has the pseudonym that it has with a space there, whatever sort it is of.
pub(crate) fn is_one_with_spaces(value: &[u8]) -> bool {
    let has_plus = |text: &&[u8]| memchr::memchr(b'+', text).is_some();
    has_plus(&value) && token::is_spaced(value) && segments(value).filter(has_plus).all(token::is_spaced)
}

/// The segments of a token made of several.
pub(crate) fn segments(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|b| is_separator(*b))
}

/// Whether a token is made of several segments of which one is a secret by itself.
pub(crate) fn is_composite(value: &[u8]) -> bool {
    !value.starts_with(b"-----BEGIN ")
        && value.iter().any(|b| is_separator(*b))
        && segments(value).any(is_long_segment)
}

/// Whether a segment is a secret by itself.
pub(crate) fn is_long_segment(segment: &[u8]) -> bool {
    segment.len() >= 16 && crate::entropy::is_unique(segment)
}

#[cfg(test)]
mod tests;
