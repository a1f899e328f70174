//! What the name of a secret says about the values of an object that stands under it: `{"password": {"value": "…"}}`. Those values have
//! names of their own, most of which say nothing by themselves, and some of which describe the secret: its type, its age, its length.

use super::{BELOW_BARE, BELOW_DESCRIBES, BELOW_LAST, Names, Rule, fold, is_id_name, last_bracket, words};
use crate::detect;
use crate::entropy;
use crate::kind::Kind;
use crate::memo::{NameInfo, Says};

/// Which strings go in an object under a secret's name, where their own names say nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Below {
    /// All that is sent: people's secrets may be any words. What is answered is mostly told to them: there only what looks like one.
    All,
    /// The same under a name that says no more than that it is a value: in an answer one word, but not with a capital letter.
    Value,
    /// Those with digits: codes and numbers have some.
    Digits,
    /// Those under `number` and its like only: what else is in there describes a card or an account.
    Number,
    /// Those without spaces that have letters and digits.
    Likely,
    /// Those that stand in the object itself and are random: sessions have all there is in them.
    Random,
    /// What stands beside the object says that: `{"name": "password", "value": {…}}`.
    Said,
}

impl Below {
    /// What a name says, by itself or by this rule, about the values of an object that it has.
    pub(crate) fn of(rule: Option<Rule>, name: &str) -> Option<Below> {
        let mut buffer = [0; 128];
        let folded = if name.len() <= 128 { fold(last_bracket(name), &mut buffer) } else { "" };
        let kind = match rule {
            Some(Rule::Credentials | Rule::Below(..)) => return Some(Below::Random),
            Some(Rule::Mask(kind)) => kind,
            // Many texts and colours are made of tokens.
            None if folded.ends_with("tokens") => return Some(Below::Random),
            _ => return None,
        };
        Some(match kind {
            // A ticket, or a test that was passed.
            Kind::Password if matches!(folded, "pass" | "pw") => Below::Likely,
            Kind::Password => Below::All,
            Kind::Token if folded.ends_with("secret") => Below::All,
            Kind::Otp | Kind::Cvc | Kind::NationalId => Below::Digits,
            Kind::Card | Kind::Iban | Kind::Account => Below::Number,
            Kind::ApiKey | Kind::Csrf | Kind::PrivateKey => Below::Likely,
            Kind::Token if folded.ends_with("token") => Below::Likely,
            Kind::Token if folded.ends_with("auth") => Below::Random,
            Kind::Session => Below::Random,
            _ => return None,
        })
    }
}

/// Whether a name is that of several secrets, which may have names of their own.
pub(super) fn are_secrets(folded: &str) -> bool {
    folded.ends_with("secrets") || folded.ends_with("apikeys")
}

/// What holds in an object: under which name it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Around {
    kind: Kind,
    below: Below,
}

impl Around {
    /// What holds in an object under that key, if it is a secret's name.
    fn under(key: NameInfo) -> Option<Around> {
        let kind = match key.rule {
            Some(Rule::Mask(kind)) => kind,
            _ => Kind::Token,
        };
        key.below.map(|below| Around { kind, below })
    }

    /// What holds in an object whose name stands beside it, as long as that is not known.
    pub(crate) fn said() -> Around {
        Around { kind: Kind::Token, below: Below::Said }
    }

    /// What a key in such an object says.
    pub(crate) fn on(self, key: NameInfo) -> NameInfo {
        let bare = key.says(Says::IS_BARE);
        let own = match key.rule {
            None => false,
            // Cursors, hashes and the like are no secrets, but of a password.
            Some(Rule::Without(_)) => {
                // Those of a private key have names of one letter.
                !bare && matches!(self.below, Below::Likely | Below::Random) && self.kind != Kind::PrivateKey
            }
            Some(_) => true,
        };
        let is_code = self.below == Below::Digits && key.says(Says::IS_CODE);
        // Kubernetes has there which of a secret's parts go into which files.
        let is_list = self.kind == Kind::Token && self.below == Below::All && key.says(Says::IS_LIST);
        if own || is_list || key.says(Says::DESCRIBES) && !is_code {
            return key;
        }
        let number = key.says(Says::IS_NUMBER);
        let below = Some(Rule::Below(self.kind, self.below));
        let rule = match self.below {
            Below::All if bare && !number => Some(Rule::Below(self.kind, Below::Value)),
            Below::Digits if bare => Some(Rule::Below(self.kind, Below::Value)),
            Below::Number if number || key.says(Says::IS_VALUE) => Some(Rule::Mask(self.kind)),
            Below::Number => return key,
            Below::All | Below::Value | Below::Digits | Below::Likely | Below::Random | Below::Said => below,
        };
        key.with_rule(rule)
    }

    /// What holds in the innermost of objects under these names, the outermost first.
    pub(crate) fn at(keys: impl Iterator<Item = NameInfo>) -> Option<Around> {
        keys.fold(None, |around, key| Around::within(around, around.map_or(key, |around| around.on(key))))
    }

    /// What holds in an object under that key, which stands in an object in which this holds, if anything does.
    pub(crate) fn within(around: Option<Around>, key: NameInfo) -> Option<Around> {
        if key.below.is_some() {
            return Around::under(key);
        }
        let around = around.filter(|around| !matches!(around.below, Below::Random | Below::Said))?;
        // The key is as this makes it: none that says something else.
        let is_value = matches!(key.rule, Some(Rule::Mask(_))) && key.says(Says::IS_BARE);
        (is_value || matches!(key.rule, Some(Rule::Below(..)))).then_some(around)
    }
}

impl Names {
    /// What names in an object under a secret's say: [`Says::DESCRIBES`], [`Says::IS_BARE`], [`Says::IS_NUMBER`],
    /// [`Says::IS_CODE`], [`Says::IS_LIST`].
    pub(crate) fn says_below(name: &str) -> [bool; 5] {
        if name.len() > 128 {
            return [false; 5];
        }
        let name = last_bracket(name);
        let mut buffer = [0; 128];
        let folded = fold(name, &mut buffer);
        let is_in = |list: &str| list.split_whitespace().any(|word| word == folded);
        let number = matches!(folded, "number" | "no" | "num" | "nr");
        let bare = is_in(BELOW_BARE);
        let last = || {
            let words = words(name);
            words.len() > 1
                && words.last().is_some_and(|last| {
                    let last = last.to_ascii_lowercase();
                    BELOW_LAST.split_whitespace().any(|word| word == last)
                })
        };
        // A `name` is somebody's or something's.
        let describes = !bare && (folded == "name" || is_in(BELOW_DESCRIBES) || is_id_name(folded) || last());
        [describes, bare, number, folded == "code", folded == "items"]
    }
}

/// Whether a string in an object under a secret's name may be one, of which its own name says nothing. An answer may speak of a secret.
pub(crate) fn may_be_secret(kind: Kind, below: Below, value: &[u8], answers: bool) -> bool {
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    let has_letter = || value.iter().any(u8::is_ascii_alphabetic);
    let has_space = || value.iter().any(u8::is_ascii_whitespace);
    let is_link = || [&b"/"[..], b"http", b"arn:"].iter().any(|begin| value.starts_with(begin));
    let is_time = || detect::is_moment(value) || is_day(value);
    let is_likely = || {
        digits > 0
            && value.len() >= 6
            && has_letter()
            && !(has_space() || is_link() || is_time() || is_algorithm(value) || is_version(value))
    };
    match below {
        Below::All => !answers || is_likely() && entropy::is_random(value, SPOKEN_BITS),
        Below::Value => {
            let named = || {
                value.first().is_some_and(u8::is_ascii_uppercase) && value.iter().all(u8::is_ascii_alphabetic)
            };
            !answers || !has_space() && !named()
        }
        Below::Digits => digits >= if kind == Kind::NationalId { 5 } else { 3 } && !is_time(),
        Below::Number | Below::Said => false,
        Below::Likely => is_likely(),
        Below::Random => {
            digits > 0
                && !(has_space() || is_link() || is_time() || is_version(value))
                && entropy::is_random(value, RANDOM_BITS)
        }
    }
}

/// So random a value in a session is one, whatever its name: as in a cookie.
const RANDOM_BITS: f64 = 30.0;

/// So random what an answer has under the name of a password is more than a word about it.
const SPOKEN_BITS: f64 = 20.0;

/// `HS256`, `AES-256-GCM`, `oauth2`: how, not what.
pub(crate) fn is_algorithm(value: &[u8]) -> bool {
    const BEGIN: [&[u8]; 15] = [
        b"hs", b"rs", b"es", b"ps", b"sha", b"aes", b"rsa", b"ecdsa", b"ed2", b"hmac", b"pbkdf2", b"argon2",
        b"oauth", b"tls", b"hkdf",
    ];
    let begins = |begin: &&[u8]| value.get(..begin.len()).is_some_and(|v| v.eq_ignore_ascii_case(begin));
    value.len() <= 24 && !entropy::is_random(value, 36.0) && BEGIN.iter().any(begins)
}

/// Whether a value is a version: `v1.2.3`, `4.0.1-rc.2`.
pub(crate) fn is_version(value: &[u8]) -> bool {
    let number = value.strip_prefix(b"v").or(value.strip_prefix(b"V")).unwrap_or(value);
    let len = number.iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
    let Some((numbers, rest)) = number.split_at_checked(len) else { return false };
    let mut parts = 0;
    let short = numbers.split(|b| *b == b'.').all(|part| {
        parts += 1;
        matches!(part.len(), 1..=3)
    });
    let build = matches!(rest.first(), None | Some(b'-' | b'+')) && rest.len() <= 12;
    short && (3..=4).contains(&parts) && build && !entropy::is_random(rest, SPOKEN_BITS)
}

/// Whether a value is a day, or a day and a time as calendars write them: `2024-05-01`, `01.05.2024`, `20240501T120000Z`.
pub(crate) fn is_day(value: &[u8]) -> bool {
    const FORMS: [&[u8]; 8] = [
        b"0000-00-00",
        b"0000/00/00",
        b"0000.00.00",
        b"00.00.0000",
        b"00/00/0000",
        b"00-00-0000",
        b"00000000T000000Z",
        b"00000000T000000",
    ];
    FORMS.iter().any(|form| {
        let fits = |(b, form): (&u8, &u8)| if *form == b'0' { b.is_ascii_digit() } else { b == form };
        form.len() == value.len() && value.iter().zip(*form).all(fits)
    })
}
