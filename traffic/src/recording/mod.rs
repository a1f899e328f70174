//! The `.mynah` file: exchanges in the order in which they were completed, in checked and compressed frames.
//!
//! ```text
//! [file header, 80 bytes][exchanges frame]…[summary frame][index frame][footer, 16 bytes]
//! ```
//!
//! - The header says for ever whether the content was masked ([`Provenance`](crate::Provenance)), by which policy and key,
//!   and whether the audit has passed ([`Audit`]). It is rewritten in place once, when the recording is sealed.
//! - A frame holds at most 1 MiB of exchanges (one that is larger has a frame to itself) or one second of traffic.
//! - The index and the footer speed things up and can be lost: a reader without them reads the frames in order. Beyond 2²⁰ exchanges
//!   the index is left empty, which says the same.
//! - While it is written, the file is `NAME.partial`, readable by its owner only; it gets its name when sealed.
//!
//! | version | since | change |
//! |---|---|---|
//! | 1 | 0.1 | first |
//!
//! [`Writer`] takes `Masked<Exchange>` and nothing else; [`Reader`] is an iterator of them.

mod codec;
mod header;
mod quick;
mod reader;
mod summary;
#[cfg(test)]
mod tests;
mod writer;

pub use header::{Audit, Header, MAGIC, VERSION};
pub use reader::Reader;
pub use summary::{CaptureCounts, IndexEntry, Summary};
pub use writer::{Unsealed, Writer, partial_path, set_aside};

pub(crate) use codec::{MessageCode, decode, encode};

/// Frame kinds.
pub(crate) mod kind {
    pub(crate) const EXCHANGES: u8 = 1;
    pub(crate) const SUMMARY: u8 = 2;
    pub(crate) const INDEX: u8 = 3;
}

/// The footer: offset of the index frame, then these bytes.
pub(crate) const FOOTER_MAGIC: &[u8; 8] = b"MYNAHEND";
/// Length of the footer in bytes.
pub(crate) const FOOTER: u64 = 16;
