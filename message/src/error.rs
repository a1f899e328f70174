//! The one error type of the crate.

use crate::Part;

/// What can be wrong with a message, a locator or an edit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The head does not begin with a request line or a status line.
    #[error("expected an HTTP request line or status line, found {found:?}")]
    StartLine {
        /// The beginning of what stands there (at most 40 bytes, made printable).
        found: String,
    },
    /// `Content-Encoding` names a coding that this crate cannot undo.
    #[error("content coding {coding:?} is not known (known: gzip, deflate, br, zstd, identity)")]
    UnknownCoding {
        /// The coding as written, lower-cased.
        coding: String,
    },
    /// The body is not what its content coding says.
    #[error("body is not valid {coding}: {detail}")]
    Coding {
        /// The coding's name.
        coding: &'static str,
        /// What the decoder or encoder said.
        detail: String,
    },
    /// The body decodes to more than [`Limits`](crate::Limits) allow.
    #[error("body of {encoded} bytes decodes to more than {limit} bytes; raise the limits or leave it out")]
    TooLarge {
        /// Bytes before decoding.
        encoded: usize,
        /// The limit that was hit, in bytes (from `decoded_bytes` or from `ratio`).
        limit: u64,
    },
    /// An edit's span is not inside its part.
    #[error("edit of {part:?} bytes {start}..{end} lies outside its {len} bytes")]
    EditOutside {
        /// Head or body.
        part: Part,
        /// Start of the span.
        start: usize,
        /// End of the span.
        end: usize,
        /// Length of that part.
        len: usize,
    },
    /// Two edits want the same bytes.
    #[error("two different edits of {part:?} overlap at byte {at}")]
    EditOverlap {
        /// Head or body.
        part: Part,
        /// Where the later edit begins.
        at: usize,
    },
    /// A locator's text form could not be read.
    #[error("locator {text:?}: expected {expected}")]
    Locator {
        /// What was given.
        text: String,
        /// What would have been right.
        expected: &'static str,
    },
}
