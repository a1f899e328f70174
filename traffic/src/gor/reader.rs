//! Records out of bytes, one at a time.

use std::io::{self, BufRead, BufReader, Read};

use super::{Kind, Record, SEPARATOR};
use crate::Nanos;

/// Bytes looked at together. A line longer than this is read in pieces.
const PIECE: u64 = 64 << 10;
/// A header that is longer is none.
const MAX_HEADER: usize = 1024;

/// What stands between two separators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it begins, in bytes from the start.
    pub offset: u64,
    /// Whether a separator ends it; the last one of a file that was cut short has none.
    pub separated: bool,
    /// Bytes of the payload beyond the limit, which were not kept.
    pub dropped: u64,
    /// The record, or why it is none.
    pub record: Result<Record, Broken>,
}

/// Why something between separators is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Fewer than three fields.
    #[error("expected a header '<type> <id> <timestamp>'")]
    Header,
    /// A first field that is not `1`, `2` or `3`.
    #[error("expected type 1, 2 or 3 at the beginning of the header")]
    Type,
}

/// Reads records. Memory: one of them, its payload up to a limit.
///
/// A last record that no separator ends is kept. After an error of the underlying reader the iterator gives what came before
/// it, then the error, and ends.
pub struct Reader<R> {
    input: BufReader<R>,
    max_payload: usize,
    offset: u64,
    failed: Option<io::Error>,
    ended: bool,
}

/// A record as it comes in.
#[derive(Default)]
struct Raw {
    header: Vec<u8>,
    in_payload: bool,
    payload: Vec<u8>,
    dropped: u64,
}

impl<R: Read> Reader<R> {
    /// Keeps so many bytes of each payload.
    pub fn new(input: R, max_payload: u64) -> Self {
        Reader {
            input: BufReader::with_capacity(PIECE as usize, input),
            max_payload: usize::try_from(max_payload).unwrap_or(usize::MAX),
            offset: 0,
            failed: None,
            ended: false,
        }
    }

    /// How many bytes have been read.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads up to the next separator, or to the end.
    fn raw(&mut self) -> Option<(u64, bool, Raw)> {
        let mut raw = Raw::default();
        let mut start = self.offset;
        let mut piece = Vec::new();
        let mut line_begins = true;
        loop {
            piece.clear();
            if let Err(error) = self.input.by_ref().take(PIECE).read_until(b'\n', &mut piece) {
                self.failed = Some(error);
                self.ended = true;
            }
            if piece.is_empty() {
                self.ended = true;
                return (!raw.header.is_empty()).then_some((start, false, raw));
            }
            let at = self.offset;
            self.offset += piece.len() as u64;
            // a last line may have lost its line break with the rest of the file
            let separates = line_begins && (piece == SEPARATOR || piece == SEPARATOR.trim_ascii_end());
            line_begins = piece.last() == Some(&b'\n');
            if separates {
                if raw.header.is_empty() {
                    start = self.offset;
                    continue;
                }
                raw.drop_line_break();
                return Some((start, true, raw));
            }
            if raw.in_payload {
                raw.keep(&piece, self.max_payload);
                continue;
            }
            let text = if at == 0 { piece.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&piece) } else { &piece };
            if raw.header.is_empty() && text.trim_ascii().is_empty() {
                start = self.offset;
                continue;
            }
            let room = MAX_HEADER.saturating_sub(raw.header.len()).min(text.len());
            raw.header.extend_from_slice(text.get(..room).unwrap_or_default());
            raw.in_payload = line_begins;
        }
    }
}

impl Raw {
    fn keep(&mut self, piece: &[u8], limit: usize) {
        let room = limit.saturating_sub(self.payload.len()).min(piece.len());
        let room = if self.dropped > 0 { 0 } else { room };
        self.payload.extend_from_slice(piece.get(..room).unwrap_or_default());
        self.dropped += (piece.len() - room) as u64;
    }

    /// The line break before a separator belongs to it.
    fn drop_line_break(&mut self) {
        if self.dropped > 0 {
            self.dropped -= 1;
        } else {
            self.payload.pop();
        }
    }

    fn record(self) -> Result<Record, Broken> {
        let (kind, id, time, latency) = fields(&self.header)?;
        Ok(Record { kind, id, time, latency, payload: self.payload })
    }
}

/// Type, identifier, time and latency.
pub(super) fn fields(header: &[u8]) -> Result<(Kind, String, Option<Nanos>, Option<Nanos>), Broken> {
    let header = String::from_utf8_lossy(header);
    let mut fields = header.split_ascii_whitespace();
    let (Some(kind), Some(id), Some(time)) = (fields.next(), fields.next(), fields.next()) else {
        return Err(Broken::Header);
    };
    let kind = match kind {
        "1" => Kind::Request,
        "2" => Kind::Response,
        "3" => Kind::Replayed,
        _ => return Err(Broken::Type),
    };
    let nanos = |text: &str| text.parse().ok().map(Nanos);
    let time = nanos(time).filter(|time| time.0 > 0);
    Ok((kind, id.to_owned(), time, fields.next().and_then(nanos)))
}

impl<R: Read> Iterator for Reader<R> {
    type Item = io::Result<Found>;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.ended
            && let Some((offset, separated, raw)) = self.raw()
        {
            let dropped = raw.dropped;
            return Some(Ok(Found { offset, separated, dropped, record: raw.record() }));
        }
        self.failed.take().map(Err)
    }
}

impl<R> std::fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("offset", &self.offset)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
