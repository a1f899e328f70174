//! Why a request has no answer, in the words of the report.

use std::io;
use std::time::Duration;

use mynah_traffic::units::format_duration;

use super::reader::Fault;

/// What errors are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Connect,
    Timeout,
    Reset,
    Closed,
    Protocol,
    Tls,
    /// The request did not come back from the middleware.
    Middleware,
    Other,
}

impl Kind {
    pub(crate) const ALL: [Kind; 8] = [
        Kind::Connect,
        Kind::Timeout,
        Kind::Reset,
        Kind::Closed,
        Kind::Protocol,
        Kind::Tls,
        Kind::Middleware,
        Kind::Other,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Connect => "connect",
            Kind::Timeout => "timeout",
            Kind::Reset => "reset",
            Kind::Closed => "closed",
            Kind::Protocol => "protocol",
            Kind::Tls => "tls",
            Kind::Middleware => "middleware",
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
        let tls = error
            .get_ref()
            .is_some_and(<dyn std::error::Error + Send + Sync>::is::<tokio_rustls::rustls::Error>);
        let kind = if tls { Kind::Tls } else { Kind::Connect };
        let text = if tls { format!("TLS: {error}") } else { io_text(error) };
        Failure { kind, text, exhausted }
    }

    /// A connection that broke during an exchange.
    pub(crate) fn exchange(error: &io::Error) -> Failure {
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
            Fault::Malformed(what) => Failure::new(Kind::Protocol, format!("not HTTP: {what}")),
        }
    }

    pub(crate) fn closed() -> Failure {
        Failure::new(Kind::Closed, "connection closed before the answer was complete")
    }
}

/// What the system says, without its number, so that equal failures are counted together.
fn io_text(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::BrokenPipe => "connection broken".to_owned(),
        io::ErrorKind::UnexpectedEof => "connection closed before the answer was complete".to_owned(),
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
