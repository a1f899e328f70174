//! Records into bytes.

use std::io::{self, Write};

use super::{Kind, Record, SEPARATOR};

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
        let kind = match record.kind {
            Kind::Request => '1',
            Kind::Response => '2',
            Kind::Replayed => '3',
        };
        let (time, latency) = (record.time.unwrap_or_default().0, record.latency.unwrap_or_default().0);
        writeln!(self.output, "{kind} {} {time} {latency}", record.id)?;
        self.output.write_all(&record.payload)?;
        self.output.write_all(b"\n")?;
        self.output.write_all(SEPARATOR)
    }

    /// The output, to flush and to close.
    pub fn into_inner(self) -> W {
        self.output
    }
}
