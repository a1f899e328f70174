//! Links as interfaces are full of them, to pictures and pages, and codes of requests, versions and the like: of small letters,
//! digits and a few signs.

use wide::u8x16;

use super::rows::{each, rows, steps};
use super::words::{padded, within};
use super::{iban, mac, vendor};
use crate::names;

/// Bytes that are looked at at once.
const PIECE: usize = 16;
/// No longer text is looked at: one bit for each byte.
const LONGEST: usize = 64;

/// Where bytes of some sorts stand in a text of small letters, digits, `-._/:` and perhaps quotes, one bit for each byte.
struct Maps {
    digits: u64,
    letters: u64,
    /// Dashes, stops, slashes, digits and colons.
    low: u64,
    colons: u64,
    dots: u64,
    /// Dashes and underscores.
    signs: u64,
    quotes: u64,
    has_y: bool,
}

/// How much of a text was read.
struct Read {
    maps: Maps,
    /// Where the first other byte stands; or the text's length, or that of what is looked at.
    end: usize,
}

/// Looks at a text up to the first byte of another sort.
#[inline]
fn read<const QUOTES: bool>(text: &[u8]) -> Read {
    let (mut digits, mut low, mut colons, mut dots, mut signs) = (0, 0, 0, 0, 0);
    let (mut quotes, mut others) = (0, 0);
    let mut any_y = u8x16::splat(0);
    let mut look = |piece: &[u8; PIECE], at: usize| {
        let bytes = u8x16::new(*piece);
        let is = |b: u8| bytes.simd_eq(u8x16::splat(b));
        let bits = |lanes: u8x16| u64::from(lanes.to_bitmask()) << at;
        let (is_low, below) = (within(bytes, b'-', 13), is(b'_'));
        let mut usual = within(bytes, b'a', 25) | is_low | below;
        if QUOTES {
            let quote = is(b'"');
            usual |= quote;
            quotes |= bits(quote);
        }
        digits |= bits(within(bytes, b'0', 9));
        low |= bits(is_low);
        colons |= bits(is(b':'));
        dots |= bits(is(b'.'));
        signs |= bits(below | is(b'-'));
        any_y |= is(b'y');
        others |= bits(!usual);
        others != 0
    };
    let (pieces, rest) = text.as_chunks::<PIECE>();
    let mut at = 0;
    let mut is_read = text.len() > LONGEST || rest.is_empty();
    for piece in pieces.iter().take(LONGEST / PIECE) {
        if look(piece, at) {
            is_read = true;
            break;
        }
        at += PIECE;
    }
    if !is_read {
        // The last bytes once more, with those before them where there are so many.
        match text.last_chunk::<PIECE>() {
            Some(last) => look(last, text.len() - PIECE),
            None => look(&padded(rest, b'?'), at),
        };
    }
    let end = if others == 0 { text.len().min(LONGEST) } else { others.trailing_zeros() as usize };
    let all = !u64::MAX.checked_shl(end as u32).unwrap_or(0);
    let letters = !(low | signs | quotes) & all;
    let (digits, low, colons) = (digits & all, low & all, colons & all);
    let maps = Maps {
        digits,
        letters,
        low,
        colons,
        dots: dots & all,
        signs: signs & all,
        quotes: quotes & all,
        has_y: any_y.any(),
    };
    Read { maps, end }
}

impl Maps {
    /// Whether no detector can find anything in such a text. What has capital letters, an @ or a plus in it is none.
    fn hold_nothing(&self, text: &[u8]) -> bool {
        let Maps { digits, letters, low, colons, dots, signs, has_y, .. } = *self;
        let there = |at: usize| text.get(at..).unwrap_or_default();
        let alnum = letters | digits;
        // So many in a row.
        let two = alnum & alnum >> 1;
        let four = two & two >> 2;
        let eight = four & four >> 4;
        let sixteen = eight & eight >> 8;
        // Without capital letters as long a word is needed to be random.
        if sixteen & eight >> 16 != 0 {
            return false;
        }
        let begins = alnum & !(alnum << 1);
        // An identifier has four dashes, and an interface's address five.
        let dashes = |signs: u64| steps(signs, 4, 5) | steps(signs, 5, 3) != 0;
        // Of vendors' keys without signs and so long a word all have a stop in them, and behind it as long a word.
        if dots << 1 & rows(alnum | signs, 20) != 0
            || has_y && each(begins).any(|at| there(at).starts_with(b"ey"))
            || signs != 0 && (dashes(signs) || each(begins).any(|at| vendor::may_begin_with(there(at))))
        {
            return false;
        }
        // Addresses of machines: four numbers, or two colons near each other; of interfaces, in fours.
        let between = dots & digits << 1 & digits >> 1;
        let but_two = |map: u64| {
            let less = map & map.wrapping_sub(1);
            less & less.wrapping_sub(1)
        };
        let near = colons >> 1 | colons >> 2 | colons >> 3 | colons >> 4 | colons >> 5;
        let in_fours = four << 4 & dots & four >> 1 & dots >> 5 & four >> 6;
        let is_mac = |at: usize| {
            at.checked_sub(4).and_then(|start| text.get(start..start + 14)).is_some_and(mac::is_mac)
        };
        if but_two(between) | but_two(colons) | colons & near != 0
            || in_fours != 0 && each(in_fours).any(is_mac)
        {
            return false;
        }
        // Numbers of seven digits and more: where one may begin, a country's letters, a foreigner's in Spain, an Italian's.
        let number = digits & begins & rows(low, 6);
        let lead = begins & letters;
        let country = lead & letters >> 1 & digits >> 2 & digits >> 3;
        let seven = rows(digits, 7);
        let foreigner = lead & (seven >> 1 | signs >> 1 & seven >> 2);
        let six = rows(letters, 6) & rows(digits, 2) >> 6;
        let is_italian = || {
            let word = alnum | signs | low & !(colons | dots);
            let pairs = rows(digits, 2);
            let date = six & letters >> 8 & pairs >> 9 & letters >> 11;
            date & rows(digits, 3) >> 12 & letters >> 15 & !(word << 1 | word >> 16) != 0
        };
        // Digits that go over into a letter are no number, but for eight and seventeen, and a Finn's.
        let is_number = |at: usize| {
            let len = (!(digits >> at)).trailing_zeros() as usize;
            let behind = |map: u64, by: usize| map.checked_shr((at + len + by) as u32).unwrap_or(0);
            behind(letters, 0) & 1 == 0
                || matches!(len, 8 | 17)
                || len == 6 && behind(digits, 1) & 0b111 == 0b111
        };
        let is_foreigner = |at: usize| matches!(text.get(at), Some(b'x'..=b'z'));
        (foreigner == 0 || !each(foreigner).any(is_foreigner))
            && (six == 0 || !is_italian())
            && (number == 0 || !each(number).any(is_number))
            && (country == 0 || !each(country).any(|at| iban::begins_with_country(there(at))))
    }
}

/// How much of a text is a link in which there is nothing to be found or to be opened, whoever looks: all of it, or what stands before
/// its query. `None` when that does not show at one look.
#[inline]
pub(crate) fn plain(text: &[u8]) -> Option<usize> {
    let begins = text.starts_with(b"https://") || text.starts_with(b"http://");
    if begins { plain_web(text) } else { None }
}

fn plain_web(text: &[u8]) -> Option<usize> {
    let Read { maps, end } = read::<false>(text);
    let is_end = text.get(end).is_none_or(|b| *b == b'?');
    let link = text.get(..end).filter(|_| is_end)?;
    maps.hold_nothing(link).then_some(end)
}

/// Whether a text is a code in which no detector finds anything, perhaps in quotes. It may be base64 or hex.
pub(crate) fn is_plain_code(text: &[u8]) -> bool {
    // A weak entity tag.
    let code = text.strip_prefix(b"W/").filter(|code| code.starts_with(b"\"")).unwrap_or(text);
    let Read { maps, end } = read::<true>(code);
    // A name may say what stands in quotes behind it.
    let quoted = maps.colons << 1 & maps.quotes;
    // Or close behind it.
    let close = maps.colons & maps.letters << 1;
    end == code.len()
        && quoted == 0
        && (close == 0 || !each(close).any(|at| code.get(..at).is_some_and(names::is_strong)))
        && maps.hold_nothing(code)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::detect::signs::Look;
    use crate::detect::tests::ONE_OF_EACH;
    use crate::detect::{Detectors, run};

    const ALL: Detectors = Detectors::DEFAULT.with(Detectors::UUID).with(Detectors::LONG_RANDOM);

    /// What is found in the plain link that a text begins with, and whether it can be more than a link.
    fn found(text: &str) -> Option<(usize, bool)> {
        let end = plain(text.as_bytes())?;
        let link = &text.as_bytes()[..end];
        assert!(end == text.len() || text.as_bytes()[end] == b'?', "{text}");
        let look = Look::of(link);
        let signs = look.signs();
        Some((number_in(link), !look.is_bare() || signs.may_be_enclosed() || signs.may_hold_url()))
    }

    fn number_in(text: &[u8]) -> usize {
        let mut found = Vec::new();
        run(text, ALL, &mut found);
        found.len()
    }

    #[test]
    fn codes_are_plain() {
        for text in ["W/\"c0ffeebadcafe123\"", "\"1a2b-3c\"", "deadbeef-00c0ffee1234", "v1.2.3", "123456abc"]
        {
            assert!(is_plain_code(text.as_bytes()) && number_in(text.as_bytes()) == 0, "{text}");
        }
        for text in ["W/c0ffee", "C0ffee", "12345678z", "131052a308t", "\"131052-308t\"", "1 2", "[1]", "a=b"]
        {
            assert!(!is_plain_code(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn links_to_pictures_and_pages_are_plain() {
        for text in [
            "https://cdn.shop.example/img/a1b2c3d4e5f60718293a.jpg",
            "https://cdn.shop.example/img/a1b2c3d4e5f60718293a.jpg?w=640&h=480",
            "http://localhost:8080/items/4711",
            "https://shop.example/garden-chairs/made_in_small-series",
            "https://shop.example",
        ] {
            assert_eq!(found(text), Some((0, false)), "{text}");
            assert_eq!(plain(text.as_bytes()), Some(text.find('?').unwrap_or(text.len())), "{text}");
        }
        for text in [
            "https://",
            "https:/shop.example",
            "https://shop.example#top",
            "https://Shop.example",
            "https://ann@shop.example",
            "https://shop.example/%41",
            "https://shop.example/a=b",
            "https://8.8.8.99/img/1",
            "https://[2001:db8::7]/img/1",
            "https://shop.example/beef.cafe.babe",
            "https://shop.example/be04100000000",
            "https://shop.example/x1234567",
            "https://shop.example/id/12345678",
            "https://shop.rccmnl83s18d969h",
            "https://shop.example/ya29.a0b1c2d3e4f5a6b7c8d9",
            "https://shop.example/hf_abcdefgh",
            "https://eyshop.example/",
            "https://shop.example/abcdefghijklmnopqrstuvwxy",
            "https://shop.example/1-2-3-4-5",
            "https://shop.example/ab-cd-ef-ab-cd-ef",
            "https://shop.example/abcdefab-cdef-abcd-efab-cdefabcdefab",
        ] {
            assert!(text == "https://" || plain(text.as_bytes()).is_none(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn in_plain_links_nothing_is_found(
            host in "https?://([a-z]{2,4}\\.)?[a-z0-9.:-]{1,16}",
            path in "(/[a-z0-9._-]{0,26}){0,3}|/[0-9-]{5,20}|/[a-z0-9_:./-]{10,50}|/[a-f0-9]{4}(\\.[a-f0-9]{4}){2}|/[a-z]{6}[0-9]{2}[a-z][0-9]{2}[a-z][0-9]{3}[a-z]|/[xyz]-?[0-9]{7}[a-z]|/(be|nl|de)[0-9]{13,20}",
            behind in "|\\?[a-z0-9=&]{0,40}|[#@%][a-z]{0,9}",
        ) {
            let text = format!("{host}{path}{behind}");
            prop_assert!(!matches!(found(&text), Some((1.., _) | (_, true))), "{}", text);
        }

        #[test]
        fn what_is_found_in_links_is_not_passed_over(
            one in prop::sample::select(ONE_OF_EACH.to_vec()),
            before in "[a-z0-9]{0,4}([/._:-][a-z0-9]{0,4}){0,2}",
            behind in "([/._:-][a-z0-9]{0,4}){0,2}",
            case: bool,
        ) {
            let one = if case { one.2.to_ascii_lowercase() } else { one.2.to_owned() };
            let text = format!("https://{before}{one}{behind}");
            prop_assert!(!matches!(found(&text), Some((1.., _) | (_, true))), "{}", text);
            let text = format!("{before}{one}{behind}");
            prop_assert!(!is_plain_code(text.as_bytes()) || number_in(text.as_bytes()) == 0, "{}", text);
        }

        #[test]
        fn in_plain_codes_nothing_is_found(
            text in "(W/)?\"?[a-z0-9._/:-]{1,40}\"?|[0-9]{6,17}[a-z][0-9]{0,3}[a-z0-9]?|[0-9]{6}[+a-y-][0-9]{3}[0-9a-y]|([a-f0-9]{1,8}[-.:]){1,4}[a-f0-9]{1,12}|[0-9./-]{6,24}[a-z]?",
        ) {
            prop_assert!(!is_plain_code(text.as_bytes()) || number_in(text.as_bytes()) == 0, "{}", text);
        }

        #[test]
        fn bytes_of_other_sorts_end_what_is_read(text in "[a-z0-9._/:\"-]{0,70}", at in 0_usize..70, other: u8) {
            let mut text = text.into_bytes();
            if let Some(b) = text.get_mut(at) {
                *b = other;
            }
            let is_other = |b: &u8, quotes: bool| {
                !(b.is_ascii_lowercase() || (b'-'..=b':').contains(b) || *b == b'_' || quotes && *b == b'"')
            };
            for (end, quotes) in [(read::<false>(&text).end, false), (read::<true>(&text).end, true)] {
                let wanted = text.iter().position(|b| is_other(b, quotes)).unwrap_or(text.len());
                prop_assert_eq!(end, wanted.min(LONGEST));
            }
        }
    }
}
