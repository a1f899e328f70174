//! Records into bytes.

use std::io::{self, Write};

use super::{Record, SEPARATOR};

/// Writes records. Give it something buffered.
#[derive(Debug)]
pub struct Writer<W> {
    output: W,
}

impl<W: Write> Writer<W> {
    /// Begins a file, which has no header.
    pub fn new(output: W) -> Self {
        Writer { output }
    }

    /// Writes one record, always with all four fields of the header.
    ///
    /// # Errors
    /// When writing fails, and [`io::ErrorKind::InvalidInput`] for what does not [fit](Record::fits).
    pub fn write(&mut self, record: &Record) -> io::Result<()> {
        if !record.fits() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the payload holds the line that separates records in a .gor file",
            ));
        }
        writeln!(self.output, "{}", record.header())?;
        self.output.write_all(&record.payload)?;
        self.output.write_all(b"\n")?;
        self.output.write_all(SEPARATOR)
    }

    /// The output, to flush and to close.
    pub fn into_inner(self) -> W {
        self.output
    }
}
