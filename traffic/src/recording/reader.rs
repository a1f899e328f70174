//! Reading a recording: an iterator over its exchanges, whole frames before any damage first.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::codec::{decode, decode_exchange};
use super::header::{Header, LENGTH, MAGIC, VERSION};
use super::summary::{IndexEntry, Summary};
use super::{FOOTER, FOOTER_MAGIC, kind};
use crate::exchange::Exchange;
use crate::frame::{self, Broken, Unpacker};
use crate::{Error, Masked};

/// Reads a recording in the order in which exchanges were completed. Memory: one frame.
///
/// As an iterator it yields every exchange of every whole frame; at damage it yields one [`Error::Damaged`] and ends.
pub struct Reader {
    input: BufReader<Box<dyn Readable>>,
    path: PathBuf,
    header: Header,
    offset: u64,
    unpacker: Unpacker,
    frame: Bytes,
    at: usize,
    current: Option<Exchange>,
    shares: bool,
    summary: Option<Summary>,
    ended: bool,
    done: bool,
}

/// What a recording can be read from.
trait Readable: Read + Seek + Send {}

impl<B: Read + Seek + Send> Readable for B {}

impl Reader {
    /// Whether the first bytes of a file are a recording's.
    pub fn recognises(first: &[u8]) -> bool {
        first.starts_with(MAGIC)
    }

    /// Opens a recording.
    ///
    /// # Errors
    /// When it cannot be read, is something else, was written by a newer mynah, or its header is damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Reader, Error> {
        let path = path.as_ref();
        Self::of(File::open(path).map_err(|error| Error::io(path, error))?, path)
    }

    /// The same from anything that holds a recording from its first byte on; `name` stands in for the path in messages.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn of(input: impl Read + Seek + Send + 'static, name: impl AsRef<Path>) -> Result<Reader, Error> {
        let path = name.as_ref().to_path_buf();
        let io = |error| Error::io(&path, error);
        let input: Box<dyn Readable> = Box::new(input);
        let mut input = BufReader::with_capacity(256 << 10, input);
        let mut first = Vec::new();
        input.by_ref().take(LENGTH as u64).read_to_end(&mut first).map_err(io)?;
        if !Self::recognises(&first) {
            let found = if first.is_empty() {
                "the file is empty".to_owned()
            } else {
                "it begins with other bytes".to_owned()
            };
            return Err(Error::NotA { path, wanted: "recording", found });
        }
        let damaged = |why: String| Error::Damaged { path: path.clone(), offset: 0, why };
        let bytes: &[u8; LENGTH] = first
            .as_slice()
            .try_into()
            .map_err(|_| damaged(format!("the file ends inside its {LENGTH}-byte header")))?;
        let version = u16::from_le_bytes([bytes[8], bytes[9]]);
        if version > VERSION {
            return Err(Error::TooNew { path, found: version, known: VERSION });
        }
        let header = Header::from_bytes(bytes).map_err(damaged)?;
        Ok(Reader {
            input,
            path,
            header,
            offset: LENGTH as u64,
            unpacker: Unpacker::default(),
            frame: Bytes::new(),
            at: 0,
            current: None,
            shares: false,
            summary: None,
            ended: false,
            done: false,
        })
    }

    /// Exchanges are given out without a copy of their bytes: for who looks at one after the other, and keeps none. One that is
    /// kept keeps its whole frame, a mebibyte as a rule.
    #[must_use]
    pub fn sharing(self) -> Reader {
        Reader { shares: true, ..self }
    }

    /// Goes on to the next exchange, which [`Reader::current`] then is: for who does not need it for himself, and is spared
    /// moving it about. `None` at the end.
    ///
    /// # Errors
    /// As the iterator gives them.
    pub fn advance(&mut self) -> Option<Result<(), Error>> {
        self.current = None;
        if self.done {
            return None;
        }
        let exchange = match self.more() {
            Ok(true) => self.next_in_frame(),
            Ok(false) => {
                self.done = true;
                return None;
            }
            Err(error) => Err(error),
        };
        self.done |= exchange.is_err();
        Some(exchange.map(|exchange| self.current = Some(exchange)))
    }

    /// The exchange last come to; may be taken.
    pub fn current(&mut self) -> Option<&mut Exchange> {
        self.current.as_mut()
    }

    /// What the recording says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The summary, once the iterator has come past it (at its end). `None` in a recording that was cut short.
    pub fn summary(&self) -> Option<&Summary> {
        self.summary.as_ref()
    }

    /// Where each exchange stands, by start of request: from the footer's index, or, where that is missing, by reading all.
    ///
    /// # Errors
    /// When reading fails.
    pub fn index(path: impl AsRef<Path>) -> Result<Vec<IndexEntry>, Error> {
        let mut reader = Reader::open(path)?;
        match reader.jump_to_index() {
            Ok(index) if !index.is_empty() => Ok(index),
            // empty: of a recording without exchanges, or of one with too many
            _ => Reader::open(&reader.path)?.rebuild_index(),
        }
    }

    /// The footer can be missing or lie: what it points to must be an index frame that checks out.
    fn jump_to_index(&mut self) -> Result<Vec<IndexEntry>, String> {
        let text = |error: std::io::Error| error.to_string();
        let end = self.input.seek(SeekFrom::End(0)).map_err(text)?;
        self.input.seek(SeekFrom::Start(end.saturating_sub(FOOTER))).map_err(text)?;
        let mut footer = [0; FOOTER as usize];
        self.input.read_exact(&mut footer).map_err(text)?;
        let (offset, magic) = footer.split_at(8);
        if magic != FOOTER_MAGIC {
            return Err("no footer".to_owned());
        }
        let offset = offset.iter().rev().fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
        self.input.seek(SeekFrom::Start(offset)).map_err(text)?;
        match frame::read(&mut self.input) {
            Ok(Some(found)) if found.kind == kind::INDEX => decode(&mut found.bytes.as_slice()),
            _ => Err("no index".to_owned()),
        }
    }

    fn rebuild_index(mut self) -> Result<Vec<IndexEntry>, Error> {
        self.shares = true;
        let mut index = Vec::new();
        loop {
            let frame = self.offset;
            match self.next_frame() {
                Ok(true) => {}
                Ok(false) | Err(Error::Damaged { .. }) => break,
                Err(error) => return Err(error),
            }
            let mut position = 0;
            while self.at < self.frame.len() {
                let exchange = self.next_in_frame()?;
                index.push(IndexEntry { started_ns: exchange.times.request_first.0, frame, position });
                position += 1;
            }
        }
        index.sort_by_key(|entry| entry.started_ns);
        Ok(index)
    }

    fn damaged(&self, why: String) -> Error {
        Error::Damaged { path: self.path.clone(), offset: self.offset, why }
    }

    /// Whether there is another exchange.
    fn more(&mut self) -> Result<bool, Error> {
        Ok(self.at < self.frame.len() || self.next_frame()?)
    }

    /// Loads the next frame of exchanges; `false` at the end.
    fn next_frame(&mut self) -> Result<bool, Error> {
        loop {
            // The footer is no frame: a sealed recording ends with it, right behind the index.
            if self.ended {
                return Ok(false);
            }
            // the room of the frame before, unless an exchange of it is still there
            let frame = std::mem::take(&mut self.frame);
            let room = if frame.is_unique() { Vec::from(frame) } else { Vec::new() };
            match self.unpacker.read(&mut self.input, room) {
                Ok(None) => return Ok(false),
                Ok(Some(found)) => {
                    self.offset += found.length;
                    match found.kind {
                        kind::EXCHANGES => {
                            self.frame = Bytes::from(found.bytes);
                            self.at = 0;
                            return Ok(true);
                        }
                        kind::SUMMARY => self.summary = decode(&mut found.bytes.as_slice()).ok(),
                        kind::INDEX => self.ended = true,
                        // Written by a later version that this one may read: not for us.
                        _ => {}
                    }
                }
                Err(Broken::Io(error)) => return Err(Error::io(&self.path, error)),
                Err(Broken::Torn(why) | Broken::Corrupt(why)) => return Err(self.damaged(why)),
            }
        }
    }

    fn next_in_frame(&mut self) -> Result<Exchange, Error> {
        let rest = self.frame.get(self.at..).unwrap_or_default();
        let (found, used) = decode_exchange(rest)
            .map_err(|error| self.damaged(format!("an exchange cannot be decoded: {error}")))?;
        let exchange = if self.shares {
            found.exchange(|part| self.frame.slice_ref(part))
        } else {
            found.exchange(Bytes::copy_from_slice)
        };
        self.at += used;
        Ok(exchange)
    }
}

impl Iterator for Reader {
    type Item = Result<Masked<Exchange>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.advance()?;
        let taken = item.map(|()| self.current.take().unwrap_or_default());
        Some(taken.map(|exchange| Masked::from_recording(exchange, self.header.provenance)))
    }
}
