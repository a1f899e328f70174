//! The masking key, and the sub-keys that the formats of pseudonyms draw from it.

use std::fmt;
use std::io::Write as _;
use std::path::Path;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use rand::TryRng as _;
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::Error;

/// What every pseudonym depends on: 32 random bytes. Who has it can tell which pseudonym a guessed value gets, so by default it
/// is drawn for one run and forgotten. Wiped from memory when dropped.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn random() -> Result<Key, Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        rand::rngs::SysRng
            .try_fill_bytes(bytes.as_mut_slice())
            .map_err(|error| Error::Random(error.to_string()))?;
        Ok(Key(bytes))
    }

    /// Reads a key file: 64 hex digits, white space around them allowed.
    ///
    /// # Errors
    /// [`Error::KeyFile`], [`Error::KeyText`].
    pub fn load(path: &Path) -> Result<Key, Error> {
        let text = Zeroizing::new(std::fs::read(path).map_err(|error| Error::key_file(path, error))?);
        let digits = text.trim_ascii();
        let mut bytes = Zeroizing::new([0; 32]);
        if digits.len() != 64 {
            let found = format!("{} characters", digits.len());
            return Err(Error::KeyText { path: path.to_path_buf(), found });
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let nibble = |digit: u8| char::from(digit).to_digit(16);
            let (Some(high), Some(low)) = (nibble(pair[0]), nibble(pair[1])) else {
                let found = "a character that is no hex digit".to_owned();
                return Err(Error::KeyText { path: path.to_path_buf(), found });
            };
            *byte = (high << 4 | low) as u8;
        }
        Ok(Key(bytes))
    }

    /// Reads the key file, or makes one with a new key (mode 0600) where there is none.
    ///
    /// # Errors
    /// As for [`Key::load`] and [`Key::random`].
    pub fn load_or_create(path: &Path) -> Result<Key, Error> {
        let key = Key::random()?;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(path) {
            Ok(mut file) => {
                let mut text = Zeroizing::new(String::with_capacity(65));
                for byte in key.0.iter() {
                    for nibble in [byte >> 4, byte & 15] {
                        text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
                    }
                }
                text.push('\n');
                file.write_all(text.as_bytes())
                    .and_then(|()| file.sync_all())
                    .map_err(|error| Error::key_file(path, error))?;
                Ok(key)
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Key::load(path),
            Err(error) => Err(Error::key_file(path, error)),
        }
    }

    /// Names the key without giving it away; goes into a recording's header.
    pub fn id(&self) -> [u8; 8] {
        let mut id = [0; 8];
        id.copy_from_slice(&self.sub("key id").digest(&[])[..8]);
        id
    }

    /// The sub-key for one format.
    pub(crate) fn sub(&self, purpose: &str) -> SubKey {
        let mut bytes = Zeroizing::new([0; 32]);
        // 32 bytes are far below the 8160 that HKDF-SHA-256 can expand to, so it cannot refuse.
        let expanded = Hkdf::<Sha256>::new(Some(b"mynah masking v1"), self.0.as_slice())
            .expand(purpose.as_bytes(), bytes.as_mut_slice());
        debug_assert!(expanded.is_ok());
        SubKey::new(&bytes)
    }
}

impl From<[u8; 32]> for Key {
    fn from(mut bytes: [u8; 32]) -> Self {
        let key = Key(Zeroizing::new(bytes));
        bytes.zeroize();
        key
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// A key for one purpose ([RFC 5869](https://www.rfc-editor.org/rfc/rfc5869)), as the state of an HMAC that has read it.
#[derive(Clone)]
pub(crate) struct SubKey {
    bytes: Zeroizing<[u8; 32]>,
    mac: Hmac<Sha256>,
}

impl SubKey {
    fn new(bytes: &Zeroizing<[u8; 32]>) -> SubKey {
        let block = Zeroizing::new({
            let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
            block[..32].copy_from_slice(bytes.as_slice());
            block.into()
        });
        let block: &[u8; 64] = &block;
        SubKey { bytes: bytes.clone(), mac: Hmac::new(block.into()) }
    }

    /// The key itself, for a block cipher.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// HMAC-SHA-256 over the parts, each preceded by its length.
    pub(crate) fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.mac.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// Endless keyed words that depend on `seed` alone.
    pub(crate) fn stream(&self, seed: &[u8]) -> impl Iterator<Item = u32> + use<> {
        let first = self.digest(&[b"stream", seed]);
        let key = self.clone();
        (0_u64..).flat_map(move |block| {
            let bytes = key.digest(&[&first, &block.to_le_bytes()]);
            let words: [u32; 8] = std::array::from_fn(|i| {
                u32::from_le_bytes([bytes[4 * i], bytes[4 * i + 1], bytes[4 * i + 2], bytes[4 * i + 3]])
            });
            words
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_round_trip_and_are_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let made = Key::load_or_create(&path).unwrap();
        let read = Key::load_or_create(&path).unwrap();
        assert_eq!(made.id(), read.id());
        assert_eq!(Key::load(&path).unwrap().id(), made.id());
        assert_ne!(Key::random().unwrap().id(), made.id());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(!format!("{made:?}").contains(std::fs::read_to_string(&path).unwrap().trim()));
    }

    #[test]
    fn bad_files_are_named_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert!(matches!(Key::load(&path), Err(Error::KeyFile { .. })));
        std::fs::write(&path, "secretsecret").unwrap();
        let error = Key::load_or_create(&path).unwrap_err().to_string();
        assert!(error.contains("12 characters") && !error.contains("secretsecret"), "{error}");
        std::fs::write(&path, "zz".repeat(32)).unwrap();
        assert!(Key::load(&path).unwrap_err().to_string().contains("no hex digit"));
    }

    #[test]
    fn sub_keys_differ_by_purpose() {
        let key = Key::from([7; 32]);
        assert_ne!(key.sub("a").digest(&[b"x"]), key.sub("b").digest(&[b"x"]));
        assert_ne!(key.sub("a").digest(&[b"x", b"y"]), key.sub("a").digest(&[b"xy"]));
        let words: Vec<_> = key.sub("a").stream(b"s").take(20).collect();
        assert_eq!(words, key.sub("a").stream(b"s").take(20).collect::<Vec<_>>());
        assert_ne!(words[0], words[8]);
    }
}
