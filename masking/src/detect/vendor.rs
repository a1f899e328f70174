//! Keys in the form that their vendor gives them, so that scanners find them. Prefixes and lengths are those that the vendors
//! document for [secret scanning](https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns).

/// What may follow a prefix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Alphabet {
    /// A–Z and 2–7.
    Base32,
    /// a–f and digits.
    Hex,
    /// Letters and digits.
    Alnum,
    /// The same, with `-` and `_`.
    Url,
    /// The same, with stops between parts.
    Parts,
    /// Letters, digits, `+`, `/`, `=`.
    Base64,
}

/// How the keys of one sort look.
#[derive(Debug)]
pub(crate) struct Form {
    /// Kept: it says what the key is for.
    pub(crate) prefix: &'static str,
    pub(crate) rest: Alphabet,
    least: u8,
    most: u8,
}

const fn form(prefix: &'static str, rest: Alphabet, least: u8, most: u8) -> Form {
    Form { prefix, rest, least, most }
}

/// The longer prefix first where one begins with another.
const FORMS: &[Form] = &[
    // Amazon Web Services: key ids, lasting and passing.
    form("AKIA", Alphabet::Base32, 16, 16),
    form("ASIA", Alphabet::Base32, 16, 16),
    // GitHub: https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/
    form("github_pat_", Alphabet::Url, 36, 250),
    form("ghp_", Alphabet::Alnum, 36, 250),
    form("gho_", Alphabet::Alnum, 36, 250),
    form("ghu_", Alphabet::Alnum, 36, 250),
    form("ghs_", Alphabet::Alnum, 36, 250),
    form("ghr_", Alphabet::Alnum, 36, 250),
    // Stripe: https://docs.stripe.com/keys
    form("sk_live_", Alphabet::Alnum, 16, 250),
    form("sk_test_", Alphabet::Alnum, 16, 250),
    form("rk_live_", Alphabet::Alnum, 16, 250),
    form("rk_test_", Alphabet::Alnum, 16, 250),
    form("pk_live_", Alphabet::Alnum, 16, 250),
    form("pk_test_", Alphabet::Alnum, 16, 250),
    form("whsec_", Alphabet::Base64, 24, 250),
    // Slack: https://docs.slack.dev/authentication/tokens
    form("xoxa-", Alphabet::Url, 20, 250),
    form("xoxb-", Alphabet::Url, 20, 250),
    form("xoxp-", Alphabet::Url, 20, 250),
    form("xoxr-", Alphabet::Url, 20, 250),
    form("xoxs-", Alphabet::Url, 20, 250),
    form("xapp-", Alphabet::Url, 20, 250),
    // Google: API keys, OAuth secrets and access tokens.
    form("AIza", Alphabet::Url, 35, 35),
    form("GOCSPX-", Alphabet::Url, 28, 28),
    form("ya29.", Alphabet::Url, 20, 250),
    form("glpat-", Alphabet::Url, 20, 250),
    form("glrt-", Alphabet::Url, 20, 250),
    form("npm_", Alphabet::Alnum, 36, 36),
    form("SG.", Alphabet::Parts, 66, 66),
    form("SK", Alphabet::Hex, 32, 32),
    form("shpat_", Alphabet::Hex, 32, 32),
    form("shpca_", Alphabet::Hex, 32, 32),
    form("shppa_", Alphabet::Hex, 32, 32),
    form("shpss_", Alphabet::Hex, 32, 32),
    form("sk-ant-", Alphabet::Url, 32, 250),
    form("sk-proj-", Alphabet::Url, 32, 250),
    form("sk-", Alphabet::Alnum, 40, 250),
    form("dop_v1_", Alphabet::Hex, 64, 64),
    form("doo_v1_", Alphabet::Hex, 64, 64),
    form("hf_", Alphabet::Alnum, 34, 34),
    form("pypi-", Alphabet::Url, 100, 250),
    form("dckr_pat_", Alphabet::Url, 27, 27),
    form("rubygems_", Alphabet::Hex, 48, 48),
    form("hvs.", Alphabet::Url, 24, 250),
    form("sq0atp-", Alphabet::Url, 22, 22),
    form("sq0csp-", Alphabet::Url, 43, 43),
    form("dapi", Alphabet::Hex, 32, 32),
    form("NRAK-", Alphabet::Alnum, 27, 27),
    form("lin_api_", Alphabet::Alnum, 40, 40),
];

impl Alphabet {
    pub(crate) fn has(self, b: u8) -> bool {
        match self {
            Alphabet::Base32 => matches!(b, b'A'..=b'Z' | b'2'..=b'7'),
            Alphabet::Hex => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
            Alphabet::Alnum => b.is_ascii_alphanumeric(),
            Alphabet::Url => b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'),
            Alphabet::Parts => b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'),
            Alphabet::Base64 => b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='),
        }
    }
}

/// Of each byte the forms whose prefixes have it in that place, or end before, one bit for each.
const fn with_byte(place: usize) -> [u64; 256] {
    let mut with = [0; 256];
    let mut b = 0;
    while b < 256 {
        let mut at = 0;
        while at < FORMS.len() {
            let prefix = FORMS[at].prefix.as_bytes();
            if place >= prefix.len() || prefix[place] as usize == b {
                with[b] |= 1 << at;
            }
            at += 1;
        }
        b += 1;
    }
    with
}

const WITH_FIRST: [u64; 256] = with_byte(0);
const WITH_SECOND: [u64; 256] = with_byte(1);
const WITH_THIRD: [u64; 256] = with_byte(2);
const _: () = assert!(FORMS.len() <= 64);

/// The forms whose prefixes may be at the beginning of a text, one bit for each.
#[inline]
fn forms_by(text: &[u8]) -> u64 {
    let Some([first, second, third]) = text.first_chunk::<3>() else { return 0 };
    WITH_FIRST[usize::from(*first)] & WITH_SECOND[usize::from(*second)] & WITH_THIRD[usize::from(*third)]
}

/// Whether some prefix begins with that byte.
pub(super) fn may_begin(b: u8) -> bool {
    WITH_FIRST[usize::from(b)] != 0
}

/// Whether some prefix may be at the beginning of a text.
#[inline]
pub(super) fn may_begin_with(text: &[u8]) -> bool {
    forms_by(text) != 0
}

/// The form and length of the key at the beginning of `text`.
pub(crate) fn key(text: &[u8]) -> Option<(&'static Form, usize)> {
    // Three bytes spare nearly all words the list.
    let mut forms = forms_by(text);
    let form = loop {
        let form = FORMS.get(forms.trailing_zeros() as usize)?;
        if text.starts_with(form.prefix.as_bytes()) {
            break form;
        }
        forms &= forms - 1;
    };
    let rest = &text[form.prefix.len()..];
    let mut len = rest.iter().take_while(|b| form.rest.has(**b)).count();
    // A full stop behind a key ends the sentence.
    while len > 0 && rest[len - 1] == b'.' {
        len -= 1;
    }
    let fits = (usize::from(form.least)..=usize::from(form.most)).contains(&len)
        && is_no_word(form.rest, &rest[..len]);
    let goes_on = rest.get(len).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    (fits && !goes_on).then_some((form, form.prefix.len() + len))
}

/// Digits among letters, or letters in both cases. Of the few keys in capital letters only the prefix tells enough.
fn is_no_word(alphabet: Alphabet, rest: &[u8]) -> bool {
    let any = |is: fn(&u8) -> bool| rest.iter().any(is);
    alphabet == Alphabet::Base32
        || any(u8::is_ascii_digit) && any(u8::is_ascii_alphabetic)
        || any(u8::is_ascii_uppercase) && any(u8::is_ascii_lowercase)
}

/// Whether a value is such a key from end to end.
pub(crate) fn is_key(value: &[u8]) -> bool {
    key(value).is_some_and(|(_, len)| len == value.len())
}

/// The checksum that ends a GitHub token: CRC-32 (ISO 3309) of what is before it, in base 62, six characters.
pub(crate) fn github_check(body: &[u8]) -> [u8; 6] {
    const SET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut crc = u32::MAX;
    for b in body {
        crc ^= u32::from(*b);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    let mut rest = !crc;
    let mut out = [b'0'; 6];
    for slot in out.iter_mut().rev() {
        *slot = SET[(rest % 62) as usize];
        rest /= 62;
    }
    out
}
