//! Records as lines: what GoReplay and its middleware say to each other.
//!
//! ```text
//! line := hex(header LF payload) LF
//! ```
//!
//! The header is that of a file. Lower-case digits are written, either case is read. Nothing needs escaping, so that there is
//! no payload that does not fit.

use super::reader::fields;
use super::{Broken, Record};

/// Why a line is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// Something that is no hexadecimal digit.
    #[error("byte {byte:#04x} at column {column} is no hexadecimal digit")]
    Digit {
        /// Position in the line, from 1.
        column: usize,
        /// What stands there.
        byte: u8,
    },
    /// Half a byte at the end.
    #[error("an odd number of hexadecimal digits ({0})")]
    Odd(usize),
    /// Nothing tells header and payload apart.
    #[error("no line feed between header and payload")]
    NoPayload,
    /// The header is none.
    #[error(transparent)]
    Header(#[from] Broken),
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

impl Record {
    /// The record as a line of the middleware's protocol, with its line feed.
    pub fn to_line(&self) -> Vec<u8> {
        let header = format!("{}\n", self.header());
        let mut line = Vec::with_capacity(2 * (header.len() + self.payload.len()) + 1);
        for byte in header.as_bytes().iter().chain(&self.payload) {
            line.extend([byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]));
        }
        line.push(b'\n');
        line
    }

    /// Reads a line of the middleware's protocol, with or without its line break. `None`: it is blank.
    ///
    /// # Errors
    /// When it is not the hexadecimal text of a header, a line feed and a payload.
    pub fn from_line(line: &[u8]) -> Result<Option<Record>, BadLine> {
        let text = line.trim_ascii();
        if text.is_empty() {
            return Ok(None);
        }
        let skipped = line.len() - line.trim_ascii_start().len();
        let digit = |at: usize, byte: u8| match (byte as char).to_digit(16) {
            Some(digit) => Ok(digit as u8),
            None => Err(BadLine::Digit { column: skipped + at + 1, byte }),
        };
        let mut bytes = Vec::with_capacity(text.len() / 2);
        let (pairs, rest) = text.as_chunks::<2>();
        for (number, &[high, low]) in pairs.iter().enumerate() {
            bytes.push(digit(2 * number, high)? << 4 | digit(2 * number + 1, low)?);
        }
        if let [last] = rest {
            digit(text.len() - 1, *last)?;
            return Err(BadLine::Odd(text.len()));
        }
        let end = memchr::memchr(b'\n', &bytes).ok_or(BadLine::NoPayload)?;
        let payload = bytes.split_off(end + 1);
        let (kind, id, time, latency) = fields(&bytes)?;
        Ok(Some(Record { kind, id, time, latency, payload }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Nanos;
    use crate::gor::Kind;

    #[test]
    fn a_line_is_the_hex_of_header_and_payload() {
        let record = Record {
            kind: Kind::Request,
            id: "a1".to_owned(),
            time: Some(Nanos(17)),
            latency: Some(Nanos(0)),
            payload: b"GET /\n".to_vec(),
        };
        let line = record.to_line();
        assert_eq!(line, b"3120613120313720300a474554202f0a\n");
        assert_eq!(Record::from_line(&line), Ok(Some(record.clone())));
        let upper = String::from_utf8(line).unwrap().to_ascii_uppercase();
        assert_eq!(Record::from_line(format!(" {}\r\n", upper.trim()).as_bytes()), Ok(Some(record)));
    }

    #[test]
    fn what_is_no_record_is_told_apart() {
        let of = |line: &str| Record::from_line(line.as_bytes());
        for blank in ["", "\n", " \r\n"] {
            assert_eq!(of(blank), Ok(None));
        }
        assert_eq!(of("31 20"), Err(BadLine::Digit { column: 3, byte: b' ' }));
        assert_eq!(of(" 3x\n"), Err(BadLine::Digit { column: 3, byte: b'x' }));
        assert_eq!(of("312"), Err(BadLine::Odd(3)));
        assert_eq!(of("31z"), Err(BadLine::Digit { column: 3, byte: b'z' }));
        assert_eq!(of("312061312031"), Err(BadLine::NoPayload));
        assert_eq!(of("312061310a"), Err(BadLine::Header(Broken::Header)));
        assert_eq!(of("392061203120310a"), Err(BadLine::Header(Broken::Type)));
        let (no, broken) = (of("31z").unwrap_err(), of("392061203120310a").unwrap_err());
        assert_eq!(no.to_string(), "byte 0x7a at column 3 is no hexadecimal digit");
        assert_eq!(broken.to_string(), "expected type 1, 2 or 3 at the beginning of the header");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(kind in 0..3_usize, id in "[!-~]{1,40}", time in 1_u64.., latency: u64, payload: Vec<u8>) {
            let kind = [Kind::Request, Kind::Response, Kind::Replayed][kind];
            let record = Record { kind, id, time: Some(Nanos(time)), latency: Some(Nanos(latency)), payload };
            let line = record.to_line();
            prop_assert_eq!(memchr::memchr(b'\n', &line), Some(line.len() - 1));
            prop_assert_eq!(Record::from_line(&line), Ok(Some(record)));
        }

        #[test]
        fn any_line_is_read_without_panic(line: Vec<u8>, digits in "[0-9a-fA-F\n ]{0,40}") {
            let _ = Record::from_line(&line);
            let _ = Record::from_line(digits.as_bytes());
        }
    }
}
