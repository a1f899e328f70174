//! What need not be found out twice: what names say, and what header lines hold. Tables of a fixed size in which the
//! newest entry of a slot stays; entries are compared in full.

mod lines;
pub(crate) mod whole;

use std::borrow::Cow;

use lines::LineTable;
pub(crate) use lines::{Found, Hash, may_be_escaped};
use mynah_message::{Head, Side, json};
use whole::Whole;

use crate::hash::{Prints, Quick, Strong};
use crate::names::{Below, Names, Rule};
use crate::plan::Plans;
use crate::scan::changes::HeadPlan;
use crate::scan::inlaid;
use crate::scan::lines::Line;
use crate::scan::quiet::is_usual_field;
use crate::scan::room::Room;
use crate::scan::seams::Seams;
use crate::scan::trails::Trails;

/// Slots of a table of names, a power of two.
const NAMES: usize = 4096;
/// The same of short ones.
const SHORT_NAMES: usize = 512;
/// Nothing longer is kept.
const LONGEST: usize = 512;

/// Everything that is remembered.
#[derive(Default)]
pub(crate) struct Memo {
    names: NameTable,
    /// The same of short ones, each as one word.
    short_names: Vec<(u64, NameInfo)>,
    /// The lines of heads.
    pub(crate) lines: LineTable,
    /// For taking heads apart in.
    pub(crate) line_room: Vec<Line>,
    pub(crate) head_room: HeadPlan,
    /// Short values in which nothing was found.
    pub(crate) values: Values,
    /// Of bodies.
    pub(crate) plans: Plans,
    /// Bodies with which there is nothing more to do.
    pub(crate) done: Done,
    /// Messages that come again as they were.
    pub(crate) whole: Whole,
    /// For reading JSON in.
    pub(crate) room: Room,
    /// What stands between values of JSON.
    pub(crate) seams: Seams,
    /// The same of pages.
    pub(crate) trails: Trails,
}

/// All that a name can say.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct NameInfo {
    /// What its value is.
    pub(crate) rule: Option<Rule>,
    says: Says,
    /// Which strings of an object under it go.
    pub(crate) below: Option<Below>,
    /// Stands for the name: equal names, equal numbers.
    pub(crate) number: u64,
}

/// What else it says, a bit for each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Says(u16);

impl Says {
    /// That its value is a person's, and so is a `name` beside it.
    pub(crate) const TELLS_PERSON: Says = Says(1);
    /// That a `name` beside it is no person's.
    pub(crate) const TELLS_THING: Says = Says(1 << 1);
    /// That a `name` below it is a person's.
    pub(crate) const IS_PERSON: Says = Says(1 << 2);
    /// That it is `name` itself.
    pub(crate) const IS_NAME: Says = Says(1 << 3);
    /// That its value may be the name of what stands under `value` beside it.
    pub(crate) const IS_LABEL: Says = Says(1 << 4);
    /// That it is `value`, whose name may stand beside it.
    pub(crate) const IS_VALUE: Says = Says(1 << 5);
    /// That nothing in the name itself gives itself away.
    pub(crate) const IS_PLAIN: Says = Says(1 << 6);
    /// That neither it nor what stands beside its value says anything of that, but perhaps that some detectors would be wrong there.
    pub(crate) const TELLS_NOTHING: Says = Says(1 << 7);
    /// That a field of that name has one value, of which its place says no more.
    pub(crate) const IS_USUAL_FIELD: Says = Says(1 << 8);
    /// That it describes the secret under whose name it stands in an object.
    pub(crate) const DESCRIBES: Says = Says(1 << 9);
    /// That it says no more there than that it is a value.
    pub(crate) const IS_BARE: Says = Says(1 << 10);
    /// The same, and that it is a number.
    pub(crate) const IS_NUMBER: Says = Says(1 << 11);
    /// That it is `code`, which of a number is the number and of a password says what is wrong with it.
    pub(crate) const IS_CODE: Says = Says(1 << 12);
    /// That it is `items`, which say of a secret where its parts go.
    pub(crate) const IS_LIST: Says = Says(1 << 13);

    /// Both.
    pub(crate) const fn or(self, other: Says) -> Says {
        Says(self.0 | other.0)
    }
}

impl NameInfo {
    fn of(names: &Names, name: &str) -> NameInfo {
        let rule = names.rule(name);
        let tells_nothing = match rule {
            None => name != "name" && !Names::is_value(name),
            Some(rule) => matches!(rule, Rule::Without(_)),
        };
        let [describes, bare, number, code, list] = Names::says_below(name);
        let says = [
            (describes, Says::DESCRIBES),
            (bare, Says::IS_BARE),
            (number, Says::IS_NUMBER),
            (code, Says::IS_CODE),
            (list, Says::IS_LIST),
            (names.tells_person(name), Says::TELLS_PERSON),
            (Names::tells_thing(name), Says::TELLS_THING),
            (Names::is_person(name), Says::IS_PERSON),
            (name == "name", Says::IS_NAME),
            (Names::is_label(name), Says::IS_LABEL),
            (Names::is_value(name), Says::IS_VALUE),
            (
                name.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-' | b'$'))
                    && !inlaid::may_hold(name.as_bytes()),
                Says::IS_PLAIN,
            ),
            (tells_nothing, Says::TELLS_NOTHING),
            (is_usual_field(name.as_bytes()), Says::IS_USUAL_FIELD),
        ];
        NameInfo {
            rule,
            below: Below::of(rule, name),
            says: says.into_iter().filter(|(is, _)| *is).fold(Says::default(), |all, (_, says)| all.or(says)),
            number: name.as_bytes().chunks(8).fold(name.len() as u64, |number, bytes| {
                let word = bytes.iter().fold(0, |word, b| word << 8 | u64::from(*b));
                (number ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
            }),
        }
    }

    /// The same name where it says something else of its value.
    pub(crate) fn with_rule(self, rule: Option<Rule>) -> NameInfo {
        NameInfo { rule, says: Says(self.says.0 & !Says::TELLS_NOTHING.0), ..self }
    }

    /// Whether it says any of these.
    #[inline]
    pub(crate) fn says(&self, any: Says) -> bool {
        self.says.0 & any.0 != 0
    }
}

impl Memo {
    /// For what is masked as soon as it has been learnt from.
    pub(crate) fn of_stream() -> Memo {
        Memo { plans: Plans::of_stream(), ..Memo::default() }
    }

    /// What a JSON key, as written, says.
    pub(crate) fn json_key(&mut self, names: &Names, raw: &[u8]) -> NameInfo {
        if memchr::memchr(b'\\', raw).is_some() {
            return NameInfo::of(names, &String::from_utf8_lossy(&json::unescape(raw)));
        }
        self.name(names, raw)
    }

    /// What a name says.
    pub(crate) fn name(&mut self, names: &Names, name: &[u8]) -> NameInfo {
        let Some(word) = word_of(name) else { return self.long_name(names, name) };
        let slot = (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % SHORT_NAMES;
        if let Some((there, info)) = self.short_names.get(slot)
            && *there == word
        {
            return *info;
        }
        let info = self.long_name(names, name);
        self.short_names.resize(SHORT_NAMES, (0, NameInfo::default()));
        if let Some(place) = self.short_names.get_mut(slot) {
            *place = (word, info);
        }
        info
    }

    fn long_name(&mut self, names: &Names, name: &[u8]) -> NameInfo {
        if let Some(info) = self.names.get(name) {
            return info;
        }
        let text: Cow<'_, str> = String::from_utf8_lossy(name);
        let info = NameInfo::of(names, &text);
        self.names.put(name, info);
        info
    }

    /// More is known from now on: so many values.
    pub(crate) fn begin_epoch(&mut self, known: usize) {
        self.lines.begin_epoch(known);
        self.done.begin_epoch();
        self.whole.begin_epoch();
    }
}

/// Bodies, by keyed fingerprints of 128 bits, which come again and again: those that were learnt from, and those in which nothing was
/// to be changed. So a compressed body need not be opened twice, and one that was searched need not be searched again.
#[derive(Default)]
pub(crate) struct Done {
    hasher: Strong,
    learnt: Prints,
    unchanged: Prints,
}

/// Fingerprints kept of either sort, some eight megabytes; then they are collected anew.
const PRINTS: usize = 1 << 18;

impl Done {
    /// Stands for a compressed body as it is sent, with all in the head that says how it is read. `None` where it is not
    /// compressed.
    pub(crate) fn print(&self, head: &Head<'_>, body: &[u8]) -> Option<u128> {
        let mut reading = Vec::new();
        let mut coded = false;
        if body.is_empty()
            || !head.raw_fields().any(|(name, _)| name.eq_ignore_ascii_case(b"content-encoding"))
        {
            return None;
        }
        reading.push(u8::from(head.side() == Side::Response));
        for (name, value) in head.raw_fields() {
            let coding = name.eq_ignore_ascii_case(b"content-encoding");
            if coding || name.eq_ignore_ascii_case(b"content-type") {
                coded |= coding;
                reading.push(u8::from(coding));
                reading.extend_from_slice(&(value.len() as u64).to_le_bytes());
                reading.extend_from_slice(value);
            }
        }
        (coded && !body.is_empty()).then(|| {
            let reading = self.hasher.hash(0, &reading);
            self.hasher.hash(reading as u64, body) ^ reading
        })
    }

    pub(crate) fn is_learnt(&self, print: u128) -> bool {
        self.learnt.contains(print)
    }

    pub(crate) fn note_learnt(&mut self, print: u128) {
        self.learnt.keep(print, PRINTS);
    }

    /// Whether nothing was to be changed in that body, with all known that is known now.
    pub(crate) fn is_unchanged(&self, print: u128) -> bool {
        self.unchanged.contains(print)
    }

    pub(crate) fn note_unchanged(&mut self, print: u128) {
        self.unchanged.keep(print, PRINTS);
    }

    fn begin_epoch(&mut self) {
        if self.unchanged.len() > 0 {
            self.unchanged = Prints::default();
        }
    }
}

/// Short values in which nothing was found, but what was learnt elsewhere: statuses, currencies, names of goods come again and
/// again. Each stands in its slot itself, so that it is one look to find it.
#[derive(Default)]
pub(crate) struct Values {
    hasher: Quick,
    slots: Vec<Short>,
}

/// Slots of the table of values, half a megabyte in all, which stays in a processor's cache.
const VALUES: usize = 1 << 13;
/// Bytes of the longest value in it. What is shorter than six bytes is looked at in no time.
const SHORT: usize = 59;

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Short {
    sort: u32,
    len: u8,
    bytes: [u8; SHORT],
}

impl Values {
    /// Whether a value is of a length that is kept.
    pub(crate) fn takes(value: &[u8]) -> bool {
        (6..=SHORT).contains(&value.len())
    }

    fn slot(&self, sort: u32, value: &[u8]) -> usize {
        self.hasher.hash(sort as u8, value) as usize % VALUES
    }

    /// Whether nothing was found in such a value of that sort.
    pub(crate) fn has(&self, sort: u32, value: &[u8]) -> bool {
        let Some(short) = self.slots.get(self.slot(sort, value)) else { return false };
        short.sort == sort
            && usize::from(short.len) == value.len()
            && short.bytes.get(..value.len()) == Some(value)
    }

    /// Nothing was found in it.
    pub(crate) fn note(&mut self, sort: u32, value: &[u8]) {
        if self.slots.is_empty() {
            self.slots = vec![Short { sort: 0, len: 0, bytes: [0; SHORT] }; VALUES];
        }
        let slot = self.slot(sort, value);
        let Some(short) = self.slots.get_mut(slot) else { return };
        if let Some(bytes) = short.bytes.get_mut(..value.len()) {
            bytes.copy_from_slice(value);
            (short.sort, short.len) = (sort, value.len() as u8);
        }
    }
}

/// A name of one to seven bytes as a number, with its length.
#[inline]
fn word_of(name: &[u8]) -> Option<u64> {
    let len = name.len();
    let word = match (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        _ if len == 0 || len > 7 => return None,
        (Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << (8 * (len - 4))
        }
        _ => name.iter().rev().fold(0, |word, b| word << 8 | u64::from(*b)),
    };
    Some((len as u64) << 56 | word)
}

/// What names say, each in its slot.
#[derive(Default)]
struct NameTable {
    hasher: Quick,
    slots: Vec<Option<(Box<[u8]>, NameInfo)>>,
}

impl NameTable {
    fn slot(&self, name: &[u8]) -> usize {
        self.hasher.hash(0, name) as usize % NAMES
    }

    fn get(&self, name: &[u8]) -> Option<NameInfo> {
        if name.len() > LONGEST || self.slots.is_empty() {
            return None;
        }
        let (there, info) = self.slots.get(self.slot(name))?.as_ref()?;
        (**there == *name).then_some(*info)
    }

    /// Of a name that is not there.
    fn put(&mut self, name: &[u8], info: NameInfo) {
        if name.len() > LONGEST {
            return;
        }
        if self.slots.is_empty() {
            self.slots.resize(NAMES, None);
        }
        let slot = self.slot(name);
        if let Some(place) = self.slots.get_mut(slot) {
            *place = Some((name.into(), info));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;

    #[test]
    fn names_say_the_same_twice() {
        let names = Names::built_in();
        let mut memo = Memo::default();
        for _ in 0..2 {
            assert_eq!(memo.name(&names, b"password").rule, Some(Rule::Mask(Kind::Password)));
            assert_eq!(memo.json_key(&names, br"pass\u0077ord").rule, Some(Rule::Mask(Kind::Password)));
            assert!(
                memo.json_key(&names, b"name").says(Says::IS_NAME)
                    && memo.name(&names, b"customer").says(Says::IS_PERSON)
            );
            assert!(memo.name(&names, b"email").says(Says::TELLS_PERSON));
            assert_eq!(memo.name(&names, &[b'x'; 900]).rule, None);
        }
    }

    #[test]
    fn bodies_are_told_apart_by_all_that_says_how_they_are_read() {
        let done = Done::default();
        let print = |head: &str, body: &[u8]| done.print(&Head::parse(head.as_bytes()).unwrap(), body);
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nDate: 1\r\n\r\n";
        let first = print(head, b"packed");
        assert!(first.is_some() && first == print(&head.replace("Date: 1", "Date: 2"), b"packed"));
        for other in [
            head.replace("gzip", "br"),
            head.replace("html", "plain"),
            head.replace("Content-Type", "X"),
            head.replace("HTTP/1.1 200 OK", "POST / HTTP/1.1"),
        ] {
            assert_ne!(print(&other, b"packed"), first, "{other}");
        }
        assert_ne!(print(head, b"Packed"), first);
        assert_eq!(print(&head.replace("Content-Encoding", "X"), b"packed"), None);
        assert_eq!(print(head, b""), None);
    }

    #[test]
    fn values_are_kept_by_sort_and_bytes() {
        let mut values = Values::default();
        for (sort, value) in [(0, &b"wireless mouse"[..]), (1, b"active"), (0x4001, &[b'x'; SHORT])] {
            assert!(Values::takes(value) && !values.has(sort, value));
            values.note(sort, value);
            assert!(
                values.has(sort, value) && !values.has(sort ^ 1, value) && !values.has(sort ^ 0x100, value)
            );
            assert!(!values.has(sort, &value[1..]));
        }
        assert!(!Values::takes(b"short") && !Values::takes(&[b'x'; SHORT + 1]));
        assert!(!values.has(0, &[0; SHORT]));
    }
}
