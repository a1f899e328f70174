//! Captured traffic in, HTTP exchanges out.
//!
//! In goes a file (or standard input): pcap, pcapng, HAR, `.gor` or an access log, also inside `.gz` or `.zst`, told apart by content. Out come
//! [`Exchange`](mynah_traffic::Exchange)s in the order in which they were completed, counts of everything that was lost, and
//! warnings as sentences. Bad input never panics, memory is bounded, and what stands before a damage is never lost.
//!
//! ```no_run
//! use mynah_capture::{Options, Source};
//!
//! let mut source = Source::open("traffic.pcap".as_ref(), &Options::default())?;
//! for exchange in &mut source {
//!     println!("{} {:?}", exchange.as_ref().map_or_else(ToString::to_string, |e| e.host()), exchange?.flags);
//! }
//! for warning in source.warnings() {
//!     eprintln!("{warning}");
//! }
//! # Ok::<(), mynah_capture::Error>(())
//! ```
//!
//! | module | job |
//! |---|---|
//! | `input`, `recognise` | opening, decompression, telling kinds apart |
//! | `container` | pcap and pcapng: packets with their times and link types |
//! | `net` | link layers, tunnels, IP and its fragments → TCP segments |
//! | `tcp` | segments → the two byte streams of each connection, with their holes, within a memory limit |
//! | `http` | byte streams → messages → exchanges |
//! | `assembly` | the three above, joined, and the books of it |
//! | `packets` | capture files: `container` and `assembly` |
//! | [`live`] | an interface, through libpcap: the same assembly on packets as they pass (feature `live`) |
//! | `har` | HTTP archives, entry by entry |
//! | `gor` | GoReplay's files, record by record, several in the order of their times |
//! | `access_log` | servers' access logs, line by line |
//! | `source` | the one iterator that callers see |
//! | `proxy` | a reverse proxy that records what passes through it |
//! | [`feed`](Feed) | traffic while it happens, and the queue that it waits in |
//!
//! HTTP/2 and TLS in packets are not read yet, but counted in the warnings.
//!
//! Everything of TCP and HTTP/1 is our own, because recordings come with what no live parser meets: holes, overlaps, a beginning in
//! the middle. Containers are taken apart by `pcap-parser`, IP and TCP headers by `etherparse`.

mod access_log;
mod assembly;
mod container;
mod error;
mod feed;
mod gor;
mod har;
mod http;
mod input;
#[cfg(feature = "live")]
pub mod live;
mod net;
mod options;
mod packets;
#[cfg(feature = "proxy")]
mod proxy;
mod recognise;
mod source;
mod tcp;

pub use access_log::{AccessLogOptions, BadFields, LogFields};
pub use error::{Error, Place};
pub use feed::{Feed, Next, Stop};
pub use gor::message;
pub use input::Input;
pub use options::Options;
#[cfg(feature = "proxy")]
pub use proxy::{Proxy, ProxyOptions};
pub use recognise::{Kind, recognise};
pub use source::Source;
