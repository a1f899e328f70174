//! Fields that must be unique: what no two sessions sent alike although many sent it, and what follows the clock. Replayed
//! as recorded, a registration meets an e-mail address that is taken, and an idempotency key an answer from the cache.
//!
//! The rule is cautious, as a value that names something on the server must not be made up: only requests that change
//! something (GET: only what follows the clock), only values whose form a machine gave them, nothing that a response handed
//! out, no log-in, no path. What people type comes again in other sessions, and so is not unique.

use std::fmt::Write as _;

use mynah_message::{Leaf, Locator, View};
use mynah_traffic::scenario::Vary;
use mynah_traffic::units::parse_time;
use mynah_traffic::{Nanos, Site};

use crate::endpoints::Table;
use crate::hash::{Map, Set, hash};

/// Sessions that must have sent a field before it is called unique.
const SESSIONS: usize = 20;
/// Sessions looked at: what is unique in these is so.
const LOOKED_AT: u32 = 2_000;
/// Requests that must have sent the time.
const TIMES: u32 = 8;
/// Share of them that must have sent it.
const MOSTLY: f64 = 0.95;
/// How far a clock may be off.
const OFF: Nanos = Nanos(600 * Nanos::PER_SECOND);
/// Values remembered of a field; more do not make it any more certain.
const VALUES: usize = 50_000;
/// Fields looked at.
const FIELDS: usize = 5_000;
/// Longest value looked at.
const LONGEST: usize = 200;
/// Random bits from which on a value cannot have been chosen by a person.
const RANDOM_BITS: f64 = 40.0;

/// Names of fields that are numbered or drawn afresh by those who send them, also where the value is short.
const FRESH: [&str; 11] = [
    "idempot",
    "nonce",
    "reference",
    "_ref",
    "-ref",
    "transaction",
    "request",
    "external",
    "invoice",
    "dedup",
    "correlation",
];
/// Names of what is somebody's, or what a server must know.
const KNOWN: [&str; 22] = [
    "pass", "pin", "cvc", "cvv", "card", "phone", "mobile", "tel", "iban", "account", "search", "query",
    "term", "token", "csrf", "xsrf", "code", "sign", "hash", "auth", "session", "birth",
];

/// Watches requests go by.
#[derive(Default)]
pub(crate) struct Finder {
    fields: Map<(u32, Locator), Field>,
}

#[derive(Default)]
struct Field {
    /// Hash of a value and the session that sent it.
    values: Map<u64, u32>,
    /// Two sessions sent the same, or the values have no common form.
    ordinary: bool,
    shape: Option<Shape>,
    domains: Map<String, u32>,
    seen: u32,
    /// How often it was the time, by form.
    times: [u32; 5],
}

const CLOCKS: [&str; 5] = ["{now:s}", "{now:ms}", "{now:us}", "{now:iso}", "{now:iso-ms}"];

/// Which of [`CLOCKS`] a value is, if it tells the time.
fn clock(text: &str, now: Nanos) -> Option<usize> {
    let near = |time: u64| time.abs_diff(now.0) <= OFF.0;
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let (form, unit) = match text.len() {
            10 => (0, 1_000_000_000),
            13 => (1, 1_000_000),
            16 => (2, 1_000),
            _ => return None,
        };
        return text.parse::<u64>().ok()?.checked_mul(unit).filter(|&time| near(time)).map(|_| form);
    }
    let form = match text.len() {
        20 => 3,
        24 => 4,
        _ => return None,
    };
    let time = parse_time(text).filter(|time| near(time.0))?;
    (text.ends_with('Z') && time.0 > 0).then_some(form)
}

const DIGIT: u8 = 1;
const HEX_LOWER: u8 = 2;
const LOWER: u8 = 4;
const HEX_UPPER: u8 = 8;
const UPPER: u8 = 16;

fn class(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => DIGIT,
        b'a'..=b'f' => HEX_LOWER,
        b'g'..=b'z' => LOWER,
        b'A'..=b'F' => HEX_UPPER,
        b'G'..=b'Z' => UPPER,
        _ => 0,
    }
}

/// What all values of a field have in common: runs of letters and digits with what stands between.
struct Shape {
    /// A run's text as long as all had the same, its length, and the classes of its characters.
    runs: Vec<(Option<String>, usize, u8)>,
    /// What stands before each run, and after the last.
    between: Vec<String>,
    /// Every value was of digits only and had a right check digit.
    checked: bool,
}

impl Shape {
    fn of(text: &str) -> Shape {
        let (mut runs, mut between) = (Vec::new(), vec![String::new()]);
        let mut run = String::new();
        let mut classes = 0;
        for c in text.chars().map(Some).chain([None]) {
            if let Some(c) = c.filter(char::is_ascii_alphanumeric) {
                classes |= class(c as u8);
                run.push(c);
                continue;
            }
            if !run.is_empty() {
                let length = run.len();
                runs.push((Some(std::mem::take(&mut run)), length, std::mem::take(&mut classes)));
                between.push(String::new());
            }
            if let (Some(c), Some(last)) = (c, between.last_mut()) {
                last.push(c);
            }
        }
        Shape { runs, between, checked: luhn(text) }
    }

    /// Takes another value in; whether it has the form.
    fn join(&mut self, text: &str) -> bool {
        let other = Shape::of(text);
        let alike = self.between == other.between
            && self.runs.len() == other.runs.len()
            && self.runs.iter().zip(&other.runs).all(|(own, other)| own.1 == other.1);
        if alike {
            for (own, other) in self.runs.iter_mut().zip(other.runs) {
                if own.0 != other.0 {
                    own.0 = None;
                }
                own.2 |= other.2;
            }
            self.checked &= other.checked;
        }
        alike
    }

    /// What makes such values, and how many bits of it are random.
    fn maker(&self) -> (String, f64) {
        let lengths: Vec<usize> = self.runs.iter().map(|run| run.1).collect();
        let lower_hex = self.runs.iter().all(|run| run.2 & !(DIGIT | HEX_LOWER) == 0);
        let dashes = self.between.iter().map(String::as_str).eq(["", "-", "-", "-", "-", ""]);
        if lengths == [8, 4, 4, 4, 12] && lower_hex && dashes {
            return ("{uuid}".to_owned(), 122.0);
        }
        let (mut text, mut bits) = (String::new(), 0.0);
        for (number, between) in self.between.iter().enumerate() {
            text.push_str(between);
            let Some((same, length, classes)) = self.runs.get(number) else { continue };
            if let Some(same) = same {
                text.push_str(same);
                continue;
            }
            let (name, base) = match *classes {
                DIGIT => ("digits", 10.0),
                c if c & !(DIGIT | HEX_LOWER) == 0 => ("hex", 16.0),
                c if c & !(DIGIT | HEX_UPPER) == 0 => ("HEX", 16.0),
                // Letters without a digit in them are words.
                c if c & DIGIT == 0 => return (String::new(), 0.0),
                c if c & (HEX_UPPER | UPPER) == 0 => ("alnum", 36.0),
                c if c & (HEX_LOWER | LOWER) == 0 => ("ALNUM", 36.0),
                _ => ("Alnum", 62.0),
            };
            let _ = write!(text, "{{{name}:{length}}}");
            bits += f64::log2(base) * *length as f64;
        }
        // A brace of its own would be read as a place.
        if self.between.iter().any(|between| between.contains(['{', '}'])) {
            return (String::new(), 0.0);
        }
        (text, bits)
    }
}

/// Whether it is a number as cards have them: such ones are somebody's.
fn luhn(text: &str) -> bool {
    if !(13..=19).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let sum: u32 = text
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| match u32::from(byte - b'0') {
            digit if place % 2 == 0 => digit,
            digit if digit > 4 => digit * 2 - 9,
            digit => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

fn domain(text: &str) -> Option<&str> {
    let (user, domain) = text.split_once('@')?;
    let plain = !user.is_empty() && !text.contains(char::is_whitespace) && !domain.contains('@');
    (plain && domain.contains('.') && !domain.contains(['{', '}'])).then_some(domain)
}

/// Header fields in which clients send what they have drawn.
fn is_drawn(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["idempot", "request-id", "correlation-id", "nonce", "transaction", "message-id", "traceparent"]
        .iter()
        .any(|known| name.contains(known))
}

/// The name that a place has for people.
fn name_of(at: &Locator) -> String {
    let text = at.to_string();
    let parts = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-');
    let mut named =
        parts.rev().filter(|part| !part.is_empty() && !part.bytes().all(|byte| byte.is_ascii_digit()));
    named.next().unwrap_or("value").to_ascii_lowercase()
}

impl Finder {
    /// Looks at a request of a session. `taken`: places that are filled in otherwise.
    pub(crate) fn note(
        &mut self,
        (session, endpoint, method): (u32, u32, &str),
        start: Nanos,
        view: &View<'_>,
        taken: &dyn Fn(&Leaf<'_>) -> bool,
    ) {
        let acts = !matches!(method, "GET" | "HEAD" | "OPTIONS");
        if session >= LOOKED_AT {
            return;
        }
        if !acts && !view.head().target().is_some_and(|target| target.contains('?')) {
            return;
        }
        view.leaves(&mut |leaf| {
            let fits = match &leaf.locator {
                Locator::Query { .. } => true,
                Locator::Json { .. } | Locator::Form { .. } => acts,
                Locator::Header { name, .. } => acts && is_drawn(name),
                _ => false,
            };
            let text = leaf.text().filter(|text| fits && (4..=LONGEST).contains(&text.len()));
            if let Some(text) = text.filter(|_| !leaf.composite && !taken(&leaf)) {
                let key = (endpoint, leaf.locator.generalise().0);
                if self.fields.len() < FIELDS || self.fields.contains_key(&key) {
                    self.fields.entry(key).or_default().note(session, text, start);
                }
            }
        });
    }

    /// What was found, with the places that had the same values together.
    pub(crate) fn found(self, table: &Table) -> Vec<Vary> {
        let mut fields: Vec<((u32, Locator), Field, String)> = Vec::new();
        for ((endpoint, at), field) in self.fields {
            let acts = table
                .endpoints
                .get(endpoint as usize)
                .is_some_and(|one| !matches!(one.method.as_str(), "GET" | "HEAD" | "OPTIONS"));
            if let Some(make) = field.maker(&at, acts) {
                fields.push(((endpoint, at), field, make));
            }
        }
        fields.sort_by_cached_key(|((endpoint, at), ..)| (*endpoint, at.to_string()));
        let mut all: Vec<(Vary, Set<u64>)> = Vec::new();
        for ((endpoint, at), field, make) in fields {
            let Some(endpoint) = table.endpoints.get(endpoint as usize) else { continue };
            let site = Site { endpoint: endpoint.clone(), at };
            let values: Set<u64> = field.values.keys().copied().collect();
            let same = all.iter_mut().find(|(vary, known)| {
                let common = values.iter().filter(|value| known.contains(value)).count();
                let shared = common * 2 >= values.len().min(known.len()) && common > 0;
                // The time is the time wherever it stands.
                vary.make.to_string() == make && (shared || make.contains("{now:"))
            });
            if let Some((vary, known)) = same {
                vary.at.push(site);
                known.extend(values);
                continue;
            }
            let Ok(maker) = make.parse() else { continue };
            let stem = name_of(&site.at);
            let mut name = stem.clone();
            let mut number = 1;
            while all.iter().any(|(vary, _)| vary.name == name) {
                number += 1;
                name = format!("{stem}_{number}");
            }
            let evidence = Some(field.evidence(&make));
            all.push((Vary { name, make: maker, at: vec![site], enabled: true, evidence }, values));
        }
        all.into_iter().map(|(vary, _)| vary).collect()
    }
}

impl Field {
    fn note(&mut self, session: u32, text: &str, start: Nanos) {
        self.seen += 1;
        if let Some(form) = clock(text, start) {
            self.times[form] += 1;
        }
        if self.ordinary {
            return;
        }
        let value = hash(text.as_bytes());
        let by_another = self.values.get(&value).is_some_and(|&known| known != session);
        if self.values.len() < VALUES {
            self.values.entry(value).or_insert(session);
        }
        if let Some(domain) = domain(text) {
            *self.domains.entry(domain.to_owned()).or_default() += 1;
        }
        let has_form = match &mut self.shape {
            Some(shape) => shape.join(text) || !self.domains.is_empty(),
            empty => {
                *empty = Some(Shape::of(text));
                true
            }
        };
        if by_another || !has_form {
            self.ordinary = true;
            self.values = Map::default();
        }
    }

    /// What to make in its place; `None` where it is like other fields.
    fn maker(&self, at: &Locator, acts: bool) -> Option<String> {
        for (form, &count) in self.times.iter().enumerate() {
            if count >= TIMES && f64::from(count) >= MOSTLY * f64::from(self.seen) {
                return Some(CLOCKS[form].to_owned());
            }
        }
        if self.ordinary || !acts || self.sessions() < SESSIONS {
            return None;
        }
        let name = at.to_string().to_ascii_lowercase();
        let emails: u32 = self.domains.values().sum();
        if emails == self.seen {
            let most =
                self.domains.iter().max_by_key(|(domain, count)| (**count, std::cmp::Reverse(*domain)))?;
            return Some(format!("user+{{n}}@{}", most.0));
        }
        let fresh = FRESH.iter().any(|known| name.contains(known));
        if !fresh && KNOWN.iter().any(|known| name.contains(known)) {
            return None;
        }
        let shape = self.shape.as_ref().filter(|shape| !shape.checked && self.domains.is_empty())?;
        let (make, bits) = shape.maker();
        (bits >= if fresh { 16.0 } else { RANDOM_BITS }).then_some(make)
    }

    fn sessions(&self) -> usize {
        self.values.values().collect::<Set<_>>().len()
    }

    fn evidence(&self, make: &str) -> String {
        if make.contains("{now:") {
            let count = self.times.iter().max().copied().unwrap_or(0);
            return format!("the time in {count} of {} requests", self.seen);
        }
        format!("{} values in {} sessions, none in two", self.values.len(), self.sessions())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(values: &[&str]) -> Option<String> {
        let mut shape = Shape::of(values[0]);
        values[1..].iter().all(|value| shape.join(value)).then(|| shape.maker().0)
    }

    #[test]
    fn forms_become_makers() {
        for (values, wanted) in [
            (&["0c9f7d1e-3a52-4b6d-9c1f-2f0e6a7b8c9d", "1c9f7d1e-3a52-4b6d-8c1f-2f0e6a7b8c9e"][..], "{uuid}"),
            (&["ORD-20417", "ORD-20533"], "ORD-{digits:5}"),
            (&["req_8f14e45fceea167a", "req_c9f0f895fb98ab91"], "req_{hex:16}"),
            (&["XB12-99", "CD34-99"], "{ALNUM:4}-99"),
            (&["a8Zk01", "Q9wErt"], "{Alnum:6}"),
            (&["red", "big"], ""),
        ] {
            assert_eq!(shape(values).as_deref(), Some(wanted), "{values:?}");
        }
        assert_eq!(shape(&["ab1", "ab12"]), None, "of other length, another form");
        assert!(luhn("4242424242424242") && !luhn("4242424242424241"));
    }

    #[test]
    fn the_time_is_told_by_the_clock() {
        let now = Nanos(1_790_000_000_500_000_000);
        assert_eq!(clock("1790000000", now), Some(0));
        assert_eq!(clock("1790000000123", now), Some(1));
        assert_eq!(clock("1690000000", now), None, "years ago");
        assert_eq!(clock("2026-09-21T14:13:20Z", now), Some(3));
        assert_eq!(clock("2026-09-21T14:13:20.120Z", now), Some(4));
        assert_eq!(clock("not a time at all...", now), None);
    }
}
