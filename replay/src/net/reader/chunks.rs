//! The chunked coding, RFC 9112 §7.1: where the data are, and where it ends.

use super::Fault;

/// Bytes of chunk extensions, over a whole body, and of trailers.
const EXTRA_LIMIT: usize = 64 << 10;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Digits of a size; whether there was one.
    #[default]
    FirstDigit,
    Size,
    /// After the size, to the end of the line.
    Extension,
    Data,
    /// The line's end after the data.
    AfterData,
    AfterDataLf,
    /// At the beginning of a trailer line.
    TrailerStart,
    Trailer,
    /// After the carriage return of the empty line.
    LastLf,
}

/// Where in a chunked body the reader is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::net) struct Chunks {
    phase: Phase,
    size: u64,
    extra: usize,
}

/// What came of some bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::net) struct Step {
    /// The first so many are data.
    pub(in crate::net) data: usize,
    /// So many were used.
    pub(in crate::net) used: usize,
    pub(in crate::net) complete: bool,
}

impl Chunks {
    /// Goes over bytes up to the next change between framing and data.
    pub(in crate::net) fn step(&mut self, bytes: &[u8]) -> Result<Step, Fault> {
        if self.phase == Phase::Data {
            let count = usize::try_from(self.size).unwrap_or(usize::MAX).min(bytes.len());
            self.size -= count as u64;
            if self.size == 0 {
                self.phase = Phase::AfterData;
            }
            return Ok(Step { data: count, used: count, complete: false });
        }
        for (at, &byte) in bytes.iter().enumerate() {
            if self.byte(byte)? {
                return Ok(Step { used: at + 1, complete: true, data: 0 });
            }
            if self.phase == Phase::Data {
                return Ok(Step { used: at + 1, ..Step::default() });
            }
        }
        Ok(Step { used: bytes.len(), ..Step::default() })
    }

    /// One byte of framing; whether it was the last.
    fn byte(&mut self, byte: u8) -> Result<bool, Fault> {
        match (self.phase, byte) {
            (Phase::FirstDigit | Phase::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).unwrap_or(0);
                // The top four bits must be free for another digit.
                if self.size >> 60 != 0 {
                    return Err(Fault::Malformed("a chunk larger than there can be"));
                }
                self.size = self.size << 4 | u64::from(digit);
                self.phase = Phase::Size;
            }
            (Phase::Size | Phase::Extension, b'\n') => {
                self.phase = if self.size == 0 { Phase::TrailerStart } else { Phase::Data };
            }
            (Phase::Size, b';' | b' ' | b'\t' | b'\r') => self.phase = Phase::Extension,
            (Phase::Extension, _) => self.extra("chunk extensions of more than 64 KiB")?,
            (Phase::AfterData, b'\r') => self.phase = Phase::AfterDataLf,
            (Phase::AfterData | Phase::AfterDataLf, b'\n') => self.phase = Phase::FirstDigit,
            (Phase::TrailerStart, b'\r') => self.phase = Phase::LastLf,
            (Phase::TrailerStart | Phase::LastLf, b'\n') => return Ok(true),
            (Phase::Trailer, b'\n') => {
                self.phase = Phase::TrailerStart;
                self.extra("trailers of more than 64 KiB")?;
            }
            (Phase::TrailerStart | Phase::Trailer, _) => {
                self.phase = Phase::Trailer;
                self.extra("trailers of more than 64 KiB")?;
            }
            (Phase::FirstDigit | Phase::Size, _) => {
                return Err(Fault::Malformed("a chunk size that is no number"));
            }
            (Phase::AfterData | Phase::AfterDataLf | Phase::LastLf | Phase::Data, _) => {
                return Err(Fault::Malformed("a chunk that does not end where it should"));
            }
        }
        Ok(false)
    }

    fn extra(&mut self, what: &'static str) -> Result<(), Fault> {
        self.extra += 1;
        if self.extra > EXTRA_LIMIT { Err(Fault::Endless(what)) } else { Ok(()) }
    }
}
