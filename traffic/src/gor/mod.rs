//! GoReplay's `.gor` files: what capture reads and export writes.
//!
//! ```text
//! file   := record*
//! record := header LF payload SEP          SEP = LF 🐵🙈🙉 LF
//! header := type SP id SP timestamp [SP latency]
//! ```
//!
//! | field | meaning |
//! |---|---|
//! | type | `1` request, `2` response, `3` response to a replayed request |
//! | id | the same in all records of an exchange; 24 hex digits, in older files 40 |
//! | timestamp | of the first byte, nanoseconds since the Unix epoch |
//! | latency | first to last byte of this message in nanoseconds; of type 3 the round trip |
//!
//! The payload is the message as on the wire: chunked and compressed as it was. There is no file header and no escaping: a
//! line that is exactly `🐵🙈🙉` separates, and the same bytes within a line are data. [`Reader`] and [`Writer`] are streams of
//! one record at a time; [`Exporter`] makes records of exchanges. Compression is the caller's. To middleware a record goes as a
//! line of hexadecimal text ([`Record::to_line`]).

mod exporter;
mod id;
mod line;
mod reader;
#[cfg(test)]
mod tests;
mod wire;
mod writer;

pub use exporter::{Exported, Exporter, records};
pub use id::Id;
pub use line::BadLine;
pub use reader::{Broken, Found, Reader};
pub use writer::Writer;

use crate::Nanos;

/// The line that separates records, with its line break.
pub const SEPARATOR: &[u8] = "🐵🙈🙉\n".as_bytes();

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Type 1.
    Request,
    /// Type 2: the response that was recorded.
    Response,
    /// Type 3: the response that a replayed request got.
    Replayed,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it holds.
    pub kind: Kind,
    /// What the records of one exchange have in common. Not empty, and without white space.
    pub id: String,
    /// When its first byte passed by; `None` when the file does not say so in a way that can be read.
    pub time: Option<Nanos>,
    /// The fourth field. Files before 1.0 lack it for requests.
    pub latency: Option<Nanos>,
    /// The message as on the wire.
    pub payload: Vec<u8>,
}

impl Record {
    /// The header, always with all four fields.
    fn header(&self) -> String {
        let kind = match self.kind {
            Kind::Request => '1',
            Kind::Response => '2',
            Kind::Replayed => '3',
        };
        let (time, latency) = (self.time.unwrap_or_default().0, self.latency.unwrap_or_default().0);
        format!("{kind} {} {time} {latency}", self.id)
    }

    /// Whether a file can hold it: a payload in which the separator stands as a line of its own would end there.
    pub fn fits(&self) -> bool {
        let mark = SEPARATOR.trim_ascii_end();
        let begins = |at: usize| at == 0 || self.payload.get(at - 1) == Some(&b'\n');
        let ends = |at: usize| matches!(self.payload.get(at + mark.len()), None | Some(b'\n'));
        let mut from = 0;
        while let Some(at) = find(self.payload.get(from..).unwrap_or_default(), mark).map(|at| from + at) {
            if begins(at) && ends(at) {
                return false;
            }
            from = at + mark.len();
        }
        !self.id.is_empty() && self.id.bytes().all(|byte| byte.is_ascii_graphic())
    }
}

/// Where `wanted` begins in `text`.
fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, wanted)
}
