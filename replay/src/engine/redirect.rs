//! Redirects that are followed: where an answer leads, and the request that goes there
//! ([RFC 9110 §15.4](https://www.rfc-editor.org/rfc/rfc9110#section-15.4)).
//!
//! A request and where it leads count as one: from the first one's start to the last one's end, with the last one's answer.
//! Nothing is sent to hosts that the run sends nothing to by itself.

use bytes::Bytes;
use http::Method;
use memchr::memmem;
use mynah_message::Head;
use mynah_traffic::Scheme;
use url::Url;

use super::step::cookie_place;
use super::{Context, User};
use crate::cookies;
use crate::net::{Answer, Ask, Exchanged, Failure, Kind, Sending};
use crate::options::HostHeader;
use crate::prepared::StepPlan;
use crate::target::host_of;

/// A request that an answer has led to.
#[derive(Debug)]
pub(crate) struct Hop {
    pub(crate) place_at: usize,
    pub(crate) method: Method,
    target: String,
    head: Vec<u8>,
    body: Bytes,
    ask: Ask,
    /// How many redirects were followed.
    number: u32,
    /// Of all requests before it: when the first one started, and bytes.
    started: u64,
    bytes_in: u64,
    bytes_out: u64,
}

/// A request on its way, kept for the case that its answer leads elsewhere.
pub(crate) struct Trail {
    head: Vec<u8>,
    body: Bytes,
    ask: Ask,
    number: u32,
    before: Option<(u64, u64, u64)>,
}

impl Hop {
    /// As it is sent.
    pub(crate) fn sending(&self, context: &Context) -> Sending {
        let mut bytes = context.buffers.take();
        bytes.extend_from_slice(&self.head);
        Sending { bytes, rest: self.body.clone(), ask: self.ask, last: false }
    }

    /// Path and query.
    pub(crate) fn shown(&self) -> &str {
        &self.target
    }
}

impl Trail {
    /// Of a request that is about to be sent; `None` where redirects are not followed.
    pub(crate) fn of(context: &Context, sending: &mut Sending, hop: Option<&Hop>) -> Option<Box<Trail>> {
        if context.setup.follow_redirects == 0 {
            return None;
        }
        sending.ask.keep_head = true;
        // What comes from middleware is in one piece.
        let bytes = if sending.bytes.is_empty() { &sending.rest[..] } else { &sending.bytes[..] };
        let end = memmem::find(bytes, b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
        let body = if sending.bytes.is_empty() {
            sending.rest.slice(end..)
        } else if end == bytes.len() {
            sending.rest.clone()
        } else {
            [bytes.get(end..).unwrap_or(&[]), &sending.rest[..]].concat().into()
        };
        Some(Box::new(Trail {
            head: bytes.get(..end).unwrap_or(bytes).to_vec(),
            body,
            ask: sending.ask,
            number: hop.map_or(0, |hop| hop.number),
            before: hop.map(|hop| (hop.started, hop.bytes_in, hop.bytes_out)),
        }))
    }

    /// Looks where its answer leads. `None`: nowhere, and `exchanged` is made to tell of the whole way here.
    pub(crate) fn follow(
        self,
        context: &Context,
        user: &User,
        step: &StepPlan,
        place_at: usize,
        exchanged: &mut Exchanged,
        answer: &mut Answer,
    ) -> Result<Option<Box<Hop>>, Failure> {
        if let Some((started, bytes_in, bytes_out)) = self.before {
            exchanged.started = started;
            exchanged.bytes_in += bytes_in;
            exchanged.bytes_out += bytes_out;
        }
        let Some(location) = leads(answer) else { return Ok(None) };
        let limit = context.setup.follow_redirects;
        if self.number >= limit {
            return Err(Failure::new(Kind::Redirects, format!("more than {limit} redirects")));
        }
        let wrong = || Failure::new(Kind::Redirects, "a redirect whose Location is no URL".to_owned());
        let head = Head::parse(&self.head).map_err(|_| wrong())?;
        let place = context.setup.places.get(place_at).ok_or_else(wrong)?;
        let here = Url::parse(&place.target.origin()).map_err(|_| wrong())?;
        let here = here.join(head.target().unwrap_or("/")).map_err(|_| wrong())?;
        let there = here.join(&location).map_err(|_| wrong())?;
        let (next_at, base) = place_of(context, place_at, &here, &there)?;
        let target = match there.query() {
            Some(query) => format!("{base}{}?{query}", there.path()),
            None => format!("{base}{}", there.path()),
        };
        for field in answer.set_cookies.drain(..) {
            if let Ok(text) = std::str::from_utf8(&field) {
                user.jar.borrow_mut().set(
                    text,
                    cookies::Place { path: here.path(), ..cookie_place(context, step) },
                    context.epoch_seconds(context.clock.now()),
                );
            }
        }
        let before = Method::from_bytes(head.method().unwrap_or("GET").as_bytes()).unwrap_or(Method::GET);
        let method = match answer.status {
            303 if before != Method::HEAD => Method::GET,
            // As browsers do, and whoever follows them; 307 and 308 keep it.
            301 | 302 if before == Method::POST => Method::GET,
            _ => before.clone(),
        };
        let to = To {
            host: (next_at != place_at).then(|| host(context, next_at, &there)),
            drops_body: method != before,
            cookies: cookies_for(context, user, step, next_at, &target),
        };
        let bytes = to.head(&head, &self.head, &method, &target);
        let (body, ask) = if to.drops_body {
            (Bytes::new(), Ask { head_only: method == Method::HEAD, ..self.ask })
        } else {
            (self.body, self.ask)
        };
        Ok(Some(Box::new(Hop {
            place_at: next_at,
            method,
            target,
            head: bytes,
            body,
            ask,
            number: self.number + 1,
            started: exchanged.started,
            bytes_in: exchanged.bytes_in,
            bytes_out: exchanged.bytes_out,
        })))
    }
}

/// The `Location` of an answer that redirects.
fn leads(answer: &Answer) -> Option<String> {
    if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let head = Head::parse(&answer.head).ok()?;
    let field = head.fields().find(|field| field.is("location"))?;
    Some(field.text()?.trim().to_owned()).filter(|text| !text.is_empty())
}

fn same_origin(url: &Url, other: &Url) -> bool {
    url.scheme() == other.scheme()
        && url.host_str() == other.host_str()
        && url.port_or_known_default() == other.port_or_known_default()
}

/// Which target answers there, and what is put before the path.
fn place_of(context: &Context, place_at: usize, here: &Url, there: &Url) -> Result<(usize, String), Failure> {
    let setup = &context.setup;
    if same_origin(here, there) {
        return Ok((place_at, String::new()));
    }
    let is_target = |place: &crate::net::Place| {
        Url::parse(&place.target.origin()).is_ok_and(|origin| same_origin(&origin, there))
    };
    if let Some(at) = setup.places.iter().position(is_target) {
        return Ok((at, String::new()));
    }
    // A host of the recording: its requests go to its target.
    let authority = authority_of(there);
    let known = setup.plan.origins.iter().position(|origin| {
        let scheme = if there.scheme() == "https" { Scheme::Https } else { Scheme::Http };
        !origin.host.is_empty() && origin.scheme == scheme && origin.host.eq_ignore_ascii_case(&authority)
    });
    let bare = || setup.hosts.iter().position(|host| !host.is_empty() && *host == host_of(&authority));
    if let Some(origin) = known.or_else(bare)
        && let Some(at) = setup.place_of.get(origin)
    {
        let base = setup.bound.get(origin).map(|bound| bound.base_path.clone()).unwrap_or_default();
        return Ok((*at, base));
    }
    let why =
        format!("a redirect to {authority}, where this run sends nothing (--map {authority}=URL would)");
    Err(Failure::new(Kind::Redirects, why))
}

fn authority_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("");
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// What is sent in `Host` to another target.
fn host(context: &Context, place_at: usize, there: &Url) -> String {
    match context.setup.places.get(place_at) {
        Some(place) if context.setup.host_header == HostHeader::Target => place.target.authority(),
        _ => authority_of(there),
    }
}

fn cookies_for(
    context: &Context,
    user: &User,
    step: &StepPlan,
    place_at: usize,
    target: &str,
) -> Vec<(String, String)> {
    let setup = &context.setup;
    let own = cookie_place(context, step);
    let origin = setup.place_of.iter().position(|at| *at == place_at);
    let place = setup.places.get(place_at).map(|place| &place.target);
    let path = target.split('?').next().unwrap_or(target);
    let same = setup.place_of.get(step.origin as usize) == Some(&place_at);
    let at = cookies::Place {
        recorded: if same {
            own.recorded
        } else {
            origin.and_then(|at| setup.hosts.get(at)).map_or("", String::as_str)
        },
        target: place.map_or("", |target| target.host.as_str()),
        path,
        secure: place.is_some_and(|target| target.scheme == Scheme::Https) || (same && own.secure),
    };
    let jar = user.jar.borrow();
    let found = jar.matching(at, context.epoch_seconds(context.clock.now()));
    found.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What is other in the next request.
struct To {
    /// Another host is asked.
    host: Option<String>,
    /// It becomes a request without a body.
    drops_body: bool,
    cookies: Vec<(String, String)>,
}

impl To {
    fn head(&self, head: &Head<'_>, bytes: &[u8], method: &Method, target: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + target.len());
        out.extend_from_slice(format!("{method} {target} HTTP/1.1\r\n").as_bytes());
        let mut cookie = false;
        for field in head.fields() {
            let of_body =
                ["content-length", "content-type", "content-encoding", "transfer-encoding", "expect"];
            let of_host = ["authorization", "proxy-authorization", "origin"];
            if (self.drops_body && of_body.iter().any(|name| field.is(name)))
                || (self.host.is_some() && of_host.iter().any(|name| field.is(name)))
            {
                continue;
            }
            let mut line = |name: &[u8], value: &[u8]| {
                for part in [name, b": ", value, b"\r\n"] {
                    out.extend_from_slice(part);
                }
            };
            let name = field.name.as_bytes();
            if field.is("cookie") {
                // Once, whatever it was: what the jar has, over what is recorded for the same host.
                if !std::mem::replace(&mut cookie, true) {
                    let recorded = if self.host.is_some() { &b""[..] } else { field.value };
                    let value = self.cookie(recorded);
                    if !value.is_empty() {
                        line(name, value.as_bytes());
                    }
                }
            } else if field.is("host") {
                line(name, self.host.as_ref().map_or(field.value, |host| host.as_bytes()));
            } else {
                line(name, &field.unfolded());
            }
        }
        let value = if cookie { String::new() } else { self.cookie(b"") };
        if !value.is_empty() {
            out.extend_from_slice(format!("Cookie: {value}\r\n").as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out
    }

    fn cookie(&self, recorded: &[u8]) -> String {
        let recorded = String::from_utf8_lossy(recorded);
        let mut pairs: Vec<(&str, &str)> =
            recorded.split(';').filter_map(|pair| pair.trim().split_once('=')).collect();
        for (name, value) in &self.cookies {
            match pairs.iter_mut().find(|(known, _)| known == name) {
                Some((_, old)) => *old = value,
                None => pairs.push((name, value)),
            }
        }
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }
}
