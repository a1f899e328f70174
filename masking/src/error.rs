//! The one error type of the crate.

use std::path::{Path, PathBuf};

/// What can go wrong besides the traffic itself, whose oddities are quarantined and counted, never errors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The key file cannot be read or written.
    #[error("key file {}: {source}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The key file holds something else.
    #[error("key file {}: expected 64 hex digits (32 bytes), found {found}; remove the file to have a new key made", path.display())]
    KeyText {
        /// The file.
        path: PathBuf,
        /// What stands there, without its content.
        found: String,
    },
    /// The policy file cannot be read, or something in it is wrong.
    #[error("{}{}: {message}", path.display(), place.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default())]
    Policy {
        /// The file.
        path: PathBuf,
        /// Line and column, from 1, where known.
        place: Option<(usize, usize)>,
        /// What was expected and found.
        message: String,
    },
    /// What should be an HTTP message is none.
    #[error("expected an HTTP message: {0}")]
    NoMessage(String),
    /// The operating system gives no randomness.
    #[error("no random bytes from the operating system: {0}")]
    Random(String),
    /// A type that [`mask_value`](crate::mask_value()) does not know.
    #[error("unknown type {kind:?}; expected one of {}, or rule: and the name of a rule of the policy", crate::VALUE_KINDS.join(", "))]
    UnknownKind {
        /// As given.
        kind: String,
    },
    /// A value that is not what its type says.
    #[error("the value is no {kind}: expected {expected}")]
    NotOfKind {
        /// The type asked for.
        kind: &'static str,
        /// What such a value looks like.
        expected: &'static str,
    },
}

impl Error {
    pub(crate) fn key_file(path: &Path, source: std::io::Error) -> Error {
        Error::KeyFile { path: path.to_path_buf(), source }
    }
}
