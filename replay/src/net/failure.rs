//! Why a request has no answer, in the words of the report.

use std::io;
use std::time::Duration;

use mynah_traffic::units::format_duration;
use tokio_rustls::rustls::{AlertDescription, Error as TlsError};

use super::reader::Fault;

/// What errors are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Connect,
    Timeout,
    Reset,
    /// Before anything of an answer came.
    Closed,
    /// In the middle of an answer.
    Truncated,
    Protocol,
    /// An answer that would never end, or takes more than an answer may.
    Limit,
    Tls,
    /// A stream of an HTTP/2 connection was reset.
    Stream,
    /// The server gave an HTTP/2 connection up.
    Goaway,
    /// Redirects that go on for too long, or to where nothing is to be sent.
    Redirects,
    /// The request did not come back from the middleware.
    Middleware,
    /// A script failed, or could not be asked.
    Script,
    /// A server of another protocol answered that it did not do what it was asked.
    ErrorReply,
    Other,
}

impl Kind {
    pub(crate) const ALL: [Kind; 15] = [
        Kind::Connect,
        Kind::Timeout,
        Kind::Reset,
        Kind::Closed,
        Kind::Truncated,
        Kind::Protocol,
        Kind::Limit,
        Kind::Tls,
        Kind::Stream,
        Kind::Goaway,
        Kind::Redirects,
        Kind::Middleware,
        Kind::Script,
        Kind::ErrorReply,
        Kind::Other,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Connect => "connect",
            Kind::Timeout => "timeout",
            Kind::Reset => "reset",
            Kind::Closed => "closed",
            Kind::Truncated => "truncated",
            Kind::Protocol => "protocol",
            Kind::Limit => "limit",
            Kind::Tls => "tls",
            Kind::Stream => "stream_reset",
            Kind::Goaway => "goaway",
            Kind::Redirects => "redirects",
            Kind::Middleware => "middleware",
            Kind::Script => "script",
            Kind::ErrorReply => "error_reply",
            Kind::Other => "other",
        }
    }
}

/// A resource of this machine that ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exhausted {
    Files,
    Ports,
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    pub(crate) exhausted: Option<Exhausted>,
}

// What Linux, macOS and the BSDs agree on: ENFILE and EMFILE.
const NO_FILES: [i32; 2] = [23, 24];

impl Failure {
    pub(crate) fn new(kind: Kind, text: impl Into<String>) -> Failure {
        Failure { kind, text: text.into(), exhausted: None }
    }

    pub(crate) fn timeout(limit: Duration) -> Failure {
        Failure::new(Kind::Timeout, format!("timeout after {}", format_duration(limit.into())))
    }

    pub(crate) fn first_byte_timeout(limit: Duration) -> Failure {
        let limit = format_duration(limit.into());
        Failure::new(Kind::Timeout, format!("nothing of an answer within {limit}"))
    }

    pub(crate) fn connect_timeout(limit: Duration) -> Failure {
        Failure::new(Kind::Timeout, format!("no connection within {}", format_duration(limit.into())))
    }

    /// A connection that could not be made.
    pub(crate) fn connect(error: &io::Error) -> Failure {
        let exhausted = match error.raw_os_error() {
            Some(code) if NO_FILES.contains(&code) => Some(Exhausted::Files),
            _ if error.kind() == io::ErrorKind::AddrNotAvailable => Some(Exhausted::Ports),
            _ => None,
        };
        Failure { kind: Kind::Connect, text: io_text(error), exhausted }
    }

    /// A handshake that failed.
    pub(crate) fn tls(error: &io::Error) -> Failure {
        let text = match error.kind() {
            io::ErrorKind::UnexpectedEof => "connection closed during the handshake".to_owned(),
            _ => match tls_error(error) {
                Some(tls @ (TlsError::InvalidMessage(_) | TlsError::DecryptError)) => {
                    format!("{tls} (does the target speak TLS there?)")
                }
                Some(tls @ TlsError::AlertReceived(AlertDescription::NoApplicationProtocol)) => {
                    format!("{tls} (it speaks no version of HTTP that --http offers)")
                }
                Some(tls) => tls.to_string(),
                None => io_text(error),
            },
        };
        Failure::new(Kind::Tls, format!("TLS: {text}"))
    }

    /// A connection that broke during an exchange.
    pub(crate) fn exchange(error: &io::Error) -> Failure {
        // A server may refuse a client's certificate only after the handshake.
        if tls_error(error).is_some() {
            return Failure::tls(error);
        }
        let kind = match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
                Kind::Reset
            }
            io::ErrorKind::UnexpectedEof => Kind::Closed,
            io::ErrorKind::TimedOut => Kind::Timeout,
            _ => Kind::Other,
        };
        Failure::new(kind, io_text(error))
    }

    /// A response that is none, or is cut short.
    pub(super) fn fault(fault: Fault) -> Failure {
        match fault {
            Fault::Ended => Failure::closed(),
            Fault::Cut(place) => {
                Failure::new(Kind::Truncated, format!("connection closed in the middle of {place}"))
            }
            Fault::Endless(what) => Failure::new(Kind::Limit, format!("given up: {what}")),
            Fault::Malformed(what) => Failure::new(Kind::Protocol, format!("not HTTP: {what}")),
        }
    }

    pub(crate) fn closed() -> Failure {
        Failure::new(Kind::Closed, "connection closed before an answer came")
    }
}

/// What TLS says, where it is that which failed.
fn tls_error(error: &io::Error) -> Option<&TlsError> {
    error.get_ref()?.downcast_ref()
}

/// What the system says, without its number, so that equal failures are counted together.
fn io_text(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::BrokenPipe => "connection broken".to_owned(),
        io::ErrorKind::UnexpectedEof => "connection closed without a word".to_owned(),
        _ => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or(&text);
            let mut chars = text.chars();
            chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exhausted_resources_are_told_apart_from_the_targets_doing() {
        let of = |code| Failure::connect(&io::Error::from_raw_os_error(code));
        assert_eq!(of(24).exhausted, Some(Exhausted::Files));
        assert_eq!(
            Failure::connect(&io::ErrorKind::AddrNotAvailable.into()).exhausted,
            Some(Exhausted::Ports)
        );
        let refused = Failure::connect(&io::ErrorKind::ConnectionRefused.into());
        assert_eq!((refused.text.as_str(), refused.exhausted), ("connection refused", None));
        assert!(!of(113).text.contains("os error"), "{}", of(113).text);
    }
}
