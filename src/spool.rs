//! Standard input and pipes as inputs like any other: what comes in is kept in a file without a name, because masking reads its
//! input twice. It is not masked yet, so on the disk it is encrypted, under a key that only this process has.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _, StreamCipherSeek as _};
use rand::TryRng as _;
use zeroize::Zeroizing;

use crate::exit::{Exit, Exits, Failure, fail};
use crate::interrupt;
use crate::progress::Progress;

/// Bytes read together.
const PIECE: usize = 256 << 10;

/// The key of one spool. Used for one stream of bytes only, so that the nonce may be nought.
#[derive(Clone)]
struct Secret(Arc<Zeroizing<[u8; 32]>>);

impl Secret {
    fn random() -> Result<Secret, Failure> {
        let mut key = Zeroizing::new([0; 32]);
        rand::rngs::SysRng.try_fill_bytes(key.as_mut_slice()).exits(Exit::Internal)?;
        Ok(Secret(Arc::new(key)))
    }

    /// Encrypts or decrypts bytes that stand at this offset.
    fn apply(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        let mut cipher = ChaCha20::new((&**self.0).into(), &[0; 12].into());
        let done = cipher.try_seek(at).and_then(|()| cipher.try_apply_keystream(bytes));
        done.map_err(|_| io::Error::other("more than 256 GiB"))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What came by standard input or a pipe. Clones read independently of each other.
#[derive(Clone, Debug)]
pub(crate) struct Spool {
    file: Arc<File>,
    secret: Secret,
    at: u64,
    length: u64,
}

impl Spool {
    /// Reads standard input to its end. The file has no name, is readable by nobody else, and is gone with the process.
    pub(crate) fn stdin() -> Result<Spool, Failure> {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            return Err(fail(
                Exit::Usage,
                "standard input is a terminal; pipe a capture into it, as in: tcpdump -w - | mynah capture - -o F.mynah",
            ));
        }
        interrupt::leave_to_the_writer()?;
        Spool::of(stdin.lock(), "standard input")
    }

    /// Reads a pipe to its end: `<(zcat site.pcap.gz)`. Nobody may ever write into it: Ctrl-C ends the process as it does elsewhere.
    pub(crate) fn pipe(path: &Path) -> Result<Spool, Failure> {
        let file =
            File::open(path).map_err(|error| mynah_traffic::Error::io(path, error)).exits(Exit::Input)?;
        Spool::of(file, &path.display().to_string())
    }

    /// Keeps what a reader gives that is called by that name.
    fn of(mut reader: impl Read, name: &str) -> Result<Spool, Failure> {
        let disk = |error: &io::Error| disk(error, name);
        let mut file = tempfile::tempfile().map_err(|error| disk(&error)).exits(Exit::Usage)?;
        let mut progress = Progress::new(format!("reading {name}"));
        let secret = Secret::random()?;
        let mut piece = vec![0; PIECE];
        let mut length = 0;
        loop {
            let read = match reader.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(fail(Exit::Input, format!("{name}: {error}"))),
            };
            let read = piece.get_mut(..read).unwrap_or_default();
            secret.apply(read, length).map_err(|error| disk(&error)).exits(Exit::Usage)?;
            io::Write::write_all(&mut file, read).map_err(|error| disk(&error)).exits(Exit::Usage)?;
            length += read.len() as u64;
            progress.text(&format!("reading {name}: {}", mynah_traffic::units::format_bytes(length)));
        }
        Ok(Spool { file: Arc::new(file), secret, at: 0, length })
    }

    /// From the first byte on.
    pub(crate) fn reader(&self) -> Spool {
        Spool { at: 0, ..self.clone() }
    }
}

/// Whether a path names a pipe, of which nothing can be read twice.
#[cfg(unix)]
pub(crate) fn is_pipe(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    std::fs::metadata(path).is_ok_and(|meta| meta.file_type().is_fifo())
}

#[cfg(not(unix))]
pub(crate) fn is_pipe(_path: &Path) -> bool {
    false
}

fn disk(error: &io::Error, name: &str) -> io::Error {
    let kind = error.kind();
    io::Error::new(kind, format!("{name} cannot be kept in {}: {error}", std::env::temp_dir().display()))
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}

impl Read for Spool {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = read_at(&self.file, buffer, self.at)?;
        self.secret.apply(buffer.get_mut(..read).unwrap_or_default(), self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Spool {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at =
            at.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a position before the beginning"))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_read_independently() {
        let spool = Spool::of(&b"0123456789"[..], "digits").unwrap();
        let mut kept = [0; 10];
        assert_eq!(read_at(&spool.file, &mut kept, 0).unwrap(), 10);
        assert_ne!(&kept, b"0123456789", "encrypted");
        let (mut one, mut two) = (spool.reader(), spool.reader());
        let mut four = [0; 4];
        one.read_exact(&mut four).unwrap();
        let mut all = String::new();
        two.read_to_string(&mut all).unwrap();
        assert_eq!((&four, all.as_str()), (b"0123", "0123456789"));
        assert_eq!(one.seek(SeekFrom::End(-2)).unwrap(), 8);
        let mut rest = String::new();
        one.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "89");
        assert!(one.seek(SeekFrom::Current(-100)).is_err());
    }
}
