use std::fmt;
use std::io;
use std::path::PathBuf;

/// Where in an input something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Bytes from the start of the (decompressed) input.
    Offset(u64),
    /// Line and column, both from 1.
    Line {
        /// The line.
        line: usize,
        /// The column within it, in bytes.
        column: usize,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Offset(offset) => write!(f, "byte {offset}"),
            Place::Line { line, column } => write!(f, "line {line}, column {column}"),
        }
    }
}

/// Why an input yields nothing (more). Damage behind something readable is no error but a warning of the source.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("{}: cannot be read: {source}", path.display())]
    Io {
        /// The input.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing that mynah knows.
    #[error(
        "{}: not a capture: expected pcap, pcapng, HAR, .gor, an access log or a .mynah recording (also inside .gz or .zst), found {found}",
        path.display()
    )]
    Unrecognised {
        /// The input.
        path: PathBuf,
        /// What it looks like instead.
        found: String,
    },
    /// Known, and not read by this version.
    #[error("{}: not supported yet: {what}", path.display())]
    Unsupported {
        /// The input.
        path: PathBuf,
        /// What it is, and what to do instead where there is something.
        what: String,
    },
    /// It claims to be something that it is not, from the start.
    #[error("{}: damaged at {place}: {message}", path.display())]
    Malformed {
        /// The input.
        path: PathBuf,
        /// Where.
        place: Place,
        /// What was expected and what was found.
        message: String,
    },
    /// An interface or address that cannot be listened on, or no longer.
    #[error("{what}: {message}")]
    Live {
        /// The interface or the address.
        what: String,
        /// What the system said, and what to do.
        message: String,
    },
}
