//! What names say about values. One list for headers, query, cookies, forms, JSON keys, inputs, metas, script keys and attributes.
//!
//! Names are compared in lower case without anything but letters and digits: `X-CSRF-Token`, `xCsrfToken` and
//! `x_csrf_token` are one name. Of `user[password]` the last bracket counts.

use std::collections::HashMap;

use crate::kind::Kind;
use crate::policy::Glob;

/// What to do with a value because of its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rule {
    /// Mask it, as this kind.
    Mask(Kind),
    /// `Authorization`: a scheme and its credentials, RFC 9110 §11.4.
    Credentials,
    /// `WWW-Authenticate`: what the server hands out to be sent back.
    Challenge,
    /// Leave it, whatever it looks like to detectors.
    Keep,
    /// A rule of the user's acts, by its number.
    Own(u8),
    /// It may be a resource's identifier, which goes under `--strict` and `--k` only.
    Id,
}

/// Names that mean one thing as a whole.
const EXACT: &[(Rule, &str)] = &[
    (Rule::Credentials, "authorization proxyauthorization xauthorization authentication xjwt"),
    (Rule::Challenge, "wwwauthenticate proxyauthenticate authenticationinfo"),
    // PKCE (RFC 7636) binds two requests by a hash; the others name things and hold no secret.
    (
        Rule::Keep,
        "codeverifier codechallenge codechallengemethod csrfparam csrfparameter csrfparametername csrfheader \
         csrfheadername csrffieldname csrftokenname xsrfcookiename xsrfheadername tokentype accesstokentype \
         pagetoken nextpagetoken prevpagetoken previouspagetoken continuationtoken nexttoken synctoken \
         nextcontinuationtoken cancellationtoken tokenendpoint emailverified phonenumberverified",
    ),
    (
        Rule::Mask(Kind::Password),
        "pass pwd passwd passphrase passcode txtpwd txtpass motdepasse securityanswer secretanswer userpass userpwd newpwd oldpwd currentpwd loginpass pw",
    ),
    (Rule::Mask(Kind::Cvc), "cvc cvv cvc2 cvv2 csc securitycode cardsecuritycode verificationvalue"),
    (
        Rule::Mask(Kind::Otp),
        "otp otpcode totp totpcode mfacode twofactorcode 2facode smscode onetimecode onetimepassword \
         pin pincode",
    ),
    (Rule::Mask(Kind::Card), "cardno cardnum ccnum ccno creditcard debitcard pan primaryaccountnumber"),
    (Rule::Mask(Kind::Iban), "iban"),
    (
        Rule::Mask(Kind::NationalId),
        "ssn socialsecurity socialsecuritynumber taxid taxpayerid nationalid nationalidnumber passport \
         passportno passportnumber driverlicense driverslicense drivinglicence personnummer nino codicefiscale",
    ),
    (
        Rule::Mask(Kind::Account),
        "accountnumber accountno bankaccount bankaccountnumber routingnumber sortcode",
    ),
    (Rule::Mask(Kind::Email), "mail emailaddress mailaddress useremail upn preferredusername"),
    (
        Rule::Mask(Kind::Phone),
        "phone homephone workphone userphone contactphone customerphone tel telephone telephonenumber phoneno phonenr mobile mobileno mobilenumber mobilephone cell \
         cellphone fax faxnumber msisdn",
    ),
    (
        Rule::Mask(Kind::Name),
        "fname lname givenname familyname middlename surname holder holdername cardholder cardholdername nameoncard \
         cardname accountholder recipientname",
    ),
    (
        Rule::Mask(Kind::Address),
        "address street address1 address2 addressline addressline1 addressline2 streetaddress streetname \
         street1 street2 shippingaddress billingaddress homeaddress postaladdress zip zipcode postcode \
         postalcode",
    ),
    (Rule::Mask(Kind::Birthdate), "birthdate birthday dob dateofbirth bday"),
    (
        Rule::Mask(Kind::ApiKey),
        "xapikey appkey accesskey accesskeyid secretkey secretaccesskey privatekey signingkey encryptionkey \
         subscriptionkey ocpapimsubscriptionkey xfunctionskey awsaccesskeyid xgoogapikey authkey",
    ),
    (
        Rule::Mask(Kind::Session),
        "sid session sess sessid sessionkey connectsid phpsessid jsessionid aspnetsessionid cfid \
         laravelsession authsession xsession sessionstate",
    ),
    (
        Rule::Mask(Kind::Token),
        "auth jwt bearer assertion clientassertion samlresponse samlrequest idtokenhint nonce \
         remember rememberme xauth otac",
    ),
    (Rule::Mask(Kind::Signature), "signature sig xamzsignature xhubsignature xhubsignature256 hmac"),
    (Rule::Mask(Kind::Token), "xamzcredential"),
    (Rule::Mask(Kind::User), "username userlogin login loginname uname"),
];

/// Names that end so, where no whole name matched. Checked in order.
const ENDINGS: &[(Rule, &str)] = &[
    (
        Rule::Mask(Kind::Csrf),
        "csrftoken xsrftoken csrf xsrf csrfmiddlewaretoken requestverificationtoken authenticitytoken formtoken \
         antiforgerytoken",
    ),
    (Rule::Mask(Kind::Password), "password passwort passwordconfirmation passwordconfirm confirmpassword"),
    (Rule::Mask(Kind::Card), "cardnumber ccnumber"),
    (Rule::Mask(Kind::Cvc), "cardcvc cardcvv"),
    (Rule::Mask(Kind::ApiKey), "apikey"),
    (Rule::Mask(Kind::Session), "sessionid sessiontoken"),
    (Rule::Mask(Kind::Token), "token secret"),
    (Rule::Mask(Kind::Email), "email"),
    (Rule::Mask(Kind::Phone), "phonenumber"),
    (Rule::Mask(Kind::Name), "firstname lastname fullname"),
];

/// Cookies that hold a preference, when their value is short.
const PREFERENCES: &str = "theme lang language locale currency country region tz timezone darkmode colormode view layout \
     cookieconsent consent";

/// Values that no machine-made secret has.
const WORDS: &str = "true false null none undefined nil yes no on off 0 1 -1 nan deleted delete expired invalid fetch required \
     bearer basic";

/// The lists above, ready to be asked.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    exact: HashMap<&'static str, Rule>,
    endings: Vec<(&'static str, Rule)>,
    /// The user's names, folded, which come first, and the numbers of their rules.
    own: Vec<(Glob, u8)>,
    /// Whether names of identifiers say something.
    ids: bool,
}

impl Names {
    /// Puts the user's names in front; `ids` says whether names of identifiers say something.
    pub(crate) fn put_own(&mut self, own: Vec<(Glob, u8)>, ids: bool) {
        self.own = own;
        self.ids = ids;
    }

    pub(crate) fn built_in() -> Names {
        let exact =
            EXACT.iter().flat_map(|(rule, names)| names.split_whitespace().map(|n| (n, *rule))).collect();
        let endings =
            ENDINGS.iter().flat_map(|(rule, names)| names.split_whitespace().map(|n| (n, *rule))).collect();
        Names { exact, endings, own: Vec::new(), ids: false }
    }

    /// What the name says; `None` when it says nothing.
    pub(crate) fn rule(&self, name: &str) -> Option<Rule> {
        // No name in the lists is anywhere near that long.
        if name.is_empty() || name.len() > 128 {
            return None;
        }
        let mut folded = [0; 128];
        let folded = fold(last_bracket(name), &mut folded);
        if let Some((_, number)) = self.own.iter().find(|(own, _)| own.fits(folded)) {
            return Some(Rule::Own(*number));
        }
        if let Some(rule) = self.exact.get(folded) {
            return Some(*rule);
        }
        let ending = self.endings.iter().find(|(ending, _)| folded.ends_with(ending)).map(|(_, rule)| *rule);
        ending.or_else(|| (self.ids && is_id_name(folded)).then_some(Rule::Id))
    }

    /// Whether a `name` under this parent is a person's: products, files and countries have names too.
    pub(crate) fn is_person(parent: &str) -> bool {
        const PERSONS: &str = "user customer person contact member patient employee owner recipient buyer guest \
             passenger cardholder shopper student profile currentuser";
        let mut folded = [0; 128];
        parent.len() <= 128 && {
            let folded = fold(last_bracket(parent), &mut folded);
            PERSONS.split_whitespace().any(|p| p == folded)
        }
    }

    /// Whether the name is that of a thing only a person has, so that a `name` beside it is the person's.
    pub(crate) fn tells_person(&self, name: &str) -> bool {
        matches!(self.rule(name), Some(Rule::Mask(Kind::Email | Kind::Phone | Kind::User | Kind::Birthdate)))
    }

    /// What a cookie's name and value say: each that is not evidently a preference counts as a secret.
    pub(crate) fn cookie_rule(&self, name: &str, value: &[u8]) -> Option<Rule> {
        if let Some(rule) = self.rule(name) {
            return Some(rule);
        }
        let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_/.,:".contains(b);
        if value.len() < 6 && value.iter().all(plain) {
            return None;
        }
        let mut folded = [0; 128];
        let short = value.len() <= 32 && crate::entropy::random_bits(value) < 30.0;
        if short && name.len() <= 128 {
            let folded = fold(name, &mut folded);
            if PREFERENCES.split_whitespace().any(|p| p == folded) {
                return None;
            }
        }
        Some(Rule::Mask(Kind::Cookie))
    }

    /// The names by what they say; endings have a `*` in front.
    pub(crate) fn groups(&self) -> std::collections::BTreeMap<&'static str, Vec<String>> {
        let mut groups = std::collections::BTreeMap::<&'static str, Vec<String>>::new();
        for (name, rule) in &self.exact {
            groups.entry(describe(*rule)).or_default().push((*name).to_owned());
        }
        for names in groups.values_mut() {
            names.sort();
        }
        for (ending, rule) in &self.endings {
            groups.entry(describe(*rule)).or_default().push(format!("*{ending}"));
        }
        groups
    }

    /// Cookies that hold a preference; and values that no machine-made secret has.
    pub(crate) fn harmless() -> (&'static str, &'static str) {
        (PREFERENCES, WORDS)
    }
}

/// Names of resources' identifiers end so, in whatever spelling.
pub(crate) const ID_ENDINGS: &str = "id ids uuid guid slug sku reference ref handle permalink";

/// Whether a folded name is that of an identifier.
fn is_id_name(folded: &str) -> bool {
    const WORDS: &str =
        "paid unpaid prepaid valid invalid grid void bid avoid solid fluid hybrid aid mid rapid android";
    ID_ENDINGS.split(' ').any(|ending| folded.ends_with(ending))
        && !WORDS.split(' ').any(|word| word == folded)
}

fn describe(rule: Rule) -> &'static str {
    match rule {
        Rule::Mask(kind) => kind.name(),
        Rule::Credentials => "credentials",
        Rule::Challenge => "challenge",
        Rule::Keep => "keep",
        Rule::Own(_) => "rule",
        Rule::Id => "id",
    }
}

/// Whether a value under the name of a machine-made secret is a word that stands for none.
pub(crate) fn is_no_secret(value: &[u8]) -> bool {
    value.len() <= 9 && WORDS.split(' ').any(|word| value.eq_ignore_ascii_case(word.as_bytes()))
}

/// A name with `*` in it, folded as names are.
pub(crate) fn fold_pattern(pattern: &str) -> String {
    let letter = |c: &char| c.is_ascii_alphanumeric() || *c == '*';
    pattern.chars().filter(letter).map(|c| c.to_ascii_lowercase()).collect()
}

/// `password` of `user[password]`, `items` of `items[]`.
fn last_bracket(name: &str) -> &str {
    let trimmed = name.strip_suffix("[]").unwrap_or(name);
    match trimmed.strip_suffix(']').and_then(|inner| inner.rsplit_once('[')) {
        Some((_, last)) if !last.is_empty() && !last.bytes().all(|b| b.is_ascii_digit()) => last,
        _ => trimmed,
    }
}

fn fold<'b>(name: &str, buffer: &'b mut [u8; 128]) -> &'b str {
    let mut len = 0;
    for byte in name.bytes().filter(u8::is_ascii_alphanumeric) {
        if let Some(slot) = buffer.get_mut(len) {
            *slot = byte.to_ascii_lowercase();
            len += 1;
        }
    }
    std::str::from_utf8(&buffer[..len]).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_does_not_matter() {
        let names = Names::built_in();
        for (name, kind) in [
            ("X-CSRF-Token", Kind::Csrf),
            ("csrfmiddlewaretoken", Kind::Csrf),
            ("__RequestVerificationToken", Kind::Csrf),
            ("XSRF-TOKEN", Kind::Csrf),
            ("user[password]", Kind::Password),
            ("newPassword", Kind::Password),
            ("access_token", Kind::Token),
            ("client-secret", Kind::Token),
            ("JSESSIONID", Kind::Session),
            ("connect.sid", Kind::Session),
            ("billing.email", Kind::Email),
            ("lastName", Kind::Name),
            ("card_number", Kind::Card),
            ("data-csrf", Kind::Csrf),
            ("x-api-key", Kind::ApiKey),
            ("postal_code", Kind::Address),
        ] {
            assert_eq!(names.rule(name), Some(Rule::Mask(kind)), "{name}");
        }
        assert_eq!(names.rule("Authorization"), Some(Rule::Credentials));
        assert_eq!(names.rule("code_verifier"), Some(Rule::Keep));
        assert_eq!(names.rule("csrf-param"), Some(Rule::Keep));
    }

    #[test]
    fn harmless_names_say_nothing() {
        let names = Names::built_in();
        for name in [
            "",
            "name",
            "id",
            "title",
            "quantity",
            "passenger",
            "cardType",
            "tokens",
            "monkey",
            "key",
            "code",
            "state",
            "etag",
            "compass",
            "items[0]",
            "city",
            "emails_sent",
            "author",
        ] {
            assert_eq!(names.rule(name), None, "{name}");
        }
        assert_eq!(names.rule(&"token".repeat(99)), None);
        assert_eq!(names.rule("next_page_token"), Some(Rule::Keep));
    }

    #[test]
    fn cookies_are_secrets_unless_short_or_preferences() {
        let names = Names::built_in();
        assert_eq!(names.cookie_rule("theme", b"dark"), None);
        assert_eq!(names.cookie_rule("x", b"en-US"), None);
        assert_eq!(names.cookie_rule("tz", b"Europe/Berlin"), None);
        assert_eq!(names.cookie_rule("x", b"s3cr3t!"), Some(Rule::Mask(Kind::Cookie)));
        assert_eq!(names.cookie_rule("sid", b"abc"), Some(Rule::Mask(Kind::Session)));
        assert_eq!(names.cookie_rule("theme", b"9f86d081884c7d659a2f"), Some(Rule::Mask(Kind::Cookie)));
    }

    #[test]
    fn words_are_no_secrets() {
        assert!(is_no_secret(b"deleted") && is_no_secret(b"TRUE") && is_no_secret(b"-1"));
        assert!(!is_no_secret(b"") && !is_no_secret(b"hunter2"));
    }
}
