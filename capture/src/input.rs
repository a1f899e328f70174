//! Opening an input: standard input, decompression by content, and a look at the first bytes.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use crate::recognise::{describe, recognise};
use crate::{Error, Kind};

/// How many bytes [`recognise`] gets to see.
const LOOK: usize = 64 << 10;
/// A `.gz` in a `.zst` is still opened; deeper nesting is a bomb rather than a capture.
const MAX_NESTING: usize = 2;

/// An opened input whose kind is known. Nothing but its first bytes has been read.
pub struct Input {
    path: PathBuf,
    kind: Kind,
    compressed: bool,
    reader: Box<dyn Read + Send>,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("path", &self.path).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Input {
    /// Opens a file (`-` is standard input), undoes gzip and zstd, and tells what it is.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be opened, [`Error::Unrecognised`] when it is nothing that mynah knows.
    pub fn open(path: &Path) -> Result<Input, Error> {
        if path.as_os_str() == "-" {
            return Input::from_reader(Path::new("<stdin>"), Box::new(io::stdin()));
        }
        let file = File::open(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        if file.metadata().is_ok_and(|data| data.is_dir()) {
            let source = io::Error::new(io::ErrorKind::IsADirectory, "it is a folder");
            return Err(Error::Io { path: path.to_owned(), source });
        }
        Input::from_reader(path, Box::new(file))
    }

    /// The same from any reader; `name` stands in for the path in messages.
    ///
    /// # Errors
    /// As [`Input::open`].
    pub fn from_reader(name: &Path, reader: Box<dyn Read + Send>) -> Result<Input, Error> {
        let fail = |source| Error::Io { path: name.to_owned(), source };
        let (mut first, mut reader) = look(reader).map_err(fail)?;
        let mut compressed = false;
        for _ in 0..MAX_NESTING {
            let inner: Box<dyn Read + Send> = if first.starts_with(&[0x1f, 0x8b]) {
                Box::new(flate2::read::MultiGzDecoder::new(reader))
            } else if first.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
                Box::new(zstd::stream::read::Decoder::new(reader).map_err(fail)?)
            } else {
                break;
            };
            compressed = true;
            (first, reader) = look(inner).map_err(fail)?;
        }
        let Some(kind) = recognise(&first) else {
            return Err(Error::Unrecognised { path: name.to_owned(), found: describe(&first) });
        };
        Ok(Input { path: name.to_owned(), kind, compressed, reader })
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The decompressed bytes from the first on: for kinds that are read elsewhere, such as recordings.
    pub fn into_reader(self) -> Box<dyn Read + Send> {
        self.reader
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a decompressor stands between: its errors are damage to the file, not to the disk.
    pub(crate) fn compressed(&self) -> bool {
        self.compressed
    }
}

/// Reads the first bytes and puts them back. An error behind at least one byte comes up again when they have been read.
fn look(mut reader: Box<dyn Read + Send>) -> io::Result<(Vec<u8>, Box<dyn Read + Send>)> {
    let mut first = vec![0; LOOK];
    let mut filled = 0;
    let mut failed = None;
    while filled < LOOK {
        match reader.read(&mut first[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if filled == 0 => return Err(error),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    first.truncate(filled);
    let again = Cursor::new(first.clone());
    let rest: Box<dyn Read + Send> = match failed {
        Some(error) => Box::new(again.chain(Failing(Some(error)))),
        None => Box::new(again.chain(reader)),
    };
    Ok((first, rest))
}

/// A reader that fails once, then is at its end.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gz(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn open(data: Vec<u8>) -> Result<Input, Error> {
        Input::from_reader(Path::new("x"), Box::new(Cursor::new(data)))
    }

    #[test]
    fn compression_is_undone_by_content() {
        let har = b"{\"log\":{\"entries\":[]}}";
        for data in [
            har.to_vec(),
            gz(har),
            zstd::encode_all(&har[..], 1).unwrap(),
            gz(&zstd::encode_all(&har[..], 1).unwrap()),
        ] {
            let input = open(data).unwrap();
            assert_eq!(input.kind(), Kind::Har);
            let mut all = Vec::new();
            input.into_reader().read_to_end(&mut all).unwrap();
            assert_eq!(all, har);
        }
    }

    #[test]
    fn noise_is_refused() {
        assert!(matches!(open(vec![]), Err(Error::Unrecognised { .. })));
        assert!(matches!(open(gz(b"")), Err(Error::Unrecognised { .. })));
        assert!(matches!(open(b"\x1f\x8bnot gzip".to_vec()), Err(Error::Io { .. })));
        assert!(matches!(Input::open(Path::new("/nonexistent/file")), Err(Error::Io { .. })));
        assert!(matches!(Input::open(Path::new("/")), Err(Error::Io { .. })));
    }
}
