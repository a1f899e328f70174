//! The first 80 bytes of a recording.

use crate::{Nanos, Provenance};

/// The first bytes of every recording. The high bit and the line ends catch files that were mangled as text.
pub const MAGIC: &[u8; 8] = b"\x89MYNAH\r\n";
/// The version that this mynah writes; it reads every one up to it.
pub const VERSION: u16 = 1;

/// What the audit found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audit {
    /// It has not run (or not to its end): the recording is not sealed.
    Pending,
    /// It looked at every byte and found no original.
    Passed,
    /// There was none, because masking was refused.
    NotApplicable,
}

/// What a recording says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Format version.
    pub version: u16,
    /// Masked, or knowingly not.
    pub provenance: Provenance,
    /// Whether masking was proven.
    pub audit: Audit,
    /// When the recording was made.
    pub created: Nanos,
    /// Names the key under which pseudonyms were made, without giving it away; zero when there was none.
    pub key_id: [u8; 8],
    /// SHA-256 of the masking policy's text; zero when there was none.
    pub policy_hash: [u8; 32],
}

pub(crate) const LENGTH: usize = 80;
const CHECKED: usize = LENGTH - 4;

impl Header {
    pub(crate) fn to_bytes(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..10].copy_from_slice(&self.version.to_le_bytes());
        bytes[10] = match self.provenance {
            Provenance::Policy => 1,
            Provenance::Unmasked => 2,
        };
        bytes[11] = match self.audit {
            Audit::Pending => 0,
            Audit::Passed => 1,
            Audit::NotApplicable => 2,
        };
        bytes[12..20].copy_from_slice(&self.created.0.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.key_id);
        bytes[28..60].copy_from_slice(&self.policy_hash);
        let crc = crc32c::crc32c(&bytes[..CHECKED]);
        bytes[CHECKED..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header whose magic and version have been checked; `Err` says what is wrong.
    pub(crate) fn from_bytes(bytes: &[u8; LENGTH]) -> Result<Header, String> {
        let number = |range: std::ops::Range<usize>| {
            bytes[range].iter().rev().fold(0_u64, |value, &byte| value << 8 | u64::from(byte))
        };
        if number(CHECKED..LENGTH) != u64::from(crc32c::crc32c(&bytes[..CHECKED])) {
            return Err("the file header's checksum does not match".to_owned());
        }
        let provenance = match bytes[10] {
            1 => Provenance::Policy,
            2 => Provenance::Unmasked,
            other => return Err(format!("unknown provenance {other}")),
        };
        let audit = match bytes[11] {
            0 => Audit::Pending,
            1 => Audit::Passed,
            2 => Audit::NotApplicable,
            other => return Err(format!("unknown audit state {other}")),
        };
        let mut key_id = [0; 8];
        key_id.copy_from_slice(&bytes[20..28]);
        let mut policy_hash = [0; 32];
        policy_hash.copy_from_slice(&bytes[28..60]);
        Ok(Header {
            version: number(8..10) as u16,
            provenance,
            audit,
            created: Nanos(number(12..20)),
            key_id,
            policy_hash,
        })
    }
}
