//! How hard a value is to guess: what decides whether it is replaced wherever it occurs, or only where its name gives it away.

/// Bits of a letter in a word, of one that belongs to no word, of a digit, of a hex digit, of a separator.
const WORD: f64 = 2.5;
const LETTER: f64 = 4.7;
const DIGIT: f64 = 3.32;
const HEX: f64 = 4.0;
const SEPARATOR: f64 = 1.0;

/// Values of this many bits are taken to be unique to their bearer.
pub(crate) const UNIQUE_BITS: f64 = 40.0;
/// No shorter value is searched for, whatever its bits.
pub(crate) const UNIQUE_BYTES: usize = 8;

/// Whether a value has so many bits by a careful estimate: letters that could be words count as such, so that `wireless-headphones`
/// is not taken for a secret.
pub(crate) fn has_bits(value: &[u8], wanted: f64) -> bool {
    reaches(value, WORD, wanted)
}

/// The same with words worth nothing: what is left is random.
pub(crate) fn is_random(value: &[u8], wanted: f64) -> bool {
    reaches(value, 0.0, wanted)
}

/// Whether there is a piece in a value that is a word by its letters and their case, of so many letters and more. In what is random
/// there hardly is one.
pub(crate) fn has_word(value: &[u8], letters: usize) -> bool {
    let is_word = |piece: &[u8]| {
        piece.len() >= letters && piece.iter().all(u8::is_ascii_alphabetic) && is_wordlike(piece)
    };
    value.split(|b| !b.is_ascii_alphanumeric()).any(|run| pieces(run).any(is_word))
}

/// Whether a value may be searched for everywhere.
pub(crate) fn is_unique(value: &[u8]) -> bool {
    value.len() >= UNIQUE_BYTES && has_bits(value, UNIQUE_BITS)
}

/// Whether the bits of all runs come to so many. No run takes any away: with enough of them the others need not be looked at.
fn reaches(value: &[u8], word: f64, wanted: f64) -> bool {
    let mut total = 0.0;
    for run in value.chunk_by(|a, b| is_alnum(*a) == is_alnum(*b)) {
        let first = run.first().copied().unwrap_or(0);
        if !is_alnum(first) {
            // A long rule of dashes is no secret.
            total += SEPARATOR * run.chunk_by(|a, b| a == b).count() as f64;
        } else if is_hex(run) {
            total += HEX * run.len() as f64;
        } else {
            let mut bits = 0.0;
            for piece in pieces(run) {
                bits += piece_bits(piece, word);
                if total + bits >= wanted {
                    return true;
                }
            }
            total += bits;
        }
        if total >= wanted {
            return true;
        }
    }
    total >= wanted
}

fn is_alnum(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

fn is_hex(run: &[u8]) -> bool {
    run.len() >= 8
        && run.iter().all(u8::is_ascii_hexdigit)
        && run.iter().any(u8::is_ascii_digit)
        && run.iter().any(u8::is_ascii_alphabetic)
}

/// Cuts `ann2Smith99` into `ann`, `2`, `Smith`, `99`.
fn pieces(run: &[u8]) -> impl Iterator<Item = &[u8]> {
    run.chunk_by(|a, b| {
        a.is_ascii_digit() == b.is_ascii_digit() && !(a.is_ascii_lowercase() && b.is_ascii_uppercase())
    })
}

fn piece_bits(piece: &[u8], word: f64) -> f64 {
    let len = piece.len() as f64;
    if piece.iter().all(u8::is_ascii_digit) {
        return DIGIT * len;
    }
    if piece.len() >= 3 && is_wordlike(piece) { word * len } else { LETTER * len }
}

/// Letters in the case of a word, with vowels among them and no heap of consonants.
fn is_wordlike(piece: &[u8]) -> bool {
    let upper = piece.iter().filter(|b| b.is_ascii_uppercase()).count();
    let cased = upper == 0 || upper == piece.len() || (upper == 1 && piece[0].is_ascii_uppercase());
    // In scripts other than Latin every letter passes.
    let vowel = |b: &u8| b"aeiouyAEIOUY".contains(b) || *b >= 0x80;
    let vowels = piece.iter().filter(|b| vowel(b)).count();
    let consonants = piece.split(vowel).map(<[u8]>::len).max().unwrap_or(0);
    cased && vowels * 5 >= piece.len() && consonants <= 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_unique_and_words_are_not() {
        for secret in [
            "k3J9xQ2mLp0Z",
            "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            "9b1deb4d3b7d4bad",
            "4111111111111111",
            "correct horse battery staple",
            "qwmxkzplrt",
            "ann.example.smith@mail.example",
        ] {
            assert!(is_unique(secret.as_bytes()), "{secret}: {}", bits(secret.as_bytes(), WORD));
        }
        for word in [
            "",
            "true",
            "password",
            "Springfield",
            "wireless mouse",
            "Alexander",
            "12345678",
            "--------------------------------------------",
            "2026-11-21",
            "en-US,en",
        ] {
            assert!(!is_unique(word.as_bytes()), "{word}: {}", bits(word.as_bytes(), WORD));
        }
    }

    #[test]
    fn words_are_not_random() {
        assert!(!is_random(b"/products/wireless-headphones?sort=price", UNIQUE_BITS));
        assert!(is_random(b"aG93IHJhbmRvbSBpcyBpdA", UNIQUE_BITS));
    }

    /// All bits there are.
    fn bits(value: &[u8], word: f64) -> f64 {
        let mut total = 0.0;
        for run in value.chunk_by(|a, b| is_alnum(*a) == is_alnum(*b)) {
            total += if !is_alnum(run[0]) {
                SEPARATOR * run.chunk_by(|a, b| a == b).count() as f64
            } else if is_hex(run) {
                HEX * run.len() as f64
            } else {
                pieces(run).map(|piece| piece_bits(piece, word)).sum()
            };
        }
        total
    }

    proptest::proptest! {
        #[test]
        fn who_stops_early_comes_to_the_same(
            value in "[a-zA-Z0-9]{0,60}|([a-f0-9]{1,12}-{0,3}){0,6}|[ -~]{0,60}",
            wanted in proptest::sample::select(vec![5.0, 20.0, 30.0, UNIQUE_BITS, 60.0, 100.0]),
        ) {
            for word in [WORD, 0.0] {
                let reached = reaches(value.as_bytes(), word, wanted);
                proptest::prop_assert_eq!(reached, bits(value.as_bytes(), word) >= wanted);
            }
        }
    }
}
