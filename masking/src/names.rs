//! What names say about values. One list for headers, query, cookies, forms, JSON keys, inputs, metas, script keys and attributes.
//!
//! Names are compared in lower case without anything but letters and digits: `X-CSRF-Token`, `xCsrfToken` and
//! `x_csrf_token` are one name. Of `user[password]` the last bracket counts. Where a name as a whole says nothing, words in front that
//! only say whose or of what sort it is are taken away, one by one: `X-Ssn`, `data-birth-date`, `customerIban`. What words are
//! shows in separators and capital letters.

mod below;
mod lists;
mod spelling;
mod strong;

use std::collections::{HashMap, HashSet};

use crate::detect::Detectors;
use crate::kind::Kind;
use crate::policy::Glob;
pub(crate) use below::{Around, Below, is_algorithm, is_day, is_version, may_be_secret};
pub(crate) use lists::ID_ENDINGS;
use lists::{
    BELOW_BARE, BELOW_DESCRIBES, BELOW_LAST, ENDINGS, EXACT, FILLERS, PREFERENCES, QUALIFIERS, WHOLE_ONLY,
    WORDS,
};
pub(crate) use spelling::fold_pattern;
use spelling::{fold, last_bracket, words};
pub(crate) use strong::is_strong;

/// What to do with a value because of its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rule {
    /// Mask it, as this kind.
    Mask(Kind),
    /// It stands in an object under the name of a secret of that kind, and its own name says nothing: mask it where it may be one.
    Below(Kind, Below),
    /// `Authorization`: a scheme and its credentials, RFC 9110 §11.4.
    Credentials,
    /// `WWW-Authenticate`: what the server hands out to be sent back.
    Challenge,
    /// It is code, in which values go by the names that they are bound to.
    Code,
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

    /// What the name says; `None` when it says nothing. Where it is of several scripts, what is in ASCII may say it: `PIN码`.
    pub(crate) fn rule(&self, name: &str) -> Option<Rule> {
        let said = self.rule_of_all(name);
        if name.is_ascii() || !matches!(said, None | Some(Rule::Without(_) | Rule::Id)) || name.len() > 128 {
            return said;
        }
        let ascii: String = name.chars().map(|c| if c.is_ascii() { c } else { '-' }).collect();
        self.rule_of_all(&ascii).or(said)
    }

    /// The same of the name as a whole.
    fn rule_of_all(&self, name: &str) -> Option<Rule> {
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
        let first = name.trim_end_matches(|c: char| !c.is_alphabetic());
        if weak.is_none()
            && one.len() < folded.len()
            && one.len() >= 3
            && first.len() < name.len()
            && let Some(rule @ Rule::Mask(_)) = self.rule_of_all(first)
        {
            return Some(rule);
        }
        match weak {
            None if below::are_secrets(folded) => Some(Rule::Below(Kind::Token, Below::Random)),
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
        let short = value.len() <= 32 && !crate::entropy::is_random(value, 30.0);
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

    /// In an object under a secret's name: names that say no more than that it is a value, that describe it, and last words of such.
    pub(crate) fn below() -> [&'static str; 3] {
        [BELOW_BARE, BELOW_DESCRIBES, BELOW_LAST]
    }

    /// Cookies that hold a preference; and values that no machine-made secret has.
    pub(crate) fn harmless() -> (&'static str, &'static str) {
        (PREFERENCES, WORDS)
    }
}

/// Whether a folded name is that of an identifier.
fn is_id_name(folded: &str) -> bool {
    const WORDS: &str =
        "paid unpaid prepaid valid invalid grid void bid avoid solid fluid hybrid aid mid rapid android";
    ID_ENDINGS.split(' ').any(|ending| folded.ends_with(ending))
        && !WORDS.split(' ').any(|word| word == folded)
}

fn describe(rule: Rule) -> &'static str {
    match rule {
        Rule::Mask(kind) | Rule::Below(kind, _) => kind.name(),
        Rule::Credentials => "credentials",
        Rule::Challenge => "challenge",
        Rule::Code => "code",
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
    if is_foreign(value) {
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

/// `Введите пароль`, `请输入密码`: words of another language, with neither digits nor signs in them, nor capital letters in the midst of one.
fn is_foreign(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let mut small = false;
    !text.is_ascii()
        && text.chars().all(|c| {
            let turns = std::mem::replace(&mut small, c.is_lowercase()) && c.is_uppercase();
            !turns && (c.is_alphabetic() || " .,:!?'()-，。！？：、（）".contains(c))
        })
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
            ("contraseña", Kind::Password),
            ("CONTRASEN\u{303}A", Kind::Password),
            ("nueva_contraseña", Kind::Password),
            ("hasło", Kind::Password),
            ("Şifre", Kind::Password),
            ("Пароль", Kind::Password),
            ("новый пароль", Kind::Password),
            ("пароль2", Kind::Password),
            ("ｐａｓｓｗｏｒｄ", Kind::Password),
            ("密码", Kind::Password),
            ("登录密码", Kind::Password),
            ("パスワード", Kind::Password),
            ("비밀번호", Kind::Password),
            ("fødselsdato", Kind::Birthdate),
            ("téléphone", Kind::Phone),
            ("手机号", Kind::Phone),
            ("姓名", Kind::Name),
            ("ФИО", Kind::Name),
            ("PIN码", Kind::Otp),
            ("PINコード", Kind::Otp),
            ("数据库pwd", Kind::Password),
            ("password（必填）", Kind::Password),
            ("клиент_phone", Kind::Phone),
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
    fn what_is_in_the_lists_is_spelled_as_names_are_compared() {
        let mut buffer = [0; 128];
        for (_, names) in EXACT.iter().chain(ENDINGS) {
            for name in names.split_whitespace() {
                assert_eq!(fold(name, &mut buffer), name);
                assert_eq!(fold_pattern(&format!("*{}", name.to_uppercase())), format!("*{name}"));
            }
        }
    }

    #[test]
    fn words_about_a_password_are_known_in_any_script() {
        for (value, about) in [
            ("Введите пароль", true),
            ("请输入密码", true),
            ("Contraseña", true),
            ("пароль9Tx", false),
            ("pässw@rt", false),
            ("CqFhxcäGbZuqE", false),
            ("cRncr😀sMu", false),
            ("kasimir", false),
        ] {
            assert_eq!(is_about(Kind::Password, value.as_bytes()), about, "{value}");
        }
        assert!(!is_about(Kind::Name, "Зоя Иванова".as_bytes()));
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
            "señal",
            "año",
            "überpass",
            "город",
            "密码提示",
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
