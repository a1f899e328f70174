use std::io::{self, Read};
use std::ops::Range;

use bytes::Bytes;

/// Small enough to stay in a core's cache.
const FIRST_SIZE: usize = 256 << 10;

/// A buffer that is filled from a reader and used up from its front. Where parts of it are still kept by others when more is to be
/// read, it is set aside, and another one taken: two are enough when they let go of them then.
pub(super) struct Refill {
    reader: Box<dyn Read + Send>,
    buffer: Bytes,
    /// The one before, to be used again when nothing of it is kept any more.
    aside: Bytes,
    turned: bool,
    start: usize,
    end: usize,
    /// Offset of `start` in the file.
    offset: u64,
    ended: bool,
}

impl Refill {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Self {
        let buffer = Bytes::from(vec![0; FIRST_SIZE]);
        let aside = Bytes::new();
        Refill { reader, buffer, aside, turned: false, start: 0, end: 0, offset: 0, ended: false }
    }

    /// Makes `wanted` bytes available; false when the file ends before.
    pub(super) fn need(&mut self, wanted: usize) -> io::Result<bool> {
        while self.end - self.start < wanted {
            if self.ended {
                return Ok(false);
            }
            let mut buffer = self.room(wanted);
            let read = self.reader.read(buffer.get_mut(self.end..).unwrap_or_default());
            self.buffer = Bytes::from(buffer);
            match read {
                Ok(0) => self.ended = true,
                Ok(n) => self.end += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Takes the buffer to read more into it, from `end` on.
    fn room(&mut self, wanted: usize) -> Vec<u8> {
        let buffer = std::mem::take(&mut self.buffer);
        if !buffer.is_unique() {
            return self.turn(buffer);
        }
        let mut buffer = Vec::from(buffer);
        if self.start + wanted > buffer.len() {
            buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            // by what has come, not by what a header claims: a short file must not cost what its lengths say
            if self.end == buffer.len() {
                buffer.resize(buffer.len() * 2, 0);
            }
        }
        buffer
    }

    /// Sets the buffer aside and takes the other one, with what is left to use up at its front.
    fn turn(&mut self, old: Bytes) -> Vec<u8> {
        let left = old.get(self.start..self.end).unwrap_or_default();
        let aside = std::mem::take(&mut self.aside);
        let mut buffer = if aside.is_unique() { Vec::from(aside) } else { Vec::new() };
        let needed = if left.len() < old.len() { old.len() } else { old.len() * 2 };
        if buffer.len() < needed {
            buffer = vec![0; needed];
        }
        if let Some(front) = buffer.get_mut(..left.len()) {
            front.copy_from_slice(left);
        }
        (self.start, self.end) = (0, left.len());
        self.aside = old;
        self.turned = true;
        buffer
    }

    /// Whether another buffer is in use since this was last asked.
    pub(super) fn has_turned(&mut self) -> bool {
        std::mem::take(&mut self.turned)
    }

    /// The buffer, of which parts may be kept.
    pub(super) fn whole(&self) -> &Bytes {
        &self.buffer
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
    fn what_is_kept_stays_and_two_buffers_are_enough_when_it_is_let_go() {
        let data: Vec<u8> = (0..20 * FIRST_SIZE).map(|n| (n % 251) as u8).collect();
        let mut refill = Refill::new(Box::new(io::Cursor::new(data.clone())));
        let (mut at, mut kept, mut buffers) = (0, None::<Bytes>, std::collections::BTreeSet::new());
        while refill.need(1000).unwrap() {
            let range = refill.take(1000);
            let part = refill.whole().slice(range);
            assert_eq!(part, data[at..at + 1000]);
            at += 1000;
            if refill.has_turned() {
                assert!(kept.is_some_and(|kept| *kept == data[at - 2000..at - 1000]));
            }
            kept = Some(part);
            buffers.insert(refill.whole().as_ptr());
        }
        assert_eq!((refill.available(), buffers.len()), (&data[at..], 2));
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
