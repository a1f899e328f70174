//! What the answers of an endpoint look like: learnt from recorded ones, held against those of a replay, and counted there.
//!
//! ```text
//! recorded answers ─► Shapes (by endpoint and status class) ─► .sessions ─► Claims ─► an answer's Unlike, or none
//! ```
//!
//! Of a JSON body the shape is its paths with their types (`tree`); of any other its media type and a band of sizes. What
//! may be claimed from how many answers stands with [`Claims`]. A path that was never seen is no fault, an empty array or map has
//! the shape of a full one, and what differs between recorded answers is not claimed: so identifiers, times and optional
//! fields do not count.

mod claims;
mod code;
#[cfg(test)]
mod tests;
mod tree;
mod visit;

use std::borrow::Cow;
use std::collections::BTreeMap;

use mynah_message::{Coding, Head, Limits, content};

pub use claims::{Claims, ENOUGH, SOME, Unlike};
pub(crate) use code::ShapeCode;
use tree::Tree;
pub use tree::{DEPTH, PATHS, Type};

use crate::exchange::{Exchange, Flag};

/// Bytes of a body, above which it is not looked into.
pub const LOOKED_INTO: usize = 1 << 20;
/// Media types that are told apart.
const TYPES: usize = 16;
/// Paths of all endpoints together.
const ALL_PATHS: usize = 65_536;

/// A response as far as its shape goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answer<'a> {
    /// The `Content-Type` field.
    pub content_type: &'a [u8],
    /// The `Content-Encoding` field.
    pub content_encoding: &'a [u8],
    /// The body, chunks taken out; shorter than `length` where it was not kept.
    pub body: &'a [u8],
    /// Its bytes as they were sent.
    pub length: u64,
}

impl Answer<'_> {
    /// The answer that was recorded, with its status: of one that was not recorded whole there is none.
    pub fn recorded(exchange: &Exchange) -> Option<(u16, Answer<'_>)> {
        const UNSURE: [Flag; 7] = [
            Flag::Truncated,
            Flag::Gap,
            Flag::NoResponse,
            Flag::BodyWithheld,
            Flag::BodyCut,
            Flag::Reset,
            Flag::Upgraded,
        ];
        if UNSURE.iter().any(|flag| exchange.flags.has(*flag)) {
            return None;
        }
        let message = exchange.response.as_ref()?;
        let head = Head::parse(&message.head).ok()?;
        let status = head.status()?;
        let asked = exchange.request_head();
        if asked.is_some_and(|head| head.method() == Some("HEAD")) || !has_body(status) {
            return None;
        }
        let field =
            |name: &str| head.fields().find(|field| field.is(name)).map_or(&b""[..], |field| field.value);
        let told: Option<u64> =
            std::str::from_utf8(field("content-length")).ok().and_then(|n| n.trim().parse().ok());
        // Access logs, and browsers' archives, know of bodies that they do not have.
        if message.body.is_empty()
            && told.is_none_or(|bytes| bytes > 0)
            && field("transfer-encoding").is_empty()
        {
            return None;
        }
        let answer = Answer {
            content_type: field("content-type"),
            content_encoding: field("content-encoding"),
            body: &message.body,
            length: message.body.len() as u64,
        };
        Some((status, answer))
    }

    /// The media type as it was written, without parameters; empty where there is none.
    pub fn media_type(&self) -> &str {
        let name = self.content_type.split(|byte| *byte == b';').next().unwrap_or(&[]);
        std::str::from_utf8(name).unwrap_or("").trim()
    }

    /// Whether it has a content coding.
    pub fn is_coded(&self) -> bool {
        !self.content_encoding.is_empty() && !self.content_encoding.eq_ignore_ascii_case(b"identity")
    }
}

/// Whether an answer of this status can have a body (to anything but `HEAD`).
/// [RFC 9110 §6.4.1](https://www.rfc-editor.org/rfc/rfc9110#section-6.4.1)
pub fn has_body(status: u16) -> bool {
    !matches!(status, 100..=199 | 304)
}

/// What came of looking into a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looked {
    /// It is JSON.
    Json,
    /// It is not, from this byte on.
    Other(usize),
    /// Its content coding cannot be undone.
    Damaged,
    /// It is longer than [`LOOKED_INTO`].
    TooLarge,
    /// It was not looked into: of another type, or not kept.
    Not,
}

/// What is worth reading of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// All of it, up to [`LOOKED_INTO`].
    Reading,
    /// As much as shows whether it begins like JSON, and then all of it.
    Sniffing,
    /// Nothing.
    Nothing,
}

/// What is worth reading of a body whose head this is; `length` where the head tells it.
pub fn worth_reading(head: &Answer<'_>, length: Option<u64>) -> Worth {
    let named = is_json(head.media_type());
    if length.is_some_and(|bytes| bytes == 0 || bytes > LOOKED_INTO as u64) || (head.is_coded() && !named) {
        return Worth::Nothing;
    }
    if named { Worth::Reading } else { Worth::Sniffing }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct MediaType {
    /// In lower case; empty: none.
    name: String,
    answers: u64,
    /// Bodies that are JSON, and bodies that were looked into and are not.
    json: u64,
    other: u64,
}

/// Sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Band {
    count: u64,
    least: u64,
    most: u64,
}

impl Band {
    fn note(&mut self, length: u64, times: u64) {
        self.least = if self.count == 0 { length } else { self.least.min(length) };
        self.most = self.most.max(length);
        self.count += times;
    }

    fn absorb(&mut self, other: Band) {
        if other.count > 0 {
            self.least = if self.count == 0 { other.least } else { self.least.min(other.least) };
            self.most = self.most.max(other.most);
            self.count += other.count;
        }
    }

    /// From a quarter of the least to sixteen times the most (and 4 KiB): pages grow as a system fills up, and what takes the
    /// place of a page is short.
    fn claim(self) -> Option<(u64, u64)> {
        (self.count >= ENOUGH).then_some((self.least / 4, self.most.saturating_mul(16).saturating_add(4096)))
    }
}

/// What one endpoint's answers of one status class look like.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    answers: u64,
    /// Of those, without a body.
    empty: u64,
    types: Vec<MediaType>,
    more_types: bool,
    tree: Tree,
    /// Of bodies that are no JSON: as they are, and with a content coding.
    sizes: [Band; 2],
    last: Last,
}

/// The answer that was checked last, if it was as claimed. Many servers say the same again and again (an empty list, a setting, that it
/// went well): what is the same to the byte is counted, and not looked at again.
#[derive(Clone, Debug, Default)]
struct Last {
    content_type: Vec<u8>,
    content_encoding: Vec<u8>,
    body: Vec<u8>,
    found: Option<Looked>,
    /// How often it came again.
    again: u64,
}

impl Last {
    /// Bytes of a body, above which it is not kept.
    const KEPT: usize = 4096;

    /// What was found, if this is the same one again.
    fn again(&mut self, answer: &Answer<'_>) -> Option<Looked> {
        let same = self.body == answer.body
            && answer.length == self.body.len() as u64
            && self.content_type == answer.content_type
            && self.content_encoding == answer.content_encoding;
        let found = self.found.filter(|_| same);
        self.again += u64::from(found.is_some());
        found
    }

    fn keep(&mut self, answer: &Answer<'_>, found: Option<Looked>) {
        let fits = answer.body.len() <= Last::KEPT && answer.body.len() as u64 == answer.length;
        self.found = found.filter(|_| fits);
        if self.found.is_some() {
            answer.content_type.clone_into(&mut self.content_type);
            answer.content_encoding.clone_into(&mut self.content_encoding);
            answer.body.clone_into(&mut self.body);
        }
    }
}

impl Shape {
    /// Answers that it was learnt from.
    pub fn answers(&self) -> u64 {
        self.answers
    }

    /// Paths that are kept of them.
    pub fn paths(&self) -> usize {
        if self.tree.is_empty() { 0 } else { self.tree.len() }
    }

    /// Of the answers, those without a body.
    pub fn empty(&self) -> u64 {
        self.empty
    }

    /// Of the answers, those with a JSON body.
    pub fn json(&self) -> u64 {
        self.types.iter().map(|known| known.json).sum()
    }

    /// Media types in lower case (empty: none), and how many bodies had them.
    pub fn media_types(&self) -> impl Iterator<Item = (&str, u64)> {
        self.types.iter().filter(|known| known.answers > 0).map(|known| (known.name.as_str(), known.answers))
    }

    /// Each path and type of the JSON bodies, and how many of these had it.
    pub fn values(&self) -> impl Iterator<Item = (String, Type, u64)> {
        self.tree.values()
    }

    /// Takes an answer in.
    pub fn note(&mut self, answer: &Answer<'_>) {
        self.note_within(answer, PATHS);
        self.tree.tidy();
    }

    /// Takes an answer in and says how it is unlike what was claimed of such answers; the claims are of the shape that this one is
    /// the [`blank`](Shape::blank) of.
    pub fn check(&mut self, answer: &Answer<'_>, claims: &Claims) -> (Looked, Option<Unlike>) {
        if let Some(found) = self.last.again(answer) {
            return (found, None);
        }
        self.settle();
        let found = self.count(answer, 1, PATHS, claims.nodes());
        let unlike = claims.judge(answer, found, &self.tree);
        self.last.keep(answer, unlike.is_none().then_some(found.0));
        (found.0, unlike)
    }

    /// Counts what came again and again: before that, what was [checked](Shape::check) is not all in the counts.
    pub fn settle(&mut self) {
        let last = std::mem::take(&mut self.last);
        if last.again > 0 {
            let length = last.body.len() as u64;
            let Last { content_type, content_encoding, body, .. } = &last;
            self.count(&Answer { content_type, content_encoding, body, length }, last.again, PATHS, &[]);
        }
        self.last = Last { found: None, again: 0, ..last };
    }

    /// The same paths, and nothing counted.
    #[must_use]
    pub fn blank(&self) -> Shape {
        Shape { tree: self.tree.blank(), ..Shape::default() }
    }

    /// Adds what another one has seen.
    pub fn absorb(&mut self, other: &Shape) {
        self.answers += other.answers;
        self.empty += other.empty;
        self.more_types |= other.more_types;
        for kind in &other.types {
            if let Some(own) = self.media_type(&kind.name) {
                own.answers += kind.answers;
                own.json += kind.json;
                own.other += kind.other;
            }
        }
        self.tree.absorb(&other.tree);
        for (own, more) in self.sizes.iter_mut().zip(other.sizes) {
            own.absorb(more);
        }
    }

    fn note_within(&mut self, answer: &Answer<'_>, room: usize) {
        self.count(answer, 1, room, &[]);
    }

    /// Takes an answer in that came so often.
    fn count(
        &mut self,
        answer: &Answer<'_>,
        times: u64,
        room: usize,
        claims: &[claims::NodeClaim],
    ) -> (Looked, Option<claims::Fault>) {
        self.answers += times;
        if answer.length == 0 {
            self.empty += times;
            return (Looked::Not, None);
        }
        let name = answer.media_type();
        self.tree.weight = times;
        let (looked, fault) = self.look(answer, name, room, claims);
        if looked != Looked::Json {
            self.sizes[usize::from(answer.is_coded())].note(answer.length, times);
        }
        if let Some(own) = self.media_type(name) {
            own.answers += times;
            own.json += times * u64::from(looked == Looked::Json);
            own.other += times * u64::from(matches!(looked, Looked::Other(_) | Looked::Damaged));
        }
        (looked, fault)
    }

    fn look(
        &mut self,
        answer: &Answer<'_>,
        media_type: &str,
        room: usize,
        claims: &[claims::NodeClaim],
    ) -> (Looked, Option<claims::Fault>) {
        let named = is_json(media_type);
        let begins = answer.body.iter().find(|byte| !byte.is_ascii_whitespace());
        if !named && !answer.is_coded() && begins.is_some_and(|byte| !matches!(byte, b'{' | b'[')) {
            return (Looked::Other(0), None);
        }
        if answer.length > LOOKED_INTO as u64 {
            return (if named { Looked::TooLarge } else { Looked::Not }, None);
        }
        if answer.body.len() as u64 != answer.length {
            return (Looked::Not, None);
        }
        let body = if answer.is_coded() {
            // What is not called JSON is not unpacked to see whether it is.
            let Some(coding) = coding(answer.content_encoding).filter(|_| named) else {
                return (Looked::Not, None);
            };
            let limits = Limits { decoded_bytes: LOOKED_INTO as u64, ..Limits::default() };
            match content::decode_coding(coding, answer.body, &limits) {
                Ok(body) => Cow::Owned(body),
                Err(mynah_message::Error::TooLarge { .. }) => return (Looked::TooLarge, None),
                Err(_) => return (Looked::Damaged, None),
            }
        } else {
            Cow::Borrowed(answer.body)
        };
        match self.tree.lay(&body, room, claims) {
            (Ok(()), fault) => (Looked::Json, fault),
            (Err(at), _) => (Looked::Other(at), None),
        }
    }

    /// The entry of a media type; `None` where there is no room for another.
    fn media_type(&mut self, name: &str) -> Option<&mut MediaType> {
        let at = self.types.iter().position(|known| known.name.eq_ignore_ascii_case(name));
        if let Some(at) = at {
            return self.types.get_mut(at);
        }
        if self.types.len() >= TYPES {
            self.more_types = true;
            return None;
        }
        self.types.push(MediaType { name: name.to_ascii_lowercase(), answers: 0, json: 0, other: 0 });
        self.types.last_mut()
    }
}

/// Whether a media type is JSON's.
fn is_json(media_type: &str) -> bool {
    let ends = |suffix: &str| {
        let from = media_type.len().checked_sub(suffix.len());
        from.and_then(|from| media_type.get(from..)).is_some_and(|end| end.eq_ignore_ascii_case(suffix))
    };
    ends("json") || ends("jsonl") || ends("jsonlines")
}

/// The coding, where it is one that can be undone and only one.
fn coding(field: &[u8]) -> Option<Coding> {
    let is = |name: &str| field.trim_ascii().eq_ignore_ascii_case(name.as_bytes());
    Some(match () {
        () if is("gzip") || is("x-gzip") => Coding::Gzip,
        () if is("deflate") => Coding::Deflate,
        () if is("br") => Coding::Brotli,
        () if is("zstd") => Coding::Zstd,
        () => return None,
    })
}

/// `a`, `a or b`, `a, b or c`.
fn list<T: AsRef<str>>(items: &[T]) -> String {
    match items {
        [] => "nothing".to_owned(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} or {}", first.join(", "), last.as_ref())
        }
    }
}

/// The shapes of a recording's answers, by endpoint (a number in some table) and status class (`2` for 200 to 299).
#[derive(Clone, Debug, Default)]
pub struct Shapes {
    all: BTreeMap<(u32, u8), Shape>,
    paths: usize,
}

impl Shapes {
    /// Takes an answer in. Memory is bounded: 256 paths an endpoint and class, 65,536 in all; what comes beyond is not kept, and
    /// nothing is claimed of it.
    pub fn note(&mut self, endpoint: u32, status: u16, answer: &Answer<'_>) {
        let Some(class) = class(status) else { return };
        let shape = self.all.entry((endpoint, class)).or_default();
        let before = shape.paths();
        shape.note_within(answer, before + ALL_PATHS.saturating_sub(self.paths));
        shape.tree.tidy();
        self.paths = self.paths + shape.paths() - before;
    }

    /// Puts one in its place.
    pub fn insert(&mut self, endpoint: u32, class: u8, shape: Shape) {
        self.all.insert((endpoint, class), shape);
    }

    /// What an endpoint's answers of a status class look like.
    pub fn get(&self, endpoint: u32, class: u8) -> Option<&Shape> {
        self.all.get(&(endpoint, class))
    }

    /// Endpoint, class and shape of each.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u8, &Shape)> {
        self.all.iter().map(|((endpoint, class), shape)| (*endpoint, *class, shape))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

/// A status code's class, 1 to 5.
pub fn class(status: u16) -> Option<u8> {
    u8::try_from(status / 100).ok().filter(|class| (1..=5).contains(class))
}
