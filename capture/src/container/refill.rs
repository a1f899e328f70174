use std::io::{self, Read};
use std::ops::Range;

/// Small enough to stay in a core's cache.
const FIRST_SIZE: usize = 256 << 10;

/// A buffer that is filled from a reader and used up from its front.
pub(super) struct Refill {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset of `start` in the file.
    offset: u64,
    ended: bool,
}

impl Refill {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Self {
        Refill { reader, buffer: vec![0; FIRST_SIZE], start: 0, end: 0, offset: 0, ended: false }
    }

    /// Makes `wanted` bytes available; false when the file ends before.
    pub(super) fn need(&mut self, wanted: usize) -> io::Result<bool> {
        while self.end - self.start < wanted {
            if self.ended {
                return Ok(false);
            }
            if self.start + wanted > self.buffer.len() {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
                // by what has come, not by what a header claims: a short file must not cost what its lengths say
                if self.end == self.buffer.len() {
                    self.buffer.resize(self.buffer.len() * 2, 0);
                }
            }
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(n) => self.end += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// What is available.
    pub(super) fn available(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Uses up `length` bytes, which must be available, and says where they stand until the next `need`.
    pub(super) fn take(&mut self, length: usize) -> Range<usize> {
        let length = length.min(self.end - self.start);
        let range = self.start..self.start + length;
        self.start += length;
        self.offset += length as u64;
        range
    }

    /// Bytes that [`Refill::take`] has given.
    pub(super) fn slice(&self, range: Range<usize>) -> &[u8] {
        self.buffer.get(range).unwrap_or_default()
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by fuzzing: a block of 64 MiB in a file of a few bytes cost 64 MiB.
    #[test]
    fn a_length_that_the_file_does_not_hold_costs_nothing() {
        let mut refill = Refill::new(Box::new(io::Cursor::new(vec![7; 1000])));
        assert!(!refill.need(64 << 20).unwrap());
        assert_eq!((refill.available().len(), refill.buffer.len()), (1000, FIRST_SIZE));
    }

    #[test]
    fn it_grows_as_far_as_a_record_needs() {
        let data: Vec<u8> = (0..3 * FIRST_SIZE).map(|n| (n % 251) as u8).collect();
        let mut refill = Refill::new(Box::new(io::Cursor::new(data.clone())));
        assert!(refill.need(10).unwrap());
        refill.take(10);
        assert!(refill.need(2 * FIRST_SIZE).unwrap());
        let range = refill.take(2 * FIRST_SIZE);
        assert_eq!(refill.slice(range), &data[10..10 + 2 * FIRST_SIZE]);
    }
}
