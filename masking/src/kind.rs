//! What a value can be found to be.

use std::fmt;

/// The sort of a sensitive value, the most telling first: a value found under two of them counts as the earlier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Kind {
    /// What a rule of the user's is about, by the rule's number: it says what is done.
    Custom(u8),
    /// A private key in PEM's armour, RFC 7468.
    PrivateKey,
    /// A key or token in the form that its vendor gives it: `AKIA…`, `ghp_…`, `sk_live_…`.
    VendorKey,
    /// A JSON web token, RFC 7519.
    Jwt,
    /// A payment card number.
    Card,
    /// An international bank account number, ISO 13616.
    Iban,
    /// An e-mail address.
    Email,
    /// A password or passphrase.
    Password,
    /// A card's verification code.
    Cvc,
    /// A one-time code or PIN.
    Otp,
    /// A number that a state gives to a person: social security, tax, passport.
    NationalId,
    /// A bank account, routing or sort code.
    Account,
    /// A telephone number.
    Phone,
    /// An IP address of a client.
    Ip,
    /// A network interface's address.
    Mac,
    /// A person's name.
    Name,
    /// Street and postal code.
    Address,
    /// A date of birth.
    Birthdate,
    /// A key to an interface.
    ApiKey,
    /// A token against forged requests.
    Csrf,
    /// A session's identifier.
    Session,
    /// Any other bearer of authority: access and refresh tokens, secrets.
    Token,
    /// A signature over a message or URL.
    Signature,
    /// The name under which a user logs in.
    User,
    /// A cookie's value of unknown meaning that is not evidently a preference.
    Cookie,
    /// A value of which nothing is known but that it is too random to have been made up by people.
    Random,
    /// A resource's identifier: stays, unless few sessions share it and the policy asks for that.
    Id,
}

impl Kind {
    /// All but the user's own, the most telling first.
    pub(crate) const ALL: &'static [Kind] = &[
        Kind::PrivateKey,
        Kind::VendorKey,
        Kind::Jwt,
        Kind::Card,
        Kind::Iban,
        Kind::Email,
        Kind::Password,
        Kind::Cvc,
        Kind::Otp,
        Kind::NationalId,
        Kind::Account,
        Kind::Phone,
        Kind::Ip,
        Kind::Mac,
        Kind::Name,
        Kind::Address,
        Kind::Birthdate,
        Kind::ApiKey,
        Kind::Csrf,
        Kind::Session,
        Kind::Token,
        Kind::Signature,
        Kind::User,
        Kind::Cookie,
        Kind::Random,
        Kind::Id,
    ];

    /// The name in reports, in sensitive spans and for [`mask_value`](crate::mask_value()).
    pub(crate) const fn name(self) -> &'static str {
        match self {
            // The policy knows a better name.
            Kind::Custom(_) => "custom",
            Kind::PrivateKey => "private-key",
            Kind::VendorKey => "vendor-key",
            Kind::Jwt => "jwt",
            Kind::Card => "card",
            Kind::Iban => "iban",
            Kind::Email => "email",
            Kind::Password => "password",
            Kind::Cvc => "cvc",
            Kind::Otp => "otp",
            Kind::NationalId => "national-id",
            Kind::Account => "account",
            Kind::Phone => "phone",
            Kind::Ip => "ip",
            Kind::Mac => "mac",
            Kind::Name => "name",
            Kind::Address => "address",
            Kind::Birthdate => "birthdate",
            Kind::ApiKey => "api-key",
            Kind::Csrf => "csrf",
            Kind::Session => "session",
            Kind::Token => "token",
            Kind::Signature => "signature",
            Kind::User => "user",
            Kind::Cookie => "cookie",
            Kind::Random => "random",
            Kind::Id => "id",
        }
    }

    /// The kind of that name.
    pub(crate) fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Whether such values are made by machines, so that `none`, `deleted` and the like under such a name are no secret.
    pub(crate) fn is_machine_made(self) -> bool {
        matches!(
            self,
            Kind::Jwt
                | Kind::PrivateKey
                | Kind::VendorKey
                | Kind::ApiKey
                | Kind::Csrf
                | Kind::Session
                | Kind::Token
                | Kind::Signature
                | Kind::Cookie
                | Kind::Random
                | Kind::Id
        )
    }

    /// What is done with such values, in words.
    pub(crate) fn action(self) -> &'static str {
        match self {
            Kind::Jwt => "jwt: claims masked, signature replaced",
            Kind::Card => "card: issuer kept, FF1 on the rest, check digit repaired",
            Kind::Iban => "iban: country and length kept, check digits repaired",
            Kind::Email => "email: one reserved address for each address, whatever its case",
            Kind::PrivateKey => "private-key: armour and lines kept, another body in base64",
            Kind::VendorKey => "vendor-key: prefix, length and alphabet kept, a checksum made right",
            Kind::NationalId => {
                "national-id: another number of the same scheme, days exist and check digits are right; otherwise a token"
            }
            Kind::Phone => "phone: calling code kept; without one a token",
            Kind::Ip => "ip: prefix-preserving, private stays private, what is no host's stays",
            Kind::Mac => "mac: another one, written alike, with the bits for group and local kept",
            Kind::Name => "name: a vowel for a vowel, a consonant for a consonant",
            Kind::Birthdate => "date: another day between 1920 and 2019, written alike",
            _ => "token: same length, same class of each character",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
