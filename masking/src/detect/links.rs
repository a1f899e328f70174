//! Links as interfaces are full of them: to pictures and pages, by names in small letters and by numbers.

use wide::u8x16;

use super::rows::{each, rows, steps};
use super::words::{padded, within};
use super::{iban, mac, vendor};

/// Bytes that are looked at at once.
const PIECE: usize = 16;
/// No longer link is looked at: one bit for each byte.
const LONGEST: usize = 64;

/// Where bytes of some sorts stand in a link, one bit for each byte.
#[derive(Default)]
struct Maps {
    digits: u64,
    /// Letters, all of them small.
    letters: u64,
    /// Dashes, stops, slashes, digits and colons.
    low: u64,
    colons: u64,
    dots: u64,
    /// Dashes and underscores.
    signs: u64,
    y: bool,
}

impl Maps {
    /// Looks at the bytes from one on. Says which ones are none that a plain link is made of.
    #[inline]
    fn look(&mut self, piece: &[u8; PIECE], at: usize) -> u32 {
        let bytes = u8x16::new(*piece);
        let is = |b: u8| bytes.simd_eq(u8x16::splat(b));
        let (letters, low, digits) =
            (within(bytes, b'a', 25), within(bytes, b'-', 13), within(bytes, b'0', 9));
        let below = is(b'_');
        let bits = |lanes: u8x16| u64::from(lanes.to_bitmask()) << at;
        self.digits |= bits(digits);
        self.letters |= bits(letters);
        self.low |= bits(low);
        self.colons |= bits(is(b':'));
        self.dots |= bits(is(b'.'));
        self.signs |= bits(below | is(b'-'));
        self.y |= is(b'y').any();
        !(letters | low | below).to_bitmask() & 0xffff
    }

    /// The same without what stands behind the link.
    fn up_to(self, end: usize) -> Maps {
        let all = u64::MAX.checked_shl(end as u32).map_or(u64::MAX, |behind| !behind);
        Maps {
            digits: self.digits & all,
            letters: self.letters & all,
            low: self.low & all,
            colons: self.colons & all,
            dots: self.dots & all,
            signs: self.signs & all,
            y: self.y,
        }
    }

    /// Whether no detector can find anything in such a link. What has capital letters, an @ or a plus in it is none.
    fn hold_nothing(&self, link: &[u8]) -> bool {
        let Maps { digits, letters, low, colons, dots, signs, y } = *self;
        let there = |at: usize| link.get(at..).unwrap_or_default();
        let alnum = letters | digits;
        // Without capital letters as long a word is needed to be random.
        if rows(alnum, 24) != 0 {
            return false;
        }
        let begins = alnum & !(alnum << 1);
        // Of vendors' keys without signs and so long a word all have a stop in them, and behind it as long a word.
        let dotted = dots << 1 & rows(alnum | signs, 20) != 0;
        // An identifier has four dashes, and an interface's address five.
        let dashes = |signs: u64| steps(signs, 4, 5) | steps(signs, 5, 3) != 0;
        if dotted
            || y && each(begins).any(|at| there(at).starts_with(b"ey"))
            || signs != 0 && (dashes(signs) || each(begins).any(|at| vendor::may_begin_with(there(at))))
        {
            return false;
        }
        // Addresses of machines: four numbers, or two colons near each other; of interfaces, in fours.
        let between = dots & digits << 1 & digits >> 1;
        let two_less = |map: u64| {
            let less = map & map.wrapping_sub(1);
            less & less.wrapping_sub(1)
        };
        let close = (1..=5).fold(0, |close, n| close | colons & colons >> n);
        let in_fours = |at: usize| {
            at.checked_sub(4).and_then(|start| link.get(start..start + 14)).is_some_and(mac::is_mac)
        };
        if two_less(between) != 0
            || close != 0
            || two_less(colons) != 0
            || each(steps(dots, 2, 5)).any(in_fours)
        {
            return false;
        }
        // Numbers of seven digits and more: where one may begin, a country's letters, a foreigner's in Spain, an Italian's.
        let number = digits & begins & rows(low, 6);
        let lead = begins & letters;
        let country = lead & letters >> 1 & digits >> 2 & digits >> 3;
        let seven = rows(digits, 7);
        let foreigner = lead & (seven >> 1 | seven >> 2);
        let italian = rows(letters, 6) & rows(digits, 2) >> 6;
        number | foreigner | italian == 0 && !each(country).any(|at| iban::begins_with_country(there(at)))
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
    let mut maps = Maps::default();
    let (pieces, rest) = text.as_chunks::<PIECE>();
    let mut at = 0;
    for piece in pieces.iter().take(LONGEST / PIECE) {
        let others = maps.look(piece, at);
        if others != 0 {
            return before_query(maps, text, at + others.trailing_zeros() as usize);
        }
        at += PIECE;
    }
    if text.len() >= LONGEST {
        let is_end = text.get(LONGEST).is_none_or(|b| *b == b'?');
        let link = text.get(..LONGEST).filter(|_| is_end)?;
        return maps.hold_nothing(link).then_some(LONGEST);
    }
    if !rest.is_empty() {
        // Behind the text there is what is neither in words nor, if not behind one, in numbers.
        let others = maps.look(&padded(rest, b'?'), at);
        return before_query(maps, text, at + others.trailing_zeros() as usize);
    }
    maps.hold_nothing(text).then_some(text.len())
}

/// The same where the first byte that is in no plain link stands there, or the text ends.
fn before_query(maps: Maps, text: &[u8], end: usize) -> Option<usize> {
    let is_end = text.get(end).is_none_or(|b| *b == b'?');
    let link = text.get(..end).filter(|_| is_end)?;
    maps.up_to(end).hold_nothing(link).then_some(end)
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
        let (link, mut found) = (&text.as_bytes()[..end], Vec::new());
        assert!(end == text.len() || text.as_bytes()[end] == b'?', "{text}");
        run(link, ALL, &mut found);
        let look = Look::of(link);
        let signs = look.signs();
        Some((found.len(), !look.is_bare() || signs.may_be_enclosed() || signs.may_hold_url()))
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
            "https://shop.example/rccmnl83s18d969h",
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
        }
    }
}
