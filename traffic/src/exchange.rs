//! One HTTP request with its response.

use std::fmt;
use std::net::SocketAddr;

use mynah_message::{Head, Message};

/// A point in time, or a span of it, in nanoseconds. A point counts from the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(pub u64);

impl Nanos {
    /// Nanoseconds in one second.
    pub const PER_SECOND: u64 = 1_000_000_000;

    /// The span from `earlier` to `self`; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Nanos) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }

    /// `self` later by `span`, stopping at the largest value.
    #[must_use]
    pub fn plus(self, span: Nanos) -> Nanos {
        Nanos(self.0.saturating_add(span.0))
    }

    /// As seconds, for people and for statistics.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / Self::PER_SECOND as f64
    }

    /// From seconds; negative and not-a-number become zero.
    pub fn from_secs_f64(seconds: f64) -> Nanos {
        Nanos((seconds.max(0.0) * Self::PER_SECOND as f64) as u64)
    }

    /// As the standard library's duration.
    pub fn as_duration(self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.0)
    }
}

impl From<std::time::Duration> for Nanos {
    fn from(span: std::time::Duration) -> Self {
        Nanos(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// Which of an exchange's two messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// What the client sent.
    Request,
    /// What the server answered.
    Response,
}

/// Plain or over TLS, as the client saw it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// `http`
    #[default]
    Http,
    /// `https`
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// The port that an authority without one means.
    pub fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// Identity of the transport connection that carried an exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// Number of the connection, unique within one capture.
    pub id: u64,
    /// Position of this exchange on its connection, from 0.
    pub ordinal: u32,
    /// The client's address, where the source tells it (a HAR does not).
    pub client: Option<SocketAddr>,
    /// The server's address, where the source tells it.
    pub server: Option<SocketAddr>,
    /// Set where the source says for certain which exchanges one client made (a HAR is one browser's): equal numbers,
    /// one client. Unique within one capture.
    pub client_hint: Option<u64>,
}

/// When the messages' first and last bytes passed by, in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// First byte of the request (of the response where no request was seen).
    pub request_first: Nanos,
    /// Last byte of the request.
    pub request_last: Nanos,
    /// First byte of the final response.
    pub response_first: Option<Nanos>,
    /// Last byte of the final response.
    pub response_last: Option<Nanos>,
}

impl Times {
    /// The last moment known of the exchange: it was completed then.
    pub fn end(&self) -> Nanos {
        self.response_last.or(self.response_first).unwrap_or(self.request_last).max(self.request_last)
    }
}

macro_rules! flags {
    ($($(#[$doc:meta])* $variant:ident = $bit:literal, $name:literal;)*) => {
        /// Something that was wrong with an exchange, or that a reader of it must know.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Flag { $($(#[$doc])* $variant = $bit,)* }

        impl Flag {
            /// Every flag there is, in the order of their bits.
            pub const ALL: &'static [Flag] = &[$(Flag::$variant,)*];

            /// The name in `inspect` and in filters.
            pub fn name(self) -> &'static str {
                match self { $(Flag::$variant => $name,)* }
            }
        }
    };
}

flags! {
    /// A message ends before its framing says so: the capture stopped, or the snap length cut it.
    Truncated = 0, "truncated";
    /// Bytes in the middle of a message were never captured.
    Gap = 1, "gap";
    /// The request was seen and no response to it.
    NoResponse = 2, "no-response";
    /// The response was seen and not its request.
    NoRequest = 3, "no-request";
    /// A body was not kept: it could not be decoded for masking, or was over a limit. Head and length stay.
    BodyWithheld = 4, "body-withheld";
    /// The framing could be read in two ways; RFC 9112 §6.3 decided.
    AmbiguousFraming = 5, "ambiguous-framing";
    /// The connection left HTTP here (`101`, or a successful `CONNECT`); what followed was not parsed.
    Upgraded = 6, "upgraded";
    /// Interim (1xx) responses came before the final one.
    Interim = 7, "interim";
    /// The end of the response was told by the end of the connection.
    CloseDelimited = 8, "close-delimited";
    /// The connection was reset before the exchange was complete.
    Reset = 9, "reset";
    /// Start line or header fields break the grammar and were read leniently.
    Malformed = 10, "malformed";
    /// Spoke another version on the wire than the head, written as HTTP/1.1, shows (HTTP/2 in a HAR).
    NotHttp1 = 11, "not-http1";
    /// The response arrived before the request was complete.
    EarlyResponse = 12, "early-response";
    /// Bytes after the message that belong to no message.
    Junk = 13, "junk";
    /// The capture came in after the connection had begun.
    MidStream = 14, "mid-stream";
    /// A body was longer than the limit and only its beginning was kept.
    BodyCut = 15, "body-cut";
}

/// A set of [`Flag`]s.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags(u32);

impl Flags {
    /// From the bits as stored. Bits without a name are kept, so that newer files survive older tools.
    pub fn from_bits(bits: u32) -> Self {
        Flags(bits)
    }

    /// The bits as stored.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Sets `flag`.
    pub fn set(&mut self, flag: Flag) {
        self.0 |= 1 << flag as u32;
    }

    /// Sets every one of `others`.
    pub fn join(&mut self, others: Flags) {
        self.0 |= others.0;
    }

    /// Whether `flag` is set.
    pub fn has(self, flag: Flag) -> bool {
        self.0 & (1 << flag as u32) != 0
    }

    /// Whether no flag is set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The flags that are set.
    pub fn iter(self) -> impl Iterator<Item = Flag> {
        Flag::ALL.iter().copied().filter(move |&flag| self.has(flag))
    }
}

impl FromIterator<Flag> for Flags {
    fn from_iter<I: IntoIterator<Item = Flag>>(flags: I) -> Self {
        let mut set = Flags::default();
        flags.into_iter().for_each(|flag| set.set(flag));
        set
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Flag::name)).finish()
    }
}

/// Where in a message a sensitive value stood, and so where its pseudonym stands now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SensitiveSpan {
    /// In the request or in the response.
    pub side: Side,
    /// In the body (content-decoded) rather than the head.
    pub in_body: bool,
    /// First byte, from the start of the part.
    pub start: u32,
    /// Length in bytes.
    pub len: u32,
    /// What it was found to be: `password`, `card`, `email`, `session`, …
    pub kind: String,
}

/// One HTTP request with its response (if seen).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// The request. Absent when only a response was seen ([`Flag::NoRequest`]).
    pub request: Option<Message>,
    /// The final response. Absent when none was seen ([`Flag::NoResponse`]).
    pub response: Option<Message>,
    /// `http` or `https`.
    pub scheme: Scheme,
    /// Which connection carried it.
    pub connection: Connection,
    /// When its bytes passed by.
    pub times: Times,
    /// What was wrong with it.
    pub flags: Flags,
    /// Where pseudonyms stand; empty before masking.
    pub sensitive: Vec<SensitiveSpan>,
}

impl Exchange {
    /// The parsed request head; `None` without a request or when its head cannot be parsed at all.
    pub fn request_head(&self) -> Option<Head<'_>> {
        self.request.as_ref().and_then(|message| Head::parse(&message.head).ok())
    }

    /// The parsed response head; `None` without a response or when its head cannot be parsed at all.
    pub fn response_head(&self) -> Option<Head<'_>> {
        self.response.as_ref().and_then(|message| Head::parse(&message.head).ok())
    }

    /// Status code of the final response.
    pub fn status(&self) -> Option<u16> {
        self.response_head().and_then(|head| head.status())
    }

    /// The host that the request names, in lower case and without the scheme's default port; else the server's address.
    pub fn host(&self) -> String {
        let named = self.request_head().and_then(|head| head.host().map(str::to_ascii_lowercase));
        match named {
            Some(host) => {
                let default = format!(":{}", self.scheme.default_port());
                host.strip_suffix(&default).map(str::to_owned).unwrap_or(host)
            }
            None => self.connection.server.map(|address| address.to_string()).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_keep_unknown_bits_and_list_known_ones() {
        let mut flags = Flags::from_bits(1 << 31);
        flags.set(Flag::Gap);
        assert_eq!(flags.iter().collect::<Vec<_>>(), [Flag::Gap]);
        assert_eq!(flags.bits(), 1 << 31 | 1 << 1);
    }

    #[test]
    fn end_is_the_last_moment_known() {
        let mut times = Times { request_first: Nanos(1), request_last: Nanos(5), ..Times::default() };
        assert_eq!(times.end(), Nanos(5));
        times.response_first = Some(Nanos(3));
        assert_eq!(
            times.end(),
            Nanos(5),
            "an early response does not end a request that is still being sent"
        );
        times.response_last = Some(Nanos(9));
        assert_eq!(times.end(), Nanos(9));
    }
}
