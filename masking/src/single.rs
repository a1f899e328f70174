//! One value, as the pipeline would mask it: to seed a staging database with matching pseudonyms.

use crate::detect;
use crate::kind::Kind;
use crate::learned::Known;
use crate::names::Rule;
use crate::pseudonym;
use crate::scan::Context;
use crate::scan::layer::splice;
use crate::{Error, Key, Masker, Policy};

/// The types that [`mask_value`] takes.
pub const VALUE_KINDS: &[&str] = &[
    Kind::Email.name(),
    Kind::Password.name(),
    Kind::Token.name(),
    Kind::Session.name(),
    Kind::Csrf.name(),
    Kind::ApiKey.name(),
    Kind::Jwt.name(),
    Kind::Card.name(),
    Kind::Cvc.name(),
    Kind::Otp.name(),
    Kind::Iban.name(),
    Kind::Account.name(),
    Kind::NationalId.name(),
    Kind::Phone.name(),
    Kind::Name.name(),
    Kind::Address.name(),
    Kind::Birthdate.name(),
    Kind::User.name(),
    Kind::Signature.name(),
    Kind::Cookie.name(),
    Kind::Ip.name(),
    Kind::Mac.name(),
    Kind::PrivateKey.name(),
    Kind::VendorKey.name(),
    Kind::Random.name(),
    Kind::Id.name(),
];

/// The pseudonym that `value` gets under `key` when it is found to be a `kind`, one of [`VALUE_KINDS`].
///
/// The built-in policy holds; [`Values`] takes another one, and makes many.
///
/// # Errors
/// [`Error::UnknownKind`]; [`Error::NotOfKind`] for what is no card number, web token, IBAN, e-mail address, day, IP or
/// interface address, private key or vendor's key.
pub fn mask_value(key: &Key, kind: &str, value: &str) -> Result<String, Error> {
    Values::new(Policy::built_in(), key).mask(kind, value)
}

/// Makes pseudonyms of many values.
pub struct Values(Masker);

impl Values {
    /// Under this policy, whose rules about kinds count.
    pub fn new(policy: Policy, key: &Key) -> Values {
        Values(Masker::new(policy, key, Known::default()))
    }

    /// The pseudonym of a value of that kind; or, when `kind` is `rule:NAME`, what that rule of the policy makes of it.
    ///
    /// # Errors
    /// As [`mask_value`].
    pub fn mask(&mut self, kind: &str, value: &str) -> Result<String, Error> {
        let unknown = || Error::UnknownKind { kind: kind.to_owned() };
        if let Some(label) = kind.strip_prefix("rule:") {
            let number = self
                .0
                .scopes()
                .policy()
                .own
                .iter()
                .position(|rule| rule.label == label)
                .ok_or_else(unknown)?;
            let number = u8::try_from(number).map_err(|_| unknown())?;
            return Ok(self.made(Rule::Own(number), value));
        }
        let known = Kind::from_name(kind).ok_or_else(unknown)?;
        let not = |expected| Err(Error::NotOfKind { kind: known.name(), expected });
        let bytes = value.as_bytes();
        match known {
            Kind::Email if detect::shape(bytes) != Some(Kind::Email) => {
                return not("an address such as ann@shop.com");
            }
            Kind::Jwt if !detect::is_jwt(bytes) => {
                return not("three base64url parts, the first a JSON header");
            }
            Kind::Card if !detect::is_card(bytes) => {
                return not("13 to 19 digits of a known issuer with a valid check digit");
            }
            Kind::Iban if !detect::is_iban(bytes) => {
                return not("a country, two check digits that hold, and an account");
            }
            Kind::Birthdate if !pseudonym::is_date(bytes) => {
                return not("a day that exists, such as 1985-07-21 or 19850721");
            }
            Kind::Ip if detect::ip::parse(bytes).is_none() => {
                return not("an IPv4 or IPv6 address, such as 203.0.113.7 or 2001:db8::7");
            }
            Kind::Mac if !detect::mac::is_mac(bytes) => {
                return not(
                    "six pairs of hex digits with : or - between them, or three groups of four with dots",
                );
            }
            Kind::PrivateKey if !detect::pem::is_private_key(bytes) => {
                return not("a private key from its BEGIN line to its END line");
            }
            Kind::VendorKey if !detect::vendor::is_key(bytes) => {
                return not(
                    "a key with the prefix and length of its vendor, such as AKIA and 16 letters and digits",
                );
            }
            _ => {}
        }
        Ok(self.made(Rule::Mask(known), value))
    }

    fn made(&mut self, rule: Rule, value: &str) -> String {
        let patches = self.0.scanner().value(value.as_bytes(), Context::new(Some(rule)));
        String::from_utf8_lossy(&splice(value.as_bytes(), &patches)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_can_be_asked_for() {
        let key = Key::from([5; 32]);
        assert_eq!(VALUE_KINDS.len(), Kind::ALL.len());
        for kind in VALUE_KINDS {
            let value = match *kind {
                "email" => "ann@shop.com",
                "card" => "4111111111111111",
                "iban" => "DE89370400440532013000",
                "jwt" => "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4tMTIzIn0.c2lnbmF0dXJl",
                "birthdate" => "1985-07-21",
                "ip" => "203.0.113.7",
                "mac" => "3c:a4:d8:01:aa:bb",
                "private-key" => "-----BEGIN PRIVATE KEY-----\nMIGEAgEAMBAGByqG\n-----END PRIVATE KEY-----",
                "vendor-key" => "AKIAIOSFODNN7EXAMPLE",
                _ => "k3J9xQ2mLp0Z",
            };
            let masked = mask_value(&key, kind, value).unwrap();
            assert_ne!(masked, value, "{kind}");
            assert_eq!(masked, mask_value(&key, kind, value).unwrap());
        }
        assert!(matches!(mask_value(&key, "emial", "x"), Err(Error::UnknownKind { .. })));
        for day in ["1985-02-30", "1985-13-01", "31.2.1985", "1985", "", "19850721x", "1985-07-21x"] {
            assert!(matches!(mask_value(&key, "birthdate", day), Err(Error::NotOfKind { .. })), "{day}");
        }
        assert!(mask_value(&key, "birthdate", "1885-07-21T00:00:00Z").is_ok());
        for (kind, none) in [
            ("ip", "203.0.113"),
            ("mac", "3c:a4:d8:01:aa"),
            ("private-key", "MIGEAgEAMBAGByqG"),
            ("vendor-key", "AKIAIOSFODNN7"),
            ("iban", "DE89370400440532013001"),
            ("email", "ann"),
        ] {
            assert!(matches!(mask_value(&key, kind, none), Err(Error::NotOfKind { .. })), "{kind}");
        }
        assert_eq!(mask_value(&key, "ip", "127.0.0.1").unwrap(), "127.0.0.1");
        assert!(mask_value(&key, "national-id", "anything 17").is_ok());
        let error = mask_value(&key, "card", "4111111111111112").unwrap_err().to_string();
        assert!(!error.contains("4111"), "{error}");
    }
}
