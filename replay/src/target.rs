//! Where traffic is sent: scheme, host, port and base path of a URL.

use std::fmt;
use std::net::IpAddr;
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

    /// Whether it is this machine.
    pub fn is_loopback(&self) -> bool {
        let name = self.host.trim_end_matches('.');
        let local =
            name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost");
        local || self.host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.base_path)
    }
}

impl FromStr for Target {
    type Err = Error;

    /// Reads `https://staging.example/base`; without a scheme, `http` is meant.
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why: &str| {
            Error::Config(format!(
                "target '{text}': {why}; expected a URL such as https://staging.example:8443"
            ))
        };
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
        })
    }
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
