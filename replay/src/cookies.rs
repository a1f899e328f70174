//! A virtual user's cookies, after [RFC 6265](https://www.rfc-editor.org/rfc/rfc6265).
//!
//! Cookies belong to *recorded* hosts: a scenario of `www.shop.example` and `api.shop.example` keeps their cookies apart
//! even where both are sent to one target. Two leniences, without which recorded traffic could not be replayed elsewhere: a
//! `Domain` may fit the recorded host or the target's, and `Secure` cookies are also sent where the recorded request went
//! over TLS and the target is plain.

mod date;

use std::net::IpAddr;

use smallvec::SmallVec;

/// Cookies that a jar holds at most; the oldest goes first.
const LIMIT: usize = 600;

/// Where a request goes, for deciding which cookies go with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// Recorded host without port, lower case; empty where the scenario names none.
    pub(crate) recorded: &'a str,
    /// The target's host.
    pub(crate) target: &'a str,
    /// Path of the request, without query, as recorded.
    pub(crate) path: &'a str,
    /// TLS, in the recording or now.
    pub(crate) secure: bool,
}

#[derive(Clone, Debug)]
struct Cookie {
    /// How many were made before it.
    number: u64,
    name: String,
    value: String,
    /// The recorded host for a host-only cookie, else the `Domain`.
    domain: String,
    host_only: bool,
    path: String,
    secure: bool,
    /// Seconds since the Unix epoch.
    expires: Option<i64>,
}

/// Names and values; those of most requests need no memory of their own.
pub(crate) type Sent<'a> = SmallVec<[(&'a str, &'a str); 8]>;

/// The cookies of one virtual user in one session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jar {
    /// As they are sent: longer paths first, then in order of creation (§5.4).
    cookies: Vec<Cookie>,
    made: u64,
}

/// RFC 6265 §5.1.3.
fn domain_match(host: &str, domain: &str) -> bool {
    host == domain
        || (host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
            && host.parse::<IpAddr>().is_err())
}

/// RFC 6265 §5.1.4.
fn path_match(path: &str, cookie: &str) -> bool {
    path == cookie
        || path.strip_prefix(cookie).is_some_and(|rest| cookie.ends_with('/') || rest.starts_with('/'))
}

fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(at) => path.get(..at).unwrap_or("/"),
    }
}

impl Jar {
    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.cookies.is_empty()
    }

    /// Takes in one `Set-Cookie` field, §5.2 and §5.3. `now`: seconds since the Unix epoch.
    pub(crate) fn set(&mut self, field: &str, place: Place<'_>, now: i64) {
        let (pair, attributes) = field.split_once(';').unwrap_or((field, ""));
        let Some((name, value)) = pair.split_once('=') else { return };
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || field.bytes().any(|b| b < 0x20 && b != b'\t') {
            return;
        }
        let mut cookie = Cookie {
            number: self.made,
            name: name.to_owned(),
            value: value.to_owned(),
            domain: place.recorded.to_owned(),
            host_only: true,
            path: default_path(place.path).to_owned(),
            secure: false,
            expires: None,
        };
        let mut max_age = None;
        for attribute in attributes.split(';') {
            let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let (key, value) = (key.trim(), value.trim());
            if key.eq_ignore_ascii_case("max-age") {
                let digits = value.strip_prefix('-').unwrap_or(value);
                if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
                    let seconds = value.parse::<i64>().unwrap_or(i64::MAX);
                    max_age = Some(if value.starts_with('-') || seconds <= 0 { 0 } else { seconds });
                }
            } else if key.eq_ignore_ascii_case("expires") {
                cookie.expires = date::parse(value).or(cookie.expires);
            } else if key.eq_ignore_ascii_case("domain") {
                let domain = value.strip_prefix('.').unwrap_or(value).to_ascii_lowercase();
                if !domain.is_empty() {
                    cookie.host_only = false;
                    cookie.domain = domain;
                }
            } else if key.eq_ignore_ascii_case("path") {
                cookie.path = if value.starts_with('/') {
                    value.to_owned()
                } else {
                    default_path(place.path).to_owned()
                };
            } else if key.eq_ignore_ascii_case("secure") {
                cookie.secure = true;
            }
        }
        // Max-Age wins over Expires wherever it stands.
        if let Some(seconds) = max_age {
            cookie.expires = Some(if seconds == 0 { i64::MIN } else { now.saturating_add(seconds) });
        }
        if !cookie.host_only && !accepts_domain(&mut cookie, place) {
            return;
        }
        let same = |other: &Cookie| {
            other.name == cookie.name && other.domain == cookie.domain && other.path == cookie.path
        };
        let position = self.cookies.iter().position(same);
        let gone = cookie.expires.is_some_and(|at| at <= now);
        match (position, gone) {
            (Some(at), true) => {
                self.cookies.remove(at);
            }
            // In its old place: the creation time of a cookie that is set again stays (§5.3 step 11).
            (Some(at), false) => {
                cookie.number = self.cookies[at].number;
                self.cookies[at] = cookie;
            }
            (None, true) => {}
            (None, false) => {
                if self.cookies.len() >= LIMIT {
                    let oldest = (0..self.cookies.len()).min_by_key(|&at| self.cookies[at].number);
                    oldest.map(|at| self.cookies.remove(at));
                }
                self.made += 1;
                let at = self.cookies.partition_point(|other| other.path.len() >= cookie.path.len());
                self.cookies.insert(at, cookie);
            }
        }
    }

    /// Name and value of what goes with a request, in the order in which it is sent.
    pub(crate) fn matching(&self, place: Place<'_>, now: i64) -> Sent<'_> {
        let goes = |cookie: &&Cookie| {
            let host = if cookie.host_only {
                cookie.domain == place.recorded
            } else {
                domain_match(place.recorded, &cookie.domain) || domain_match(place.target, &cookie.domain)
            };
            host && path_match(place.path, &cookie.path)
                && (place.secure || !cookie.secure)
                && cookie.expires.is_none_or(|at| at > now)
        };
        let found = self.cookies.iter().filter(goes);
        found.map(|cookie| (cookie.name.as_str(), cookie.value.as_str())).collect()
    }
}

/// A `Domain` must take in the host that sets it. One without a dot would take in a whole top-level domain; it is allowed
/// only where it is the host itself, and is host-only then.
fn accepts_domain(cookie: &mut Cookie, place: Place<'_>) -> bool {
    if !cookie.domain.contains('.') || cookie.domain.parse::<IpAddr>().is_ok() {
        if cookie.domain != place.recorded && cookie.domain != place.target {
            return false;
        }
        cookie.host_only = true;
        place.recorded.clone_into(&mut cookie.domain);
        return true;
    }
    domain_match(place.recorded, &cookie.domain) || domain_match(place.target, &cookie.domain)
}

#[cfg(test)]
mod tests;
