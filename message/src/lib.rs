//! The inside of one HTTP message.
//!
//! In goes a [`Message`] as it was recorded; out come its values, each with a [`Locator`] that says where it stands and the byte
//! span where it is written; and, after edits of such spans, a message whose framing is right again. Nothing is
//! ever re-serialised: what is not edited keeps its very bytes, odd as they may be.
//!
//! ```
//! use mynah_message::{Limits, Message, View, patch};
//!
//! let message = Message {
//!     head: "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 22\r\n\r\n".into(),
//!     body: r#"{"id": 7, "csrf":"x1"}"#.into(),
//!     ..Message::default()
//! };
//! let view = View::open(&message, &Limits::default())?;
//! let csrf = "json:$.csrf".parse()?;
//! assert_eq!(view.extract(&csrf).as_deref(), Some("x1"));
//! let edits = view.find(&csrf).iter().map(|leaf| leaf.edit(b"other")).collect();
//! let patched = patch(&view, edits)?;
//! assert_eq!(patched.body, r#"{"id": 7, "csrf":"other"}"#);
//! assert!(patched.head.ends_with(b"Content-Length: 25\r\n\r\n"));
//! # Ok::<(), mynah_message::Error>(())
//! ```
//!
//! | module | job |
//! |---|---|
//! | [`head`] | start line and fields, with spans; media types |
//! | [`target`] | request targets and URLs, taken apart |
//! | [`hex`] | bytes as digits |
//! | [`percent`] | percent-encoding, and the pairs of queries and forms |
//! | [`content`] | gzip, deflate, br, zstd: undone under limits, done again |
//! | [`digest`] | fields with a digest of the body, kept right |
//! | [`json`] | a scanner that keeps spans and tolerates oddities |
//! | [`multipart`] | the parts of a multipart body |
//! | [`html`] | tags, attributes and text of HTML and XML |
//! | [`script`] | keyed strings in scripts |
//! | [`locator`] | where a value stands, and the text form of that |
//! | [`leaf`] | a value found, and how to write another in its place |
//! | [`view`] | a message opened: all leaves, find, extract |
//! | [`mod@patch`] | edits, and framing made right |
//!
//! It knows no other crate of the workspace. Masking decides on every leaf and patches spans; grouping looks up in later requests
//! what responses hand out; replay extracts from live responses and injects in requests.

pub mod content;
pub mod digest;
mod error;
pub mod head;
pub mod hex;
pub mod html;
pub mod json;
pub mod leaf;
pub mod locator;
pub mod multipart;
pub mod patch;
pub mod percent;
pub mod script;
pub mod target;
pub mod view;

pub use content::{Coding, decode_content, encode_content};
pub use error::Error;
pub use head::{BodyKind, ContentType, Field, Head, Version};
pub use leaf::{Encoding, Leaf, Part, Side};
pub use locator::{JsonPath, Locator, Nth};
pub use patch::{Edit, PatchedBody, fix_framing, patch, patch_body, patch_decoded, without_digests};
pub use target::Target;
pub use view::{Coverage, Detail, Onward, PageEvents, Spot, View};

/// One HTTP message as recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Start line to the blank line inclusive, exactly as on the wire (HTTP/2, HAR: written as HTTP/1.1 text).
    pub head: bytes::Bytes,
    /// The body with the transfer coding (chunked) removed, the content coding (gzip…) kept.
    pub body: bytes::Bytes,
    /// Trailer field lines, as on the wire; usually empty.
    pub trailers: bytes::Bytes,
}

/// How far the opening of a body may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes that a body may decode to. 64 MiB.
    pub decoded_bytes: u64,
    /// Decoded bytes for each encoded byte. 100. Does not bite below a mebibyte decoded.
    pub ratio: u64,
    /// Nesting of JSON. 512.
    pub json_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { decoded_bytes: 64 << 20, ratio: 100, json_depth: 512 }
    }
}
