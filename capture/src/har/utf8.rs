use std::io::{self, Read};

/// Bytes that are no UTF-8 become question marks, one each: JSON must be UTF-8, and one stray byte in one body should not
/// cost the rest of the archive. Places stay what they are.
pub(super) struct Lossy<R> {
    inner: R,
    buffer: Vec<u8>,
    /// What has been given out, what may be given out, what has been read.
    given: usize,
    checked: usize,
    filled: usize,
}

impl<R: Read> Lossy<R> {
    pub(super) fn new(inner: R) -> Self {
        Lossy { inner, buffer: vec![0; 64 << 10], given: 0, checked: 0, filled: 0 }
    }

    fn refill(&mut self) -> io::Result<()> {
        // at most three bytes of a character that is not whole yet
        self.buffer.copy_within(self.checked..self.filled, 0);
        self.filled -= self.checked;
        (self.given, self.checked) = (0, 0);
        let read = self.inner.read(&mut self.buffer[self.filled..])?;
        self.filled += read;
        while let Err(error) = std::str::from_utf8(&self.buffer[self.checked..self.filled]) {
            self.checked += error.valid_up_to();
            let wrong = match error.error_len() {
                Some(length) => length,
                None if read == 0 => self.filled - self.checked,
                None => return Ok(()),
            };
            self.buffer[self.checked..self.checked + wrong].fill(b'?');
            self.checked += wrong;
        }
        self.checked = self.filled;
        Ok(())
    }
}

impl<R: Read> Read for Lossy<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.checked {
            let waiting = self.filled - self.checked;
            self.refill()?;
            if self.checked == 0 && self.filled == waiting {
                return Ok(0);
            }
        }
        let length = out.len().min(self.checked - self.given);
        out[..length].copy_from_slice(&self.buffer[self.given..self.given + length]);
        self.given += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives so many bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(out.len()).min(self.0.len());
            let (now, later) = self.0.split_at(length);
            out[..length].copy_from_slice(now);
            self.0 = later;
            Ok(length)
        }
    }

    fn through(data: &[u8], step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        Lossy::new(Slow(data, step)).read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn stray_bytes_are_replaced_one_by_one() {
        for step in 1..8 {
            assert_eq!(through("aé€😀z".as_bytes(), step), "aé€😀z".as_bytes());
            assert_eq!(through(b"caf\xe9 \xff\xfe\xe2\x82", step), b"caf? ????");
        }
    }

    proptest::proptest! {
        #[test]
        fn always_text_and_as_long(data: Vec<u8>, step in 1_usize..9) {
            let out = through(&data, step);
            proptest::prop_assert_eq!(out.len(), data.len());
            proptest::prop_assert!(String::from_utf8(out).is_ok());
        }
    }
}
