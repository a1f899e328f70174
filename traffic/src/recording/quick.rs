//! An exchange read and written as bincode does, by hand: a recording is made of little else, and what is made from the types for any
//! reader and writer takes three times as long. What it would not write is left to it to read, errors too.
//!
//! A number is one byte up to 250, else 251, 252 or 253 and two, four or eight bytes; one with a sign is folded first; an option and
//! a variant begin with a number, text and bytes with their length.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::codec::{ConnectionCode, ExchangeRef, MessageRef, SpanRef, TimesCode};

const LAST_OF_ONE: u8 = 250;
const TWO: u8 = 251;
const FOUR: u8 = 252;
const EIGHT: u8 = 253;

/// What is left to read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    #[inline]
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    /// `most`: how the longest numbers of the type begin.
    #[inline]
    fn number(&mut self, most: u8) -> Option<u64> {
        let [first] = self.array()?;
        match first {
            ..=LAST_OF_ONE => Some(u64::from(first)),
            _ if first > most => None,
            TWO => self.array().map(|bytes| u64::from(u16::from_le_bytes(bytes))),
            FOUR => self.array().map(|bytes| u64::from(u32::from_le_bytes(bytes))),
            EIGHT => self.array().map(u64::from_le_bytes),
            _ => None,
        }
    }

    fn u64(&mut self) -> Option<u64> {
        self.number(EIGHT)
    }

    fn u32(&mut self) -> Option<u32> {
        self.number(FOUR).map(|number| number as u32)
    }

    fn i64(&mut self) -> Option<i64> {
        self.u64().map(|folded| (folded >> 1) as i64 ^ -((folded & 1) as i64))
    }

    fn bool(&mut self) -> Option<bool> {
        match self.array()? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    /// Outer `None` when it cannot be read.
    #[inline]
    #[allow(clippy::option_option)]
    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.bool()? { read(self).map(Some) } else { Some(None) }
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u64()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn message(&mut self) -> Option<MessageRef<'a>> {
        Some(MessageRef { head: self.bytes()?, body: self.bytes()?, trailers: self.bytes()? })
    }

    fn address(&mut self) -> Option<SocketAddr> {
        let ip = match self.u32()? {
            0 => IpAddr::V4(Ipv4Addr::from(self.array::<4>()?)),
            1 => IpAddr::V6(Ipv6Addr::from(self.array::<16>()?)),
            _ => return None,
        };
        Some(SocketAddr::new(ip, self.number(TWO)? as u16))
    }

    fn span(&mut self) -> Option<SpanRef<'a>> {
        Some(SpanRef {
            response: self.bool()?,
            in_body: self.bool()?,
            start: self.u32()?,
            len: self.u32()?,
            kind: std::str::from_utf8(self.bytes()?).ok()?,
        })
    }
}

/// Reads the exchange that stands first, and says how many bytes it took. `None` where bincode should say what is wrong.
pub(super) fn read(bytes: &[u8]) -> Option<(ExchangeRef<'_>, usize)> {
    let mut input = Input(bytes);
    let exchange = ExchangeRef {
        request: input.option(Input::message)?,
        response: input.option(Input::message)?,
        https: input.bool()?,
        connection: ConnectionCode {
            id: input.u64()?,
            ordinal: input.u32()?,
            client: input.option(Input::address)?,
            server: input.option(Input::address)?,
            client_hint: input.option(Input::u64)?,
        },
        times: TimesCode {
            request_first: input.u64()?,
            request_last: input.i64()?,
            response_first: input.option(Input::i64)?,
            response_last: input.option(Input::i64)?,
        },
        flags: input.u32()?,
        sensitive: (0..input.u64()?).map(|_| input.span()).collect::<Option<_>>()?,
    };
    Some((exchange, bytes.len() - input.0.len()))
}

/// Appends an exchange.
pub(super) fn write(exchange: &ExchangeRef<'_>, out: &mut Vec<u8>) {
    let ExchangeRef { request, response, https, connection, times, flags, sensitive } = exchange;
    // the bytes of both messages, and more than the rest takes where nothing is sensitive
    let length = |message: &Option<MessageRef<'_>>| {
        message.as_ref().map_or(0, |message| message.head.len() + message.body.len() + message.trailers.len())
    };
    out.reserve(length(request) + length(response) + 256);
    for message in [request, response] {
        out.push(u8::from(message.is_some()));
        for part in message.iter().flat_map(|message| [message.head, message.body, message.trailers]) {
            put_bytes(part, out);
        }
    }
    out.push(u8::from(*https));
    put(connection.id, out);
    put(u64::from(connection.ordinal), out);
    for address in [connection.client, connection.server] {
        out.push(u8::from(address.is_some()));
        match address.map(|address| (address.ip(), address.port())) {
            Some((IpAddr::V4(ip), port)) => {
                put(0, out);
                out.extend_from_slice(&ip.octets());
                put(u64::from(port), out);
            }
            Some((IpAddr::V6(ip), port)) => {
                put(1, out);
                out.extend_from_slice(&ip.octets());
                put(u64::from(port), out);
            }
            None => {}
        }
    }
    put_option(connection.client_hint, out);
    put(times.request_first, out);
    put(folded(times.request_last), out);
    put_option(times.response_first.map(folded), out);
    put_option(times.response_last.map(folded), out);
    put(u64::from(*flags), out);
    put(sensitive.len() as u64, out);
    for span in sensitive {
        out.extend_from_slice(&[u8::from(span.response), u8::from(span.in_body)]);
        put(u64::from(span.start), out);
        put(u64::from(span.len), out);
        put_bytes(span.kind.as_bytes(), out);
    }
}

/// The sign where it costs least: 0, -1, 1, -2, …
fn folded(number: i64) -> u64 {
    (number << 1 ^ number >> 63) as u64
}

#[inline]
fn put(number: u64, out: &mut Vec<u8>) {
    if number <= u64::from(LAST_OF_ONE) {
        out.push(number as u8);
    } else if let Ok(number) = u16::try_from(number) {
        let [a, b] = number.to_le_bytes();
        out.extend_from_slice(&[TWO, a, b]);
    } else if let Ok(number) = u32::try_from(number) {
        let [a, b, c, d] = number.to_le_bytes();
        out.extend_from_slice(&[FOUR, a, b, c, d]);
    } else {
        out.push(EIGHT);
        out.extend_from_slice(&number.to_le_bytes());
    }
}

fn put_option(number: Option<u64>, out: &mut Vec<u8>) {
    out.push(u8::from(number.is_some()));
    if let Some(number) = number {
        put(number, out);
    }
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use mynah_message::Message;
    use proptest::prelude::*;

    use super::super::codec::{decode_by_type, encode};
    use super::*;
    use crate::exchange::{Connection, Exchange, Flags, Nanos, Scheme, SensitiveSpan, Side, Times};

    /// Numbers of every length.
    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![
            0_u64..260,
            any::<u16>().prop_map(u64::from),
            any::<u32>().prop_map(u64::from),
            any::<u64>()
        ]
    }

    fn message() -> impl Strategy<Value = Option<Message>> {
        let part = || prop::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from);
        prop::option::of((part(), part(), part()).prop_map(|(head, body, trailers)| Message {
            head,
            body,
            trailers,
        }))
    }

    fn address() -> impl Strategy<Value = Option<SocketAddr>> {
        prop::option::of((any::<IpAddr>(), any::<u16>()).prop_map(SocketAddr::from))
    }

    fn exchange() -> impl Strategy<Value = Exchange> {
        let span = (any::<bool>(), any::<bool>(), number(), number(), ".{0,8}");
        let spans = prop::collection::vec(span, 0..4);
        let connection = (number(), number(), address(), address(), prop::option::of(number()));
        let times = (number(), number(), prop::option::of(number()), prop::option::of(number()));
        (message(), message(), any::<bool>(), connection, times, number(), spans).prop_map(
            |(request, response, https, (id, ordinal, client, server, client_hint), times, flags, spans)| {
                Exchange {
                    request,
                    response,
                    scheme: if https { Scheme::Https } else { Scheme::Http },
                    connection: Connection { id, ordinal: ordinal as u32, client, server, client_hint },
                    times: Times {
                        request_first: Nanos(times.0),
                        request_last: Nanos(times.1),
                        response_first: times.2.map(Nanos),
                        response_last: times.3.map(Nanos),
                    },
                    flags: Flags::from_bits(flags as u32),
                    sensitive: spans
                        .into_iter()
                        .map(|(response, in_body, start, len, kind)| SensitiveSpan {
                            side: if response { Side::Response } else { Side::Request },
                            in_body,
                            start: start as u32,
                            len: len as u32,
                            kind,
                        })
                        .collect(),
                }
            },
        )
    }

    /// What is read by hand is what is read by type.
    fn agrees(bytes: &[u8]) -> Result<(), TestCaseError> {
        if let Some((found, used)) = read(bytes) {
            let (same, length) = decode_by_type::<ExchangeRef<'_>>(bytes).map_err(TestCaseError::fail)?;
            prop_assert_eq!(used, length);
            prop_assert_eq!(found.exchange(Bytes::copy_from_slice), same.exchange(Bytes::copy_from_slice));
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn the_same_bytes_and_the_same_exchanges(exchange in exchange(), behind: Vec<u8>, flip in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let code = ExchangeRef::from(&exchange);
            let (mut own, mut types) = (Vec::new(), Vec::new());
            write(&code, &mut own);
            encode(&code, &mut types).unwrap();
            prop_assert_eq!(&own, &types);
            let length = own.len();
            own.extend(behind);
            let (read, used) = read(&own).unwrap();
            prop_assert_eq!(used, length);
            prop_assert_eq!(read.exchange(Bytes::copy_from_slice), exchange);
            for cut in [length / 2, length - 1] {
                prop_assert!(super::read(&own[..cut]).is_none());
            }
            let at = flip.index(length);
            own[at] ^= 1_u8 << bit;
            agrees(&own)?;
        }

        #[test]
        fn any_bytes(data: Vec<u8>) {
            agrees(&data)?;
        }
    }
}
