//! What can go wrong with mynah's own files and expressions, each with its place.

use std::path::{Path, PathBuf};

/// An error in one of mynah's files or expressions.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused to read or write.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or folder concerned.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is something else than it was taken for.
    #[error("{path}: not a mynah {wanted}: {found}", path = path.display())]
    NotA {
        /// The file.
        path: PathBuf,
        /// `recording`, `session file`, …
        wanted: &'static str,
        /// What stands there instead.
        found: String,
    },
    /// The file was written by a newer mynah.
    #[error("{path}: format version {found} is newer than this mynah reads (up to {known}); use a newer mynah", path = path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Version in the file.
        found: u16,
        /// Newest version known here.
        known: u16,
    },
    /// A frame failed its check, or the file ends inside one.
    #[error("{path}: damaged at byte {offset}: {why}; what stands before is whole (--recover takes it)", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Offset of the first damaged frame, in bytes from the start of the file.
        offset: u64,
        /// What failed.
        why: String,
    },
    /// A scenario or another configuration text is wrong.
    #[error("{path}{place}: {message}", path = path.display(), place = place.map(|(l, c)| format!(":{l}:{c}")).unwrap_or_default())]
    Config {
        /// The file.
        path: PathBuf,
        /// Line and column, from 1, where known.
        place: Option<(usize, usize)>,
        /// What was expected and found.
        message: String,
    },
    /// An expression, a duration, a template … given by the user cannot be understood.
    #[error("{what} '{text}': {message}")]
    Syntax {
        /// What it was taken for: `threshold`, `duration`, `endpoint`, …
        what: &'static str,
        /// The text as given.
        text: String,
        /// What was expected.
        message: String,
    },
    /// Something grew past a stated limit.
    #[error("{0}")]
    Limit(String),
}

impl Error {
    /// Wraps an I/O error with the path that it concerns.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().to_path_buf(), source }
    }

    /// A text of the user's that cannot be understood.
    pub fn syntax(what: &'static str, text: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Syntax { what, text: text.into(), message: message.into() }
    }
}
