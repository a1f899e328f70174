//! IP addresses of clients: [RFC 791](https://www.rfc-editor.org/rfc/rfc791),
//! [RFC 4291](https://www.rfc-editor.org/rfc/rfc4291), read by the standard library.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::{Found, before, digits, in_word};
use crate::kind::Kind;

/// Whether an address is some host's: not loopback, unspecified, multicast, broadcast.
pub(crate) fn is_hosts(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            !(v4.is_loopback() || v4.is_multicast() || v4.is_broadcast() || v4.octets()[0] == 0)
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_hosts(IpAddr::V4(v4)),
            None => !(v6.is_loopback() || v6.is_unspecified() || v6.is_multicast()),
        },
    }
}

/// The address that a text is from end to end.
pub(crate) fn parse(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Hosts' addresses that give themselves away in a text.
pub(super) fn in_text(text: &[u8], found: &mut Vec<Found>) {
    for range in v4(text) {
        let free = !is_version(text, &range) && !in_authority(text, range.start);
        if free && parse(&text[range.clone()]).is_some_and(is_hosts) {
            found.push(Found { range, kind: Kind::Ip });
        }
    }
    for range in v6(text) {
        let free = !in_authority(text, range.start);
        if free && parse(&text[range.clone()]).is_some_and(is_hosts) {
            found.push(Found { range, kind: Kind::Ip });
        }
    }
}

/// Hosts' addresses in a value that is known to hold some, wherever they stand: `203.0.113.7, [2001:db8::7]:443`.
pub(crate) fn addresses(text: &[u8]) -> Vec<Range<usize>> {
    let mut all: Vec<Range<usize>> = v4(text).into_iter().chain(v6(text)).collect();
    all.sort_by_key(|r| (r.start, std::cmp::Reverse(r.end)));
    let mut end = 0;
    all.retain(|r| {
        let keep = r.start >= end && parse(&text[r.clone()]).is_some_and(is_hosts);
        if keep {
            end = r.end;
        }
        keep
    });
    all
}

/// Whether a value holds an address of any sort.
pub(crate) fn holds_any(text: &[u8]) -> bool {
    parse(text).is_some()
        || !v4(text).is_empty()
        || !v6(text).is_empty()
        || memchr::memmem::find(text, b"::1").is_some()
}

/// How many bytes at the beginning of a text are digits and dots.
pub(super) fn dotted(text: &[u8]) -> usize {
    text.iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count()
}

fn v4(text: &[u8]) -> Vec<Range<usize>> {
    digits::ipv4_candidates(text)
        .filter_map(|start| {
            // A sentence's full stop is no part of it.
            let run = &text[start..start + dotted(&text[start..])];
            let run = run.strip_suffix(b".").unwrap_or(run);
            let end = start + run.len();
            let inside = in_word(before(text, start)) || before(text, start) == Some(&b'.');
            let address = run.len() <= 15 && std::str::from_utf8(run).ok()?.parse::<Ipv4Addr>().is_ok();
            (address && !inside && !in_word(text.get(end))).then_some(start..end)
        })
        .collect()
}

fn v6(text: &[u8]) -> Vec<Range<usize>> {
    let mut all = Vec::new();
    let mut after = 0;
    for colon in memchr::memchr_iter(b':', text) {
        if colon < after {
            continue;
        }
        // Another colon within five bytes, nothing but hex digits between.
        let between = text[colon + 1..].iter().take(5).take_while(|b| b.is_ascii_hexdigit()).count();
        if text.get(colon + 1 + between) != Some(&b':') {
            continue;
        }
        let lead = text[..colon].iter().rev().take(5).take_while(|b| b.is_ascii_hexdigit()).count();
        let start = colon - lead;
        let part = |b: &&u8| b.is_ascii_hexdigit() || matches!(**b, b':' | b'.');
        let run = &text[start..start + text[start..].iter().take(48).take_while(part).count()];
        after = start + run.len();
        if lead > 4 || in_word(before(text, start)) || in_word(text.get(after)) {
            continue;
        }
        let run = run.strip_suffix(b".").unwrap_or(run);
        // `::` is an operator in many languages, and `a::b` a name.
        let telling = run.len() > 6 && run.iter().any(u8::is_ascii_digit);
        if telling && std::str::from_utf8(run).is_ok_and(|t| t.parse::<Ipv6Addr>().is_ok()) {
            all.push(start..start + run.len());
        }
    }
    all
}

/// Whether four numbers are a version rather than an address: `Chrome/12.0.1.2`, `v1.2.3.4`, `1.2.3.4-beta`; or all of them
/// are as small as versions' are, which one in four thousand addresses is.
fn is_version(text: &[u8], range: &Range<usize>) -> bool {
    let named = range.start >= 2
        && before(text, range.start) == Some(&b'/')
        && text.get(range.start - 2).is_some_and(u8::is_ascii_alphanumeric);
    let behind = matches!(text.get(range.end), Some(b'-' | b'+'));
    let labelled = {
        let lead = &text[range.start.saturating_sub(10)..range.start];
        let lead = lead.trim_ascii_end();
        let word = lead.iter().rev().take_while(|b| b.is_ascii_alphabetic()).count();
        let word = &lead[lead.len() - word..];
        [&b"version"[..], b"ver", b"v", b"release", b"build"].iter().any(|w| word.eq_ignore_ascii_case(w))
    };
    let small = parse(&text[range.clone()]).is_some_and(|address| match address {
        IpAddr::V4(v4) => v4.octets()[0] != 10 && v4.octets().iter().all(|octet| *octet < 32),
        IpAddr::V6(_) => false,
    });
    named || behind || labelled || small
}

/// Whether a place is within a URL's authority, where servers stand.
fn in_authority(text: &[u8], at: usize) -> bool {
    let lead = &text[at.saturating_sub(128)..at];
    let lead = lead.strip_suffix(b"[").unwrap_or(lead);
    lead.ends_with(b"//") || {
        // `user:password@` may stand before the host.
        lead.ends_with(b"@")
            && lead.rsplit(|b| b.is_ascii_whitespace() || b"\"'<>".contains(b)).next().is_some_and(|word| {
                memchr::memmem::rfind(word, b"//").is_some_and(|i| !word[i + 2..].contains(&b'/'))
            })
    }
}
