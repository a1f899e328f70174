//! Where traffic is sent: scheme, host, port and base path of a URL, or a Unix socket.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use mynah_traffic::Scheme;

use crate::Error;

/// A place to send traffic to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// Host name or address; an IPv6 address without its brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Put before every recorded path; empty, or begins with `/` and does not end with one.
    pub base_path: String,
    /// A socket in the file system that answers in the host's place.
    pub unix: Option<PathBuf>,
}

impl Target {
    /// As it is sent in `Host`: the port only where it is not the scheme's default.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == self.scheme.default_port() { host } else { format!("{host}:{}", self.port) }
    }

    /// `https://staging.example:8443`: scheme and authority, as in `Origin`.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme.as_str(), self.authority())
    }

    /// What tells places apart that connections are made to.
    pub(crate) fn place(&self) -> String {
        match &self.unix {
            Some(path) => format!("unix:{}", path.display()),
            None => self.origin(),
        }
    }

    /// Whether it is this machine.
    pub fn is_loopback(&self) -> bool {
        if self.unix.is_some() {
            return true;
        }
        is_local(&self.host)
            || self.host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.unix {
            None => write!(f, "{}{}", self.origin(), self.base_path),
            Some(path) if self.base_path.is_empty() => write!(f, "unix:{}", path.display()),
            Some(path) => {
                let path = mynah_message::Encoding::Percent.encode(path.to_string_lossy().as_bytes());
                write!(f, "http+unix://{}{}", String::from_utf8_lossy(&path), self.base_path)
            }
        }
    }
}

impl FromStr for Target {
    type Err = Error;

    /// Reads `https://staging.example/base`; without a scheme, `http` is meant. `unix:/run/app.sock` is a socket's path, and
    /// `http+unix://%2Frun%2Fapp.sock/base` one with a base path.
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why: &str| {
            Error::Config(format!(
                "target '{text}': {why}; expected a URL such as https://staging.example:8443"
            ))
        };
        if let Some(socket) = text.trim().strip_prefix("unix:") {
            return at_socket(socket.strip_prefix("//").unwrap_or(socket), "").map_err(|why| wrong(&why));
        }
        if let Some(rest) = text.trim().strip_prefix("http+unix://") {
            let (socket, base) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
            let socket = percent_decoded(socket)
                .ok_or_else(|| wrong("the socket's path is not percent-encoded UTF-8"))?;
            return at_socket(&socket, base).map_err(|why| wrong(&why));
        }
        let whole =
            if text.contains("://") { text.trim().to_owned() } else { format!("http://{}", text.trim()) };
        let url = url::Url::parse(&whole).map_err(|error| wrong(&error.to_string()))?;
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => return Err(wrong(&format!("cannot send over '{other}'"))),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("it holds credentials, which belong in --set-header"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("it holds a query or a fragment"));
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong("it has no host"))?;
        Ok(Target {
            scheme,
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: url.port().unwrap_or(scheme.default_port()),
            base_path: url.path().trim_end_matches('/').to_owned(),
            unix: None,
        })
    }
}

/// Whether it is a name of this machine
/// ([RFC 6761 §6.3](https://www.rfc-editor.org/rfc/rfc6761#section-6.3)).
pub(crate) fn is_local(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// What `sun_path` holds on Linux, its closing zero aside; elsewhere it is less, and the system says so.
const LONGEST_SOCKET: usize = 107;

/// A socket is asked as `localhost`.
fn at_socket(path: &str, base: &str) -> Result<Target, String> {
    if path.is_empty() || path.contains('\0') {
        return Err("it names no socket".to_owned());
    }
    if path.len() > LONGEST_SOCKET {
        return Err(format!(
            "a socket's path has at most {LONGEST_SOCKET} bytes, this one has {}",
            path.len()
        ));
    }
    if base.contains(['?', '#']) {
        return Err("it holds a query or a fragment".to_owned());
    }
    Ok(Target {
        scheme: Scheme::Http,
        host: "localhost".to_owned(),
        port: Scheme::Http.default_port(),
        base_path: base.trim_end_matches('/').to_owned(),
        unix: Some(path.into()),
    })
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after.get(2..)?;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

/// The host of an authority, without its port and brackets, in lower case.
pub(crate) fn host_of(authority: &str) -> String {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => match authority.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => authority,
        },
    };
    host.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let target: Target = "https://Staging.example/api/".parse().unwrap();
        assert_eq!(target.to_string(), "https://staging.example/api");
        assert_eq!((target.port, target.authority().as_str()), (443, "staging.example"));
        let target: Target = "localhost:8080".parse().unwrap();
        assert_eq!((target.origin().as_str(), target.base_path.as_str()), ("http://localhost:8080", ""));
        let target: Target = "http://[::1]:81".parse().unwrap();
        assert_eq!((target.host.as_str(), target.authority().as_str()), ("::1", "[::1]:81"));
        assert!(target.is_loopback());
        for text in ["", "ftp://a", "http://", "http://u:p@a", "http://a/?x=1", "http://a b"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[test]
    fn sockets() {
        for text in ["unix:/run/app.sock", "unix:///run/app.sock", "http+unix://%2Frun%2fapp.sock/"] {
            let target: Target = text.parse().unwrap();
            assert_eq!(target.unix.as_deref(), Some("/run/app.sock".as_ref()), "{text}");
            assert_eq!(
                (target.to_string().as_str(), target.authority().as_str()),
                ("unix:/run/app.sock", "localhost")
            );
            assert!(target.is_loopback());
        }
        let target: Target = "http+unix://%2Frun%2Fan%20app.sock/api/".parse().unwrap();
        assert_eq!(target.base_path, "/api");
        assert_eq!(target.to_string().parse::<Target>().unwrap(), target);
        for text in [
            "unix:",
            "http+unix://",
            "http+unix://%2/",
            "http+unix://%zz",
            "http+unix://a/?x",
            &format!("unix:/{}", "x".repeat(107)),
        ] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[test]
    fn loopback_and_hosts() {
        for (text, wanted) in
            [("127.9.9.9", true), ("shop.localhost", true), ("10.0.0.1", false), ("localhost.example", false)]
        {
            assert_eq!(text.parse::<Target>().unwrap().is_loopback(), wanted, "{text}");
        }
        for (authority, host) in
            [("Shop.Example:8080", "shop.example"), ("[::1]:80", "::1"), ("::1", "::1"), ("a", "a")]
        {
            assert_eq!(host_of(authority), host);
        }
    }
}
