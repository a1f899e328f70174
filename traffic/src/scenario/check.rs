//! What a hand-written step asks of its answer: `status == 200`, `json:$.total > 0`, `body contains 'Thanks'`, `time < 500ms`.
//!
//! ```text
//! check   = subject "exists" | subject "missing" | subject op value | place          (a place alone: it exists)
//! subject = "status" | "time" | "size" | "body" | place                               (place: json:…, header:…, regex:…, css:…)
//! op      = "==" | "!=" | "<" | "<=" | ">" | ">=" | "contains" | "lacks" | "matches" | "in"
//! value   = text | 'text' | "text" | a duration (time) | "[" value, value "]" (in)
//! ```

use std::fmt;
use std::str::FromStr;

use mynah_message::View;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::find::{Finder, Pattern};
use crate::units::{parse_duration, parse_size};
use crate::{Error, Nanos};

/// Characters of a value that are told when it is not what was asked for.
const SHOWN: usize = 60;

/// One thing that is asked of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    text: String,
    subject: Subject,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Subject {
    Status,
    /// From the first byte sent to the last byte received.
    Time,
    /// Bytes of the body, its content coding undone.
    Size,
    Body,
    Place(Finder),
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Exists,
    Missing,
    Compare(Op, Wanted),
    Contains(String),
    Lacks(String),
    Matches(Pattern),
    In(Vec<Wanted>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
}

/// A value as it was written, and as a number where it is one and was not in quotes.
#[derive(Clone, Debug, PartialEq)]
struct Wanted {
    text: String,
    number: Option<f64>,
}

/// An answer, for checks.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// The status code.
    pub status: u16,
    /// From the first byte sent to the last byte received.
    pub took: Nanos,
    /// The response, where any check [needs](Check::needs_view) it. `None`: it could not be opened.
    pub view: Option<&'a View<'a>>,
}

const OPS: [(&str, Op); 6] = [
    ("==", Op::Equal),
    ("!=", Op::Unequal),
    ("<=", Op::LessOrEqual),
    (">=", Op::MoreOrEqual),
    ("<", Op::Less),
    (">", Op::More),
];
const WORDS: [&str; 4] = ["contains", "lacks", "matches", "in"];

// === impl Check ===

impl Check {
    /// Whether it is about the status, which nothing else then judges.
    pub fn is_of_status(&self) -> bool {
        self.subject == Subject::Status
    }

    /// Whether it looks at head or body.
    pub fn needs_view(&self) -> bool {
        matches!(self.subject, Subject::Size | Subject::Body | Subject::Place(_))
    }

    /// Whether it looks into the body.
    pub fn reads_body(&self) -> bool {
        match &self.subject {
            Subject::Status | Subject::Time => false,
            Subject::Size | Subject::Body => true,
            Subject::Place(place) => place.reads_body(),
        }
    }

    /// Holds it against an answer.
    ///
    /// # Errors
    /// The check and what was got, in words. Times are not told, so that these words are few.
    pub fn judge(&self, answer: Answered<'_>) -> Result<(), String> {
        let wrong = |got: &str| Err(format!("check '{}': {got}", self.text));
        let values = match &self.subject {
            Subject::Time => {
                let ms = answer.took.0 as f64 / 1e6;
                if self.test.holds_number(ms) {
                    return Ok(());
                }
                return wrong(match self.test {
                    Test::Compare(Op::Less | Op::LessOrEqual, _) => "it took longer",
                    Test::Compare(Op::More | Op::MoreOrEqual, _) => "it took less",
                    _ => "it took another time",
                });
            }
            Subject::Status => vec![answer.status.to_string()],
            _ => {
                let Some(view) = answer.view else { return wrong("the answer could not be read") };
                match &self.subject {
                    Subject::Size => vec![view.body().len().to_string()],
                    // An object or a list is there, too, though it has no value of its own.
                    Subject::Place(place) if matches!(self.test, Test::Exists | Test::Missing) => {
                        let mut values = place.find(view);
                        if values.is_empty() && place.holds_more(view) {
                            values.push("an object or a list".to_owned());
                        }
                        values
                    }
                    Subject::Place(place) => place.find(view),
                    _ => vec![String::from_utf8_lossy(view.body()).into_owned()],
                }
            }
        };
        if self.test.holds(&values) {
            return Ok(());
        }
        match (values.first(), &self.subject) {
            (None, _) => wrong("there is none"),
            (Some(_), Subject::Body) => wrong("it is not so"),
            (Some(value), _) => wrong(&format!("got {}", shorten(value))),
        }
    }
}

fn shorten(value: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut short: String = value.chars().map(clean).take(SHOWN).collect();
    if value.chars().nth(SHOWN).is_some() {
        short.push('…');
    }
    if short.is_empty() { "nothing".to_owned() } else { short }
}

impl Test {
    /// Of several values the first is compared; `contains` and `in` look at all.
    fn holds(&self, values: &[String]) -> bool {
        match self {
            Test::Exists => !values.is_empty(),
            Test::Missing => values.is_empty(),
            Test::Compare(op, wanted) => values.first().is_some_and(|value| op.holds(value, wanted)),
            Test::Contains(text) => values.iter().any(|value| value.contains(text.as_str())),
            Test::Lacks(text) => !values.iter().any(|value| value.contains(text.as_str())),
            Test::Matches(pattern) => values.iter().any(|value| pattern.is_match(value.as_bytes())),
            Test::In(all) => {
                values.first().is_some_and(|value| all.iter().any(|one| Op::Equal.holds(value, one)))
            }
        }
    }

    fn holds_number(&self, number: f64) -> bool {
        match self {
            Test::Compare(op, Wanted { number: Some(wanted), .. }) => op.compares(number.total_cmp(wanted)),
            _ => false,
        }
    }
}

impl Op {
    fn holds(self, value: &str, wanted: &Wanted) -> bool {
        match (wanted.number, value.trim().parse::<f64>()) {
            (Some(wanted), Ok(number)) => self.compares(number.total_cmp(&wanted)),
            // What is no number is neither less nor more than one.
            (Some(_), Err(_)) => self == Op::Unequal,
            (None, _) => self.compares(value.cmp(wanted.text.as_str())),
        }
    }

    fn compares(self, order: std::cmp::Ordering) -> bool {
        match self {
            Op::Equal => order.is_eq(),
            Op::Unequal => order.is_ne(),
            Op::Less => order.is_lt(),
            Op::LessOrEqual => order.is_le(),
            Op::More => order.is_gt(),
            Op::MoreOrEqual => order.is_ge(),
        }
    }
}

/// Where the operator stands: its place, its text. In quotes and brackets none is looked for. Selectors have `>` in them: of these the last
/// one counts, else the first.
fn operator(text: &str) -> Option<(usize, &'static str)> {
    let names: Vec<&'static str> = OPS.iter().map(|(name, _)| *name).chain(WORDS).collect();
    let (mut quote, mut depth, mut found) = (None, 0_u32, None);
    let bytes = text.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'[' | b'(') => depth += 1,
            (None, b']' | b')') => depth = depth.saturating_sub(1),
            (None, b' ') if depth == 0 => {
                let rest = &bytes[at + 1..];
                let here = names.iter().find(|name| {
                    rest.strip_prefix(name.as_bytes())
                        .is_some_and(|after| after.first().is_none_or(|b| *b == b' '))
                });
                if let Some(name) = here {
                    found = Some((at + 1, *name));
                    if !text.starts_with("css:") {
                        return found;
                    }
                }
            }
            _ => {}
        }
    }
    found
}

fn unquoted(text: &str) -> (&str, bool) {
    for quote in ['\'', '"'] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return (inner, true);
        }
    }
    (text, false)
}

fn wanted(text: &str, subject: &Subject) -> Result<Wanted, String> {
    let (inner, quoted) = unquoted(text.trim());
    if inner.is_empty() && !quoted {
        return Err("a value stands behind the operator".to_owned());
    }
    let number = match subject {
        Subject::Time => Some(parse_duration(inner).map_err(|error| error.to_string())?.0 as f64 / 1e6),
        Subject::Size => Some(parse_size(inner).map_err(|error| error.to_string())? as f64),
        Subject::Status => {
            let status: u16 = inner.parse().map_err(|_| format!("'{inner}' is no status code"))?;
            Some(f64::from(status))
        }
        _ if quoted => None,
        _ => inner.parse().ok().filter(|number: &f64| number.is_finite()),
    };
    Ok(Wanted { text: inner.to_owned(), number })
}

fn subject(text: &str) -> Result<Subject, String> {
    match text {
        "status" => Ok(Subject::Status),
        "time" => Ok(Subject::Time),
        "size" => Ok(Subject::Size),
        "body" => Ok(Subject::Body),
        _ if !text.contains(':') => {
            let known = ["status", "time", "size", "body"];
            let hint = crate::nearest(text, known)
                .map(|meant| format!("; did you mean '{meant}'?"))
                .unwrap_or_default();
            Err(format!("expected status, time, size, body or a place such as json:$.id{hint}"))
        }
        _ => text.parse().map(Subject::Place).map_err(|error: Error| error.to_string()),
    }
}

fn parse(text: &str) -> Result<(Subject, Test), String> {
    // A pattern may hold anything: what stands behind regex: is all pattern.
    if text.starts_with("regex:") {
        return Ok((subject(text)?, Test::Exists));
    }
    for (word, test) in [("exists", Test::Exists), ("missing", Test::Missing)] {
        if let Some(before) = text.strip_suffix(word).filter(|before| before.ends_with(' ')) {
            let subject = subject(before.trim())?;
            if !matches!(subject, Subject::Place(_)) {
                return Err(format!("'{word}' is asked of a place such as json:$.id"));
            }
            return Ok((subject, test));
        }
    }
    let Some((at, op)) = operator(text) else {
        return match subject(text)? {
            place @ Subject::Place(_) => Ok((place, Test::Exists)),
            _ => Err(
                "expected an operator: ==, !=, <, <=, >, >=, contains, lacks, matches, in, exists or missing"
                    .to_owned(),
            ),
        };
    };
    let subject = subject(text[..at].trim())?;
    let value = text[at + op.len()..].trim();
    let text = || {
        let (inner, quoted) = unquoted(value);
        if inner.is_empty() && !quoted {
            Err("a text stands behind the operator".to_owned())
        } else {
            Ok(inner.to_owned())
        }
    };
    let test = match op {
        "contains" => Test::Contains(text()?),
        "lacks" => Test::Lacks(text()?),
        "matches" => Test::Matches(text()?.parse().map_err(|error: Error| error.to_string())?),
        "in" => {
            let list = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(value);
            Test::In(list.split(',').map(|one| wanted(one, &subject)).collect::<Result<_, _>>()?)
        }
        op => {
            let op = OPS.iter().find(|(name, _)| *name == op).map_or(Op::Equal, |(_, op)| *op);
            Test::Compare(op, wanted(value, &subject)?)
        }
    };
    if subject == Subject::Time && !matches!(test, Test::Compare(..)) {
        return Err("a time is compared: time < 500ms".to_owned());
    }
    Ok((subject, test))
}

impl FromStr for Check {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let (subject, test) = parse(text).map_err(|why| Error::syntax("check", text, why))?;
        Ok(Check { text: text.to_owned(), subject, test })
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Check {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use mynah_message::Limits;
    use proptest::prelude::*;

    use super::super::find::tests::page;
    use super::*;

    fn judge(check: &str, kind: &str, body: &str) -> Result<(), String> {
        let message = page(kind, body);
        let view = View::open(&message, &Limits::default()).unwrap();
        let check: Check = check.parse().unwrap();
        check.judge(Answered { status: 200, took: Nanos(120_000_000), view: Some(&view) })
    }

    #[test]
    fn what_holds_and_what_does_not() {
        let json = r#"{"items":[{"id":7,"name":"lamp"},{"id":8}],"total":2,"version":"1.10"}"#;
        for check in [
            "status == 200",
            "status in [200, 204]",
            "status < 400",
            "status != 404",
            "json:$.items[0].id exists",
            "json:$.items exists",
            "json:$.items[0] exists",
            "json:$.items[*] exists",
            "json:$ exists",
            "json:$.items[0].none missing",
            "json:$.items[0].id",
            "json:$.items[9] missing",
            "json:$.total > 0",
            "json:$.total >= 2",
            "json:$.items[0].name == lamp",
            "json:$.items[0].name == 'lamp'",
            "json:$.total == 2.0",
            "json:$.version == '1.10'",
            "json:$.items[*].id in [7, 9]",
            "json:$.items[0].name matches ^l.mp$",
            "header:Content-Type contains json",
            "header:Location == /orders/17",
            "header:X-None missing",
            "body contains 'lamp\"},{'",
            "body contains lamp",
            "body lacks \"chair\"",
            "regex:\"id\":\\d+",
            "regex:a == b|total",
            "time < 500ms",
            "time >= 0.1s",
            "size > 10",
            "size < 1KiB",
        ] {
            assert_eq!(judge(check, "application/json", json), Ok(()), "{check}");
            assert_eq!(check.parse::<Check>().unwrap().to_string(), check);
        }
        for (check, got) in [
            ("status == 404", "check 'status == 404': got 200"),
            ("json:$.total > 2", "check 'json:$.total > 2': got 2"),
            ("json:$.items[0].name > 3", "check 'json:$.items[0].name > 3': got lamp"),
            ("json:$.gone exists", "check 'json:$.gone exists': there is none"),
            ("json:$.total missing", "check 'json:$.total missing': got 2"),
            ("body contains chair", "check 'body contains chair': it is not so"),
            ("time < 1ms", "check 'time < 1ms': it took longer"),
            ("regex:nothing here", "check 'regex:nothing here': there is none"),
        ] {
            assert_eq!(judge(check, "application/json", json), Err(got.to_owned()));
        }
        let html = "<ul><li class='a > b'>one</li></ul>";
        for check in
            ["css:ul > li exists", "css:ul > li contains one", "css:ul > li == one", "css:li[class='a > b']"]
        {
            assert_eq!(judge(check, "text/html", html), Ok(()), "{check}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, wanted) in [
            ("status", "expected an operator"),
            ("status = 200", "expected status, time, size, body or a place"),
            ("statsu == 200", "did you mean 'status'?"),
            ("status == ok", "'ok' is no status code"),
            ("time < soon", "expected a number with a unit"),
            ("time contains 5", "a time is compared"),
            ("body exists", "asked of a place"),
            ("body contains", "a text stands behind"),
            ("json:$.a >", "a value stands behind"),
            ("json:$[ exists", "place in a response"),
            ("body matches (", "regular expression"),
        ] {
            let said = text.parse::<Check>().unwrap_err().to_string();
            assert!(said.contains(wanted), "{text}: {said}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(status|time|size|body|json:\\$\\.a|css:a|header:X|)( ==| <| contains| in| matches| exists|) ?[ -~é]{0,20}") {
            if let Ok(check) = text.parse::<Check>() {
                let message = page("application/json", "{\"a\": 1}");
                let view = View::open(&message, &Limits::default()).unwrap();
                let _ = check.judge(Answered { status: 200, took: Nanos(1), view: Some(&view) });
            }
        }
    }
}
