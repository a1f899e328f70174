//! Tells inputs apart by their first bytes; names never count.

use mynah_traffic::{gor, recording};

use crate::access_log::is_json_line;

/// How many lines are looked at for one of an access log.
const LOG_LINES: usize = 20;

/// What an input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A libpcap file, micro- or nanoseconds, either byte order.
    Pcap,
    /// A pcapng file.
    Pcapng,
    /// An HTTP archive 1.1 or 1.2.
    Har,
    /// A `.mynah` recording. Read by `mynah_traffic::recording`, not by this crate.
    Recording,
    /// A GoReplay file.
    Gor,
    /// An access log: combined or common lines, or JSON lines.
    AccessLog,
}

impl Kind {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Pcap => "pcap",
            Kind::Pcapng => "pcapng",
            Kind::Har => "HAR",
            Kind::Recording => "mynah recording",
            Kind::Gor => "GoReplay file (.gor)",
            Kind::AccessLog => "access log",
        }
    }
}

/// Tells what an input is from its first bytes (up to 64 KiB help; already decompressed). `None` for what is unknown.
pub fn recognise(first: &[u8]) -> Option<Kind> {
    let magic = first.first_chunk::<4>();
    match magic {
        Some(
            [0xa1, 0xb2, 0xc3, 0xd4]
            | [0xd4, 0xc3, 0xb2, 0xa1]
            | [0xa1, 0xb2, 0x3c, 0x4d]
            | [0x4d, 0x3c, 0xb2, 0xa1]
            | [0x34, 0xcd, 0xb2, 0xa1],
        ) => return Some(Kind::Pcap),
        Some([0x0a, 0x0d, 0x0d, 0x0a]) => {
            let order = first.get(8..12);
            let known = matches!(order, Some([0x1a, 0x2b, 0x3c, 0x4d] | [0x4d, 0x3c, 0x2b, 0x1a]));
            return known.then_some(Kind::Pcapng);
        }
        _ => {}
    }
    if first.starts_with(recording::MAGIC) {
        return Some(Kind::Recording);
    }
    let text = without_mark(first).trim_ascii_start();
    let line = text.split(|&b| b == b'\n').next().unwrap_or_default();
    if text.first() == Some(&b'{') {
        if is_json_line(line) {
            return Some(Kind::AccessLog);
        }
        return memchr::memmem::find(text, b"\"log\"").map(|_| Kind::Har);
    }
    let separated = || memchr::memmem::find(first, gor::SEPARATOR.trim_ascii_end()).is_some();
    if is_gor_line(line, 24) || (is_gor_line(line, 1) && separated()) {
        return Some(Kind::Gor);
    }
    is_log(text).then_some(Kind::AccessLog)
}

/// `text` without a UTF-8 byte order mark.
pub(crate) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// `1 <id> <nanoseconds>[ <nanoseconds>]`, the head line of a GoReplay record, whose id has so many hexadecimal digits or more.
/// A time may be anything that is no word, since some writers fail at it.
fn is_gor_line(line: &[u8], id_digits: usize) -> bool {
    let mut words = line.trim_ascii_end().split(|&b| b == b' ');
    let kind = words.next().is_some_and(|w| matches!(w, [b'1'..=b'3']));
    let id = words.next().is_some_and(|w| {
        w.len() >= id_digits
            && w.iter().all(|b| b.is_ascii_hexdigit() || (id_digits == 1 && b.is_ascii_graphic()))
    });
    let times: Vec<&[u8]> = words.collect();
    kind && id
        && (1..=2).contains(&times.len())
        && times.iter().all(|w| !w.is_empty() && w.iter().all(|b| b.is_ascii_digit() || *b == b'-'))
}

/// Whether one of the first lines is a log's; it may begin with a comment or with what a scanner sent.
fn is_log(text: &[u8]) -> bool {
    text.split(|&b| b == b'\n').take(LOG_LINES).any(is_log_line)
}

/// `client ident user [date] "METHOD target HTTP/x" status …`
fn is_log_line(line: &[u8]) -> bool {
    let Some(open) = memchr::memmem::find(line, b" [") else { return false };
    let Some(close) = memchr::memmem::find(&line[open..], b"] \"") else { return false };
    let request = &line[open + close + 3..];
    let Some(end) = memchr::memchr(b'"', request) else { return false };
    memchr::memmem::find(&request[..end], b" HTTP/").is_some()
}

/// What unknown bytes look like, for the error message.
pub(crate) fn describe(first: &[u8]) -> String {
    const KNOWN: &[(&[u8], &str)] = &[
        (b"\x7fELF", "an ELF program"),
        (b"PK\x03\x04", "a zip archive (unpack it first)"),
        (b"BZh", "a bzip2 file (unpack it first)"),
        (b"\xfd7zXZ\0", "an xz file (unpack it first)"),
        (b"snoop\0", "a Solaris snoop file (convert it with editcap)"),
        (b"%PDF", "a PDF document"),
        (b"\x89PNG", "a PNG image"),
        (b"\xa1\xb2\xcd\x34", "a modified big-endian pcap file (convert it with editcap)"),
        (b"\x0a\x0d\x0d\x0a", "a pcapng section header with an unknown byte order mark"),
        (b"CLIENT_RANDOM ", "a TLS key log"),
        (b"# SSL/TLS secrets log", "a TLS key log"),
    ];
    if first.is_empty() {
        return "an empty file".to_owned();
    }
    if let Some((_, name)) = KNOWN.iter().find(|(magic, _)| first.starts_with(magic)) {
        return (*name).to_owned();
    }
    let text = without_mark(first).trim_ascii_start();
    let shown = &text[..text.len().min(40)];
    match text.first() {
        None => return "nothing but white space".to_owned(),
        Some(b'{') => {
            return "JSON that is neither a HAR (no \"log\" object) nor an access log with one object a line"
                .to_owned();
        }
        Some(b'[') => return "a JSON array".to_owned(),
        _ => {}
    }
    if shown.iter().all(|b| (b' '..0x7f).contains(b) || b.is_ascii_whitespace()) {
        // Not quoted: what is captured here may be a secret.
        return "text of another kind".to_owned();
    }
    let bytes: Vec<String> = first.iter().take(8).map(|b| format!("{b:02x}")).collect();
    format!("unknown bytes {}", bytes.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn told_by_content() {
        for (bytes, kind) in [
            (&b"\xd4\xc3\xb2\xa1\x02\0\x04\0"[..], Some(Kind::Pcap)),
            (b"\xa1\xb2\x3c\x4d\0\x02", Some(Kind::Pcap)),
            (b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a", Some(Kind::Pcapng)),
            (b"\x0a\x0d\x0d\x0a\x1c\0\0\0\0\0\0\0", None),
            (b"\xef\xbb\xbf\r\n{ \"log\": {", Some(Kind::Har)),
            (b"{\"lag\":1}", None),
            (b"1 932079936fa4306fc308d67588178d17d823647c 1439818823587396305\nGET /", Some(Kind::Gor)),
            (b"2 932079936fa4306fc308d675 1439818823587396305 200\n", Some(Kind::Gor)),
            ("1 own-id 17 5\nGET / HTTP/1.1\r\n\r\n\n🐵🙈🙉\n".as_bytes(), Some(Kind::Gor)),
            (b"1 own-id 17 5\nGET / HTTP/1.1\r\n", None),
            (b"1 apple 2 pears\n", None),
            (
                b"10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] \"GET /a HTTP/1.0\" 200 2326\n",
                Some(Kind::AccessLog),
            ),
            (
                b"# by nginx\n::1 - - [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.1\" 200 1 \"-\" \"x\"\n",
                Some(Kind::AccessLog),
            ),
            (b"{\"ts\":1,\"uri\":\"/\",\"status\":200}\n{\"ts\":2", Some(Kind::AccessLog)),
            (b"{\"log\":{\"entries\":[]},\"a\":1,\"b\":2}\n", Some(Kind::Har)),
            (b"\x89MYNAH\r\n", Some(Kind::Recording)),
            (b"", None),
            (b"\0", None),
        ] {
            assert_eq!(recognise(bytes), kind, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn unknown_bytes_are_described() {
        assert_eq!(describe(b""), "an empty file");
        assert_eq!(describe(b"hello there\nyou"), "text of another kind");
        assert_eq!(describe(b"\x01\x02"), "unknown bytes 01 02");
        assert!(describe(b" {\"a\":1}").contains("JSON"));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_looked_at_without_panic(bytes: Vec<u8>) {
            let _ = recognise(&bytes);
            let _ = describe(&bytes);
        }
    }
}
