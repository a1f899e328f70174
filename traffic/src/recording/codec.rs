//! How an exchange is laid out in bytes: `bincode` 2 in its standard configuration, with a size limit. The only place
//! (with `scenario::sessions`, which calls it) where `bincode` is used, as it is no longer maintained: see the README.

use std::net::SocketAddr;

use bincode::{BorrowDecode, Decode, Encode};
use bytes::Bytes;
use mynah_message::Message;

use super::quick;
use crate::exchange::{Connection, Exchange, Flags, Nanos, Scheme, SensitiveSpan, Side, Times};
use crate::frame::MAX_UNPACKED;

fn config() -> bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<MAX_UNPACKED>,
> {
    bincode::config::standard().with_limit::<MAX_UNPACKED>()
}

/// Appends `value`.
pub(crate) fn encode(value: impl Encode, out: &mut Vec<u8>) -> Result<(), String> {
    bincode::encode_into_std_write(value, out, config()).map(drop).map_err(|error| error.to_string())
}

/// Takes one value off the front of `bytes`.
pub(crate) fn decode<T: Decode<()>>(bytes: &mut &[u8]) -> Result<T, String> {
    let (value, used) = bincode::decode_from_slice(bytes, config()).map_err(|error| error.to_string())?;
    *bytes = bytes.get(used..).unwrap_or_default();
    Ok(value)
}

/// The same of what refers to the bytes; says also how many it took.
pub(super) fn decode_by_type<'a, T: BorrowDecode<'a, ()>>(bytes: &'a [u8]) -> Result<(T, usize), String> {
    bincode::borrow_decode_from_slice(bytes, config()).map_err(|error| error.to_string())
}

/// The exchange that stands first, and how many bytes it took.
pub(super) fn decode_exchange(bytes: &[u8]) -> Result<(ExchangeRef<'_>, usize), String> {
    quick::read(bytes).map_or_else(|| decode_by_type(bytes), Ok)
}

/// A message as stored.
#[derive(Encode, Decode)]
pub(crate) struct MessageCode {
    head: Vec<u8>,
    body: Vec<u8>,
    trailers: Vec<u8>,
}

impl From<&Message> for MessageCode {
    fn from(message: &Message) -> Self {
        MessageCode {
            head: message.head.to_vec(),
            body: message.body.to_vec(),
            trailers: message.trailers.to_vec(),
        }
    }
}

impl From<MessageCode> for Message {
    fn from(code: MessageCode) -> Self {
        Message {
            head: Bytes::from(code.head),
            body: Bytes::from(code.body),
            trailers: Bytes::from(code.trailers),
        }
    }
}

/// The same bytes as a [`MessageCode`], written from where they are, and read where they are.
#[derive(Encode, BorrowDecode)]
pub(super) struct MessageRef<'a> {
    pub(super) head: &'a [u8],
    pub(super) body: &'a [u8],
    pub(super) trailers: &'a [u8],
}

impl<'a> From<&'a Message> for MessageRef<'a> {
    fn from(message: &'a Message) -> Self {
        MessageRef { head: &message.head, body: &message.body, trailers: &message.trailers }
    }
}

#[derive(Encode, Decode)]
pub(super) struct ConnectionCode {
    pub(super) id: u64,
    pub(super) ordinal: u32,
    pub(super) client: Option<SocketAddr>,
    pub(super) server: Option<SocketAddr>,
    pub(super) client_hint: Option<u64>,
}

#[derive(Encode, Decode)]
pub(super) struct TimesCode {
    pub(super) request_first: u64,
    /// The rest relative to the one before, so that they pack small.
    pub(super) request_last: i64,
    pub(super) response_first: Option<i64>,
    pub(super) response_last: Option<i64>,
}

#[derive(Encode, BorrowDecode)]
pub(super) struct SpanRef<'a> {
    pub(super) response: bool,
    pub(super) in_body: bool,
    pub(super) start: u32,
    pub(super) len: u32,
    pub(super) kind: &'a str,
}

/// An exchange as stored in format version 1: written from where its parts are, and read where they are.
#[derive(Encode, BorrowDecode)]
pub(super) struct ExchangeRef<'a> {
    pub(super) request: Option<MessageRef<'a>>,
    pub(super) response: Option<MessageRef<'a>>,
    pub(super) https: bool,
    pub(super) connection: ConnectionCode,
    pub(super) times: TimesCode,
    pub(super) flags: u32,
    pub(super) sensitive: Vec<SpanRef<'a>>,
}

impl<'a> From<&'a Exchange> for ExchangeRef<'a> {
    fn from(exchange: &'a Exchange) -> Self {
        let Exchange { request, response, scheme, connection, times, flags, sensitive } = exchange;
        let after = |time: Nanos| time.0.wrapping_sub(times.request_first.0) as i64;
        ExchangeRef {
            request: request.as_ref().map(Into::into),
            response: response.as_ref().map(Into::into),
            https: *scheme == Scheme::Https,
            connection: ConnectionCode {
                id: connection.id,
                ordinal: connection.ordinal,
                client: connection.client,
                server: connection.server,
                client_hint: connection.client_hint,
            },
            times: TimesCode {
                request_first: times.request_first.0,
                request_last: after(times.request_last),
                response_first: times.response_first.map(after),
                response_last: times.response_last.map(after),
            },
            flags: flags.bits(),
            sensitive: sensitive
                .iter()
                .map(|span| SpanRef {
                    response: span.side == Side::Response,
                    in_body: span.in_body,
                    start: span.start,
                    len: span.len,
                    kind: &span.kind,
                })
                .collect(),
        }
    }
}

impl ExchangeRef<'_> {
    /// The exchange; `keep` makes each of its parts its own.
    pub(super) fn exchange(self, keep: impl Fn(&[u8]) -> Bytes) -> Exchange {
        let first = self.times.request_first;
        let at = |offset: i64| Nanos(first.wrapping_add(offset as u64));
        let part = |bytes: &[u8]| if bytes.is_empty() { Bytes::new() } else { keep(bytes) };
        let message = |message: MessageRef<'_>| Message {
            head: part(message.head),
            body: part(message.body),
            trailers: part(message.trailers),
        };
        Exchange {
            request: self.request.map(message),
            response: self.response.map(message),
            scheme: if self.https { Scheme::Https } else { Scheme::Http },
            connection: Connection {
                id: self.connection.id,
                ordinal: self.connection.ordinal,
                client: self.connection.client,
                server: self.connection.server,
                client_hint: self.connection.client_hint,
            },
            times: Times {
                request_first: Nanos(first),
                request_last: at(self.times.request_last),
                response_first: self.times.response_first.map(at),
                response_last: self.times.response_last.map(at),
            },
            flags: Flags::from_bits(self.flags),
            sensitive: self
                .sensitive
                .into_iter()
                .map(|span| SensitiveSpan {
                    side: if span.response { Side::Response } else { Side::Request },
                    in_body: span.in_body,
                    start: span.start,
                    len: span.len,
                    kind: span.kind.to_owned(),
                })
                .collect(),
        }
    }
}
