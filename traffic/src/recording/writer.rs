//! Writing a recording: a stream of frames into `NAME.partial`, then the seal.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufWriter, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::codec::{ExchangeRef, encode};
use super::header::{Audit, Header, LENGTH};
use super::summary::{IndexEntry, Summary};
use super::{FOOTER_MAGIC, kind, quick};
use crate::exchange::Exchange;
use crate::frame::Packer;
use crate::{Error, Masked, Nanos, Provenance};

/// A frame is closed when it holds this many bytes.
const FRAME_BYTES: usize = 1 << 20;

/// A longer recording gets no index: it would outgrow the memory of who writes it and of who reads it.
/// (In tests it is reached sooner.)
pub(super) const MAX_INDEX: usize = if cfg!(test) { 1 << 10 } else { 1 << 20 };

/// Writes a recording. Memory: one frame, and 24 bytes an exchange for the index, 24 MiB at most.
pub struct Writer {
    out: BufWriter<File>,
    path: PathBuf,
    partial: PathBuf,
    header: Header,
    offset: u64,
    buffer: Vec<u8>,
    buffered: u32,
    buffer_began: Nanos,
    /// Given up, and empty, beyond [`MAX_INDEX`] exchanges.
    index: Vec<IndexEntry>,
    exchanges: u64,
    packer: Packer,
}

/// A recording that is complete but for the audit's word. Dropped, it stays behind as `NAME.partial`.
#[must_use = "a recording gets its name only when it is sealed"]
pub struct Unsealed {
    file: File,
    path: PathBuf,
    partial: PathBuf,
    header: Header,
}

/// `NAME.partial`, beside `NAME`: where a recording is until it is sealed.
pub fn partial_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

/// Whether an earlier attempt left this behind.
fn is_left(partial: &Path) -> Result<bool, Error> {
    match File::open(partial) {
        Ok(file) if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) => {
            let busy = "is being written by another process; name another output, or end that one";
            Err(Error::io(partial, std::io::Error::new(ErrorKind::ResourceBusy, busy)))
        }
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io(partial, error)),
    }
}

/// Gives what an earlier writing of `path` left behind another name, `NAME.partial.1`, so that the next one does not replace it.
/// `None` when there is nothing, or nothing in it.
///
/// # Errors
/// When it is being written just now, or cannot be renamed.
pub fn set_aside(path: &Path) -> Result<Option<PathBuf>, Error> {
    let partial = partial_path(path);
    let empty = |path: &Path| std::fs::metadata(path).is_ok_and(|meta| meta.len() <= LENGTH as u64);
    if !is_left(&partial)? || empty(&partial) {
        return Ok(None);
    }
    let mut number = 1;
    loop {
        let mut name = partial.as_os_str().to_owned();
        name.push(format!(".{number}"));
        let aside = PathBuf::from(name);
        if !aside.exists() {
            std::fs::rename(&partial, &aside).map_err(|error| Error::io(&partial, error))?;
            return Ok(Some(aside));
        }
        number += 1;
    }
}

impl Writer {
    /// Begins `path` as `path.partial` (mode 0600), replacing what an earlier attempt left there.
    ///
    /// # Errors
    /// When the file cannot be created, or another process is writing it.
    pub fn create(path: impl AsRef<Path>, header: &Header) -> Result<Writer, Error> {
        let path = path.as_ref().to_path_buf();
        Writer::begin(partial_path(&path), path, header)
    }

    fn begin(partial: PathBuf, path: PathBuf, header: &Header) -> Result<Writer, Error> {
        let header = Header { audit: Audit::Pending, ..header.clone() };
        // What an earlier attempt left may be readable by others: a new file gets the mode, an old one would keep its own.
        if is_left(&partial)? {
            std::fs::remove_file(&partial).map_err(|error| Error::io(&partial, error))?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&partial).map_err(|error| Error::io(&partial, error))?;
        // Says for as long as it is open that it is being written. Where there are no locks, nothing can be said.
        let _ = file.try_lock();
        let mut out = BufWriter::with_capacity(256 << 10, file);
        let bytes = header.to_bytes();
        out.write_all(&bytes).map_err(|error| Error::io(&partial, error))?;
        Ok(Writer {
            out,
            partial,
            header,
            offset: bytes.len() as u64,
            buffer: Vec::with_capacity(FRAME_BYTES + FRAME_BYTES / 4),
            buffered: 0,
            buffer_began: Nanos(0),
            index: Vec::new(),
            exchanges: 0,
            packer: Packer::new().map_err(|error| Error::io(&path, error))?,
            path,
        })
    }

    /// Where the recording is while it is written.
    pub fn partial_path(&self) -> &Path {
        &self.partial
    }

    /// Bytes of the file so far, without the frame that is not closed yet.
    pub fn bytes(&self) -> u64 {
        self.offset
    }

    /// Exchanges written so far.
    pub fn exchanges(&self) -> u64 {
        self.exchanges
    }

    /// Adds one exchange.
    ///
    /// # Errors
    /// When writing fails, or when the exchange is masked in another way than the header says.
    pub fn write(&mut self, exchange: &Masked<Exchange>) -> Result<(), Error> {
        if exchange.provenance() != self.header.provenance && self.header.provenance == Provenance::Policy {
            return Err(Error::Limit(
                "an exchange that was never masked cannot go into a recording that says it is masked"
                    .to_owned(),
            ));
        }
        let exchange = exchange.get();
        let end = exchange.times.end();
        if self.buffered > 0 && end.since(self.buffer_began).0 >= Nanos::PER_SECOND {
            self.close_frame()?;
        }
        if self.buffered == 0 {
            self.buffer_began = end;
        }
        let before = self.buffer.len();
        quick::write(&ExchangeRef::from(exchange), &mut self.buffer);
        if self.buffered > 0 && self.buffer.len() > FRAME_BYTES {
            // It does not fit with the others: they are closed without it.
            let own = self.buffer.split_off(before);
            self.close_frame()?;
            self.buffer = own;
            self.buffer_began = end;
        }
        if self.exchanges < MAX_INDEX as u64 {
            self.index.push(IndexEntry {
                started_ns: exchange.times.request_first.0,
                frame: self.offset,
                position: self.buffered,
            });
        } else {
            self.index = Vec::new();
        }
        self.exchanges += 1;
        self.buffered += 1;
        if self.buffer.len() >= FRAME_BYTES { self.close_frame() } else { Ok(()) }
    }

    /// Writes out what is buffered, so that a crash costs nothing written before.
    ///
    /// # Errors
    /// When writing fails.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.close_frame()?;
        self.out.flush().map_err(|error| Error::io(&self.partial, error))
    }

    fn close_frame(&mut self) -> Result<(), Error> {
        if self.buffered == 0 {
            return Ok(());
        }
        self.offset += self
            .packer
            .write(&mut self.out, kind::EXCHANGES, &self.buffer)
            .map_err(|error| Error::io(&self.partial, error))?;
        self.buffer.clear();
        self.buffered = 0;
        Ok(())
    }

    /// Ends the recording with its summary and index. It still wants [`Unsealed::seal`].
    ///
    /// # Errors
    /// When writing fails.
    pub fn finish(mut self, summary: &Summary) -> Result<Unsealed, Error> {
        self.close_frame()?;
        let io = |error| Error::io(&self.partial, error);
        let mut bytes = Vec::new();
        encode(summary, &mut bytes).map_err(Error::Limit)?;
        self.offset += self.packer.write(&mut self.out, kind::SUMMARY, &bytes).map_err(io)?;
        self.index.sort_by_key(|entry| entry.started_ns);
        bytes.clear();
        encode(&self.index, &mut bytes).map_err(Error::Limit)?;
        self.packer.write(&mut self.out, kind::INDEX, &bytes).map_err(io)?;
        self.out.write_all(&self.offset.to_le_bytes()).map_err(io)?;
        self.out.write_all(FOOTER_MAGIC).map_err(io)?;
        let file = self.out.into_inner().map_err(|error| Error::io(&self.partial, error.into_error()))?;
        Ok(Unsealed { file, path: self.path, partial: self.partial, header: self.header })
    }
}

impl Unsealed {
    /// Where the recording is until it is sealed: what the audit reads.
    pub fn partial_path(&self) -> &Path {
        &self.partial
    }

    /// Begins the same recording once more, beside this one, which stays whole meanwhile.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn anew(&self) -> Result<Writer, Error> {
        let mut beside = self.partial.as_os_str().to_owned();
        beside.push(".new");
        Writer::begin(PathBuf::from(beside), self.path.clone(), &self.header)
    }

    /// Takes the place of `old`, which this is another writing of.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn replace(mut self, old: Unsealed) -> Result<Unsealed, Error> {
        std::fs::rename(&self.partial, &old.partial).map_err(|error| Error::io(&old.partial, error))?;
        self.partial = old.partial;
        Ok(self)
    }

    /// Writes the audit's word into the header and gives the recording its name.
    ///
    /// # Errors
    /// When writing fails.
    pub fn seal(mut self, audit: Audit) -> Result<PathBuf, Error> {
        self.header.audit = audit;
        let io = |error| Error::io(&self.partial, error);
        self.file.seek(SeekFrom::Start(0)).map_err(io)?;
        self.file.write_all(&self.header.to_bytes()).map_err(io)?;
        self.file.sync_all().map_err(io)?;
        std::fs::rename(&self.partial, &self.path).map_err(|error| Error::io(&self.path, error))?;
        Ok(self.path)
    }

    /// Removes the unsealed file: what an original value was found in must not lie about.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn discard(self) -> Result<(), Error> {
        std::fs::remove_file(&self.partial).map_err(|error| Error::io(&self.partial, error))
    }
}
