//! Common and combined lines: `client ident user [date] "METHOD target HTTP/x" status size "referer" "user agent"`, also behind a
//! virtual host's name; what stands behind is passed over.

use std::borrow::Cow;
use std::net::IpAddr;

use super::{Bad, Entry, given, time};

pub(super) fn parse(line: &[u8]) -> Result<Entry, Bad> {
    let open = memchr::memmem::find(line, b" [")
        .ok_or_else(|| Bad::new(0, "expected 'client ident user [date] \"request\" status size'"))?;
    let mut entry = Entry::default();
    let before = text(line, 0, open);
    who(&before, &mut entry);
    let date = open + 2;
    let close = memchr::memchr(b']', line.get(date..).unwrap_or_default())
        .map(|at| date + at)
        .ok_or_else(|| Bad::new(date, "expected ']' behind the date"))?;
    let when = text(line, date, close);
    // what was found instead is never said: it may be a secret
    entry.time =
        time(&when).ok_or_else(|| Bad::new(date, "expected a date such as 10/Oct/2000:13:55:36 -0700"))?;
    let mut at = spaces(line, close + 1);
    let request_at = at;
    let request =
        quoted(line, &mut at).ok_or_else(|| Bad::new(request_at, "expected a request in quotes"))?;
    entry.request_line(&request).map_err(|message| Bad::new(request_at + 1, message))?;
    let status_at = spaces(line, at);
    let status = word(line, &mut at);
    entry.status = status
        .parse()
        .ok()
        .filter(|status| (100..1000).contains(status))
        .ok_or_else(|| Bad::new(status_at, "expected a status"))?;
    entry.size = word(line, &mut at).parse().ok();
    let mut extra = || {
        at = spaces(line, at);
        quoted(line, &mut at).and_then(|text| given(&text))
    };
    entry.referer = extra();
    entry.user_agent = extra();
    Ok(entry)
}

/// `client ident user`, or `host:port client ident user`.
fn who(before: &str, entry: &mut Entry) {
    let mut words = before.split_ascii_whitespace();
    let first = words.next().unwrap_or_default();
    let second = words.next().unwrap_or_default();
    let is_address = |text: &str| text.parse::<IpAddr>().is_ok();
    if !is_address(first) && (is_address(second) || words.count() > 1) {
        entry.https = first.ends_with(":443");
        let host = first.strip_suffix(":443").or_else(|| first.strip_suffix(":80")).unwrap_or(first);
        entry.host = given(host);
        second.clone_into(&mut entry.client);
    } else {
        first.clone_into(&mut entry.client);
    }
}

fn text(line: &[u8], from: usize, to: usize) -> Cow<'_, str> {
    String::from_utf8_lossy(line.get(from..to).unwrap_or_default())
}

fn spaces(line: &[u8], from: usize) -> usize {
    from + line.get(from..).unwrap_or_default().iter().take_while(|b| **b == b' ').count()
}

/// What stands up to the next space.
fn word(line: &[u8], at: &mut usize) -> String {
    let from = spaces(line, *at);
    let length = line.get(from..).unwrap_or_default().iter().take_while(|b| **b != b' ').count();
    *at = from + length;
    text(line, from, *at).into_owned()
}

/// What stands in quotes, its escapes (`\"`, `\\`, `\x22`, `\t`) undone.
fn quoted(line: &[u8], at: &mut usize) -> Option<String> {
    let mut rest = line.get(*at..)?.strip_prefix(b"\"")?;
    let mut found = Vec::new();
    loop {
        let (&byte, behind) = rest.split_first()?;
        rest = behind;
        match byte {
            b'"' => break,
            b'\\' => {
                let (&escaped, behind) = rest.split_first()?;
                let hex = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
                let coded = hex.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                match (escaped, coded) {
                    (b'x', Some(coded)) => {
                        found.push(coded);
                        rest = behind.get(2..).unwrap_or_default();
                        continue;
                    }
                    (b'n', _) => found.push(b'\n'),
                    (b'r', _) => found.push(b'\r'),
                    (b't', _) => found.push(b'\t'),
                    (b'"' | b'\\', _) => found.push(escaped),
                    _ => found.extend([b'\\', escaped]),
                }
                rest = behind;
            }
            other => found.push(other),
        }
    }
    *at = line.len() - rest.len();
    Some(String::from_utf8_lossy(&found).into_owned())
}
