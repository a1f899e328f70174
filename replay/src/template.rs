//! A recorded request, cut at load time into what stays and what is put in, so that sending it is concatenation.
//!
//! Header lines keep their order and their names as they were written. What each request has of its own (`Host`, `Cookie`,
//! `Origin`, `Referer`, `Content-Length`) has a slot.

mod compile;
mod render;
#[cfg(test)]
mod tests;

use std::ops::Range;

use bytes::Bytes;
use http::Method;
use http::header::HeaderName;
use mynah_message::{Encoding, Locator, Message};
use mynah_traffic::scenario::Injection;

pub(crate) use compile::{Names, compile, reads_body};
pub(crate) use render::{Bound, render};

/// Bytes that stand, or a value's place.
#[derive(Clone, Debug)]
enum Piece {
    Bytes(Bytes),
    Value {
        /// Index into the template's needs.
        need: usize,
        encoding: Encoding,
        /// What was recorded there, sent when there is no value.
        recorded: Bytes,
    },
}

/// A text with places in it.
#[derive(Clone, Debug)]
enum Text {
    Fixed(Bytes),
    Parts(Vec<Piece>),
}

/// One header line.
#[derive(Clone, Debug)]
struct Line {
    name: HeaderName,
    /// Where in [`Template::written`] its name stands as it was written, with colon and space; of a [`Field::Fixed`] the whole line.
    written: Range<usize>,
    field: Field,
}

#[derive(Clone, Debug)]
enum Field {
    Fixed,
    Text(Text),
    /// The recorded value.
    Host(Vec<u8>),
    /// `Origin` and `Referer`: the recorded site in them becomes the target.
    Url(Text),
    /// Name and value of each recorded cookie.
    Cookie(Vec<(Bytes, Text)>),
    /// `Content-Length`: follows the body.
    Length,
    /// `Transfer-Encoding`, whole: sent where the request is chunked.
    Coding,
}

/// Where an injected value comes from, by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NeedSource {
    /// A correlation; `None` when it is switched off or not in the scenario.
    Correlation { number: Option<u32>, index: u32 },
    /// A column of the identities; `None` when there is no such column or no file. `recorded`: its number among the
    /// recorded people's.
    Identity { column: Option<usize>, recorded: Option<usize> },
    /// A value made anew; `None` when it is switched off. `back`: the session has had it, and so many newer ones.
    Vary { number: Option<u32>, back: Option<u32> },
    /// A column of the session's row in a data set; with `kept`, of the row that the user's first session had.
    Data { set: u32, column: usize, kept: bool },
    /// Several values with text around them.
    Joined(Vec<NeedPart>),
}

/// A part of a [`NeedSource::Joined`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NeedPart {
    Text(String),
    /// A value, and what is sent where there is none.
    Value(NeedSource, Option<String>),
}

/// One value that a request wants.
#[derive(Clone, Debug)]
pub(crate) struct Need {
    /// Where it is put.
    pub(crate) at: Locator,
    pub(crate) source: NeedSource,
    /// `${csrf}`, `${identity.email}`: for people.
    pub(crate) name: String,
    /// What stands before and after the value in its place.
    pub(crate) around: Option<(String, String)>,
    /// Without a value the step fails.
    pub(crate) required: bool,
}

/// A request ready to be filled in.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) method: Method,
    /// `GET `, and what follows the target: ` HTTP/1.1` with its line's end.
    begin: Bytes,
    version: &'static [u8],
    /// Path and query.
    target: Text,
    /// What the lines have in it, one behind the other: lines that stand next to each other are sent as one piece.
    written: Bytes,
    lines: Vec<Line>,
    body: Text,
    chunked: bool,
    /// Whole lines.
    trailers: Vec<u8>,
    /// Whether header names were recorded in lower case; those that are added are written alike.
    lower_case: bool,
    /// Whether it says that the connection ends with it.
    pub(crate) last: bool,
    pub(crate) needs: Vec<Need>,
    /// Where a body is compressed or carries a digest, values cannot be put in by concatenation: the message is
    /// patched when it is sent.
    patched: Option<Box<Patched>>,
}

#[derive(Clone, Debug)]
struct Patched {
    message: Message,
    injections: Vec<Injection>,
}

/// What the system takes for a piece of memory besides its bytes, about.
const PIECE: usize = 32;

impl Template {
    /// Bytes of memory that it takes besides the message that it was made of, about.
    pub(crate) fn weight(&self) -> usize {
        let field = |field: &Field| match field {
            Field::Cookie(pairs) => size_of_val(pairs.as_slice()) + PIECE,
            Field::Host(host) => host.len() + PIECE,
            _ => PIECE,
        };
        let lines: usize = self.lines.iter().map(|line| line.written.len() + field(&line.field)).sum();
        let needs = self.needs.len() * (size_of::<Need>() + 4 * PIECE);
        size_of_val(self.lines.as_slice()) + lines + needs + self.trailers.len() + 4 * PIECE
    }
}
