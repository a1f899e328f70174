//! What names say about values. One list for headers, query, cookies, forms, JSON keys, inputs, metas, script keys and attributes.
//!
//! Names are compared in lower case without anything but letters and digits: `X-CSRF-Token`, `xCsrfToken` and
//! `x_csrf_token` are one name. Of `user[password]` the last bracket counts. Where a name as a whole says nothing, words in front that
//! only say whose or of what sort it is are taken away, one by one: `X-Ssn`, `data-birth-date`, `customerIban`. What words are
//! shows in separators and capital letters.

use std::collections::{HashMap, HashSet};

use crate::detect::Detectors;
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
    /// A field with signatures among what says how they were made.
    Signatures,
    /// Nothing is known of it but that these detectors would be wrong there.
    Without(Detectors),
    /// Leave it, whatever it looks like to detectors.
    Keep,
    /// A rule of the user's acts, by its number.
    Own(u8),
    /// It may be a resource's identifier, which goes under `--strict` and `--k` only.
    Id,
}

impl Rule {
    /// What holds for a value that has a name and stands within a value of another: the name, unless that says next to nothing.
    pub(crate) fn stronger(name: Option<Rule>, around: Option<Rule>) -> Option<Rule> {
        match name {
            None | Some(Rule::Without(_)) => around.or(name),
            Some(_) => name,
        }
    }
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
        "passwords pswd usrpwd contrasena senha wachtwoord haslo kennwort mdp parola pass pwd passwd passphrase passcode txtpwd txtpass motdepasse securityanswer secretanswer userpass userpwd newpwd oldpwd currentpwd loginpass pw",
    ),
    (Rule::Mask(Kind::Cvc), "cvc cvv cvc2 cvv2 csc securitycode cardsecuritycode verificationvalue"),
    (
        Rule::Mask(Kind::Otp),
        "usercode authcode verificationcode resetcode recoverycode recoverycodes backupcode backupcodes otp otpcode totp totpcode mfacode twofactorcode 2facode smscode onetimecode onetimepassword \
         pin pincode",
    ),
    (Rule::Mask(Kind::Card), "cardno cardnum ccnum ccno creditcard debitcard pan primaryaccountnumber"),
    (Rule::Mask(Kind::Iban), "iban ibannumber"),
    (
        Rule::Mask(Kind::NationalId),
        "ssn socialsecurity socialsecuritynumber socialsecurityno taxid taxpayerid nationalid nationalidnumber passport \
         passportno passportnumber driverlicense driverslicense drivinglicence drivinglicense driverlicensenumber personnummer personalnumber \
         samordningsnummer nino nationalinsurance nationalinsurancenumber ninumber codicefiscale taxcode fiscalcode identitynumber \
         identitycard identitycardnumber idcard idcardnumber idcardno personalid personalidnumber citizenid governmentid itin ein \
         pesel cpf cnpj cpfcnpj aadhaar aadhar dni nie nif nifnumber documentonacional nir insee numerosecu numsecu securitesociale bsn \
         burgerservicenummer rijksregisternummer numeronational niss sin socialinsurancenumber tfn taxfilenumber steuerid steuernummer \
         steueridentifikationsnummer idnr sozialversicherungsnummer svnr ahv ahvnummer avs hetu henkilotunnus fodselsnummer fnr \
         cprnummer cprnumber tckimlik tckimlikno kimlikno tckn curp rfc rut cedula idnumber rsaid saidnumber jmbg oib egn cnp rodnecislo \
         mynumber residentid residentidnumber shenfenzheng nricnumber nric nhsnumber medicare medicarenumber",
    ),
    (
        Rule::Mask(Kind::Ip),
        "ip ipaddress ipaddr ipv4 ipv6 ipv4address ipv6address clientip clientaddress clientipaddress remoteip remoteaddr remoteaddress \
         remoteipaddress userip useripaddress sourceip srcip peerip peeraddress lastip lastloginip loginip signupip customerip visitorip \
         xforwardedfor xrealip xclientip trueclientip cfconnectingip cfconnectingipv6 cfpseudoipv4 fastlyclientip flyclientip \
         xclusterclientip xoriginalforwardedfor xenvoyexternaladdress xazureclientip xappengineuserip forwarded forwardedfor",
    ),
    (
        Rule::Mask(Kind::Mac),
        "mac macaddress macaddr devicemac wifimac ethernetmac bluetoothmac hwaddr hwaddress ethaddr bssid",
    ),
    (
        Rule::Mask(Kind::PrivateKey),
        "privatekey privkey privatekeypem tlskey tlsprivatekey sslkey clientkey serverkey keypem pem rsaprivatekey sshkey sshprivatekey",
    ),
    (
        Rule::Mask(Kind::Account),
        "acctnumber acctno accountnumber accountno bankaccount bankaccountnumber routingnumber sortcode",
    ),
    (Rule::Mask(Kind::Email), "mail emailaddress mailaddress useremail upn preferredusername"),
    (
        Rule::Mask(Kind::Phone),
        "telefon telefono telefone handy celular contactnumber phone homephone workphone userphone contactphone customerphone tel telephone telephonenumber phoneno phonenr mobile mobileno mobilenumber mobilephone cell \
         cellphone fax faxnumber msisdn",
    ),
    (
        Rule::Mask(Kind::Name),
        "vorname nachname prenom apellido apellidos displayname nickname ownername nomdefamille fname lname givenname familyname middlename surname holder holdername cardholder cardholdername nameoncard \
         cardname accountholder recipientname customername personname contactname patientname passengername guestname \
         beneficiaryname payername payeename maidenname mothersmaidenname realname legalname",
    ),
    (
        Rule::Mask(Kind::Address),
        "address street address1 address2 addressline addressline1 addressline2 streetaddress streetname \
         street1 street2 housenumber shippingaddress billingaddress homeaddress postaladdress zip zipcode postcode \
         postalcode",
    ),
    (
        Rule::Mask(Kind::Birthdate),
        "birthdate birthday dob dateofbirth bday birthdt dateofbirthday geburtsdatum datenaissance fechanacimiento",
    ),
    (
        Rule::Mask(Kind::ApiKey),
        "xapikey appkey accesskey accesskeyid secretkey secretaccesskey signingkey encryptionkey \
         subscriptionkey ocpapimsubscriptionkey xfunctionskey awsaccesskeyid xgoogapikey authkey \
         stripekey stripesecretkey mapskey googlekey googlemapskey sendgridkey twiliokey mailgunkey githubkey openaikey awskey awssecret \
         awssecretkey awssecretaccesskey servicekey masterkey clientsecretkey consumerkey webhookkey sharedkey accountkey storagekey",
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
    // Bar codes have check digits that pass for others'.
    (Rule::Keep, "ean ean8 ean13 gtin gtin13 gtin14 upc barcode isbn isbn13 issn"),
    // Servers, not clients.
    (
        Rule::Without(Detectors::IP),
        "host authority xforwardedhost xforwardedserver xhost xoriginalhost origin referer referrer server via xpoweredby useragent ua \
         xuseragent secchua secchuafullversionlist version apiversion appversion clientversion osversion buildversion release xversion \
         serverversion firmware firmwareversion xserver servername hostname upstream endpoint",
    ),
    // Random, and no secret: names of things, of contents and of places.
    (
        Rule::Without(Detectors::RANDOM),
        "etag ifmatch ifnonematch ifrange contentmd5 digest contentdigest reprdigest wantdigest contenttype contentdisposition contentsecuritypolicy \
         contentsecuritypolicyreportonly secwebsocketkey secwebsocketaccept xamzid2 xamzcontentsha256 cfray traceparent \
         tracestate b3 xb3traceid xcache xservedby servertiming reportto nel link vary baggage accept acceptencoding acceptlanguage \
         cachecontrol hash sha sha1 sha256 sha384 sha512 md5 checksum crc32 integrity sri commit commitsha revision rev build buildhash \
         cursor after before nextcursor prevcursor endcursor startcursor slug href src srcset url uri path file filename image icon \
         thumbnail avatar picture photo logo sourcemap blurhash class classname style d points viewbox",
    ),
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
    (Rule::Mask(Kind::Iban), "iban"),
    (Rule::Mask(Kind::PrivateKey), "privatekey"),
    (Rule::Mask(Kind::ApiKey), "apikey secretkey accesskey accesskeyid"),
    (Rule::Mask(Kind::Session), "sessionid sessiontoken"),
    (Rule::Mask(Kind::Token), "token secret"),
    (Rule::Mask(Kind::Email), "email"),
    (Rule::Mask(Kind::Phone), "phonenumber"),
    (Rule::Mask(Kind::Name), "firstname lastname fullname"),
    (Rule::Mask(Kind::Ip), "ipaddress clientip remoteaddr"),
    (Rule::Mask(Kind::Mac), "macaddress"),
    (Rule::Without(Detectors::IP), "version"),
    (
        Rule::Without(Detectors::RANDOM),
        "id ids uuid guid etag hash checksum digest sha256 cursor slug url uri",
    ),
];

/// Words in front of a name that say whose it is, or of what sort.
const QUALIFIERS: &str = "x http data user customer client my new old current primary secondary default main billing shipping delivery home work private \
     business contact account owner holder buyer seller payer payee recipient sender member patient employee guest person profile \
     cardholder emergency creditor debtor debitor beneficiary applicant insured student subscriber visitor spouse partner parent child \
     device account encrypted raw plain original j";

/// Words behind one that say no more than that it is a value.
const FILLERS: &str = "number no num nr value text string str field input again repeat repeated retype confirm confirmation verify hash";

/// Names that are no longer what they were with a word before them: `data-cell`, `home-page`.
const WHOLE_ONLY: &str = "cell pw auth login rfc sin nie mail session sess ein pass rut ua";

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
    qualifiers: HashSet<&'static str>,
    fillers: HashSet<&'static str>,
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
        Names {
            exact,
            endings,
            own: Vec::new(),
            ids: false,
            qualifiers: QUALIFIERS.split_whitespace().collect(),
            fillers: FILLERS.split_whitespace().collect(),
        }
    }

    /// What the name says; `None` when it says nothing.
    pub(crate) fn rule(&self, name: &str) -> Option<Rule> {
        // No name in the lists is anywhere near that long.
        if name.is_empty() || name.len() > 128 {
            return None;
        }
        let name = last_bracket(name);
        let mut folded = [0; 128];
        let folded = fold(name, &mut folded);
        if let Some((_, number)) = self.own.iter().find(|(own, _)| own.fits(folded)) {
            return Some(Rule::Own(*number));
        }
        if let Some(rule) = self.exact.get(folded) {
            return Some(*rule);
        }
        let ending =
            || self.endings.iter().find(|(ending, _)| folded.ends_with(ending)).map(|(_, rule)| *rule);
        let weak = match ending() {
            Some(rule @ (Rule::Mask(_) | Rule::Credentials | Rule::Challenge | Rule::Keep)) => {
                return Some(rule);
            }
            weak => self.without_qualifiers(name).or(weak),
        };
        // The second of two: `password2`, `email1`, `token[0]`.
        let one = folded.trim_end_matches(|c: char| c.is_ascii_digit());
        if weak.is_none()
            && one.len() < folded.len()
            && one.len() >= 3
            && let Some(rule @ Rule::Mask(_)) =
                self.rule(name.trim_end_matches(|c: char| !c.is_ascii_alphabetic()))
        {
            return Some(rule);
        }
        match weak {
            None | Some(Rule::Without(_)) if self.ids && is_id_name(folded) => Some(Rule::Id),
            weak => weak,
        }
    }

    /// What a name says without the words that say whose it is.
    fn without_qualifiers(&self, name: &str) -> Option<Rule> {
        let words = words(name);
        let qualified =
            words.iter().take_while(|w| self.qualifiers.contains(&*w.to_ascii_lowercase())).count();
        let filled =
            words.iter().rev().take_while(|w| self.fillers.contains(&*w.to_ascii_lowercase())).count();
        let mut buffer = [0; 128];
        for first in 0..=qualified {
            for last in (words.len().saturating_sub(filled)..=words.len()).rev() {
                let Some(rest) = words.get(first..last).filter(|r| !r.is_empty() && r.len() < words.len())
                else {
                    continue;
                };
                let rest = fold(&rest.concat(), &mut buffer).to_owned();
                let whole_only = WHOLE_ONLY.split(' ').any(|w| w == rest);
                let ending =
                    || self.endings.iter().find(|(ending, _)| rest.ends_with(ending)).map(|(_, rule)| rule);
                let rule = self.exact.get(&*rest).or_else(ending).filter(|_| !whole_only);
                if let Some(rule @ Rule::Mask(_)) = rule {
                    return Some(*rule);
                }
            }
        }
        None
    }

    /// Whether the value of that name may itself be the name of what stands beside it: `{"name": "password", "value": "…"}`.
    pub(crate) fn is_label(name: &str) -> bool {
        [
            "name",
            "key",
            "field",
            "fieldname",
            "property",
            "param",
            "parameter",
            "attribute",
            "header",
            "label",
            "question",
        ]
        .iter()
        .any(|label| name.eq_ignore_ascii_case(label))
    }

    /// Whether a value under that name may have its name beside it.
    pub(crate) fn is_value(name: &str) -> bool {
        ["value", "val", "values", "answer", "stringvalue"]
            .iter()
            .any(|value| name.eq_ignore_ascii_case(value))
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

    /// Whether the name is that of a thing only goods have, so that a `name` beside it is not a person's, whose e-mail address
    /// may stand there too.
    pub(crate) fn tells_thing(name: &str) -> bool {
        const THINGS: &str = "sku price unitprice listprice ean gtin upc isbn barcode stock instock quantity qty brand manufacturer \
             category categories productid variants weight inventory";
        let mut folded = [0; 128];
        name.len() <= 128 && {
            let folded = fold(name, &mut folded);
            THINGS.split_whitespace().any(|t| t == folded)
        }
    }

    /// What a cookie's name and value say: each that is not evidently a preference counts as a secret.
    #[cfg(test)]
    pub(crate) fn cookie_rule(&self, name: &str, value: &[u8]) -> Option<Rule> {
        Names::cookie(self.rule(name), name, value)
    }

    /// The same where it is known what the name says.
    pub(crate) fn cookie(rule: Option<Rule>, name: &str, value: &[u8]) -> Option<Rule> {
        match rule {
            None | Some(Rule::Without(_)) => {}
            Some(rule) => return Some(rule),
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

    /// Words that change nothing before a name, and behind it; and names that they do change.
    pub(crate) fn qualifiers() -> [(&'static str, &'static str); 3] {
        [("before", QUALIFIERS), ("behind", FILLERS), ("never before", WHOLE_ONLY)]
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
        Rule::Signatures => "signatures",
        Rule::Without(Detectors::IP) => "no ip",
        Rule::Without(_) => "nothing random",
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

/// Whether an answer does not hold a secret under its name but speaks of it: `Password must have at least 8 characters`,
/// `required`. People's names and addresses are no such secrets.
pub(crate) fn is_about(kind: Kind, value: &[u8]) -> bool {
    const STATES: &str = "enabled disabled optional required missing valid invalid verified unverified changed unchanged sent unsent set unset \
         weak strong active inactive text email tel hidden password";
    if !(kind.is_machine_made() || matches!(kind, Kind::Password | Kind::Otp | Kind::Cvc)) {
        return false;
    }
    if value.len() <= 12
        && value.iter().all(u8::is_ascii_alphabetic)
        && STATES.split_whitespace().any(|word| value.eq_ignore_ascii_case(word.as_bytes()))
    {
        return true;
    }
    let word = |w: &[u8]| {
        let w = w
            .strip_suffix(b",")
            .or(w.strip_suffix(b"."))
            .or(w.strip_suffix(b"!"))
            .or(w.strip_suffix(b":"))
            .unwrap_or(w);
        !w.is_empty()
            && w.len() < 16
            && w.iter().all(|b| b.is_ascii_alphabetic() || matches!(b, b'\'' | b'-') || *b >= 0x80)
    };
    let words: Vec<&[u8]> = value.split(|b| *b == b' ').collect();
    let wordlike = words.iter().filter(|w| word(w)).count();
    // Three in four are words, and the first of them begins a sentence.
    words.len() >= 4
        && wordlike * 4 >= words.len() * 3
        && value.first().is_some_and(|b| b.is_ascii_uppercase() || *b >= 0x80)
}

/// `password` of `user[password]`, `items` of `items[]`.
fn last_bracket(name: &str) -> &str {
    let trimmed = name.strip_suffix("[]").unwrap_or(name);
    match trimmed.strip_suffix(']').and_then(|inner| inner.rsplit_once('[')) {
        Some((_, last)) if !last.is_empty() && !last.bytes().all(|b| b.is_ascii_digit()) => last,
        _ => trimmed,
    }
}

/// The words of a name, by its separators and its capital letters.
fn words(name: &str) -> Vec<&str> {
    name.split(|c: char| !c.is_ascii_alphanumeric())
        .flat_map(|part| {
            let bytes = part.as_bytes();
            let mut words = Vec::new();
            let mut start = 0;
            for i in 1..bytes.len() {
                let camel = bytes[i].is_ascii_uppercase() && !bytes[i - 1].is_ascii_uppercase();
                // `XSsn`, `IPAddress`: the last capital letter of a row begins a word.
                let acronym = bytes[i].is_ascii_uppercase()
                    && bytes[i - 1].is_ascii_uppercase()
                    && bytes.get(i + 1).is_some_and(u8::is_ascii_lowercase);
                if camel || acronym {
                    words.extend(part.get(start..i));
                    start = i;
                }
            }
            words.extend(part.get(start..));
            words
        })
        .filter(|w| !w.is_empty())
        .collect()
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
            ("X-Ssn", Kind::NationalId),
            ("X-Dob", Kind::Birthdate),
            ("data-birth-date", Kind::Birthdate),
            ("X-First-Name", Kind::Name),
            ("XSsn", Kind::NationalId),
            ("customerIban", Kind::Iban),
            ("creditorIban", Kind::Iban),
            ("aadhaar_number", Kind::NationalId),
            ("customer[pesel_number]", Kind::NationalId),
            ("user-phone-number", Kind::Phone),
            ("X-Forwarded-For", Kind::Ip),
            ("ipAddress", Kind::Ip),
            ("deviceMac", Kind::Mac),
            ("tls_key", Kind::PrivateKey),
            ("stripe_key", Kind::ApiKey),
            ("user_name", Kind::User),
            ("customer_name", Kind::Name),
        ] {
            assert_eq!(names.rule(name), Some(Rule::Mask(kind)), "{name}");
        }
        assert_eq!(names.rule("Authorization"), Some(Rule::Credentials));
        assert_eq!(names.rule("code_verifier"), Some(Rule::Keep));
        assert_eq!(names.rule("csrf-param"), Some(Rule::Keep));
        for name in [
            "Host",
            ":authority",
            "X-Forwarded-Host",
            "Origin",
            "Referer",
            "User-Agent",
            "Via",
            "api_version",
        ] {
            assert_eq!(names.rule(name), Some(Rule::Without(Detectors::IP)), "{name}");
        }
        for name in ["ETag", "Content-Type", "trace_id", "Sec-WebSocket-Key", "order-id", "sha256"] {
            assert_eq!(names.rule(name), Some(Rule::Without(Detectors::RANDOM)), "{name}");
        }
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
            "data-cell",
            "user_agent",
            "x-version",
            "client_id",
            "order_number",
            "data-text",
            "home_page",
            "customer_number",
            "x",
            "data",
            "macro",
            "tip",
            "zipper",
            "description",
        ] {
            let rule = names.rule(name);
            assert!(matches!(rule, None | Some(Rule::Without(_))), "{name}: {rule:?}");
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
        assert_eq!(names.cookie_rule("visitor_id", b"s3cr3t!"), Some(Rule::Mask(Kind::Cookie)));
        assert_eq!(names.cookie_rule("sid", b"abc"), Some(Rule::Mask(Kind::Session)));
        assert_eq!(names.cookie_rule("theme", b"9f86d081884c7d659a2f"), Some(Rule::Mask(Kind::Cookie)));
    }

    #[test]
    fn no_name_is_in_two_lists() {
        let all: Vec<&str> = EXACT.iter().flat_map(|(_, names)| names.split_whitespace()).collect();
        let twice: Vec<_> = all.iter().enumerate().filter(|(i, name)| all[..*i].contains(name)).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    #[test]
    fn names_are_divided_into_words() {
        for (name, divided) in [
            ("X-First-Name", &["X", "First", "Name"][..]),
            ("clientIPAddress", &["client", "IP", "Address"]),
            ("date_ofBirth2", &["date", "of", "Birth2"]),
            ("--", &[]),
            ("größe-x", &["gr", "e", "x"]),
        ] {
            assert_eq!(words(name), divided, "{name}");
        }
    }

    #[test]
    fn what_stands_around_counts_where_a_name_says_little() {
        let weak = Some(Rule::Without(Detectors::IP));
        let strong = Some(Rule::Mask(Kind::Token));
        assert_eq!(Rule::stronger(weak, strong), strong);
        assert_eq!(Rule::stronger(weak, None), weak);
        assert_eq!(Rule::stronger(Some(Rule::Keep), strong), Some(Rule::Keep));
    }

    #[test]
    fn goods_are_told_from_persons() {
        assert!(
            Names::tells_thing("unit_price") && Names::tells_thing("SKU") && !Names::tells_thing("email")
        );
    }

    #[test]
    fn words_are_no_secrets() {
        assert!(is_no_secret(b"deleted") && is_no_secret(b"TRUE") && is_no_secret(b"-1"));
        assert!(!is_no_secret(b"") && !is_no_secret(b"hunter2"));
    }
}
