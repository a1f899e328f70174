//! What can go wrong while a recording is grouped.

use std::path::PathBuf;

/// Why no scenario could be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The recording could not be read, or an output not be written.
    #[error(transparent)]
    Traffic(#[from] mynah_traffic::Error),
    /// There is nothing that could be played.
    #[error("nothing to make a scenario from: {0}")]
    Empty(String),
    /// The recording gave something else when it was read again.
    #[error("the recording changed while it was read: {0}; do not write to it meanwhile")]
    Changed(String),
    /// An option cannot be.
    #[error("{0}")]
    Option(String),
    /// The scenario's path has no file name to call the session file after.
    #[error("{}: not a file name that a session file could be called after", .0.display())]
    Path(PathBuf),
    /// More exchanges than can be numbered.
    #[error("more than {} exchanges in one grouping; take a part of the recording", u32::MAX)]
    TooMany,
}
