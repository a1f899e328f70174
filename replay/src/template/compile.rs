//! From a recorded message to a template.

use std::ops::Range;

use bytes::Bytes;
use http::Method;
use http::header::{self, HeaderName};
use mynah_message::{Encoding, Head, Limits, Locator, Message, Part, Target, View};
use mynah_traffic::scenario::{Injection, Portion, Source};

use super::{Field, Line, Need, NeedPart, NeedSource, Patched, Piece, Template, Text};
use crate::prepared::DataPlan;

/// Resolves the names that injections use.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Names<'a> {
    /// Names of the correlations that are switched on; the position is the number.
    pub(crate) correlations: &'a [String],
    /// Columns of the identities' file; empty without one.
    pub(crate) columns: &'a [String],
    /// Columns of which recorded values are known; empty with a file.
    pub(crate) recorded_columns: &'a [String],
    /// Names of the values made anew that are switched on.
    pub(crate) vary: &'a [String],
    pub(crate) data: &'a [DataPlan],
    /// Data sets whose row a user keeps.
    pub(crate) kept_sets: &'a [u32],
    /// The step is written by hand: a value made anew has one name in all of the session.
    pub(crate) inline: bool,
}

impl Names<'_> {
    /// A source by number, and as people write it.
    fn source(&self, source: &Source) -> (NeedSource, String) {
        match source {
            Source::Correlation { name, index } => {
                let number = self.correlations.iter().position(|known| known == name).map(|n| n as u32);
                let shown =
                    if *index == 0 { format!("${{{name}}}") } else { format!("${{{name}[{index}]}}") };
                (NeedSource::Correlation { number, index: *index }, shown)
            }
            Source::Identity { column } => {
                let number = self.columns.iter().position(|known| known == column);
                let recorded = self.recorded_columns.iter().position(|known| known == column);
                (NeedSource::Identity { column: number, recorded }, format!("${{identity.{column}}}"))
            }
            Source::Vary { name } => {
                let number = self.vary.iter().position(|known| known == name).map(|n| n as u32);
                let back = self.inline.then_some(0);
                (NeedSource::Vary { number, back }, format!("${{vary.{name}}}"))
            }
            Source::Data { set, column } => {
                let at = self.data.iter().position(|known| known.name == *set);
                let found = at.and_then(|at| Some((at, self.data.get(at)?)));
                let found = found.and_then(|(at, known)| {
                    let column = known.rows.columns.iter().position(|known| known == column)?;
                    let set = at as u32;
                    Some(NeedSource::Data { set, column, kept: self.kept_sets.contains(&set) })
                });
                // Sets and columns were looked for when the scenario was read.
                let source = found.unwrap_or(NeedSource::Correlation { number: None, index: 0 });
                (source, format!("${{data.{set}.{column}}}"))
            }
            Source::Joined { portions } => {
                let mut shown = String::new();
                let part = |portion: &Portion| match portion {
                    Portion::Text(text) => {
                        shown.push_str(text);
                        NeedPart::Text(text.clone())
                    }
                    Portion::Value { source, default } => {
                        let (source, name) = self.source(source);
                        shown.push_str(&name);
                        NeedPart::Value(source, default.clone())
                    }
                };
                let parts = portions.iter().map(part).collect();
                (NeedSource::Joined(parts), shown)
            }
        }
    }

    pub(crate) fn need(&self, injection: &Injection) -> Need {
        let (source, name) = self.source(&injection.source);
        let around = injection.format.as_ref().map(|format| match format.split_once("{}") {
            Some((before, after)) => (before.to_owned(), after.to_owned()),
            None => (format.clone(), String::new()),
        });
        Need { at: injection.at.clone(), source, name, around, required: injection.required }
    }
}

/// A place to be filled in.
#[derive(Clone, Debug)]
struct Place {
    span: Range<usize>,
    need: usize,
    encoding: Encoding,
}

/// Cuts `bytes[range]` at the places within it.
fn cut(bytes: &Bytes, range: Range<usize>, places: &[Place]) -> Text {
    let mut pieces = Vec::new();
    let mut at = range.start;
    for place in places.iter().filter(|p| range.start <= p.span.start && p.span.end <= range.end) {
        if place.span.start > at {
            pieces.push(Piece::Bytes(bytes.slice(at..place.span.start)));
        }
        pieces.push(Piece::Value {
            need: place.need,
            encoding: place.encoding,
            recorded: bytes.slice(place.span.clone()),
        });
        at = place.span.end;
    }
    if pieces.is_empty() {
        return Text::Fixed(bytes.slice(range));
    }
    if at < range.end {
        pieces.push(Piece::Bytes(bytes.slice(at..range.end)));
    }
    Text::Parts(pieces)
}

/// Sorted, without those that overlap an earlier one; what had to go is told.
fn settle(mut places: Vec<Place>, needs: &[Need], warn: &mut dyn FnMut(String)) -> Vec<Place> {
    places.sort_by_key(|place| (place.span.start, place.span.end));
    let mut kept: Vec<Place> = Vec::with_capacity(places.len());
    for place in places {
        let overlaps =
            kept.last().is_some_and(|last| place.span.start < last.span.end || place.span == last.span);
        if overlaps {
            let at = needs.get(place.need).map(|need| need.at.to_string()).unwrap_or_default();
            warn(format!("{at} overlaps another place that is filled in; it is left as recorded"));
        } else {
            kept.push(place);
        }
    }
    kept
}

/// Compiles a message. A place that is not found is told to `warn` and left as recorded.
///
/// # Errors
/// In words, when it is no request that could be sent at all.
pub(crate) fn compile(
    message: &Message,
    injections: &[Injection],
    names: &Names<'_>,
    warn: &mut dyn FnMut(String),
) -> Result<Template, String> {
    let view = View::open(message, &Limits::default())
        .or_else(|_| View::open_head(message))
        .map_err(|error| error.to_string())?;
    let head = view.head();
    let method = method_of(head)?;
    let needs: Vec<Need> = injections.iter().map(|injection| names.need(injection)).collect();
    let mut in_head = Vec::new();
    let mut in_body = Vec::new();
    for (need, injection) in injections.iter().enumerate() {
        let leaves = view.find(&injection.at);
        if leaves.is_empty() {
            warn(format!("there is nothing at {}; the request is sent as recorded", injection.at));
        }
        for leaf in leaves {
            let place = Place { span: leaf.span.clone(), need, encoding: leaf.encoding };
            if leaf.part == Part::Head { in_head.push(place) } else { in_body.push(place) }
        }
    }
    let in_head = settle(in_head, &needs, warn);
    let in_body = settle(in_body, &needs, warn);

    let coded = !mynah_message::content::codings(head).unwrap_or_default().is_empty();
    let digest = head.fields().any(|field| {
        ["content-digest", "repr-digest", "digest", "content-md5"].iter().any(|name| field.is(name))
    });
    let patched = (!in_body.is_empty() && (coded || digest))
        .then(|| Box::new(Patched { message: message.clone(), injections: injections.to_vec() }));
    // Where the message is patched this text is what is sent when no value is at hand: the recorded body.
    let body = if patched.is_some() {
        Text::Fixed(message.body.clone())
    } else {
        cut(&message.body, 0..message.body.len(), &in_body)
    };
    let chunked = head.is_chunked();
    let http10 = head.version() == mynah_message::Version::Http10;
    let (lines, written) = lines_of(message, head, &in_head, warn);
    Ok(Template {
        begin: format!("{method} ").into(),
        method,
        version: if http10 { b" HTTP/1.0\r\n" } else { b" HTTP/1.1\r\n" },
        target: target_of(message, head, &in_head)?,
        lines,
        written: written.into(),
        body,
        chunked: chunked && !http10,
        trailers: if chunked { trailers_of(&message.trailers) } else { Vec::new() },
        lower_case: head
            .fields()
            .next()
            .is_some_and(|field| field.name.starts_with(|c: char| c.is_ascii_lowercase())),
        last: !head.keep_alive(),
        needs,
        patched,
    })
}

fn method_of(head: &Head<'_>) -> Result<Method, String> {
    let text = head.method().ok_or("it is a response")?;
    let method = Method::from_bytes(text.as_bytes()).map_err(|_| format!("'{text}' is no method"))?;
    if method == Method::CONNECT {
        return Err("CONNECT asks for a tunnel, which is not replayed".to_owned());
    }
    Ok(method)
}

/// Path and query of the target, absolute-form brought into origin-form.
fn target_of(message: &Message, head: &Head<'_>, places: &[Place]) -> Result<Text, String> {
    let (Some(span), Some(text)) = (head.target_span(), head.target()) else {
        return Err("its target is not UTF-8".to_owned());
    };
    let parsed = Target::parse(text);
    let from = span.start + parsed.path_span.start;
    let to = span.start + text.find('#').unwrap_or(text.len());
    if from >= to {
        return Ok(Text::Fixed(Bytes::from_static(b"/")));
    }
    let path = cut(&message.head, from..to, places);
    if !parsed.path.is_empty() {
        return Ok(path);
    }
    // http://host?query has an empty path.
    let slash = Piece::Bytes(Bytes::from_static(b"/"));
    Ok(Text::Parts(match path {
        Text::Fixed(bytes) => vec![slash, Piece::Bytes(bytes)],
        Text::Parts(pieces) => std::iter::once(slash).chain(pieces).collect(),
    }))
}

/// The lines, and what is written of them.
fn lines_of(
    message: &Message,
    head: &Head<'_>,
    places: &[Place],
    warn: &mut dyn FnMut(String),
) -> (Vec<Line>, Vec<u8>) {
    let mut lines: Vec<Line> = Vec::new();
    let mut all = Vec::new();
    for field in head.fields() {
        let Ok(name) = HeaderName::from_bytes(field.name.as_bytes()) else {
            warn(format!("a header line cannot be sent and is left out: name '{}'", field.name));
            continue;
        };
        let text = || cut(&message.head, field.value_span.clone(), places);
        let whole = || [field.name.as_bytes(), b": ", &value(&field.unfolded()), b"\r\n"].concat();
        let mut written = [field.name.as_bytes(), b": "].concat();
        let slot = match name {
            header::HOST => Field::Host(value(&field.unfolded())),
            // What frames a message is there once.
            header::CONTENT_LENGTH if lines.iter().any(|line| matches!(line.field, Field::Length)) => {
                continue;
            }
            header::CONTENT_LENGTH => Field::Length,
            header::TRANSFER_ENCODING => {
                written = whole();
                Field::Coding
            }
            header::ORIGIN | header::REFERER => Field::Url(text()),
            // Filled in as a whole: no cookies to tell apart.
            header::COOKIE if places.iter().any(|place| place.span == field.value_span) => {
                Field::Text(text())
            }
            header::COOKIE => {
                let pairs = cookie_pairs(&message.head, field.value_span.clone(), places);
                // HTTP/2 clients write a line for each cookie; HTTP/1 has one for all.
                let before = lines.iter_mut().find_map(|line| match &mut line.field {
                    Field::Cookie(before) => Some(before),
                    _ => None,
                });
                if let Some(before) = before {
                    before.extend(pairs);
                    continue;
                }
                Field::Cookie(pairs)
            }
            _ => match text() {
                Text::Fixed(_) => {
                    written = whole();
                    Field::Fixed
                }
                parts @ Text::Parts(_) => Field::Text(parts),
            },
        };
        let from = all.len();
        all.extend_from_slice(&written);
        lines.push(Line { name, written: from..all.len(), field: slot });
    }
    (lines, all)
}

/// A header's value; bytes that no header can hold become spaces.
fn value(bytes: &[u8]) -> Vec<u8> {
    let mut value = bytes.to_vec();
    clean(&mut value, 0);
    value
}

/// Makes what follows `from` a header's value: bytes that none can hold become spaces.
pub(super) fn clean(out: &mut Vec<u8>, from: usize) {
    let bad = |byte: u8| (byte < 0x20 && byte != b'\t') || byte == 0x7f;
    let text = out.get_mut(from..).unwrap_or(&mut []);
    // Without an early end, so that it is done many bytes at a time.
    if text.iter().fold(false, |dirty, &byte| dirty | bad(byte)) {
        for byte in text.iter_mut().filter(|byte| bad(**byte)) {
            *byte = b' ';
        }
        let text = out.get(from..).unwrap_or(&[]);
        let (end, start) = (text.trim_ascii_end().len(), text.len() - text.trim_ascii_start().len());
        out.truncate(from + end);
        out.drain(from..from + start.min(end));
    }
}

fn cookie_pairs(head: &Bytes, span: Range<usize>, places: &[Place]) -> Vec<(Bytes, Text)> {
    let mut pairs = Vec::new();
    let mut start = span.start;
    while start <= span.end {
        let rest = head.get(start..span.end).unwrap_or(&[]);
        let end = start + rest.iter().position(|&b| b == b';').unwrap_or(rest.len());
        let item = trim(head, start..end);
        if !item.is_empty() {
            let equals = head[item.clone()].iter().position(|&b| b == b'=');
            let (name, from) = match equals {
                Some(at) => (trim(head, item.start..item.start + at), item.start + at + 1),
                None => (item.start..item.start, item.start),
            };
            pairs.push((head.slice(name), cut(head, trim(head, from..item.end), places)));
        }
        start = end + 1;
    }
    pairs
}

fn trim(bytes: &[u8], span: Range<usize>) -> Range<usize> {
    let Some(text) = bytes.get(span.clone()) else { return span };
    let start = span.start + (text.len() - text.trim_ascii_start().len());
    start..start + text.trim_ascii().len()
}

fn trailers_of(raw: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    for line in raw.split(|&b| b == b'\n') {
        let Some(colon) = line.iter().position(|&b| b == b':') else { continue };
        let name = line[..colon].trim_ascii();
        if HeaderName::from_bytes(name).is_ok() {
            lines.extend([name, b": ", &value(line[colon + 1..].trim_ascii()), b"\r\n"].concat());
        }
    }
    lines
}

/// Whether a locator looks into a response's body.
pub(crate) fn reads_body(locator: &Locator) -> bool {
    !matches!(locator, Locator::Header { .. } | Locator::Cookie { .. } | Locator::Location { .. })
}
