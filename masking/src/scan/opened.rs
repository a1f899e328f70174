//! Text within base64 or hex, compressed or not: taken out, to be looked into, and put back as it was written.

use base64::Engine as _;
use base64::alphabet::{self, Alphabet};
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use mynah_message::{Coding, Error, Limits, content, hex};

use crate::kind::Kind;

/// Nothing shorter can hold anything.
const SHORTEST: usize = 4;

const fn engine(alphabet: &Alphabet, padding: bool) -> GeneralPurpose {
    GeneralPurpose::new(
        alphabet,
        GeneralPurposeConfig::new()
            .with_encode_padding(padding)
            .with_decode_padding_mode(DecodePaddingMode::Indifferent),
    )
}

const STANDARD: GeneralPurpose = engine(&alphabet::STANDARD, true);
const STANDARD_BARE: GeneralPurpose = engine(&alphabet::STANDARD, false);
const URL_SAFE: GeneralPurpose = engine(&alphabet::URL_SAFE, true);
const URL_SAFE_BARE: GeneralPurpose = engine(&alphabet::URL_SAFE, false);

/// How the text was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Base64 { url: bool, padded: bool },
    Hex { upper: bool },
}

/// A value that is a text in an encoding.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) text: Vec<u8>,
    form: Form,
    coding: Option<Coding>,
}

/// Why a value that is an encoding could not be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooLarge;

impl Opened {
    /// The text in the value, if there is one.
    pub(crate) fn of(value: &[u8], limits: &Limits) -> Result<Option<Opened>, TooLarge> {
        if value.len() < SHORTEST {
            return Ok(None);
        }
        // Padding is at the end; most values are no encoding by their first eight characters.
        let (hex, base64) = match value.first_chunk::<8>().filter(|_| value.len() > 10) {
            Some(first) => {
                let hex = value.get(8).is_some_and(u8::is_ascii_hexdigit);
                (hex && first.iter().all(u8::is_ascii_hexdigit), begins_text(first))
            }
            None => (true, true),
        };
        if let Some(opened) = if hex { unhex(value) } else { None } {
            return Ok(Some(opened));
        }
        let Some((form, bytes)) = (if base64 { unbase64(value) } else { None }) else { return Ok(None) };
        if let Some(coding) = compressed(&bytes) {
            match content::decode_coding(coding, &bytes, limits) {
                Ok(text) => return Ok(Some(Opened { text, form, coding: Some(coding) })),
                Err(Error::TooLarge { .. }) => return Err(TooLarge),
                // It only began like one, as `x^` does.
                Err(_) => {}
            }
        }
        Ok(is_text(&bytes).then_some(Opened { text: bytes, form, coding: None }))
    }

    /// Whether that is hardly by chance: else a token that happens to decode to a text would be taken for the text.
    pub(super) fn is_certain(&self, kind: Kind) -> bool {
        if matches!(kind, Kind::Cvc | Kind::Otp) && self.text.iter().all(u8::is_ascii_digit) {
            return self.text.len() >= 3;
        }
        let telling =
            matches!(self.form, Form::Base64 { padded: true, .. }) && !self.text.len().is_multiple_of(3);
        self.coding.is_some() || surprise(&self.text) + if telling { 8.0 } else { 0.0 } >= SURPRISE
    }

    /// Another text, written as this one was.
    pub(super) fn close(&self, text: &[u8]) -> Option<Vec<u8>> {
        let packed;
        let bytes = match self.coding {
            Some(coding) => {
                packed = content::encode_content(&[coding], text).ok()?;
                &packed
            }
            None => text,
        };
        Some(match self.form {
            Form::Hex { upper } => hex::encode(bytes, upper),
            Form::Base64 { url: false, padded: true } => STANDARD.encode(bytes).into_bytes(),
            Form::Base64 { url: false, padded: false } => STANDARD_BARE.encode(bytes).into_bytes(),
            Form::Base64 { url: true, padded: true } => URL_SAFE.encode(bytes).into_bytes(),
            Form::Base64 { url: true, padded: false } => URL_SAFE_BARE.encode(bytes).into_bytes(),
        })
    }
}

/// What a beginning says about compression. Brotli has no mark of its own.
pub(super) fn compressed(bytes: &[u8]) -> Option<Coding> {
    match bytes {
        [0x1f, 0x8b, 8, ..] => Some(Coding::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Coding::Zstd),
        [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => Some(Coding::Deflate),
        _ => None,
    }
}

/// A value by chance taken for a text is one in this many, as a power of two.
const SURPRISE: f64 = 12.0;

/// How unlikely it is that random bytes make such a text, in bits.
fn surprise(text: &[u8]) -> f64 {
    // Of 256 bytes 97 are printable (or a tab or line break), 63 are letters, digits or spaces, 10 are digits; of 100 pairs of
    // decimal digits as many.
    let each = if text.iter().all(u8::is_ascii_digit) {
        3.32
    } else if text.iter().all(|b| b.is_ascii_alphanumeric() || *b == b' ') {
        2.02
    } else {
        1.4
    };
    // Letters of other scripts are rare in what is in base64, and half of what is random looks like some.
    each * text.iter().filter(|b| b.is_ascii()).count() as f64
}

fn is_text(bytes: &[u8]) -> bool {
    !bytes.iter().any(|b| is_control(*b)) && std::str::from_utf8(bytes).is_ok()
}

fn unhex(value: &[u8]) -> Option<Opened> {
    if !value.len().is_multiple_of(2) || !value.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    // Most hex is of random bytes.
    if !hex_begins_text(value) {
        return None;
    }
    let (pairs, _) = value.as_chunks::<2>();
    let upper = value.iter().any(u8::is_ascii_uppercase);
    if upper && value.iter().any(u8::is_ascii_lowercase) {
        return None;
    }
    let text: Vec<u8> = pairs.iter().copied().map(unhex_pair).collect();
    // A number looks like text far too often: two in three pairs of its digits are printable, but only one in ten is a digit.
    if value.iter().all(u8::is_ascii_digit)
        && text.iter().filter(|b| b.is_ascii_digit()).count() * 5 < text.len() * 4
    {
        return None;
    }
    is_text(&text).then_some(Opened { text, form: Form::Hex { upper }, coding: None })
}

/// The byte of two hex digits.
fn unhex_pair(pair: [u8; 2]) -> u8 {
    let nibble = |b: u8| (b & 0x0f) + if b > b'9' { 9 } else { 0 };
    nibble(pair[0]) << 4 | nibble(pair[1])
}

/// Letters in the case of a word or a name: base64 mixes them.
fn is_word(value: &[u8]) -> bool {
    let rest = value.get(1..).unwrap_or_default();
    value.iter().all(u8::is_ascii_alphabetic)
        && (rest.iter().all(u8::is_ascii_lowercase) || value.iter().all(u8::is_ascii_uppercase))
}

/// The bytes in a value that is base64 from end to end, and would be written just so again.
fn unbase64(value: &[u8]) -> Option<(Form, Vec<u8>)> {
    let inner = value.strip_suffix(b"==").or_else(|| value.strip_suffix(b"=")).unwrap_or(value);
    let padded = inner.len() < value.len() || value.len().is_multiple_of(4);
    let digits = inner.iter().all(u8::is_ascii_digit);
    if digits
        || inner.len() < 3
        || inner.len() % 4 == 1
        || inner.len() < value.len() && !value.len().is_multiple_of(4)
    {
        return None;
    }
    if !begins_text(inner) {
        return None;
    }
    let mut url = false;
    let mut standard = false;
    for b in inner {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => {}
            b'-' | b'_' => url = true,
            b'+' | b'/' => standard = true,
            _ => return None,
        }
    }
    if url && standard || is_word(inner) {
        return None;
    }
    let bytes = if url { &URL_SAFE } else { &STANDARD }.decode(inner).ok()?;
    // Where nothing had to be padded nobody can tell whether it would have been: as is usual in the alphabet.
    let padded = padded && !(url && inner.len() == value.len());
    Some((Form::Base64 { url, padded }, bytes))
}

/// Whether the first bytes can be those of a text or of something compressed: most values are neither, and this is asked of
/// each. Looks at eight characters: of random ones that decode to text there are few.
pub(super) fn begins_text(inner: &[u8]) -> bool {
    // Of the first byte alone this shows in most.
    if let Some([one, two, ..]) = inner.first_chunk::<4>() {
        let (one, two) = (SEXTETS[usize::from(*one)], SEXTETS[usize::from(*two)]);
        let first = one << 2 | two >> 4;
        if one == NO_SEXTET || two == NO_SEXTET || !may_be_first(first) {
            return false;
        }
    }
    let mut first = [0; 6];
    let mut len = 0;
    for group in inner.chunks(4).take(2) {
        let mut bits = 0_u32;
        for b in group {
            let sextet = SEXTETS[usize::from(*b)];
            if sextet == NO_SEXTET {
                return false;
            }
            bits = bits << 6 | u32::from(sextet);
        }
        let [_, bytes @ ..] = (bits << (6 * (4 - group.len()))).to_be_bytes();
        first[len..len + 3].copy_from_slice(&bytes);
        len += group.len() * 6 / 8;
    }
    begins_like_text(&first[..len], matches!(first[0], 0x1f | 0x28 | 0x78))
}

/// The same of hex.
pub(super) fn begins_text_in_hex(first: [u8; 8]) -> bool {
    first.iter().all(u8::is_ascii_hexdigit) && hex_begins_text(&first)
}

/// The same of what is hex: looks at four bytes of it.
fn hex_begins_text(hex: &[u8]) -> bool {
    let (pairs, _) = hex.as_chunks::<2>();
    let mut first = [0; 4];
    let len = pairs.iter().zip(&mut first).map(|(pair, first)| *first = unhex_pair(*pair)).count();
    begins_like_text(first.get(..len).unwrap_or_default(), false)
}

/// Whether a run of base64 or hex is all of a text, as far as it is given, or may be of something compressed.
pub(super) fn goes_on_as_text(some: &[u8]) -> bool {
    if some.iter().all(u8::is_ascii_hexdigit) {
        return true;
    }
    let url = some.iter().any(|b| matches!(b, b'-' | b'_'));
    let whole = some.get(..some.len() / 4 * 4).unwrap_or_default();
    let Ok(bytes) = if url { &URL_SAFE } else { &STANDARD }.decode(whole) else { return some.is_empty() };
    compressed(&bytes).is_some() || begins_like_text(&bytes, false)
}

/// Whether a text, or something compressed, may begin with that byte.
fn may_be_first(b: u8) -> bool {
    b == 0x1f || !is_control(b) && !matches!(b, 0x80..=0xc1 | 0xf5..)
}

/// Whether a text may begin with these bytes; `packed` says that these may be something compressed.
fn begins_like_text(first: &[u8], packed: bool) -> bool {
    // A character that is not there to its end may still be one.
    let whole = || match std::str::from_utf8(first) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    packed || !first.iter().any(|b| is_control(*b)) && (first.is_ascii() || whole())
}

/// Control characters that no text has.
fn is_control(b: u8) -> bool {
    b < b' ' && !matches!(b, b'\t' | b'\n' | b'\r') || b == 0x7f
}

const NO_SEXTET: u8 = 64;

/// What each character stands for, in either alphabet.
const SEXTETS: [u8; 256] = {
    let mut sextets = [NO_SEXTET; 256];
    let mut n = 0;
    while n < 26 {
        sextets[b'A' as usize + n] = n as u8;
        sextets[b'a' as usize + n] = n as u8 + 26;
        n += 1;
    }
    n = 0;
    while n < 10 {
        sextets[b'0' as usize + n] = n as u8 + 52;
        n += 1;
    }
    sextets[b'+' as usize] = 62;
    sextets[b'-' as usize] = 62;
    sextets[b'/' as usize] = 63;
    sextets[b'_' as usize] = 63;
    sextets
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(value: &str) -> Option<String> {
        let opened = Opened::of(value.as_bytes(), &Limits::default()).unwrap()?;
        assert_eq!(opened.close(&opened.text).unwrap(), value.as_bytes(), "written again as it was");
        Some(String::from_utf8(opened.text).unwrap())
    }

    #[test]
    fn text_is_found_in_base64_and_hex() {
        for (value, inner) in [
            ("eyJhIjoxfQ==", r#"{"a":1}"#),
            ("eyJhIjoxfQ", r#"{"a":1}"#),
            ("NzEwLTA1LTY2NzQ=", "710-05-6674"),
            ("MjAwMy0wNi0xMA", "2003-06-10"),
            ("323030302d30382d3031", "2000-08-01"),
            ("7B2261223A317D", r#"{"a":1}"#),
            ("c8O8w59lIFDDpHNzZT8_Pz4-", "süße Pässe???>>"),
            ("MTIz", "123"),
            ("313131363433353353", "11164353S"),
        ] {
            assert_eq!(text(value).as_deref(), Some(inner), "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_path_is_an_encoding(text in "/[a-zA-Z0-9/_=+-]{0,40}") {
            prop_assert!(Opened::of(text.as_bytes(), &Limits::default()).unwrap().is_none());
        }
    }

    #[test]
    fn words_numbers_and_random_values_are_none() {
        for value in [
            "",
            "abc",
            "standard",
            "customer",
            "Welcome1",
            "4111111111111111",
            "20260101",
            "3361234567",
            "9f86d081884c7d659a2feaa0c55ad015",
            "k3J9xQ2mLp0Z",
            "f3a9c1d27be84056a1b2c3d4e5f60718",
            "Zk3J9x/Q2mLp0+Zq81aaWWTT==",
            "eyJhIjoxfQ=",
            "eyJhIjox+_==",
            "/api/users/42",
            "159037982687370",
            "Lumclytremor",
            "Tisnaldweyor",
            "6130615530513037",
        ] {
            let opened = Opened::of(value.as_bytes(), &Limits::default()).unwrap();
            assert!(!opened.is_some_and(|opened| opened.is_certain(Kind::Password)), "{value}");
        }
    }

    /// What is base64 or hex of a text, without looking at its beginning first.
    fn naive(value: &[u8]) -> Option<Vec<u8>> {
        let hex = || {
            let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
            let upper = value.iter().any(u8::is_ascii_uppercase) && value.iter().any(u8::is_ascii_lowercase);
            let whole = value.len().is_multiple_of(2) && value.iter().all(u8::is_ascii_hexdigit) && !upper;
            let text: Vec<u8> = value.chunks(2).map(pair).collect::<Option<_>>().filter(|_| whole)?;
            let number = value.iter().all(u8::is_ascii_digit);
            let digits = text.iter().filter(|b| b.is_ascii_digit()).count();
            (is_text(&text) && !(number && digits * 5 < text.len() * 4)).then_some(text)
        };
        let base64 = || {
            let bare = value.strip_suffix(b"==").or_else(|| value.strip_suffix(b"=")).unwrap_or(value);
            let padded = bare.len() == value.len() || value.len().is_multiple_of(4);
            let engine = if bare.iter().any(|b| b"-_".contains(b)) { &URL_SAFE } else { &STANDARD };
            let sensible =
                padded && bare.len() >= 3 && !bare.iter().all(u8::is_ascii_digit) && !is_word(bare);
            engine.decode(bare).ok().filter(|text| sensible && compressed(text).is_none() && is_text(text))
        };
        (value.len() >= SHORTEST).then(|| hex().or_else(base64)).flatten()
    }

    proptest! {
        #[test]
        fn a_look_at_the_beginning_loses_nothing(
            text in "[a-zé\\t\\n☃😀 {]{0,12}|\\PC{0,9}",
            noise in prop::collection::vec(any::<u8>(), 0..12),
            other in "[A-Za-z0-9+/_=-]{4,16}|[0-9a-f]{4,20}",
        ) {
            let written = [
                STANDARD.encode(&text),
                URL_SAFE_BARE.encode(&text),
                STANDARD_BARE.encode(&noise),
                String::from_utf8(hex::encode(text.as_bytes(), true)).unwrap(),
                String::from_utf8(hex::encode(&noise, false)).unwrap(),
                other,
            ];
            for value in written {
                let opened = Opened::of(value.as_bytes(), &Limits::default());
                let Ok(opened) = opened else { continue };
                if opened.as_ref().is_none_or(|opened| opened.coding.is_none()) {
                    prop_assert_eq!(opened.map(|opened| opened.text), naive(value.as_bytes()), "{}", value);
                }
            }
        }
    }

    #[test]
    fn compressed_text_is_opened_under_limits() {
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Zstd] {
            let packed = content::encode_content(&[coding], &b"password ".repeat(300)).unwrap();
            let opened =
                Opened::of(STANDARD.encode(&packed).as_bytes(), &Limits::default()).unwrap().unwrap();
            assert_eq!(opened.coding, Some(coding));
            assert_eq!(opened.text, b"password ".repeat(300));
            let bomb = content::encode_content(&[coding], &vec![b' '; 8 << 20]).unwrap();
            assert_eq!(
                Opened::of(STANDARD.encode(&bomb).as_bytes(), &Limits::default()).unwrap_err(),
                TooLarge
            );
        }
    }
}
